"""D that reads what a generator makes of a sequence: its states, and how much each token surprised.

A generator knows the bar, the key, the form and what came eight bars before. A discriminator that
reads its states need not learn any of this, and sees at once what the generator takes for granted
and real tunes do not do.
"""

import collections
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.models.checks import check_count
from tfseqgan.models.frozen_copy import frozen_copy
from tfseqgan.models.interfaces import Tokens
from tfseqgan.models.language_model import LanguageModel
from tfseqgan.models.sequence_classifier import SequenceClassifier
from tfseqgan.ops.causal_convolution import causal_responses
from tfseqgan.ops.masking import has_end, sequence_mask
from tfseqgan.ops.prefixes import reduce_blocks

_LEAST_LOG_PROB = -20.0
_SURPRISING = -4.0


class Reading(NamedTuple):
    """What a generator makes of sequences.

    Attributes:
        tokens: int32 [B, T].
        outputs: float16 [B, T, H], what it knew before each token.
        log_probs: float32 [B, T], of each token, in nats; no less than −20.
    """

    tokens: tf.Tensor
    outputs: tf.Tensor
    log_probs: tf.Tensor


class PrefixState(NamedTuple):
    """What is known of sequences whose next tokens are read later.

    Attributes:
        vectors: float32 [B, W − 1, hidden_dim], the last ones that a filter of width W still sees.
        largest: float32 [B, F], the largest response of each filter.
        total: float32 [B, F], the sum of all responses.
        count: float32 [B], events.
        has_ended: bool [B].
    """

    vectors: tf.Tensor
    largest: tf.Tensor
    total: tf.Tensor
    count: tf.Tensor
    has_ended: tf.Tensor


