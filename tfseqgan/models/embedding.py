"""How a token becomes a vector: a row of a table, or the sum of its parts' vectors and its own."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.models.checks import check_token_table


def check_token_features(
    token_features: np.ndarray | list[list[int]] | None, vocabulary_size: int
) -> np.ndarray | None:
    """Returns part features as int32 [V, P], checked, or None.

    Args:
        token_features: integers [V, P], the index of each of a token's P parts in that part's own
            table, or None.
        vocabulary_size: V.

    Raises:
        ValueError: if the shape or the values do not fit the vocabulary.
    """
    if token_features is None:
        return None

    return check_token_table("token_features", token_features, vocabulary_size)


@keras.saving.register_keras_serializable(package="tfseqgan")
class TokenEmbedding(keras.layers.Layer):
    """Embeds tokens; tokens that share a part share what was learned about it.

        E[v] = own[v] + Σ_p table_p[features[v, p]]

    Without features this is a plain table. With them a rare token (a G over a D7 chord) starts
    from what its melody pitch, its duration and its chord mean elsewhere.

    Args:
        vocabulary_size: V, the number of token ids.
        embedding_dim: D, the length of a vector.
        token_features: int32 [V, P] part indices (`Tokenizer.token_features`), or None for a plain
            table.
        initializer: Keras initializer of every table.

    Example:
        >>> layer = TokenEmbedding(vocabulary_size=5, embedding_dim=3)
        >>> layer(np.array([[1, 4]])).shape
        TensorShape([1, 2, 3])
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        token_features: np.ndarray | None = None,
        initializer: Any = "uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.token_features = check_token_features(token_features, vocabulary_size)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape: Any = None) -> None:
        """Creates the tables: one row a token, and one table a part."""
        self.own = self._add_table("own", self.vocabulary_size)

        sizes = [int(indices.max()) + 1 for indices in self._part_indices()]
        self.parts = [self._add_table(f"part_{index}", size) for index, size in enumerate(sizes)]
        for part in self.parts:
            # tf.train.Checkpoint follows attributes and does not look into a layer's lists.
            setattr(self, part.name, part)

    def _part_indices(self):
        """Returns for each part the index of every token's part, int32 [V] each."""
        return [] if self.token_features is None else list(self.token_features.T)

    def _add_table(self, name, num_rows):
        initializer = self.initializer.__class__.from_config(self.initializer.get_config())
        shape = (num_rows, self.embedding_dim)

        return self.add_weight(shape=shape, initializer=initializer, autocast=False, name=name)

    def table(self) -> tf.Tensor:
        """Computes the vector of every token.

        Returns:
            float32 [V, D], in mixed precision too, since the gradient adds up over many positions.
        """
        # The product keeps the gradient dense. A sparse one holds a slice for every position where
        # a token occurs, and the norm of those slices, which clipping would use, is not the
        # gradient's.
        vectors = tf.multiply(self.own, 1.0)  # [V, D]
        for part, indices in zip(self.parts, self._part_indices(), strict=True):
            part_vectors = tf.gather(tf.convert_to_tensor(part), indices)
            # Without an operation between the sums, TensorFlow's optimizer puts them in another
            # order in one graph than in the next.
            vectors = tf.ensure_shape(vectors + part_vectors, self.own.shape)

        return vectors

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        """Embeds tokens: int [B, T] → float [B, T, D]."""
        return tf.cast(tf.gather(self.table(), tokens), self.compute_dtype)  # [B, T, D]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the vectors: [B, T] → [B, T, D]."""
        return (*input_shape, self.embedding_dim)

    def get_config(self) -> dict[str, Any]:
        """Returns what makes the same layer again, as plain values."""
        features = self.token_features

        return super().get_config() | {
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "token_features": None if features is None else features.tolist(),
            "initializer": keras.initializers.serialize(self.initializer),
        }
