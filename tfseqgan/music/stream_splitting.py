"""One stream of notes, such as a piano track, to a melody and what accompanies it."""

import bisect
import collections
import statistics
from collections.abc import Iterable, Sequence

TimedPitch = tuple[int, int, int]
"""A note as (start, end, pitch)."""

_POLYPHONIC_SHARE = 0.05
"""A stream holds an accompaniment if at least this share of its onsets shows one."""

_WIDEST_DOUBLE_STOP = 12
"""Two notes of one melody that start and end together are at most this many semitones apart."""

_NUM_NEIGHBOURS = 8
"""How many notes before and after an onset tell the registers of the voices there."""

_MIN_SHARE_OUTSIDE_CHORDS = 0.2
"""If fewer onsets than this stand outside chords, as in a chorale, the melody is their top."""


def group_by_onset(notes: Iterable[TimedPitch]) -> dict[int, list[TimedPitch]]:
    """Returns the notes that start at each tick, in order of time and the notes from low to high.

    Args:
        notes: (start, end, pitch) in any order.

    Returns:
        Lists of notes by their start.

    Example:
        >>> group_by_onset([(0, 24, 67), (24, 48, 60), (0, 48, 60)])
        {0: [(0, 48, 60), (0, 24, 67)], 24: [(24, 48, 60)]}
    """
    onsets: dict[int, list[TimedPitch]] = {}
    for note in sorted(notes, key=lambda note: (note[0], note[2], note[1])):
        onsets.setdefault(note[0], []).append(note)

    return onsets


def _sounds_through(held: TimedPitch, note: TimedPitch) -> bool:
    """Returns whether an earlier note still sounds for half of another or longer.

    A shorter overlap is legato: the two follow each other.
    """
    start, end, _ = note

    return held[0] < start and 2 * (min(held[1], end) - start) >= max(1, end - start)


def count_held_onsets(notes: Iterable[TimedPitch]) -> int:
    """Counts the onsets at which another note is held.

    Args:
        notes: (start, end, pitch) in grid ticks, in any order.

    Returns:
        The number of ticks where a note starts while an earlier one sounds on through at least
        half of it.

    Example:
        >>> count_held_onsets([(0, 48, 48), (0, 25, 72), (24, 48, 74)])
        1
    """
    count = 0
    sounding: list[TimedPitch] = []
    for start, group in group_by_onset(notes).items():
        sounding = [note for note in sounding if note[1] > start]
        count += any(_sounds_through(held, note) for note in group for held in sounding)
        sounding += group

    return count


def is_double_stop(group: Sequence[TimedPitch]) -> bool:
    """Finds whether an onset is one note, or two that one player of a melody would play.

    Args:
        group: the notes of an onset from low to high.

    Returns:
        Whether there are at most two pitches, which end together and lie within an octave.

    Example:
        >>> is_double_stop([(0, 24, 67), (0, 24, 71)]), is_double_stop([(0, 48, 43), (0, 24, 71)])
        (True, False)
    """
    low, high = group[0], group[-1]
    pitches = {pitch for _, _, pitch in group}

    return len(pitches) <= 2 and low[1] == high[1] and high[2] - low[2] <= _WIDEST_DOUBLE_STOP


def holds_accompaniment(notes: Sequence[TimedPitch]) -> bool:
    """Finds whether a stream holds an accompaniment besides its melody.

    Held notes, three or more pitches at once, and two that differ in length or lie more than an
    octave apart show one. Double stops do not.

    Args:
        notes: (start, end, pitch) in grid ticks, in any order.

    Returns:
        Whether at least a twentieth of the onsets shows an accompaniment.

    Example:
        >>> tune = [(0, 24, 64), (24, 48, 62), (48, 72, 60)]
        >>> holds_accompaniment(tune), holds_accompaniment([*tune, (0, 72, 48)])
        (False, True)
    """
    onsets = group_by_onset(notes)
    num_stacks = sum(not is_double_stop(group) for group in onsets.values())
    num_polyphonic = max(num_stacks, count_held_onsets(notes))

    return num_polyphonic > 0 and num_polyphonic >= _POLYPHONIC_SHARE * len(onsets)


def _find_skyline(onsets: dict[int, list[TimedPitch]]) -> list[TimedPitch]:
    """Returns the highest note of each onset, except under a higher note that is held."""
    skyline = []
    held = (-1, -1, -1)
    for group in onsets.values():
        highest = group[-1]
        if not (highest[2] < held[2] and _sounds_through(held, highest)):
            skyline.append(highest)
            held = highest

    return skyline


