"""A layer of causal self-attention and a feed-forward network, for whole rows or step by step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

Dropout = Callable[[tf.Tensor], tf.Tensor]

RECENT = 32
"""S, positions that are kept apart until they are full, since every step copies what it changes."""


class Memory(NamedTuple):
    """The keys and values of a layer at the positions that were read.

    Attributes:
        past_keys: float [B, heads, P, D / heads], P a multiple of S.
        past_values: likewise.
        recent_keys: float [B, heads, S, D / heads], of those since then, the first slots filled.
        recent_values: likewise.
    """

    past_keys: tf.Tensor
    past_values: tf.Tensor
    recent_keys: tf.Tensor
    recent_values: tf.Tensor

    def with_recent_as_past(self) -> "Memory":
        """Returns the memory with all recent positions, which are full, moved to the past."""
        return self._replace(
            past_keys=tf.concat([self.past_keys, self.recent_keys], axis=2),
            past_values=tf.concat([self.past_values, self.recent_values], axis=2),
        )


def no_memory(num_rows: tf.Tensor | int, num_heads: int, size: int, dtype: Any) -> Memory:
    """Returns the memory of a layer that read nothing yet."""
    past = tf.zeros([num_rows, num_heads, 0, size], dtype)
    recent = tf.zeros([num_rows, num_heads, RECENT, size], dtype)

    return Memory(past, past, recent, recent)


def memory_before(position: int, keys: tf.Tensor, values: tf.Tensor) -> Memory:
    """Returns the memory before a position, of keys and values at all of them.

    Args:
        position: 1 or more.
        keys: float [B, heads, T, D / heads].
        values: likewise.
    """
    num_past = (position - 1) // RECENT * RECENT
    padding = [[0, 0], [0, 0], [0, RECENT], [0, 0]]
    recent = [tf.pad(part, padding)[:, :, num_past : num_past + RECENT] for part in (keys, values)]

    return Memory(keys[:, :, :num_past], values[:, :, :num_past], *recent)


def _product(vectors: tf.Tensor, layer: keras.layers.Dense) -> tf.Tensor:
    """Computes a dense layer of flat vectors [N, D], in their dtype."""
    kernel = tf.cast(layer.kernel, vectors.dtype)
    bias = tf.cast(layer.bias, vectors.dtype)

    return tf.nn.bias_add(tf.matmul(vectors, kernel), bias)


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
        self, vectors: tf.Tensor, num_rows: tf.Tensor, bias: tf.Tensor, dropout: Dropout
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Computes the layer at every position of whole rows.

        Args:
            vectors: float [B·T, D].
            num_rows: B.
            bias: float [heads, B, T, T], what is added to the scores; −∞ where nothing is read.
            dropout: applied to what each part adds.

        Returns:
            float [B·T, D], and the keys and the values [heads, B, T, D / heads].
        """
        queries, keys, values = [
            self._heads_first(part, num_rows) for part in self._queries_keys_values(vectors)
        ]
        scores = tf.matmul(queries, keys, transpose_b=True) + bias  # [heads, B, T, T]
        read = tf.matmul(tf.nn.softmax(scores), values)  # [heads, B, T, D / heads]
        flat = tf.reshape(tf.transpose(read, [1, 2, 0, 3]), tf.shape(vectors))

        vectors += dropout(_product(flat, self.outputs_of_heads))

        return self._feed_forward(vectors, dropout), keys, values

    def read_next(
        self, vectors: tf.Tensor, memory: Memory, slot: tf.Tensor, bias: tf.Tensor
    ) -> tuple[tf.Tensor, Memory]:
        """Computes the layer at one more position, without dropout.

        Args:
            vectors: float [B, D].
            memory: the keys and values of the positions before.
            slot: int32 [], where among the recent ones this position is kept.
            bias: float [B, heads, P + S], what is added to the scores; −∞ after this position.

        Returns:
            float [B, D], and the memory with this position.
        """
        queries, key, value = [
            tf.reshape(part, [-1, self.num_heads, 1, self.dim // self.num_heads])
            for part in self._queries_keys_values(vectors)
        ]
        is_here = (tf.range(tf.shape(memory.recent_keys)[2]) == slot)[:, None]  # [S, 1]
        recent_keys = tf.where(is_here, key, memory.recent_keys)
        recent_values = tf.where(is_here, value, memory.recent_values)
        memory = memory._replace(
            recent_keys=tf.ensure_shape(recent_keys, memory.recent_keys.shape),
            recent_values=tf.ensure_shape(recent_values, memory.recent_values.shape),
        )

        of_past = tf.matmul(queries, memory.past_keys, transpose_b=True)
        of_recent = tf.matmul(queries, memory.recent_keys, transpose_b=True)
        scores = tf.concat([of_past, of_recent], axis=3) + bias[:, :, None]  # [B, heads, 1, P + S]
        weights = tf.nn.softmax(scores)
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
