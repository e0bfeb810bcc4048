"""Many MIDI files read side by side, by as many Python processes as there are processor cores."""

import contextlib
import gc
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

from tfseqgan.music.midi import read_midi
from tfseqgan.music.score import Chord, Note, Score

_FILES_FOR_ONE = 100
"""Files that are worth a process: it starts in the time in which 25 are read."""


_MOST = 8
"""Processes at the most: a container may show more cores than it gives."""


_HELPER = """import sys
sys.path[:] = sys.stdin.buffer.readline().strip().decode("unicode_escape").split(chr(0))  # before anything is imported: where it runs there may be a json.py
from tfseqgan.datasets.reading import answer
answer()"""


_log = logging.getLogger("tfseqgan")


def _to_plain(score):
    """Returns a score as lists, numbers and texts."""
    melody = [(note.start_ticks, note.duration_ticks, note.pitch) for note in score.melody]
    chords = [(chord.start_ticks, chord.duration_ticks, chord.pitches) for chord in score.chords]
    return [
        melody,
        chords,
        score.key,
        score.time_signature,
        score.tempo_bpm,
        score.name,
        score.rhythm,
    ]


def _from_plain(plain):
    """Returns the score of `_to_plain`, or a reason as it is."""
    if isinstance(plain, str):
        return plain
    melody, chords, key, time_signature, tempo_bpm, name, rhythm = plain
    return Score(
        tuple(Note(*note) for note in melody),
        tuple(Chord(*chord) for chord in chords),
        key,
        tuple(time_signature),
        tempo_bpm,
        name,
        rhythm,
    )


def _read(path):
    try:
        return read_midi(path)
    except (ValueError, OSError) as error:
        return str(error)


def answer():
    """Reads the files that standard input names, as JSON, and writes what `read_all` returns for them to standard output; the work of a helper."""
    gc.disable()  # scores are not garbage, and are looked through again and again
    read = [_read(Path(path)) for path in json.loads(sys.stdin.readline())]
    sys.stdout.write(
        json.dumps([found if isinstance(found, str) else _to_plain(found) for found in read])
    )


def _processes(count):
    """Returns how many processes a number of files is worth here; one where the program that runs is not Python itself and could not be started again."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    is_python = Path(sys.executable or "").stem.lower().startswith(("python", "pypy"))
    return max(1, min(cores, _MOST, count // _FILES_FOR_ONE)) if is_python else 1


def _start(paths):
    """Starts a helper that reads files; returns None where the system has none to give."""
    try:
        helper = subprocess.Popen(
            [sys.executable, "-c", _HELPER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
    except OSError:
        return None
    with (
        contextlib.suppress(OSError),
        helper.stdin,
    ):  # of one that has ended already; what it says will show it
        helper.stdin.write(
            chr(0).join(sys.path).encode("unicode_escape").decode()
            + "\n"
            + json.dumps(list(map(str, paths)))
            + "\n"
        )
    return helper


def _finish(helper, paths):
    """Returns what a helper read; reads the files here if it failed."""
    with contextlib.suppress(ValueError):
        return [_from_plain(plain) for plain in json.loads(helper.stdout.read() if helper else "")]
    _log.info("A process that was to read %d MIDI files failed; they are read here.", len(paths))
    return [_read(path) for path in paths]


def read_all(paths):
    """Returns the score of each MIDI file, or the reason, a text, why it cannot be read.

    From 200 files on they are shared out over processes; what comes back does not depend on how many. They are no `multiprocessing` ones, which would run
    a script without `if __name__ == "__main__"` again.

    Args:
        paths: the list of `pathlib.Path`.

    Returns:
        The list of `Score` and str, in the order of the paths.
    """
    count, found = _processes(len(paths)), [None] * len(paths)
    helpers = [_start(paths[first::count]) for first in range(1, count)]
    try:
        found[::count] = [_read(path) for path in paths[::count]]
        for first, helper in enumerate(helpers, start=1):
            found[first::count] = _finish(helper, paths[first::count])
    finally:
        for helper in filter(None, helpers):
            with helper:
                helper.kill()  # no matter where it has ended; what it read is wanted by nobody after an exception
    return found
