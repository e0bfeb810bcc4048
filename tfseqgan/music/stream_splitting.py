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


def drop_ornaments(notes: Iterable[TimedPitch]) -> list[TimedPitch]:
    """Leaves out ornaments at the notes that they adorn.

    Args:
        notes: (start, end, pitch) in any order. One that rounding to the grid left without
            duration is an ornament.

    Returns:
        The notes in order of time, without the ornaments that start together with another note.

    Example:
        >>> drop_ornaments([(0, 0, 74), (0, 24, 72), (24, 24, 71)])
        [(0, 24, 72), (24, 24, 71)]
    """
    notes = sorted(notes)
    adorned = {start for start, end, _ in notes if end > start}

    return [note for note in notes if note[1] > note[0] or note[0] not in adorned]


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
    low = group[0]
    high = group[-1]
    if low[2] == high[2]:
        return True

    pitches = {pitch for _, _, pitch in group}

    return len(pitches) == 2 and low[1] == high[1] and high[2] - low[2] <= _WIDEST_DOUBLE_STOP


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
    onsets = group_by_onset(drop_ornaments(notes))
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
    """Where the melody and the accompaniment lie around each tick."""

    def __init__(self, melody: Sequence[TimedPitch], accompaniment: Sequence[TimedPitch]) -> None:
        self._notes = (melody, accompaniment)
        self._starts = tuple([start for start, _, _ in notes] for notes in self._notes)

    def find(self, tick: int) -> tuple[float, int]:
        """Returns the middle of both voices, and the highest pitch of the accompaniment.

        The middle lies halfway between the median pitches of the nearest notes of the voices.
        """
        near = []
        for notes, starts in zip(self._notes, self._starts, strict=True):
            index = bisect.bisect_left(starts, tick)
            nearest = notes[max(0, index - _NUM_NEIGHBOURS) : index + _NUM_NEIGHBOURS]
            near.append([pitch for _, _, pitch in nearest])

        melody, accompaniment = near
        middle = (statistics.median(melody) + statistics.median(accompaniment)) / 2

        return middle, max(accompaniment)


def _pick_melody(
    highest: TimedPitch, group: Sequence[TimedPitch], registers: _Registers
) -> list[TimedPitch]:
    """Returns the notes of an onset that belong to the melody: none, the highest, or two."""
    start, end, pitch = highest
    middle, highest_accompaniment = registers.find(start)

    in_accompaniment = _is_in_block(highest, group) or pitch <= highest_accompaniment
    if pitch < middle and in_accompaniment:
        return []

    seconds = [note for note in group if note[1] == end and middle < note[2] < pitch]
    is_double_stop = len(seconds) == 1 and pitch - seconds[0][2] <= _WIDEST_DOUBLE_STOP

    return [highest, *seconds] if is_double_stop else [highest]


def split_stream(
    notes: Sequence[TimedPitch],
) -> tuple[list[TimedPitch], list[TimedPitch]]:
    """Splits a stream that holds a melody and its accompaniment.

    The melody is the highest note of each onset, with these exceptions. Under a higher note that is
    held, a note accompanies. Where the melody rests, a chord or a bass note strikes alone: of the
    notes nearer to the accompaniment than to the melody, those accompany that end together with two
    others, as in a chord, and those no higher than the accompaniment. A second note that ends with
    the melody note and lies nearer to the melody makes a double stop.

    Where the voices lie is told by the eight notes before and after; for the melody, by those
    outside chords. If there are few of these, as in a chorale, the melody is the skyline.

    Args:
        notes: (start, end, pitch) in grid ticks, in any order.

    Returns:
        (melody, accompaniment), each in order of time; together they are all the notes, without the
        ornaments that start together with another note.

    Example:
        >>> tune = [(0, 24, 64), (24, 48, 62), (48, 72, 60)]
        >>> split_stream([(0, 72, 48), *tune]) == (tune, [(0, 72, 48)])
        True
    """
    notes = drop_ornaments(notes)
    onsets = group_by_onset(notes)
    skyline = _find_skyline(onsets)
    lower = _leave_out(notes, skyline)
    if not lower:
        return skyline, []

    outside_chords = [note for note in skyline if not _is_in_block(note, onsets[note[0]])]
    is_chordal = len(outside_chords) < _MIN_SHARE_OUTSIDE_CHORDS * len(skyline)
    if is_chordal:
        return skyline, lower

    registers = _Registers(outside_chords, lower)
    melody = sorted(
        note for highest in skyline for note in _pick_melody(highest, onsets[highest[0]], registers)
    )

    return melody, _leave_out(notes, melody)
