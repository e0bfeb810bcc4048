"""Claims about loading and downloading the Nottingham tunes.

The download tests use archives that they write themselves, at file URLs, and servers of their own.
"""

import contextlib
import shutil
import socket
import threading
import time
import zipfile
from pathlib import Path

import pytest
from conftest import make_score
from dataset_files import SCORES, all_tunes, fill_folder, sorted_names

from tfseqgan.cli import main as cli
from tfseqgan.datasets import nottingham
from tfseqgan.datasets.duplicates import group_duplicates
from tfseqgan.datasets.nottingham import (
    NUM_TUNES,
    DownloadError,
    download_nottingham,
    hash_tunes,
    load_nottingham,
)
from tfseqgan.datasets.tune_folder import load_folder
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
    assert len(load_folder(archive).train) > 10

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


@pytest.fixture
def expects_fakes(monkeypatch):
    """Makes the tunes that `write_archive` writes those that are expected."""
    tunes = {Path(file).name: file.encode() for file in TUNE_FILES}
    monkeypatch.setattr(nottingham, "TUNES_SHA256", hash_tunes(tunes))


def test_a_download_holds_the_tunes_without_their_extracted_voices(tmp_path, expects_fakes):
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


def test_an_existing_empty_folder_is_filled(tmp_path, expects_fakes):
    url = write_archive(tmp_path / "archive.zip", TUNE_FILES)
    (tmp_path / "tunes").mkdir()

    folder = download_nottingham(tmp_path / "tunes", url)

    assert len(names_in(folder)) == NUM_TUNES


def test_of_a_link_the_folder_that_it_leads_to_is_filled(tmp_path, expects_fakes):
    url = write_archive(tmp_path / "archive.zip", TUNE_FILES)
    (tmp_path / "tunes").symlink_to("elsewhere")

    download_nottingham(tmp_path / "tunes", url)

    assert len(names_in(tmp_path / "elsewhere")) == NUM_TUNES
    assert (tmp_path / "tunes").is_symlink()


def test_a_folder_that_has_all_tunes_is_left_as_it_is(tmp_path, expects_fakes):
    url = write_archive(tmp_path / "archive.zip", TUNE_FILES)
    folder = download_nottingham(tmp_path / "tunes", url)
    (folder / "notes.txt").write_text("mine")

    assert download_nottingham(folder, "file:///nowhere") == folder
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("content", ["", "mine"])
def test_a_folder_that_has_one_of_the_tunes_does_not_count_as_all(tmp_path, content):
    (tmp_path / "ashover1.mid").write_text(content)

    with pytest.raises(ValueError, match="holds other files; expected a new or empty folder"):
        download_nottingham(tmp_path, "file:///nowhere")
    assert (tmp_path / "ashover1.mid").read_text() == content


@pytest.mark.parametrize(
    "files, message",
    [
        (["MIDI/ashover1.mid"], "holds 1 tunes, expected 1034"),
        ([], "holds 0 tunes"),
        (TUNE_FILES, "holds other tunes than the Nottingham Music Database"),
    ],
    ids=["one tune", "no tunes", "not MIDI"],
)
def test_another_archive_is_refused_and_nothing_is_written(tmp_path, files, message):
    url = write_archive(tmp_path / "archive.zip", files)

    with pytest.raises(DownloadError, match=message):
        download_nottingham(tmp_path / "new" / "tunes", url)
    assert names_in(tmp_path) == ["archive.zip"]


def test_a_url_without_an_archive_is_named_in_the_error(tmp_path):
    (tmp_path / "page.html").write_text("not found")

    with pytest.raises(DownloadError, match="page.html is not a zip archive"):
        download_nottingham(tmp_path / "tunes", (tmp_path / "page.html").as_uri())
    for url in ((tmp_path / "missing.zip").as_uri(), "nowhere", "ftp://", "http://[", "x://y"):
        with pytest.raises(DownloadError, match="cannot be downloaded"):
            download_nottingham(tmp_path / "tunes", url)


def test_an_error_of_the_download_is_an_oserror_and_a_valueerror():
    assert issubclass(DownloadError, OSError)
    assert issubclass(DownloadError, ValueError)


def test_a_folder_with_other_files_is_not_touched(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")

    with pytest.raises(ValueError, match="holds other files"):
        download_nottingham(tmp_path, "file:///nowhere")
    assert names_in(tmp_path) == ["letter.txt"]


@pytest.mark.parametrize("make_target", [lambda path: ".", lambda path: path], ids=["dot", "path"])
def test_the_current_folder_is_refused_before_the_download(tmp_path, monkeypatch, make_target):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nottingham, "_fetch", lambda url: pytest.fail("it was downloaded"))

    with pytest.raises(ValueError, match="is the current folder, .*; expected a new or empty one"):
        download_nottingham(make_target(tmp_path))
    assert names_in(tmp_path) == []


def test_a_target_that_cannot_be_written_is_refused_before_the_download(tmp_path, monkeypatch):
    monkeypatch.setattr(nottingham, "_fetch", lambda url: pytest.fail("it was downloaded"))
    (tmp_path / "file").write_text("a file")

    with pytest.raises(OSError, match="file"):
        download_nottingham(tmp_path / "file" / "tunes")
    with pytest.raises(ValueError, match="file holds other files"):
        download_nottingham(tmp_path / "file")


