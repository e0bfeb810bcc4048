"""Blocks of steps, from which what is known of prefixes adds up."""

from collections.abc import Callable

import tensorflow as tf


def reduce_blocks(
    reduce: Callable[..., tf.Tensor], values: tf.Tensor, size: int, padding: float = 0.0
) -> tf.Tensor:
    """Reduces every block of `size` steps, of which the last may be shorter.

    What a sum or a maximum over a whole prefix is follows from those of its blocks.

    Args:
        reduce: a TensorFlow reduction, such as `tf.reduce_max`.
        values: [B, T, ...].
        size: steps of a block.
        padding: the value of the steps that the last block lacks, which changes no result.

    Returns:
        [⌈T / size⌉, B, ...], time first, as `tf.scan` and `tf.cumsum` want it.

    Example:
        >>> values = tf.constant([[3, 1, -2], [0, 4, -5]])
        >>> reduce_blocks(tf.reduce_sum, values, 2).numpy().tolist()
        [[4, 4], [-2, -5]]
    """
    shape = tf.shape(values)
    others = [[0, 0]] * (values.shape.rank - 2)
    padded = tf.pad(values, [[0, 0], [0, -shape[1] % size], *others], constant_values=padding)
    blocks = tf.reshape(padded, tf.concat([[shape[0], -1, size], shape[2:]], axis=0))
    reduced = reduce(blocks, axis=2)  # [B, P, ...]

    return tf.transpose(reduced, [1, 0, *range(2, values.shape.rank)])
