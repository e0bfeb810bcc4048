"""Controls as tokens: four after the start token of a tune, each with an id for every value."""

import functools
from typing import Any

import numpy as np

from tfseqgan.music.controls import Controls, ControlVocabulary
from tfseqgan.music.score import TICKS_PER_QUARTER, Score

NUM_CONTROLS = len(Controls._fields)


def _bar_ticks(metre: str) -> int:
    """Returns the ticks of a bar, or 0 if it is no whole number of them."""
    beats, unit = (int(number) for number in metre.split("/"))
    ticks, rest = divmod(4 * TICKS_PER_QUARTER * beats, unit)

    return 0 if rest else ticks


class ControlTokens:
    """The ids of controls, which follow those of the events.

    The ids of one control follow those of the one before; the first id of each says that the
    control is not known.

    Args:
        vocabulary: the controls.
        first_id: the id of the unknown metre.

    Example:
        >>> tokens = ControlTokens(ControlVocabulary(["3/4", "6/8"], ["jig"], []), first_id=10)
        >>> tokens.ids_of([2, 3, 16, 1]).tolist()
        [12, 16, 54, 104]
        >>> tokens.codes_of([1, 12, 16, 54, 104, 5]).tolist()
        [2, 3, 16, 1]
    """

    def __init__(self, vocabulary: ControlVocabulary, first_id: int) -> None:
        self.vocabulary = vocabulary
        self._first_ids = first_id + np.cumsum([0, *vocabulary.sizes[:-1]])
        self._first_id = first_id

    def __len__(self) -> int:
        """The number of ids."""
        return sum(self.vocabulary.sizes)

    @functools.cached_property
    def table(self) -> np.ndarray:
        """What each id says: int32 [n, 3] of the control from 1, its code, and a bar's ticks."""
        rows = []
        for control, size in enumerate(self.vocabulary.sizes, 1):
            rows += [(control, code, 0) for code in range(size)]
        for row, metre in enumerate(self.vocabulary.metres, 1):
            rows[row] = (1, row, _bar_ticks(metre))

        return np.array(rows, np.int32)

    def ids_of(self, codes: np.ndarray | list[int]) -> np.ndarray:
        """Returns the tokens of codes: int [..., 4] → int32 [..., 4]."""
        return (self._first_ids + np.asarray(codes)).astype(np.int32)

    def of_score(self, score: Score) -> np.ndarray:
        """Returns the tokens that say what a tune is, int32 [4]."""
        return self.ids_of(self.vocabulary.codes_of(score))

    def codes_of(self, tokens: np.ndarray | list[int]) -> np.ndarray:
        """Returns the codes that a tune says: int [n] → int32 [4]; 0 where it does not."""
        codes = np.zeros(NUM_CONTROLS, np.int32)
        for token in np.asarray(tokens).tolist():
            if token >= self._first_id:
                control, code, _ = self.table[token - self._first_id]
                codes[control - 1] = code

        return codes

    def score_fields(self, tokens: np.ndarray | list[int]) -> dict[str, Any]:
        """Returns the fields of a score that the controls among its tokens say."""
        said = self.vocabulary.decode(self.codes_of(tokens))
        fields: dict[str, Any] = {"key": said.key}
        if said.metre is not None:
            fields["time_signature"] = tuple(int(number) for number in said.metre.split("/"))
        if said.rhythm is not None:
            fields["rhythm"] = said.rhythm

        return fields

    def transposed_ids(self, semitones: int) -> np.ndarray:
        """Finds the id of each token after the tune was moved by some semitones, int32 [n]."""
        control, code, _ = self.table.T
        is_key = control == 1 + Controls._fields.index("key")
        codes = np.zeros((len(code), NUM_CONTROLS), np.int32)
        codes[is_key, control[is_key] - 1] = code[is_key]
        moved = self.ids_of(self.vocabulary.transpose(codes, semitones))

        return np.where(is_key, moved[:, 1], self._first_id + np.arange(len(self))).astype(np.int32)
