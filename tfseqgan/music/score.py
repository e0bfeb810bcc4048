"""A tune as plain values: notes, chords, and the score that holds them.

Times are whole ticks on a grid of `TICKS_PER_QUARTER` ticks per quarter note. Pitches are MIDI
numbers, where 60 is middle C.
"""

import dataclasses
import itertools
import math
import numbers
import re
from collections.abc import Iterable, Sequence
from typing import Any

from tfseqgan.arguments import whole_number
from tfseqgan.music.keys import parse_key

TICKS_PER_QUARTER = 24
"""Grid ticks in a quarter note.

24 ticks hold sixteenths (6 ticks), thirty-seconds (3 ticks), and the triplets of quarters (16),
eighths (8) and sixteenths (4).
"""

LONGEST_TICKS = 256 * TICKS_PER_QUARTER
"""The longest note or chord of a score; the longest Nottingham drone lasts 129 quarter notes."""


def _check_event(event: "Note | Chord", pitches: Sequence[int]) -> None:
    """Raises ValueError unless the times and pitches of a note or chord are in range."""
    if event.start_ticks < 0:
        raise ValueError(
            f"{event} starts before the tune: expected start_ticks of 0 or more, received "
            f"{event.start_ticks}. Shift the tune so that it starts at tick 0."
        )

    if not 1 <= event.duration_ticks <= LONGEST_TICKS:
        raise ValueError(
            f"{event} has an impossible duration: expected 1 to {LONGEST_TICKS} ticks "
            f"({LONGEST_TICKS // TICKS_PER_QUARTER} quarter notes), received "
            f"{event.duration_ticks}. Shorten it; in a MIDI file, look for a note that is never "
            "switched off."
        )

    if not pitches or min(pitches) < 0 or max(pitches) > 127:
        raise ValueError(
            f"{event} has a pitch outside 0 to 127, or no pitch: expected MIDI pitches, where 60 "
            f"is middle C, received {tuple(pitches)}. Transpose or remove the pitch."
        )


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Note:
    """One note of the melody.

    Args:
        start_ticks: when it starts, in grid ticks from the start of the tune, 0 or more.
        duration_ticks: how long it sounds, in grid ticks, 1 to `LONGEST_TICKS`.
        pitch: the MIDI pitch, 0 to 127; 60 is middle C.

    Raises:
        ValueError: if a time or the pitch is out of range or not whole.

    Example:
        >>> Note(start_ticks=0, duration_ticks=24, pitch=60).end_ticks
        24
    """

    start_ticks: int
    duration_ticks: int
    pitch: int

    def __post_init__(self) -> None:
        # A corpus has very many notes, and one expression finds that nearly all of them are right.
        if (
            type(self.start_ticks) is type(self.duration_ticks) is type(self.pitch) is int
            and self.start_ticks >= 0
            and 1 <= self.duration_ticks <= LONGEST_TICKS
            and 0 <= self.pitch <= 127
        ):
            return

        for field in ("start_ticks", "duration_ticks", "pitch"):
            number = whole_number(f"The {field} of a note", getattr(self, field))
            object.__setattr__(self, field, number)
        _check_event(self, (self.pitch,))

    @property
    def end_ticks(self) -> int:
        """The first tick after the note."""
        return self.start_ticks + self.duration_ticks


def _distinct_pitches(pitches: Any) -> tuple[int, ...]:
    """Returns the distinct pitches in rising order, or raises ValueError if one is not whole."""
    try:
        pitches = tuple(pitches)
    except TypeError:
        raise ValueError(
            "The pitches of a chord must be a sequence of MIDI pitches: expected one such as "
            f"(43, 47, 50), received {pitches!r}. Write one pitch p as (p,)."
        ) from None

    if set(map(type, pitches)) != {int}:
        pitches = tuple(whole_number("A pitch of a chord", pitch) for pitch in pitches)

    return tuple(sorted(set(pitches)))


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Chord:
    """Pitches of the accompaniment that start and stop together.

    Args:
        start_ticks: when it starts, in grid ticks from the start of the tune, 0 or more.
        duration_ticks: how long it sounds, in grid ticks, 1 to `LONGEST_TICKS`.
        pitches: the MIDI pitches; kept distinct and in rising order.

    Raises:
        ValueError: if a time or a pitch is out of range or not whole, or there is no pitch.

    Example:
        >>> Chord(0, 96, (50, 43, 47)).pitches
        (43, 47, 50)
    """

    start_ticks: int
    duration_ticks: int
    pitches: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "pitches", _distinct_pitches(self.pitches))
        if not type(self.start_ticks) is type(self.duration_ticks) is int:
            for field in ("start_ticks", "duration_ticks"):
                number = whole_number(f"The {field} of a chord", getattr(self, field))
                object.__setattr__(self, field, number)

        _check_event(self, self.pitches)

    @property
    def end_ticks(self) -> int:
        """The first tick after the chord."""
        return self.start_ticks + self.duration_ticks


