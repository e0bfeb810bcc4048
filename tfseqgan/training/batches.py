"""Which rows a likelihood step takes: shuffled, and of similar length where lengths differ."""

import numpy as np

from tfseqgan.training.seeding import shuffled_indices

_BATCHES_PER_POOL = 16
"""So many batches of shuffled rows are sorted by length together: enough for little padding, few
enough that the same rows do not meet in every epoch."""

_LENGTH_STEP = 32
"""Batches are cut after a multiple of so many tokens, so that there are few shapes."""


def row_lengths(tokens: np.ndarray, pad_token_id: int) -> np.ndarray:
    """Counts the tokens of each row before the padding at its end: int [N, T] → int [N].

    Example:
        >>> row_lengths(np.array([[5, 6, 0, 0], [0, 5, 0, 6]]), pad_token_id=0).tolist()
        [2, 4]
    """
    is_token = tokens != pad_token_id
    from_end = np.argmax(is_token[:, ::-1], axis=1)

    return np.where(is_token.any(axis=1), tokens.shape[1] - from_end, 0)


def round_length(length: int) -> int:
    """Rounds the length of a batch up, so that there are few shapes.

    Example:
        >>> round_length(1), round_length(64), round_length(65)
        (32, 64, 96)
    """
    return -(-max(length, 1) // _LENGTH_STEP) * _LENGTH_STEP


def cut_padding(batch: np.ndarray, pad_token_id: int) -> np.ndarray:
    """Cuts the columns of a batch that hold only padding, to a multiple of 32 that is left.

    Example:
        >>> cut_padding(np.zeros([2, 100], int), pad_token_id=0).shape
        (2, 32)
    """
    longest = int(row_lengths(batch, pad_token_id).max(initial=1))

    return batch[:, : round_length(longest)]


def batches_of_similar_length(
    lengths: np.ndarray, batch_size: int, seed: int, *path: int
) -> list[np.ndarray]:
    """Shuffles rows into batches of similar length.

    All rows are shuffled. Pools of 16 batches are sorted by length and cut into batches, and the
    batches are shuffled again.

    Args:
        lengths: int [N].
        batch_size: B.
        seed: the run's seed.
        *path: as in `derive_seed`.

    Returns:
        Row indices, int [B] a batch, and those that are left in one of the batches; every row
        occurs once.

    Example:
        >>> batches = batches_of_similar_length(np.array([9, 1, 8, 2]), 2, seed=0)
        >>> sorted(sorted(batch.tolist()) for batch in batches)
        [[0, 2], [1, 3]]
    """
    num_rows = len(lengths)
    order = shuffled_indices(num_rows, num_rows, seed, *path, 0)
    pool_size = _BATCHES_PER_POOL * batch_size

    batches = []
    for start in range(0, num_rows, pool_size):
        pool = order[start : start + pool_size]
        by_length = pool[np.argsort(lengths[pool], kind="stable")]
        batches += np.split(by_length, range(batch_size, len(by_length), batch_size))

    return [
        batches[index] for index in shuffled_indices(len(batches), len(batches), seed, *path, 1)
    ]
