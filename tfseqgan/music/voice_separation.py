"""Streams of notes, one for each track and channel, to the two voices of a tune: melody and chords.

The evidence, in this order:

0. Files of this package have tracks named "Melody" and "Chords" and no others.
1. The names of the tracks, as `track_names` reads them.
2. A score of the notes of each stream (`_score_melody`): one note at a time, high, by steps, within
   two octaves, not a bass program.

Every other stream accompanies the melody; only percussion and sound effects are left out. A stream
that holds a melody and its accompaniment, such as a piano, is split (`stream_splitting`).

A note is given as (start, end, pitch). In a voice, the notes that start and stop together form one
group, (start, duration, pitches).
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tfseqgan.music.score import TICKS_PER_QUARTER
from tfseqgan.music.stream_splitting import (
    TimedPitch,
    count_held_onsets,
    drop_ornaments,
    group_by_onset,
    holds_accompaniment,
    is_double_stop,
    split_stream,
)
from tfseqgan.music.track_names import NameEvidence, read_track_name

NoteGroup = tuple[int, int, tuple[int, ...]]
"""Notes that start and stop together as (start, duration, pitches)."""

MELODY_TRACK = "Melody"
CHORD_TRACK = "Chords"
"""The names of the tracks in the files that this package writes."""

MELODY = "melody"
CHORDS = "chords"
MELODY_AND_CHORDS = "melody and chords"
LEFT_OUT = "left out"
PERCUSSION = "percussion"

_SAID_BY_NAMES = {
    NameEvidence.MELODY: "the melody",
    NameEvidence.VOICE: "a voice",
    NameEvidence.SOPRANO: "the highest voice",
    NameEvidence.LEAD: "a lead",
    NameEvidence.RIGHT_HAND: "the right hand",
}
"""What the name of a melody says."""

_BASS_PROGRAMS = range(32, 40)
_EFFECT_PROGRAMS = frozenset({113, *range(115, 128)})
"""Unpitched percussion and sound effects of General MIDI, counted from 0."""

_BUSY_SHARE = 0.25
"""A melody has at least this share of the onsets of the busiest stream.

