"""What one may ask a tune to be: its metre, its key, its number of bars and its rhythm.

A tune that was not asked for anything is drawn from what the tunes of a corpus are together, so
that a jig is in 6/8 and a waltz in 3/4.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfseqgan.music.keys import parse_key
from tfseqgan.music.metre import time_signature_of
from tfseqgan.music.metre_estimation import estimate_metre
from tfseqgan.music.score import TICKS_PER_QUARTER, Score, transpose_key
from tfseqgan.music.score_labels import with_metre_and_key

MOST_BARS = 64
"""Of longer tunes the number of bars is unknown."""

KEYS = tuple(transpose_key(tonic, step) for tonic in ("C", "Cm") for step in range(12))
"""The twelve major keys from C upwards, then the twelve minor ones."""

_PART_OF_A_BAR = 0.75
"""A last bar counts if more than a quarter of it is there: a pick-up takes its time from it."""


GOLDEN_RATIO = 0x9E3779B9
"""What `mix_seeds` adds: 2³² divided by the golden ratio."""

MIXING = ((16, 0x85EBCA6B), (13, 0xC2B2AE35))
"""Shifts and factors of `mix_seeds`."""


class Controls(NamedTuple):
    """What a tune is, or is asked to be; None where it is not known, or not asked for.

    Attributes:
        metre: such as "6/8".
        key: such as "D" or "Em", one of `KEYS`.
        bars: from the first chord to the end of the melody, 1 to `MOST_BARS`; None for more.
        rhythm: such as "jig".
    """

    metre: str | None = None
    key: str | None = None
    bars: int | None = None
    rhythm: str | None = None


KEY_INDEX = Controls._fields.index("key")
"""The key among the controls."""


def _key_index(key: str) -> int:
    """Returns the index of a key in `KEYS`, whatever its tonic is called."""
    parsed = parse_key(key)
    tonic = 7 * parsed.tonic_fifths % 12

    return tonic + 12 * parsed.is_minor


def count_bars(score: Score) -> int | None:
    """Counts the bars from the first chord, or note if there are none, to the end of the melody.

    Returns:
        1 to `MOST_BARS`, or None for a tune that is longer or has no notes.

    Example:
        >>> from tfseqgan.music.score import Chord, Note
        >>> melody = tuple(Note(24 * beat, 24, 67) for beat in range(33))  # a beat too early
        >>> count_bars(Score(melody, (Chord(24, 96, (43, 47, 50)),)))
        8
    """
    if not score.melody:
        return None

    first = score.chords[0].start_ticks if score.chords else score.melody[0].start_ticks
    end = max(note.end_ticks for note in score.melody)
    beats, unit = score.time_signature or estimate_metre(score)
    bar_ticks = 4 * TICKS_PER_QUARTER * beats / unit
    bars = max(math.floor((end - first) / bar_ticks + _PART_OF_A_BAR), 1)

    return bars if bars <= MOST_BARS else None


def controls_of(score: Score) -> Controls:
    """Returns what a tune is: what it says, or else the metre and key that its notes tell.

    Example:
        >>> from tfseqgan.music.score import Note
        >>> tune = Score((Note(0, 72, 67),), key="G", time_signature=(6, 8), rhythm="jig")
        >>> controls_of(tune)
        Controls(metre='6/8', key='G', bars=1, rhythm='jig')
    """
    score = with_metre_and_key(score)
    beats, unit = time_signature_of(score)

    return Controls(
        metre=f"{beats}/{unit}",
        key=None if score.key is None else KEYS[_key_index(score.key)],
        bars=count_bars(score),
        rhythm=score.rhythm or None,
    )


def mix_seeds(seeds: np.ndarray) -> np.ndarray:
    """Mixes each pair of seeds to one number: int32 [B, 2] → uint32 [B].

    Each bit of both changes about half the bits of the result, so that its remainders are as good
    as drawn at random.

    Reference:
        The last steps of Austin Appleby's MurmurHash3, once for each number of the pair.

    Example:
        >>> mix_seeds(np.array([[0, 0], [0, 1], [1, 0]], np.int32)).tolist()
        [3553795876, 1273554988, 2339934983]
    """
    mixed = np.zeros(len(seeds), np.uint32)
    for column in np.asarray(seeds, np.int32).view(np.uint32).T:
        mixed = (mixed ^ column) + np.uint32(GOLDEN_RATIO)
        for shift, factor in MIXING:
            mixed = (mixed ^ (mixed >> np.uint32(shift))) * np.uint32(factor)
        mixed ^= mixed >> np.uint32(16)

    return mixed


def _index_of_best(tunes: np.ndarray, asked: np.ndarray, number: int) -> int:
    """Returns the index of one of the tunes that agree best with what is asked for."""
    is_choosing = (asked > 0) & (np.arange(len(asked)) != KEY_INDEX)
    agreement = ((tunes == asked) & is_choosing).sum(axis=1)
    best = np.flatnonzero(agreement == agreement.max())

    return int(best[number % len(best)])


class ControlVocabulary:
    """Controls as small integers, and what the tunes of a corpus are together.

    Code 0 stands for unknown in each of the four controls.

    Args:
        metres: the metres that can be asked for.
        rhythms: the rhythms that can be asked for.
        tunes: int [N, 4], the codes of the tunes from which unasked controls are drawn.

    Raises:
        ValueError: if a name is given twice, or a code is out of range.

    Example:
        >>> from tfseqgan.music.score import Note
        >>> jig = Score((Note(0, 72, 67),), key="G", time_signature=(6, 8), rhythm="jig")
        >>> vocabulary = ControlVocabulary.fit([jig])
        >>> vocabulary.draw(vocabulary.encode(Controls(key="D")), [[0, 0], [0, 1]]).tolist()
        [[1, 3, 1, 1], [1, 3, 1, 1]]
        >>> vocabulary.decode([1, 3, 1, 1])
        Controls(metre='6/8', key='D', bars=1, rhythm='jig')
    """

    def __init__(
        self, metres: Iterable[str], rhythms: Iterable[str], tunes: Sequence[Sequence[int]]
    ) -> None:
        self.metres = tuple(metres)
        self.rhythms = tuple(rhythms)
        self.tunes = np.asarray(tunes, np.int32).reshape(-1, len(Controls._fields))

        for names in (self.metres, self.rhythms):
            if len(set(names)) < len(names):
                raise ValueError(
                    f"The names {names} are not distinct: expected each control once. Remove the "
                    "copies."
                )
        if (self.tunes < 0).any() or (self.tunes >= self.sizes).any():
            raise ValueError(
                f"The codes of the tunes are out of range: expected 0 to below {self.sizes}, "
                f"received {self.tunes.min(axis=0)} to {self.tunes.max(axis=0)}. Fit the "
                "vocabulary on the tunes."
            )

    @classmethod
    def fit(cls, scores: Iterable[Score]) -> "ControlVocabulary":
        """Makes the vocabulary of some tunes.

        What is not asked for is drawn from the tunes whose number of bars is known, since a sample
        that does not know it may never end; and from others of a metre and a rhythm that no such
        tune has.

        Args:
            scores: the training tunes.
        """
        scores = list(scores)
        controls = [controls_of(score) for score in scores]
        metres = sorted({each.metre for each in controls if each.metre})
        rhythms = sorted({each.rhythm for each in controls if each.rhythm})

        return cls(metres, rhythms, []).drawn_from(scores)

    def drawn_from(self, scores: Iterable[Score]) -> "ControlVocabulary":
        """Returns the same codes, drawn from what other tunes are together.

        A metre or a rhythm of theirs that has no code is unknown.

        Args:
            scores: the tunes.

        Example:
            >>> from tfseqgan.music.score import Note
            >>> waltz = Score((Note(0, 72, 67),), key="G", time_signature=(3, 4))
            >>> ControlVocabulary(["3/4", "6/8"], ["jig"], []).drawn_from([waltz]).tunes.tolist()
            [[1, 8, 1, 0]]
        """
        codes = [self.codes_of(score).tolist() for score in scores]
        have_bars = {(metre, rhythm) for metre, _, bars, rhythm in codes if bars}
        drawn = [each for each in codes if each[2] or (each[0], each[3]) not in have_bars]

        return ControlVocabulary(self.metres, self.rhythms, drawn)

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """How many codes each control has, with the unknown one."""
        return (1 + len(self.metres), 1 + len(KEYS), 1 + MOST_BARS, 1 + len(self.rhythms))

    def encode(self, controls: Controls) -> np.ndarray:
        """Returns the codes of controls, int32 [4].

        Raises:
            ValueError: naming the control, if its value is not one that can be asked for.
        """
        codes = [
            self._code("metre", controls.metre, self.metres),
            0 if controls.key is None else 1 + _key_index(controls.key),
            self._code("bars", controls.bars, range(1, MOST_BARS + 1)),
            self._code("rhythm", controls.rhythm, self.rhythms),
        ]

        return np.array(codes, np.int32)

    def codes_of(self, score: Score) -> np.ndarray:
        """Returns the codes of what a tune is, int32 [4]; what has no code is unknown."""
        controls = controls_of(score)
        known = controls._replace(
            metre=controls.metre if controls.metre in self.metres else None,
            rhythm=controls.rhythm if controls.rhythm in self.rhythms else None,
        )

        return self.encode(known)

    def _code(self, name: str, value: Any, values: Sequence[Any]) -> int:
        if value is None:
            return 0
        if value not in values:
            known = f"1 to {MOST_BARS}" if name == "bars" else ", ".join(map(str, values))
            raise ValueError(
                f"{name} is {value!r}: expected {known or 'none, since no tune says its own'}. "
                "Ask for one of these, or leave it out."
            )

        return 1 + values.index(value)

    def decode(self, codes: Sequence[int] | np.ndarray) -> Controls:
        """Returns the controls of codes, integers [4]."""
        metre, key, bars, rhythm = (int(code) for code in codes)

        return Controls(
            metre=self.metres[metre - 1] if metre else None,
            key=KEYS[key - 1] if key else None,
            bars=bars or None,
            rhythm=self.rhythms[rhythm - 1] if rhythm else None,
        )

    def transpose(self, codes: np.ndarray, semitones: np.ndarray | int) -> np.ndarray:
        """Returns the codes of tunes that were moved by some semitones, int32 [..., 4].

        Args:
            codes: int [..., 4].
            semitones: int [...], how far up each was moved.
        """
        moved = np.array(codes, np.int32)
        keys = moved[..., 1] - 1
        tonics = (keys + np.asarray(semitones)) % 12
        moved[..., 1] = np.where(keys < 0, 0, 1 + tonics + 12 * (keys >= 12))

        return moved

    def draw(self, asked: np.ndarray, seeds: np.ndarray | Sequence[Sequence[int]]) -> np.ndarray:
        """Draws what was not asked for from the tunes that agree best with what was.

        A tune agrees the better the more of the asked controls it has. The key that is asked for
        does not choose among tunes, since any tune can be played in any key. Of the n tunes that
        agree best, the one of index `mix_seeds(seeds) % n` is drawn: whole numbers alone, so that
        a served model draws the same (`models.control_drawing`).

        Args:
            asked: int [4] or [B, 4], the codes that are asked for; 0 for what is not.
            seeds: int32 [B, 2] (`arguments.seed_pairs`); row b depends on its own seed alone.

        Returns:
            int32 [B, 4].
        """
        seeds = np.asarray(seeds, np.int32).reshape(-1, 2)
        asked = np.broadcast_to(np.asarray(asked, np.int32), (len(seeds), len(Controls._fields)))
        if not len(self.tunes):
            return asked.copy()

        drawn = [
            self.tunes[_index_of_best(self.tunes, codes, number)]
            for codes, number in zip(asked, mix_seeds(seeds).tolist(), strict=True)
        ]

        return np.where(asked > 0, asked, drawn).astype(np.int32)

    def to_json(self) -> dict[str, Any]:
        """Returns the vocabulary as plain values, which are the arguments of the class."""
        return {"metres": self.metres, "rhythms": self.rhythms, "tunes": self.tunes.tolist()}

    def __eq__(self, other: object) -> bool:
        """Vocabularies are equal if they give every code the same meaning and draw alike."""
        return isinstance(other, ControlVocabulary) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[Any, ...]:
        return self.metres, self.rhythms, tuple(itertools.chain.from_iterable(self.tunes.tolist()))
