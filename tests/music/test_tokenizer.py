"""Claims about tfseqgan.tokenizer."""

import json
import logging
import time

import numpy as np
import pytest
from conftest import make_score

from tfseqgan.music.events import Event, score_to_events
from tfseqgan.music.score import Note, Score
from tfseqgan.music.tokenizer import TokenizationError, Tokenizer

NOTHING = (0, (), ())
SCALE = Score(tuple(Note(24 * i, 24, 60 + i) for i in range(5)), name="a scale")


@pytest.fixture(scope="module")
def tokenizer(random_scores):
    return Tokenizer.fit(random_scores)


def test_decoding_gives_the_encoded_tune_back_note_for_note(tokenizer, random_scores):
    for score in random_scores:
        tokens = tokenizer.encode(score)
        assert (
            tokens.dtype == np.int32
            and tokens[0] == tokenizer.start_token_id
            and tokens[-1] == tokenizer.end_token_id
        )
        assert tokenizer.decode(tokens, name=score.name) == score


def test_the_special_ids_come_first_and_stand_for_no_event(tokenizer):
    assert (tokenizer.pad_token_id, tokenizer.start_token_id, tokenizer.end_token_id) == (0, 1, 2)
    assert tokenizer.vocabulary_size == 3 + len(tokenizer.events)


def test_the_vocabulary_runs_from_frequent_to_rare_whatever_the_order_of_the_tunes(
    tokenizer, random_scores
):
    tokens = np.concatenate([tokenizer.encode(score)[1:-1] for score in random_scores])
    counts = np.bincount(tokens, minlength=tokenizer.vocabulary_size)[3:]
    assert (np.diff(counts) <= 0).all() and counts[-1] >= 1
    assert Tokenizer.fit(random_scores[::-1]) == tokenizer


def test_a_minimum_count_keeps_the_events_that_occur_so_often(tokenizer, random_scores):
    tokens = np.concatenate([tokenizer.encode(score)[1:-1] for score in random_scores])
    frequent = (np.bincount(tokens)[3:] >= 3).sum()
    assert Tokenizer.fit(random_scores, minimum_count=3).events == tokenizer.events[:frequent]


def test_equal_features_mean_equal_parts(tokenizer):
    features = tokenizer.token_features
    assert features.dtype == np.int32 and features.shape == (tokenizer.vocabulary_size, 6)
    assert (features[:3] == 0).all()
    for column in range(6):
        values = [event[column] for event in tokenizer.events]
        assert (
            len(set(values))
            == len(set(zip(values, features[3:, column].tolist())))
            == len(set(features[3:, column].tolist()))
        )
        assert all(
            (value in (0, ())) == (place == 0) for value, place in zip(values, features[3:, column])
        )
        assert set(features[:, column]) == set(range(features[:, column].max() + 1))
    assert len(np.unique(features[2:], axis=0)) == 1 + len(tokenizer.events)


# any tokens


def test_any_tokens_decode_to_a_score(tokenizer):
    rng = np.random.default_rng(0)
    for _ in range(50):
        score = tokenizer.decode(rng.integers(0, tokenizer.vocabulary_size, 80), key="G")
        assert score.key == "G"
        again = Tokenizer.fit([score]) if score.end_ticks else None
        assert again is None or again.decode(again.encode(score), key="G") == score


def test_decoding_stops_at_the_end_and_passes_over_start_and_padding(tokenizer, random_scores):
    plain = tokenizer.encode(random_scores[0])[1:-1]
    dressed = np.concatenate([[0, 1], plain[:5], [0, 0, 1], plain[5:], [2, 5, 6, 2, 0]])
    assert tokenizer.decode(dressed) == tokenizer.decode(plain) == tokenizer.decode(plain.tolist())
    assert tokenizer.decode([]) == tokenizer.decode([2, 7]) == Score(())


