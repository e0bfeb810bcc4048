"""D: the convolutional network that tells real sequences from generated ones (the paper, section 3.3)."""

import collections
import functools

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.models.embedding import TokenEmbedding, check_token_features
from tfseqgan.ops.causal_convolution import causal_max, causal_responses
from tfseqgan.ops.masking import masked_mean, sequence_mask
from tfseqgan.ops.replicas import Dropout
from tfseqgan.ops.sampling import row_blocks
from tfseqgan.ops.sparse import project_change

_MANY = 64
"""Sequences from which on prefixes are judged by what changes: a product of fewer rows takes as long to read the highway layer's weights."""


@keras.saving.register_keras_serializable(package="tfseqgan")
class Highway(keras.layers.Layer):
    """Mixes its input with a transform of it: y = g ⊙ relu(W x + b) + (1 − g) ⊙ x = x + g ⊙ (relu(W x + b) − x), with g = σ(U x + c).

    The gate's bias starts at −2, so that the layer starts close to the identity.

    Example:
        >>> Highway()(np.ones([2, 5], np.float32)).shape
        TensorShape([2, 5])

    Reference:
        Srivastava et al. 2015, "Highway Networks", equation 3.
    """

    def build(self, input_shape):
        """Creates the transform and the gate, as wide as the input."""
        width = input_shape[-1]
        self.transform = keras.layers.Dense(
            width, activation="relu", dtype=self.dtype_policy, name="transform"
        )
        closed = keras.initializers.Constant(-2.0)
        self.gate = keras.layers.Dense(
            width,
            activation="sigmoid",
            bias_initializer=closed,
            dtype=self.dtype_policy,
            name="gate",
        )
        self.transform.build(input_shape)
        self.gate.build(input_shape)

    def call(self, inputs):
        """float [B, F] → float [B, F]."""
        return self.mix(self.project(inputs), inputs)

    def project(self, inputs):
        """Returns what the transform and the gate make of inputs before their activations: float [B, F] → two of float [B, F]."""
        return [
            tf.nn.bias_add(tf.matmul(inputs, layer.kernel), layer.bias)
            for layer in (self.transform, self.gate)
        ]

    def mix(self, projected, inputs):
        """Returns what `call` gives for inputs, from what `project` or `follow` made of them: two of float [B, F], float [B, F] → float [B, F]."""
        transformed, gate = (
            layer.activation(part) for layer, part in zip((self.transform, self.gate), projected)
        )
        return inputs + gate * (transformed - inputs)

    def follow(self, projected, before, inputs):
        """Returns what `project` gives, by way of what changed since other inputs.

        Args:
            projected: what `project` or `follow` gave for `before`, two of float [B, F].
            before: float [B, F].
            inputs: float [B, F].

        Returns:
            Two of float [B, F].
        """
        layers = self.transform, self.gate
        kernels, biases = (
            [tf.convert_to_tensor(weight) for weight in weights]
            for weights in zip(*((layer.kernel, layer.bias) for layer in layers))
        )
        return project_change(projected, before, inputs, kernels, biases)

    def compute_output_shape(self, input_shape):
        """The input's own shape."""
        return input_shape