def _are_double_stop(before: Note | Chord, after: Note | Chord) -> bool:
    """Returns whether two notes start together and end together, the lower pitch first."""
    return (
        isinstance(before, Note)
        and isinstance(after, Note)
        and before.start_ticks == after.start_ticks
        and before.duration_ticks == after.duration_ticks
        and before.pitch < after.pitch
    )


def _to_events(name: str, events: Any, kind: type) -> tuple[Any, ...]:
    """Returns the notes or chords of a voice as a tuple, or raises ValueError if one is neither."""
    wrong = events
    if isinstance(events, Iterable):
        events = tuple(events)
        strangers = [event for event in events if not isinstance(event, kind)]
        if not strangers:
            return events
        wrong = strangers[0]

    raise ValueError(
        f"The {name} voice of a score holds something else: expected a sequence of "
        f"{kind.__name__}, received {wrong!r}. Make each event with {kind.__name__}, and write one "
        "event e as (e,)."
    )


def _check_voice(name: str, events: Sequence[Note | Chord]) -> None:
    """Raises ValueError unless the notes or chords of a voice are in order and never overlap."""
    for before, after in itertools.pairwise(events):
        follows = before.end_ticks <= after.start_ticks
        if not follows and not _are_double_stop(before, after):
            raise ValueError(
                f"The {name} voice overlaps itself or is out of order: {before} still sounds when "
                f"{after} starts. Expected each event to start after the one before it ends; only "
                "melody notes may start together, with equal durations and in rising order of "
                "pitch. Shorten the earlier event, as read_midi does."
            )


