"""The streams of a file to the melody and the chords of a score, within the limits of a score."""

from collections.abc import Iterable, Sequence

from tfseqgan.music.score import LONGEST_TICKS, TICKS_PER_QUARTER, Chord, Note
from tfseqgan.music.voice_separation import (
    NoteGroup,
    Stream,
    StreamVoice,
    separate_voices,
    to_chords,
    to_voice,
)

_LONGEST_DRONE_TICKS = 16 * LONGEST_TICKS
"""The longest chord that is read, as several chords; a longer one is an error of the file."""


def _too_long(name: str, what: str, tick: int, duration: int, most: int) -> ValueError:
    """Returns the error for a note or a silence that is too long for a score."""
    return ValueError(
        f"{name} holds a {what} at tick {tick} that lasts {duration} ticks: expected at most "
        f"{most} ({TICKS_PER_QUARTER} ticks in a quarter note). Shorten it; if it is a note, look "
        "for one that is never switched off."
    )


def _check_silences(name: str, streams: Iterable[Stream]) -> None:
    """Raises ValueError if all streams are silent for too long between two notes."""
    notes = sorted(note for stream in streams for note in stream.notes)
    end = notes[0][0]
    for start, note_end, _ in notes:
        if start - end > LONGEST_TICKS:
            raise _too_long(name, "silence", end, start - end, LONGEST_TICKS)
        end = max(end, note_end)


def _move_to_front(
    streams: Sequence[Stream], time_signature: tuple[int, int] | None
) -> list[Stream]:
    """Moves a clip from the middle of a piece to the front by whole bars, of 4/4 if unknown.

    A silence before the first note that is not too long for a score is kept.
    """
    numerator, denominator = time_signature or (4, 4)
    bar_ticks = max(1, 4 * TICKS_PER_QUARTER * numerator // denominator)
    first = min(start for stream in streams for start, _, _ in stream.notes)
    shift = first // bar_ticks * bar_ticks if first > LONGEST_TICKS else 0

    return [
        stream._replace(
            notes=[(start - shift, end - shift, pitch) for start, end, pitch in stream.notes]
        )
        for stream in streams
    ]


def _make_notes(name: str, groups: Iterable[NoteGroup]) -> tuple[Note, ...]:
    """Returns the notes of the melody; raises ValueError if one is too long."""
    notes = []
    for start, duration, pitches in groups:
        if duration > LONGEST_TICKS:
            what = f"note of pitch {pitches[-1]}"
            raise _too_long(name, what, start, duration, LONGEST_TICKS)
        notes += [Note(start, duration, pitch) for pitch in pitches]

    return tuple(notes)


def _make_chords(name: str, groups: Iterable[NoteGroup]) -> tuple[Chord, ...]:
    """Returns the chords; a drone that is too long for one chord is struck again."""
    chords = []
    for start, duration, pitches in groups:
        if duration > _LONGEST_DRONE_TICKS:
            what = f"chord of pitches {pitches}"
            raise _too_long(name, what, start, duration, _LONGEST_DRONE_TICKS)
        for strike in range(start, start + duration, LONGEST_TICKS):
            strike_duration = min(LONGEST_TICKS, start + duration - strike)
            chords.append(Chord(strike, strike_duration, pitches))

    return tuple(chords)


def build_voices(
    streams: Sequence[Stream], time_signature: tuple[int, int] | None, name: str
) -> tuple[tuple[Note, ...], tuple[Chord, ...], list[StreamVoice]]:
    """Separates the voices of a file and makes the notes and chords of a score of them.

    The limits of a score hold for what sounds: a silence is one of all streams together, a length
    is that of a note that is kept, after other notes of its voice have ended it.

    Args:
        streams: the streams of the file, in grid ticks; at least one has notes.
        time_signature: the time signature of the tune, or None.
        name: what the errors call the file.

    Returns:
        (melody, chords, streams): the notes and chords in order of time, and what each stream
        became.

    Raises:
        ValueError: if a note of the melody, or a silence between notes, is longer than
            `score.LONGEST_TICKS`, or a chord longer than 16 times that.

    Example:
        >>> late = 24 * 1000
        >>> melody, _, _ = build_voices([Stream([(late, late + 24, 60)])], (4, 4), "clip.mid")
        >>> melody
        (Note(start_ticks=0, duration_ticks=24, pitch=60),)
    """
    _check_silences(name, streams)
    separation = separate_voices(_move_to_front(streams, time_signature))
    melody = _make_notes(name, to_voice(separation.melody))
    chords = _make_chords(name, to_chords(separation.chords))

    return melody, chords, separation.streams