@pytest.mark.parametrize("token", [-1, 10**6])
def test_the_first_token_outside_the_vocabulary_is_named(tokenizer, token):
    last = tokenizer.vocabulary_size - 1
    with pytest.raises(
        TokenizationError,
        match=f"Token {token} at place 2 is outside the vocabulary: expected 0 to {last}",
    ):
        tokenizer.decode([1, 4, token, -7])


@pytest.mark.parametrize("tokens", [[[1, 3, 2]], [1.0, 3.0], 3])
def test_what_is_not_one_row_of_integers_is_refused(tokenizer, tokens):
    with pytest.raises(ValueError, match="one row of integers"):
        tokenizer.decode(tokens)


# rare events


def test_an_unknown_event_is_replaced_by_the_nearest_and_counted():
    tokenizer = Tokenizer.fit([SCALE])
    tune = Score((Note(0, 24, 60), Note(24, 24, 73), Note(48, 24, 74), Note(72, 24, 61)))
    encoded = tokenizer.encode_all([tune, SCALE])
    assert (encoded.num_dropped, encoded.num_replaced, len(encoded.sequences)) == (0, 2, 2)
    assert [note.pitch for note in tokenizer.decode(encoded.sequences[0]).melody] == [
        60,
        61,
        62,
        61,
    ]
    assert encoded.sequences[0].tolist() == tokenizer.encode(tune).tolist()


def test_a_tune_with_an_unknown_event_is_refused_by_name_and_tick_or_counted():
    tokenizer = Tokenizer.fit([SCALE], rare="drop")
    tune = Score((Note(0, 24, 60), Note(24, 24, 73)), name="too high")
    with pytest.raises(TokenizationError, match="too high holds an event at tick 24") as caught:
        tokenizer.encode(tune)
    assert (caught.value.file, caught.value.tick) == ("too high", 24) and isinstance(
        caught.value, ValueError
    )
    encoded = tokenizer.encode_all([tune, SCALE])
    assert (encoded.num_dropped, encoded.num_replaced, len(encoded.sequences)) == (1, 0, 1)


# windows


@pytest.mark.parametrize(
    "length, stride", [(7, None), (7, 7), (8, 3), (1, None), (1000, None), (5, 1)]
)
def test_windows_hold_all_of_each_tune_and_nothing_else(tokenizer, random_scores, length, stride):
    windows = tokenizer.windows(random_scores, length, stride)
    assert (
        windows.dtype == np.int32
        and windows.shape[1] == length
        and (windows != 0).any(axis=1).all()
    )
    step, rest = stride or length, list(windows)
    for score in random_scores:
        tokens = tokenizer.encode(score)
        covered = 0
        while covered < len(tokens):
            window = rest.pop(0)
            start = max(0, covered - (length - step)) if covered else 0
            part = tokens[start : start + length]
            assert window.tolist() == part.tolist() + [0] * (length - len(part))
            covered = start + len(part)
    assert rest == []


def test_no_tunes_give_no_windows(tokenizer):
    assert tokenizer.windows([], 9).shape == (0, 9)


@pytest.mark.parametrize("length, stride", [(0, None), (-3, None), (8, 0), (8, 9)])
def test_lengths_and_strides_out_of_range_are_refused(tokenizer, length, stride):
    with pytest.raises(
        ValueError, match="expected a length from 1 and a stride of 1 to the length"
    ):
        tokenizer.windows([SCALE], length, stride)


def test_windows_say_how_many_tunes_were_dropped_and_tokens_replaced(caplog):
    with caplog.at_level(logging.INFO, logger="tfseqgan"):
        Tokenizer.fit([SCALE]).windows([make_score(0), SCALE], 8)
        Tokenizer.fit([SCALE], rare="drop").windows([make_score(0), SCALE], 8)
    replaced = len(score_to_events(make_score(0))[1])
    assert f"0 tunes dropped for rare events, {replaced} tokens replaced" in caplog.messages[0]
    assert "1 tunes dropped for rare events, 0 tokens replaced" in caplog.messages[1]


# vocabularies


