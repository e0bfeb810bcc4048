"""The recipes that fill in the equation (the paper, section 3.2)."""

from typing import Any

from tfseqgan.objectives import rewards
from tfseqgan.objectives.baselines import BatchMean, LeaveOneOut
from tfseqgan.objectives.credit import Rollout
from tfseqgan.objectives.names import RECIPE_NAMES
from tfseqgan.objectives.objective import Objective


def reinforce(**parts: Any) -> Objective:
    """Returns ordinary REINFORCE: J = E[D(y)], no baseline.

    Args:
        **parts: fields of `Objective` that replace the recipe's.

    Example:
        >>> reinforce().baseline
        NoBaseline()

    Reference:
        Bjare & Meredith, equation 1.
    """
    return Objective(**parts)


def reinforce_with_baseline(**parts: Any) -> Objective:
    """Returns REINFORCE with the mean reward of the batch as baseline.

    Args:
        **parts: fields of `Objective` that replace the recipe's.

    Example:
        >>> reinforce_with_baseline().baseline
        BatchMean()

    Reference:
        Bjare & Meredith, section 3.2.
    """
    defaults: dict[str, Any] = {"baseline": BatchMean()}

    return Objective(**defaults | parts)


def merl(entropy_weight: float = 1.0, **parts: Any) -> Objective:
    """Returns maximum-entropy REINFORCE: J = E[D(y)] + α H(π), with the batch mean as baseline.

    Its optimum is π* ∝ exp(D(y)/α). A reward in [0, 1] for a whole sequence stands against an
    entropy of up to T·log V nats (807 for the paper's T and V), so that the paper's α = 1 asks for
    nearly uniform noise; a reward of one nat in a hundred asks for α of about 0.001.

    Args:
        entropy_weight: α ≥ 0.
        **parts: other fields of `Objective` that replace the recipe's.

    Raises:
        ValueError: if the weight is negative.

    Example:
        >>> merl(entropy_weight=0.01).entropy_weight
        0.01

    Reference:
        Bjare & Meredith, equation 2; Ziebart et al. 2008; Levine 2018.
    """
    defaults: dict[str, Any] = {"baseline": BatchMean(), "entropy_weight": entropy_weight}

    return Objective(**defaults | parts)


def kl_control(kl_weight: float = 1.0, **parts: Any) -> Objective:
    """Returns KL control: J = E[logit D(y)] − β KL(π‖π₀), with the leave-one-out baseline.

    Entropy is measured against the pre-trained generator π₀ instead of the uniform distribution,
    so that what was learned is kept. The optimum is π* ∝ π₀ exp(R/β); with β = 1 and D optimal for
    data against π₀, R = log p_data/π₀ and π* is p_data.

    Args:
        kl_weight: β ≥ 0.
        **parts: other fields of `Objective` that replace the recipe's.

    Raises:
        ValueError: if the weight is negative.

    Example:
        >>> kl_control().reward.__name__, kl_control().baseline
        ('logit', LeaveOneOut())

    Reference:
        Jaques et al. 2016, "Sequence Tutor"; Levine 2018.
    """
    defaults: dict[str, Any] = {
        "reward": rewards.logit,
        "baseline": LeaveOneOut(),
        "kl_weight": kl_weight,
    }

    return Objective(**defaults | parts)


def maligan(**parts: Any) -> Objective:
    """Returns MaliGAN: the likelihood of the data, estimated from the policy's own samples.

    Each sequence is weighed by the discriminator's odds D/(1 − D) by their mean over the batch,
    less 1, which is the batch mean:

        ∇J ≈ (1/B) Σ_b (B wᵇ / Σ w − 1) ∇log π(yᵇ),   w = D/(1 − D)

    With D optimal for data against π, w = p_data/π and this is the gradient of E_data[log π] for
    B → ∞. The effective sample size of the odds says how many sequences of a batch have a say:
    where it is near 1, larger batches are needed.

    Args:
        **parts: fields of `Objective` that replace the recipe's.

    Example:
        >>> maligan().reward.__name__, maligan().baseline
        ('odds', BatchMean())

    Reference:
        Che et al. 2017, "Maximum-Likelihood Augmented Discrete Generative Adversarial Networks",
        section 3.
    """
    defaults: dict[str, Any] = {"reward": rewards.odds, "baseline": BatchMean()}

    return Objective(**defaults | parts)


def seqgan(num_rollouts: int = 16, **parts: Any) -> Objective:
    """Returns SeqGAN: J = E[D(y)], each token credited with the mean reward of N completions.

    Args:
        num_rollouts: N.
        **parts: fields of `Objective` that replace the recipe's.

    Raises:
        ValueError: if the number is below 1.

    Example:
        >>> seqgan(num_rollouts=4).credit
        Rollout(num_rollouts=4, every=1)

    Reference:
        Yu et al. 2016, equations 4 and 7, algorithm 1.
    """
    defaults: dict[str, Any] = {"credit": Rollout(num_rollouts)}

    return Objective(**defaults | parts)


RECIPES = dict(
    zip(
        RECIPE_NAMES,
        (reinforce, reinforce_with_baseline, merl, kl_control, maligan, seqgan),
        strict=True,
    )
)
"""The recipes by name, for `fit_adversarial`, the command line and configurations."""


def get_objective(objective: Objective | str) -> Objective:
    """Returns an objective from a recipe's name, or the objective itself.

    Args:
        objective: an `Objective`, or a name in `RECIPES`.

    Raises:
        ValueError: if there is no recipe of that name.
        TypeError: if it is neither.

    Example:
        >>> get_objective("merl") == merl()
        True
    """
    if isinstance(objective, Objective):
        return objective
    if not isinstance(objective, str):
        raise TypeError(
            "objective must be an Objective or a recipe's name, "
            f"received {type(objective).__name__}. Try merl(entropy_weight=0.01)."
        )
    if objective not in RECIPES:
        raise ValueError(
            f"There is no recipe {objective!r}; expected one of {', '.join(RECIPES)}, "
            "or an Objective."
        )

    return RECIPES[objective]()
