"""A folder of MIDI files as a corpus."""

import contextlib
import gc
import logging
from pathlib import Path

from tfseqgan.datasets.corpus import make_corpus
from tfseqgan.datasets.reading import read_all
from tfseqgan.music.score import Score

_log = logging.getLogger("tfseqgan")


def find_midi_files(folder):
    """Returns the MIDI files of a folder and its sub-folders, in the same order on every file system."""
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is not a folder: expected a folder that holds .mid or .midi files. Check the path."
        )
    return sorted(
        (
            path
            for path in folder.rglob("*")
            if path.suffix.lower() in (".mid", ".midi") and path.is_file()
        ),
        key=lambda path: path.relative_to(folder).as_posix(),
    )


def _list_reasons(skipped, most=10):
    """Returns the first few skipped files and reasons as one line."""
    more = [f"and {len(skipped) - most} more"] if len(skipped) > most else []
    return "; ".join([f"{name} ({reason})" for name, reason in skipped[:most]] + more)


@contextlib.contextmanager
def without_collector():
    """Turns Python's garbage collector off: it would look through all scores read so far again and again, of which none is garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def read_files(files, folder):
    """Returns the scores of files, and (file, reason) of those that cannot be read; raises ValueError if those are more than half."""
    if not files:
        raise ValueError(
            f"{folder} holds no MIDI files: expected files that end in .mid or .midi. Check the path."
        )
    read = read_all(files)
    scores = [found for found in read if isinstance(found, Score)]
    skipped = [
        (path.relative_to(folder).as_posix(), found)
        for path, found in zip(files, read)
        if isinstance(found, str)
    ]
    if 2 * len(skipped) > len(files):
        raise ValueError(
            f"{len(skipped)} of the {len(files)} MIDI files in {folder} cannot be read: expected at most half to be bad. Is it the right "
            f"folder? {_list_reasons(skipped)}"
        )
    if skipped:
        _log.warning(
            "%d of the %d MIDI files in %s were skipped: %s",
            len(skipped),
            len(files),
            folder,
            _list_reasons(skipped),
        )
    return scores, skipped


@without_collector()
def load_midi(folder, validation_fraction=0.1, seed=0):
    """Loads every MIDI file of a folder and its sub-folders.

    Bad files are skipped, with one logged warning that counts and names them; `Corpus.skipped` has them all with reasons.

    Args:
        folder: a folder with `.mid` or `.midi` files, in either case.
        validation_fraction: the share of tunes to hold out (`split_by_group`).
        seed: of the split.

    Returns:
        A `Corpus`.

    Raises:
        ValueError: if `folder` is no folder, holds no MIDI files, or more than half of them are bad.
    """
    folder = Path(folder)
    scores, skipped = read_files(find_midi_files(folder), folder)
    return make_corpus(scores, folder.resolve().name, validation_fraction, seed, skipped)
