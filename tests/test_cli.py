"""The command line: what it prints, what it refuses, and that a killed run resumes exactly."""

import dataclasses
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from absl import logging as absl_logging
from tiny_runs import TINY, assert_same_run, compose_folder, shared_tunes

from tfseqgan import __version__, cli, from_pretrained
from tfseqgan.evaluation.table import format_table
from tfseqgan.music.midi import read_midi
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.runs import finished_run, run_folder, train_run
from tfseqgan.runs.settings import Settings
from tfseqgan.serving.saved_sampler import SavedSampler

COMMANDS = ("train", "sample", "evaluate", "export", "download")
ROUNDS = 12

# The settings of a tiny run as flags, except the number of rounds.
GIVEN_AS_FLAGS = [
    name
    for name, value in dataclasses.asdict(TINY).items()
    if value != getattr(Settings(), name) and name not in ("rounds", "kernel_sizes")
]
TINY_FLAGS = [
    "--kernel_sizes",
    "1,2",
    *(f"--{name}={getattr(TINY, name)}" for name in GIVEN_AS_FLAGS),
]

slow = pytest.mark.slow
processes = pytest.mark.processes
serving = pytest.mark.serving


def start(*arguments, environment=None, **options):
    """Starts the real command in a process of its own."""
    environment = (environment or os.environ) | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    pipes = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "encoding": "utf-8",
    }
    command = [sys.executable, "-m", "tfseqgan", *map(str, arguments)]

    return subprocess.Popen(command, env=environment, **pipes | options)


def free_port():
    """Returns a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def read(path):
    """Returns the content of a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def assert_one_line_and_code_2(result, words):
    """Asserts that a command failed with one line on stderr that holds some words."""
    code, out, err = result

    assert code == 2
    assert out == ""
    assert words in err
    assert err.count("\n") == 1


@pytest.fixture
def tfseqgan(capsys):
    """The command in this process: arguments → (exit code, stdout, stderr)."""
    loggers = [logging.getLogger(name) for name in ("tfseqgan", "tensorflow", "absl", None)]
    levels = [logger.level for logger in loggers]
    verbosity = absl_logging.get_verbosity()

    def call(*arguments):
        try:
            code = cli._main(cli._parse(["tfseqgan", *map(str, arguments)]))
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    yield call

    absl_logging.set_verbosity(verbosity)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def without_tensorflow(monkeypatch):
    """Fails a test that imports TensorFlow for a command line that is wrong."""

    def fail(name):
        pytest.fail("TensorFlow was imported before the command line was refused")

    monkeypatch.setattr(cli, "_import_run_module", fail)


@dataclasses.dataclass(frozen=True)
class FinishedCommand:
    """A run that the real command has made, and what that printed."""

    out: Path
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of 12 rounds, which no test may change."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    process = start(
        "train", "--data", shared_tunes(), "--out", out, "--rounds", ROUNDS, *TINY_FLAGS
    )
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr

    return FinishedCommand(out, stdout, stderr)


@pytest.fixture
def copied_run(tmp_path, finished):
    """A copy of the finished run, to be changed."""
    return Path(shutil.copytree(finished.out, tmp_path / "copy"))


# ---- help, version, flags


@processes
@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_starts_without_tensorflow_and_numpy(command):
    code = (
        "import sys, tfseqgan.cli as cli\n"
        "try: cli.run()\n"
        "except SystemExit: print({'tensorflow', 'keras', 'numpy'} & set(sys.modules))"
    )
    arguments = [command, "--help"] if command else ["--help"]

    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )

    assert result.stdout.startswith("usage: tfseqgan")
    assert result.stdout.endswith("set()\n")
    assert result.stderr == ""


@processes
def test_the_package_runs_as_a_module():
    process = start("--version")

    assert process.communicate() == (f"{__version__}\n", "")
    assert process.returncode == 0


def test_help_names_every_command(tfseqgan):
    code, out, _ = tfseqgan("--help")

    assert code == 0
    assert all(command in out for command in COMMANDS)


def test_the_version_is_the_packages(tfseqgan):
    assert tfseqgan("--version")[:2] == (0, f"{__version__}\n")