This excludes streams of a few long high notes.
"""

_NAMED_BUSY_SHARE = 0.05
"""The same share for a stream whose name says that it is the melody."""

_HELD_SHARE = 0.05
"""A stream of several is split if at least this share of its onsets has another note held."""

_MONOPHONIC_SHARE = 0.95
"""A channel plays one note at a time if it does so at this share of its onsets."""


class Stream(NamedTuple):
    """The notes of one instrument: of one channel of a track, or of several that belong together.

    Args:
        notes: (start, end, pitch) in grid ticks, in any order.
        name: the name of the track or of its instrument; empty if there is none.
        track: the index of the track.
        channels: the channels, counted from 0.
        program: the General MIDI program, counted from 0; None if there is none.
    """

    notes: list[TimedPitch]
    name: str = ""
    track: int = 0
    channels: tuple[int, ...] = (0,)
    program: int | None = None


class StreamVoice(NamedTuple):
    """What a stream of a file became in the score.

    Args:
        track: the index of the track.
        channels: the channels, counted from 0.
        name: the name of the track; empty if there is none.
        voice: "melody", "chords", "melody and chords", "percussion" or "left out".
        num_notes: the number of notes in the stream.
        reason: why it became this, as a part of a sentence.
    """

    track: int
    channels: tuple[int, ...]
    name: str
    voice: str
    num_notes: int
    reason: str


def describe_stream(stream: Stream, voice: str, reason: str) -> StreamVoice:
    """Returns the record of what a stream became.

    Args:
        stream: the stream.
        voice: one of the values of `StreamVoice.voice`.
        reason: why it became this.

    Returns:
        The record.
    """
    return StreamVoice(
        track=stream.track,
        channels=stream.channels,
        name=stream.name,
        voice=voice,
        num_notes=len(stream.notes),
        reason=reason,
    )


class VoiceSeparation(NamedTuple):
    """The two voices of a tune, and what each stream became."""

    melody: list[TimedPitch]
    chords: list[TimedPitch]
    streams: list[StreamVoice]


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


def _group_without_ornaments(notes: Iterable[TimedPitch]) -> dict[int, list[TimedPitch]]:
    """Returns the notes of each onset; an ornament that starts alone lasts one tick."""
    return group_by_onset(
        (start, max(end, start + 1), pitch) for start, end, pitch in drop_ornaments(notes)
    )


def _distinct_pitches(notes: Iterable[TimedPitch]) -> tuple[int, ...]:
    return tuple(sorted({pitch for _, _, pitch in notes}))


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
    groups = _group_without_ornaments(notes)
    next_starts = dict(itertools.pairwise(groups))

    voice = []
    for start, group in groups.items():
        end = max(end for _, end, _ in group)
        end = min(end, next_starts.get(start, end))
        voice.append((start, end - start, _distinct_pitches(group)))

    return voice


def to_chords(notes: Iterable[TimedPitch]) -> list[NoteGroup]:
    """Turns the notes of an accompaniment into chords, one at each onset.

    A chord has the notes that start there, and those that sound on through at least half of the
    time to the next onset. So a held bass or drone is struck again with each chord over it, and
    what sounds in the file also sounds in the score. Ornaments are treated as in `to_voice`.

    Args:
        notes: (start, end, pitch) in grid ticks, in any order.

    Returns:
        (start, duration, pitches) in order of time, the pitches distinct and rising.

    Example:
        >>> to_chords([(0, 96, 48), (0, 48, 64), (48, 96, 65)])
        [(0, 48, (48, 64)), (48, 48, (48, 65))]
    """
    groups = _group_without_ornaments(notes)
    next_starts = dict(itertools.pairwise(groups))

    chords = []
    sounding: list[TimedPitch] = []
    for start, group in groups.items():
        held = [note for note in sounding if note[1] > start]
        sounding = held + group
        end = max(end for _, end, _ in sounding)
        end = min(end, next_starts.get(start, end))

        half = (end - start) / 2
        struck = group + [note for note in held if min(note[1], end) - start >= half]
        chords.append((start, end - start, _distinct_pitches(struck)))

    return chords


def _count_onsets(notes: Iterable[TimedPitch]) -> int:
    return len({start for start, _, _ in notes})


def _is_monophonic(notes: Sequence[TimedPitch]) -> bool:
    """Returns whether a stream plays one note at a time, apart from a few onsets."""
    onsets = group_by_onset(notes)
    num_others = sum(len(group) > 1 for group in onsets.values()) + count_held_onsets(notes)

    return num_others <= (1 - _MONOPHONIC_SHARE) * len(onsets)


def join_channels(streams: Sequence[Stream]) -> list[Stream]:
    """Joins the channels that one instrument plays one note at a time.

    Guitars are recorded with a channel for each string, and MPE controllers take another channel
    for each note. So the monophonic streams of one track and one program are one instrument if
    they are three or more, or if they never sound together.

    Args:
        streams: the streams of a file, one for each track and channel.

    Returns:
        The streams; a joined one stands where its first channel stood.

    Example:
        >>> strings = [Stream([(24 * i, 24 * i + 24, 60)], channels=(i,)) for i in range(3)]
        >>> [stream.channels for stream in join_channels(strings)]
        [(0, 1, 2)]
    """
    instruments: dict[object, list[Stream]] = {}
    for index, stream in enumerate(streams):
        is_alone = not _is_monophonic(stream.notes)
        key = index if is_alone else (stream.track, stream.program)
        instruments.setdefault(key, []).append(stream)

    joined = []
    for parts in instruments.values():
        notes = sorted(note for part in parts for note in part.notes)
        if len(parts) >= 3 or _is_monophonic(notes):
            channels = tuple(channel for part in parts for channel in part.channels)
            joined.append(parts[0]._replace(notes=notes, channels=channels))
        else:
            joined.extend(parts)

    return joined


def _solo_share(notes: Sequence[TimedPitch]) -> float:
    """Returns the share of onsets that one player of a melody would play.

    A single note counts 1, a double stop 3/4, and an onset at which another note is held 0.
    """
    onsets = group_by_onset(notes)
    num_single = sum(len(group) == 1 for group in onsets.values())
    num_double = sum(is_double_stop(group) for group in onsets.values()) - num_single
    held_share = count_held_onsets(notes) / len(onsets)

    return (num_single + 0.75 * num_double) / len(onsets) * (1 - held_share)


def _step_share(notes: Sequence[TimedPitch]) -> float:
    """Returns the share of moves between onsets that repeat a note or step to the next."""
    line = [group[-1][2] for group in group_by_onset(notes).values()]
    moves = [abs(after - before) for before, after in itertools.pairwise(line)]

    return sum(move <= 2 for move in moves) / max(1, len(moves))


def _score_melody(stream: Stream, most_onsets: int) -> float:
    """Scores how likely the notes of a stream are the melody.

        score = 2 solo + mean pitch / 24 − min(½, (range − 24)⁺ / 12) + steps + busy / 2 − bass

    Solo is the share of onsets that one player of a melody would play (`_solo_share`); pitches and
    their range are in semitones; steps is the share of moves of at most a whole tone; busy is the
    number of onsets beside that of the busiest stream; bass is 1 for a bass program.

    Melodies are sung: high, by steps and within two octaves. Figures and counter-melodies are often
    higher, but leap, range wider and rest longer. Whether a stream has the highest note is no
    evidence of its own, because it favours them.
    """
    pitches = [pitch for _, _, pitch in stream.notes]
    mean_pitch = sum(pitches) / len(pitches)
    excess_range = max(0, max(pitches) - min(pitches) - 24)
    busy_share = _count_onsets(stream.notes) / most_onsets
    is_bass = stream.program in _BASS_PROGRAMS

    return (
        2 * _solo_share(stream.notes)
        + mean_pitch / 24
        - min(0.5, excess_range / 12)
        + _step_share(stream.notes)
        + busy_share / 2
        - is_bass
    )


def _separate_written(streams: Sequence[Stream]) -> VoiceSeparation | None:
    """Returns the voices of a file that this package wrote, or None if it is another's."""
    names = [stream.name for stream in streams]
    if len(set(names)) < len(names) or not set(names) <= {MELODY_TRACK, CHORD_TRACK}:
        return None

    notes = {stream.name: stream.notes for stream in streams}
    voices = {MELODY_TRACK: MELODY, CHORD_TRACK: CHORDS}

    return VoiceSeparation(
        notes.get(MELODY_TRACK, []),
        notes.get(CHORD_TRACK, []),
        [
            describe_stream(stream, voices[stream.name], "named as tfseqgan names it")
            for stream in streams
        ],
    )


