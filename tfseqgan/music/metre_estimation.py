"""The metre of a tune by its notes and chords: the bar whose lines most often carry a chord."""

import collections
import itertools
from collections.abc import Iterable
from typing import NamedTuple

from tfseqgan.music.metre import pick_up_within
from tfseqgan.music.score import TICKS_PER_QUARTER, Score

_EIGHTH = TICKS_PER_QUARTER // 2
_SIXTEENTH = TICKS_PER_QUARTER // 4

_ACCENT_WEIGHT = 0.05
"""What a note on a bar line counts for each time that it lasts as long as the mean note."""

_RHYTHM_WEIGHT = 0.4
"""What the share of the notes counts a bar after which another one starts."""

_THREE_HALVES_PRICE = 0.1
"""By how much a bar of 3/2 must beat those of 4/4 and 2/4."""

_DOUBLE_BAR_PRICE = 0.5
"""By how much a bar must beat its half: by all that half the lines of the shorter bar can give."""

_NINE_EIGHTHS_PRICE = 0.02
"""By how much a bar of 9/8 must beat one of 6/8, where chords change at every beat of both."""

_SHORT_NOTES = 0.03
"""With a larger share of notes in runs of sixteenths, a bar has two quarters and not four."""

_MOSTLY_SHORT_NOTES = 0.5
"""With a larger share of such notes, a bar may have three eighths and not six."""

_FEWEST_CHORDS = 4
"""With fewer chords, the onsets of the melody tell where bars begin."""


class _Onsets(NamedTuple):
    """When something starts in a tune, in ticks."""

    chords: set[int]
    """Where chords start, or notes of the melody if chords are few."""

    durations: dict[int, int]
    """How long the note of the melody lasts that starts at a tick."""

    end: int


def _find_onsets(score: Score) -> _Onsets:
    """Returns when something starts in a tune."""
    durations = {note.start_ticks: note.duration_ticks for note in score.melody}
    chords = {chord.start_ticks for chord in score.chords}
    has_chords = len(chords) >= _FEWEST_CHORDS

    return _Onsets(chords if has_chords else set(durations), durations, score.end_ticks)


def _mean(values: Iterable[float]) -> float:
    """Returns the mean of numbers, 0 of none."""
    numbers = list(values)

    return sum(numbers) / max(len(numbers), 1)


def _weigh_bar(onsets: _Onsets, bar: int, first_line: int) -> float:
    """Returns how much speaks for bars of so many ticks.

    share of the bar lines that carry a chord
    + 0.05 · length of the notes on the lines / mean length of a note
    + 0.4 · share of the notes a bar after which another one starts
    """
    lines = range(first_line, onsets.end, bar)
    with_chord = _mean(line in onsets.chords for line in lines)

    mean_duration = _mean(onsets.durations.values()) or 1
    accent = _mean(onsets.durations.get(line, 0) for line in lines) / mean_duration

    a_bar_later = [tick + bar for tick in onsets.durations if tick + bar < onsets.end]
    rhythm = _mean(tick in onsets.durations for tick in a_bar_later)

    return with_chord + _ACCENT_WEIGHT * accent + _RHYTHM_WEIGHT * rhythm


def _count_within(onsets: _Onsets, bar: int, first_line: int) -> collections.Counter[int]:
    """Counts what starts at each tick of a bar, notes and chords."""
    starts = [*onsets.chords, *onsets.durations]

    return collections.Counter((tick - first_line) % bar for tick in starts)


def _share_in_runs(onsets: _Onsets) -> float:
    """Returns the share of notes of a sixteenth or less that such a note follows."""
    is_short = [duration <= _SIXTEENTH for duration in onsets.durations.values()]

    return _mean(one and other for one, other in itertools.pairwise(is_short))


def _is_compound(score: Score, onsets: _Onsets) -> bool:
    """Returns whether six eighths are two groups of three rather than three of two.

    In 6/8 more starts at the fourth eighth than at the fifth.
    """
    six_eighths = 6 * _EIGHTH
    counts = _count_within(onsets, six_eighths, pick_up_within(score, six_eighths))

    return counts[3 * _EIGHTH] > counts[4 * _EIGHTH]


def _has_thirds(score: Score, onsets: _Onsets) -> bool:
    """Returns whether chords change at the thirds of twelve eighths more often than at the half."""
    bar = 12 * _EIGHTH
    first_line = pick_up_within(score, bar)
    counts = collections.Counter((tick - first_line) % bar for tick in onsets.chords)

    return counts[4 * _EIGHTH] + counts[8 * _EIGHTH] > counts[6 * _EIGHTH]


def estimate_metre(score: Score) -> tuple[int, int]:
    """Finds the time signature of a tune by its notes and chords.

    The bar is the one whose lines most often carry a chord, or a note if there are fewer than four
    chords; that the notes on the lines are long and that the rhythm repeats a bar later counts
    beside it. The bar lines of a candidate are those that would be written
    (`metre.pick_up_within`). A bar of 3/2 must have chords on its thirds rather than in its middle;
    12/8 and 6/4 are found where a chord rarely starts in the middle of the bar.

    Equally long bars are told apart by the notes: 6/8 from 3/4, and 12/8 from 6/4, by what starts
    in the middle of six eighths; 2/4 from 4/4, and 3/8 from 6/8, by the share of notes in runs of
    sixteenths. The sixteenth of a dotted eighth is no run, so that a hornpipe is in 4/4.

    Args:
        score: the tune; what it says of its metre does not matter.

    Returns:
        One of (2, 4), (3, 4), (4, 4), (3, 8), (6, 8), (9, 8), (12, 8), (3, 2) and (6, 4); (4, 4)
        for a tune without notes.

    Example:
        >>> from tfseqgan.music.score import Chord, Note
        >>> melody = tuple(Note(24 * beat, 24, 67) for beat in range(24))
        >>> chords = tuple(Chord(72 * bar, 72, (43, 47, 50)) for bar in range(8))
        >>> estimate_metre(Score(melody, chords))
        (3, 4)
    """
    onsets = _find_onsets(score)
    weights = {
        eighths: _weigh_bar(onsets, eighths * _EIGHTH, pick_up_within(score, eighths * _EIGHTH))
        for eighths in (3, 4, 6, 8, 9, 12)
    }
    short_notes = _share_in_runs(onsets)
    is_compound = _is_compound(score, onsets)

    of_four_quarters = (2, 4) if short_notes > _SHORT_NOTES else (4, 4)
    of_six_eighths = (6, 8) if is_compound else (3, 4)
    candidates = [
        (weights[8], of_four_quarters),
        (weights[4], of_four_quarters),
        (weights[6], of_six_eighths),
        (weights[9] - _NINE_EIGHTHS_PRICE, (9, 8)),
        (weights[12] - _DOUBLE_BAR_PRICE, (12, 8) if is_compound else (6, 4)),
    ]
    if _has_thirds(score, onsets):
        candidates.append((weights[12] - _THREE_HALVES_PRICE, (3, 2)))
    if is_compound and short_notes > _MOSTLY_SHORT_NOTES:
        candidates.insert(0, (weights[3], (3, 8)))

    _, time_signature = max(candidates, key=lambda candidate: candidate[0])

    return time_signature
