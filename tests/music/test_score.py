"""Claims about tfseqgan.music.score."""

import dataclasses
import os
from fractions import Fraction

import numpy as np
import pytest

from tfseqgan.music.abc_notation import to_abc
from tfseqgan.music.midi import read_midi, write_midi
from tfseqgan.music.score import (
    LONGEST_TICKS,
    Chord,
    Note,
    Score,
    transpose,
    transpose_key,
)

MAJOR_KEYS = ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"]


def test_a_note_ends_after_its_duration():
    assert Note(start_ticks=10, duration_ticks=24, pitch=60).end_ticks == 34


@pytest.mark.parametrize(
    "start, duration, pitch",
    [(-1, 24, 60), (0, 0, 60), (0, LONGEST_TICKS + 1, 60), (0, 24, 128), (0, 24, -1)],
)
def test_a_note_out_of_range_is_refused(start, duration, pitch):
    with pytest.raises(ValueError, match="expected .* received"):
        Note(start, duration, pitch)


def test_a_note_of_the_longest_duration_is_accepted():
    assert Note(0, LONGEST_TICKS, 127).end_ticks == LONGEST_TICKS


def test_a_chord_keeps_distinct_pitches_in_rising_order():
    assert Chord(0, 24, (50, 43, 50, 47)) == Chord(0, 24, (43, 47, 50))


def test_a_chord_without_pitches_is_refused():
    with pytest.raises(ValueError, match="no pitch"):
        Chord(0, 24, ())


def test_notes_that_start_together_must_end_together():
    Score((Note(0, 24, 60), Note(0, 24, 64)))

    with pytest.raises(ValueError, match="melody voice overlaps itself"):
        Score((Note(0, 24, 60), Note(0, 12, 64)))


@pytest.mark.parametrize(
    "melody",
    [
        (Note(0, 24, 60), Note(23, 24, 62)),
        (Note(24, 24, 60), Note(0, 24, 62)),
        (Note(0, 24, 64), Note(0, 24, 60)),
        (Note(0, 24, 60), Note(0, 24, 60)),
    ],
    ids=["overlap", "disorder", "falling pitches", "one note twice"],
)
def test_a_melody_that_is_not_one_voice_is_refused(melody):
    with pytest.raises(ValueError, match="melody voice overlaps itself"):
        Score(melody)


@pytest.mark.parametrize("second", [Chord(47, 48, (43,)), Chord(0, 48, (43,))])
def test_chords_that_overlap_are_refused(second):
    with pytest.raises(ValueError, match="chord voice overlaps itself"):
        Score((), (Chord(0, 48, (40,)), second))


@pytest.mark.parametrize(
    "fields", [{"tempo_bpm": 0}, {"time_signature": (0, 4)}, {"time_signature": (4, -4)}]
)
def test_a_tempo_or_time_signature_that_is_not_positive_is_refused(fields):
    with pytest.raises(ValueError, match="positive"):
        Score((Note(0, 24, 60),), **fields)


def test_a_score_ends_when_its_later_voice_ends():
    chords = (Chord(0, 96, (43,)),)

    assert Score((Note(0, 24, 60),), chords).end_ticks == 96
    assert Score((Note(96, 24, 60),), chords).end_ticks == 120
    assert Score(()).end_ticks == 0


