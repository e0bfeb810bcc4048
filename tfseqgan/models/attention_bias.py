"""What attention adds to its scores: a learned number for each difference in time."""

import numpy as np
import tensorflow as tf

_UNIT_TICKS = 6
"""A sixteenth note; differences of onsets are rounded down to it."""

_NUM_EXACT = 320
"""Differences of so many units, 20 bars of 4/4, have a bucket each."""

_NUM_LOGARITHMIC = 19
"""Longer ones share buckets, four to an octave; the last one holds all that are longer still."""

NUM_ONSET_BUCKETS = 1 + _NUM_EXACT + _NUM_LOGARITHMIC
"""The first bucket is for an onset that is not known."""

NUM_DISTANCE_BUCKETS = 64
"""Distances in tokens; the last one holds all that are longer."""


def _bucket_table() -> np.ndarray:
    """Returns the bucket of each difference in units, int32 [longest + 1]."""
    longest = int(_NUM_EXACT * 2 ** (_NUM_LOGARITHMIC / 4))
    units = np.arange(longest + 1)
    octaves = np.log2(np.maximum(units, 1) / _NUM_EXACT)
    logarithmic = _NUM_EXACT + np.clip(np.floor(4 * octaves), 0, _NUM_LOGARITHMIC - 1)

    return (1 + np.where(units < _NUM_EXACT, units, logarithmic)).astype(np.int32)


_BUCKETS = _bucket_table()


def onset_buckets(query_onsets: tf.Tensor, key_onsets: tf.Tensor) -> tf.Tensor:
    """Computes the bucket of the time from one onset to another.

    Args:
        query_onsets: int32 [...], ticks at which the tokens to be predicted start; −1 for unknown.
        key_onsets: int32 [...], ticks at which the tokens that are looked at start; −1 likewise.

    Returns:
        int32 [...] in 0 … `NUM_ONSET_BUCKETS` − 1. A difference below 0, which no token looks
        back at, is as 0.

    Example:
        >>> onset_buckets(tf.constant([-1, 96, 96, 97, 10**6]), tf.constant(0)).numpy().tolist()
        [0, 17, 17, 17, 339]
    """
    units = (query_onsets - key_onsets) // _UNIT_TICKS
    buckets = tf.gather(_BUCKETS, tf.clip_by_value(units, 0, len(_BUCKETS) - 1))

    return tf.where((query_onsets < 0) | (key_onsets < 0), 0, buckets)


def distance_buckets(distances: tf.Tensor) -> tf.Tensor:
    """Computes the bucket of a distance in tokens, int32 [...] in 0 … 63; below 0 it is 0."""
    return tf.clip_by_value(distances, 0, NUM_DISTANCE_BUCKETS - 1)
