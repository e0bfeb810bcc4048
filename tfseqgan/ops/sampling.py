"""Rows filled up, so that none depends on the others, and shared out over loops that run side by side."""

import secrets

import numpy as np
import tensorflow as tf

ROWS = 16
"""Sampling computes a multiple of so many rows: TensorFlow's CPU kernels (2.21) compute what is left over of a matrix product or of an exponential
by another routine, so that a sequence would depend on its batch in the last bits of its log-probabilities, and at the border of two tokens in more."""


def whole_rows(values):
    """Returns values with the last row repeated up to a multiple of `ROWS`: [B, …] → [B + spare, …].

    Example:
        >>> whole_rows(tf.constant([3, 4])).shape, int(whole_rows(tf.constant([3, 4]))[15])
        (TensorShape([16]), 4)
    """
    rows = tf.shape(values)[0]
    return tf.gather(values, tf.minimum(tf.range(rows + -rows % ROWS), rows - 1))


def row_blocks(rows):
    """Returns which rows each loop over time takes: all of them one loop, or two loops half of them each.

    At 64 to 192 rows the products of a step are so small that one loop leaves CPU cores waiting; two side by side sample in 0.85 of the time on two
    cores (benchmarks/decisions.py): sampling is the same to the bit, training but for the last digits; prefixes are judged in blocks too, so that what takes one core in one takes
    the other in the other. Where there is a GPU, or the number of rows is not known yet, there is one loop.

    Args:
        rows: B, or None.

    Returns:
        The list of slices.

    Example:
        >>> row_blocks(100), row_blocks(7)
        ([slice(None, 48, None), slice(48, None, None)], [slice(None, None, None)])
    """
    if rows is None or not 64 <= rows <= 192 or tf.config.list_physical_devices("GPU"):
        return [slice(None)]
    half = rows // (2 * ROWS) * ROWS
    return [slice(half), slice(half, None)]


def check_sampling(num_sequences, length, temperature=1.0, top_k=None, top_p=None):
    """Raises ValueError, naming the argument, unless sequences can be sampled so."""
    if num_sequences < 1 or length < 1:
        raise ValueError(
            f"num_sequences and length must be 1 or more, received {num_sequences} and {length}."
        )
    if not 0 < temperature < float("inf"):
        raise ValueError(
            f"temperature must be a positive number, received {temperature}. For the likeliest tokens pass top_k=1."
        )
    if top_k is not None and top_k < 1:
        raise ValueError(
            f"top_k must be 1 or more, received {top_k}. Pass None to keep every token."
        )
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(
            f"top_p must lie in (0, 1], received {top_p}. Pass None to keep every token."
        )


def row_seeds(seed, num_sequences):
    """Returns one seed pair a row: (seed, 0), (seed, 1), …

    Args:
        seed: an integer, a pair of integers (rows count on from the second), or None for a random one.
        num_sequences: B.

    Returns:
        int32 [B, 2].

    Example:
        >>> row_seeds(7, 2).numpy().tolist(), row_seeds((7, 5), 2).numpy().tolist()
        ([[7, 0], [7, 1]], [[7, 5], [7, 6]])
    """
    first, second = (
        seed if isinstance(seed, tuple) else (secrets.randbits(31) if seed is None else seed, 0)
    )
    seeds = np.empty((num_sequences, 2), np.uint32)
    seeds[:, 0] = first % 2**32
    seeds[:, 1] = (second + np.arange(num_sequences)) % 2**32
    return tf.constant(seeds.view(np.int32))


def row_uniforms(seeds, length):
    """Returns uniform numbers in [0, 1), each row's from its own seed: int32 [B, 2] → float32 [T, B]."""

    def draw(seed):
        return tf.random.stateless_uniform([length], seed, alg="philox")

    return tf.transpose(
        tf.map_fn(draw, seeds, fn_output_signature=tf.TensorSpec([length], tf.float32))
    )  # [T, B]


def keep_top_k(logits, top_k):
    """Returns logits with all but the k largest of each row at −∞; ties with the k-th are kept.

    Args:
        logits: float [B, V].
        top_k: int32 [] or [B]; 0 keeps a row whole.

    Returns:
        float [B, V].

    Example:
        >>> keep_top_k(tf.constant([[1.0, 3.0, 2.0]]), 2).numpy().tolist()
        [[-inf, 3.0, 2.0]]
    """
    size = tf.shape(logits)[1]
    rank = tf.where(top_k > 0, tf.minimum(top_k, size), size) - 1
    falling = tf.sort(logits, direction="DESCENDING")  # [B, V]
    smallest = tf.gather(falling, tf.broadcast_to(rank, tf.shape(logits)[:1]), batch_dims=1)  # [B]
    return tf.where(logits >= smallest[:, None], logits, -np.inf)


