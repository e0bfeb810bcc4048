"""The bytes of a Standard MIDI file as tracks of messages, without what no score needs.

The standard asks a reader to step over chunks and messages that it does not know. This one also
steps over defects that touch no note: a wrong number of tracks, stray bytes between chunks, an
undefined status byte, a data byte above 127. mido reads a file completely or not at all; `midi`
uses it for what a message means, and this module for the structure around the messages.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

NOTE_OFF = 0x80
NOTE_ON = 0x90
PROGRAM_CHANGE = 0xC0

_META = 0xFF
_END_OF_TRACK = 0x2F
_SYSTEM_EXCLUSIVE = (0xF0, 0xF7)

_SYSTEM_LENGTHS = {0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Data bytes of the system messages; those that are not listed, and undefined ones, have none."""

_LARGEST_NUMBER = 2**28 - 1
"""The largest number of variable length that the standard allows."""

_MOST_BROKEN_BYTES = 3
"""The bytes at the end of a track that are stepped over, such as an end of track cut short.

A note has four bytes or, under a running status, three; it also needs a note off.
"""

_HEADER_NAME = b"MThd"
_HEADER_BYTES = 14
"""The bytes of a header up to its last field; longer headers exist."""

_TRACK_NAME = b"MTrk"


class RawTrack(NamedTuple):
    """The messages of one track."""

    messages: list[tuple[int, int, int, int]]
    """(tick, kind, channel, value) of notes that are switched on or off and of programs.

    The value is the pitch or the program. A note on with velocity 0 is given as a note off.
    """

    metas: list[tuple[int, int, bytes]]
    """(tick, type, content) of the meta messages."""

    end: int
    """The tick of the end-of-track message, or of the last message."""

    is_ended: bool
    """Whether there is an end-of-track message."""


class RawFile(NamedTuple):
    """The content of a MIDI file."""

    kind: int
    """0: one track; 1: tracks that play together; 2: independent tracks."""

    num_promised_tracks: int
    """The number of tracks in the header; there may be fewer or more."""

    ticks_per_beat: int
    """Ticks in a quarter note; 0 or less if the file does not count musical time."""

    tracks: list[RawTrack]
    """The tracks in the order of the file."""


class _Chunk(NamedTuple):
    name: bytes
    content: bytes
    is_whole: bool


def _read_number(data: bytes, position: int) -> tuple[int, int]:
    """Returns the number of variable length at a position, and the position after it."""
    number = 0
    while True:
        byte = data[position]
        position += 1
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, position
        if number > _LARGEST_NUMBER:
            raise ValueError(f"a number above {_LARGEST_NUMBER}")


def _find_content(data: bytes, position: int, status: int) -> tuple[int, int]:
    """Returns where the content of a message starts and ends; `position` is after its status."""
    if status < 0xF0:
        return position, position + (1 if PROGRAM_CHANGE <= status < 0xE0 else 2)

    if status == _META:
        length, start = _read_number(data, position + 1)  # the type comes before the length
        return start, start + length

    if status in _SYSTEM_EXCLUSIVE:
        length, start = _read_number(data, position)
        return start, start + length

    return position, position + _SYSTEM_LENGTHS.get(status, 0)


class _Message(NamedTuple):
    """One message of a track, and the position after it."""

    tick: int
    status: int
    meta_type: int
    content: bytes
    end: int


def _scan(data: bytes) -> Iterator[_Message]:
    """Yields the messages of a track.

    A status byte stays in force through meta and system messages. The standard cancels it there,
    but there are files that rely on it, and none that it harms.

    Raises:
        IndexError: if the data end inside a message.
        ValueError: if a data byte comes before any status byte, or a number is too large.
    """
    now = position = running_status = 0
    while position < len(data):
        wait, position = _read_number(data, position)
        now += wait

        status = data[position]
        if status >= 0x80:
            position += 1
        else:
            status = running_status
        if status == 0:
            raise ValueError(f"data byte {data[position]} before any status byte")
        if status < 0xF0:
            running_status = status

        start, end = _find_content(data, position, status)
        if end > len(data):
            raise IndexError

        meta_type = data[position] if status == _META else 0
        yield _Message(now, status, meta_type, data[start:end], end)
        position = end


