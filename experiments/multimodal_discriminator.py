"""A calibrated logistic regression that tells finite samples of the data from samples of a policy.

`multimodal_world.py` fits one in every round.
"""

import numpy as np
from tabular_world import Sequences

PENALTIES = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3)

CALIBRATION_PENALTY = 1e-3


def log_loss(logits: np.ndarray, real: np.ndarray, generated: np.ndarray) -> float:
    """Computes the sum of the log losses, in nats, of rows with weights, [N], in both classes."""
    return float(np.logaddexp(0, -logits) @ real + np.logaddexp(0, logits) @ generated)


def cross_entropy(logits: np.ndarray, real: np.ndarray, generated: np.ndarray) -> float:
    """Computes the mean log loss of two classes of the same weight, in nats."""
    return log_loss(logits, real / real.sum(), generated / generated.sum()) / 2


def fit_logistic(
    features: np.ndarray, real: np.ndarray, generated: np.ndarray, penalty: float, start: np.ndarray
) -> np.ndarray:
    """Returns the weights, [F], of a logistic regression: ten steps of Newton's method.

    A step that makes the loss greater is halved until it does not.

    Args:
        features: [N, F].
        real: [N], the weight of each row among the real ones.
        generated: [N], the weight of each row among the generated ones.
        penalty: λ; λ/2 times the squared weights are added to the loss.
        start: [F], where Newton's method starts.
    """
    is_seen = (real + generated) > 0
    features, real, generated = features[is_seen], real[is_seen], generated[is_seen]

    def loss(weights):
        return log_loss(features @ weights, real, generated) + penalty * (weights @ weights) / 2

    weights = start
    for _ in range(10):
        p = np.exp(-np.logaddexp(0, -features @ weights))
        gradient = features.T @ (p * (real + generated) - real) + penalty * weights
        curvature = (features * (p * (1 - p) * (real + generated))[:, None]).T @ features
        step = np.linalg.solve(curvature + penalty * np.eye(len(weights)), gradient)
        while loss(weights - step) > loss(weights) and np.abs(step).max() > 1e-9:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() < 1e-6:
            break

    return weights


def token_and_pair_features(sequences: Sequences) -> np.ndarray:
    """Returns a constant, every token at its position, and every pair of these: [N, F]."""
    num_sequences = len(sequences.tokens)
    one_hot = np.eye(sequences.vocabulary_size)[sequences.tokens]  # [N, T, V]
    columns = [np.ones((num_sequences, 1)), one_hot.reshape(num_sequences, -1)]
    for first in range(sequences.length):
        for second in range(first + 1, sequences.length):
            pairs = one_hot[:, first, :, None] * one_hot[:, second, None, :]
            columns.append(pairs.reshape(num_sequences, -1))

    return np.concatenate(columns, axis=1)


class FittedDiscriminator:
    """A calibrated logistic regression over tokens and pairs of tokens, for one seed.

    Both classes have the same weight, so that the logit estimates log p_data/π. The penalty that is
    best on what is kept aside in the first round stays.

    Args:
        sequences: all of them.
        train: [N], counts of real sequences.
        aside: [N], counts of real sequences that choose and calibrate.
        seed: of the samples.
        generated: number of samples of a round; a fifth of them chooses and calibrates.
    """

    def __init__(
        self,
        sequences: Sequences,
        train: np.ndarray,
        aside: np.ndarray,
        seed: int,
        generated: int,
    ):
        self.features = token_and_pair_features(sequences)
        self.train = train
        self.aside = aside
        self.rng = np.random.default_rng((seed, 1))
        self.num_aside = generated // 5
        self.num_train = generated - self.num_aside
        self.penalty: float | None = None
        self.weights = np.zeros(self.features.shape[1])

    def logits(self, p: np.ndarray) -> np.ndarray:
        """Fits it to fresh samples of a policy, [N], and returns its logits, [N]."""
        generated = self.rng.multinomial(self.num_train, p) * self.train.sum() / self.num_train
        generated_aside = self.rng.multinomial(self.num_aside, p)
        if self.penalty is None:
            self.penalty = self._best_penalty(generated, generated_aside)
        self.weights = fit_logistic(
            self.features, self.train, generated, self.penalty, self.weights
        )

        return self._calibrated(self.features @ self.weights, generated_aside)

    def _best_penalty(self, generated: np.ndarray, generated_aside: np.ndarray) -> float:
        """Returns the penalty with the smallest cross-entropy on what is kept aside."""
        losses = []
        for penalty in PENALTIES:
            weights = fit_logistic(self.features, self.train, generated, penalty, self.weights)
            losses.append(cross_entropy(self.features @ weights, self.aside, generated_aside))

        return PENALTIES[int(np.argmin(losses))]

    def _calibrated(self, logits: np.ndarray, generated_aside: np.ndarray) -> np.ndarray:
        """Returns a · logit + b, fitted to what is kept aside."""
        columns = np.stack([logits, np.ones_like(logits)], axis=1)
        generated = generated_aside * self.aside.sum() / self.num_aside
        scale = fit_logistic(
            columns, self.aside, generated, CALIBRATION_PENALTY, np.array([1.0, 0.0])
        )

        return columns @ scale
