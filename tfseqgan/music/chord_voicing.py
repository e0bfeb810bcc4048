"""Chords without octaves: one stated place for each pitch class."""

import dataclasses

from tfseqgan.music.score import Chord, Score

LOWEST_PITCH = 43
"""G2, the lowest pitch of a chord in close position."""


def close_chords(score: Score) -> Score:
    """Moves each pitch of the chords by octaves to 43 … 54, G2 to F♯3.

    What is left of a chord is its set of pitch classes. Pitches of one class become one pitch.

    Args:
        score: the tune; it is not changed.

    Returns:
        The tune with the same melody, and chords of the same times and pitch classes.

    Example:
        >>> tune = Score((), (Chord(0, 24, (36, 43, 48, 64)),))
        >>> close_chords(tune).chords[0].pitches
        (43, 48, 52)
    """
    chords = tuple(
        Chord(
            chord.start_ticks,
            chord.duration_ticks,
            tuple({LOWEST_PITCH + (pitch - LOWEST_PITCH) % 12 for pitch in chord.pitches}),
        )
        for chord in score.chords
    )

    return dataclasses.replace(score, chords=chords)
