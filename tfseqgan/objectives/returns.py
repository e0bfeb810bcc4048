"""Discounted returns: pure functions of tensors."""

import tensorflow as tf


def reward_to_go(rewards: tf.Tensor, mask: tf.Tensor, discount: float = 1.0) -> tf.Tensor:
    """Computes the discounted sum of the rewards from each step to the end of its sequence.

        Gₜ = Σ_{k≥t} γᵏ⁻ᵗ mₖ rₖ

    The sum runs over time (axis 1), never over the batch.

    Args:
        rewards: float [B, T], the reward that each token earned.
        mask: float [B, T] of zeros and ones.
        discount: γ in [0, 1].

    Returns:
        float [B, T], of the dtype of `rewards`; zero after the end token.

    Example:
        >>> rewards = tf.constant([[1.0, 2.0, 4.0]])
        >>> reward_to_go(rewards, tf.ones([1, 3]), discount=0.5).numpy().tolist()
        [[3.0, 4.0, 4.0]]

    Reference:
        Sutton & Barto 2018, equation 3.8.
    """
    mask = tf.cast(mask, rewards.dtype)
    if discount == 1.0:
        return tf.cumsum(rewards * mask, axis=1, reverse=True) * mask  # [B, T]

    steps = tf.range(tf.shape(rewards)[1])
    distance = tf.cast(steps[:, None] - steps[None, :], rewards.dtype)  # [T, T], k − t
    base = tf.convert_to_tensor(discount, rewards.dtype)
    powers = tf.where(distance >= 0, base ** tf.maximum(distance, 0), 0)

    return tf.matmul(rewards * mask, powers) * mask  # [B, T]
