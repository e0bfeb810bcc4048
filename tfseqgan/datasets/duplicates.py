"""Which tunes are the same tune: found through transposition, so that copies never stand on both sides of a split."""

import collections
import hashlib
import itertools

import numpy as np

PHRASE_STEPS = 12
"""Steps in a phrase: thirteen notes, about two bars of a reel. Shorter ones are shared by unrelated tunes."""


SHARED_FRACTION = 0.3
"""Two tunes are one if they share this fraction of the phrases of the one that has fewer."""


COMMON_STOCK = 20
"""A phrase that stands in more tunes than this is anyone's, such as a scale, and says nothing about any two of them."""


_MULTIPLIER = 0x9E3779B97F4A7C15  # odd, so that its powers mod 2^64 never vanish


def _steps(score):
    """Returns the steps between one onset and the next as int64 [n, 2]: semitones between the highest notes, and ticks."""
    tops = {note.start_ticks: note.pitch for note in score.melody} or {
        chord.start_ticks: chord.pitches[-1] for chord in score.chords
    }
    return np.diff(
        np.array([(pitch, tick) for tick, pitch in tops.items()], np.int64).reshape(-1, 2), axis=0
    )


def fingerprint(score):
    """Returns what stays of a tune when it is transposed: a hash of its melody's intervals and rhythm.

    The chords do not count, since copies are often accompanied with other voicings; nor does how long each note is held, nor the silence
    before the first. Without a melody, the chords' highest notes take its place.

    Args:
        score: a `Score`.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> from tfseqgan.music.score import Note, Score, transpose
        >>> tune = Score((Note(0, 24, 67), Note(24, 24, 69)))
        >>> fingerprint(tune) == fingerprint(transpose(tune, 5))
        True
    """
    return _hash(_steps(score))


def _hash(steps):
    """Returns a hash of steps, int64 [n, 2], as hexadecimal digits."""
    return hashlib.sha256(steps.astype("<i8").tobytes()).hexdigest()


def _phrases(steps):
    """Returns the distinct phrases among a tune's steps, int64 [n, 2], as hashes, uint64 [m]; a tune too short for a phrase has none."""
    if len(steps) < PHRASE_STEPS:
        return np.zeros(0, np.uint64)
    letters = ((steps[:, 0] << 32) + steps[:, 1]).astype(np.uint64) * np.uint64(_MULTIPLIER)  # [n]
    weights = np.array([pow(_MULTIPLIER, power, 2**64) for power in range(PHRASE_STEPS)], np.uint64)
    return np.unique(
        (np.lib.stride_tricks.sliding_window_view(letters, PHRASE_STEPS) * weights).sum(
            axis=1, dtype=np.uint64
        )
    )


def _similar_pairs(phrases):
    """Yields the pairs of places whose phrases are shared to `SHARED_FRACTION`; `phrases` is a list of uint64 arrays."""
    owners = np.repeat(np.arange(len(phrases)), [len(hashes) for hashes in phrases])
    hashes = np.concatenate([np.zeros(0, np.uint64), *phrases])
    order = np.argsort(hashes, kind="stable")
    hashes, owners = hashes[order], owners[order]
    edges = np.concatenate(
        [[0], np.flatnonzero(np.diff(hashes)) + 1, [len(hashes)]]
    )  # where one hash gives way to the next
    sizes = np.diff(edges)
    told = np.flatnonzero((sizes >= 2) & (sizes <= COMMON_STOCK))
    shared = collections.Counter()
    for start, size in zip(edges[told].tolist(), sizes[told].tolist()):
        shared.update(itertools.combinations(owners[start : start + size].tolist(), 2))
    for (one, other), count in shared.items():
        if count >= SHARED_FRACTION * min(len(phrases[one]), len(phrases[other])):
            yield one, other


def _connected(count, pairs):
    """Returns the groups of 0..count-1 that pairs connect, as lists in rising order, ordered by their first members."""
    parents = list(range(count))

    def root(place):
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for one, other in pairs:
        first, second = sorted((root(one), root(other)))
        parents[second] = first
    groups = collections.defaultdict(list)
    for place in range(count):
        groups[root(place)].append(place)
    return list(groups.values())


def group_duplicates(scores):
    """Groups the tunes that are one tune: copies, transposed copies, and close variants.

    Found: tunes of equal `fingerprint`; and tunes that share three tenths of the phrases (13 notes) of the one that has fewer, transposed
    or not. So a copy with another pick-up, with repeats written out, with a part added, or inside a medley is found, and a version with a
    few notes changed. Groups are transitive: a medley joins its tunes.

    Not found: versions that differ every few notes; the same tune in other note values or another metre; the same chords under another
    melody.

    Args:
        scores: a sequence of `Score`.

    Returns:
        The list of groups, each a rising list of places in `scores`; every place stands in exactly one.

    Example:
        >>> from tfseqgan.music.score import Note, Score, transpose
        >>> tune, other = Score((Note(0, 24, 67), Note(24, 24, 69))), Score((Note(0, 24, 67), Note(24, 24, 72)))
        >>> group_duplicates([tune, other, transpose(tune, 5)])
        [[0, 2], [1]]
    """
    first_places, steps = {}, [_steps(score) for score in scores]
    copies = [
        (first_places.setdefault(_hash(own), place), place) for place, own in enumerate(steps)
    ]
    originals = list(first_places.values())
    pairs = _similar_pairs([_phrases(steps[place]) for place in originals])
    return _connected(
        len(scores), copies + [(originals[one], originals[other]) for one, other in pairs]
    )
