"""Chord symbols, such as "Am7" or "E/G#": the names that accompanists play chords from.

A symbol names a third and a fifth, but an accompaniment may play a bass note alone, or a fifth. A
symbol may add to what sounds only what the music implies: the third that the melody plays at the
same time, or else the third and fifth that belong to the key. Where both leave the third open, the
symbol is a fifth without a third, such as "E5".
"""

import bisect
import functools
import re
from collections.abc import Iterator

from tfseqgan.music.keys import Key, scale_of
from tfseqgan.music.pitch_spelling import (
    FLATTEST_IN_MELODY,
    FLATTEST_ROOT,
    LETTERS,
    name_of,
    to_fifths,
)
from tfseqgan.music.score import Score

CHORD_QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "dim7": (0, 3, 6, 9),
    "m7b5": (0, 3, 6, 10),
    "aug7": (0, 4, 8, 10),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "sus4": (0, 5, 7),
    "sus2": (0, 2, 7),
    "7sus4": (0, 5, 7, 10),
    "9": (0, 2, 4, 7, 10),
    "m9": (0, 2, 3, 7, 10),
    "maj9": (0, 2, 4, 7, 11),
    "5": (0, 7),
}
"""The chord symbols without their roots, and their semitones above the root."""

LOWEST_BASS = 36
"""C2, from which the bass of a symbol is read upwards."""

_TRIADS = ("", "m", "dim")


@functools.cache
def _above(root: int, *intervals: int) -> frozenset[int]:
    """Returns the pitch classes at intervals in semitones above a root."""
    return frozenset((root + interval) % 12 for interval in intervals)


def _implied_triad(
    root: int, sounding: frozenset[int], heard: frozenset[int], scale: frozenset[int]
) -> frozenset[int]:
    """Returns the pitch classes that a symbol on a root may add to those that sound.

    The third of the triad is decided by what sounds, else by the melody, else by the key; if all
    leave it open, there is none. The fifth is decided by what sounds, else by the key; if both
    leave it open, it is perfect.
    """
    thirds = _above(root, 3, 4)
    fifths = _above(root, 6, 7)
    heard_third = thirds & heard if len(thirds & heard) == 1 else frozenset()

    triads = [_above(root, *CHORD_QUALITIES[quality]) for quality in _TRIADS]
    for decided in (thirds & sounding, fifths & sounding, heard_third):
        if len(decided) == 1:
            triads = [triad for triad in triads if decided <= triad] or triads

    fitting = [triad for triad in triads if triad - sounding <= scale | heard_third]
    implied = frozenset.intersection(*fitting) if fitting else frozenset()
    if not fifths & (implied | sounding):
        implied |= _above(root, 7)

    return implied


def _symbols_on(
    root: int, sounding: frozenset[int], implied: frozenset[int]
) -> Iterator[tuple[str, frozenset[int]]]:
    """Yields the qualities that may be written on a root, with the pitch classes they name."""
    third_is_open = not _above(root, 3, 4) & (sounding | implied)
    for quality, intervals in CHORD_QUALITIES.items():
        named = _above(root, *intervals)
        may_add = frozenset() if "sus" in quality else implied
        if named - sounding <= may_add and (quality != "5" or third_is_open):
            yield quality, named


def _write_symbol(root: int, quality: str, bass: int, sharps: int) -> str:
    """Returns a symbol as text, with the bass after a slash if it is not the root."""
    is_diminished = "dim" in quality or "b5" in quality
    flattest = FLATTEST_IN_MELODY if is_diminished else FLATTEST_ROOT
    root_fifths = to_fifths(root, sharps - flattest)
    symbol = name_of(root_fifths) + quality
    if root == bass:
        return symbol

    # A minor third is 3 fifths below the root, a diminished fifth 6.
    flattest_bass = 6 if is_diminished else 3
    bass_fifths = to_fifths(bass, root_fifths - flattest_bass)
    return f"{symbol}/{name_of(bass_fifths)}"


_OTHER_NAMES = {
    "maj": "",
    "M": "",
    "min": "m",
    "mi": "m",
    "-": "m",
    "M7": "maj7",
    "min7": "m7",
    "-7": "m7",
    "o": "dim",
    "o7": "dim7",
    "°": "dim",
    "°7": "dim7",
    "ø": "m7b5",
    "ø7": "m7b5",
    "+": "aug",
    "sus": "sus4",
    "dom7": "7",
}
"""Other names of qualities, which are read."""

