"""Claims about tfseqgan.runs: what a run folder holds, what is refused before anything is lost, and that a stopped run goes on exactly."""

import dataclasses
import errno
import json
import math
import os
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

from tfseqgan import files
from tfseqgan.datasets import windows
from tfseqgan.datasets.midi_folder import load_midi
from tfseqgan.datasets.synthetic import compose_tunes
from tfseqgan.evaluation import table as tables
from tfseqgan.music.midi import read_midi, write_midi
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.runs import finished_run, run_folder, train_run
from tfseqgan.runs.settings import Settings
from tfseqgan.serving import pretrained

TINY = Settings(
    length=24,
    embedding_dim=4,
    units=8,
    dropout=0.2,
    epochs=2,
    pretraining_batch_size=16,
    discriminator_embedding_dim=4,
    filters=2,
    kernel_sizes=(1, 2),
    rounds=2,
    discriminator_steps=2,
    batch_size=4,
    discriminator_batch_size=4,
    discriminator_samples=4,
    discriminator_pretraining_rounds=1,
    validation_freq=1,
    num_tunes=2,
    seed=3,
)


def write_tunes(folder, seed=0, count=8):
    """Returns a folder of tiny MIDI files."""
    folder.mkdir()
    for number, tune in enumerate(compose_tunes(count, seed)):
        write_midi(tune, folder / f"{number:02}.mid")
    return folder


def train(out, tunes, settings=TINY, **options):
    """Does a silent run."""
    return train_run.train_run(out, settings, tunes, verbose=0, **options)


def weights(run, name):
    """Returns the weights of a run's model as one list."""
    return run_folder.load_model(run, name).get_weights()


def assert_same_run(run, other):
    """Asserts that two runs have the same weights, to the last bit, and the same figures and tunes."""
    for name in ("pretrained", "generator", "discriminator"):
        assert all(
            np.array_equal(*pair)
            for pair in zip(weights(run, name), weights(other, name), strict=True)
        )
    for file in (
        "pretraining.csv",
        "metrics.csv",
        "evaluation.json",
        "samples/tune_1.mid",
        "samples/tune_2.mid",
    ):
        assert (run / file).read_bytes() == (other / file).read_bytes(), file


@pytest.fixture(scope="module")
def tunes(tmp_path_factory):
    return write_tunes(tmp_path_factory.mktemp("data") / "tunes")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tunes):
    """A finished run, which no test may change."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    train(out, tunes)
    return out


@pytest.fixture
def copy(tmp_path, finished):
    """A copy of the finished run to maltreat."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def resume(out, **changes):
    """Goes on with a run as the command line does."""
    settings, config = run_folder.read_config(out)
    return train(
        out, config["data_path"], dataclasses.replace(settings, **changes), resumed_config=config
    )


