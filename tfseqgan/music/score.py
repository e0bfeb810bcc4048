"""A tune as plain values: notes, chords, and the score that holds them.

Times are whole ticks on a grid of `TICKS_PER_QUARTER` ticks per quarter note. Pitches are MIDI
numbers, where 60 is middle C.
"""

import dataclasses
import itertools
from collections.abc import Sequence

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
        ValueError: if a time or the pitch is out of range.

    Example:
        >>> Note(start_ticks=0, duration_ticks=24, pitch=60).end_ticks
        24
    """

    start_ticks: int
    duration_ticks: int
    pitch: int

    def __post_init__(self) -> None:
        _check_event(self, (self.pitch,))

    @property
    def end_ticks(self) -> int:
        """The first tick after the note."""
        return self.start_ticks + self.duration_ticks


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Chord:
    """Pitches of the accompaniment that start and stop together.

    Args:
        start_ticks: when it starts, in grid ticks from the start of the tune, 0 or more.
        duration_ticks: how long it sounds, in grid ticks, 1 to `LONGEST_TICKS`.
        pitches: the MIDI pitches; kept distinct and in rising order.

    Raises:
        ValueError: if a time or a pitch is out of range, or there is no pitch.

    Example:
        >>> Chord(0, 96, (50, 43, 47)).pitches
        (43, 47, 50)
    """

    start_ticks: int
    duration_ticks: int
    pitches: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "pitches", tuple(sorted(set(self.pitches))))
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


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """A tune: one melody voice over one voice of chords.

    A voice may play several pitches at once but never overlaps itself. This is what the event
    tokens of Lee et al. can express. Scores are immutable values: they can be compared and hashed.

    Args:
        melody: the notes in order of time, then of pitch; notes that start together must also end
            together. Kept as a tuple.
        chords: the chords in order of time. Kept as a tuple.
        key: the key as MIDI and ABC write it, such as `"G"`, `"Em"` or `"F#m"`; None if unknown.
        time_signature: beats in a bar and the note that is one beat, such as (6, 8).
        tempo_bpm: quarter notes per minute.
        name: the title.
        rhythm: the kind of tune, such as "jig" (the field R of ABC); None if unknown.

    Raises:
        ValueError: if a voice overlaps itself or is out of order, or the tempo or time signature
            is not positive.

    Example:
        >>> tune = Score(
        ...     melody=(Note(0, 24, 67), Note(24, 24, 69)),
        ...     chords=(Chord(0, 48, (43, 47, 50)),),
        ...     key="G",
        ... )
        >>> tune.end_ticks, tune.time_signature, tune.tempo_bpm
        (48, (4, 4), 120.0)

    Reference:
        Lee et al. 2017, "A SeqGAN for Polyphonic Music Generation", section 3.
    """

    melody: tuple[Note, ...]
    chords: tuple[Chord, ...] = ()
    key: str | None = None
    time_signature: tuple[int, int] = (4, 4)
    tempo_bpm: float = 120.0
    name: str = ""
    rhythm: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "melody", tuple(self.melody))
        object.__setattr__(self, "chords", tuple(self.chords))

        _check_voice("melody", self.melody)
        _check_voice("chord", self.chords)

        if self.tempo_bpm <= 0 or min(self.time_signature) <= 0:
            raise ValueError(
                "The tempo or the time signature is impossible: expected positive numbers, "
                f"received tempo_bpm={self.tempo_bpm} and time_signature={self.time_signature}."
            )

    @property
    def end_ticks(self) -> int:
        """The first tick after the last note and the last chord; 0 for an empty score."""
        last_events: list[Note | Chord] = [*self.melody[-1:], *self.chords[-1:]]

        return max((event.end_ticks for event in last_events), default=0)


ALL_TRANSPOSITIONS = range(-5, 7)
"""The twelve transpositions in semitones that move a tune least: to every key once."""

_PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

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

    Example:
        >>> transpose_key("G", 2), transpose_key("Em", -3)
        ('A', 'C#m')
    """
    names = _MINOR_KEYS if key.endswith("m") else _MAJOR_KEYS
    tonic = key.removesuffix("m")

    num_sharps = tonic.count("#")
    num_flats = tonic[1:].count("b")
    pitch_class = _PITCH_CLASSES[tonic[0]] + num_sharps - num_flats

    return names[(pitch_class + semitones) % 12]


def transpose(score: Score, semitones: int) -> Score:
    """Moves every pitch of a score, and its key, by a number of semitones.

    Args:
        score: the tune to move; it is not changed.
        semitones: how far up; negative for down.

    Returns:
        The moved score; all times and other fields are equal.

    Raises:
        ValueError: if a pitch would leave 0 to 127.

    Example:
        >>> transpose(Score((Note(0, 24, 60),), key="C"), 7).melody[0].pitch
        67
    """
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
    key = transpose_key(score.key, semitones) if score.key else score.key

    return dataclasses.replace(score, melody=melody, chords=chords, key=key)
