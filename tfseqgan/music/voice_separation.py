"""Loose notes to the two voices of a tune: melody and chords.

A note is given as (start, end, pitch). In a voice, the notes that start and stop together form one
group, (start, duration, pitches).
"""

import collections
import itertools
from collections.abc import Iterable, Sequence

from tfseqgan.music.score import TICKS_PER_QUARTER

TimedPitch = tuple[int, int, int]
"""A note as (start, end, pitch)."""

NoteGroup = tuple[int, int, tuple[int, ...]]
"""Notes that start and stop together as (start, duration, pitches)."""

_CHORD_SHARE = 0.05
"""A single stream holds chords if at least this share of its onsets has three or more pitches.

Onsets of two pitches do not count: they are double stops of a melody.
"""

_BUSY_SHARE = 0.25
"""A melody has at least this share of the onsets of the busiest stream.

This excludes streams of a few long high notes.
"""


def quantise(notes: Iterable[TimedPitch], ticks_per_beat: int) -> list[TimedPitch]:
    """Rounds the start and the end of each note to the grid.

        tick = ⌊24 t / ticks_per_beat + ½⌋

    The end is rounded rather than the duration. So tuplets that a file rounds to 341, 683 and 171
    of 1,024 ticks become 8, 16 and 4 grid ticks, and gaps or overlaps of one file tick vanish.

    Args:
        notes: (start, end, pitch) in ticks of the file.
        ticks_per_beat: ticks of the file in a quarter note.

    Returns:
        (start, end, pitch) in grid ticks, in the order given. A short note may end where it starts.

    Example:
        >>> quantise([(0, 341, 60), (341, 683, 62), (683, 1025, 64)], 1024)
        [(0, 8, 60), (8, 16, 62), (16, 24, 64)]
    """

    def to_grid(file_ticks: int) -> int:
        # The equation times 2 · ticks_per_beat, so that all numbers are exact integers.
        return (2 * TICKS_PER_QUARTER * file_ticks + ticks_per_beat) // (2 * ticks_per_beat)

    return [(to_grid(start), to_grid(end), pitch) for start, end, pitch in notes]


def to_voice(notes: Iterable[TimedPitch]) -> list[NoteGroup]:
    """Turns notes into one voice that never overlaps itself.

    Notes that start together last as long as the longest of them, and each onset ends what still
    sounds. A note that rounding left without duration is an ornament. It is dropped where the voice
    has another note at the same tick; elsewhere it lasts one tick.

    Args:
        notes: (start, end, pitch) in grid ticks, in any order.

    Returns:
        (start, duration, pitches) in order of time, the pitches distinct and rising.

    Example:
        >>> to_voice([(0, 24, 60), (0, 0, 62), (0, 48, 64), (24, 24, 65)])
        [(0, 24, (60, 64)), (24, 1, (65,))]
    """
    ends: dict[int, int] = {}
    pitches: dict[int, set[int]] = {}

    # Sorted by start, then by end: the ornaments of an onset come before its other notes, and the
    # last end that is kept is the latest.
    for start, end, pitch in sorted(notes):
        only_ornaments_so_far = ends.get(start) == start
        if only_ornaments_so_far and end > start:
            pitches[start].clear()

        pitches.setdefault(start, set()).add(pitch)
        ends[start] = end

    next_starts = dict(itertools.pairwise(ends))
    voice = []
    for start, end in ends.items():
        end = max(end, start + 1)
        end = min(end, next_starts.get(start, end))
        voice.append((start, end - start, tuple(sorted(pitches[start]))))

    return voice


def _notes_per_onset(notes: Iterable[TimedPitch]) -> collections.Counter[int]:
    """Returns how many notes start at each tick where a note starts."""
    return collections.Counter(start for start, _, _ in notes)


def _melody_likeness(notes: Sequence[TimedPitch]) -> float:
    """Returns the share of onsets with one note, plus the mean pitch in units of two octaves."""
    counts = list(_notes_per_onset(notes).values())
    monophonic_share = counts.count(1) / len(counts)
    mean_pitch = sum(pitch for _, _, pitch in notes) / len(notes)

    return monophonic_share + mean_pitch / 24


def _mean_notes_per_onset(notes: Sequence[TimedPitch]) -> float:
    return len(notes) / len(_notes_per_onset(notes))


def _split_by_pitch(notes: Iterable[TimedPitch]) -> tuple[list[TimedPitch], list[TimedPitch]]:
    """Splits one stream into its highest notes, the melody, and the others, the chords.

    The highest note of an onset belongs to the chords while a higher melody note still sounds.
    """
    onsets: dict[int, list[TimedPitch]] = {}
    for note in notes:
        onsets.setdefault(note[0], []).append(note)

    melody = []
    chords = []
    melody_end = 0
    melody_pitch = -1
    for start in sorted(onsets):
        *lower, highest = sorted(onsets[start], key=lambda note: note[2])
        _, end, pitch = highest

        under_the_melody = start < melody_end and pitch < melody_pitch
        if under_the_melody:
            chords.append(highest)
        else:
            melody.append(highest)
            melody_end = end
            melody_pitch = pitch
        chords.extend(lower)

    return melody, chords


def _separate_single_stream(
    notes: list[TimedPitch],
) -> tuple[list[TimedPitch], list[TimedPitch]]:
    """Splits a stream by pitch if it holds chords; otherwise all of it is melody."""
    distinct = {(start, pitch) for start, _, pitch in notes}  # a doubled pitch counts once
    pitches_per_onset = collections.Counter(start for start, _ in distinct)

    num_chords = sum(count >= 3 for count in pitches_per_onset.values())
    has_chords = num_chords >= _CHORD_SHARE * len(pitches_per_onset)

    return _split_by_pitch(notes) if has_chords else (notes, [])


def separate_melody_and_chords(
    streams: Iterable[list[TimedPitch]],
) -> tuple[list[TimedPitch], list[TimedPitch]]:
    """Finds the melody and the chords by the notes of the streams, not by their order.

    - One stream: if at least a twentieth of its onsets has three or more pitches, its highest notes
      are the melody and the others are the chords. Otherwise all of it is melody.
    - Several streams: those with at least a quarter of the onsets of the busiest stream may be the
      melody; the most monophonic and highest of them is. Of the others, the one with the most notes
      per onset is the chords.

    Args:
        streams: lists of (start, end, pitch) in grid ticks, one for each track and channel; empty
            ones are ignored.

    Returns:
        (melody, chords), two lists of (start, end, pitch); either may be empty.

    Example:
        >>> tune = [(0, 24, 72), (24, 48, 74)]
        >>> drone = [(0, 48, 43), (0, 48, 50)]
        >>> separate_melody_and_chords([drone, [], tune]) == (tune, drone)
        True
    """
    streams = [stream for stream in streams if stream]
    if not streams:
        return [], []
    if len(streams) == 1:
        return _separate_single_stream(streams[0])

    num_onsets = [len(_notes_per_onset(stream)) for stream in streams]
    fewest_onsets = _BUSY_SHARE * max(num_onsets)
    busy = [index for index, count in enumerate(num_onsets) if count >= fewest_onsets]

    melody_index = max(busy, key=lambda index: _melody_likeness(streams[index]))
    others = [stream for index, stream in enumerate(streams) if index != melody_index]

    return streams[melody_index], max(others, key=_mean_notes_per_onset)
