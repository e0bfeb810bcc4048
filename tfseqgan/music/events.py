"""A score as a sequence of events, and back: what one token means, before any vocabulary.

Each voice of the score, melody and chords, is written as notes and rests without gaps from tick 0.
There is an event at every tick where a note or rest of either voice starts, and it says what
starts there. Its time is not stored, because it follows from the durations before it.
"""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tfseqgan.music.score import LONGEST_TICKS, Chord, Note, Score

LONGEST_REST_TICKS = 96
"""Longer rests are split into rests of this length, a bar of 4/4, to keep the vocabulary small."""


class Event(NamedTuple):
    """What starts at one tick: three fields for the melody and three for the chords.

    The three fields of one voice are called its half of the event. A half is one of:

    - a duration and pitches: a note or chord starts;
    - a duration without pitches: a rest starts;
    - (0, (), ()): nothing starts, because the voice still sounds or has ended;
    - pitches without a duration: an ornament that takes no time (only in the lee2017 tokens).

    Args:
        melody_duration: ticks, 0 to `LONGEST_TICKS`.
        melody_octaves: one octave number for each pitch class; octave o and pitch class c mean the
            MIDI pitch 12 (o + 1) + c.
        melody_pitch_classes: 0 (C) to 11 (B), rising; of equal classes the lower octave is first.
        chord_duration: as for the melody.
        chord_octaves: as for the melody.
        chord_pitch_classes: as for the melody.

    Reference:
        Lee et al. 2017, "A SeqGAN for Polyphonic Music Generation", section 3.
    """

    melody_duration: int
    melody_octaves: tuple[int, ...]
    melody_pitch_classes: tuple[int, ...]
    chord_duration: int
    chord_octaves: tuple[int, ...]
    chord_pitch_classes: tuple[int, ...]


_Half = tuple[int, tuple[int, ...], tuple[int, ...]]
"""One voice of an event as (duration, octaves, pitch_classes)."""

_NoteGroup = tuple[int, int, tuple[int, ...]]
"""Notes of one voice that start and stop together as (start, duration, pitches)."""

_NOTHING: _Half = (0, (), ())


