"""Claims about tfseqgan.music.metre_estimation and tfseqgan.music.score_labels."""

import dataclasses

import pytest

from tfseqgan.datasets.synthetic import compose_tunes
from tfseqgan.music.metre_estimation import estimate_metre
from tfseqgan.music.score import Chord, Note, Score, transpose
from tfseqgan.music.score_labels import with_metre_and_key

TRIAD = (43, 47, 50)


def tune(rhythm, chord_ticks, num_bars=8, start=0):
    """Returns a tune that repeats the durations of a bar, with chords at some ticks of each bar."""
    bar = sum(rhythm)
    melody = []
    tick = start
    for _ in range(num_bars):
        for duration in rhythm:
            melody.append(Note(tick, duration, 67))
            tick += duration

    onsets = [start + bar * index + tick for index in range(num_bars) for tick in chord_ticks]
    ends = [*onsets[1:], start + num_bars * bar]
    chords = [Chord(onset, end - onset, TRIAD) for onset, end in zip(onsets, ends, strict=True)]

    return Score(melody, chords)


TUNES = {
    (2, 4): tune([12, 6, 6, 12, 6, 6], [0, 24]),
    (3, 4): tune([36, 12, 24], [0]),
    (4, 4): tune([24, 12, 12, 24, 24], [0, 48]),
    (3, 8): tune([12, 6, 6, 6, 6], [0]),
    (6, 8): tune([24, 12, 24, 12], [0]),
    (9, 8): tune([24, 12, 24, 12, 36], [0, 72]),
    (12, 8): tune([24, 12, 36, 12, 12, 12, 36], [0]),
    (3, 2): tune([48, 24, 24, 48], [0, 48]),
    (6, 4): tune([48, 24, 24, 24, 24], [0]),
}


@pytest.mark.parametrize("time_signature", TUNES, ids=str)
def test_every_metre_is_found_where_a_tune_is_plain(time_signature):
    assert estimate_metre(TUNES[time_signature]) == time_signature


@pytest.mark.parametrize("time_signature", [(3, 4), (4, 4), (6, 8), (9, 8)], ids=str)
def test_bars_are_counted_from_the_first_chord_after_a_pick_up(time_signature):
    plain = TUNES[time_signature]
    melody = [Note(note.start_ticks + 24, note.duration_ticks, 67) for note in plain.melody]
    chords = [Chord(chord.start_ticks + 24, chord.duration_ticks, TRIAD) for chord in plain.chords]

    assert estimate_metre(Score([Note(0, 24, 62), *melody], chords)) == time_signature


@pytest.mark.parametrize("time_signature", [(3, 4), (4, 4), (6, 8)], ids=str)
def test_notes_tell_the_metre_of_a_tune_without_chords(time_signature):
    assert estimate_metre(dataclasses.replace(TUNES[time_signature], chords=())) == time_signature


def test_neither_what_a_tune_says_nor_its_key_matters():
    waltz = dataclasses.replace(TUNES[3, 4], time_signature=(4, 4))

    assert estimate_metre(transpose(waltz, 5)) == (3, 4)


def test_a_tune_without_notes_is_in_four_quarters():
    assert estimate_metre(Score(())) == (4, 4)
    assert with_metre_and_key(Score(())) == Score((), time_signature=(4, 4))


def test_a_tune_of_chords_alone_has_their_metre():
    assert estimate_metre(Score((), TUNES[3, 4].chords)) == (3, 4)


def test_what_a_tune_says_is_left_and_what_it_does_not_say_is_filled_in():
    waltz = dataclasses.replace(TUNES[3, 4], name="a waltz", rhythm="waltz")

    assert with_metre_and_key(waltz) == dataclasses.replace(waltz, key="G", time_signature=(3, 4))
    assert with_metre_and_key(dataclasses.replace(waltz, key="Em")).key == "Em"
    said = dataclasses.replace(waltz, time_signature=(6, 8))
    assert with_metre_and_key(said).time_signature == (6, 8)
    assert with_metre_and_key(with_metre_and_key(waltz)) == with_metre_and_key(waltz)


def test_the_dances_of_synthetic_tunes_are_told_apart():
    tunes = compose_tunes(40, seed=5)

    is_right = [estimate_metre(each) == each.time_signature for each in tunes]

    assert sum(is_right) >= 38  # of 40


def test_estimates_agree_with_the_metres_of_the_book(nottingham_scores):
    same = {(2, 4): (4, 4), (2, 2): (4, 4)}
    scores = nottingham_scores.values()

    pairs = [(estimate_metre(score), score.time_signature) for score in scores]

    assert sum(one == other for one, other in pairs) > 0.96 * len(pairs)
    is_right = [same.get(one, one) == same.get(other, other) for one, other in pairs]
    assert sum(is_right) >= 0.989 * len(pairs)
