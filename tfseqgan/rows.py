"""Rows filled up, so that none depends on the others, and shared out over loops that run side by side."""

import tensorflow as tf

ROWS = 16
"""Sampling computes a multiple of so many rows: TensorFlow's CPU kernels (2.21) compute what is left over of a matrix product or of an exponential
by another routine, so that a sequence would depend on its batch in the last bits of its log-probabilities, and at the border of two tokens in more."""


def whole_rows(values):
    """Returns values with the last row repeated up to a multiple of `ROWS`: [B, …] → [B + spare, …].

    Example:
        >>> whole_rows(tf.constant([3, 4])).shape, int(whole_rows(tf.constant([3, 4]))[15])
        (TensorShape([16]), 4)
    """
    rows = tf.shape(values)[0]
    return tf.gather(values, tf.minimum(tf.range(rows + -rows % ROWS), rows - 1))


def row_blocks(rows):
    """Returns which rows each loop over time takes: all of them one loop, or two loops half of them each.

    At 64 to 192 rows the products of a step are so small that one loop leaves CPU cores waiting; two side by side sample in 0.85 of the time on two
    cores (benchmarks/decisions.py): sampling is the same to the bit, training but for the last digits; prefixes are judged in blocks too, so that what takes one core in one takes
    the other in the other. Where there is a GPU, or the number of rows is not known yet, there is one loop.

    Args:
        rows: B, or None.

    Returns:
        The list of slices.

    Example:
        >>> row_blocks(100), row_blocks(7)
        ([slice(None, 48, None), slice(48, None, None)], [slice(None, None, None)])
    """
    if rows is None or not 64 <= rows <= 192 or tf.config.list_physical_devices("GPU"):
        return [slice(None)]
    half = rows // (2 * ROWS) * ROWS
    return [slice(half), slice(half, None)]
