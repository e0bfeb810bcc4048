"""Claims about which tunes are versions of one tune."""

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


def shift_melody(score, ticks):
    """Returns the melody of a score, moved in time."""
    return tuple(
        dataclasses.replace(note, start_ticks=note.start_ticks + ticks) for note in score.melody
    )


def join(first, second):
    """Returns one tune after another, without chords."""
    return Score(first.melody + shift_melody(second, first.melody[-1].end_ticks))


def lower_notes(score, onset_indices):
    """Returns the melody of a tune with the notes at some onsets a semitone lower."""
    onsets = sorted({note.start_ticks for note in score.melody})
    lowered_onsets = {onsets[index] for index in onset_indices if index < len(onsets)}

    melody = []
    for note in score.melody:
        semitones = 1 if note.start_ticks in lowered_onsets else 0
        melody.append(dataclasses.replace(note, pitch=note.pitch - semitones))

    return Score(melody)


VARIANTS = {
    "transposed": transpose(TUNE, -5),
    "other chords": Score(TUNE.melody, (Chord(0, 96, (40, 50)),)),
    "a pick-up": join(Score((Note(0, 12, 70), Note(12, 12, 71))), TUNE),
    "a later start": Score(shift_melody(TUNE, 960)),
    "a repeat written out": join(TUNE, TUNE),
    "a part added": join(TUNE, transpose(OTHERS[0], 3)),
    "cut short": Score(TUNE.melody[: len(TUNE.melody) // 2]),
    "three notes changed": lower_notes(TUNE, {5, 40, 60}),
    "transposed and changed": transpose(lower_notes(TUNE, {30}), 7),
    "played staccato": Score([dataclasses.replace(note, duration_ticks=1) for note in TUNE.melody]),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_close_variant_is_grouped_with_its_tune(variant):
    scores = [OTHERS[1], TUNE, OTHERS[2], VARIANTS[variant]]

    assert group_duplicates(scores) == [[0], [1, 3], [2]]


def test_unrelated_tunes_stay_apart():
    assert group_duplicates(OTHERS) == [[index] for index in range(len(OTHERS))]


@pytest.mark.parametrize(
    "variant", ["transposed", "other chords", "a later start", "played staccato"]
)
def test_a_fingerprint_ignores_the_key_the_chords_and_the_articulation(variant):
    assert fingerprint(VARIANTS[variant]) == fingerprint(TUNE)


def test_a_fingerprint_depends_on_intervals_and_rhythm():
    tune = Score((Note(0, 24, 60), Note(24, 24, 62)))
    later = Score((Note(0, 24, 60), Note(36, 24, 62)))
    wider = Score((Note(0, 24, 60), Note(24, 24, 63)))

    assert len({fingerprint(score) for score in (tune, later, wider)}) == 3


def test_a_fingerprint_without_a_melody_depends_on_the_chords():
    chords = make_score(5, num_notes=0)
    other_chords = make_score(6, num_notes=0)

    assert fingerprint(chords) == fingerprint(transpose(chords, 2))
    assert fingerprint(chords) != fingerprint(other_chords)


def test_groups_are_transitive():
    medley = join(TUNE, OTHERS[0])

    assert group_duplicates([TUNE, OTHERS[1], OTHERS[0], medley]) == [[0, 2, 3], [1]]


def test_a_phrase_found_in_many_tunes_does_not_join_them():
    scale = Score(tuple(Note(12 * step, 12, 60 + step) for step in range(PHRASE_STEPS + 1)))
    tunes = [join(scale, make_score(seed, num_notes=20)) for seed in range(200, 230)]

    assert len(group_duplicates(tunes)) == 30


def test_any_number_of_copies_of_one_tune_are_grouped():
    copies = [transpose(TUNE, semitones) for semitones in range(-20, 20)]

    assert group_duplicates(copies) == [list(range(40))]


def test_an_empty_list_and_tunes_of_one_note_are_grouped():
    one_note = Score((Note(0, 24, 60),))

    assert group_duplicates([]) == []
    assert group_duplicates([one_note, transpose(one_note, 12)]) == [[0, 1]]


def phrases_of(score):
    """Returns the phrases of a tune as a set of tuples; a short tune is one phrase."""
    highest = {note.start_ticks: note.pitch for note in score.melody}
    onsets = sorted(highest.items())
    steps = [
        (after_tick - before_tick, after_pitch - before_pitch)
        for (before_tick, before_pitch), (after_tick, after_pitch) in itertools.pairwise(onsets)
    ]
    starts = range(len(steps) - PHRASE_STEPS + 1)

    return {tuple(steps[start : start + PHRASE_STEPS]) for start in starts} or {tuple(steps)}


def slow_group_duplicates(scores):
    """Groups tunes by comparing the phrases of every pair, without hashes."""
    phrases = [phrases_of(score) for score in scores]
    groups = [{index} for index in range(len(scores))]

    for one, other in itertools.combinations(range(len(scores)), 2):
        num_shared = len(phrases[one] & phrases[other])
        if num_shared >= SHARED_FRACTION * min(len(phrases[one]), len(phrases[other])):
            merged = groups[one] | groups[other]
            for index in merged:
                groups[index] = merged

    return sorted({tuple(sorted(group)) for group in groups})


def test_the_hashed_search_finds_what_a_comparison_of_every_pair_finds():
    changed = [lower_notes(TUNE, set(range(0, 70, period))) for period in (10, 13, 17, 20, 30)]
    scores = [TUNE, *VARIANTS.values(), *OTHERS, *changed]

    groups = [tuple(group) for group in group_duplicates(scores)]

    assert groups == slow_group_duplicates(scores)


def test_the_known_duplicates_of_nottingham_are_grouped(nottingham_scores):
    names = list(nottingham_scores)
    known_pairs = [
        {"hpps24", "hpps25"},
        {"jigs134", "jigs136"},
        {"jigs155", "jigs156"},
        {"jigs282", "jigs283"},
        {"reelsa-c22", "reelsm-q24"},
    ]

    groups = [
        {names[index] for index in group}
        for group in group_duplicates(list(nottingham_scores.values()))
    ]

    for pair in known_pairs:
        assert any(pair <= group for group in groups)
    num_groups_of_size = [sum(len(group) == size for group in groups) for size in (1, 2, 3, 4)]
    assert num_groups_of_size == [956, 36, 2, 0]
