"""A discriminator trained to convergence: its odds are true, its best epoch is kept, it resumes."""

import keras
import numpy as np
import pytest
from tiny_models import V, make_discriminator, make_generator

from tfseqgan.models.state_discriminator import StateDiscriminator
from tfseqgan.training import discriminator_training
from tfseqgan.training.discriminator_training import RealAndGenerated, fit_discriminator

P_REAL = np.array([0.5, 0.3, 0.2])
P_GENERATED = np.array([0.1, 0.3, 0.6])
TOKENS = (4, 6, 8)


def make_compiled(kind):
    """Returns a compiled tiny discriminator."""
    if kind == "cnn":
        discriminator = make_discriminator(dropout=0.1)
    else:
        keras.utils.set_random_seed(4)
        sizes = {"hidden_dim": 6, "filters": 4, "kernel_sizes": (1,), "dropout": 0.1}
        discriminator = StateDiscriminator(make_generator(), **sizes)
    discriminator.compile(keras.optimizers.Adam(0.02))

    return discriminator


def draw(count, seed):
    """Draws sequences whose second token tells how likely each kind is; the first one is 3."""
    rng = np.random.default_rng(seed)
    kinds = []
    for probabilities in (P_REAL, P_GENERATED):
        second = rng.choice(TOKENS, size=count, p=probabilities)
        kinds.append(np.stack([np.full(count, 3), second, np.full(count, 2)], axis=1))

    return RealAndGenerated(*kinds)


@pytest.mark.parametrize("kind", ["cnn", "states"])
def test_the_odds_are_those_of_the_two_distributions(kind):
    discriminator = make_compiled(kind)

    history = fit_discriminator(
        discriminator, draw(1500, 0), draw(6000, 1), max_epochs=12, seed=0, verbose=0
    )

    found = discriminator(np.array([[3, token, 2] for token in TOKENS])).numpy()
    # Of 6,000 draws each: standard errors of the log odds below 0.05.
    np.testing.assert_allclose(found, np.log(P_REAL / P_GENERATED), atol=0.2)
    assert history.history["mean_odds"][-1] == pytest.approx(1.0, abs=0.05)
    weights = P_REAL / P_GENERATED
    effective_share = 1 / (P_GENERATED * weights**2).sum()
    assert history.history["effective_share"][-1] == pytest.approx(effective_share, abs=0.1)


@pytest.mark.parametrize("kind", ["cnn", "states"])
def test_the_loss_is_half_of_whole_sequences_and_half_of_their_prefixes(kind):
    discriminator = make_compiled(kind)
    discriminator.dropout.rate = 0.0
    tokens = np.random.default_rng(0).integers(3, V, size=(5, 40)).astype(np.int32)
    labels = np.array([1.0, 0.05, 0.9, 0.0, 1.0], np.float32)
    logits = [discriminator(tokens[:, :length]).numpy() for length in (16, 32, 40)]
    losses = [np.logaddexp(0, column) - labels * column for column in logits]  # float [5] each

    of_weights = float(sum(discriminator.losses))  # of the output layer, of the CNN's alone

    step = discriminator_training._make_step(discriminator)
    found = step(discriminator.read(tokens), labels)

    expected = (np.mean(losses[-1]) + np.mean(losses)) / 2 + of_weights
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_it_stops_when_it_learns_no_more_and_keeps_its_best_epoch(monkeypatch):
    discriminator = make_compiled("cnn")
    entropies = iter([0.7, 0.5, 0.6, 0.55, 0.4])
    weights = []

    def validate(run):
        weights.append([np.array(weight) for weight in run.discriminator.trainable_variables])
        return {"val_cross_entropy": next(entropies)}

    monkeypatch.setattr(discriminator_training._DiscriminatorEpochs, "validate", validate)
    monkeypatch.setattr(discriminator_training, "_SHOWN", ["loss"])
    monkeypatch.setattr(discriminator, "scale_logits", lambda scale, shift: None)
    data = draw(20, 0)

    history = fit_discriminator(discriminator, data, data, patience=2, batch_size=8, verbose=0)

    assert history.history["val_cross_entropy"] == [0.7, 0.5, 0.6, 0.55]
    for found, best in zip(discriminator.trainable_variables, weights[1], strict=True):
        np.testing.assert_array_equal(found, best)


