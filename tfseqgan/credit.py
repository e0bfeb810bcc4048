"""Which action earned how much of a sequence's reward.

A credit asks the discriminator (`judge`), and spreads what the reward function made of its logits over the steps (the call).
"""

import dataclasses

import tensorflow as tf

from tfseqgan.returns import reward_to_go


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

    def judge(self, discriminator, tokens):
        """Returns the logit of each sequence, dropout off: int32 [B, T] → float [B]."""
        return discriminator(tokens, training=False)

    def final(self, logits):
        """Returns the logits of whole sequences out of what `judge` gave, float [B]."""
        return logits

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


@dataclasses.dataclass(frozen=True)
class Prefix:
    """Each token earns what it adds to the discriminator's opinion of the sequence so far: the paper's own suggestion, exact and in one pass.

        rₜ = R(y₁…yₜ) − R(y₁…yₜ₋₁),   R of no tokens = 0
        creditₜ = Σ_{k≥t} γᵏ⁻ᵗ rₖ

    The rewards add up to R(y), so that for γ = 1 the credit is Terminal's less R(y₁…yₜ₋₁), a function of the state: the expected gradient is the
    same (potential-based shaping), and what changes is its variance. With γ < 1 later opinions count less.

    Example:
        >>> Prefix()(tf.constant([[1.0, 3.0, 8.0]]), tf.ones([1, 3])).numpy().tolist()
        [[8.0, 7.0, 5.0]]

    Reference:
        Bjare & Meredith, section 7; Ng, Harada & Russell 1999, "Policy Invariance under Reward Transformations".
    """

    def judge(self, discriminator, tokens):
        """Returns the logit of every prefix, dropout off: int32 [B, T] → float [B, T]."""
        return discriminator.prefix_logits(tokens)

    def final(self, logits):
        """Returns the logits of whole sequences out of what `judge` gave: float [B, T] → float [B]."""
        return logits[:, -1]

    def __call__(self, rewards, mask, discount=1.0):
        """Spreads rewards over the steps.

        Args:
            rewards: float [B, T], R of every prefix.
            mask: float [B, T] of zeros and ones.
            discount: γ in [0, 1].

        Returns:
            float [B, T], of the dtype of `rewards`; 0 behind the end.
        """
        earned = rewards - tf.pad(rewards[:, :-1], [[0, 0], [1, 0]])  # [B, T]
        return reward_to_go(earned, mask, discount)


CREDITS = {"terminal": Terminal(), "prefix": Prefix()}
"""The credits by name, for the command line and for configurations."""
