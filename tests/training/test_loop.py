"""Rounds: seeds that are a matter of the place alone, fair row numbers, and books that survive a stop."""

import keras
import numpy as np
import pytest
from tiny_models import Interrupted, Interruption

from tfseqgan.training.checkpointing import Checkpoints, RunState
from tfseqgan.training.loop import run_rounds
from tfseqgan.training.seeding import derive_seed, resolve_seed, shuffled_indices


def run(folder, last=4, callbacks=(), every=1, first=-1, played=None, finished=None):
    """Plays rounds that do nothing but give their number; `played` collects them."""
    journal = RunState({"kind": "test"}, first)

    def play(number):
        if played is not None:
            played.append(number)
        return {"twice": 2.0 * number, "third": number / 3, "nothing": np.nan}

    options = {} if finished is None else {"finished": lambda: finished(journal)}
    return run_rounds(
        play,
        last,
        model=keras.Model(),
        journal=journal,
        checkpoints=Checkpoints(folder, journal),
        checkpoint_every=every,
        callbacks=callbacks,
        **options,
    )


def test_a_seed_depends_on_every_part_of_the_place_and_on_nothing_else():
    places = [
        (seed, purpose, number, step)
        for seed in range(3)
        for purpose in range(3)
        for number in range(4)
        for step in range(2)
    ]
    seeds = {derive_seed(*place) for place in places}
    assert len(seeds) == len(places)
    assert derive_seed(2**40, 1) != derive_seed(0, 1)
    assert derive_seed(5, 1, 2) == derive_seed(5, 1, 2) and all(
        0 <= word < 2**32 for seed in seeds for word in seed
    )


@pytest.mark.parametrize("count, size", [(3, 7), (7, 7), (20, 7), (1, 1)])
def test_every_row_comes_equally_often_but_for_one(count, size):
    rows = shuffled_indices(count, size, 0)
    assert len(rows) == count
    assert np.ptp(np.bincount(rows, minlength=size)) <= 1


def test_each_pass_is_complete_and_in_an_order_of_its_own():
    passes = shuffled_indices(30, 10, 4).reshape(3, 10)
    assert (np.sort(passes, axis=1) == np.arange(10)).all()
    assert len({tuple(order) for order in passes}) == 3
    assert not np.array_equal(shuffled_indices(10, 10, 4, 1), shuffled_indices(10, 10, 4, 2))
    assert np.array_equal(shuffled_indices(10, 10, 4, 1), shuffled_indices(10, 10, 4, 1))


def test_a_seed_is_taken_as_it_is_and_none_is_a_new_one():
    assert resolve_seed(0) == 0 and resolve_seed(7) == 7
    assert resolve_seed(None) != resolve_seed(None)
    for seed in (-1, 0.5, "7"):
        with pytest.raises(ValueError, match="seed must be a whole number of 0 or more"):
            resolve_seed(seed)


def test_the_history_has_a_figure_for_every_round():
    history = run(None)
    assert history.epoch == [-1, 0, 1, 2, 3]
    assert (
        history.history["twice"] == [-2, 0, 2, 4, 6] and np.isnan(history.history["nothing"]).all()
    )


@pytest.mark.parametrize("where", ["before", "behind"])
@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("number", range(-1, 4))
def test_an_interrupted_run_goes_on_as_if_nothing_had_been(tmp_path, number, every, where):
    whole, played = run(None), []
    with pytest.raises(Interrupted):
        run(tmp_path, callbacks=[Interruption(number, where)], every=every)
    resumed = run(tmp_path, every=every, played=played)
    assert resumed.epoch == whole.epoch
    assert (
        resumed.history["third"] == whole.history["third"]
        and resumed.history.keys() == whole.history.keys()
    )
    kept = [round_number for round_number in range(-1, number) if (round_number + 1) % every == 0]
    assert played == list(range(max(kept, default=-2) + 1, 4))


def test_more_rounds_extend_a_run_and_fewer_leave_it(tmp_path):
    assert run(tmp_path, last=2, every=9).epoch == [-1, 0, 1]
    played = []
    assert run(tmp_path, last=4, every=9, played=played).epoch == [-1, 0, 1, 2, 3] and played == [
        2,
        3,
    ]
    assert run(tmp_path, last=1, every=9, played=played).epoch == [-1, 0, 1, 2, 3] and played == [
        2,
        3,
    ]


def test_a_callback_that_stops_the_training_ends_it_behind_its_round_and_that_round_is_kept(
    tmp_path,
):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    assert run(tmp_path, callbacks=[Stop()], every=9).epoch == [-1, 0, 1]
    played = []
    assert run(tmp_path, every=9, played=played).epoch == [-1, 0, 1, 2, 3] and played == [2, 3]


def test_a_run_whose_books_say_that_it_is_finished_stays_so(tmp_path):
    def finished(journal):
        return journal.next_round == 2

    assert run(tmp_path, every=9, finished=finished).epoch == [-1, 0, 1]
    played = []
    assert (
        run(tmp_path, every=9, finished=finished, played=played).epoch == [-1, 0, 1] and not played
    )


def test_callbacks_hear_of_every_round_in_order():
    heard = []

    class Ear(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            heard.append("begin")

        def on_epoch_begin(self, epoch, logs=None):
            heard.append(epoch)

        def on_epoch_end(self, epoch, logs=None):
            heard.append(logs["twice"])

        def on_train_end(self, logs=None):
            heard.append("end")

    run(None, last=1, callbacks=[Ear()])
    assert heard == ["begin", -1, -2.0, 0, 0.0, "end"]