def give_entropies(monkeypatch, entropies):
    """Sets the cross-entropy of each epoch."""
    run = discriminator_training._DiscriminatorEpochs.run
    validate = discriminator_training._DiscriminatorEpochs.validate
    epochs = []

    def run_and_note(self, epoch, earlier):
        epochs.append(epoch)
        return run(self, epoch, earlier)

    monkeypatch.setattr(discriminator_training._DiscriminatorEpochs, "run", run_and_note)
    monkeypatch.setattr(
        discriminator_training._DiscriminatorEpochs,
        "validate",
        lambda self: validate(self) | {"val_cross_entropy": entropies[epochs[-1]]},
    )


def test_a_stopped_run_resumes_to_the_bit(tmp_path, monkeypatch):
    # The first epoch is the best, so that the resumed run must have kept it.
    give_entropies(monkeypatch, [0.1, 0.3, 0.2, 0.4])
    data, kept_back = draw(30, 0), draw(10, 1)
    options = {"batch_size": 8, "patience": 9, "seed": 5, "verbose": 0}
    whole = make_compiled("states")
    expected = fit_discriminator(whole, data, kept_back, max_epochs=4, **options)

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    stopped = make_compiled("states")
    with pytest.raises(KeyboardInterrupt):
        fit_discriminator(
            stopped,
            data,
            kept_back,
            max_epochs=4,
            checkpoint_dir=tmp_path,
            callbacks=[Stop()],
            **options,
        )
    resumed = make_compiled("states")
    history = fit_discriminator(
        resumed, data, kept_back, max_epochs=4, checkpoint_dir=tmp_path, **options
    )

    assert history.history == expected.history
    assert history.history["val_cross_entropy"] == [0.1, 0.3, 0.2, 0.4]
    for found, weight in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(found, weight)


@pytest.mark.parametrize("kind", ["cnn", "states"])
def test_scaled_logits_are_on_the_line(kind):
    discriminator = make_compiled(kind)
    tokens = draw(5, 2).real
    before = discriminator(tokens).numpy()

    discriminator.scale_logits(0.5, -2.0)

    np.testing.assert_allclose(discriminator(tokens), 0.5 * before - 2.0, rtol=1e-5)


def test_sequences_of_one_kind_alone_are_refused():
    data = draw(20, 0)
    empty = data._replace(generated=np.zeros((0, 3), np.int32))

    with pytest.raises(ValueError, match=r"kept_back\.generated .* with one sequence or more"):
        fit_discriminator(make_compiled("cnn"), data, empty, batch_size=8)


def test_a_share_of_smoothing_out_of_range_is_refused():
    data = draw(20, 0)

    for share in (-0.1, 1.0):
        with pytest.raises(ValueError, match=f"label_smoothing is {share}; expected a number"):
            fit_discriminator(make_compiled("cnn"), data, data, batch_size=8, label_smoothing=share)


def test_kinds_of_different_lengths_are_read_alike_if_all_end_and_refused_otherwise():
    data = draw(20, 0)
    longer = data._replace(generated=np.pad(data.generated, [(0, 0), (0, 4)]))
    options = {"max_epochs": 2, "batch_size": 8, "seed": 0, "verbose": 0}

    of_longer = fit_discriminator(make_compiled("cnn"), longer, longer, **options)
    expected = fit_discriminator(make_compiled("cnn"), data, data, **options)

    assert of_longer.history["val_auc"] == pytest.approx(expected.history["val_auc"], abs=1e-6)
    without_end = longer._replace(real=np.full((20, 3), 4))
    with pytest.raises(ValueError, match="padding would tell them apart"):
        fit_discriminator(make_compiled("cnn"), without_end, data, **options)
