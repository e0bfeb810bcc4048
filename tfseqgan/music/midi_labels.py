"""Which of the time signatures, tempos and keys in a MIDI file are those of the tune."""

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

MICROSECONDS_PER_MINUTE = 60e6

SHORTEST_BEAT = 64
"""The largest denominator of a time signature that is read or written."""

_Value = TypeVar("_Value")


class Labels(NamedTuple):
    """What the meta messages of a file say about the tune; the fields are those of `Score`."""

    key: str | None
    time_signature: tuple[int, int]
    tempo_bpm: float


def _find_longest(changes: dict[int, _Value], default: _Value, start: int, end: int) -> _Value:
    """Returns the value that is in force for most of the ticks from start to end.

    `changes` are the values by the tick from which they are in force. If several are in force
    equally long, the first is returned.
    """
    value = default
    for tick in sorted(tick for tick in changes if tick <= start):
        value = changes[tick]

    ticks_in_force: dict[_Value, int] = {}
    inner_ticks = sorted(tick for tick in changes if start < tick < end)
    for tick, next_tick in itertools.pairwise([start, *inner_ticks, end]):
        value = changes.get(tick, value)
        ticks_in_force[value] = ticks_in_force.get(value, 0) + next_tick - tick

    return max(ticks_in_force, key=lambda value: ticks_in_force[value])


def _find_first(changes: dict[int, _Value], start: int) -> _Value | None:
    """Returns the value in force at a tick, or else the first that comes later, or else None."""
    earlier = [tick for tick in changes if tick <= start]
    if earlier:
        return changes[max(earlier)]

    return changes[min(changes)] if changes else None


def find_labels(tracks: Iterable[Iterable[tuple[int, Any]]], start: int, end: int) -> Labels:
    """Finds the key, time signature and tempo of a tune.

    Of several messages of one kind at one tick, the last one rules. So it does in players, which
    merge the tracks. Between tracks this does not hold for keys: the later tracks of an orchestra
    may be those of drums or of transposing instruments, and the first track rules.

    The time signature and the tempo are those in force for most of the time between the first note
    and the last, so that a pick-up or a count-in bar does not give the tune its metre. The key is
    the one in force at the first note, or else the first that comes later: a tune that modulates is
    named after the key in which it begins.

    Args:
        tracks: (tick, message) of the meta messages of each track, as mido reads them.
        start: the tick of the first note.
        end: the tick after the last note.

    Returns:
        The labels; without messages the key is None, the metre 4/4 and the tempo 120. These also
        hold before the first message, as MIDI has it.

    Example:
        >>> from types import SimpleNamespace as Message
        >>> tempos = [Message(type="set_tempo", tempo=60_000_000 // bpm) for bpm in (60, 120, 60)]
        >>> find_labels([zip((0, 0, 96), tempos)], 0, 400).tempo_bpm
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
        time_signature=_find_longest(time_signatures, (4, 4), start, end),
        tempo_bpm=_find_longest(tempos, 120.0, start, end),
    )


def _is_possible(time_signature: Any) -> bool:
    """Returns whether a message states a time signature that a score can have."""
    return time_signature.numerator > 0 and time_signature.denominator <= SHORTEST_BEAT
