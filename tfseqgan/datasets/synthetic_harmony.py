"""The plan of a session tune: functional harmony by clauses, and over each chord an anchor, the chord tone of its strong beat.

A part is four clauses of two bars (opening, half cadence, continuation, close), a clause is harmonic functions, a function is a chord. The melody is
counted in scale steps from a tonic, so that moving it along with its chord is an addition, and the mode decides what is a tone and what a semitone.
"""

import bisect
import dataclasses
import itertools
import math

_PITCH_RANGE = (
    62,
    83,
)  # D4 to B5: first position without the low string, which pipes and flutes share


_TONICS = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67, "A": 69, "B": 71}


OCTAVE, TRIAD = 7, (0, 2, 4)  # in scale steps


_INTERVALS = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "aeolian": (0, 2, 3, 5, 7, 8, 10),
}


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


# Roots in scale steps that may stand for a function. The modal dominant is a step below the tonic; diminished triads are left out.
_ROOTS = {
    "major": {"T": (0,), "S": (3, 3, 1, 5), "D": (4,)},
    "mixolydian": {"T": (0,), "S": (3,), "D": (6,)},
    "dorian": {"T": (0,), "S": (3, 2), "D": (6, 6, 4)},
    "aeolian": {"T": (0,), "S": (5, 2, 3), "D": (6, 6, 4)},
}


# Two bars each; two functions in a bar share it half and half.
_CLAUSES = (
    (("T", "T"), ("T", "S"), ("T", "D"), ("T", "TD"), ("T", "TS")),
    (("T", "D"), ("S", "D"), ("TS", "D"), ("T", "SD"), ("S", "TD")),
    (("S", "T"), ("S", "TS"), ("T", "S"), ("TD", "T"), ("D", "T")),
    (("SD", "T"), ("TD", "T"), ("D", "T"), ("SD", "T")),
)


_ANCHOR_MOVES = (
    0.4,
    0.9,
    1.0,
    0.8,
    0.4,
    0.1,
    0.02,
    0.02,
)  # how willingly the melody moves by so many steps from anchor to anchor


def draw(rng, options, weights):
    """Returns one of the options, each as likely as its weight says."""
    sums = list(itertools.accumulate(weights))
    return options[bisect.bisect(sums, rng.random() * sums[-1])]


def choose(rng, options):
    """Returns one of the options, each as likely as the next."""
    return options[rng.integers(len(options))]


@dataclasses.dataclass(frozen=True)
class ScaleRange:
    """The steps that a tune may use: its scale, its lowest and highest step, and `home`, the tonic on which both parts end."""

    tonic: int
    mode: str
    home: int
    low: int
    high: int

    def pitch(self, step):
        """Returns the MIDI pitch of a step of the scale, step 0 being the tonic."""
        octave, degree = divmod(step, OCTAVE)
        return self.tonic + 12 * octave + _INTERVALS[self.mode][degree]

    def chord(self, root):
        """Returns a left hand: the root in the bass, and the triad where the hand already lies."""
        triad = [self.pitch(root + third) for third in TRIAD]
        return (36 + triad[0] % 12, *(51 + (pitch - 51) % 12 for pitch in triad))


def scale_range(rng, key):
    """Returns the fiddle of a key, with its home tonic at most at D5, so that the second part has room to rise."""
    tonic = _TONICS[key[0]]
    mode = choose(rng, _MODES[key])
    whole = ScaleRange(tonic, mode, 0, -OCTAVE, 2 * OCTAVE)
    steps = [
        step
        for step in range(-OCTAVE, 2 * OCTAVE)
        if _PITCH_RANGE[0] <= whole.pitch(step) <= _PITCH_RANGE[1]
    ]
    home = choose(rng, [step for step in steps if step % OCTAVE == 0 and whole.pitch(step) < 76])
    return dataclasses.replace(
        whole, home=home, low=max(steps[0], home - OCTAVE), high=min(steps[-1], home + 10)
    )


@dataclasses.dataclass(frozen=True)
class Slot:
    """A group of a part: its clause's letter and its place in that clause, the root of its chord, and its anchor."""

    letter: str
    place: int
    root: int
    anchor: int


def _roots(rng, dance, mode, functions):
    """Returns the root of each group of a bar; a bar of one group has room for the later function only, the one that leads on."""
    roots = [choose(rng, _ROOTS[mode][function]) for function in functions]
    return (roots * dance.groups_per_bar)[-dance.groups_per_bar :]


def _harmonise(rng, dance, mode, clauses, model):
    """Returns the roots of a clause, one a group; a clause that varies a model takes other chords than the model's."""
    harmonies = [
        [root for bar in clause for root in _roots(rng, dance, mode, bar)] for clause in clauses
    ]
    return choose(rng, [harmony for harmony in harmonies if harmony != model])


def _reachable(fiddle, root, previous):
    """Returns the chord tones within an octave of the previous anchor."""
    low, high = max(fiddle.low, previous - OCTAVE), min(fiddle.high, previous + OCTAVE)
    return [step for step in range(low, high + 1) if (step - root) % OCTAVE in TRIAD]


def _new_anchor(rng, fiddle, root, previous, centre):
    """Returns an anchor near the previous one and near the centre of the part."""
    steps = _reachable(fiddle, root, previous)
    return draw(
        rng,
        steps,
        [
            _ANCHOR_MOVES[abs(step - previous)] * math.exp(-(((step - centre) / 3) ** 2))
            for step in steps
        ],
    )


def _followed_anchor(fiddle, root, previous, model):
    """Returns the model's anchor moved along with the chord, by the shorter way: a sequence, or the same again over the same chord."""
    wish = model.anchor + (root - model.root + 3) % OCTAVE - 3
    return min(_reachable(fiddle, root, previous), key=lambda step: abs(step - wish))


def _plan_clause(rng, fiddle, roots, letter, previous, centre, models):
    """Returns the slots of a clause, and remembers them as the models of its letter unless there are such already."""
    slots = []
    for place, root in enumerate(roots):
        model = models.get((letter, place))
        previous = (
            _followed_anchor(fiddle, root, previous, model)
            if model
            else _new_anchor(rng, fiddle, root, previous, centre)
        )
        slots.append(Slot(letter, place, root, previous))
        models.setdefault((letter, place), slots[-1])
    return slots


def plan_part(rng, dance, fiddle, form, centre, harmonies, models):
    """Returns the slots of a part, the last of them at home, and remembers its harmonies by symbol."""
    closing = dataclasses.replace(
        fiddle,
        low=max(fiddle.low, fiddle.home - OCTAVE),
        high=min(fiddle.high, fiddle.home + OCTAVE),
    )
    compasses = ((fiddle, centre),) * 3 + ((closing, fiddle.home),)
    part = [Slot("", 0, 0, fiddle.home)]
    for symbol, clauses, (compass, middle) in zip(form.split(), _CLAUSES, compasses):
        if symbol not in harmonies:
            harmonies[symbol] = _harmonise(
                rng, dance, fiddle.mode, clauses, model=harmonies.get(symbol[0])
            )
        part += _plan_clause(
            rng, compass, harmonies[symbol], symbol[0], part[-1].anchor, middle, models
        )
    return [*part[1:-1], dataclasses.replace(part[-1], anchor=fiddle.home)]
