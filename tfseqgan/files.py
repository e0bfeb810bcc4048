"""Files that are written completely or not at all."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any


def write_atomically(path: Path | str, data: bytes) -> None:
    """Writes a file so that a crash or a full disk never leaves a part of it.

    The bytes go to a temporary file in the same folder, which then replaces `path` in one step.
    Whatever happens, `path` holds either the old content or the new one.

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
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")

    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # some file systems report a full disk only here
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()

        # The caller knows this name, not that of the temporary file.
        error.filename = str(path)
        error.filename2 = None
        raise


def write_json(path: Path | str, content: Any) -> None:
    """Writes plain values as a JSON file, completely or not at all.

    NaN and the infinities, which JSON cannot express, become null.

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
    with_null = json.loads(json.dumps(content), parse_constant=lambda name: None)
    text = json.dumps(with_null, indent=1, ensure_ascii=False)

    write_atomically(path, f"{text}\n".encode())
