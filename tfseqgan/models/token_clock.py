"""Where a token stands in its tune: what may follow it, what still sounds, and the beat.

The durations of the tokens that were read add up to the tick at which each voice continues, from
which the state of the grammar (`token_grammar`) follows.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.models.checks import check_token_table
from tfseqgan.models.token_grammar import (
    ANYTHING,
    BEGIN,
    BOTH,
    BOTH_DUE,
    CHORDS,
    CHORDS_DUE,
    CHORDS_ONLY,
    CONTROL_DUE,
    CONTROLS,
    END,
    ENDED,
    FIRST_CHORD,
    MELODY_DUE,
    MELODY_ONLY,
    NUM_CONTROLS,
    NUM_STATES,
    OPENING,
    OPENING_VECTOR,
    START,
    are_interleaved,
    grammar_mask,
    kinds_of_tokens,
)

# How much is known of the time of a row.
_NOTHING_READ, _UNKNOWN, _BALANCE_KNOWN, _TICK_KNOWN = range(4)

_LONGEST_REMAINING = 96
"""What still sounds is counted to a bar of 4/4."""

_BEATS = (24, 72, 96)
"""The onset is given modulo a quarter, and modulo bars of 3/4 and 4/4."""

_FEATURE_SIZES = (
    NUM_STATES,
    _LONGEST_REMAINING + 2,
    _LONGEST_REMAINING + 2,
    *(beat + 1 for beat in _BEATS),
)
"""Values of each feature; of all but the first, 0 stands for unknown."""


NUM_ROWS = sum(_FEATURE_SIZES)
"""Rows of the clock's table: one for each value of each feature."""


_PERIOD = 288
"""The least common multiple of `_BEATS`: after so many ticks the onset is the same modulo all."""

_NUM_SOUNDING = 2 + 2 * _LONGEST_REMAINING
"""What still sounds at an onset: unknown, nothing, so much of the melody, or so much of a chord."""


