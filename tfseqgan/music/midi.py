"""Standard MIDI files to scores and back. Only this module knows mido."""

import io
from pathlib import Path

import mido

from tfseqgan.files import write_atomically
from tfseqgan.music.score import LONGEST_TICKS, TICKS_PER_QUARTER, Chord, Note, Score
from tfseqgan.music.voice_separation import quantise, separate_melody_and_chords, to_voice

FLUTE, STEEL_GUITAR = 73, 25
"""General MIDI programs, counted from 0. Both speak at once, which fast reels need, and neither covers the other."""


_MELODY, _CHORDS = "Melody", "Chords"


_PERCUSSION_CHANNEL = 9


_WRITTEN_TICKS_PER_BEAT = 480


_RHYTHM_FIELD = "R:"


_BAR_ACCENT = 12


_SHORTEST_BEAT = 64


_LONGEST_QUARTER_MICROSECONDS = 2**24 - 1


def _parse(path):
    """Returns the `mido.MidiFile` of a path; every defect that mido meets becomes a ValueError that names the file."""
    data = path.read_bytes()
    if not data.startswith(b"MThd"):
        raise ValueError(
            f"{path} is not a MIDI file: expected the first four bytes b'MThd', received {data[:4]!r}. Export the tune as a Standard MIDI "
            "File."
        )
    try:
        file = mido.MidiFile(file=io.BytesIO(data))
    except EOFError as error:
        raise ValueError(
            f"{path} is truncated: expected more MIDI data after its {len(data)} bytes, received the end of the file. Fetch it again."
        ) from error
    except (
        Exception
    ) as error:  # mido lets IndexError, KeyError, struct.error and more through on garbage
        raise ValueError(
            f"{path} is damaged: expected well-formed MIDI events, received {type(error).__name__}: {error}. Fetch it again."
        ) from error
    if file.ticks_per_beat <= 0:
        raise ValueError(
            f"{path} counts time in film frames or not at all: expected a positive number of ticks per quarter note, received "
            f"{file.ticks_per_beat}. Export it with musical time."
        )
    return file


def _read_track(track):
    """Returns a track's notes, a dict from channel to (start, end, pitch), and its labels, the list of (tick, meta message)."""
    now, sounding, notes, labels = 0, {}, {}, []
    for message in track:
        now += message.time
        kind = message.type
        if kind == "note_on" and message.velocity > 0:
            sounding.setdefault((message.channel, message.note), []).append(now)
        elif kind == "note_on" or kind == "note_off":
            starts = sounding.get((message.channel, message.note))
            if starts:
                notes.setdefault(message.channel, []).append((starts.pop(0), now, message.note))
        elif message.is_meta:
            labels.append((now, message))
    for (channel, pitch), starts in sounding.items():
        notes.setdefault(channel, []).extend((start, now, pitch) for start in starts)
    return notes, labels


def _read_parts(file, tracks, path):
    """Returns the notes of the melody and of the chords on the grid; tracks named as `write_midi` names them are taken at their word."""
    streams = [
        (track.name, quantise(stream, file.ticks_per_beat))
        for track, (notes, _) in zip(file.tracks, tracks)
        for channel, stream in sorted(notes.items())
        if channel != _PERCUSSION_CHANNEL
    ]
    if not streams:
        raise ValueError(
            f"{path} holds no notes: expected at least one pitched note, received {len(tracks)} tracks without any."
        )
    named = dict(streams)
    if len(named) == len(streams) and named.keys() <= {_MELODY, _CHORDS}:
        return named.get(_MELODY, []), named.get(_CHORDS, [])
    return separate_melody_and_chords([stream for _, stream in streams])


def _decode_text(text):
    """Returns the text of a meta message, which mido reads byte for byte, as the UTF-8 that most programs write."""
    try:
        return text.encode("latin1").decode("utf-8")
    except UnicodeDecodeError:
        return text


def _read_labels(labels, title, path):
    """Returns the score's fields that meta messages give: for each the first usable one, in order of time."""
    fields = {"name": title or path.stem}
    for _, message in sorted(labels, key=lambda label: label[0]):
        if message.type == "key_signature":
            fields.setdefault("key", message.key)
        elif (
            message.type == "time_signature"
            and message.numerator > 0
            and message.denominator <= _SHORTEST_BEAT
        ):
            fields.setdefault("time_signature", (message.numerator, message.denominator))
        elif message.type == "set_tempo" and message.tempo > 0:
            fields.setdefault("tempo_bpm", 60e6 / message.tempo)
        elif message.type == "text" and message.text.startswith(_RHYTHM_FIELD):
            fields.setdefault("rhythm", _decode_text(message.text[len(_RHYTHM_FIELD) :]))
    return fields


def _too_long(path, what, tick, ticks):
    """Returns the ValueError for a note or a silence that a score may not hold."""
    return ValueError(
        f"{path} holds a {what} at tick {tick} that lasts {ticks} ticks: expected at most {LONGEST_TICKS} "
        f"({TICKS_PER_QUARTER} ticks a quarter note). Shorten it, or look for a note-on that was never switched off."
    )


def _check_strikes(path, voices):
    """Raises ValueError if a note, or a silence of all voices, is too long for a score."""
    end = 0
    for start, duration, pitches in sorted(voices[0] + voices[1]):
        if start - end > LONGEST_TICKS:
            raise _too_long(path, "silence", end, start - end)
        if duration > LONGEST_TICKS:
            raise _too_long(path, f"note of pitch {pitches[-1]}", start, duration)
        end = max(end, start + duration)


