"""Claims about the command line: what it prints, what it refuses, and that a run that was killed goes on exactly."""

import dataclasses
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from absl import logging as absl_logging
from test_replicas import free_port
from test_runs import TINY, assert_same_run, write_tunes

from tfseqgan import __version__, cli, from_pretrained
from tfseqgan.evaluation import table as tables
from tfseqgan.music.midi import read_midi
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.runs import finished_run, run_folder, train_run
from tfseqgan.runs.settings import Settings
from tfseqgan.serving.saved_sampler import SavedSampler

COMMAND = [sys.executable, "-c", "from tfseqgan.cli import run; run()"]
FLAGS = [
    "length",
    "embedding_dim",
    "units",
    "epochs",
    "filters",
    "discriminator_steps",
    "batch_size",
    "num_tunes",
    "validation_freq",
    "seed",
]
FLAGS += [
    "pretraining_batch_size",
    "discriminator_embedding_dim",
    "discriminator_batch_size",
    "discriminator_samples",
    "dropout",
]
FLAGS += ["discriminator_pretraining_rounds"]
SMALL = ["--kernel_sizes", "1,2", *(f"--{name}={getattr(TINY, name)}" for name in FLAGS)]


def start(*arguments, environment=None, **options):
    """Starts the real command in a process of its own."""
    environment = (environment or os.environ) | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    pipes = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "encoding": "utf-8",
    }
    return subprocess.Popen([*COMMAND, *map(str, arguments)], env=environment, **pipes | options)


@pytest.fixture
def tfseqgan(capsys):
    """The command in this process: arguments → (exit code, stdout, stderr)."""
    loggers = [logging.getLogger(name) for name in ("tfseqgan", "tensorflow", "absl", None)]
    levels, verbosity = [logger.level for logger in loggers], absl_logging.get_verbosity()

    def call(*arguments):
        try:
            code = cli._main(cli._parse(["tfseqgan", *map(str, arguments)]))
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    yield call
    absl_logging.set_verbosity(verbosity)
    for logger, level in zip(loggers, levels):
        logger.setLevel(level)


@pytest.fixture(scope="module")
def tunes(tmp_path_factory):
    return write_tunes(tmp_path_factory.mktemp("data") / "tunes")


