"""Session tunes composed by a small grammar: the corpus that the package carries without a single data file.

A tune is AABB. `harmony` plans a part: its chords, and over each the anchor of the strong beat. Here figures of a few notes lead from anchor to anchor,
clauses of the same letter share them, and the kind of dance gives rhythm, endings and tempo.
"""

import dataclasses
import functools
import itertools

import numpy as np

from tfseqgan.datasets.corpus import make_corpus
from tfseqgan.datasets.synthetic_harmony import OCTAVE, TRIAD, choose, draw, plan_part, scale_range
from tfseqgan.music.score import Chord, Note, Score

RHYTHMS = ("jig", "reel", "waltz", "hornpipe")
"""The kinds of tune: tune i is of kind i mod 4."""


KEYS = ("D", "G", "A", "C", "F", "Em", "Am", "Bm", "Dm", "Gm")
"""The keys: tune i is in key ⌊i / 4⌋ mod 10, so that every 40 tunes hold each kind in each key once."""


_FIRST_PARTS = ("a b a c", "a b a c", "a a' a c", "a a' b c", "a b a' c")


_SECOND_PARTS = (
    "d e d c",
    "d d' e c",
    "d e d f",
    "d d' d c",
    "d e a c",
)  # ending as the first part did is what session tunes like best


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
        (6, 8),
        36,
        2,
        (165, 185),
        running=((12, 12, 12),) * 3 + ((24, 12),),
        breathing=((12, 12, 12), (24, 12), (36,)),
        endings=((36,), (24, 12)),
    ),
    "reel": _Dance(
        (4, 4),
        48,
        2,
        (190, 216),
        running=((12, 12, 12, 12),) * 5 + ((24, 12, 12),),
        breathing=((12, 12, 12, 12), (24, 12, 12), (24, 24)),
        endings=((48,), (36, 12), (24, 12, 12)),
    ),
    "waltz": _Dance(
        (3, 4),
        72,
        1,
        (112, 144),
        running=((48, 24), (24, 24, 24), (36, 12, 24), (24, 24, 12, 12)),
        breathing=((72,), (48, 24)),
        endings=((72,), (48, 24), (48, 12, 12)),
    ),
    "hornpipe": _Dance(
        (4, 4),
        48,
        2,
        (144, 168),
        running=((18, 6, 18, 6),) * 5 + ((18, 6, 24), (18, 6, 8, 8, 8)),
        breathing=((24, 24), (18, 6, 24)),
        endings=((48,), (24, 18, 6), (24, 8, 8, 8)),
    ),
}


