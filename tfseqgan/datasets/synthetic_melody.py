"""Composes the melody of a synthetic tune over its plan.

A figure is the melody of one group: its rhythm, and the moves of its notes in scale steps from the
anchor. Figures lead from anchor to anchor, and clauses with the same letter share their figures.
"""

import dataclasses
import functools
import itertools
from collections.abc import Sequence

import numpy as np

from tfseqgan.datasets.synthetic_harmony import (
    OCTAVE,
    TRIAD,
    ScaleRange,
    Slot,
    choose,
    choose_weighted,
)
from tfseqgan.music.score import Note

_Rhythm = tuple[int, ...]
_Moves = tuple[int, ...]
_Line = list[tuple[int, int]]  # (ticks, step) of each note


@dataclasses.dataclass(frozen=True)
class Dance:
    """The metre, the tempo and the rhythms of a kind of tune.

    A rhythm is the durations, in ticks, of the notes of one group. Likelier rhythms are listed
    more than once.

    Args:
        time_signature: beats in a bar, and the note value of a beat.
        group_ticks: the duration of a group.
        groups_per_bar: the number of groups in a bar.
        tempos_bpm: the lowest tempo, and the first one that is too high, in quarters per minute.
        running: the rhythms of most groups.
        breathing: the calmer rhythms at the end of bar 4 and at the start of bar 8.
        endings: the rhythms of the last group of a part: the tonic, then the pick-up notes.
    """

    time_signature: tuple[int, int]
    group_ticks: int
    groups_per_bar: int
    tempos_bpm: tuple[int, int]
    running: tuple[_Rhythm, ...]
    breathing: tuple[_Rhythm, ...]
    endings: tuple[_Rhythm, ...]


# The possible moves of a figure by its number of notes: scale steps from the anchor.
_MOVES: dict[int, tuple[_Moves, ...]] = {
    1: ((0,),),
    2: ((0, 0), (0, 1), (0, -1), (0, 2), (0, -2), (0, 3), (0, -3)),
    3: (
        (0, 1, 2),
        (0, -1, -2),
        (0, 1, 0),
        (0, -1, 0),
        (0, 2, 1),
        (0, -2, -1),
        (0, 2, 4),
        (0, -2, -4),
        (0, 2, 0),
        (0, -2, 0),
        (0, 3, 5),
        (0, 2, 5),
        (0, -3, -5),
        (0, -2, -5),
        (0, 3, 2),
        (0, -3, -2),
        (0, 0, 1),
        (0, 0, -1),
    ),
    4: (
        (0, 1, 2, 3),
        (0, -1, -2, -3),
        (0, 1, 2, 1),
        (0, -1, -2, -1),
        (0, 1, 0, -1),
        (0, -1, 0, 1),
        (0, 2, 1, 0),
        (0, -2, -1, 0),
        (0, 2, 4, 2),
        (0, -2, -4, -2),
        (0, -2, 0, 2),
        (0, -3, 0, 2),
        (0, -2, 0, 1),
        (0, 1, 2, 4),
        (0, -1, -2, -4),
        (0, 2, 3, 4),
        (0, 3, 5, 3),
        (0, -3, -5, -3),
        (0, -3, 0, 1),
        (0, 2, 4, 5),
        (0, 2, 0, -1),
        (0, -2, -3, -4),
    ),
    5: (
        (0, 1, 2, 3, 4),
        (0, -1, -2, -3, -4),
        (0, 1, 0, -1, 0),
        (0, 1, 2, 1, 0),
        (0, -1, -2, -1, 0),
        (0, 1, 2, 4, 2),
        (0, -1, -2, -4, -2),
    ),
}


# The possible moves of a pick-up by its number of notes: scale steps from the note it leads to.
_PICK_UP_MOVES: dict[int, tuple[_Moves, ...]] = {
    0: ((),),
    1: ((-1,), (1,)),
    2: ((-2, -1), (2, 1)),
    3: ((-3, -2, -1), (3, 2, 1)),
}


# The weight of a move by so many steps from the last note of a figure to the next anchor.
_SEAM_WEIGHTS = (0.12, 1.0, 0.6, 0.2, 0.05, 0.01, 0.002, 0.001)


# The factors by which a feature lowers the weight of a figure.
_REPEATED_NOTE = 0.15
_LEAP_FROM_OUTSIDE = 0.1  # the last note is outside the chord, and a leap follows
_STRESSED_OUTSIDE = 0.4  # a note outside the chord is long or in the middle of the figure


_MINIMUM_WEIGHT = 0.03  # a known figure is used again if its weight is higher


