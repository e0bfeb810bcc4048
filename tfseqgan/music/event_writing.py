"""How a tune is written as events: in its key or in C, with chord octaves or without."""

import dataclasses
from collections.abc import Iterable

from tfseqgan.music.chord_voicing import close_chords
from tfseqgan.music.events import Event, events_to_score, score_to_events
from tfseqgan.music.interleaved_events import (
    interleaved_events_to_score,
    score_to_interleaved_events,
)
from tfseqgan.music.key_estimation import estimate_key, semitones_to_c
from tfseqgan.music.score import Score, transpose

_TRANSPOSE_OPTIONS = (None, "C")


@dataclasses.dataclass(frozen=True)
class EventWriting:
    """The options of section 7 of the paper.

    Attributes:
        interleave: an event is what starts in one voice, else what starts in both.
        transpose: "C" moves every tune to C major or A minor first, None leaves its key.
        chord_octaves: whether chords keep their octaves.

    Raises:
        ValueError: if `transpose` is unknown.

    Example:
        >>> from tfseqgan.music.score import Note
        >>> tune = Score((Note(0, 24, 62),), key="D")
        >>> EventWriting(transpose="C").transposition_of(tune)
        -2
    """

    interleave: bool = False
    transpose: str | None = None
    chord_octaves: bool = True

    def __post_init__(self) -> None:
        if self.transpose not in _TRANSPOSE_OPTIONS:
            raise ValueError(
                f"transpose is unknown: expected one of {_TRANSPOSE_OPTIONS}, received "
                f"{self.transpose!r}."
            )

    def transposition_of(self, score: Score) -> int:
        """Returns by how many semitones a tune is moved before it is written."""
        if self.transpose is None:
            return 0

        key = score.key or estimate_key(score)

        return 0 if key is None else semitones_to_c(key)

    def prepare(self, score: Score) -> Score:
        """Returns a tune in the key and with the chords that it is written with."""
        semitones = self.transposition_of(score)
        if semitones:
            score = transpose(score, semitones)

        return score if self.chord_octaves else close_chords(score)

    def to_events(self, prepared: Score) -> tuple[list[int], list[Event]]:
        """Returns the ticks and the events of a tune that `prepare` returned."""
        write = score_to_interleaved_events if self.interleave else score_to_events

        return write(prepared)

    def read(self, events: Iterable[Event]) -> Score:
        """Reads events as a score, in the key and with the chords that it was written with."""
        to_score = interleaved_events_to_score if self.interleave else events_to_score

        return to_score(list(events))

    def restore(self, score: Score, transposition: int) -> Score:
        """Returns a score that was read in its own key, and with chords in close position.

        Args:
            score: the score, with its key as it was written.
            transposition: by how many semitones the tune was moved before.
        """
        score = transpose(score, -transposition)

        return score if self.chord_octaves else close_chords(score)

    def check(self, events: Iterable[Event]) -> None:
        """Raises ValueError unless the events of a vocabulary are of this kind."""
        if self.interleave:
            _check_one_voice_each(events)


def _check_one_voice_each(events: Iterable[Event]) -> None:
    """Raises ValueError if an event starts both voices, or neither."""
    for event in events:
        starts = (event.melody_duration > 0, event.chord_duration > 0)
        if starts not in ((True, False), (False, True)):
            raise ValueError(
                "Interleaved tokens start one voice each: expected a duration in the melody or "
                f"in the chords, received {event}. Fit the tokenizer with interleave=True."
            )