_SYMBOL = re.compile(r"([A-G])([#b]?)([^/]*)(?:/([A-Ga-g])([#b]?))?")


def _pitch_class(letter: str, accidental: str) -> int:
    """Returns the pitch class of a name."""
    return (7 * (LETTERS.index(letter.upper()) - 1) + {"": 0, "#": 1, "b": -1}[accidental]) % 12


def read_chord_symbol(text: str) -> tuple[int, ...]:
    """Returns the pitches of a chord symbol, in close position above its bass.

    A quality that is not known is read as the longest known one that it begins with, so that "G13"
    is a chord of G. A text with full stops or spaces, such as "D.C.", is an annotation.

    Args:
        text: such as "Am7" or "D/F#".

    Returns:
        The pitches in rising order, the lowest in C2 to B2; empty if the text names no chord.

    Example:
        >>> read_chord_symbol("G"), read_chord_symbol("D/F#"), read_chord_symbol("Fine")
        ((43, 47, 50), (42, 45, 50), ())
    """
    match = _SYMBOL.fullmatch(text.strip().replace("♭", "b").replace("♯", "#"))
    if match is None:
        return ()

    letter, accidental, quality, *bass = match.groups()
    names = CHORD_QUALITIES | {other: CHORD_QUALITIES[name] for other, name in _OTHER_NAMES.items()}
    known = max((name for name in names if quality.startswith(name)), key=len)
    rest = quality[len(known) :]
    if rest.isalpha() or "." in rest or " " in rest:
        return ()

    root = _pitch_class(letter, accidental)
    lowest = root if bass[0] is None else _pitch_class(*bass)
    classes = {lowest, *((root + interval) % 12 for interval in names[known])}

    return tuple(sorted(LOWEST_BASS + lowest + (each - lowest) % 12 for each in classes))


@functools.lru_cache(maxsize=2**14)
def chord_symbol(pitches: tuple[int, ...], key: Key, heard: frozenset[int] = frozenset()) -> str:
    """Returns the chord symbol with the fewest pitch classes added or missing.

    It adds only a third and a fifth that the melody or the key implies. Of equally good symbols,
    one whose root is the bass is chosen.

    Args:
        pitches: the MIDI pitches of the chord in rising order.
        key: the key of the tune.
        heard: the pitch classes that the melody plays during the chord.

    Example:
        >>> from tfseqgan.music.keys import parse_key
        >>> fifth = (45, 52)
        >>> chord_symbol(fifth, parse_key("Am")), chord_symbol(fifth, parse_key("A"))
        ('Am', 'A')
    """
    sounding = frozenset(pitch % 12 for pitch in pitches)
    bass = pitches[0] % 12
    scale = scale_of(key)

    candidates = []
    for root in sorted(sounding, key=lambda root: (root - bass) % 12):
        implied = _implied_triad(root, sounding, heard, scale)
        for quality, named in _symbols_on(root, sounding, implied):
            num_wrong = len(named ^ sounding)
            num_wrong_with_bass = len((named | {bass}) ^ sounding)
            rank = (num_wrong, root != bass, num_wrong_with_bass)
            candidates.append((rank, root, quality))
    _, root, quality = min(candidates, key=lambda candidate: candidate[0])

    return _write_symbol(root, quality, bass, key.sharps)


def chord_symbols(score: Score, key: Key) -> dict[int, str]:
    """Returns the chord symbols by tick, without those that repeat the symbol before."""
    starts = [note.start_ticks for note in score.melody]
    ends = [note.end_ticks for note in score.melody]

    symbols: dict[int, str] = {}
    previous = None
    for chord in score.chords:
        first = bisect.bisect_right(ends, chord.start_ticks)
        stop = bisect.bisect_left(starts, chord.end_ticks)
        heard = frozenset(note.pitch % 12 for note in score.melody[first:stop])

        symbol = chord_symbol(chord.pitches, key, heard)
        if symbol != previous:
            symbols[chord.start_ticks] = symbol
        previous = symbol

    return symbols
