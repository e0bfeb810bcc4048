"""Claims about tfseqgan.music.keys."""

import pytest

from tfseqgan.music.keys import best_key, parse_key

MAJOR = ["Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"]
MINOR_TONICS = ["Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#"]


def test_thirty_keys_have_seven_flats_to_seven_sharps():
    assert [parse_key(key).sharps for key in MAJOR] == list(range(-7, 8))
    assert [parse_key(f"{tonic}m").sharps for tonic in MINOR_TONICS] == list(range(-7, 8))


@pytest.mark.parametrize(
    "pitches, key",
    [
        ((60, 62, 64), "C"),
        ((66, 67, 71), "G"),
        ((65, 70, 72), "F"),
        ((61, 66, 68, 71, 63), "E"),
        ((63, 68, 70, 65, 60), "Eb"),
        ((60, 61, 65, 66), "Db"),
        ((), "C"),
    ],
)
def test_the_best_key_needs_the_fewest_accidentals(pitches, key):
    assert best_key(pitches) == key
