"""Numbers that enter through public functions, checked before TensorFlow sees them.

TensorFlow computes in int32 and float32, where a large integer wraps and a small float is 0.
"""

import operator
import os
import secrets
from typing import Any

import numpy as np

LARGEST_INT32 = 2**31 - 1

SMALLEST_FLOAT32 = float(np.finfo(np.float32).tiny)
"""The smallest positive float32 that processors do not take for 0: 2⁻¹²⁶."""


def whole_number(name: str, value: Any) -> int:
    """Returns a whole number as an int; NumPy's integers are whole numbers too.

    Args:
        name: the caller's name for it, for the message.
        value: an int, or what Python can use as an index.

    Raises:
        ValueError: if it is something else, such as 2.0, "2" or True.

    Example:
        >>> whole_number("rounds", np.int64(2))
        2
    """
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass

    raise ValueError(f"{name} must be a whole number, received {value!r}.")


def real_number(name: str, value: Any) -> float:
    """Returns a real number as a float; NumPy's numbers are real numbers too.

    Args:
        name: the caller's name for it, for the message.
        value: a real number; infinities and NaN pass.

    Raises:
        ValueError: if it is no real number, such as "0.5", None or 1j.

    Example:
        >>> real_number("discount", np.float32(0.5))
        0.5
    """
    try:
        if isinstance(value, str | bytes) or np.iscomplexobj(value):
            raise TypeError("no real number")
        return float(value)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a number, received {value!r}.") from error


def to_float32(name: str, value: Any) -> float:
    """Returns a real number rounded to float32, as TensorFlow will see it.

    Args:
        name: the caller's name for it, for the message.
        value: as in `real_number`.

    Raises:
        ValueError: if it is no real number.

    Example:
        >>> to_float32("temperature", 1e-46)
        0.0
    """
    number = real_number(name, value)
    with np.errstate(over="ignore", under="ignore"):
        return float(np.float32(number))


def physical_memory() -> float:
    """Returns the memory of this machine in bytes; infinity where the system does not say.

    Example:
        >>> physical_memory() > 2**20
        True
    """
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows, and systems without these names
        return float("inf")


def format_bytes(num_bytes: float) -> str:
    """Returns an amount of memory as people write it.

    Example:
        >>> format_bytes(3 * 2**29)
        '1.5 GiB'
    """
    num_bytes = min(num_bytes, 2.0**100)  # Python cannot divide larger integers
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if num_bytes < 1024:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1024

    return f"{num_bytes:.3g} EiB"


def check_memory(num_bytes: float, what: str, remedy: str) -> None:
    """Raises ValueError where something needs more memory than this machine has.

    The system would otherwise end the process when the memory is used up, without a word.

    Args:
        num_bytes: an estimate of what is needed.
        what: the arguments that ask for it, for the message.
        remedy: what to do, a sentence.

    Example:
        >>> check_memory(2**70, "length = 9", "Lower it.")
        Traceback (most recent call last):
        ValueError: length = 9 needs about 1.02e+03 EiB of memory, and this machine has ...
    """
    available = physical_memory()
    if num_bytes > available:
        raise ValueError(
            f"{what} needs about {format_bytes(num_bytes)} of memory, and this machine has "
            f"{format_bytes(available)}. {remedy}"
        )


def _fits_32_bits(number):
    """Returns whether a whole number is a 32-bit one, signed or not."""
    return -(2**31) <= number < 2**32


def _seed_pair(seed):
    """Returns the pair of 32-bit integers that row 0 draws from."""
    if seed is None:
        return secrets.randbits(31), 0
    if isinstance(seed, tuple):
        pair = tuple(whole_number("seed", part) for part in seed)
        if len(pair) != 2 or not all(map(_fits_32_bits, pair)):
            raise ValueError(
                "seed must be a whole number, or a pair of them from −2³¹ to 2³² − 1; received "
                f"{seed!r}."
            )
        return pair

    number = whole_number("seed", seed)
    if _fits_32_bits(number):
        return number, 0

    # Taken modulo 2³², a large seed would give the samples of a small one.
    words = np.random.SeedSequence([abs(number), int(number < 0)]).generate_state(2)

    return tuple(int(word) for word in words)


def seed_pairs(
    seed: int | tuple[int, int] | None, num_sequences: int, first_row: int = 0
) -> np.ndarray:
    """Returns one seed pair a row: (seed, 0), (seed, 1), …

    Args:
        seed: a whole number; a pair of them, of which the second is counted up from row to row;
            or None for a random one. Numbers from −2³¹ to 2³² − 1 are taken as 32 bits, so that −1
            is 2³² − 1; a single number beyond is hashed to a pair.
        num_sequences: B.
        first_row: the index of the first row.

    Returns:
        int32 [B, 2].

    Raises:
        ValueError: if the seed is none of these, such as 1.5.

    Example:
        >>> seed_pairs(7, 2).tolist(), seed_pairs((7, 5), 2).tolist()
        ([[7, 0], [7, 1]], [[7, 5], [7, 6]])
    """
    first, second = _seed_pair(seed)
    rows = np.arange(first_row, first_row + num_sequences, dtype=np.int64)

    seeds = np.empty((num_sequences, 2), np.uint32)
    seeds[:, 0] = first % 2**32
    seeds[:, 1] = (second + rows) % 2**32

    return seeds.view(np.int32)
