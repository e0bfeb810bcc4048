"""Loads the Nottingham tunes from a folder, and downloads them from their public archive."""

import contextlib
import dataclasses
import hashlib
import http.client
import io
import logging
import os
import queue
import shutil
import struct
import threading
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Generator, Mapping
from pathlib import Path, PurePosixPath

from tfseqgan.datasets.corpus import Corpus, make_corpus
from tfseqgan.datasets.tune_folder import find_tune_files, read_files

NOTTINGHAM_URL = (
    "https://codeload.github.com/jukedeck/nottingham-dataset/zip/"
    "0992bb6cd864f6d4b90d6663e08c0ef53ffaa08f"
)
"""The public archive at the commit that this package was tested with: 1.8 MB, GPL-3.0."""


NUM_TUNES = 1034


TUNES_SHA256 = "367d720d99626ffdd5b4f09fc45083d5e3bbd6ad259cdc7597b44687569aa8e5"
"""`hash_tunes` of the 1,034 files at that commit."""


_MAX_ARCHIVE_BYTES = 50_000_000


_MAX_TUNE_BYTES = 100_000  # the largest has 34,152


_MAX_SECONDS = 600


_SECONDS_PER_REPORT = 5


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


class DownloadError(OSError, ValueError):
    """The archive cannot be downloaded, or it does not hold the Nottingham tunes."""


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
        for path in find_tune_files(folder)
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


def hash_tunes(tunes: Mapping[str, bytes]) -> str:
    """Computes one hash of many files, as `sha256sum *.mid | sha256sum` does.

    Args:
        tunes: the content of each file by its name.

    Returns:
        64 hexadecimal digits; neither the order of the files nor that of an archive matters.

    Example:
        >>> hash_tunes({"b.mid": b"1", "a.mid": b"2"}) == hash_tunes({"a.mid": b"2", "b.mid": b"1"})
        True
    """
    lines = [
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(tunes.items())
    ]

    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _holds_the_tunes(folder: Path) -> bool:
    """Returns whether a folder holds all tunes unchanged; files of other types do not matter."""
    files = list(folder.glob("*.mid"))
    if len(files) != NUM_TUNES or any(path.stat().st_size > _MAX_TUNE_BYTES for path in files):
        return False

    return hash_tunes({path.name: path.read_bytes() for path in files}) == TUNES_SHA256


def _receive(url: str, parts: queue.SimpleQueue, is_over: threading.Event) -> None:
    """Puts the content of a URL into a queue as it arrives, then b"", or what went wrong."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            while not is_over.is_set():
                part = response.read1(65536)
                parts.put(part)
                if not part:
                    return
    except Exception as error:  # the other thread tells the user, whatever it is
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is the server's answer, too
        parts.put(error)


def _received_parts(url: str) -> Generator[bytes, None, None]:
    """Yields the content of a URL as it arrives, within a time limit for the whole.

    Another thread receives it: a server that sends a byte now and then, in the head of its answer
    too, would escape the time limits of single steps, which are all that sockets have.

    Raises:
        TimeoutError: if it is not there in time.
        OSError, http.client.HTTPException, ValueError: whatever stopped the transfer.
    """
    parts: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()
    is_over = threading.Event()
    threading.Thread(target=_receive, args=(url, parts, is_over), daemon=True).start()
    deadline = time.monotonic() + _MAX_SECONDS

    try:
        while True:
            part = parts.get(timeout=max(deadline - time.monotonic(), 0))
            if isinstance(part, Exception):
                raise part
            if not part:
                return
            yield part
    except queue.Empty:
        raise TimeoutError(f"it is not complete after {_MAX_SECONDS} seconds") from None
    finally:
        is_over.set()


def _fetch(url: str) -> bytes:
    """Returns the content of a URL, at most `_MAX_ARCHIVE_BYTES` of it, and reports progress."""
    content = bytearray()
    next_report = time.monotonic() + _SECONDS_PER_REPORT
    try:
        with contextlib.closing(_received_parts(url)) as parts:
            for part in parts:
                content += part
                if len(content) > _MAX_ARCHIVE_BYTES:
                    raise ValueError(f"it is larger than {_MAX_ARCHIVE_BYTES:,} bytes")
                if time.monotonic() > next_report:
                    _log.info("%s bytes so far", f"{len(content):,}")
                    next_report = time.monotonic() + _SECONDS_PER_REPORT
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise DownloadError(
            f"{url} cannot be downloaded ({reason}); expected the public archive. Download it in "
            "another way, and pass the folder of its tunes."
        ) from error

    return bytes(content)


def _find_tunes(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Returns the members `*/MIDI/*.mid` of an archive, after a look at what it says of them.

    A member gives no more bytes than it says, so that a small archive cannot fill the memory.
    """
    members = []
    for member in archive.infolist():
        path = PurePosixPath(member.filename)
        if len(path.parts) != 3 or path.parts[1] != "MIDI" or path.suffix != ".mid":
            continue
        if member.file_size > _MAX_TUNE_BYTES:
            raise ValueError(f"{member.filename} has {member.file_size:,} bytes")
        if member.flag_bits & 1:
            raise ValueError(f"{member.filename} is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{member.filename} is compressed in an unusual way")
        members.append(member)

    if len(members) != NUM_TUNES:
        raise ValueError(f"it holds {len(members)} tunes, expected {NUM_TUNES}")

    return members


