"""`tfseqgan evaluate`: the figures of a run again, and what is refused."""

import json
import logging
from pathlib import Path

import pytest
from running_commands import assert_one_line_and_code_1, read
from tiny_runs import shared_tunes

from tfseqgan.evaluation.table import WIDTH
from tfseqgan.runs import finished_run, judging

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


# ---- fresh judges

VERDICTS = [
    {
        "kind": kind,
        "has_place": has_place,
        "seed": seed,
        "cross_entropy": 0.31,
        "cross_entropy_stderr": 0.012,
        "auc": 0.95,
        "auc_low": 0.94,
        "auc_high": 0.96,
        "epochs": 21,
        "curve": [0.6, 0.5],
    }
    for kind, has_place, seed in (("cnn", False, 0), ("gru", True, 10))
]


@pytest.fixture
def judged(monkeypatch):
    """What was asked for, in order, by a command whose every step is done at once."""
    steps = []

    def prepare_trial(*arguments, **options):
        steps.append(("prepare", arguments, options))
        return "a trial"

    def evaluate_run(*_, **__):
        steps.append("evaluate")
        return FIGURES

    def judge_run(trial):
        steps.append(("judge", trial))
        return VERDICTS

    monkeypatch.setattr(judging, "prepare_trial", prepare_trial)
    monkeypatch.setattr(finished_run, "evaluate_run", evaluate_run)
    monkeypatch.setattr(judging, "judge_run", judge_run)

    return steps


def test_judges_are_prepared_before_anything_is_computed_and_come_after_the_table(tfseqgan, judged):
    code, out, _ = tfseqgan(
        "evaluate", "--model", "mine", "--data", "tunes", "--seed", 3, "--judges", 2
    )

    assert code == 0
    assert judged == [
        ("prepare", ("mine", "tunes"), {"num_judges": 2, "seed": 3}),
        "evaluate",
        ("judge", "a trial"),
    ]
    assert out.index("H(data,gen)") < out.index("cross-entropy (of 0.693)")
    assert "gru    yes    10    0.310 (0.012)             0.950 (0.940, 0.960)  21\n" in out
    assert max(map(len, out.splitlines())) <= WIDTH


def test_no_judges_are_trained_unless_asked_for(tfseqgan, judged):
    code, out, _ = tfseqgan("evaluate", "--model", "mine", "--json")

    assert code == 0
    assert judged == ["evaluate"]
    assert "judges" not in json.loads(out)


def test_what_judges_say_is_in_the_json_and_in_the_file(tfseqgan, judged, tmp_path):
    path = tmp_path / "figures.json"

    code, out, _ = tfseqgan("evaluate", "--model", "mine", "--judges", 1, "--json", "--out", path)

    assert code == 0
    assert json.loads(out) == {
        "merl": {"nll": 2.5, "precision": None},
        "judges": VERDICTS,
    }
    assert read(path) == json.loads(out)
    assert "judges" not in FIGURES


def test_a_quiet_evaluation_prints_no_judges(tfseqgan, judged):
    assert tfseqgan("evaluate", "--model", "mine", "--judges", 1, "--quiet")[:2] == (0, "")


def test_no_judges_at_all_are_refused_by_the_flag_before_anything_is_computed(
    tfseqgan, monkeypatch
):
    monkeypatch.setattr(finished_run, "evaluate_run", lambda *_, **__: pytest.fail("computed"))

    assert_one_line_and_code_1(
        tfseqgan("evaluate", "--model", "any", "--judges", 0),
        "--judges is 0; expected 1 or more of each kind",
    )


@slow
@pytest.mark.serving
def test_an_exported_sampler_is_judged_on_the_split_of_its_run(exported, finished):
    of_run, settings = finished_run.load_tunes(finished.out)

    of_sampler, same_settings = finished_run.load_tunes(exported, shared_tunes())

    assert of_sampler.validation == of_run.validation
    assert same_settings == settings
