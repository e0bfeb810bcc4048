"""What writing tunes as tokens gives, and the error of one that cannot be written."""

import dataclasses
import logging

import numpy as np

_log = logging.getLogger("tfseqgan")


class TokenizationError(ValueError):
    """A tune or a token that is not in the vocabulary.

    Args:
        message: what happened, what was expected and received, and what to do.
        file: the name of the tune, or None.
        tick: where in the tune, in grid ticks, or None.
    """

    def __init__(self, message: str, file: str | None = None, tick: int | None = None) -> None:
        super().__init__(message)
        self.file = file
        self.tick = tick


@dataclasses.dataclass(frozen=True, eq=False)
class Encoded:
    """Several tunes as tokens, and how many unknown events there were.

    Args:
        sequences: one int32 [n] array for each tune that was kept: the start token, one token for
            each event, the end token.
        num_dropped: tunes that were left out because the vocabulary lacks one of their events.
        num_replaced: tokens that replace unknown events.
        transpositions: by how many semitones each of these tunes was moved before it was written.
        indices: which of the given tunes each sequence is.
    """

    sequences: tuple[np.ndarray, ...]
    num_dropped: int
    num_replaced: int
    transpositions: tuple[int, ...] = ()
    indices: tuple[int, ...] = ()

    def log_counts(self) -> None:
        """Logs how many tunes and tokens there are, and how many were dropped and replaced."""
        _log.info(
            "%d tunes, %d tokens; %d tunes dropped for rare events, "
            "%d tokens replaced by the nearest known",
            len(self.sequences),
            sum(len(tokens) for tokens in self.sequences),
            self.num_dropped,
            self.num_replaced,
        )
