"""Session tunes composed by a small grammar: the corpus that the package carries without a single data file.

A tune is AABB. A part is four clauses of two bars (opening, half cadence, continuation, close), a clause is harmonic functions, a
function is a chord, and over each chord stands an anchor: the chord tone of the strong beat. Figures of a few notes lead from anchor to
anchor, and clauses of the same letter share them. The melody is counted in scale steps from a tonic, so that moving a figure along with
its chord is an addition, and the mode decides what is a tone and what a semitone.
"""

import bisect
import dataclasses
import functools
import itertools
import math

import numpy as np

from tfseqgan.score import Chord, Note, Score

SESSION_RHYTHMS = ("jig", "reel", "waltz", "hornpipe")
"""The kinds of tune: tune i is of kind i mod 4."""

SESSION_KEYS = ("D", "G", "A", "C", "F", "Em", "Am", "Bm", "Dm", "Gm")
"""The keys: tune i is in key ⌊i / 4⌋ mod 10, so that every 40 tunes hold each kind in each key once."""

_FIDDLE_RANGE = (62, 83)  # D4 to B5: first position without the low string, which pipes and flutes share
_TONICS = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67, "A": 69, "B": 71}
_OCTAVE, _TRIAD = 7, (0, 2, 4)  # in scale steps

_INTERVALS = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "aeolian": (0, 2, 3, 5, 7, 8, 10),
}
_MODES = {
    "D": ("major", "major", "mixolydian"), "G": ("major",), "A": ("major", "mixolydian"), "C": ("major",), "F": ("major",),
    "Em": ("dorian", "aeolian"), "Am": ("dorian",), "Bm": ("aeolian",), "Dm": ("dorian",), "Gm": ("dorian",),
}  # fmt: skip

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
_FIRST_PARTS = ("a b a c", "a b a c", "a a' a c", "a a' b c", "a b a' c")
_SECOND_PARTS = ("d e d c", "d d' e c", "d e d f", "d d' d c", "d e a c")  # ending as the first part did is what session tunes like best


@dataclasses.dataclass(frozen=True)
class _Dance:
    """A kind of tune: how a bar divides into groups, and the rhythms of a group in ticks; likelier rhythms are written more than once."""

    time_signature: tuple[int, int]
    group_ticks: int
    groups_per_bar: int
    tempos_bpm: tuple[int, int]
    running: tuple[tuple[int, ...], ...]
    breathing: tuple[tuple[int, ...], ...]
    endings: tuple[tuple[int, ...], ...]  # the tonic, then the pick-up to what follows


_DANCES = {
    "jig": _Dance(
        (6, 8), 36, 2, (165, 185),
        running=((12, 12, 12),) * 3 + ((24, 12),),
        breathing=((12, 12, 12), (24, 12), (36,)),
        endings=((36,), (24, 12)),
    ),
    "reel": _Dance(
        (4, 4), 48, 2, (190, 216),
        running=((12, 12, 12, 12),) * 5 + ((24, 12, 12),),
        breathing=((12, 12, 12, 12), (24, 12, 12), (24, 24)),
        endings=((48,), (36, 12), (24, 12, 12)),
    ),
    "waltz": _Dance(
        (3, 4), 72, 1, (112, 144),
        running=((48, 24), (24, 24, 24), (36, 12, 24), (24, 24, 12, 12)),
        breathing=((72,), (48, 24)),
        endings=((72,), (48, 24), (48, 12, 12)),
    ),
    "hornpipe": _Dance(
        (4, 4), 48, 2, (144, 168),
        running=((18, 6, 18, 6),) * 5 + ((18, 6, 24), (18, 6, 8, 8, 8)),
        breathing=((24, 24), (18, 6, 24)),
        endings=((48,), (24, 18, 6), (24, 8, 8, 8)),
    ),
}  # fmt: skip

