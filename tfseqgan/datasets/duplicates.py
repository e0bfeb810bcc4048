"""Finds the tunes that are versions of one tune, so that a split can keep them on one side.

A melody is compared by the steps between its onsets, so that transposed copies are found. Two tunes
are close variants if they share enough phrases, where a phrase is a run of `PHRASE_STEPS` steps.
"""

import collections
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tfseqgan.music.score import Score

PHRASE_STEPS = 12
"""Steps in a phrase: 13 notes, about two bars of a reel. Unrelated tunes share shorter ones."""


SHARED_FRACTION = 0.3
"""Two tunes are close variants if they share this fraction of the phrases of the one that has
fewer phrases."""


MAX_TUNES_PER_PHRASE = 20
"""A phrase found in more tunes than this, such as a scale, is ignored: it does not show that two
tunes are related."""


_MULTIPLIER = 0x9E3779B97F4A7C15  # odd, so that its powers modulo 2^64 are never zero


def _melody_steps(score: Score) -> np.ndarray:
    """Returns the steps between successive onsets, int64 [n, 2]: (semitones, ticks)."""
    # Of notes that start together, the highest comes last and is kept.
    pitches = {note.start_ticks: note.pitch for note in score.melody}
    if not pitches:
        pitches = {chord.start_ticks: chord.pitches[-1] for chord in score.chords}

    onsets = np.array([(pitch, tick) for tick, pitch in pitches.items()], np.int64)
    return np.diff(onsets.reshape(-1, 2), axis=0)


def _hash_steps(steps: np.ndarray) -> str:
    """Returns the sha256 of steps, int64 [n, 2], as hexadecimal digits."""
    return hashlib.sha256(steps.astype("<i8").tobytes()).hexdigest()


def fingerprint(score: Score) -> str:
    """Computes a hash of a melody's intervals and rhythm, which transposition does not change.

    Chords are ignored, because copies of a tune are often accompanied differently. The length of
    each note and the silence before the first one are ignored too. If there is no melody, the
    highest notes of the chords are used instead.

    Args:
        score: the tune.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> from tfseqgan.music.score import Note, Score, transpose
        >>> tune = Score((Note(0, 24, 67), Note(24, 24, 69)))
        >>> fingerprint(tune) == fingerprint(transpose(tune, 5))
        True
    """
    return _hash_steps(_melody_steps(score))


def _phrase_hashes(steps: np.ndarray) -> np.ndarray:
    """Returns the distinct hashes of all phrases in a tune's steps: int64 [n, 2] to uint64 [m]."""
    if len(steps) < PHRASE_STEPS:
        return np.zeros(0, np.uint64)

    # A polynomial hash modulo 2^64: one number per step, and a power of the multiplier per
    # position in the phrase.
    packed_steps = (steps[:, 0] << 32) + steps[:, 1]
    numbers = packed_steps.astype(np.uint64) * np.uint64(_MULTIPLIER)  # [n]
    powers = [pow(_MULTIPLIER, exponent, 2**64) for exponent in range(PHRASE_STEPS)]

    phrases = np.lib.stride_tricks.sliding_window_view(numbers, PHRASE_STEPS)
    hashes = (phrases * np.array(powers, np.uint64)).sum(axis=1, dtype=np.uint64)

    return np.unique(hashes)


def _similar_pairs(phrases: Sequence[np.ndarray]) -> Iterator[tuple[int, int]]:
    """Yields the pairs of tunes that share enough phrases, given the phrase hashes of each tune."""
    # Sort all hashes, so that the tunes that contain the same phrase are neighbors.
    tunes = np.repeat(np.arange(len(phrases)), [len(hashes) for hashes in phrases])
    hashes = np.concatenate([np.zeros(0, np.uint64), *phrases])
    order = np.argsort(hashes, kind="stable")
    tunes = tunes[order]
    hashes = hashes[order]

    # Find where each run of equal hashes starts, and how many tunes it covers.
    changes = np.flatnonzero(np.diff(hashes)) + 1
    edges = np.concatenate([[0], changes, [len(hashes)]])
    sizes = np.diff(edges)
    informative = np.flatnonzero((sizes >= 2) & (sizes <= MAX_TUNES_PER_PHRASE))

    # Count the phrases that each pair of tunes shares.
    num_shared: collections.Counter[tuple[int, int]] = collections.Counter()
    for run in informative.tolist():
        owners = tunes[edges[run] : edges[run + 1]].tolist()
        num_shared.update(itertools.combinations(owners, 2))

    for (one, other), count in num_shared.items():
        if count >= SHARED_FRACTION * min(len(phrases[one]), len(phrases[other])):
            yield one, other


def _connected_groups(count: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Returns the connected groups of 0..count-1, each sorted, in the order of their first members.

    This is union-find; the root of a group is its smallest member.
    """
    parents = list(range(count))

    def find_root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]  # shortens the path for later calls
            index = parents[index]
        return index

    for one, other in pairs:
        smaller, larger = sorted((find_root(one), find_root(other)))
        parents[larger] = smaller

    groups = collections.defaultdict(list)
    for index in range(count):
        groups[find_root(index)].append(index)

    return list(groups.values())


def group_duplicates(scores: Sequence[Score]) -> list[list[int]]:
    """Groups the tunes that are versions of one tune: copies and close variants, in any key.

    Two tunes are in one group if they have the same `fingerprint`, or if they share 30 % of the
    phrases of the one that has fewer. This finds a copy with another pick-up, with its repeats
    written out, with a part added, inside a medley, or with a few notes changed. Groups are
    transitive: a medley joins the groups of its tunes.

    It does not find versions that differ every few notes, the same tune in other note values or
    another metre, or two melodies over the same chords.

    Args:
        scores: the tunes.

    Returns:
        The groups, each a sorted list of indices into `scores`. Every index is in one group.

    Example:
        >>> from tfseqgan.music.score import Note, Score, transpose
        >>> tune = Score((Note(0, 24, 67), Note(24, 24, 69)))
        >>> other = Score((Note(0, 24, 67), Note(24, 24, 72)))
        >>> group_duplicates([tune, other, transpose(tune, 5)])
        [[0, 2], [1]]
    """
    steps = [_melody_steps(score) for score in scores]

    # Pair each copy with the first tune that has the same fingerprint.
    first_indices: dict[str, int] = {}
    pairs = []
    for index, tune_steps in enumerate(steps):
        first_index = first_indices.setdefault(_hash_steps(tune_steps), index)
        pairs.append((first_index, index))

    # Compare the phrases of the distinct tunes.
    originals = list(first_indices.values())
    phrases = [_phrase_hashes(steps[index]) for index in originals]
    for one, other in _similar_pairs(phrases):
        pairs.append((originals[one], originals[other]))

    return _connected_groups(len(scores), pairs)
