"""A score as a sequence of event tokens, and back: what one token says, before any vocabulary.

Each part of the score, melody and chords, is a gapless run of notes and rests from tick 0. An event stands at every onset of either part
and says what starts there; its time is not written, since it follows from the durations.
"""

import functools
from typing import NamedTuple

from tfseqgan.music.score import LONGEST_TICKS, Chord, Note, Score

LONGEST_REST_TICKS = 96
"""Longer rests are split into rests of this length, a bar of 4/4, so that few rest tokens exist."""


class Event(NamedTuple):
    """What starts at one onset: three parts for the melody and three for the chords.

    A half with a duration and pitches is a note or chord; a duration alone is a rest; (0, (), ()) means that nothing starts, since
    the part still sounds or has ended; pitches without a duration are an ornament that takes no time (only the lee2017 tokens have such).

    Args:
        melody_duration: ticks, 0 to `LONGEST_TICKS`.
        melody_octaves: one octave number for each pitch class; octave o and class c mean MIDI pitch 12 (o + 1) + c.
        melody_pitch_classes: 0 (C) to 11 (B), rising; of equal classes the lower octave comes first.
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


_NOTHING = (0, (), ())


@functools.lru_cache(maxsize=4096)
def split_pitches(pitches):
    """Returns the octaves and pitch classes of distinct MIDI pitches, two equally long tuples sorted by class, then octave.

    Example:
        >>> split_pitches((55, 59, 62))
        ((4, 3, 3), (2, 7, 11))
    """
    pairs = sorted((pitch % 12, pitch // 12 - 1) for pitch in pitches)
    return tuple(octave for _, octave in pairs), tuple(pitch_class for pitch_class, _ in pairs)


@functools.lru_cache(maxsize=4096)
def join_pitches(octaves, pitch_classes):
    """Returns the rising MIDI pitches of octaves and pitch classes: the inverse of `split_pitches`.

    Example:
        >>> join_pitches((4,), (0,))
        (60,)
    """
    return tuple(
        sorted(
            12 * (octave + 1) + pitch_class for octave, pitch_class in zip(octaves, pitch_classes)
        )
    )


def _check_half(event, duration, octaves, pitch_classes):
    """Raises ValueError unless one half of an event can be decoded."""
    pairs = list(zip(pitch_classes, octaves))
    if not 0 <= duration <= LONGEST_TICKS:
        raise ValueError(
            f"{event} has a duration of {duration} ticks, expected 0 to {LONGEST_TICKS}."
        )
    if len(octaves) != len(pitch_classes) or pairs != sorted(set(pairs)):
        raise ValueError(
            f"{event} needs one octave for each pitch class, the pairs distinct and sorted by class, then octave."
        )
    if any(
        not 0 <= pitch_class < 12 or not 0 <= 12 * (octave + 1) + pitch_class < 128
        for pitch_class, octave in pairs
    ):
        raise ValueError(
            f"{event} has a pitch class outside 0 to 11, or a MIDI pitch 12 (octave + 1) + class outside 0 to 127."
        )


def check_event(event):
    """Raises ValueError unless an event can be decoded: durations, pitch classes and pitches in range, pitches in order."""
    _check_half(event, *event[:3])
    _check_half(event, *event[3:])


def _part(strikes, end):
    """Returns the halves of one part by tick: notes, and the rests between and after them up to `end`."""
    if not strikes:
        return {}
    halves, now = {}, 0
    for start, duration, pitches in [*strikes, (end, 0, ())]:
        while now < start:
            rest = min(start - now, LONGEST_REST_TICKS)
            halves[now] = (rest, (), ())
            now += rest
        if pitches:
            halves[start] = (duration, *split_pitches(pitches))
            now = start + duration
    return halves


def _melody_strikes(melody):
    """Returns the melody as (start, duration, pitches), notes of one onset together."""
    pitches, durations = {}, {}
    for note in melody:
        pitches.setdefault(note.start_ticks, []).append(note.pitch)
        durations[note.start_ticks] = note.duration_ticks
    return [(start, durations[start], tuple(struck)) for start, struck in pitches.items()]


def score_to_events(score):
    """Returns the events of a score, one at every onset of either part, rests included.

    Both parts run until the later of them ends: the other is filled with rests. A part without any note is left out: it says "nothing"
    throughout.

    Args:
        score: a `Score`.

    Returns:
        (ticks, events): two lists of one length, the time of each `Event` and the event; empty for an empty score.

    Example:
        >>> ticks, events = score_to_events(Score((Note(0, 24, 67), Note(24, 24, 69)), (Chord(0, 48, (43, 47, 50)),)))
        >>> ticks, [tuple(event) for event in events]
        ([0, 24], [(24, (4,), (7,), 48, (3, 2, 2), (2, 7, 11)), (24, (4,), (9,), 0, (), ())])
    """
    melody = _part(_melody_strikes(score.melody), score.end_ticks)
    chords = _part(
        [(chord.start_ticks, chord.duration_ticks, chord.pitches) for chord in score.chords],
        score.end_ticks,
    )
    ticks = sorted(melody.keys() | chords.keys())
    return ticks, [
        Event._make(melody.get(tick, _NOTHING) + chords.get(tick, _NOTHING)) for tick in ticks
    ]


def _strike(part, now, duration, octaves, pitch_classes):
    """Starts a note or rest in a part, a list of [start, end, pitches], and cuts there what still sounds."""
    if duration == 0:
        return
    if part[-1][1] > now:
        part[-1][1] = now
    part.append([now, now + duration, join_pitches(octaves, pitch_classes)])


def _sounded(part):
    """Returns the (start, duration, pitches) of a part that sound at all: no rests, nothing cut in the tick where it started."""
    return [
        (start, end - start, pitches) for start, end, pitches in part if pitches and end > start
    ]


def events_to_score(events, **score_fields):
    """Returns the score of any sequence of events, however nonsensical.

    The next event stands where the earlier of the two parts ends after now, and where nothing sounds any more, at the same tick. A part
    struck while it sounds is cut there; a part that ended is silent until it is struck again. An ornament (pitches without a duration) is
    not played and takes no time: the next event stands at the same tick.

    Args:
        events: an iterable of `Event`.
        **score_fields: `key`, `time_signature`, `tempo_bpm`, `name`, `rhythm` of the score.

    Returns:
        A `Score`; the exact inverse of `score_to_events` on what that returns.

    Example:
        >>> events_to_score([Event(24, (4,), (0,), 0, (), ()), Event(12, (), (), 0, (), ())]).melody
        (Note(start_ticks=0, duration_ticks=24, pitch=60),)
    """
    now, melody, chords = 0, [[0, 0, ()]], [[0, 0, ()]]
    for event in events:
        _strike(melody, now, *event[:3])
        _strike(chords, now, *event[3:])
        ornament = (event.melody_pitch_classes and not event.melody_duration) or (
            event.chord_pitch_classes and not event.chord_duration
        )
        if not ornament:
            now = min((part[-1][1] for part in (melody, chords) if part[-1][1] > now), default=now)
    return Score(
        melody=tuple(
            Note(start, duration, pitch)
            for start, duration, pitches in _sounded(melody)
            for pitch in pitches
        ),
        chords=tuple(Chord(*strike) for strike in _sounded(chords)),
        **score_fields,
    )
