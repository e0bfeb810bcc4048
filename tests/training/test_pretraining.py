"""Maximum likelihood by `pretrain`: it repeats, goes on after a stop, keeps its best epoch, and ends when patience does."""

import keras
import numpy as np
import pytest
from tiny_models import (
    Interrupted,
    Interruption,
    assert_same,
    make_generator,
    make_tokens,
    snapshot,
)

import tfseqgan as sg
from tfseqgan.evaluation.evaluate import mean_nll

TRAIN, VALID = make_tokens(0, 7), make_tokens(1, 5)


def train(folder=None, interruption=None, *, weights_seed=1, learning_rate=None, **options):
    """Trains a fresh generator, by a falling learning rate unless one is given; returns all that it holds and the figures."""
    generator = make_generator(weights_seed)
    generator.compile(
        keras.optimizers.Adam(learning_rate or keras.optimizers.schedules.CosineDecay(0.1, 15))
    )
    options = {"epochs": 5, "validation_data": VALID, "seed": 3} | options
    history = sg.pretrain(
        generator,
        TRAIN,
        batch_size=3,
        checkpoint_dir=folder,
        callbacks=[interruption] if interruption else [],
        verbose=0,
        **options,
    )
    return snapshot(generator), {"epoch": history.epoch} | history.history


@pytest.fixture(scope="module")
def whole():
    """The run that nothing interrupted."""
    return train()


def test_a_seed_repeats_bit_for_bit_and_another_differs(whole):
    again, other = train(), train(seed=4)
    assert_same(whole[0], again[0]), assert_same(whole[1], again[1])
    assert whole[1]["nll"] != other[1]["nll"]


@pytest.mark.parametrize("every, epochs", [(1, range(5)), (2, [2, 3])])
def test_a_run_interrupted_at_every_epoch_goes_on_bit_for_bit(tmp_path, every, epochs, whole):
    for epoch in epochs:
        resumes = any(
            tmp_path.glob("*.index")
        )  # a generator that goes on has weights of its own, which the checkpoint must replace
        interruption = Interruption(epoch, "behind" if epoch % 2 else "before")
        with pytest.raises(Interrupted):
            train(tmp_path, interruption, weights_seed=20 if resumes else 1, checkpoint_every=every)
    assert resumes
    weights, figures = train(tmp_path, weights_seed=30, checkpoint_every=every)
    assert_same(whole[0], weights), assert_same(whole[1], figures)


def test_more_epochs_extend_a_run(tmp_path, whole):
    train(tmp_path, epochs=2)
    weights, figures = train(tmp_path, weights_seed=9)
    assert_same(whole[0], weights), assert_same(whole[1], figures)


def test_it_lowers_the_nll_and_reports_that_of_the_validation_data_exactly():
    generator = make_generator(dropout=0.0)
    generator.compile(keras.optimizers.Adam(0.05))
    before = mean_nll(generator, TRAIN)
    history = sg.pretrain(
        generator, TRAIN, epochs=6, batch_size=3, validation_data=TRAIN, seed=0, verbose=0
    ).history
    assert mean_nll(generator, TRAIN) < before - 0.3
    np.testing.assert_allclose(min(history["val_nll"]), mean_nll(generator, TRAIN), rtol=1e-6)


def overfit(folder=None, patience=None, interruption=None):
    """Trains with so large a rate that the validation NLL turns up soon; returns the generator's own NLL too."""
    generator = make_generator(dropout=0.0)
    generator.compile(keras.optimizers.Adam(0.3))
    callbacks = [interruption] if interruption else []
    options = {"patience": patience, "epochs": 12, "checkpoint_dir": folder, "callbacks": callbacks}
    history = sg.pretrain(
        generator, TRAIN, batch_size=3, validation_data=VALID, seed=0, verbose=0, **options
    )
    return snapshot(generator), history, mean_nll(generator, VALID)


@pytest.fixture(scope="module")
def overfitted():
    """The run with so large a rate, without patience."""
    return overfit()


def test_it_ends_with_the_weights_of_its_best_epoch(overfitted):
    _, history, nll = overfitted
    nlls = history.history["val_nll"]
    assert np.argmin(nlls) < len(nlls) - 1
    np.testing.assert_allclose(nll, min(nlls), rtol=1e-6)


