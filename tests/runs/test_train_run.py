"""A whole run: what it leaves in its folder, that it resumes exactly, and that nothing is lost."""

import dataclasses
import errno
import os
import shutil
import subprocess
from pathlib import Path

import keras
import pytest
from tiny_runs import (
    TINY,
    TINY_DEFAULT,
    TINY_WHOLE_TUNES,
    assert_same_run,
    compose_folder,
    resume,
    shared_run,
    shared_tunes,
    train,
)
from written_runs import write_run

from tfseqgan.datasets.synthetic import compose_tunes
from tfseqgan.datasets.tune_folder import load_folder
from tfseqgan.datasets.windows import load_windows
from tfseqgan.evaluation.table import format_table
from tfseqgan.files import lock_folder
from tfseqgan.music.midi import write_midi
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.objectives.baselines import BASELINES
from tfseqgan.objectives.credit import CREDITS
from tfseqgan.objectives.recipes import RECIPES
from tfseqgan.objectives.rewards import REWARDS
from tfseqgan.runs import finished_run, run_folder, train_run
from tfseqgan.runs.settings import Settings
from tfseqgan.runs.train_run import make_objective
from tfseqgan.serving import pretrained

slow = pytest.mark.slow


@pytest.fixture
def copied_run(tmp_path):
    """A copy of a finished run, to be changed."""
    return Path(shutil.copytree(shared_run(), tmp_path / "copy"))


# ---- the objective


def test_an_objective_is_the_recipe_that_the_settings_name():
    for name, recipe in RECIPES.items():
        assert make_objective(Settings(objective=name)) == recipe()


def test_the_settings_replace_parts_of_a_recipe():
    settings = Settings(
        objective="merl",
        reward="log",
        baseline="moving_average",
        credit="prefix",
        entropy_weight=0.0,
        kl_weight=0.25,
        discount=0.5,
    )

    assert make_objective(settings) == RECIPES["reinforce"](
        reward=REWARDS["log"],
        baseline=BASELINES["moving_average"],
        credit=CREDITS["prefix"],
        entropy_weight=0.0,
        kl_weight=0.25,
        discount=0.5,
    )


# ---- the data


def test_files_that_cannot_be_read_are_named_in_the_summary_of_the_data(tmp_path):
    folder = Path(shutil.copytree(shared_tunes(), tmp_path / "some"))
    (folder / "broken.mid").write_bytes(b"hello")

    data = load_windows(folder, **TINY.window_options())

    (skipped,) = data.summary()["skipped_files"]
    assert skipped["file"] == "broken.mid"
    assert "is not a MIDI file" in skipped["reason"]


def test_a_folder_with_the_files_of_nottingham_is_loaded_as_nottingham(tmp_path):
    for number, tune in enumerate(compose_tunes(4, 0), 1):
        write_midi(tune, tmp_path / f"ashover{number}.mid")

    assert load_windows(tmp_path, **TINY.window_options()).name == "nottingham"


def test_copies_of_one_tune_leave_none_to_hold_out(tmp_path):
    for number in range(4):
        shutil.copy(shared_tunes() / "00.mid", tmp_path / f"{number}.mid")

    message = "and 0 validation windows; expected at least one of each. Use more tunes"
    with pytest.raises(ValueError, match=message):
        load_windows(tmp_path, **TINY.window_options())


@slow
def test_published_windows_keep_their_length_and_their_vocabulary(lee2017_file):
    options = TINY.window_options()
    with pytest.raises(ValueError, match="holds windows of 100 tokens and length is 24"):
        load_windows(lee2017_file, **options)

    options["length"] = 100
    tokenizer = Tokenizer.fit(compose_tunes(4, 0))
    with pytest.raises(ValueError, match="has a vocabulary of its own"):
        load_windows(lee2017_file, tokenizer=tokenizer, **options)


# ---- what a run leaves


@slow
def test_a_run_folder_holds_what_its_module_lists_and_nothing_else():
    names = [path.name for path in shared_run().iterdir()]

    assert sorted(names) == sorted(run_folder._CONTENTS)
    assert len(list((shared_run() / "samples").iterdir())) == TINY.num_tunes


