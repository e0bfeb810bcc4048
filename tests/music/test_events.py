"""Claims about tfseqgan.music.events."""

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

# Halves of events.
C = (24, (4,), (0,))
D = (24, (4,), (2,))
REST = (24, (), ())
NOTHING = (0, (), ())
G_CHORD = (96, (3, 2, 2), (2, 7, 11))


def test_octave_4_and_pitch_class_0_are_middle_c():
    assert join_pitches((4,), (0,)) == (60,)
    assert split_pitches((60,)) == ((4,), (0,))


def test_joining_split_pitches_gives_them_back():
    rng = np.random.default_rng(0)
    for size in (0, 1, 2, 5, 60, 128):
        pitches = tuple(sorted(rng.choice(128, size, replace=False).tolist()))

        octaves, classes = split_pitches(pitches)

        assert join_pitches(octaves, classes) == pitches
        pairs = list(zip(classes, octaves, strict=True))
        assert pairs == sorted(pairs)


def test_events_give_the_score_back_note_for_note(random_scores):
    for score in random_scores:
        _, events = score_to_events(score)

        assert events_to_score(events, name=score.name) == score
        for event in events:
            check_event(event)


def test_there_is_an_event_at_every_onset_of_either_voice(random_scores):
    for score in random_scores:
        ticks, _ = score_to_events(score)

        onsets = {event.start_ticks for event in [*score.melody, *score.chords]}
        assert onsets <= set(ticks)
        assert ticks == sorted(set(ticks))
        assert not ticks or ticks[0] == 0


def test_each_voice_has_no_gaps_until_both_end(random_scores):
    for score in random_scores:
        _, events = score_to_events(score)

        melody_ticks = sum(event.melody_duration for event in events)
        chord_ticks = sum(event.chord_duration for event in events)
        assert melody_ticks == (score.end_ticks if score.melody else 0)
        assert chord_ticks == (score.end_ticks if score.chords else 0)


def test_long_rests_are_split():
    ticks, events = score_to_events(Score((Note(200, 24, 60),)))

    assert ticks == [0, 96, 192, 200]
    durations = [event.melody_duration for event in events]
    assert durations == [LONGEST_REST_TICKS, LONGEST_REST_TICKS, 8, 24]


def test_a_voice_without_notes_is_nothing_in_every_event():
    _, events = score_to_events(Score((Note(0, 24, 60), Note(48, 24, 60))))

    assert {event[3:] for event in events} == {NOTHING}


def test_an_empty_score_has_no_events():
    assert score_to_events(Score(())) == ([], [])
    assert events_to_score([]) == Score(())


def test_the_next_event_happens_where_the_first_voice_ends():
    score = events_to_score(
        [
            Event(*C, *G_CHORD),
            Event(*D, *NOTHING),
            Event(*NOTHING, *NOTHING),
            Event(*C, *G_CHORD),
        ]
    )

    assert [note.start_ticks for note in score.melody] == [0, 24, 96]
    assert [chord.start_ticks for chord in score.chords] == [0, 96]


def test_notes_that_start_end_what_sounds_in_their_voice():
    score = events_to_score([Event(*C, *G_CHORD), Event(*D, *G_CHORD)])

    assert score.chords == (Chord(0, 24, (43, 47, 50)), Chord(24, 96, (43, 47, 50)))


def test_a_rest_ends_what_sounds_in_its_voice():
    score = events_to_score([Event(*C, *G_CHORD), Event(*D, *REST)])

    assert score.chords == (Chord(0, 24, (43, 47, 50)),)


def test_a_voice_that_ended_is_silent_until_notes_start_in_it_again():
    score = events_to_score([Event(*C, *REST), Event(*NOTHING, *G_CHORD), Event(*D, *NOTHING)])

    assert score.melody == (Note(0, 24, 60), Note(120, 24, 62))
    assert score.chords == (Chord(24, 96, (43, 47, 50)),)


def test_if_both_voices_are_silent_the_next_event_happens_at_the_same_tick():
    score = events_to_score([Event(*NOTHING, *NOTHING)] * 5 + [Event(*C, *NOTHING)])

    assert score.melody == (Note(0, 24, 60),)


def test_an_ornament_is_not_played_and_takes_no_time():
    ornament = Event(0, (4,), (11,), *NOTHING)

    score = events_to_score([Event(*C, *G_CHORD), ornament, Event(*D, *NOTHING)])

    assert score.melody == (Note(0, 24, 60), Note(24, 24, 62))
    assert score.chords == (Chord(0, 96, (43, 47, 50)),)


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
    ids=[
        "negative duration",
        "too long",
        "an octave too many",
        "classes out of order",
        "a pitch twice",
        "class 12",
        "too high",
        "too low",
    ],
)
def test_an_event_that_cannot_be_decoded_is_refused(event):
    with pytest.raises(ValueError, match="Event"):
        check_event(event)
