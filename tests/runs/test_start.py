"""What a run starts from: it is trained on, recorded, found again, and refused if it changed."""

import dataclasses
import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tiny_runs import MODELS, TINY_WHOLE_TUNES, compose_folder, resume, shared_tunes, train

import tfseqgan as sg
from tfseqgan.datasets.synthetic import compose_tunes
from tfseqgan.datasets.windows import Windows
from tfseqgan.runs import finished_run, run_folder
from tfseqgan.runs.fine_tuning import FIXED_BY_START, settings_from_start
from tfseqgan.runs.settings import PRESETS, Settings
from tfseqgan.runs.start import (
    Start,
    check_other_folder,
    choose_start,
    hash_weights,
    open_start,
    start_of_run,
)
from tfseqgan.runs.train_run import make_models

slow = pytest.mark.slow


@pytest.fixture(scope="module")
def nottingham():
    """The shipped model as a start."""
    return open_start("nottingham")


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A finished run on whole tunes, which no test may change."""
    out = tmp_path_factory.mktemp("starts") / "first"
    train(out, shared_tunes(), dataclasses.replace(TINY_WHOLE_TUNES, epochs=1, rounds=0))

    return out


@pytest.fixture(scope="module")
def tuned(first, tmp_path_factory):
    """A run on other tunes that was fine-tuned from the first one, which no test may change."""
    tunes = compose_folder(tmp_path_factory.mktemp("data") / "others", seed=1, num_tunes=9)
    given = {"num_tunes": 2, "filters": 2, "kernel_sizes": (1, 2), "epochs": 2}
    settings = settings_from_start("default", given, run_folder.read_config(first)[0], str(first))
    out = tmp_path_factory.mktemp("runs") / "tuned"
    train(out, tunes, settings, init=first)

    return out


# ---- the weights


@slow
@pytest.mark.serving
def test_the_shipped_model_gives_the_log_probabilities_of_its_served_sampler(nottingham):
    tokens = nottingham.tokenizer.encode(compose_tunes(1, 0)[0])
    served = sg.SavedSampler("nottingham").signatures["score"](tokens=tf.constant(tokens[None]))
    generator = make_models_of(nottingham)
    nottingham.give_weights(generator)

    found = generator.token_log_probs(tf.constant(tokens[None]))

    np.testing.assert_allclose(found, served["log_probs"], rtol=1e-6, atol=1e-5)
    assert float(tf.reduce_sum(found)) == pytest.approx(
        float(tf.reduce_sum(served["log_probs"])), rel=1e-6
    )


def make_models_of(start):
    """Returns an untrained generator as a run that starts from a model makes it."""
    rows = start.tokenizer.whole_tunes(compose_tunes(3, 0), 400).tokens
    data = Windows(start.tokenizer, rows, rows, "mine", "0f")

    return make_models(data, start.settings)[0]


@slow
def test_a_run_makes_the_very_network_of_the_shipped_model(nottingham):
    made = make_models_of(nottingham).get_config()
    trained = nottingham.generator.get_config()

    for name in trained.keys() - {"name", "dtype"}:
        np.testing.assert_array_equal(made[name], trained[name], err_msg=name)


@slow
def test_a_start_gives_its_weights_and_not_the_variables_that_hold_them(first):
    start = open_start(first)
    generator = make_models_of(start)
    before = hash_weights(generator)

    start.give_weights(generator)

    assert before != hash_weights(generator) == hash_weights(start.generator)
    generator.weights[0].assign(generator.weights[0] + 1)
    assert hash_weights(generator) != start.record()["sha256"]


# ---- what is recorded, and resuming


@slow
def test_a_fine_tuned_run_records_its_start_and_has_its_vocabulary(first, tuned):
    opened = run_folder.open_run(tuned)
    generator = run_folder.load_model(first, "generator")

    assert opened.config["start"] == {"model": str(first), "sha256": hash_weights(generator)}
    ours, theirs = (run_folder.open_run(run).load_tokenizer() for run in (tuned, first))
    assert ours.events == theirs.events
    assert ours.controls.metres == theirs.controls.metres
    assert ours.options == theirs.options
    assert len(ours.controls.tunes) < 9  # it draws from its own training tunes
    assert hash_weights(opened.load_model("generator")) != hash_weights(generator)
    assert finished_run.evaluate_run(tuned) == opened.load_evaluation()


@slow
@pytest.mark.parametrize("lost", ["ckpt-2*", "*"], ids=["the last epoch", "all epochs"])
def test_a_fine_tuned_run_that_was_stopped_resumes_to_the_same_bits(tuned, tmp_path, lost, caplog):
    stopped = Path(shutil.copytree(tuned, tmp_path / "stopped"))
    for path in (stopped / "checkpoints" / "pretraining").glob(lost):
        path.unlink()
    for name in MODELS:
        (stopped / f"{name}.keras").unlink(missing_ok=True)

    resume(stopped)

    assert "adversarial holds no checkpoint" not in caplog.text  # it has no rounds
    for name in ("pretrained", "generator"):
        ours, theirs = (run_folder.load_model(run, name) for run in (tuned, stopped))
        assert hash_weights(ours) == hash_weights(theirs)
    for name in ("pretraining.csv", "evaluation.json", "outcome.json", "config.json"):
        assert (stopped / name).read_bytes() == (tuned / name).read_bytes(), name


@slow
def test_a_start_that_has_changed_is_refused_when_the_run_is_resumed(tuned):
    settings, config = run_folder.read_config(tuned)
    assert start_of_run(None, settings, config).record() == config["start"]

    changed = config | {"start": config["start"] | {"sha256": "0" * 64}}
    with pytest.raises(ValueError, match="has changed: expected weights of sha256 000.*received"):
        start_of_run(None, settings, changed)


def test_a_start_that_is_gone_is_asked_for_by_its_path_when_the_run_is_resumed(tmp_path):
    config = {"start": {"model": str(tmp_path / "gone"), "sha256": "0" * 64}}

    with pytest.raises(ValueError, match="is needed to resume it: .* Put .*gone back, or start a"):
        start_of_run(None, TINY_WHOLE_TUNES, config)


@slow
def test_the_outcome_of_a_fine_tuned_run_compares_it_with_its_start(first, tuned):
    outcome = run_folder.read_json(tuned / "outcome.json")

    assert outcome["start"] == str(first)
    assert outcome["num_epochs"] == 2
    assert outcome["num_held_out"] == 1
    assert outcome["nats"] != outcome["start_nats"] > 0
    assert 0 < outcome["replaced"] < 1
    assert outcome["sentences"][0].startswith("A held-out tune costs ")


# ---- what is refused


@slow
def test_settings_of_another_network_are_refused_before_the_folder_is_made(first, tmp_path):
    settings = dataclasses.replace(TINY_WHOLE_TUNES, units=9)

    with pytest.raises(ValueError, match="expected units 8, received units 9"):
        train(tmp_path / "run", shared_tunes(), settings, init=first)

    assert not (tmp_path / "run").exists()


def test_a_run_may_not_replace_the_model_that_it_starts_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = Start(str(tmp_path / "mine"), None, None, Settings())

    with pytest.raises(ValueError, match="--init and --out are both runs/../mine; expected two"):
        check_other_folder(mine, Path("runs/../mine"))

    for other in ("other", "nottingham"):
        check_other_folder(mine, Path(other))
        check_other_folder(Start("nottingham", None, None, Settings()), Path(other))


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no trained model; expected .* nottingham, or none"):
        open_start(tmp_path)


def test_a_sampler_that_does_not_say_how_it_was_trained_is_refused(tmp_path):
    version = tmp_path / "1"
    (version / "assets.extra").mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"")
    (version / "assets.extra" / "card.json").write_text("{}")

    with pytest.raises(ValueError, match="does not say how the model was trained"):
        open_start(tmp_path)


# ---- what is chosen


def test_a_small_folder_is_fine_tuned_from_the_shipped_model_and_that_is_said(caplog):
    caplog.set_level(logging.INFO, "tfseqgan")

    init, settings = choose_start(None, None, str(shared_tunes()), {"epochs": 2})

    assert init == "nottingham"
    assert (settings.epochs, settings.kept_aside_fraction) == (2, 0.1)
    [said] = [record.getMessage() for record in caplog.records]
    assert "holds fewer than 300 tunes" in said
    assert "starts from the model 'nottingham'" in said
    assert "--init none" in said


@pytest.mark.parametrize(
    "init, preset, given",
    [("none", None, {}), (None, "paper", {}), ("none", "quick", {}), (None, None, {"units": 9})],
)
def test_a_small_folder_is_not_fine_tuned_where_something_else_was_asked_for(init, preset, given):
    chosen = choose_start(init, preset, str(shared_tunes()), given)

    assert chosen == (None, dataclasses.replace(PRESETS[preset or "default"], **given))


def test_a_setting_that_keeps_a_small_folder_from_fine_tuning_is_named(caplog):
    caplog.set_level(logging.INFO, "tfseqgan")

    choose_start(None, "quick", str(shared_tunes()), {"units": 9, "epochs": 1})

    [said] = [record.getMessage() for record in caplog.records]
    assert "starts from random weights" in said
    assert "has no such units." in said


@pytest.mark.parametrize("data_path", [None, "tokens.npz"])
def test_data_that_is_no_folder_of_midi_files_is_not_fine_tuned_by_default(data_path):
    assert choose_start(None, None, data_path, {}) == (None, PRESETS["default"])


def test_any_data_is_fine_tuned_where_a_start_is_asked_for():
    init, settings = choose_start("nottingham", "quick", None, {})

    assert init == "nottingham"
    assert settings.generator == "attention"


def test_a_folder_of_tunes_does_not_hide_the_shipped_model_of_its_name(tmp_path, monkeypatch):
    shutil.copytree(shared_tunes(), tmp_path / "nottingham")
    monkeypatch.chdir(tmp_path)

    init, settings = choose_start(None, None, "nottingham", {})

    assert init == "nottingham"
    assert choose_start("nottingham", None, None, {})[1] == settings


def test_the_card_of_the_shipped_model_says_what_fixes_the_settings():
    shipped = Path(__file__).parents[2] / "saved_models" / "nottingham"
    card = max(shipped.glob("*/assets.extra/card.json"))

    _, settings = choose_start("nottingham", None, None, {})

    saved = json.loads(card.read_text(encoding="utf-8"))["settings"]
    assert {name: getattr(settings, name) for name in FIXED_BY_START} == {
        name: saved[name] for name in FIXED_BY_START
    }


def test_a_run_from_random_weights_has_no_start():
    for init in (None, "none"):
        assert start_of_run(init, TINY_WHOLE_TUNES, None) is None
    assert start_of_run("nottingham", TINY_WHOLE_TUNES, {"settings": {}}) is None
