"""Masks and masked means of sequences."""

import tensorflow as tf


def sequence_mask(tokens, end_token_id=None):
    """Returns 1 for every token up to and including the first end token of its row, 0 behind it.

    What stands behind the end is padding, whatever its id. Sequences that never end count whole.

        mₜ = 1 if end ∉ y₍<t₎ else 0

    Args:
        tokens: int32 [B, T].
        end_token_id: the id that ends a sequence, or None where sequences have no end.

    Returns:
        float32 [B, T] of zeros and ones.

    Example:
        >>> sequence_mask(tf.constant([[5, 2, 0, 0], [7, 8, 9, 5]]), end_token_id=2).numpy().tolist()
        [[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]
    """
    if end_token_id is None:
        return tf.ones_like(tokens, tf.float32)  # [B, T]
    ends_before = tf.cumsum(
        tf.cast(tokens == end_token_id, tf.int32), axis=1, exclusive=True
    )  # [B, T]
    return tf.cast(ends_before == 0, tf.float32)


def masked_mean(values, mask, axis=None):
    """Returns the mean of the values whose mask is 1; 0 where none is.

        Σ mᵢ xᵢ / max(Σ mᵢ, 1)

    Args:
        values: float [B, T].
        mask: float [B, T] of zeros and ones.
        axis: the axis to take the mean over, or None for all.

    Returns:
        float: [] or the shape without `axis`.

    Example:
        >>> float(masked_mean(tf.constant([[1.0, 2.0, 9.0]]), tf.constant([[1.0, 1.0, 0.0]])))
        1.5
    """
    mask = tf.cast(mask, values.dtype)
    return tf.reduce_sum(values * mask, axis) / tf.maximum(tf.reduce_sum(mask, axis), 1)
