"""Claims about tfseqgan.files."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import tfseqgan
from tfseqgan.files import (
    check_can_be_written,
    lock_folder,
    parse_json,
    read_json,
    read_regular_file,
    write_atomically,
    write_json,
)


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


def test_a_file_name_that_is_not_utf8_survives_json(tmp_path):
    name = os.fsdecode(b"caf\xe9.mid")

    write_json(tmp_path / "names.json", {"skipped": [name]})

    assert read_json(tmp_path / "names.json") == {"skipped": [name]}
    assert b"caf\\udce9.mid" in (tmp_path / "names.json").read_bytes()


# ---- what is not a regular file


def test_ending_a_link_stays_and_its_target_is_written(tmp_path):
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")

    write_atomically(tmp_path / "link", b"new")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_ending_a_link_to_a_file_that_does_not_exist_makes_it(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/new")

    write_atomically(tmp_path / "link", b"new")

    assert (tmp_path / "folder" / "new").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()


def test_ending_a_link_that_leads_to_itself_is_an_error_that_names_it(tmp_path):
    (tmp_path / "link").symlink_to("link")

    with pytest.raises(OSError) as caught:
        write_atomically(tmp_path / "link", b"new")

    assert caught.value.filename == str(tmp_path / "link")
    assert os.listdir(tmp_path) == ["link"]


def test_ending_a_device_is_written_into_and_not_replaced(tmp_path):
    device = tmp_path / "mynull"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("a device cannot be made here")

    write_atomically(device, b"figures")

    assert stat.S_ISCHR(device.stat().st_mode)
    assert os.listdir(tmp_path) == ["mynull"]


def test_ending_a_pipe_is_written_into_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))

    reader.start()
    write_atomically(pipe, b"figures")
    reader.join(timeout=10)

    assert received == [b"figures"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_ending_where_nothing_can_be_written_is_known_before(tmp_path):
    (tmp_path / "file").write_text("")

    check_can_be_written(tmp_path / "new" / "folder" / "file")
    with pytest.raises(NotADirectoryError, match="file"):
        check_can_be_written(tmp_path / "file" / "new")

    assert os.listdir(tmp_path) == ["file"]


# ---- the reader of files from strangers


def make_link_to_a_device(path):
    """Makes a file that never ends."""
    path.symlink_to("/dev/zero")


def make_hole(path):
    """Makes a file of a terabyte that takes no space."""
    with open(path, "wb") as file:
        file.truncate(2**40)


@pytest.mark.parametrize(
    "make, words",
    [
        (make_link_to_a_device, "is not a regular file"),
        (os.mkfifo, "is not a regular file"),
        (Path.mkdir, "is not a regular file"),
        (make_hole, "holds 1099511627776 bytes; expected at most"),
    ],
)
def test_a_strangers_file_is_refused_before_it_is_read(tmp_path, make, words):
    make(tmp_path / "config.json")

    with pytest.raises(ValueError, match=f"config.json {words}"):
        read_json(tmp_path / "config.json")


def test_a_strangers_file_is_read_up_to_the_limit(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")

    assert read_regular_file(tmp_path / "file", 5) == b"12345"
    with pytest.raises(ValueError, match="holds 5 bytes; expected at most 4"):
        read_regular_file(tmp_path / "file", 4)


@pytest.mark.parametrize(
    "opening, closing", [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]"), (b"[", b"")]
)
def test_a_strangers_json_that_is_nested_deep_is_a_value_error(opening, closing):
    with pytest.raises(ValueError, match="config.json is damaged"):
        parse_json(opening * 100_000 + closing * 100_000, "config.json")


def test_a_strangers_quotes_do_not_hide_how_deep_json_is():
    deep = b"[" * 100 + b"]" * 100

    with pytest.raises(ValueError, match="nested more than 64 deep"):
        parse_json(b'{"a\\\\": ' + deep + b', "b": "\\""}', "config.json")


def test_brackets_within_strings_are_not_depth():
    content = {"name": "[" * 100, "quoted": '"[[' * 50, "back": "\\"}

    assert parse_json(json.dumps(content).encode(), "config.json") == content


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe\xff", b'"\xe9"', b"[1, 2"])
def test_a_strangers_bytes_that_are_no_json_are_named(data):
    with pytest.raises(ValueError, match="tokenizer.json is damaged .*; expected JSON"):
        parse_json(data, "tokenizer.json")


# ---- one writer


def test_one_writer_holds_a_folder_and_the_next_is_told_its_pid(tmp_path):
    with lock_folder(tmp_path):
        message = rf"another process \(pid {os.getpid()}\) is writing this run"
        with pytest.raises(ValueError, match=message), lock_folder(tmp_path):
            pytest.fail("two writers")

    with lock_folder(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_one_writer_that_failed_holds_nothing(tmp_path):
    with pytest.raises(KeyError), lock_folder(tmp_path):
        raise KeyError

    with lock_folder(tmp_path):
        pass


@pytest.mark.processes
def test_one_writer_that_was_killed_holds_nothing(tmp_path):
    code = (
        "import sys, time\n"
        "from tfseqgan.files import lock_folder\n"
        "with lock_folder(sys.argv[1]): print('locked', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(tfseqgan.__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "locked\n"
    with pytest.raises(ValueError, match=rf"pid {process.pid}\)"), lock_folder(tmp_path):
        pytest.fail("two writers")

    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    assert os.listdir(tmp_path) == [".lock"]
    with lock_folder(tmp_path):
        pass


def test_one_writer_may_lose_its_folder(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()

    with lock_folder(folder):
        os.unlink(folder / ".lock")
        folder.rmdir()

    assert not folder.exists()


def test_a_strangers_lock_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "mine").write_text("thesis")
    (tmp_path / ".lock").symlink_to("mine")

    with pytest.raises(OSError), lock_folder(tmp_path):
        pytest.fail("the link was followed")

    assert (tmp_path / "mine").read_text() == "thesis"