def test_scores_are_immutable_values():
    score = Score([Note(0, 24, 60)], name="a")
    equal = Score((Note(0, 24, 60),), name="a")

    assert score == equal
    assert len({score, equal}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        score.name = "b"


@pytest.mark.parametrize("semitones", [-13, -1, 0, 5, 12])
def test_transposing_there_and_back_gives_the_same_tune(random_scores, semitones):
    for random_score in random_scores:
        score = dataclasses.replace(random_score, key="Bb")
        moved = transpose(score, semitones)

        assert transpose(moved, -semitones) == score
        pitches = [note.pitch for note in score.melody]
        assert [note.pitch for note in moved.melody] == [pitch + semitones for pitch in pitches]


def test_transposing_beyond_the_range_of_midi_is_refused():
    with pytest.raises(ValueError, match="0 to 127"):
        transpose(Score((Note(0, 24, 120),)), 8)


def test_transposed_keys_have_the_fewest_accidentals():
    assert [transpose_key("C", semitones) for semitones in range(12)] == MAJOR_KEYS
    assert transpose_key("C#", 0) == "Db"
    assert transpose_key("A#m", 2) == "Cm"
    assert transpose_key("Cb", 1) == "C"


# Kind R: values that no tune can have are refused where they are made

NAN = float("nan")

NOT_WHOLE = [0.5, 24.0, NAN, True, np.True_, np.float32(1), "1", None, [1], (1, 2), 1j]


@pytest.mark.parametrize("value", NOT_WHOLE, ids=repr)
@pytest.mark.parametrize("field", ["start_ticks", "duration_ticks", "pitch"])
def test_kind_r_a_note_of_other_than_whole_numbers_is_refused(field, value):
    fields = {"start_ticks": 0, "duration_ticks": 24, "pitch": 60, field: value}

    with pytest.raises(ValueError, match=f"{field} of a note must be a whole number.*received"):
        Note(**fields)


@pytest.mark.parametrize("value", NOT_WHOLE, ids=repr)
@pytest.mark.parametrize("field", ["start_ticks", "duration_ticks"])
def test_kind_r_a_chord_of_other_than_whole_ticks_is_refused(field, value):
    fields = {"start_ticks": 0, "duration_ticks": 24, "pitches": (60, 64), field: value}

    with pytest.raises(ValueError, match=f"{field} of a chord must be a whole number.*received"):
        Chord(**fields)


@pytest.mark.parametrize(
    "pitches",
    [*[(60, value) for value in NOT_WHOLE], 60, None, "60", {60: 1}.items(), np.eye(2, dtype=int)],
    ids=repr,
)
def test_kind_r_a_chord_of_other_than_whole_pitches_is_refused(pitches):
    with pytest.raises(ValueError, match=r"pitch(es)? of a chord must be.*received"):
        Chord(0, 24, pitches)


@pytest.mark.parametrize("integer", [np.int8, np.int64, np.uint8])
def test_kind_r_numpy_integers_become_ints(integer):
    note = Note(integer(1), integer(24), integer(60))
    chord = Chord(integer(1), integer(24), np.array([64, 60], integer))

    assert (note, chord) == (Note(1, 24, 60), Chord(1, 24, (60, 64)))
    assert repr((note, chord)) == repr((Note(1, 24, 60), Chord(1, 24, (60, 64))))


@pytest.mark.parametrize(
    "tempo",
    [NAN, float("inf"), -float("inf"), 0, -1, True, 10**400, "120", None, 1j, [120]],
    ids=repr,
)
def test_kind_r_a_tempo_that_is_no_positive_number_is_refused(tempo):
    with pytest.raises(ValueError, match="positive number .* received tempo_bpm"):
        Score((Note(0, 24, 60),), tempo_bpm=tempo)


@pytest.mark.parametrize("tempo", [120, 120.0, np.int64(120), np.float32(120), Fraction(120)])
def test_kind_r_a_tempo_of_any_numeric_type_is_kept_as_a_python_number(tempo):
    score = Score((Note(0, 24, 60),), tempo_bpm=tempo)

    assert type(score.tempo_bpm) in (int, float)
    assert score == Score((Note(0, 24, 60),))


@pytest.mark.parametrize(
    "signature",
    [(3, 4, 4), (4,), (), 4, "3/4", "34", (3.0, 4), (True, 4), (NAN, 4), (0, 4), (4, -4)],
    ids=repr,
)
def test_kind_r_a_time_signature_of_other_than_two_positive_numbers_is_refused(signature):
    with pytest.raises(ValueError, match=r"time signature.*received"):
        Score((Note(0, 24, 60),), time_signature=signature)


def test_kind_r_a_time_signature_of_numpy_integers_is_two_ints():
    score = Score((), time_signature=np.array([6, 8]))

    assert repr(score.time_signature) == "(6, 8)"


NO_KEYS = ["H", "g", "Gmajor", "G major", "", "G#", "Fbm", "Cmm", "Gb#", "G\n", "♭", 5, b"G", ["G"]]


@pytest.mark.parametrize("key", NO_KEYS, ids=repr)
def test_kind_r_a_key_that_is_none_is_refused(key):
    with pytest.raises(ValueError, match="'G', 'Bb' or 'F#m'.*received"):
        Score((Note(0, 24, 60),), key=key)


@pytest.mark.parametrize("key", [*NO_KEYS, None], ids=repr)
def test_kind_r_a_key_that_is_none_cannot_be_transposed(key):
    with pytest.raises(ValueError, match="'G', 'Bb' or 'F#m'.*received"):
        transpose_key(key, 1)


@pytest.mark.parametrize("semitones", [0.5, 2.0, NAN, True, "1", None], ids=repr)
def test_kind_r_transposing_by_other_than_a_whole_number_is_refused(semitones):
    with pytest.raises(ValueError, match="semitones must be a whole number"):
        transpose_key("G", semitones)
    with pytest.raises(ValueError, match="semitones must be a whole number"):
        transpose(Score((Note(0, 24, 60),)), semitones)


def test_kind_r_transposing_takes_numpy_integers_and_any_distance():
    score = Score((Note(0, 24, 60),), (Chord(0, 24, (40, 43)),), key="Em")

    assert repr(transpose(score, np.int64(-13))) == repr(transpose(score, -13))
    assert transpose(score, -13).key == "Ebm"
    assert transpose_key("C", -25) == "B"


@pytest.mark.parametrize(
    "fields",
    [
        {"melody": ((0, 24, 60),)},
        {"melody": (Chord(0, 24, (60,)),)},
        {"melody": Note(0, 24, 60)},
        {"melody": None},
        {"melody": (), "chords": (Note(0, 24, 60),)},
    ],
    ids=repr,
)
def test_kind_r_a_voice_of_other_than_its_events_is_refused(fields):
    with pytest.raises(ValueError, match="voice of a score holds something else.*received"):
        Score(**fields)


@pytest.mark.parametrize("value", [5, b"a", ["a"], 1.5], ids=repr)
@pytest.mark.parametrize("field", ["name", "rhythm"])
def test_kind_r_a_name_that_is_not_text_is_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} of a score must be text.*received"):
        Score((Note(0, 24, 60),), **{field: value})


