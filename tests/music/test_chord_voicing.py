"""Claims about tfseqgan.music.chord_voicing."""

import pytest

from tfseqgan.music.chord_voicing import LOWEST_ROOT, close_chords, close_position
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


def test_the_lowest_pitch_is_in_the_octave_from_c2_and_the_others_within_one_octave(random_scores):
    for score in random_scores:
        for chord in close_chords(score).chords:
            assert LOWEST_ROOT <= chord.pitches[0] < LOWEST_ROOT + 12
            assert chord.pitches[-1] < chord.pitches[0] + 12


@pytest.mark.parametrize("root", range(12))
@pytest.mark.parametrize(
    "chord",
    [(0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 7, 10), (0, 4, 7, 11), (0, 3, 7, 10), (0, 3, 6, 10)],
)
def test_triads_and_seventh_chords_of_any_inversion_get_their_root(chord, root):
    lowest = LOWEST_ROOT + root
    in_root_position = tuple(lowest + step for step in chord)

    for inversion in range(len(chord)):
        pitches = [pitch + 12 * (index < inversion) for index, pitch in enumerate(in_root_position)]

        assert close_position(pitches) == in_root_position


def test_chords_without_a_root_get_one_place_in_every_inversion():
    assert close_position((40, 44, 48)) == close_position((44, 48, 52)) == (36, 40, 44)


@pytest.mark.corpus
def test_nearly_all_chords_of_the_tunes_come_back_exactly(nottingham_scores):
    chords = [chord.pitches for score in nottingham_scores.values() for chord in score.chords]
    num_same = sum(close_position(pitches) == pitches for pitches in chords)

    assert num_same > 0.999 * len(chords)


def test_closed_chords_stay_as_they_are(random_scores):
    for score in random_scores:
        closed = close_chords(score)

        assert close_chords(closed) == closed


def test_other_fields_stay():
    tune = Score((Note(0, 24, 60),), (Chord(0, 24, (36, 40)),), key="C", name="one")

    closed = close_chords(tune)

    assert (closed.key, closed.name) == ("C", "one")
