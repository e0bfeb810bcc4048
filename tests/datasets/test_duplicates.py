"""Claims about tfseqgan.duplicates."""

import dataclasses
import itertools

import pytest
from conftest import make_score

from tfseqgan.datasets.duplicates import (
    PHRASE_STEPS,
    SHARED_FRACTION,
    fingerprint,
    group_duplicates,
)
from tfseqgan.music.score import Chord, Note, Score, transpose

TUNE = make_score(100, num_notes=60)
OTHERS = [make_score(seed, num_notes=60) for seed in range(101, 111)]


def _shift(score, ticks):
    """Returns a melody moved in time."""
    return tuple(
        dataclasses.replace(note, start_ticks=note.start_ticks + ticks) for note in score.melody
    )


def _join(one, other):
    """Returns one tune after another."""
    return Score(one.melody + _shift(other, one.melody[-1].end_ticks))


def _alter(score, places):
    """Returns a tune with the notes of some onsets a semitone lower."""
    onsets = sorted({note.start_ticks for note in score.melody})
    return Score(
        [
            dataclasses.replace(note, pitch=note.pitch - (onsets.index(note.start_ticks) in places))
            for note in score.melody
        ]
    )


VARIANTS = {
    "transposed": transpose(TUNE, -5),
    "other chords": Score(TUNE.melody, (Chord(0, 96, (40, 50)),)),
    "a pick-up": _join(Score((Note(0, 12, 70), Note(12, 12, 71))), TUNE),
    "a later start": Score(_shift(TUNE, 960)),
    "a repeat written out": _join(TUNE, TUNE),
    "a part added": _join(TUNE, transpose(OTHERS[0], 3)),
    "cut short": Score(TUNE.melody[: len(TUNE.melody) // 2]),
    "three notes changed": _alter(TUNE, {5, 40, 60}),
    "transposed and changed": transpose(_alter(TUNE, {30}), 7),
    "played staccato": Score([dataclasses.replace(note, duration_ticks=1) for note in TUNE.melody]),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_close_variant_is_grouped_with_its_tune(variant):
    assert group_duplicates([OTHERS[1], TUNE, OTHERS[2], VARIANTS[variant]]) == [[0], [1, 3], [2]]


def test_unrelated_tunes_stay_apart(random_scores):
    assert group_duplicates(OTHERS) == [[place] for place in range(len(OTHERS))]


@pytest.mark.parametrize(
    "variant", ["transposed", "other chords", "a later start", "played staccato"]
)
def test_a_fingerprint_knows_neither_key_nor_chords_nor_articulation(variant):
    assert fingerprint(VARIANTS[variant]) == fingerprint(TUNE)


def test_a_fingerprint_knows_intervals_and_rhythm():
    longer = Score((Note(0, 24, 60), Note(36, 24, 62)))
    wider = Score((Note(0, 24, 60), Note(24, 24, 63)))
    assert (
        len(
            {
                fingerprint(score)
                for score in (longer, wider, Score((Note(0, 24, 60), Note(24, 24, 62))))
            }
        )
        == 3
    )


def test_without_a_melody_the_chords_tell():
    chords = make_score(5, num_notes=0)
    assert (
        fingerprint(chords)
        == fingerprint(transpose(chords, 2))
        != fingerprint(make_score(6, num_notes=0))
    )


def test_groups_are_transitive():
    medley = _join(TUNE, OTHERS[0])
    assert group_duplicates([TUNE, OTHERS[1], OTHERS[0], medley]) == [[0, 2, 3], [1]]


def test_a_phrase_that_everyone_plays_joins_no_tunes():
    scale = Score(tuple(Note(12 * i, 12, 60 + i) for i in range(PHRASE_STEPS + 1)))
    tunes = [_join(scale, make_score(seed, num_notes=20)) for seed in range(200, 230)]
    assert len(group_duplicates(tunes)) == 30


def test_copies_of_one_tune_are_grouped_however_many():
    assert group_duplicates([transpose(TUNE, step) for step in range(-20, 20)]) == [list(range(40))]


def test_nothing_and_tunes_of_one_note_are_grouped():
    assert group_duplicates([]) == []
    assert group_duplicates([Score((Note(0, 24, 60),)), Score((Note(0, 24, 72),))]) == [[0, 1]]


def _slow_groups(scores):
    """The plain Python twin: compares the phrases of every pair as tuples."""
    phrases = []
    for score in scores:
        tops = sorted({note.start_ticks: note.pitch for note in score.melody}.items())
        steps = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(tops, tops[1:])]
        phrases.append(
            {tuple(steps[i : i + PHRASE_STEPS]) for i in range(len(steps) - PHRASE_STEPS + 1)}
            or {tuple(steps)}
        )
    groups = [{place} for place in range(len(scores))]
    for one, other in itertools.combinations(range(len(scores)), 2):
        if len(phrases[one] & phrases[other]) >= SHARED_FRACTION * min(
            len(phrases[one]), len(phrases[other])
        ):
            merged = groups[one] | groups[other]
            for place in merged:
                groups[place] = merged
    return sorted({tuple(sorted(group)) for group in groups})


def test_the_hashed_search_finds_what_comparing_every_pair_finds():
    scores = [
        TUNE,
        *VARIANTS.values(),
        *OTHERS,
        *(_alter(TUNE, set(range(0, 70, step))) for step in (10, 13, 17, 20, 30)),
    ]
    assert [tuple(group) for group in group_duplicates(scores)] == _slow_groups(scores)


def test_the_known_duplicates_of_nottingham_are_grouped(nottingham_scores):
    names = list(nottingham_scores)
    groups = [
        {names[place] for place in group}
        for group in group_duplicates(list(nottingham_scores.values()))
    ]
    pairs = [
        "hpps24 hpps25",
        "jigs134 jigs136",
        "jigs155 jigs156",
        "jigs282 jigs283",
        "reelsa-c22 reelsm-q24",
    ]
    for pair in pairs:
        assert any(set(pair.split()) <= group for group in groups)
    assert [sum(len(group) == size for group in groups) for size in (1, 2, 3, 4)] == [956, 36, 2, 0]
