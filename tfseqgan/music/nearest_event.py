"""The nearest known event to an unknown one: how a rare token is replaced."""

import numpy as np

from tfseqgan.music.events import join_pitches


def _describe(event):
    """Returns an event as integers: what starts (2), durations (2), highest pitches (2), pitch classes (24)."""
    halves = (event[:3], event[3:])
    kinds = [
        0 if not (duration or octaves) else 2 if octaves else 1 for duration, octaves, _ in halves
    ]
    durations = [duration for duration, *_ in halves]
    heights = [max(join_pitches(octaves, classes), default=0) for _, octaves, classes in halves]
    classes = [int(pitch_class in half[2]) for half in halves for pitch_class in range(12)]
    return kinds + durations + heights + classes


class NearestEvent:
    """Finds, among known events, the one that disturbs a tune least in place of another.

    Time comes before pitch, since a changed duration moves all that follows. In order of weight, and the earliest known event where all are
    equal:
    1. the parts in which something else starts (a note, a rest, nothing);
    2. the ticks by which the durations differ;
    3. the pitch classes that one has and the other has not;
    4. the semitones between the highest pitches.

    Args:
        events: the known events, a non-empty sequence of `Event`.

    Example:
        >>> from tfseqgan.music.events import Event
        >>> known = [Event(24, (4,), (0,), 0, (), ()), Event(12, (4,), (2,), 0, (), ())]
        >>> NearestEvent(known).nearest(Event(24, (4,), (2,), 0, (), ()))
        0
    """

    def __init__(self, events):
        self._known = np.array([_describe(event) for event in events], np.int64)  # [V, 30]

    def nearest(self, event):
        """Returns the place of the nearest known event in the sequence given."""
        distance = np.abs(self._known - np.array(_describe(event), np.int64))  # [V, 30]
        other_kinds = (distance[:, 0:2] > 0).sum(axis=1)  # [V], at most 2
        ticks, semitones, classes = (
            distance[:, 2:4].sum(axis=1),
            distance[:, 4:6].sum(axis=1),
            distance[:, 6:].sum(axis=1),
        )
        # each weight exceeds all that the later ones can add up to: 2 x 6144 ticks, 24 classes, 2 x 127 semitones
        return int(np.argmin(((other_kinds * 2**14 + ticks) * 2**5 + classes) * 2**8 + semitones))
