"""Chord symbols, such as "Am7" or "E/G#": the names that accompanists play chords from."""

import functools
import itertools

from tfseqgan.music.pitch_spelling import (
    FLATTEST_IN_MELODY,
    FLATTEST_ROOT,
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
}
"""The chord symbols without their roots, and their semitones above the root."""


@functools.cache
def chord_symbol(pitches: tuple[int, ...], sharps: int) -> str:
    """Returns the chord symbol with the fewest pitch classes added or missing.

    Of equally good symbols, one whose root is the bass is chosen.
    """
    sounding = {pitch % 12 for pitch in pitches}
    bass = pitches[0] % 12

    def num_wrong(symbol: tuple[int, str]) -> int:
        root, quality = symbol
        named = {(root + interval) % 12 for interval in CHORD_QUALITIES[quality]}
        return len(named ^ sounding)

    bass_first = sorted(sounding, key=lambda root: (root - bass) % 12)
    root, quality = min(itertools.product(bass_first, CHORD_QUALITIES), key=num_wrong)

    flattest = FLATTEST_IN_MELODY if "dim" in quality else FLATTEST_ROOT
    root_fifths = to_fifths(root, sharps - flattest)
    symbol = name_of(root_fifths) + quality
    if root == bass:
        return symbol

    bass_fifths = to_fifths(bass, root_fifths - FLATTEST_IN_MELODY)
    return f"{symbol}/{name_of(bass_fifths)}"


def chord_symbols(score: Score, sharps: int) -> dict[int, str]:
    """Returns the chord symbols by tick, without those that repeat the symbol before."""
    symbols: dict[int, str] = {}
    previous = None
    for chord in score.chords:
        symbol = chord_symbol(chord.pitches, sharps)
        if symbol != previous:
            symbols[chord.start_ticks] = symbol
        previous = symbol

    return symbols
