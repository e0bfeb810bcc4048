"""`tfseqgan sample`: the same tunes for the same seed, and what is refused."""

import json
import os
import sys

import pytest
from running_commands import assert_one_line_and_code_1

from tfseqgan.music.midi import read_midi
from tfseqgan.music.score import Note, Score
from tfseqgan.runs import finished_run

slow = pytest.mark.slow


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

    assert_one_line_and_code_1(result, words)
    assert not (tmp_path / "new").exists()


def test_sample_refuses_a_folder_with_other_files_and_a_file(
    tfseqgan, without_tensorflow, tmp_path
):
    (tmp_path / "mine").write_text("mine")

    among_files = tfseqgan("sample", "--model", "any", "--out", tmp_path)
    onto_a_file = tfseqgan("sample", "--model", "any", "--out", tmp_path / "mine")

    assert_one_line_and_code_1(
        among_files,
        "is not empty; expected a new or empty folder, so that no tune is lost. Pass --overwrite",
    )
    assert_one_line_and_code_1(onto_a_file, "mine is a file; expected a folder")


@slow
def test_sample_writes_among_other_files_if_asked(tfseqgan, finished, tmp_path):
    (tmp_path / "mine").write_text("mine")
    flags = ["--overwrite", "--num", 1, "--length", 9]

    code, *_ = tfseqgan("sample", "--model", finished.out, "--out", tmp_path, *flags)

    assert code == 0
    assert sorted(os.listdir(tmp_path)) == ["mine", "tune_1.mid"]


@pytest.fixture
def two_tunes(monkeypatch):
    """Makes sampling give two short tunes at once."""
    tunes = [Score(melody=(Note(0, 24, 60),), name=name) for name in ("a", "b")]
    monkeypatch.setattr(finished_run, "sample_tunes", lambda *_, **__: tunes)


def test_sample_as_json_prints_the_files_and_nothing_else(tfseqgan, two_tunes, tmp_path):
    code, out, err = tfseqgan("sample", "--out", tmp_path / "new", "--json")

    assert (code, err) == (0, "")
    files = json.loads(out)["files"]
    assert files == [str(tmp_path / "new" / f"tune_{number}.mid") for number in (1, 2)]
    assert all(os.path.isfile(file) for file in files)


def test_sample_writes_each_tune_in_each_format(tfseqgan, two_tunes, tmp_path):
    code, out, _ = tfseqgan("sample", "--out", tmp_path / "new", "--format", "abc,mid")

    assert code == 0
    names = ["tune_1.abc", "tune_1.mid", "tune_2.abc", "tune_2.mid"]
    assert out.split() == [str(tmp_path / "new" / name) for name in names]
    assert sorted(os.listdir(tmp_path / "new")) == names


def test_a_format_that_is_not_installed_is_named_before_anything_is_sampled(
    tfseqgan, monkeypatch, tmp_path
):
    monkeypatch.setitem(sys.modules, "verovio", None)
    monkeypatch.setattr(finished_run, "sample_tunes", pytest.fail)

    result = tfseqgan("sample", "--out", tmp_path / "new", "--format", "svg")

    assert_one_line_and_code_1(result, "pip install 'tfseqgan[viz]'")
    assert not (tmp_path / "new").exists()


def test_a_quiet_sample_prints_nothing_and_writes_the_tunes(tfseqgan, two_tunes, tmp_path):
    assert tfseqgan("sample", "--out", tmp_path / "new", "--quiet") == (0, "", "")
    assert sorted(os.listdir(tmp_path / "new")) == ["tune_1.mid", "tune_2.mid"]