@pytest.fixture(scope="module")
def session(tmp_path_factory, tunes):
    """A finished run of 12 rounds, made by the real command, with what that printed; no test may change it."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    process = start("train", "--data", tunes, "--out", out, "--rounds", 12, *SMALL)
    printed = process.communicate()
    assert process.returncode == 0, printed[1]
    return out, *printed


@pytest.fixture
def copy(tmp_path, session):
    """A copy of the finished run to maltreat."""
    return Path(shutil.copytree(session[0], tmp_path / "copy"))


def test_help_answers_without_tensorflow():
    code = "import sys, tfseqgan.cli as cli\ntry: cli.run()\nexcept SystemExit: print({'tensorflow', 'keras', 'numpy'} & set(sys.modules))"
    for command in ([], ["train"], ["sample"], ["evaluate"], ["export"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *command, "--help"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert (
            done.stdout.startswith("usage: tfseqgan")
            and done.stdout.endswith("set()\n")
            and done.stderr == ""
        )


def test_help_names_the_commands(tfseqgan):
    code, out, _ = tfseqgan("--help")
    assert code == 0 and all(
        command in out for command in ("train", "sample", "evaluate", "export")
    )


def test_the_version_is_the_packages(tfseqgan):
    assert tfseqgan("--version")[:2] == (0, __version__ + "\n")


@pytest.mark.parametrize("field", dataclasses.fields(Settings), ids=lambda field: field.name)
def test_every_setting_is_a_flag_of_its_name_and_type(field):
    value = (
        field.default
        if field.default is not None
        else {"reward": "log", "baseline": "none", "credit": "prefix"}.get(field.name, 0.5)
    )
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    args = cli._parse(["tfseqgan", "train", "--out", "x", f"--{field.name}", text])
    found = getattr(args, field.name)
    assert (
        found == value
        and type(found) is type(value)
        and cli._overrides(args) == {field.name: value}
    )


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
        (["sample", "--out", "x"], "required: --model"),
        (["sample", "--mod", "x", "--out", "x"], "required: --model"),
        (["evaluate"], "required: --model"),
        (["export", "--model", "x"], "required: --out"),
        (
            ["export", "--model", "x", "--out", "y", "--vers", "2"],
            "unrecognized arguments: --vers 2",
        ),
        (["export", "--model", "x", "--out", "y", "--version", "two"], "invalid int value: 'two'"),
    ],
)
def test_a_wrong_command_line_ends_with_usage_and_code_2(tfseqgan, monkeypatch, arguments, words):
    monkeypatch.setattr(
        cli, "_import_run_module", lambda name: pytest.fail("the command line was taken")
    )
    code, out, err = tfseqgan(*arguments)
    assert (
        code == 2
        and out == ""
        and err.startswith("usage: tfseqgan")
        and words in err.splitlines()[-1]
    )


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
            "--resume and --overwrite contradict each other: pass one of them",
        ),
    ],
)
def test_a_wrong_setting_is_one_line_and_code_2_and_makes_no_folder(
    tfseqgan, tmp_path, monkeypatch, flags, words
):
    monkeypatch.setattr(
        cli,
        "_import_run_module",
        lambda name: pytest.fail("TensorFlow was loaded before the flags were checked"),
    )
    code, out, err = tfseqgan("train", "--out", tmp_path / "run", *flags.split())
    assert (
        code == 2
        and out == ""
        and err.startswith("tfseqgan: ")
        and words in err
        and err.count("\n") == 1
    )
    assert not any(tmp_path.iterdir())


def test_training_prints_progress_the_table_and_what_to_do_next(session):
    out, printed, _ = session
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines[:15]] == ["epoch"] * TINY.epochs + ["round"] * 13
    assert tables.format_table(run_folder.read_json(out / "evaluation.json")) in printed
    assert [line.split(":")[0] for line in lines[-3:]] == ["Hear", "See", "Go on"]
    assert (
        f"{out / 'samples'} holds 2 tunes" in lines[-3]
        and f"tfseqgan sample --model {out} --out" in lines[-3]
    )
    assert (
        str(out / "metrics.csv") in lines[-2]
        and f"tfseqgan train --resume --out {out} --rounds 24" in lines[-1]
    )


def test_training_has_no_other_words_on_stderr_than_its_own(session):
    lines = session[2].splitlines()
    assert len(lines) == 3 and all(
        "tunes, " in line and "dropped for rare events" in line for line in lines[:2]
    )
    assert lines[2].startswith("tunes: ") and "held out; a vocabulary of" in lines[2]


def test_evaluate_prints_and_writes_the_runs_figures_again(tfseqgan, session, tmp_path):
    code, out, _ = tfseqgan("evaluate", "--model", session[0], "--out", tmp_path / "again.json")
    assert code == 0 and out.strip() in session[1]
    assert (tmp_path / "again.json").read_bytes() == (session[0] / "evaluation.json").read_bytes()


def test_evaluate_never_replaces_a_file_unasked(tfseqgan, session, tmp_path):
    (tmp_path / "mine.json").write_text("mine")
    code, _, err = tfseqgan("evaluate", "--model", session[0], "--out", tmp_path / "mine.json")
    assert (
        code == 2
        and "mine.json exists; expected a new file" in err
        and (tmp_path / "mine.json").read_text() == "mine"
    )


def test_sample_writes_the_same_tunes_for_the_same_seed_and_names_them(tfseqgan, session, tmp_path):
    flags = [
        "sample",
        "--model",
        session[0],
        "--num_tunes",
        3,
        "--seed",
        4,
        "--length",
        60,
        "--temperature",
        0.9,
        "--top_p",
        0.95,
        "--out",
    ]
    code, out, _ = tfseqgan(*flags, tmp_path / "a")
    assert code == 0 and out.split() == [
        str(tmp_path / "a" / f"tune_{number}.mid") for number in (1, 2, 3)
    ]
    assert tfseqgan(*flags, tmp_path / "b")[0] == 0
    for name in ("tune_1.mid", "tune_2.mid", "tune_3.mid"):
        assert (tmp_path / "a" / name).read_bytes() == (
            tmp_path / "b" / name
        ).read_bytes() and read_midi(tmp_path / "a" / name).melody


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
def test_sample_refuses_what_cannot_be_sampled(tfseqgan, session, tmp_path, flags, words):
    code, out, err = tfseqgan("sample", "--model", session[0], "--out", tmp_path / "new", *flags)
    assert (
        code == 2
        and out == ""
        and words in err
        and err.count("\n") == 1
        and not (tmp_path / "new").exists()
    )


def test_sample_never_writes_among_other_files_unasked(tfseqgan, session, tmp_path):
    (tmp_path / "mine").write_text("mine")
    code, _, err = tfseqgan("sample", "--model", session[0], "--out", tmp_path)
    assert (
        code == 2
        and "is not empty; expected a new folder, so that no tune is lost. Pass --overwrite" in err
    )
    code, _, err = tfseqgan("sample", "--model", session[0], "--out", tmp_path / "mine")
    assert code == 2 and "mine is a file; expected a folder" in err
    assert (
        tfseqgan(
            "sample",
            "--model",
            session[0],
            "--out",
            tmp_path,
            "--overwrite",
            "--num",
            1,
            "--length",
            9,
        )[0]
        == 0
    )
    assert sorted(os.listdir(tmp_path)) == ["mine", "tune_1.mid"]


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--units", 9], "leave out --units (saved 8, given 9). Only --rounds may be changed"),
        (["--preset", "quick"], "leave out --preset"),
        (["--data", "elsewhere"], "leave out --data (saved "),
        (["--rounds", 2], "--rounds is 2 and the run was begun with 12; expected as many or more"),
    ],
)
def test_a_run_is_resumed_with_its_own_settings_alone(tfseqgan, session, flags, words):
    code, _, err = tfseqgan("train", "--resume", "--out", session[0], *flags)
    assert code == 2 and words in err and err.count("\n") == 1


def test_a_finished_run_is_resumed_from_any_folder_without_change(
    tfseqgan, copy, session, tmp_path, tunes, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    code, out, _ = tfseqgan(
        "train",
        "--resume",
        "--out",
        "copy",
        "--data",
        os.path.relpath(tunes),
        "--units",
        8,
        "--rounds",
        12,
    )
    assert code == 0 and "tfseqgan sample --model copy" in out
    assert_same_run(copy, session[0])
    assert json.loads((copy / "config.json").read_text()) == json.loads(
        (session[0] / "config.json").read_text()
    )


def test_a_run_that_was_killed_goes_on_to_the_same_end(tfseqgan, session, tmp_path, tunes):
    out = tmp_path / "killed"
    process = start(
        "train", "--data", tunes, "--out", out, "--rounds", 12, *SMALL, stdout=subprocess.DEVNULL
    )
    while (
        not (
            (out / "metrics.csv").exists()
            and len((out / "metrics.csv").read_text().splitlines()) > 4
        )
        and process.poll() is None
    ):
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL and not (out / "generator.keras").exists()
    code, _, err = tfseqgan("sample", "--model", out, "--out", tmp_path / "tunes")
    assert code == 2 and f"Go on with it: tfseqgan train --resume --out {out}" in err
    assert tfseqgan("train", "--resume", "--out", out)[0] == 0
    assert_same_run(out, session[0])


# ---- export


@pytest.fixture(scope="module")
def exported(tmp_path_factory, session):
    """The finished run as a sampler of 60 tokens, in the model's folder; no test may change it."""
    folder = tmp_path_factory.mktemp("exports") / "model"
    assert finished_run.export_run(session[0], folder, length=60, num_candidates=2) == folder / "1"
    return folder


