"""What the name of a track says about its voice."""

import enum
import re

_MELODY = {"tune", "theme", "topline"}
_VOICE = {"voice", "voices", "voc", "vox", "voix", "voce", "singer", "gesang", "canto"}
_SOPRANO = {"soprano", "superius", "cantus", "discantus", "descant"}
_LEAD = {"lead", "solo", "soloist"}
_RIGHT_HAND = {"rh", "droite", "rechte", "destra", "derecha"}
_LEFT_HAND = {"lh", "gauche", "linke", "sinistra", "izquierda"}
_KEYBOARDS = {"hand", "piano", "keyboard", "keys", "organ", "harpsichord", "harp", "pf"}
_PERCUSSION = {"perc", "kick", "snare", "hihat", "hihats", "cymbal", "cymbals", "claps"}
_EFFECTS = {"sfx", "click", "metronome"}

_ROLES = {
    "acc",
    "background",
    "backing",
    "backup",
    "bridge",
    "comp",
    "counter",
    "harmony",
    "harmonies",
    "rhythm",
}
"""Words for parts beside the melody, whatever other words stand with them."""

_ACCOMPANYING_INSTRUMENTS = {
    "aahs",
    "arp",
    "arpeggio",
    "bass",
    "bassline",
    "basso",
    "choir",
    "continuo",
    "contrabass",
    "fx",
    "oohs",
    "pad",
    "pads",
    "string",
    "strings",
}
"""Words for instruments that accompany, unless the name says "melody"."""


class NameEvidence(enum.IntEnum):
    """What a name says, ordered by how likely a track of such a name is the melody."""

    PERCUSSION = -2
    ACCOMPANIMENT = -1
    NONE = 0
    RIGHT_HAND = 1
    LEAD = 2
    SOPRANO = 3
    VOICE = 4
    MELODY = 5


def _split_words(name: str) -> set[str]:
    """Returns the words of a name in lower case; "LeadVox_2" has "lead" and "vox"."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    joined_initials = re.sub(r"\b([RLrl])\W?([Hh])\b", r"\1\2", spaced)

    return set(re.findall(r"[^\W\d_]+", joined_initials.casefold()))


def _starts(words: set[str], *stems: str) -> bool:
    """Returns whether one of the words starts with one of the stems."""
    return any(word.startswith(stems) for word in words)


def _is_hand(words: set[str], side: str, other_words: set[str]) -> bool:
    """Returns whether words name a hand at a keyboard; "guitar right" is a place on the stage."""
    names_keyboard = words == {side} or bool(words & _KEYBOARDS)

    return bool(words & other_words) or (side in words and names_keyboard)


def read_track_name(name: str) -> NameEvidence:
    """Finds what the name of a track says about its voice, in any case and within longer names.

    A word for a part beside the melody outweighs one for the melody, so that "Backing Vocals" is
    an accompaniment; only the word "melody" itself outweighs an instrument, as in "Melody
    (Strings)".

    Args:
        name: the name of a track or of an instrument.

    Returns:
        The evidence; `NameEvidence.NONE` if the name says nothing.

    Example:
        >>> read_track_name("Lead_Square").name, read_track_name("Piano left").name
        ('LEAD', 'ACCOMPANIMENT')
        >>> read_track_name("Violin")
        <NameEvidence.NONE: 0>
    """
    words = _split_words(name)
    is_melody = bool(words & _MELODY) or _starts(words, "melod", "mélod")

    if words & (_PERCUSSION | _EFFECTS) or _starts(words, "drum", "percuss"):
        return NameEvidence.PERCUSSION
    if words & _ROLES or _starts(words, "accomp", "chord", "counterm"):
        return NameEvidence.ACCOMPANIMENT
    if is_melody:
        return NameEvidence.MELODY
    if words & _ACCOMPANYING_INSTRUMENTS or _is_hand(words, "left", _LEFT_HAND):
        return NameEvidence.ACCOMPANIMENT
    if words & _VOICE or _starts(words, "vocal"):
        return NameEvidence.VOICE
    if words & _SOPRANO:
        return NameEvidence.SOPRANO
    if words & _LEAD:
        return NameEvidence.LEAD
    if _is_hand(words, "right", _RIGHT_HAND):
        return NameEvidence.RIGHT_HAND

    return NameEvidence.NONE
