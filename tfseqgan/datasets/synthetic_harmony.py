"""Plans the harmony of a synthetic tune, and an anchor for the melody over each chord.

A tune has two parts of eight bars. A part has four clauses of two bars: an opening, a half cadence,
a continuation and a close. A clause is a sequence of harmonic functions (T tonic, S subdominant,
D dominant), and each function becomes a chord. A bar is divided into one or two groups, and each
group has one chord. The anchor of a group is the chord tone on which its melody starts.

Pitches are counted in steps of the scale from its tonic. Moving a melody along with its chord is
then an addition, and the mode of the scale decides which pitch a step is.
"""

import bisect
import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

OCTAVE = 7
"""An octave in scale steps."""


TRIAD = (0, 2, 4)
"""The notes of a triad in scale steps from its root."""


# The melody lies between D4 and B5: a fiddle plays these notes in first position without its lowest
# string, and pipes and flutes have them too.
_LOWEST_PITCH = 62
_HIGHEST_PITCH = 83


_TONIC_PITCHES = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67, "A": 69, "B": 71}


_INTERVALS = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "aeolian": (0, 2, 3, 5, 7, 8, 10),
}


# The modes of each key. In these tables a likelier option is listed more than once.
_MODES = {
    "D": ("major", "major", "mixolydian"),
    "G": ("major",),
    "A": ("major", "mixolydian"),
    "C": ("major",),
    "F": ("major",),
    "Em": ("dorian", "aeolian"),
    "Am": ("dorian",),
    "Bm": ("aeolian",),
    "Dm": ("dorian",),
    "Gm": ("dorian",),
}


# The roots, in scale steps, of the chords that can serve as a function. In the modes without a
# leading note, the dominant is the chord one step below the tonic. Diminished triads are left out.
_ROOTS: dict[str, dict[str, tuple[int, ...]]] = {
    "major": {"T": (0,), "S": (3, 3, 1, 5), "D": (4,)},
    "mixolydian": {"T": (0,), "S": (3,), "D": (6,)},
    "dorian": {"T": (0,), "S": (3, 2), "D": (6, 6, 4)},
    "aeolian": {"T": (0,), "S": (5, 2, 3), "D": (6, 6, 4)},
}


# The functions of the two bars of a clause. Two functions in one bar take half of it each.
_OPENINGS = (("T", "T"), ("T", "S"), ("T", "D"), ("T", "TD"), ("T", "TS"))
_HALF_CADENCES = (("T", "D"), ("S", "D"), ("TS", "D"), ("T", "SD"), ("S", "TD"))
_CONTINUATIONS = (("S", "T"), ("S", "TS"), ("T", "S"), ("TD", "T"), ("D", "T"))
_CLOSES = (("SD", "T"), ("TD", "T"), ("D", "T"), ("SD", "T"))
_CLAUSES = (_OPENINGS, _HALF_CADENCES, _CONTINUATIONS, _CLOSES)


# The weight of a move by so many steps from one anchor to the next.
_ANCHOR_MOVE_WEIGHTS = (0.4, 0.9, 1.0, 0.8, 0.4, 0.1, 0.02, 0.02)


_Option = TypeVar("_Option")


def choose(rng: np.random.Generator, options: Sequence[_Option]) -> _Option:
    """Returns one of the options at random, each with the same probability."""
    return options[int(rng.integers(len(options)))]


def choose_weighted(
    rng: np.random.Generator, options: Sequence[_Option], weights: Sequence[float]
) -> _Option:
    """Returns one of the options at random, with probabilities proportional to the weights."""
    sums = list(itertools.accumulate(weights))

    return options[bisect.bisect(sums, rng.random() * sums[-1])]


@dataclasses.dataclass(frozen=True)
class ScaleRange:
    """A scale, and the range of its steps that a tune may use.

    Args:
        tonic: the MIDI pitch of step 0.
        mode: "major", "mixolydian", "dorian" or "aeolian".
        home: the step of the tonic on which both parts of the tune end.
        low: the lowest step that the melody may use.
        high: the highest step that the melody may use.
    """

    tonic: int
    mode: str
    home: int
    low: int
    high: int

    def pitch(self, step: int) -> int:
        """Returns the MIDI pitch of a step of the scale."""
        octave, degree = divmod(step, OCTAVE)

        return self.tonic + 12 * octave + _INTERVALS[self.mode][degree]

    def chord(self, root: int) -> tuple[int, ...]:
        """Returns the MIDI pitches of the triad on a step: its root in the bass, then the triad.

        The bass lies in the octave from 36 (C2), and the triad in the octave from 51 (Eb3), so
        that the left hand hardly moves from chord to chord.
        """
        triad = [self.pitch(root + interval) for interval in TRIAD]
        bass = 36 + triad[0] % 12

        return (bass, *(51 + (pitch - 51) % 12 for pitch in triad))


def scale_range(rng: np.random.Generator, key: str) -> ScaleRange:
    """Draws the mode and the range of a tune in a key.

    Args:
        rng: the random number generator.
        key: the key, such as "G" or "Em".

    Returns:
        The `ScaleRange`. Its home is D5 or lower, so that the second part has room to rise.
    """
    tonic = _TONIC_PITCHES[key[0]]
    mode = choose(rng, _MODES[key])
    whole = ScaleRange(tonic, mode, home=0, low=-OCTAVE, high=2 * OCTAVE)
    steps = [
        step
        for step in range(-OCTAVE, 2 * OCTAVE)
        if _LOWEST_PITCH <= whole.pitch(step) <= _HIGHEST_PITCH
    ]
    homes = [step for step in steps if step % OCTAVE == 0 and whole.pitch(step) < 76]
    home = choose(rng, homes)

    return dataclasses.replace(
        whole,
        home=home,
        low=max(steps[0], home - OCTAVE),
        high=min(steps[-1], home + 10),
    )


