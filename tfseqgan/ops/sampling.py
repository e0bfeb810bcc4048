"""From logits and uniform numbers to tokens: temperature, top-k, top-p, inverse CDF.

Every row draws its uniform numbers from its own seed, so that a row's sequence does not depend on
what it is sampled with.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfseqgan.arguments import (
    LARGEST_INT32,
    SMALLEST_FLOAT32,
    check_memory,
    seed_pairs,
    to_float32,
    whole_number,
)
from tfseqgan.ops.masking import FORBIDDEN

ROWS_PER_BLOCK = 16
"""Rows are sampled in multiples of this number.

TensorFlow's CPU kernels (2.21) compute the remainder of a matrix product or of an exponential by
another routine. Without padding, the last bits of a row's log-probabilities would depend on the
batch, and where two tokens meet in the cumulative distribution, so would the token."""

_TOKENS_PER_BLOCK = 64

_FEW_TOKENS = 64
"""So many of the likeliest tokens mostly hold a share `top_p`; to sort all takes six times as
long."""

_BYTES_PER_TOKEN = 28
"""What a sampling loop keeps of a token: a uniform number, and token and log-probability thrice."""

LOWEST_TEMPERATURE = 1e-30
"""Lower ones act as this one, which gives the likeliest token; logits divided by less overflow."""


class SamplingOptions(NamedTuple):
    """The arguments of sampling as plain numbers that TensorFlow can hold.

    Attributes:
        num_sequences: B.
        length: T.
        temperature: divides the logits, a positive float32.
        top_k: 1 to 2³¹ − 1, or None.
        top_p: a float32 in (0, 1], or None.
    """

    num_sequences: int
    length: int
    temperature: float
    top_k: int | None
    top_p: float | None


def _check_size(num_sequences, length):
    """Returns both as ints, unless the machine cannot hold so many tokens."""
    num_sequences = whole_number("num_sequences", num_sequences)
    length = whole_number("length", length)
    if num_sequences < 1 or length < 1:
        raise ValueError(
            f"num_sequences and length must be 1 or more, received {num_sequences} and {length}."
        )

    asked = f"num_sequences = {num_sequences} with length = {length}"
    num_rows = num_sequences + -num_sequences % ROWS_PER_BLOCK
    check_memory(num_rows * length * _BYTES_PER_TOKEN, asked, "Sample fewer or shorter ones.")
    if max(num_rows, length) > LARGEST_INT32:
        raise ValueError(
            f"num_sequences and length must be at most {LARGEST_INT32}, received {num_sequences} "
            f"and {length}. Sample fewer or shorter ones at a time."
        )

    return num_sequences, length


def check_sampling(
    num_sequences: int,
    length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> SamplingOptions:
    """Returns the arguments of sampling, checked as TensorFlow will see them.

    A temperature is positive in float32, that is 1.2e-38 at least, and so is `top_p`; a `top_k`
    fits int32. The same rule holds for models in memory and for exported ones.

    Raises:
        ValueError: if one is out of range, or so many tokens need more memory than this machine
            has; the message names the argument.

    Example:
        >>> check_sampling(2, 5, top_k=np.int64(3)).top_k
        3
        >>> check_sampling(2, 5, temperature=1e-46)
        Traceback (most recent call last):
        ValueError: temperature must be a positive number, received 1e-46; ...
    """
    num_sequences, length = _check_size(num_sequences, length)

    divisor = to_float32("temperature", temperature)
    if not SMALLEST_FLOAT32 <= divisor < float("inf"):
        raise ValueError(
            f"temperature must be a positive number, received {temperature}; in float32 it is "
            f"{SMALLEST_FLOAT32:.2g} to {np.finfo(np.float32).max:.2g}. "
            "For the likeliest tokens pass top_k=1."
        )

    if top_k is not None:
        top_k = whole_number("top_k", top_k)
        if top_k < 1:
            raise ValueError(
                f"top_k must be 1 or more, received {top_k}. Pass None for every token."
            )
        if top_k > LARGEST_INT32:
            raise ValueError(
                f"top_k must be at most {LARGEST_INT32}, received {top_k}. "
                "Pass None for every token."
            )

    if top_p is not None:
        share = to_float32("top_p", top_p)
        if share < SMALLEST_FLOAT32 or not 0 < top_p <= 1:
            raise ValueError(
                f"top_p must lie in (0, 1], received {top_p}; in float32 it is "
                f"{SMALLEST_FLOAT32:.2g} at least. Pass None for every token."
            )
        top_p = share

    return SamplingOptions(num_sequences, length, divisor, top_k, top_p)


def row_seeds(
    seed: int | tuple[int, int] | None, num_sequences: int, first_row: int = 0
) -> tf.Tensor:
    """Returns one seed pair a row, as `arguments.seed_pairs` says: int32 [B, 2].

    Example:
        >>> row_seeds(7, 2).numpy().tolist(), row_seeds((7, 5), 2).numpy().tolist()
        ([[7, 0], [7, 1]], [[7, 5], [7, 6]])
    """
    return tf.constant(seed_pairs(seed, num_sequences, first_row))


def row_uniforms(seeds: tf.Tensor, length: tf.Tensor | int) -> tf.Tensor:
    """Draws uniform numbers in [0, 1), each row from its own seed.

    Those of a smaller T are the first ones of a greater.

    Args:
        seeds: int32 [B, 2].
        length: T, an integer or int32 [].

    Returns:
        float32 [T, B].
    """

    def draw(seed):
        return tf.random.stateless_uniform([length], seed, alg="philox")

    spec = tf.TensorSpec([tf.get_static_value(length)], tf.float32)
    by_row = tf.map_fn(draw, seeds, fn_output_signature=spec)

    return tf.transpose(by_row)  # [T, B]


def pad_rows(values: tf.Tensor) -> tf.Tensor:
    """Repeats the last row until the number of rows is a multiple of `ROWS_PER_BLOCK`.

    Args:
        values: [B, …].

    Returns:
        [⌈B / 16⌉ · 16, …].

    Example:
        >>> pad_rows(tf.constant([3, 4])).shape, int(pad_rows(tf.constant([3, 4]))[15])
        (TensorShape([16]), 4)
    """
    num_rows = tf.shape(values)[0]
    padded_rows = num_rows + -num_rows % ROWS_PER_BLOCK

    return tf.gather(values, tf.minimum(tf.range(padded_rows), num_rows - 1))


def keep_top_k(logits: tf.Tensor, top_k: tf.Tensor | int) -> tf.Tensor:
    """Sets all but the k largest logits of each row to −∞; ties with the k-th are kept.

    Args:
        logits: float [B, V].
        top_k: int32 [] or [B]; 0 keeps a row whole.

    Returns:
        float [B, V].

    Example:
        >>> keep_top_k(tf.constant([[1.0, 3.0, 2.0]]), 2).numpy().tolist()
        [[-inf, 3.0, 2.0]]
    """
    vocabulary_size = tf.shape(logits)[1]
    kept = tf.where(top_k > 0, tf.minimum(top_k, vocabulary_size), vocabulary_size)
    rank = tf.broadcast_to(kept - 1, tf.shape(logits)[:1])  # [B]

    falling = tf.sort(logits, direction="DESCENDING")  # [B, V]
    smallest = tf.gather(falling, rank, batch_dims=1)  # [B]

    return tf.where(logits >= smallest[:, None], logits, -np.inf)


def keep_top_p(logits: tf.Tensor, top_p: tf.Tensor | float) -> tf.Tensor:
    """Keeps the likeliest tokens that together reach probability p and sets the others to −∞.

    Ties with the last token that is kept are kept too.

    Args:
        logits: float [B, V].
        top_p: float32 [] or [B] in (0, 1]; 1 keeps a row whole.

    Returns:
        float [B, V].

    Example:
        >>> keep_top_p(tf.constant([[3.0, 2.0, 1.0]]), 0.7).numpy().tolist()
        [[3.0, 2.0, -inf]]

    Reference:
        Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration".
    """
    shares = tf.broadcast_to(tf.convert_to_tensor(top_p, logits.dtype), tf.shape(logits)[:1])
    weights = tf.exp(logits - tf.reduce_max(logits, axis=-1, keepdims=True))  # [B, V]
    needed = shares * tf.reduce_sum(weights, axis=-1)  # [B]

    vocabulary_size = tf.shape(logits)[1]
    few = tf.minimum(vocabulary_size, _FEW_TOKENS)
    smallest, are_enough = _smallest_needed(weights, needed, few)
    are_enough |= shares >= 1  # where nothing is looked for
    of_all = tf.cond(
        tf.reduce_all(are_enough),
        lambda: smallest,
        lambda: _smallest_needed(weights, needed, vocabulary_size)[0],
    )
    smallest = tf.where(are_enough, smallest, of_all)  # so that no row depends on another
    smallest = tf.where(shares >= 1, 0.0, smallest)

    return tf.where(weights >= smallest[:, None], logits, -np.inf)


def _smallest_needed(weights, needed, num_tokens):
    """Finds the smallest of the largest weights that together reach what is needed, float [B].

    Only `num_tokens` of each row are looked at; also returns whether they were enough, bool [B].
    """
    falling = tf.math.top_k(weights, num_tokens).values  # [B, K]
    likelier = tf.cumsum(falling, axis=-1, exclusive=True)
    is_needed = likelier < needed[:, None]
    smallest = tf.reduce_min(tf.where(is_needed, falling, np.inf), axis=-1)

    return smallest, ~is_needed[:, -1]


def inverse_cdf(weights: tf.Tensor, uniforms: tf.Tensor) -> tf.Tensor:
    """Draws one token a row by the inverse of its cumulative distribution.

        y = min {v : Σ_{w≤v} p(w) > u Σ_w p(w)}

    The block of tokens that holds y is found first and y within it second, so that no cumulative
    sum over the whole vocabulary is written. A token of weight 0 is never drawn, however the sums
    are rounded.

    Args:
        weights: float32 [B, V], with a positive sum in each row.
        uniforms: float32 [B] in [0, 1).

    Returns:
        int32 [B].

    Example:
        >>> weights = tf.constant([[2.0, 5.0, 3.0]] * 3)
        >>> inverse_cdf(weights, tf.constant([0.1, 0.3, 0.9])).numpy().tolist()
        [0, 1, 2]
    """
    spare = -weights.shape[1] % _TOKENS_PER_BLOCK
    padded = tf.pad(weights, [[0, 0], [0, spare]])
    blocks = tf.reshape(padded, [tf.shape(padded)[0], -1, _TOKENS_PER_BLOCK])  # [B, V / 64, 64]

    sums = tf.cumsum(tf.reduce_sum(blocks, axis=2), axis=1)  # [B, V / 64]
    target = uniforms * sums[:, -1]  # [B]
    block = tf.reduce_sum(tf.cast(sums[:, :-1] <= target[:, None], tf.int32), axis=1)  # [B]

    before = tf.gather(tf.pad(sums, [[0, 0], [1, 0]]), block, batch_dims=1)  # [B]
    inside = tf.gather(blocks, block, batch_dims=1)  # [B, 64]
    passed = tf.cumsum(inside, axis=1) <= (target - before)[:, None]
    num_passed = tf.reduce_sum(tf.cast(passed, tf.int32), axis=1)  # [B]

    offsets = tf.range(_TOKENS_PER_BLOCK)
    can_be_drawn = (inside > 0) & (offsets <= num_passed[:, None])
    offset = tf.reduce_max(tf.where(can_be_drawn, offsets, 0), axis=1)  # [B]

    return block * _TOKENS_PER_BLOCK + offset


def next_tokens(
    logits: tf.Tensor,
    uniforms: tf.Tensor,
    temperature: tf.Tensor | None = None,
    top_k: tf.Tensor | None = None,
    top_p: tf.Tensor | None = None,
) -> tf.Tensor:
    """Draws one token a row from logits, filtered where that is asked for.

    Args:
        logits: float32 [B, V]; log-probabilities are logits too.
        uniforms: float32 [B] in [0, 1).
        temperature: float32 [] or [B] that divides the logits, or None for 1.
        top_k: int32 [] or [B], 0 for every token, or None.
        top_p: float32 [] or [B] in (0, 1], or None.

    Returns:
        int32 [B].

    Example:
        >>> logits = tf.math.log(tf.constant([[0.2, 0.5, 0.3]] * 3))
        >>> next_tokens(logits, tf.constant([0.1, 0.3, 0.9])).numpy().tolist()
        [0, 1, 2]
    """
    if temperature is not None:
        # At no temperature, however high, is a forbidden token drawn.
        logits = tf.where(logits > FORBIDDEN / 2, logits, -np.inf)
        logits = logits / tf.reshape(temperature, [-1, 1])
    if top_k is not None:
        is_asked = tf.reduce_any(top_k > 0)
        logits = tf.cond(is_asked, lambda: keep_top_k(logits, top_k), lambda: logits)
    if top_p is not None:
        is_asked = tf.reduce_any(top_p < 1)
        logits = tf.cond(is_asked, lambda: keep_top_p(logits, top_p), lambda: logits)

    return inverse_cdf(tf.nn.softmax(logits), uniforms)
