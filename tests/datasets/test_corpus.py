"""Claims about splits, and about the hash that identifies a corpus."""

import dataclasses

import pytest
from dataset_files import SCORES, sorted_names

from tfseqgan.datasets.corpus import make_corpus, split_by_group
from tfseqgan.datasets.duplicates import fingerprint
from tfseqgan.music.score import transpose


@pytest.mark.parametrize("fraction, num_held_out", [(0, 0), (0.01, 1), (0.2, 2), (0.55, 6)])
def test_a_split_holds_out_the_requested_share_and_loses_no_tune(fraction, num_held_out):
    train, validation = split_by_group(SCORES, fraction)

    assert len(validation) == num_held_out
    assert sorted_names(train + validation) == sorted_names(SCORES)


def test_both_sides_of_a_split_keep_the_order_of_the_tunes():
    train, validation = split_by_group(SCORES, 0.5)

    assert list(train) == [score for score in SCORES if score in train]
    assert list(validation) == [score for score in SCORES if score in validation]


def test_a_transposed_copy_stays_on_one_side_of_every_split():
    copies = tuple(
        dataclasses.replace(transpose(score, 3), name=f"copy of {score.name}") for score in SCORES
    )

    for seed in range(20):
        train, validation = split_by_group(SCORES + copies, 0.3, seed)

        train_fingerprints = {fingerprint(score) for score in train}
        validation_fingerprints = {fingerprint(score) for score in validation}
        assert len(validation) == 6
        assert not train_fingerprints & validation_fingerprints


def test_a_split_depends_on_the_seed_and_the_tunes_but_not_on_their_order():
    seeds = range(8)

    splits = [sorted_names(split_by_group(SCORES, 0.3, seed)[1]) for seed in seeds]
    reversed_splits = [sorted_names(split_by_group(SCORES[::-1], 0.3, seed)[1]) for seed in seeds]

    assert splits == reversed_splits
    assert len({tuple(split) for split in splits}) > 1


def test_a_single_tune_is_used_for_training():
    assert split_by_group(SCORES[:1], 0.5) == (SCORES[:1], ())
    assert split_by_group([], 0.5) == ((), ())


def test_a_group_larger_than_the_share_is_held_out_only_if_no_smaller_group_is_left():
    three_copies = [transpose(SCORES[0], semitones) for semitones in range(3)]
    two_copies = [transpose(SCORES[1], semitones) for semitones in range(2)]

    train, validation = split_by_group(three_copies + two_copies, 0.2)

    assert (len(train), len(validation)) == (3, 2)


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5])
def test_a_validation_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(ValueError, match="expected at least 0 and below 1"):
        split_by_group(SCORES, fraction)


def test_the_hash_of_a_corpus_depends_on_the_tunes_but_not_on_their_order_or_the_split():
    corpus = make_corpus(SCORES, "ten tunes", 0.1, seed=0)
    other_split = make_corpus(SCORES[::-1], "the same tunes", 0.3, seed=4)
    fewer_tunes = make_corpus(SCORES[1:], "nine tunes", 0.1, seed=0)

    assert len(corpus.sha256) == 64
    assert corpus.sha256 == other_split.sha256 != fewer_tunes.sha256


@pytest.mark.parametrize(
    "change",
    [
        {"key": "D"},
        {"time_signature": (3, 4)},
        {"tempo_bpm": 99.0},
        {"name": "another name"},
        {"rhythm": "reel"},
        {"chords": SCORES[1].chords},
        {"melody": SCORES[1].melody},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_hash_of_a_corpus_depends_on_every_field_of_a_tune(change):
    changed_scores = (dataclasses.replace(SCORES[0], **change), *SCORES[1:])

    corpus = make_corpus(SCORES, "tunes", 0.1, seed=0)
    changed_corpus = make_corpus(changed_scores, "tunes", 0.1, seed=0)

    assert corpus.sha256 != changed_corpus.sha256