@slow
def test_the_config_holds_the_settings_the_data_and_the_versions():
    settings, config = run_folder.read_config(shared_run())

    assert settings == TINY
    assert config["data_path"] == str(shared_tunes())
    assert config["data"]["name"] == "tunes"
    assert config["data"]["sha256"] == load_folder(shared_tunes()).sha256
    assert config["data"]["skipped_files"] == []
    assert config["data"]["train_windows"] > config["data"]["validation_windows"] > 0
    assert {"tfseqgan", "python", "tensorflow", "keras", "numpy"} < config["versions"].keys()
    assert all(config["versions"].values())


@slow
def test_a_run_may_stop_after_maximum_likelihood(tmp_path):
    out = tmp_path / "run"

    rows = train(out, shared_tunes(), dataclasses.replace(TINY, epochs=1, rounds=0))

    assert list(rows) == ["maximum likelihood"]
    assert finished_run.evaluate_run(out) == rows
    at_the_end, pretrained_tunes = [
        finished_run.sample_tunes(out, 1, stage=stage, length=60, seed=0)
        for stage in ("generator", "pretrained")
    ]
    assert at_the_end == pretrained_tunes


# ---- resuming


@slow
def test_rounds_that_are_added_later_give_the_run_that_had_them_from_the_start(tmp_path):
    train(tmp_path / "run", shared_tunes(), dataclasses.replace(TINY, rounds=1))

    resume(tmp_path / "run", rounds=2)

    assert_same_run(tmp_path / "run", shared_run())


@slow
@pytest.mark.parametrize("settings", [TINY_WHOLE_TUNES, TINY_DEFAULT], ids=["lstm", "attention"])
def test_a_run_on_whole_tunes_in_other_keys_resumes_and_writes_only_what_fits(tmp_path, settings):
    train(tmp_path / "whole", shared_tunes(), settings)
    train(tmp_path / "stopped", shared_tunes(), dataclasses.replace(settings, rounds=1))
    resume(tmp_path / "stopped", rounds=2)

    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
    generator = run_folder.load_model(tmp_path / "whole", "generator")
    samples = generator.generate(30, 50, prompt=[1], temperature=1.5, seed=0)
    assert generator.find_grammar_break(samples) is None
    assert (samples == generator.end_token_id).any()

    tunes = finished_run.sample_tunes(tmp_path / "whole", 3, key="Em", seed=0)
    assert {tune.key for tune in tunes} == {"Em"}


def test_windows_without_a_grammar_make_a_generator_without_one():
    data = load_windows(shared_tunes(), **TINY_WHOLE_TUNES.window_options())
    without = dataclasses.replace(data, has_grammar=False)

    assert train_run.make_models(data, TINY_WHOLE_TUNES)[0].token_durations is not None
    assert train_run.make_models(without, TINY_WHOLE_TUNES)[0].token_durations is None


@slow
def test_a_damaged_checkpoint_costs_only_the_rounds_since_the_one_before_it(copied_run, caplog):
    newest = max((copied_run / "checkpoints" / "adversarial").glob("*.data*"))
    newest.write_bytes(newest.read_bytes()[:100])
    (copied_run / "generator.keras").unlink()

    resume(copied_run)

    assert "is damaged" in caplog.text
    assert_same_run(copied_run, shared_run())


@slow
def test_a_run_without_an_intact_checkpoint_is_refused(copied_run):
    for data in (copied_run / "checkpoints" / "pretraining").glob("*.data*"):
        data.write_bytes(b"")

    with pytest.raises(
        ValueError, match="No checkpoint in .*pretraining is whole; expected one or more"
    ):
        resume(copied_run)


# ---- nothing is lost


@slow
@pytest.mark.parametrize(
    "change",
    [{"pretraining_batch_size": 900}, {"batch_size": 900}, {"discriminator_batch_size": 1800}],
)
def test_a_batch_that_is_too_large_leaves_the_earlier_run_intact(copied_run, change):
    before = (copied_run / "generator.keras").read_bytes()

    with pytest.raises(ValueError, match="is 900 and the data holds .* sequences; expected 1 to"):
        train(copied_run, shared_tunes(), dataclasses.replace(TINY, **change), overwrite=True)

    assert (copied_run / "generator.keras").read_bytes() == before
    assert (copied_run / "checkpoints" / "adversarial" / "checkpoint").is_file()