# Scale steps from the anchor, by number of notes.
_SHAPES = {
    1: ((0,),),
    2: ((0, 0), (0, 1), (0, -1), (0, 2), (0, -2), (0, 3), (0, -3)),
    3: (
        *(
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
        ),
        *(
            (0, 3, 5),
            (0, 2, 5),
            (0, -3, -5),
            (0, -2, -5),
            (0, 3, 2),
            (0, -3, -2),
            (0, 0, 1),
            (0, 0, -1),
        ),
    ),
    4: (
        *(
            (0, 1, 2, 3),
            (0, -1, -2, -3),
            (0, 1, 2, 1),
            (0, -1, -2, -1),
            (0, 1, 0, -1),
            (0, -1, 0, 1),
            (0, 2, 1, 0),
            (0, -2, -1, 0),
        ),
        *(
            (0, 2, 4, 2),
            (0, -2, -4, -2),
            (0, -2, 0, 2),
            (0, -3, 0, 2),
            (0, -2, 0, 1),
            (0, 1, 2, 4),
            (0, -1, -2, -4),
            (0, 2, 3, 4),
        ),
        *(
            (0, 3, 5, 3),
            (0, -3, -5, -3),
            (0, -3, 0, 1),
            (0, 2, 4, 5),
            (0, 2, 0, -1),
            (0, -2, -3, -4),
        ),
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


_PICK_UPS = {0: ((),), 1: ((-1,), (1,)), 2: ((-2, -1), (2, 1)), 3: ((-3, -2, -1), (3, 2, 1))}


# How willingly the melody moves by so many steps from the last note of a figure to the next anchor.
_SEAM_MOVES = (0.12, 1.0, 0.6, 0.2, 0.05, 0.01, 0.002, 0.001)


_STRANDED = 0.1  # a note outside the chord before a leap


_HEAVY = (
    0.4  # a note outside the chord that fills half of its figure, or stands in the middle of it
)


_DULL = 0.15  # a note struck twice


_AWKWARD = 0.03  # a figure heard before is played again if it is easier than this


_WORDS = {
    "person": (
        "Biddy",
        "Father Quill",
        "Hannah",
        "Long Tom",
        "Maggie",
        "Miss Pym",
        "Ned",
        "Nora",
        "Old Fergus",
        "Paddy",
        "Young Roisin",
    ),
    "quality": (
        "Barefoot",
        "Crooked",
        "Gentle",
        "Lucky",
        "Merry",
        "Restless",
        "Silver",
        "Sleepless",
        "Thirsty",
        "Threadbare",
        "Windy",
    ),
    "thing": (
        "Bellows",
        "Bramble",
        "Candle",
        "Gate",
        "Haystack",
        "Kettle",
        "Lantern",
        "Teapot",
        "Turnstile",
        "Wheelbarrow",
    ),
    "creature": (
        "Curlew",
        "Ferryman",
        "Gander",
        "Hare",
        "Heron",
        "Milkmaid",
        "Miller",
        "Tinker",
        "Widow",
        "Wren",
    ),
    "place": (
        "Ballyfoyle",
        "Carrowmoy",
        "Dunarra",
        "Kilbrack",
        "the Far Shore",
        "the Long Meadow",
        "the Mill Lane",
        "the Salt Quay",
    ),
}


_TITLES = (
    *(
        "The {quality} {creature}",
        "The {creature} of {place}",
        "The {creature} and the {thing}",
        "The {quality} Road to {place}",
    ),
    *(
        "{person}'s {quality} {dance}",
        "{person}'s {quality} {thing}",
        "{person}'s Farewell to {place}",
        "{person} and the {creature}",
    ),
)


@functools.cache
def _ease(durations, moves, root, target):
    """Returns how well a figure sounds on its way to the next anchor, the target; 0 where it must not stand. All steps are from its anchor.

    Leaps belong to the chord: a note outside it is reached by step and left by step.
    """
    seam = abs(target - moves[-1])
    if seam > OCTAVE:
        return 0.0
    outside = [(move - root) % OCTAVE not in TRIAD for move in moves]
    moved = [abs(after - before) for before, after in itertools.pairwise(moves)]
    if any(
        move > 1 and (before or after) for move, before, after in zip(moved, outside, outside[1:])
    ):
        return 0.0
    places = enumerate(zip(outside, durations))
    heavy = sum(
        out and (2 * ticks >= sum(durations) or place == len(moves) // 2)
        for place, (out, ticks) in places
    )
    return (
        _SEAM_MOVES[seam]
        * _HEAVY**heavy
        * _DULL ** moved.count(0)
        * (_STRANDED if outside[-1] and seam > 1 else 1.0)
    )


def _figure(rng, fiddle, rhythms, slot, target, heard):
    """Returns the rhythm and moves of a slot: the figure heard in its place before as long as it leads on, or else a new one."""

    def ease(durations, moves):
        if slot.anchor + min(moves) < fiddle.low or slot.anchor + max(moves) > fiddle.high:
            return 0.0
        return _ease(durations, moves, (slot.root - slot.anchor) % OCTAVE, target - slot.anchor)

    if heard and ease(*heard) > _AWKWARD:
        return heard
    durations = heard[0] if heard else choose(rng, rhythms)
    shapes = _SHAPES[len(durations)]
    return durations, draw(rng, shapes, [ease(durations, moves) for moves in shapes])


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
    near = [
        run
        for run in runs
        if all(
            fiddle.low <= step <= fiddle.high and abs(step - fiddle.home) <= OCTAVE for step in run
        )
    ]
    return list(zip(durations, choose(rng, near)))


def _melody(rng, dance, fiddle, parts):
    """Returns the melody AABB as pairs of ticks and step, and the ticks of its first pick-up.

    Each part is played to its first ending, which picks up its own start, and to its second, which picks up the next part or rests.
    """
    ending, figures = choose(rng, dance.endings), {}
    a, b = (_fill_part(rng, dance, fiddle, part, figures) for part in parts)
    to_a, to_b = (_pick_up(rng, fiddle, ending[1:], part[0].anchor) for part in parts)
    home, last = [(ending[0], fiddle.home)], [(dance.group_ticks, fiddle.home)]
    return 2 * (to_a + a + home) + to_b + b + home + to_b + b + last, sum(ending[1:])


def _notes(fiddle, melody):
    starts = itertools.accumulate((duration for duration, _ in melody), initial=0)
    return tuple(
        Note(start, duration, fiddle.pitch(step)) for start, (duration, step) in zip(starts, melody)
    )


def _chords(dance, fiddle, roots, start):
    """Returns the left hand, which strikes every group: half a bar, or a bar of a waltz."""
    ticks = dance.group_ticks
    return tuple(
        Chord(start + number * ticks, ticks, fiddle.chord(root))
        for number, root in enumerate(roots)
    )


def _name(rng, rhythm):
    words = {kind: choose(rng, options) for kind, options in _WORDS.items()}
    return choose(rng, _TITLES).format(dance=rhythm.title(), **words)


def _compose(seed, number):
    """Returns tune `number` of a seed."""
    rng = np.random.default_rng([seed, number])
    rhythm = RHYTHMS[number % len(RHYTHMS)]
    key = KEYS[number // len(RHYTHMS) % len(KEYS)]
    dance, fiddle = _DANCES[rhythm], scale_range(rng, key)
    harmonies, models, third = {}, {}, (fiddle.high - fiddle.low) // 3
    parts = [
        plan_part(rng, dance, fiddle, choose(rng, forms), centre, harmonies, models)
        for forms, centre in (
            (_FIRST_PARTS, fiddle.low + third),
            (_SECOND_PARTS, fiddle.high - third),
        )
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


def compose_tunes(num_tunes=400, seed=0):
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
        >>> [(tune.rhythm, tune.key, tune.time_signature) for tune in compose_tunes(3, seed=7)]
        [('jig', 'D', (6, 8)), ('reel', 'D', (4, 4)), ('waltz', 'D', (3, 4))]

    Reference:
        Steedman 1984, "A Generative Grammar for Jazz Chord Sequences", for chords from functions by rewriting rules.
    """
    if num_tunes < 1 or seed < 0:
        raise ValueError(
            f"Expected num_tunes of 1 or more and a seed of 0 or more, received {num_tunes} and {seed}: ask for at least one."
        )
    return tuple(_compose(seed, number) for number in range(num_tunes))


def synthetic_tunes(seed=0, num_tunes=400, validation_fraction=0.1):
    """Composes the embedded corpus: session tunes whose type and key are known, no data files needed.

    Args:
        seed: of the tunes and of the split.
        num_tunes: how many to compose.
        validation_fraction: the share of tunes to hold out (`split_by_group`).

    Returns:
        A `Corpus`.
    """
    return make_corpus(compose_tunes(num_tunes, seed), "session", validation_fraction, seed)
