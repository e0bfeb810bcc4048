"""A layer of causal self-attention and a feed-forward network, for whole rows or step by step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

Dropout = Callable[[tf.Tensor], tf.Tensor]

RECENT = 32
"""S, positions that are kept apart until they are so many, since every step copies them."""


class Memory(NamedTuple):
    """The keys and values of a layer at the positions that were read.

    Attributes:
        past_keys: float [B, heads, P, D / heads], P a multiple of S.
        past_values: likewise.
        recent_keys: float [B, heads, R, D / heads], of those since then, R at most S.
        recent_values: likewise.
    """

    past_keys: tf.Tensor
    past_values: tf.Tensor
    recent_keys: tf.Tensor
    recent_values: tf.Tensor

    def append(self, key: tf.Tensor, value: tf.Tensor) -> "Memory":
        """Returns the memory with one more position, [B, heads, 1, D / heads]."""
        return self._replace(
            recent_keys=tf.concat([self.recent_keys, key], axis=2),
            recent_values=tf.concat([self.recent_values, value], axis=2),
        )

    def with_recent_as_past(self) -> "Memory":
        """Returns the memory with all recent positions moved to the past."""
        return Memory(
            past_keys=tf.concat([self.past_keys, self.recent_keys], axis=2),
            past_values=tf.concat([self.past_values, self.recent_values], axis=2),
            recent_keys=self.recent_keys[:, :, :0],
            recent_values=self.recent_values[:, :, :0],
        )


def no_memory(num_rows: tf.Tensor | int, num_heads: int, size: int, dtype: Any) -> Memory:
    """Returns the memory of a layer that read nothing yet."""
    nothing = tf.zeros([num_rows, num_heads, 0, size], dtype)

    return Memory(nothing, nothing, nothing, nothing)


def memory_before(position: int, keys: tf.Tensor, values: tf.Tensor) -> Memory:
    """Returns the memory before a position, of keys and values at all of them.

    Args:
        position: 1 or more.
        keys: float [B, heads, T, D / heads].
        values: likewise.
    """
    num_past = (position - 1) // RECENT * RECENT
    recent = [part[:, :, num_past:position] for part in (keys, values)]

    return Memory(keys[:, :, :num_past], values[:, :, :num_past], *recent)


def _product(vectors: tf.Tensor, layer: keras.layers.Dense) -> tf.Tensor:
    """Computes a dense layer of flat vectors [N, D], in their dtype."""
    kernel = tf.cast(layer.kernel, vectors.dtype)
    bias = tf.cast(layer.bias, vectors.dtype)

    return tf.nn.bias_add(tf.matmul(vectors, kernel), bias)


def _attend(queries, keys, values, bias):
    """Computes what queries read, float [heads, B, Q, D / heads]."""
    scores = tf.matmul(queries, keys, transpose_b=True) + bias

    return tf.matmul(tf.nn.softmax(scores), values)


def _attend_in_halves(queries, keys, values, bias_of_early, bias_of_late):
    """Computes what all positions read; a quarter of the scores, all forbidden, is left out."""
    sizes = [tf.shape(bias_of_early)[2], tf.shape(bias_of_late)[2]]
    # The gradient of a split is one concatenation; that of a slice takes far longer.
    early_queries, late_queries = tf.split(queries, sizes, axis=2)
    early_keys, _ = tf.split(keys, sizes, axis=2)
    early_values, _ = tf.split(values, sizes, axis=2)

    of_early = _attend(early_queries, early_keys, early_values, bias_of_early)
    of_late = _attend(late_queries, keys, values, bias_of_late)

    return tf.concat([of_early, of_late], axis=2)


@keras.saving.register_keras_serializable(package="tfseqgan")
class AttentionLayer(keras.layers.Layer):
    """Adds to every vector what attention finds before it, then what a feed-forward network makes.

        x ← x + W·attention(norm(x));   x ← x + feed_forward(norm(x))

    Args:
        dim: D, the length of a vector.
        num_heads: heads of attention, a divisor of D.
        feed_forward_dim: units of the feed-forward network.

    Reference:
        Vaswani et al. 2017; the norm before each part: Xiong et al. 2020.
    """

    def __init__(self, dim: int, num_heads: int, feed_forward_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dim = dim
        self.num_heads = num_heads
        self.feed_forward_dim = feed_forward_dim

        policy = {"dtype": self.dtype_policy}
        self.attention_norm = keras.layers.LayerNormalization(epsilon=1e-5, **policy)
        self.inputs_of_heads = keras.layers.Dense(3 * dim, **policy)
        self.outputs_of_heads = keras.layers.Dense(dim, **policy)
        self.feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5, **policy)
        self.hidden = keras.layers.Dense(feed_forward_dim, **policy)
        self.result = keras.layers.Dense(dim, **policy)

    def build(self, input_shape: Any = None) -> None:
        """Creates every weight."""
        for layer in (self.attention_norm, self.inputs_of_heads, self.outputs_of_heads):
            layer.build((None, self.dim))
        for layer in (self.feed_forward_norm, self.hidden):
            layer.build((None, self.dim))
        self.result.build((None, self.feed_forward_dim))

    def _queries_keys_values(self, vectors: tf.Tensor) -> list[tf.Tensor]:
        """Computes what attention compares and what it reads, float [N, D] each."""
        queries, keys, values = tf.split(
            _product(self.attention_norm(vectors), self.inputs_of_heads), 3, axis=1
        )

        return [queries * (self.dim // self.num_heads) ** -0.5, keys, values]

    def _feed_forward(self, vectors: tf.Tensor, dropout: Dropout) -> tf.Tensor:
        hidden = tf.nn.gelu(_product(self.feed_forward_norm(vectors), self.hidden))

        return vectors + dropout(_product(hidden, self.result))

    def _heads_first(self, vectors: tf.Tensor, num_rows: tf.Tensor) -> tf.Tensor:
        """Returns flat vectors [B·T, D] as [heads, B, T, D / heads]."""
        size = self.dim // self.num_heads
        by_row = tf.reshape(vectors, [num_rows, -1, self.num_heads, size])

        return tf.transpose(by_row, [2, 0, 1, 3])

    def read_rows(
        self,
        vectors: tf.Tensor,
        num_rows: tf.Tensor,
        biases: tuple[tf.Tensor, tf.Tensor],
        dropout: Dropout,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Computes the layer at every position of whole rows.

        Args:
            vectors: float [B·T, D].
            num_rows: B.
            biases: what is added to the scores, −∞ where nothing is read: of the first T₁
                positions, which look at each other, float [heads, B, T₁, T₁], and of the others,
                which look at all, float [heads, B, T − T₁, T].
            dropout: applied to what each part adds.

        Returns:
            float [B·T, D], and the keys and the values [heads, B, T, D / heads].
        """
        queries, keys, values = [
            self._heads_first(part, num_rows) for part in self._queries_keys_values(vectors)
        ]
        read = _attend_in_halves(queries, keys, values, *biases)  # [heads, B, T, D / heads]
        flat = tf.reshape(tf.transpose(read, [1, 2, 0, 3]), tf.shape(vectors))

        vectors += dropout(_product(flat, self.outputs_of_heads))

        return self._feed_forward(vectors, dropout), keys, values

    def read_next(
        self, vectors: tf.Tensor, memory: Memory, bias: tf.Tensor
    ) -> tuple[tf.Tensor, Memory]:
        """Computes the layer at one more position, without dropout.

        Args:
            vectors: float [B, D].
            memory: the keys and values of the P + R positions before.
            bias: float [B, heads, P + R + 1], what is added to the scores.

        Returns:
            float [B, D], and the memory with this position.
        """
        queries, key, value = [
            tf.reshape(part, [-1, self.num_heads, 1, self.dim // self.num_heads])
            for part in self._queries_keys_values(vectors)
        ]
        memory = memory.append(key, value)

        of_past = tf.matmul(queries, memory.past_keys, transpose_b=True)
        of_recent = tf.matmul(queries, memory.recent_keys, transpose_b=True)
        scores = tf.concat([of_past, of_recent], axis=3) + bias[:, :, None]
        weights = tf.nn.softmax(scores)  # [B, heads, 1, P + R + 1]
        num_past = tf.shape(memory.past_keys)[2]
        read = tf.matmul(weights[..., :num_past], memory.past_values)
        read += tf.matmul(weights[..., num_past:], memory.recent_values)
        vectors += _product(tf.reshape(read, tf.shape(vectors)), self.outputs_of_heads)

        return self._feed_forward(vectors, lambda part: part), memory

    def get_config(self) -> dict[str, Any]:
        """Returns what makes the same layer again, as plain values."""
        return super().get_config() | {
            "dim": self.dim,
            "num_heads": self.num_heads,
            "feed_forward_dim": self.feed_forward_dim,
        }