def _find_melody(streams: Sequence[Stream]) -> int:
    """Returns the index of the melody: of the streams with the strongest names, the best score."""
    num_onsets = [_count_onsets(stream.notes) for stream in streams]
    most_onsets = max(num_onsets)

    def rank(index: int) -> tuple[int, float]:
        stream = streams[index]
        evidence = read_track_name(stream.name)
        busy_share = _NAMED_BUSY_SHARE if evidence > NameEvidence.NONE else _BUSY_SHARE
        is_busy = num_onsets[index] >= busy_share * most_onsets

        return (evidence if is_busy else -len(NameEvidence)), _score_melody(stream, most_onsets)

    return max(range(len(streams)), key=rank)


def _is_sound_effect(stream: Stream) -> bool:
    """Returns whether a stream is percussion or effects by its program or its name."""
    return (
        stream.program in _EFFECT_PROGRAMS
        or read_track_name(stream.name) is NameEvidence.PERCUSSION
    )


def _holds_both_voices(streams: Sequence[Stream], melody: Stream) -> bool:
    """Returns whether the stream of the melody must be split.

    One that is named after a voice or the melody is taken at its word; the notes of "Piano right"
    or "Solo Guitar" may be both. Among several streams, stacked notes are taken for those of the
    melody, and held ones alone show an accompaniment.
    """
    if read_track_name(melody.name) >= NameEvidence.SOPRANO:
        return False
    if len(streams) == 1:
        return holds_accompaniment(melody.notes)

    return count_held_onsets(melody.notes) > _HELD_SHARE * _count_onsets(melody.notes)


