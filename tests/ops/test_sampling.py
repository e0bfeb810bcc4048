"""Claims about tfseqgan.sampling."""

import math

import numpy as np
import pytest
import tensorflow as tf
from enumeration import chi_square_p

from tfseqgan.ops.sampling import (
    check_sampling,
    keep_top_k,
    keep_top_p,
    next_tokens,
    row_seeds,
    row_uniforms,
)

LAST_UNIFORM = np.nextafter(np.float32(1), np.float32(0))


def random_log_p(num_rows, vocabulary_size, seed=0, ties=False):
    """Returns log-probabilities float32 [B, V]; with ties, of weights 1, 2 and 3."""
    rng = np.random.default_rng(seed)
    weights = (
        rng.integers(1, 4, size=(num_rows, vocabulary_size))
        if ties
        else np.exp(2 * rng.normal(size=(num_rows, vocabulary_size)))
    )
    return np.log(weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def uniforms_of(num_rows, seed=0):
    """Returns one uniform number a row, float32 [B]."""
    return np.random.default_rng(seed).random(num_rows, np.float32)


def draw(log_p, uniforms, **settings):
    """Returns what `next_tokens` draws, as NumPy."""
    return next_tokens(tf.constant(log_p), tf.constant(uniforms), **settings).numpy()


def kept(filtered):
    """Returns the sets of tokens that a filter leaves, one a row."""
    return [set(np.flatnonzero(np.isfinite(row))) for row in filtered.numpy()]


@pytest.mark.parametrize(
    "seed, first", [(7, 7), (np.int64(7), 7), (2**32 + 7, 7), (-1, -1), (2**31, -(2**31))]
)
def test_every_row_has_a_seed_of_its_own(seed, first):
    seeds = row_seeds(seed, 3)
    assert seeds.dtype == tf.int32 and seeds.numpy().tolist() == [
        [first, 0],
        [first, 1],
        [first, 2],
    ]


def test_a_pair_of_seeds_counts_on_and_wraps():
    assert row_seeds((7, 5), 2).numpy().tolist() == row_seeds(7, 7).numpy()[5:].tolist()
    assert row_seeds((7, 2**32 - 1), 2).numpy().tolist() == [[7, -1], [7, 0]]


def test_no_seed_is_another_one_each_time():
    assert row_seeds(None, 1).numpy().tolist() != row_seeds(None, 1).numpy().tolist()


def test_a_rows_uniform_numbers_do_not_depend_on_its_batch_bit_for_bit():
    seeds, length = row_seeds(3, 40), 7
    together = row_uniforms(seeds, length).numpy()
    alone = [row_uniforms(seeds[row : row + 1], length).numpy()[:, 0] for row in (0, 17, 39)]
    assert together.shape == (7, 40) and together.dtype == np.float32
    assert together[:, [0, 17, 39]].T.tobytes() == np.array(alone).tobytes()


def test_uniform_numbers_are_uniform_and_their_rows_differ():
    uniforms = row_uniforms(row_seeds(3, 200), 100).numpy()
    assert uniforms.min() >= 0 and uniforms.max() < 1 and len(np.unique(uniforms[0])) == 200
    assert (
        chi_square_p(np.bincount((uniforms.ravel() * 16).astype(int)), np.full(16, 1 / 16)) > 1e-4
    )


def test_the_next_token_is_the_inverse_of_the_cumulative_distribution():
    log_p, uniforms = random_log_p(500, 11), uniforms_of(500)
    expected = []
    for row, u in zip(np.exp(log_p.astype(np.float64)), uniforms):
        expected.append(next(v for v in range(11) if row[: v + 1].sum() > u * row.sum()))
    assert draw(log_p, uniforms).tolist() == expected
    assert set(expected) == set(range(11))


@pytest.mark.parametrize("shift", [-1024, 128])
def test_log_probabilities_need_not_be_normalised(shift):
    log_p, uniforms = random_log_p(500, 11).round(2), uniforms_of(500)
    assert draw(log_p + np.float32(shift), uniforms).tolist() == draw(log_p, uniforms).tolist()


@pytest.mark.parametrize("uniform", [0.0, 1e-30, 0.5, LAST_UNIFORM])
def test_a_token_of_probability_zero_is_never_drawn(uniform):
    possible = np.random.default_rng(0).random((300, 9)) < 0.3
    possible[np.arange(300), np.random.default_rng(1).integers(9, size=300)] = True
    log_p = np.where(possible, random_log_p(300, 9), -np.inf).astype(np.float32)
    drawn = draw(log_p, np.full(300, uniform, np.float32))
    assert possible[np.arange(300), drawn].all()


def test_the_first_and_the_last_possible_token_are_drawn_at_the_ends():
    log_p = np.array([[-np.inf, -np.inf, -1.6, -0.7, -1.2, -np.inf]], np.float32)
    assert draw(log_p, np.zeros(1, np.float32)).tolist() == [2]
    assert draw(log_p, np.full(1, LAST_UNIFORM)).tolist() == [4]


def test_even_a_uniform_number_of_1_gives_a_token_of_the_vocabulary():
    assert draw(random_log_p(4, 9), np.ones(4, np.float32)).tolist() == [8] * 4


def test_20000_draws_follow_the_softmax():
    logits = np.random.default_rng(4).normal(size=6).astype(np.float32)
    uniforms = row_uniforms(row_seeds(0, 1), 20_000).numpy()[:, 0]
    drawn = draw(np.tile(logits, (20_000, 1)), uniforms)
    assert (
        chi_square_p(np.bincount(drawn, minlength=6), np.exp(logits) / np.exp(logits).sum()) > 1e-4
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_temperature_divides_the_log_probabilities(temperature):
    log_p, uniforms = random_log_p(500, 11), uniforms_of(500)
    weights = np.exp(log_p.astype(np.float64)) ** (1 / temperature)
    expected = [
        int(np.searchsorted(np.cumsum(row), u * row.sum(), side="right"))
        for row, u in zip(weights, uniforms)
    ]
    assert draw(log_p, uniforms, temperature=tf.constant(temperature)).tolist() == expected


def test_a_low_temperature_is_the_likeliest_token():
    log_p = random_log_p(50, 11)
    assert (
        draw(log_p, uniforms_of(50), temperature=tf.constant(1e-4)).tolist()
        == log_p.argmax(axis=1).tolist()
    )


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("top_k", [1, 2, 5, 7, 100])
def test_top_k_keeps_the_k_likeliest_and_what_ties_with_the_last(top_k, ties):
    log_p = random_log_p(30, 7, ties=ties)
    expected = [
        {v for v in range(7) if sum(other > row[v] for other in row) < top_k} for row in log_p
    ]
    assert kept(keep_top_k(tf.constant(log_p), top_k)) == expected
    assert any(len(tokens) > top_k for tokens in expected) == (ties and top_k < 7)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("top_p", [1e-6, 0.31, 0.77, 1.0])
def test_top_p_keeps_the_fewest_that_reach_p_and_what_ties_with_the_last(top_p, ties):
    log_p, expected = random_log_p(30, 7, ties=ties), []
    for row in log_p:
        falling, reached = sorted(np.exp(row.astype(np.float64)), reverse=True), 0.0
        while reached < top_p and falling:
            smallest = falling.pop(0)
            reached += smallest
        expected.append({v for v in range(7) if math.exp(row[v]) >= smallest * (1 - 1e-6)})
    assert kept(keep_top_p(tf.constant(log_p), top_p)) == expected


def test_a_filter_leaves_the_log_probabilities_that_it_keeps():
    log_p = random_log_p(30, 7)
    for filtered in (keep_top_k(tf.constant(log_p), 3), keep_top_p(tf.constant(log_p), 0.6)):
        left = np.isfinite(filtered.numpy())
        assert (filtered.numpy()[left] == log_p[left]).all() and not left.all()


def test_only_what_the_filters_keep_is_drawn():
    log_p, rows = random_log_p(400, 7), np.arange(400)
    kept_by_k, kept_by_p = (
        kept(keep_top_k(tf.constant(log_p), 2)),
        kept(keep_top_p(tf.constant(log_p), 0.5)),
    )
    assert all(v in kept_by_k[b] for b, v in zip(rows, draw(log_p, uniforms_of(400), top_k=2)))
    assert all(v in kept_by_p[b] for b, v in zip(rows, draw(log_p, uniforms_of(400), top_p=0.5)))
    assert (
        draw(log_p, uniforms_of(400), top_k=1, top_p=0.5).tolist() == log_p.argmax(axis=1).tolist()
    )


def test_temperature_comes_before_the_filters():
    log_p = np.log(np.array([[0.6, 0.3, 0.1]], np.float32))
    last = np.full(1, LAST_UNIFORM)
    assert draw(log_p, last, top_p=0.5).tolist() == [0]
    assert draw(log_p, last, top_p=0.5, temperature=tf.constant(10.0)).tolist() == [1]


def test_every_row_may_have_settings_of_its_own():
    log_p, uniforms = random_log_p(60, 7), uniforms_of(60)
    settings = {
        "temperature": np.resize(np.array([0.5, 1, 2], np.float32), 60),
        "top_k": np.resize(np.array([0, 1, 2, 5, 9], np.int32), 60),
        "top_p": np.resize(np.array([0.3, 0.8, 1, 1], np.float32), 60),
    }
    together = draw(
        log_p, uniforms, **{name: tf.constant(values) for name, values in settings.items()}
    )
    rows = [slice(row, row + 1) for row in range(60)]
    alone = [
        draw(
            log_p[row],
            uniforms[row],
            **{name: tf.constant(values[row]) for name, values in settings.items()},
        )[0]
        for row in rows
    ]
    assert together.tolist() == alone
    assert kept(keep_top_k(tf.constant(log_p), tf.constant(settings["top_k"])))[0] == set(range(7))
    assert kept(keep_top_p(tf.constant(log_p), tf.constant(settings["top_p"])))[2] == set(range(7))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_sequences": 0}, "num_sequences"),
        ({"length": 0}, "length"),
        ({"temperature": 0.0}, "temperature must be a positive number, received 0.0"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"temperature": math.inf}, "temperature"),
        ({"top_k": 0}, "top_k must be 1 or more, received 0"),
        ({"top_p": 0.0}, r"top_p must lie in \(0, 1\], received 0.0"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_p": math.nan}, "top_p"),
    ],
)
def test_an_argument_out_of_range_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_sampling(**({"num_sequences": 2, "length": 3} | arguments))


def test_arguments_in_range_are_accepted():
    check_sampling(1, 1, temperature=1e-3, top_k=10**6, top_p=1.0)
