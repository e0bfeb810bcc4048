"""What the logits of a discriminator say: calibrated odds, cross-entropy, how sure both are."""

import dataclasses
from typing import NamedTuple

import numpy as np

_NUM_RESAMPLES = 1000
_NEWTON_STEPS = 50
_SMALLEST_STEP = 1e-9
_RIDGE = 1e-6


class Errors(NamedTuple):
    """How sure both figures are, by bootstrap over tunes.

    Attributes:
        cross_entropy: standard error in nats.
        auc_low: the lower end of a 95 % interval.
        auc_high: the upper end.
    """

    cross_entropy: float
    auc_low: float
    auc_high: float


def _losses(logits: np.ndarray) -> np.ndarray:
    """Computes −log sigmoid of logits."""
    return np.logaddexp(0.0, -logits)


def cross_entropy(real_logits: np.ndarray, generated_logits: np.ndarray) -> float:
    """Computes the cross-entropy of a discriminator in nats, half for each kind.

        −½ E[log D(real)] − ½ E[log(1 − D(generated))]

    Args:
        real_logits: float [N], of real windows.
        generated_logits: float [M], of generated ones.

    Returns:
        ln 2 for one that cannot tell.

    Example:
        >>> cross_entropy(np.zeros(3), np.zeros(2))
        0.693...
    """
    return float(_losses(real_logits).mean() + _losses(-generated_logits).mean()) / 2


@dataclasses.dataclass(frozen=True)
class Line:
    """The function scale · logit + shift."""

    scale: float
    shift: float

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Computes the function, float [N] → float [N]."""
        return self.scale * logits + self.shift


def fit_platt(real_logits: np.ndarray, generated_logits: np.ndarray) -> Line:
    """Finds the line that makes logits the true odds: a · logit + b of the least cross-entropy.

    It is found by Newton's method on standardised logits, held back by a weight of 1e-6 on both
    numbers, so that logits without any error have one too.

    Args:
        real_logits: float [N], of real windows that the discriminator did not learn from.
        generated_logits: float [M], of generated ones.

    Returns:
        The line.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> real, generated = rng.normal(0.5, 1, 20000), rng.normal(-0.5, 1, 20000)
        >>> calibrate = fit_platt(4 * real, 4 * generated)  # whose true logit is x
        >>> bool(abs(calibrate(np.array(4.0)) - 1) < 0.05)
        True

    Reference:
        Platt 1999, "Probabilistic Outputs for Support Vector Machines".
    """
    both = np.concatenate([real_logits, generated_logits])
    centre = both.mean()
    spread = both.std() or 1.0
    kinds = [(logits - centre) / spread for logits in (real_logits, generated_logits)]

    line = np.zeros(2)
    for _ in range(_NEWTON_STEPS):
        gradient, curvature = _slope_of_loss(line, *kinds)
        step = np.linalg.solve(curvature, gradient)
        loss = _loss_of_line(line, *kinds)
        while _loss_of_line(line - step, *kinds) > loss and np.abs(step).max() > _SMALLEST_STEP:
            step = step / 2
        line = line - step
    slope = line[0] / spread

    return Line(float(slope), float(line[1] - slope * centre))


def _loss_of_line(line, real_logits, generated_logits):
    """Computes the cross-entropy of a · logit + b, and what holds both numbers back."""
    scale, shift = line
    entropy = cross_entropy(scale * real_logits + shift, scale * generated_logits + shift)

    return entropy + _RIDGE / 2 * (line**2).sum()


def _slope_of_loss(line, real_logits, generated_logits):
    """Computes the gradient [2] of `_loss_of_line`, and its curvature [2, 2]."""
    gradient = _RIDGE * line
    curvature = _RIDGE * np.eye(2)
    for logits, label in ((real_logits, 1.0), (generated_logits, 0.0)):
        design = np.stack([logits, np.ones_like(logits)], axis=1)  # [N, 2]
        probabilities = np.exp(-_losses(design @ line))
        spread = probabilities * (1 - probabilities)
        weight = 0.5 / len(logits)
        gradient = gradient + weight * design.T @ (probabilities - label)
        curvature = curvature + weight * design.T @ (spread[:, None] * design)

    return gradient, curvature


def _weighted_auc(real, generated, real_weights, generated_weights):
    """Computes `metrics.auc` of logits that count with a weight each."""
    order = np.argsort(generated)
    below = np.concatenate([[0.0], np.cumsum(generated_weights[order])])
    smaller = below[np.searchsorted(generated[order], real, side="left")]
    not_greater = below[np.searchsorted(generated[order], real, side="right")]
    share = (smaller + not_greater) / (2 * below[-1])

    return np.average(share, weights=real_weights)


def bootstrap_errors(
    real_logits: np.ndarray,
    generated_logits: np.ndarray,
    real_tunes: np.ndarray,
    generated_tunes: np.ndarray,
    *,
    seed: int,
) -> Errors:
    """Computes how sure cross-entropy and AUC are, by drawing the tunes again 1,000 times.

    The windows of a tune depend on each other, so that tunes are drawn and not windows.

    Args:
        real_logits: float [N], of real windows.
        generated_logits: float [M], of generated ones.
        real_tunes: int [N], the tune of each window.
        generated_tunes: int [M], likewise.
        seed: of the draws.

    Reference:
        Efron & Tibshirani 1993, chapters 6 and 13.
    """
    rng = np.random.default_rng(seed)
    of_real = _losses(real_logits)
    of_generated = _losses(-generated_logits)
    entropies = np.zeros(_NUM_RESAMPLES)
    aucs = np.zeros(_NUM_RESAMPLES)
    for index in range(_NUM_RESAMPLES):
        weights = [_draw_weights(tunes, rng) for tunes in (real_tunes, generated_tunes)]
        means = [
            np.average(losses, weights=weight)
            for losses, weight in zip((of_real, of_generated), weights, strict=True)
        ]
        entropies[index] = sum(means) / 2
        aucs[index] = _weighted_auc(real_logits, generated_logits, *weights)
    low, high = np.percentile(aucs, [2.5, 97.5])

    return Errors(float(entropies.std(ddof=1)), float(low), float(high))


def _draw_weights(tunes, rng):
    """Returns how often the tune of each window was drawn, float [N]; not zero for all."""
    num_tunes = int(tunes.max()) + 1
    counts = rng.multinomial(num_tunes, np.full(num_tunes, 1 / num_tunes))

    return counts[tunes].astype(float)
