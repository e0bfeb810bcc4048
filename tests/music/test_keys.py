"""Claims about tfseqgan.music.keys."""

import mido
import pytest

from tfseqgan.music.keys import parse_key, scale_of

MAJOR = ["Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"]
MINOR_TONICS = ["Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#"]


def test_thirty_keys_have_seven_flats_to_seven_sharps():
    assert [parse_key(key).sharps for key in MAJOR] == list(range(-7, 8))
    assert [parse_key(f"{tonic}m").sharps for tonic in MINOR_TONICS] == list(range(-7, 8))


def test_the_keys_are_those_that_midi_can_store():
    tonics = [letter + accidental for letter in "ABCDEFGH" for accidental in ("", "#", "b")]
    for name in [tonic + mode for tonic in tonics for mode in ("", "m")]:
        try:
            mido.MetaMessage("key_signature", key=name)
        except ValueError:
            with pytest.raises(ValueError, match="no such key"):
                parse_key(name)
        else:
            parse_key(name)


@pytest.mark.parametrize("key", ["H", "g", "G#", "Fbm", "G major", "Gmajor", "Cmm", "", None, 5])
def test_kind_r_what_is_no_key_is_refused_by_name(key):
    with pytest.raises(ValueError, match="at most seven sharps or flats.*received") as error:
        parse_key(key)

    assert repr(key) in str(error.value)


def test_a_scale_has_the_pitches_of_its_signature_and_of_the_dominant_in_minor():
    assert scale_of(parse_key("G")) == {7, 9, 11, 0, 2, 4, 6}
    assert scale_of(parse_key("Em")) == {7, 9, 11, 0, 2, 4, 6, 3}
