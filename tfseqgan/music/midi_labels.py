"""Which of the time signatures, tempos and keys in a MIDI file are those of the tune."""

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

MICROSECONDS_PER_MINUTE = 60e6

SHORTEST_BEAT = 64
"""The largest denominator of a time signature that is read or written."""

_SHORTEST_METRE_SHARE = 0.25
"""A time signature in force for less than this share of the music is not that of the tune."""

_Value = TypeVar("_Value")


class Labels(NamedTuple):
    """What the meta messages of a file say about the tune; the fields are those of `Score`."""

    key: str | None
    time_signature: tuple[int, int] | None
    tempo_bpm: float


def _ticks_in_force(
    changes: dict[int, _Value], default: _Value, start: int, end: int
) -> dict[_Value, int]:
    """Returns for how many ticks from start to end each value is in force, in order of time.

    `changes` are the values by the tick from which they are in force.
    """
    value = default
    for tick in sorted(tick for tick in changes if tick <= start):
        value = changes[tick]

    ticks_in_force: dict[_Value, int] = {}
    inner_ticks = sorted(tick for tick in changes if start < tick < end)
    for tick, next_tick in itertools.pairwise([start, *inner_ticks, end]):
        value = changes.get(tick, value)
        ticks_in_force[value] = ticks_in_force.get(value, 0) + next_tick - tick

    return ticks_in_force


def _find_longest(ticks_in_force: dict[_Value, int]) -> _Value:
    """Returns the value that is in force longest; of several, the first."""
    return max(ticks_in_force, key=lambda value: ticks_in_force[value])


def _find_metre(
    changes: dict[int, tuple[int, int]], start: int, end: int, ticks_per_beat: int
) -> tuple[int, int] | None:
    """Returns the first time signature that is not one of a pick-up or count-in bar."""
    if not changes:
        return None

    ticks_in_force = _ticks_in_force(changes, (4, 4), start, end)
    total = sum(ticks_in_force.values())
    for (numerator, denominator), ticks in ticks_in_force.items():
        is_longer_than_a_bar = ticks * denominator > 4 * ticks_per_beat * numerator
        if is_longer_than_a_bar and ticks >= _SHORTEST_METRE_SHARE * total:
            return numerator, denominator

    return _find_longest(ticks_in_force)


def _find_first(changes: dict[int, _Value], start: int) -> _Value | None:
    """Returns the value in force at a tick, or else the first that comes later, or else None."""
    earlier = [tick for tick in changes if tick <= start]
    if earlier:
        return changes[max(earlier)]

    return changes[min(changes)] if changes else None


def find_labels(
    tracks: Iterable[Iterable[tuple[int, Any]]], start: int, end: int, ticks_per_beat: int
) -> Labels:
    """Finds the key, time signature and tempo of a tune.

    Of several messages of one kind at one tick, the last one rules, as in programs that play MIDI
    files and merge the tracks. Between tracks this does not hold for keys: the later tracks of an
    orchestra may be those of drums or of transposing instruments, and the first track rules.

    What is in force between the first note and the last counts. The time signature is the first
    that is in force for more than one of its bars and for a quarter of that time, so that a pick-up
    or count-in bar does not give the tune its metre; if there is none, the one in force longest.
    The tempo is the one in force longest. The key is the one in force at the first note, or else
    the first that comes later: a tune is named after the key in which it begins.

    Args:
        tracks: (tick, message) of the meta messages of each track, as mido reads them.
        start: the tick of the first note.
        end: the tick after the last note.
        ticks_per_beat: ticks in a quarter note.

    Returns:
        The labels; without messages the key and the time signature are None and the tempo is 120.
        Before the first message the tempo is 120 and the metre 4/4, as MIDI has it.

    Example:
        >>> from types import SimpleNamespace as Message
        >>> tempos = [Message(type="set_tempo", tempo=60_000_000 // bpm) for bpm in (60, 120, 60)]
        >>> find_labels([zip((0, 0, 96), tempos)], 0, 400, 24).tempo_bpm
        60.0
    """
    keys: dict[int, str] = {}
    time_signatures: dict[int, tuple[int, int]] = {}
    tempos: dict[int, float] = {}
    for track in tracks:
        keys_of_track = {}
        for tick, message in track:
            if message.type == "key_signature":
                keys_of_track[tick] = message.key
            elif message.type == "set_tempo" and message.tempo > 0:
                tempos[tick] = MICROSECONDS_PER_MINUTE / message.tempo
            elif message.type == "time_signature" and _is_possible(message):
                time_signatures[tick] = (message.numerator, message.denominator)
        keys = keys_of_track | keys

    return Labels(
        key=_find_first(keys, start),
        time_signature=_find_metre(time_signatures, start, end, ticks_per_beat),
        tempo_bpm=_find_longest(_ticks_in_force(tempos, 120.0, start, end)),
    )


def _is_possible(time_signature: Any) -> bool:
    """Returns whether a message states a time signature that a score can have."""
    return time_signature.numerator > 0 and time_signature.denominator <= SHORTEST_BEAT
