"""Blocks of steps: what adds up over them is what holds for a whole prefix."""

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.ops.prefixes import reduce_blocks

B, T, F = 2, 7, 3


@pytest.mark.parametrize("size", [1, 3, 7, 9])
def test_sums_and_maxima_of_blocks_add_up_to_those_of_prefixes(size):
    values = np.random.default_rng(0).normal(size=(B, T, F)).astype(np.float32)
    ends = [min(end, T) for end in range(size, T + size, size)]

    tensor = tf.constant(values)
    sums = tf.cumsum(reduce_blocks(tf.reduce_sum, tensor, size))
    maxima = tf.scan(tf.maximum, reduce_blocks(tf.reduce_max, tensor, size, values.min()))

    expected = [values[:, :end].sum(axis=1) for end in ends]
    np.testing.assert_allclose(sums, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(maxima, [values[:, :end].max(axis=1) for end in ends])


def test_steps_that_the_last_block_lacks_count_as_the_padding():
    values = tf.constant([[1.0, -5.0, -6.0]])

    of_zeros = reduce_blocks(tf.reduce_max, values, 2)
    of_lowest = reduce_blocks(tf.reduce_max, values, 2, padding=-9.0)

    np.testing.assert_array_equal(of_zeros, [[1], [0]])
    np.testing.assert_array_equal(of_lowest, [[1], [-6]])
