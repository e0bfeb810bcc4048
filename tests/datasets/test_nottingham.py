"""Claims about loading and downloading the Nottingham tunes.

The download tests use archives that they write themselves, at file URLs.
"""

import shutil
import zipfile
from pathlib import Path

import pytest
from conftest import make_score
from dataset_files import SCORES, all_tunes, fill_folder, sorted_names

from tfseqgan import cli
from tfseqgan.datasets import nottingham
from tfseqgan.datasets.duplicates import group_duplicates
from tfseqgan.datasets.midi_folder import load_midi
from tfseqgan.datasets.nottingham import NUM_TUNES, download_nottingham, load_nottingham
from tfseqgan.runs import finished_run

ARCHIVE_FOLDER = "nottingham-dataset-0992bb6"
TUNE_FILES = ["MIDI/ashover1.mid", *(f"MIDI/jigs{number}.mid" for number in range(NUM_TUNES - 1))]


def write_archive(path, files):
    """Writes a zip archive like the public one, where each file holds its own name.

    Returns:
        The URL of the archive.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            archive.writestr(f"{ARCHIVE_FOLDER}/{file}", file.encode())

    return path.as_uri()


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


# Loading.


def test_the_archive_is_read_without_its_extracted_voices(tmp_path):
    archive = tmp_path / "archive"
    for subfolder in ("MIDI", "MIDI/melody", "MIDI/chords", "ABC"):
        fill_folder(archive / subfolder)
    assert len(load_midi(archive).train) > 10

    for folder in (archive, archive / "MIDI"):
        corpus = load_nottingham(folder)

        assert corpus.name == "nottingham"
        assert sorted_names(all_tunes(corpus)) == sorted_names(SCORES)


def test_the_book_of_a_tune_gives_its_rhythm(tmp_path):
    rhythms = {
        "jigs3": "jig",
        "reelsa-c12": "reel",
        "waltzes1": "waltz",
        "hpps65": "hornpipe",
        "slip2": "slip jig",
        "xmas1": "xmas",
        "other1": "polka",
    }
    scores = [make_score(seed, name=name, rhythm="polka") for seed, name in enumerate(rhythms)]

    corpus = load_nottingham(fill_folder(tmp_path, scores))

    assert {score.name: score.rhythm for score in all_tunes(corpus)} == rhythms


@pytest.mark.slow
def test_all_of_nottingham_is_loaded_and_split_by_tune(nottingham_folder):
    corpus = load_nottingham(nottingham_folder)
    scores = all_tunes(corpus)

    assert (len(corpus.train), len(corpus.validation), corpus.skipped) == (931, 103, ())
    assert len({score.rhythm for score in scores}) == 9
    assert all(score.rhythm for score in scores)
    assert corpus.sha256.startswith("6d6669f7")

    for group in group_duplicates(scores):
        sides = {index < len(corpus.train) for index in group}
        assert len(sides) == 1


# Downloading.


def test_a_download_holds_the_tunes_without_their_extracted_voices(tmp_path):
    other_files = [
        "MIDI/melody/ashover1.mid",
        "MIDI/chords/ashover1.mid",
        "ABC_cleaned/ashover.abc",
        "README.md",
    ]
    url = write_archive(tmp_path / "archive.zip", TUNE_FILES + other_files)

    folder = download_nottingham(tmp_path / "cache" / "tunes", url)

    assert folder == tmp_path / "cache" / "tunes"
    assert names_in(folder) == sorted(Path(file).name for file in TUNE_FILES)
    assert (folder / "ashover1.mid").read_text() == "MIDI/ashover1.mid"
    assert names_in(folder.parent) == ["tunes"]


def test_an_existing_empty_folder_is_filled(tmp_path):
    url = write_archive(tmp_path / "archive.zip", TUNE_FILES)
    (tmp_path / "tunes").mkdir()

    folder = download_nottingham(tmp_path / "tunes", url)

    assert len(names_in(folder)) == NUM_TUNES


def test_a_folder_that_has_the_tunes_is_left_as_it_is(tmp_path):
    (tmp_path / "ashover1.mid").write_text("mine")

    assert download_nottingham(tmp_path, "file:///nowhere") == tmp_path
    assert (tmp_path / "ashover1.mid").read_text() == "mine"


@pytest.mark.parametrize(
    "files, message",
    [(["MIDI/ashover1.mid"], "holds 1 tunes, expected 1034"), ([], "holds 0 tunes")],
)
def test_another_archive_is_refused_and_nothing_is_written(tmp_path, files, message):
    url = write_archive(tmp_path / "archive.zip", files)

    with pytest.raises(ValueError, match=message):
        download_nottingham(tmp_path / "tunes", url)
    assert names_in(tmp_path) == ["archive.zip"]


def test_a_url_without_an_archive_is_named_in_the_error(tmp_path):
    (tmp_path / "page.html").write_text("not found")

    with pytest.raises(ValueError, match="page.html is not a zip archive"):
        download_nottingham(tmp_path / "tunes", (tmp_path / "page.html").as_uri())
    with pytest.raises(OSError, match="missing.zip cannot be downloaded"):
        download_nottingham(tmp_path / "tunes", (tmp_path / "missing.zip").as_uri())


def test_a_folder_with_other_files_is_not_touched(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")

    with pytest.raises(ValueError, match="holds other files"):
        download_nottingham(tmp_path, "file:///nowhere")
    assert names_in(tmp_path) == ["letter.txt"]


def test_a_download_of_the_real_tunes_keeps_every_byte(tmp_path, nottingham_folder):
    files = list(nottingham_folder.glob("*.mid"))
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        for path in files:
            archive.write(path, f"{ARCHIVE_FOLDER}/MIDI/{path.name}")

    folder = download_nottingham(tmp_path / "tunes", (tmp_path / "archive.zip").as_uri())

    downloaded = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert downloaded == {path.name: path.read_bytes() for path in files}


@pytest.mark.slow
def test_evaluating_the_nottingham_sampler_without_data_uses_the_downloaded_tunes(
    tmp_path, monkeypatch, nottingham_folder
):
    shutil.copytree(nottingham_folder, tmp_path / "nottingham")
    monkeypatch.setenv("TFSEQGAN_CACHE", str(tmp_path))
    sampler = Path(__file__).parents[2] / "saved_models" / "nottingham"

    (row,) = finished_run.evaluate_run(sampler, num_samples=2).values()

    assert row["nll"] == pytest.approx(2.878, abs=5e-4)
    assert row["num_real"] == 261


def test_the_download_command_without_a_network_says_what_to_do(tmp_path, monkeypatch, capsys):
    def download_missing_archive(folder):
        return download_nottingham(folder, (tmp_path / "missing.zip").as_uri())

    monkeypatch.setattr(nottingham, "download_nottingham", download_missing_archive)
    arguments = cli._parse(["tfseqgan", "download", "--out", str(tmp_path / "tunes")])

    assert cli._main(arguments) == 2
    error = capsys.readouterr().err
    assert "cannot be downloaded" in error
    assert "pass the folder of its tunes." in error
    assert error.count("\n") == 1