@slow
def test_data_that_cannot_be_used_leaves_the_earlier_run_intact(copied_run, tmp_path):
    (tmp_path / "empty").mkdir()

    with pytest.raises(ValueError, match="holds no MIDI or ABC files"):
        train(copied_run, tmp_path / "empty", overwrite=True)

    names = [path.name for path in copied_run.iterdir()]
    assert sorted(names) == sorted(run_folder._CONTENTS)


def test_a_run_is_not_trained_on_the_samples_of_another_run(tmp_path):
    other = write_run(tmp_path / "other")
    compose_folder(other / "samples")

    with pytest.raises(ValueError, match="samples of its model; expected .* pass --init"):
        train(tmp_path / "run", other)

    assert not (tmp_path / "run").exists()


def test_a_run_inside_its_own_data_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="lie inside each other"):
        train(tmp_path / "data" / "run", tmp_path / "data")

    assert not any(tmp_path.iterdir())


@slow
def test_overwriting_replaces_the_run_and_keeps_other_files(copied_run):
    (copied_run / "my notes.txt").write_text("thesis")

    train(copied_run, shared_tunes(), dataclasses.replace(TINY, epochs=0, rounds=0), overwrite=True)

    assert (copied_run / "my notes.txt").read_text() == "thesis"
    assert not (copied_run / "metrics.csv").exists()
    assert not (copied_run / "pretraining.csv").exists()


def test_a_model_that_cannot_be_saved_leaves_the_earlier_one_and_no_partial_file(
    tmp_path, monkeypatch
):
    def save_half(model, path):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "generator.keras"
    path.write_bytes(b"old")
    monkeypatch.setattr(keras.Model, "save", save_half)

    with pytest.raises(OSError) as caught:
        pretrained.save_model(keras.Model(), path)

    assert caught.value.filename == str(path)
    assert os.listdir(tmp_path) == ["generator.keras"]
    assert path.read_bytes() == b"old"


def mount(*arguments):
    """Runs the command mount, and returns whether it succeeded."""
    if shutil.which("mount") is None:
        return False

    return subprocess.run(["mount", *arguments], capture_output=True).returncode == 0


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 100 KiB; the test is skipped where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=100k", "tmpfs", folder):
        pytest.skip("a small disk cannot be mounted here")

    yield folder

    subprocess.run(["umount", folder], check=True)


@slow
def test_a_run_that_filled_the_disk_resumes_when_there_is_space(small_disk):
    with pytest.raises(OSError) as caught:
        train(small_disk / "run", shared_tunes())
    assert caught.value.errno == errno.ENOSPC
    assert str(small_disk) in caught.value.filename

    assert mount("-o", "remount,size=4m", small_disk)
    resume(small_disk / "run")

    assert_same_run(small_disk / "run", shared_run())


@slow
def test_a_read_only_disk_is_named(small_disk):
    assert mount("-o", "remount,ro", small_disk)

    with pytest.raises(OSError) as caught:
        train(small_disk / "run", shared_tunes())

    assert caught.value.errno == errno.EROFS
    assert caught.value.filename == str(small_disk / "run")


@pytest.mark.parametrize("change", [{"units": 10**11}, {"filters": 10**7}, {"batch_size": 10**9}])
def test_ending_for_want_of_memory_is_seen_before_anything_is_written(tmp_path, change):
    settings = dataclasses.replace(TINY, **change)
    data = load_windows(shared_tunes(), **settings.window_options())

    with pytest.raises(ValueError, match="at least .* GiB; expected at most the .* GiB of this"):
        train_run._check_memory(data, settings)


# ---- one writer


