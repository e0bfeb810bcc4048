"""Composes dance tunes by a small grammar: a corpus that needs no data files.

A tune is AABB in the style of Irish and Scottish sessions. `synthetic_harmony` plans each part: its
chords, and the anchors of its melody. `synthetic_melody` fills the melody in. This module holds the
kinds of tune and their forms, and puts the parts together.
"""

import numpy as np

from tfseqgan.datasets.corpus import Corpus, make_corpus
from tfseqgan.datasets.synthetic_harmony import PartPlanner, ScaleRange, choose, scale_range
from tfseqgan.datasets.synthetic_melody import Dance, MelodyComposer
from tfseqgan.music.score import Chord, Score

RHYTHMS = ("jig", "reel", "waltz", "hornpipe")
"""The kinds of tune: tune i is of kind i mod 4."""


KEYS = ("D", "G", "A", "C", "F", "Em", "Am", "Bm", "Dm", "Gm")
"""The keys: tune i is in key ⌊i / 4⌋ mod 10, so 40 successive tunes hold each kind in each key."""


# The clauses of each part by letter. Most second parts end like the first part.
_FIRST_FORMS = ("a b a c", "a b a c", "a a' a c", "a a' b c", "a b a' c")
_SECOND_FORMS = ("d e d c", "d d' e c", "d e d f", "d d' d c", "d e a c")


_DANCES = {
    "jig": Dance(
        time_signature=(6, 8),
        group_ticks=36,
        groups_per_bar=2,
        tempos_bpm=(165, 185),
        running=((12, 12, 12),) * 3 + ((24, 12),),
        breathing=((12, 12, 12), (24, 12), (36,)),
        endings=((36,), (24, 12)),
    ),
    "reel": Dance(
        time_signature=(4, 4),
        group_ticks=48,
        groups_per_bar=2,
        tempos_bpm=(190, 216),
        running=((12, 12, 12, 12),) * 5 + ((24, 12, 12),),
        breathing=((12, 12, 12, 12), (24, 12, 12), (24, 24)),
        endings=((48,), (36, 12), (24, 12, 12)),
    ),
    "waltz": Dance(
        time_signature=(3, 4),
        group_ticks=72,
        groups_per_bar=1,
        tempos_bpm=(112, 144),
        running=((48, 24), (24, 24, 24), (36, 12, 24), (24, 24, 12, 12)),
        breathing=((72,), (48, 24)),
        endings=((72,), (48, 24), (48, 12, 12)),
    ),
    "hornpipe": Dance(
        time_signature=(4, 4),
        group_ticks=48,
        groups_per_bar=2,
        tempos_bpm=(144, 168),
        running=((18, 6, 18, 6),) * 5 + ((18, 6, 24), (18, 6, 8, 8, 8)),
        breathing=((24, 24), (18, 6, 24)),
        endings=((48,), (24, 18, 6), (24, 8, 8, 8)),
    ),
}


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
    "The {quality} {creature}",
    "The {creature} of {place}",
    "The {creature} and the {thing}",
    "The {quality} Road to {place}",
    "{person}'s {quality} {dance}",
    "{person}'s {quality} {thing}",
    "{person}'s Farewell to {place}",
    "{person} and the {creature}",
)


def _compose_chords(
    scale: ScaleRange, roots: list[int], start_ticks: int, group_ticks: int
) -> tuple[Chord, ...]:
    """Returns one chord per group, one after another."""
    return tuple(
        Chord(start_ticks + number * group_ticks, group_ticks, scale.chord(root))
        for number, root in enumerate(roots)
    )


def _compose_title(rng: np.random.Generator, rhythm: str) -> str:
    """Returns a random title, such as "The Merry Heron" or "Nora's Lucky Jig"."""
    words = {kind: choose(rng, options) for kind, options in _WORDS.items()}

    return choose(rng, _TITLES).format(dance=rhythm.title(), **words)


