"""Claims about tfseqgan.music.key_estimation."""

import pytest

from tfseqgan.music.key_estimation import (
    ALBRECHT_SHANAHAN,
    KRUMHANSL_KESSLER,
    estimate_key,
    semitones_to_c,
)
from tfseqgan.music.score import ALL_TRANSPOSITIONS, Chord, Note, Score, transpose, transpose_key

MAJOR_TUNE = [60, 64, 67, 65, 64, 62, 60, 59, 60, 67, 64, 60]
MINOR_TUNE = [69, 72, 76, 74, 72, 71, 69, 68, 69, 76, 72, 69]


def tune_of(pitches, **fields):
    return Score(tuple(Note(24 * tick, 24, pitch) for tick, pitch in enumerate(pitches)), **fields)


@pytest.mark.parametrize("semitones", ALL_TRANSPOSITIONS)
@pytest.mark.parametrize(("pitches", "key"), [(MAJOR_TUNE, "C"), (MINOR_TUNE, "Am")])
def test_a_tune_is_in_its_key_wherever_it_is_moved(pitches, key, semitones):
    moved = transpose(tune_of(pitches), semitones)

    assert estimate_key(moved) == transpose_key(key, semitones)


def test_chords_count_as_the_melody_does():
    notes = (Note(0, 24, 72),)
    triads = [(48, 52, 55), (53, 57, 60), (55, 59, 62), (48, 52, 55)]
    chords = tuple(Chord(96 * index, 96, triad) for index, triad in enumerate(triads))

    assert estimate_key(Score(notes, chords)) == "C"


def test_a_tune_without_notes_or_with_all_pitches_alike_has_no_key():
    assert estimate_key(Score(())) is None
    assert estimate_key(tune_of(range(60, 72))) is None


@pytest.mark.parametrize("semitones", ALL_TRANSPOSITIONS)
def test_every_key_is_moved_to_c_or_a_minor_by_at_most_six_semitones(semitones):
    for home in ("C", "Am"):
        key = transpose_key(home, -semitones)

        moved_by = semitones_to_c(key)

        assert transpose_key(key, moved_by) == home
        assert moved_by in ALL_TRANSPOSITIONS


@pytest.mark.parametrize("profiles", [ALBRECHT_SHANAHAN, KRUMHANSL_KESSLER])
def test_profiles_agree_where_a_tune_is_plain(profiles):
    assert estimate_key(tune_of(MAJOR_TUNE), profiles) == "C"
    assert estimate_key(tune_of(MINOR_TUNE), profiles) == "Am"


def test_estimates_agree_with_the_keys_of_the_book(nottingham_scores):
    scores = list(nottingham_scores.values())
    assert all(score.key for score in scores)

    is_right = [estimate_key(score) == score.key for score in scores]

    assert sum(is_right) > 0.9 * len(scores)
