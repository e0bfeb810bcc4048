"""The one device switch: which kernels run where."""

import tensorflow as tf


def has_gpu() -> bool:
    """Returns whether TensorFlow sees a GPU, which has kernels that a CPU lacks (cuDNN).

    Example:
        >>> has_gpu() == bool(tf.config.list_physical_devices("GPU"))
        True
    """
    return bool(tf.config.list_physical_devices("GPU"))
