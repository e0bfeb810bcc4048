"""A corpus: tunes split into training and validation, with all versions of a tune on one side."""

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np

from tfseqgan.datasets.duplicates import fingerprint, group_duplicates
from tfseqgan.music.score import Score


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Tunes split into training and validation, with all versions of a tune on one side.

    Args:
        train: the training tunes.
        validation: the held-out tunes.
        name: the name of the corpus.
        sha256: 64 hexadecimal digits that identify the tunes. They depend on the tunes only, not
            on where the files are stored, on their order, or on the split.
        skipped: (file, reason) for each file that could not be read.
    """

    train: tuple[Score, ...]
    validation: tuple[Score, ...]
    name: str
    sha256: str
    skipped: tuple[tuple[str, str], ...] = ()


def split_by_group(
    scores: Sequence[Score], validation_fraction: float = 0.1, seed: int = 0
) -> tuple[tuple[Score, ...], tuple[Score, ...]]:
    """Splits tunes into training and validation, with all versions of a tune on one side.

    Copies and close variants are found by `duplicates.group_duplicates`. The groups are visited in
    random order, and a group is held out if it fits into what is left of the validation share. The
    split depends on the tunes and the seed, but not on the order of the tunes.

    Args:
        scores: the tunes.
        validation_fraction: the share of the tunes to hold out, at least 0 and below 1. If it is
            above 0 and there are two groups or more, at least one group is held out.
        seed: the seed of the random order.

    Returns:
        (train, validation), each in the order of `scores`.

    Raises:
        ValueError: if `validation_fraction` is out of range.

    Example:
        >>> from tfseqgan.music.score import Note, transpose
        >>> tune = Score((Note(0, 24, 67), Note(24, 24, 69)), name="a tune")
        >>> copy = transpose(tune, 5)
        >>> other = Score((Note(0, 24, 67), Note(24, 24, 72)), name="another tune")
        >>> train, validation = split_by_group([tune, other, copy], validation_fraction=0.4)
        >>> [score.name for score in train], [score.name for score in validation]
        (['a tune', 'a tune'], ['another tune'])
    """
    if not 0 <= validation_fraction < 1:
        raise ValueError(
            f"validation_fraction is {validation_fraction}, expected at least 0 and below 1. Pass "
            "the share of the tunes to hold out, such as 0.1."
        )
    scores = tuple(scores)

    # Sort the groups by their content, so that the order of the tunes does not matter.
    keys = [(fingerprint(score), score.name) for score in scores]
    groups = sorted(group_duplicates(scores), key=lambda group: min(keys[index] for index in group))

    # Visit the groups in random order and hold out each one that still fits.
    target = round(validation_fraction * len(scores))
    held_out: list[int] = []
    for number in np.random.default_rng(seed).permutation(len(groups)):
        if len(held_out) + len(groups[number]) <= target:
            held_out += groups[number]

    # If no group fits, hold out the smallest, provided that another one is left to train on.
    if not held_out and validation_fraction > 0 and len(groups) > 1:
        held_out = min(groups, key=len)

    validation_indices = set(held_out)
    train = [score for index, score in enumerate(scores) if index not in validation_indices]
    validation = [scores[index] for index in sorted(validation_indices)]

    return tuple(train), tuple(validation)


def _sha256_of_tunes(scores: Sequence[Score]) -> str:
    """Returns the sha256 of tunes in any order, as hexadecimal digits."""
    digests = []
    for score in scores:
        notes = [(note.start_ticks, note.duration_ticks, note.pitch) for note in score.melody]
        chords = [
            (chord.start_ticks, chord.duration_ticks, chord.pitches) for chord in score.chords
        ]
        labels = (score.key, score.time_signature, score.tempo_bpm, score.name, score.rhythm)
        content = repr((notes, chords, labels))
        digests.append(hashlib.sha256(content.encode()).digest())

    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def make_corpus(
    scores: Sequence[Score],
    name: str,
    validation_fraction: float,
    seed: int,
    skipped: Sequence[tuple[str, str]] = (),
) -> Corpus:
    """Splits tunes with `split_by_group` and returns them as a `Corpus`.

    Args:
        scores: all tunes of the corpus.
        name: the name of the corpus.
        validation_fraction: as in `split_by_group`.
        seed: as in `split_by_group`.
        skipped: (file, reason) for each file that could not be read.

    Returns:
        The `Corpus`.

    Raises:
        ValueError: if `validation_fraction` is out of range.
    """
    train, validation = split_by_group(scores, validation_fraction, seed)

    return Corpus(train, validation, name, _sha256_of_tunes(scores), tuple(skipped))