def _to_tempo(value: Any) -> float:
    """Returns a tempo as a Python number, or raises ValueError unless it is one above 0."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        tempo = float(value) if is_number else math.nan
    except OverflowError:
        tempo = math.inf

    if not 0 < tempo < math.inf:
        raise ValueError(
            "The tempo is impossible: expected a positive number of quarter notes per minute, "
            f"received tempo_bpm={value!r}. Give the score another, such as 120."
        )

    return value if type(value) in (int, float) else tempo


def _to_time_signature(value: Any) -> tuple[int, int]:
    """Returns a time signature as two ints, or raises ValueError unless they are above 0."""
    beats = tuple(value) if isinstance(value, Iterable) else ()
    if len(beats) == 2:
        numerator, denominator = (
            whole_number("Each part of a time signature", number) for number in beats
        )
        if numerator > 0 and denominator > 0:
            return numerator, denominator

    raise ValueError(
        "The time signature is impossible: expected two positive numbers, the beats in a bar and "
        f"the note that is one beat, received time_signature={value!r}. Give the score another, "
        "such as (6, 8), or None if it is unknown."
    )


_CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def _escape_surrogate(match: re.Match[str]) -> str:
    """Returns half of a character, or a byte that Python could not decode, as an escape."""
    code = ord(match[0])
    is_byte = 0xDC80 <= code <= 0xDCFF  # how Python decodes the other bytes of a file name
    return f"\\x{code - 0xDC00:02x}" if is_byte else f"\\u{code:04x}"


def _to_line(field: str, value: Any) -> str:
    """Returns a name as one line of text that every encoding of Unicode can write."""
    if not isinstance(value, str):
        raise ValueError(
            f"The {field} of a score must be text: expected a str, received {value!r}. Convert it "
            "with str()."
        )
    if value.isprintable():
        return str(value)

    line = _CONTROL_CHARACTERS.sub(" ", value).strip()
    return _LONE_SURROGATE.sub(_escape_surrogate, line)


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """A tune: one melody voice over one voice of chords.

    A voice may play several pitches at once but never overlaps itself. This is what the event
    tokens of Lee et al. can express. Scores are immutable values: they can be compared and hashed.

    Args:
        melody: the notes in order of time, then of pitch; notes that start together must also end
            together. Kept as a tuple.
        chords: the chords in order of time. Kept as a tuple.
        key: the key as MIDI and ABC write it, such as `"G"`, `"Em"` or `"F#m"`, of at most seven
            sharps or flats; None if unknown.
        time_signature: beats in a bar and the note that is one beat, such as (6, 8); None if
            unknown. What is written then has an estimate (`score_labels.with_metre_and_key`).
        tempo_bpm: quarter notes per minute.
        name: the title, one line. Line breaks, NUL and other control characters become spaces, and
            what is not Unicode, such as a byte of a file name in another encoding, an escape like
            `\\xe9`, so that every file and terminal can hold it.
        rhythm: the kind of tune, such as "jig" (the field R of ABC), kept as the title is; None if
            unknown.

    Raises:
        ValueError: if a voice overlaps itself, is out of order, or holds anything but notes or
            chords; the tempo or the time signature is not positive; there is no such key; or a
            name is not text.

    Example:
        >>> tune = Score(
        ...     melody=(Note(0, 24, 67), Note(24, 24, 69)),
        ...     chords=(Chord(0, 48, (43, 47, 50)),),
        ...     key="G",
        ...     time_signature=(2, 4),
        ... )
        >>> tune.end_ticks, tune.time_signature, tune.tempo_bpm
        (48, (2, 4), 120.0)

    Reference:
        Lee et al. 2017, "A SeqGAN for Polyphonic Music Generation", section 3.
    """

    melody: tuple[Note, ...]
    chords: tuple[Chord, ...] = ()
    key: str | None = None
    time_signature: tuple[int, int] | None = None
    tempo_bpm: float = 120.0
    name: str = ""
    rhythm: str | None = None

    def __post_init__(self) -> None:
        fields: dict[str, Any] = {
            "melody": _to_events("melody", self.melody, Note),
            "chords": _to_events("chord", self.chords, Chord),
            "tempo_bpm": _to_tempo(self.tempo_bpm),
            "name": _to_line("name", self.name),
        }
        if self.time_signature is not None:
            fields["time_signature"] = _to_time_signature(self.time_signature)
        if self.key is not None:
            parse_key(self.key)
            fields["key"] = str(self.key)
        if self.rhythm is not None:
            fields["rhythm"] = _to_line("rhythm", self.rhythm)

        for name, value in fields.items():
            object.__setattr__(self, name, value)

        _check_voice("melody", self.melody)
        _check_voice("chord", self.chords)

    @property
    def end_ticks(self) -> int:
        """The first tick after the last note and the last chord; 0 for an empty score."""
        last_events: list[Note | Chord] = [*self.melody[-1:], *self.chords[-1:]]

        return max((event.end_ticks for event in last_events), default=0)


ALL_TRANSPOSITIONS = range(-5, 7)
"""The twelve transpositions in semitones that move a tune least: to every key once."""

_MAJOR_KEYS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

_MINOR_KEYS = ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm")


def transpose_key(key: str, semitones: int) -> str:
    """Names the key that lies a number of semitones above another.

    Of the possible names of a key, the one with the fewest accidentals is chosen.

    Args:
        key: a key such as `"G"`, `"Bb"` or `"F#m"`.
        semitones: how far up; negative for down.

    Returns:
        The name of the new key.

    Raises:
        ValueError: if there is no such key, or the number of semitones is not whole.

    Example:
        >>> transpose_key("G", 2), transpose_key("Em", -3)
        ('A', 'C#m')
    """
    old = parse_key(key)
    names = _MINOR_KEYS if old.is_minor else _MAJOR_KEYS
    pitch_class = 7 * old.tonic_fifths % 12
    distance = whole_number("The distance in semitones", semitones)

    return names[(pitch_class + distance) % 12]


def transpose(score: Score, semitones: int) -> Score:
    """Moves every pitch of a score, and its key, by a number of semitones.

    Args:
        score: the tune to move; it is not changed.
        semitones: how far up; negative for down.

    Returns:
        The moved score; all times and other fields are equal.

    Raises:
        ValueError: if a pitch would leave 0 to 127, or the number of semitones is not whole.

    Example:
        >>> transpose(Score((Note(0, 24, 60),), key="C"), 7).melody[0].pitch
        67
    """
    semitones = whole_number("The distance in semitones", semitones)
    melody = tuple(
        Note(note.start_ticks, note.duration_ticks, note.pitch + semitones) for note in score.melody
    )
    chords = tuple(
        Chord(
            chord.start_ticks,
            chord.duration_ticks,
            tuple(pitch + semitones for pitch in chord.pitches),
        )
        for chord in score.chords
    )
    key = None if score.key is None else transpose_key(score.key, semitones)

    return dataclasses.replace(score, melody=melody, chords=chords, key=key)
