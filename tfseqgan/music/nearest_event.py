"""The known event that is nearest to an unknown one: what replaces a rare token."""

from collections.abc import Sequence

import numpy as np

from tfseqgan.music.events import Event, join_pitches

_NOTHING = 0
_REST = 1
_NOTES = 2


def _features(event: Event) -> list[int]:
    """Returns the 30 numbers that distances compare.

    These are 2 kinds of what starts, 2 durations, 2 highest pitches and 2 x 12 flags of pitch
    classes, each for the melody and the chords.
    """
    kinds = []
    durations = []
    top_pitches = []
    has_pitch_class: list[int] = []
    for duration, octaves, pitch_classes in (event[:3], event[3:]):
        if octaves:
            kinds.append(_NOTES)
        else:
            kinds.append(_REST if duration else _NOTHING)

        durations.append(duration)
        top_pitches.append(max(join_pitches(octaves, pitch_classes), default=0))
        has_pitch_class.extend(int(pitch_class in pitch_classes) for pitch_class in range(12))

    return kinds + durations + top_pitches + has_pitch_class


class NearestEvent:
    """Finds the known event that changes a tune least when it replaces another event.

    Time counts more than pitch, because a changed duration moves everything after it. Events are
    compared by these differences. A later one counts only if the earlier ones are equal:

    1. the number of voices in which something else starts (notes, a rest, nothing);
    2. the ticks between the durations;
    3. the number of pitch classes that only one of the two events has;
    4. the semitones between the highest pitches.

    Of equally near events, the first one known is chosen.

    Args:
        events: the known events, at least one.

    Example:
        >>> from tfseqgan.music.events import Event
        >>> known = [Event(24, (4,), (0,), 0, (), ()), Event(12, (4,), (2,), 0, (), ())]
        >>> NearestEvent(known).nearest(Event(24, (4,), (2,), 0, (), ()))
        0
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self._known = np.array([_features(event) for event in events], np.int64)  # [V, 30]

    def nearest(self, event: Event) -> int:
        """Finds the nearest known event.

        Args:
            event: any event.

        Returns:
            The index of the nearest event among the known ones.
        """
        features = np.array(_features(event), np.int64)  # [30]
        differences = np.abs(self._known - features)  # [V, 30]

        kinds = (differences[:, 0:2] > 0).sum(axis=1)  # [V]
        ticks = differences[:, 2:4].sum(axis=1)  # [V]
        semitones = differences[:, 4:6].sum(axis=1)  # [V]
        pitch_classes = differences[:, 6:].sum(axis=1)  # [V]

        # One integer that orders by kinds first, then ticks, then pitch classes, then semitones:
        # each factor is larger than the largest number that is added after it.
        distance = kinds
        distance = distance * 2**14 + ticks  # at most 2 x 6144
        distance = distance * 2**5 + pitch_classes  # at most 24
        distance = distance * 2**8 + semitones  # at most 2 x 127

        return int(np.argmin(distance))
