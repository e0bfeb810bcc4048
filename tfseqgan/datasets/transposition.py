"""Random transposition as augmentation: every epoch sees the tunes in other keys."""

import numpy as np

from tfseqgan.music.score import ALL_TRANSPOSITIONS
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.symbols.token_rows import TokenRows


class RandomTransposition:
    """The rows of a corpus, each tune moved by a random interval that is new in each epoch.

    The intervals are those of `score.ALL_TRANSPOSITIONS` under which all tokens of the tune are in
    the vocabulary; each is equally likely. They depend on the seed, the epoch and the tune alone,
    so that a resumed run sees the same rows. All rows of a tune are moved alike.

    Args:
        tokenizer: a tokenizer whose vocabulary holds the transposed events
            (`Tokenizer.fit(..., transpositions=ALL_TRANSPOSITIONS)`).
        rows: the tokens, and the tune of each row.
        seed: the seed of the intervals, 0 or more.

    Raises:
        ValueError: if the vocabulary holds no tune in another key.

    Example:
        >>> from tfseqgan.music.score import Note, Score
        >>> tune = Score((Note(0, 24, 60), Note(24, 24, 64)))
        >>> tokenizer = Tokenizer.fit([tune], transpositions=ALL_TRANSPOSITIONS)
        >>> augment = RandomTransposition(tokenizer, tokenizer.whole_tunes([tune], 9), seed=0)
        >>> moved = [tokenizer.decode(augment(epoch)[0]).melody[0].pitch for epoch in range(3)]
        >>> len(set(moved)) > 1
        True
    """

    def __init__(self, tokenizer: Tokenizer, rows: TokenRows, seed: int) -> None:
        self._rows = rows
        self._seed = seed
        self._num_tunes = int(rows.tunes.max(initial=-1)) + 1
        self._ids = np.stack(
            [tokenizer.transposed_ids(semitones) for semitones in ALL_TRANSPOSITIONS]
        )  # [12, V]

        # A tune can be moved by an interval if all tokens of all its rows can.
        can_move = np.ones((len(ALL_TRANSPOSITIONS), self._num_tunes), bool)
        for possible, ids in zip(can_move, self._ids, strict=True):
            has_unknown = (ids[rows.tokens] < 0).any(axis=1)
            possible[rows.tunes[has_unknown]] = False
        self._can_move = can_move  # [12, tunes]

        if len(rows.tunes) and not (can_move[:, rows.tunes].sum(axis=0) > 1).any():
            raise ValueError(
                "No tune can be transposed: expected a vocabulary that holds the tunes in other "
                "keys. Fit the tokenizer with transpositions=ALL_TRANSPOSITIONS."
            )

    def __call__(self, epoch: int) -> np.ndarray:
        """Returns the rows of an epoch: int32 [N, T].

        Args:
            epoch: 0 or more.
        """
        random = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(epoch,)))
        uniforms = random.random(self._num_tunes)

        num_possible = self._can_move.sum(axis=0)  # [tunes]
        chosen = np.floor(uniforms * num_possible).astype(int)
        # The chosen-th of the possible intervals of each tune.
        rank = np.cumsum(self._can_move, axis=0) - 1  # [12, tunes]
        interval = np.argmax(self._can_move & (rank == chosen), axis=0)  # [tunes]

        return self._ids[interval[self._rows.tunes][:, None], self._rows.tokens]
