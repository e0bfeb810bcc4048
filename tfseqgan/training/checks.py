"""Checks that fail before training starts, or before a checkpoint could keep what diverged."""

import math

import keras
import tensorflow as tf

from tfseqgan.models.checks import check_models
from tfseqgan.ops.replicas import (
    check_created_under_strategy,
)


def check_compiled(model):
    """Raises ValueError unless a model has an optimizer that the strategy in scope knows and that needs no scaled loss; creates its variables, so that
    they can be restored."""
    if getattr(model, "optimizer", None) is None:
        name = type(model).__name__.lower()
        raise ValueError(
            f"The {name} is not compiled: an optimizer is expected. Call {name}.compile('adam') first."
        )
    if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
        raise ValueError(
            "mixed_float16 needs a loss that is scaled, which tfseqgan does not do; expected dtype='mixed_bfloat16', or none."
        )
    check_created_under_strategy(model)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def check_batch(tokens, batch_size, argument="batch_size"):
    """Raises ValueError unless there are at least as many sequences as a batch takes."""
    if not 1 <= batch_size <= len(tokens):
        raise ValueError(
            f"{argument} is {batch_size} and the data holds {len(tokens)} sequences; expected 1 to {len(tokens)}. "
            "Lower the batch size, or bring more data (a smaller window length gives more windows)."
        )


def check_finite(place, figures, *models):
    """Raises FloatingPointError unless figures and weights are finite numbers; called before a checkpoint could keep them.

    Args:
        place: where in the run, for the message.
        figures: dict of floats.
        *models: Keras models.
    """
    finite = all(
        tf.reduce_all(tf.math.is_finite(weight))
        for model in models
        for weight in model.trainable_variables
    )
    if not finite or not all(map(math.isfinite, figures.values())):
        shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        raise FloatingPointError(
            f"Training diverged in {place}: {shown}, weights {'finite' if finite else 'not finite'}; finite numbers are expected. "
            "The last checkpoint is intact. Lower the learning rate or clip the gradient (global_clipnorm=5.0)."
        )


def check_trainable_pair(generator, discriminator):
    """Raises ValueError unless the two fit each other and each has an optimizer of its own."""
    check_models(generator, discriminator)
    check_compiled(generator)
    check_compiled(discriminator)
    if generator.optimizer is discriminator.optimizer:
        raise ValueError(
            "Generator and discriminator were compiled with the same optimizer object; expected one each. Make a second optimizer."
        )
