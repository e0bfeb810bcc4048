"""Loads a folder of MIDI and ABC files as a corpus."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tfseqgan.datasets.corpus import Corpus, make_corpus
from tfseqgan.music.abc_reader import count_abc, read_each_abc
from tfseqgan.music.midi import read_midi_with_voices
from tfseqgan.music.score import Score
from tfseqgan.music.text import printable_path
from tfseqgan.music.voice_separation import LEFT_OUT, StreamVoice

_MAX_REASONS_IN_MESSAGE = 10

_ABC_SUFFIX = ".abc"

_MAC_FOLDER = "__MACOSX"
_MAC_COMPANION = "._"
"""What macOS puts beside a file on other systems, and in archives: its attributes, not music."""


_log = logging.getLogger("tfseqgan")


def find_tune_files(folder: Path) -> list[Path]:
    """Finds the MIDI and ABC files in a folder and its subfolders.

    Args:
        folder: the folder.

    Returns:
        The files that end in `.mid`, `.midi` or `.abc`, in upper or lower case, sorted by their
        path inside the folder, so that the order is the same on every file system. The companions
        of files that macOS writes (`._tune.mid`, `__MACOSX`) are left out.

    Raises:
        ValueError: if `folder` is not a folder.
    """
    if not folder.is_dir():
        raise ValueError(
            f"{printable_path(folder)} is not a folder: expected a folder that holds .mid, "
            ".midi or .abc files. Check the path."
        )
    files = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in (".mid", ".midi", _ABC_SUFFIX)
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


class ReadTune(NamedTuple):
    """A tune of a folder.

    Args:
        file: the file, relative to the folder; for a tune of an ABC file also its number, as in
            "book.abc X:7".
        score: the tune.
        streams: what became of each stream of a MIDI file; none of ABC.
    """

    file: str
    score: Score
    streams: tuple[StreamVoice, ...] = ()


class ReadFile(NamedTuple):
    """What a file holds: the tunes that can be read, and (tune, reason) of those that cannot."""

    tunes: list[ReadTune]
    skipped: list[tuple[str, str]]


def _read_abc_file(path: Path, name: str) -> ReadFile:
    """Reads every tune of an ABC file that can be read."""
    read = ReadFile([], [])
    for number, tune in read_each_abc(path):
        tune_name = f"{name} X:{number}"
        if isinstance(tune, Score):
            read.tunes.append(ReadTune(tune_name, tune))
        else:
            read.skipped.append((tune_name, str(tune)))

    return read


def read_file(path: Path, folder: Path) -> ReadFile:
    """Reads the tunes of a MIDI or ABC file in a folder, and says why others cannot be read."""
    name = printable_path(path.relative_to(folder).as_posix())
    try:
        if path.suffix.lower() == _ABC_SUFFIX:
            return _read_abc_file(path, name)
        score, streams = read_midi_with_voices(path)
    except (ValueError, OSError) as error:
        return ReadFile([], [(name, str(error))])

    return ReadFile([ReadTune(name, score, tuple(streams))], [])


def count_tunes(folder: Path) -> int:
    """Counts the tunes of a folder without reading their notes: one a MIDI file, several in ABC.

    A file that cannot be opened, which the loader skips, counts as one tune.

    Raises:
        ValueError: if `folder` is not a folder.
    """
    return sum(map(_count_tunes_of_file, find_tune_files(folder)))


def _count_tunes_of_file(path: Path) -> int:
    """Returns how many tunes a MIDI or ABC file holds."""
    if path.suffix.lower() != _ABC_SUFFIX:
        return 1

    try:
        return count_abc(path)
    except (ValueError, OSError):
        return 1


def check_any(files: Sequence[Path], folder: Path) -> None:
    """Raises ValueError if there are no files of tunes in a folder."""
    if not files:
        raise ValueError(
            f"{printable_path(folder)} holds no MIDI or ABC files: expected files that end in "
            ".mid, .midi or .abc. Check the path."
        )


def read_files(files: Sequence[Path], folder: Path) -> tuple[list[Score], list[tuple[str, str]]]:
    """Reads MIDI and ABC files and skips tunes that cannot be read, with one logged warning.

    For each file of which pitched notes are left out, one warning names their tracks.

    Args:
        files: the files.
        folder: the folder that holds the files; skipped tunes are named relative to it.

    Returns:
        (scores, skipped): the scores in the order of the files, and (file, reason) for each tune
        that could not be read. Names that are not text are escaped (`text.printable_path`).

    Raises:
        ValueError: if there are no files, or if more than half of the tunes cannot be read.
    """
    check_any(files, folder)
    shown_folder = printable_path(folder)

    scores = []
    skipped = []
    for path in files:
        read = read_file(path, folder)
        skipped += read.skipped
        for tune in read.tunes:
            scores.append(tune.score)
            _log_left_out(tune.file, tune.streams)

    num_tunes = len(scores) + len(skipped)
    if 2 * len(skipped) > num_tunes:
        raise ValueError(
            f"{len(skipped)} of the {num_tunes} tunes in {shown_folder} cannot be read: "
            "expected at most half of them to be bad. Check that this is the right folder. "
            f"{_format_skipped(skipped)}"
        )
    if skipped:
        _log.warning(
            "%d of the %d tunes in %s were skipped: %s",
            len(skipped),
            num_tunes,
            shown_folder,
            _format_skipped(skipped),
        )

    return scores, skipped


def load_folder(folder: Path | str, validation_fraction: float = 0.1, seed: int = 0) -> Corpus:
    """Loads every MIDI file, and every tune of every ABC file, in a folder and its subfolders.

    Tunes that cannot be read are skipped. One logged warning counts them and names the first ten;
    `Corpus.skipped` lists all of them with the reasons. The companions of files that macOS writes
    (`._tune.mid`, `__MACOSX`) are not looked at. For each file of which pitched notes are left out,
    one warning names their tracks.

    Args:
        folder: a folder with files that end in `.mid`, `.midi` or `.abc`, in upper or lower case.
        validation_fraction: the share of the tunes to hold out, as in `split_by_group`.
        seed: the seed of the split.

    Returns:
        A `Corpus`, named after the folder.

    Raises:
        ValueError: if `folder` is not a folder, if it holds no such files, or if more than half of
            the tunes cannot be read.

    Example:
        >>> import tempfile
        >>> from tfseqgan.music.midi import write_midi
        >>> from tfseqgan.music.score import Note
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for number in range(2):
        ...         tune = Score((Note(0, 24, 60), Note(24, 24, 62 + number)))
        ...         write_midi(tune, Path(folder) / f"{number}.mid")
        ...     corpus = load_folder(folder, validation_fraction=0.5)
        >>> len(corpus.train), len(corpus.validation), corpus.skipped
        (1, 1, ())
    """
    folder = Path(folder)
    scores, skipped = read_files(find_tune_files(folder), folder)

    return make_corpus(
        scores, printable_path(folder.resolve().name), validation_fraction, seed, skipped
    )
