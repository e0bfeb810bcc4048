"""Bars and beams: how long they are, and where the bar lines of a score are."""

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


def first_bar_line(score: Score) -> int:
    """Returns the tick of the first bar line.

    A tune whose melody starts at tick 0 and whose first chord starts later in the first bar begins
    with a pick-up: its first bar line is at that chord.
    """
    whole_bar = bar_ticks(score)
    if score.chords and score.melody and score.melody[0].start_ticks == 0:
        first_chord = score.chords[0].start_ticks
        if 0 < first_chord < whole_bar:
            return first_chord

    return whole_bar


def bar_lines(score: Score, end: int) -> range:
    """Returns the ticks of the bar lines up to the first at or after the end."""
    first = first_bar_line(score)
    step = bar_ticks(score)

    return range(first, max(first, end) + step, step)
