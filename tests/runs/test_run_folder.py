"""What may be done with a folder, what damaged files are told, and how tunes are written."""

import json
import math
import os
import re
import shutil
from pathlib import Path

import pytest

from tfseqgan import files
from tfseqgan.datasets.synthetic import compose_tunes
from tfseqgan.music.abc_reader import read_abc
from tfseqgan.music.midi import read_midi
from tfseqgan.runs import run_folder
from tfseqgan.runs.settings import TUNE_FORMATS
from tfseqgan.serving.manifest import hash_files, read_manifest, write_manifest

GOLDEN_RUN = Path(__file__).parents[1] / "golden" / "run"


@pytest.fixture
def copied_run(tmp_path):
    """A copy of a finished run, to be damaged."""
    return Path(shutil.copytree(GOLDEN_RUN, tmp_path / "copy"))


def test_the_docstring_describes_every_file_that_is_removed_with_a_run():
    assert all(name in run_folder.__doc__ for name in run_folder._CONTENTS)


# ---- which folder a run may use


def write_a_file(path):
    """Makes a file where a folder is expected."""
    path.write_text("x")


def write_another_config(path):
    """Makes a folder with a config.json that no run wrote."""
    path.mkdir()
    (path / "config.json").write_text('{"a": 1}')


@pytest.mark.parametrize("make", [write_a_file, write_another_config])
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_not_a_run_is_never_overwritten(tmp_path, make, overwrite):
    make(tmp_path / "mine")

    message = "mine exists and is not a run of tfseqgan; expected a new or empty folder"
    with pytest.raises(ValueError, match=message):
        run_folder.check_folder(tmp_path / "mine", overwrite)


def test_a_run_is_overwritten_only_on_request():
    message = "already holds a run; expected a new or empty folder. Pass --resume .* --overwrite"
    with pytest.raises(ValueError, match=message):
        run_folder.check_folder(GOLDEN_RUN)

    assert run_folder.check_folder(GOLDEN_RUN, overwrite=True) == GOLDEN_RUN


def test_a_new_or_an_empty_folder_may_be_used(tmp_path):
    new = tmp_path / "new"

    assert run_folder.check_folder(new) == new
    assert not new.exists()
    assert run_folder.check_folder(tmp_path) == tmp_path


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path):
    with pytest.raises(ValueError, match="holds no run to resume; expected a config.json"):
        run_folder.check_folder(tmp_path, resume=True)


@pytest.mark.parametrize(
    "out, data", [("data/run", "data"), ("run", "run/samples"), ("data", "data")]
)
def test_a_run_and_its_data_may_not_lie_inside_each_other(tmp_path, out, data):
    with pytest.raises(ValueError, match="lie inside each other; expected two separate folders"):
        run_folder.check_separate_folders(tmp_path / out, tmp_path / data)


def test_clearing_a_folder_removes_the_run_and_no_other_file(copied_run):
    (copied_run / "my notes.txt").write_text("thesis")

    run_folder.clear_folder(copied_run)

    assert [path.name for path in copied_run.iterdir()] == ["my notes.txt"]


def add_files_of_the_user(run):
    """Puts files of one's own into the folders of a run; returns what they hold by path."""
    mine = (
        "my notes.txt",
        "samples/mine.mid",
        "samples/tune_12.mid",
        "logs/notes",
        "checkpoints/a",
    )
    for name in mine:
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text("mine")

    return {run / name for name in mine}


def test_ending_a_run_by_overwriting_keeps_files_that_no_run_wrote_and_names_them(
    copied_run, caplog
):
    mine = add_files_of_the_user(copied_run)

    run_folder.clear_folder(copied_run)

    assert {path for path in copied_run.rglob("*") if path.is_file()} == mine
    for name in ("samples/mine.mid", "samples/tune_12.mid", "logs/notes", "checkpoints/a"):
        assert name in caplog.text


def test_ending_a_run_by_overwriting_removes_links_and_not_what_they_point_to(copied_run, tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "events").write_text("mine")
    shutil.rmtree(copied_run / "logs", ignore_errors=True)
    (copied_run / "logs").symlink_to(tmp_path / "scratch")
    os.rename(copied_run / "checkpoints" / "adversarial", tmp_path / "adversarial")
    (copied_run / "checkpoints" / "adversarial").symlink_to(tmp_path / "adversarial")

    run_folder.clear_folder(copied_run)

    assert not list(copied_run.iterdir())
    assert (tmp_path / "scratch" / "events").read_text() == "mine"
    assert len(list((tmp_path / "adversarial").iterdir())) == 5


