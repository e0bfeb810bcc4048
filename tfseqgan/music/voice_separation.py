"""Loose notes into a tune's two voices: the grid, who plays the melody, and one strike at a time.

A note is (start, end, pitch); a strike is (start, duration, pitches), several pitches that start and stop together.
"""

import collections

from tfseqgan.music.score import TICKS_PER_QUARTER

_CHORDAL_SHARE = 0.05
"""A lone stream carries chords when this share of its onsets strikes three pitches or more; double stops alone are melody."""


_BUSY_SHARE = 0.25
"""A melody has at least this share of the onsets of the busiest stream; a few held high notes are no melody."""


def quantise(notes, ticks_per_beat):
    """Rounds the onset and the end of each note to the grid.

    Both are rounded, not the duration: so tuplets that a file rounds to 341, 683 and 171 of 1,024 fall on 8, 16 and 4 ticks, and gaps or
    overlaps of one file tick vanish.

        tick = ⌊24 t / ticks_per_beat + ½⌋

    Args:
        notes: (start, end, pitch) in the file's ticks.
        ticks_per_beat: the file's ticks in a quarter note.

    Returns:
        The list of (start, end, pitch) in grid ticks. A short note may end where it starts.

    Example:
        >>> quantise([(0, 341, 60), (341, 683, 62), (683, 1025, 64)], 1024)
        [(0, 8, 60), (8, 16, 62), (16, 24, 64)]
    """
    scale, half, whole = 2 * TICKS_PER_QUARTER, ticks_per_beat, 2 * ticks_per_beat
    return [
        ((scale * start + half) // whole, (scale * end + half) // whole, pitch)
        for start, end, pitch in notes
    ]


def to_voice(notes):
    """Turns notes into one voice: notes of one onset last as long as the longest of them, and each onset cuts what sounds.

    A note that rounding left without duration is an ornament and is dropped where its voice strikes another note at the same tick;
    elsewhere it lasts one tick.

    Args:
        notes: (start, end, pitch) in grid ticks, in any order.

    Returns:
        The list of (start, duration, pitches) in order of time, pitches rising and distinct.

    Example:
        >>> to_voice([(0, 24, 60), (0, 0, 62), (0, 48, 64), (24, 24, 65)])
        [(0, 24, (60, 64)), (24, 1, (65,))]
    """
    ends, pitches = {}, {}
    for start, end, pitch in sorted(
        notes
    ):  # ends rise within an onset, so that ornaments come before what they adorn
        if ends.get(start) == start < end:
            pitches[start].clear()
        pitches.setdefault(start, set()).add(pitch)
        ends[start] = end
    starts = list(ends)
    cuts = starts[1:] + [float("inf")]
    return [
        (start, min(max(ends[start], start + 1), cut) - start, tuple(sorted(pitches[start])))
        for start, cut in zip(starts, cuts)
    ]


def _strengths(notes):
    """Returns how many notes start at each onset, as a Counter."""
    return collections.Counter([start for start, _, _ in notes])


def _tunefulness(notes):
    """Returns how much a stream looks like a melody: the share of its onsets with one pitch, plus its mean height in double octaves."""
    strengths = _strengths(notes)
    monophony = list(strengths.values()).count(1) / len(strengths)
    return monophony + sum([pitch for _, _, pitch in notes]) / len(notes) / 24


def _chordality(notes):
    """Returns the mean number of pitches struck at an onset."""
    return len(notes) / len(_strengths(notes))


def _split_by_height(notes):
    """Splits one stream: the highest note of each onset is melody, unless a higher melody note still sounds; the rest is chords."""
    onsets = {}
    for note in notes:
        onsets.setdefault(note[0], []).append(note)
    melody, chords, (ceiling, ceiling_end) = [], [], (-1, 0)
    for start in sorted(onsets):
        *below, top = sorted(onsets[start], key=lambda note: note[2])
        hidden = start < ceiling_end and top[2] < ceiling
        (chords if hidden else melody).append(top)
        chords += below
        if not hidden:
            _, ceiling_end, ceiling = top
    return melody, chords


def separate_melody_and_chords(streams):
    """Finds the melody and the chords by what the streams hold, not by their place in the file.

    - One stream: if it strikes three pitches or more at a twentieth of its onsets, its highest notes are the melody and the rest the
      chords; otherwise all of it is melody.
    - Several: the melody is the most monophonic and highest among the busy ones; the chords are the most chordal of the others.

    Args:
        streams: lists of (start, end, pitch) in grid ticks, one for each track and channel; empty ones are passed over.

    Returns:
        (melody, chords), two lists of (start, end, pitch); either may be empty.

    Example:
        >>> tune, drone = [(0, 24, 72), (24, 48, 74)], [(0, 48, 43), (0, 48, 50)]
        >>> separate_melody_and_chords([drone, [], tune]) == (tune, drone)
        True
    """
    streams = [stream for stream in streams if stream]
    if not streams:
        return [], []
    if len(streams) == 1:
        onsets = _strengths(
            {(start, None, pitch) for start, _, pitch in streams[0]}
        ).values()  # a pitch that is struck twice counts once
        chordal = sum(strength >= 3 for strength in onsets) >= _CHORDAL_SHARE * len(onsets)
        return _split_by_height(streams[0]) if chordal else (streams[0], [])
    num_onsets = [len(_strengths(stream)) for stream in streams]
    busy = [
        place for place, count in enumerate(num_onsets) if count >= _BUSY_SHARE * max(num_onsets)
    ]
    melody = max(busy, key=lambda place: _tunefulness(streams[place]))
    others = [stream for place, stream in enumerate(streams) if place != melody]
    return streams[melody], max(others, key=_chordality)