def test_export_prints_the_version_that_it_wrote(tfseqgan, exported, session, tmp_path):
    code, out, err = tfseqgan(
        "export",
        "--model",
        session[0],
        "--out",
        tmp_path / "new" / "model",
        "--version",
        12,
        "--length",
        9,
    )
    assert (code, out, err) == (0, f"{tmp_path / 'new' / 'model' / '12'}\n", "") and os.listdir(
        tmp_path / "new" / "model"
    ) == ["12"]
    assert sorted(os.listdir(exported / "1" / "assets")) == ["tokenizer.json"] and os.listdir(
        exported
    ) == ["1"]


def test_a_run_is_not_exported_into_its_own_folder(tfseqgan, session):
    before = sorted(session[0].rglob("*"))
    code, _, err = tfseqgan("export", "--model", session[0], "--out", session[0])
    assert code == 2 and "run's own folder" in err and sorted(session[0].rglob("*")) == before


def test_the_card_says_how_the_sampler_was_trained_and_what_it_scored(exported, session):
    card, config = (
        json.loads(path.read_text())
        for path in (exported / "1" / "assets.extra" / "card.json", session[0] / "config.json")
    )
    assert card["settings"] == config["settings"] and card["versions"] == config["versions"]
    assert card["data"] == {
        key: value for key, value in config["data"].items() if key != "skipped_files"
    }
    assert card["evaluation"] == json.loads((session[0] / "evaluation.json").read_text())
    assert (card["length"], card["num_candidates"], card["prompt"], card["end_token_id"]) == (
        60,
        2,
        [1],
        2,
    )


