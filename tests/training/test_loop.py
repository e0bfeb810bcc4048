"""Claims about tfseqgan.training.loop and seeding.

Seeds depend on their path alone, every row is drawn equally often, and the state of a run survives
a stop.
"""

import itertools

import keras
import numpy as np
import pytest
from tiny_models import Interrupted, Interruption

from tfseqgan.training.checkpointing import Checkpoints, RunState
from tfseqgan.training.loop import run_rounds
from tfseqgan.training.seeding import derive_seed, resolve_seed, shuffled_indices


def run(folder, last=4, callbacks=(), every=1, indices=None, is_finished=None):
    """Runs rounds from −1 that do nothing but return figures of their index.

    Args:
        folder: of the checkpoints, or None.
        last: the round to end before.
        callbacks: Keras callbacks.
        every: rounds from one checkpoint to the next.
        indices: a list that collects the rounds that ran, or None.
        is_finished: from the `RunState` to whether the run is over, or None.
    """
    run_state = RunState({"kind": "test"}, -1)

    def run_round(index):
        if indices is not None:
            indices.append(index)
        return {"twice": 2.0 * index, "third": index / 3, "nothing": np.nan}

    options = {}
    if is_finished is not None:
        options["is_finished"] = lambda: is_finished(run_state)

    return run_rounds(
        run_round,
        last,
        model=keras.Model(),
        run_state=run_state,
        checkpoints=Checkpoints(folder, run_state),
        checkpoint_every=every,
        callbacks=callbacks,
        **options,
    )


def test_a_seed_depends_on_every_part_of_its_path():
    paths = list(itertools.product(range(3), range(3), range(4), range(2)))

    seeds = {derive_seed(*path) for path in paths}

    assert len(seeds) == len(paths)
    assert all(0 <= word < 2**32 for seed in seeds for word in seed)
    assert derive_seed(2**40, 1) != derive_seed(0, 1)


def test_a_seed_depends_on_nothing_except_its_path():
    first = derive_seed(5, 1, 2)
    derive_seed(6, 1, 2)

    assert derive_seed(5, 1, 2) == first


@pytest.mark.parametrize("count, size", [(3, 7), (7, 7), (20, 7), (1, 1)])
def test_every_row_is_drawn_equally_often_or_one_more_time(count, size):
    rows = shuffled_indices(count, size, 0)

    assert len(rows) == count
    assert np.ptp(np.bincount(rows, minlength=size)) <= 1


def test_each_pass_over_the_rows_is_complete_and_has_its_own_order():
    passes = shuffled_indices(30, 10, 4).reshape(3, 10)

    assert (np.sort(passes, axis=1) == np.arange(10)).all()
    assert len({tuple(order) for order in passes}) == 3


def test_the_order_of_rows_depends_on_the_path_of_its_seed_alone():
    first = shuffled_indices(10, 10, 4, 1)

    assert np.array_equal(first, shuffled_indices(10, 10, 4, 1))
    assert not np.array_equal(first, shuffled_indices(10, 10, 4, 2))


def test_a_given_seed_is_used_as_it_is():
    assert resolve_seed(0) == 0
    assert resolve_seed(7) == 7


def test_without_a_seed_every_run_draws_another_one():
    assert resolve_seed(None) != resolve_seed(None)


def test_numpy_integers_are_seeds():
    seed = resolve_seed(np.int64(7))

    assert seed == 7
    assert type(seed) is int


@pytest.mark.parametrize("seed", [-1, 0.5, "7", True, np.float64(1), np.int64(-1)])
def test_a_seed_that_is_not_a_whole_number_of_0_or_more_is_refused(seed):
    with pytest.raises(ValueError, match="seed must be a whole number of 0 or more"):
        resolve_seed(seed)


def test_the_history_has_a_figure_for_every_round():
    history = run(None)

    assert history.epoch == [-1, 0, 1, 2, 3]
    assert history.history["twice"] == [-2, 0, 2, 4, 6]
    assert np.isnan(history.history["nothing"]).all()


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("index", range(-1, 4))
def test_an_interrupted_run_resumes_after_its_last_checkpoint(tmp_path, index, every, where):
    whole = run(None)
    indices = []

    with pytest.raises(Interrupted):
        run(tmp_path, callbacks=[Interruption(index, where)], every=every)
    resumed = run(tmp_path, every=every, indices=indices)

    saved = [earlier for earlier in range(-1, index) if (earlier + 1) % every == 0]
    next_round = max(saved, default=-2) + 1
    assert indices == list(range(next_round, 4))
    assert resumed.epoch == whole.epoch
    assert resumed.history.keys() == whole.history.keys()
    assert resumed.history["third"] == whole.history["third"]


def test_more_rounds_extend_a_run_and_fewer_rounds_leave_it_as_it_is(tmp_path):
    indices = []

    first = run(tmp_path, last=2, every=9)
    longer = run(tmp_path, last=4, every=9, indices=indices)
    shorter = run(tmp_path, last=1, every=9, indices=indices)

    assert first.epoch == [-1, 0, 1]
    assert longer.epoch == shorter.epoch == [-1, 0, 1, 2, 3]
    assert indices == [2, 3]


def test_a_callback_that_stops_training_ends_the_run_after_its_round_and_that_round_is_saved(
    tmp_path,
):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    indices = []
    stopped = run(tmp_path, callbacks=[Stop()], every=9)
    resumed = run(tmp_path, every=9, indices=indices)

    assert stopped.epoch == [-1, 0, 1]
    assert resumed.epoch == [-1, 0, 1, 2, 3]
    assert indices == [2, 3]


def test_a_run_whose_state_says_that_it_is_finished_runs_no_further_round(tmp_path):
    def is_finished(run_state):
        return run_state.next_round == 2

    indices = []
    first = run(tmp_path, every=9, is_finished=is_finished)
    again = run(tmp_path, every=9, is_finished=is_finished, indices=indices)

    assert first.epoch == again.epoch == [-1, 0, 1]
    assert not indices


def test_callbacks_are_called_for_every_round_in_order():
    calls = []

    class Record(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            calls.append("begin")

        def on_epoch_begin(self, epoch, logs=None):
            calls.append(epoch)

        def on_epoch_end(self, epoch, logs=None):
            calls.append(logs["twice"])

        def on_train_end(self, logs=None):
            calls.append("end")

    run(None, last=1, callbacks=[Record()])

    assert calls == ["begin", -1, -2.0, 0, 0.0, "end"]


def test_one_writer_at_a_time_uses_a_folder_of_checkpoints(tmp_path):
    class Begin(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            run(tmp_path)

    with pytest.raises(ValueError, match="another process .* is writing this run"):
        run(tmp_path, callbacks=[Begin()])

    assert run(tmp_path).epoch == [-1, 0, 1, 2, 3]


def test_torn_tables_are_told_what_the_checkpoint_knows(tmp_path):
    class Table(keras.callbacks.Callback):
        def on_resume(self, rounds, history):
            self.told = rounds, history

    run(tmp_path, last=2)
    table = Table()
    run(tmp_path, last=2, callbacks=[table])

    rounds, history = table.told
    assert rounds == [-1, 0, 1]
    assert history["twice"] == [-2, 0, 2]
