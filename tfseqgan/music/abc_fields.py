"""The fields of a tune in ABC (metre, length of a note, tempo, key) as values."""

import re
from fractions import Fraction

from tfseqgan.music.keys import Key, parse_key
from tfseqgan.music.pitch_spelling import name_of

_MODES = {
    "": (0, False),
    "maj": (0, False),
    "ion": (0, False),
    "mix": (-1, False),
    "lyd": (1, False),
    "m": (-3, True),
    "min": (-3, True),
    "aeo": (-3, True),
    "dor": (-2, True),
    "phr": (-4, True),
    "loc": (-5, True),
}
"""By the first letters of a mode: how many sharps its signature has beside that of the major key on
its tonic, and whether its third is minor."""

_KEY = re.compile(r"([A-G])([#b]?)\s*([A-Za-z]*)")

_CLEF = re.compile(r"\b(?:treble|alto|tenor|bass|perc|[a-z]+=\S+)")
"""What the field says beside the key: a clef, or a setting such as "clef=bass"."""

_METRES = {"C": (4, 4), "C|": (2, 2)}

_PIPE_KEYS = ("HP", "Hp")
"""The keys of the Highland pipes; HP has no signature, and Hp that of D."""


def read_metre(text: str) -> tuple[int, int] | None:
    """Reads the field M.

    Returns:
        The time signature; None for free metre.

    Raises:
        ValueError: if it is no metre.

    Example:
        >>> read_metre("6/8"), read_metre("C|"), read_metre("none")
        ((6, 8), (2, 2), None)
    """
    if text in ("", "none"):
        return None
    if text in _METRES:
        return _METRES[text]

    match = re.fullmatch(r"\(?(\d+(?:\s*\+\s*\d+)*)\)?\s*/\s*(\d+)", text)
    if match is None or int(match[2]) == 0:
        raise ValueError(
            f"M:{text} is no metre: expected one such as M:6/8, M:C or M:none. Correct the field."
        )

    return sum(map(int, match[1].split("+"))), int(match[2])


def read_length(text: str) -> Fraction:
    """Reads the field L: the length of a note without a number, in wholes.

    Raises:
        ValueError: if it is no length.

    Example:
        >>> read_length("1/8")
        Fraction(1, 8)
    """
    match = re.fullmatch(r"(\d+)(?:\s*/\s*(\d+))?", text)
    if match is None or int(match[1]) == 0 or int(match[2] or 1) == 0:
        raise ValueError(f"L:{text} is no length: expected one such as L:1/8. Correct the field.")

    return Fraction(int(match[1]), int(match[2] or 1))


def read_tempo(text: str) -> float | None:
    """Reads the field Q: a note and how many there are in a minute.

    Returns:
        Quarter notes a minute; None if the field has words alone.

    Example:
        >>> read_tempo('"Lively" 3/8=100'), read_tempo("120"), read_tempo('"Slow"')
        (150.0, 120.0, None)
    """
    number = re.sub(r'"[^"]*"', "", text)
    beats, has_beat, per_minute = number.rpartition("=")
    match = re.search(r"\d+(\.\d+)?", per_minute)
    if match is None:
        return None

    wholes = sum(
        Fraction(int(above), int(below)) for above, below in re.findall(r"(\d+)/([1-9]\d*)", beats)
    )
    quarters = 4 * float(wholes) if has_beat and wholes else 1.0

    return quarters * float(match[0]) or None


def read_key(text: str) -> tuple[str | None, int]:
    """Reads the field K.

    Returns:
        (key, sharps): the key as a score says it, and the sharps of its signature. The key of a
        mode is the major or minor one on its tonic, by its third.

    Raises:
        ValueError: if it is no key, or states accidentals of its own.

    Example:
        >>> read_key("Ador"), read_key("D mix"), read_key("Gm"), read_key("none")
        (('Am', 1), ('D', 1), ('Gm', -2), (None, 0))
    """
    if text.startswith(_PIPE_KEYS):
        return None, 2 * text.startswith("Hp")
    text = _CLEF.sub("", text).strip()
    if text in ("", "none"):
        return None, 0

    match = _KEY.match(text)
    if match is None or re.search(r"[_^=][a-gA-G]", text):
        raise ValueError(
            f"K:{text} is no key that can be read: expected a tonic and a mode, such as K:G, K:Em "
            "or K:Ador, without accidentals of its own. Correct the field."
        )
    tonic = match[1] + match[2]
    word = match[3].lower()
    mode = "m" if word == "m" else word[:3]
    if mode not in _MODES:  # the name of a clef, say
        mode = ""

    shift, is_minor = _MODES[mode]
    major = _sharps_of_major(match[1], match[2])
    parallel = Key(major - 3 if is_minor else major, is_minor)
    key = parse_key(tonic + "m" * is_minor) if abs(parallel.sharps) <= 7 else None
    if key is None or abs(major + shift) > 7:
        raise ValueError(
            f"K:{text} has more than seven sharps or flats: expected a key that can be written. "
            f"Name it by another tonic than {name_of(major)}."
        )

    return tonic + "m" * is_minor, major + shift


def _sharps_of_major(letter: str, accidental: str) -> int:
    """Returns the sharps of the major key on a tonic."""
    return "FCGDAEB".index(letter) - 1 + {"": 0, "#": 7, "b": -7}[accidental]
