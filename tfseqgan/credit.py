"""Which action earned how much of a sequence's reward."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Terminal:
    """The whole reward arrives with the last token, as the paper has it: rₜ = 0 for t < T, r_T = R(y).

    The credit of step t is then the discounted reward to go,

        creditₜ = γᵀ⁻ᵗ R(y),   T the sequence's own last step,

    which for γ = 1 is R(y) at every step.

    Example:
        >>> Terminal()(tf.constant([8.0]), tf.constant([[1.0, 1.0, 1.0, 0.0]]), discount=0.5).numpy().tolist()
        [[2.0, 4.0, 8.0, 0.0]]

    Reference:
        Bjare & Meredith, section 3.1 and equation 1.
    """

    def __call__(self, rewards, mask, discount=1.0):
        """Spreads rewards over the steps.

        Args:
            rewards: float [B], R(y).
            mask: float [B, T] of zeros and ones.
            discount: γ in [0, 1].

        Returns:
            float [B, T], of the dtype of `rewards`; 0 behind the end.
        """
        mask = tf.cast(mask, rewards.dtype)
        steps_left = tf.cumsum(mask, axis=1, reverse=True, exclusive=True)  # [B, T]
        return rewards[:, None] * tf.convert_to_tensor(discount, rewards.dtype) ** steps_left * mask
