"""Numbers that enter through public functions, checked before TensorFlow sees them.

TensorFlow computes in int32 and float32, where a large integer wraps and a small float is 0.
"""

import operator
import os
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
