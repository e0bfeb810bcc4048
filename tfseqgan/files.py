"""Files that are written completely or not at all, read within limits, and locked while written."""

import contextlib
import errno
import fcntl
import json
import logging
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOCK_NAME = ".lock"
"""The file that the writer of a folder holds; it means nothing where no process holds it."""

_MOST_JSON_BYTES = 32 * 2**20
_DEEPEST_JSON = 64

_ALL_EXCEPT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_CURLY_TO_SQUARE = bytes.maketrans(b"{}", b"[]")

_NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""What flock reports on a file system that knows no locks."""

_log = logging.getLogger("tfseqgan")


def _is_special(path: Path) -> bool:
    """Returns whether a path leads to a device, a pipe or a socket."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:  # a new file, or a link to one
        return False

    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _replace(path: Path, data: bytes) -> None:
    """Writes a temporary file in the same folder, which then replaces `path` in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # some file systems report a full disk only here
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_atomically(path: Path | str, data: bytes) -> None:
    """Writes a file so that a crash or a full disk never leaves a part of it.

    The bytes go to a temporary file in the same folder, which then replaces `path` in one step.
    Whatever happens, `path` holds either the old content or the new one.

    Only regular files and new names are replaced. Of a link the target is written, and the link
    stays. A device or a pipe, such as /dev/null, is written straight into.

    Args:
        path: the file to write; its folder must exist.
        data: the new content.

    Raises:
        OSError: if the disk is full, or the folder is missing or read-only. A file that was there
            before is unchanged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_atomically(f"{folder}/note.txt", b"C")
        ...     os.listdir(folder)
        ['note.txt']
    """
    path = Path(path)
    try:
        if _is_special(path):
            path.write_bytes(data)
        else:
            _replace(Path(os.path.realpath(path)), data)
    except OSError as error:
        # The caller knows this name, not that of the temporary file.
        error.filename = str(path)
        error.filename2 = None
        raise


def to_json(content: Any) -> str:
    """Returns plain values as JSON in lines, where NaN and the infinities are null.

    Args:
        content: dicts, lists, strings, numbers, booleans and None, nested as needed.

    Example:
        >>> to_json([2.5, float("nan")])
        '[\\n 2.5,\\n null\\n]\\n'
    """
    with_null = json.loads(json.dumps(content), parse_constant=lambda name: None)

    return f"{json.dumps(with_null, indent=1, ensure_ascii=False)}\n"


def write_json(path: Path | str, content: Any) -> None:
    """Writes plain values as a JSON file, completely or not at all.

    NaN and the infinities, which JSON cannot express, become null. A file name that is not UTF-8
    is written with JSON's escapes, so that `read_json` gives the same name back.

    Args:
        path: the file to write; its folder must exist.
        content: dicts, lists, strings, numbers, booleans and None, nested as needed.

    Raises:
        OSError: if the file cannot be written. A file that was there before is unchanged.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "figures.json")
        >>> write_json(path, {"precision": float("nan")})
        >>> json.loads(path.read_text())
        {'precision': None}
    """
    # What UTF-8 cannot express are lone surrogates, whose escape "\udce9" is JSON's too.
    write_atomically(path, to_json(content).encode("utf-8", "backslashreplace"))


def check_can_be_written(path: Path | str) -> None:
    """Checks that a file or folder can be written at a path, and changes nothing there.

    For a command to call before it computes what it will write.

    Args:
        path: of the file or folder, whose parent folders need not exist yet.

    Raises:
        OSError: if a folder on the way is a file, or may not be written to.

    Example:
        >>> import tempfile
        >>> check_can_be_written(Path(tempfile.mkdtemp(), "new", "folder"))
    """
    folder = Path(os.path.realpath(path)).parent
    while not os.path.lexists(folder):
        folder = folder.parent

    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def read_regular_file(path: Path | str, max_bytes: int) -> bytes:
    """Reads a file whose kind and size are looked at before it is opened.

    A link to /dev/zero, a pipe that nobody writes to and a file of a terabyte are refused at once.

    Args:
        path: the file.
        max_bytes: the most that it may hold.

    Raises:
        ValueError: naming the file, if it is no regular file or too large.
        OSError: if it is missing or cannot be read.

    Example:
        >>> read_regular_file("/dev/zero", 100)
        Traceback (most recent call last):
        ValueError: /dev/zero is not a regular file; expected one of at most 100 bytes. ...
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(
            f"{path} is not a regular file; expected one of at most {max_bytes} bytes. Check the "
            "path."
        )

    with open(path, "rb") as file:
        data = b"" if status.st_size > max_bytes else file.read(max_bytes + 1)
    if max(status.st_size, len(data)) > max_bytes:
        raise ValueError(
            f"{path} holds {max(status.st_size, len(data))} bytes; expected at most {max_bytes}. "
            "Check the path."
        )

    return data


