"""Causal convolution and its maximum over time, as one operation with a sparse gradient."""

import tensorflow as tf

from tfseqgan.ops.devices import has_gpu
from tfseqgan.ops.gradients import custom_gradient
from tfseqgan.ops.spectral_convolution import spectral_convolution

_LONG_FILTER = 16
"""Filters of this width or more are convolved by their spectra, in float32 on a CPU."""


def _mask_responses(responses, mask):
    """Sets responses at steps that do not count to the lowest number; a mask of None counts all."""
    if mask is None:
        return responses

    zero = tf.zeros([], responses.dtype)

    return responses + tf.where(mask > 0, zero, responses.dtype.min)


def causal_responses(
    vectors: tf.Tensor, kernel: tf.Tensor, mask: tf.Tensor | None = None
) -> tf.Tensor:
    """Computes the response of each filter at each step; a filter sees no later step.

        rₜₖ = Σ_{i<W} ⟨kernel[i, :, k], vectors[t − W + 1 + i]⟩

    Vectors before the first step are zero.

    Args:
        vectors: float [B, T, D].
        kernel: float [W, D, F].
        mask: float [B, T], 1 where a step counts, or None where all do.

    Returns:
        float [B, T, F]; the lowest number where a step does not count.

    Example:
        >>> vectors, kernel = tf.constant([[[1.0], [3.0]]]), tf.constant([[[10.0]], [[1.0]]])
        >>> causal_responses(vectors, kernel).numpy().ravel().tolist()
        [1.0, 13.0]
    """
    padded = tf.pad(vectors, [[0, 0], [kernel.shape[0] - 1, 0], [0, 0]])
    responses = tf.nn.conv1d(padded, kernel, stride=1, padding="VALID")
    # Of no rows, some kernels of TensorFlow return as many steps as there are in `padded`.
    responses = tf.reshape(responses, [*tf.unstack(tf.shape(vectors)[:2]), kernel.shape[2]])
    by_filter = None if mask is None else mask[:, :, None]

    return _mask_responses(responses, by_filter)


def _gradient_matrix(steps, upstream, length):
    """Returns where the gradient of each filter's maximum arrives, as a sparse float32 [F, B·T].

    Args:
        steps: int32 [B, F], the step of each maximum.
        upstream: float [B, F].
        length: T.
    """
    batch_size = tf.shape(steps)[0]
    filters = steps.shape[1]
    columns = tf.range(batch_size)[:, None] * length + steps  # [B, F]
    rows = tf.repeat(tf.range(filters), batch_size)

    indices = tf.stack([rows, tf.reshape(tf.transpose(columns), [-1])], axis=1)  # [F·B, 2]
    values = tf.reshape(tf.transpose(tf.cast(upstream, tf.float32)), [-1])

    return tf.raw_ops.SparseTensorToCSRSparseMatrix(
        indices=tf.cast(indices, tf.int64),
        values=values,
        dense_shape=tf.cast([filters, batch_size * length], tf.int64),
    )


def _sparse_matmul(matrix, dense):
    """Multiplies a sparse float32 [M, K] and a dense [K, N]."""
    return tf.raw_ops.SparseMatrixMatMul(a=matrix, b=tf.cast(dense, tf.float32))


def _gradients(vectors, kernel, steps, upstream):
    """Computes the gradients of the maxima with respect to vectors and kernel.

    Filter f of row b has its maximum at step steps[b, f]: of B·T·F responses only B·F carry a
    gradient, so that two products with one sparse matrix give both gradients.
    """
    width, size, filters = kernel.shape
    length = tf.shape(vectors)[1]
    matrix = _gradient_matrix(steps, upstream, length)  # [F, B·T]

    padded = tf.pad(vectors, [[0, 0], [width - 1, 0], [0, 0]])
    windows = tf.signal.frame(padded, width, 1, axis=1)  # [B, T, W, D]
    windows = tf.reshape(windows, [-1, width * size])
    kernel_gradient = _sparse_matmul(matrix, windows)  # [F, W·D]
    kernel_gradient = tf.reshape(tf.transpose(kernel_gradient), kernel.shape)

    # The transpose is an operation of its own: the one that the product offers adds up in the
    # order in which its threads finish, and no two runs would be the same.
    transposed = tf.raw_ops.SparseMatrixTranspose(input=matrix, type=tf.float32)  # [B·T, F]
    flat_kernel = tf.reshape(kernel, [width * size, filters])
    window_gradient = _sparse_matmul(transposed, tf.transpose(flat_kernel))  # [B·T, W·D]
    window_gradient = tf.reshape(window_gradient, [-1, length, width, size])

    shifted = [
        tf.pad(window_gradient[:, :, i], [[0, 0], [i, width - 1 - i], [0, 0]]) for i in range(width)
    ]
    vector_gradient = tf.add_n(shifted)[:, width - 1 :]

    return tf.cast(vector_gradient, vectors.dtype), tf.cast(kernel_gradient, kernel.dtype)


def _largest(vectors, kernel, mask):
    """Returns the largest responses float [B, F], and a function that finds their steps int32."""
    length = vectors.shape[1] or 0
    by_spectra = _LONG_FILTER <= kernel.shape[0] <= length and kernel.dtype == tf.float32

    if by_spectra:
        responses = _mask_responses(spectral_convolution(vectors, kernel), mask)  # [F, B, T]
        largest = tf.transpose(tf.reduce_max(responses, axis=2))

        return largest, lambda: tf.transpose(tf.argmax(responses, axis=2, output_type=tf.int32))

    responses = causal_responses(vectors, kernel, mask)  # [B, T, F]
    largest = tf.reduce_max(responses, axis=1)

    return largest, lambda: tf.argmax(responses, axis=1, output_type=tf.int32)


def causal_max(vectors: tf.Tensor, kernel: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """Computes each filter's largest response over the steps that count.

        fₖ = max_{t: mₜ = 1} Σ_{i<W} ⟨kernel[i, :, k], vectors[t − W + 1 + i]⟩

    The gradient reaches one window a filter and row, the first one with the largest response, by a
    product with a sparse matrix. Long filters are convolved by their spectra, where responses to
    equal windows differ by rounding. On a GPU, which is fastest at dense products, convolution and
    gradient are TensorFlow's own. The second derivative is not defined.

    Args:
        vectors: float [B, T, D]; vectors before the first are zero.
        kernel: float [W, D, F].
        mask: float [B, T], 1 where a step counts, as the first one always does, or None where all
            steps count.

    Returns:
        float [B, F].

    Example:
        >>> vectors = tf.constant([[[1.0], [3.0], [-5.0]]])
        >>> kernel = tf.constant([[[1.0, 0.0]], [[1.0, -1.0]]])
        >>> causal_max(vectors, kernel, tf.ones([1, 3])).numpy().tolist()
        [[4.0, 5.0]]
    """
    if has_gpu():
        return tf.reduce_max(causal_responses(vectors, kernel, mask), axis=1)

    @custom_gradient
    def maximum(vectors, kernel):
        largest, find_steps = _largest(vectors, kernel, mask)

        def gradient(upstream):
            return _gradients(vectors, kernel, find_steps(), upstream)

        return largest, gradient

    return maximum(tf.convert_to_tensor(vectors), tf.convert_to_tensor(kernel))
