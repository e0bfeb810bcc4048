"""D: the convolutional network that tells real sequences from generated ones (section 3.3)."""

import collections
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.models.checks import check_count, check_size
from tfseqgan.models.embedding import TokenEmbedding, check_token_features
from tfseqgan.models.interfaces import Tokens
from tfseqgan.models.sequence_classifier import SequenceClassifier
from tfseqgan.models.weight_counts import count_discriminator_weights
from tfseqgan.ops.causal_convolution import causal_max, causal_responses
from tfseqgan.ops.masking import sequence_mask
from tfseqgan.ops.prefixes import reduce_blocks


@keras.saving.register_keras_serializable(package="tfseqgan")
class Highway(keras.layers.Layer):
    """Mixes its input with a transform of it.

        y = g ⊙ relu(W x + b) + (1 − g) ⊙ x,   g = σ(U x + c)

    The gate's bias starts at −2, so that the layer starts close to the identity.

    Example:
        >>> Highway()(np.ones([2, 5], np.float32)).shape
        TensorShape([2, 5])

    Reference:
        Srivastava et al. 2015, "Highway Networks", equation 3.
    """

    def build(self, input_shape: Any) -> None:
        """Creates the transform and the gate, as wide as the input."""
        width = input_shape[-1]
        policy = {"dtype": self.dtype_policy}
        self.transform = keras.layers.Dense(width, activation="relu", **policy, name="transform")
        self.gate = keras.layers.Dense(
            width,
            activation="sigmoid",
            bias_initializer=keras.initializers.Constant(-2.0),
            **policy,
            name="gate",
        )
        self.transform.build(input_shape)
        self.gate.build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Mixes: float [B, F] → float [B, F]."""
        transformed = self.transform(inputs)
        gate = self.gate(inputs)

        return inputs + gate * (transformed - inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the input's own shape."""
        return input_shape