def test_no_exported_file_holds_a_path_of_this_machine(exported, session, tunes):
    files = [path for path in exported.rglob("*") if path.is_file()]
    names = [
        str(exported.parent),
        str(session[0].parent),
        str(tunes.parent),
        str(Path(cli.__file__).parent),
        sys.prefix,
        os.path.expanduser("~/"),
    ]
    assert {"saved_model.pb", "tokenizer.json", "card.json", "variables.index"} <= {
        path.name for path in files
    }
    assert [
        (path, name) for path in files for name in names if os.fsencode(name) in path.read_bytes()
    ] == []


def test_an_exported_sampler_writes_the_runs_own_tunes(tfseqgan, exported, session, tmp_path):
    for model, out in ((exported, "a"), (exported / "1", "b"), (session[0], "c")):
        code, printed, _ = tfseqgan(
            "sample",
            "--model",
            model,
            "--num",
            2,
            "--seed",
            4,
            "--length",
            50,
            "--top_p",
            0.9,
            "--out",
            tmp_path / out,
        )
        assert code == 0 and printed.split() == [
            str(tmp_path / out / f"tune_{number}.mid") for number in (1, 2)
        ]
    for name in ("tune_1.mid", "tune_2.mid"):
        assert (
            (tmp_path / "a" / name).read_bytes()
            == (tmp_path / "b" / name).read_bytes()
            == (tmp_path / "c" / name).read_bytes()
        )
    assert tfseqgan("sample", "--model", exported, "--num", 2, "--out", tmp_path / "whole")[0] == 0
    assert sorted(os.listdir(tmp_path / "whole")) == ["tune_1.mid", "tune_2.mid"]


@pytest.mark.parametrize(
    "flags, words",
    [
        (
            ["--stage", "pretrained"],
            "is an exported sampler, which holds no stage 'pretrained'; expected 'generator'",
        ),
        (
            ["--length", 61],
            "length is 61 and the model was exported with 60; expected at most as many",
        ),
        (["--length", 0], "length must be 1 or more"),
        (["--temperature", -1], "temperature must be a positive number, received -1.0"),
    ],
)
def test_sample_refuses_what_an_exported_sampler_cannot_do(
    tfseqgan, exported, tmp_path, flags, words
):
    code, out, err = tfseqgan("sample", "--model", exported, "--out", tmp_path / "new", *flags)
    assert (
        code == 2
        and out == ""
        and words in err
        and err.count("\n") == 1
        and not (tmp_path / "new").exists()
    )