@pytest.mark.parametrize("field", dataclasses.fields(Settings), ids=lambda field: field.name)
def test_every_setting_is_a_flag_of_its_name_and_type(field):
    names = {"reward": "log", "baseline": "none", "credit": "prefix", "transpose": "C"}
    value = names.get(field.name, 0.5) if field.default is None else field.default
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)

    args = cli._parse(["tfseqgan", "train", "--out", "x", f"--{field.name}", text])

    found = getattr(args, field.name)
    assert found == value
    assert type(found) is type(value)
    assert cli._given_settings(args) == {field.name: value}


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "required: COMMAND"),
        (["compose"], "invalid choice: 'compose'"),
        (["train"], "required: --out"),
        (["train", "--out", "x", "--colour", "red"], "unrecognized arguments: --colour red"),
        (["train", "--out", "x", "--unit", "8"], "unrecognized arguments: --unit 8"),
        (["train", "--out", "x", "--units", "many"], "invalid int value: 'many'"),
        (["train", "--out", "x", "--preset", "best"], "invalid choice: 'best'"),
        (
            ["train", "--out", "x", "--kernel_sizes", "1,b"],
            "expected whole numbers such as 1,2,4, received '1,b'",
        ),
        (["sample"], "required: --out"),
        (["sample", "--mod", "x", "--out", "x"], "unrecognized arguments: --mod x"),
        (["evaluate"], "required: --model"),
        (["export", "--model", "x"], "required: --out"),
        (
            ["export", "--model", "x", "--out", "y", "--vers", "2"],
            "unrecognized arguments: --vers 2",
        ),
        (["export", "--model", "x", "--out", "y", "--version", "two"], "invalid int value: 'two'"),
    ],
)
def test_a_wrong_command_line_ends_with_usage_and_code_2(
    tfseqgan, without_tensorflow, arguments, words
):
    code, out, err = tfseqgan(*arguments)

    assert code == 2
    assert out == ""
    assert err.startswith("usage: tfseqgan")
    assert words in err.splitlines()[-1]


@pytest.mark.parametrize(
    "flags, words",
    [
        ("--kernel_sizes 0", "kernel_sizes is (0,); expected widths of 1 or more"),
        ("--dropout 1.5", "dropout is 1.5; expected a number, 0 to below 1"),
        ("--length 0", "length is 0; expected a whole number, 1 or more"),
        (
            "--objective merl --entropy_weight -1",
            "entropy_weight is -1.0; expected a number, 0 or more",
        ),
        (
            "--objective seqgun",
            "expected one of reinforce, reinforce_with_baseline, merl, kl_control",
        ),
        ("--reward d", "reward is 'd'; expected one of probability, log, logit, none"),
        ("--baseline mean", "baseline is 'mean'; expected one of none, batch_mean"),
        ("--seed -1", "seed is -1; expected a whole number, 0 to"),
        (
            "--resume --overwrite",
            "--resume and --overwrite contradict each other; pass only one of them",
        ),
    ],
)
def test_a_wrong_setting_is_one_line_and_code_2_and_makes_no_folder(
    tfseqgan, without_tensorflow, tmp_path, flags, words
):
    result = tfseqgan("train", "--out", tmp_path / "run", *flags.split())

    assert_one_line_and_code_2(result, words)
    assert result[2].startswith("tfseqgan: ")
    assert not any(tmp_path.iterdir())


# ---- train


@slow
@processes
def test_training_prints_progress_the_table_and_what_to_do_next(finished):
    out = finished.out
    lines = finished.stdout.splitlines()
    progress = lines[: TINY.epochs + 1 + ROUNDS]  # one round before the first
    hear, see, more = lines[-3:]

    assert [line.split()[0] for line in progress] == ["epoch"] * TINY.epochs + ["round"] * 13
    assert format_table(run_folder.read_json(out / "evaluation.json")) in finished.stdout
    assert hear.startswith("Hear: ")
    assert f"{out / 'samples'} holds 2 tunes" in hear
    assert f"tfseqgan sample --model {out} --out" in hear
    assert see.startswith("See: ")
    assert str(out / "metrics.csv") in see
    assert more.startswith("Continue: ")
    assert f"tfseqgan train --resume --out {out} --rounds 24" in more


@slow
@processes
def test_training_writes_nothing_to_stderr_except_its_own_notes(finished):
    *lines, data_notes = finished.stderr.splitlines()

    of_tokens = [line for line in lines if "dropped for rare events" in line]
    assert len(of_tokens) == 2
    assert all("tunes, " in line for line in of_tokens)
    [warning] = [line for line in lines if line not in of_tokens]
    assert "of the held-out tokens are not in the vocabulary" in warning
    assert data_notes.startswith("tunes: ")
    assert "held out; a vocabulary of" in data_notes


@slow
@pytest.mark.parametrize(
    "flags, words",
    [
        (["--units", 9], "leave out --units (saved 8, given 9). Only --rounds may be raised"),
        (["--preset", "quick"], "leave out --preset"),
        (["--data", "elsewhere"], "leave out --data (saved "),
        (["--rounds", 2], "--rounds is 2 and the run was started with 12; expected 12 or more"),
    ],
)
def test_a_run_is_resumed_only_with_its_own_settings(tfseqgan, finished, flags, words):
    code, _, err = tfseqgan("train", "--resume", "--out", finished.out, *flags)

    assert code == 2
    assert words in err
    assert err.count("\n") == 1


