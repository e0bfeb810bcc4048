"""Claims about tfseqgan.windows that those about runs do not make."""

import numpy as np

from tfseqgan.datasets.lee2017 import load_lee2017
from tfseqgan.datasets.windows import Windows, load_windows
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.runs.settings import Settings

TOKENIZER = Tokenizer([(24, (4,), (0,), 0, (), ())])
START, END = TOKENIZER.start_token_id, TOKENIZER.end_token_id


def windows(rows, **fields):
    """Returns windows of some rows, the same to learn from and held out."""
    rows = np.array(rows, np.int32)
    return Windows(TOKENIZER, rows, rows, "mine", "0f", **fields)


def test_a_corpus_ends_where_a_sequence_ends_and_never_where_none_does():
    assert windows([[3, 3, 3], [3, END, 0]]).end_token_id() == END
    assert windows([[3, 3, 3], [3, 3, 3]]).end_token_id() is None


def test_a_corpus_begins_with_the_start_token_where_a_sequence_does():
    assert windows([[START, 3, END], [3, 3, END]]).starts_with_start_token() is True
    assert windows([[3, 3, END]]).starts_with_start_token() is False


def test_the_summary_is_of_plain_values_and_names_what_was_skipped():
    assert windows([[3, END]], skipped=(("a.mid", "is empty"),)).summary() == {
        "name": "mine",
        "sha256": "0f",
        "train_windows": 1,
        "validation_windows": 1,
        "vocabulary_size": 4,
        "skipped_files": [{"file": "a.mid", "reason": "is empty"}],
    }


def test_without_a_path_it_is_the_composed_tunes_which_are_the_same_every_time():
    data = load_windows(None, Settings(length=100))
    again = load_windows(None, Settings(length=100), data.tokenizer)
    assert data.name == "session" and data.sha256 == again.sha256
    assert data.starts_with_start_token() and data.end_token_id() == data.tokenizer.end_token_id
    assert np.array_equal(data.train, again.train) and np.array_equal(
        data.validation, again.validation
    )


def test_published_windows_neither_begin_nor_end_and_their_own_vocabulary_reads_them(lee2017_file):
    settings, published = Settings(length=100), load_lee2017(lee2017_file)
    data = load_windows(lee2017_file, settings, published.tokenizer)
    assert data.end_token_id() is None and not data.starts_with_start_token()
    assert np.array_equal(data.train, published.train) and np.array_equal(
        data.validation, published.validation
    )