def keep_top_p(logits, top_p):
    """Returns logits with all at −∞ but the likeliest that together reach probability p; ties with the last of them are kept.

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
    top_p = tf.reshape(tf.convert_to_tensor(top_p, logits.dtype), [-1, 1])  # [B, 1]
    falling = tf.sort(logits, direction="DESCENDING")  # [B, V]
    before = tf.cumsum(
        tf.nn.softmax(falling), axis=-1, exclusive=True
    )  # [B, V], probability of the likelier ones
    smallest = tf.reduce_min(
        tf.where((before < top_p) | (top_p >= 1), falling, np.inf), axis=-1, keepdims=True
    )  # [B, 1]
    return tf.where(logits >= smallest, logits, -np.inf)


def block_size(vocabulary_size):
    """Returns how many tokens stand in a block: a divisor of V between 32 and 128, so that nothing has to be filled up, or 64 where there is none.

    Example:
        >>> block_size(3219), block_size(3217)
        (111, 64)
    """
    return next((size for size in range(128, 31, -1) if vocabulary_size % size == 0), 64)


def invert(weights, uniforms):
    """Draws one token a row by the inverse of its cumulative distribution, first a block of tokens and then one within it.

        y = min {v : Σ_{w≤v} p(w) > u Σ_w p(w)}

    A token of weight 0 is never drawn, however the sums are rounded.

    Args:
        weights: float32 [B, V], of any positive sum.
        uniforms: float32 [B] in [0, 1).

    Returns:
        int32 [B].

    Example:
        >>> invert(tf.constant([[2.0, 5.0, 3.0]] * 3), tf.constant([0.1, 0.3, 0.9])).numpy().tolist()
        [0, 1, 2]
    """
    size = block_size(weights.shape[1])
    padded = (
        weights
        if weights.shape[1] % size == 0
        else tf.pad(weights, [[0, 0], [0, -weights.shape[1] % size]])
    )
    blocks = tf.reshape(padded, [tf.shape(padded)[0], -1, size])  # [B, V / size, size]
    sums = tf.cumsum(tf.reduce_sum(blocks, axis=2), axis=1)  # [B, V / size]
    aim = uniforms * sums[:, -1]  # [B]
    block = tf.reduce_sum(
        tf.cast(sums[:, :-1] <= aim[:, None], tf.int32), axis=1
    )  # [B], of a positive sum
    before = tf.gather(tf.pad(sums, [[0, 0], [1, 0]]), block, batch_dims=1)  # [B]
    inside = tf.gather(blocks, block, batch_dims=1)  # [B, size]
    passed = tf.reduce_sum(
        tf.cast(tf.cumsum(inside, axis=1) <= (aim - before)[:, None], tf.int32), axis=1
    )
    drawable = (inside > 0) & (tf.range(size) <= passed[:, None])
    return block * size + tf.reduce_max(tf.where(drawable, tf.range(size), 0), axis=1)


def next_tokens(logits, uniforms, temperature=None, top_k=None, top_p=None):
    """Draws one token a row from logits, filtered where that is asked for.

    Args:
        logits: float32 [B, V]; log-probabilities are logits too.
        uniforms: float32 [B] in [0, 1).
        temperature: float32 [] or [B] that divides the logits, or None for 1.
        top_k: int32 [] or [B], 0 for all, or None.
        top_p: float32 [] or [B] in (0, 1], or None.

    Returns:
        int32 [B].

    Example:
        >>> next_tokens(tf.math.log(tf.constant([[0.2, 0.5, 0.3]] * 3)), tf.constant([0.1, 0.3, 0.9])).numpy().tolist()
        [0, 1, 2]
    """
    if temperature is not None:
        logits = logits / tf.reshape(temperature, [-1, 1])
    if top_k is not None:
        logits = tf.cond(
            tf.reduce_any(top_k > 0), lambda: keep_top_k(logits, top_k), lambda: logits
        )
    if top_p is not None:
        logits = tf.cond(
            tf.reduce_any(top_p < 1), lambda: keep_top_p(logits, top_p), lambda: logits
        )
    return invert(tf.nn.softmax(logits), uniforms)
