"""`tfseqgan train`: what it prints, and that a killed run resumes exactly."""

import json
import os
import signal
import subprocess
import time

import pytest
from running_commands import ROUNDS, TINY_FLAGS, assert_one_line_and_code_1, free_port, read, start
from tiny_runs import TINY, assert_same_run, compose_folder, shared_tunes
from written_runs import write_run

from tfseqgan.evaluation.table import format_table
from tfseqgan.runs import run_folder, train_run

slow = pytest.mark.slow
processes = pytest.mark.processes


@slow
@processes
def test_training_prints_progress_the_table_and_what_to_do_next(finished):
    out = finished.out
    lines = finished.stdout.splitlines()
    progress = lines[:4]  # of each stage the first line and the last, since all take seconds
    hear, see, more = lines[-3:]
    outcome = run_folder.read_json(out / "outcome.json")

    assert [line.split()[:2] for line in progress] == [
        ["epoch", f"1/{TINY.epochs}"],
        ["epoch", f"{TINY.epochs}/{TINY.epochs}"],
        ["discriminator", "1/1"],
        ["round", f"{ROUNDS}/{ROUNDS}"],
    ]
    assert format_table(run_folder.read_json(out / "evaluation.json")) in finished.stdout
    for sentence in outcome["sentences"]:
        assert sentence in " ".join(finished.stdout.split())
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
    of_start, *lines, data_notes = finished.stderr.splitlines()

    assert (
        "the run starts from random weights, since the model 'nottingham' has no such" in of_start
    )
    of_tokens = [line for line in lines if "dropped for rare events" in line]
    assert len(of_tokens) == 2
    assert all("tunes, " in line for line in of_tokens)
    [warning] = [line for line in lines if line not in of_tokens]
    assert "of the held-out tokens are not in the vocabulary" in warning
    assert data_notes.startswith("tunes: ")
    assert "held out; a vocabulary of" in data_notes


@pytest.mark.parametrize(
    "data, words",
    [("tunes", "exists and is not a run of tfseqgan"), ("run", "is the folder of a run, whose")],
)
def test_a_folder_that_cannot_be_used_is_one_line_although_the_data_are_few_tunes(
    tfseqgan, tmp_path, data, words
):
    compose_folder(tmp_path / "tunes", num_tunes=2)
    compose_folder(write_run(tmp_path / "run") / "samples", num_tunes=2)
    out = tmp_path / "out"
    if data == "tunes":
        out.mkdir()
        (out / "mine").write_text("mine")

    result = tfseqgan("train", "--data", tmp_path / data, "--out", out)

    assert_one_line_and_code_1(result, words)


@slow
@pytest.mark.parametrize(
    "flags, words",
    [
        (["--units", 9], "leave out --units (saved 8, given 9). Only --rounds may be raised"),
        (["--preset", "quick"], "leave out --preset"),
        (["--init", "nottingham"], "leave out --init"),
        (["--data", "elsewhere"], "leave out --data (saved "),
        (["--rounds", 2], "--rounds is 2 and the run was started with 12; expected 12 or more"),
    ],
)
def test_a_run_is_resumed_only_with_its_own_settings(tfseqgan, finished, flags, words):
    code, _, err = tfseqgan("train", "--resume", "--out", finished.out, *flags)

    assert code == 1
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
    assert code == 1
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
    assert_one_line_and_code_1(one_more, f"another process (pid {process.pid}) is writing this run")
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
    assert_one_line_and_code_1(result, f"Resume from the last checkpoint: {command}")
    assert tfseqgan(*command.split()[1:])[0] == 0


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

    assert code == 1
    assert "multi_worker needs the environment variable TF_CONFIG" in err
    assert not (tmp_path / "run").exists()
