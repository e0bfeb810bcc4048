"""Claims about tfseqgan.files."""

import errno
import json
import os

import pytest

from tfseqgan.files import write_atomically, write_json


def test_the_new_bytes_replace_the_old_file(tmp_path):
    path = tmp_path / "a"

    write_atomically(path, b"old")
    write_atomically(str(path), b"new")

    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_temporary_file(tmp_path, monkeypatch, call):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, call, fail)

    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(path, b"new")

    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_an_error_names_the_path_that_was_asked_for(tmp_path, folder):
    (tmp_path / "file").write_bytes(b"not a folder")
    path = tmp_path / folder / "a"

    with pytest.raises(OSError) as caught:
        write_atomically(path, b"new")

    assert isinstance(caught.value, (FileNotFoundError, NotADirectoryError))
    assert caught.value.filename == str(path)


def test_a_folder_is_never_replaced_by_a_file(tmp_path):
    (tmp_path / "a").mkdir()

    with pytest.raises(OSError):
        write_atomically(tmp_path / "a", b"new")

    assert os.listdir(tmp_path) == ["a"]


def test_json_files_hold_null_for_numbers_that_json_lacks(tmp_path):
    path = tmp_path / "figures.json"

    write_json(path, {"loss": [float("nan"), float("inf"), 0.5], "title": "Čardáš"})

    assert json.loads(path.read_text("utf-8")) == {"loss": [None, None, 0.5], "title": "Čardáš"}
