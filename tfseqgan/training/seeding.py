"""Every random number of a run as a function of (seed, purpose, round, step)."""

import secrets

import numpy as np

from tfseqgan.ops.replicas import broadcast_from_chief


def resolve_seed(seed):
    """Returns a run's seed: the one given, checked, or a random one for None.

    Raises:
        ValueError: unless it is None or a whole number of 0 or more.

    Example:
        >>> resolve_seed(7)
        7
    """
    if seed is None:
        return broadcast_from_chief(secrets.randbits(31))
    if not isinstance(seed, int) or seed < 0:
        raise ValueError(
            f"seed must be a whole number of 0 or more, or None for a random one; received {seed!r}."
        )
    return seed


def derive_seed(seed, *path):
    """Returns two integers that depend on a run's seed and on a place in it (a purpose, a round, a step), and on nothing else.

    Args:
        seed: a non-negative integer.
        *path: non-negative integers.

    Returns:
        A pair of integers below 2³².

    Example:
        >>> derive_seed(0, 1, 2) == derive_seed(0, 1, 2), derive_seed(0, 1, 2) == derive_seed(0, 2, 1), derive_seed(0, 1) == derive_seed(0, 1, 0)
        (True, False, False)
    """
    return tuple(
        int(word) for word in np.random.SeedSequence(seed, spawn_key=path).generate_state(2)
    )


def shuffled_indices(count, size, seed, *path):
    """Returns `count` row numbers below `size`: shuffled passes over all rows, one after the other.

    Args:
        count: how many.
        size: the number of rows.
        seed: the run's seed.
        *path: the place in the run, as in `derive_seed`.

    Returns:
        NumPy int64 [count]; every row occurs ⌊count/size⌋ or one more times.

    Example:
        >>> sorted(shuffled_indices(6, 3, 0).tolist())
        [0, 0, 1, 1, 2, 2]
    """
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=path))
    passes = [random.permutation(size) for _ in range(-(-count // size))]
    return np.concatenate(passes)[:count]
