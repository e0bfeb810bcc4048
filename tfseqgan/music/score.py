"""A tune as plain values: notes, chords, and the score that holds them.

Times are whole ticks on a grid of `TICKS_PER_QUARTER` to the quarter note, and pitches are MIDI numbers: 60 is middle C everywhere.
"""

import dataclasses

TICKS_PER_QUARTER = 24
"""Grid ticks in a quarter note: holds sixteenths (6), thirty-seconds (3) and triplets of quarters (16), eighths (8), sixteenths (4)."""


LONGEST_TICKS = 256 * TICKS_PER_QUARTER
"""The longest note or chord that a score may hold; the longest drone of the Nottingham tunes lasts 129 quarters."""


def _check_event(event, pitches):
    """Raises ValueError unless an event's times and pitches can stand in a score."""
    if event.start_ticks < 0:
        raise ValueError(
            f"{event} starts before the tune: start_ticks must be 0 or more. Shift the tune so that it starts at tick 0."
        )
    if not 1 <= event.duration_ticks <= LONGEST_TICKS:
        raise ValueError(
            f"{event} lasts {event.duration_ticks} ticks, expected 1 to {LONGEST_TICKS} ({LONGEST_TICKS // TICKS_PER_QUARTER} quarter "
            "notes). Shorten the note, or look for a note-on that was never switched off."
        )
    if not pitches or min(pitches) < 0 or max(pitches) > 127:
        raise ValueError(
            f"{event} has a pitch outside 0 to 127, or none. MIDI pitches are expected: 60 is middle C."
        )


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Note:
    """One note of the melody.

    Args:
        start_ticks: when it starts, in grid ticks from the start of the tune, 0 or more.
        duration_ticks: how long it sounds, in grid ticks, 1 to `LONGEST_TICKS`.
        pitch: MIDI pitch, 0 to 127; 60 is middle C.

    Raises:
        ValueError: if a time or the pitch is out of range.

    Example:
        >>> Note(start_ticks=0, duration_ticks=24, pitch=60).end_ticks
        24
    """

    start_ticks: int
    duration_ticks: int
    pitch: int

    def __post_init__(self):
        _check_event(self, (self.pitch,))

    @property
    def end_ticks(self):
        """The first tick after the note."""
        return self.start_ticks + self.duration_ticks


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Chord:
    """Pitches of the accompaniment that start and stop together.

    Args:
        start_ticks: when it starts, in grid ticks from the start of the tune, 0 or more.
        duration_ticks: how long it sounds, in grid ticks, 1 to `LONGEST_TICKS`.
        pitches: the distinct MIDI pitches; kept in rising order.

    Raises:
        ValueError: if a time or a pitch is out of range, or there is no pitch.

    Example:
        >>> Chord(0, 96, (50, 43, 47)).pitches
        (43, 47, 50)
    """

    start_ticks: int
    duration_ticks: int
    pitches: tuple[int, ...]

    def __post_init__(self):
        object.__setattr__(self, "pitches", tuple(sorted(set(self.pitches))))
        _check_event(self, self.pitches)

    @property
    def end_ticks(self):
        """The first tick after the chord."""
        return self.start_ticks + self.duration_ticks


def _check_voice(events, voice):
    """Raises ValueError unless a voice is in order, strikes once an onset and never overlaps itself."""
    for before, after in zip(events, events[1:]):
        struck_together = (before.start_ticks, before.duration_ticks) == (
            after.start_ticks,
            after.duration_ticks,
        )
        if before.end_ticks > after.start_ticks and not (
            voice == "melody" and struck_together and before < after
        ):
            raise ValueError(
                f"The {voice} overlaps itself: {before} still sounds when {after} starts. One {voice} voice is expected, in order of time, "
                "where notes that start together also end together. Cut the earlier one short, as read_midi does."
            )


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """A tune: one melody voice over one voice of chords.

    A voice may strike several pitches at once but never overlaps itself, which is what an event token can say (Lee et al. 2017).

    Args:
        melody: the notes in order of time, then pitch; notes that start together also end together.
        chords: the chords in order of time.
        key: the key as MIDI and ABC write it, such as `"G"`, `"Em"`, `"F#m"`, or None where it is not known.
        time_signature: beats in a bar and the note that is one beat, such as (6, 8).
        tempo_bpm: quarter notes a minute.
        name: the title.
        rhythm: the kind of tune, such as "jig" (ABC's field R), or None where it is not known.

    Raises:
        ValueError: if a voice overlaps itself or is out of order, or the tempo or time signature is not positive.

    Example:
        >>> tune = Score(melody=(Note(0, 24, 67), Note(24, 24, 69)), chords=(Chord(0, 48, (43, 47, 50)),), key="G")
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

    def __post_init__(self):
        object.__setattr__(self, "melody", tuple(self.melody))
        object.__setattr__(self, "chords", tuple(self.chords))
        _check_voice(self.melody, "melody")
        _check_voice(self.chords, "chords")
        if self.tempo_bpm <= 0 or min(self.time_signature) <= 0:
            raise ValueError(
                f"A positive tempo and time signature are expected, received {self.tempo_bpm} and {self.time_signature}."
            )

    @property
    def end_ticks(self):
        """The first tick after everything has sounded; 0 for an empty score."""
        return max((event.end_ticks for event in self.melody[-1:] + self.chords[-1:]), default=0)


_PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


_KEY_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


_MINOR_KEY_NAMES = ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm")


def transpose_key(key, semitones):
    """Returns the name of a key moved by whole semitones, spelled with the fewest accidentals.

    Args:
        key: a key such as `"G"`, `"Bb"`, `"F#m"`.
        semitones: how far up, negative for down.

    Example:
        >>> transpose_key("G", 2), transpose_key("Em", -3)
        ('A', 'C#m')
    """
    minor, tonic = key.endswith("m"), key.removesuffix("m")
    pitch_class = _PITCH_CLASSES[tonic[0]] + tonic.count("#") - tonic[1:].count("b")
    return (_MINOR_KEY_NAMES if minor else _KEY_NAMES)[(pitch_class + semitones) % 12]


def transpose(score, semitones):
    """Returns a score moved by whole semitones: every pitch, and the key's name.

    Args:
        score: a `Score`.
        semitones: how far up, negative for down.

    Raises:
        ValueError: if a pitch would leave 0 to 127.

    Example:
        >>> transpose(Score((Note(0, 24, 60),), key="C"), 7).melody[0].pitch
        67
    """
    return dataclasses.replace(
        score,
        melody=tuple(
            dataclasses.replace(note, pitch=note.pitch + semitones) for note in score.melody
        ),
        chords=tuple(
            dataclasses.replace(chord, pitches=tuple(p + semitones for p in chord.pitches))
            for chord in score.chords
        ),
        key=score.key and transpose_key(score.key, semitones),
    )
