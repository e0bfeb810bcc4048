"""Sampling and evaluation of a finished run: repeatable, and refused where it makes no sense."""

import dataclasses
import json
import math
import shutil
from pathlib import Path

import pytest
from tiny_runs import TINY, compose_folder, resume, shared_run, shared_tunes, train

from tfseqgan import files
from tfseqgan.music.midi import read_midi
from tfseqgan.runs import finished_run
from tfseqgan.runs.run_folder import write_tunes

GOLDEN_RUN = Path(__file__).parents[1] / "golden" / "run"

slow = pytest.mark.slow


@pytest.fixture
def copied_run(tmp_path):
    """A copy of a finished run, to be changed."""
    return Path(shutil.copytree(shared_run(), tmp_path / "copy"))


def read_evaluation(run):
    """Returns the figures that a run wrote."""
    return json.loads((run / "evaluation.json").read_text())


# ---- sampling


def test_a_seed_gives_the_same_tunes_again():
    same, again, other = [
        finished_run.sample_tunes(GOLDEN_RUN, 2, length=30, seed=seed) for seed in (5, 5, 6)
    ]

    assert same == again
    assert same != other


@slow
def test_the_generator_before_adversarial_training_can_be_sampled():
    tunes = finished_run.sample_tunes(GOLDEN_RUN, 3, stage="pretrained", length=30, seed=0)

    assert [tune.name for tune in tunes] == ["Tune 1", "Tune 2", "Tune 3"]


@slow
def test_sampled_tunes_are_written_as_midi_and_read_back_note_for_note(tmp_path):
    tunes = finished_run.sample_tunes(GOLDEN_RUN, 2, length=60, seed=5)

    paths = write_tunes(tunes, tmp_path / "new")

    for tune, path in zip(tunes, paths, strict=True):
        assert tune.melody
        assert read_midi(path).melody == tune.melody


def test_a_request_for_no_tunes_is_refused():
    with pytest.raises(ValueError, match="num_tunes is 0; expected 1 or more"):
        finished_run.sample_tunes(GOLDEN_RUN, 0)


# ---- evaluation


@slow
def test_evaluating_a_run_gives_the_figures_that_it_wrote_exactly():
    assert finished_run.evaluate_run(shared_run()) == read_evaluation(shared_run())


@slow
def test_other_samples_give_other_figures():
    rows = finished_run.evaluate_run(shared_run(), num_samples=3, seed=9)

    assert rows != read_evaluation(shared_run())


@slow
def test_the_figures_are_those_before_and_after_adversarial_training():
    rows = read_evaluation(shared_run())

    assert list(rows) == ["maximum likelihood", "kl_control"]
    assert "auc" in rows["kl_control"]
    assert "auc" not in rows["maximum likelihood"]


@slow
def test_other_tunes_are_evaluated_by_the_runs_own_vocabulary(tmp_path):
    other_tunes = compose_folder(tmp_path / "other", seed=1)

    rows = finished_run.evaluate_run(shared_run(), other_tunes)

    assert all(math.isfinite(row["nll"]) for row in rows.values())


@slow
def test_tunes_with_a_start_token_are_refused_by_a_run_without_one(copied_run):
    config = json.loads((copied_run / "config.json").read_text())
    files.write_json(copied_run / "config.json", config | {"starts_with_start_token": False})

    with pytest.raises(ValueError, match="which do not begin with a start token"):
        finished_run.evaluate_run(copied_run)


@slow
def test_a_run_is_neither_resumed_nor_evaluated_with_data_that_has_changed(tmp_path):
    data = Path(shutil.copytree(shared_tunes(), tmp_path / "data"))
    out = tmp_path / "run"
    untrained = dataclasses.replace(TINY, epochs=0, rounds=0)
    assert list(train(out, data, untrained)) == ["untrained"]

    (data / "03.mid").unlink()

    message = "has changed since the run was started: expected sha256 .* Restore the old data"
    with pytest.raises(ValueError, match=message):
        resume(out)
    with pytest.raises(ValueError, match="has changed: expected sha256 .* Restore the old data"):
        finished_run.evaluate_run(out)
