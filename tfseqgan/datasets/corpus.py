"""A corpus: tunes, split so that no tune, copy or close variant stands on both sides."""

import dataclasses
import hashlib

import numpy as np

from tfseqgan.datasets.duplicates import fingerprint, group_duplicates
from tfseqgan.music.score import Score


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Tunes, split so that no tune, copy or close variant stands on both sides.

    Args:
        train: the tunes to learn from.
        validation: the tunes held out.
        name: what the corpus is called.
        sha256: 64 hexadecimal digits of the tunes themselves: the same wherever they lie and however they are split.
        skipped: (file, reason) for each file that could not be read.
    """

    train: tuple[Score, ...]
    validation: tuple[Score, ...]
    name: str
    sha256: str
    skipped: tuple[tuple[str, str], ...] = ()


def split_by_group(scores, validation_fraction=0.1, seed=0):
    """Splits tunes into training and validation; copies and close variants (`duplicates.group_duplicates`) stay together.

    The groups are drawn in random order and held out where they still fit. The draw depends on the tunes and the seed, not on the
    order in which the tunes come.

    Args:
        scores: a sequence of `Score`.
        validation_fraction: the share of tunes to hold out, 0 to below 1; above 0, at least one group is held out where there are two.
        seed: of the draw.

    Returns:
        (train, validation), two tuples of `Score` in the order given.

    Raises:
        ValueError: if `validation_fraction` is out of range.
    """
    if not 0 <= validation_fraction < 1:
        raise ValueError(
            f"validation_fraction is {validation_fraction}, expected 0 to below 1: the share of tunes that are held out."
        )
    scores = tuple(scores)
    groups = sorted(
        group_duplicates(scores),
        key=lambda group: min((fingerprint(scores[place]), scores[place].name) for place in group),
    )
    target = round(validation_fraction * len(scores))
    held_out = []
    for draw in np.random.default_rng(seed).permutation(len(groups)):
        if len(held_out) + len(groups[draw]) <= target:
            held_out += groups[draw]
    if not held_out and validation_fraction > 0 and len(groups) > 1:
        held_out = min(groups, key=len)
    held_out = set(held_out)
    train = tuple(score for place, score in enumerate(scores) if place not in held_out)
    return train, tuple(scores[place] for place in sorted(held_out))


def _digest(scores):
    """Returns the sha256 of tunes, whatever their order."""
    digests = []
    for score in scores:
        notes = [(note.start_ticks, note.duration_ticks, note.pitch) for note in score.melody]
        chords = [
            (chord.start_ticks, chord.duration_ticks, chord.pitches) for chord in score.chords
        ]
        labels = (score.key, score.time_signature, score.tempo_bpm, score.name, score.rhythm)
        digests.append(hashlib.sha256(repr((notes, chords, labels)).encode()).digest())
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def make_corpus(scores, name, validation_fraction, seed, skipped=()):
    """Returns the `Corpus` of tunes."""
    train, validation = split_by_group(scores, validation_fraction, seed)
    return Corpus(train, validation, name, _digest(scores), tuple(skipped))
