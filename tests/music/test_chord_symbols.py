"""Claims about tfseqgan.music.chord_symbols."""

import itertools
import re

import pytest

from tfseqgan.music.chord_symbols import chord_symbol, chord_symbols
from tfseqgan.music.keys import parse_key, scale_of
from tfseqgan.music.score import Chord, Note, Score

NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

QUALITIES = {
    "": {0, 4, 7},
    "m": {0, 3, 7},
    "5": {0, 7},
    "7": {0, 4, 7, 10},
    "m7": {0, 3, 7, 10},
    "maj7": {0, 4, 7, 11},
    "dim": {0, 3, 6},
    "aug": {0, 4, 8},
    "dim7": {0, 3, 6, 9},
    "m7b5": {0, 3, 6, 10},
    "aug7": {0, 4, 8, 10},
    "6": {0, 4, 7, 9},
    "m6": {0, 3, 7, 9},
    "sus4": {0, 5, 7},
    "sus2": {0, 2, 7},
    "7sus4": {0, 5, 7, 10},
    "9": {0, 4, 7, 10, 2},
    "m9": {0, 3, 7, 10, 2},
    "maj9": {0, 4, 7, 11, 2},
}
"""What each quality means to abc2midi, music21 and abcjs, in semitones above the root."""


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
    assert chord_symbol(pitches, parse_key(key)) == symbol


def every_set(step=1):
    """Yields chords of every set of pitch classes over three bass notes."""
    for bits in range(1, 4096, step):
        upper = [48 + pitch_class for pitch_class in range(12) if bits >> pitch_class & 1]
        for bass in (36, 41, 46):
            yield (bass, *upper)


def read_name(name):
    """Returns the pitch class of a name such as Bb."""
    return (NATURALS[name[0]] + {"": 0, "#": 1, "b": -1}[name[1:]]) % 12


def read_symbol(symbol):
    """Returns the pitch classes that a symbol names, by a parser of its own."""
    name, _, bass = symbol.partition("/")
    root, quality = re.fullmatch(r"([A-G][#b]?)(.*)", name).groups()
    classes = {(read_name(root) + above) % 12 for above in QUALITIES[quality]}

    return classes | {read_name(bass)} if bass else classes


@pytest.mark.parametrize("key", ["C", "Am"])
def test_every_set_of_pitches_gets_a_symbol_that_readers_know(key):
    for pitches in every_set(step=11):
        symbol = chord_symbol(pitches, parse_key(key))

        assert pitches[0] % 12 in read_symbol(symbol)


def test_a_set_that_has_a_symbol_gets_it():
    for (letter, root), (quality, intervals) in itertools.product(
        NATURALS.items(), QUALITIES.items()
    ):
        pitches = tuple(36 + root + interval for interval in sorted(intervals))

        symbol = chord_symbol(pitches, parse_key("C"))

        if quality == "5":  # the key decides the third
            assert read_symbol(symbol) > {pitch % 12 for pitch in pitches}
        else:
            assert symbol == letter + quality


# Kind M: a symbol adds nothing that contradicts the melody or the key


@pytest.mark.parametrize(
    "pitches, key, heard, symbol",
    [
        ((45, 52), "Am", (69, 72, 76), "Am"),  # the case as it was reported
        ((45, 52), "Am", (), "Am"),
        ((45, 52), "A", (), "A"),
        ((45, 52), "Am", (73,), "A"),
        ((45, 52), "A", (72,), "Am"),
        ((45, 52), "Am", (72, 73), "Am"),
        ((40, 47), "Am", (), "E5"),
        ((40, 47), "Am", (68,), "E"),
        ((40, 47), "Am", (67,), "Em"),
        ((40, 47, 52, 59), "Am", (), "E5"),
        ((44, 51), "C", (), "Ab5"),
    ],
)
def test_kind_m_melody_and_key_give_a_fifth_its_third(pitches, key, heard, symbol):
    heard_classes = frozenset(pitch % 12 for pitch in heard)

    assert chord_symbol(pitches, parse_key(key), heard_classes) == symbol


@pytest.mark.parametrize(
    "pitches, key, symbol",
    [
        ((45,), "Am", "Am"),
        ((45, 57, 69), "Am", "Am"),
        ((44,), "Am", "G#dim"),
        ((42,), "F#m", "F#m"),
        ((47,), "C", "Bdim"),
        ((40,), "Am", "E5"),
        ((47, 50), "C", "Bdim"),
        ((47, 50), "G", "Bm"),
        ((45, 48), "Am", "Am"),
        ((40, 48), "C", "C/E"),
        ((45, 50), "G", "D/A"),
        ((48, 54), "G", "F#dim/C"),
        ((45, 52, 59), "A", "Asus2"),
        ((45, 50, 52), "A", "Asus4"),
        ((43, 47, 50, 57), "G", "G"),
        ((47, 51, 57), "C", "B7"),
        ((38, 48, 52, 55), "C", "C/D"),
    ],
)
def test_kind_m_bass_notes_and_thirds_get_the_chord_of_the_key(pitches, key, symbol):
    assert chord_symbol(pitches, parse_key(key)) == symbol


@pytest.mark.parametrize("key", ["C", "Am", "F#", "Ebm"])
def test_kind_m_a_third_that_is_added_belongs_to_the_key(key):
    scale = scale_of(parse_key(key))
    for pitches in every_set(step=13):
        sounding = {pitch % 12 for pitch in pitches}
        symbol = chord_symbol(pitches, parse_key(key))
        named = read_symbol(symbol)
        root = read_name(re.match(r"[A-G][#b]?", symbol)[0])

        added_thirds = {(root + 3) % 12, (root + 4) % 12} & named - sounding
        assert added_thirds <= scale, symbol


def test_kind_m_the_melody_over_each_chord_decides():
    fifth = (45, 52)
    score = Score(
        (Note(0, 48, 72), Note(48, 24, 73), Note(72, 24, 74), Note(96, 96, 74)),
        (Chord(0, 48, fifth), Chord(48, 48, fifth), Chord(96, 48, fifth)),
        key="Am",
    )

    assert chord_symbols(score, parse_key("Am")) == {0: "Am", 48: "A", 96: "Am"}
