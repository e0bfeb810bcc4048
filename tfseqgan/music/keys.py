"""Keys by name, such as "G", "Bb" or "F#m": their sharps and their scale."""

import functools
import re
from typing import NamedTuple

from tfseqgan.music.pitch_spelling import LETTERS

_FORM = re.compile(r"([A-G])([#b]?)(m?)")

_ACCIDENTAL_FIFTHS = {"": 0, "#": 7, "b": -7}

_MOST_SIGNS = 7
"""MIDI and ABC write keys of seven flats to seven sharps."""


class Key(NamedTuple):
    """A major or minor key."""

    sharps: int
    """How many sharps its signature has; flats count as negative sharps."""

    is_minor: bool

    @property
    def tonic_fifths(self) -> int:
        """The position of the tonic on the line of fifths (`pitch_spelling`)."""
        return self.sharps + 3 if self.is_minor else self.sharps


@functools.lru_cache
def _parse(name: str) -> Key | None:
    """Returns the key of a name, or None if there is no such key."""
    match = _FORM.fullmatch(name)
    if match is None:
        return None

    letter, accidental, minor = match.groups()
    tonic_fifths = LETTERS.index(letter) - 1 + _ACCIDENTAL_FIFTHS[accidental]
    sharps = tonic_fifths - 3 if minor else tonic_fifths
    if abs(sharps) > _MOST_SIGNS:
        return None

    return Key(sharps, is_minor=bool(minor))


def parse_key(name: str) -> Key:
    """Reads the name of a key: a letter, then "#" or "b" if it has one, then "m" if it is minor.

    These are the thirty keys that MIDI and ABC can write. Scores, transposition, MIDI and ABC all
    read key names with this function.

    Args:
        name: such as "G", "Bb" or "F#m".

    Raises:
        ValueError: if it is not the name of a key of at most seven sharps or flats.

    Example:
        >>> parse_key("D"), parse_key("Cm")
        (Key(sharps=2, is_minor=False), Key(sharps=-3, is_minor=True))
    """
    key = _parse(name) if isinstance(name, str) else None
    if key is None:
        raise ValueError(
            "There is no such key: expected the name of a major or minor key of at most seven "
            f"sharps or flats, such as 'G', 'Bb' or 'F#m'; received {name!r}. Write the letter as "
            "a capital, and a minor key with an m; a score whose key is unknown has key=None."
        )

    return key


@functools.cache
def scale_of(key: Key) -> frozenset[int]:
    """Returns the pitch classes of a key, a minor key with both its sevenths.

    Example:
        >>> sorted(scale_of(parse_key("Am")))
        [0, 2, 4, 5, 7, 8, 9, 11]
    """
    positions = range(key.sharps - 1, key.sharps + 6)
    scale = {7 * fifths % 12 for fifths in positions}
    if key.is_minor:
        leading_note = 7 * (key.tonic_fifths + 5) % 12
        scale.add(leading_note)

    return frozenset(scale)
