"""Claims about tfseqgan.policy."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from enumeration import chi_square_p, generator_world, random_generator

from tfseqgan.models import generator as generator_module
from tfseqgan.models.generator import Generator
from tfseqgan.models.policy import Policy

with_and_without_an_end = pytest.mark.parametrize("end_token_id", [None, 2])


def policy_and_tokens(end_token_id):
    """Returns a policy over seven tokens, and five random rows of four steps."""
    generator = random_generator(0, vocabulary_size=7, end_token_id=end_token_id)
    return Policy(generator), np.random.default_rng(1).integers(0, 7, size=(5, 4)).astype(np.int32)


def twin_log_softmax(policy, tokens):
    """Returns the generator's log-probabilities in float64, [B, T, V]."""
    logits = policy.generator(tokens).numpy().astype(np.float64)
    return logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True))


def twin_mask(tokens, end_token_id):
    """Returns 1 up to and including the first end."""
    return np.array(
        [[float(end_token_id not in row[:t]) for t in range(len(row))] for row in tokens.tolist()]
    )


def test_a_policy_is_a_tfp_categorical_at_every_step():
    policy, tokens = policy_and_tokens(None)
    distribution = policy.distribution(tokens)
    assert isinstance(distribution, tfp.distributions.Categorical)
    assert (
        distribution.batch_shape == [5, 4]
        and distribution.event_shape == []
        and distribution.probs_parameter().shape == [5, 4, 7]
    )


@with_and_without_an_end
def test_log_prob_is_the_log_softmax_at_the_token(end_token_id):
    policy, tokens = policy_and_tokens(end_token_id)
    log_softmax, mask = twin_log_softmax(policy, tokens), twin_mask(tokens, end_token_id)
    expected = [[log_softmax[b, t, tokens[b, t]] * mask[b, t] for t in range(4)] for b in range(5)]
    assert policy.log_prob(tokens).numpy() == pytest.approx(np.array(expected), abs=1e-5)
    assert policy.mask(tokens).numpy().tolist() == mask.tolist()


@with_and_without_an_end
def test_entropy_is_minus_the_mean_log_softmax(end_token_id):
    policy, tokens = policy_and_tokens(end_token_id)
    log_softmax = twin_log_softmax(policy, tokens)
    expected = -np.sum(np.exp(log_softmax) * log_softmax, axis=-1) * twin_mask(tokens, end_token_id)
    assert policy.entropy(tokens).numpy() == pytest.approx(expected, abs=1e-5)


def test_step_t_depends_on_the_tokens_before_it_alone():
    policy, tokens = policy_and_tokens(None)
    changed = tokens.copy()
    changed[:, 2] = (tokens[:, 2] + 1) % 7
    before, after = (
        policy.distribution(rows).probs_parameter().numpy() for rows in (tokens, changed)
    )
    assert (before[:, :3] == after[:, :3]).all() and np.abs(before[:, 3] - after[:, 3]).max() > 1e-3


@with_and_without_an_end
def test_the_log_probs_of_a_sample_are_those_of_its_tokens(end_token_id):
    policy, _ = policy_and_tokens(end_token_id)
    trajectory = policy.sample(64, length=9, seed=0)
    assert (
        trajectory.tokens.dtype == tf.int32
        and trajectory.tokens.shape
        == trajectory.log_probs.shape
        == trajectory.mask.shape
        == [64, 9]
    )
    assert trajectory.log_probs.numpy() == pytest.approx(
        policy.log_prob(trajectory.tokens).numpy(), abs=1e-5
    )
    assert (
        trajectory.mask.numpy().tolist()
        == twin_mask(trajectory.tokens.numpy(), end_token_id).tolist()
    )
    assert (trajectory.mask.numpy().min() == 0) == (end_token_id is not None)


def test_what_is_sampled_behind_the_end_is_padding():
    trajectory = policy_and_tokens(2)[0].sample(64, length=9, seed=0)
    behind = trajectory.mask.numpy() == 0
    assert (
        behind.any()
        and not trajectory.tokens.numpy()[behind].any()
        and not trajectory.log_probs.numpy()[behind].any()
    )


def test_dropout_is_off():
    generator, tokens = (
        Generator(vocabulary_size=7, embedding_dim=4, units=8, dropout=0.5),
        policy_and_tokens(None)[1],
    )
    with_dropout, without = generator(tokens, training=True).numpy(), generator(tokens).numpy()
    assert (
        Policy(generator).distribution(tokens).logits.numpy().tolist()
        == without.tolist()
        != with_dropout.tolist()
    )


@with_and_without_an_end
def test_20000_trajectories_occur_as_often_as_their_probabilities_say(end_token_id):
    generator = random_generator(0, end_token_id=end_token_id, scale=0.5)
    world = generator_world(generator)
    places = {tuple(row): place for place, row in enumerate(world.tokens.tolist())}
    sampled = Policy(generator).sample(20_000, length=3, seed=0).tokens.numpy().tolist()
    counts = np.bincount([places[tuple(row)] for row in sampled], minlength=len(places))
    assert chi_square_p(counts, world.probabilities().numpy()) > 1e-4


def test_a_seed_repeats_a_sample_and_rows_do_not_depend_on_how_many_are_drawn():
    policy, _ = policy_and_tokens(2)
    many, few = policy.sample(20, length=6, seed=4), policy.sample(3, length=6, seed=(4, 8))
    assert many.tokens[8:11].numpy().tolist() == few.tokens.numpy().tolist()
    assert many.log_probs[8:11].numpy() == pytest.approx(few.log_probs.numpy(), abs=1e-6)
    assert (
        policy.sample(20, length=6, seed=5).tokens.numpy().tolist() != many.tokens.numpy().tolist()
    )


def test_without_a_seed_every_sample_is_new():
    policy, _ = policy_and_tokens(None)
    assert (
        policy.sample(20, length=6).tokens.numpy().tolist()
        != policy.sample(20, length=6).tokens.numpy().tolist()
    )


@pytest.mark.parametrize("arguments, name", [((0, 5), "num_sequences"), ((5, 0), "length")])
def test_an_argument_out_of_range_is_refused_by_name(arguments, name):
    with pytest.raises(ValueError, match=name):
        policy_and_tokens(None)[0].sample(*arguments)


def test_every_graph_knows_how_many_rows_it_samples(monkeypatch):
    counts, row_blocks = [], generator_module.row_blocks
    monkeypatch.setattr(
        generator_module, "row_blocks", lambda count: counts.append(count) or row_blocks(count)
    )
    policy, _ = policy_and_tokens(2)
    for count in (9, 70, 128):  # the evaluation's before the training's, as in a run
        policy.sample(count, length=3, seed=0)
    assert counts == [9, 70, 128]
