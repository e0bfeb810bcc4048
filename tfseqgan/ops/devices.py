"""The devices, and the one switch between them: which kernels run where."""

import tensorflow as tf


def list_devices() -> list[tuple[str, str | None]]:
    """Returns the devices that TensorFlow sees: the kind of each, and its name if it says one.

    Example:
        >>> list_devices()[0]
        ('CPU', None)
    """
    devices = tf.config.list_physical_devices()
    details = [tf.config.experimental.get_device_details(device) for device in devices]

    return [
        (device.device_type, detail.get("device_name"))
        for device, detail in zip(devices, details, strict=True)
    ]


def has_gpu() -> bool:
    """Returns whether TensorFlow sees a GPU, which has kernels that a CPU lacks (cuDNN).

    Example:
        >>> has_gpu() == bool(tf.config.list_physical_devices("GPU"))
        True
    """
    return bool(tf.config.list_physical_devices("GPU"))
