"""The settings of a run that starts from a trained model, and when that is the default."""

import dataclasses
from pathlib import Path

import pytest
from tiny_runs import TINY_DEFAULT, shared_tunes

from tfseqgan.runs import fine_tuning
from tfseqgan.runs.fine_tuning import (
    FINE_TUNING,
    FIXED_BY_START,
    SMALL_FOLDER,
    check_settings,
    is_small_folder,
    settings_from_start,
)
from tfseqgan.runs.settings import PRESETS, Settings


def from_start(preset="default", **given):
    return settings_from_start(preset, given, TINY_DEFAULT, "runs/mine")


@pytest.mark.parametrize("preset", ["quick", "default"])
def test_a_fine_tuned_run_has_the_network_and_the_vocabulary_of_its_start(preset):
    settings = from_start(preset)

    for name in FIXED_BY_START:
        assert getattr(settings, name) == getattr(TINY_DEFAULT, name), name
    assert settings.length == TINY_DEFAULT.length
    assert settings.seed == 0 != TINY_DEFAULT.seed
    assert settings.filters == PRESETS[preset].filters


def test_a_fine_tuned_run_learns_as_fine_tuning_says_and_as_it_is_told():
    settings = from_start(pretraining_learning_rate=0.25)

    told = {"pretraining_learning_rate": 0.25}
    for name, value in (FINE_TUNING | told).items():
        assert getattr(settings, name) == value, name
    assert from_start("quick").epochs < settings.epochs
    assert from_start("quick", epochs=31).epochs == 31


def test_fine_tuning_is_shorter_than_training_and_chooses_its_epoch_on_tunes_kept_aside():
    settings = from_start()

    assert settings.epochs < Settings().epochs
    assert settings.kept_aside_fraction > 0 == Settings().kept_aside_fraction
    assert settings.rounds == 0


@pytest.mark.parametrize("name", FIXED_BY_START)
def test_a_setting_that_contradicts_the_start_is_refused_by_name(name):
    here = getattr(TINY_DEFAULT, name)
    others = {
        bool: not here,
        int: 977,
        str: {"lstm": "attention", "attention": "lstm", "parts": "table", "nearest": "drop"}.get(
            here, "C"
        ),
    }
    other = others[type(here) if here is not None else str]

    with pytest.raises(ValueError) as caught:
        from_start(**{name: other})

    message = str(caught.value)
    assert f"expected {name} {here}, received {name} {other}." in message
    assert "runs/mine" in message
    assert message.endswith("or start from random weights (--init none).")
    assert getattr(from_start(**{name: here}), name) == here


def test_the_preset_of_the_paper_contradicts_a_start():
    with pytest.raises(ValueError, match="--preset paper and --init runs/mine contradict"):
        from_start("paper")


def test_settings_made_from_a_start_do_not_contradict_it():
    check_settings(dataclasses.asdict(from_start()), TINY_DEFAULT, "runs/mine")


def test_a_folder_is_small_below_the_number_of_midi_files_that_is_said(monkeypatch, tmp_path):
    num_files = len(list(shared_tunes().glob("*.mid")))
    (tmp_path / "notes.txt").write_text("no tune")

    assert is_small_folder(shared_tunes())
    assert not is_small_folder(tmp_path)
    assert not is_small_folder(shared_tunes() / "00.mid")

    monkeypatch.setattr(fine_tuning, "SMALL_FOLDER", num_files)
    assert not is_small_folder(shared_tunes())


@pytest.mark.parametrize("page", ["README.md", "docs/fine_tuning.md"])
def test_the_pages_say_below_how_many_files_a_folder_is_small(page):
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")

    assert f"fewer than {SMALL_FOLDER} " in text