@slow
@pytest.mark.parametrize("start", [resume, lambda run: train(run, shared_tunes(), overwrite=True)])
def test_one_writer_is_respected_by_resume_and_overwrite(copied_run, start):
    before = {path: path.read_bytes() for path in copied_run.rglob("*") if path.is_file()}

    with lock_folder(copied_run), pytest.raises(ValueError, match=r"another process \(pid \d+"):
        start(copied_run)

    assert {path: path.read_bytes() for path in copied_run.rglob("*") if path.is_file()} == before


@slow
def test_one_writer_of_a_new_folder_is_respected_by_another_that_began_with_it(
    tmp_path, monkeypatch
):
    out = tmp_path / "run"
    load_data = train_run._load_data

    def begin_another(*arguments):
        monkeypatch.setattr(train_run, "_load_data", load_data)
        train(out, shared_tunes(), dataclasses.replace(TINY, epochs=0, rounds=0))
        return load_data(*arguments)

    monkeypatch.setattr(train_run, "_load_data", begin_another)
    with pytest.raises(ValueError, match="already holds a run"):
        train(out, shared_tunes())

    assert not (out / "metrics.csv").exists()
    assert finished_run.sample_tunes(out, 1, length=8, seed=0)


# ---- the manifest


@slow
def test_a_manifest_lists_every_file_that_a_command_loads():
    opened = run_folder.open_run(shared_run())

    assert set(opened.hashes) == {
        "config.json",
        "tokenizer.json",
        "pretrained.keras",
        "generator.keras",
        "discriminator.keras",
        "evaluation.json",
    }
    for name in opened.hashes.keys() - {"config.json"}:
        assert opened.check(name).is_file()


# ---- a run that heals itself


def edit(name, change):
    """Returns a function that changes a file of a run."""

    def damage(run):
        path = run / name
        path.write_bytes(change(path.read_bytes()))

    return damage


def delete(name):
    """Returns a function that deletes a file of a run."""
    return lambda run: (run / name).unlink()


def exchange_models(run):
    """Puts the generator before adversarial training in place of that after it."""
    shutil.copy(run / "pretrained.keras", run / "generator.keras")


def leave_litter(run):
    """Leaves what a killed process leaves."""
    (run / "checkpoints" / "adversarial" / "ckpt-99_temp").mkdir()
    (run / "checkpoints" / "adversarial" / "checkpoint.tmp17").write_bytes(b"half")
    (run / ".generator.keras.17.partial").write_bytes(b"half")
    (run / ".partial.generator.keras").write_bytes(b"half")
    (run / ".lock").write_bytes(b"17 host")


STATE = "checkpoints/adversarial/checkpoint"
DAMAGES = {
    "state file empty": edit(STATE, lambda content: b""),
    "state file deleted": delete(STATE),
    "state file names paths elsewhere": edit(STATE, lambda c: c.replace(b"ckpt", b"../../ckpt")),
    "state file of the first stage torn": edit(
        "checkpoints/pretraining/checkpoint", lambda content: content[:20]
    ),
    "table torn": edit("metrics.csv", lambda content: content + b"-"),
    "table with a figure too many": edit("metrics.csv", lambda content: content + b"9,9,9"),
    "table cut in a figure": edit("metrics.csv", lambda content: content[:-4]),
    "table not UTF-8": edit("metrics.csv", lambda content: b"\xe9" + content),
    "table empty": edit("metrics.csv", lambda content: b""),
    "table deleted": delete("metrics.csv"),
    "first table deleted": delete("pretraining.csv"),
    "manifest empty": edit("manifest.json", lambda content: b""),
    "manifest deleted": delete("manifest.json"),
    "tokenizer changed": edit("tokenizer.json", lambda content: content.replace(b"24", b"12", 3)),
    "evaluation changed": edit("evaluation.json", lambda content: b"{}"),
    "models exchanged": exchange_models,
    "litter": leave_litter,
}