def _compose_tune(seed: int, number: int) -> Score:
    """Returns tune `number` of a seed."""
    rng = np.random.default_rng([seed, number])
    rhythm = RHYTHMS[number % len(RHYTHMS)]
    key = KEYS[number // len(RHYTHMS) % len(KEYS)]
    dance = _DANCES[rhythm]
    scale = scale_range(rng, key)

    # Plan both parts, the first one low in the range and the second one high.
    planner = PartPlanner(rng, scale, dance.groups_per_bar)
    third = (scale.high - scale.low) // 3
    first_part = planner.plan(choose(rng, _FIRST_FORMS), centre=scale.low + third)
    second_part = planner.plan(choose(rng, _SECOND_FORMS), centre=scale.high - third)

    # Compose AABB. The first chord is on the first bar line, after the pick-up.
    melody, pick_up_ticks = MelodyComposer(rng, dance, scale).compose(first_part, second_part)
    first_roots = [slot.root for slot in first_part]
    second_roots = [slot.root for slot in second_part]
    chords = _compose_chords(
        scale,
        roots=2 * first_roots + 2 * second_roots,
        start_ticks=pick_up_ticks,
        group_ticks=dance.group_ticks,
    )

    tempo_bpm = float(rng.integers(*dance.tempos_bpm))
    return Score(
        melody=melody,
        chords=chords,
        key=key,
        time_signature=dance.time_signature,
        tempo_bpm=tempo_bpm,
        name=_compose_title(rng, rhythm),
        rhythm=rhythm,
    )


def compose_tunes(num_tunes: int = 400, seed: int = 0) -> tuple[Score, ...]:
    """Composes jigs, reels, waltzes and hornpipes in ten keys: melodies over chords.

    The number of a tune decides its kind and its key, so the modes that a model covers can be
    counted. Tune i of a seed does not depend on `num_tunes`. If `num_tunes` is a multiple of 40,
    every kind occurs in every key equally often.

    Args:
        num_tunes: the number of tunes, 1 or more.
        seed: the seed of the tunes, 0 or more.

    Returns:
        The tunes. Each is AABB with eight bars in a part and the repeats written out. Some begin
        with a pick-up; the first chord is on the first bar line.

    Raises:
        ValueError: if `num_tunes` is less than 1 or `seed` is negative.

    Example:
        >>> [(tune.rhythm, tune.key, tune.time_signature) for tune in compose_tunes(3, seed=7)]
        [('jig', 'D', (6, 8)), ('reel', 'D', (4, 4)), ('waltz', 'D', (3, 4))]

    Reference:
        Steedman 1984, "A Generative Grammar for Jazz Chord Sequences": chords from harmonic
        functions by rewriting rules.
    """
    if num_tunes < 1 or seed < 0:
        raise ValueError(
            f"num_tunes is {num_tunes} and seed is {seed}; expected num_tunes of 1 or more and a "
            "seed of 0 or more. Ask for at least one tune."
        )

    return tuple(_compose_tune(seed, number) for number in range(num_tunes))


def synthetic_tunes(
    seed: int = 0,
    num_tunes: int = 400,
    validation_fraction: float = 0.1,
    split_seed: int | None = None,
) -> Corpus:
    """Composes a corpus of tunes whose kind and key are known. No data files are needed.

    Args:
        seed: the seed of the tunes and, by default, of the split.
        num_tunes: the number of tunes to compose.
        validation_fraction: the share of the tunes to hold out, as in `split_by_group`.
        split_seed: another seed of the split, for the same tunes.

    Returns:
        A `Corpus`, named "session".

    Raises:
        ValueError: if `num_tunes` is less than 1, `seed` is negative, or `validation_fraction` is
            out of range.

    Example:
        >>> corpus = synthetic_tunes(num_tunes=40)
        >>> corpus.name, len(corpus.train), len(corpus.validation)
        ('session', 36, 4)
    """
    # Run folders and exported cards hold this name.
    name = "session"

    tunes = compose_tunes(num_tunes, seed)
    split_seed = seed if split_seed is None else split_seed

    return make_corpus(tunes, name, validation_fraction, split_seed)
