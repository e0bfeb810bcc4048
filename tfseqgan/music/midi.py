"""Standard MIDI files to scores, and back. No other module uses mido."""

import io
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mido

from tfseqgan.files import read_regular_file, write_atomically
from tfseqgan.music.metre import starts_bar, time_signature_of
from tfseqgan.music.midi_labels import MICROSECONDS_PER_MINUTE, SHORTEST_BEAT, find_labels
from tfseqgan.music.midi_parsing import PROGRAM_CHANGE, RawFile, RawTrack, parse_midi
from tfseqgan.music.midi_streams import find_name, find_streams
from tfseqgan.music.score import TICKS_PER_QUARTER, Score
from tfseqgan.music.score_building import build_voices
from tfseqgan.music.score_labels import with_metre_and_key
from tfseqgan.music.stream_splitting import TimedPitch
from tfseqgan.music.text import decode_text, printable_path
from tfseqgan.music.voice_separation import (
    CHORD_TRACK,
    MELODY_TRACK,
    PERCUSSION,
    StreamVoice,
    describe_stream,
    quantise,
)

FLUTE = 73
"""The General MIDI program of the melody, counted from 0; it sounds at once, as fast reels need."""

STEEL_GUITAR = 25
"""The General MIDI program of the chords, counted from 0; it does not cover the flute."""

_MELODY_CHANNEL = 0
_CHORD_CHANNEL = 1

_MELODY_VELOCITY = 92
_CHORD_VELOCITY = 64
_BAR_ACCENT = 12
"""How much louder, in MIDI velocity, notes on the first beat of a bar are."""

_WRITTEN_TICKS_PER_BEAT = 480

_RHYTHM_PREFIX = "R:"
"""A text message that begins so holds the rhythm, as the field of that name does in ABC."""

_LONGEST_QUARTER_MICROSECONDS = 2**24 - 1
"""The slowest tempo that MIDI can store."""

_LARGEST_FILE = 2**26
"""The bytes of the largest file that is read; one with a hole of a terabyte must not fill the
memory."""

_TEXT = 0x01
_LABELS = (0x51, 0x58, 0x59)
"""The types of the meta messages for tempo, time signature and key."""


_log = logging.getLogger("tfseqgan")


def _decode_metas(track: RawTrack) -> list[tuple[int, Any]]:
    """Returns (tick, message) of the meta messages about tempo, metre and key that mido can read.

    The others are left out. They touch no note.
    """
    messages = []
    for tick, kind, content in track.metas:
        if kind in _LABELS and len(content) < 0x80:
            try:
                message = mido.MetaMessage.from_bytes([0xFF, kind, len(content), *content])
            except Exception:  # for damaged content mido raises IndexError, KeyError and others
                continue
            messages.append((tick, message))

    return messages


def _read_rhythm(tracks: Iterable[RawTrack]) -> str | None:
    """Returns the rhythm in the first text that holds one, or None."""
    texts = [
        decode_text(content)
        for track in tracks
        for _, kind, content in track.metas
        if kind == _TEXT
    ]
    rhythms = [text for text in texts if text.startswith(_RHYTHM_PREFIX)]

    return rhythms[0].removeprefix(_RHYTHM_PREFIX) if rhythms else None


def _read_name(file: RawFile, path: Path) -> str:
    """Returns the title in the file, or else the name of the file."""
    first = file.tracks[0]
    has_notes = any(kind != PROGRAM_CHANGE for _, kind, _, _ in first.messages)
    has_title = file.kind == 0 or not has_notes  # otherwise an instrument is named there
    title = find_name(first) if has_title else ""

    return title or printable_path(path.stem)


def _read_file(path: Path) -> RawFile:
    """Parses a file and checks that it counts musical time."""
    name = printable_path(path)
    data = read_regular_file(path, _LARGEST_FILE)

    file = parse_midi(data, name)
    if file.ticks_per_beat <= 0:
        raise ValueError(
            f"{name} counts time in film frames or not at all: expected a positive number of ticks "
            f"per quarter note, received {file.ticks_per_beat}. Export it with musical time."
        )
    if len(file.tracks) < file.num_promised_tracks:
        _log.warning(
            "%s holds %d of the %d tracks that its header promises. If it was cut, download it "
            "again.",
            name,
            len(file.tracks),
            file.num_promised_tracks,
        )

    return file


