"""Claims about tfseqgan.events."""

import numpy as np
import pytest

from tfseqgan.music.events import (
    LONGEST_REST_TICKS,
    Event,
    check_event,
    events_to_score,
    join_pitches,
    score_to_events,
    split_pitches,
)
from tfseqgan.music.score import LONGEST_TICKS, Chord, Note, Score

C, D, REST, NOTHING = (24, (4,), (0,)), (24, (4,), (2,)), (24, (), ()), (0, (), ())
G_CHORD = (96, (3, 2, 2), (2, 7, 11))


def test_octave_4_and_pitch_class_0_are_middle_c():
    assert join_pitches((4,), (0,)) == (60,) and split_pitches((60,)) == ((4,), (0,))


def test_every_set_of_pitches_is_joined_as_it_was_split():
    rng = np.random.default_rng(0)
    for size in (0, 1, 2, 5, 60, 128):
        pitches = tuple(sorted(rng.choice(128, size, replace=False).tolist()))
        octaves, classes = split_pitches(pitches)
        assert join_pitches(octaves, classes) == pitches
        assert list(zip(classes, octaves)) == sorted(zip(classes, octaves))


def test_events_give_the_score_back_note_for_note(random_scores):
    for score in random_scores:
        _, events = score_to_events(score)
        back = events_to_score(events, name=score.name)
        assert back == score
        for event in events:
            check_event(event)


def test_an_event_stands_at_every_onset_of_either_part(random_scores):
    for score in random_scores:
        ticks, _ = score_to_events(score)
        onsets = {note.start_ticks for note in score.melody} | {
            chord.start_ticks for chord in score.chords
        }
        assert onsets <= set(ticks) and ticks == sorted(set(ticks)) and (not ticks or ticks[0] == 0)


def test_each_part_is_a_gapless_run_until_both_end(random_scores):
    for score in random_scores:
        _, events = score_to_events(score)
        totals = [sum(event[half] for event in events) for half in (0, 3)]
        assert totals == [score.end_ticks * bool(part) for part in (score.melody, score.chords)]


def test_long_rests_are_split():
    ticks, events = score_to_events(Score((Note(200, 24, 60),)))
    assert ticks == [0, 96, 192, 200]
    assert [event.melody_duration for event in events] == [
        LONGEST_REST_TICKS,
        LONGEST_REST_TICKS,
        8,
        24,
    ]


def test_a_part_without_notes_says_nothing_throughout():
    _, events = score_to_events(Score((Note(0, 24, 60), Note(48, 24, 60))))
    assert {event[3:] for event in events} == {NOTHING}


def test_an_empty_score_has_no_events():
    assert score_to_events(Score(())) == ([], []) and events_to_score([]) == Score(())


def test_the_next_event_stands_where_the_earlier_part_ends():
    score = events_to_score(
        [Event(*C, *G_CHORD), Event(*D, *NOTHING), Event(*NOTHING, *NOTHING), Event(*C, *G_CHORD)]
    )
    assert [note.start_ticks for note in score.melody] == [0, 24, 96]
    assert [chord.start_ticks for chord in score.chords] == [0, 96]


def test_a_part_struck_while_it_sounds_is_cut_there():
    score = events_to_score([Event(*C, *G_CHORD), Event(*D, *G_CHORD)])
    assert score.chords == (Chord(0, 24, (43, 47, 50)), Chord(24, 96, (43, 47, 50)))


def test_a_rest_cuts_what_sounds_too():
    assert events_to_score([Event(*C, *G_CHORD), Event(*D, *REST)]).chords == (
        Chord(0, 24, (43, 47, 50)),
    )


def test_a_part_that_ended_is_silent_until_struck_again():
    score = events_to_score([Event(*C, *REST), Event(*NOTHING, *G_CHORD), Event(*D, *NOTHING)])
    assert score.melody == (Note(0, 24, 60), Note(120, 24, 62)) and score.chords == (
        Chord(24, 96, (43, 47, 50)),
    )


def test_where_nothing_sounds_the_next_event_stands_at_the_same_tick():
    assert events_to_score([Event(*NOTHING, *NOTHING)] * 5 + [Event(*C, *NOTHING)]).melody == (
        Note(0, 24, 60),
    )


def test_an_ornament_is_not_played_and_takes_no_time():
    ornament = Event(0, (4,), (11,), *NOTHING)
    score = events_to_score([Event(*C, *G_CHORD), ornament, Event(*D, *NOTHING)])
    assert score.melody == (Note(0, 24, 60), Note(24, 24, 62)) and score.chords == (
        Chord(0, 96, (43, 47, 50)),
    )


@pytest.mark.parametrize(
    "event",
    [
        Event(-1, (), (), *NOTHING),
        Event(*NOTHING, LONGEST_TICKS + 1, (), ()),
        Event(24, (4, 4), (0,), *NOTHING),
        Event(24, (4, 4), (2, 0), *NOTHING),
        Event(24, (4, 4), (0, 0), *NOTHING),
        Event(24, (4,), (12,), *NOTHING),
        Event(*NOTHING, 24, (9,), (8,)),
        Event(*NOTHING, 24, (-2,), (8,)),
    ],
)
def test_an_event_that_cannot_be_decoded_is_refused(event):
    with pytest.raises(ValueError, match="Event"):
        check_event(event)
