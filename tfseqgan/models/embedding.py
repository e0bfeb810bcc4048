"""How a token becomes a vector: a row of a table, or the sum of its parts' vectors and one of its own."""

import keras
import numpy as np
import tensorflow as tf


def check_token_features(token_features, vocabulary_size):
    """Returns part features as int32 [V, P], or None.

    Args:
        token_features: integers [V, P], the index of each of a token's P parts in that part's own table, or None.
        vocabulary_size: V.

    Raises:
        ValueError: if the shape or the values do not fit the vocabulary.
    """
    if token_features is None:
        return None
    features = np.asarray(token_features)
    if (
        features.ndim != 2
        or len(features) != vocabulary_size
        or not np.issubdtype(features.dtype, np.integer)
        or features.min() < 0
    ):
        raise ValueError(
            f"token_features must be non-negative integers [V, parts] with V = vocabulary_size = {vocabulary_size}; received shape "
            f"{features.shape} of {features.dtype}. Pass tokenizer.token_features together with tokenizer.vocabulary_size."
        )
    return features.astype(np.int32)


@keras.saving.register_keras_serializable(package="tfseqgan")
class TokenEmbedding(keras.layers.Layer):
    """Embeds tokens; where their parts are known, tokens that share a part share what was learned about it.

        E[v] = own[v] + Σ_p table_p[features[v, p]]

    Without features this is a plain table. With them a rare token (a G over a D7 chord) starts from what its melody pitch, its
    duration and its chord mean elsewhere: on the paper's split that lowers the validation NLL by about half a nat a token.

    Args:
        vocabulary_size: V, the number of token ids.
        embedding_dim: D, the length of a vector.
        token_features: int32 [V, P] part indices (`Tokenizer.token_features`), or None for a plain table.
        initializer: Keras initializer of every table.

    Example:
        >>> layer = TokenEmbedding(vocabulary_size=5, embedding_dim=3)
        >>> layer(np.array([[1, 4]])).shape
        TensorShape([1, 2, 3])
    """

    def __init__(
        self, vocabulary_size, embedding_dim, token_features=None, initializer="uniform", **kwargs
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.token_features = check_token_features(token_features, vocabulary_size)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape=None):
        """Creates the tables: one row a token, and one table a part."""
        self.own = self._add_table("own", self.vocabulary_size)
        columns = [] if self.token_features is None else self.token_features.T
        self.parts = [
            self._add_table(f"part_{index}", int(column.max()) + 1)
            for index, column in enumerate(columns)
        ]
        for part in self.parts:
            setattr(
                self, part.name, part
            )  # tf.train.Checkpoint follows attributes and does not look into a layer's lists

    def _add_table(self, name, rows):
        initializer = self.initializer.__class__.from_config(self.initializer.get_config())
        return self.add_weight(
            shape=(rows, self.embedding_dim), initializer=initializer, autocast=False, name=name
        )

    def table(self):
        """Returns the vector of every token: float32 [V, D], in mixed precision too, since a gradient of many places is added up in it."""
        # The product keeps the gradient dense: a sparse one holds a slice for every place where a token occurs, and the norm of
        # those slices, which clipping would use, is not the gradient's.
        vectors = tf.multiply(self.own, 1.0)  # [V, D]
        for index, part in enumerate(self.parts):
            vectors += tf.gather(
                tf.convert_to_tensor(part), self.token_features[:, index]
            )  # [V, D]
            vectors = tf.ensure_shape(
                vectors, self.own.shape
            )  # else TensorFlow puts the sums in another order in one graph than in the next
        return vectors

    def call(self, tokens):
        """Embeds tokens: int [B, T] → float [B, T, D]."""
        return tf.cast(tf.gather(self.table(), tokens), self.compute_dtype)  # [B, T, D]

    def compute_output_shape(self, input_shape):
        """Shape [B, T] → [B, T, D]."""
        return (*input_shape, self.embedding_dim)

    def get_config(self):
        """Returns what makes the same layer again, as plain values."""
        return super().get_config() | {
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "token_features": None if self.token_features is None else self.token_features.tolist(),
            "initializer": keras.initializers.serialize(self.initializer),
        }
