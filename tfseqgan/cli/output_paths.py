"""What a command will write is checked before anything is computed."""

import os
from pathlib import Path

from tfseqgan import files


def check_folder_for_tunes(path: str, overwrite: bool) -> None:
    """Raises an error unless tunes can be written into a folder without replacing other files."""
    if os.path.exists(path) and not os.path.isdir(path):
        raise ValueError(
            f"{path} is a file; expected a folder for the tunes. Choose another --out."
        )
    if os.path.isdir(path) and os.listdir(path) and not overwrite:
        raise ValueError(
            f"{path} is not empty; expected a new or empty folder, so that no tune is lost. "
            "Pass --overwrite, or choose another --out."
        )
    files.check_can_be_written(Path(path) / "tune_1.mid")


def check_new_file(path: str, overwrite: bool, flag: str = "--out") -> None:
    """Raises an error unless figures can be written to a file without replacing others.

    A device or a pipe, such as /dev/null, holds no figures that could be lost.
    """
    if os.path.isdir(path):
        raise ValueError(f"{path} is a folder; expected a file for the figures. Name a file in it.")
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise ValueError(
            f"{path} lies in a folder that does not exist; expected one that does. Make the folder "
            f"first, or choose another {flag}."
        )
    if os.path.isfile(path) and not overwrite:
        raise ValueError(
            f"{path} exists; expected a new file, so that no figures are lost. "
            f"Pass --overwrite, or choose another {flag}."
        )
    if os.path.isfile(path) or not os.path.exists(path):
        files.check_can_be_written(path)