@slow
def test_a_finished_run_is_resumed_from_any_folder_without_change(
    tfseqgan, copied_run, finished, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    same_flags = ["--data", os.path.relpath(shared_tunes()), "--units", 8, "--rounds", ROUNDS]

    code, out, _ = tfseqgan("train", "--resume", "--out", "copy", *same_flags)

    assert code == 0
    assert "tfseqgan sample --model copy" in out
    assert_same_run(copied_run, finished.out)
    assert read(copied_run / "config.json") == read(finished.out / "config.json")


def wait_for_rounds(process, path, count):
    """Returns when a running command has written the figures of some rounds, or has ended."""
    while process.poll() is None:
        if path.exists() and len(path.read_text().splitlines()) > count:
            return
        time.sleep(0.02)


@slow
@processes
def test_a_killed_run_resumes_to_the_same_end(tfseqgan, finished, tmp_path):
    out = tmp_path / "killed"
    flags = ["--data", shared_tunes(), "--out", out, "--rounds", ROUNDS, *TINY_FLAGS]

    process = start("train", *flags, stdout=subprocess.DEVNULL)
    wait_for_rounds(process, out / "metrics.csv", 4)
    process.kill()
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert not (out / "generator.keras").exists()

    code, _, err = tfseqgan("sample", "--model", out, "--out", tmp_path / "tunes")
    assert code == 2
    assert f"Resume the run: tfseqgan train --resume --out {out}" in err

    assert tfseqgan("train", "--resume", "--out", out)[0] == 0
    assert_same_run(out, finished.out)


@slow
@processes
def test_ending_by_sigterm_says_how_to_resume_and_leaves_no_lock(finished, tmp_path, tfseqgan):
    out = tmp_path / "terminated"
    flags = ["--data", shared_tunes(), "--out", out, "--rounds", ROUNDS, *TINY_FLAGS]

    process = start("train", *flags)
    while not (out / "metrics.csv").exists():
        assert process.poll() is None
        time.sleep(0.02)
    one_more = tfseqgan("train", "--resume", "--out", out)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()

    assert process.returncode == 143
    assert err.endswith(
        "\ntfseqgan: Stopped. Resume from the last checkpoint: "
        f"tfseqgan train --resume --out {out}\n"
    )
    assert_one_line_and_code_2(one_more, f"another process (pid {process.pid}) is writing this run")
    assert tfseqgan("train", "--resume", "--out", out)[0] == 0
    assert_same_run(out, finished.out)
    assert sorted(os.listdir(out)) == sorted(os.listdir(finished.out))


@slow
def test_advice_lower_rates_are_accepted_when_a_run_is_resumed(tfseqgan, copied_run):
    flags = ["--generator_learning_rate", 1e-5, "--global_clipnorm", 1]

    assert tfseqgan("train", "--resume", "--out", copied_run, *flags)[0] == 0

    config = read(copied_run / "config.json")
    assert config["settings"]["generator_learning_rate"] == 1e-5
    assert config["history"][0]["changed"]["global_clipnorm"] == [5.0, 1.0]


@slow
@pytest.mark.parametrize(
    "has_pretrained, flag",
    [(True, "--generator_learning_rate 5e-05"), (False, "--pretraining_learning_rate 0.0005")],
)
def test_advice_of_a_run_that_diverged_is_a_command_that_is_accepted(
    tfseqgan, copied_run, monkeypatch, has_pretrained, flag
):
    def diverge(*_, **__):
        raise FloatingPointError("Training diverged in round 3.")

    if not has_pretrained:
        (copied_run / "pretrained.keras").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(train_run, "train_run", diverge)
        result = tfseqgan("train", "--resume", "--out", copied_run)

    command = f"tfseqgan train --resume --out {copied_run} {flag}"
    assert_one_line_and_code_2(result, f"Resume from the last checkpoint: {command}")
    assert tfseqgan(*command.split()[1:])[0] == 0


# ---- evaluate


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

    assert_one_line_and_code_2(tfseqgan("evaluate", "--model", "any", "--out", out), words)


@pytest.mark.parametrize("command", ["sample", "export", "train"])
def test_ending_of_a_command_below_a_file_is_known_at_once(tfseqgan, tmp_path, command):
    (tmp_path / "file").write_text("mine")
    model = [] if command == "train" else ["--model", "any"]

    result = tfseqgan(command, *model, "--out", tmp_path / "file" / "new" / "folder")

    assert_one_line_and_code_2(result, f"Not a directory: {tmp_path / 'file'}")


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

    assert_one_line_and_code_2(result, "mine.json exists; expected a new file")
    assert mine.read_text() == "mine"


# ---- sample


@slow
def test_sample_prints_the_files_and_writes_the_same_tunes_for_the_same_seed(
    tfseqgan, finished, tmp_path
):
    flags = ["--num_tunes", 3, "--seed", 4, "--length", 60, "--temperature", 0.9, "--top_p", 0.95]
    names = ["tune_1.mid", "tune_2.mid", "tune_3.mid"]

    code, out, _ = tfseqgan("sample", "--model", finished.out, *flags, "--out", tmp_path / "a")
    again, *_ = tfseqgan("sample", "--model", finished.out, *flags, "--out", tmp_path / "b")

    assert code == again == 0
    assert out.split() == [str(tmp_path / "a" / name) for name in names]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert read_midi(tmp_path / "a" / name).melody


@slow
@pytest.mark.parametrize(
    "flags, words",
    [
        (["--temperature", 0], "temperature must be a positive number, received 0.0"),
        (["--top_p", 2], "top_p must lie in (0, 1], received 2.0"),
        (["--top_k", 0], "top_k must be 1 or more, received 0"),
        (["--num_tunes", 0], "num_tunes is 0; expected 1 or more"),
        (["--length", 0], "length must be 1 or more"),
    ],
)
def test_sample_refuses_what_cannot_be_sampled(tfseqgan, finished, tmp_path, flags, words):
    result = tfseqgan("sample", "--model", finished.out, "--out", tmp_path / "new", *flags)

    assert_one_line_and_code_2(result, words)
    assert not (tmp_path / "new").exists()


def test_sample_refuses_a_folder_with_other_files_and_a_file(
    tfseqgan, without_tensorflow, tmp_path
):
    (tmp_path / "mine").write_text("mine")

    among_files = tfseqgan("sample", "--model", "any", "--out", tmp_path)
    onto_a_file = tfseqgan("sample", "--model", "any", "--out", tmp_path / "mine")

    assert_one_line_and_code_2(
        among_files,
        "is not empty; expected a new or empty folder, so that no tune is lost. Pass --overwrite",
    )
    assert_one_line_and_code_2(onto_a_file, "mine is a file; expected a folder")


@slow
def test_sample_writes_among_other_files_if_asked(tfseqgan, finished, tmp_path):
    (tmp_path / "mine").write_text("mine")
    flags = ["--overwrite", "--num", 1, "--length", 9]

    code, *_ = tfseqgan("sample", "--model", finished.out, "--out", tmp_path, *flags)

    assert code == 0
    assert sorted(os.listdir(tmp_path)) == ["mine", "tune_1.mid"]


# ---- export


@pytest.fixture(scope="module")
def exported(tmp_path_factory, finished):
    """The finished run, exported as a sampler of 60 tokens; no test may change it."""
    folder = tmp_path_factory.mktemp("exports") / "model"
    version = finished_run.export_run(finished.out, folder, length=60, num_candidates=2)
    assert version == folder / "1"

    return folder


@pytest.fixture
def change_card(tmp_path, exported):
    """Copies the exported sampler, changes its card, and returns the copy."""

    def change(**changes):
        model = Path(shutil.copytree(exported, tmp_path / "model"))
        card = model / "1" / "assets.extra" / "card.json"
        card.write_text(json.dumps(read(card) | changes))
        return model

    return change


@slow
@serving
def test_export_prints_the_version_that_it_wrote(tfseqgan, finished, tmp_path):
    model = tmp_path / "new" / "model"
    flags = ["--version", 12, "--length", 9]

    result = tfseqgan("export", "--model", finished.out, "--out", model, *flags)

    assert result == (0, f"{model / '12'}\n", "")
    assert os.listdir(model) == ["12"]
    assert os.listdir(model / "12" / "assets") == ["tokenizer.json"]


@slow
@serving
def test_the_card_recommends_what_export_was_told(tfseqgan, finished, tmp_path):
    model = tmp_path / "model"
    flags = ["--length", 9, "--temperature", 0.5, "--top_p", 0.75]

    assert tfseqgan("export", "--model", finished.out, "--out", model, *flags)[0] == 0

    sampler = SavedSampler(model)
    assert sampler.defaults == {"temperature": 0.5, "top_p": 0.75}
    found = sampler.generate(5, seed=3)
    np.testing.assert_array_equal(found, sampler.generate(5, temperature=0.5, top_p=0.75, seed=3))
    assert (found != sampler.generate(5, temperature=1.0, top_p=1.0, seed=3)).any()


@slow
def test_a_run_is_not_exported_into_its_own_folder(tfseqgan, finished):
    before = sorted(finished.out.rglob("*"))

    result = tfseqgan("export", "--model", finished.out, "--out", finished.out)

    assert_one_line_and_code_2(result, "run's own folder")
    assert sorted(finished.out.rglob("*")) == before


@slow
@serving
def test_the_card_says_how_the_sampler_was_trained_and_what_it_scored(exported, finished):
    card = read(exported / "1" / "assets.extra" / "card.json")
    config = read(finished.out / "config.json")
    del config["data"]["skipped_files"]

    assert card["settings"] == config["settings"]
    assert card["versions"] == config["versions"]
    assert card["data"] == config["data"]
    assert card["evaluation"] == read(finished.out / "evaluation.json")
    assert card["length"] == 60
    assert card["num_candidates"] == 2
    assert card["prompt"] == [1]
    assert card["end_token_id"] == 2


@slow
@serving
def test_no_exported_file_holds_a_path_of_this_machine(exported, finished):
    exported_files = [path for path in exported.rglob("*") if path.is_file()]
    paths_of_this_machine = [
        str(exported.parent),
        str(finished.out.parent),
        str(shared_tunes().parent),
        str(Path(cli.__file__).parent),
        sys.prefix,
        os.path.expanduser("~/"),
    ]

    names = {path.name for path in exported_files}
    assert {"saved_model.pb", "tokenizer.json", "card.json", "variables.index"} <= names
    for path in exported_files:
        content = path.read_bytes()
        found = [name for name in paths_of_this_machine if os.fsencode(name) in content]
        assert not found, path


@slow
@serving
def test_an_exported_sampler_writes_the_tunes_of_its_run(tfseqgan, exported, finished, tmp_path):
    flags = ["--num", 2, "--seed", 4, "--length", 50, "--top_p", 0.9]
    names = ["tune_1.mid", "tune_2.mid"]

    for model, folder in ((exported, "a"), (exported / "1", "b"), (finished.out, "c")):
        out = tmp_path / folder
        code, printed, _ = tfseqgan("sample", "--model", model, *flags, "--out", out)
        assert code == 0
        assert printed.split() == [str(out / name) for name in names]

    for name in names:
        tune = (tmp_path / "a" / name).read_bytes()
        assert tune == (tmp_path / "b" / name).read_bytes()
        assert tune == (tmp_path / "c" / name).read_bytes()


@slow
@serving
def test_an_exported_sampler_writes_tunes_of_its_own_length_by_default(
    tfseqgan, exported, tmp_path
):
    out = tmp_path / "whole"

    code, *_ = tfseqgan("sample", "--model", exported, "--num", 2, "--out", out)

    assert code == 0
    assert sorted(os.listdir(out)) == ["tune_1.mid", "tune_2.mid"]


@slow
@serving
@pytest.mark.parametrize(
    "flags, words",
    [
        (
            ["--stage", "pretrained"],
            "is an exported sampler, which holds no stage 'pretrained'; expected 'generator'",
        ),
        (["--length", 61], "length is 61 and the model was exported with 60; expected at most"),
        (["--length", 0], "length must be 1 or more"),
        (["--temperature", -1], "temperature must be a positive number, received -1.0"),
    ],
)
def test_sample_refuses_what_an_exported_sampler_cannot_do(
    tfseqgan, exported, tmp_path, flags, words
):
    result = tfseqgan("sample", "--model", exported, "--out", tmp_path / "new", *flags)

    assert_one_line_and_code_2(result, words)
    assert not (tmp_path / "new").exists()


@slow
@serving
def test_evaluating_an_exported_sampler_gives_the_figures_of_its_run(
    tfseqgan, exported, finished, tmp_path, caplog
):
    again = tmp_path / "again.json"

    code, out, err = tfseqgan(
        "evaluate", "--model", exported, "--data", shared_tunes(), "--out", again
    )

    assert code == 0
    assert err == ""
    assert "These are not the tunes" not in caplog.text
    assert out.splitlines()[1].split() in [line.split() for line in finished.stdout.splitlines()]
    expected = read(finished.out / "evaluation.json")["kl_control"]
    assert read(again) == {"kl_control": pytest.approx(expected, abs=1e-6, rel=1e-6)}


@slow
@serving
def test_an_exported_sampler_is_evaluated_on_other_tunes_with_a_warning(
    tfseqgan, exported, tmp_path, caplog
):
    other_tunes = compose_folder(tmp_path / "other", seed=1)

    code, out, _ = tfseqgan(
        "evaluate", "--model", exported, "--data", other_tunes, "--num_samples", 3
    )

    assert code == 0
    assert out.split("\n")[1].startswith("kl_control")
    assert "it may have been trained on some of those that are held out here" in caplog.text


@slow
@serving
def test_an_exported_sampler_asks_for_tunes_that_are_not_part_of_it(tfseqgan, exported):
    result = tfseqgan("evaluate", "--model", exported)

    assert_one_line_and_code_2(
        result,
        "was trained on tunes, which is not part of it; expected the folder of those tunes. "
        "Pass it by --data.",
    )


@slow
@serving
@pytest.mark.parametrize(
    "changes",
    [{"settings": "mine"}, {"data": None}, {"settings": {"kernel_sizes": [1], "hue": 3}}],
    ids=str,
)
def test_a_sampler_whose_card_lacks_the_settings_of_a_run_is_not_evaluated(
    tfseqgan, change_card, changes
):
    model = change_card(**changes)

    result = tfseqgan("evaluate", "--model", model, "--data", shared_tunes())

    assert_one_line_and_code_2(result, "was exported without the settings and data of a run")


@slow
@serving
def test_tunes_with_a_start_token_are_refused_by_a_sampler_without_one(tfseqgan, change_card):
    model = change_card(prompt=[])

    code, _, err = tfseqgan("evaluate", "--model", model, "--data", shared_tunes())

    assert code == 2
    assert "which do not begin with a start token" in err


@slow
@pytest.mark.parametrize(
    "file",
    ["config.json", "tokenizer.json", "evaluation.json", "generator.keras", "discriminator.keras"],
)
def test_an_unfinished_run_is_not_exported(tfseqgan, copied_run, tmp_path, file):
    (copied_run / file).unlink()

    result = tfseqgan("export", "--model", copied_run, "--out", tmp_path / "model")

    assert_one_line_and_code_2(result, file)
    assert not (tmp_path / "model").exists()


@slow
@serving
@pytest.mark.parametrize(
    "flags, words",
    [
        ([], "1 exists; expected a new version"),
        (["--version", 0], "received 0, 1024 and 8"),
        (["--version", 2, "--length", 0], "received 2, 0 and 8"),
        (["--version", 2, "--num_candidates", -1], "received 2, 1024 and -1"),
        (["--version", 2, "--top_p", 0], "top_p must lie in (0, 1], received 0.0"),
        (["--version", 2, "--guidance", 1], "the model reads no controls"),
    ],
)
def test_export_refuses_a_version_that_exists_and_numbers_out_of_range(
    tfseqgan, exported, finished, flags, words
):
    before = {path: path.stat().st_mtime_ns for path in exported.rglob("*")}

    result = tfseqgan("export", "--model", finished.out, "--out", exported, *flags)

    assert_one_line_and_code_2(result, words)
    assert {path: path.stat().st_mtime_ns for path in exported.rglob("*")} == before


@slow
@serving
def test_a_run_without_rounds_is_exported_without_a_discriminator_and_needs_no_data(
    tfseqgan, tmp_path
):
    out = tmp_path / "run"
    model = tmp_path / "model"
    again = tmp_path / "again.json"

    assert tfseqgan("train", "--out", out, *TINY_FLAGS, "--epochs", 0, "--rounds", 0)[0] == 0
    assert tfseqgan("export", "--model", out, "--out", model, "--length", 24)[0] == 0
    assert tfseqgan("evaluate", "--model", model, "--out", again)[0] == 0

    signatures = SavedSampler(model).signatures
    assert set(signatures) == {"serving_default", "sample", "continue", "score"}
    expected = read(out / "evaluation.json")
    assert list(expected) == ["untrained"]
    assert read(again) == {"untrained": pytest.approx(expected["untrained"], abs=1e-6, rel=1e-6)}


@slow
def test_a_finished_run_is_a_folder_for_from_pretrained(finished):
    loaded = from_pretrained(finished.out)

    for name, model in (("generator", loaded.generator), ("discriminator", loaded.discriminator)):
        weights = model.get_weights()
        saved_weights = run_folder.load_model(finished.out, name).get_weights()
        for ours, theirs in zip(weights, saved_weights, strict=True):
            assert ours.tobytes() == theirs.tobytes()
    assert loaded.tokenizer == Tokenizer.load(finished.out / "tokenizer.json")


# ---- errors


def raise_keyboard_interrupt(*_, **__):
    """Stops a command as Ctrl-C does."""
    raise KeyboardInterrupt


@slow
def test_a_run_that_is_stopped_says_how_to_resume_it(tfseqgan, copied_run, monkeypatch):
    monkeypatch.setattr(train_run, "train_run", raise_keyboard_interrupt)

    code, _, err = tfseqgan("train", "--resume", "--out", copied_run)

    assert code == 130
    assert err == (
        "\ntfseqgan: Stopped. Resume from the last checkpoint: "
        f"tfseqgan train --resume --out {copied_run}\n"
    )


def test_what_cannot_be_resumed_says_nothing_about_it_when_it_is_stopped(
    tfseqgan, tmp_path, monkeypatch
):
    monkeypatch.setattr(train_run, "train_run", raise_keyboard_interrupt)
    monkeypatch.setattr(finished_run, "evaluate_run", raise_keyboard_interrupt)

    new_run = tfseqgan("train", "--out", tmp_path / "new")
    evaluation = tfseqgan("evaluate", "--model", tmp_path)

    assert new_run == evaluation == (130, "", "\ntfseqgan: Stopped.\n")


@slow
@pytest.mark.parametrize(
    "name, words",
    [
        (
            "ENOSPC",
            "The disk is full (No space left on device: run/a.csv); expected space for the next "
            "file. What was finished before is kept.",
        ),
        (
            "EROFS",
            "A file cannot be used (Read-only file system: run/a.csv); expected permission to "
            "read and write it.",
        ),
        (
            "EACCES",
            "A file cannot be used (Permission denied: run/a.csv); expected permission to read "
            "and write it.",
        ),
        ("ENOTDIR", "A path is not as expected (Not a directory: run/a.csv). Check the paths"),
        ("EIO", "A file cannot be read or written (Input/output error: run/a.csv). Check the disk"),
    ],
)
def test_an_error_of_the_system_says_what_to_do(tfseqgan, copied_run, monkeypatch, name, words):
    def fail(*_, **__):
        code = getattr(cli.errno, name)
        raise OSError(code, os.strerror(code), "run/a.csv")

    monkeypatch.setattr(train_run, "train_run", fail)

    code, _, err = tfseqgan("train", "--resume", "--out", copied_run)

    assert code == 2
    assert words in err
    assert err.endswith(
        f" Resume from the last checkpoint: tfseqgan train --resume --out {copied_run}\n"
    )


@pytest.mark.parametrize("message", ["Another worker has ended", "Another worker has ended."])
def test_an_error_without_a_number_is_printed_as_it_is_with_one_period(
    tfseqgan, tmp_path, monkeypatch, message
):
    def fail(*_, **__):
        raise ConnectionError(message)

    monkeypatch.setattr(train_run, "train_run", fail)

    result = tfseqgan("train", "--out", tmp_path / "run")

    assert result == (2, "", "tfseqgan: Another worker has ended.\n")


def test_ending_without_memory_says_what_to_do(tfseqgan, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(train_run, "train_run", fail)

    result = tfseqgan("train", "--out", tmp_path / "run")

    assert_one_line_and_code_2(result, "tfseqgan: There is not enough memory; expected room for")


@slow
@processes
@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_ending_with_closed_standard_files_is_no_traceback(tmp_path, closed):
    command = (
        f"{sys.executable} -m tfseqgan evaluate --model {tmp_path}/missing --out /dev/null {closed}"
    )

    result = subprocess.run(
        command,
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])},
    )

    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    if "2>" not in closed:
        assert result.stderr.startswith("tfseqgan: ")


