"""Claims about tfseqgan.training.pretraining: maximum likelihood by `pretrain`.

A run repeats, resumes after a stop, keeps the weights of its best epoch, and ends when patience
does.
"""

import keras
import numpy as np
import pytest
from tiny_models import (
    Interrupted,
    Interruption,
    V,
    assert_same,
    make_generator,
    make_tokens,
    snapshot,
)

import tfseqgan as sg
from tfseqgan.evaluation.evaluate import mean_nll

TRAIN = make_tokens(0, 7)
VALID = make_tokens(1, 5)


def train(folder=None, callback=None, *, weights_seed=1, learning_rate=None, **options):
    """Trains a fresh generator, with a falling learning rate unless one is given.

    Returns:
        Its snapshot and the figures.
    """
    if learning_rate is None:
        learning_rate = keras.optimizers.schedules.CosineDecay(0.1, 15)
    generator = make_generator(weights_seed)
    generator.compile(keras.optimizers.Adam(learning_rate))
    defaults = {"epochs": 5, "validation_data": VALID, "seed": 3}

    history = sg.pretrain(
        generator,
        TRAIN,
        batch_size=3,
        checkpoint_dir=folder,
        callbacks=[] if callback is None else [callback],
        verbose=0,
        **defaults | options,
    )

    return snapshot(generator), {"epoch": history.epoch} | history.history


def assert_runs_equal(first, second):
    """Asserts that weights and figures agree to the last bit."""
    assert_same(first[0], second[0])
    assert_same(first[1], second[1])


@pytest.fixture(scope="module")
def whole_run():
    """A run that nothing interrupts."""
    return train()


@pytest.mark.slow
def test_a_seed_repeats_bit_for_bit_and_another_seed_differs(whole_run):
    assert_runs_equal(whole_run, train())
    assert whole_run[1]["nll"] != train(seed=4)[1]["nll"]


@pytest.mark.slow
@pytest.mark.parametrize("every, epochs", [(1, range(5)), (2, [2, 3])])
def test_a_run_interrupted_in_every_epoch_resumes_bit_for_bit(tmp_path, every, epochs, whole_run):
    resumes = False
    for epoch in epochs:
        # The generator of a resumed run has other weights, which the checkpoint must replace.
        resumes = any(tmp_path.glob("*.index"))
        interruption = Interruption(epoch, "after" if epoch % 2 else "before")
        with pytest.raises(Interrupted):
            train(
                tmp_path,
                interruption,
                weights_seed=20 if resumes else 1,
                checkpoint_every=every,
            )
    assert resumes

    resumed = train(tmp_path, weights_seed=30, checkpoint_every=every)

    assert_runs_equal(whole_run, resumed)


@pytest.mark.slow
def test_more_epochs_extend_a_run(tmp_path, whole_run):
    train(tmp_path, epochs=2)

    assert_runs_equal(whole_run, train(tmp_path, weights_seed=9))


def test_training_lowers_the_nll_and_reports_that_of_the_validation_data_exactly():
    generator = make_generator(dropout=0.0)
    generator.compile(keras.optimizers.Adam(0.05))
    before = mean_nll(generator, TRAIN)

    history = sg.pretrain(
        generator, TRAIN, epochs=6, batch_size=3, validation_data=TRAIN, seed=0, verbose=0
    )

    after = mean_nll(generator, TRAIN)
    assert after < before - 0.3
    np.testing.assert_allclose(min(history.history["val_nll"]), after, rtol=1e-6)


def overfit(folder=None, patience=None, interruption=None):
    """Trains with a learning rate so large that the validation NLL soon rises.

    Returns:
        The snapshot of the generator, the history, and the generator's own validation NLL.
    """
    generator = make_generator(dropout=0.0)
    generator.compile(keras.optimizers.Adam(0.3))

    history = sg.pretrain(
        generator,
        TRAIN,
        epochs=12,
        batch_size=3,
        validation_data=VALID,
        patience=patience,
        checkpoint_dir=folder,
        callbacks=[] if interruption is None else [interruption],
        seed=0,
        verbose=0,
    )

    return snapshot(generator), history, mean_nll(generator, VALID)


@pytest.fixture(scope="module")
def overfitted_run():
    """A run with a large learning rate, without patience."""
    return overfit()


@pytest.mark.slow
def test_a_run_ends_with_the_weights_of_its_best_epoch(overfitted_run):
    _, history, nll = overfitted_run
    nlls = history.history["val_nll"]

    assert np.argmin(nlls) < len(nlls) - 1
    np.testing.assert_allclose(nll, min(nlls), rtol=1e-6)


@pytest.mark.slow
def test_without_validation_data_a_run_ends_with_its_last_weights():
    weights, figures = train(validation_data=None)
    shorter_weights, _ = train(validation_data=None, epochs=4)

    assert figures.keys() == {"epoch", "nll"}
    assert not np.array_equal(weights[0], shorter_weights[0])


@pytest.mark.slow
@pytest.mark.parametrize("patience", [1, 3])
def test_patience_ends_a_run_so_many_epochs_after_the_best(overfitted_run, patience):
    nlls = overfitted_run[1].history["val_nll"]
    best = [int(np.argmin(nlls[: epoch + 1])) for epoch in range(len(nlls))]
    last = next(epoch for epoch in range(len(nlls)) if epoch - best[epoch] >= patience)

    _, history, _ = overfit(patience=patience)

    assert history.epoch[-1] == last < 11
    assert history.history["val_nll"] == nlls[: last + 1]


