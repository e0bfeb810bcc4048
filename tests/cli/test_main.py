"""The command line: help, flags, and errors of every command."""

import dataclasses
import errno
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running_commands import (
    COMMANDS,
    ROOT,
    TINY_FLAGS,
    assert_one_line_and_code_1,
    read,
    start,
)
from tiny_runs import shared_tunes

from tfseqgan import __version__
from tfseqgan.cli import main
from tfseqgan.cli.error_messages import name_flags
from tfseqgan.cli.settings_flags import given_settings
from tfseqgan.runs import finished_run, train_run
from tfseqgan.runs.settings import Settings

slow = pytest.mark.slow
processes = pytest.mark.processes


@processes
@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_starts_without_tensorflow_and_numpy(command):
    code = (
        "import sys, tfseqgan.cli.main as main\n"
        "try: main.run()\n"
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

    args = main.parse(["tfseqgan", "train", "--out", "x", f"--{field.name}", text])

    found = getattr(args, field.name)
    assert found == value
    assert type(found) is type(value)
    assert given_settings(args) == {field.name: value}


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "required: COMMAND"),
        (["compose"], "there is no command 'compose'; expected one of sample, train"),
        (["smaple", "--out", "x"], "Did you mean 'sample'?"),
        (["--debgu", "train"], "there is no flag --debgu before a command. Did you mean '--debug'"),
        (["train"], "required: --out"),
        (["train", "--out", "x", "--colour", "red"], "there is no flag --colour; expected"),
        (
            ["train", "--ou", "x"],
            "there is no flag --ou; expected those of 'tfseqgan train --help'",
        ),
        (["train", "--out", "x", "--unit=8"], "there is no flag --unit; expected"),
        (["train", "--out", "x", "--unit", "8"], "Did you mean '--units'?"),
        (["train", "--debug", "--out", "x"], "It belongs before the command: tfseqgan --debug …"),
        (["train", "--out", "x", "--logtostderr"], "there is no flag --logtostderr"),
        (["sample", "--helpfull"], "there is no flag --helpfull"),
        (["train", "--out", "x", "--units", "many"], "invalid int value: 'many'"),
        (
            ["train", "--out", "x", "--preset", "best"],
            "expected one of quick, default, paper, received 'best'",
        ),
        (["train", "--out", "x", "--preset", "quikc"], "received 'quikc'. Did you mean 'quick'?"),
        (["train", "--out", "x", "--objective", "mer"], "received 'mer'. Did you mean 'merl'?"),
        (["train", "--out", "x", "--reward", "d"], "expected one of probability, log, logit, odds"),
        (["train", "--out", "x", "--baseline", "mean"], "expected one of none, batch_mean"),
        (["sample", "--out", "x", "--stage", "end"], "expected one of generator, pretrained"),
        (
            ["train", "--out", "x", "--kernel_sizes", "1,b"],
            "expected whole numbers such as 1,2,4, received '1,b'",
        ),
        (["sample"], "required: --out"),
        (["sample", "--out", "x", "--format", "mid,acb"], "received 'acb'. Did you mean 'abc'?"),
        (
            ["sample", "--mod", "x", "--out", "x"],
            "there is no flag --mod; expected those of 'tfseqgan sample --help'. Did you",
        ),
        (["evaluate"], "required: --model"),
        (["export", "--model", "x"], "required: --out"),
        (
            ["export", "--model", "x", "--out", "y", "--vers", "2"],
            "there is no flag --vers; expected those of 'tfseqgan export --help'. Did you mean",
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
        ("--kernel_sizes 0", "--kernel_sizes is (0,); expected widths of 1 or more"),
        ("--dropout 1.5", "--dropout is 1.5; expected a number, 0 to below 1"),
        ("--length 0", "--length is 0; expected a whole number, 1 or more"),
        (
            "--objective merl --entropy_weight -1",
            "--entropy_weight is -1.0; expected a number, 0 or more",
        ),
        (
            "--transpose C",
            "--transpose is 'C' and --random_transposition is True; expected one of them, since "
            "tunes of one key are not moved to others. Set --random_transposition to False",
        ),
        (
            "--units 256",
            "--units is a size of the lstm generator, and the generator is attention; expected",
        ),
        (
            "--preset quick --num_layers 2",
            "expected units or no size. Leave it out, or set --generator to attention.",
        ),
        ("--seed -1", "--seed is -1; expected a whole number, 0 to"),
        (
            "--resume --overwrite",
            "--resume and --overwrite contradict each other; pass only one of them",
        ),
    ],
)
def test_a_wrong_setting_is_one_line_and_code_1_and_makes_no_folder(
    tfseqgan, without_tensorflow, tmp_path, flags, words
):
    result = tfseqgan("train", "--out", tmp_path / "run", *flags.split())

    assert_one_line_and_code_1(result, words)
    assert result[2].startswith("tfseqgan: ")
    assert not any(tmp_path.iterdir())


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
        code = getattr(errno, name)
        raise OSError(code, os.strerror(code), "run/a.csv")

    monkeypatch.setattr(train_run, "train_run", fail)

    code, _, err = tfseqgan("train", "--resume", "--out", copied_run)

    assert code == 1
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

    assert result == (1, "", "tfseqgan: Another worker has ended.\n")