def test_debug_shows_the_traceback(tfseqgan, tmp_path):
    with pytest.raises(ValueError, match="holds no run to resume"):
        tfseqgan("--debug", "train", "--resume", "--out", tmp_path)


@slow
def test_bad_files_among_the_data_are_named_and_counted(tfseqgan, tmp_path, caplog):
    data = Path(shutil.copytree(shared_tunes(), tmp_path / "data"))
    (data / "broken.mid").write_bytes(b"hello")
    (data / "cut.mid").write_bytes((data / "00.mid").read_bytes()[:60])
    out = tmp_path / "run"

    code, printed, _ = tfseqgan(
        "train", "--data", data, "--out", out, *TINY_FLAGS, "--epochs", 0, "--rounds", 0
    )

    assert code == 0
    assert "untrained" in printed
    assert "2 of the 10 MIDI files" in caplog.text
    assert "broken.mid (" in caplog.text
    assert "cut.mid (" in caplog.text
    skipped = read(out / "config.json")["data"]["skipped_files"]
    assert [entry["file"] for entry in skipped] == ["broken.mid", "cut.mid"]


@slow
def test_ending_a_sparse_file_of_a_terabyte_is_skipped_as_one_file(tfseqgan, tmp_path, caplog):
    data = Path(shutil.copytree(shared_tunes(), tmp_path / "data"))
    with open(data / "huge.mid", "wb") as file:
        file.truncate(2**40)
    flags = ["--data", data, "--out", tmp_path / "run", *TINY_FLAGS, "--epochs", 0, "--rounds", 0]

    assert tfseqgan("train", *flags)[0] == 0

    assert "huge.mid holds 1099511627776 bytes; expected at most" in caplog.text


