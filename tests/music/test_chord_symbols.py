"""Claims about tfseqgan.music.chord_symbols."""

import itertools
import re

import pytest

from tfseqgan.music.chord_symbols import chord_symbol
from tfseqgan.music.keys import num_sharps


@pytest.mark.parametrize(
    "pitches, key, symbol",
    [
        ((43, 47, 50), "G", "G"),
        ((45, 48, 52), "G", "Am"),
        ((38, 42, 45, 48), "G", "D7"),
        ((47, 50, 53), "C", "Bdim"),
        ((46, 50, 53), "F", "Bb"),
        ((46, 50, 53), "D", "Bb"),
        ((44, 47, 50), "C", "G#dim"),
        ((44, 48, 51), "C", "Ab"),
        ((44, 52, 59), "C", "E/G#"),
        ((46, 60, 64, 67), "D", "C7/Bb"),
        ((48, 52, 55, 57), "C", "C6"),
        ((45, 48, 52, 55), "C", "Am7"),
        ((47, 50, 55), "G", "G/B"),
        ((43,), "G", "G"),
        ((43, 50), "G", "G"),
        ((43, 46), "F", "Gm"),
        ((38, 42, 48), "G", "D7"),
        ((38, 39, 42, 45, 48), "G", "D7"),
        ((36, 40, 44), "C", "Caug"),
    ],
)
def test_chords_are_named_by_their_pitches_and_bass(pitches, key, symbol):
    assert chord_symbol(pitches, num_sharps(key)) == symbol


def test_every_set_of_pitches_gets_a_symbol_that_readers_know():
    qualities = "m|7|m7|maj7|dim|aug|dim7|m7b5|aug7|6|m6|sus4|sus2|7sus4|9|m9|maj9"
    known = re.compile(rf"[A-G][#b]?({qualities})?(/[A-G][#b]?)?")

    sharps = itertools.cycle(range(-7, 8))
    for bits in range(1, 4096, 7):  # every seventh set of pitch classes
        upper = [48 + pitch_class for pitch_class in range(12) if bits >> pitch_class & 1]
        for bass in (36, 41, 46):
            symbol = chord_symbol((bass, *upper), next(sharps))
            assert known.fullmatch(symbol)