def _explain_melody(streams: Sequence[Stream], melody: Stream, is_split: bool) -> str:
    """Returns why a stream is the melody."""
    evidence = read_track_name(melody.name)
    rivals = [stream for stream in streams if read_track_name(stream.name) == evidence]
    by_name = f"its name says {_SAID_BY_NAMES[evidence]}" if evidence in _SAID_BY_NAMES else ""
    by_notes = "its notes are the most like a melody" if len(rivals) > 1 or not by_name else ""
    alone = "the only one with pitched notes" if len(streams) == 1 else ""
    split = "split, since it holds an accompaniment too" if is_split else ""

    return "; ".join(filter(None, [alone or by_name, by_notes if not alone else "", split]))


def _explain_other(stream: Stream, voice: str) -> str:
    """Returns why a stream is not the melody."""
    evidence = read_track_name(stream.name)
    if voice == LEFT_OUT and evidence is NameEvidence.PERCUSSION:
        return "its name says percussion or effects"
    if voice == LEFT_OUT:
        return "its program is percussion or an effect"
    if evidence is NameEvidence.ACCOMPANIMENT:
        return "its name says an accompaniment"

    return "another track is more like a melody"


def separate_voices(streams: Iterable[Stream]) -> VoiceSeparation:
    """Finds the melody and the chords among the streams of a file, whatever their order.

    - If all streams are named as `midi.write_midi` names them, these names decide.
    - Streams of percussion or sound effects, by name or program, are left out, unless there are no
      others.
    - Channels that one instrument plays one note at a time are joined (`join_channels`).
    - The melody is the stream whose name says so most clearly; of equal names, the one with the
      best score, which must have a quarter of the onsets of the busiest.
    - If that stream holds an accompaniment as well, it is split (`stream_splitting.split_stream`).
    - All other notes are the chords.

    Args:
        streams: the streams, one for each track and channel; empty ones are ignored.

    Returns:
        The notes of both voices, and what each stream became.

    Example:
        >>> tune = [(0, 24, 67), (24, 48, 69)]
        >>> figure = [(0, 16, 84), (16, 32, 88), (32, 48, 91)]
        >>> voices = separate_voices([Stream(figure, "Bridge"), Stream(tune, "Lead Vocal", 1)])
        >>> voices.melody == tune, voices.chords == figure
        (True, True)
        >>> [(stream.name, stream.voice) for stream in voices.streams]
        [('Bridge', 'chords'), ('Lead Vocal', 'melody')]
    """
    streams = [stream for stream in streams if stream.notes]
    written = _separate_written(streams)
    if written:
        return written

    streams = join_channels(streams)
    pitched = [stream for stream in streams if not _is_sound_effect(stream)] or streams
    melody_stream = pitched[_find_melody(pitched)]
    melody = melody_stream.notes
    chords: list[TimedPitch] = []
    if _holds_both_voices(pitched, melody_stream):
        melody, chords = split_stream(melody_stream.notes)
    melody_voice = MELODY_AND_CHORDS if chords else MELODY

    voices = []
    for stream in streams:
        if stream is melody_stream:
            voice = melody_voice
            reason = _explain_melody(pitched, stream, is_split=voice == MELODY_AND_CHORDS)
        else:
            voice = CHORDS if stream in pitched else LEFT_OUT
            reason = _explain_other(stream, voice)
        if voice == CHORDS:
            chords = chords + stream.notes
        voices.append(describe_stream(stream, voice, reason))

    return VoiceSeparation(melody, chords, voices)
