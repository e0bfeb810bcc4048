"""Maximum likelihood as Keras has it: `fit` and `evaluate` of a model of token sequences."""

import contextlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.models.checks import check_ends
from tfseqgan.models.graphs import check_process
from tfseqgan.models.interfaces import Tokens
from tfseqgan.ops.masking import masked_mean, sequence_mask

_NO_LABELS = (
    "y must be None, or x itself: a generator learns the tokens of x, each from those before it. "
    "Received other labels, which would have no effect. Leave them out."
)


def _labels_of(tokens, labels, weights):
    """Returns the labels that Keras needs to pass weights on: the tokens; refuses others."""
    if labels is not None and not np.array_equal(np.asarray(tokens), np.asarray(labels)):
        raise ValueError(_NO_LABELS)

    # Keras drops the weights of data that comes without labels.
    return None if weights is None else tokens


def _unpack(data):
    """Returns the tokens and the weights of a batch, whose labels must be the tokens."""
    tokens, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
    if labels is None:
        return tokens, weights

    labels = tf.convert_to_tensor(labels)
    tokens = tf.convert_to_tensor(tokens)
    if not labels.shape.is_compatible_with(tokens.shape):
        raise ValueError(_NO_LABELS)
    is_same = tf.reduce_all(tf.equal(tf.cast(labels, tokens.dtype), tokens))
    with tf.control_dependencies([tf.debugging.Assert(is_same, [_NO_LABELS])]):
        return tf.identity(tokens), weights


@contextlib.contextmanager
def _errors_of_labels():
    """Raises ValueError where a graph found labels that are not the tokens."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        if _NO_LABELS[:20] in str(error):
            raise ValueError(_NO_LABELS) from error
        raise


class LikelihoodModel(keras.Model):
    """A Keras model that `fit` trains by the NLL of its tokens, which are their own labels.

    A subclass offers `token_log_probs`, `end_token_id` and `pad_token_id`
    (`interfaces.SequenceGenerator`).
    """

    end_token_id: int | None
    pad_token_id: int

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.nll_metric = keras.metrics.Mean(name="nll")

    def token_log_probs(self, tokens: Tokens, training: bool = False) -> tf.Tensor:
        """Computes log p(yₜ | y₍<t₎) of every token in nats: int [B, T] → float32 [B, T]."""
        raise NotImplementedError

    def nll(
        self, tokens: Tokens, training: bool = False, weights: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Computes the mean NLL of tokens in nats per token, over the tokens that count.

            −Σ_b Σ_t wₜ mₜ log p(yₜ | y₍<t₎) / Σ_b Σ_t mₜ

        Args:
            tokens: int [B, T].
            training: whether dropout is on.
            weights: float [B] or [B, T], Keras' sample weights, or None for 1. As in Keras a loss
                is not divided by them, and the metric `nll` is.

        Returns:
            float32 [].
        """
        tokens = tf.cast(tokens, tf.int32)
        mask = sequence_mask(tokens, self.end_token_id)  # [B, T]
        nll = -self.token_log_probs(tokens, training)  # [B, T]
        if weights is None:
            self.nll_metric.update_state(nll, sample_weight=mask)
            return masked_mean(nll, mask)

        weights = tf.reshape(tf.cast(weights, nll.dtype), [tf.shape(tokens)[0], -1])  # [B, 1 or T]
        self.nll_metric.update_state(nll, sample_weight=mask * weights)

        return masked_mean(nll * weights, mask)

    def fit(
        self, x: Any = None, y: Any = None, *args: Any, sample_weight: Any = None, **options: Any
    ) -> keras.callbacks.History:
        """Trains by maximum likelihood, as `keras.Model.fit`, whose other arguments it takes.

        The tokens are their own labels. Weights are those of sequences or of tokens.

        Args:
            x: int [N, T], or a dataset of such batches; with weights a batch is (x, x, weights).
            y: None, or `x` itself.
            *args: those of `keras.Model.fit`.
            sample_weight: float [N] or [N, T], or None for 1.
            **options: those of `keras.Model.fit`.

        Returns:
            keras.callbacks.History.

        Raises:
            ValueError: if `y` is something else than `x`, or in an array padding stands where none
                may.
        """
        check_process()
        if isinstance(x, np.ndarray) and x.ndim == 2:
            check_ends(x, self.end_token_id, self.pad_token_id, "x")
        labels = _labels_of(x, y, sample_weight)
        with _errors_of_labels():
            return super().fit(x, labels, *args, sample_weight=sample_weight, **options)

    def evaluate(
        self, x: Any = None, y: Any = None, *args: Any, sample_weight: Any = None, **options: Any
    ) -> Any:
        """Computes what `fit` reports, as `keras.Model.evaluate`; arguments as of `fit`."""
        check_process()
        labels = _labels_of(x, y, sample_weight)
        with _errors_of_labels():
            return super().evaluate(x, labels, *args, sample_weight=sample_weight, **options)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Takes the step down the mean NLL of a batch that `fit` asks for."""
        tokens, weights = _unpack(data)
        with tf.GradientTape() as tape:
            loss = self.nll(tokens, training=True, weights=weights)
            scaled = self.optimizer.scale_loss(loss)

        gradients = tape.gradient(scaled, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)

        return self._figures(loss, tokens, weights)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Computes what Keras' `evaluate` and the validation of `fit` report of a batch."""
        tokens, weights = _unpack(data)

        return self._figures(self.nll(tokens, weights=weights), tokens, weights)

    def _figures(self, loss, tokens, weights):
        """Returns Keras' figures by name; the metrics that `compile` was given read the logits."""
        metrics = {metric.name: metric for metric in self.metrics}
        if "loss" in metrics:
            metrics["loss"].update_state(loss, sample_weight=tf.shape(tokens)[0])
        if "compile_metrics" in metrics:
            return self.compute_metrics(tokens, tokens, self(tokens), weights)

        return self.get_metrics_result()
