"""`tfseqgan export`, and the commands on what it wrote."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from running_commands import TINY_FLAGS, assert_one_line_and_code_1, read
from tiny_runs import compose_folder, shared_tunes

from tfseqgan import from_pretrained
from tfseqgan.cli import main
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.runs import run_folder
from tfseqgan.serving.saved_sampler import SavedSampler

slow = pytest.mark.slow
serving = pytest.mark.serving


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

    assert_one_line_and_code_1(result, "run's own folder")
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
        str(Path(main.__file__).parents[1]),
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

    assert_one_line_and_code_1(result, words)
    assert not (tmp_path / "new").exists()


def cells_of(printed, model):
    """Returns the figures of a model in a table, from all of its blocks."""
    lines = [line.split() for line in printed.splitlines() if line.startswith(model)]

    return [cell for line in lines for cell in line[1:]]


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
    assert cells_of(out, "kl_control") == cells_of(finished.stdout, "kl_control")
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

    assert_one_line_and_code_1(
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

    assert_one_line_and_code_1(result, "was exported without the settings and data of a run")


@slow
@serving
def test_tunes_with_a_start_token_are_refused_by_a_sampler_without_one(tfseqgan, change_card):
    model = change_card(prompt=[])

    code, _, err = tfseqgan("evaluate", "--model", model, "--data", shared_tunes())

    assert code == 1
    assert "which do not begin with a start token" in err


@slow
@pytest.mark.parametrize(
    "file",
    ["config.json", "tokenizer.json", "evaluation.json", "generator.keras", "discriminator.keras"],
)
def test_an_unfinished_run_is_not_exported(tfseqgan, copied_run, tmp_path, file):
    (copied_run / file).unlink()

    result = tfseqgan("export", "--model", copied_run, "--out", tmp_path / "model")

    assert_one_line_and_code_1(result, file)
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

    assert_one_line_and_code_1(result, words)
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
