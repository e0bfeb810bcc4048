"""Keys by name, such as "G", "Bb" or "F#m": their sharps, and the key that fits given pitches."""

import re
from collections.abc import Collection

from tfseqgan.music.pitch_spelling import LETTERS, name_of


def num_sharps(key: str) -> int:
    """Returns how many sharps a key has; flats count as negative sharps."""
    match = re.fullmatch(r"([A-G])([#b]?)(m?)", key)
    sharps = None
    if match is not None:
        letter, accidental, minor = match.groups()
        sharps = LETTERS.index(letter) - 1
        sharps += {"#": 7, "b": -7, "": 0}[accidental]
        sharps -= 3 * len(minor)

    if sharps is None or abs(sharps) > 7:
        raise ValueError(
            "ABC cannot write this key: expected a key of at most seven sharps or flats, such as "
            f"'G', 'Bb' or 'F#m'; received {key!r}. Give the score such a key, or None."
        )

    return sharps


def best_key(pitches: Collection[int]) -> str:
    """Returns the major key that contains most pitches; of equals, the one with fewest signs.

    Example:
        >>> best_key([66, 67, 71])
        'G'
    """

    def num_outside(sharps: int) -> int:
        scale = {7 * fifths % 12 for fifths in range(sharps - 1, sharps + 6)}
        return sum(pitch % 12 not in scale for pitch in pitches)

    fewest_signs_first = sorted(range(-5, 7), key=abs)

    return name_of(min(fewest_signs_first, key=num_outside))