@slow
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_torn_files_of_a_run_are_whole_after_it_is_resumed(copied_run, damage):
    damage(copied_run)
    settings, config = run_folder.read_config(shared_run())

    train(copied_run, config["data_path"], settings, resumed_config=config)

    assert_same_run(copied_run, shared_run())
    assert run_folder.open_run(copied_run).hashes == run_folder.open_run(shared_run()).hashes | {
        name: run_folder.open_run(copied_run).hashes[name]
        for name in ("pretrained.keras", "generator.keras", "discriminator.keras")  # hold times
    }
    assert sorted(path.name for path in copied_run.iterdir()) == sorted(run_folder._CONTENTS)


@slow
def test_torn_away_checkpoints_are_not_a_new_beginning_without_a_word(copied_run, caplog):
    shutil.rmtree(copied_run / "checkpoints" / "adversarial")

    resume(copied_run)

    assert "adversarial holds no checkpoint: this stage starts with its first round" in caplog.text
    assert_same_run(copied_run, shared_run())


# ---- advice that can be followed


@slow
def test_advice_a_run_is_resumed_with_other_rates_and_its_config_keeps_the_history(
    tmp_path, caplog
):
    caplog.set_level("INFO", "tfseqgan")
    out = tmp_path / "run"
    train(out, shared_tunes(), dataclasses.replace(TINY, rounds=1))

    resume(out, rounds=2, generator_learning_rate=1e-5, global_clipnorm=1.0)

    settings, config = run_folder.read_config(out)
    assert settings.generator_learning_rate == 1e-5
    (entry,) = config["history"]
    assert entry["changed"] == {
        "rounds": [1, 2],
        "generator_learning_rate": [1e-4, 1e-5],
        "global_clipnorm": [5.0, 1.0],
    }
    assert "Resumed with other settings: " in caplog.text
    assert "generator_optimizer: learning_rate is" in caplog.text
    assert "generator_optimizer: global_clipnorm is 1 from here on; it was 5" in caplog.text

    resume(out)
    assert run_folder.read_config(out)[1]["history"] == [entry]


# ---- names that are not UTF-8


@slow
def test_names_that_are_not_utf8_are_trained_on_and_listed(tmp_path):
    data = Path(shutil.copytree(shared_tunes(), tmp_path / os.fsdecode(b"m\xfcsik")))
    bad, good = os.fsdecode(b"caf\xe9.mid"), os.fsdecode(b"b\xe4r.mid")
    (data / bad).write_bytes(b"no MIDI")
    shutil.copy(data / "00.mid", data / good)
    out = tmp_path / "run"

    train(out, data, dataclasses.replace(TINY, epochs=0, rounds=0))

    _, config = run_folder.read_config(out)
    assert [entry["file"] for entry in config["data"]["skipped_files"]] == [r"caf\xe9.mid"]
    assert config["data_path"] == str(data)
    assert finished_run.evaluate_run(out).keys() == {"untrained"}
    resume(out)


# ---- ends


@slow
def test_ending_a_folder_deleted_under_a_run_is_named(tmp_path, monkeypatch):
    out = tmp_path / "run"
    fit = train_run.fit_adversarial

    def delete_and_fit(*arguments, **options):
        shutil.rmtree(out)
        return fit(*arguments, **options)

    monkeypatch.setattr(train_run, "fit_adversarial", delete_and_fit)
    with pytest.raises((OSError, ValueError)) as caught:
        train(out, shared_tunes())

    assert str(out) in str(caught.value)
    assert "Input/output error" not in str(caught.value)


# ---- the figures as a table


def test_the_table_shows_errors_in_brackets_and_a_dash_for_what_is_not_known():
    row = {
        "nll": 2.5,
        "nll_stderr": 0.01,
        "precision": float("nan"),
        "reward_mean": 0.5,
        "reward_stderr": 0.125,
        "num_real": 12,
    }

    table = format_table({"maximum likelihood": {"nll": None}, "merl": row}, width=200)

    heading, unknown, known = table.splitlines()
    cells = ["2.500", "(0.010)", "-", "-", "0.500", "(0.125)", "-", "-", "-", "-", "12", "-"]
    assert heading.split()[:3] == ["model", "H(data,gen)", "BLEU"]
    assert unknown.split()[2:] == ["-"] * 10
    assert known.split() == ["merl", *cells]
    assert heading.index("H(data,gen)") == known.index("2.500")
