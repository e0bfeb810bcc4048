"""Masks of sequences, and means over what they keep."""

import tensorflow as tf

FORBIDDEN = -1e9
"""The logit of a token that may not follow: its probability is exactly 0. A product of it with 0 is
0, which it would not be for −∞."""


def sequence_mask(tokens: tf.Tensor, end_token_id: int | None = None) -> tf.Tensor:
    """Computes 1 for every token up to and including the first end token of its row, else 0.

        mₜ = 1 if end ∉ y₍<t₎ else 0

    Tokens after the end token are padding, whatever their ids. This is the one definition of the
    end of a sequence: every loss, reward, entropy and metric uses it.

    Args:
        tokens: int32 [B, T].
        end_token_id: the id that ends a sequence, or None where sequences have no end.

    Returns:
        float32 [B, T] of zeros and ones.

    Example:
        >>> tokens = tf.constant([[5, 2, 0, 0], [7, 8, 9, 5]])
        >>> sequence_mask(tokens, end_token_id=2).numpy().tolist()
        [[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]
    """
    if end_token_id is None:
        return tf.ones_like(tokens, tf.float32)

    is_end = tf.cast(tokens == end_token_id, tf.int32)
    ends_before = tf.cumsum(is_end, axis=1, exclusive=True)

    return tf.cast(ends_before == 0, tf.float32)


def has_end(tokens: tf.Tensor, end_token_id: int | None = None) -> tf.Tensor:
    """Computes which rows hold an end token: int32 [B, T] → bool [B]."""
    if end_token_id is None:
        return tf.fill([tf.shape(tokens)[0]], False)

    return tf.reduce_any(tokens == end_token_id, axis=1)


def masked_mean(values: tf.Tensor, mask: tf.Tensor, axis: int | None = None) -> tf.Tensor:
    """Computes the mean of the values whose mask is 1; 0 where there is none.

        Σ mᵢ xᵢ / max(Σ mᵢ, 1)

    Args:
        values: float [B, T].
        mask: float [B, T] of zeros and ones.
        axis: the axis to average over, or None for all.

    Returns:
        float [], or the shape of `values` without `axis`.

    Example:
        >>> values, mask = tf.constant([[1.0, 2.0, 9.0]]), tf.constant([[1.0, 1.0, 0.0]])
        >>> float(masked_mean(values, mask))
        1.5
    """
    mask = tf.cast(mask, values.dtype)
    total = tf.reduce_sum(values * mask, axis)
    count = tf.reduce_sum(mask, axis)

    return total / tf.maximum(count, 1)