def test_ending_without_memory_says_what_to_do(tfseqgan, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(train_run, "train_run", fail)

    result = tfseqgan("train", "--out", tmp_path / "run")

    assert_one_line_and_code_1(result, "tfseqgan: There is not enough memory; expected room for")


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
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )

    assert result.returncode == 1
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
    assert "2 of the 10 tunes" in caplog.text
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
        (make_nothing, "is not a folder: expected a folder that holds .mid, .midi or .abc"),
        (make_a_file, "is not a folder: expected a folder that holds .mid, .midi or .abc"),
        (make_an_empty_folder, "holds no MIDI or ABC files: expected files that end in .mid"),
        (make_a_folder_without_a_good_file, "1 of the 1 tunes"),
    ],
)
def test_data_without_tunes_is_one_line_and_code_1_and_makes_no_folder(
    tfseqgan, tmp_path, make, words
):
    make(tmp_path / "data")

    result = tfseqgan("train", "--data", tmp_path / "data", "--out", tmp_path / "run", *TINY_FLAGS)

    assert_one_line_and_code_1(result, words)
    assert not (tmp_path / "run").exists()


@slow
@processes
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_output_to_a_full_disk_is_an_error_without_a_traceback(finished):
    with open("/dev/full", "w") as full:
        process = start("evaluate", "--model", finished.out, stdout=full)
        _, err = process.communicate()

    assert process.returncode == 1
    assert "tfseqgan: The disk is full (No space left on device)" in err
    assert "Traceback" not in err


def test_help_lists_every_command_once_by_stage_with_an_example_that_can_be_parsed(tfseqgan):
    _, out, _ = tfseqgan("--help")

    shown = [line.strip() for line in out.splitlines()]
    for stage, commands in main.STAGES.items():
        assert f"{stage}:" in shown
        for command in commands:
            assert shown.count(command.EXAMPLE) == 1
            name = command.__name__.rpartition(".")[2]
            assert main.parse(shlex.split(command.EXAMPLE)).command.run.__module__.endswith(name)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_a_short_usage_an_example_and_no_flag_of_absl(tfseqgan, command):
    code, out, _ = tfseqgan(command, "--help")

    usage = out.split("\n\n")[0]
    assert code == 0
    assert usage.count("\n") == 0
    assert len(usage) <= 100
    assert f"\nexample:\n  tfseqgan {command} " in out
    assert not any(word in out for word in ("logtostderr", "helpfull", "verbosity", "absl"))


