"""Claims about tfseqgan.music.chord_voicing."""

from tfseqgan.music.chord_voicing import LOWEST_PITCH, close_chords
from tfseqgan.music.score import Chord, Note, Score


def test_chords_keep_their_times_and_pitch_classes(random_scores):
    for score in random_scores:
        closed = close_chords(score)

        assert closed.melody == score.melody
        for before, after in zip(score.chords, closed.chords, strict=True):
            assert after.start_ticks == before.start_ticks
            assert after.duration_ticks == before.duration_ticks
            assert {pitch % 12 for pitch in after.pitches} == {
                pitch % 12 for pitch in before.pitches
            }


def test_every_pitch_lies_in_the_octave_from_the_lowest(random_scores):
    for score in random_scores:
        pitches = [pitch for chord in close_chords(score).chords for pitch in chord.pitches]

        assert all(LOWEST_PITCH <= pitch < LOWEST_PITCH + 12 for pitch in pitches)


def test_closed_chords_stay_as_they_are(random_scores):
    for score in random_scores:
        closed = close_chords(score)

        assert close_chords(closed) == closed


def test_other_fields_stay():
    tune = Score((Note(0, 24, 60),), (Chord(0, 24, (36, 40)),), key="C", name="one")

    closed = close_chords(tune)

    assert (closed.key, closed.name) == ("C", "one")
