"""Products with sparse matrices that add up in one order each time: rows of a table with such a gradient, and products of what changes little."""

import tensorflow as tf


def sparse_matrix(rows, columns, values, shape):
    """Returns a sparse matrix of its entries, as TensorFlow's kernels take it.

    Args:
        rows: int32 [N], in ascending order.
        columns: int32 [N].
        values: float [N]; in float64 products are computed in float64, in any other dtype in float32.
        shape: the numbers of rows and columns, M and K.
    """
    values = values if values.dtype == tf.float64 else tf.cast(values, tf.float32)
    indices = tf.cast(tf.stack([rows, columns], axis=1), tf.int64)
    return tf.raw_ops.SparseTensorToCSRSparseMatrix(
        indices=indices, values=values, dense_shape=tf.cast(tf.stack(shape), tf.int64)
    )


def transposed(matrix, dtype=tf.float32):
    """Returns the transpose of a sparse matrix of float32 or of `dtype`.

    The product's own transposition would add up in the order in which its threads end, so that no two runs were the same.
    """
    return tf.raw_ops.SparseMatrixTranspose(input=matrix, type=dtype)


def sparse_product(matrix, dense, dtype=tf.float32):
    """Returns the product of a sparse matrix of float32 or of `dtype` and a dense one: float [M, D] of that dtype.

    Args:
        matrix: from `sparse_matrix`, [M, K].
        dense: float [K, D].
        dtype: float32, or float64 where the matrix' values are.

    Example:
        >>> matrix = sparse_matrix([0, 0, 2], [1, 0, 1], tf.constant([1.0, 2.0, 3.0]), [3, 2])
        >>> sparse_product(matrix, tf.constant([[10.0], [1.0]])).numpy().ravel().tolist()
        [21.0, 0.0, 3.0]
        >>> sparse_product(transposed(matrix), tf.constant([[1.0], [10.0], [100.0]])).numpy().ravel().tolist()
        [2.0, 301.0]
    """
    return tf.raw_ops.SparseMatrixMatMul(a=matrix, b=tf.cast(dense, dtype))


def add_rows(slices, places, count):
    """Returns the sum of the slices at each place, by a sparse product that adds up in one order; on a GPU by TensorFlow's segment sum.

    Args:
        slices: float [N, D]; summed in float64 if they are float64, else in float32: a sum of many bfloat16 would stop growing.
        places: int32 [N], 0 to `count` − 1.
        count: R.

    Returns:
        float [R, D], of the dtype of `slices`.

    Example:
        >>> add_rows(tf.constant([[1.0], [2.0], [5.0]]), tf.constant([2, 0, 2]), 3).numpy().ravel().tolist()
        [2.0, 0.0, 6.0]
    """
    dtype, number = tf.float64 if slices.dtype == tf.float64 else tf.float32, tf.shape(slices)[0]
    if tf.config.list_physical_devices("GPU"):
        return tf.cast(
            tf.math.unsorted_segment_sum(tf.cast(slices, dtype), places, count), slices.dtype
        )
    taken = sparse_matrix(
        tf.range(number), places, tf.ones([number], dtype), [number, count]
    )  # [N, R]
    return tf.cast(sparse_product(transposed(taken, dtype), slices, dtype), slices.dtype)


@tf.custom_gradient
def take_rows(table, places):
    """Returns rows of a table, as `tf.gather` does, with a dense gradient from `add_rows`.

    Taking 12,800 rows of [3,219, 512] and adding up their gradients takes 0.8 of the time that it takes with `tf.gather` (benchmarks/decisions.py).

    Args:
        table: float [R, D].
        places: int32 [...], 0 to R − 1.

    Returns:
        float [..., D].

    Example:
        >>> table = tf.constant([[1.0], [2.0], [3.0]])
        >>> with tf.GradientTape() as tape:
        ...     tape.watch(table)
        ...     total = tf.reduce_sum(take_rows(table, tf.constant([2, 0, 2])))
        >>> tape.gradient(total, table).numpy().ravel().tolist()
        [1.0, 0.0, 2.0]
    """
    return tf.gather(table, places), lambda upstream: (
        add_rows(
            tf.reshape(upstream, [-1, table.shape[-1]]),
            tf.reshape(places, [-1]),
            tf.shape(table)[0],
        ),
        None,
    )


_FEW = 1 / 13
"""The share of changed entries below which a change is cheaper to add than everything to multiply anew (docs/performance.md)."""


def _changes(before, now):
    """Returns the difference as a sparse matrix, and whether few entries differ: float [N, D] each → [N, D], bool []."""
    difference, size = now - before, now.shape[1]
    changed = tf.where(difference)  # [number, 2]
    values = tf.gather(tf.reshape(difference, [-1]), changed[:, 0] * size + changed[:, 1])
    few = tf.cast(tf.shape(changed)[0], tf.float32) < _FEW * tf.cast(
        tf.size(difference), tf.float32
    )
    return lambda: sparse_matrix(
        changed[:, 0], changed[:, 1], values, [tf.shape(now)[0], size]
    ), few


def project_change(projected, before, now, kernels, biases):
    """Returns now · K + b for several kernels, given before · K + b: where few entries changed, by adding what the changes add.

    A value and a gradient are those of now · K + b, but for the last digits.

    Args:
        projected: list of float [N, F], before · K + b of each kernel.
        before: float [N, D].
        now: float [N, D], D known.
        kernels: list of float [D, F].
        biases: list of float [F].

    Returns:
        The list of float [N, F].

    Example:
        >>> before, kernel, bias = tf.constant([[1.0, 2.0]]), tf.constant([[1.0], [10.0]]), tf.constant([0.5])
        >>> project_change([before @ kernel + bias], before, tf.constant([[1.0, 3.0]]), [kernel], [bias])[0].numpy().tolist()
        [[31.5]]
    """

    @tf.custom_gradient
    def project(now, *kernels_and_biases):
        kernels, biases = kernels_and_biases[: len(projected)], kernels_and_biases[len(projected) :]
        difference, few = _changes(before, now)

        def add():
            changes = difference()
            return [
                given + sparse_product(changes, kernel, kernel.dtype)
                for given, kernel in zip(projected, kernels)
            ]

        def gradient(*upstream):
            to_now = tf.add_n(
                [
                    tf.matmul(part, kernel, transpose_b=True)
                    for part, kernel in zip(upstream, kernels)
                ]
            )
            return (
                to_now,
                *(tf.matmul(now, part, transpose_a=True) for part in upstream),
                *(tf.reduce_sum(part, axis=0) for part in upstream),
            )

        return tf.cond(
            few,
            add,
            lambda: [
                tf.nn.bias_add(tf.matmul(now, kernel), bias)
                for kernel, bias in zip(kernels, biases)
            ],
        ), gradient

    return project(now, *kernels, *biases)