def test_evaluating_an_exported_sampler_gives_the_runs_figures_again(
    tfseqgan, exported, session, tunes, tmp_path, caplog
):
    code, out, err = tfseqgan(
        "evaluate", "--model", exported, "--data", tunes, "--out", tmp_path / "again.json"
    )
    assert code == 0 and err == "" and "These are not the tunes" not in caplog.text
    assert out.splitlines()[1].split() in [line.split() for line in session[1].splitlines()]
    again, rows = (
        json.loads(path.read_text())
        for path in (tmp_path / "again.json", session[0] / "evaluation.json")
    )
    assert list(again) == ["kl_control"] and again["kl_control"] == pytest.approx(
        rows["kl_control"], abs=1e-6, rel=1e-6
    )


def test_an_exported_sampler_is_evaluated_on_other_tunes_with_a_warning(
    tfseqgan, exported, tmp_path, caplog
):
    code, out, _ = tfseqgan(
        "evaluate",
        "--model",
        exported,
        "--data",
        write_tunes(tmp_path / "other", seed=1),
        "--num_samples",
        3,
    )
    assert (
        code == 0
        and out.split("\n")[1].startswith("kl_control")
        and "some of those held out here may have been learned" in caplog.text
    )


def test_an_exported_sampler_asks_for_the_tunes_that_do_not_come_with_it(tfseqgan, exported):
    code, out, err = tfseqgan("evaluate", "--model", exported)
    assert (
        code == 2
        and out == ""
        and "was trained on tunes, which does not come with it; expected --data" in err
        and err.count("\n") == 1
    )


@pytest.mark.parametrize(
    "change",
    [{"settings": "mine"}, {"data": None}, {"settings": {"kernel_sizes": [1], "hue": 3}}],
    ids=str,
)
def test_a_card_without_a_runs_settings_is_no_ground_for_figures(
    tfseqgan, exported, tunes, tmp_path, change
):
    path = Path(shutil.copytree(exported, tmp_path / "model")) / "1" / "assets.extra" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    code, out, err = tfseqgan("evaluate", "--model", tmp_path / "model", "--data", tunes)
    assert (
        code == 2
        and out == ""
        and "was exported without the settings and data of a run" in err
        and err.count("\n") == 1
    )


def test_tunes_with_a_start_token_are_no_data_for_a_sampler_without(
    tfseqgan, exported, tunes, tmp_path
):
    path = Path(shutil.copytree(exported, tmp_path / "model")) / "1" / "assets.extra" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"prompt": []}))
    code, _, err = tfseqgan("evaluate", "--model", tmp_path / "model", "--data", tunes)
    assert code == 2 and "which do not begin with a start token" in err


@pytest.mark.parametrize(
    "file",
    ["config.json", "tokenizer.json", "evaluation.json", "generator.keras", "discriminator.keras"],
)
def test_an_unfinished_run_is_not_exported(tfseqgan, copy, tmp_path, file):
    (copy / file).unlink()
    code, out, err = tfseqgan("export", "--model", copy, "--out", tmp_path / "model")
    assert (
        code == 2
        and out == ""
        and file in err
        and err.count("\n") == 1
        and not (tmp_path / "model").exists()
    )


@pytest.mark.parametrize(
    "flags, words",
    [
        (
            [],
            "1 exists; expected a new version, since servers may be running this one. Pass a higher version",
        ),
        (
            ["--version", 0],
            "version, length and num_candidates must be whole numbers of 1 or more, received 0, 512 and 8",
        ),
        (
            ["--version", 2, "--length", 0],
            "must be whole numbers of 1 or more, received 2, 0 and 8",
        ),
        (
            ["--version", 2, "--num_candidates", -1],
            "must be whole numbers of 1 or more, received 2, 512 and -1",
        ),
    ],
)
def test_export_refuses_a_version_that_exists_and_numbers_out_of_range(
    tfseqgan, exported, session, flags, words
):
    before = {path: path.stat().st_mtime_ns for path in exported.rglob("*")}
    code, out, err = tfseqgan("export", "--model", session[0], "--out", exported, *flags)
    assert code == 2 and out == "" and words in err and err.count("\n") == 1
    assert {path: path.stat().st_mtime_ns for path in exported.rglob("*")} == before


