"""Windows of tunes that judges read: what they cover, where they stand, and their keys."""

import numpy as np
import pytest
import tensorflow as tf
from conftest import make_score

from tfseqgan.evaluation.judge_windows import JudgedTunes, fit_judge_tokenizer
from tfseqgan.models.token_clock import TokenClock
from tfseqgan.music.score import transpose

T = 7
TUNES = [make_score(seed, num_notes=5 + 4 * seed, num_chords=3 + seed) for seed in range(4)]


@pytest.fixture(scope="module")
def tokenizer():
    return fit_judge_tokenizer(TUNES)


@pytest.fixture(scope="module")
def judged(tokenizer):
    return JudgedTunes(tokenizer, TUNES, T)


def places_of(tokenizer, tokens):
    clock = TokenClock(tokenizer.token_durations, 1, 0, tokenizer.end_token_id)
    states = clock.states_before(tf.constant(tokens[None]))
    return np.stack(clock.indices(states, clock.grammar(states)), axis=-1)[0]


def is_same_in_another_key(tokenizer, found, expected):
    return any(
        np.array_equal(tokenizer.transposed_ids(semitones)[expected], found)
        for semitones in range(-5, 7)
    )


def test_tiles_cover_each_tune_and_stand_where_they_stand_in_the_whole_tune(tokenizer, judged):
    windows = judged.tile(seed=0)

    for index, tune in enumerate(TUNES):
        tokens = tokenizer.encode(tune)
        places = places_of(tokenizer, tokens)
        starts = [*range(0, max(len(tokens) - T, 0), T), max(len(tokens) - T, 0)]
        rows = np.flatnonzero(windows.tunes == index)
        assert len(rows) == len(starts)
        for row, start in zip(rows, starts, strict=True):
            cut = slice(start, start + T)
            size = len(tokens[cut])
            np.testing.assert_array_equal(windows.places[row, :size], places[cut])
            assert is_same_in_another_key(tokenizer, windows.tokens[row, :size], tokens[cut])
            assert not windows.tokens[row, size:].any() and not windows.places[row, size:].any()


def test_a_drawn_window_is_any_part_of_any_tune_in_any_key(tokenizer):
    tune = TUNES[1]
    judged = JudgedTunes(tokenizer, [tune], T)
    tokens = tokenizer.encode(tune)

    windows = judged.draw(600, np.random.default_rng(0))

    assert not windows.tunes.any()
    starts = range(len(tokens) - T + 1)
    keys = [tokenizer.transposed_ids(semitones) for semitones in range(-5, 7)]
    expected = {tuple(ids[tokens[start : start + T]]) for start in starts for ids in keys}
    found = set(map(tuple, windows.tokens))
    assert found <= expected
    assert len(found) > 0.8 * len(expected)


def test_the_places_of_a_tune_do_not_depend_on_its_key(tokenizer):
    here = JudgedTunes(tokenizer, [TUNES[2]], T).tile(seed=0)
    moved = JudgedTunes(tokenizer, [transpose(TUNES[2], 2)], T).tile(seed=1)

    np.testing.assert_array_equal(here.places, moved.places)


def test_the_same_seed_tiles_alike_and_another_in_other_keys(judged):
    first, again, other = judged.tile(3), judged.tile(3), judged.tile(4)

    np.testing.assert_array_equal(first.tokens, again.tokens)
    assert (first.tokens != other.tokens).any()
