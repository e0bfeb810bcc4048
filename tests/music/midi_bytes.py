"""Standard MIDI files byte by byte, with the defects that no library would write."""

import struct

TICKS_PER_BEAT = 24

SCALE = [(24 * index, 24 * index + 24, pitch) for index, pitch in enumerate((60, 62, 64, 65))]
"""Four quarter notes as (start, end, pitch)."""


def number(value):
    """Returns a number in MIDI's variable length."""
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.insert(0, value & 0x7F | 0x80)

    return bytes(digits)


def meta(kind, content):
    """Returns a meta message."""
    return bytes([0xFF, kind]) + number(len(content)) + bytes(content)


def named(text):
    """Returns the message that names a track, at tick 0, from bytes or text."""
    content = text if isinstance(text, bytes) else text.encode()

    return (0, meta(3, content))


def tempo(bpm, wait=0):
    """Returns a tempo message that comes `wait` ticks after the one before."""
    return (wait, meta(0x51, round(60e6 / bpm).to_bytes(3)))


def metre(numerator, exponent, wait=0):
    """Returns a time signature; the denominator is 2 to the exponent."""
    return (wait, meta(0x58, [numerator, exponent, 24, 8]))


def key(num_sharps, wait=0):
    """Returns a major key signature; flats are negative."""
    return (wait, meta(0x59, [num_sharps % 256, 0]))


def switches(notes, channel=0):
    """Returns the messages (wait, bytes) of notes given as (start, end, pitch)."""
    moments = sorted(
        [(start, 1, pitch) for start, _, pitch in notes]
        + [(end, 0, pitch) for _, end, pitch in notes]
    )

    messages = []
    now = 0
    for tick, is_on, pitch in moments:
        messages.append((tick - now, bytes([0x90 | channel, pitch, 64 * is_on])))
        now = tick

    return messages


def chunk(name, content):
    """Returns a chunk with its size."""
    return name + struct.pack(">I", len(content)) + content


def track(*messages, wait=0):
    """Returns a track chunk of messages (wait, bytes) that ends `wait` ticks after the last."""
    content = b"".join(number(delta) + bytes(message) for delta, message in messages)

    return chunk(b"MTrk", content + number(wait) + meta(0x2F, b""))


def midi_file(*chunks, num_tracks=None, kind=1):
    """Returns a file of chunks; the header promises a track for each unless told otherwise."""
    num_tracks = len(chunks) if num_tracks is None else num_tracks

    return struct.pack(">4sIHHH", b"MThd", 6, kind, num_tracks, TICKS_PER_BEAT) + b"".join(chunks)
