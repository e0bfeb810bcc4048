"""The Nottingham tunes: from a folder, and from their public archive."""

import dataclasses
import io
import logging
import os
import shutil
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath

from tfseqgan.datasets.corpus import make_corpus
from tfseqgan.datasets.midi_folder import find_midi_files, read_files, without_collector

_BOOK_RHYTHMS = {
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


@without_collector()
def load_nottingham(folder, validation_fraction=0.1, seed=0):
    """Loads the Nottingham Music Database as MIDI: 1,034 British and American folk tunes.

    The book that a file is named after gives the rhythm: "jig", "reel", "hornpipe", "waltz", "slip jig", and for the mixed books their own
    names. Of the public archive the `MIDI` folder is read without the `melody` and `chords` sub-folders, which hold the same tunes again.

    Args:
        folder: the folder of the `.mid` files, or the archive's folder that holds `MIDI`.
        validation_fraction: the share of tunes to hold out (`split_by_group`).
        seed: of the split.

    Returns:
        A `Corpus`.

    Raises:
        ValueError: if `folder` is no folder, holds no MIDI files, or more than half of them are bad.

    Reference:
        https://github.com/jukedeck/nottingham-dataset
    """
    folder = Path(folder)
    folder = folder / "MIDI" if (folder / "MIDI").is_dir() else folder
    files = [
        path
        for path in find_midi_files(folder)
        if path.relative_to(folder).parts[0] not in _EXTRACTED_VOICES
    ]
    scores, skipped = read_files(files, folder)
    books = [score.name.rstrip("0123456789") for score in scores]
    scores = [
        dataclasses.replace(score, rhythm=_BOOK_RHYTHMS.get(book, score.rhythm))
        for book, score in zip(books, scores)
    ]
    return make_corpus(scores, "nottingham", validation_fraction, seed, skipped)


NOTTINGHAM_URL = "https://codeload.github.com/jukedeck/nottingham-dataset/zip/0992bb6cd864f6d4b90d6663e08c0ef53ffaa08f"
"""The public archive at the commit that the package was tested with, 1.8 MB, GPL-3.0."""


NUM_TUNES = 1034


_LARGEST_BYTES = 50_000_000


_log = logging.getLogger("tfseqgan")


def cache_folder():
    """Returns where downloads are kept: the folder that TFSEQGAN_CACHE names, else `.cache/tfseqgan` in the user's own."""
    return Path(os.environ.get("TFSEQGAN_CACHE") or Path.home() / ".cache" / "tfseqgan")


def _fetch(url):
    """Returns what lies at a URL, at most `_LARGEST_BYTES` of it."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.read(_LARGEST_BYTES)
    except OSError as error:  # URLError and time-outs are OSErrors
        raise OSError(
            f"{url} cannot be fetched ({error}); expected the public archive. Fetch it by another way, and pass the folder of its tunes"
        ) from error


def _tunes(archive, url):
    """Yields (file name, content) of the tunes in an archive: `MIDI/*.mid` of its one folder, none of the sub-folders that hold them again."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            for name in files.namelist():
                path = PurePosixPath(name)
                if len(path.parts) == 3 and path.parts[1] == "MIDI" and path.suffix == ".mid":
                    yield path.name, files.read(name)
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"{url} is no zip archive ({error}); expected that of the Nottingham tunes. Fetch it by another way."
        ) from error


def download_nottingham(folder, url=NOTTINGHAM_URL):
    """Fetches the Nottingham Music Database as MIDI into a folder, whole or not at all; one that has the tunes is left as it is.

    Args:
        folder: where the `.mid` files go; made where it does not exist.
        url: of the archive.

    Returns:
        The folder, a `Path` for `load_nottingham`.

    Raises:
        OSError: if the archive cannot be fetched or the folder not be written.
        ValueError: if it is not the archive of the 1,034 tunes, or the folder holds something else.

    Reference:
        https://github.com/jukedeck/nottingham-dataset (GPL-3.0).
    """
    folder = Path(folder)
    if (folder / "ashover1.mid").is_file():
        return folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(
            f"{folder} holds something else; expected a new or empty folder for the tunes. Choose another one."
        )
    _log.info("Fetching the Nottingham tunes (1.8 MB, GPL-3.0) from %s", url)
    tunes = dict(_tunes(_fetch(url), url))
    if len(tunes) != NUM_TUNES:
        raise ValueError(
            f"{url} holds {len(tunes)} tunes, expected {NUM_TUNES}. Fetch the archive by another way, and pass the folder of its tunes."
        )
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
