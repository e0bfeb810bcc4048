"""The public archive is fetched whole or not at all; here it is one that the test makes, at a file URL."""

import shutil
import zipfile
from pathlib import Path

import pytest

import tfseqgan as sg
from tfseqgan import cli
from tfseqgan.datasets import nottingham as download
from tfseqgan.runs import finished_run


def make_archive(path, names):
    """Writes an archive like the public one, with an empty file for each name; returns its URL."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(f"nottingham-dataset-0992bb6/{name}", name.encode())
    return path.as_uri()


def tune_names():
    return [
        "MIDI/ashover1.mid",
        *(f"MIDI/jigs{number}.mid" for number in range(download.NUM_TUNES - 1)),
    ]


def test_the_tunes_come_without_the_folders_that_hold_them_again(tmp_path):
    extra = [
        "MIDI/melody/ashover1.mid",
        "MIDI/chords/ashover1.mid",
        "ABC_cleaned/ashover.abc",
        "README.md",
    ]
    url = make_archive(tmp_path / "archive.zip", tune_names() + extra)
    folder = sg.download_nottingham(tmp_path / "cache" / "tunes", url)
    assert (
        folder == tmp_path / "cache" / "tunes"
        and (folder / "ashover1.mid").read_text()
        == "nottingham-dataset-0992bb6/MIDI/ashover1.mid".split("/", 1)[1]
    )
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        name.removeprefix("MIDI/") for name in tune_names()
    )
    assert [path.name for path in folder.parent.iterdir()] == ["tunes"]


def test_a_folder_that_has_the_tunes_is_left_as_it_is(tmp_path):
    (tmp_path / "ashover1.mid").write_text("mine")
    assert sg.download_nottingham(tmp_path, "file:///nowhere") == tmp_path
    assert (tmp_path / "ashover1.mid").read_text() == "mine"


@pytest.mark.parametrize(
    "names, words", [(["MIDI/ashover1.mid"], "holds 1 tunes, expected 1034"), ([], "holds 0 tunes")]
)
def test_another_archive_is_refused_and_nothing_is_left(tmp_path, names, words):
    url = make_archive(tmp_path / "archive.zip", names)
    with pytest.raises(ValueError, match=words):
        sg.download_nottingham(tmp_path / "tunes", url)
    assert [path.name for path in tmp_path.iterdir()] == ["archive.zip"]


def test_what_is_no_archive_or_not_there_is_named(tmp_path):
    (tmp_path / "page.html").write_text("not found")
    with pytest.raises(ValueError, match="no zip archive"):
        sg.download_nottingham(tmp_path / "tunes", (tmp_path / "page.html").as_uri())
    with pytest.raises(OSError, match="cannot be fetched"):
        sg.download_nottingham(tmp_path / "tunes", (tmp_path / "missing.zip").as_uri())


def test_a_folder_with_something_else_is_not_touched(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ValueError, match="holds something else"):
        sg.download_nottingham(tmp_path, "file:///nowhere")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_the_public_archives_tunes_are_those_that_the_tests_use(tmp_path, nottingham_folder):
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        for path in nottingham_folder.glob("*.mid"):
            archive.write(path, f"nottingham-dataset-0992bb6/MIDI/{path.name}")
    folder = sg.download_nottingham(tmp_path / "tunes", (tmp_path / "archive.zip").as_uri())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in nottingham_folder.glob("*.mid")
    }


def test_a_nottingham_sampler_fetches_its_tunes_where_none_are_named(
    tmp_path, monkeypatch, nottingham_folder
):
    shutil.copytree(nottingham_folder, tmp_path / "nottingham")
    monkeypatch.setenv("TFSEQGAN_CACHE", str(tmp_path))
    (row,) = finished_run.evaluate_run(
        Path(__file__).parents[2] / "saved_models" / "nottingham", num_samples=2
    ).values()
    assert row["nll"] == pytest.approx(2.878, abs=5e-4) and row["num_real"] == 261


def test_without_a_network_the_command_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        download,
        "download_nottingham",
        lambda folder: download._fetch((tmp_path / "missing.zip").as_uri()),
    )
    assert cli._main(cli._parse(["tfseqgan", "download", "--out", str(tmp_path / "tunes")])) == 2
    error = capsys.readouterr().err
    assert (
        "cannot be fetched" in error
        and "pass the folder of its tunes." in error
        and error.count("\n") == 1
    )
