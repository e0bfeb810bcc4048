"""The policy: a categorical distribution at every step, its samples, and their repetition."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from enumeration import chi_square_p, generator_world, random_generator

from tfseqgan.models.generator import Generator
from tfseqgan.models.policy import Policy

B, T, V, END = 5, 4, 7, 2
TOKENS = np.random.default_rng(1).integers(0, V, size=(B, T)).astype(np.int32)
SAMPLES, LENGTH = 64, 9

with_and_without_an_end = pytest.mark.parametrize("end_token_id", [None, END])


@functools.cache
def policy_of(end_token_id):
    """Returns a policy over seven tokens; the tests share it, so that it is compiled once."""
    return Policy(random_generator(0, vocabulary_size=V, end_token_id=end_token_id))


@functools.cache
def sample_of(end_token_id):
    """Returns a trajectory that several tests look at."""
    return policy_of(end_token_id).sample(SAMPLES, LENGTH, seed=0)


def expected_log_softmax(policy, tokens):
    """Returns the generator's log-probabilities in float64, [B, T, V]."""
    logits = policy.generator(tokens).numpy().astype(np.float64)

    return logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True))


def expected_mask(tokens, end_token_id):
    """Returns 1 up to and including the first end token, [B, T]."""
    steps = range(tokens.shape[1])

    return np.array(
        [[float(end_token_id not in row[:t]) for t in steps] for row in tokens.tolist()]
    )


def test_a_policy_is_a_tfp_categorical_at_every_step():
    distribution = policy_of(None).distribution(TOKENS)

    assert isinstance(distribution, tfp.distributions.Categorical)
    assert distribution.batch_shape == [B, T]
    assert distribution.event_shape == []
    assert distribution.probs_parameter().shape == [B, T, V]


@with_and_without_an_end
def test_log_prob_is_the_log_softmax_at_the_token(end_token_id):
    policy = policy_of(end_token_id)
    mask = expected_mask(TOKENS, end_token_id)

    found = policy.log_prob(TOKENS).numpy()

    log_softmax = expected_log_softmax(policy, TOKENS)
    of_tokens = np.take_along_axis(log_softmax, TOKENS[..., None], axis=2)[..., 0]
    assert found == pytest.approx(of_tokens * mask, abs=1e-5)
    assert policy.mask(TOKENS).numpy().tolist() == mask.tolist()


@with_and_without_an_end
def test_entropy_is_minus_the_mean_log_softmax(end_token_id):
    policy = policy_of(end_token_id)

    found = policy.entropy(TOKENS).numpy()

    log_softmax = expected_log_softmax(policy, TOKENS)
    expected = -np.sum(np.exp(log_softmax) * log_softmax, axis=-1)
    assert found == pytest.approx(expected * expected_mask(TOKENS, end_token_id), abs=1e-5)


def test_the_distribution_of_a_step_depends_only_on_the_tokens_before_it():
    policy = policy_of(None)
    changed_tokens = TOKENS.copy()
    changed_tokens[:, 2] = (TOKENS[:, 2] + 1) % V

    before = policy.distribution(TOKENS).probs_parameter().numpy()
    after = policy.distribution(changed_tokens).probs_parameter().numpy()

    np.testing.assert_array_equal(before[:, :3], after[:, :3])
    assert np.abs(before[:, 3] - after[:, 3]).max() > 1e-3


@with_and_without_an_end
def test_the_log_probs_of_a_sample_are_those_of_its_tokens(end_token_id):
    tokens, log_probs, mask = sample_of(end_token_id)

    assert tokens.dtype == tf.int32
    assert tokens.shape == log_probs.shape == mask.shape == [SAMPLES, LENGTH]
    expected = policy_of(end_token_id).log_prob(tokens).numpy()
    assert log_probs.numpy() == pytest.approx(expected, abs=1e-5)
    assert mask.numpy().tolist() == expected_mask(tokens.numpy(), end_token_id).tolist()
    assert (mask.numpy().min() == 0) == (end_token_id is not None)


def test_after_the_end_token_a_sample_is_padding_of_log_prob_0():
    tokens, log_probs, mask = (part.numpy() for part in sample_of(END))

    is_after_end = mask == 0

    assert is_after_end.any()
    assert not tokens[is_after_end].any()
    assert not log_probs[is_after_end].any()


def test_dropout_is_off():
    generator = Generator(vocabulary_size=V, embedding_dim=4, units=8, dropout=0.5)

    found = Policy(generator).distribution(TOKENS).logits.numpy()

    np.testing.assert_array_equal(found, generator(TOKENS))
    assert not np.array_equal(found, generator(TOKENS, training=True))


@pytest.mark.slow
@with_and_without_an_end
def test_20000_trajectories_occur_as_often_as_their_probabilities_say(end_token_id):
    generator = random_generator(0, end_token_id=end_token_id, scale=0.5)
    world = generator_world(generator)
    indices = {tuple(row): index for index, row in enumerate(world.tokens.tolist())}

    tokens = Policy(generator).sample(20_000, length=3, seed=0).tokens.numpy()

    sampled = [indices[tuple(row)] for row in tokens.tolist()]
    counts = np.bincount(sampled, minlength=len(indices))
    assert chi_square_p(counts, world.probabilities().numpy()) > 1e-4


@pytest.mark.slow
def test_a_seed_repeats_a_sample_and_a_row_does_not_depend_on_how_many_are_drawn():
    policy = policy_of(END)

    few = policy.sample(3, LENGTH, seed=(0, 8))
    of_another_seed = policy.sample(SAMPLES, LENGTH, seed=5)

    many = sample_of(END)
    np.testing.assert_array_equal(many.tokens[8:11], few.tokens)
    assert many.log_probs[8:11].numpy() == pytest.approx(few.log_probs.numpy(), abs=1e-6)
    assert not np.array_equal(many.tokens, of_another_seed.tokens)


def test_without_a_seed_every_sample_is_new():
    first, second = (policy_of(None).sample(SAMPLES, LENGTH).tokens for _ in range(2))

    assert not np.array_equal(first, second)


@pytest.mark.parametrize("arguments, name", [((0, 5), "num_sequences"), ((5, 0), "length")])
def test_an_argument_out_of_range_is_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        policy_of(None).sample(*arguments)