@functools.cache
def _figure_weight(durations: _Rhythm, moves: _Moves, root: int, target: int) -> float:
    """Computes how well a figure sounds on its way to the next anchor; 0 if it is forbidden.

    Inside a figure only chord tones may leap: a note outside the chord is reached and left by step.

    Args:
        durations: the rhythm of the figure, in ticks.
        moves: the moves of the figure.
        root: the root of the chord, in scale steps from the anchor.
        target: the next anchor, in scale steps from the anchor.
    """
    seam = abs(target - moves[-1])
    if seam > OCTAVE:
        return 0.0

    # Forbid leaps to or from notes outside the chord.
    outside = [(move - root) % OCTAVE not in TRIAD for move in moves]
    intervals = [abs(after - before) for before, after in itertools.pairwise(moves)]
    for index, interval in enumerate(intervals):
        if interval > 1 and (outside[index] or outside[index + 1]):
            return 0.0

    # Count the stressed notes outside the chord.
    num_stressed = 0
    for index, ticks in enumerate(durations):
        is_stressed = 2 * ticks >= sum(durations) or index == len(durations) // 2
        if outside[index] and is_stressed:
            num_stressed += 1

    weight = _SEAM_WEIGHTS[seam]
    weight *= _STRESSED_OUTSIDE**num_stressed
    weight *= _REPEATED_NOTE ** intervals.count(0)
    if outside[-1] and seam > 1:
        weight *= _LEAP_FROM_OUTSIDE

    return weight


class MelodyComposer:
    """Composes the melody of one tune.

    Args:
        rng: the random number generator.
        dance: the kind of tune.
        scale: the scale and the range of the tune.
    """

    def __init__(self, rng: np.random.Generator, dance: Dance, scale: ScaleRange) -> None:
        self._rng = rng
        self._dance = dance
        self._scale = scale
        self._figures: dict[tuple[str, int], tuple[_Rhythm, _Moves]] = {}  # by letter and index

    def compose(
        self, first_part: Sequence[Slot], second_part: Sequence[Slot]
    ) -> tuple[tuple[Note, ...], int]:
        """Composes the melody AABB over the plans of parts A and B.

        Each time a part is played, a pick-up leads to its first anchor. The part ends on the home
        tonic; at the end of the tune, the tonic lasts a whole group.

        Args:
            first_part: the slots of A.
            second_part: the slots of B.

        Returns:
            (notes, pick_up_ticks): the melody, and the duration of its first pick-up.
        """
        tonic_ticks, *pick_up_rhythm = choose(self._rng, self._dance.endings)
        a = self._fill_part(first_part)
        b = self._fill_part(second_part)
        pick_up_to_a = self._pick_up(pick_up_rhythm, target=first_part[0].anchor)
        pick_up_to_b = self._pick_up(pick_up_rhythm, target=second_part[0].anchor)

        home = [(tonic_ticks, self._scale.home)]
        last = [(self._dance.group_ticks, self._scale.home)]
        line = 2 * (pick_up_to_a + a + home)
        line += pick_up_to_b + b + home
        line += pick_up_to_b + b + last

        return self._to_notes(line), sum(pick_up_rhythm)

    def _fill_part(self, part: Sequence[Slot]) -> _Line:
        """Returns the melody of a part without its last group, which is the ending."""
        breaths = (len(part) // 2 - 1, len(part) - self._dance.groups_per_bar)

        line = []
        for number, (slot, next_slot) in enumerate(itertools.pairwise(part)):
            rhythms = self._dance.breathing if number in breaths else self._dance.running
            durations, moves = self._choose_figure(slot, next_slot.anchor, rhythms)
            for ticks, move in zip(durations, moves, strict=True):
                line.append((ticks, slot.anchor + move))

        return line

    def _choose_figure(
        self, slot: Slot, target: int, rhythms: Sequence[_Rhythm]
    ) -> tuple[_Rhythm, _Moves]:
        """Returns the rhythm and the moves of a slot.

        If its letter has a figure at this index already, that figure is used again, provided that
        it leads well to the target. Otherwise its rhythm is kept, and the moves are drawn.
        """

        def weight(durations: _Rhythm, moves: _Moves) -> float:
            lowest = slot.anchor + min(moves)
            highest = slot.anchor + max(moves)
            if lowest < self._scale.low or highest > self._scale.high:
                return 0.0
            root = (slot.root - slot.anchor) % OCTAVE
            return _figure_weight(durations, moves, root, target - slot.anchor)

        known = self._figures.get((slot.letter, slot.index))
        if known and weight(*known) > _MINIMUM_WEIGHT:
            return known

        durations = known[0] if known else choose(self._rng, rhythms)
        options = _MOVES[len(durations)]
        weights = [weight(durations, moves) for moves in options]
        figure = (durations, choose_weighted(self._rng, options, weights))
        self._figures.setdefault((slot.letter, slot.index), figure)

        return figure

    def _pick_up(self, durations: Sequence[int], target: int) -> _Line:
        """Returns a run up or down to the target, within an octave of the home tonic before it."""
        scale = self._scale
        low = max(scale.low, scale.home - OCTAVE)
        high = min(scale.high, scale.home + OCTAVE)

        runs = []
        for moves in _PICK_UP_MOVES[len(durations)]:
            run = [target + move for move in moves]
            if all(low <= step <= high for step in run):
                runs.append(run)

        return list(zip(durations, choose(self._rng, runs), strict=True))

    def _to_notes(self, line: _Line) -> tuple[Note, ...]:
        """Returns a line as notes, one after another from tick 0."""
        notes = []
        start_ticks = 0
        for duration_ticks, step in line:
            notes.append(Note(start_ticks, duration_ticks, self._scale.pitch(step)))
            start_ticks += duration_ticks

        return tuple(notes)
