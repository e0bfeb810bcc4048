"""What may be done with a folder, what damaged files are told, and how tunes are written."""

import json
import math
import re
import shutil
from pathlib import Path

import pytest

from tfseqgan import files
from tfseqgan.datasets.synthetic import compose_tunes
from tfseqgan.music.midi import read_midi
from tfseqgan.runs import run_folder

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


def test_written_tunes_are_read_back_note_for_note(tmp_path):
    tunes = compose_tunes(3, 5)

    paths = run_folder.write_tunes(tunes, tmp_path / "new")

    for tune, path in zip(tunes, paths, strict=True):
        assert read_midi(path).melody == tune.melody
