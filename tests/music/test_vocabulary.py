"""Claims about tfseqgan.music.vocabulary."""

import collections

import numpy as np
import pytest

from tfseqgan.music.events import Event
from tfseqgan.music.vocabulary import (
    NUM_SPECIAL,
    Vocabulary,
    frequent_events,
    one_tick_rests,
    transpose_event,
)

NOTHING = (0, (), ())
C = Event(24, (4,), (0,), *NOTHING)
D = Event(24, (4,), (2,), *NOTHING)
HALF_C = Event(48, (4,), (0,), *NOTHING)
G_CHORD = Event(*NOTHING, 96, (2,), (7,))
REST = Event(24, (), (), *NOTHING)


def durations_of(vocabulary, ids):
    return [int(vocabulary.durations[token].sum()) for token in ids]


def test_durations_are_those_of_the_events_and_0_for_the_special_tokens():
    vocabulary = Vocabulary([C, G_CHORD, Event(12, (4,), (0,), 48, (2,), (7,))])

    assert vocabulary.durations.dtype == np.int32
    assert vocabulary.durations.tolist() == [[0, 0], [0, 0], [0, 0], [24, 0], [0, 96], [12, 48]]
    with pytest.raises(ValueError, match="read-only"):
        vocabulary.durations[0, 0] = 1


@pytest.mark.parametrize("semitones", [-5, 0, 1, 12])
def test_a_transposed_event_keeps_its_durations_and_moves_its_pitches(semitones):
    event = Event(24, (5, 4), (2, 11), 48, (2,), (7,))

    moved = transpose_event(event, semitones)

    assert transpose_event(moved, -semitones) == event
    assert (moved.melody_duration, moved.chord_duration) == (24, 48)


def test_an_event_that_would_leave_the_range_of_midi_has_no_transposition():
    lowest = Event(24, (-1,), (0,), *NOTHING)

    assert transpose_event(lowest, -1) is None
    assert transpose_event(lowest, 1) is not None


def test_a_vocabulary_in_all_keys_is_closed_under_their_transpositions():
    counts = collections.Counter([C, C, D, G_CHORD, REST])

    vocabulary = Vocabulary(frequent_events(counts, transpositions=range(-5, 7)))

    for event in counts:
        token = vocabulary.ids[event]
        for semitones in range(-5, 7):
            moved = vocabulary.transposed_ids(semitones)[token]
            assert vocabulary.events[moved - NUM_SPECIAL] == transpose_event(event, semitones)


def test_special_tokens_and_rests_are_the_same_in_every_key():
    vocabulary = Vocabulary([C, REST])

    assert vocabulary.transposed_ids(3).tolist() == [0, 1, 2, -1, 4]


def test_a_replaced_event_of_a_known_duration_is_one_event_of_that_duration():
    vocabulary = Vocabulary([C, HALF_C, D])

    ids = vocabulary.replace_in_time(Event(24, (4,), (3,), *NOTHING))

    assert [vocabulary.events[token - NUM_SPECIAL] for token in ids] == [D]


@pytest.mark.parametrize("duration", [1, 5, 30, 49, 200])
@pytest.mark.parametrize("pitches", [((), ()), ((4,), (0,))])
def test_a_replaced_event_lasts_as_long_as_the_unknown_one(duration, pitches):
    vocabulary = Vocabulary([C, HALF_C, REST, G_CHORD, *one_tick_rests([C, G_CHORD])])
    unknown = Event(duration, *pitches, *NOTHING)

    ids = vocabulary.replace_in_time(unknown)

    assert sum(durations_of(vocabulary, ids)) == duration
    assert all(vocabulary.durations[token, 0] > 0 for token in ids)


def test_a_replaced_chord_stays_in_the_chords():
    vocabulary = Vocabulary([C, G_CHORD, *one_tick_rests([C, G_CHORD])])

    ids = vocabulary.replace_in_time(Event(*NOTHING, 97, (2,), (0,)))

    assert vocabulary.events[ids[0] - NUM_SPECIAL] == G_CHORD
    assert durations_of(vocabulary, ids) == [96, 1]
    assert all(vocabulary.durations[token, 1] > 0 for token in ids)


def test_without_a_rest_that_fills_the_time_the_event_is_refused():
    vocabulary = Vocabulary([C])

    with pytest.raises(ValueError, match="expected a rest of one tick"):
        vocabulary.replace_in_time(Event(30, (4,), (0,), *NOTHING))