# Scale steps from the anchor, by number of notes.
_SHAPES = {
    1: ((0,),),
    2: ((0, 0), (0, 1), (0, -1), (0, 2), (0, -2), (0, 3), (0, -3)),
    3: (
        *((0, 1, 2), (0, -1, -2), (0, 1, 0), (0, -1, 0), (0, 2, 1), (0, -2, -1), (0, 2, 4), (0, -2, -4), (0, 2, 0), (0, -2, 0)),
        *((0, 3, 5), (0, 2, 5), (0, -3, -5), (0, -2, -5), (0, 3, 2), (0, -3, -2), (0, 0, 1), (0, 0, -1)),
    ),
    4: (
        *((0, 1, 2, 3), (0, -1, -2, -3), (0, 1, 2, 1), (0, -1, -2, -1), (0, 1, 0, -1), (0, -1, 0, 1), (0, 2, 1, 0), (0, -2, -1, 0)),
        *((0, 2, 4, 2), (0, -2, -4, -2), (0, -2, 0, 2), (0, -3, 0, 2), (0, -2, 0, 1), (0, 1, 2, 4), (0, -1, -2, -4), (0, 2, 3, 4)),
        *((0, 3, 5, 3), (0, -3, -5, -3), (0, -3, 0, 1), (0, 2, 4, 5), (0, 2, 0, -1), (0, -2, -3, -4)),
    ),
    5: ((0, 1, 2, 3, 4), (0, -1, -2, -3, -4), (0, 1, 0, -1, 0), (0, 1, 2, 1, 0), (0, -1, -2, -1, 0), (0, 1, 2, 4, 2), (0, -1, -2, -4, -2)),
}
_PICK_UPS = {0: ((),), 1: ((-1,), (1,)), 2: ((-2, -1), (2, 1)), 3: ((-3, -2, -1), (3, 2, 1))}

# How willingly the melody moves by so many steps: between anchors, and from the last note of a figure to the next anchor.
_ANCHOR_MOVES = (0.4, 0.9, 1.0, 0.8, 0.4, 0.1, 0.02, 0.02)
_SEAM_MOVES = (0.12, 1.0, 0.6, 0.2, 0.05, 0.01, 0.002, 0.001)
_STRANDED = 0.1  # a note outside the chord before a leap
_HEAVY = 0.4  # a note outside the chord that fills half of its figure, or stands in the middle of it
_DULL = 0.15  # a note struck twice
_AWKWARD = 0.03  # a figure heard before is played again if it is easier than this

_WORDS = {
    "person": ("Biddy", "Father Quill", "Hannah", "Long Tom", "Maggie", "Miss Pym", "Ned", "Nora", "Old Fergus", "Paddy", "Young Roisin"),
    "quality": ("Barefoot", "Crooked", "Gentle", "Lucky", "Merry", "Restless", "Silver", "Sleepless", "Thirsty", "Threadbare", "Windy"),
    "thing": ("Bellows", "Bramble", "Candle", "Gate", "Haystack", "Kettle", "Lantern", "Teapot", "Turnstile", "Wheelbarrow"),
    "creature": ("Curlew", "Ferryman", "Gander", "Hare", "Heron", "Milkmaid", "Miller", "Tinker", "Widow", "Wren"),
    "place": ("Ballyfoyle", "Carrowmoy", "Dunarra", "Kilbrack", "the Far Shore", "the Long Meadow", "the Mill Lane", "the Salt Quay"),
}
_TITLES = (
    *("The {quality} {creature}", "The {creature} of {place}", "The {creature} and the {thing}", "The {quality} Road to {place}"),
    *("{person}'s {quality} {dance}", "{person}'s {quality} {thing}", "{person}'s Farewell to {place}", "{person} and the {creature}"),
)


def _draw(rng, options, weights):
    """Returns one of the options, each as likely as its weight says."""
    sums = list(itertools.accumulate(weights))
    return options[bisect.bisect(sums, rng.random() * sums[-1])]


def _choose(rng, options):
    return options[rng.integers(len(options))]


