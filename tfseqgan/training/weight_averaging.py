"""The average of a model's weights over its training steps, which samples better than the last.

A Keras optimizer with `use_ema=True` keeps it: after each step a ← m · a + (1 − m) · θ.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf


def keeps_average(model: Any) -> bool:
    """Returns whether a model's optimizer keeps the average of its weights."""
    return bool(getattr(model.optimizer, "use_ema", False))


@contextlib.contextmanager
def averaged_weights(model: Any) -> Iterator[None]:
    """Gives a model the average of its weights while the context lasts.

    Where the optimizer keeps none, nothing changes. Trained weights come back at the end, bit for
    bit.

    Args:
        model: a compiled Keras model.

    Example:
        >>> import keras
        >>> from tfseqgan.models.generator import Generator
        >>> generator = Generator(vocabulary_size=7, embedding_dim=4, units=8)
        >>> generator.compile(keras.optimizers.Adam(use_ema=True))
        >>> with averaged_weights(generator):
        ...     logits = generator(tf.constant([[3, 4]]))

    Reference:
        Polyak & Juditsky 1992; with an exponential window: Tarvainen & Valpola 2017.
    """
    if not keeps_average(model) or not int(model.optimizer.iterations):
        yield
        return

    weights = model.trainable_variables
    trained = [tf.identity(weight) for weight in weights]
    model.optimizer.finalize_variable_values(weights)
    try:
        yield
    finally:
        for weight, value in zip(weights, trained, strict=True):
            weight.assign(value)