def read_midi_with_voices(path: Path | str) -> tuple[Score, list[StreamVoice]]:
    """Reads a MIDI file as `read_midi` does, and says what each of its streams became.

    Args:
        path: a `.mid` file of type 0, 1 or 2.

    Returns:
        (score, streams): the score, and for each track and channel with notes whether it is the
        melody, chords, both, percussion, or left out, why, and how many notes it has.

    Raises:
        ValueError: as `read_midi`.
        OSError: as `read_midi`.

    Example:
        >>> import tempfile
        >>> from tfseqgan.music.score import Note
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_midi(Score((Note(0, 24, 60),)), f"{folder}/one.mid")
        ...     score, streams = read_midi_with_voices(f"{folder}/one.mid")
        >>> [(stream.name, stream.voice, stream.reason) for stream in streams]
        [('Melody', 'melody', 'named as tfseqgan names it')]
    """
    path = Path(path)
    name = printable_path(path)
    file = _read_file(path)
    found = find_streams(file)
    if not found.pitched:
        raise ValueError(
            f"{name} holds no notes: expected at least one pitched note, received "
            f"{len(file.tracks)} tracks without any. Export the tune with its notes, or leave the "
            "file out."
        )

    # The labels in force from the first note to the last, in ticks of the file.
    start = min(start for stream in found.pitched for start, _, _ in stream.notes)
    end = max(end for stream in found.pitched for _, end, _ in stream.notes)
    metas = [_decode_metas(track) for track in file.tracks]
    labels = find_labels(metas, start, end, file.ticks_per_beat)

    # The voices, in ticks of the grid.
    streams = [
        stream._replace(notes=quantise(stream.notes, file.ticks_per_beat))
        for stream in found.pitched
    ]
    melody, chords, stream_voices = build_voices(streams, labels.time_signature, name)
    percussion = [
        describe_stream(stream, PERCUSSION, "on the percussion channel")
        for stream in found.percussion
    ]

    score = Score(
        melody,
        chords,
        key=labels.key,
        time_signature=labels.time_signature,
        tempo_bpm=labels.tempo_bpm,
        name=_read_name(file, path),
        rhythm=_read_rhythm(file.tracks),
    )

    return score, stream_voices + percussion


def read_midi(path: Path | str) -> Score:
    """Reads a MIDI file as a score.

    Times are rounded to the grid of 1/24 quarter note. The tracks of a type 2 file are read as if
    they started together.

    **Voices.** The names of the tracks, then their notes tell which is the melody; all others are
    its chords, except percussion and sound effects (`voice_separation.separate_voices`). If all
    tracks with notes are named "Melody" or "Chords", these names decide. In the melody an onset
    ends what still sounds (`voice_separation.to_voice`), and what is held in the accompaniment is
    struck again with each chord (`voice_separation.to_chords`). `read_midi_with_voices` also says
    what each track became.

    **Notes.** If a pitch starts again before it is switched off, its first note-off ends its first
    note. A note that is never switched off ends where its pitch starts again, or with its track, or
    with the last note of the file. Ornaments too short for the grid are dropped where their voice
    has another note at the same tick. A chord longer than `score.LONGEST_TICKS` is struck again, up
    to 16 times. A silence before the first note that is longer is shortened by whole bars.

    **Labels.** Of several messages of one kind at one tick, the last one rules. A pick-up or
    count-in bar gives the tune neither its metre nor its tempo: the time signature is the first
    that is in force for more than one of its bars and a quarter of the time from the first note to
    the last, the tempo the one in force longest. Before the first message they are 4/4 and 120; a
    file without any time signature gives None.
    The key is the one in force at the first note, or else the first that comes later, or else None.
    The rhythm is that of the first text that begins with "R:". The name is the title in the file
    (the name of a first track without notes, or of the only track of a type 0 file), or else the
    name of the file without its extension; `text.decode_text` finds its encoding.

    **Defects** that touch no note are stepped over (`midi_parsing`): unknown chunks and messages,
    impossible meta messages, data bytes above 127, a wrong number of tracks, an end of track long
    after the last note.

    Args:
        path: a `.mid` file of type 0, 1 or 2.

    Returns:
        The score; it has at least one note.

    Raises:
        ValueError: if the file is not MIDI or no regular file, is too large, truncated or damaged,
            holds no notes, or holds a melody note, or a silence between notes, that is longer than
            `score.LONGEST_TICKS`. The message names the file, and the tick if it is known.
        OSError: if the file cannot be opened; FileNotFoundError if it is missing.

    Example:
        >>> import tempfile
        >>> from tfseqgan.music.score import Note
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_midi(Score((Note(0, 24, 60),), key="C"), f"{folder}/one.mid")
        ...     tune = read_midi(f"{folder}/one.mid")
        >>> tune.melody, tune.key, tune.name
        ((Note(start_ticks=0, duration_ticks=24, pitch=60),), 'C', 'one')
    """
    score, _ = read_midi_with_voices(path)

    return score


