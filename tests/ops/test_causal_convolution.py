"""Convolution and maximum as one operation: its values, its gradient, masks and precisions."""

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.ops.causal_convolution import causal_max, causal_responses

B, T, D, F = 3, 7, 4, 5

every_width = pytest.mark.parametrize(
    "width, length",
    [(1, T), (2, T), (3, T), (9, T), (16, 16), (17, 43), (20, T)],
)  # (16, 16) and (17, 43) are computed by spectra


def reference_max(vectors, kernel, mask):
    """Computes `causal_max` with TensorFlow's own convolution and maximum."""
    padded = tf.pad(vectors, [[0, 0], [len(kernel) - 1, 0], [0, 0]])
    responses = tf.nn.conv1d(padded, kernel, stride=1, padding="VALID")
    return tf.reduce_max(tf.where(mask[:, :, None] > 0, responses, -np.inf), axis=1)


def loop_max(vectors, kernel, mask):
    """Computes `causal_max` in NumPy, one response after the other."""
    width, _, filters = kernel.shape
    largest = np.full((len(vectors), filters), -np.inf)
    for b, t in np.argwhere(mask):
        seen = [i for i in range(width) if t - width + 1 + i >= 0]
        response = sum(vectors[b, t - width + 1 + i] @ kernel[i] for i in seen)
        largest[b] = np.maximum(largest[b], response)

    return largest


def random_inputs(width, length=T, seed=0):
    """Returns vectors float32 [B, length, D], a kernel [width, D, F] and a mask [B, length]."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(B, length, D)).astype(np.float32)
    kernel = rng.normal(size=(width, D, F)).astype(np.float32)
    lengths = rng.integers(1, length + 1, size=(B, 1))
    mask = (np.arange(length) < lengths).astype(np.float32)

    return tf.constant(vectors), tf.constant(kernel), tf.constant(mask)


def value_and_gradients(function, vectors, kernel, mask):
    """Returns the maxima and the gradients of a weighted sum of them: of vectors, of kernel."""
    weights = tf.constant(np.random.default_rng(2).normal(size=(B, F)), vectors.dtype)
    with tf.GradientTape() as tape:
        tape.watch([vectors, kernel])
        largest = function(vectors, kernel, mask)
        total = tf.reduce_sum(weights * largest)

    return [largest, *tape.gradient(total, [vectors, kernel])]


@every_width
def test_the_maximum_equals_the_loop_written_out(width, length):
    vectors, kernel, mask = random_inputs(width, length)

    found = causal_max(vectors, kernel, mask)

    expected = loop_max(vectors.numpy(), kernel.numpy(), mask.numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@every_width
def test_the_maximum_and_its_gradient_equal_tensorflows_own(width, length):
    inputs = random_inputs(width, length, seed=1)

    found = value_and_gradients(causal_max, *inputs)

    expected = value_and_gradients(reference_max, *inputs)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_steps_that_do_not_count_have_neither_response_nor_gradient():
    vectors, kernel, _ = random_inputs(2)
    mask = tf.constant([[1.0, 1, 1, 0, 0, 0, 0]] * B)

    largest, vector_gradient, _ = value_and_gradients(causal_max, vectors, kernel, mask)

    of_three_steps = causal_max(vectors[:, :3], kernel, mask[:, :3])
    np.testing.assert_array_equal(largest, of_three_steps)
    assert not np.any(vector_gradient[:, 3:])


@every_width
def test_without_a_mask_every_step_counts(width, length):
    vectors, kernel, _ = random_inputs(width, length)

    found = causal_max(vectors, kernel)

    np.testing.assert_array_equal(found, causal_max(vectors, kernel, tf.ones([B, length])))


@pytest.mark.slow
def test_a_graph_of_any_length_accepts_long_filters():
    vectors, kernel, _ = random_inputs(17, length=43)
    signature = [tf.TensorSpec([None, None, D]), tf.TensorSpec([17, D, F])]
    compiled = tf.function(causal_max, input_signature=signature)

    found = compiled(vectors, kernel)

    np.testing.assert_allclose(found, causal_max(vectors, kernel), rtol=1e-5, atol=1e-5)


def test_of_equal_responses_the_first_one_gets_the_gradient():
    vectors = tf.ones([1, 4, 1])
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        largest = causal_max(vectors, tf.ones([1, 1, 1]), tf.ones([1, 4]))

    gradient = tape.gradient(largest, vectors)

    assert gradient.numpy().ravel().tolist() == [1, 0, 0, 0]


@pytest.mark.slow
def test_the_gradient_is_the_same_to_the_bit_each_time():
    rng = np.random.default_rng(3)
    vectors = tf.constant(rng.normal(size=(32, 100, 16)), tf.float32)
    kernel = tf.Variable(rng.normal(size=(20, 16, 600)), dtype=tf.float32)

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            total = tf.reduce_sum(causal_max(vectors, kernel, tf.ones([32, 100])) ** 2)
        return tape.gradient(total, [vectors, kernel])

    first = gradients()
    for _ in range(10):
        for expected, found in zip(first, gradients(), strict=True):
            np.testing.assert_array_equal(expected, found)


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float64])
@pytest.mark.parametrize("width", [2, 16])
def test_values_and_gradients_keep_the_dtype_of_the_inputs(dtype, width):
    inputs = [tf.cast(part, dtype) for part in random_inputs(width, length=19)]

    found = value_and_gradients(causal_max, *inputs)

    assert [part.dtype for part in found] == [dtype] * 3


def test_the_way_of_a_gpu_gives_the_same_values_and_gradients(monkeypatch):
    inputs = random_inputs(3, seed=4)
    on_cpu = value_and_gradients(causal_max, *inputs)

    monkeypatch.setattr("tfseqgan.ops.causal_convolution.has_gpu", lambda: True)
    on_gpu = value_and_gradients(causal_max, *inputs)

    for ours, theirs in zip(on_cpu, on_gpu, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("width, length", [(2, 7), (4, 3), (16, 19)])
def test_the_largest_of_the_first_responses_is_the_maximum_of_that_prefix(width, length):
    vectors, kernel, mask = random_inputs(width, length)

    responses = causal_responses(vectors, kernel, mask)

    assert responses.shape == [B, length, F]
    for t in range(1, length + 1):
        largest = tf.reduce_max(responses[:, :t], axis=1)
        expected = causal_max(vectors[:, :t], kernel, mask[:, :t])
        np.testing.assert_allclose(largest, expected, rtol=1e-5, atol=1e-5)
