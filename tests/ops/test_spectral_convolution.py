"""Convolution by spectra equals the direct one, whatever the length, the width and the blocks; its transforms are those of NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.ops.spectra import _transforms, convolve_by_spectra

B, D, F = 3, 4, 5


@pytest.mark.parametrize(
    "length,width", [(1, 1), (7, 2), (7, 7), (5, 9), (43, 16), (100, 20), (101, 20), (230, 20)]
)
def test_it_is_the_direct_convolution(length, width):
    random = np.random.default_rng(length)
    vectors, kernel = (
        random.normal(size=(B, length, D)).astype(np.float32),
        random.normal(size=(width, D, F)).astype(np.float32),
    )
    padded = np.concatenate([np.zeros((B, width - 1, D)), vectors], axis=1)
    expected = np.stack(
        [np.einsum("bid,idf->bf", padded[:, t : t + width], kernel) for t in range(length)], axis=2
    )  # [B, F, T]
    found = convolve_by_spectra(tf.constant(vectors), tf.constant(kernel))
    np.testing.assert_allclose(found, expected.transpose(1, 0, 2), atol=2e-5)


@pytest.mark.parametrize("block,width", [(1, 1), (4, 3), (5, 3), (50, 20)])
def test_the_transforms_are_numpys(block, width):
    size = block + width - 1
    forward, backward = _transforms(block, width)
    values = np.random.default_rng(0).normal(size=size)
    spectrum = np.fft.rfft(values)
    np.testing.assert_allclose(
        forward @ values, np.stack([spectrum.real, spectrum.imag], axis=1).ravel(), atol=1e-5
    )
    np.testing.assert_allclose(backward.T @ (forward @ values), values[:block], atol=1e-5)


def test_a_graph_takes_any_number_of_sequences():
    compiled = tf.function(
        convolve_by_spectra,
        input_signature=[tf.TensorSpec([None, 43, D]), tf.TensorSpec([16, D, F])],
    )
    vectors, kernel = (
        tf.random.stateless_normal([7, 43, D], [0, 0]),
        tf.random.stateless_normal([16, D, F], [0, 1]),
    )
    together = compiled(vectors, kernel)
    assert together.shape == (F, 7, 43)
    assert compiled(vectors[:0], kernel).shape == (F, 0, 43)
    np.testing.assert_allclose(compiled(vectors[2:3], kernel)[:, 0], together[:, 2], atol=2e-5)