def _title_track(score: Score) -> mido.MidiTrack:
    """Returns the track of the title, tempo, time signature, key and rhythm."""
    numerator, denominator = time_signature_of(score)
    tempo = round(MICROSECONDS_PER_MINUTE / score.tempo_bpm)

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
    score: Score,
) -> mido.MidiTrack:
    """Returns the track of one voice; notes at the start of a bar are a little louder."""
    switches = []
    for start, end, pitch in notes:
        accent = _BAR_ACCENT if starts_bar(score, start) else 0
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
    """Raises ValueError if MIDI cannot store the tempo or time signature of a score."""
    microseconds = round(MICROSECONDS_PER_MINUTE / score.tempo_bpm)
    if not 1 <= microseconds <= _LONGEST_QUARTER_MICROSECONDS:
        raise ValueError(
            f"MIDI cannot store the tempo of {score.name!r}: expected a tempo_bpm from 3.58 to "
            f"6e7, received {score.tempo_bpm}. Give it another tempo."
        )

    numerator, denominator = time_signature_of(score)
    is_power_of_two = denominator.bit_count() == 1
    if numerator > 255 or denominator > SHORTEST_BEAT or not is_power_of_two:
        raise ValueError(
            f"MIDI cannot store the time_signature of {score.name!r}: expected at most 255 beats "
            f"and a beat of 1, 2, 4 or so on to {SHORTEST_BEAT}, received "
            f"{score.time_signature}. Give it another time signature."
        )


def write_midi(score: Score, path: Path | str) -> None:
    """Writes a score as a MIDI file that any program shows and plays well.

    The file has type 1 and three tracks: the title, tempo, time signature, key and rhythm;
    "Melody", a flute; and "Chords", a softer steel-string guitar. Notes at the start of a bar are
    a little louder; bars start where `to_abc` writes them, after a pick-up if there is one. What
    the score does not say of its metre and key is estimated (`score_labels.with_metre_and_key`).
    The file is written completely or not at all.

    `read_midi` gives the same score back, every note equal and the tempo to a microsecond per
    quarter note. There are these exceptions. An estimated metre or key is read as what the file
    says. A score without a name gets the name of the file, and
    a name is read on one line, without control characters or spaces at its ends. A silence longer
    than `score.LONGEST_TICKS` is shortened before the first note, and refused between notes.
    `read_midi` refuses a file without notes.

    Args:
        score: the tune to write.
        path: the file to write; its folder must exist.

    Raises:
        ValueError: if MIDI cannot store the tempo or time signature of the score.
        OSError: if the file cannot be written. A file that was there before is unchanged.
    """
    score = with_metre_and_key(score)
    _check_labels(score)
    melody_notes = [(note.start_ticks, note.end_ticks, note.pitch) for note in score.melody]
    chord_notes = [
        (chord.start_ticks, chord.end_ticks, pitch)
        for chord in score.chords
        for pitch in chord.pitches
    ]

    melody_track = _voice_track(
        melody_notes,
        name=MELODY_TRACK,
        channel=_MELODY_CHANNEL,
        program=FLUTE,
        velocity=_MELODY_VELOCITY,
        score=score,
    )
    chord_track = _voice_track(
        chord_notes,
        name=CHORD_TRACK,
        channel=_CHORD_CHANNEL,
        program=STEEL_GUITAR,
        velocity=_CHORD_VELOCITY,
        score=score,
    )

    file = mido.MidiFile(type=1, ticks_per_beat=_WRITTEN_TICKS_PER_BEAT, charset="utf-8")
    file.tracks.extend([_title_track(score), melody_track, chord_track])

    buffer = io.BytesIO()
    file.save(file=buffer)
    write_atomically(path, buffer.getvalue())