def test_a_run_without_rounds_is_exported_without_its_discriminator_and_composed_tunes_come_with_it(
    tfseqgan, tmp_path
):
    out, model = tmp_path / "run", tmp_path / "model"
    assert tfseqgan("train", "--out", out, *SMALL, "--epochs", 0, "--rounds", 0)[0] == 0
    assert tfseqgan("export", "--model", out, "--out", model, "--length", 24)[0] == 0
    assert set(SavedSampler(model).signatures) == {"serving_default", "sample", "continue", "score"}
    assert tfseqgan("evaluate", "--model", model, "--out", tmp_path / "again.json")[0] == 0
    saved, own = (
        json.loads(path.read_text()) for path in (tmp_path / "again.json", out / "evaluation.json")
    )
    assert list(saved) == list(own) == ["untrained"] and saved["untrained"] == pytest.approx(
        own["untrained"], abs=1e-6, rel=1e-6
    )


def test_a_finished_run_is_a_folder_of_pretrained_models(session):
    found = from_pretrained(session[0])
    for name, model in (("generator", found.generator), ("discriminator", found.discriminator)):
        pairs = zip(
            model.get_weights(), run_folder.load_model(session[0], name).get_weights(), strict=True
        )
        assert all(one.tobytes() == other.tobytes() for one, other in pairs)
    assert found.tokenizer == Tokenizer.load(session[0] / "tokenizer.json")


def test_a_run_that_is_stopped_says_how_to_go_on(tfseqgan, copy, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(train_run, "train_run", stop)
    monkeypatch.setattr(finished_run, "evaluate_run", stop)
    code, _, err = tfseqgan("train", "--resume", "--out", copy)
    assert (
        code == 130
        and err
        == f"\ntfseqgan: Stopped. Go on from the last checkpoint: tfseqgan train --resume --out {copy}\n"
    )
    code, _, err = tfseqgan("train", "--out", copy.parent / "new")
    assert code == 130 and err == "\ntfseqgan: Stopped.\n"
    assert tfseqgan("evaluate", "--model", copy)[::2] == (130, "\ntfseqgan: Stopped.\n")


@pytest.mark.parametrize(
    "number, words",
    [
        (
            "ENOSPC",
            "The disk is full (No space left on device: run/a.csv); expected room for the next file.",
        ),
        (
            "EROFS",
            "A file cannot be used (Read-only file system: run/a.csv); expected leave to read and write it.",
        ),
        (
            "EACCES",
            "A file cannot be used (Permission denied: run/a.csv); expected leave to read and write it.",
        ),
        (
            "ENOTDIR",
            "A path is not what it should be (Not a directory: run/a.csv). Check the paths",
        ),
        ("EIO", "A file cannot be read or written (Input/output error: run/a.csv). Check the disk"),
    ],
)
def test_an_error_of_the_system_says_what_to_do(tfseqgan, copy, monkeypatch, number, words):
    def fail(*_, **__):
        code = getattr(cli.errno, number)
        raise OSError(code, os.strerror(code), "run/a.csv")

    monkeypatch.setattr(train_run, "train_run", fail)
    code, _, err = tfseqgan("train", "--resume", "--out", copy)
    assert (
        code == 2
        and words in err
        and err.endswith(f" Go on from the last checkpoint: tfseqgan train --resume --out {copy}\n")
    )


def test_a_debugger_gets_the_traceback(tfseqgan, tmp_path):
    with pytest.raises(ValueError, match="holds no run to go on with"):
        tfseqgan("--debug", "train", "--resume", "--out", tmp_path)


def test_bad_files_among_the_data_are_named_and_counted(tfseqgan, tmp_path, tunes, caplog):
    data = Path(shutil.copytree(tunes, tmp_path / "data"))
    (data / "broken.mid").write_bytes(b"hello")
    (data / "cut.mid").write_bytes((data / "00.mid").read_bytes()[:60])
    code, out, _ = tfseqgan(
        "train", "--data", data, "--out", tmp_path / "run", *SMALL, "--epochs", 0, "--rounds", 0
    )
    assert code == 0 and "untrained" in out
    assert (
        "2 of the 10 MIDI files" in caplog.text
        and "broken.mid (" in caplog.text
        and "cut.mid (" in caplog.text
    )
    assert [
        entry["file"]
        for entry in run_folder.read_json(tmp_path / "run" / "config.json")["data"]["skipped_files"]
    ] == [
        "broken.mid",
        "cut.mid",
    ]


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda data: None, "is not a folder: expected a folder that holds .mid or .midi files"),
        (
            lambda data: data.write_bytes(b"MThd"),
            "is not a folder: expected a folder that holds .mid or .midi files",
        ),
        (
            lambda data: data.mkdir(),
            "holds no MIDI files: expected files that end in .mid or .midi",
        ),
        (
            lambda data: data.mkdir() or (data / "a.mid").write_bytes(b"hello"),
            "1 of the 1 MIDI files",
        ),
    ],
)
def test_data_without_tunes_is_one_line_and_code_2_and_makes_no_folder(
    tfseqgan, tmp_path, make, words
):
    make(tmp_path / "data")
    code, out, err = tfseqgan(
        "train", "--data", tmp_path / "data", "--out", tmp_path / "run", *SMALL
    )
    assert (
        code == 2
        and out == ""
        and words in err
        and err.count("\n") == 1
        and not (tmp_path / "run").exists()
    )