def _read_track(data: bytes) -> tuple[RawTrack, int]:
    """Returns the content of a track, and how many bytes are left inside a broken message."""
    messages: list[tuple[int, int, int, int]] = []
    metas: list[tuple[int, int, bytes]] = []
    now = end = 0
    try:
        for message in _scan(data):
            now, status, meta_type, content, end = message
            kind = status & 0xF0
            if status == _META and meta_type == _END_OF_TRACK:
                return RawTrack(messages, metas, now, True), 0
            if status == _META:
                metas.append((now, meta_type, content))
            elif kind in (NOTE_ON, NOTE_OFF, PROGRAM_CHANGE) and content[0] < 0x80:
                if kind == NOTE_ON and content[1] == 0:
                    kind = NOTE_OFF
                messages.append((now, kind, status & 0x0F, content[0]))
    except IndexError:
        return RawTrack(messages, metas, now, False), len(data) - end

    return RawTrack(messages, metas, now, False), 0


def _read_chunks(data: bytes, position: int) -> Iterator[_Chunk]:
    """Yields the chunks from a position on; stray bytes before a track are left out."""
    while len(data) - position >= 8:
        name = data[position : position + 4]
        if not name.isalnum():
            next_track = data.find(_TRACK_NAME, position)
            position = next_track if next_track >= 0 else len(data)
            continue

        size = int.from_bytes(data[position + 4 : position + 8])
        content = data[position + 8 : position + 8 + size]
        yield _Chunk(name, content, len(content) == size)
        position += 8 + size

    if position < len(data):
        yield _Chunk(data[position:], b"", False)


def _read_tracks(data: bytes, position: int, num_promised: int) -> Iterator[RawTrack]:
    """Yields the tracks from a position on, and raises EOFError if the file ends inside one."""
    num_found = num_skipped = 0
    for chunk in _read_chunks(data, position):
        if chunk.name == _TRACK_NAME:
            track, num_broken_bytes = _read_track(chunk.content)
            if not chunk.is_whole and not track.is_ended:
                raise EOFError
            if num_broken_bytes > _MOST_BROKEN_BYTES:
                raise ValueError(f"a message that goes past the end of track {num_found}")

            num_found += 1
            yield track
        elif not chunk.is_whole and num_found < num_promised:
            raise EOFError
        else:
            num_skipped += 1

    if num_found == 0 and num_skipped > 0:
        raise ValueError(f"{num_skipped} chunks of which none is a track")
    if num_found == 0 < num_promised:
        raise EOFError


def _parse(data: bytes) -> RawFile:
    """Parses data that start with the name of the header."""
    if len(data) < _HEADER_BYTES:
        raise EOFError

    size, kind, num_promised, ticks_per_beat = struct.unpack(">IHHh", data[4:_HEADER_BYTES])
    position = max(_HEADER_BYTES, 8 + size)
    first_track = data.find(_TRACK_NAME, _HEADER_BYTES)
    if first_track >= 0:
        position = min(position, first_track)  # the header may state too large a size

    tracks = list(_read_tracks(data, position, num_promised))

    return RawFile(kind, num_promised, ticks_per_beat, tracks)


def parse_midi(data: bytes, name: str) -> RawFile:
    """Parses the bytes of a MIDI file, alone or inside a RIFF file.

    A track is complete if its end-of-track message is there, whatever size the track states. If
    the file ends between two tracks, those that are there are all.

    Args:
        data: the bytes of the file.
        name: what the errors call the file.

    Returns:
        The tracks, with the messages that a score needs.

    Raises:
        ValueError: if the data are not MIDI, end inside a track, or are damaged so that it is not
            known where the next message starts.

    Example:
        >>> header = b"MThd" + bytes([0, 0, 0, 6, 0, 1, 0, 1, 0, 24])
        >>> track = b"MTrk" + bytes([0, 0, 0, 11, 0, 0x90, 60, 64, 24, 60, 0, 0, 0xFF, 0x2F, 0])
        >>> parse_midi(header + b"XFIH" + bytes(4) + track, "scale.mid").tracks[0].messages
        [(0, 144, 0, 60), (24, 128, 0, 60)]
    """
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        data = data[max(0, data.find(_HEADER_NAME)) :]
    if data[:4] != _HEADER_NAME:
        raise ValueError(
            f"{name} is not a MIDI file: expected the first four bytes {_HEADER_NAME!r}, received "
            f"{data[:4]!r}. Export the tune as a Standard MIDI File."
        )

    try:
        return _parse(data)
    except EOFError as error:
        raise ValueError(
            f"{name} is truncated: expected more MIDI data after its {len(data)} bytes, received "
            "the end of the file. Download or export it again."
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{name} is damaged: expected well-formed MIDI messages, received {error}. Download or "
            "export it again."
        ) from error
