"""Sparse products equal dense ones; rows are taken, and their gradients added up, as TensorFlow's own gather does it, and the same each time."""

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.ops import sparse
from tfseqgan.ops.sparse import (
    add_rows,
    project_change,
    sparse_matrix,
    sparse_product,
    take_rows,
    transposed,
)

R, D = 6, 4


def test_the_product_is_that_of_the_dense_matrices():
    random = np.random.default_rng(0)
    matrix = np.where(random.random((5, R)) < 0.4, random.normal(size=(5, R)), 0).astype(np.float32)
    matrix[2] = 0  # a row without entries
    dense = random.normal(size=(R, D)).astype(np.float32)
    rows, columns = np.nonzero(matrix)
    sparse = sparse_matrix(rows, columns, tf.constant(matrix[rows, columns]), matrix.shape)
    np.testing.assert_allclose(
        sparse_product(sparse, tf.constant(dense)), matrix @ dense, rtol=1e-6
    )
    np.testing.assert_allclose(
        sparse_product(transposed(sparse), tf.constant(dense[:5])),
        matrix.T @ dense[:5],
        rtol=1e-5,
        atol=1e-6,
    )


def _gradient(function, table, places, weights):
    with tf.GradientTape() as tape:
        tape.watch(table)
        total = tf.reduce_sum(tf.cast(function(table, places), tf.float64) * weights)
    return tf.convert_to_tensor(tape.gradient(total, table))


@pytest.mark.parametrize(
    "dtype,digits", [(tf.float64, 1e-14), (tf.float32, 1e-6), (tf.bfloat16, 0.02)]
)
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("devices", [[], ["a GPU"]], ids=["CPU", "GPU's way"])
def test_rows_and_their_gradients_are_those_of_gather(
    monkeypatch, devices, dtype, digits, compiled
):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: devices)
    random = np.random.default_rng(1)
    table = tf.constant(random.normal(size=(R, D)), dtype)
    places = tf.constant(random.integers(0, R - 1, (3, 5)), tf.int32)  # the last row is never taken
    weights = tf.constant(random.normal(size=(3, 5, D)))
    ours = tf.function(take_rows) if compiled else take_rows
    np.testing.assert_array_equal(
        tf.cast(ours(table, places), tf.float64), tf.cast(tf.gather(table, places), tf.float64)
    )
    found, expected = (
        _gradient(ours, table, places, weights),
        _gradient(tf.gather, table, places, weights),
    )
    assert found.dtype == dtype and not np.any(found[-1]) and np.any(found[:-1])
    np.testing.assert_allclose(
        tf.cast(found, tf.float64), tf.cast(expected, tf.float64), rtol=digits, atol=digits
    )


def test_the_gradient_is_the_same_to_the_bit_each_time():
    random = np.random.default_rng(2)
    table, places = (
        tf.constant(random.normal(size=(40, 64)).astype(np.float32)),
        tf.constant(random.integers(0, 40, 5000), tf.int32),
    )
    weights = tf.constant(random.normal(size=(5000, 64)))
    first = _gradient(take_rows, table, places, weights)
    for _ in range(10):
        np.testing.assert_array_equal(_gradient(take_rows, table, places, weights), first)


@pytest.mark.parametrize("devices", [[], ["a GPU"]], ids=["CPU", "GPU's way"])
def test_a_row_that_is_taken_often_loses_nothing_in_half_precision(monkeypatch, devices):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: devices)
    gradient = _gradient(
        take_rows,
        tf.zeros([2, 1], tf.bfloat16),
        tf.zeros([4096], tf.int32),
        tf.ones([4096, 1], tf.float64),
    )
    assert gradient.numpy().ravel().tolist() == [
        4096,
        0,
    ]  # added up in bfloat16 it would stay at 256


@pytest.mark.parametrize("devices", [[], ["a GPU"]], ids=["CPU", "GPU's way"])
def test_no_rows_have_a_gradient_of_zeros(monkeypatch, devices):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: devices)
    assert not np.any(
        _gradient(
            take_rows, tf.ones([R, D]), tf.zeros([0, 3], tf.int32), tf.ones([0, 3, D], tf.float64)
        )
    )


def test_slices_are_added_up_at_their_places():
    slices, places = np.arange(1.0, 1 + 5 * D).reshape(5, D), [2, 0, 2, 5, 2]
    expected = np.zeros((R, D))
    np.add.at(expected, places, slices)
    np.testing.assert_array_equal(add_rows(tf.constant(slices), tf.constant(places), R), expected)


def projection(seed=3, rows=3, share=1.0):
    """Returns before and now, float64 [rows, R], which differ in a share of the entries, two kernels, two biases, and weights of what they give."""
    random = np.random.default_rng(seed)
    before = random.normal(size=(rows, R))
    now = before + np.where(random.random((rows, R)) < share, random.normal(size=(rows, R)), 0)
    shapes = [(rows, R), (rows, R), (R, D), (R, D + 1), (D,), (D + 1,), (rows, D), (rows, D + 1)]
    values = [before, now, *(random.normal(size=shape) for shape in shapes[2:])]
    return [tf.constant(value) for value in values]


@pytest.mark.parametrize("few", [0.0, 2.0], ids=["all multiplied", "changes added"])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("compiled", [False, True])
def test_what_follows_a_change_is_the_projection_and_so_is_its_gradient(
    monkeypatch, few, share, compiled
):
    monkeypatch.setattr(sparse, "_FEW", few)
    before, now, *parameters, one, other = projection(share=share)
    kernels, biases = parameters[:2], parameters[2:]
    given = [before @ kernel + bias for kernel, bias in zip(kernels, biases)]

    def followed(now, *parameters):
        return project_change(given, before, now, parameters[:2], parameters[2:])

    def projected(now, *parameters):
        return [now @ kernel + bias for kernel, bias in zip(parameters[:2], parameters[2:])]

    found = []
    for function in (tf.function(followed) if compiled else followed, projected):
        with tf.GradientTape() as tape:
            tape.watch([now, *parameters])
            first, second = function(now, *parameters)
            total = tf.reduce_sum(first * one) + tf.reduce_sum(second * other)
        found.append([first, second, *tape.gradient(total, [now, *parameters])])
    for ours, theirs in zip(*found):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_only_what_changed_is_added_where_little_did(monkeypatch):
    monkeypatch.setattr(sparse, "_FEW", 0.5)
    before, now = tf.zeros([2, R]), tf.constant([[1.0] + [0.0] * (R - 1), [0.0] * R])
    kernel, wrong = (
        tf.ones([R, D]),
        tf.constant([[100.0] * D, [7.0] * D]),
    )  # what was given is kept, so that a wrong start shows
    assert np.array_equal(
        project_change([wrong], before, now, [kernel], [tf.zeros([D])])[0], [[101.0] * D, [7.0] * D]
    )
    assert np.array_equal(
        project_change([wrong], before, tf.ones([2, R]), [kernel], [tf.zeros([D])])[0],
        np.full((2, D), R),
    )
