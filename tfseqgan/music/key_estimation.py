"""The key of a tune by its notes, and how far it lies from C major or A minor."""

from typing import NamedTuple

import numpy as np

from tfseqgan.music.score import ALL_TRANSPOSITIONS, Score, transpose_key


class KeyProfiles(NamedTuple):
    """How much each of the twelve pitch classes, from the tonic up, belongs to a key."""

    major: tuple[float, ...]
    minor: tuple[float, ...]


ALBRECHT_SHANAHAN = KeyProfiles(
    major=(0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
    minor=(0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
)
"""How often pitch classes occur in pieces of a key, as shares (Albrecht & Shanahan 2013)."""

KRUMHANSL_KESSLER = KeyProfiles(
    major=(6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    minor=(6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
)
"""How well listeners find that pitch classes fit a key (Krumhansl & Kessler 1982)."""


def _pitch_class_durations(score: Score) -> np.ndarray:
    """Returns how many ticks each pitch class sounds in melody and chords, float64 [12]."""
    ticks = np.zeros(12)
    for note in score.melody:
        ticks[note.pitch % 12] += note.duration_ticks
    for chord in score.chords:
        for pitch in chord.pitches:
            ticks[pitch % 12] += chord.duration_ticks

    return ticks


def _correlations(ticks: np.ndarray, profile: tuple[float, ...]) -> list[float]:
    """Returns the correlation of durations with a key profile on each of the twelve tonics."""
    return [float(np.corrcoef(ticks, np.roll(profile, tonic))[0, 1]) for tonic in range(12)]


def estimate_key(score: Score, profiles: KeyProfiles = ALBRECHT_SHANAHAN) -> str | None:
    """Finds the key whose profile fits the pitch classes of a tune best.

    The durations of the twelve pitch classes, in melody and chords, are correlated with the
    profiles of the twelve major and twelve minor keys.

    Args:
        score: the tune; what it says of its key does not matter.
        profiles: the profiles, such as `ALBRECHT_SHANAHAN` or `KRUMHANSL_KESSLER`.

    Returns:
        The key, such as `"G"` or `"Em"`; None if all pitch classes sound equally long, as in a
        tune without notes.

    Example:
        >>> from tfseqgan.music.score import Note
        >>> scale = [67, 69, 71, 72, 74, 76, 78, 79, 74, 71, 67]
        >>> estimate_key(Score(tuple(Note(24 * i, 24, pitch) for i, pitch in enumerate(scale))))
        'G'

    Reference:
        Krumhansl 1990, "Cognitive Foundations of Musical Pitch", chapter 4 (the
        correlation); Albrecht & Shanahan 2013, "The use of large corpora to train a new type of
        key-finding algorithm" (the profiles).
    """
    ticks = _pitch_class_durations(score)
    if ticks.max() == ticks.min():
        return None

    by_key = {}
    for tonic, correlation in enumerate(_correlations(ticks, profiles.major)):
        by_key[transpose_key("C", tonic)] = correlation
    for tonic, correlation in enumerate(_correlations(ticks, profiles.minor)):
        by_key[transpose_key("Cm", tonic)] = correlation

    return max(by_key, key=lambda key: by_key[key])


def semitones_to_c(key: str) -> int:
    """Computes how far a major key is moved to C, or a minor one to A minor.

    Args:
        key: the key, such as `"G"` or `"F#m"`.

    Returns:
        Semitones, one of `score.ALL_TRANSPOSITIONS`.

    Example:
        >>> semitones_to_c("G"), semitones_to_c("Em"), semitones_to_c("C")
        (5, 5, 0)
    """
    return next(
        semitones
        for semitones in ALL_TRANSPOSITIONS
        if transpose_key(key, semitones) in ("C", "Am")
    )
