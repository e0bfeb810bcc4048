"""The equation (the paper, section 3.2).

With tokens y, policy π, a frozen prior π₀, discount γ and mask m:

    cost          cₜ = −α log π(yₜ|y₍<t₎) − β [log π(yₜ|y₍<t₎) − log π₀(yₜ|y₍<t₎)]
    action value  Q̂ₜ = creditₜ(y) + Σ_{k≥t} γᵏ⁻ᵗ cₖ
    advantage     Âₜ = Q̂ₜ − bₜ
    loss          L(θ) = −(1/B) Σ_b Σ_t mₜ · stop(Âₜ) · log π_θ(yₜ|y₍<t₎)
"""

import dataclasses
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from tfseqgan.arguments import real_number
from tfseqgan.models.interfaces import SequenceDiscriminator, SequenceGenerator
from tfseqgan.objectives import rewards
from tfseqgan.objectives.baselines import NoBaseline, initial_state
from tfseqgan.objectives.credit import Terminal
from tfseqgan.objectives.returns import reward_to_go
from tfseqgan.objectives.rewards import check_rewards


class Reward(Protocol):
    """From logits to rewards, of whole batches: `tfseqgan.rewards` has some."""

    def __call__(self, logits: tf.Tensor, /) -> tf.Tensor:
        """Computes rewards of the shape of `logits`."""
        ...