@dataclasses.dataclass(frozen=True)
class _Fiddle:
    """The steps that a tune may use: its scale, its lowest and highest step, and `home`, the tonic on which both parts end."""

    tonic: int
    mode: str
    home: int
    low: int
    high: int

    def pitch(self, step):
        """Returns the MIDI pitch of a step of the scale, step 0 being the tonic."""
        octave, degree = divmod(step, _OCTAVE)
        return self.tonic + 12 * octave + _INTERVALS[self.mode][degree]

    def chord(self, root):
        """Returns a left hand: the root in the bass, and the triad where the hand already lies."""
        triad = [self.pitch(root + third) for third in _TRIAD]
        return (36 + triad[0] % 12, *(51 + (pitch - 51) % 12 for pitch in triad))


def _tune_fiddle(rng, key):
    """Returns the fiddle of a key, with its home tonic at most at D5, so that the second part has room to rise."""
    tonic = _TONICS[key[0]]
    mode = _choose(rng, _MODES[key])
    whole = _Fiddle(tonic, mode, 0, -_OCTAVE, 2 * _OCTAVE)
    steps = [step for step in range(-_OCTAVE, 2 * _OCTAVE) if _FIDDLE_RANGE[0] <= whole.pitch(step) <= _FIDDLE_RANGE[1]]
    home = _choose(rng, [step for step in steps if step % _OCTAVE == 0 and whole.pitch(step) < 76])
    return dataclasses.replace(whole, home=home, low=max(steps[0], home - _OCTAVE), high=min(steps[-1], home + 10))


@dataclasses.dataclass(frozen=True)
class _Slot:
    """A group of a part: its clause's letter and its place in that clause, the root of its chord, and its anchor."""

    letter: str
    place: int
    root: int
    anchor: int


def _roots(rng, dance, mode, functions):
    """Returns the root of each group of a bar; a bar of one group has room for the later function only, the one that leads on."""
    roots = [_choose(rng, _ROOTS[mode][function]) for function in functions]
    return (roots * dance.groups_per_bar)[-dance.groups_per_bar :]


def _harmonise(rng, dance, mode, clauses, model):
    """Returns the roots of a clause, one a group; a clause that varies a model takes other chords than the model's."""
    harmonies = [[root for bar in clause for root in _roots(rng, dance, mode, bar)] for clause in clauses]
    return _choose(rng, [harmony for harmony in harmonies if harmony != model])


def _reachable(fiddle, root, previous):
    """Returns the chord tones within an octave of the previous anchor."""
    low, high = max(fiddle.low, previous - _OCTAVE), min(fiddle.high, previous + _OCTAVE)
    return [step for step in range(low, high + 1) if (step - root) % _OCTAVE in _TRIAD]


def _new_anchor(rng, fiddle, root, previous, centre):
    """Returns an anchor near the previous one and near the centre of the part."""
    steps = _reachable(fiddle, root, previous)
    return _draw(rng, steps, [_ANCHOR_MOVES[abs(step - previous)] * math.exp(-(((step - centre) / 3) ** 2)) for step in steps])


def _followed_anchor(fiddle, root, previous, model):
    """Returns the model's anchor moved along with the chord, by the shorter way: a sequence, or the same again over the same chord."""
    wish = model.anchor + (root - model.root + 3) % _OCTAVE - 3
    return min(_reachable(fiddle, root, previous), key=lambda step: abs(step - wish))


def _plan_clause(rng, fiddle, roots, letter, previous, centre, models):
    """Returns the slots of a clause, and remembers them as the models of its letter unless there are such already."""
    slots = []
    for place, root in enumerate(roots):
        model = models.get((letter, place))
        previous = _followed_anchor(fiddle, root, previous, model) if model else _new_anchor(rng, fiddle, root, previous, centre)
        slots.append(_Slot(letter, place, root, previous))
        models.setdefault((letter, place), slots[-1])
    return slots


