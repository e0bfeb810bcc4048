"""`tfseqgan evaluate`: the figures of a run again, and what is refused."""

import json
import logging
from pathlib import Path

import pytest
from running_commands import assert_one_line_and_code_1, read

from tfseqgan.runs import finished_run

slow = pytest.mark.slow


@pytest.mark.parametrize(
    "out, words",
    [
        ("nodir/x.json", "lies in a folder that does not exist; expected one that does"),
        (".", "is a folder; expected a file for the figures"),
        ("mine.json/x.json", "lies in a folder that does not exist"),
    ],
)
def test_ending_of_evaluate_is_checked_before_anything_is_computed(
    tfseqgan, without_tensorflow, tmp_path, monkeypatch, out, words
):
    monkeypatch.chdir(tmp_path)
    Path("mine.json").write_text("mine")

    assert_one_line_and_code_1(tfseqgan("evaluate", "--model", "any", "--out", out), words)


@pytest.mark.parametrize("command", ["sample", "export", "train"])
def test_ending_of_a_command_below_a_file_is_known_at_once(tfseqgan, tmp_path, command):
    (tmp_path / "file").write_text("mine")
    model = [] if command == "train" else ["--model", "any"]

    result = tfseqgan(command, *model, "--out", tmp_path / "file" / "new" / "folder")

    assert_one_line_and_code_1(result, f"Not a directory: {tmp_path / 'file'}")


def test_ending_in_a_device_needs_no_leave_and_leaves_the_device(tfseqgan, monkeypatch):
    monkeypatch.setattr(finished_run, "evaluate_run", lambda *_, **__: {"merl": {"nll": 2.5}})

    assert tfseqgan("evaluate", "--model", "any", "--out", "/dev/null")[0] == 0

    assert Path("/dev/null").is_char_device()


@slow
def test_evaluate_prints_and_writes_the_figures_of_the_run(tfseqgan, finished, tmp_path):
    again = tmp_path / "again.json"

    code, out, _ = tfseqgan("evaluate", "--model", finished.out, "--out", again)

    assert code == 0
    assert out.strip() in finished.stdout
    assert again.read_bytes() == (finished.out / "evaluation.json").read_bytes()


def test_evaluate_does_not_replace_a_file_unless_asked(tfseqgan, without_tensorflow, tmp_path):
    mine = tmp_path / "mine.json"
    mine.write_text("mine")

    result = tfseqgan("evaluate", "--model", "any", "--out", mine)

    assert_one_line_and_code_1(result, "mine.json exists; expected a new file")
    assert mine.read_text() == "mine"


FIGURES = {"merl": {"nll": 2.5, "precision": float("nan")}}


def evaluate_with_a_note(*_, **__):
    """Gives figures at once, after a line of the log."""
    logging.getLogger("tfseqgan").info("a note")
    logging.getLogger("tfseqgan").warning("a warning")

    return FIGURES


def test_evaluate_as_json_prints_the_figures_and_nothing_else(tfseqgan, monkeypatch):
    monkeypatch.setattr(finished_run, "evaluate_run", evaluate_with_a_note)

    code, out, _ = tfseqgan("evaluate", "--model", "any", "--json")

    assert code == 0
    assert json.loads(out) == {"merl": {"nll": 2.5, "precision": None}}


def test_a_quiet_evaluation_says_warnings_alone_and_writes_the_figures(
    tfseqgan, monkeypatch, tmp_path, caplog
):
    monkeypatch.setattr(finished_run, "evaluate_run", evaluate_with_a_note)
    out = tmp_path / "figures.json"

    result = tfseqgan("evaluate", "--model", "any", "--quiet", "--out", out)

    assert result[:2] == (0, "")
    assert caplog.messages == ["a warning"]
    assert read(out) == {"merl": {"nll": 2.5, "precision": None}}