@dataclasses.dataclass(frozen=True)
class Slot:
    """One group of a part, as planned.

    Args:
        letter: the letter of its clause in the form of the tune.
        index: the index of the group in its clause.
        root: the root of its chord, in scale steps.
        anchor: the step on which its melody starts.
    """

    letter: str
    index: int
    root: int
    anchor: int


class PartPlanner:
    """Plans the parts of one tune from their forms.

    A form names the four clauses of a part, such as "a a' b c". Clauses with the same symbol have
    the same chords. A clause with a prime has other chords than the one without, and the same
    melody moved along with them. Clauses return within a part and in the other part, so one planner
    is used for a whole tune.

    Args:
        rng: the random number generator.
        scale: the scale and the range of the tune.
        groups_per_bar: the number of groups in a bar, 1 or 2.
    """

    def __init__(self, rng: np.random.Generator, scale: ScaleRange, groups_per_bar: int) -> None:
        self._rng = rng
        self._scale = scale
        self._groups_per_bar = groups_per_bar
        self._roots: dict[str, list[int]] = {}  # by symbol
        self._first_slots: dict[tuple[str, int], Slot] = {}  # by letter and index

    def plan(self, form: str, centre: int) -> list[Slot]:
        """Plans a part.

        Args:
            form: the symbols of the four clauses, such as "a a' b c".
            centre: the step around which the anchors lie.

        Returns:
            The slots of the part. The anchor of the last one is the home of the scale.
        """
        # The last clause leads home: it stays within an octave of the home tonic.
        scale = self._scale
        closing_scale = dataclasses.replace(
            scale,
            low=max(scale.low, scale.home - OCTAVE),
            high=min(scale.high, scale.home + OCTAVE),
        )

        slots = []
        anchor = scale.home
        for number, symbol in enumerate(form.split()):
            is_close = number == len(_CLAUSES) - 1
            slots += self._plan_clause(
                letter=symbol[0],
                roots=self._roots_of_clause(symbol, _CLAUSES[number]),
                anchor=anchor,
                scale=closing_scale if is_close else scale,
                centre=scale.home if is_close else centre,
            )
            anchor = slots[-1].anchor
        slots[-1] = dataclasses.replace(slots[-1], anchor=scale.home)

        return slots

    def _roots_of_clause(self, symbol: str, clauses: Sequence[tuple[str, str]]) -> list[int]:
        """Returns the root of each group of a clause; a new symbol gets one of the clauses."""
        if symbol in self._roots:
            return self._roots[symbol]

        candidates = [
            self._roots_of_bar(first_bar) + self._roots_of_bar(second_bar)
            for first_bar, second_bar in clauses
        ]

        # A clause with a prime must not have the chords of the one without.
        unprimed = self._roots.get(symbol[0])
        candidates = [roots for roots in candidates if roots != unprimed]
        self._roots[symbol] = choose(self._rng, candidates)

        return self._roots[symbol]

    def _roots_of_bar(self, functions: str) -> list[int]:
        """Returns the root of each group of a bar with one or two functions."""
        options = _ROOTS[self._scale.mode]
        roots = [choose(self._rng, options[function]) for function in functions]

        # One function fills the bar. If there are more functions than groups, the last one is
        # kept, because it leads to the next bar.
        return (roots * self._groups_per_bar)[-self._groups_per_bar :]

    def _plan_clause(
        self, letter: str, roots: Sequence[int], anchor: int, scale: ScaleRange, centre: int
    ) -> list[Slot]:
        """Returns the slots of a clause that follows an anchor."""
        slots = []
        for index, root in enumerate(roots):
            steps = _reachable_chord_tones(scale, root, anchor)
            first_slot = self._first_slots.get((letter, index))
            if first_slot is None:
                weights = [_anchor_weight(step, anchor, centre) for step in steps]
                anchor = choose_weighted(self._rng, steps, weights)
            else:
                anchor = _nearest_to_moved_anchor(steps, first_slot, root)

            slot = Slot(letter, index, root, anchor)
            self._first_slots.setdefault((letter, index), slot)
            slots.append(slot)

        return slots


def _reachable_chord_tones(scale: ScaleRange, root: int, previous: int) -> list[int]:
    """Returns the steps of a triad in the range and within an octave of the previous anchor."""
    low = max(scale.low, previous - OCTAVE)
    high = min(scale.high, previous + OCTAVE)

    return [step for step in range(low, high + 1) if (step - root) % OCTAVE in TRIAD]


def _anchor_weight(step: int, previous: int, centre: int) -> float:
    """Returns the weight of an anchor: high if it is near the previous one and the centre."""
    move_weight = _ANCHOR_MOVE_WEIGHTS[abs(step - previous)]

    return move_weight * math.exp(-(((step - centre) / 3) ** 2))


def _nearest_to_moved_anchor(steps: Sequence[int], first_slot: Slot, root: int) -> int:
    """Returns the step that is nearest to an anchor moved along with its chord.

    Over another chord this gives a musical sequence, and over the same chord a repetition.
    """
    shift = (root - first_slot.root + 3) % OCTAVE - 3  # the shorter way, -3 to 3
    moved_anchor = first_slot.anchor + shift

    return min(steps, key=lambda step: abs(step - moved_anchor))
