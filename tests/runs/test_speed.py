"""How fast a preset trains here: measured steps, and what follows from them."""

import numpy as np
import pytest
from tiny_runs import TINY, TINY_WHOLE_TUNES, shared_tunes

from tfseqgan.datasets.windows import load_windows
from tfseqgan.runs import speed
from tfseqgan.runs.speed import Speed, describe_devices, time_step, typical_batch


def test_the_time_of_maximum_likelihood_is_that_of_all_steps():
    measured = Speed("quick", 0.5, rows_per_step=32, steps_per_epoch=7, epochs=3, rounds=2)

    assert measured.likelihood_seconds == 0.5 * 7 * 3


def test_the_typical_batch_has_the_rows_of_the_middle_length():
    data = load_windows(shared_tunes(), **TINY_WHOLE_TUNES.window_options())
    lengths = (data.train != 0).sum(axis=1)

    batch = typical_batch(data.train, batch_size=3, pad_token_id=0)

    found = np.sort((batch != 0).sum(axis=1))
    start = (len(lengths) - 3) // 2
    np.testing.assert_array_equal(found, np.sort(lengths)[start : start + 3])


def test_a_batch_that_is_larger_than_the_data_is_the_data():
    rows = np.array([[1, 2, 0], [1, 2, 3]])

    assert typical_batch(rows, batch_size=5, pad_token_id=0).shape == (2, 3)


@pytest.mark.slow
def test_a_step_is_timed_after_one_that_compiles(monkeypatch):
    data = load_windows(shared_tunes(), **TINY.window_options())
    clock = iter([0.0, 100.0, *(number for start in range(4) for number in (start, start + 0.5))])
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))

    assert time_step(data, data.train[:4], TINY) == 0.5


@pytest.mark.slow
def test_the_speed_of_a_preset_is_that_of_its_own_batch_and_epochs(monkeypatch):
    monkeypatch.setattr(speed, "PRESETS", {"tiny": TINY})
    monkeypatch.setattr(
        speed, "load_windows", lambda _, **options: load_windows(shared_tunes(), **options)
    )

    measured = speed.measure_speed("tiny")

    rows = len(load_windows(shared_tunes(), **TINY.window_options()).train)
    assert measured.step_seconds > 0
    assert measured.rows_per_step == TINY.pretraining_batch_size
    assert measured.steps_per_epoch == -(-rows // TINY.pretraining_batch_size)
    assert (measured.epochs, measured.rounds) == (TINY.epochs, TINY.rounds)


def test_the_devices_are_named():
    assert describe_devices()[0] == "CPU"
