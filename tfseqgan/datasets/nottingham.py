"""Loads the Nottingham tunes from a folder, and downloads them from their public archive."""

import dataclasses
import io
import logging
import os
import shutil
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tfseqgan.datasets.corpus import Corpus, make_corpus
from tfseqgan.datasets.midi_folder import find_midi_files, read_files

NOTTINGHAM_URL = (
    "https://codeload.github.com/jukedeck/nottingham-dataset/zip/"
    "0992bb6cd864f6d4b90d6663e08c0ef53ffaa08f"
)
"""The public archive at the commit that this package was tested with: 1.8 MB, GPL-3.0."""


NUM_TUNES = 1034


_MAX_ARCHIVE_BYTES = 50_000_000


_RHYTHM_OF_BOOK = {
    "ashover": "ashover",
    "hpps": "hornpipe",
    "jigs": "jig",
    "morris": "morris",
    "playford": "playford",
    "reelsa-c": "reel",
    "reelsd-g": "reel",
    "reelsh-l": "reel",
    "reelsm-q": "reel",
    "reelsr-t": "reel",
    "reelsu-z": "reel",
    "slip": "slip jig",
    "waltzes": "waltz",
    "xmas": "xmas",
}


_EXTRACTED_VOICES = ("melody", "chords")


_log = logging.getLogger("tfseqgan")


def load_nottingham(folder: Path | str, validation_fraction: float = 0.1, seed: int = 0) -> Corpus:
    """Loads the Nottingham Music Database as MIDI: 1,034 British and American folk tunes.

    Each file is named after the book that the tune comes from, such as `jigs12.mid`. The book gives
    the rhythm of the tune: "jig", "reel", "hornpipe", "waltz" or "slip jig". Books that mix several
    rhythms keep the name of the book: "ashover", "morris", "playford" and "xmas".

    In the public archive the folder `MIDI` is read. Its subfolders `melody` and `chords` are left
    out, because they hold one voice each of the same tunes.

    Args:
        folder: the folder of the `.mid` files, or the folder of the archive, which holds `MIDI`.
        validation_fraction: the share of the tunes to hold out, as in `split_by_group`.
        seed: the seed of the split.

    Returns:
        A `Corpus`.

    Raises:
        ValueError: if `folder` is not a folder, if it holds no MIDI files, or if more than half of
            them cannot be read.

    Reference:
        https://github.com/jukedeck/nottingham-dataset
    """
    folder = Path(folder)
    if (folder / "MIDI").is_dir():
        folder = folder / "MIDI"

    files = [
        path
        for path in find_midi_files(folder)
        if path.relative_to(folder).parts[0] not in _EXTRACTED_VOICES
    ]
    scores, skipped = read_files(files, folder)

    tunes = []
    for score in scores:
        book = score.name.rstrip("0123456789")
        rhythm = _RHYTHM_OF_BOOK.get(book, score.rhythm)
        tunes.append(dataclasses.replace(score, rhythm=rhythm))

    return make_corpus(tunes, "nottingham", validation_fraction, seed, skipped)


def cache_folder() -> Path:
    """Returns the folder where downloads are kept.

    Returns:
        The folder that the environment variable `TFSEQGAN_CACHE` names; by default
        `.cache/tfseqgan` in the home folder of the user.
    """
    return Path(os.environ.get("TFSEQGAN_CACHE") or Path.home() / ".cache" / "tfseqgan")


def _fetch(url: str) -> bytes:
    """Returns the content of a URL, at most `_MAX_ARCHIVE_BYTES` of it."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return response.read(_MAX_ARCHIVE_BYTES)
    except OSError as error:  # includes URLError and timeouts
        raise OSError(
            f"{url} cannot be downloaded ({error}); expected the public archive. Download it in "
            "another way, and pass the folder of its tunes"
        ) from error


def _read_tunes(archive: bytes, url: str) -> Iterator[tuple[str, bytes]]:
    """Yields (file name, content) of each file `*/MIDI/*.mid` in a zip archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            for name in files.namelist():
                path = PurePosixPath(name)
                if len(path.parts) == 3 and path.parts[1] == "MIDI" and path.suffix == ".mid":
                    yield path.name, files.read(name)
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"{url} is not a zip archive ({error}); expected the archive of the Nottingham tunes. "
            "Download it in another way, and pass the folder of its tunes."
        ) from error


def download_nottingham(folder: Path | str, url: str = NOTTINGHAM_URL) -> Path:
    """Downloads the Nottingham Music Database as MIDI into a folder.

    The folder is written completely or not at all. A folder that already has the tunes is left as
    it is, without a download.

    Args:
        folder: the folder for the `.mid` files. It is created if it does not exist.
        url: the URL of the archive.

    Returns:
        The folder, for `load_nottingham`.

    Raises:
        OSError: if the archive cannot be downloaded or the folder cannot be written.
        ValueError: if the archive does not hold the 1,034 tunes, or if the folder holds other
            files.

    Reference:
        https://github.com/jukedeck/nottingham-dataset (GPL-3.0)
    """
    folder = Path(folder)
    if (folder / "ashover1.mid").is_file():
        return folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(
            f"{folder} holds other files; expected a new or empty folder for the tunes. Choose "
            "another folder."
        )

    _log.info("Downloading the Nottingham tunes (1.8 MB, GPL-3.0) from %s", url)
    tunes = dict(_read_tunes(_fetch(url), url))
    if len(tunes) != NUM_TUNES:
        raise ValueError(
            f"{url} holds {len(tunes)} tunes, expected {NUM_TUNES}. Download the archive in "
            "another way, and pass the folder of its tunes."
        )

    # Write to a temporary folder first, so that a crash leaves no half-filled one.
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        for name, content in tunes.items():
            (partial / name).write_bytes(content)
        if folder.exists():
            folder.rmdir()
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)

    return folder
