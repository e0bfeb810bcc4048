"""Worlds so small that every sequence can be listed: expectations are sums, and gradients of J are exact.

`J` and `expected_gradient` share nothing but the policy's log-probabilities: one differentiates the sum that defines the objective, the
other averages the gradient of a loss over every batch that could be sampled.
"""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfseqgan.models.generator import Generator
from tfseqgan.models.policy import Policy


@dataclasses.dataclass(frozen=True)
class Batch:
    """What an objective is told of sequences: log-probabilities, mask and prior, all [B, T], and the discriminator's logits, [B] and of prefixes [B, T]."""

    log_probs: tf.Tensor
    mask: tf.Tensor
    prior_log_probs: tf.Tensor
    logits: tf.Tensor
    prefix_logits: tf.Tensor

    def rows(self, indices):
        """Returns the batch of these rows."""
        return Batch(
            *(tf.gather(getattr(self, field.name), indices) for field in dataclasses.fields(self))
        )


@dataclasses.dataclass(frozen=True)
class World:
    """Every sequence of a policy, the discriminator's logit of each, and the policy itself."""

    tokens: np.ndarray
    everything: Callable[[], Batch]
    variable: tf.Variable
    depths: np.ndarray | None = None

    def probabilities(self):
        """Returns the probability of every sequence, [S]."""
        batch = self.everything()
        return tf.exp(tf.reduce_sum(batch.log_probs * batch.mask, axis=1))

    def alive(self):
        """Returns the probability that a sequence is still going at each step, NumPy [T]."""
        return self.probabilities().numpy() @ self.everything().mask.numpy()


def list_sequences(vocabulary_size, length, end_token_id=None):
    """Returns every sequence, padded with 0 behind its end, and its mask: NumPy int32 and float64, both [S, T]."""
    tokens, masks = [], []
    for sequence in itertools.product(range(vocabulary_size), repeat=length):
        stop = sequence.index(end_token_id) + 1 if end_token_id in sequence else length
        if not any(sequence[stop:]):
            tokens.append(sequence)
            masks.append([1.0] * stop + [0.0] * (length - stop))
    return np.array(tokens, np.int32), np.array(masks)


def list_prefix_logits(tokens, mask, logits):
    """Returns a logit for every prefix of every sequence, NumPy [S, T]: random ones, the sequence's own from its last token on."""
    rng, drawn = np.random.default_rng(5), {}
    rows = [
        [drawn.setdefault(tuple(row[: t + 1]), 2 * rng.normal()) for t in range(len(row))]
        for row in tokens.tolist()
    ]
    ended = np.cumsum(mask, axis=1) == mask.sum(axis=1, keepdims=True)
    return np.where(ended, np.asarray(logits)[:, None], rows)


def tabular_world(vocabulary_size=3, length=3, end_token_id=None, seed=0):
    """Returns a world whose policy is a table: one float64 logit for each prefix and token.

    The padding behind an end has log-probabilities too, which must not count.
    """
    rng = np.random.default_rng(seed)
    tokens, mask = list_sequences(vocabulary_size, length, end_token_id)
    prefixes = sorted(
        {tuple(row[:t]) for row in tokens.tolist() for t in range(length)},
        key=lambda prefix: (len(prefix), prefix),
    )
    places = np.array(
        [
            [prefixes.index(tuple(row[:t])) * vocabulary_size + row[t] for t in range(length)]
            for row in tokens.tolist()
        ]
    )
    table, prior = rng.normal(size=(2, len(prefixes), vocabulary_size))
    variable, logits = tf.Variable(table), tf.constant(2 * rng.normal(size=len(tokens)))
    prefix_logits = tf.constant(list_prefix_logits(tokens, mask, logits))

    def look_up(values):
        return tf.gather(tf.reshape(tf.nn.log_softmax(values), [-1]), places)

    def everything():
        return Batch(
            look_up(variable), tf.constant(mask), look_up(tf.constant(prior)), logits, prefix_logits
        )

    return World(tokens, everything, variable, np.array([len(prefix) for prefix in prefixes]))


def random_generator(seed, vocabulary_size=3, end_token_id=None, scale=0.8):
    """Returns a tiny generator whose weights are large enough for its probabilities to be far from uniform."""
    rng = np.random.default_rng(seed)
    generator = Generator(
        vocabulary_size=vocabulary_size, embedding_dim=4, units=5, end_token_id=end_token_id
    )
    generator.set_weights(
        [scale * rng.normal(size=weight.shape) for weight in generator.get_weights()]
    )
    return generator


def generator_world(generator, length=3):
    """Returns a world whose policy is a real generator, in float32; its variable is the recurrent kernel of the LSTM."""
    end_token_id = generator.end_token_id
    tokens, mask = list_sequences(generator.vocabulary_size, length, end_token_id)
    prior = Policy(random_generator(1, generator.vocabulary_size, end_token_id)).log_prob(tokens)
    logits = tf.constant(2 * np.random.default_rng(2).normal(size=len(tokens)), tf.float32)
    prefix_logits = tf.constant(list_prefix_logits(tokens, mask, logits), tf.float32)

    def everything():
        return Batch(
            Policy(generator).log_prob(tokens),
            tf.constant(mask, tf.float32),
            prior,
            logits,
            prefix_logits,
        )

    return World(tokens, everything, generator.lstm.cell.recurrent_kernel.value)


def gradient_of_j(world, objective):
    """Returns ∇J, J = E[R] + αH(π) − βKL(π‖π₀), by summing over every sequence and differentiating the sum. NumPy, as the variable."""
    with tf.GradientTape() as tape:
        batch = world.everything()
        log_p = tf.reduce_sum(batch.log_probs * batch.mask, axis=1)
        log_prior = tf.reduce_sum(batch.prior_log_probs * batch.mask, axis=1)
        worth = (
            objective.reward(batch.logits)
            - objective.entropy_weight * log_p
            - objective.kl_weight * (log_p - log_prior)
        )
        j = tf.reduce_sum(tf.exp(log_p) * worth)
    return tape.gradient(j, world.variable).numpy()


def expected_gradient(world, loss, num_sequences):
    """Returns E[∇loss(batch)] over every batch of N sequences: Σ p(y¹)…p(yᴺ) ∇loss(y¹ … yᴺ). NumPy, as the variable."""
    indices = list(itertools.product(range(len(world.tokens)), repeat=num_sequences))
    probabilities = tf.reduce_prod(tf.gather(world.probabilities(), indices), axis=1)
    with tf.GradientTape() as tape:
        everything = world.everything()
        losses = tf.vectorized_map(lambda rows: loss(everything.rows(rows)), tf.constant(indices))
        mean = tf.reduce_sum(probabilities * losses)
    return tape.gradient(mean, world.variable).numpy()


def relative_error(found, expected):
    """Returns max |found − expected| / max |expected|; where nothing is expected, max |found|."""
    return np.abs(found - expected).max() / (np.abs(expected).max() or 1.0)


def chi_square_p(counts, probabilities):
    """Returns Pearson's p-value of counts against probabilities; every cell must expect five or more."""
    expected = np.sum(counts) * np.asarray(probabilities, np.float64)
    assert expected.min() >= 5
    statistic = np.sum((np.asarray(counts) - expected) ** 2 / expected)
    return float(
        tf.math.igammac(
            tf.constant((len(expected) - 1) / 2, tf.float64), tf.constant(statistic / 2, tf.float64)
        )
    )