@keras.saving.register_keras_serializable(package="tfseqgan")
class Discriminator(SequenceClassifier):
    """A binary classifier of token sequences.

        fₖ = relu(max_{t: mₜ = 1} conv_k(E[y])ₜ),   D(y) = σ(w · dropout(highway(f)) + b)

    The convolutions are causal: what a filter sees at step t depends on the tokens up to t. Steps
    after the end token count for nothing. `compile` and `fit` train it as any Keras classifier, on
    tokens with the label 1 for real and 0 for generated.

    Args:
        vocabulary_size: V, the number of token ids.
        token_features: int32 [V, P], the parts of each token (`Tokenizer.token_features`), or None
            for the table embedding.
        embedding_dim: length of a token's vector; the paper's is 32.
        filters: filters of each branch.
        kernel_sizes: width of each branch in tokens; branches of equal width are computed as one.
            The paper's are five of width 20.
        dropout: share of the highway layer's output dropped in training.
        l2_weight: λ of the penalty λ/2 · ‖w‖² on the output layer's weights; the paper's is 0.2.
        end_token_id: the id that ends a sequence, or None where sequences have a fixed length.

    Raises:
        ValueError: if a size is out of range, or the model needs more memory than this machine has.

    Example:
        >>> discriminator = Discriminator(7, embedding_dim=4, filters=3, kernel_sizes=(1, 2))
        >>> discriminator(np.array([[3, 4, 5], [6, 2, 0]])).shape
        TensorShape([2])

    Reference:
        Bjare & Meredith, section 3.3; Yu et al. 2016, section 3.3; Kim 2014.
    """

    def __init__(
        self,
        vocabulary_size: int,
        token_features: np.ndarray | None = None,
        *,
        embedding_dim: int = 64,
        filters: int = 100,
        kernel_sizes: Sequence[int] = (1, 2, 3, 4, 6, 8, 12, 16, 20),
        dropout: float = 0.25,
        l2_weight: float = 0.0,
        end_token_id: int | None = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_jit = False  # XLA is slower here on a CPU
        self.vocabulary_size = check_count("vocabulary_size", vocabulary_size)
        self.token_features = check_token_features(token_features, self.vocabulary_size)
        self.embedding_dim = check_count("embedding_dim", embedding_dim)
        self.filters = check_count("filters", filters)
        self.kernel_sizes = tuple(check_count("kernel_sizes", size) for size in kernel_sizes)
        self.dropout_rate = dropout
        self.l2_weight = l2_weight
        self.end_token_id = end_token_id
        num_weights = count_discriminator_weights(
            self.vocabulary_size,
            self.embedding_dim,
            self.filters,
            self.kernel_sizes,
            self.token_features,
        )
        check_size(
            num_weights,
            filters=self.filters,
            embedding_dim=self.embedding_dim,
            vocabulary_size=self.vocabulary_size,
        )

        policy = {"dtype": self.dtype_policy}
        self.embedding = TokenEmbedding(
            self.vocabulary_size,
            self.embedding_dim,
            self.token_features,
            keras.initializers.RandomUniform(-1.0, 1.0),
            **policy,
            name="embedding",
        )
        self.convolutions = self._make_convolutions()
        self.highway = Highway(**policy, name="highway")
        self.dropout = keras.layers.Dropout(dropout, **policy, name="dropout")
        self.output_layer = keras.layers.Dense(
            1,
            kernel_regularizer=keras.regularizers.L2(l2_weight / 2),
            name="logit",
            dtype="float32",
        )
        self.build()

    def _make_convolutions(self):
        """Returns one convolution a width, with the filters of all branches of that width."""
        convolutions = [
            keras.layers.Conv1D(
                self.filters * count,
                width,
                padding="causal",
                kernel_initializer="he_normal",
                dtype=self.dtype_policy,
                name=f"width_{width}",
            )
            for width, count in collections.Counter(self.kernel_sizes).items()
        ]
        for convolution in convolutions:
            # tf.train.Checkpoint follows attributes and does not look into a model's lists.
            setattr(self, convolution.name, convolution)

        return convolutions

    def build(self, input_shape: Any = None) -> None:
        """Creates every weight, once; the constructor calls it, since it needs no input shape."""
        if self.built:
            return

        features_shape = (None, self.filters * len(self.kernel_sizes))
        self.embedding.build()
        for convolution in self.convolutions:
            convolution.build((None, None, self.embedding_dim))
        self.highway.build(features_shape)
        self.output_layer.build(features_shape)

    def logits_of(self, reading: Tokens, training: bool = False) -> tf.Tensor:
        """Computes the logits of tokens, int [B, T] → float32 [B]."""
        largest = self._convolve(reading, causal_max)  # [B, F]

        return self._logits(self._features(largest), training)

    def _convolve(self, tokens: Tokens, convolution: Callable[..., tf.Tensor]) -> tf.Tensor:
        """Applies a function of vectors, kernel and mask for each width: int [B, T] → [..., F]."""
        vectors = self.embedding(tokens)  # [B, T, D]
        has_end = self.end_token_id is not None
        mask = sequence_mask(tokens, self.end_token_id) if has_end else None  # [B, T]
        kernels = [tf.cast(layer.kernel, vectors.dtype) for layer in self.convolutions]

        return tf.concat([convolution(vectors, kernel, mask) for kernel in kernels], axis=-1)

    def _features(self, largest: tf.Tensor) -> tf.Tensor:
        """Adds the biases and applies ReLU, which both commute with the maximum over time."""
        bias = tf.concat([layer.bias for layer in self.convolutions], axis=0)  # [F]

        return tf.nn.relu(largest + tf.cast(bias, largest.dtype))

    def _logits(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Computes logits from features: [N, F] → [N]."""
        mixed = self.dropout(self.highway(features), training=training)

        return tf.squeeze(self.output_layer(mixed), axis=1)

    def prefix_logits_of(
        self, reading: Tokens, every: int = 1, training: bool = False
    ) -> tf.Tensor:
        """Computes the logits of prefixes of tokens, [B, ⌈T / every⌉] (`prefix_logits`).

        The convolutions run once for all prefixes: their maximum up to step t is the feature of
        that prefix.
        """
        responses = self._convolve(reading, causal_responses)  # [B, T, F]
        lowest = responses.dtype.min
        of_blocks = reduce_blocks(tf.reduce_max, responses, every, padding=lowest)
        largest = tf.scan(tf.maximum, of_blocks)  # [P, B, F]
        features = tf.reshape(self._features(largest), [-1, largest.shape[2]])
        logits = self._logits(features, training)

        return tf.transpose(tf.reshape(logits, tf.shape(largest)[:2]))  # [B, P]

    def get_config(self) -> dict[str, Any]:
        """Returns what makes the same model again, as plain values."""
        features = self.token_features

        return super().get_config() | {
            "vocabulary_size": self.vocabulary_size,
            "token_features": None if features is None else features.tolist(),
            "embedding_dim": self.embedding_dim,
            "filters": self.filters,
            "kernel_sizes": list(self.kernel_sizes),
            "dropout": self.dropout_rate,
            "l2_weight": self.l2_weight,
            "end_token_id": self.end_token_id,
        }
