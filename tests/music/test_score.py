"""Claims about tfseqgan.music.score."""

import dataclasses

import pytest

from tfseqgan.music.score import LONGEST_TICKS, Chord, Note, Score, transpose, transpose_key

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