def test_a_full_terminal_is_no_traceback(session):
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    with open("/dev/full", "w") as full:
        process = start("evaluate", "--model", session[0], stdout=full)
        _, err = process.communicate()
    assert (
        process.returncode == 2
        and "tfseqgan: The disk is full (No space left on device)" in err
        and "Traceback" not in err
    )


def test_two_workers_share_a_run_and_the_chief_alone_writes(tmp_path, tunes, session):
    cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(2)]}
    environments = [
        os.environ
        | {
            "TF_CONFIG": json.dumps(
                {"cluster": cluster, "task": {"type": "worker", "index": index}}
            )
        }
        for index in range(2)
    ]
    flags = [
        "--data",
        tunes,
        "--out",
        tmp_path / "shared",
        "--rounds",
        12,
        "--strategy",
        "multi_worker",
        *SMALL,
    ]
    chief, other = [start("train", *flags, environment=environment) for environment in environments]
    (printed, errors), (nothing, other_errors) = [
        process.communicate(timeout=600) for process in (chief, other)
    ]
    assert (chief.returncode, other.returncode) == (0, 0), errors + other_errors
    assert "maximum likelihood" in printed and nothing == ""
    assert sorted(os.listdir(tmp_path / "shared")) == sorted(os.listdir(session[0]))
    ours, theirs = [
        json.loads((folder / "evaluation.json").read_text())
        for folder in (tmp_path / "shared", session[0])
    ]
    assert ours.keys() == theirs.keys()
    for name, row in ours.items():
        assert row == pytest.approx(theirs[name], rel=1e-4, nan_ok=True)
    assert [path.read_bytes() for path in sorted((tmp_path / "shared" / "samples").iterdir())] == [
        path.read_bytes() for path in sorted((session[0] / "samples").iterdir())
    ]


def test_a_strategy_of_one_device_changes_nothing(tfseqgan, tmp_path, tunes, session):
    assert (
        tfseqgan(
            "train",
            "--data",
            tunes,
            "--out",
            tmp_path / "run",
            "--rounds",
            12,
            "--strategy",
            "mirrored",
            *SMALL,
        )[0]
        == 0
    )
    assert (tmp_path / "run" / "metrics.csv").read_text() == (
        session[0] / "metrics.csv"
    ).read_text()


def test_workers_that_nobody_named_are_refused(tfseqgan, tmp_path, tunes, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    code, _, error = tfseqgan(
        "train", "--data", tunes, "--out", tmp_path / "run", "--strategy", "multi_worker"
    )
    assert (
        code == 2
        and "multi_worker needs the environment variable TF_CONFIG" in error
        and not (tmp_path / "run").exists()
    )
