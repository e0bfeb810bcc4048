"""Standard MIDI files to scores, and back. No other module uses mido."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mido

from tfseqgan.files import read_regular_file, write_atomically
from tfseqgan.music.score import LONGEST_TICKS, TICKS_PER_QUARTER, Chord, Note, Score
from tfseqgan.music.voice_separation import (
    NoteGroup,
    TimedPitch,
    quantise,
    separate_melody_and_chords,
    to_voice,
)

FLUTE = 73
"""The General MIDI program of the melody, counted from 0; it sounds at once, as fast reels need."""

STEEL_GUITAR = 25
"""The General MIDI program of the chords, counted from 0; it does not cover the flute."""

_MELODY_TRACK = "Melody"
_CHORD_TRACK = "Chords"

_MELODY_CHANNEL = 0
_CHORD_CHANNEL = 1
_PERCUSSION_CHANNEL = 9

_MELODY_VELOCITY = 92
_CHORD_VELOCITY = 64
_BAR_ACCENT = 12
"""How much louder, in MIDI velocity, notes on the first beat of a bar are."""

_WRITTEN_TICKS_PER_BEAT = 480

_RHYTHM_PREFIX = "R:"
"""A text message that begins so holds the rhythm, as the field of that name does in ABC."""

_MICROSECONDS_PER_MINUTE = 60e6

_LONGEST_QUARTER_MICROSECONDS = 2**24 - 1
"""The slowest tempo that MIDI can store."""

_MOST_BYTES = 64 * 2**20
"""The size of a file that is read; a file with a hole of a terabyte must not fill the memory."""

_SHORTEST_BEAT = 64
"""The largest denominator of a time signature that is read or written."""


def _parse(path: Path) -> mido.MidiFile:
    """Returns the parsed file; every defect becomes a ValueError that names it."""
    data = read_regular_file(path, _MOST_BYTES)
    if not data.startswith(b"MThd"):
        raise ValueError(
            f"{path} is not a MIDI file: expected the first four bytes b'MThd', received "
            f"{data[:4]!r}. Export the tune as a Standard MIDI File."
        )

    try:
        file = mido.MidiFile(file=io.BytesIO(data))
    except EOFError as error:
        raise ValueError(
            f"{path} is truncated: expected more MIDI data after its {len(data)} bytes, received "
            "the end of the file. Download or export it again."
        ) from error
    except Exception as error:  # for damaged data mido raises IndexError, KeyError and others
        raise ValueError(
            f"{path} is damaged: expected well-formed MIDI events, received "
            f"{type(error).__name__}: {error}. Download or export it again."
        ) from error

    if file.ticks_per_beat <= 0:
        raise ValueError(
            f"{path} counts time in film frames or not at all: expected a positive number of ticks "
            f"per quarter note, received {file.ticks_per_beat}. Export it with musical time."
        )

    return file


_Label = tuple[int, Any]
"""A meta message with its tick; mido gives messages their attributes only at run time."""


class _Track(NamedTuple):
    """The content of one MIDI track."""

    notes: dict[int, list[TimedPitch]]
    """The notes of each channel, in ticks of the file."""

    labels: list[_Label]
    """The meta messages, such as key and tempo."""


def _read_track(track: Iterable[Any]) -> _Track:
    """Reads the messages of a track; a note that is never switched off ends with the track."""
    now = 0
    sounding: dict[tuple[int, int], list[int]] = {}  # start ticks by channel and pitch
    notes: dict[int, list[TimedPitch]] = {}
    labels = []

    for message in track:
        now += message.time
        kind = message.type
        if kind == "note_on" and message.velocity > 0:
            sounding.setdefault((message.channel, message.note), []).append(now)
        elif kind in ("note_on", "note_off"):  # velocity 0 switches a note off
            starts = sounding.get((message.channel, message.note))
            if starts:
                note = (starts.pop(0), now, message.note)
                notes.setdefault(message.channel, []).append(note)
        elif message.is_meta:
            labels.append((now, message))

    for (channel, pitch), starts in sounding.items():
        notes.setdefault(channel, []).extend((start, now, pitch) for start in starts)

    return _Track(notes, labels)


def _find_voices(
    file: mido.MidiFile, tracks: Sequence[_Track], path: Path
) -> tuple[list[TimedPitch], list[TimedPitch]]:
    """Returns the notes of the melody and of the chords on the grid.

    If all tracks with notes are named as `write_midi` names them, the names decide.
    """
    streams = [
        (file_track.name, quantise(notes, file.ticks_per_beat))
        for file_track, track in zip(file.tracks, tracks, strict=True)
        for channel, notes in sorted(track.notes.items())
        if channel != _PERCUSSION_CHANNEL
    ]
    if not streams:
        raise ValueError(
            f"{path} holds no notes: expected at least one pitched note, received {len(tracks)} "
            "tracks without any. Export the tune with its notes, or leave the file out."
        )

    named = dict(streams)
    names_are_unique = len(named) == len(streams)
    if names_are_unique and named.keys() <= {_MELODY_TRACK, _CHORD_TRACK}:
        return named.get(_MELODY_TRACK, []), named.get(_CHORD_TRACK, [])

    return separate_melody_and_chords([notes for _, notes in streams])


def _decode_text(text: str) -> str:
    """Decodes the text of a meta message, which mido reads as latin-1, as UTF-8 if it is that."""
    try:
        return text.encode("latin1").decode("utf-8")
    except UnicodeDecodeError:
        return text


def _read_labels(labels: Iterable[_Label]) -> dict[str, Any]:
    """Returns the fields of a score that meta messages give; the earliest usable message counts."""
    fields: dict[str, Any] = {}
    for _, message in sorted(labels, key=lambda label: label[0]):
        if message.type == "key_signature":
            fields.setdefault("key", message.key)
        elif message.type == "time_signature":
            if message.numerator > 0 and message.denominator <= _SHORTEST_BEAT:
                fields.setdefault("time_signature", (message.numerator, message.denominator))
        elif message.type == "set_tempo" and message.tempo > 0:
            fields.setdefault("tempo_bpm", _MICROSECONDS_PER_MINUTE / message.tempo)
        elif message.type == "text" and message.text.startswith(_RHYTHM_PREFIX):
            fields.setdefault("rhythm", _decode_text(message.text.removeprefix(_RHYTHM_PREFIX)))

    return fields


def _read_name(file: mido.MidiFile, tracks: Sequence[_Track], path: Path) -> str:
    """Returns the title in the file, or else the name of the file."""
    has_title = file.type == 0 or not tracks[0].notes  # otherwise an instrument is named there
    title = _decode_text(file.tracks[0].name) if has_title else ""

    return title or path.stem


def _too_long(path: Path, what: str, tick: int, duration: int) -> ValueError:
    """Returns the error for a note or a silence that is too long for a score."""
    return ValueError(
        f"{path} holds a {what} at tick {tick} that lasts {duration} ticks: expected at most "
        f"{LONGEST_TICKS} ({TICKS_PER_QUARTER} ticks in a quarter note). Shorten it; if it is a "
        "note, look for one that is never switched off."
    )


def _check_durations(path: Path, groups: Iterable[NoteGroup]) -> None:
    """Raises ValueError if a note, or a silence of all voices, is too long for a score."""
    end = 0
    for start, duration, pitches in sorted(groups):
        if start - end > LONGEST_TICKS:
            raise _too_long(path, "silence", end, start - end)
        if duration > LONGEST_TICKS:
            raise _too_long(path, f"note of pitch {pitches[-1]}", start, duration)
        end = max(end, start + duration)


def read_midi(path: Path | str) -> Score:
    """Reads a MIDI file as a score.

    Times are rounded to the grid of 1/24 quarter note. If a pitch starts again before it is
    switched off, its first note-off ends its first note. A note that is never switched off ends
    with its track. Percussion (channel 10) is ignored. The tracks of a type 2 file are read as
    if they started together.

    The voices are found by their notes (`voice_separation.separate_melody_and_chords`), unless all
    tracks with notes are named "Melody" or "Chords". In each voice an onset ends what still sounds
    (`voice_separation.to_voice`). Ornaments too short for the grid are dropped where their voice
    has another note at the same tick.

    Key, time signature, tempo and rhythm come from the first meta message of each kind; without
    one they are None, 4/4, 120 and None. The name of the score is the title in the file (the name
    of a first track without notes, or of the only track of a type 0 file), or else the name of the
    file without its extension.

    Args:
        path: a `.mid` file of type 0, 1 or 2.

    Returns:
        The score; it has at least one note.

    Raises:
        ValueError: if the file is not MIDI, is truncated or damaged, holds no notes, or holds a
            note or a silence longer than `score.LONGEST_TICKS`. The message names the file, and
            the tick if it is known.
        OSError: if the file cannot be opened; FileNotFoundError if it is missing.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_midi(Score((Note(0, 24, 60),), key="C"), f"{folder}/one.mid")
        ...     tune = read_midi(f"{folder}/one.mid")
        >>> tune.melody, tune.key, tune.name
        ((Note(start_ticks=0, duration_ticks=24, pitch=60),), 'C', 'one')
    """
    path = Path(path)
    file = _parse(path)
    tracks = [_read_track(track) for track in file.tracks]

    melody_notes, chord_notes = _find_voices(file, tracks, path)
    melody = to_voice(melody_notes)
    chords = to_voice(chord_notes)
    _check_durations(path, melody + chords)

    labels = [label for track in tracks for label in track.labels]

    return Score(
        melody=tuple(
            Note(start, duration, pitch) for start, duration, pitches in melody for pitch in pitches
        ),
        chords=tuple(Chord(*group) for group in chords),
        name=_read_name(file, tracks, path),
        **_read_labels(labels),
    )


def _title_track(score: Score) -> mido.MidiTrack:
    """Returns the track of the title, tempo, time signature, key and rhythm."""
    numerator, denominator = score.time_signature
    tempo = round(_MICROSECONDS_PER_MINUTE / score.tempo_bpm)

    track = mido.MidiTrack()
    track.append(mido.MetaMessage("track_name", name=score.name))
    track.append(mido.MetaMessage("set_tempo", tempo=tempo))
    track.append(mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator))
    if score.key is not None:
        track.append(mido.MetaMessage("key_signature", key=score.key))
    if score.rhythm is not None:
        track.append(mido.MetaMessage("text", text=_RHYTHM_PREFIX + score.rhythm))

    return track


def _voice_track(
    notes: Iterable[TimedPitch],
    *,
    name: str,
    channel: int,
    program: int,
    velocity: int,
    bar_ticks: int,
) -> mido.MidiTrack:
    """Returns the track of one voice; notes at the start of a bar are a little louder."""
    switches = []
    for start, end, pitch in notes:
        accent = 0 if start % bar_ticks else _BAR_ACCENT
        switches.append((start, "note_on", pitch, velocity + accent))
        switches.append((end, "note_off", pitch, 0))

    track = mido.MidiTrack()
    track.append(mido.MetaMessage("track_name", name=name))
    track.append(mido.Message("program_change", channel=channel, program=program))

    # Sorting puts "note_off" before "note_on", so a repeated pitch ends before it starts again.
    now = 0
    for tick, kind, pitch, loudness in sorted(switches):
        wait = (tick - now) * _WRITTEN_TICKS_PER_BEAT // TICKS_PER_QUARTER
        track.append(mido.Message(kind, channel=channel, note=pitch, velocity=loudness, time=wait))
        now = tick

    return track


def _check_labels(score: Score) -> None:
    """Raises ValueError if MIDI cannot store the tempo, time signature or key of a score."""
    microseconds = round(_MICROSECONDS_PER_MINUTE / score.tempo_bpm)
    if not 1 <= microseconds <= _LONGEST_QUARTER_MICROSECONDS:
        raise ValueError(
            f"MIDI cannot store the tempo of {score.name!r}: expected a tempo_bpm from 3.58 to "
            f"6e7, received {score.tempo_bpm}. Give it another tempo."
        )

    numerator, denominator = score.time_signature
    is_power_of_two = denominator.bit_count() == 1
    if numerator > 255 or denominator > _SHORTEST_BEAT or not is_power_of_two:
        raise ValueError(
            f"MIDI cannot store the time_signature of {score.name!r}: expected at most 255 beats "
            f"and a beat of 1, 2, 4 or so on to {_SHORTEST_BEAT}, received "
            f"{score.time_signature}. Give it another time signature."
        )

    try:
        mido.MetaMessage("key_signature", key=score.key or "C")
    except ValueError as error:
        raise ValueError(
            f"MIDI cannot store the key of {score.name!r}: expected a key such as 'G', 'Bb' or "
            f"'F#m', received {score.key!r}. Give it such a key, or None."
        ) from error


def write_midi(score: Score, path: Path | str) -> None:
    """Writes a score as a MIDI file that any program shows and plays well.

    The file has type 1 and three tracks: the title, tempo, time signature, key and rhythm;
    "Melody", a flute; and "Chords", a softer steel-string guitar. Notes at the start of a bar are
    a little louder. The file is written completely or not at all.

    `read_midi` gives the same score back, every note equal and the tempo to a microsecond per
    quarter note. There are two exceptions. A score without a name gets the name of the file.
    `read_midi` refuses a file without notes, or with a silence longer than `score.LONGEST_TICKS`.

    Args:
        score: the tune to write.
        path: the file to write; its folder must exist.

    Raises:
        ValueError: if MIDI cannot store the tempo, time signature or key of the score.
        OSError: if the file cannot be written. A file that was there before is unchanged.
    """
    _check_labels(score)
    numerator, denominator = score.time_signature
    bar_ticks = max(1, 4 * TICKS_PER_QUARTER * numerator // denominator)

    melody_notes = [(note.start_ticks, note.end_ticks, note.pitch) for note in score.melody]
    chord_notes = [
        (chord.start_ticks, chord.end_ticks, pitch)
        for chord in score.chords
        for pitch in chord.pitches
    ]

    melody_track = _voice_track(
        melody_notes,
        name=_MELODY_TRACK,
        channel=_MELODY_CHANNEL,
        program=FLUTE,
        velocity=_MELODY_VELOCITY,
        bar_ticks=bar_ticks,
    )
    chord_track = _voice_track(
        chord_notes,
        name=_CHORD_TRACK,
        channel=_CHORD_CHANNEL,
        program=STEEL_GUITAR,
        velocity=_CHORD_VELOCITY,
        bar_ticks=bar_ticks,
    )

    file = mido.MidiFile(type=1, ticks_per_beat=_WRITTEN_TICKS_PER_BEAT, charset="utf-8")
    file.tracks.extend([_title_track(score), melody_track, chord_track])

    buffer = io.BytesIO()
    file.save(file=buffer)
    write_atomically(path, buffer.getvalue())