@keras.saving.register_keras_serializable(package="tfseqgan")
class Discriminator(keras.Model):
    """A binary classifier of token sequences: embedding, convolutions, maximum over time, one highway layer, one logit.

        fₖ = relu(max_{t: mₜ = 1} conv_k(E[y])ₜ),   D(y) = σ(w · dropout(highway(f)) + b)

    The convolutions look back only (causal), so that what a filter sees at step t is a matter of the tokens up to t; steps behind the end of a
    sequence count for nothing. `compile` and `fit` train it as any Keras classifier on (tokens, 1 for real and 0 for generated).

    Args:
        vocabulary_size: V, the number of token ids.
        token_features: int32 [V, P], the parts of each token (`Tokenizer.token_features`), or None for the table embedding.
        embedding_dim: length of a token's vector; the paper's is 32.
        filters: filters of each branch.
        kernel_sizes: width of each branch in tokens; branches of equal width are computed as one. The paper's are five of width 20.
        dropout: share of the highway layer's output dropped in training.
        l2_weight: λ of the penalty λ/2 · ‖w‖² on the output layer's weights; the paper's is 0.2.
        end_token_id: the id that ends a sequence, or None where sequences have a fixed length.

    Example:
        >>> discriminator = Discriminator(vocabulary_size=7, embedding_dim=4, filters=3, kernel_sizes=(1, 2))
        >>> discriminator(np.array([[3, 4, 5], [6, 2, 0]])).shape
        TensorShape([2])

    Reference:
        Bjare & Meredith, section 3.3; Yu et al. 2016, section 3.3; Kim 2014.
    """

    def __init__(
        self,
        vocabulary_size,
        token_features=None,
        *,
        embedding_dim=64,
        filters=100,
        kernel_sizes=(1, 2, 3, 4, 6, 8, 12, 16, 20),
        dropout=0.25,
        l2_weight=0.0,
        end_token_id=2,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supports_jit = False  # XLA is slower here on a CPU: compile(jit_compile=True) warns and goes on without
        self.vocabulary_size = vocabulary_size
        self.token_features = check_token_features(token_features, vocabulary_size)
        self.embedding_dim = embedding_dim
        self.filters = filters
        self.kernel_sizes = tuple(kernel_sizes)
        self.dropout_rate = dropout
        self.l2_weight = l2_weight
        self.end_token_id = end_token_id
        policy = {"dtype": self.dtype_policy}
        uniform = keras.initializers.RandomUniform(-1.0, 1.0)
        self.embedding = TokenEmbedding(
            vocabulary_size, embedding_dim, self.token_features, uniform, **policy, name="embedding"
        )
        branches = collections.Counter(self.kernel_sizes)
        self.convolutions = [
            keras.layers.Conv1D(
                filters * count,
                width,
                padding="causal",
                kernel_initializer="he_normal",
                **policy,
                name=f"width_{width}",
            )
            for width, count in branches.items()
        ]
        for convolution in self.convolutions:
            setattr(
                self, convolution.name, convolution
            )  # tf.train.Checkpoint follows attributes and does not look into a model's lists
        self.highway = Highway(**policy, name="highway")
        self.dropout = Dropout(dropout, **policy, name="dropout")
        self.output_layer = keras.layers.Dense(
            1,
            kernel_regularizer=keras.regularizers.L2(l2_weight / 2),
            name="logit",
            dtype="float32",
        )
        self.accuracy_metric = keras.metrics.Mean(name="accuracy")
        self.build()

    def build(self, input_shape=None):
        """Creates every weight, once; the constructor does it, since the vocabulary's size is all that it takes."""
        if self.built:
            return
        features = (None, self.filters * len(self.kernel_sizes))
        self.embedding.build()
        for convolution in self.convolutions:
            convolution.build((None, None, self.embedding_dim))
        self.highway.build(features)
        self.output_layer.build(features)

    def call(self, tokens, training=False):
        """Returns the logit of "real": int [B, T] → float32 [B], in mixed precision too; D(y) is its sigmoid."""
        return self._logit(
            self.highway(tf.nn.relu(self._biased(self._convolved(tokens, causal_max)))), training
        )  # [B]

    def _convolved(self, tokens, maximum):
        """Returns what a maximum makes of each convolution: [B, T] → [..., F]."""
        vectors = self.embedding(tokens)  # [B, T, D]
        mask = (
            None if self.end_token_id is None else sequence_mask(tokens, self.end_token_id)
        )  # [B, T]
        cast = functools.partial(tf.cast, dtype=vectors.dtype)
        return tf.concat(
            [maximum(vectors, cast(layer.kernel), mask) for layer in self.convolutions], axis=-1
        )

    def _biased(self, responses):
        """Returns responses and their filters' biases, which commute with the maximum as ReLU does: [..., F] → [..., F]."""
        return responses + tf.cast(
            tf.concat([layer.bias for layer in self.convolutions], axis=0), responses.dtype
        )

    def _logit(self, features, training=False):
        """Returns the logit of the highway layer's output: [N, F] → [N]."""
        return tf.squeeze(self.output_layer(self.dropout(features, training=training)), axis=1)

    def prefix_logits(self, tokens, every=1):
        """Returns the logit of every `every`-th prefix, and of the whole sequence, dropout off: int [B, T] → float32 [B, ⌈T / every⌉].

        Column p is what `call` gives, but for the last digits, for the first (p + 1) · `every` tokens, or all; behind the end of a sequence it stays as it was
        there. The convolutions run once, and features only grow from one prefix to the next, fewer and fewer of them: behind the first prefixes, while windows fill
        up, the highway layer follows the changes (on CPUs, in float32, of 64 sequences or more).

        Example:
            >>> discriminator = Discriminator(vocabulary_size=7, embedding_dim=4, filters=3, kernel_sizes=(1, 2))
            >>> tokens = np.array([[3, 4, 5], [6, 2, 0]])
            >>> np.allclose(discriminator.prefix_logits(tokens)[:, 1], discriminator(tokens[:, :2]), atol=1e-6)
            True
        """
        on_cpu = self.compute_dtype == "float32" and not tf.config.list_physical_devices("GPU")
        opening = max(
            1, max(self.kernel_sizes) // every
        )  # while windows fill up, most features change
        rows, prefixes = (
            tokens.shape[0] or 0,
            -(-(tokens.shape[1] or 0) // every),
        )  # 0 where a graph does not know them
        follows = on_cpu and rows >= _MANY and prefixes > opening
        judge = functools.partial(self._judge_changes, opening) if follows else self._judge_all
        responses = functools.partial(causal_responses, every=every)
        blocks = [
            judge(self._convolved(tokens[rows], responses)) for rows in row_blocks(tokens.shape[0])
        ]  # [P, b] each
        return tf.transpose(tf.concat(blocks, axis=1))

    def _features(self, responses):
        """Returns the features of every prefix: float [P, B, F] → [P, B, F]."""
        return tf.scan(tf.maximum, tf.nn.relu(self._biased(responses)))

    def _judge_all(self, responses):
        """Returns the logits of all prefixes from one product, faster where products are fast or sequences few: float [P, B, F] → [P, B]."""
        features = self._features(responses)
        return tf.reshape(
            self._logit(self.highway(tf.reshape(features, [-1, features.shape[2]]))),
            tf.shape(features)[:2],
        )

    def _judge_changes(self, opening, responses):
        """Returns the logits of the first prefixes, `opening` of them, from one product, and of each one behind them by what it changes: float [P, B, F] →
        [P, B], P > opening."""
        length, rows = tf.unstack(tf.shape(responses)[:2])
        features = tf.reshape(
            self._features(responses[:opening]), [-1, responses.shape[2]]
        )  # [opening · B, F]
        projected = self.highway.project(features)
        opened = self._logit(self.highway.mix(projected, features))

        def step(p, features, projected, logits):
            before, features = (
                features,
                tf.maximum(features, self._biased(responses[p])),
            )  # [B, F], not below 0, which is ReLU's
            projected = self.highway.follow(projected, before, features)
            return (
                p + 1,
                features,
                projected,
                logits.write(p - opening, self._logit(self.highway.mix(projected, features))),
            )

        start = (
            opening,
            features[-rows:],
            [part[-rows:] for part in projected],
            tf.TensorArray(tf.float32, length - opening),
        )
        followed = tf.while_loop(lambda p, *_: p < length, step, start, parallel_iterations=1)[
            3
        ].stack()
        return tf.concat([tf.reshape(opened, [opening, -1]), followed], axis=0)

    def compute_output_shape(self, input_shape):
        """Shape [B, T] → [B]."""
        return (input_shape[0],)

    def compute_output_spec(self, tokens, training=False):
        """What a symbolic call gives: float32 [B], in mixed precision too."""
        return keras.KerasTensor(self.compute_output_shape(tokens.shape), "float32")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Returns the mean cross-entropy of the labels `y` (1 real, 0 generated) in nats, plus the penalty on the output layer."""
        labels = tf.cast(tf.reshape(y, tf.shape(y_pred)), y_pred.dtype)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=y_pred)  # [B]
        weights = (
            tf.ones_like(losses)
            if sample_weight is None
            else tf.cast(tf.reshape(sample_weight, tf.shape(losses)), losses.dtype)
        )
        self.accuracy_metric.update_state((y_pred > 0) == (labels > 0.5), sample_weight=weights)
        return masked_mean(losses, weights) + tf.add_n(self.losses)

    def seed_dropout(self, seed):
        """Starts the dropout's random numbers anew from two integers, so that a run repeats."""
        if self.dropout_rate:
            self.dropout.seed_generator.state.assign(np.asarray(seed, np.uint32))

    def get_config(self):
        """Returns what makes the same model again, as plain values."""
        return super().get_config() | {
            "vocabulary_size": self.vocabulary_size,
            "token_features": None if self.token_features is None else self.token_features.tolist(),
            "embedding_dim": self.embedding_dim,
            "filters": self.filters,
            "kernel_sizes": list(self.kernel_sizes),
            "dropout": self.dropout_rate,
            "l2_weight": self.l2_weight,
            "end_token_id": self.end_token_id,
        }