def test_ending_a_run_that_cannot_be_removed_whole_removes_nothing(copied_run, monkeypatch):
    before = {path: path.read_bytes() for path in copied_run.rglob("*") if path.is_file()}
    rename = os.rename

    def fail_at_tokenizer(source, target):
        if Path(source).name == "tokenizer.json":
            raise PermissionError(1, "Operation not permitted", str(source))
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail_at_tokenizer)
    with pytest.raises(PermissionError):
        run_folder.clear_folder(copied_run)

    assert {path: path.read_bytes() for path in copied_run.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("when", range(0, 30, 4))
def test_ending_a_process_that_removes_a_run_leaves_a_run_that_can_be_removed(
    copied_run, monkeypatch, when
):
    calls = iter(range(1000))

    def die(function):
        def dying(*arguments, **options):
            if next(calls) == when:
                raise KeyboardInterrupt
            return function(*arguments, **options)

        return dying

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "rename", die(os.rename))
        patch.setattr(Path, "unlink", die(Path.unlink))
        run_folder.clear_folder(copied_run)

    run_folder.check_folder(copied_run, overwrite=True)
    run_folder.clear_folder(copied_run)
    assert not list(copied_run.iterdir())


def test_litter_of_a_killed_process_makes_a_folder_no_less_empty(tmp_path):
    (tmp_path / ".lock").write_text("17 host")
    (tmp_path / ".config.json.17.partial").write_text("half")
    (tmp_path / ".config.json.replaced").write_text("old")
    (tmp_path / ".partial.generator.keras").write_text("half")

    assert run_folder.check_folder(tmp_path) == tmp_path

    run_folder.remove_partial_files(tmp_path)
    assert os.listdir(tmp_path) == [".lock"]


def test_litter_is_not_what_a_user_calls_so(tmp_path):
    (tmp_path / ".thesis.17.partial").write_text("mine")

    run_folder.remove_partial_files(tmp_path)

    assert os.listdir(tmp_path) == [".thesis.17.partial"]
    with pytest.raises(ValueError, match="is not a run of tfseqgan"):
        run_folder.check_folder(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "generator.keras", "pretrained.keras"])
def test_a_strangers_saved_model_in_a_run_folder_makes_it_no_exported_sampler(tmp_path, name):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "saved_model.pb").write_bytes(b"")
    assert not run_folder.is_run_folder(tmp_path)

    (tmp_path / name).write_text('{"versions": {"tfseqgan": "0.1.0"}}')

    assert run_folder.is_run_folder(tmp_path)


# ---- reading its files


@pytest.mark.parametrize(
    "content, message",
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
def test_a_damaged_config_is_named(tmp_path, content, message):
    (tmp_path / "config.json").write_text(content)

    with pytest.raises(ValueError, match=f"{tmp_path}/config.json {message}"):
        run_folder.read_config(tmp_path)


def test_a_missing_run_is_named(tmp_path):
    message = "config.json does not exist; expected a run folder made by 'tfseqgan train'"
    with pytest.raises(ValueError, match=message):
        run_folder.read_config(tmp_path / "nowhere")


def make_true(run):
    """Makes a run's manifest fit its files as they are."""
    hashes = read_manifest(run)
    names = [name for name in hashes if name != "config.json"]
    config = run_folder.read_json(run / "config.json")
    write_manifest(run, hash_files(run, *names) | {"config.json": run_folder.config_sha256(config)})


def zero_second_half(path):
    """Replaces the second half of a file by zeros."""
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + bytes(len(content) - half))


def truncate(path):
    """Cuts a file off in the middle."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path):
    """Leaves nothing of a file's content."""
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [zero_second_half, truncate, empty])
def test_a_damaged_model_is_named(copied_run, damage):
    damage(copied_run / "generator.keras")

    message = "generator.keras is not what the run wrote: expected sha256 .* Restore it, or make it"
    with pytest.raises(ValueError, match=message):
        run_folder.load_model(copied_run, "generator")

    make_true(copied_run)
    message = (
        "generator.keras cannot be loaded .*; expected a model saved by tfseqgan. Restore the file"
    )
    with pytest.raises(ValueError, match=message):
        run_folder.load_model(copied_run, "generator")


def test_an_unfinished_run_is_told_how_to_finish(copied_run):
    (copied_run / "generator.keras").unlink()

    message = re.escape(
        "expected a run that has reached this stage. "
        f"Resume the run: tfseqgan train --resume --out {copied_run}"
    )
    with pytest.raises(ValueError, match=message):
        run_folder.load_model(copied_run, "generator")


def test_the_models_before_a_missing_one_can_be_loaded(copied_run):
    (copied_run / "generator.keras").unlink()

    assert run_folder.load_model(copied_run, "pretrained").vocabulary_size == 199


