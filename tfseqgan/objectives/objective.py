"""The equation, and the recipes that fill it in (the paper, section 3.2).

With tokens y, policy π, a frozen prior π₀, discount γ and mask m:

    cost          cₜ = −α log π(yₜ|y₍<t₎) − β [log π(yₜ|y₍<t₎) − log π₀(yₜ|y₍<t₎)]
    action value  Q̂ₜ = creditₜ(y) + Σ_{k≥t} γᵏ⁻ᵗ cₖ
    advantage     Âₜ = Q̂ₜ − bₜ
    loss          L(θ) = −(1/B) Σ_b Σ_t mₜ · stop(Âₜ) · log π_θ(yₜ|y₍<t₎)
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfseqgan.objectives import rewards
from tfseqgan.objectives.baselines import NoBaseline
from tfseqgan.objectives.credit import Terminal
from tfseqgan.objectives.returns import reward_to_go
from tfseqgan.ops.replicas import gather_rows, local_rows


class PolicyLoss(NamedTuple):
    """The loss of one batch and what it was made of.

    Attributes:
        loss: float [], L(θ); its gradient is the estimate of −∇J.
        advantages: float [B, T], Âₜ, 0 behind the end.
        baseline_state: float [2], for the next batch.
    """

    loss: tf.Tensor
    advantages: tf.Tensor
    baseline_state: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Objective:
    """What a generator is trained for: reward, credit, baseline, entropy weight, KL weight and discount.

    For γ = 1 the expected gradient of the loss is −∇J with

        J(θ) = E_π[R(y)] + α H(π) − β KL(π‖π₀),

    times (N − 1)/N where the baseline is the mean over a batch of N. The paper's Eq. 2 also subtracts 1 at every step to come: where all
    sequences have one length that is a constant c with E[∇ log π · c] = c ∇ Σ π = 0, a baseline that adds or removes variance as chance
    has it; where sequences may end it would be a price of 1 on every token. So it is left out, and the baseline is chosen by name.

    Args:
        reward: function of the discriminator's logits, float [B] → [B] (`tfseqgan.rewards`).
        credit: which step earned how much of it (`tfseqgan.credit`).
        baseline: what is subtracted from the action values (`tfseqgan.baselines`).
        entropy_weight: α ≥ 0, in units of reward a nat.
        kl_weight: β ≥ 0, in units of reward a nat.
        discount: γ in [0, 1].

    Raises:
        ValueError: if a weight is negative or the discount outside [0, 1].

    Reference:
        Bjare & Meredith, equations 1 and 2; Levine 2018; Jaques et al. 2016.
    """

    reward: Callable = rewards.probability
    credit: Callable = Terminal()
    baseline: Callable = NoBaseline()
    entropy_weight: float = 0.0
    kl_weight: float = 0.0
    discount: float = 1.0

    def __post_init__(self):
        for name in ("entropy_weight", "kl_weight"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(
                    f"{name} must be 0 or more, received {getattr(self, name)}. A negative weight would reward what it should cost."
                )
        if not 0 <= self.discount <= 1:
            raise ValueError(
                f"discount must lie in [0, 1], received {self.discount}. 1 is the paper's."
            )

    def summary(self):
        """Returns the parts by name, as plain values for a configuration file.

        Example:
            >>> Objective().summary()["reward"], Objective().summary()["baseline"]
            ('probability', 'NoBaseline()')
        """
        parts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            name: getattr(part, "__name__", part if isinstance(part, float | int) else repr(part))
            for name, part in parts.items()
        }

    def action_values(self, credit, log_probs, mask, prior_log_probs=None):
        """Returns Q̂ₜ: the credit and the costs to go.

        Args:
            credit: float [B, T].
            log_probs: float [B, T], log π(yₜ|y₍<t₎).
            mask: float [B, T] of zeros and ones.
            prior_log_probs: float [B, T], log π₀(yₜ|y₍<t₎); needed where kl_weight is not 0.

        Returns:
            float [B, T], 0 behind the end.

        Raises:
            ValueError: if kl_weight is not 0 and there is no prior.
        """
        costs = -self.entropy_weight * log_probs
        if self.kl_weight and prior_log_probs is None:
            raise ValueError(
                f"prior_log_probs is missing: kl_weight is {self.kl_weight}, expected log π₀ of the same tokens, [B, T]."
            )
        if self.kl_weight:
            costs -= self.kl_weight * (log_probs - prior_log_probs)
        return credit * mask + reward_to_go(costs, mask, self.discount)  # [B, T]

    def loss(self, log_probs, credit, mask, prior_log_probs=None, baseline_state=None):
        """Returns L(θ) of a batch sampled from π_θ, with the advantages that it used.

        Args:
            log_probs: float [B, T], log π_θ(yₜ|y₍<t₎), differentiable.
            credit: float [B, T].
            mask: float [B, T] of zeros and ones.
            prior_log_probs: float [B, T], log π₀(yₜ|y₍<t₎); needed where kl_weight is not 0.
            baseline_state: float [2], or None for a baseline that starts anew.

        Returns:
            A `PolicyLoss`.

        Example:
            >>> half = tf.math.log(tf.constant([[0.5, 0.5]]))
            >>> round(float(Objective().loss(half, tf.constant([[1.0, 1.0]]), tf.ones([1, 2])).loss), 4)
            1.3863
        """
        mask = tf.cast(mask, log_probs.dtype)
        state = tf.zeros([2], log_probs.dtype) if baseline_state is None else baseline_state
        values = self.action_values(credit, tf.stop_gradient(log_probs), mask, prior_log_probs)
        baseline, state = self.baseline(gather_rows(values), gather_rows(mask), state)
        advantages = tf.stop_gradient((values - local_rows(baseline)) * mask)  # [B, T]
        return PolicyLoss(
            -tf.reduce_mean(tf.reduce_sum(advantages * log_probs, axis=1)), advantages, state
        )