def spoil(path):
    """Writes zeros over the second half of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))


def test_a_run_folder_holds_what_the_module_promises_and_nothing_else(finished):
    assert sorted(path.name for path in finished.iterdir()) == sorted(run_folder._CONTENTS)
    assert all(name in run_folder.__doc__ for name in run_folder._CONTENTS)
    assert len(list((finished / "samples").iterdir())) == TINY.num_tunes


def test_the_config_resolves_everything(finished, tunes):
    config = json.loads((finished / "config.json").read_text())
    assert run_folder.read_config(finished)[0] == TINY
    assert config["data_path"] == str(tunes) and config["data"]["sha256"] == load_midi(tunes).sha256
    assert config["data"]["name"] == "tunes" and config["data"]["skipped_files"] == []
    assert config["data"]["train_windows"] > config["data"]["validation_windows"] > 0
    assert {"tfseqgan", "python", "tensorflow", "keras", "numpy"} < config[
        "versions"
    ].keys() and all(config["versions"].values())


def test_evaluating_gives_the_runs_figures_again_exactly(finished):
    assert finished_run.evaluate_run(finished) == json.loads(
        (finished / "evaluation.json").read_text()
    )


def test_other_samples_give_other_figures(finished):
    assert finished_run.evaluate_run(finished, num_samples=3, seed=9) != json.loads(
        (finished / "evaluation.json").read_text()
    )


def test_the_figures_are_those_before_and_after_adversarial_training(finished):
    rows = json.loads((finished / "evaluation.json").read_text())
    assert list(rows) == ["maximum likelihood", "kl_control"]
    assert "auc" in rows["kl_control"] and "auc" not in rows["maximum likelihood"]


def test_a_seed_gives_the_same_tunes_again_and_read_midi_reads_them(finished, tmp_path):
    same, again, other = (finished_run.sample_tunes(finished, 2, seed=seed) for seed in (5, 5, 6))
    assert same == again != other
    for tune, path in zip(same, run_folder.write_tunes(same, tmp_path / "new"), strict=True):
        assert read_midi(path).melody == tune.melody


def test_the_generator_before_adversarial_training_is_kept(finished):
    assert finished_run.sample_tunes(finished, 1, stage="pretrained", seed=0)


def test_the_numbers_of_many_tunes_sort(tmp_path):
    names = [path.name for path in run_folder.write_tunes(compose_tunes(10, 0), tmp_path)]
    assert names == sorted(names) and names[0] == "tune_01.mid"


def test_no_tune_is_no_request(finished):
    with pytest.raises(ValueError, match="num_tunes is 0; expected 1 or more"):
        finished_run.sample_tunes(finished, 0)


def test_rounds_that_are_added_later_give_the_run_that_had_them_from_the_start(
    tmp_path, tunes, finished
):
    train(tmp_path / "run", tunes, dataclasses.replace(TINY, rounds=1))
    resume(tmp_path / "run", rounds=2)
    assert_same_run(tmp_path / "run", finished)


def test_a_damaged_checkpoint_costs_the_rounds_since_the_one_before(copy, finished, caplog):
    newest = max((copy / "checkpoints" / "adversarial").glob("*.data*"))
    newest.write_bytes(newest.read_bytes()[:100])
    (copy / "generator.keras").unlink()
    resume(copy)
    assert "is damaged" in caplog.text
    assert_same_run(copy, finished)


def test_a_run_without_a_whole_checkpoint_is_told_so(copy):
    for data in (copy / "checkpoints" / "pretraining").glob("*.data*"):
        data.write_bytes(b"")
    with pytest.raises(
        ValueError, match="No checkpoint in .*pretraining is whole; expected one at least"
    ):
        resume(copy)


def test_bad_files_are_named_in_the_config(tmp_path, tunes):
    shutil.copytree(tunes, tmp_path / "some")
    (tmp_path / "some" / "broken.mid").write_bytes(b"hello")
    (skipped,) = windows.load_windows(tmp_path / "some", TINY).summary()["skipped_files"]
    assert skipped["file"] == "broken.mid" and "is not a MIDI file" in skipped["reason"]


def test_a_folder_with_nottinghams_files_is_nottingham(tmp_path):
    for number, tune in enumerate(compose_tunes(4, 0), 1):
        write_midi(tune, tmp_path / f"ashover{number}.mid")
    assert windows.load_windows(tmp_path, TINY).name == "nottingham"


def test_copies_of_one_tune_leave_nothing_to_hold_out(tmp_path, tunes):
    for number in range(4):
        shutil.copy(tunes / "00.mid", tmp_path / f"{number}.mid")
    with pytest.raises(
        ValueError,
        match="and 0 validation windows; expected one of each at least. Bring more tunes",
    ):
        windows.load_windows(tmp_path, TINY)


def test_published_windows_keep_their_length_and_their_vocabulary(lee2017_file, finished):
    with pytest.raises(ValueError, match="holds windows of 100 tokens and length is 24"):
        windows.load_windows(lee2017_file, TINY)
    tokenizer = Tokenizer.load(finished / "tokenizer.json")
    with pytest.raises(ValueError, match="has a vocabulary of its own"):
        windows.load_windows(lee2017_file, dataclasses.replace(TINY, length=100), tokenizer)


def test_tunes_with_a_start_token_are_no_data_for_a_run_without(copy):
    config = json.loads((copy / "config.json").read_text())
    files.write_json(copy / "config.json", config | {"starts_with_start_token": False})
    with pytest.raises(ValueError, match="which do not begin with a start token"):
        finished_run.evaluate_run(copy)


def test_other_tunes_are_evaluated_by_the_runs_own_vocabulary(finished, tmp_path):
    rows = finished_run.evaluate_run(finished, write_tunes(tmp_path / "other", seed=1))
    assert all(math.isfinite(row["nll"]) for row in rows.values())


@pytest.mark.parametrize(
    "change",
    [{"pretraining_batch_size": 900}, {"batch_size": 900}, {"discriminator_batch_size": 1800}],
)
def test_too_large_a_batch_costs_no_earlier_run(copy, tunes, change):
    before = (copy / "generator.keras").read_bytes()
    with pytest.raises(ValueError, match="is 900 and the data holds .* sequences; expected 1 to"):
        train(copy, tunes, dataclasses.replace(TINY, **change), overwrite=True)
    assert (copy / "generator.keras").read_bytes() == before and (
        copy / "checkpoints" / "adversarial" / "checkpoint"
    ).is_file()


def test_bad_data_costs_no_earlier_run(copy, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no MIDI files"):
        train(copy, tmp_path / "empty", overwrite=True)
    assert sorted(path.name for path in copy.iterdir()) == sorted(run_folder._CONTENTS)


def test_overwriting_replaces_the_run_and_leaves_what_else_lies_there(copy, tunes):
    (copy / "my notes.txt").write_text("thesis")
    train(copy, tunes, dataclasses.replace(TINY, epochs=0, rounds=0), overwrite=True)
    assert (copy / "my notes.txt").read_text() == "thesis"
    assert not (copy / "metrics.csv").exists() and not (copy / "pretraining.csv").exists()


def test_a_run_may_stop_after_maximum_likelihood(tmp_path, tunes):
    rows = train(tmp_path / "run", tunes, dataclasses.replace(TINY, epochs=1, rounds=0))
    assert (
        list(rows) == ["maximum likelihood"] and finished_run.evaluate_run(tmp_path / "run") == rows
    )
    assert finished_run.sample_tunes(tmp_path / "run", 1, seed=0) == finished_run.sample_tunes(
        tmp_path / "run", 1, stage="pretrained", seed=0
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text("x"),
        lambda path: path.mkdir() or (path / "config.json").write_text('{"a": 1}'),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_run_is_never_overwritten(tmp_path, make, overwrite):
    make(tmp_path / "mine")
    with pytest.raises(
        ValueError, match="mine exists and is no run of tfseqgan; expected a new or empty folder"
    ):
        run_folder.check_folder(tmp_path / "mine", overwrite)


def test_a_run_is_overwritten_only_on_request(finished):
    with pytest.raises(
        ValueError, match="holds a run already; expected a new folder. Pass --resume .* --overwrite"
    ):
        run_folder.check_folder(finished)
    assert run_folder.check_folder(finished, overwrite=True) == finished


def test_there_is_nothing_to_resume_where_there_is_no_run(tmp_path):
    with pytest.raises(ValueError, match="holds no run to go on with: expected a config.json"):
        run_folder.check_folder(tmp_path, resume=True)


@pytest.mark.parametrize(
    "out, data", [("data/run", "data"), ("run", "run/samples"), ("data", "data")]
)
def test_a_run_and_its_data_lie_apart(tmp_path, out, data):
    with pytest.raises(ValueError, match="lie inside each other; expected two places apart"):
        train(tmp_path / out, tmp_path / data)
    assert not any(tmp_path.iterdir())


def test_data_that_changed_is_no_data_of_the_run(tmp_path, tunes):
    data, out = shutil.copytree(tunes, tmp_path / "data"), tmp_path / "run"
    assert list(train(out, data, dataclasses.replace(TINY, epochs=0, rounds=0))) == ["untrained"]
    (data / "03.mid").unlink()
    with pytest.raises(
        ValueError,
        match="has changed since the run began: expected sha256 .* Bring the old data back",
    ):
        resume(out)
    with pytest.raises(
        ValueError, match="has changed since: expected sha256 .* Bring the old data back"
    ):
        finished_run.evaluate_run(out)


@pytest.mark.parametrize(
    "content, words",
    [
        ('{"settings": ', "is damaged"),
        ("[]", "is not what tfseqgan .* writes"),
        ("{}", "is not what tfseqgan .* writes"),
        (
            '{"settings": {"kernel_sizes": [1], "colour": 3}}',
            "is not what tfseqgan .* writes .*colour",
        ),
        (
            '{"settings": {"kernel_sizes": [1], "units": -8}}',
            "is not what tfseqgan .* writes .*units is -8",
        ),
        ('{"settings": {"kernel_sizes": [1]}}', "is not what tfseqgan .* writes .*data_path"),
    ],
)
def test_a_damaged_config_is_named(tmp_path, content, words):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match=f"{tmp_path}/config.json {words}"):
        run_folder.read_config(tmp_path)


def test_a_missing_run_is_named(tmp_path):
    with pytest.raises(
        ValueError,
        match="config.json does not exist; expected a run folder made by 'tfseqgan train'",
    ):
        finished_run.sample_tunes(tmp_path / "nowhere", 1)


@pytest.mark.parametrize(
    "damage",
    [
        spoil,
        lambda path: path.write_bytes(path.read_bytes()[:3000]),
        lambda path: path.write_bytes(b""),
    ],
)
def test_a_damaged_model_is_named(copy, damage):
    damage(copy / "generator.keras")
    with pytest.raises(
        ValueError,
        match="generator.keras cannot be loaded .*; expected a model saved by tfseqgan. Restore the file",
    ):
        finished_run.sample_tunes(copy, 1)


def test_an_unfinished_run_is_told_how_to_finish(copy):
    (copy / "generator.keras").unlink()
    with pytest.raises(
        ValueError,
        match=f"expected a run that has got so far. Go on with it: tfseqgan train --resume --out {copy}",
    ):
        finished_run.sample_tunes(copy, 1)
    assert finished_run.sample_tunes(copy, 1, stage="pretrained")


def test_a_model_that_cannot_be_saved_costs_no_earlier_one_and_leaves_no_litter(
    tmp_path, monkeypatch
):
    def half(model, path):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "generator.keras").write_bytes(b"old")
    monkeypatch.setattr(keras.Model, "save", half)
    with pytest.raises(OSError) as caught:
        pretrained.save_model(keras.Model(), tmp_path / "generator.keras")
    assert caught.value.filename == str(tmp_path / "generator.keras")
    assert (
        os.listdir(tmp_path) == ["generator.keras"]
        and (tmp_path / "generator.keras").read_bytes() == b"old"
    )


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 100 KiB; skips where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        shutil.which("mount") is None
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", folder], capture_output=True
        ).returncode
    ):
        pytest.skip("mounting a small disk is not possible here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_run_that_filled_the_disk_goes_on_when_there_is_room(small_disk, tunes, finished):
    with pytest.raises(OSError) as caught:
        train(small_disk / "run", tunes)
    assert caught.value.errno == errno.ENOSPC and str(small_disk) in caught.value.filename
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    resume(small_disk / "run")
    assert_same_run(small_disk / "run", finished)


def test_a_read_only_disk_is_named(small_disk, tunes):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(OSError) as caught:
        train(small_disk / "run", tunes)
    assert caught.value.errno == errno.EROFS and caught.value.filename == str(small_disk / "run")


def test_nan_becomes_null_in_json(tmp_path):
    files.write_json(tmp_path / "a.json", {"precision": math.nan, "nll": 0.1, "names": ["α"]})
    assert run_folder.read_json(tmp_path / "a.json") == {
        "precision": None,
        "nll": 0.1,
        "names": ["α"],
    }
    assert "NaN" not in (tmp_path / "a.json").read_text() and "α" in (
        tmp_path / "a.json"
    ).read_text(encoding="utf-8")


def test_the_table_shows_errors_in_brackets_and_a_dash_for_what_is_not_known():
    row = {
        "nll": 2.5,
        "nll_stderr": 0.01,
        "precision": math.nan,
        "reward_mean": 0.5,
        "reward_stderr": 0.125,
        "num_real": 12,
    }
    table = tables.format_table({"maximum likelihood": {"nll": None}, "merl": row}).splitlines()
    assert table[0].split()[:3] == ["model", "H(data,gen)", "BLEU"]
    assert table[1].split()[2:] == ["-"] * 10
    assert table[2].split() == [
        "merl",
        "2.500",
        "(0.010)",
        "-",
        "-",
        "0.500",
        "(0.125)",
        "-",
        "-",
        "-",
        "-",
        "12",
        "-",
    ]
    assert (
        len(
            {
                line.index(word)
                for line, word in zip(table[:1] + table[2:], ("H(data,gen)", "2.500"))
            }
        )
        == 1
    )
