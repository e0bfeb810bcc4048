"""Particles that odds of prefixes weigh, against the distribution that they must have."""

import numpy as np
import pytest
import tensorflow as tf
from enumeration import list_sequences, random_generator
from tiny_models import CONTROLLED, make_generator_with_controls
from tiny_models import make_discriminator as make_other_discriminator

from tfseqgan.models.particles import resample_sequentially, systematic_ancestors
from tfseqgan.models.policy import Policy
from tfseqgan.models.resampling import spread_seeds
from tfseqgan.models.state_discriminator import StateDiscriminator
from tfseqgan.ops.sampling import row_seeds

V, T, K = 3, 5, 4
NUM_DRAWN = 6000


def make_discriminator(reader, scale, seed=3):
    """Returns a tiny discriminator with random weights."""
    discriminator = StateDiscriminator(reader, hidden_dim=5, filters=3, kernel_sizes=(1, 4))
    rng = np.random.default_rng(seed)
    for weight in discriminator.trainable_variables:
        weight.assign(rng.normal(scale=scale, size=weight.shape))

    return discriminator


@pytest.fixture(scope="module")
def discriminator():
    return make_discriminator(random_generator(0, V, end_token_id=2), scale=1.3)


@pytest.mark.slow
@pytest.mark.parametrize("every", [1, 2])
def test_what_is_kept_times_the_evidence_is_the_weighed_distribution(discriminator, every):
    sequences, _ = list_sequences(V, T, end_token_id=2)
    log_probs = tf.reduce_sum(Policy(discriminator.reader).log_prob(sequences), axis=1)
    p = np.exp(log_probs.numpy().astype(float))
    odds = np.exp(discriminator(sequences).numpy().astype(float))
    assert np.log(odds).std() > 0.5  # some sequences count much more than others

    found = resample_sequentially(discriminator, NUM_DRAWN, T, num_particles=K, every=every, seed=3)

    index_of = {tuple(row): index for index, row in enumerate(sequences.tolist())}
    kept = [index_of[tuple(row)] for row in found.tokens.tolist()]
    weighed = np.zeros((NUM_DRAWN, len(sequences)))
    weighed[np.arange(NUM_DRAWN), kept] = np.exp(found.log_evidence.astype(float))
    is_often_drawn = p > 2e-3
    assert is_often_drawn.sum() > 10
    assert largest_z(weighed[:, is_often_drawn], (p * odds)[is_often_drawn]) < 4
    assert largest_z(weighed.sum(axis=1, keepdims=True), [p @ odds]) < 4
    assert largest_z(weighed[:, is_often_drawn], p[is_often_drawn]) > 10  # the generator's own
    assert (found.effective_sample_sizes < K / 2).any()  # particles were drawn again


def largest_z(values, expected):
    """Returns how many standard errors the mean of a column is off, at most."""
    errors = values.std(axis=0) / np.sqrt(len(values))

    return np.abs((values.mean(axis=0) - expected) / errors).max()


@pytest.mark.parametrize("kind", ["lstm", "attention"])
def test_one_particle_is_the_sample_of_its_seed(kind):
    generator = make_generator_with_controls(kind)
    discriminator = make_discriminator(generator, scale=0.5)
    prompts = CONTROLLED.prompts(3, seed=2)
    seeds = spread_seeds(row_seeds(8, 3), 1)[:, 0]

    found = resample_sequentially(
        discriminator, 3, 40, num_particles=1, every=7, prompt=prompts, seed=8
    )

    np.testing.assert_array_equal(found.tokens, generator.sample(seeds, 40, prompt=prompts)[0])
    np.testing.assert_allclose(found.log_evidence, discriminator(found.tokens), atol=2e-3)
    np.testing.assert_allclose(found.effective_sample_sizes, np.ones((3, 6)), rtol=1e-6)


@pytest.mark.parametrize("kind", ["lstm", "attention"])
def test_a_sequence_does_not_depend_on_what_is_sampled_with_it(kind, monkeypatch):
    discriminator = make_discriminator(make_generator_with_controls(kind), scale=1.5)
    prompts = CONTROLLED.prompts(5, seed=2)
    options = {"num_particles": 6, "every": 4, "seed": 1}
    together = resample_sequentially(discriminator, 5, 30, prompt=prompts, **options)
    monkeypatch.setattr("tfseqgan.models.particles._PARTICLES_AT_ONCE", 12)

    apart = resample_sequentially(discriminator, 5, 30, prompt=prompts, **options)

    for found, expected in zip(apart, together, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert (together.effective_sample_sizes < 3).any()
    np.testing.assert_array_equal(together.tokens[:, : prompts.shape[1]], prompts)


def test_a_sequence_whose_particles_have_all_ended_does_not_wait_for_others(
    discriminator, monkeypatch
):
    options = {"num_particles": K, "every": 1, "seed": 4}
    together = resample_sequentially(discriminator, 40, 12, **options)
    monkeypatch.setattr("tfseqgan.models.particles._PARTICLES_AT_ONCE", K)

    apart = resample_sequentially(discriminator, 40, 12, **options)

    np.testing.assert_array_equal(apart.tokens, together.tokens)
    for found, expected in zip(apart[1:], together[1:], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    last = together.effective_sample_sizes[:, -1]
    assert (last < K / 2).any()  # they were not drawn again after their end


def test_a_particle_is_drawn_as_often_as_its_weight_says():
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.full(7, 0.4))
    uniforms = (np.arange(200) + 0.5) / 200  # every place of the grid alike
    log_weights = np.log(np.tile(weights, (200, 1))).astype(np.float32)

    ancestors = systematic_ancestors(log_weights, uniforms.astype(np.float32)).numpy()

    counts = np.stack([(ancestors == particle).sum(axis=1) for particle in range(7)], axis=1)
    assert (np.abs(counts - 7 * weights) < 1 + 1e-4).all()
    np.testing.assert_allclose(counts.mean(axis=0), 7 * weights, atol=0.01)


def test_another_kind_of_discriminator_is_refused():
    with pytest.raises(TypeError, match="expected a StateDiscriminator, received Discriminator"):
        resample_sequentially(make_other_discriminator(), 2, 3)


def test_no_particles_are_refused(discriminator):
    with pytest.raises(ValueError, match="num_particles must be a whole number of 1 or more"):
        resample_sequentially(discriminator, 2, 3, num_particles=0)
