"""Claims about tfseqgan.neighbours."""

import pytest

from tfseqgan.music.events import Event, join_pitches, score_to_events
from tfseqgan.music.nearest_event import NearestEvent

NOTHING, REST = (0, (), ()), (24, (), ())
G7 = (*NOTHING, 96, (3, 3, 3, 3), (2, 5, 7, 11))


def _slow_nearest(known, event):
    """The plain Python twin: compares the four distances one after the other."""

    def distance(other):
        kinds = ticks = classes = semitones = 0
        for half in (slice(0, 3), slice(3, 6)):
            (ours, our_octaves, our_classes), (theirs, their_octaves, their_classes) = (
                event[half],
                other[half],
            )
            kinds += (bool(our_octaves), bool(ours or our_octaves)) != (
                bool(their_octaves),
                bool(theirs or their_octaves),
            )
            ticks += abs(ours - theirs)
            classes += len(set(our_classes) ^ set(their_classes))
            tops = [
                max(join_pitches(*pitches), default=0)
                for pitches in ((our_octaves, our_classes), (their_octaves, their_classes))
            ]
            semitones += abs(tops[0] - tops[1])
        return kinds, ticks, classes, semitones

    return min(range(len(known)), key=lambda place: distance(known[place]))


def test_the_fast_search_finds_what_the_slow_one_finds(random_scores):
    events = sorted({event for score in random_scores for event in score_to_events(score)[1]})
    known, unknown = events[::3], events[1::3][:120]
    neighbours = NearestEvent(known)
    assert [neighbours.nearest(event) for event in unknown] == [
        _slow_nearest(known, event) for event in unknown
    ]


@pytest.mark.parametrize(
    "unknown, known, expected",
    [
        (
            Event(24, (4,), (0,), *NOTHING),
            [Event(*REST, *NOTHING), Event(96, (6,), (5,), *NOTHING)],
            1,
        ),
        (
            Event(24, (4,), (0,), *NOTHING),
            [Event(12, (4,), (0,), *NOTHING), Event(24, (6,), (5,), *NOTHING)],
            1,
        ),
        (
            Event(24, (4,), (0,), *NOTHING),
            [Event(24, (4,), (1,), *NOTHING), Event(24, (6,), (0,), *NOTHING)],
            1,
        ),
        (
            Event(24, (4,), (0,), *NOTHING),
            [Event(24, (6,), (0,), *NOTHING), Event(24, (5,), (0,), *NOTHING)],
            1,
        ),
        (
            Event(24, (4,), (0,), *NOTHING),
            [Event(24, (3,), (0,), *NOTHING), Event(24, (5,), (0,), *NOTHING)],
            0,
        ),
        (
            Event(*G7),
            [Event(*NOTHING, 96, (3, 3), (2, 7)), Event(*NOTHING, 96, (3, 3, 3), (2, 7, 11))],
            1,
        ),
    ],
    ids=[
        "what starts",
        "then durations",
        "then pitch classes",
        "then octaves",
        "then the more frequent",
        "chords by shared classes",
    ],
)
def test_time_comes_before_pitch(unknown, known, expected):
    assert NearestEvent(known).nearest(unknown) == expected


def test_a_known_event_is_its_own_neighbour(random_scores):
    known = sorted(set(score_to_events(random_scores[0])[1]))
    assert [NearestEvent(known).nearest(event) for event in known] == list(range(len(known)))