@processes
@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--completion"]])
def test_output_that_nobody_reads_ends_with_code_141_and_no_traceback(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    # As users have it: what is printed is written at the end.
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    try:
        process = start(*arguments, stdout=writer, environment=buffered)
    finally:
        os.close(writer)

    assert process.communicate() == (None, "")
    assert process.returncode == 141


def test_output_of_a_command_that_nobody_reads_is_no_error_message(tfseqgan, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise BrokenPipeError

    monkeypatch.setattr(finished_run, "evaluate_run", fail)
    monkeypatch.setattr(main, "_discard_output", lambda: None)

    assert tfseqgan("evaluate", "--model", tmp_path) == (141, "", "")


def sampling_arguments(*flags):
    """Returns the parsed command line of `tfseqgan sample` with some flags."""
    return main.parse(["tfseqgan", "sample", "--out", "x", *flags])


@pytest.mark.parametrize(
    "message, expected",
    [
        ("top_p must lie in (0, 1], received 2.0.", "--top_p must lie in (0, 1], received 2.0."),
        ("key is 'H': expected A, B.", "--key is 'H': expected A, B."),
        (
            "num_sequences and length must be 1 or more, received 0 and 9.",
            "--num_tunes and --length must be 1 or more, received 0 and 9.",
        ),
        (
            "length is 9 and the model was exported with 5. Export it with a greater length.",
            "--length is 9 and the model was exported with 5. Export it with a greater length.",
        ),
        ("top_k is 0. Pass None for every token.", "--top_k is 0. Leave it out for every token."),
        ("temperature is 0. Pass top_k=1.", "--temperature is 0. Pass --top_k 1."),
    ],
)
def test_an_error_of_the_library_names_the_flags(message, expected):
    assert name_flags(message, sampling_arguments()) == expected


@pytest.mark.parametrize(
    "message",
    [
        "runs/key is 5 bytes long: my/top_p is none.",
        "The key is unknown.",
        "tokenizer.top_p and top_p(x) are code.",
        "command is unknown.",
    ],
)
def test_a_message_about_something_else_stays_as_it_is(message):
    assert name_flags(message, sampling_arguments()) == message


def test_a_message_that_names_no_argument_names_the_flag_whose_value_it_received():
    message = "There is no such key: expected 'G', 'Bb' or 'F#m'; received 'H'. Write a capital."
    args = sampling_arguments("--key", "H", "--metre", "H/4")

    assert name_flags(message, args) == f"--key: {message}"
    assert name_flags(message, sampling_arguments("--key", "H", "--rhythm", "H")) == message


def test_a_message_that_begins_with_a_long_word_is_read_at_once():
    message = "a" * 100_000 + "!"

    assert name_flags(message, sampling_arguments()) == message


def complete(*words):
    """Returns what bash offers for the last of some words."""
    script = f"""
        source <({sys.executable} -m tfseqgan --completion)
        COMP_WORDS=({shlex.join(words)})
        COMP_CWORD={len(words) - 1}
        _tfseqgan
        echo "${{COMPREPLY[@]}}"
    """
    result = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )

    return result.stdout.split()


@processes
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_the_shell_completes_commands_and_the_flags_of_each():
    assert complete("tfseqgan", "sa") == ["sample"]
    assert complete("tfseqgan", "sample", "--top") == ["--top_k", "--top_p"]
    assert complete("tfseqgan", "train", "--kern") == ["--kernel_sizes"]
    assert complete("tfseqgan", "train", "--top") == complete("tfseqgan", "train", "x") == []


def test_the_page_of_the_command_line_names_every_command_and_exit_code():
    page = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\| `tfseqgan (\w+)` \|", page, re.MULTILINE)
    codes = re.findall(r"^\| (\d+) \|", page, re.MULTILINE)

    assert commands == list(main.parsers()[1])
    assert list(map(int, codes)) == [0, main.ERROR, 2, 130, main.BROKEN_PIPE, 143]