def _read_tunes(content: bytes, url: str) -> dict[str, bytes]:
    """Returns the tunes of a zip archive by their file names; refuses anything else."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            tunes = {
                PurePosixPath(member.filename).name: archive.read(member)
                for member in _find_tunes(archive)
            }
    except zipfile.BadZipFile as error:
        raise DownloadError(
            f"{url} is not a zip archive ({error}); expected the archive of the Nottingham tunes. "
            "Download it in another way, and pass the folder of its tunes."
        ) from error
    except (EOFError, OSError, RuntimeError, ValueError, struct.error, zlib.error) as error:
        raise DownloadError(
            f"{url} does not hold the Nottingham tunes ({error}). Download the archive in another "
            "way, and pass the folder of its tunes."
        ) from error

    if hash_tunes(tunes) != TUNES_SHA256:
        raise DownloadError(
            f"{url} holds other tunes than the Nottingham Music Database (their hash is "
            f"{hash_tunes(tunes)}, expected {TUNES_SHA256}). Download the archive in another way, "
            "and pass the folder of its tunes."
        )

    return tunes


def _check_target(folder: Path) -> None:
    """Raises ValueError unless a folder is new or empty, and not the one that one stands in."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(
            f"{folder} holds other files; expected a new or empty folder for the tunes, or one "
            "with all of them. Choose another folder."
        )
    if folder == Path.cwd():
        raise ValueError(
            f"{folder} is the current folder, which cannot be replaced; expected a new or empty "
            "one. Choose another folder, such as nottingham."
        )


def download_nottingham(folder: Path | str, url: str = NOTTINGHAM_URL) -> Path:
    """Downloads the Nottingham Music Database as MIDI into a folder.

    The folder is written completely or not at all, and the files are compared with the hash of the
    published ones. A folder that already has the tunes is left as it is, without a download. A
    download may take ten minutes.

    Args:
        folder: the folder for the `.mid` files. It is created if it does not exist; of a link, the
            folder that it leads to.
        url: the URL of the archive.

    Returns:
        The folder, for `load_nottingham`.

    Raises:
        DownloadError: if the archive cannot be downloaded, or does not hold the 1,034 tunes. It is
            an `OSError` and a `ValueError`.
        ValueError: if the folder holds other files.
        OSError: if the folder cannot be written.

    Reference:
        https://github.com/jukedeck/nottingham-dataset (GPL-3.0)
    """
    folder = Path(folder)
    target = Path(os.path.realpath(folder))
    if target.is_dir() and _holds_the_tunes(target):
        return folder
    _check_target(target)

    # Write to a temporary folder first, so that a crash leaves no half-filled one. It is made
    # before the download: whoever cannot write here hears so at once.
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    missing = [parent for parent in target.parents if not parent.exists()]  # the nearest first
    partial.mkdir(parents=True)
    try:
        _log.info("Downloading the Nottingham tunes (1.8 MB, GPL-3.0) from %s", url)
        for name, content in _read_tunes(_fetch(url), url).items():
            (partial / name).write_bytes(content)
        if target.exists():
            target.rmdir()
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        for parent in missing:
            with contextlib.suppress(OSError):  # it holds the tunes
                parent.rmdir()

    return folder