# Archives and servers that are not what they should be.


def archive_of(path, tune=b"", **fields):
    """Writes an archive of as many tunes as expected, the first of which has other properties."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in TUNE_FILES:
            archive.writestr(f"{ARCHIVE_FOLDER}/{file}", tune)
        for name, value in fields.items():
            setattr(archive.filelist[0], name, value)

    return path.as_uri()


@pytest.mark.parametrize(
    "tune, fields, reason",
    [
        (bytes(2_000_000), {}, "MIDI/ashover1.mid has 2,000,000 bytes"),
        (b"x", {"flag_bits": 1}, "MIDI/ashover1.mid is encrypted"),
        (b"x", {"compress_type": 99}, "MIDI/ashover1.mid is compressed in an unusual way"),
        (b"x", {"CRC": 1}, "Bad CRC-32"),
        (b"x" * 999, {"file_size": 10}, "Bad CRC-32|is not a zip archive|does not hold"),
    ],
    ids=["a bomb", "encrypted", "unknown compression", "damaged", "a wrong size"],
)
def test_a_hostile_archive_is_refused_before_it_is_unpacked(tmp_path, tune, fields, reason):
    url = archive_of(tmp_path / "archive.zip", tune, **fields)

    with pytest.raises(DownloadError, match=reason):
        download_nottingham(tmp_path / "tunes", url)
    assert names_in(tmp_path) == ["archive.zip"]


def test_an_archive_over_the_limit_is_called_so(tmp_path, monkeypatch):
    monkeypatch.setattr(nottingham, "_MAX_ARCHIVE_BYTES", 1000)
    url = write_archive(tmp_path / "archive.zip", TUNE_FILES)

    with pytest.raises(DownloadError, match="cannot be downloaded .it is larger than 1,000 bytes"):
        download_nottingham(tmp_path / "tunes", url)


@contextlib.contextmanager
def serve(answer):
    """Serves one connection at a local port: `answer` writes to its socket. Yields the URL."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer_one():
        with contextlib.suppress(OSError):
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                answer(connection)

    thread = threading.Thread(target=answer_one, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/archive.zip"
    finally:
        server.close()


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"",
        HEAD + b"x: " + b"y" * 100_000 + b"\r\n\r\n",
        HEAD + b"x: y\r\n" * 1000 + b"\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nnothex\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\nshort",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
    ],
    ids=[
        "another protocol",
        "nothing",
        "a long header",
        "many headers",
        "a broken chunk",
        "a chunk cut off",
        "not found",
        "to a local file",
    ],
)
def test_what_a_server_does_wrong_is_one_class_of_error(tmp_path, answer):
    message = "archive.zip cannot be downloaded"
    with (
        serve(lambda connection: connection.sendall(answer)) as url,
        pytest.raises(DownloadError, match=message),
    ):
        download_nottingham(tmp_path / "tunes", url)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("head", [HEAD + b"\r\n", HEAD], ids=["in the body", "in the head"])
def test_a_server_that_sends_a_byte_now_and_then_is_left_in_time(
    tmp_path, monkeypatch, caplog, head
):
    caplog.set_level("INFO")
    monkeypatch.setattr(nottingham, "_MAX_SECONDS", 0.6)
    monkeypatch.setattr(nottingham, "_SECONDS_PER_REPORT", 0.1)

    def drip(connection):
        connection.sendall(head)
        for _ in range(100):
            connection.sendall(b"x")
            time.sleep(0.05)

    started = time.monotonic()
    with serve(drip) as url, pytest.raises(DownloadError, match="not complete after 0.6 seconds"):
        download_nottingham(tmp_path / "tunes", url)

    assert time.monotonic() - started < 3
    assert ("bytes so far" in caplog.text) == (head != HEAD)


def test_the_published_tunes_are_the_ones_that_are_expected(nottingham_folder):
    tunes = {path.name: path.read_bytes() for path in nottingham_folder.glob("*.mid")}

    assert hash_tunes(tunes) == nottingham.TUNES_SHA256


def test_the_hash_of_tunes_depends_on_every_name_and_every_byte():
    tunes = {"a.mid": b"1", "b.mid": b"2"}
    others = [{"a.mid": b"1"}, {"a.mid": b"1", "c.mid": b"2"}, {"a.mid": b"2", "b.mid": b"1"}]

    assert hash_tunes(tunes) == hash_tunes(dict(reversed(tunes.items())))
    assert hash_tunes(tunes) not in map(hash_tunes, others)


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

    assert row["nll"] == pytest.approx(1.430, abs=5e-4)
    assert row["num_real"] == 108


def test_the_download_command_without_a_network_says_what_to_do(tmp_path, monkeypatch, capsys):
    def download_missing_archive(folder):
        return download_nottingham(folder, (tmp_path / "missing.zip").as_uri())

    monkeypatch.setattr(nottingham, "download_nottingham", download_missing_archive)
    arguments = cli.parse(["tfseqgan", "download", "--out", str(tmp_path / "tunes")])

    assert cli.main(arguments) == 1
    error = capsys.readouterr().err
    assert "cannot be downloaded" in error
    assert "pass the folder of its tunes." in error
    assert error.count("\n") == 1