# Kinds J and K: names that files and terminals cannot hold


@pytest.mark.parametrize(
    "name, line",
    [
        ("Tune\0", "Tune"),
        ("Two\r\nlines\tand\x1b[31m colour", "Two lines and [31m colour"),
        ("C1\x85control\u2028characters", "C1 control characters"),
        (os.fsdecode(b"caf\xe9"), r"caf\xe9"),
        ("half a character \ud83d", r"half a character \ud83d"),
        ("Café ☘ 二泉映月", "Café ☘ 二泉映月"),
        (" two  spaces", " two  spaces"),
        ("\0", ""),
    ],
    ids=ascii,
)
def test_kind_j_and_kind_k_a_name_is_one_line_of_unicode(tmp_path, name, line):
    score = Score((Note(0, 24, 60),), name=name, rhythm=name)

    assert (score.name, score.rhythm) == (line, line)
    assert dataclasses.replace(score) == score
    to_abc(score).encode()
    write_midi(score, tmp_path / "a.mid")
    assert read_midi(tmp_path / "a.mid").name == (line.strip() or "a")


def test_kind_j_a_tune_from_a_file_whose_name_is_not_utf_8_can_be_written(tmp_path):
    path = os.path.join(tmp_path, os.fsdecode(b"caf\xe9.mid"))
    write_midi(Score((Note(0, 24, 60),)), tmp_path / "a.mid")
    try:
        os.rename(tmp_path / "a.mid", path)
    except OSError:
        pytest.skip("this file system has no names that are not UTF-8")

    score = read_midi(path)

    to_abc(score).encode()
    write_midi(score, tmp_path / "again.mid")
    assert read_midi(tmp_path / "again.mid") == score
