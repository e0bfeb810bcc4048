"""Causal convolution with long filters by their spectra, in blocks of the sequence: a quarter of the direct products' operations at the paper's sizes."""

import functools

import numpy as np
import tensorflow as tf


@functools.cache
def _transforms(block, width):
    """Returns the matrices that take N = block + width − 1 steps to the real and imaginary parts of their spectrum, float32 [2K, N], and these back to
    the first `block` steps, float32 [2K, block], with K = ⌊N / 2⌋ + 1."""
    size = block + width - 1
    waves = np.outer(np.arange(size // 2 + 1), 2 * np.pi / size * np.arange(size))  # [K, N]
    parts = np.stack([np.cos(waves), -np.sin(waves)], axis=1).reshape(-1, size)  # [2K, N]
    twice = np.where(np.arange(size // 2 + 1) * 2 % size == 0, 1, 2).repeat(
        2
    )  # all coefficients but the first and, of an even size, the last stand for two
    return parts.astype(np.float32), (parts[:, :block] * twice[:, None] / size).astype(np.float32)


def _spectra_of_blocks(vectors, forward, block, width):
    """Returns the spectrum of each block with the steps before it, once as it is and once turned by a quarter: [B, T, D] → [K, 2, B·⌈T / block⌉, 2D]."""
    padded = tf.pad(vectors, [[0, 0], [width - 1, -vectors.shape[1] % block], [0, 0]])
    frames = tf.signal.frame(padded, block + width - 1, block, axis=1)  # [B, T / block, N, D]
    steps_first = tf.reshape(tf.transpose(frames, [2, 0, 1, 3]), [len(forward[0]), -1])
    spectra = tf.reshape(
        tf.matmul(forward, steps_first), [len(forward) // 2, 2, -1, vectors.shape[2]]
    )
    real, imaginary = tf.unstack(spectra, axis=1)  # [K, B·T / block, D]
    return tf.stack(
        [tf.concat([real, imaginary], axis=2), tf.concat([imaginary, -real], axis=2)], axis=1
    )


def convolve_by_spectra(vectors, kernel):
    """Returns what each filter answers at each step, as `tf.nn.conv1d` after `kernel.shape[0]` − 1 zeros does, but for the last digits.

        rₖₜ = Σ_{i<W} ⟨kernel[i, :, k], xₜ₋W₊₁₊ᵢ⟩ = Σ_d (F⁻¹ (F x_d ⊙ conj F kernel_dk))ₜ   within each block of m steps and the W − 1 before it

    A direct product takes 2WD operations for each answer, this one 4D (m + W − 1) / m + 2 (m + W): 1,280 and 317 at W 20, D 32, m 50. All
    transforms are matrix products.

    Args:
        vectors: float32 [B, T, D], T known.
        kernel: float32 [W, D, F].

    Returns:
        float32 [F, B, T].

    Example:
        >>> convolve_by_spectra(tf.constant([[[1.0], [3.0], [-5.0]]]), tf.constant([[[1.0]], [[10.0]]])).numpy().ravel().round(3).tolist()
        [10.0, 31.0, -47.0]

    Reference:
        Stockham 1966, "High-speed convolution and correlation".
    """
    length, (width, size, filters) = vectors.shape[1], kernel.shape
    block = -(-length // max(1, round(0.4 * length / width)))
    forward, backward = _transforms(block, width)
    of_kernel = tf.matmul(forward[:, :width], tf.reshape(kernel, [width, size * filters]))
    of_kernel = tf.reshape(of_kernel, [-1, 1, 2 * size, filters])  # [K, 1, 2D, F]
    products = tf.matmul(
        of_kernel,
        _spectra_of_blocks(vectors, forward, block, width),
        transpose_a=True,
        transpose_b=True,
    )  # [K, 2, F, B·T / block]
    answers = tf.matmul(
        tf.reshape(products, [len(backward), -1]), backward, transpose_a=True
    )  # [F·B·T / block, block]
    return tf.reshape(answers, [filters, tf.shape(vectors)[0], -(-length // block) * block])[
        :, :, :length
    ]
