"""Adam in one kernel a weight, where Keras takes a dozen."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfseqgan")
class Adam(keras.optimizers.Adam):
    """Keras' Adam, with the whole update of a weight in TensorFlow's own kernel.

        m ← m + (1 − β₁)(g − m),   v ← v + (1 − β₂)(g² − v)
        θ ← θ − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)

    The steps are those of Keras' Adam except for the last bits. Its arguments and its checkpoints
    are Keras' too; with `amsgrad`, and for sparse gradients, Keras' own update runs.

    Example:
        >>> weight = keras.Variable([1.0])
        >>> optimizer = Adam(0.5)
        >>> optimizer.build([weight])
        >>> optimizer.apply([tf.constant([2.0])], [weight])
        >>> weight.numpy().round(4).tolist()
        [0.5]

    Reference:
        Kingma & Ba 2015, the formulation before section 2.1.
    """

    def update_step(self, gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
        """Moves a variable and its two moments."""
        if self.amsgrad or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return

        index = self._get_variable_index(variable)
        dtype = variable.dtype
        step = tf.cast(self.iterations + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.cast(self.beta_1, dtype) ** step,
            beta2_power=tf.cast(self.beta_2, dtype) ** step,
            lr=tf.cast(learning_rate, dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, dtype),
        )
