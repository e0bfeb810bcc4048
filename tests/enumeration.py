"""Worlds so small that every sequence can be listed: expectations are sums, gradients are exact.

`gradient_of_j` and `expected_gradient` share nothing except the policy's log-probabilities. One
differentiates the sum that defines J; the other averages the gradient of a loss over every batch
that could be sampled.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfseqgan.models.attention_generator import AttentionGenerator
from tfseqgan.models.generator import Generator
from tfseqgan.models.policy import Policy


@dataclasses.dataclass(frozen=True)
class Batch:
    """What an objective gets of a batch of sequences.

    Attributes:
        log_probs: [B, T], the policy's log-probability of each token.
        mask: [B, T], 1 up to and including the end token.
        prior_log_probs: [B, T], the prior's log-probability of each token.
        logits: [B], the discriminator's logits of the sequences.
        prefix_logits: [B, T], the discriminator's logits of all their prefixes.
    """

    log_probs: tf.Tensor
    mask: tf.Tensor
    prior_log_probs: tf.Tensor
    logits: tf.Tensor
    prefix_logits: tf.Tensor

    def rows(self, indices):
        """Returns the batch of these rows."""
        fields = [getattr(self, field.name) for field in dataclasses.fields(self)]

        return Batch(*(tf.gather(field, indices) for field in fields))


@dataclasses.dataclass(frozen=True)
class World:
    """Every sequence that a policy can write.

    Attributes:
        tokens: NumPy int32 [S, T], the sequences.
        everything: computes the `Batch` of all of them, from the policy's present weights.
        variable: the weights of the policy.
        depths: of a tabular policy, the number of tokens of each prefix in its table.
    """

    tokens: np.ndarray
    everything: Callable[[], Batch]
    variable: tf.Variable
    depths: np.ndarray | None = None

    def probabilities(self):
        """Returns the probability of every sequence, [S]."""
        batch = self.everything()

        return tf.exp(tf.reduce_sum(batch.log_probs * batch.mask, axis=1))

    def alive(self):
        """Returns the probability that a sequence has not ended before each step, NumPy [T]."""
        return self.probabilities().numpy() @ self.everything().mask.numpy()


def list_sequences(vocabulary_size, length, end_token_id=None):
    """Returns every sequence, padded with 0 after its end token, and its mask.

    Returns:
        NumPy int32 [S, T] and float64 [S, T].
    """
    tokens = []
    masks = []
    for sequence in itertools.product(range(vocabulary_size), repeat=length):
        has_end = end_token_id in sequence
        stop = sequence.index(end_token_id) + 1 if has_end else length
        is_padded = not any(sequence[stop:])
        if is_padded:
            tokens.append(sequence)
            masks.append([1.0] * stop + [0.0] * (length - stop))

    return np.array(tokens, np.int32), np.array(masks)


def list_prefix_logits(tokens, mask, logits):
    """Draws a logit for every prefix; from its last token on, a sequence has its own logit.

    Args:
        tokens: int32 [S, T].
        mask: [S, T].
        logits: [S], the logits of the whole sequences.

    Returns:
        NumPy [S, T].
    """
    rng = np.random.default_rng(5)
    drawn = {}
    rows = []
    for row in tokens.tolist():
        prefixes = [tuple(row[: t + 1]) for t in range(len(row))]
        rows.append([drawn.setdefault(prefix, 2 * rng.normal()) for prefix in prefixes])

    is_whole = np.cumsum(mask, axis=1) == mask.sum(axis=1, keepdims=True)

    return np.where(is_whole, np.asarray(logits)[:, None], rows)


def _list_prefixes(tokens):
    """Returns every prefix that sequences have before a token, the shortest first."""
    prefixes = {tuple(row[:t]) for row in tokens.tolist() for t in range(len(row))}

    return sorted(prefixes, key=lambda prefix: (len(prefix), prefix))


def tabular_world(vocabulary_size=3, length=3, end_token_id=None, seed=0):
    """Returns a world whose policy is a table: one float64 logit for each prefix and token.

    The padding after an end token has log-probabilities too, which must not count.
    """
    rng = np.random.default_rng(seed)
    tokens, mask = list_sequences(vocabulary_size, length, end_token_id)
    prefixes = _list_prefixes(tokens)

    indices = [
        [prefixes.index(tuple(row[:t])) * vocabulary_size + row[t] for t in range(length)]
        for row in tokens.tolist()
    ]
    table, prior = rng.normal(size=(2, len(prefixes), vocabulary_size))
    variable = tf.Variable(table)
    logits = tf.constant(2 * rng.normal(size=len(tokens)))
    prefix_logits = tf.constant(list_prefix_logits(tokens, mask, logits))

    def look_up(values):
        flat = tf.reshape(tf.nn.log_softmax(values), [-1])
        return tf.gather(flat, indices)  # [S, T]

    def everything():
        return Batch(
            log_probs=look_up(variable),
            mask=tf.constant(mask),
            prior_log_probs=look_up(tf.constant(prior)),
            logits=logits,
            prefix_logits=prefix_logits,
        )

    depths = np.array([len(prefix) for prefix in prefixes])

    return World(tokens, everything, variable, depths)


def random_generator(seed, vocabulary_size=3, end_token_id=None, scale=0.8, token_durations=None):
    """Returns a tiny LSTM generator whose probabilities are not uniform."""
    generator = Generator(
        vocabulary_size=vocabulary_size,
        token_durations=token_durations,
        embedding_dim=4,
        units=5,
        end_token_id=end_token_id,
    )

    return with_random_weights(generator, seed, scale)


def random_attention_generator(seed, vocabulary_size, token_durations):
    """Returns a tiny generator with attention whose probabilities are not uniform."""
    generator = AttentionGenerator(
        vocabulary_size,
        token_durations=token_durations,
        embedding_dim=4,
        num_layers=2,
        num_heads=2,
        feed_forward_dim=3,
    )

    return with_random_weights(generator, seed)


def with_random_weights(generator, seed, scale=0.8):
    """Gives a generator weights so large that its probabilities are not uniform; returns it."""
    rng = np.random.default_rng(seed)
    shapes = [weight.shape for weight in generator.get_weights()]
    generator.set_weights([scale * rng.normal(size=shape) for shape in shapes])

    return generator


def generator_world(generator, length=3):
    """Returns a world whose policy is a real generator, in float32.

    Its variable is a kernel of its middle layers. Sequences that its grammar forbids, which have
    probability 0, are left out.
    """
    end_token_id = generator.end_token_id
    tokens, mask = list_sequences(generator.vocabulary_size, length, end_token_id)
    is_allowed = [generator.find_grammar_break(row[None]) is None for row in tokens]
    tokens, mask = tokens[is_allowed], mask[is_allowed]
    prior = with_random_weights(type(generator).from_config(generator.get_config()), seed=1)
    prior_log_probs = Policy(prior).log_prob(tokens)
    logits = tf.constant(2 * np.random.default_rng(2).normal(size=len(tokens)), tf.float32)
    prefix_logits = tf.constant(list_prefix_logits(tokens, mask, logits), tf.float32)

    def everything():
        return Batch(
            log_probs=Policy(generator).log_prob(tokens),
            mask=tf.constant(mask, tf.float32),
            prior_log_probs=prior_log_probs,
            logits=logits,
            prefix_logits=prefix_logits,
        )

    is_lstm = isinstance(generator, Generator)
    layer = generator.lstm.cell if is_lstm else generator.attention[0].inputs_of_heads
    variable = layer.recurrent_kernel if is_lstm else layer.kernel

    return World(tokens, everything, variable.value)


def gradient_of_j(world, objective):
    """Computes ∇J by differentiating the sum over every sequence, NumPy.

    J = E[R] + α H(π) − β KL(π ‖ π₀)
    """
    with tf.GradientTape() as tape:
        batch = world.everything()
        log_p = tf.reduce_sum(batch.log_probs * batch.mask, axis=1)  # [S]
        log_prior = tf.reduce_sum(batch.prior_log_probs * batch.mask, axis=1)
        value = (
            objective.reward(batch.logits)
            - objective.entropy_weight * log_p
            - objective.kl_weight * (log_p - log_prior)
        )
        j = tf.reduce_sum(tf.exp(log_p) * value)

    return tape.gradient(j, world.variable).numpy()


@functools.cache
def _compile_mean_loss(loss, specs):
    """Returns the graph that averages a loss over batches, for any number of sequences."""

    @tf.function(input_signature=specs)
    def mean_loss(indices, probabilities, fields):
        everything = Batch(*fields)
        losses = tf.vectorized_map(lambda rows: loss(everything.rows(rows)), indices)
        return tf.reduce_sum(probabilities * losses)

    return mean_loss


def expected_gradient(world, loss, num_sequences):
    """Computes E[∇loss(batch)] over every batch of N sequences, NumPy.

    Σ p(y¹) … p(yᴺ) ∇loss(y¹ … yᴺ)

    The loss is compiled once, which takes most of the time: calls with the same function share it.
    """
    indices = list(itertools.product(range(len(world.tokens)), repeat=num_sequences))
    probabilities = tf.reduce_prod(tf.gather(world.probabilities(), indices), axis=1)

    with tf.GradientTape() as tape:
        batch = world.everything()
        fields = tuple(getattr(batch, field.name) for field in dataclasses.fields(batch))
        arguments = (tf.constant(indices), probabilities, fields)
        specs = tf.nest.map_structure(
            lambda tensor: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype), arguments
        )
        mean = _compile_mean_loss(loss, specs)(*arguments)

    return tape.gradient(mean, world.variable).numpy()


def relative_error(found, expected):
    """Returns max |found − expected| / max |expected|; where all are expected 0, max |found|."""
    return np.abs(found - expected).max() / (np.abs(expected).max() or 1.0)


def chi_square_p(counts, probabilities):
    """Returns Pearson's p-value of counts; at least five are expected in every cell."""
    expected = np.sum(counts) * np.asarray(probabilities, np.float64)
    assert expected.min() >= 5

    statistic = np.sum((np.asarray(counts) - expected) ** 2 / expected)
    degrees_of_freedom = len(expected) - 1

    return float(
        tf.math.igammac(
            tf.constant(degrees_of_freedom / 2, tf.float64),
            tf.constant(statistic / 2, tf.float64),
        )
    )