@keras.saving.register_keras_serializable(package="tfseqgan")
class StateDiscriminator(SequenceClassifier):
    """A classifier of token sequences that reads a generator's states.

        xₜ = relu(U hₜ + W e(yₜ) + A sₜ),   sₜ = [log pₜ, pₜ, min(log pₜ + 4, 0)]
        rₜ = relu(conv(x))ₜ,   logit = MLP([max_t rₜ, mean_t rₜ])

    with hₜ the generator's output before yₜ, e(yₜ) the token's vector and pₜ its probability. The
    maximum and the mean are over events: the tokens that say what was asked for are read by the
    generator alone. The convolutions are causal: the logit of a prefix depends on its tokens alone.
    The generator is copied, so that it stays as it is while the original is trained on; its weights
    are not trained. All but the generator computes in float32, whatever the policy.

    Args:
        reader: the generator that reads.
        hidden_dim: length of xₜ and of the last hidden layer.
        filters: filters of each width.
        kernel_sizes: widths of the convolutions in tokens.
        dropout: share of the outputs, of xₜ and of the last layers' inputs dropped in training.

    Raises:
        ValueError: if a size is out of range.

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> generator = Generator(vocabulary_size=7, embedding_dim=4, units=8)
        >>> discriminator = StateDiscriminator(generator, hidden_dim=5, filters=3)
        >>> discriminator(np.array([[3, 4, 5], [6, 2, 0]])).shape
        TensorShape([2])
    """

    def __init__(
        self,
        reader: LanguageModel,
        *,
        hidden_dim: int = 96,
        filters: int = 48,
        kernel_sizes: Sequence[int] = (1, 2, 4, 8),
        dropout: float = 0.3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs | {"dtype": "float32"})
        self.hidden_dim = check_count("hidden_dim", hidden_dim)
        self.filters = check_count("filters", filters)
        self.kernel_sizes = tuple(check_count("kernel_sizes", size) for size in kernel_sizes)
        check_count("the number of kernel_sizes", len(self.kernel_sizes))
        self.dropout_rate = dropout

        self.reader = frozen_copy(reader)
        self.vocabulary_size = self.reader.vocabulary_size
        self.end_token_id = self.reader.end_token_id
        self.state_layer = keras.layers.Dense(self.hidden_dim, use_bias=False, name="state")
        self.token_layer = keras.layers.Dense(self.hidden_dim, use_bias=False, name="token")
        self.surprise_layer = keras.layers.Dense(self.hidden_dim, name="surprise")
        self.convolutions = [
            keras.layers.Conv1D(self.filters * count, width, name=f"width_{width}")
            for width, count in collections.Counter(self.kernel_sizes).items()
        ]
        for convolution in self.convolutions:
            # tf.train.Checkpoint follows attributes and does not look into a model's lists.
            setattr(self, convolution.name, convolution)
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.hidden_layer = keras.layers.Dense(self.hidden_dim, activation="relu", name="hidden")
        self.output_layer = keras.layers.Dense(1, name="logit")
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Creates every weight, once; the constructor calls it, since it needs no input shape."""
        if self.built:
            return

        output_dim = self.reader.projection.kernel.shape[0]
        self.state_layer.build((None, None, output_dim))
        self.token_layer.build((None, None, self.reader.embedding_dim))
        self.surprise_layer.build((None, None, 3))
        for convolution in self.convolutions:
            convolution.build((None, None, self.hidden_dim))
        self.hidden_layer.build((None, 2 * self.filters * len(self.kernel_sizes)))
        self.output_layer.build((None, self.hidden_dim))

    def read(self, tokens: Tokens) -> Reading:
        """Computes what the generator makes of sequences: int [B, T] → [B, T, …] each."""
        tokens = tf.cast(tokens, tf.int32)
        log_probs, outputs = self.reader.log_probs_and_outputs(tokens)

        return self.reading_of(tokens, outputs, log_probs)

    def reading_of(self, tokens: tf.Tensor, outputs: tf.Tensor, log_probs: tf.Tensor) -> Reading:
        """Returns what is kept of what the generator computes when it reads or writes tokens.

        Args:
            tokens: int32 [B, T].
            outputs: float [B, T, H].
            log_probs: float32 [B, T] in nats.
        """
        return Reading(
            tokens=tokens,
            outputs=tf.stop_gradient(tf.cast(outputs, tf.float16)),
            log_probs=tf.stop_gradient(tf.maximum(log_probs, _LEAST_LOG_PROB)),
        )

    def _mask(self, tokens, has_ended=None):
        """Returns 1 for the events of a sequence up to its end, float32 [B, T].

        `has_ended` bool [B] says which sequences had ended before these tokens.
        """
        mask = sequence_mask(tokens, self.end_token_id)
        if has_ended is not None:
            mask *= tf.cast(~has_ended, tf.float32)[:, None]
        durations = self.reader.token_durations
        if durations is None:
            return mask

        counts = (durations > 0).any(axis=1)
        counts[self.end_token_id] = True

        return mask * tf.gather(counts.astype(np.float32), tokens)

    def logits_of(self, reading: Reading, training: bool = False) -> tf.Tensor:
        """Computes the logits of what was read, float32 [B]."""
        mask = self._mask(reading.tokens)
        responses = self._responses(self._vectors(reading, mask, training), mask)
        largest = tf.reduce_max(responses, axis=1)  # [B, F]
        total = tf.reduce_sum(responses, axis=1)
        count = tf.reduce_sum(mask, axis=1)

        return self._logits(largest, total, count, training)

    def prefix_logits_of(
        self, reading: Reading, every: int = 1, training: bool = False
    ) -> tf.Tensor:
        """Computes the logits of prefixes of what was read, [B, ⌈T / every⌉] (`prefix_logits`)."""
        mask = self._mask(reading.tokens)
        responses = self._responses(self._vectors(reading, mask, training), mask)

        largest = tf.scan(tf.maximum, reduce_blocks(tf.reduce_max, responses, every))  # [P, B, F]
        total = tf.cumsum(reduce_blocks(tf.reduce_sum, responses, every))
        count = tf.cumsum(reduce_blocks(tf.reduce_sum, mask, every))  # [P, B]
        num_filters = largest.shape[2]
        logits = self._logits(
            tf.reshape(largest, [-1, num_filters]),
            tf.reshape(total, [-1, num_filters]),
            tf.reshape(count, [-1]),
            training,
        )

        return tf.transpose(tf.reshape(logits, tf.shape(count)))

    def first_prefix(self, num_rows: tf.Tensor | int) -> PrefixState:
        """Returns what is known of B sequences before their first token."""
        num_filters = self.filters * len(self.kernel_sizes)
        zeros = tf.zeros([num_rows, num_filters])

        return PrefixState(
            vectors=tf.zeros([num_rows, max(self.kernel_sizes) - 1, self.hidden_dim]),
            largest=zeros,
            total=zeros,
            count=tf.zeros([num_rows]),
            has_ended=tf.fill([num_rows], False),
        )

    def extend_prefix(self, prefix: PrefixState, reading: Reading) -> tuple[tf.Tensor, PrefixState]:
        """Reads the next tokens of sequences, and computes the logits of what is then known.

        Args:
            prefix: of the tokens before.
            reading: of S tokens, [B, S, …] each.

        Returns:
            float32 [B], what `call` gives for all tokens so far, and the state after them.
        """
        mask = self._mask(reading.tokens, prefix.has_ended)
        vectors = tf.concat([prefix.vectors, self._vectors(reading, mask)], axis=1)
        num_before = prefix.vectors.shape[1]
        responses = self._responses(vectors, mask, num_before)

        last = vectors[:, tf.shape(vectors)[1] - num_before :]
        after = PrefixState(
            vectors=tf.ensure_shape(last, [None, num_before, self.hidden_dim]),
            largest=tf.maximum(prefix.largest, tf.reduce_max(responses, axis=1)),
            total=prefix.total + tf.reduce_sum(responses, axis=1),
            count=prefix.count + tf.reduce_sum(mask, axis=1),
            has_ended=prefix.has_ended | has_end(reading.tokens, self.end_token_id),
        )

        return self._logits(after.largest, after.total, after.count), after

    def _vectors(self, reading, mask, training=False):
        """Returns xₜ, float32 [B, T, D], 0 where the mask is 0."""
        log_probs = reading.log_probs
        below = tf.minimum(log_probs - _SURPRISING, 0.0)
        surprise = tf.stack([log_probs, tf.exp(log_probs), below], axis=-1)

        outputs = tf.cast(reading.outputs, tf.float32)
        table = tf.stop_gradient(self.reader.embedding.table())
        of_tokens = self.token_layer(tf.cast(table, tf.float32))  # [V, hidden_dim]
        vectors = self.state_layer(self.dropout(outputs, training=training))
        vectors += tf.gather(of_tokens, reading.tokens) + self.surprise_layer(surprise)

        return self.dropout(tf.nn.relu(vectors) * mask[:, :, None], training=training)

    def _responses(self, vectors, mask, num_before=0):
        """Returns rₜ of all but the first `num_before` vectors, float32 [B, T, F]."""
        responses = [
            tf.nn.relu(causal_responses(vectors, layer.kernel)[:, num_before:] + layer.bias)
            for layer in self.convolutions
        ]

        return tf.concat(responses, axis=2) * mask[:, :, None]

    def _logits(self, largest, total, count, training=False):
        """Computes logits from the maximum and the sum [N, F] over count [N] responses: [N]."""
        mean = total / tf.maximum(count, 1.0)[:, None]
        pooled = tf.concat([largest, mean], axis=1)
        hidden = self.hidden_layer(self.dropout(pooled, training=training))
        hidden = self.dropout(hidden, training=training)

        return tf.squeeze(self.output_layer(hidden), axis=1)

    def get_config(self) -> dict[str, Any]:
        """Returns what makes the same model again, as plain values."""
        return super().get_config() | {
            "reader": keras.saving.serialize_keras_object(self.reader),
            "hidden_dim": self.hidden_dim,
            "filters": self.filters,
            "kernel_sizes": list(self.kernel_sizes),
            "dropout": self.dropout_rate,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "StateDiscriminator":
        """Makes the model that a configuration describes."""
        reader = keras.saving.deserialize_keras_object(config["reader"])

        return cls(**config | {"reader": reader})
