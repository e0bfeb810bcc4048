"""The epoch at which validation was best: its weights, and how long to wait for a better one."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf


class BestWeights(tf.Module):
    """A copy of a model's weights at its best epoch, by what validation says.

    Args:
        model: a built Keras model.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model
        self.copies = [tf.Variable(weight, trainable=False) for weight in model.trainable_variables]

    def save(self) -> None:
        """Copies the model's weights."""
        for copy, weight in zip(self.copies, self.model.trainable_variables, strict=True):
            copy.assign(weight)

    def restore(self) -> None:
        """Sets the model's weights to the copies."""
        for copy, weight in zip(self.copies, self.model.trainable_variables, strict=True):
            weight.assign(copy)


def is_out_of_patience(values: Sequence[float], patience: int | None) -> bool:
    """Returns whether `patience` epochs have passed since the lowest value.

    Args:
        values: what validation gave, of all epochs so far.
        patience: 1 or more, or None to wait for ever.

    Example:
        >>> is_out_of_patience([0.5, 0.3, 0.4], patience=1)
        True
        >>> is_out_of_patience([0.5, 0.3, 0.4], patience=2)
        False
    """
    if patience is None or not values:
        return False

    return len(values) - 1 - int(np.argmin(values)) >= patience
