"""Loads a folder of MIDI files as a corpus."""

import logging
from collections.abc import Sequence
from pathlib import Path

from tfseqgan.datasets.corpus import Corpus, make_corpus
from tfseqgan.music.midi import read_midi_with_voices
from tfseqgan.music.score import Score
from tfseqgan.music.text import printable_path
from tfseqgan.music.voice_separation import LEFT_OUT, StreamVoice

_MAX_REASONS_IN_MESSAGE = 10

_MAC_FOLDER = "__MACOSX"
_MAC_COMPANION = "._"
"""What macOS puts beside a file on other systems, and in archives: its attributes, not music."""


_log = logging.getLogger("tfseqgan")


def find_midi_files(folder: Path) -> list[Path]:
    """Finds the MIDI files in a folder and its subfolders.

    Args:
        folder: the folder.

    Returns:
        The files that end in `.mid` or `.midi`, in upper or lower case, sorted by their path
        inside the folder, so that the order is the same on every file system. The companions of
        files that macOS writes (`._tune.mid`, `__MACOSX`) are left out.

    Raises:
        ValueError: if `folder` is not a folder.
    """
    if not folder.is_dir():
        raise ValueError(
            f"{printable_path(folder)} is not a folder: expected a folder that holds .mid or .midi "
            "files. Check the path."
        )
    files = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in (".mid", ".midi")
        and path.is_file()
        and not _is_mac_companion(path.relative_to(folder))
    ]

    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())


def _is_mac_companion(path: Path) -> bool:
    """Returns whether a file, named relative to its folder, holds attributes of another file."""
    return path.name.startswith(_MAC_COMPANION) or _MAC_FOLDER in path.parts


def _format_skipped(skipped: Sequence[tuple[str, str]]) -> str:
    """Returns the first skipped files and their reasons as one line."""
    parts = [f"{name} ({reason})" for name, reason in skipped[:_MAX_REASONS_IN_MESSAGE]]
    if len(skipped) > _MAX_REASONS_IN_MESSAGE:
        parts.append(f"and {len(skipped) - _MAX_REASONS_IN_MESSAGE} more")

    return "; ".join(parts)


def _log_left_out(name: str, streams: Sequence[StreamVoice]) -> None:
    """Logs which pitched notes of a file are not in its score, if there are any."""
    left_out = [stream for stream in streams if stream.voice == LEFT_OUT]
    if left_out:
        _log.warning(
            "%s: %d of its %d notes were left out, as percussion or sound effects: %s",
            name,
            sum(stream.num_notes for stream in left_out),
            sum(stream.num_notes for stream in streams),
            ", ".join(f"track {stream.track} {stream.name!r}" for stream in left_out),
        )


def read_or_refuse(path: Path) -> tuple[Score, list[StreamVoice]] | str:
    """Reads a MIDI file as `read_midi_with_voices` does, or returns why it cannot be read."""
    try:
        return read_midi_with_voices(path)
    except (ValueError, OSError) as error:
        return str(error)


def check_any(files: Sequence[Path], folder: Path) -> None:
    """Raises ValueError if there are no MIDI files in a folder."""
    if not files:
        raise ValueError(
            f"{printable_path(folder)} holds no MIDI files: expected files that end in .mid or "
            ".midi. Check the path."
        )


def read_files(files: Sequence[Path], folder: Path) -> tuple[list[Score], list[tuple[str, str]]]:
    """Reads MIDI files and skips those that cannot be read, with one logged warning.

    For each file of which pitched notes are left out, one warning names their tracks.

    Args:
        files: the MIDI files.
        folder: the folder that holds the files; skipped files are named relative to it.

    Returns:
        (scores, skipped): the scores in the order of the files, and (file, reason) for each file
        that could not be read. Names that are not text are escaped (`text.printable_path`).

    Raises:
        ValueError: if there are no files, or if more than half of them cannot be read.
    """
    check_any(files, folder)
    shown_folder = printable_path(folder)

    scores = []
    skipped = []
    for path in files:
        name = printable_path(path.relative_to(folder).as_posix())
        read = read_or_refuse(path)
        if isinstance(read, str):
            skipped.append((name, read))
            continue
        score, streams = read
        scores.append(score)
        _log_left_out(name, streams)

    if 2 * len(skipped) > len(files):
        raise ValueError(
            f"{len(skipped)} of the {len(files)} MIDI files in {shown_folder} cannot be read: "
            "expected at most half of them to be bad. Check that this is the right folder. "
            f"{_format_skipped(skipped)}"
        )
    if skipped:
        _log.warning(
            "%d of the %d MIDI files in %s were skipped: %s",
            len(skipped),
            len(files),
            shown_folder,
            _format_skipped(skipped),
        )

    return scores, skipped


def load_midi(folder: Path | str, validation_fraction: float = 0.1, seed: int = 0) -> Corpus:
    """Loads every MIDI file in a folder and its subfolders.

    Files that cannot be read are skipped. One logged warning counts them and names the first ten;
    `Corpus.skipped` lists all of them with the reasons. The companions of files that macOS writes
    (`._tune.mid`, `__MACOSX`) are not looked at. For each file of which pitched notes are left out,
    one warning names their tracks.

    Args:
        folder: a folder with files that end in `.mid` or `.midi`, in upper or lower case.
        validation_fraction: the share of the tunes to hold out, as in `split_by_group`.
        seed: the seed of the split.

    Returns:
        A `Corpus`, named after the folder.

    Raises:
        ValueError: if `folder` is not a folder, if it holds no MIDI files, or if more than half of
            them cannot be read.

    Example:
        >>> import tempfile
        >>> from tfseqgan.music.midi import write_midi
        >>> from tfseqgan.music.score import Note
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for number in range(2):
        ...         tune = Score((Note(0, 24, 60), Note(24, 24, 62 + number)))
        ...         write_midi(tune, Path(folder) / f"{number}.mid")
        ...     corpus = load_midi(folder, validation_fraction=0.5)
        >>> len(corpus.train), len(corpus.validation), corpus.skipped
        (1, 1, ())
    """
    folder = Path(folder)
    scores, skipped = read_files(find_midi_files(folder), folder)

    return make_corpus(
        scores, printable_path(folder.resolve().name), validation_fraction, seed, skipped
    )