def _is_in_block(note: TimedPitch, group: Sequence[TimedPitch]) -> bool:
    """Returns whether a note ends together with two others of its onset, as in a chord."""
    return sum(other[1] == note[1] for other in group) >= 3


def _leave_out(notes: Iterable[TimedPitch], left_out: Iterable[TimedPitch]) -> list[TimedPitch]:
    """Returns the notes without others; of a note that occurs twice, as often as it is left."""
    return sorted((collections.Counter(notes) - collections.Counter(left_out)).elements())


class _Registers:
    """The pitches of the melody and of the accompaniment around each tick."""

    def __init__(self, melody: Sequence[TimedPitch], accompaniment: Sequence[TimedPitch]) -> None:
        self._notes = (melody, accompaniment)
        self._starts = tuple([start for start, _, _ in notes] for notes in self._notes)

    def at(self, tick: int) -> tuple[float, float]:
        """Returns the median pitches of the nearest notes of both voices."""
        medians = []
        for notes, starts in zip(self._notes, self._starts, strict=True):
            index = bisect.bisect_left(starts, tick)
            near = notes[max(0, index - _NUM_NEIGHBOURS) : index + _NUM_NEIGHBOURS]
            medians.append(statistics.median(pitch for _, _, pitch in near))

        return medians[0], medians[1]


def _is_accompaniment(
    highest: TimedPitch, group: Sequence[TimedPitch], registers: _Registers
) -> bool:
    """Returns whether the highest note of an onset strikes while the melody rests."""
    melody_pitch, chord_pitch = registers.at(highest[0])
    middle = (melody_pitch + chord_pitch) / 2
    lowest_melody = middle if _is_in_block(highest, group) else chord_pitch

    return chord_pitch < melody_pitch and highest[2] < lowest_melody


def _find_seconds(
    highest: TimedPitch, group: Sequence[TimedPitch], registers: _Registers
) -> list[TimedPitch]:
    """Returns the second note of a double stop under a melody note, or an empty list."""
    _, end, pitch = highest
    middle = sum(registers.at(highest[0])) / 2
    seconds = [note for note in group if note[1] == end and middle < note[2] < pitch]
    is_double_stop = len(seconds) == 1 and pitch - seconds[0][2] <= _WIDEST_DOUBLE_STOP

    return seconds if is_double_stop else []


def split_stream(
    notes: Sequence[TimedPitch],
) -> tuple[list[TimedPitch], list[TimedPitch]]:
    """Splits a stream that holds a melody and its accompaniment.

    The melody is the highest note of each onset, with these exceptions. Under a higher note that is
    held, a note accompanies. Where the melody rests, a chord or a bass note strikes alone: a note
    that ends together with two others is taken for the top of a chord if it lies nearer to the
    accompaniment than to the melody, and any note if it lies below the accompaniment. A second note
    that ends with the melody note and lies near the melody makes a double stop.

    Where the voices lie is the median pitch of the eight notes before and after; for the melody,
    of the notes outside chords. If there are few of these, as in a chorale, the melody is the top
    of the chords.

    Args:
        notes: (start, end, pitch) in grid ticks, in any order.

    Returns:
        (melody, accompaniment), each in order of time; together they are all the notes.

    Example:
        >>> tune = [(0, 24, 64), (24, 48, 62), (48, 72, 60)]
        >>> split_stream([(0, 72, 48), *tune]) == (tune, [(0, 72, 48)])
        True
    """
    onsets = group_by_onset(notes)
    skyline = _find_skyline(onsets)
    lower = _leave_out(notes, skyline)
    if not lower:
        return skyline, []

    outside_chords = [note for note in skyline if not _is_in_block(note, onsets[note[0]])]
    is_chordal = len(outside_chords) < _MIN_SHARE_OUTSIDE_CHORDS * len(skyline)
    registers = _Registers(outside_chords or skyline, lower)

    melody = []
    for highest in skyline:
        group = onsets[highest[0]]
        if is_chordal:
            melody.append(highest)
        elif not _is_accompaniment(highest, group, registers):
            melody += [highest, *_find_seconds(highest, group, registers)]

    melody.sort()

    return melody, _leave_out(notes, melody)
