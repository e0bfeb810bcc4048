"""Names of pitches, found on the line of fifths.

The line of fifths is ... Bb F C G D A E B F# ... Each name has a position on it, counted from C: F
is -1, C is 0, G is 1. A key of n sharps has the positions n - 1 to n + 5. A pitch has a position
for each of its names, 12 apart; the one near the key gives the name that musicians read.

Reference:
    Temperley 2001, "The Cognition of Basic Musical Structures", chapter 5.
"""

LETTERS = "FCGDAEB"
"""The letters in the order of the line of fifths; F has position -1."""

FLATTEST_IN_MELODY = 3
"""How far below the tonic melodies are spelled, on the line of fifths: Eb to G# in C major."""

FLATTEST_ROOT = 5
"""How far below the tonic chord roots are spelled, on the line of fifths: Db to F# in C major."""

_ACCIDENTAL_NAMES = {-1: "b", 0: "", 1: "#"}


def to_fifths(pitch: int, lowest: int) -> int:
    """Returns the position of a pitch on the line of fifths, of the 12 positions from `lowest`.

    Example:
        >>> name_of(to_fifths(70, lowest=-3)), name_of(to_fifths(70, lowest=0))
        ('Bb', 'A#')
    """
    fifths = lowest + (7 * pitch - lowest) % 12

    # Fb (-8) to B# (12) have at most one sharp or flat.
    if fifths < -8:
        return fifths + 12
    if fifths > 12:
        return fifths - 12
    return fifths


def spell(fifths: int) -> tuple[str, int]:
    """Returns the letter and the accidental (-1, 0 or 1) at a position on the line of fifths."""
    return LETTERS[(fifths + 1) % 7], (fifths + 1) // 7


def name_of(fifths: int) -> str:
    """Returns the name at a position on the line of fifths, such as Bb."""
    letter, accidental = spell(fifths)

    return letter + _ACCIDENTAL_NAMES[accidental]


def accidental_in_key(letter: str, sharps: int) -> int:
    """Returns the accidental (-1, 0 or 1) that a letter has in a key of that many sharps.

    Args:
        letter: "A" to "G".
        sharps: how many sharps the key has; flats count as negative sharps.

    Example:
        >>> accidental_in_key("F", sharps=1), accidental_in_key("B", sharps=-1)
        (1, -1)
    """
    # Of the positions in the key, sharps - 1 to sharps + 5, one has this letter.
    return (sharps - 1 - LETTERS.index(letter)) // 7 + 1
