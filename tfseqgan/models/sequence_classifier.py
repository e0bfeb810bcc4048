"""What every discriminator is to Keras: a binary classifier of sequences whose loss is in nats."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.models.interfaces import Tokens
from tfseqgan.ops.masking import masked_mean


class SequenceClassifier(keras.Model):
    """A Keras classifier of token sequences: int [B, T] → logits of "real", float32 [B].

    `compile` and `fit` train it as any Keras classifier, on tokens with the label 1 for real and 0
    for generated. Labels between them smooth the classes. Its last layer is `output_layer`.
    """

    vocabulary_size: int
    end_token_id: int | None
    output_layer: keras.layers.Dense
    dropout: keras.layers.Dropout
    dropout_rate: float

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.accuracy_metric = keras.metrics.Mean(name="accuracy")

    def read(self, tokens: Tokens) -> Any:
        """Computes what is the same whenever it sees these tokens, as tensors [B, ...]."""
        return tf.cast(tokens, tf.int32)

    def logits_of(self, reading: Any, training: bool = False) -> tf.Tensor:
        """Computes the logits of what was read, float32 [B]."""
        raise NotImplementedError

    def call(self, tokens: Tokens, training: bool = False) -> tf.Tensor:
        """Computes the logit of "real"; D(y) is its sigmoid.

        Args:
            tokens: int [B, T].
            training: whether dropout is on.

        Returns:
            float32 [B], in mixed precision too.
        """
        return self.logits_of(self.read(tokens), training)

    def prefix_logits_of(self, reading: Any, every: int = 1, training: bool = False) -> tf.Tensor:
        """Computes the logits of prefixes of what was read, float32 [B, ⌈T / every⌉]."""
        raise NotImplementedError

    def prefix_logits(self, tokens: Tokens, every: int = 1) -> tf.Tensor:
        """Computes the logit of every `every`-th prefix and of the whole sequence, dropout off.

        Column p is what `call` gives for the first (p + 1) · `every` tokens, or for all. After the
        end token the logit stays what it was there.

        Args:
            tokens: int [B, T].
            every: the distance between the lengths of prefixes.

        Returns:
            float32 [B, ⌈T / every⌉].

        Example:
            >>> from tfseqgan.models.discriminator import Discriminator
            >>> discriminator = Discriminator(7, embedding_dim=4, filters=3, kernel_sizes=(1, 2))
            >>> tokens = np.array([[3, 4, 5], [6, 2, 0]])
            >>> of_two = discriminator.prefix_logits(tokens)[:, 1]
            >>> np.allclose(of_two, discriminator(tokens[:, :2]), atol=1e-6)
            True
        """
        return self.prefix_logits_of(self.read(tokens), every)

    def scale_logits(self, scale: float, shift: float) -> None:
        """Replaces every logit by scale · logit + shift, in the last layer's weights."""
        self.output_layer.kernel.assign(scale * self.output_layer.kernel)
        self.output_layer.bias.assign(scale * self.output_layer.bias + shift)

    def export(self, filepath: Any, *args: Any, **options: Any) -> None:
        """Raises ValueError: `tfseqgan.export_saved_model` exports it, together with a generator.

        Keras' own method also writes the gradients, which ours do not need where nothing is
        trained, and cannot.
        """
        raise ValueError(
            "A discriminator is not exported by Keras' own method; expected "
            "tfseqgan.export_saved_model(generator, tokenizer, path, "
            "discriminator=discriminator), which writes its logits as the signature discriminate."
        )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None]:
        """Returns the shape of the logits: [B, T] → [B]."""
        return (input_shape[0],)

    def compute_output_spec(self, tokens: Any, training: bool = False) -> keras.KerasTensor:
        """Returns what a symbolic call gives: float32 [B], in mixed precision too."""
        return keras.KerasTensor(self.compute_output_shape(tokens.shape), "float32")

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Computes the mean cross-entropy in nats, plus the penalty on the output layer.

        Args:
            x: not used.
            y: [B] labels, 1 for real and 0 for generated.
            y_pred: float32 [B], the logits.
            sample_weight: [B], or None for equal weights.
            training: not used.

        Returns:
            float32 [].
        """
        labels = tf.cast(tf.reshape(y, tf.shape(y_pred)), y_pred.dtype)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=y_pred)  # [B]
        if sample_weight is None:
            weights = tf.ones_like(losses)
        else:
            weights = tf.cast(tf.reshape(sample_weight, tf.shape(losses)), losses.dtype)

        is_right = (y_pred > 0) == (labels > 0.5)
        self.accuracy_metric.update_state(is_right, sample_weight=weights)

        return masked_mean(losses, weights) + sum(self.losses)

    def seed_dropout(self, seed: tuple[int, int]) -> None:
        """Restarts the random numbers of dropout from two integers, so that a run repeats."""
        if self.dropout_rate:
            self.dropout.seed_generator.state.assign(np.asarray(seed, np.uint32))
