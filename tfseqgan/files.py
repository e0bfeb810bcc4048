"""Files that are either written whole or left as they were."""

import json
import os
from pathlib import Path


def write_atomically(path, data):
    """Writes a file so that a full disk or a crash leaves either the old file or the new one, never a part.

    The bytes go to a temporary file in the same folder, which then takes the place of `path` in one step.

    Args:
        path: the file to write; its folder must exist.
        data: bytes.

    Raises:
        OSError: if the disk is full, the folder is missing or read-only; the file that was there before is untouched.

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
            os.fsync(file.fileno())  # a full disk may show only here
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        error.filename, error.filename2 = (
            str(path),
            None,
        )  # the user knows this name, not the temporary one
        raise


def write_json(path, content):
    """Writes plain values as a JSON file, whole or not at all; NaN, which JSON lacks, becomes null.

    Args:
        path: the file to write; its folder must exist.
        content: dicts, lists, strings, numbers, None.

    Raises:
        OSError: if the file cannot be written; the file that was there before is untouched.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "figures.json")
        >>> write_json(path, {"precision": float("nan")})
        >>> json.loads(path.read_text())
        {'precision': None}
    """
    plain = json.loads(json.dumps(content), parse_constant=lambda name: None)
    write_atomically(path, (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode())
