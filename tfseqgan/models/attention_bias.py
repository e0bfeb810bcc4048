"""What attention adds to its scores: a learned number for each difference in time.

A difference of onsets is counted in sixteenths. Two numbers are learned for it: one for the
difference itself, and, where the metre is known, one for "exactly n bars ago". All that a
difference adds under a metre stands in one joint table, which is looked up once.
"""

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

NUM_BAR_BUCKETS = 34
"""Whole bars, 1 to 33; the first bucket is for differences that are not so many whole bars."""


def _onset_buckets() -> np.ndarray:
    """Returns the bucket of each row of a joint table: unknown, then each difference in units."""
    longest = int(_NUM_EXACT * 2 ** (_NUM_LOGARITHMIC / 4))
    units = np.arange(longest + 1)
    octaves = np.log2(np.maximum(units, 1) / _NUM_EXACT)
    logarithmic = _NUM_EXACT + np.clip(np.floor(4 * octaves), 0, _NUM_LOGARITHMIC - 1)
    buckets = 1 + np.where(units < _NUM_EXACT, units, logarithmic)

    return np.concatenate([[0], buckets]).astype(np.int32)


_ONSET_BUCKETS = _onset_buckets()

NUM_DIFFERENCES = len(_ONSET_BUCKETS)
"""Rows of a joint table for each length of a bar."""


def _bar_buckets(bar_ticks: int) -> np.ndarray:
    """Returns how many whole bars each difference is, int32 [differences]; 0 for none."""
    ticks = _UNIT_TICKS * np.arange(-1, NUM_DIFFERENCES - 1)
    if bar_ticks == 0:
        return np.zeros(NUM_DIFFERENCES, np.int32)

    bars, rest = np.divmod(ticks, bar_ticks)
    is_bucket = (rest == 0) & (bars >= 1) & (bars < NUM_BAR_BUCKETS)

    return np.where(is_bucket, bars, 0).astype(np.int32)


def difference_rows(query_onsets: tf.Tensor, key_onsets: tf.Tensor) -> tf.Tensor:
    """Computes the row of a joint table for the time from one onset to another.

    Args:
        query_onsets: int32 [...], ticks at which the tokens to be predicted start; −1 for unknown.
        key_onsets: int32 [...], ticks at which the tokens that are looked at start; −1 likewise.

    Returns:
        int32 [...] in 0 … `NUM_DIFFERENCES` − 1; 0 if one of both is unknown. A difference below
        0, which no token looks back at, is as 0.

    Example:
        >>> difference_rows(tf.constant([-1, 96, 97, 10**6]), tf.constant(0)).numpy().tolist()
        [0, 17, 17, 8611]
    """
    units = (query_onsets - key_onsets) // _UNIT_TICKS
    rows = tf.clip_by_value(1 + units, 1, NUM_DIFFERENCES - 1)

    return tf.where((query_onsets < 0) | (key_onsets < 0), 0, rows)


def joint_table(
    onset_bias: tf.Tensor, bar_bias: tf.Tensor | None, bar_lengths: list[int]
) -> tf.Tensor:
    """Computes what each difference adds, for each length of a bar.

    Args:
        onset_bias: float32 [`NUM_ONSET_BUCKETS`, H].
        bar_bias: float32 [`NUM_BAR_BUCKETS`, H], or None where no metre is known.
        bar_lengths: the lengths of bars in ticks; 0 for an unknown metre.

    Returns:
        float32 [lengths · `NUM_DIFFERENCES`, H].
    """
    of_onsets = tf.gather(tf.convert_to_tensor(onset_bias), _ONSET_BUCKETS)
    if bar_bias is None:
        return of_onsets

    buckets = np.stack([_bar_buckets(ticks) for ticks in bar_lengths])
    of_bars = tf.gather(tf.convert_to_tensor(bar_bias), buckets)  # [lengths, differences, H]

    return tf.reshape(of_onsets + of_bars, [-1, of_onsets.shape[-1]])


def distance_buckets(distances: tf.Tensor) -> tf.Tensor:
    """Computes the bucket of a distance in tokens, int32 [...] in 0 … 63; below 0 it is 0."""
    return tf.clip_by_value(distances, 0, NUM_DISTANCE_BUCKETS - 1)
