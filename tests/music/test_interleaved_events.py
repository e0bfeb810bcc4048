"""Claims about tfseqgan.music.interleaved_events."""

import collections

from tfseqgan.music.events import Event, score_to_events
from tfseqgan.music.interleaved_events import (
    interleaved_events_to_score,
    score_to_interleaved_events,
)
from tfseqgan.music.score import Chord, Note, Score

NOTHING = (0, (), ())


def voices_of(events):
    """Returns the halves of events that start something, of the melody and of the chords."""
    melody = [event[:3] for event in events if event[:3] != NOTHING]
    chords = [event[3:] for event in events if event[3:] != NOTHING]

    return melody, chords


def test_interleaved_events_give_the_score_back_note_for_note(random_scores):
    for score in random_scores:
        _, events = score_to_interleaved_events(score)

        assert interleaved_events_to_score(events, name=score.name) == score


def test_each_event_starts_one_voice(random_scores):
    for score in random_scores:
        _, events = score_to_interleaved_events(score)

        for event in events:
            assert (event[:3] == NOTHING) != (event[3:] == NOTHING)


def test_they_are_the_halves_of_the_combined_events_in_order(random_scores):
    for score in random_scores:
        ticks, combined = score_to_events(score)
        interleaved_ticks, events = score_to_interleaved_events(score)

        assert voices_of(events) == voices_of(combined)
        assert interleaved_ticks == sorted(interleaved_ticks)
        assert set(interleaved_ticks) == set(ticks)


def test_at_each_tick_the_chord_comes_first(random_scores):
    for score in random_scores:
        by_tick = collections.defaultdict(list)
        for tick, event in zip(*score_to_interleaved_events(score), strict=True):
            by_tick[tick].append("chords" if event.chord_duration else "melody")

        assert all(voices in (["chords", "melody"], [voices[0]]) for voices in by_tick.values())


def test_both_voices_last_equally_long(random_scores):
    for score in random_scores:
        _, events = score_to_interleaved_events(score)

        melody_ticks = sum(event.melody_duration for event in events)
        chord_ticks = sum(event.chord_duration for event in events)
        assert melody_ticks == (score.end_ticks if score.melody else 0)
        assert chord_ticks == (score.end_ticks if score.chords else 0)


def test_a_tune_of_one_voice_has_events_of_that_voice_alone():
    tune = Score((Note(24, 24, 60),))

    _, events = score_to_interleaved_events(tune)

    assert events == [Event(24, (), (), *NOTHING), Event(24, (4,), (0,), *NOTHING)]


def test_an_empty_score_has_no_events():
    assert score_to_interleaved_events(Score(())) == ([], [])
    assert interleaved_events_to_score([]) == Score(())


def test_any_order_of_the_voices_reads_as_the_same_runs():
    tune = Score(
        (Note(0, 24, 60), Note(24, 24, 62), Note(72, 24, 64)),
        (Chord(0, 48, (43, 47)), Chord(48, 48, (45, 48))),
    )
    _, events = score_to_interleaved_events(tune)
    melody_first = sorted(events, key=lambda event: event.melody_duration == 0)

    assert melody_first != events
    assert interleaved_events_to_score(melody_first) == tune