@functools.lru_cache(maxsize=4096)
def split_pitches(pitches: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Splits MIDI pitches into octaves and pitch classes.

    Args:
        pitches: distinct MIDI pitches in any order.

    Returns:
        (octaves, pitch_classes), of equal length and sorted by pitch class, then octave.

    Example:
        >>> split_pitches((55, 59, 62))
        ((4, 3, 3), (2, 7, 11))
    """
    pairs = sorted((pitch % 12, pitch // 12 - 1) for pitch in pitches)
    octaves = tuple(octave for _, octave in pairs)
    pitch_classes = tuple(pitch_class for pitch_class, _ in pairs)

    return octaves, pitch_classes


@functools.lru_cache(maxsize=4096)
def join_pitches(octaves: tuple[int, ...], pitch_classes: tuple[int, ...]) -> tuple[int, ...]:
    """Joins octaves and pitch classes to MIDI pitches: the inverse of `split_pitches`.

    Args:
        octaves: one octave number for each pitch class; octave 4 starts at middle C.
        pitch_classes: 0 (C) to 11 (B).

    Returns:
        The MIDI pitches, rising.

    Example:
        >>> join_pitches((4,), (0,))
        (60,)
    """
    pairs = zip(octaves, pitch_classes, strict=True)

    return tuple(sorted(12 * (octave + 1) + pitch_class for octave, pitch_class in pairs))


def _check_half(event: Event, half: _Half) -> None:
    """Raises ValueError unless one half of an event can be decoded."""
    duration, octaves, pitch_classes = half
    if not 0 <= duration <= LONGEST_TICKS:
        raise ValueError(
            f"{event} has an impossible duration: expected 0 to {LONGEST_TICKS} ticks, received "
            f"{duration}."
        )

    if len(octaves) != len(pitch_classes):
        raise ValueError(
            f"{event} needs one octave for each pitch class, received {len(octaves)} octaves and "
            f"{len(pitch_classes)} pitch classes."
        )

    pairs = list(zip(pitch_classes, octaves, strict=True))
    if pairs != sorted(set(pairs)):
        raise ValueError(
            f"{event} has pitches twice or out of order: expected distinct pairs (pitch class, "
            f"octave) in rising order, received {pairs}."
        )

    for pitch_class, octave in pairs:
        if not 0 <= pitch_class < 12 or not 0 <= 12 * (octave + 1) + pitch_class < 128:
            raise ValueError(
                f"{event} has a pitch out of range: expected a pitch class of 0 to 11 and a MIDI "
                f"pitch 12 (octave + 1) + class of 0 to 127, received pitch class {pitch_class} "
                f"in octave {octave}."
            )


def check_event(event: Event) -> None:
    """Checks that an event can be decoded.

    Args:
        event: the event to check.

    Raises:
        ValueError: if a duration, pitch class or pitch is out of range, the octaves and pitch
            classes of a voice are not equally many, or its pitches are not distinct and in order.
    """
    _check_half(event, event[:3])
    _check_half(event, event[3:])


def _halves_by_tick(groups: Sequence[_NoteGroup], end: int) -> dict[int, _Half]:
    """Returns the halves of one voice by tick: its notes, and the rests around them up to `end`.

    A voice without notes has no halves.
    """
    if not groups:
        return {}

    halves: dict[int, _Half] = {}
    now = 0
    end_of_score = (end, 0, ())
    for start, duration, pitches in [*groups, end_of_score]:
        while now < start:
            rest = min(start - now, LONGEST_REST_TICKS)
            halves[now] = (rest, (), ())
            now += rest

        if pitches:
            halves[start] = (duration, *split_pitches(pitches))
            now = start + duration

    return halves


def _group_by_onset(melody: Iterable[Note]) -> list[_NoteGroup]:
    """Returns the melody with the notes that start together as one group."""
    pitches: dict[int, list[int]] = {}
    durations: dict[int, int] = {}
    for note in melody:
        pitches.setdefault(note.start_ticks, []).append(note.pitch)
        durations[note.start_ticks] = note.duration_ticks

    return [(start, durations[start], tuple(group)) for start, group in pitches.items()]


def score_to_events(score: Score) -> tuple[list[int], list[Event]]:
    """Writes a score as events, one at every tick where a note or rest of either voice starts.

    Both voices run to the end of the score: the one that ends first is filled with rests. A voice
    without notes has no rests either; its half of every event is (0, (), ()).

    Args:
        score: the tune to write.

    Returns:
        (ticks, events), two lists of equal length: when each event happens, and the event. Both
        are empty for an empty score.

    Example:
        >>> tune = Score((Note(0, 24, 67), Note(24, 24, 69)), (Chord(0, 48, (43, 47, 50)),))
        >>> ticks, events = score_to_events(tune)
        >>> ticks
        [0, 24]
        >>> tuple(events[0])
        (24, (4,), (7,), 48, (3, 2, 2), (2, 7, 11))
        >>> tuple(events[1])
        (24, (4,), (9,), 0, (), ())
    """
    melody_groups = _group_by_onset(score.melody)
    chord_groups = [
        (chord.start_ticks, chord.duration_ticks, chord.pitches) for chord in score.chords
    ]

    melody = _halves_by_tick(melody_groups, score.end_ticks)
    chords = _halves_by_tick(chord_groups, score.end_ticks)

    ticks = sorted(melody.keys() | chords.keys())
    events = [Event(*melody.get(tick, _NOTHING), *chords.get(tick, _NOTHING)) for tick in ticks]

    return ticks, events


@dataclasses.dataclass(slots=True)
class _Span:
    """Notes of one voice from `start` to `end`, or a rest if there are no pitches."""

    start: int
    end: int
    pitches: tuple[int, ...]


def _start_half(voice: list[_Span], now: int, half: _Half) -> None:
    """Starts notes or a rest in a voice, and ends what still sounds in it."""
    duration, octaves, pitch_classes = half
    if duration == 0:
        return

    last = voice[-1]
    last.end = min(last.end, now)
    voice.append(_Span(now, now + duration, join_pitches(octaves, pitch_classes)))


def _is_ornament(event: Event) -> bool:
    """Returns whether a half of an event has pitches without a duration."""
    in_melody = bool(event.melody_pitch_classes) and event.melody_duration == 0
    in_chords = bool(event.chord_pitch_classes) and event.chord_duration == 0

    return in_melody or in_chords


def _note_groups(voice: Iterable[_Span]) -> list[_NoteGroup]:
    """Returns the spans with notes that last at least one tick."""
    return [
        (span.start, span.end - span.start, span.pitches)
        for span in voice
        if span.pitches and span.end > span.start
    ]


def events_to_score(events: Iterable[Event], **score_fields: Any) -> Score:
    """Reads events as a score; every sequence of events has one.

    The first event happens at tick 0. After each event, time moves to the next tick at which a
    voice ends, and the next event happens there. If both voices are silent, time does not move.
    An ornament (pitches without a duration) is not played, and time does not move either.

    Notes or a rest that start in a voice end what still sounds in it. A voice that has ended is
    silent until notes start in it again.

    Args:
        events: the events in order.
        **score_fields: `key`, `time_signature`, `tempo_bpm`, `name` and `rhythm` of the score.

    Returns:
        The score. For the events of `score_to_events`, it has the melody and chords of the original
        exactly.

    Example:
        >>> events = [Event(24, (4,), (0,), 0, (), ()), Event(12, (), (), 0, (), ())]
        >>> events_to_score(events).melody
        (Note(start_ticks=0, duration_ticks=24, pitch=60),)
    """
    now = 0
    melody = [_Span(0, 0, ())]
    chords = [_Span(0, 0, ())]
    for event in events:
        _start_half(melody, now, event[:3])
        _start_half(chords, now, event[3:])

        if not _is_ornament(event):
            ends = (melody[-1].end, chords[-1].end)
            now = min((end for end in ends if end > now), default=now)

    return Score(
        melody=tuple(
            Note(start, duration, pitch)
            for start, duration, pitches in _note_groups(melody)
            for pitch in pitches
        ),
        chords=tuple(Chord(*group) for group in _note_groups(chords)),
        **score_fields,
    )
