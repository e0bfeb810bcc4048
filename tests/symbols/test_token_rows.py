"""Claims about tfseqgan.symbols.token_rows."""

import numpy as np
import pytest

from tfseqgan.symbols.token_rows import cut_windows, whole_tunes

SEQUENCES = [np.arange(1, 8), np.arange(1, 4), np.arange(1, 13)]


def test_windows_without_overlap_hold_every_token_once():
    rows = cut_windows(SEQUENCES, length=5)

    assert rows.tokens.dtype == rows.tunes.dtype == np.int32
    for index, tokens in enumerate(SEQUENCES):
        kept = rows.tokens[rows.tunes == index].ravel()
        assert kept[kept > 0].tolist() == tokens.tolist()


def test_rows_name_the_sequence_they_come_from():
    rows = cut_windows(SEQUENCES, length=5)

    assert rows.tunes.tolist() == [0, 0, 1, 2, 2, 2]


def test_windows_overlap_by_length_less_stride():
    rows = cut_windows([np.arange(1, 8)], length=4, stride=3)

    assert rows.tokens.tolist() == [[1, 2, 3, 4], [4, 5, 6, 7]]


def test_a_whole_tune_is_one_row_as_long_as_the_longest():
    rows = whole_tunes(SEQUENCES, length=100)

    assert rows.tokens.shape == (3, 12)
    assert rows.tunes.tolist() == [0, 1, 2]
    assert rows.tokens[1].tolist() == [1, 2, 3] + [0] * 9


def test_tunes_longer_than_the_length_are_cut():
    rows = whole_tunes(SEQUENCES, length=7)

    assert rows.tunes.tolist() == [0, 1, 2, 2]
    assert rows.tokens[2:].tolist() == [[1, 2, 3, 4, 5, 6, 7], [8, 9, 10, 11, 12, 0, 0]]


def test_no_sequences_give_no_rows():
    assert cut_windows([], length=5).tokens.shape == (0, 5)
    assert len(whole_tunes([], length=5).tokens) == 0


@pytest.mark.parametrize(("length", "stride"), [(0, None), (5, 0), (5, 6)])
def test_a_length_or_stride_out_of_range_is_refused(length, stride):
    with pytest.raises(ValueError, match="length or the stride is out of range"):
        cut_windows(SEQUENCES, length, stride)