def read_midi(path):
    """Reads a Standard MIDI File as a score of melody and chords on the grid of 1/24 quarter note.

    Notes are paired first in, first out; one that is never switched off ends with its track. Percussion (channel 10) is passed over. The
    parts are found by content (`voices.separate_melody_and_chords`), unless all tracks with notes are named "Melody" or "Chords". Each becomes one voice
    (`voices.strikes`): an onset cuts what sounds, and ornaments too short for the grid are dropped where another note stands at the same
    tick. The tracks of a type 2 file are read as if they started together.

    Key, time signature, tempo and rhythm come from the first meta message of each kind, with None, 4/4, 120 and None where there is
    none. The name is the file's title (the name of a first track without notes, or of the one track of a type 0 file), or else its stem.

    Args:
        path: a `.mid` file of type 0, 1 or 2.

    Returns:
        A `Score` with at least one note.

    Raises:
        ValueError: naming the file, and the tick where it is known, if it is not MIDI, is truncated or damaged, holds no notes, or holds a
            note or a silence longer than `score.LONGEST_TICKS`.
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
    voices = [to_voice(part) for part in _read_parts(file, tracks, path)]
    _check_strikes(path, voices)
    titled = file.type == 0 or not tracks[0][0]
    return Score(
        melody=tuple(
            Note(start, duration, pitch)
            for start, duration, pitches in voices[0]
            for pitch in pitches
        ),
        chords=tuple(Chord(*strike) for strike in voices[1]),
        **_read_labels(
            [label for _, labels in tracks for label in labels],
            titled and _decode_text(file.tracks[0].name),
            path,
        ),
    )


def _conductor_track(score):
    """Returns the track of the title, tempo, signatures and rhythm."""
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=score.name)])
    track.append(mido.MetaMessage("set_tempo", tempo=round(60e6 / score.tempo_bpm)))
    numerator, denominator = score.time_signature
    track.append(mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator))
    if score.key is not None:
        track.append(mido.MetaMessage("key_signature", key=score.key))
    if score.rhythm is not None:
        track.append(mido.MetaMessage("text", text=_RHYTHM_FIELD + score.rhythm))
    return track


def _voice_track(events, name, channel, program, velocity, bar_ticks):
    """Returns the track of one voice; `events` are (start, end, pitch), and those on the first beat of a bar sound a little louder."""
    moments = []
    for start, end, pitch in events:
        accent = 0 if start % bar_ticks else _BAR_ACCENT
        moments += [(start, "note_on", pitch, velocity + accent), (end, "note_off", pitch, 0)]
    track = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name=name),
            mido.Message("program_change", channel=channel, program=program),
        ]
    )
    now = 0
    for tick, kind, pitch, loudness in sorted(
        moments
    ):  # "note_off" sorts before "note_on", so that a repeated pitch is struck anew
        wait = (tick - now) * _WRITTEN_TICKS_PER_BEAT // TICKS_PER_QUARTER
        track.append(mido.Message(kind, channel=channel, note=pitch, velocity=loudness, time=wait))
        now = tick
    return track


def _check_labels(score):
    """Raises ValueError if MIDI cannot say a score's tempo, time signature or key."""
    numerator, denominator = score.time_signature
    if not 1 <= round(60e6 / score.tempo_bpm) <= _LONGEST_QUARTER_MICROSECONDS:
        raise ValueError(
            f"MIDI writes a tempo_bpm from 3.58 to 6e7; {score.name!r} has {score.tempo_bpm}. Give it another."
        )
    if numerator > 255 or denominator > _SHORTEST_BEAT or denominator.bit_count() != 1:
        raise ValueError(
            f"MIDI writes a time_signature of at most 255 over a power of two up to {_SHORTEST_BEAT}; {score.name!r} has "
            f"{score.time_signature}. Give it another."
        )
    try:
        mido.MetaMessage("key_signature", key=score.key or "C")
    except ValueError as error:
        raise ValueError(
            f"MIDI writes a key such as 'G', 'Bb' or 'F#m'; {score.name!r} has {score.key!r}. Give one, or None."
        ) from error


def write_midi(score, path):
    """Writes a score as a type 1 MIDI file that any player shows and plays well; `read_midi` gives the same score back.

    Three tracks: the title, tempo, key and time signature; "Melody", a flute; "Chords", a steel-string guitar, softer. Bars begin a little
    louder. The file is written whole or not at all. What comes back is equal note for note, the tempo to a microsecond a beat. A score
    without a name comes back with the file's; one without notes, or with a longer silence than `score.LONGEST_TICKS`, is not.

    Args:
        score: a `Score`.
        path: the file to write; its folder must exist.

    Raises:
        ValueError: if MIDI cannot say the score's tempo, time signature or key.
        OSError: if the file cannot be written; one that was there before is untouched.
    """
    _check_labels(score)
    numerator, denominator = score.time_signature
    bar_ticks = max(1, 4 * TICKS_PER_QUARTER * numerator // denominator)
    notes = [(note.start_ticks, note.end_ticks, note.pitch) for note in score.melody]
    strummed = [
        (chord.start_ticks, chord.end_ticks, pitch)
        for chord in score.chords
        for pitch in chord.pitches
    ]
    file = mido.MidiFile(type=1, ticks_per_beat=_WRITTEN_TICKS_PER_BEAT, charset="utf-8")
    file.tracks.append(_conductor_track(score))
    file.tracks.append(_voice_track(notes, _MELODY, 0, FLUTE, 92, bar_ticks))
    file.tracks.append(_voice_track(strummed, _CHORDS, 1, STEEL_GUITAR, 64, bar_ticks))
    buffer = io.BytesIO()
    file.save(file=buffer)
    write_atomically(path, buffer.getvalue())
