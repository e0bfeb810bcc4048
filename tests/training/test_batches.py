"""Claims about tfseqgan.training.batches."""

import numpy as np
import pytest

from tfseqgan.training.batches import batches_of_similar_length, cut_padding, row_lengths

PAD = 0


def random_lengths(num_rows=157, longest=400):
    return np.random.default_rng(0).integers(1, longest, num_rows)


def test_lengths_count_the_tokens_before_the_padding_at_the_end():
    tokens = np.array([[5, 6, 7], [5, 6, 0], [5, 0, 7], [0, 0, 0]])

    assert row_lengths(tokens, PAD).tolist() == [3, 2, 3, 0]


@pytest.mark.parametrize("longest, kept", [(1, 32), (32, 32), (33, 64), (100, 100)])
def test_padding_is_cut_to_a_multiple_of_32(longest, kept):
    batch = np.zeros([3, 100], np.int32)
    batch[1, :longest] = 7

    cut = cut_padding(batch, PAD)

    assert cut.shape == (3, kept)
    assert cut.sum() == batch.sum()


@pytest.mark.parametrize("batch_size", [1, 5, 16, 1000])
def test_every_row_is_in_one_batch(batch_size):
    lengths = random_lengths()

    batches = batches_of_similar_length(lengths, batch_size, 3, 1)

    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= batch_size for batch in batches)
    assert sum(len(batch) < batch_size for batch in batches) <= 1


def test_batches_hold_rows_of_similar_length():
    lengths = random_lengths()
    batches = batches_of_similar_length(lengths, 4, 0)
    in_any_order = np.random.default_rng(1).permutation(len(lengths))
    shuffled = np.split(in_any_order, range(4, len(lengths), 4))

    def padding(batches):
        return sum(int((lengths[rows].max() - lengths[rows]).sum()) for rows in batches)

    assert padding(batches) < 0.2 * padding(shuffled)


def test_they_depend_on_seed_and_path_alone_and_differ_from_epoch_to_epoch():
    lengths = random_lengths()

    def of(seed, epoch):
        return [batch.tolist() for batch in batches_of_similar_length(lengths, 8, seed, 0, epoch)]

    assert of(1, 2) == of(1, 2)
    assert of(1, 2) != of(1, 3)
    assert of(1, 2) != of(2, 2)
    assert {frozenset(batch) for batch in of(1, 2)} != {frozenset(batch) for batch in of(1, 3)}


def test_batches_do_not_come_in_order_of_length():
    lengths = random_lengths()
    longest = [int(lengths[rows].max()) for rows in batches_of_similar_length(lengths, 4, 0)]

    assert longest != sorted(longest)
