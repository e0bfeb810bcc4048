"""The manifest of a folder: the hash of each of its files, by name.

`manifest.json` says what was written into a folder of models, so that a file that was damaged,
exchanged or edited is noticed before it is used. It does not say who wrote it: whoever can change a
file can change the manifest (SECURITY.md).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from tfseqgan.files import read_json, write_atomically

MANIFEST = "manifest.json"

_SHA256 = re.compile("[0-9a-f]{64}")


def sha256_of_file(path: Path) -> str:
    """Returns the hash of a file as `sha256sum` prints it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(folder: Path, *names: str) -> dict[str, str]:
    """Returns the hash of some files of a folder, by name."""
    return {name: sha256_of_file(folder / name) for name in names}


def _is_name_within_folder(name: str) -> bool:
    """Returns whether a name is that of a file in the folder itself, and leads nowhere else."""
    return name not in ("", ".", "..") and not set(name) & set("/\\\0")


def read_manifest(folder: Path) -> dict[str, str]:
    """Returns the hashes in a folder's manifest, by the name of the file.

    Raises:
        ValueError: naming the manifest, if it is damaged, or names a file outside the folder.
        OSError: if there is none.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_manifest(folder, {"../secret": "0" * 64})
        >>> read_manifest(folder)
        Traceback (most recent call last):
        ValueError: .../manifest.json names '../secret'; expected files of its own folder. ...
    """
    path = folder / MANIFEST
    hashes = read_json(path)
    if not isinstance(hashes, dict):
        raise ValueError(f"{path} holds {type(hashes).__name__}; expected names and hashes.")

    for name, value in hashes.items():
        if not _is_name_within_folder(name):
            raise ValueError(
                f"{path} names {name!r}; expected files of its own folder. Do not use a folder "
                "that you do not trust."
            )
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            raise ValueError(f"{path} holds {value!r} for {name}; expected 64 hexadecimal digits.")

    return hashes


def write_manifest(folder: Path, hashes: Mapping[str, str]) -> None:
    """Writes a folder's manifest, completely or not at all."""
    write_atomically(folder / MANIFEST, f"{json.dumps(dict(hashes), indent=1)}\n".encode())


def is_as_listed(folder: Path, name: str, hashes: Mapping[str, str]) -> bool:
    """Returns whether a file is there and, where the manifest lists it, has the hash it had.

    Args:
        folder: the folder.
        name: of the file.
        hashes: by `read_manifest`. A manifest of an older version may lack the name; there is
            nothing to compare with then.
    """
    path = folder / name
    if not path.is_file():
        return False

    return name not in hashes or sha256_of_file(path) == hashes[name]
