"""Sampling: seeds and uniform numbers of rows, padding, filters, and the inverse CDF."""

import math

import numpy as np
import pytest
import tensorflow as tf
from enumeration import chi_square_p

from tfseqgan import arguments
from tfseqgan.arguments import SMALLEST_FLOAT32
from tfseqgan.ops.sampling import (
    ROWS_PER_BLOCK,
    check_sampling,
    inverse_cdf,
    keep_top_k,
    keep_top_p,
    next_tokens,
    pad_rows,
    row_seeds,
    row_uniforms,
)

LARGEST_UNIFORM = np.nextafter(np.float32(1), np.float32(0))


def random_log_p(num_rows, vocabulary_size, ties=False):
    """Returns log-probabilities float32 [B, V]; with ties, of weights 1, 2 and 3."""
    rng = np.random.default_rng(0)
    shape = (num_rows, vocabulary_size)
    weights = rng.integers(1, 4, size=shape) if ties else np.exp(2 * rng.normal(size=shape))

    return np.log(weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def random_uniforms(num_rows):
    """Returns one uniform number a row, float32 [B]."""
    return np.random.default_rng(0).random(num_rows, np.float32)


def reference_inverse_cdf(weights, uniforms):
    """Computes the inverse of the cumulative distribution of each row, in float64."""
    cumulative = np.cumsum(weights.astype(np.float64), axis=1)
    pairs = zip(cumulative, uniforms * cumulative[:, -1], strict=True)
    return [int(np.searchsorted(row, target, side="right")) for row, target in pairs]


def draw(log_p, uniforms, **settings):
    """Returns what `next_tokens` draws, as NumPy."""
    return next_tokens(tf.constant(log_p), tf.constant(uniforms), **settings).numpy()


def kept_tokens(filtered):
    """Returns the sets of tokens that a filter keeps, one a row."""
    return [set(np.flatnonzero(np.isfinite(row))) for row in filtered.numpy()]


@pytest.mark.parametrize(
    "seed, first",
    [(7, 7), (np.int64(7), 7), (2**32 - 1, -1), (-1, -1), (2**31, -(2**31))],
)
def test_every_row_has_a_seed_of_its_own(seed, first):
    seeds = row_seeds(seed, 3)

    assert seeds.dtype == tf.int32
    assert seeds.numpy().tolist() == [[first, 0], [first, 1], [first, 2]]


@pytest.mark.parametrize("seed", [2**32 + 7, 2**64 + 7, -(2**32) + 7, -(2**31) - 1, 10**30])
def test_a_seed_beyond_32_bits_has_samples_of_its_own(seed):
    seeds = row_seeds(seed, 3).numpy()

    assert seeds[:, 1].tolist() == [seeds[0, 1], seeds[0, 1] + 1, seeds[0, 1] + 2]
    assert seeds.tolist() == row_seeds(np.array(seed).item(), 3).numpy().tolist()
    of_others = [row_seeds(other, 3).numpy().tolist() for other in (7, seed + 1, -seed)]
    assert seeds.tolist() not in of_others


@pytest.mark.parametrize(
    "seed",
    [1.5, "1", (1,), (1, 2, 3), (1, 0.5), (2**32, 0), (0, 2**32), [1, 2], np.ones(2)],
    ids=repr,
)
def test_what_is_no_seed_is_refused_by_name(seed):
    with pytest.raises(ValueError, match="seed must be a whole number"):
        row_seeds(seed, 2)


def test_the_rows_from_the_fifth_on_are_those_of_all_rows():
    for seed in (7, (7, 2**32 - 2), 2**40):
        rows = row_seeds(seed, 4, first_row=5)

        assert rows.numpy().tolist() == row_seeds(seed, 9).numpy()[5:].tolist()


def test_the_second_seed_of_a_pair_is_counted_up_and_wraps():
    from_the_fifth = row_seeds((7, 5), 2).numpy().tolist()
    at_the_largest = row_seeds((7, 2**32 - 1), 2).numpy().tolist()

    assert from_the_fifth == row_seeds(7, 7).numpy()[5:].tolist()
    assert at_the_largest == [[7, -1], [7, 0]]


def test_without_a_seed_every_call_has_another():
    assert row_seeds(None, 1).numpy().tolist() != row_seeds(None, 1).numpy().tolist()


def test_the_uniform_numbers_of_a_row_do_not_depend_on_its_batch_to_the_bit():
    seeds = row_seeds(3, 40)
    rows = [0, 17, 39]

    together = row_uniforms(seeds, 7).numpy()
    alone = [row_uniforms(seeds[row : row + 1], 7).numpy()[:, 0] for row in rows]

    assert together.shape == (7, 40)
    assert together.dtype == np.float32
    assert together[:, rows].T.tobytes() == np.array(alone).tobytes()


def test_uniform_numbers_are_uniform_and_their_rows_differ():
    uniforms = row_uniforms(row_seeds(3, 40), 500).numpy()

    assert uniforms.min() >= 0
    assert uniforms.max() < 1
    assert len(np.unique(uniforms[0])) == 40
    counts = np.bincount((uniforms.ravel() * 16).astype(int))
    assert chi_square_p(counts, np.full(16, 1 / 16)) > 1e-4


@pytest.mark.parametrize("num_rows", [1, 15, 16, 17])
def test_rows_are_padded_with_the_last_one_to_whole_blocks(num_rows):
    values = np.random.default_rng(0).normal(size=(num_rows, 3))

    padded = pad_rows(tf.constant(values)).numpy()

    assert len(padded) == math.ceil(num_rows / ROWS_PER_BLOCK) * ROWS_PER_BLOCK
    np.testing.assert_array_equal(padded[:num_rows], values)
    assert (padded[num_rows:] == values[-1]).all()


@pytest.mark.parametrize("vocabulary_size", [11, 64, 150])  # a part of a block, one, and three
def test_the_drawn_token_is_the_inverse_of_the_cumulative_distribution(vocabulary_size):
    weights = np.exp(random_log_p(500, vocabulary_size))
    uniforms = random_uniforms(500)

    drawn = inverse_cdf(tf.constant(weights), tf.constant(uniforms)).numpy()

    assert drawn.tolist() == reference_inverse_cdf(weights, uniforms)
    assert len(set(drawn)) > 0.8 * vocabulary_size


def test_logits_are_drawn_by_the_inverse_cdf_of_their_softmax():
    log_p = random_log_p(500, 11)
    uniforms = random_uniforms(500)

    drawn = draw(log_p, uniforms)

    assert drawn.tolist() == reference_inverse_cdf(np.exp(log_p), uniforms)
    assert set(drawn) == set(range(11))


@pytest.mark.parametrize("shift", [-1024, 128])
def test_log_probabilities_need_not_be_normalised(shift):
    log_p = random_log_p(500, 11).round(2)
    uniforms = random_uniforms(500)

    shifted = draw(log_p + np.float32(shift), uniforms)

    assert shifted.tolist() == draw(log_p, uniforms).tolist()


@pytest.mark.parametrize("uniform", [0.0, 1e-30, 0.5, LARGEST_UNIFORM])
@pytest.mark.parametrize("vocabulary_size", [9, 150])
def test_a_token_of_probability_zero_is_never_drawn(uniform, vocabulary_size):
    rows = np.arange(300)
    is_possible = np.random.default_rng(0).random((300, vocabulary_size)) < 0.3
    is_possible[rows, np.random.default_rng(1).integers(vocabulary_size, size=300)] = True
    log_p = np.where(is_possible, random_log_p(300, vocabulary_size), np.float32(-np.inf))

    drawn = draw(log_p, np.full(300, uniform, np.float32))

    assert is_possible[rows, drawn].all()


def test_the_first_and_the_last_possible_token_are_drawn_at_the_ends():
    log_p = np.array([[-np.inf, -np.inf, -1.6, -0.7, -1.2, -np.inf]], np.float32)

    assert draw(log_p, np.zeros(1, np.float32)).tolist() == [2]
    assert draw(log_p, np.full(1, LARGEST_UNIFORM)).tolist() == [4]


def test_even_a_uniform_number_of_1_gives_a_token_of_the_vocabulary():
    assert draw(random_log_p(4, 9), np.ones(4, np.float32)).tolist() == [8] * 4


def test_20000_draws_follow_the_softmax():
    logits = np.random.default_rng(4).normal(size=6).astype(np.float32)
    uniforms = row_uniforms(row_seeds(0, 1), 20_000).numpy()[:, 0]

    drawn = draw(np.tile(logits, (20_000, 1)), uniforms)

    softmax = np.exp(logits) / np.exp(logits).sum()
    assert chi_square_p(np.bincount(drawn, minlength=6), softmax) > 1e-4


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_temperature_divides_the_log_probabilities(temperature):
    log_p = random_log_p(500, 11)
    uniforms = random_uniforms(500)

    drawn = draw(log_p, uniforms, temperature=tf.constant(temperature))

    weights = np.exp(log_p.astype(np.float64) / temperature)
    assert drawn.tolist() == reference_inverse_cdf(weights, uniforms)


def test_a_low_temperature_gives_the_likeliest_token():
    log_p = random_log_p(50, 11)

    drawn = draw(log_p, random_uniforms(50), temperature=tf.constant(1e-4))

    assert drawn.tolist() == log_p.argmax(axis=1).tolist()


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("top_k", [1, 2, 5, 7, 100])
def test_top_k_keeps_the_k_likeliest_and_what_ties_with_the_last(top_k, ties):
    log_p = random_log_p(30, 7, ties)

    found = kept_tokens(keep_top_k(tf.constant(log_p), top_k))

    num_likelier = (log_p[:, None, :] > log_p[:, :, None]).sum(axis=2)  # [B, V]
    expected = [set(np.flatnonzero(row < top_k)) for row in num_likelier]
    assert found == expected
    keeps_more = any(len(tokens) > top_k for tokens in expected)
    assert keeps_more == (ties and top_k < 7)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("top_p", [1e-6, 0.31, 0.77, 1.0])
def test_top_p_keeps_the_fewest_that_reach_p_and_what_ties_with_the_last(top_p, ties):
    log_p = random_log_p(30, 7, ties)

    found = kept_tokens(keep_top_p(tf.constant(log_p), top_p))

    for tokens, row in zip(found, np.exp(log_p.astype(np.float64)), strict=True):
        falling = sorted(row, reverse=True)
        reached = 0.0
        while reached < top_p and falling:
            smallest = falling.pop(0)
            reached += smallest
        assert tokens == set(np.flatnonzero(row >= smallest * (1 - 1e-6)))


def test_top_p_of_many_tokens_is_that_of_each_row_alone():
    rng = np.random.default_rng(0)
    scales = np.resize([0.1, 3.0, 1.0], 30)  # of flat rows 64 tokens hold a small share
    logits = (scales[:, None] * rng.normal(size=(30, 1000))).astype(np.float32)
    shares = np.resize([0.9, 0.3, 1.0, 0.6], 30).astype(np.float32)

    found = kept_tokens(keep_top_p(tf.constant(logits), shares))

    sizes = [len(tokens) for tokens in found]
    assert min(sizes) < 64 < max(sizes)
    for row, share, tokens in zip(logits, shares, found, strict=True):
        alone = keep_top_p(tf.constant(row[None]), share)
        assert kept_tokens(alone)[0] == tokens
        falling = np.sort(np.exp(row.astype(float)))[::-1]
        likelier = (np.cumsum(falling) - falling) / falling.sum()
        assert len(tokens) == (likelier < share).sum()


def test_a_filter_does_not_change_the_log_probabilities_that_it_keeps():
    log_p = random_log_p(30, 7)
    of_top_k = keep_top_k(tf.constant(log_p), 3).numpy()
    of_top_p = keep_top_p(tf.constant(log_p), 0.6).numpy()

    for filtered in (of_top_k, of_top_p):
        is_kept = np.isfinite(filtered)
        assert not is_kept.all()
        assert (filtered[is_kept] == log_p[is_kept]).all()


def test_only_what_the_filters_keep_is_drawn():
    log_p = random_log_p(400, 7)
    uniforms = random_uniforms(400)
    kept_by_k = kept_tokens(keep_top_k(tf.constant(log_p), 2))
    kept_by_p = kept_tokens(keep_top_p(tf.constant(log_p), 0.5))

    by_k = draw(log_p, uniforms, top_k=2)
    by_p = draw(log_p, uniforms, top_p=0.5)
    by_both = draw(log_p, uniforms, top_k=1, top_p=0.5)

    assert all(token in kept for token, kept in zip(by_k, kept_by_k, strict=True))
    assert all(token in kept for token, kept in zip(by_p, kept_by_p, strict=True))
    assert by_both.tolist() == log_p.argmax(axis=1).tolist()


def test_temperature_is_applied_before_the_filters():
    log_p = np.log(np.array([[0.6, 0.3, 0.1]], np.float32))
    uniforms = np.full(1, LARGEST_UNIFORM)

    assert draw(log_p, uniforms, top_p=0.5).tolist() == [0]
    assert draw(log_p, uniforms, top_p=0.5, temperature=tf.constant(10.0)).tolist() == [1]


@pytest.mark.slow
def test_every_row_may_have_settings_of_its_own():
    log_p = random_log_p(60, 7)
    uniforms = random_uniforms(60)
    settings = {
        "temperature": tf.constant(np.resize([0.5, 1, 2], 60), tf.float32),
        "top_k": tf.constant(np.resize([0, 1, 2, 5, 9], 60), tf.int32),
        "top_p": tf.constant(np.resize([0.3, 0.8, 1, 1], 60), tf.float32),
    }

    together = draw(log_p, uniforms, **settings)

    for row in range(60):
        settings_of_row = {name: values[row] for name, values in settings.items()}
        alone = draw(log_p[row : row + 1], uniforms[row : row + 1], **settings_of_row)
        assert alone[0] == together[row]
    of_top_k_0 = kept_tokens(keep_top_k(tf.constant(log_p), settings["top_k"]))[0]
    of_top_p_1 = kept_tokens(keep_top_p(tf.constant(log_p), settings["top_p"]))[2]
    assert of_top_k_0 == of_top_p_1 == set(range(7))


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
        ({"temperature": 1e-46}, "temperature must be a positive number, received 1e-46"),
        ({"temperature": 1e-40}, "temperature"),
        ({"temperature": 1e39}, "temperature"),
        ({"temperature": 1j}, "temperature must be a number, received 1j"),
        ({"temperature": None}, "temperature must be a number, received None"),
        ({"top_k": 2**31}, "top_k must be at most 2147483647, received 2147483648"),
        ({"top_k": 1.5}, "top_k must be a whole number, received 1.5"),
        ({"top_p": 1e-46}, r"top_p must lie in \(0, 1\], received 1e-46"),
        ({"top_p": 1e-40}, "top_p"),
        ({"top_p": "0.5"}, "top_p must be a number, received '0.5'"),
        ({"length": 2.0}, "length must be a whole number, received 2.0"),
        ({"length": 10**13}, "with length = 10000000000000 needs about 3.98 PiB of memory"),
        ({"num_sequences": 10**13}, "num_sequences = 10000000000000 with length = 3 needs about"),
        ({"num_sequences": 10**400}, "needs about"),
    ],
)
def test_an_argument_out_of_range_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_sampling(**({"num_sequences": 2, "length": 3} | arguments))


def test_arguments_in_range_are_accepted():
    check_sampling(1, 1, temperature=1e-3, top_k=10**6, top_p=1.0)
    check_sampling(1, 1, temperature=SMALLEST_FLOAT32, top_k=2**31 - 1, top_p=SMALLEST_FLOAT32)


def test_numpys_numbers_are_returned_as_pythons():
    options = check_sampling(
        np.int64(2), np.int32(3), np.float32(0.5), np.uint8(4), np.float64(0.25)
    )

    assert options == (2, 3, 0.5, 4, 0.25)
    assert [type(value) for value in options] == [int, int, float, int, float]


def test_more_tokens_than_int32_counts_are_refused_where_the_memory_is_unknown(monkeypatch):
    monkeypatch.setattr(arguments, "physical_memory", lambda: math.inf)

    with pytest.raises(ValueError, match="must be at most 2147483647, received 2147483648 and 1"):
        check_sampling(2**31, 1)
