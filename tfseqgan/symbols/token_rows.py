"""Token sequences as the rows of one array: windows of equal length, or whole tunes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class TokenRows(NamedTuple):
    """Rows of tokens, and the sequence that each was cut from.

    Attributes:
        tokens: int32 [N, T], padded at the end.
        tunes: int32 [N], the index of the sequence of each row.
    """

    tokens: np.ndarray
    tunes: np.ndarray


def _stack(parts: Sequence[np.ndarray], length: int, pad_token_id: int) -> np.ndarray:
    """Returns parts as the rows of an array int32 [N, length], padded at the end."""
    rows = np.full((len(parts), length), pad_token_id, np.int32)
    for row, part in zip(rows, parts, strict=True):
        row[: len(part)] = part

    return rows


def cut_windows(
    sequences: Sequence[np.ndarray],
    length: int,
    stride: int | None = None,
    pad_token_id: int = 0,
) -> TokenRows:
    """Cuts sequences into windows of equal length; the last window of a sequence is padded.

    Args:
        sequences: int32 [n] each.
        length: tokens in a window, 1 or more.
        stride: tokens from the start of one window to the start of the next, 1 to `length`, or
            None for `length`.
        pad_token_id: what pads the last window.

    Returns:
        The rows, in the order of the sequences; none is only padding.

    Raises:
        ValueError: if `length` or `stride` is out of range.

    Example:
        >>> cut_windows([np.array([1, 5, 6, 2])], length=3).tokens.tolist()
        [[1, 5, 6], [2, 0, 0]]
    """
    stride = length if stride is None else stride
    if not 1 <= stride <= length:
        raise ValueError(
            "The length or the stride is out of range: expected a length of 1 or more and a "
            f"stride of 1 to the length, received length={length} and stride={stride}."
        )

    parts = []
    tunes = []
    for index, tokens in enumerate(sequences):
        # Windows start every `stride` tokens, until one of them reaches the end of the sequence.
        stop = max(len(tokens) - length, 0) + stride
        windows = [tokens[start : start + length] for start in range(0, stop, stride)]
        parts += windows
        tunes += [index] * len(windows)

    return TokenRows(_stack(parts, length, pad_token_id), np.array(tunes, np.int32))


def whole_tunes(sequences: Sequence[np.ndarray], length: int, pad_token_id: int = 0) -> TokenRows:
    """Makes each sequence a row as long as the longest; those longer than `length` are cut.

    Args:
        sequences: int32 [n] each.
        length: the largest number of tokens in a row, 1 or more.
        pad_token_id: what pads the rows.

    Returns:
        The rows, in the order of the sequences.

    Raises:
        ValueError: if `length` is out of range.

    Example:
        >>> whole_tunes([np.array([1, 5, 2]), np.array([1, 5, 6, 7, 2])], length=9).tokens.tolist()
        [[1, 5, 2, 0, 0], [1, 5, 6, 7, 2]]
    """
    longest = max((len(tokens) for tokens in sequences), default=1)

    return cut_windows(sequences, min(length, longest), pad_token_id=pad_token_id)
