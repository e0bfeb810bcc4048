"""Chords without octaves: one stated place for each set of pitch classes."""

import dataclasses
from collections.abc import Iterable

from tfseqgan.music.score import Score

LOWEST_ROOT = 36
"""C2. The root of a chord is in the octave from here, and the other pitches lie above it."""

_THIRDS = (3, 4)
"""A minor and a major third, in semitones."""


def _stack(pitch_classes: list[int], root: int) -> tuple[int, ...]:
    """Returns the pitches of a chord in close position above its root."""
    lowest = LOWEST_ROOT + (root - LOWEST_ROOT) % 12

    return tuple(sorted(lowest + (other - root) % 12 for other in pitch_classes))


def _num_thirds(pitches: tuple[int, ...]) -> int:
    """Counts the thirds between neighbouring pitches."""
    steps = (above - below for below, above in zip(pitches[:-1], pitches[1:], strict=True))

    return sum(step in _THIRDS for step in steps)


def close_position(pitches: Iterable[int]) -> tuple[int, ...]:
    """Writes a chord in root position, each pitch less than an octave above the root.

    The root is the pitch class above which most of the others are stacked in thirds; of several,
    the one whose chord is narrowest, and of these the lowest. Every triad and seventh chord gets
    its root so, except that a sixth chord reads as the seventh chord of the same pitches, and that
    chords of equal thirds, which have no root, begin with their lowest pitch class from C.

    Args:
        pitches: MIDI pitches; those of one pitch class become one pitch.

    Returns:
        The pitches from low to high; the lowest is in 36 … 47, C2 to B2.

    Example:
        >>> close_position((50, 55, 59, 67))  # G major over D
        (43, 47, 50)
        >>> close_position((45, 48, 52, 55))  # A minor seventh
        (45, 48, 52, 55)
    """
    pitch_classes = sorted({pitch % 12 for pitch in pitches})
    stacks = [_stack(pitch_classes, root) for root in pitch_classes]

    return min(
        stacks,
        key=lambda stack: (-_num_thirds(stack), stack[-1] - stack[0], stack[0]),
        default=(),
    )


def close_chords(score: Score) -> Score:
    """Moves every chord to root position in one octave (`close_position`).

    What is left of a chord is its set of pitch classes.

    Args:
        score: the tune; it is not changed.

    Returns:
        The tune with the same melody, and chords of the same times and pitch classes.

    Example:
        >>> from tfseqgan.music.score import Chord
        >>> tune = Score((), (Chord(0, 24, (36, 43, 48, 64)),))
        >>> close_chords(tune).chords[0].pitches
        (36, 40, 43)
    """
    chords = tuple(
        dataclasses.replace(chord, pitches=close_position(chord.pitches)) for chord in score.chords
    )

    return dataclasses.replace(score, chords=chords)
