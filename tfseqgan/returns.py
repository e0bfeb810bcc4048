"""Masks, sums over time and returns: pure functions of tensors.

Sequences stand along axis 1 of every argument, [B, T]; a mask is 1 where a token counts and 0 behind the end of its sequence.
"""

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
    ends_before = tf.cumsum(tf.cast(tokens == end_token_id, tf.int32), axis=1, exclusive=True)  # [B, T]
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


def reward_to_go(rewards, mask, discount=1.0):
    """Returns the discounted sum of the rewards from each step to the end of its sequence.

        Gₜ = Σ_{k≥t} γᵏ⁻ᵗ mₖ rₖ

    The sum runs over time (axis 1), never over the batch.

    Args:
        rewards: float [B, T], the reward that each token earned.
        mask: float [B, T] of zeros and ones.
        discount: γ in [0, 1].

    Returns:
        float [B, T], of the dtype of `rewards`; zero behind the end.

    Example:
        >>> reward_to_go(tf.constant([[1.0, 2.0, 4.0]]), tf.ones([1, 3]), discount=0.5).numpy().tolist()
        [[3.0, 4.0, 4.0]]

    Reference:
        Sutton & Barto 2018, equation 3.8.
    """
    mask = tf.cast(mask, rewards.dtype)
    if discount == 1.0:
        return tf.cumsum(rewards * mask, axis=1, reverse=True) * mask  # [B, T]
    steps = tf.range(tf.shape(rewards)[1])
    later = tf.cast(steps[:, None] - steps[None, :], rewards.dtype)  # [T, T], k − t
    powers = tf.where(later >= 0, tf.convert_to_tensor(discount, rewards.dtype) ** tf.maximum(later, 0), 0)
    return tf.matmul(rewards * mask, powers) * mask  # [B, T]
