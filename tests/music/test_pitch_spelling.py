"""Claims about tfseqgan.music.pitch_spelling."""

import pytest

from tfseqgan.music.pitch_spelling import LETTERS, accidental_in_key, name_of, spell, to_fifths

NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@pytest.mark.parametrize("lowest", range(-10, 8))
def test_a_spelled_pitch_is_the_pitch(lowest):
    for pitch in range(128):
        letter, accidental = spell(to_fifths(pitch, lowest))

        assert (NATURALS[letter] + accidental - pitch) % 12 == 0
        assert accidental in (-1, 0, 1)


def test_twelve_positions_from_the_lowest_are_used():
    names = [name_of(fifths) for fifths in sorted(to_fifths(pitch, -3) for pitch in range(12))]

    assert names == ["Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#"]


@pytest.mark.parametrize(
    "sharps, signs",
    [
        (0, {}),
        (2, {"F": 1, "C": 1}),
        (-3, {"B": -1, "E": -1, "A": -1}),
        (7, dict.fromkeys(LETTERS, 1)),
        (-7, dict.fromkeys(LETTERS, -1)),
    ],
)
def test_the_accidentals_of_a_key_are_those_of_its_signature(sharps, signs):
    accidentals = {letter: accidental_in_key(letter, sharps) for letter in LETTERS}

    assert accidentals == dict.fromkeys(LETTERS, 0) | signs
