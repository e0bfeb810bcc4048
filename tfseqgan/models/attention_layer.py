"""A layer of causal self-attention and a feed-forward network, for whole rows or step by step."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

Dropout = Callable[[tf.Tensor], tf.Tensor]


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
        self,
        vectors: tf.Tensor,
        keys: tf.Tensor,
        values: tf.Tensor,
        position: tf.Tensor,
        bias: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Computes the layer at one more position, without dropout.

        Args:
            vectors: float [B, D].
            keys: float [B, heads, T, D / heads], of the positions before; so are `values`.
            position: int32 [B], the index of this one.
            bias: float [B, heads, T], −∞ from the next position on.

        Returns:
            float [B, D], and the keys and the values with those of this position.
        """
        queries, key, value = [
            tf.reshape(part, [-1, self.num_heads, 1, self.dim // self.num_heads])
            for part in self._queries_keys_values(vectors)
        ]
        is_here = tf.range(tf.shape(keys)[2]) == position[:, None]  # [B, T]
        is_here = is_here[:, None, :, None]
        keys = tf.ensure_shape(tf.where(is_here, key, keys), keys.shape)
        values = tf.ensure_shape(tf.where(is_here, value, values), values.shape)

        scores = tf.matmul(queries, keys, transpose_b=True)[:, :, 0] + bias  # [B, heads, T]
        read = tf.matmul(tf.nn.softmax(scores)[:, :, None], values)  # [B, heads, 1, D / heads]
        vectors += _product(tf.reshape(read, tf.shape(vectors)), self.outputs_of_heads)

        return self._feed_forward(vectors, lambda part: part), keys, values

    def get_config(self) -> dict[str, Any]:
        """Returns what makes the same layer again, as plain values."""
        return super().get_config() | {
            "dim": self.dim,
            "num_heads": self.num_heads,
            "feed_forward_dim": self.feed_forward_dim,
        }
