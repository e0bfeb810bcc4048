"""Claims about tfseqgan.music.nearest_event."""

import pytest

from tfseqgan.music.events import Event, join_pitches, score_to_events
from tfseqgan.music.nearest_event import NearestEvent

NOTHING = (0, (), ())
REST = (24, (), ())


def melody(duration, octaves, pitch_classes):
    """Returns an event in which only the melody starts something."""
    return Event(duration, octaves, pitch_classes, *NOTHING)


def chord(duration, octaves, pitch_classes):
    """Returns an event in which only the chords start something."""
    return Event(*NOTHING, duration, octaves, pitch_classes)


def kind(duration, octaves):
    """Returns what starts in one voice."""
    if octaves:
        return "notes"
    return "rest" if duration else "nothing"


def differences(event, other):
    """Returns the four differences of two events in the order in which they count."""
    kinds = ticks = classes = semitones = 0
    for half, other_half in ((event[:3], other[:3]), (event[3:], other[3:])):
        kinds += kind(*half[:2]) != kind(*other_half[:2])
        ticks += abs(half[0] - other_half[0])
        classes += len(set(half[2]) ^ set(other_half[2]))

        top = max(join_pitches(*half[1:]), default=0)
        other_top = max(join_pitches(*other_half[1:]), default=0)
        semitones += abs(top - other_top)

    return kinds, ticks, classes, semitones


def slow_nearest(known, event):
    """Returns the index of the nearest event in plain Python, by comparing tuples."""
    return min(range(len(known)), key=lambda index: differences(event, known[index]))


def test_the_fast_search_finds_what_the_slow_one_finds(random_scores):
    events = sorted({event for score in random_scores for event in score_to_events(score)[1]})
    known = events[::3]
    unknown = events[1::3][:120]

    nearest_event = NearestEvent(known)

    found = [nearest_event.nearest(event) for event in unknown]
    assert found == [slow_nearest(known, event) for event in unknown]


@pytest.mark.parametrize(
    "known, expected",
    [
        ([melody(*REST), melody(96, (6,), (5,))], 1),
        ([melody(12, (4,), (0,)), melody(24, (6,), (5,))], 1),
        ([melody(24, (4,), (1,)), melody(24, (6,), (0,))], 1),
        ([melody(24, (6,), (0,)), melody(24, (5,), (0,))], 1),
        ([melody(24, (3,), (0,)), melody(24, (5,), (0,))], 0),
    ],
    ids=[
        "what starts",
        "then durations",
        "then pitch classes",
        "then the highest pitch",
        "then the first known",
    ],
)
def test_time_counts_more_than_pitch(known, expected):
    unknown = melody(24, (4,), (0,))

    assert NearestEvent(known).nearest(unknown) == expected


def test_chords_are_compared_by_their_shared_pitch_classes():
    g7 = chord(96, (3, 3, 3, 3), (2, 5, 7, 11))
    known = [chord(96, (3, 3), (2, 7)), chord(96, (3, 3, 3), (2, 7, 11))]

    assert NearestEvent(known).nearest(g7) == 1


def test_a_known_event_is_nearest_to_itself(random_scores):
    _, events = score_to_events(random_scores[0])
    known = sorted(set(events))

    nearest_event = NearestEvent(known)

    assert [nearest_event.nearest(event) for event in known] == list(range(len(known)))
