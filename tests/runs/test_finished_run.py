"""Sampling and evaluation of a finished run: repeatable, and refused where it makes no sense."""

import dataclasses
import json
import math
import shutil
from pathlib import Path

import pytest
from tiny_runs import TINY, compose_folder, resume, shared_run, shared_tunes, train

from tfseqgan.files import lock_folder, write_json
from tfseqgan.music.midi import read_midi
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.runs import finished_run
from tfseqgan.runs.run_folder import record_files, write_config, write_tunes

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
    write_config(copied_run, config | {"starts_with_start_token": False})

    with pytest.raises(ValueError, match="which do not begin with a start token"):
        finished_run.evaluate_run(copied_run)


@slow
def test_a_run_is_neither_resumed_nor_evaluated_with_data_that_has_changed(tmp_path):
    data = Path(shutil.copytree(shared_tunes(), tmp_path / "data"))
    out = tmp_path / "run"
    untrained = dataclasses.replace(TINY, epochs=0, rounds=0)
    assert list(train(out, data, untrained)) == ["untrained"]

    (data / "03.mid").unlink()

    with pytest.raises(ValueError, match="has changed: expected sha256 .* Restore the old data"):
        resume(out)
    with pytest.raises(ValueError, match="has changed: expected sha256 .* Restore the old data"):
        finished_run.evaluate_run(out)


# ---- the manifest


@pytest.fixture
def golden_copy(tmp_path):
    """A copy of 0.1.0's run, to be changed."""
    return Path(shutil.copytree(GOLDEN_RUN, tmp_path / "golden"))


COMMANDS = {
    "sample": lambda run: finished_run.sample_tunes(run, 1, length=8, seed=0),
    "evaluate": lambda run: finished_run.evaluate_run(run, num_samples=2),
    "export": lambda run: finished_run.export_run(run, run.parent / "model", length=8),
}


@slow
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("name", ["tokenizer.json", "generator.keras"])
def test_a_manifest_is_looked_at_by_every_command(golden_copy, command, name):
    content = (golden_copy / name).read_bytes()
    (golden_copy / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    with pytest.raises(ValueError, match=f"{name} is not what the run wrote"):
        command(golden_copy)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize(
    "changes",
    [{"data_path": 5}, {"data_path": []}, {"data": 3}, {"starts_with_start_token": "yes"}],
    ids=str,
)
def test_a_strangers_config_is_a_value_error_of_every_command(golden_copy, command, changes):
    config = json.loads((golden_copy / "config.json").read_text())
    write_json(golden_copy / "config.json", config | changes)

    with pytest.raises(ValueError, match="config.json is not what tfseqgan .* writes"):
        command(golden_copy)


def test_a_manifest_covers_the_evaluation_that_is_exported(golden_copy):
    record_files(golden_copy, "evaluation.json")
    write_json(golden_copy / "evaluation.json", {"kl_control": {"nll": 0.0}})

    with pytest.raises(ValueError, match="evaluation.json is not what the run wrote"):
        COMMANDS["export"](golden_copy)


def test_a_manifest_that_is_true_does_not_make_a_tokenizer_fit(golden_copy):
    tokenizer = Tokenizer.load(golden_copy / "tokenizer.json")
    Tokenizer(tokenizer.events[:-1]).save(golden_copy / "tokenizer.json")
    hashes = json.loads((golden_copy / "manifest.json").read_text())
    del hashes["tokenizer.json"]
    write_json(golden_copy / "manifest.json", hashes)
    record_files(golden_copy, "tokenizer.json")

    with pytest.raises(ValueError, match="The tokenizer has 198 tokens and the generator 199"):
        COMMANDS["sample"](golden_copy)


@slow
def test_a_strangers_saved_model_within_a_run_is_not_loaded(golden_copy):
    (golden_copy / "7").mkdir()
    (golden_copy / "7" / "saved_model.pb").write_bytes(b"a program")

    (tune,) = finished_run.sample_tunes(golden_copy, 1, length=30, seed=5)

    assert tune == finished_run.sample_tunes(GOLDEN_RUN, 1, length=30, seed=5)[0]


@slow
def test_a_manifest_knows_how_the_data_was_split(copied_run):
    config = json.loads((copied_run / "config.json").read_text())
    write_config(copied_run, config | {"split": config["split"] | {"validation": "0" * 64}})

    with pytest.raises(ValueError, match="split or tokenized otherwise than when the run"):
        finished_run.evaluate_run(copied_run)
    with pytest.raises(ValueError, match="split or tokenized otherwise than when the run"):
        resume(copied_run)


@pytest.mark.parametrize("stage", ["train", "validation"])
def test_a_run_that_knows_its_numbers_of_windows_alone_is_held_to_them(golden_copy, stage):
    config = json.loads((golden_copy / "config.json").read_text())
    assert "split" not in config
    config["data"][f"{stage}_windows"] += 1
    write_config(golden_copy, config)

    with pytest.raises(ValueError, match="split or tokenized otherwise than when the run"):
        finished_run.evaluate_run(golden_copy)


def test_one_writer_does_not_keep_readers_out(golden_copy):
    with lock_folder(golden_copy):
        assert COMMANDS["sample"](golden_copy)
