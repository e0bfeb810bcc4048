"""Claims about a corpus as windows; tests/runs makes those that need a whole run."""

import numpy as np
import pytest

from tfseqgan.datasets import windows
from tfseqgan.datasets.corpus import Corpus
from tfseqgan.datasets.lee2017 import load_lee2017
from tfseqgan.datasets.windows import Windows, load_windows
from tfseqgan.music.score import Note, Score
from tfseqgan.music.tokenizer import Tokenizer

TOKENIZER = Tokenizer([(24, (4,), (0,), 0, (), ())])
START, END = TOKENIZER.start_token_id, TOKENIZER.end_token_id
OPTIONS = {
    "length": 100,
    "validation_fraction": 0.1,
    "seed": 0,
    "minimum_count": 1,
    "rare": "nearest",
}


def make_windows(rows, **fields):
    """Returns windows whose training and validation tokens are the same rows."""
    tokens = np.array(rows, np.int32)

    return Windows(TOKENIZER, tokens, tokens, "mine", "0f", **fields)


def test_the_end_token_id_is_none_if_no_sequence_ends():
    assert make_windows([[3, 3, 3], [3, END, 0]]).end_token_id() == END
    assert make_windows([[3, 3, 3], [3, 3, 3]]).end_token_id() is None


def test_a_corpus_starts_with_the_start_token_if_any_sequence_does():
    assert make_windows([[START, 3, END], [3, 3, END]]).starts_with_start_token() is True
    assert make_windows([[3, 3, END]]).starts_with_start_token() is False


def test_the_summary_holds_plain_values_and_names_the_skipped_files():
    skipping = make_windows([[3, END]], skipped=(("a.mid", "is empty"),))

    assert skipping.summary() == {
        "name": "mine",
        "sha256": "0f",
        "train_windows": 1,
        "validation_windows": 1,
        "vocabulary_size": 4,
        "skipped_files": [{"file": "a.mid", "reason": "is empty"}],
    }


@pytest.mark.slow
def test_without_a_path_the_synthetic_tunes_are_loaded_the_same_every_time():
    data = load_windows(None, **OPTIONS)
    again = load_windows(None, tokenizer=data.tokenizer, **OPTIONS)

    assert data.name == "session"
    assert data.sha256 == again.sha256
    assert data.starts_with_start_token()
    assert data.end_token_id() == data.tokenizer.end_token_id
    assert np.array_equal(data.train, again.train)
    assert np.array_equal(data.validation, again.validation)


@pytest.mark.slow
def test_the_seed_changes_the_split_of_the_synthetic_tunes_and_not_the_tunes():
    first = load_windows(None, **OPTIONS)
    other = load_windows(None, tokenizer=first.tokenizer, **OPTIONS | {"seed": 1})

    assert other.sha256 == first.sha256
    assert not np.array_equal(other.validation, first.validation)


SCALE = Score(tuple(Note(24 * index, 24, 60 + index) for index in range(5)))  # 7 tokens
FOREIGN = Score(tuple(Note(24 * index, 24, 80) for index in range(10)))  # 10 of 12 unknown


def warnings_for(monkeypatch, caplog, validation, length):
    """Returns what is warned of when such tunes are held out and the vocabulary is the scale's."""
    corpus = Corpus((SCALE,), validation, "mine", "0f")
    monkeypatch.setattr(windows, "load_corpus", lambda *_: corpus)
    caplog.clear()

    load_windows("folder", **OPTIONS | {"length": length})

    return [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]


def test_it_warns_where_the_vocabulary_does_not_cover_the_held_out_music(monkeypatch, caplog):
    few = (SCALE,) * 13 + (FOREIGN,)  # 10 of 103 tokens
    many = (SCALE, FOREIGN)  # 10 of 19

    assert warnings_for(monkeypatch, caplog, few, 9) == []
    [warning] = warnings_for(monkeypatch, caplog, many, 9)

    expected = "53 % of the held-out tokens are not in the vocabulary of 8 tokens"
    assert warning.startswith(expected)


