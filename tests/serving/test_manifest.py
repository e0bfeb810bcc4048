"""Claims about tfseqgan.serving.manifest: names of the folder itself, and hashes."""

import hashlib
import json

import pytest

from tfseqgan.serving.manifest import (
    hash_files,
    is_as_listed,
    read_manifest,
    sha256_of_file,
    write_manifest,
)

ZEROS = "0" * 64


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    hashes = hash_files(tmp_path, "a")

    write_manifest(tmp_path, hashes)

    assert read_manifest(tmp_path) == hashes == {"a": hashlib.sha256(b"a").hexdigest()}
    assert sha256_of_file(tmp_path / "a") == hashes["a"]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "..", ".", "", "a\\b", "a\0"])
def test_a_strangers_manifest_names_files_of_its_own_folder_alone(tmp_path, name):
    (tmp_path / "manifest.json").write_text(json.dumps({name: ZEROS}))

    with pytest.raises(ValueError, match="manifest.json names .*; expected files of its own"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("value", [None, 3, "", "0" * 63, "O" * 64, ZEROS + "\n", [ZEROS]])
def test_a_strangers_manifest_holds_hashes_alone(tmp_path, value):
    (tmp_path / "manifest.json").write_text(json.dumps({"a": value}))

    with pytest.raises(ValueError, match="for a; expected 64 hexadecimal digits"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "3", "null", "[" * 100_000, "\udcff"])
def test_a_strangers_manifest_of_another_form_is_named(tmp_path, content):
    (tmp_path / "manifest.json").write_bytes(content.encode("utf-8", "surrogateescape"))

    with pytest.raises(ValueError, match="manifest.json"):
        read_manifest(tmp_path)


def test_a_manifest_tells_a_changed_file_and_one_that_is_not_there(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    hashes = hash_files(tmp_path, "a")

    assert is_as_listed(tmp_path, "a", hashes)
    assert is_as_listed(tmp_path, "a", {})
    assert not is_as_listed(tmp_path, "a", {"a": ZEROS})
    assert not is_as_listed(tmp_path, "b", {})
