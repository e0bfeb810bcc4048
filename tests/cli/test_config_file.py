"""`tfseqgan train --config`: flags go before the file, and the file before the preset."""

import json

import pytest
from running_commands import assert_one_line_and_code_1
from tiny_runs import TINY, shared_tunes
from written_runs import write_run

from tfseqgan.cli.config_file import read_config_file
from tfseqgan.runs import train_run
from tfseqgan.runs.settings import MODELS_OF_THE_PAPER, PRESETS, TOKENS_OF_THE_PAPER, Settings


@pytest.fixture
def trained(monkeypatch):
    """Notes the settings and the start that the command would train with, instead of training."""
    seen = []

    def note(strategy, out, settings, data_path, init, **options):
        seen.append((settings, init))

    monkeypatch.setattr(train_run, "train_run_with_strategy", note)

    return seen


def write(path, content):
    """Writes plain values as JSON, and returns the path."""
    path.write_text(json.dumps(content))

    return path


def test_flags_go_before_the_file_and_the_file_before_the_preset(tfseqgan, tmp_path, trained):
    file = write(tmp_path / "run.json", {"units": 7, "epochs": 5, "kernel_sizes": [1, 2]})
    flags = ["--preset", "quick", "--config", file, "--epochs", 3]

    assert tfseqgan("train", "--out", tmp_path / "run", *flags)[0] == 0

    ((settings, init),) = trained
    assert init is None
    assert settings.units == 7
    assert settings.epochs == 3
    assert settings.kernel_sizes == (1, 2)
    assert settings.filters == PRESETS["quick"].filters != PRESETS["default"].filters


def test_the_config_of_a_run_gives_the_settings_of_the_run(tfseqgan, tmp_path, trained):
    run = write_run(tmp_path / "run", **{**vars(TINY), "seed": 9})

    code, *_ = tfseqgan("train", "--out", tmp_path / "new", "--config", run / "config.json")

    assert code == 0
    ((settings, _),) = trained
    assert vars(settings) == vars(TINY) | {"seed": 9}


@pytest.mark.parametrize("flags, init", [([], "nottingham"), (["--init", "none"], None)])
def test_the_config_of_a_run_says_what_the_run_started_from_unless_a_flag_does(
    tfseqgan, tmp_path, trained, flags, init
):
    start = {"model": "nottingham", "sha256": "0" * 64}
    run = write_run(tmp_path / "run", start=start)
    config = ["--config", run / "config.json"]

    assert tfseqgan("train", "--out", tmp_path / "new", *config, *flags)[0] == 0

    assert [seen for _, seen in trained] == [init]


def test_a_run_from_random_weights_is_not_fine_tuned_by_its_config(tfseqgan, tmp_path, trained):
    run = write_run(tmp_path / "run")
    flags = ["--data", shared_tunes(), "--config", run / "config.json"]

    assert tfseqgan("train", "--out", tmp_path / "new", *flags)[0] == 0

    assert trained == [(Settings(), None)]


def test_a_setting_that_is_null_is_the_presets(tmp_path):
    file = write(tmp_path / "run.json", {"units": None, "epochs": 3})

    assert read_config_file(file) == ({"epochs": 3}, None)


def test_a_run_whose_start_is_damaged_is_refused(tfseqgan, without_tensorflow, tmp_path):
    run = write_run(tmp_path / "run", start={"sha256": "0"})

    result = tfseqgan("train", "--out", tmp_path / "new", "--config", run / "config.json")

    assert_one_line_and_code_1(result, "has the start {'sha256': '0'}; expected the model that")


def test_what_the_config_of_an_old_run_lacks_means_the_paper(tmp_path):
    file = write(tmp_path / "config.json", {"settings": {"units": 7}, "versions": {}})

    assert read_config_file(file) == (
        TOKENS_OF_THE_PAPER | MODELS_OF_THE_PAPER | {"units": 7},
        "none",
    )


@pytest.mark.parametrize(
    "content, words",
    [
        (
            {"unit": 7, "seed": 1, "hue": 3},
            "received 'unit'. Did you mean 'units'? 'hue'. Correct or remove it.",
        ),
        ({"units": "many"}, "--units is 'many'; expected a whole number, 1 or more"),
        ({"units": [7]}, "--units is (7,); expected a whole number, 1 or more"),
        ([7], "holds list; expected an object with settings by name"),
    ],
    ids=str,
)
def test_a_file_with_something_else_is_refused_at_once(
    tfseqgan, without_tensorflow, tmp_path, content, words
):
    file = write(tmp_path / "run.json", content)

    result = tfseqgan("train", "--out", tmp_path / "run", "--config", file)

    assert_one_line_and_code_1(result, words)


def test_a_file_that_is_missing_or_damaged_is_named(tfseqgan, without_tensorflow, tmp_path):
    (tmp_path / "cut.json").write_text('{"units": ')

    missing = tfseqgan("train", "--out", tmp_path / "run", "--config", tmp_path / "no.json")
    damaged = tfseqgan("train", "--out", tmp_path / "run", "--config", tmp_path / "cut.json")

    assert_one_line_and_code_1(missing, "no.json does not exist; expected a JSON file")
    assert_one_line_and_code_1(damaged, "cut.json is damaged")


def test_a_run_is_not_resumed_with_a_file(tfseqgan, tmp_path):
    run = write_run(tmp_path / "run")
    flags = ["--resume", "--out", run, "--config", run / "config.json"]

    assert_one_line_and_code_1(tfseqgan("train", *flags), "leave out --config. Only --rounds")