def test_without_validation_data_it_ends_with_its_last_weights():
    weights, figures = train(validation_data=None)
    assert figures.keys() == {"epoch", "nll"}
    again, _ = train(validation_data=None, epochs=4)
    assert not np.array_equal(weights[0], again[0])


def test_patience_ends_it_so_many_epochs_behind_the_best(overfitted):
    nlls = overfitted[1].history["val_nll"]
    best = [int(np.argmin(nlls[: epoch + 1])) for epoch in range(len(nlls))]
    for patience in (1, 3):
        ends = next(
            (epoch for epoch in range(len(nlls)) if epoch - best[epoch] >= patience), len(nlls) - 1
        )
        history = overfit(patience=patience)[1]
        assert history.epoch[-1] == ends < 11 and history.history["val_nll"] == nlls[: ends + 1]


def test_patience_counts_over_an_interruption_and_what_it_ended_stays_ended(tmp_path):
    weights, history, _ = overfit(patience=2)
    assert len(history.epoch) < 12
    with pytest.raises(Interrupted):
        overfit(tmp_path, patience=2, interruption=Interruption(history.epoch[-1]))
    for _ in range(2):
        again, resumed, _ = overfit(tmp_path, patience=2)
        assert resumed.epoch == history.epoch
        assert_same(weights, again)


def test_the_last_batch_of_an_epoch_takes_what_is_left_and_every_sequence_is_used_once():
    generator = make_generator(dropout=0.0)
    generator.compile(keras.optimizers.SGD(0.0))
    nll = sg.pretrain(generator, TRAIN, epochs=1, batch_size=3, seed=0, verbose=0).history["nll"][0]
    generator.compile(keras.optimizers.SGD(0.0))
    alone = sg.pretrain(generator, TRAIN, epochs=1, batch_size=1, seed=0, verbose=0).history["nll"][
        0
    ]
    np.testing.assert_allclose(
        alone, np.mean([mean_nll(generator, row[None]) for row in TRAIN]), rtol=1e-5
    )
    assert np.isfinite(nll)


def test_divergence_stops_it_before_a_checkpoint_is_spoilt(tmp_path):
    class Blow(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.optimizer.learning_rate.assign(np.inf)

    with pytest.raises(
        FloatingPointError, match="Training diverged in epoch 2.*last checkpoint is intact"
    ):
        train(tmp_path, Blow(), learning_rate=0.05)
    weights, figures = train(tmp_path, learning_rate=0.05)
    assert all(np.isfinite(weight).all() for weight in weights) and figures["epoch"] == list(
        range(5)
    )


@pytest.mark.parametrize(
    "message, options",
    [
        ("batch_size is 8 and the data holds 7 sequences; expected 1 to 7", {"batch_size": 8}),
        ("batch_size is 0 and the data holds 7 sequences", {"batch_size": 0}),
        (
            "data holds tokens from 0 to 9, expected 0 to 8",
            {"data": TRAIN + (TRAIN == TRAIN.max())},
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
def test_what_cannot_be_trained_on_is_named(message, options):
    generator = make_generator()
    generator.compile("adam")
    with pytest.raises(ValueError, match=message):
        sg.pretrain(
            generator, **{"data": TRAIN, "batch_size": 3, "epochs": 1, "verbose": 0} | options
        )


def test_an_uncompiled_generator_is_told_what_to_do():
    with pytest.raises(
        ValueError, match=r"The generator is not compiled.*Call generator.compile\('adam'\) first"
    ):
        sg.pretrain(make_generator(), TRAIN, batch_size=3)


@pytest.mark.parametrize(
    "message, options",
    [
        ("seed: saved 3, now 4", {"seed": 4}),
        ("validation_data_checksum: saved [0-9]+, now None", {"validation_data": None}),
    ],
)
def test_a_run_with_other_settings_is_not_gone_on_with(tmp_path, message, options):
    train(tmp_path, epochs=1)
    with pytest.raises(ValueError, match=message):
        train(tmp_path, **options)