def _joint_rows() -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of the table that are added up for all that can occur together.

    Returns:
        int32 [states · sounding, 3] of the grammar and of both voices, and [1 + period, 3] of the
        onset modulo each beat.
    """
    offsets = np.cumsum((0, *_FEATURE_SIZES[:-1]))
    remaining = np.arange(1, _LONGEST_REMAINING + 1)
    nothing = np.zeros(_LONGEST_REMAINING, int)
    melody = 1 + np.concatenate([[-1, 0], remaining, nothing])
    chords = 1 + np.concatenate([[-1, 0], nothing, remaining])
    codes, sounding = np.divmod(np.arange(NUM_STATES * _NUM_SOUNDING), _NUM_SOUNDING)
    of_sounding = np.stack([codes, melody[sounding], chords[sounding]], axis=1) + offsets[:3]

    onsets = np.stack([1 + np.arange(_PERIOD) % beat for beat in _BEATS], axis=1)
    of_onset = np.concatenate([np.zeros((1, len(_BEATS)), int), onsets]) + offsets[3:]

    return of_sounding.astype(np.int32), of_onset.astype(np.int32)


_JOINT_ROWS = _joint_rows()

NUM_JOINT_ROWS = sum(len(rows) for rows in _JOINT_ROWS)
"""Rows of `TokenClock.joint_table`."""


class ClockState(NamedTuple):
    """What the clock keeps of the tokens read so far; int32 [...] each.

    Attributes:
        melody_end: ticks of the melody.
        chord_end: ticks of the chords.
        num_events: how many events there were, 2 for more.
        num_controls: how many controls there were.
        known: how much is known of the time of the row.
        has_ended: 1 after the end token.
    """

    melody_end: tf.Tensor
    chord_end: tf.Tensor
    num_events: tf.Tensor
    num_controls: tf.Tensor
    known: tf.Tensor
    has_ended: tf.Tensor


def check_token_durations(
    token_durations: np.ndarray | list[list[int]] | None, vocabulary_size: int
) -> np.ndarray | None:
    """Returns durations as int32 [V, 2], checked, or None.

    Args:
        token_durations: integers [V, 2], ticks of each token in melody and chords, or None.
        vocabulary_size: V.

    Raises:
        ValueError: if the shape or the values do not fit the vocabulary.
    """
    if token_durations is None:
        return None

    return check_token_table("token_durations", token_durations, vocabulary_size, num_columns=2)


def check_token_controls(
    token_controls: np.ndarray | list[list[int]] | None, vocabulary_size: int
) -> np.ndarray | None:
    """Returns controls as int32 [V, 3], checked, or None.

    Args:
        token_controls: integers [V, 3]: which control each token says, from 1, or 0 for none; its
            code, 0 for unknown; and the ticks of a bar for metres, else 0. Or None.
        vocabulary_size: V.

    Raises:
        ValueError: if the shape or the values do not fit the vocabulary.
    """
    if token_controls is None:
        return None

    table = check_token_table("token_controls", token_controls, vocabulary_size, num_columns=3)
    if set(table[:, 0]) != set(range(NUM_CONTROLS + 1)):
        raise ValueError(
            f"token_controls say the controls {sorted(set(table[:, 0].tolist()))}; expected 0 for "
            f"tokens that say none, and each of 1 to {NUM_CONTROLS}. Pass "
            "tokenizer.token_controls."
        )

    return table


def _is_event(kinds: tf.Tensor) -> tf.Tensor:
    """Computes which tokens are events, int32 [...] of 0 and 1."""
    return tf.cast((kinds >= BOTH) & (kinds <= CHORDS), tf.int32)


def _is_control(kinds: tf.Tensor) -> tf.Tensor:
    """Computes which tokens are controls, int32 [...] of 0 and 1."""
    return tf.cast(kinds >= CONTROLS[0], tf.int32)


@keras.saving.register_keras_serializable(package="tfseqgan")
class TokenClock(keras.layers.Layer):
    """Reads the durations of tokens: what may follow, and a vector that says when it would start.

    Everything is integer arithmetic on running sums, for whole batches at once (`states_before`)
    or token by token (`advance`).

    Args:
        token_durations: int32 [V, 2], ticks of each token in melody and chords
            (`Tokenizer.token_durations`).
        embedding_dim: D, the length of a vector.
        pad_token_id: the id that stands after the end token.
        end_token_id: the id that ends a sequence.
        initializer: Keras initializer of the table of vectors.
        token_controls: int32 [V, 3], the control that each token says
            (`Tokenizer.token_controls`), or None.

    Example:
        >>> durations = [[0, 0], [0, 0], [0, 0], [24, 0], [0, 48]]  # pad, start, end, note, chord
        >>> clock = TokenClock(durations, embedding_dim=4, pad_token_id=0, end_token_id=2)
        >>> states = clock.states_before(tf.constant([[1, 4, 3, 3, 2]]))
        >>> clock.grammar(states).numpy().tolist() == [
        ...     [BEGIN, OPENING, FIRST_CHORD, MELODY_DUE, BOTH_DUE]
        ... ]
        True
    """

    def __init__(
        self,
        token_durations: np.ndarray | list[list[int]],
        embedding_dim: int,
        pad_token_id: int,
        end_token_id: int,
        initializer: Any = "uniform",
        token_controls: np.ndarray | list[list[int]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        durations = check_token_durations(token_durations, len(token_durations))
        assert durations is not None
        self.token_durations = durations
        self.token_controls = check_token_controls(token_controls, len(durations))
        self.embedding_dim = embedding_dim
        self.pad_token_id = pad_token_id
        self.end_token_id = end_token_id
        self.initializer = keras.initializers.get(initializer)

        self._kinds = kinds_of_tokens(durations, self.token_controls, pad_token_id, end_token_id)
        self._durations = np.pad(durations, [[0, 1], [0, 0]])  # the opening vector lasts 0
        self.mask = grammar_mask(self._kinds)

    def build(self, input_shape: Any = None) -> None:
        """Creates the table of vectors: the rows of all features, one after the other."""
        self.table = self.add_weight(
            shape=(NUM_ROWS, self.embedding_dim),
            initializer=self.initializer,
            autocast=False,
            name="table",
        )

    def start(self, num_rows: tf.Tensor | int) -> ClockState:
        """Returns the state before the first token, int32 [B] each."""
        zeros = tf.zeros([num_rows], tf.int32)

        return ClockState(*[zeros] * len(ClockState._fields))

    def advance(self, state: ClockState, tokens: tf.Tensor) -> ClockState:
        """Reads one token a row.

        Args:
            state: int32 [B] each.
            tokens: int32 [B]; V, the opening vector, changes nothing.

        Returns:
            The state after the tokens.
        """
        kinds = tf.gather(self._kinds, tokens)
        durations = tf.gather(self._durations, tokens)  # [B, 2]

        is_first = (state.known == _NOTHING_READ) & (kinds != OPENING_VECTOR)
        known = tf.where(is_first, tf.where(kinds == START, _TICK_KNOWN, _UNKNOWN), state.known)
        known = tf.where((known == _UNKNOWN) & (kinds == BOTH), _BALANCE_KNOWN, known)

        counted = tf.cast(known >= _BALANCE_KNOWN, tf.int32)

        return ClockState(
            melody_end=state.melody_end + counted * durations[:, 0],
            chord_end=state.chord_end + counted * durations[:, 1],
            num_events=tf.minimum(state.num_events + _is_event(kinds), 2),
            num_controls=state.num_controls + _is_control(kinds),
            known=known,
            has_ended=tf.maximum(state.has_ended, tf.cast(kinds == END, tf.int32)),
        )

    def states_before(self, tokens: tf.Tensor) -> ClockState:
        """Computes the state before each token of whole rows: `advance` in running sums.

        Args:
            tokens: int32 [B, T].

        Returns:
            int32 [B, T] each.
        """
        kinds = tf.gather(self._kinds, tokens)  # [B, T]
        durations = tf.gather(self._durations, tokens)  # [B, T, 2]

        both_read = tf.cumsum(tf.cast(kinds == BOTH, tf.int32), axis=1) > 0
        inside = tf.where(both_read, _BALANCE_KNOWN, _UNKNOWN)
        known = tf.where(kinds[:, :1] == START, _TICK_KNOWN, inside)
        counted = tf.cast(known >= _BALANCE_KNOWN, tf.int32)
        ends = tf.cumsum(durations * counted[:, :, None], axis=1)

        after = ClockState(
            melody_end=ends[:, :, 0],
            chord_end=ends[:, :, 1],
            num_events=tf.minimum(tf.cumsum(_is_event(kinds), axis=1), 2),
            num_controls=tf.cumsum(_is_control(kinds), axis=1),
            known=known,
            has_ended=tf.minimum(tf.cumsum(tf.cast(kinds == END, tf.int32), axis=1), 1),
        )

        return ClockState(*[tf.pad(field[:, :-1], [[0, 0], [1, 0]]) for field in after])

    def grammar(self, state: ClockState) -> tf.Tensor:
        """Computes what may follow: int32 [...], one of the constants of this module."""
        has_melody = state.melody_end > 0
        has_chords = state.chord_end > 0
        balance = state.melody_end - state.chord_end

        of_both = tf.where(balance < 0, MELODY_DUE, tf.where(balance > 0, CHORDS_DUE, BOTH_DUE))
        of_chords = tf.fill(tf.shape(balance), CHORDS_ONLY)
        if are_interleaved(self._kinds):
            of_chords = tf.where(state.num_events < 2, FIRST_CHORD, of_chords)
        of_one = tf.where(has_melody, MELODY_ONLY, of_chords)

        code = tf.where(has_melody & has_chords, of_both, of_one)
        code = tf.where(state.num_events == 0, self._first(state), code)
        code = tf.where(state.known == _UNKNOWN, ANYTHING, code)
        code = tf.where(state.known == _NOTHING_READ, BEGIN, code)

        return tf.where(state.has_ended > 0, ENDED, code)

    def _first(self, state: ClockState) -> tf.Tensor:
        """Computes what may follow before the first event, int32 [...]."""
        num_controls = state.num_controls
        opening = tf.fill(tf.shape(num_controls), OPENING)
        if self.token_controls is None:
            return opening

        return tf.where(num_controls < NUM_CONTROLS, CONTROL_DUE + num_controls, opening)

    def one_hot(self, code: tf.Tensor, dtype: Any) -> tf.Tensor:
        """Returns codes of `grammar` as rows that `mask` is multiplied with, [..., states]."""
        return tf.one_hot(code, NUM_STATES, dtype=dtype)

    def due(self, state: ClockState, code: tf.Tensor) -> tf.Tensor:
        """Computes the tick at which the next token starts, int32 [...]; 0 where unknown."""
        due = tf.minimum(state.melody_end, state.chord_end)
        due = tf.where(code == MELODY_ONLY, state.melody_end, due)

        return tf.where(code == CHORDS_ONLY, state.chord_end, due)

    def onsets(self, state: ClockState, code: tf.Tensor) -> tf.Tensor:
        """Computes the tick at which the next token starts, from where the time of a row is known.

        Args:
            state: int32 [...] each.
            code: int32 [...], from `grammar`.

        Returns:
            int32 [...]; −1 where it is not known.
        """
        return tf.where(state.known >= _BALANCE_KNOWN, self.due(state, code), -1)

    def indices(self, state: ClockState, code: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes which two rows of `joint_table` say when the next token starts.

        Args:
            state: int32 [...] each.
            code: int32 [...], from `grammar`.

        Returns:
            int32 [...] each: of the grammar and what still sounds, and of the onset.
        """
        due = self.due(state, code)
        melody = tf.clip_by_value(state.melody_end - due, 0, _LONGEST_REMAINING)
        chords = tf.clip_by_value(state.chord_end - due, 0, _LONGEST_REMAINING)
        # At the next onset one of the voices ends at the latest, so that one of the two is 0.
        sounding = 1 + melody + tf.where(chords > 0, chords + _LONGEST_REMAINING, 0)
        sounding = tf.where(state.known >= _BALANCE_KNOWN, sounding, 0)
        onset = tf.where(state.known == _TICK_KNOWN, 1 + due % _PERIOD, 0)

        return code * _NUM_SOUNDING + sounding, NUM_STATES * _NUM_SOUNDING + onset

    def joint_table(self) -> tf.Tensor:
        """Computes the sum of the features' vectors for all that can occur together.

        Returns:
            float32 [R, D], rows of the grammar with what still sounds, then rows of the onset.
        """
        parts = [tf.reduce_sum(tf.gather(self.table, rows), axis=1) for rows in _JOINT_ROWS]

        return tf.concat(parts, axis=0)

    def vectors(self, state: ClockState, code: tf.Tensor) -> tf.Tensor:
        """Computes the vector that says when the next token starts and what sounds then.

        Args:
            state: int32 [...] each.
            code: int32 [...], from `grammar`.

        Returns:
            float32 [..., D], the sum of one vector a feature.
        """
        table = self.joint_table()
        of_sounding, of_onset = self.indices(state, code)

        return tf.gather(table, of_sounding) + tf.gather(table, of_onset)

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        """Computes the vector of the place before each token: int [B, T] → float32 [B, T, D]."""
        states = self.states_before(tf.cast(tokens, tf.int32))

        return self.vectors(states, self.grammar(states))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the vectors: [B, T] → [B, T, D]."""
        return (*input_shape, self.embedding_dim)

    def get_config(self) -> dict[str, Any]:
        """Returns what makes the same layer again, as plain values."""
        return super().get_config() | {
            "token_durations": self.token_durations.tolist(),
            "embedding_dim": self.embedding_dim,
            "pad_token_id": self.pad_token_id,
            "end_token_id": self.end_token_id,
            "initializer": keras.initializers.serialize(self.initializer),
            "token_controls": None if self.token_controls is None else self.token_controls.tolist(),
        }
