"""Claims about tfseqgan.datasets.transposition."""

import collections

import numpy as np
import pytest

from tfseqgan.datasets.transposition import RandomTransposition
from tfseqgan.music.score import ALL_TRANSPOSITIONS, Note, Score, transpose
from tfseqgan.music.tokenizer import Tokenizer

SCALE = Score(tuple(Note(24 * index, 24, 60 + index) for index in range(5)))


@pytest.fixture(scope="module")
def tokenizer(random_scores):
    return Tokenizer.fit(random_scores, interleave=True, transpositions=ALL_TRANSPOSITIONS)


def interval_between(score, moved):
    """Returns the semitones from one tune to another; they must be the same tune."""
    pitches = [[note.pitch for note in tune.melody] for tune in (score, moved)]
    pitches = pitches if pitches[0] else [tune.chords[0].pitches for tune in (score, moved)]
    semitones = pitches[1][0] - pitches[0][0]
    assert transpose(score, semitones).melody == moved.melody
    assert transpose(score, semitones).chords == moved.chords

    return semitones


def test_every_row_is_its_tune_in_another_key(tokenizer, random_scores):
    rows = tokenizer.whole_tunes(random_scores, length=10**4)
    augment = RandomTransposition(tokenizer, rows, seed=0)

    moved = augment(0)

    assert moved.dtype == np.int32
    intervals = [
        interval_between(random_scores[tune], tokenizer.decode(row))
        for tune, row in zip(rows.tunes, moved, strict=True)
    ]
    assert set(intervals) <= set(ALL_TRANSPOSITIONS)
    assert len(set(intervals)) > 1


def test_all_windows_of_a_tune_are_moved_alike(tokenizer, random_scores):
    rows = tokenizer.whole_tunes(random_scores, length=10)
    augment = RandomTransposition(tokenizer, rows, seed=3)

    moved = augment(5)

    for tune in set(rows.tunes.tolist()):
        tokens = moved[rows.tunes == tune].ravel()
        interval_between(random_scores[tune], tokenizer.decode(tokens))


def test_rows_depend_on_seed_and_epoch_alone(tokenizer, random_scores):
    rows = tokenizer.whole_tunes(random_scores, length=50)

    first = RandomTransposition(tokenizer, rows, seed=1)
    again = RandomTransposition(tokenizer, rows, seed=1)
    other = RandomTransposition(tokenizer, rows, seed=2)

    assert again(4).tolist() == first(4).tolist()
    assert first(4).tolist() != first(5).tolist()
    assert other(4).tolist() != first(4).tolist()


def test_every_interval_is_equally_likely():
    tokenizer = Tokenizer.fit([SCALE], transpositions=ALL_TRANSPOSITIONS)
    augment = RandomTransposition(tokenizer, tokenizer.whole_tunes([SCALE], 99), seed=0)
    num_epochs = 2400

    counts = collections.Counter(
        interval_between(SCALE, tokenizer.decode(augment(epoch)[0])) for epoch in range(num_epochs)
    )

    # 200 expected of each; five standard errors of a binomial count are 68.
    assert set(counts) == set(ALL_TRANSPOSITIONS)
    assert max(abs(count - 200) for count in counts.values()) < 68


def test_a_tune_is_only_moved_where_the_vocabulary_holds_it():
    high = Score((Note(0, 24, 125), Note(24, 24, 127)))
    tokenizer = Tokenizer.fit([high], transpositions=ALL_TRANSPOSITIONS)
    augment = RandomTransposition(tokenizer, tokenizer.whole_tunes([high], 99), seed=0)

    intervals = {interval_between(high, tokenizer.decode(augment(e)[0])) for e in range(100)}

    assert intervals == set(range(-5, 1))


def test_a_vocabulary_in_one_key_is_refused():
    tokenizer = Tokenizer.fit([SCALE])

    with pytest.raises(ValueError, match="No tune can be transposed"):
        RandomTransposition(tokenizer, tokenizer.whole_tunes([SCALE], 99), seed=0)
