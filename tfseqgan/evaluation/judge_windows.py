"""Tunes as windows that a judge reads: alike for real and generated ones, each time in new keys."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfseqgan.models.token_clock import TokenClock
from tfseqgan.music.score import ALL_TRANSPOSITIONS, Score, transpose
from tfseqgan.music.tokenizer import Tokenizer

_MEAN_PITCH = 71


class Windows(NamedTuple):
    """Windows of tunes.

    Attributes:
        tokens: int32 [N, T], padded at the end of a tune.
        places: int32 [N, T, 2], where each token stands in time: the rows of the clock's joint
            table (`TokenClock.indices`).
        tunes: int32 [N], which of the tunes each is from.
    """

    tokens: np.ndarray
    places: np.ndarray
    tunes: np.ndarray


def in_one_register(tune: Score) -> Score:
    """Moves a tune so that its melody's mean pitch is 71, within half a semitone.

    A generator that learned its tunes in all keys writes those of one key in more registers than
    the corpus has. Brought to one register, all transpositions of a tune are the same tune, and a
    judge that reads it in random keys learns nothing from its register.

    Args:
        tune: a tune with a melody.

    Returns:
        The tune, and its key, moved by a whole number of semitones.

    Example:
        >>> from tfseqgan.music.score import Note
        >>> tune = Score((Note(0, 24, 60), Note(24, 24, 63)))
        >>> [note.pitch for note in in_one_register(tune).melody]
        [70, 73]
        >>> in_one_register(transpose(tune, 5)) == in_one_register(tune)
        True
    """
    mean = np.mean([note.pitch for note in tune.melody])

    return transpose(tune, _MEAN_PITCH - math.ceil(mean - 0.5))


def fit_judge_tokenizer(tunes: Sequence[Score]) -> Tokenizer:
    """Returns the tokenizer of a judge: interleaved, in all keys, and without controls.

    So a judge reads nothing but the notes.

    Args:
        tunes: real and generated tunes that the judge learns from.
    """
    return Tokenizer.fit(tunes, interleave=True, transpositions=ALL_TRANSPOSITIONS)


class JudgedTunes:
    """Tunes of one kind, from which windows are drawn.

    Args:
        tokenizer: from `fit_judge_tokenizer`.
        tunes: the tunes, none of them empty.
        length: T, the tokens of a window.

    Example:
        >>> from tfseqgan.music.score import Note
        >>> tune = Score(tuple(Note(24 * k, 24, 60 + k) for k in range(9)))
        >>> tunes = JudgedTunes(fit_judge_tokenizer([tune]), [tune], length=4)
        >>> tunes.tile(seed=0).tokens.shape
        (3, 4)
    """

    def __init__(self, tokenizer: Tokenizer, tunes: Sequence[Score], length: int) -> None:
        clock = TokenClock(
            tokenizer.token_durations,
            embedding_dim=1,
            pad_token_id=tokenizer.pad_token_id,
            end_token_id=tokenizer.end_token_id,
        )
        self._length = length
        self._ids = np.stack([tokenizer.transposed_ids(each) for each in ALL_TRANSPOSITIONS])
        self._sequences = tokenizer.encode_all(tunes).sequences
        self._places = [_places(clock, tokens) for tokens in self._sequences]

    def __len__(self) -> int:
        """The number of tunes."""
        return len(self._sequences)

    def draw(self, num_windows: int, rng: np.random.Generator) -> Windows:
        """Draws windows: a tune, then where the window begins, then its key, all uniformly."""
        tunes = rng.integers(0, len(self), num_windows)
        starts = [rng.integers(0, self._last_start(tune) + 1) for tune in tunes]

        return self._cut(tunes, starts, rng)

    def tile(self, seed: int) -> Windows:
        """Returns the fewest windows that cover each tune, each in a random key; some overlap."""
        starts_of = [
            [*range(0, self._last_start(tune), self._length), self._last_start(tune)]
            for tune in range(len(self))
        ]
        tunes = np.repeat(np.arange(len(self)), [len(starts) for starts in starts_of])

        return self._cut(tunes, np.concatenate(starts_of), np.random.default_rng(seed))

    def _last_start(self, tune: int) -> int:
        return max(len(self._sequences[tune]) - self._length, 0)

    def _cut(self, tunes, starts, rng):
        """Returns the windows that begin at some places of some tunes."""
        tokens = np.zeros((len(tunes), self._length), np.int32)
        places = np.zeros((len(tunes), self._length, 2), np.int32)
        for row, (tune, start) in enumerate(zip(tunes, starts, strict=True)):
            part = slice(start, start + self._length)
            cut = self._in_a_key(self._sequences[tune][part], rng)
            tokens[row, : len(cut)] = cut
            places[row, : len(cut)] = self._places[tune][part]

        return Windows(tokens, places, np.asarray(tunes, np.int32))

    def _in_a_key(self, tokens, rng):
        """Returns tokens moved by an interval that the vocabulary has for all of them."""
        moved = self._ids[:, tokens]  # [12, n]
        possible = np.flatnonzero((moved >= 0).all(axis=1))

        return moved[rng.choice(possible)]


def _places(clock, tokens):
    """Returns where each token of a tune stands in time, int32 [n, 2]."""
    states = clock.states_before(tokens[None])
    indices = clock.indices(states, clock.grammar(states))

    return np.stack([part[0].numpy() for part in indices], axis=-1)
