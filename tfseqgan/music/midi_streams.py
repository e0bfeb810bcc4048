"""The tracks of a MIDI file as streams of notes, one for each track and channel."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tfseqgan.music.midi_parsing import NOTE_ON, PROGRAM_CHANGE, RawFile, RawTrack
from tfseqgan.music.text import decode_text
from tfseqgan.music.voice_separation import Stream, TimedPitch

PERCUSSION_CHANNEL = 9
"""The percussion channel of General MIDI, counted from 0."""

TRACK_NAME = 0x03
"""The type of the meta message that names a track."""

_INSTRUMENT_NAME = 0x04

_LAST_NOTE_BEATS = 4
"""The longest that a last note sounds which is never switched off."""

_Switch = tuple[int, bool]
"""(tick, whether on) where a key is switched on or off."""


class FileStreams(NamedTuple):
    """The notes of a file."""

    pitched: list[Stream]
    """The streams that a score may use."""

    percussion: list[Stream]
    """The streams of the percussion channel."""


def _pair_restruck(switches: Sequence[_Switch], end: int) -> list[tuple[int, int]]:
    """Pairs each start of a key with the next switch of any kind, or else with the end."""
    next_ticks = [tick for tick, _ in switches[1:]] + [end]

    return [
        (tick, next_tick)
        for (tick, is_on), next_tick in zip(switches, next_ticks, strict=True)
        if is_on
    ]


def pair_switches(switches: Sequence[tuple[int, bool]], end: int) -> list[tuple[int, int]]:
    """Pairs the ticks where one key is switched on and off to notes.

    If a key starts again before it is switched off, its first switch off ends its first note. But
    if a switch off is missing, this would lengthen every note to come. So where the last notes are
    not all switched off, each start ends the note before it.

    Args:
        switches: (tick, whether on) in order of time.
        end: the tick that ends a note which is never switched off.

    Returns:
        (start, end) of the notes.

    Example:
        >>> pair_switches([(0, True), (10, True), (20, False), (30, False)], 99)
        [(0, 20), (10, 30)]
        >>> pair_switches([(0, True), (10, True), (20, False)], 99)
        [(0, 10), (10, 20)]
    """
    notes: list[tuple[int, int]] = []
    starts: list[int] = []
    first_overlapping = num_before = 0

    for index, (tick, is_on) in enumerate(switches):
        if is_on and not starts:
            first_overlapping = index
            num_before = len(notes)
        if is_on:
            starts.append(tick)
        elif starts:
            notes.append((starts.pop(0), tick))

    if not starts:
        return notes

    return notes[:num_before] + _pair_restruck(switches[first_overlapping:], end)


def find_name(track: RawTrack) -> str:
    """Returns the name of a track, or else of its instrument.

    Args:
        track: the track.

    Returns:
        The first name that is not empty, or an empty string.
    """
    names = [
        decode_text(content)
        for wanted in (TRACK_NAME, _INSTRUMENT_NAME)
        for _, kind, content in track.metas
        if kind == wanted
    ]

    return next(filter(None, names), "")


def _find_programs(tracks: Iterable[RawTrack]) -> dict[int, int]:
    """Returns the first program of each channel."""
    programs: dict[int, int] = {}
    for track in tracks:
        for _, kind, channel, value in track.messages:
            if kind == PROGRAM_CHANGE:
                programs.setdefault(channel, value)

    return programs


def _collect_switches(track: RawTrack) -> dict[int, dict[int, list[_Switch]]]:
    """Returns the switches of each pitch of each channel."""
    switches: dict[int, dict[int, list[_Switch]]] = {}
    for tick, kind, channel, value in track.messages:
        if kind != PROGRAM_CHANGE:
            keys = switches.setdefault(channel, {})
            keys.setdefault(value, []).append((tick, kind == NOTE_ON))

    return switches


def _pair_notes(
    keys: dict[int, list[_Switch]], track_end: int, music_end: int, beat: int
) -> list[TimedPitch]:
    """Returns the notes of one channel.

    A note that is never switched off ends with its track or with the last note of the file; if it
    is the last note itself, it lasts at most four beats.
    """
    notes = []
    for pitch, switches in keys.items():
        last_start = switches[-1][0]
        end = min(track_end, music_end)
        if end <= last_start:
            end = min(track_end, last_start + _LAST_NOTE_BEATS * beat)
        notes += [(start, end, pitch) for start, end in pair_switches(switches, end)]

    return sorted(notes)


def find_streams(file: RawFile) -> FileStreams:
    """Finds the notes of each track and channel of a file.

    Args:
        file: the parsed file.

    Returns:
        The streams with at least one note, their times in ticks of the file.

    Example:
        >>> switches = [(0, 0x90, 0, 60), (9, 0x80, 0, 60)]
        >>> track = RawTrack(switches, [(0, 3, b"Flute")], 9, True)
        >>> find_streams(RawFile(1, 1, 24, [track])).pitched
        [Stream(notes=[(0, 9, 60)], name='Flute', track=0, channels=(0,), program=None)]
    """
    file_programs = _find_programs(file.tracks)
    music_end = max(
        (
            tick
            for track in file.tracks
            for tick, kind, channel, _ in track.messages
            if kind != PROGRAM_CHANGE and channel != PERCUSSION_CHANNEL
        ),
        default=0,
    )

    streams = FileStreams([], [])
    for index, track in enumerate(file.tracks):
        # The name of the only track is the title of the tune.
        name = "" if file.kind == 0 else find_name(track)
        programs = file_programs | _find_programs([track])
        for channel, keys in sorted(_collect_switches(track).items()):
            notes = _pair_notes(keys, track.end, music_end, file.ticks_per_beat)
            stream = Stream(notes, name, index, (channel,), programs.get(channel))
            if notes and channel == PERCUSSION_CHANNEL:
                streams.percussion.append(stream)
            elif notes:
                streams.pitched.append(stream)

    return streams