@pytest.mark.parametrize(
    "events, rare, message",
    [
        ([], "nearest", "vocabulary is empty"),
        ([(24, (4,), (0,), *NOTHING)] * 2, "nearest", "more than once"),
        ([(24, (4,), (12,), *NOTHING)], "nearest", "pitch class outside"),
        ([(24, (4,), (0,), *NOTHING)], "closest", "expected one of"),
    ],
)
def test_a_vocabulary_that_means_nothing_is_refused(events, rare, message):
    with pytest.raises(ValueError, match=message):
        Tokenizer(events, rare)


def test_fitting_on_nothing_or_with_a_count_below_one_is_refused():
    with pytest.raises(ValueError, match="vocabulary is empty"):
        Tokenizer.fit([])
    with pytest.raises(ValueError, match="minimum_count is 0"):
        Tokenizer.fit([SCALE], minimum_count=0)


def test_tokenizers_are_equal_by_vocabulary_and_policy():
    tokenizer = Tokenizer.fit([SCALE])
    assert (
        tokenizer == Tokenizer([list(event) for event in tokenizer.events])
        and len({tokenizer, Tokenizer.fit([SCALE])}) == 1
    )
    assert (
        tokenizer != Tokenizer.fit([SCALE], rare="drop")
        and tokenizer != Tokenizer(tokenizer.events[::-1])
        and tokenizer != "tokenizer"
    )


# files


@pytest.mark.parametrize("rare", ["nearest", "drop"])
def test_a_saved_tokenizer_is_loaded_equal(tmp_path, tokenizer, rare):
    tokenizer = Tokenizer(tokenizer.events, rare)
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded == tokenizer and (loaded.token_features == tokenizer.token_features).all()
    assert all(isinstance(event, Event) for event in loaded.events)


def _content(**changes):
    header = {"format": "tfseqgan.Tokenizer", "version": 1, "ticks_per_quarter": 24}
    return json.dumps(
        {**header, "rare": "nearest", "events": [[24, [4], [0], 0, [], []]], **changes}
    ).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[1, 2]",
        b"null",
        b"[" * 100000,
        _content()[:-10],
        _content(version=2),
        _content(ticks_per_quarter=12),
        _content(extra=1),
        _content(rare="closest"),
        _content(rare=[1]),
        _content(events=[]),
        _content(events=3),
        _content(events=[[24, [4], [0], 0, []]]),
        _content(events=[[24.5, [4], [0], 0, [], []]]),
        _content(events=[[24, 4, [0], 0, [], []]]),
        _content(events=[[24, [4], ["0"], 0, [], []]]),
        _content(events=[["24", [4], [0], 0, [], []]]),
        _content(events=[[24, [4], [99], 0, [], []]]),
    ],
)
def test_a_file_that_is_no_whole_tokenizer_is_refused_by_name(tmp_path, data):
    (tmp_path / "t.json").write_bytes(data)
    with pytest.raises(ValueError, match="t.json is not a whole tokenizer file: expected"):
        Tokenizer.load(tmp_path / "t.json")


def test_the_content_that_the_bad_files_were_made_from_is_good(tmp_path):
    (tmp_path / "t.json").write_bytes(_content())
    assert Tokenizer.load(tmp_path / "t.json") == Tokenizer([Event(24, (4,), (0,), *NOTHING)])


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        Tokenizer.load(tmp_path / "none.json")


# the real tunes


def test_every_nottingham_tune_comes_back_from_its_tokens_note_for_note(nottingham_scores):
    scores = list(nottingham_scores.values())
    tokenizer = Tokenizer.fit(scores)
    assert (len(scores), tokenizer.vocabulary_size) == (1034, 4018)
    for score in scores:
        decoded = tokenizer.decode(tokenizer.encode(score))
        assert (decoded.melody, decoded.chords) == (score.melody, score.chords)


def test_all_of_nottingham_is_tokenised_in_seconds(nottingham_scores):
    scores = list(nottingham_scores.values())
    start = time.process_time()
    windows = Tokenizer.fit(scores).windows(scores, 100)
    assert time.process_time() - start < 5  # 0.5 on one core of 2026
    assert (windows > 2).sum() == 198038