def test_it_warns_where_most_of_a_window_is_padding(monkeypatch, caplog):
    assert warnings_for(monkeypatch, caplog, (SCALE,), 28) == []

    [warning] = warnings_for(monkeypatch, caplog, (SCALE,), 29)

    assert "windows have 29 tokens, and the longest held-out tune has 7" in warning


def test_published_windows_have_no_start_or_end_token_and_keep_their_own_vocabulary(lee2017_file):
    published = load_lee2017(lee2017_file)

    data = load_windows(lee2017_file, tokenizer=published.tokenizer, **OPTIONS)

    assert data.end_token_id() is None
    assert not data.starts_with_start_token()
    assert not data.has_grammar
    assert np.array_equal(data.train, published.train)
    assert np.array_equal(data.validation, published.validation)


WHOLE = OPTIONS | {
    "length": 400,
    "interleave": True,
    "random_transposition": True,
    "whole_tunes": True,
}


@pytest.fixture(scope="module")
def whole_tunes():
    return load_windows(None, **WHOLE)


def test_a_row_is_a_whole_tune_and_all_rows_are_as_long_as_the_longest(whole_tunes):
    rows = np.concatenate([whole_tunes.train, whole_tunes.validation])

    assert whole_tunes.train.shape[1] == whole_tunes.validation.shape[1] <= 400
    assert (rows[:, 0] == START).all()
    assert ((rows == END).sum(axis=1) == 1).all()
    assert (rows[:, -1] != 0).any()


def test_a_tune_that_is_too_long_goes_on_in_a_row_of_its_own():
    rows = load_windows(None, **WHOLE | {"length": 50})
    first, second = np.flatnonzero(rows.train_tunes == 0)[:2]

    assert rows.train.shape[1] == 50
    assert rows.train[first, 0] == START
    assert rows.train[first, -1] not in (0, END)
    assert rows.train[second, 0] != START


def test_training_tunes_are_moved_to_other_keys_in_every_epoch(whole_tunes):
    augment = whole_tunes.in_other_keys(seed=0)

    first, second = augment(0), augment(1)

    assert first.shape == whole_tunes.train.shape
    assert (first != second).any(axis=1).mean() > 0.7
    np.testing.assert_array_equal(augment(0), first)
    np.testing.assert_array_equal(first == END, whole_tunes.train == END)


def test_windows_whose_tunes_are_not_known_have_no_other_keys():
    with pytest.raises(ValueError, match="mine holds windows whose tunes are not known"):
        make_windows([[3, END]]).in_other_keys(seed=0)


def test_tunes_kept_aside_are_neither_learned_from_nor_held_out():
    whole = load_windows(None, **WHOLE)
    apart = load_windows(None, **WHOLE, tokenizer=whole.tokenizer, kept_aside_fraction=0.2)

    rows = {bytes(row.tobytes()) for row in np.concatenate([apart.train, apart.kept_aside])}
    assert whole.kept_aside is None
    assert rows == {bytes(row.tobytes()) for row in whole.train}
    assert 0.15 < len(apart.kept_aside) / len(whole.train) < 0.25
    assert len(apart.train) + len(apart.kept_aside) == len(whole.train)
    np.testing.assert_array_equal(apart.validation, whole.validation)


def test_tokens_that_were_replaced_are_counted_over_all_rows(monkeypatch):
    corpus = Corpus((SCALE, FOREIGN), (FOREIGN,), "mine", "0f")
    monkeypatch.setattr(windows, "load_corpus", lambda *_: corpus)
    of_scale = Tokenizer.fit([SCALE])

    found = load_windows("folder", **OPTIONS, tokenizer=of_scale)

    assert found.num_replaced == 2 * of_scale.encode_all([FOREIGN]).num_replaced > 0
    assert load_windows("folder", **OPTIONS | {"minimum_count": 1}).num_replaced == 0
