"""G with a memory: attention that knows how long ago each token started."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.models.attention_bias import (
    NUM_BAR_BUCKETS,
    NUM_DIFFERENCES,
    NUM_DISTANCE_BUCKETS,
    NUM_ONSET_BUCKETS,
    difference_rows,
    distance_buckets,
    joint_table,
)
from tfseqgan.models.attention_layer import (
    RECENT,
    AttentionLayer,
    Memory,
    memory_before,
    no_memory,
)
from tfseqgan.models.checks import check_count, check_size
from tfseqgan.models.interfaces import Tokens
from tfseqgan.models.language_model import LanguageModel, LastLayer
from tfseqgan.models.place import Place
from tfseqgan.models.weight_counts import count_attention_generator_weights
from tfseqgan.ops.log_probs import output_logits
from tfseqgan.ops.masking import FORBIDDEN


class AttentionState(NamedTuple):
    """What the generator keeps from one token to the next; the first axis is the batch.

    Attributes:
        memories: the keys and values of each layer.
        onsets: int32 [B, N], ticks at which the N tokens that were read start, the opening
            included; −1 for unknown.
        next_onset: int32 [B], the tick at which the token that is read next starts.
        place: where the next token stands, int32 [B] each.
        output: float [B, D], what the logits of the next token are computed from.
    """

    memories: list[Memory]
    onsets: tf.Tensor
    next_onset: tf.Tensor
    place: Place
    output: tf.Tensor


class AttentionCache(NamedTuple):
    """What all steps of a decoding loop look up.

    Attributes:
        table: float [V + 1, D], the vectors of the tokens, and last the opening vector.
        clock_table: float [R, D], the joint table of the clock, or () without a clock.
        time_table: float [M, layers · heads], what each difference of onsets adds to the scores.
        last_layer: the layer that gives the logits.
    """

    table: tf.Tensor
    clock_table: Any
    time_table: tf.Tensor
    last_layer: LastLayer


def _make_room(memories):
    """Moves the recent positions of each layer to the past where they are so many."""
    is_full = tf.shape(memories[0].recent_keys)[2] == RECENT

    return tf.cond(
        is_full, lambda: [memory.with_recent_as_past() for memory in memories], lambda: memories
    )


def _of_any_length(shape, axis):
    """Returns the shape with any size of one axis."""
    sizes = list(shape)
    sizes[axis] = None

    return tf.TensorShape(sizes)


@keras.saving.register_keras_serializable(package="tfseqgan")
class AttentionGenerator(LanguageModel):
    """A language model of tokens that looks back over the whole sequence by attention.

    A folk tune returns to what it played 8 and 16 bars before. So each head of each layer learns a
    number for every difference of onsets, from the token that it looks at to the one that is
    predicted, and for every distance in tokens, which are added to its scores:

        score(t, j) = qₜ·kⱼ / √d + onset_bias[onsetₜ − onsetⱼ] + distance_bias[t − j]

    Onsets come from `token_durations`; without them the distance alone counts. Where the metre is
    known, from `token_controls`, a third number is added for "exactly n bars ago".

    Args:
        vocabulary_size: V, the number of token ids.
        token_features: int32 [V, P], the parts of each token, or None for the table embedding.
        token_durations: int32 [V, 2], the ticks of each token in melody and chords, or None.
        embedding_dim: D, the length of a token's vector and of everything between the layers.
        num_layers: layers of attention.
        num_heads: heads in each, a divisor of D.
        feed_forward_dim: units of the feed-forward network in each.
        dropout: share of the vectors that maximum likelihood drops; nothing is dropped when
            sampling or in a policy gradient.
        pad_token_id: the id that stands after the end token.
        end_token_id: the id that ends a sequence, or None where sequences have a fixed length.
        token_controls: int32 [V, 3], the control that each token says (`Tokenizer.token_controls`),
            or None.
        token_pitch_classes: int32 [V, 2], the pitch classes of each token
            (`Tokenizer.token_pitch_classes`); expected with controls, and only then.
        control_dropout: share of the tunes in which a control is left out in maximum likelihood.

    Raises:
        ValueError: if a size is out of range, or the model needs more memory than this machine has.

    Example:
        >>> generator = AttentionGenerator(
        ...     7, embedding_dim=8, num_layers=2, num_heads=2, feed_forward_dim=16
        ... )
        >>> generator(np.array([[3, 4, 5]])).shape
        TensorShape([1, 3, 7])

    Reference:
        Vaswani et al. 2017; a bias by distance: Shaw et al. 2018, Raffel et al. 2020; by time, for
        music: Huang et al. 2018.
    """

    def __init__(
        self,
        vocabulary_size: int,
        token_features: np.ndarray | None = None,
        token_durations: np.ndarray | None = None,
        *,
        embedding_dim: int = 192,
        num_layers: int = 3,
        num_heads: int = 4,
        feed_forward_dim: int = 640,
        dropout: float = 0.0,
        pad_token_id: int = 0,
        end_token_id: int | None = 2,
        token_controls: np.ndarray | None = None,
        token_pitch_classes: np.ndarray | None = None,
        control_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            vocabulary_size,
            token_features,
            token_durations,
            embedding_dim=embedding_dim,
            dropout=dropout,
            pad_token_id=pad_token_id,
            end_token_id=end_token_id,
            token_controls=token_controls,
            token_pitch_classes=token_pitch_classes,
            control_dropout=control_dropout,
            **kwargs,
        )
        self.num_layers = check_count("num_layers", num_layers)
        self.num_heads = check_count("num_heads", num_heads)
        self.feed_forward_dim = check_count("feed_forward_dim", feed_forward_dim)
        if self.embedding_dim % self.num_heads:
            raise ValueError(
                f"num_heads is {self.num_heads}; expected a divisor of embedding_dim = "
                f"{self.embedding_dim}, which the heads share. Change one of them."
            )
        num_weights = count_attention_generator_weights(
            self.vocabulary_size,
            self.embedding_dim,
            self.num_layers,
            self.num_heads,
            self.feed_forward_dim,
            self.token_features,
            has_clock=token_durations is not None,
            token_controls=token_controls,
        )
        check_size(
            num_weights,
            embedding_dim=self.embedding_dim,
            num_layers=self.num_layers,
            feed_forward_dim=self.feed_forward_dim,
            vocabulary_size=self.vocabulary_size,
        )

        self._add_embedding()
        sizes = (self.embedding_dim, self.num_heads, self.feed_forward_dim)
        self.attention = [
            AttentionLayer(*sizes, dtype=self.dtype_policy, name=f"attention_{index}")
            for index in range(self.num_layers)
        ]
        for layer in self.attention:
            # tf.train.Checkpoint follows attributes and does not look into a model's lists.
            setattr(self, layer.name, layer)
        self.norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=self.dtype_policy, name="norm"
        )
        self._add_last_layer()
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Creates every weight, once; the constructor calls it, since it needs no input shape."""
        if self.built:
            return

        self._build_ends(self.embedding_dim)
        for layer in self.attention:
            layer.build()
        self.norm.build((None, self.embedding_dim))

        num_heads = self.num_layers * self.num_heads
        self.onset_bias = self._add_bias(NUM_ONSET_BUCKETS, num_heads, "onset_bias")
        self.distance_bias = self._add_bias(NUM_DISTANCE_BUCKETS, num_heads, "distance_bias")
        self.bar_bias = None
        if self.form is not None:
            self.bar_bias = self._add_bias(NUM_BAR_BUCKETS, num_heads, "bar_bias")

    def _add_bias(self, num_buckets, num_heads, name):
        return self.add_weight(
            shape=(num_buckets, num_heads), initializer="zeros", autocast=False, name=name
        )

    def outputs(self, tokens: Tokens, table: tf.Tensor, places: Place, training: bool) -> tf.Tensor:
        """Computes the last layer's outputs, float [B, T, D] (`LanguageModel.outputs`)."""
        outputs, _, _ = self._read_rows(tokens, table, places, training)

        return outputs

    def _read_rows(self, tokens, table, places, training):
        """Returns the outputs [B, T, D], and each layer's keys and values."""

        def dropout(vectors):
            return self.dropout(vectors, training=training)

        num_rows = tf.shape(tokens)[0]
        vectors = dropout(self.shifted_vectors(tokens, table, places))  # [B, T, D]
        shape = tf.shape(vectors)
        biases = self._biases(self._onsets(tokens, places), places)

        vectors = tf.reshape(vectors, [-1, self.embedding_dim])
        keys = []
        values = []
        for layer, of_layer in zip(self.attention, biases, strict=True):
            vectors, key, value = layer.read_rows(vectors, num_rows, of_layer, dropout)
            keys.append(key)
            values.append(value)
        outputs = dropout(tf.cast(self.norm(vectors), self.compute_dtype))

        return tf.reshape(outputs, shape), keys, values

    def _onsets(self, tokens, places):
        """Returns the tick at which each token starts, int32 [B, T]; −1 where it is not known."""
        if self.clock is None:
            return tf.fill(tf.shape(tokens), -1)

        return self.clock.onsets(places.clock, places.grammar)

    def _onsets_of_read(self, onsets):
        """Returns the onset of the token that each position reads, the one before it: [B, T]."""
        return tf.pad(onsets[:, :-1], [[0, 0], [1, 0]], constant_values=-1)

    def _time_table(self):
        """Returns what each difference of onsets adds under each metre: [M, layers · heads]."""
        bar_lengths = [] if self.form is None else self.form.bar_lengths

        return joint_table(self.onset_bias, self.bar_bias, bar_lengths)

    def _time_rows(self, query_onsets, key_onsets, place):
        """Returns the rows of the time table, int32 [B, ...] as the onsets."""
        rows = difference_rows(query_onsets, key_onsets)
        if self.form is None:
            return rows

        bar_length = self.form.index_of_bar_length(place.form)

        return rows + NUM_DIFFERENCES * bar_length[..., None]

    def _biases(self, onsets, places):
        """Returns what is added to the scores of each layer (`AttentionLayer.read_rows`)."""
        length = tf.shape(onsets)[1]
        half = length // 2
        time_table = self._time_table()
        of_early = self._biases_of(time_table, onsets, places, 0, half)
        of_late = self._biases_of(time_table, onsets, places, half, length)

        return list(zip(of_early, of_late, strict=True))

    def _biases_of(self, time_table, onsets, places, start, end):
        """Returns what positions that look at all before their end add to the scores of each layer.

        Args:
            time_table: from `_time_table`.
            onsets: int32 [B, T].
            places: int32 [B, T] each.
            start: the first of the positions.
            end: the one after the last.

        Returns:
            float [heads, B, end − start, end] each.
        """
        distances = tf.range(start, end)[:, None] - tf.range(end)  # [Q, K]
        by_distance = tf.gather(self.distance_bias, distance_buckets(distances))
        by_distance += tf.where(distances < 0, FORBIDDEN, 0.0)[:, :, None]

        of_read = self._onsets_of_read(onsets)[:, None, :end]
        of_these = tf.nest.map_structure(lambda part: part[:, start:end], places)
        rows = self._time_rows(onsets[:, start:end, None], of_read, of_these)  # [B, Q, K]
        biases = tf.gather(time_table, rows) + by_distance  # [B, Q, K, layers · heads]
        biases = tf.cast(tf.transpose(biases, [3, 0, 1, 2]), self.compute_dtype)

        return tf.split(biases, self.num_layers)

    def decoding_cache(self) -> AttentionCache:
        """Computes what all steps of a decoding loop look up."""
        table = self.embedding.table()  # [V, D]

        return AttentionCache(
            table=tf.concat([table, self.opening[None]], axis=0),
            clock_table=() if self.clock is None else self.clock.joint_table(),
            time_table=self._time_table(),
            last_layer=self._last_layer(table),
        )

    def initial_state(self, num_rows: tf.Tensor | int, length: tf.Tensor | int) -> AttentionState:
        """Returns the state before the first of at most `length` tokens."""
        size = self.embedding_dim // self.num_heads
        memory = no_memory(num_rows, self.num_heads, size, self.compute_dtype)

        return AttentionState(
            memories=[memory] * self.num_layers,
            onsets=tf.zeros([num_rows, 0], tf.int32),
            next_onset=tf.fill([num_rows], -1),
            place=self.places.first(num_rows),
            output=tf.zeros([num_rows, self.embedding_dim], self.compute_dtype),
        )

    def output_of(self, state: AttentionState) -> tf.Tensor:
        """Returns what the logits of the next token are computed from, float [B, D]."""
        return state.output

    def state_shapes(self, state: AttentionState) -> AttentionState:
        """Returns the shapes of a state; what was read grows from step to step."""
        shapes = tf.nest.map_structure(lambda part: part.shape, state)
        grown = [
            Memory(*[_of_any_length(part, axis=2) for part in memory]) for memory in shapes.memories
        ]

        return shapes._replace(memories=grown, onsets=_of_any_length(shapes.onsets, axis=1))

    def next_logits(
        self, cache: AttentionCache, state: AttentionState, previous: tf.Tensor
    ) -> tuple[tf.Tensor, AttentionState]:
        """Reads one token a row, and computes the logits of the next.

        Args:
            cache: from `decoding_cache`.
            state: the state before the token.
            previous: int32 [B], the token; V stands for the opening vector.

        Returns:
            float32 [B, V] and the state after the token.
        """
        place = self.places.after(state.place, previous)
        onsets = tf.concat([state.onsets, state.next_onset[:, None]], axis=1)
        next_onset = self._next_onset(state, place)
        biases = self._biases_of_step(cache.time_table, onsets, next_onset, place)
        before = _make_room(state.memories)

        vectors = self._vectors_of_step(cache, previous, place)
        memories = []
        for layer, memory, bias in zip(self.attention, before, biases, strict=True):
            vectors, memory = layer.read_next(vectors, memory, bias)
            memories.append(memory)
        outputs = tf.cast(self.norm(vectors), self.compute_dtype)
        logits = output_logits(self._project(outputs, place), *cache.last_layer)
        after = AttentionState(memories, onsets, next_onset, place, outputs)

        return tf.cast(logits, tf.float32), after

    def _next_onset(self, state, place):
        """Returns the tick at which the token after the one that is read starts, int32 [B]."""
        if self.clock is None:
            return state.next_onset  # unknown

        return self.clock.onsets(place.clock, place.grammar)

    def _vectors_of_step(self, cache, previous, place):
        """Returns what the first layer reads of one token a row, float [B, D]."""
        parts = [tf.gather(cache.table, previous)]  # [B, D] each
        if self.clock is not None:
            indices = self.clock.indices(place.clock, place.grammar)
            parts += [tf.gather(cache.clock_table, rows) for rows in indices]
        if self.form is not None:
            parts.append(self._form_vectors(place))

        # One sum, since the optimizer of graphs may reorder a chain of additions.
        return tf.cast(tf.reduce_sum(tf.stack(parts), axis=0), self.compute_dtype)

    def _biases_of_step(self, time_table, onsets, next_onset, place):
        """Returns what the scores of each layer get at one position, float [B, heads, N] each."""
        distances = tf.range(tf.shape(onsets)[1])[::-1]  # [N]
        by_distance = tf.gather(self.distance_bias, distance_buckets(distances))
        time_rows = self._time_rows(next_onset[:, None], onsets, place)

        biases = tf.gather(time_table, time_rows) + by_distance  # [B, N, layers · heads]
        biases = tf.cast(tf.transpose(biases, [0, 2, 1]), self.compute_dtype)

        return tf.split(biases, self.num_layers, axis=1)

    def prefix_states(self, tokens: tf.Tensor) -> Callable[[int], AttentionState]:
        """Returns a function of l that gives the states before y_l is read, l from 1 to T."""
        places = self.places.of_rows(tokens)
        table = self.embedding.table()
        outputs, keys, values = self._read_rows(tokens, table, places, training=False)
        onsets = self._onsets(tokens, places)
        pairs = [
            [tf.transpose(part, [1, 0, 2, 3]) for part in pair]
            for pair in zip(keys, values, strict=True)
        ]
        of_read = self._onsets_of_read(onsets)

        def state_before(length):
            index = length - 1

            return AttentionState(
                memories=[memory_before(length, *pair) for pair in pairs],
                onsets=of_read[:, :length],
                next_onset=onsets[:, index],
                place=tf.nest.map_structure(lambda part: part[:, index], places),
                output=outputs[:, index],
            )

        return state_before

    def get_config(self) -> dict[str, Any]:
        """Returns what makes the same model again, as plain values."""
        return super().get_config() | {
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "feed_forward_dim": self.feed_forward_dim,
        }
