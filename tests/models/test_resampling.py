"""Samples that a discriminator keeps, against the distribution that they must have."""

import numpy as np
import pytest
import tensorflow as tf
from enumeration import chi_square_p, list_sequences, random_generator
from reference_models import randomize
from tiny_models import CONTROLLED, make_discriminator, make_generator_with_controls

import tfseqgan as sg
from tfseqgan.models.policy import Policy
from tfseqgan.models.resampling import Resampled, resample, spread_seeds
from tfseqgan.ops.sampling import row_seeds

V, T, K = 3, 2, 4
NUM_DRAWN = 3000


@pytest.fixture(scope="module")
def models():
    generator = random_generator(0, vocabulary_size=V, end_token_id=None)
    discriminator = sg.Discriminator(
        V, embedding_dim=4, filters=3, kernel_sizes=(1, 2), end_token_id=None
    )

    return generator, randomize(discriminator, scale=0.5)


def distribution_of_one_among(p, odds, count):
    """Returns p(kept) by listing all candidates: E[ Σ_k w_k / Σ_j w_j · 1(y_k) ]."""
    kept = np.zeros(len(p))
    for candidates in np.ndindex(*[len(p)] * count):
        indices = list(candidates)
        shares = odds[indices] / odds[indices].sum()
        np.add.at(kept, indices, p[indices].prod() * shares)
    return kept


@pytest.mark.slow
def test_one_among_k_has_the_distribution_that_its_odds_say(models):
    generator, discriminator = models
    sequences, _ = list_sequences(V, T)
    p = np.exp(tf.reduce_sum(Policy(generator).log_prob(sequences), axis=1).numpy().astype(float))
    odds = np.exp(discriminator(sequences).numpy().astype(float))
    expected = distribution_of_one_among(p, odds, K)
    assert expected.sum() == pytest.approx(1, abs=1e-5)

    drawn = resample(generator, discriminator, NUM_DRAWN, T, num_candidates=K, seed=3).tokens

    index_of = {tuple(row): index for index, row in enumerate(sequences.tolist())}
    counts = np.bincount([index_of[tuple(row)] for row in drawn.tolist()], minlength=len(p))
    assert chi_square_p(counts, expected / expected.sum()) > 1e-3
    assert chi_square_p(counts, p / p.sum()) < 1e-6  # which is another one


def test_what_is_kept_is_one_of_the_candidates_whatever_is_drawn_at_once(models, monkeypatch):
    generator, discriminator = models
    together = resample(generator, discriminator, 7, T, num_candidates=K, seed=5)
    monkeypatch.setattr("tfseqgan.models.resampling._CANDIDATES_AT_ONCE", 2 * K)
    apart = resample(generator, discriminator, 7, T, num_candidates=K, seed=5)

    for found, expected in zip(apart, together, strict=True):
        np.testing.assert_array_equal(found, expected)
    of_kept = discriminator(together.tokens).numpy()
    chosen = np.take_along_axis(together.logits, together.chosen[:, None], axis=1)[:, 0]
    np.testing.assert_allclose(of_kept, chosen, rtol=1e-5, atol=1e-5)


def test_the_served_signature_keeps_the_same(models, tmp_path):
    generator = make_generator_with_controls("lstm")
    discriminator = sg.Discriminator(
        CONTROLLED.vocabulary_size, embedding_dim=4, filters=3, kernel_sizes=(1, 2)
    )
    sg.export_saved_model(
        generator,
        CONTROLLED,
        tmp_path,
        discriminator=discriminator,
        length=9,
        prompt=[CONTROLLED.start_token_id],
        num_candidates=K,
    )
    signature = sg.SavedSampler(tmp_path).signatures["sample_best"]

    served = signature(
        seed=row_seeds(4, 5),
        temperature=tf.fill([5], 0.8),
        top_k=tf.zeros([5], tf.int32),
        top_p=tf.ones([5]),
        controls=tf.zeros([5, 4], tf.int32),
        guidance=tf.zeros([5]),
    )

    found = resample(
        generator,
        discriminator,
        5,
        9,
        num_candidates=K,
        temperature=0.8,
        prompt=CONTROLLED.prompts(5, seed=4),
        seed=4,
    )
    np.testing.assert_array_equal(found.tokens, served["tokens"])


def test_one_candidate_is_the_sample_of_its_seed(models):
    generator, discriminator = models
    seeds = spread_seeds(row_seeds(8, 6), 1)[:, 0]

    found = resample(generator, discriminator, 6, T, num_candidates=1, seed=8)

    np.testing.assert_array_equal(found.tokens, generator.sample(seeds, T)[0])
    np.testing.assert_array_equal(found.effective_sample_sizes(), np.ones(6))


def test_the_effective_sample_size_counts_the_candidates_that_have_a_say():
    logits = np.array([[3.0, 3.0, 3.0, 3.0], [900.0, 0.0, 0.0, 0.0], [0.0, 0.0, -900.0, -900.0]])
    resampled = Resampled(np.zeros((3, 1)), logits.astype(np.float32), np.zeros(3))

    np.testing.assert_allclose(resampled.effective_sample_sizes(), [4, 1, 2])


def test_models_of_different_vocabularies_are_refused(models):
    with pytest.raises(ValueError, match="vocabular"):
        resample(models[0], make_discriminator(), 2, 3)


def test_no_candidates_are_refused(models):
    with pytest.raises(ValueError, match="num_candidates"):
        resample(*models, 2, 3, num_candidates=0)