class Credit(Protocol):
    """Which step earned how much of a reward: `tfseqgan.credit` has some."""

    def logits(
        self,
        discriminator: SequenceDiscriminator,
        tokens: tf.Tensor,
        generator: SequenceGenerator | None,
        seed: tf.Tensor | None,
    ) -> tf.Tensor:
        """Computes the logits that the credit needs: int32 [B, T] → float [B, …]."""
        ...

    def sequence_logits(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns the logits of whole sequences among those of `logits`: float [B]."""
        ...

    def __call__(self, rewards: tf.Tensor, mask: tf.Tensor, discount: float) -> tf.Tensor:
        """Spreads rewards [B, …] over the steps: float [B, T]."""
        ...


class Baseline(Protocol):
    """What is subtracted from the action values: `tfseqgan.baselines` has some."""

    def __call__(
        self, action_values: tf.Tensor, mask: tf.Tensor, state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes a baseline [B, T] and the state float [2] for the next batch."""
        ...


class PolicyLoss(NamedTuple):
    """The loss of one batch and what it was made of.

    Attributes:
        loss: float [], L(θ); its gradient is the estimate of −∇J.
        advantages: float [B, T], Âₜ, 0 after the end token.
        baseline_state: float [2], for the next batch.
    """

    loss: tf.Tensor
    advantages: tf.Tensor
    baseline_state: tf.Tensor


def policy_gradient_loss(log_probs: tf.Tensor, advantages: tf.Tensor) -> tf.Tensor:
    """Computes L(θ) = −(1/B) Σ_b Σ_t stop(Âₜ) log π_θ(yₜ|y₍<t₎).

    Args:
        log_probs: float [B, T], log π_θ(yₜ|y₍<t₎), differentiable.
        advantages: float [B, T], 0 after the end token.

    Returns:
        float []; the gradient does not pass through the advantages.

    Example:
        >>> half = tf.math.log(tf.constant([[0.5, 0.5]]))
        >>> round(float(policy_gradient_loss(half, tf.ones([1, 2]))), 4)
        1.3863

    Reference:
        Williams 1992; Bjare & Meredith, equation 1.
    """
    by_sequence = tf.reduce_sum(tf.stop_gradient(advantages) * log_probs, axis=1)

    return -tf.reduce_mean(by_sequence)


@dataclasses.dataclass(frozen=True)
class Objective:
    """What a generator is trained for: reward, credit, baseline, weights and discount.

    For γ = 1 the expected gradient of the loss is −∇J with

        J(θ) = E_π[R(y)] + α H(π) − β KL(π‖π₀),

    times (N − 1)/N where the baseline is the mean over a batch of N.

    The paper's Eq. 2 also subtracts 1 at every step to come. Where all sequences have one length
    that is a constant c with E[∇ log π · c] = c ∇ Σ π = 0, a baseline that changes the variance
    alone; where sequences may end it would be a price of 1 on every token. So it is left out, and
    the baseline is chosen by name.

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

    reward: Reward = rewards.probability
    credit: Credit = Terminal()
    baseline: Baseline = NoBaseline()
    entropy_weight: float = 0.0
    kl_weight: float = 0.0
    discount: float = 1.0

    def __post_init__(self) -> None:
        for name in ("entropy_weight", "kl_weight"):
            weight = real_number(name, getattr(self, name))
            object.__setattr__(self, name, weight)
            if not 0 <= weight < float("inf"):
                raise ValueError(
                    f"{name} must be 0 or more, received {weight}. "
                    "A negative weight would reward what it should cost."
                )
        object.__setattr__(self, "discount", real_number("discount", self.discount))
        if not 0 <= self.discount <= 1:
            raise ValueError(
                f"discount must lie in [0, 1], received {self.discount}. 1 is the paper's."
            )

    def summary(self) -> dict[str, Any]:
        """Returns the parts by name, as plain values for a configuration file.

        Example:
            >>> Objective().summary()["reward"], Objective().summary()["baseline"]
            ('probability', 'NoBaseline()')
        """

        def to_plain(part):
            if isinstance(part, float | int):
                return part
            if type(part).__repr__ is object.__repr__:  # it would show the address
                return f"{type(part).__name__}()"
            return getattr(part, "__name__", repr(part))

        fields = dataclasses.fields(self)

        return {field.name: to_plain(getattr(self, field.name)) for field in fields}

    def rewards_of(self, logits: tf.Tensor) -> tf.Tensor:
        """Computes the reward of each logit of the discriminator.

        Args:
            logits: float [B, …].

        Returns:
            Tensor of the shape and dtype of the logits.

        Raises:
            ValueError: if the objective's reward returns something else.

        Example:
            >>> Objective().rewards_of(tf.constant([0.0])).numpy().tolist()
            [0.5]
        """
        return check_rewards(self.reward(logits), logits)

    def action_values(
        self,
        credit: tf.Tensor,
        log_probs: tf.Tensor,
        mask: tf.Tensor,
        prior_log_probs: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Computes Q̂ₜ: the credit and the costs to go.

        Args:
            credit: float [B, T].
            log_probs: float [B, T], log π(yₜ|y₍<t₎).
            mask: float [B, T] of zeros and ones.
            prior_log_probs: float [B, T], log π₀(yₜ|y₍<t₎); needed where kl_weight is not 0.

        Returns:
            float [B, T], 0 after the end token.

        Raises:
            ValueError: if kl_weight is not 0 and there is no prior.
        """
        costs = -self.entropy_weight * log_probs
        if self.kl_weight:
            if prior_log_probs is None:
                raise ValueError(
                    f"prior_log_probs is missing: kl_weight is {self.kl_weight}, "
                    "expected log π₀ of the same tokens, [B, T]."
                )
            costs -= self.kl_weight * (log_probs - prior_log_probs)

        return credit * mask + reward_to_go(costs, mask, self.discount)

    def advantages(
        self,
        credit: tf.Tensor,
        log_probs: tf.Tensor,
        mask: tf.Tensor,
        prior_log_probs: tf.Tensor | None = None,
        baseline_state: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes Âₜ = Q̂ₜ − bₜ of a batch; nothing here is differentiated.

        Args:
            credit: float [B, T].
            log_probs: float [B, T], log π(yₜ|y₍<t₎).
            mask: float [B, T] of zeros and ones.
            prior_log_probs: float [B, T], log π₀(yₜ|y₍<t₎); needed where kl_weight is not 0.
            baseline_state: float [2], or None for the state that a baseline starts from.

        Returns:
            The advantages float [B, T], 0 after the end token, and the new state float [2].
        """
        log_probs = tf.stop_gradient(log_probs)
        mask = tf.cast(mask, log_probs.dtype)
        state = initial_state(log_probs.dtype) if baseline_state is None else baseline_state

        values = self.action_values(credit, log_probs, mask, prior_log_probs)  # [B, T]
        baseline, state = self.baseline(values, mask, state)

        return tf.stop_gradient((values - baseline) * mask), state

    def loss(
        self,
        log_probs: tf.Tensor,
        credit: tf.Tensor,
        mask: tf.Tensor,
        prior_log_probs: tf.Tensor | None = None,
        baseline_state: tf.Tensor | None = None,
    ) -> PolicyLoss:
        """Computes L(θ) of a batch sampled from π_θ, with the advantages that it used.

        Args:
            log_probs: float [B, T], log π_θ(yₜ|y₍<t₎), differentiable.
            credit: float [B, T].
            mask: float [B, T] of zeros and ones.
            prior_log_probs: float [B, T], log π₀(yₜ|y₍<t₎); needed where kl_weight is not 0.
            baseline_state: float [2], or None for the state that a baseline starts from.

        Returns:
            A `PolicyLoss`.

        Example:
            >>> half = tf.math.log(tf.constant([[0.5, 0.5]]))
            >>> credit, mask = tf.constant([[1.0, 1.0]]), tf.ones([1, 2])
            >>> round(float(Objective().loss(half, credit, mask).loss), 4)
            1.3863
        """
        advantages, state = self.advantages(
            credit, log_probs, mask, prior_log_probs, baseline_state
        )

        return PolicyLoss(policy_gradient_loss(log_probs, advantages), advantages, state)
