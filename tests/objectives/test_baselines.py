"""Claims about tfseqgan.baselines."""

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


def baseline_of(baseline, values=VALUES, mask=MASK, state=(0.0, 0.0)):
    """Returns what a baseline gives, and its new state, as NumPy."""
    found, state = baseline(tf.constant(values), tf.constant(mask), tf.constant(state, tf.float64))
    return found.numpy(), state.numpy()


def mean_of_rows(rows, t):
    """Returns the mean value of those of these rows that are still going at a step; 0 where none is."""
    going = [VALUES[row, t] for row in rows if MASK[row, t]]
    return sum(going) / len(going) if going else 0.0


def test_no_baseline_is_0():
    assert not baseline_of(NoBaseline())[0].any()


def test_the_batch_mean_is_the_mean_of_each_step_over_the_sequences_still_going():
    expected = np.array([[mean_of_rows(range(4), t) for t in range(6)]] * 4)
    assert baseline_of(BatchMean())[0] == pytest.approx(expected)


def test_leave_one_out_is_the_mean_over_the_others_still_going():
    found = baseline_of(LeaveOneOut())[0]
    for b, t in np.argwhere(MASK):
        assert found[b, t] == pytest.approx(mean_of_rows([row for row in range(4) if row != b], t))


def test_leave_one_out_gives_0_to_the_last_one_going():
    found = baseline_of(LeaveOneOut())[0]
    assert found[0, 4:].tolist() == [0, 0] and found[0, :4].all()
    assert not baseline_of(LeaveOneOut(), VALUES[:1], MASK[:1])[0].any()


def test_leave_one_out_does_not_see_the_sample_itself():
    before, changed = baseline_of(LeaveOneOut())[0], VALUES.copy()
    changed[2] += 5
    after = baseline_of(LeaveOneOut(), changed)[0]
    assert after[2] == pytest.approx(before[2]) and after[0, 0] == pytest.approx(
        before[0, 0] + 5 / 3
    )


@pytest.mark.parametrize("name", BASELINES)
def test_values_behind_the_end_count_for_nothing(name):
    found, state = baseline_of(BASELINES[name])
    noisy, noisy_state = baseline_of(BASELINES[name], np.where(MASK == 1, VALUES, 1e3))
    assert (noisy * MASK).tolist() == (
        found * MASK
    ).tolist() and noisy_state.tolist() == state.tolist()


@pytest.mark.parametrize("name", BASELINES)
def test_a_step_that_no_sequence_reaches_gives_no_nan(name):
    found, state = baseline_of(BASELINES[name], mask=np.zeros((4, 6)))
    assert not found.any() and np.isfinite(state).all()


@pytest.mark.parametrize("name", ["none", "batch_mean", "leave_one_out"])
def test_a_baseline_without_memory_hands_its_state_on(name):
    assert baseline_of(BASELINES[name], state=(0.3, 0.5))[1].tolist() == [0.3, 0.5]


def test_the_moving_average_is_read_before_it_is_updated():
    found, state = baseline_of(MovingAverage(0.9), state=(0.3, 0.5))
    assert found == pytest.approx(np.full((4, 6), 0.6))
    assert state == pytest.approx([0.9 * 0.3 + 0.1 * VALUES[MASK == 1].mean(), 0.9 * 0.5 + 0.1])


@pytest.mark.parametrize("decay", [0.9, 0.0])
def test_the_moving_average_is_the_weighted_mean_of_the_batches_before(decay):
    rng, state, means = np.random.default_rng(1), np.zeros(2), []
    for _ in range(6):
        values = rng.normal(loc=3, size=(4, 6))
        found, state = baseline_of(MovingAverage(decay), values, state=state)
        weights = [decay**age for age in reversed(range(len(means)))]
        expected = np.average(means, weights=weights) if means else 0.0
        assert found == pytest.approx(np.full((4, 6), expected))
        means.append(values[MASK == 1].mean())


@pytest.mark.parametrize("decay", [-0.1, 1.0, math.nan])
def test_a_decay_outside_0_to_1_is_refused_by_name(decay):
    with pytest.raises(ValueError, match=rf"decay must lie in \[0, 1\), received {decay}"):
        MovingAverage(decay)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_keeps_the_dtype_and_works_in_a_graph(name):
    for dtype in (tf.float32, tf.float64):
        values, mask = tf.constant(VALUES, dtype), tf.constant(MASK, dtype)
        found, state = tf.function(BASELINES[name])(values, mask, initial_state(dtype))
        assert found.dtype == state.dtype == dtype and found.shape == [4, 6] and state.shape == [2]
