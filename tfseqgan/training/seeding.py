"""Every random number of a run as a function of (seed, purpose, round, step).

No generator carries a state from round to round, so that a resumed run has none to restore, and a
new draw in one place changes nothing in another.
"""

import secrets

import numpy as np

from tfseqgan.training.checks import whole_number
from tfseqgan.training.distribute import broadcast_from_chief


def resolve_seed(seed: int | None) -> int:
    """Returns a run's seed: the one given, checked, or a random one for None.

    Raises:
        ValueError: unless it is None or a whole number of 0 or more (NumPy's too).

    Example:
        >>> resolve_seed(7)
        7
    """
    if seed is None:
        return broadcast_from_chief(secrets.randbits(31))

    return whole_number("seed", seed)


def derive_seed(seed: int, *path: int) -> tuple[int, int]:
    """Derives two integers from a run's seed and a path within it (a purpose, a round, a step).

    Args:
        seed: a non-negative integer.
        *path: non-negative integers.

    Returns:
        A pair of integers below 2³².

    Example:
        >>> derive_seed(0, 1, 2) == derive_seed(0, 1, 2)
        True
        >>> derive_seed(0, 1, 2) == derive_seed(0, 2, 1)
        False
    """
    first, second = np.random.SeedSequence(seed, spawn_key=path).generate_state(2)

    return int(first), int(second)


def shuffled_indices(count: int, size: int, seed: int, *path: int) -> np.ndarray:
    """Returns `count` row indices below `size`: shuffled passes over all rows, joined.

    Args:
        count: how many.
        size: the number of rows.
        seed: the run's seed.
        *path: as in `derive_seed`.

    Returns:
        NumPy int64 [count]; every row occurs ⌊count/size⌋ or one more times.

    Example:
        >>> sorted(shuffled_indices(6, 3, 0).tolist())
        [0, 0, 1, 1, 2, 2]
    """
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=path))
    num_passes = -(-count // size)
    passes = [random.permutation(size) for _ in range(num_passes)]

    return np.concatenate(passes)[:count]
