"""Calibrated odds, cross-entropy and bootstrap, against what is known."""

import numpy as np
import pytest

from tfseqgan.evaluation import metrics
from tfseqgan.evaluation.calibration import (
    _weighted_auc,
    bootstrap_errors,
    cross_entropy,
    fit_platt,
)

N, M = 700, 300


def make_logits(seed, distance):
    rng = np.random.default_rng(seed)
    return rng.normal(distance / 2, 1, N), rng.normal(-distance / 2, 1, M)


def test_the_cross_entropy_is_that_of_the_probabilities():
    real, generated = make_logits(0, 2.0)
    p_real, p_generated = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-generated))

    expected = -np.log(p_real).mean() / 2 - np.log(1 - p_generated).mean() / 2

    assert cross_entropy(real, generated) == pytest.approx(expected)
    assert cross_entropy(np.full(3, 800.0), np.full(2, -800.0)) == 0.0  # nothing overflows


@pytest.mark.parametrize("scale, shift", [(1.0, 0.0), (0.01, 5.0), (-3.0, 2.0), (100.0, -40.0)])
def test_calibrated_logits_do_not_depend_on_scale_and_shift(scale, shift):
    real, generated = make_logits(1, 1.5)
    expected = fit_platt(real, generated)(real)

    found = fit_platt(scale * real + shift, scale * generated + shift)(scale * real + shift)

    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_no_line_has_a_smaller_cross_entropy_than_the_calibrated_one():
    real, generated = make_logits(2, 0.7)
    calibrate = fit_platt(real, generated)
    best = cross_entropy(calibrate(real), calibrate(generated))

    for scale, shift in [(1.01, 0.0), (0.99, 0.0), (1.0, 0.01), (1.0, -0.01)]:
        worse = cross_entropy(scale * calibrate(real) + shift, scale * calibrate(generated) + shift)
        assert worse > best


@pytest.mark.parametrize("distance", [1.0, 1e4])
def test_logits_without_error_stay_finite(distance):
    real = np.linspace(1, 2, 9) * distance
    calibrate = fit_platt(real, -real)

    assert np.isfinite(calibrate(real)).all()
    assert cross_entropy(calibrate(real), calibrate(-real)) < 1e-3


def test_an_auc_with_equal_weights_is_the_auc_and_whole_weights_are_repetitions():
    rng = np.random.default_rng(3)
    real, generated = rng.integers(0, 9, 40).astype(float), rng.integers(-3, 6, 30).astype(float)
    weights = rng.integers(0, 4, 40), rng.integers(0, 4, 30)

    equal = _weighted_auc(real, generated, np.ones(40), np.ones(30))
    found = _weighted_auc(real, generated, *[each.astype(float) for each in weights])

    assert equal == pytest.approx(metrics.auc(real, generated))
    repeated = np.repeat(real, weights[0]), np.repeat(generated, weights[1])
    assert found == pytest.approx(metrics.auc(*repeated))


def test_the_bootstrap_knows_the_errors_of_independent_windows():
    real, generated = make_logits(4, 1.0)

    errors = bootstrap_errors(real, generated, np.arange(N), np.arange(M), seed=0)

    of_real, of_generated = np.logaddexp(0, -real), np.logaddexp(0, generated)
    variance = of_real.var() / N / 4 + of_generated.var() / M / 4
    assert errors.cross_entropy == pytest.approx(variance**0.5, rel=0.1)
    auc = metrics.auc(real, generated)
    expected = metrics.jackknife_error(metrics.auc, real, generated)
    assert (errors.auc_high - errors.auc_low) / 3.92 == pytest.approx(expected, rel=0.1)
    assert errors.auc_low < auc < errors.auc_high


def test_windows_of_one_tune_count_as_one():
    real, generated = make_logits(5, 1.0)
    ten_times = [np.repeat(each, 10) for each in (real, generated)]
    tunes = [np.repeat(np.arange(size), 10) for size in (N, M)]

    alone = bootstrap_errors(real, generated, np.arange(N), np.arange(M), seed=0)
    together = bootstrap_errors(*ten_times, *tunes, seed=0)

    np.testing.assert_allclose(together, alone)