# ---- the manifest


def change_config(run, **changes):
    """Changes the config.json of a run by hand."""
    path = run / "config.json"
    files.write_json(path, json.loads(path.read_text()) | changes)


def test_a_manifest_of_0_1_0_is_accepted_for_what_it_holds(copied_run):
    opened = run_folder.open_run(copied_run)

    assert set(opened.hashes) == {"tokenizer.json", "generator.keras", "discriminator.keras"}
    for name in ("pretrained", "generator", "discriminator"):
        assert opened.load_model(name).vocabulary_size == 199
    assert opened.load_tokenizer().vocabulary_size == 199
    assert "nll" in opened.load_evaluation()["kl_control"]


@pytest.mark.parametrize("name", ["pretrained.keras", "evaluation.json"])
def test_a_manifest_covers_what_later_versions_list(copied_run, name):
    run_folder.record_files(copied_run, name)
    shutil.copy(copied_run / "tokenizer.json", copied_run / name)

    opened = run_folder.open_run(copied_run)

    load = opened.load_evaluation if name == "evaluation.json" else None
    with pytest.raises(ValueError, match=f"{name} is not what the run wrote.*--resume --out"):
        load() if load else opened.load_model("pretrained")


def test_a_manifest_tells_one_model_from_another(copied_run):
    shutil.copy(copied_run / "pretrained.keras", copied_run / "generator.keras")

    with pytest.raises(ValueError, match="generator.keras is not what the run wrote"):
        run_folder.load_model(copied_run, "generator")


def test_a_manifest_that_is_true_does_not_make_a_discriminator_a_generator(copied_run):
    shutil.copy(copied_run / "discriminator.keras", copied_run / "generator.keras")
    make_true(copied_run)

    with pytest.raises(ValueError, match="it holds 'tfseqgan>Discriminator'"):
        run_folder.load_model(copied_run, "generator")


@pytest.mark.parametrize(
    "name, value", [("seed", 1), ("validation_fraction", 0.5), ("rounds", 9), ("objective", "merl")]
)
def test_a_manifest_knows_the_settings(copied_run, name, value):
    settings, config = run_folder.read_config(copied_run)
    run_folder.write_config(copied_run, config)
    assert run_folder.read_config(copied_run)[0] == settings

    change_config(copied_run, settings=config["settings"] | {name: value})

    with pytest.raises(ValueError, match="config.json is not what the run wrote: its settings"):
        run_folder.open_run(copied_run)
    with pytest.raises(ValueError, match="config.json is not what the run wrote: its settings"):
        run_folder.open_run_to_resume(copied_run)


def test_a_manifest_lets_the_data_lie_elsewhere(copied_run):
    _, config = run_folder.read_config(copied_run)
    run_folder.write_config(copied_run, config)

    change_config(copied_run, data_path="/moved")

    assert run_folder.open_run(copied_run).config["data_path"] == "/moved"


def test_a_manifest_has_no_entry_that_does_not_fit_while_config_is_written(copied_run, monkeypatch):
    settings, config = run_folder.read_config(copied_run)
    run_folder.write_config(copied_run, config)
    changed = config | {"settings": config["settings"] | {"rounds": settings.rounds + 1}}

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_folder, "record", die)
    with pytest.raises(KeyboardInterrupt):
        run_folder.write_config(copied_run, changed)

    assert run_folder.open_run(copied_run).settings.rounds == settings.rounds + 1


@pytest.mark.parametrize("content", [None, "", "[]", '{"../a": "b"}', "[" * 100_000])
def test_a_manifest_that_is_damaged_is_named_and_made_again_by_resuming(copied_run, content):
    (copied_run / "manifest.json").unlink()
    if content is not None:
        (copied_run / "manifest.json").write_text(content)

    with pytest.raises(ValueError, match="manifest.json .*Make it again: tfseqgan train --resume"):
        run_folder.open_run(copied_run)

    assert run_folder.open_run_to_resume(copied_run).hashes == {}


def test_a_manifest_that_lacks_a_model_which_is_there_is_of_a_run_that_was_stopped(copied_run):
    hashes = read_manifest(copied_run)
    del hashes["generator.keras"]
    write_manifest(copied_run, hashes)

    with pytest.raises(ValueError, match="is not listed in manifest.json: the run was stopped"):
        run_folder.load_model(copied_run, "generator")


