"""An ordered set of events with a token id for each: what a tokenizer looks up."""

import collections
import functools
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from tfseqgan.music.chord_voicing import close_position
from tfseqgan.music.events import Event, check_event, join_pitches, split_pitches
from tfseqgan.music.nearest_event import NearestEvent

NUM_SPECIAL = 3
"""The ids 0 to 2 pad, start and end a tune; the ids of events follow."""

_NOTHING = (0, (), ())


def _to_event(row: Iterable[Any]) -> Event:
    """Returns six values as an `Event` of plain integers; raises ValueError or TypeError."""

    def to_integers(values: Iterable[Any]) -> tuple[int, ...]:
        return tuple(operator.index(value) for value in values)

    given = Event._make(row)
    event = Event(
        melody_duration=operator.index(given.melody_duration),
        melody_octaves=to_integers(given.melody_octaves),
        melody_pitch_classes=to_integers(given.melody_pitch_classes),
        chord_duration=operator.index(given.chord_duration),
        chord_octaves=to_integers(given.chord_octaves),
        chord_pitch_classes=to_integers(given.chord_pitch_classes),
    )
    check_event(event)

    return event


def transpose_event(event: Event, semitones: int, chord_octaves: bool = True) -> Event | None:
    """Moves the pitches of an event, or returns None if one would leave 0 to 127.

    Args:
        event: the event.
        semitones: how far up; negative for down.
        chord_octaves: whether chords keep their octaves; else they are written as
            `chord_voicing.close_position` says, in any key.

    Returns:
        The moved event with the same durations, or None.

    Example:
        >>> tuple(transpose_event(Event(24, (4,), (11,), 0, (), ()), 1))
        (24, (5,), (0,), 0, (), ())
    """

    def move(octaves: tuple[int, ...], pitch_classes: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(pitch + semitones for pitch in join_pitches(octaves, pitch_classes))

    melody = move(event.melody_octaves, event.melody_pitch_classes)
    chords = move(event.chord_octaves, event.chord_pitch_classes)
    if not chord_octaves:
        chords = close_position(chords)
    if any(not 0 <= pitch <= 127 for pitch in melody + chords):
        return None

    return Event(
        event.melody_duration,
        *split_pitches(melody),
        event.chord_duration,
        *split_pitches(chords),
    )


_REST_OF_VOICE = {
    True: Event(1, (), (), *_NOTHING),
    False: Event(*_NOTHING, 1, (), ()),
}
"""A rest of one tick by whether it is in the melody."""


def _kind(event: Event) -> tuple[bool, bool]:
    """Returns whether an event of one voice is in the melody, and whether it has pitches."""
    return event.melody_duration > 0, bool(event.melody_octaves or event.chord_octaves)


def _with_duration(event: Event, duration: int) -> Event:
    """Returns an event of one voice with another duration."""
    is_melody, _ = _kind(event)
    if is_melody:
        return event._replace(melody_duration=duration)

    return event._replace(chord_duration=duration)


def one_tick_rests(events: Iterable[Event]) -> list[Event]:
    """Returns a rest of one tick for each voice that some events of one voice each continue.

    With these in a vocabulary, every duration can be written (`Vocabulary.replace_in_time`).
    """
    is_melody = {_kind(event)[0] for event in events}

    return [_REST_OF_VOICE[voice] for voice in sorted(is_melody)]


def frequent_events(
    counts: collections.Counter[Event],
    minimum_count: int = 1,
    transpositions: Iterable[int] = (0,),
    chord_octaves: bool = True,
) -> list[Event]:
    """Chooses the events of a vocabulary, from frequent to rare; equals are sorted by value.

    Args:
        counts: how often each event occurs.
        minimum_count: how often an event must occur, with its transposed copies, 1 or more.
        transpositions: semitones; each event also counts as if it occurred moved by each of them.
        chord_octaves: as in `transpose_event`.

    Returns:
        The events.

    Example:
        >>> note = Event(24, (4,), (0,), 0, (), ())
        >>> len(frequent_events(collections.Counter([note]), transpositions=range(-5, 7)))
        12
    """
    in_all_keys: collections.Counter[Event] = collections.Counter()
    for semitones in transpositions:
        for event, count in counts.items():
            moved = transpose_event(event, semitones, chord_octaves)
            if moved is not None:
                in_all_keys[moved] += count

    frequent = [(-count, event) for event, count in in_all_keys.items() if count >= minimum_count]

    return [event for _, event in sorted(frequent)]


class Vocabulary:
    """Distinct events in the order of their ids, which start at `NUM_SPECIAL`.

    Args:
        events: each an `Event`, or a sequence of its six fields.

    Raises:
        ValueError: if there are no events, or one is malformed or given twice.

    Example:
        >>> vocabulary = Vocabulary([Event(24, (4,), (0,), 0, (), ())])
        >>> vocabulary.ids[vocabulary.events[0]], len(vocabulary)
        (3, 4)
    """

    def __init__(self, events: Iterable[Iterable[Any]]) -> None:
        self.events: tuple[Event, ...] = tuple(_to_event(event) for event in events)
        self.ids = {event: token for token, event in enumerate(self.events, NUM_SPECIAL)}
        self._nearest_ids: dict[Event, int] = {}

        if not self.events:
            raise ValueError(
                "The vocabulary is empty: expected at least one event. Fit the tokenizer on tunes "
                "with notes, or lower minimum_count."
            )

        if len(self.ids) < len(self.events):
            repeated, count = collections.Counter(self.events).most_common(1)[0]
            raise ValueError(
                "The vocabulary holds an event more than once: expected distinct events, received "
                f"{repeated} {count} times. Remove the copies."
            )

    def __len__(self) -> int:
        """The number of token ids, with the special ones."""
        return NUM_SPECIAL + len(self.events)

    @functools.cached_property
    def features(self) -> np.ndarray:
        """The six fields of each token's event, as indices: int32 [V, 6], read-only.

        The distinct values of each field are sorted, and a feature is an index into them. Index 0
        is no duration, no octaves or no pitch classes. The special tokens have zeros.
        """
        features = np.zeros((len(self), len(Event._fields)), np.int32)  # [V, 6]

        for column, values in enumerate(zip(*self.events, strict=True)):
            is_duration = column in (0, 3)
            nothing = 0 if is_duration else ()
            distinct = sorted({nothing, *values})
            index_of = {value: index for index, value in enumerate(distinct)}
            features[NUM_SPECIAL:, column] = [index_of[value] for value in values]

        features.setflags(write=False)

        return features

    @functools.cached_property
    def durations(self) -> np.ndarray:
        """How long each token lasts in melody and chords, in ticks: int32 [V, 2], read-only."""
        durations = np.zeros((len(self), 2), np.int32)  # [V, 2]
        durations[NUM_SPECIAL:, 0] = [event.melody_duration for event in self.events]
        durations[NUM_SPECIAL:, 1] = [event.chord_duration for event in self.events]
        durations.setflags(write=False)

        return durations

    @functools.cached_property
    def pitch_classes(self) -> np.ndarray:
        """1 + the pitch class of each token's highest melody note and of its bass: int32 [V, 2]."""
        classes = np.zeros((len(self), 2), np.int32)  # [V, 2]
        for token, event in enumerate(self.events, NUM_SPECIAL):
            melody = join_pitches(event.melody_octaves, event.melody_pitch_classes)
            chord = join_pitches(event.chord_octaves, event.chord_pitch_classes)
            classes[token, 0] = 1 + max(melody) % 12 if melody else 0
            classes[token, 1] = 1 + min(chord) % 12 if chord else 0

        return classes

    @functools.cached_property
    def durations_of(self) -> list[list[int]]:
        """The rows of `durations` as plain integers."""
        return self.durations.tolist()

    @functools.cached_property
    def _nearest(self) -> NearestEvent:
        return NearestEvent(self.events)

    def nearest(self, event: Event) -> int:
        """Returns the id of the nearest known event (`NearestEvent`)."""
        if event not in self._nearest_ids:
            self._nearest_ids[event] = NUM_SPECIAL + self._nearest.nearest(event)

        return self._nearest_ids[event]

    @functools.cached_property
    def _durations_by_kind(self) -> dict[tuple[bool, bool], list[int]]:
        """The durations of events of one voice by (is melody, has pitches), the longest first."""
        durations: dict[tuple[bool, bool], set[int]] = collections.defaultdict(set)
        for event in self.events:
            durations[_kind(event)].add(event.melody_duration + event.chord_duration)

        return {kind: sorted(values, reverse=True) for kind, values in durations.items()}

    def replace_in_time(self, event: Event) -> list[int]:
        """Finds known events that replace an unknown one of one voice, and last as long together.

        The first is the nearest of those that do not last longer; rests fill what it leaves.

        Args:
            event: an event with one half that is not (0, (), ()).

        Returns:
            Token ids.

        Raises:
            ValueError: if the vocabulary lacks the rest of one tick that fills any duration.
        """
        is_melody, has_pitches = _kind(event)
        left = event.melody_duration + event.chord_duration
        ids = []
        while left:
            durations = self._durations_by_kind.get((is_melody, has_pitches), [])
            fitting = next((duration for duration in durations if duration <= left), None)
            if fitting is not None:
                ids.append(self.nearest(_with_duration(event, fitting)))
                left -= fitting
            elif not has_pitches:
                raise ValueError(
                    f"{event} cannot be written: expected a rest of one tick in the vocabulary, "
                    "to fill any duration. Fit the tokenizer with interleave=True."
                )

            has_pitches = False
            event = _with_duration(_REST_OF_VOICE[is_melody], left)

        return ids

    def transposed_ids(self, semitones: int, chord_octaves: bool = True) -> np.ndarray:
        """Finds the id of each token's event moved by some semitones.

        Args:
            semitones: how far up; negative for down.
            chord_octaves: as in `transpose_event`.

        Returns:
            int32 [V]; −1 where the moved event is not in the vocabulary. Special tokens keep their
            ids.
        """
        ids = np.arange(len(self), dtype=np.int32)
        for token, event in enumerate(self.events, NUM_SPECIAL):
            moved = transpose_event(event, semitones, chord_octaves)
            ids[token] = -1 if moved is None else self.ids.get(moved, -1)

        return ids