def make_nothing(path):
    """Leaves the path of the data without a file."""


def make_a_file(path):
    """Makes a file where a folder is expected."""
    path.write_bytes(b"MThd")


def make_an_empty_folder(path):
    """Makes a folder without tunes."""
    path.mkdir()


def make_a_folder_without_a_good_file(path):
    """Makes a folder with a file that is not MIDI."""
    path.mkdir()
    (path / "a.mid").write_bytes(b"hello")


@pytest.mark.parametrize(
    "make, words",
    [
        (make_nothing, "is not a folder: expected a folder that holds .mid or .midi files"),
        (make_a_file, "is not a folder: expected a folder that holds .mid or .midi files"),
        (make_an_empty_folder, "holds no MIDI files: expected files that end in .mid or .midi"),
        (make_a_folder_without_a_good_file, "1 of the 1 MIDI files"),
    ],
)
def test_data_without_tunes_is_one_line_and_code_2_and_makes_no_folder(
    tfseqgan, tmp_path, make, words
):
    make(tmp_path / "data")

    result = tfseqgan("train", "--data", tmp_path / "data", "--out", tmp_path / "run", *TINY_FLAGS)

    assert_one_line_and_code_2(result, words)
    assert not (tmp_path / "run").exists()


@slow
@processes
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_output_to_a_full_disk_is_an_error_without_a_traceback(finished):
    with open("/dev/full", "w") as full:
        process = start("evaluate", "--model", finished.out, stdout=full)
        _, err = process.communicate()

    assert process.returncode == 2
    assert "tfseqgan: The disk is full (No space left on device)" in err
    assert "Traceback" not in err


