"""What a tune was asked to be, and where in its form a token stands: bars, and degrees of the key.

A tune says its controls (metre, key, number of bars, rhythm) after its start token. From the metre
follows the bar in which a token starts, counted from the first sounding chord; from the number of
bars, how many are still to go; from the key, which degree of its scale a pitch is. A tune of n bars
ends with them.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.models.bar_limits import BarLimits, PlaceInTime
from tfseqgan.models.scale_degrees import (
    NUM_DEGREES,
    check_pitch_classes,
    degree_scores,
    degrees_in_key,
    pitch_class_rows,
)
from tfseqgan.models.token_clock import check_token_controls, check_token_durations
from tfseqgan.models.token_grammar import NUM_CONTROLS
from tfseqgan.ops.masking import FORBIDDEN

_METRE, _KEY, _BARS, _RHYTHM = range(NUM_CONTROLS)

_BARS_OF_A_PHRASE = 8
_LATEST_BAR = 63
_MOST_TO_GO = 33
"""Bars to go, of which the last number holds all that are more."""


class FormState(NamedTuple):
    """What is kept of the tokens read so far; int32 [...] each.

    Attributes:
        codes: int32 [..., 4], the controls that were read; 0 for unknown.
        bar_ticks: the length of a bar; 0 for unknown.
        first: 1 + the tick at which the first chord sounds, or the melody if there are no chords;
            0 before it.
        pitch_classes: int32 [..., 2], those of the last token.
    """

    codes: tf.Tensor
    bar_ticks: tf.Tensor
    first: tf.Tensor
    pitch_classes: tf.Tensor


def count_form_rows(token_controls: np.ndarray | Sequence[Sequence[int]]) -> int:
    """Counts the rows of the tables of a `TuneForm`."""
    return sum(_feature_sizes(np.asarray(token_controls))) + NUM_DEGREES


def _feature_sizes(token_controls: np.ndarray) -> list[int]:
    """Returns how many values each feature has; 0 stands for unknown in each."""
    which, codes, ticks = token_controls.T
    of_controls = [1 + int(codes[which == 1 + index].max()) for index in range(NUM_CONTROLS)]
    longest_bar = int(ticks.max())

    return [*of_controls, 2 + longest_bar, 1 + _BARS_OF_A_PHRASE, 2 + _LATEST_BAR, 2 + _MOST_TO_GO]


@keras.saving.register_keras_serializable(package="tfseqgan")
class TuneForm(keras.layers.Layer):
    """Reads the controls of a tune: a vector of what it was asked for and of the place in its form.

    The vector is the sum of one a feature: the four controls; the place in the bar (before the
    first sounding chord, one for the pick-up), the number of the bar modulo 8, the number of the
    bar, and the bars still to go; and for the last token the degrees of its melody and of its bass
    in the key. Degrees are vectors of the output too: `degree_scores` gives what they add to the
    logits, so that transposition changes nothing but the register.

    Args:
        token_controls: int32 [V, 3], the control that each token says (`Tokenizer.token_controls`).
        token_pitch_classes: int32 [V, 2], the pitch classes of each token
            (`Tokenizer.token_pitch_classes`).
        token_durations: int32 [V, 2], the ticks of each token in melody and chords.
        embedding_dim: D, the length of a vector.
        dropout: in training, the share of the tunes in which a control is read as unknown, for each
            of the controls; in half as many all of them are.
        initializer: Keras initializer of the tables.
        end_token_id: the id that ends a tune.

    Example:
        >>> form = TuneForm(
        ...     token_controls=[[0, 0, 0], [1, 1, 72], [2, 3, 0], [3, 16, 0], [4, 2, 0]],
        ...     token_pitch_classes=[[0, 0]] * 5,
        ...     token_durations=[[0, 0]] * 5,
        ...     embedding_dim=4,
        ... )
        >>> state = form.start(1)
        >>> zeros = tf.constant([0])
        >>> for token in (1, 2):
        ...     state = form.advance(state, tf.constant([token]), zeros, zeros)
        >>> state.codes.numpy().tolist(), state.bar_ticks.numpy().tolist()
        ([[1, 3, 0, 0]], [72])
    """

    def __init__(
        self,
        token_controls: np.ndarray | list[list[int]],
        token_pitch_classes: np.ndarray | list[list[int]],
        token_durations: np.ndarray | list[list[int]],
        embedding_dim: int,
        dropout: float = 0.0,
        initializer: Any = "uniform",
        end_token_id: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.end_token_id = end_token_id
        controls = check_token_controls(token_controls, len(token_controls))
        classes = check_pitch_classes(token_pitch_classes, len(token_controls))
        durations = check_token_durations(token_durations, len(token_controls))
        assert controls is not None and classes is not None and durations is not None
        self.token_controls = controls
        self.token_pitch_classes = classes
        self.token_durations = durations
        self.embedding_dim = embedding_dim
        self.dropout_rate = dropout
        self.initializer = keras.initializers.get(initializer)
        self.dropout_of_each = keras.layers.Dropout(dropout, name="dropout_of_each")
        self.dropout_of_all = keras.layers.Dropout(dropout / 2, name="dropout_of_all")

        # The last row of each table is the opening vector, which says and sounds nothing.
        self._codes = _codes_by_control(controls)  # [V + 1, 4]
        self._bar_ticks = np.pad(controls[:, 2], [0, 1])
        self._pitch_classes = np.pad(classes, [[0, 1], [0, 0]])
        is_alone = (classes[:, 0] > 0) & (durations[:, 1] == 0)
        self._has_melody_alone = np.pad(is_alone, [0, 1])
        self._sizes = _feature_sizes(controls)
        self._limits = BarLimits(durations, classes, end_token_id)

    @property
    def bar_lengths(self) -> list[int]:
        """The lengths of a bar that the metres have, in ticks; the first is 0, for unknown."""
        return sorted({0, *self.token_controls[:, 2].tolist()})

    def index_of_bar_length(self, state: FormState) -> tf.Tensor:
        """Computes the index of the length of a bar in `bar_lengths`, int32 [...]."""
        indices = np.zeros(1 + max(self.bar_lengths), np.int32)
        indices[self.bar_lengths] = np.arange(len(self.bar_lengths))  # other lengths are unknown

        return tf.gather(indices, state.bar_ticks)

    @property
    def ids_without_controls(self) -> np.ndarray:
        """The id of each token if all controls are unknown, int32 [V + 1]."""
        which, codes, _ = self.token_controls.T
        ids = np.arange(len(which) + 1, dtype=np.int32)
        for control in range(1, NUM_CONTROLS + 1):
            ids[:-1][which == control] = np.flatnonzero((which == control) & (codes == 0))[0]

        return ids

    def build(self, input_shape: Any = None) -> None:
        """Creates the tables: the rows of all features one after the other, and the degrees."""
        self.table = self._add_table("table", sum(self._sizes))
        self.degrees = self._add_table("degrees", NUM_DEGREES)

    def _add_table(self, name, num_rows):
        initializer = self.initializer.__class__.from_config(self.initializer.get_config())
        shape = (num_rows, self.embedding_dim)

        return self.add_weight(shape=shape, initializer=initializer, autocast=False, name=name)

    def start(self, num_rows: tf.Tensor | int) -> FormState:
        """Returns the state before the first token, of `num_rows` rows."""
        return FormState(
            codes=tf.zeros([num_rows, NUM_CONTROLS], tf.int32),
            bar_ticks=tf.zeros([num_rows], tf.int32),
            first=tf.zeros([num_rows], tf.int32),
            pitch_classes=tf.zeros([num_rows, 2], tf.int32),
        )

    def _first_sounds(self, tokens, melody_end, chord_end):
        """Returns 1 + the tick at which a token sounds if bars may be counted from it, else 0."""
        has_chord = tf.gather(self._pitch_classes[:, 1], tokens) > 0
        is_alone = tf.gather(self._has_melody_alone, tokens) & (chord_end == 0)

        return tf.where(has_chord, 1 + chord_end, tf.where(is_alone, 1 + melody_end, 0))

    def advance(
        self, state: FormState, tokens: tf.Tensor, melody_end: tf.Tensor, chord_end: tf.Tensor
    ) -> FormState:
        """Reads one token a row.

        Args:
            state: the state before the tokens.
            tokens: int32 [B]; V, the opening vector, changes nothing.
            melody_end: int32 [B], the tick at which a note of theirs starts
                (`ClockState.melody_end` before the tokens).
            chord_end: likewise of a chord.

        Returns:
            The state after the tokens.
        """
        codes = state.codes + tf.gather(self._codes, tokens)
        bar_ticks = state.bar_ticks + tf.gather(self._bar_ticks, tokens)
        codes, bar_ticks = self._within_range(codes, bar_ticks)

        first = self._first_sounds(tokens, melody_end, chord_end)
        first = tf.where(state.first > 0, state.first, first)

        return FormState(codes, bar_ticks, first, tf.gather(self._pitch_classes, tokens))

    def states_before(
        self,
        tokens: tf.Tensor,
        melody_end: tf.Tensor,
        chord_end: tf.Tensor,
        training: bool = False,
    ) -> FormState:
        """Computes the state before each token of whole rows: `advance` in running sums.

        Args:
            tokens: int32 [B, T].
            melody_end: int32 [B, T], `ClockState.melody_end` before each token.
            chord_end: int32 [B, T], likewise.
            training: whether controls are left out at random.

        Returns:
            int32 [B, T] and [B, T, …].
        """
        kept = self._kept_controls(tf.shape(tokens)[0], training)  # [B, 1, 4]
        codes = tf.cumsum(tf.gather(self._codes, tokens) * kept, axis=1)
        bar_ticks = tf.cumsum(tf.gather(self._bar_ticks, tokens) * kept[:, :, _METRE], axis=1)
        codes, bar_ticks = self._within_range(codes, bar_ticks)

        first = self._first_sounds(tokens, melody_end, chord_end)
        num_found = tf.cumsum(tf.cast(first > 0, tf.int32), axis=1)
        first = tf.cumsum(tf.where(num_found == 1, first, 0), axis=1)
        after = FormState(codes, bar_ticks, first, tf.gather(self._pitch_classes, tokens))

        return FormState(*[_one_later(field) for field in after])

    def _within_range(self, codes, bar_ticks):
        """Returns both as they can be looked up, also of a row that says a control twice."""
        largest_codes = np.array(self._sizes[:NUM_CONTROLS]) - 1

        return tf.minimum(codes, largest_codes), tf.minimum(bar_ticks, self.bar_lengths[-1])

    def _kept_controls(self, num_rows, training):
        """Returns 1 for each control of a row that is read, 0 for others: int32 [B, 1, 4]."""
        each = self.dropout_of_each(tf.ones([num_rows, 1, NUM_CONTROLS]), training=training)
        together = self.dropout_of_all(tf.ones([num_rows, 1, 1]), training=training)

        return tf.cast((each > 0) & (together > 0), tf.int32)

    def _features(self, state: FormState, due: tf.Tensor) -> list[tf.Tensor]:
        """Computes the value of each feature, int32 [...] each; 0 where it is not known."""
        bar_ticks = tf.maximum(state.bar_ticks, 1)
        num_bars = state.codes[..., _BARS]
        has_metre = state.bar_ticks > 0
        has_begun = has_metre & (state.first > 0)

        since = tf.maximum(due + 1 - state.first, 0)
        bar = tf.where(state.first > 0, since // bar_ticks, 0)
        to_go = tf.clip_by_value(num_bars - bar, 0, _MOST_TO_GO)

        return [
            *tf.unstack(state.codes, axis=-1),
            tf.where(has_begun, 2 + since % bar_ticks, tf.cast(has_metre, tf.int32)),
            tf.where(has_begun, 1 + bar % _BARS_OF_A_PHRASE, 0),
            tf.where(has_begun, 1 + tf.minimum(bar, _LATEST_BAR), 0),
            tf.where(has_metre & (num_bars > 0), 1 + to_go, 0),
        ]

    def vectors(self, state: FormState, due: tf.Tensor) -> tf.Tensor:
        """Computes the vector of the place of the next token.

        Args:
            state: the state before it.
            due: int32 [...], the tick at which it starts.

        Returns:
            float32 [..., D].
        """
        sizes = [*self._sizes, NUM_DEGREES, NUM_DEGREES]
        degrees = degrees_in_key(state.codes[..., _KEY], state.pitch_classes)
        values = [*self._features(state, due), *tf.unstack(degrees, axis=-1)]
        table = tf.concat([self.table, self.degrees, self.degrees], axis=0)

        # A product with rows of 0 and 1, whose gradient is another one; that of a lookup of so many
        # rows takes far longer. No degree is a row of zeros.
        rows = [tf.one_hot(value, size) for value, size in zip(values, sizes, strict=True)]
        flat = tf.reshape(tf.concat(rows, axis=-1), [-1, sum(sizes)])
        shape = tf.concat([tf.shape(due), [self.embedding_dim]], axis=0)

        return tf.reshape(tf.matmul(flat, table), shape)

    @property
    def output_rows(self) -> np.ndarray:
        """The rows of the output kernel that `output_scores` meets, float32 [29, V].

        They are of 0 and 1 for the pitch classes, and of 0 and −∞ for what the bars forbid.
        """
        of_pitches = pitch_class_rows(self.token_pitch_classes)

        return np.concatenate([of_pitches, FORBIDDEN * self.forbidden_rows]).astype(np.float32)

    @property
    def forbidden_rows(self) -> np.ndarray:
        """The tokens that each column of `forbidden` is about, bool [3, V]."""
        return self._limits.rows

    def output_scores(self, outputs: tf.Tensor, state: FormState, place: PlaceInTime) -> tf.Tensor:
        """Computes what meets `output_rows`: scores of the degrees, and what is forbidden.

        Args:
            outputs: float [N, D], what the tokens' vectors are multiplied with.
            state: int32 [N] each.
            place: int32 [N] each.

        Returns:
            float [N, 29].
        """
        of_degrees = degree_scores(outputs, self.degrees, state.codes[:, _KEY])
        forbidden = tf.cast(self.forbidden(state, place), outputs.dtype)

        return tf.concat([of_degrees, forbidden], axis=1)

    def forbidden(self, state: FormState, place: PlaceInTime) -> tf.Tensor:
        """Computes what the number of bars forbids, bool [..., 3] (`bar_limits`).

        Args:
            state: int32 [...] each.
            place: int32 [...] each.
        """
        num_bars = state.codes[..., _BARS]

        return self._limits.forbidden(num_bars, state.bar_ticks, state.first, place)

    def get_config(self) -> dict[str, Any]:
        """Returns what makes the same layer again, as plain values."""
        return super().get_config() | {
            "token_controls": self.token_controls.tolist(),
            "token_pitch_classes": self.token_pitch_classes.tolist(),
            "token_durations": self.token_durations.tolist(),
            "embedding_dim": self.embedding_dim,
            "dropout": self.dropout_rate,
            "end_token_id": self.end_token_id,
            "initializer": keras.initializers.serialize(self.initializer),
        }


def _codes_by_control(token_controls: np.ndarray) -> np.ndarray:
    """Returns the code of each token in the column of its control, int32 [V + 1, 4]."""
    which, codes, _ = token_controls.T
    columns = 1 + np.arange(NUM_CONTROLS)
    by_control = np.where(which[:, None] == columns, codes[:, None], 0)

    return np.pad(by_control, [[0, 1], [0, 0]]).astype(np.int32)


def _one_later(field: tf.Tensor) -> tf.Tensor:
    """Returns what was known after each token as what is known before the next, [B, T, …]."""
    padding = [[0, 0], [1, 0]] + [[0, 0]] * (field.shape.rank - 2)

    return tf.pad(field[:, :-1], padding)
