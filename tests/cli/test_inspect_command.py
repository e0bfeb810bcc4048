"""`tfseqgan inspect`: what it prints of a folder, and that it starts without TensorFlow."""

import json

import pytest
from running_commands import assert_one_line_and_code_1

from tfseqgan.music.midi import write_midi
from tfseqgan.music.score import Note, Score, transpose


@pytest.fixture
def folder(tmp_path):
    """A tune, the same one higher, and a file that is none."""
    tune = Score(tuple(Note(24 * beat, 24, 60 + beat % 7) for beat in range(24)))
    write_midi(tune, tmp_path / "one.mid")
    write_midi(transpose(tune, 2), tmp_path / "two.mid")
    (tmp_path / "three.mid").write_bytes(b"no MIDI")

    return tmp_path


def test_every_file_and_its_fate_is_printed(tfseqgan, without_tensorflow, folder):
    code, out, err = tfseqgan("inspect", folder)

    assert (code, err) == (0, "")
    assert "2 of 3 files can be read, 1 different tunes" in " ".join(out.split())
    assert "three.mid cannot be read: " in out
    assert "tokens of the sampler of folk tunes" in " ".join(out.split())
    assert all(len(line) <= 100 for line in out.splitlines())


def test_json_alone_says_the_same(tfseqgan, without_tensorflow, folder):
    code, out, err = tfseqgan("inspect", folder, "--json")

    assert (code, err) == (0, "")
    report = json.loads(out)
    assert [file["file"] for file in report["files"]] == ["one.mid", "two.mid"]
    assert report["files"][1]["version_of"] == {
        "file": "one.mid",
        "kind": "transposed",
        "semitones": 2,
    }
    assert report["unreadable"][0]["file"] == "three.mid"
    assert report["in_tokenizer"]["num_events"] > 0  # the vocabulary of the shipped sampler


def test_a_folder_without_tunes_is_one_line_and_code_1(tfseqgan, without_tensorflow, tmp_path):
    result = tfseqgan("inspect", tmp_path)

    assert_one_line_and_code_1(result, "no MIDI or ABC files")
