"""Bars and beams: how long they are, and where the bar lines of a score are.

This is the one place that decides where bars begin: the bar lines of `to_abc` and the louder notes
of `write_midi` are at the same ticks.
"""

from tfseqgan.music.score import TICKS_PER_QUARTER, Score

_WHOLE = 4 * TICKS_PER_QUARTER


def bar_ticks(score: Score) -> int:
    """Returns the ticks of a bar, or raises ValueError if the grid cannot express it."""
    numerator, denominator = score.time_signature
    if denominator not in (1, 2, 4, 8, 16, 32):
        raise ValueError(
            f"The time_signature of {score.name!r} cannot be written as ABC: expected a bar that "
            "counts wholes, halves, quarters and so on to thirty-seconds, received "
            f"{score.time_signature}. Give it another, such as (4, 4)."
        )

    return _WHOLE * numerator // denominator


def beam_ticks(score: Score) -> int:
    """Returns how long a beam may be: 3 eighths in 6/8, half a bar in 4/4, a quarter in 3/4."""
    numerator, denominator = score.time_signature
    is_compound = denominator >= 8 and numerator % 3 == 0
    if is_compound:
        return 3 * _WHOLE // denominator

    bar_is_whole_halves = 2 * numerator % denominator == 0
    return _WHOLE // 2 if bar_is_whole_halves else _WHOLE // 4


def pick_up_ticks(score: Score) -> int:
    """Returns the ticks before the first bar line of a tune with a pick-up, or 0 without one.

    A tune whose melody starts at tick 0 and whose first chord starts later in the first bar begins
    with a pick-up: its first bar line is at that chord.

    Example:
        >>> from tfseqgan.music.score import Chord, Note
        >>> pick_up_ticks(Score((Note(0, 12, 62), Note(12, 24, 67)), (Chord(12, 24, (43, 50)),)))
        12
    """
    if not score.chords or not score.melody or score.melody[0].start_ticks > 0:
        return 0

    first_chord = score.chords[0].start_ticks
    numerator, denominator = score.time_signature
    is_in_first_bar = first_chord * denominator < _WHOLE * numerator

    return first_chord if is_in_first_bar else 0


def starts_bar(score: Score, tick: int) -> bool:
    """Returns whether a bar starts at a tick; a pick-up is not a bar.

    This is exact for every time signature, also where the grid cannot express a bar.
    """
    numerator, denominator = score.time_signature
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
