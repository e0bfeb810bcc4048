"""Claims about tfseqgan.objectives.baselines."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.objectives.baselines import (
    BASELINES,
    BatchMean,
    LeaveOneOut,
    MovingAverage,
    NoBaseline,
    initial_state,
)

MASK = (np.arange(6) < np.array([[6], [1], [4], [2]])).astype(np.float64)
VALUES = np.random.default_rng(0).normal(size=(4, 6))


def compute(baseline, values=VALUES, mask=MASK, state=(0.0, 0.0)):
    """Computes a baseline and its new state, as NumPy."""
    found, state = baseline(
        tf.constant(values),
        tf.constant(mask),
        tf.constant(state, tf.float64),
    )

    return found.numpy(), state.numpy()


def mean_of_active(rows, t):
    """Computes the mean value of those rows that have not ended before a step, or 0."""
    active = [VALUES[row, t] for row in rows if MASK[row, t]]

    return sum(active) / len(active) if active else 0.0


def test_no_baseline_is_0():
    found, _ = compute(NoBaseline())

    assert not found.any()


def test_the_batch_mean_is_the_mean_of_each_step_over_the_sequences_that_have_not_ended():
    means = [mean_of_active(range(4), t) for t in range(6)]

    found, _ = compute(BatchMean())

    assert found == pytest.approx(np.array([means] * 4))


def test_leave_one_out_is_the_mean_over_the_others_that_have_not_ended():
    found, _ = compute(LeaveOneOut())

    for b, t in np.argwhere(MASK):
        others = [row for row in range(4) if row != b]
        assert found[b, t] == pytest.approx(mean_of_active(others, t))


def test_leave_one_out_is_0_for_the_last_sequence_that_has_not_ended():
    found, _ = compute(LeaveOneOut())
    of_one_row, _ = compute(LeaveOneOut(), VALUES[:1], MASK[:1])

    assert found[0, :4].all()
    assert found[0, 4:].tolist() == [0, 0]
    assert not of_one_row.any()


def test_leave_one_out_does_not_depend_on_the_sample_itself():
    changed = VALUES.copy()
    changed[2] += 5

    before, _ = compute(LeaveOneOut())
    after, _ = compute(LeaveOneOut(), changed)

    assert after[2] == pytest.approx(before[2])
    assert after[0, 0] == pytest.approx(before[0, 0] + 5 / 3)


@pytest.mark.parametrize("name", BASELINES)
def test_values_after_the_end_token_do_not_change_a_baseline(name):
    noisy = np.where(MASK == 1, VALUES, 1e3)

    found, state = compute(BASELINES[name])
    noisy_found, noisy_state = compute(BASELINES[name], noisy)

    assert (noisy_found * MASK).tolist() == (found * MASK).tolist()
    assert noisy_state.tolist() == state.tolist()


@pytest.mark.parametrize("name", BASELINES)
def test_a_step_that_no_sequence_reaches_gives_no_nan(name):
    found, state = compute(BASELINES[name], mask=np.zeros((4, 6)))

    assert not found.any()
    assert np.isfinite(state).all()


@pytest.mark.parametrize("name", ["none", "batch_mean", "leave_one_out"])
def test_a_baseline_without_memory_returns_its_state_as_it_is(name):
    _, state = compute(BASELINES[name], state=(0.3, 0.5))

    assert state.tolist() == [0.3, 0.5]


def test_the_moving_average_is_read_before_it_is_updated():
    found, state = compute(MovingAverage(0.9), state=(0.3, 0.5))

    mean = VALUES[MASK == 1].mean()
    assert found == pytest.approx(np.full((4, 6), 0.6))
    assert state == pytest.approx([0.9 * 0.3 + 0.1 * mean, 0.9 * 0.5 + 0.1])


@pytest.mark.parametrize("decay", [0.9, 0.0])
def test_the_moving_average_is_the_weighted_mean_of_the_earlier_batches(decay):
    rng = np.random.default_rng(1)
    state = np.zeros(2)
    means = []

    for _ in range(6):
        values = rng.normal(loc=3, size=(4, 6))
        found, state = compute(MovingAverage(decay), values, state=state)

        weights = [decay**age for age in reversed(range(len(means)))]
        expected = np.average(means, weights=weights) if means else 0.0
        assert found == pytest.approx(np.full((4, 6), expected))
        means.append(values[MASK == 1].mean())


@pytest.mark.parametrize("decay", [-0.1, 1.0, math.nan])
def test_a_decay_outside_0_to_1_is_refused_by_name(decay):
    with pytest.raises(ValueError, match=rf"decay must lie in \[0, 1\), received {decay}"):
        MovingAverage(decay)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_keeps_the_dtype_and_works_in_a_graph(name, dtype):
    graph = tf.function(BASELINES[name])

    found, state = graph(tf.constant(VALUES, dtype), tf.constant(MASK, dtype), initial_state(dtype))

    assert found.dtype == state.dtype == dtype
    assert found.shape == [4, 6]
    assert state.shape == [2]
