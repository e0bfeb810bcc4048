"""Causal convolution and its maximum over time, in one operation whose gradient costs next to nothing, and block by block, for prefixes."""

import tensorflow as tf

from tfseqgan.ops.sparse import sparse_matrix, sparse_product, transposed
from tfseqgan.ops.spectra import convolve_by_spectra

_LONG = 16
"""Filters of so many steps and more are convolved by their spectra, in float32 on CPUs (docs/performance.md)."""


_STEPS = 5
"""So many steps of a filter get their gradients at a time: what they saw and what they weigh stays in the cache (docs/performance.md)."""


def _windows(vectors, width):
    """Returns each `width` vectors that follow one another: float [B, T + width − 1, D] → [B·T, width·D]."""
    return tf.reshape(tf.signal.frame(vectors, width, 1, axis=1), [-1, width * vectors.shape[2]])


def _reached(steps, upstream, length):
    """Returns which step's response each filter's gradient reaches: int32 and float [B, F], T → sparse [F, B·T]."""
    batch, filters = tf.shape(steps)[0], steps.shape[1]
    firsts = tf.range(batch)[:, None] * length  # [B, 1]
    places, values = (
        tf.reshape(tf.transpose(part), [-1])
        for part in (firsts + steps, tf.cast(upstream, tf.float32))
    )  # [F·B]
    return sparse_matrix(
        tf.repeat(tf.range(filters), batch), places, values, [filters, batch * length]
    )


def _gradients(vectors, kernel, steps, upstream):
    """Returns the gradients with respect to vectors and kernel, where filter f of row b saw its maximum at step steps[b, f].

    Of the B·T·F responses B·F count, so that dense products would multiply zeros: 99 of 100 at the paper's sizes. They stand in a sparse matrix.
    """
    width, size, filters = kernel.shape
    length = tf.shape(vectors)[1]
    matrix = _reached(steps, upstream, length)  # [F, B·T]
    turned = transposed(matrix)
    padded = tf.pad(vectors, [[0, 0], [width - 1, 0], [0, 0]])
    to_weights, to_padded = [], []
    for first in range(0, width, _STEPS):
        count = min(_STEPS, width - first)
        seen = padded[:, first : first + length + count - 1]
        to_weights.append(sparse_product(matrix, _windows(seen, count)))  # [F, count·D]
        weights = tf.transpose(
            tf.reshape(kernel[first : first + count], [count * size, filters])
        )  # [F, count·D]
        to_windows = tf.reshape(
            sparse_product(turned, weights), [-1, length, count, size]
        )  # [B, T, count, D]
        to_padded += [
            tf.pad(to_windows[:, :, i], [[0, 0], [first + i, width - 1 - first - i], [0, 0]])
            for i in range(count)
        ]
    to_kernel = tf.reshape(tf.transpose(tf.concat(to_weights, axis=1)), kernel.shape)
    return tf.cast(tf.add_n(to_padded)[:, width - 1 :], vectors.dtype), tf.cast(
        to_kernel, kernel.dtype
    )


def _masked(responses, mask):
    """Returns responses, the lowest number where a step does not count; a mask of None counts all."""
    if mask is None:
        return responses
    return responses + tf.where(mask > 0, tf.zeros([], responses.dtype), responses.dtype.min)


def _responses(vectors, kernel, mask):
    """Returns what each filter answers at each step, the lowest number where a step does not count: [B, T, D] → [B, T, F]."""
    padded = tf.pad(vectors, [[0, 0], [kernel.shape[0] - 1, 0], [0, 0]])
    return _masked(
        tf.nn.conv1d(padded, kernel, stride=1, padding="VALID"),
        None if mask is None else mask[:, :, None],
    )


def _by_spectra(vectors, kernel):
    """Returns whether a kernel's responses come from spectra."""
    return (
        _LONG <= kernel.shape[0] <= (vectors.shape[1] or 0)
        and kernel.dtype == tf.float32
        and not tf.config.list_physical_devices("GPU")
    )


def _largest(vectors, kernel, mask):
    """Returns the largest responses, [B, F], and a function that tells the steps of the first of them, int32 [B, F]."""
    if not _by_spectra(vectors, kernel):
        responses = _responses(vectors, kernel, mask)  # [B, T, F]
        return tf.reduce_max(responses, axis=1), lambda: tf.argmax(
            responses, axis=1, output_type=tf.int32
        )
    by_filter = _masked(convolve_by_spectra(vectors, kernel), mask)  # [F, B, T]
    return tf.transpose(tf.reduce_max(by_filter, axis=2)), lambda: tf.transpose(
        tf.argmax(by_filter, axis=2, output_type=tf.int32)
    )


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
        steps = tf.transpose(
            _masked(convolve_by_spectra(vectors, kernel), mask), [2, 1, 0]
        )  # [T, B, F]
    else:
        steps = tf.transpose(_responses(vectors, kernel, mask), [1, 0, 2])  # [T, B, F]
    if every == 1:
        return steps
    steps = tf.pad(
        steps, [[0, -tf.shape(steps)[0] % every], [0, 0], [0, 0]], constant_values=steps.dtype.min
    )
    return tf.reduce_max(tf.reshape(steps, [-1, every, tf.shape(steps)[1], steps.shape[2]]), axis=1)
