"""Convolution by spectra equals the direct one, whatever the length, the width and the blocks."""

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.ops.spectral_convolution import _transforms, spectral_convolution

B, D, F = 3, 4, 5


def reference_convolution(vectors, kernel):
    """Computes the direct convolution: NumPy [B, T, D], [W, D, F] → [F, B, T]."""
    padded = np.pad(vectors, [(0, 0), (len(kernel) - 1, 0), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis=1)
    return np.einsum("btdi,idf->fbt", windows, kernel)


@pytest.mark.parametrize(
    "length, width",
    [(1, 1), (7, 2), (7, 7), (5, 9), (43, 16), (100, 20), (101, 20), (230, 20)],
)
def test_it_is_the_direct_convolution(length, width):
    rng = np.random.default_rng(length)
    vectors = rng.normal(size=(B, length, D)).astype(np.float32)
    kernel = rng.normal(size=(width, D, F)).astype(np.float32)

    found = spectral_convolution(tf.constant(vectors), tf.constant(kernel))

    np.testing.assert_allclose(found, reference_convolution(vectors, kernel), atol=2e-5)


@pytest.mark.parametrize("block, width", [(1, 1), (4, 3), (5, 3), (50, 20)])
def test_the_transforms_are_those_of_numpy(block, width):
    size = block + width - 1
    values = np.random.default_rng(0).normal(size=size)

    forward, backward = _transforms(block, width)

    spectrum = np.fft.rfft(values)
    parts = np.stack([spectrum.real, spectrum.imag], axis=1).ravel()
    np.testing.assert_allclose(forward @ values, parts, atol=1e-5)
    np.testing.assert_allclose(backward.T @ (forward @ values), values[:block], atol=1e-5)


def test_one_graph_takes_any_number_of_sequences():
    signature = [tf.TensorSpec([None, 43, D]), tf.TensorSpec([16, D, F])]
    compiled = tf.function(spectral_convolution, input_signature=signature)
    vectors = tf.random.stateless_normal([7, 43, D], [0, 0])
    kernel = tf.random.stateless_normal([16, D, F], [0, 1])

    together = compiled(vectors, kernel)

    assert together.shape == (F, 7, 43)
    assert compiled(vectors[:0], kernel).shape == (F, 0, 43)
    alone = compiled(vectors[2:3], kernel)
    np.testing.assert_allclose(alone[:, 0], together[:, 2], atol=2e-5)
