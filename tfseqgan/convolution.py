"""Causal convolution and its maximum over time, in one operation whose gradient costs next to nothing, and block by block, for prefixes."""

import tensorflow as tf

from tfseqgan.sparse import sparse_matrix, sparse_product, transposed
from tfseqgan.spectra import convolve_by_spectra

_LONG = 16
"""Filters of so many steps and more are convolved by their spectra, in float32 on CPUs (docs/performance.md)."""


def _windows(vectors, width):
    """Returns what a causal filter sees at each step, zeros before the first: float [B, T, D] → [B·T, width·D]."""
    padded = tf.pad(vectors, [[0, 0], [width - 1, 0], [0, 0]])
    return tf.reshape(tf.signal.frame(padded, width, 1, axis=1), [-1, width * vectors.shape[2]])


def _sum_windows(windows, shape, width):
    """Adds up what windows say of each vector, the transpose of `_windows`: float [B·T, width·D] → [B, T, D]."""
    batch, length, size = tf.unstack(shape)
    parts = tf.reshape(windows, [batch, length, width, size])
    return tf.add_n([tf.pad(parts[:, :, i], [[0, 0], [i, width - 1 - i], [0, 0]]) for i in range(width)])[:, width - 1 :]


def _gradients(vectors, kernel, steps, upstream):
    """Returns the gradients with respect to vectors and kernel, where filter f of row b saw its maximum at step steps[b, f].

    Of the B·T·F responses B·F count, so that dense products would multiply zeros: 99 of 100 at the paper's sizes. They stand in a sparse matrix.
    """
    width, size, filters = kernel.shape
    batch, length = tf.unstack(tf.shape(vectors)[:2])
    firsts = tf.range(batch)[:, None] * length  # [B, 1], each sequence's first row of the windows
    places, values = (tf.reshape(tf.transpose(part), [-1]) for part in (firsts + steps, tf.cast(upstream, tf.float32)))  # [F·B]
    matrix = sparse_matrix(tf.repeat(tf.range(filters), batch), places, values, [filters, batch * length])
    to_kernel = sparse_product(matrix, _windows(vectors, width))  # [F, width·D]
    flat = tf.transpose(tf.reshape(kernel, [width * size, filters]))  # [F, width·D]
    to_windows = sparse_product(transposed(matrix), flat)  # [B·T, width·D]
    to_vectors = _sum_windows(to_windows, tf.shape(vectors), width)
    return tf.cast(to_vectors, vectors.dtype), tf.cast(tf.reshape(tf.transpose(to_kernel), kernel.shape), kernel.dtype)


def _masked(responses, mask):
    """Returns responses, the lowest number where a step does not count; a mask of None counts all."""
    if mask is None:
        return responses
    return responses + tf.where(mask > 0, tf.zeros([], responses.dtype), responses.dtype.min)


def _responses(vectors, kernel, mask):
    """Returns what each filter answers at each step, the lowest number where a step does not count: [B, T, D] → [B, T, F]."""
    padded = tf.pad(vectors, [[0, 0], [kernel.shape[0] - 1, 0], [0, 0]])
    return _masked(tf.nn.conv1d(padded, kernel, stride=1, padding="VALID"), None if mask is None else mask[:, :, None])


def _by_spectra(vectors, kernel):
    """Returns whether a kernel's responses come from spectra."""
    return _LONG <= kernel.shape[0] <= (vectors.shape[1] or 0) and kernel.dtype == tf.float32 and not tf.config.list_physical_devices("GPU")


def _largest(vectors, kernel, mask):
    """Returns the largest responses, [B, F], and a function that tells the steps of the first of them, int32 [B, F]."""
    if not _by_spectra(vectors, kernel):
        responses = _responses(vectors, kernel, mask)  # [B, T, F]
        return tf.reduce_max(responses, axis=1), lambda: tf.argmax(responses, axis=1, output_type=tf.int32)
    by_filter = _masked(convolve_by_spectra(vectors, kernel), mask)  # [F, B, T]
    return tf.transpose(tf.reduce_max(by_filter, axis=2)), lambda: tf.transpose(tf.argmax(by_filter, axis=2, output_type=tf.int32))


def causal_max(vectors, kernel, mask=None):
    """Returns each filter's largest response over the steps that count.

        fₖ = max_{t: mₜ = 1} Σ_{i<W} ⟨kernel[i, :, k], vectors[t − W + 1 + i]⟩,   vectors before the first are zero

    The gradient reaches one window a filter and row, the first one of the largest response, by a product with a sparse matrix; long filters are
    convolved by their spectra (`spectra`), where equal windows' responses differ by rounding. At the paper's sizes forward and backward together
    take 0.4 of the time of TensorFlow's own on two CPU cores (benchmarks/decisions.py). The second derivative is not defined. Where there is a GPU,
    which is fastest at dense products, convolution and gradient are TensorFlow's own.

    Args:
        vectors: float [B, T, D].
        kernel: float [W, D, F].
        mask: float [B, T], 1 where a step counts, which the first one does, or None where all do.

    Returns:
        float [B, F].

    Example:
        >>> causal_max(tf.constant([[[1.0], [3.0], [-5.0]]]), tf.constant([[[1.0, 0.0]], [[1.0, -1.0]]]), tf.ones([1, 3])).numpy().tolist()
        [[4.0, 5.0]]
    """
    if tf.config.list_physical_devices("GPU"):
        return tf.reduce_max(_responses(vectors, kernel, mask), axis=1)

    @tf.custom_gradient
    def maximum(vectors, kernel):
        largest, steps = _largest(vectors, kernel, mask)
        return largest, lambda upstream: _gradients(vectors, kernel, steps(), upstream)

    return maximum(*map(tf.convert_to_tensor, (vectors, kernel)))


def causal_responses(vectors, kernel, mask=None, every=1):
    """Returns each filter's largest response in each block of `every` steps, time first: the maximum over the first of them is what `causal_max` gives
    for that prefix, but for the last digits.

        rₚₖ = max_{p·every ≤ t < (p + 1)·every: mₜ = 1} Σ_{i<W} ⟨kernel[i, :, k], vectors[t − W + 1 + i]⟩

    Args:
        vectors: float [B, T, D].
        kernel: float [W, D, F].
        mask: float [B, T], 1 where a step counts, which the first one does, or None where all do.
        every: how many steps a block has; the last one takes what is left.

    Returns:
        float [⌈T / every⌉, B, F]; where no step of a block counts, the lowest number.

    Example:
        >>> causal_responses(tf.constant([[[1.0], [3.0], [-5.0]]]), tf.constant([[[1.0]]]), tf.ones([1, 3]), every=2).numpy().ravel().tolist()
        [3.0, -5.0]
    """
    kernel = tf.convert_to_tensor(kernel)
    if _by_spectra(vectors, kernel):
        steps = tf.transpose(_masked(convolve_by_spectra(vectors, kernel), mask), [2, 1, 0])  # [T, B, F]
    else:
        steps = tf.transpose(_responses(vectors, kernel, mask), [1, 0, 2])  # [T, B, F]
    if every == 1:
        return steps
    steps = tf.pad(steps, [[0, -tf.shape(steps)[0] % every], [0, 0], [0, 0]], constant_values=steps.dtype.min)
    return tf.reduce_max(tf.reshape(steps, [-1, every, tf.shape(steps)[1], steps.shape[2]]), axis=1)