def _plan_part(rng, dance, fiddle, form, centre, harmonies, models):
    """Returns the slots of a part, the last of them at home, and remembers its harmonies by symbol."""
    closing = dataclasses.replace(fiddle, low=max(fiddle.low, fiddle.home - _OCTAVE), high=min(fiddle.high, fiddle.home + _OCTAVE))
    compasses = ((fiddle, centre),) * 3 + ((closing, fiddle.home),)
    part = [_Slot("", 0, 0, fiddle.home)]
    for symbol, clauses, (compass, middle) in zip(form.split(), _CLAUSES, compasses):
        if symbol not in harmonies:
            harmonies[symbol] = _harmonise(rng, dance, fiddle.mode, clauses, model=harmonies.get(symbol[0]))
        part += _plan_clause(rng, compass, harmonies[symbol], symbol[0], part[-1].anchor, middle, models)
    return [*part[1:-1], dataclasses.replace(part[-1], anchor=fiddle.home)]


@functools.cache
def _ease(durations, moves, root, target):
    """Returns how well a figure sounds on its way to the next anchor, the target; 0 where it must not stand. All steps are from its anchor.

    Leaps belong to the chord: a note outside it is reached by step and left by step.
    """
    seam = abs(target - moves[-1])
    if seam > _OCTAVE:
        return 0.0
    outside = [(move - root) % _OCTAVE not in _TRIAD for move in moves]
    moved = [abs(after - before) for before, after in itertools.pairwise(moves)]
    if any(move > 1 and (before or after) for move, before, after in zip(moved, outside, outside[1:])):
        return 0.0
    places = enumerate(zip(outside, durations))
    heavy = sum(out and (2 * ticks >= sum(durations) or place == len(moves) // 2) for place, (out, ticks) in places)
    return _SEAM_MOVES[seam] * _HEAVY**heavy * _DULL ** moved.count(0) * (_STRANDED if outside[-1] and seam > 1 else 1.0)


def _figure(rng, fiddle, rhythms, slot, target, heard):
    """Returns the rhythm and moves of a slot: the figure heard in its place before as long as it leads on, or else a new one."""

    def ease(durations, moves):
        if slot.anchor + min(moves) < fiddle.low or slot.anchor + max(moves) > fiddle.high:
            return 0.0
        return _ease(durations, moves, (slot.root - slot.anchor) % _OCTAVE, target - slot.anchor)

    if heard and ease(*heard) > _AWKWARD:
        return heard
    durations = heard[0] if heard else _choose(rng, rhythms)
    shapes = _SHAPES[len(durations)]
    return durations, _draw(rng, shapes, [ease(durations, moves) for moves in shapes])


def _fill_part(rng, dance, fiddle, part, figures):
    """Returns the part without its last group as pairs of ticks and step, and remembers its figures for the clauses that return."""
    line, breaths = [], (len(part) // 2 - 1, len(part) - dance.groups_per_bar)
    for number, (slot, following) in enumerate(itertools.pairwise(part)):
        rhythms = dance.breathing if number in breaths else dance.running
        place = slot.letter, slot.place
        durations, moves = _figure(rng, fiddle, rhythms, slot, following.anchor, figures.get(place))
        figures.setdefault(place, (durations, moves))
        line += [(ticks, slot.anchor + move) for ticks, move in zip(durations, moves)]
    return line


def _pick_up(rng, fiddle, durations, target):
    """Returns a run up or down to the target that stays within an octave of the home tonic, which comes before it."""
    runs = [[target + move for move in moves] for moves in _PICK_UPS[len(durations)]]
    near = [run for run in runs if all(fiddle.low <= step <= fiddle.high and abs(step - fiddle.home) <= _OCTAVE for step in run)]
    return list(zip(durations, _choose(rng, near)))


def _melody(rng, dance, fiddle, parts):
    """Returns the melody AABB as pairs of ticks and step, and the ticks of its first pick-up.

    Each part is played to its first ending, which picks up its own start, and to its second, which picks up the next part or rests.
    """
    ending, figures = _choose(rng, dance.endings), {}
    a, b = (_fill_part(rng, dance, fiddle, part, figures) for part in parts)
    to_a, to_b = (_pick_up(rng, fiddle, ending[1:], part[0].anchor) for part in parts)
    home, last = [(ending[0], fiddle.home)], [(dance.group_ticks, fiddle.home)]
    return 2 * (to_a + a + home) + to_b + b + home + to_b + b + last, sum(ending[1:])


def _notes(fiddle, melody):
    starts = itertools.accumulate((duration for duration, _ in melody), initial=0)
    return tuple(Note(start, duration, fiddle.pitch(step)) for start, (duration, step) in zip(starts, melody))


def _chords(dance, fiddle, roots, start):
    """Returns the left hand, which strikes every group: half a bar, or a bar of a waltz."""
    ticks = dance.group_ticks
    return tuple(Chord(start + number * ticks, ticks, fiddle.chord(root)) for number, root in enumerate(roots))


def _name(rng, rhythm):
    words = {kind: _choose(rng, options) for kind, options in _WORDS.items()}
    return _choose(rng, _TITLES).format(dance=rhythm.title(), **words)


def _compose(seed, number):
    """Returns tune `number` of a seed."""
    rng = np.random.default_rng([seed, number])
    rhythm = SESSION_RHYTHMS[number % len(SESSION_RHYTHMS)]
    key = SESSION_KEYS[number // len(SESSION_RHYTHMS) % len(SESSION_KEYS)]
    dance, fiddle = _DANCES[rhythm], _tune_fiddle(rng, key)
    harmonies, models, third = {}, {}, (fiddle.high - fiddle.low) // 3
    parts = [
        _plan_part(rng, dance, fiddle, _choose(rng, forms), centre, harmonies, models)
        for forms, centre in ((_FIRST_PARTS, fiddle.low + third), (_SECOND_PARTS, fiddle.high - third))
    ]
    melody, pick_up = _melody(rng, dance, fiddle, parts)
    first, second = ([slot.root for slot in part] for part in parts)
    return Score(
        melody=_notes(fiddle, melody),
        chords=_chords(dance, fiddle, 2 * first + 2 * second, pick_up),
        key=key,
        time_signature=dance.time_signature,
        tempo_bpm=float(rng.integers(*dance.tempos_bpm)),
        name=_name(rng, rhythm),
        rhythm=rhythm,
    )


def compose_session_tunes(num_tunes=400, seed=0):
    """Returns session tunes: jigs, reels, waltzes and hornpipes in ten keys, melody over chords.

    The kind and the key of each tune are known by its number, so that the modes which a model covers can be counted and not guessed at.
    Tune i of a seed is the same whatever `num_tunes` is. A multiple of 40 tunes holds every kind in every key equally often.

    Args:
        num_tunes: how many tunes, 1 or more.
        seed: an int of 0 or more.

    Returns:
        A tuple of `Score`: AABB with the repeats written out, eight bars a part. Some begin with a pick-up: the first chord is on the first
        bar line.

    Raises:
        ValueError: if `num_tunes` is less than 1 or `seed` is negative.

    Example:
        >>> [(tune.rhythm, tune.key, tune.time_signature) for tune in compose_session_tunes(3, seed=7)]
        [('jig', 'D', (6, 8)), ('reel', 'D', (4, 4)), ('waltz', 'D', (3, 4))]

    Reference:
        Steedman 1984, "A Generative Grammar for Jazz Chord Sequences", for chords from functions by rewriting rules.
    """
    if num_tunes < 1 or seed < 0:
        raise ValueError(f"Expected num_tunes of 1 or more and a seed of 0 or more, received {num_tunes} and {seed}: ask for at least one.")
    return tuple(_compose(seed, number) for number in range(num_tunes))