@pytest.mark.parametrize(
    "name, value",
    [
        ("data_path", 5),
        ("data_path", []),
        ("data", []),
        ("data", {"name": 3, "sha256": ""}),
        ("data", {"name": "x", "sha256": None}),
        ("starts_with_start_token", 1),
        ("starts_with_start_token", None),
        ("versions", "0.1.0"),
        ("split", []),
        ("history", {}),
        ("settings", {"kernel_sizes": [1], "seed": True}),
        ("settings", {"kernel_sizes": [1], "units": "8"}),
        ("settings", {"kernel_sizes": [1], "objective": ["merl"]}),
        ("settings", {"kernel_sizes": 3}),
        ("settings", {"kernel_sizes": [[1]]}),
        ("settings", []),
    ],
)
def test_a_strangers_config_with_values_of_other_types_is_named(copied_run, name, value):
    change_config(copied_run, **{name: value})

    with pytest.raises(ValueError, match="config.json is not what tfseqgan .* writes"):
        run_folder.open_run(copied_run)


@pytest.mark.parametrize("content", [b"\xe9", b"[" * 100_000, b'{"a":' * 100_000])
def test_a_strangers_config_is_a_value_error_that_names_it(copied_run, content):
    (copied_run / "config.json").write_bytes(content)

    with pytest.raises(ValueError, match="copy/config.json is damaged"):
        run_folder.open_run(copied_run)


@pytest.mark.parametrize("name", ["config.json", "manifest.json", "tokenizer.json"])
def test_a_strangers_file_without_end_is_refused_at_once(copied_run, name):
    (copied_run / name).unlink()
    (copied_run / name).symlink_to("/dev/zero")

    with pytest.raises(ValueError, match=name):
        run_folder.open_run(copied_run).load_tokenizer()


def test_a_strangers_model_with_numbers_that_are_not_finite_is_refused(copied_run):
    model = run_folder.load_model(copied_run, "generator")
    weights = model.get_weights()
    weights[-1][0] = math.nan
    model.set_weights(weights)
    model.save(copied_run / "generator.keras")
    make_true(copied_run)

    with pytest.raises(ValueError, match="generator.keras cannot be loaded .*not finite"):
        run_folder.load_model(copied_run, "generator")


@pytest.mark.parametrize(
    "name", ["metrics.csv", "checkpoints", "samples", "checkpoints/adversarial", "tokenizer.json"]
)
def test_a_strangers_link_is_not_written_through_when_a_run_is_resumed(copied_run, tmp_path, name):
    os.rename(copied_run / name, tmp_path / "elsewhere")
    (copied_run / name).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ValueError, match=f"{name} is a link to .*; expected the run's own file"):
        run_folder.check_folder(copied_run, resume=True)


def test_advice_a_run_that_diverged_names_the_stage_that_can_be_sampled(copied_run):
    (copied_run / "generator.keras").unlink()

    with pytest.raises(ValueError, match="tfseqgan sample --model .* --stage pretrained"):
        run_folder.load_model(copied_run, "generator")


def test_nan_in_a_json_file_is_read_as_none(tmp_path):
    path = tmp_path / "a.json"

    files.write_json(path, {"precision": math.nan, "nll": 0.1, "names": ["α"]})

    assert run_folder.read_json(path) == {"precision": None, "nll": 0.1, "names": ["α"]}
    assert "NaN" not in path.read_text(encoding="utf-8")
    assert "α" in path.read_text(encoding="utf-8")


def test_saved_settings_are_read_from_a_card_as_from_a_config():
    settings, config = run_folder.read_config(GOLDEN_RUN)
    card = json.loads(json.dumps({"settings": config["settings"], "length": 60}))

    assert run_folder.read_settings(card) == settings


# ---- tunes


def test_file_names_of_many_tunes_sort_by_number(tmp_path):
    paths = run_folder.write_tunes(compose_tunes(10, 0), tmp_path)

    names = [path.name for path in paths]
    assert names == sorted(names)
    assert names[0] == "tune_01.mid"


def test_tunes_are_written_in_every_format_that_is_asked_for(tmp_path):
    pytest.importorskip("verovio")
    (tune,) = compose_tunes(1, 5)

    paths = run_folder.write_tunes([tune], tmp_path, TUNE_FORMATS)

    assert [path.name for path in paths] == ["tune_1.mid", "tune_1.abc", "tune_1.svg"]
    assert read_abc(paths[1])[0].melody == read_midi(paths[0]).melody == tune.melody
    assert paths[2].read_text(encoding="utf-8").startswith("<svg ")


def test_written_tunes_are_read_back_note_for_note(tmp_path):
    tunes = compose_tunes(3, 5)

    paths = run_folder.write_tunes(tunes, tmp_path / "new")

    for tune, path in zip(tunes, paths, strict=True):
        assert read_midi(path).melody == tune.melody
