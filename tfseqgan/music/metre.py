"""Bars and beams: how long they are, and where the bar lines of a score are.

This is the one place that decides where bars begin: the bar lines of `to_abc` and the louder notes
of `write_midi` are at the same ticks.
"""

from fractions import Fraction

from tfseqgan.music.score import TICKS_PER_QUARTER, Score

_WHOLE = 4 * TICKS_PER_QUARTER


def time_signature_of(score: Score) -> tuple[int, int]:
    """Returns the time signature that a score says, or raises ValueError if it says none."""
    if score.time_signature is None:
        raise ValueError(
            f"The bars of {score.name!r} are not known: expected a time signature, received None. "
            "Give the score one, or estimate it with with_metre_and_key(score)."
        )

    return score.time_signature


def bar_ticks(score: Score) -> int:
    """Returns the ticks of a bar, or raises ValueError if the grid cannot express it."""
    numerator, denominator = time_signature_of(score)
    if denominator not in (1, 2, 4, 8, 16, 32):
        raise ValueError(
            f"The time_signature of {score.name!r} cannot be written as ABC: expected a bar that "
            "counts wholes, halves, quarters and so on to thirty-seconds, received "
            f"{score.time_signature}. Give it another, such as (4, 4)."
        )

    return _WHOLE * numerator // denominator


def beam_ticks(score: Score) -> int:
    """Returns how long a beam may be: 3 eighths in 6/8, half a bar in 4/4, a quarter in 3/4."""
    numerator, denominator = time_signature_of(score)
    is_compound = denominator >= 8 and numerator % 3 == 0
    if is_compound:
        return 3 * _WHOLE // denominator

    bar_is_whole_halves = 2 * numerator % denominator == 0
    return _WHOLE // 2 if bar_is_whole_halves else _WHOLE // 4


def pick_up_within(score: Score, bar: Fraction | int) -> int:
    """Returns the ticks before the first bar line if bars have so many ticks; 0 without a pick-up.

    A tune whose melody starts at tick 0 and whose first chord starts later in the first bar begins
    with a pick-up: its first bar line is at that chord.

    Example:
        >>> from tfseqgan.music.score import Chord, Note
        >>> tune = Score((Note(0, 12, 62), Note(12, 24, 67)), (Chord(12, 24, (43, 50)),))
        >>> pick_up_within(tune, 96), pick_up_within(tune, 12)
        (12, 0)
    """
    if not score.chords or not score.melody or score.melody[0].start_ticks > 0:
        return 0

    first_chord = score.chords[0].start_ticks

    return first_chord if first_chord < bar else 0


def pick_up_ticks(score: Score) -> int:
    """Returns the ticks before the first bar line of a tune with a pick-up, or 0 without one.

    Example:
        >>> import dataclasses
        >>> from tfseqgan.music.score import Chord, Note
        >>> tune = Score((Note(0, 12, 62), Note(12, 24, 67)), (Chord(12, 24, (43, 50)),))
        >>> pick_up_ticks(dataclasses.replace(tune, time_signature=(4, 4)))
        12
    """
    numerator, denominator = time_signature_of(score)

    return pick_up_within(score, Fraction(_WHOLE * numerator, denominator))


def starts_bar(score: Score, tick: int) -> bool:
    """Returns whether a bar starts at a tick; a pick-up is not a bar.

    This is exact for every time signature, also where the grid cannot express a bar.
    """
    numerator, denominator = time_signature_of(score)
    since_bar_line = tick - pick_up_ticks(score)

    return since_bar_line * denominator % (_WHOLE * numerator) == 0


def first_bar_line(score: Score) -> int:
    """Returns the tick of the first bar line: at the end of the pick-up or of the first bar."""
    return pick_up_ticks(score) or bar_ticks(score)


def bar_lines(score: Score, end: int) -> range:
    """Returns the ticks of the bar lines up to the first at or after the end."""
    first = first_bar_line(score)
    step = bar_ticks(score)

    return range(first, max(first, end) + step, step)