# ---- strategies


def start_workers(flags):
    """Starts two workers of one run."""
    cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(2)]}
    workers = []
    for index in range(2):
        config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        environment = os.environ | {"TF_CONFIG": json.dumps(config)}
        workers.append(start("train", *flags, environment=environment))

    return workers


@slow
@processes
def test_two_workers_share_a_run_and_only_the_chief_writes(tfseqgan, tmp_path):
    alone = tmp_path / "alone"
    shared = tmp_path / "shared"
    # Dropout is off, since two replicas do not draw the masks that one device draws.
    no_dropout = ["--dropout", 0, "--discriminator_dropout", 0]
    flags = ["--data", shared_tunes(), "--rounds", 4, *TINY_FLAGS, *no_dropout]

    assert tfseqgan("train", *flags, "--out", alone)[0] == 0
    chief, other = start_workers([*flags, "--out", shared, "--strategy", "multi_worker"])
    chief_out, chief_err = chief.communicate(timeout=600)
    other_out, other_err = other.communicate(timeout=600)

    assert (chief.returncode, other.returncode) == (0, 0), chief_err + other_err
    assert "maximum likelihood" in chief_out
    assert other_out == ""
    assert sorted(os.listdir(shared)) == sorted(os.listdir(alone))
    rows = read(shared / "evaluation.json")
    expected = read(alone / "evaluation.json")
    assert rows.keys() == expected.keys()
    for name, row in expected.items():
        assert rows[name] == {
            key: value if value is None else pytest.approx(value, rel=1e-4)
            for key, value in row.items()
        }
    for tune in sorted(os.listdir(alone / "samples")):
        assert (shared / "samples" / tune).read_bytes() == (alone / "samples" / tune).read_bytes()


@slow
def test_a_strategy_of_one_device_changes_nothing(tfseqgan, tmp_path, finished):
    out = tmp_path / "run"
    flags = ["--data", shared_tunes(), "--out", out, "--rounds", ROUNDS, *TINY_FLAGS]

    code, *_ = tfseqgan("train", *flags, "--strategy", "mirrored")

    assert code == 0
    metrics = (out / "metrics.csv").read_text()
    assert metrics == (finished.out / "metrics.csv").read_text()


def test_several_workers_without_tf_config_are_refused(tfseqgan, tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)

    code, _, err = tfseqgan(
        "train",
        "--data",
        shared_tunes(),
        "--out",
        tmp_path / "run",
        "--strategy",
        "multi_worker",
    )

    assert code == 2
    assert "multi_worker needs the environment variable TF_CONFIG" in err
    assert not (tmp_path / "run").exists()
