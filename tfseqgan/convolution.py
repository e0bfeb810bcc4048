"""Causal convolution and its maximum over time, in one operation whose gradient costs next to nothing, and of every prefix at once."""

import tensorflow as tf


def _windows(vectors, width):
    """Returns what a causal filter sees at each step, zeros before the first: float [B, T, D] → [B·T, width·D]."""
    batch, length, size = tf.unstack(tf.shape(vectors))
    padded = tf.pad(vectors, [[0, 0], [width - 1, 0], [0, 0]])
    return tf.reshape(tf.concat([padded[:, i : i + length] for i in range(width)], axis=2), [batch * length, width * size])


def _sum_windows(windows, shape, width):
    """Adds up what windows say of each vector, the transpose of `_windows`: float [B·T, width·D] → [B, T, D]."""
    batch, length, size = tf.unstack(shape)
    parts = tf.reshape(windows, [batch, length, width, size])
    return tf.add_n([tf.pad(parts[:, :, i], [[0, 0], [i, width - 1 - i], [0, 0]]) for i in range(width)])[:, width - 1 :]


def _sparse_product(rows, columns, values, num_rows, dense):
    """Returns the product of a sparse matrix, given by its entries in order, and a dense one: float32 [num_rows, N].

    The kernel's own transposition would add up in the order in which its threads end, so that no two runs were the same.
    """
    indices = tf.cast(tf.stack([rows, columns], axis=1), tf.int64)
    shape = tf.cast(tf.stack([num_rows, tf.shape(dense)[0]]), tf.int64)
    sparse = tf.raw_ops.SparseTensorToCSRSparseMatrix(indices=indices, values=values, dense_shape=shape)
    return tf.raw_ops.SparseMatrixMatMul(a=sparse, b=tf.cast(dense, tf.float32))


def _gradients(vectors, kernel, steps, upstream):
    """Returns the gradients with respect to vectors and kernel, where filter f of row b saw its maximum at step steps[b, f].

    Of the B·T·F responses B·F count, so that dense products would multiply zeros: 99 of 100 at the paper's sizes. They stand in a sparse matrix.
    """
    width, size, filters = kernel.shape
    batch, length = tf.unstack(tf.shape(vectors)[:2])
    places = tf.reshape(tf.transpose(tf.range(batch)[:, None] * length + steps), [-1])  # [F·B], rows of the windows
    owners = tf.repeat(tf.range(filters), batch)  # [F·B]
    values = tf.reshape(tf.transpose(tf.cast(upstream, tf.float32)), [-1])  # [F·B]
    flat = tf.transpose(tf.reshape(kernel, [width * size, filters]))  # [F, width·D]
    to_kernel = _sparse_product(owners, places, values, filters, _windows(vectors, width))  # [F, width·D]
    order = tf.argsort(places, stable=True)
    to_windows = _sparse_product(*(tf.gather(part, order) for part in (places, owners, values)), batch * length, flat)  # [B·T, width·D]
    to_vectors = _sum_windows(to_windows, tf.shape(vectors), width)
    return tf.cast(to_vectors, vectors.dtype), tf.cast(tf.reshape(tf.transpose(to_kernel), kernel.shape), kernel.dtype)


def _responses(vectors, kernel, mask):
    """Returns what each filter answers at each step, the lowest number where a step does not count: [B, T, D] → [B, T, F]."""
    padded = tf.pad(vectors, [[0, 0], [kernel.shape[0] - 1, 0], [0, 0]])
    responses = tf.nn.conv1d(padded, kernel, stride=1, padding="VALID")  # [B, T, F]
    return responses + tf.where(mask[:, :, None] > 0, tf.zeros([], responses.dtype), responses.dtype.min)


@tf.custom_gradient
def _causal_max(vectors, kernel, mask):
    responses = _responses(vectors, kernel, mask)  # [B, T, F]

    def gradient(upstream):
        steps = tf.argmax(responses, axis=1, output_type=tf.int32)  # [B, F]
        return *_gradients(vectors, kernel, steps, upstream), None

    return tf.reduce_max(responses, axis=1), gradient


def causal_max(vectors, kernel, mask):
    """Returns each filter's largest response over the steps that count.

        fₖ = max_{t: mₜ = 1} Σ_{i<W} ⟨kernel[i, :, k], vectors[t − W + 1 + i]⟩,   vectors before the first are zero

    The gradient reaches one window a filter and row, the first one of the largest response, by a product with a sparse matrix. At the paper's
    sizes forward and backward together take 0.55 of the time of TensorFlow's own gradient on two CPU cores (benchmarks/decisions.py). The second
    derivative is not defined. Where there is a GPU, which is fastest at dense products, the gradient is TensorFlow's own.

    Args:
        vectors: float [B, T, D].
        kernel: float [W, D, F].
        mask: float [B, T], 1 where a step counts, which the first one does.

    Returns:
        float [B, F].

    Example:
        >>> causal_max(tf.constant([[[1.0], [3.0], [-5.0]]]), tf.constant([[[1.0, 0.0]], [[1.0, -1.0]]]), tf.ones([1, 3])).numpy().tolist()
        [[4.0, 5.0]]
    """
    arguments = map(tf.convert_to_tensor, (vectors, kernel, mask))
    if tf.config.list_physical_devices("GPU"):
        return tf.reduce_max(_responses(*arguments), axis=1)
    return _causal_max(*arguments)


def causal_running_max(vectors, kernel, mask, every=1):
    """Returns each filter's largest response so far, after every `every`-th step and after the last: what `causal_max` gives for each of these prefixes,
    from one convolution.

        fₜₖ = max_{s ≤ t: mₛ = 1} Σ_{i<W} ⟨kernel[i, :, k], vectors[s − W + 1 + i]⟩

    Args:
        vectors: float [B, T, D].
        kernel: float [W, D, F].
        mask: float [B, T], 1 where a step counts, which the first one does.
        every: how many steps from one prefix to the next.

    Returns:
        float [B, ⌈T / every⌉, F].

    Example:
        >>> causal_running_max(tf.constant([[[1.0], [3.0], [-5.0]]]), tf.constant([[[1.0]]]), tf.ones([1, 3])).numpy().ravel().tolist()
        [1.0, 3.0, 3.0]
    """
    steps = tf.transpose(_responses(vectors, tf.convert_to_tensor(kernel), mask), [1, 0, 2])  # [T, B, F]
    spare = -tf.shape(steps)[0] % every
    steps = tf.pad(steps, [[0, spare], [0, 0], [0, 0]], constant_values=steps.dtype.min)
    blocks = tf.reshape(steps, [-1, every, tf.shape(steps)[1], steps.shape[2]])  # [P, every, B, F]
    return tf.transpose(tf.scan(tf.maximum, tf.reduce_max(blocks, axis=1)), [1, 0, 2])