def _is_too_deep(data: bytes) -> bool:
    """Returns whether JSON is nested too deep to be read; False where it is no JSON."""
    without_escapes = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    without_strings = b"".join(without_escapes.split(b'"')[::2])
    brackets = without_strings.translate(_CURLY_TO_SQUARE, _ALL_EXCEPT_BRACKETS)

    # Each pass removes the innermost level, and stops where brackets do not match.
    for _ in range(_DEEPEST_JSON):
        outer = brackets.replace(b"[]", b"")
        if outer == brackets:
            return False
        brackets = outer

    return bool(brackets)


def parse_json(data: bytes, source: Path | str) -> Any:
    """Reads JSON whose depth is looked at before it is parsed.

    Args:
        data: the bytes.
        source: the name of the file, for the message.

    Raises:
        ValueError: naming the file, if the bytes are no JSON or nested too deep.

    Example:
        >>> parse_json(b"[" * 100 + b"]" * 100, "deep.json")
        Traceback (most recent call last):
        ValueError: deep.json is damaged (nested more than 64 deep); expected JSON.
    """
    try:
        if _is_too_deep(data):
            raise ValueError(f"nested more than {_DEEPEST_JSON} deep")
        return json.loads(data)
    except (ValueError, RecursionError) as error:  # ValueError: not JSON, or not UTF-8
        raise ValueError(f"{source} is damaged ({error}); expected JSON.") from error


def read_json(path: Path | str, max_bytes: int = _MOST_JSON_BYTES) -> Any:
    """Reads a JSON file: the one reader of every small file that may come from a stranger.

    Args:
        path: the file.
        max_bytes: the most that it may hold.

    Raises:
        ValueError: naming the file, if it is no regular file, too large, no JSON, or nested too
            deep.
        OSError: if it is missing or cannot be read.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "figures.json")
        >>> write_json(path, {"nll": 2.5})
        >>> read_json(path)
        {'nll': 2.5}
    """
    return parse_json(read_regular_file(path, max_bytes), path)


def _is_open_file(descriptor: int, path: Path) -> bool:
    """Returns whether a path still names the file that a descriptor has open."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _who_holds(descriptor: int) -> str:
    """Returns the process that has written itself into a lock file, such as "pid 7"."""
    pid, _, host = os.pread(descriptor, 300, 0).decode(errors="replace").partition(" ")
    elsewhere = f" on {host}" if host and host != socket.gethostname() else ""

    return f"pid {pid or 'unknown'}{elsewhere}"


def _lock(path: Path) -> int:
    """Opens and locks a file, which is made if need be; returns its descriptor."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _who_holds(descriptor)
            os.close(descriptor)
            raise ValueError(
                f"{path.parent}: another process ({holder}) is writing this run; expected one "
                "writer at a time. Wait until it has ended, stop it, or choose another folder."
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS_HERE:
                os.close(descriptor)
                raise
            _log.warning(
                "%s cannot be locked here (%s): see to it that no other process writes to it.",
                path.parent,
                error.strerror,
            )

        # The process that held the lock before may have removed the file after it was opened here.
        if _is_open_file(descriptor, path):
            return descriptor
        os.close(descriptor)


@contextlib.contextmanager
def lock_folder(folder: Path | str) -> Iterator[None]:
    """Makes this process the only writer of a folder, for as long as the context lasts.

    The lock is the operating system's (`flock`), so that a process that is killed holds it no
    longer: the file that it leaves behind locks nobody out. Readers need no lock.

    Args:
        folder: it must exist.

    Raises:
        ValueError: naming the other process, if one holds the lock.
        OSError: if the folder cannot be written to.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> with lock_folder(folder), lock_folder(folder):
        ...     pass
        Traceback (most recent call last):
        ValueError: ... another process (pid ...) is writing this run; ...
        >>> os.listdir(folder)
        []
    """
    path = Path(folder) / LOCK_NAME
    descriptor = _lock(path)
    try:
        with contextlib.suppress(OSError):  # a full disk: the lock holds without a name on it
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {socket.gethostname()}".encode(), 0)
        yield
    finally:
        if _is_open_file(descriptor, path):
            path.unlink()
        os.close(descriptor)