@pytest.mark.slow
def test_patience_counts_over_an_interruption_and_a_run_that_it_ended_stays_ended(tmp_path):
    weights, history, _ = overfit(patience=2)
    assert len(history.epoch) < 12

    with pytest.raises(Interrupted):
        overfit(tmp_path, patience=2, interruption=Interruption(history.epoch[-1]))

    for _ in range(2):
        resumed_weights, resumed, _ = overfit(tmp_path, patience=2)
        assert resumed.epoch == history.epoch
        assert_same(weights, resumed_weights)


@pytest.mark.slow
def test_every_sequence_is_used_once_an_epoch_and_the_last_batch_takes_those_that_are_left():
    generator = make_generator(dropout=0.0)
    expected = {
        1: np.mean([mean_nll(generator, row[None]) for row in TRAIN]),
        7: mean_nll(generator, TRAIN),
    }

    def nll_of_an_epoch(batch_size):
        generator.compile(keras.optimizers.SGD(0.0))
        history = sg.pretrain(generator, TRAIN, epochs=1, batch_size=batch_size, seed=0, verbose=0)
        return history.history["nll"][0]

    for batch_size, nll in expected.items():
        np.testing.assert_allclose(nll_of_an_epoch(batch_size), nll, rtol=1e-5)
    assert np.isfinite(nll_of_an_epoch(3))


@pytest.mark.slow
def test_divergence_stops_a_run_and_its_last_checkpoint_is_finite(tmp_path):
    class Diverge(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.optimizer.learning_rate.assign(np.inf)

    message = "Training diverged in epoch 2.*last checkpoint is intact"
    with pytest.raises(FloatingPointError, match=message):
        train(tmp_path, Diverge(), learning_rate=0.05)

    weights, figures = train(tmp_path, learning_rate=0.05)

    assert figures["epoch"] == list(range(5))
    assert all(np.isfinite(weight).all() for weight in weights)


@pytest.mark.slow
@pytest.mark.parametrize(
    "message, options",
    [
        ("batch_size is 8 and the data holds 7 sequences; expected 1 to 7", {"batch_size": 8}),
        ("batch_size is 0 and the data holds 7 sequences", {"batch_size": 0}),
        (
            "data holds tokens from 0 to 9, expected 0 to 8",
            {"data": np.where(TRAIN < V - 1, TRAIN, V)},
        ),
        ("validation_data must be integer tokens", {"validation_data": VALID / 2}),
        (
            "checkpoint_every must be a whole number of 1 or more, received 0",
            {"checkpoint_every": 0},
        ),
        ("patience must be a whole number of 1 or more, received 0", {"patience": 0}),
        ("seed must be a whole number of 0 or more", {"seed": -1}),
    ],
)
def test_options_that_are_out_of_range_are_refused_by_name(message, options):
    generator = make_generator()
    generator.compile("adam")
    defaults = {"data": TRAIN, "batch_size": 3, "epochs": 1, "verbose": 0}

    with pytest.raises(ValueError, match=message):
        sg.pretrain(generator, **defaults | options)


@pytest.mark.slow
def test_numpy_integers_are_taken_as_pythons_own(whole_run):
    seed = train(epochs=np.int64(5), seed=np.int64(3), patience=np.int32(9))

    assert_runs_equal(whole_run, seed)


def test_a_generator_that_is_not_compiled_is_refused_with_the_remedy():
    message = r"The generator is not compiled.*Call generator.compile\('adam'\) first"

    with pytest.raises(ValueError, match=message):
        sg.pretrain(make_generator(), TRAIN, batch_size=3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "message, options",
    [
        ("seed: saved 3, now 4", {"seed": 4}),
        ("validation_data_checksum: saved [0-9]+, now None", {"validation_data": None}),
    ],
)
def test_a_run_is_not_resumed_with_other_settings(tmp_path, message, options):
    train(tmp_path, epochs=1)

    with pytest.raises(ValueError, match=message):
        train(tmp_path, **options)


def averaging_run(folder=None, callback=None, **options):
    """Trains a generator whose optimizer averages its weights; returns it and its history."""
    generator = make_generator(1)
    generator.compile(sg.Adam(0.05, use_ema=True, ema_momentum=0.7, weight_decay=0.1))
    history = sg.pretrain(
        generator,
        TRAIN,
        checkpoint_dir=folder,
        callbacks=[] if callback is None else [callback],
        verbose=0,
        seed=3,
        **{"epochs": 4, "batch_size": 3} | options,
    )

    return generator, history


def test_a_run_ends_with_the_average_of_its_weights_over_the_steps():
    steps = []

    class Record(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            steps.append([weight.numpy() for weight in self.model.trainable_variables])

    generator, _ = averaging_run(callback=Record(), batch_size=7)  # a step an epoch

    average = steps[0]
    for weights in steps[1:]:
        average = [0.7 * old + 0.3 * new for old, new in zip(average, weights, strict=True)]
    for weight, expected in zip(generator.trainable_variables, average, strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-6)


def test_the_average_is_what_is_validated():
    generator, history = averaging_run(epochs=1, validation_data=VALID)

    assert mean_nll(generator, VALID) == history.history["val_nll"][0]


@pytest.mark.slow
def test_an_averaging_run_interrupted_in_every_epoch_resumes_bit_for_bit(tmp_path):
    whole, whole_history = averaging_run(validation_data=VALID)
    for epoch in range(4):
        with pytest.raises(Interrupted):
            averaging_run(tmp_path, Interruption(epoch, "before"), validation_data=VALID)

    resumed, history = averaging_run(tmp_path, validation_data=VALID)

    assert_same(snapshot(whole), snapshot(resumed))
    assert history.history == whole_history.history
