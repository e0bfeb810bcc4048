"""The fused convolution and maximum: a slow NumPy twin, TensorFlow's own gradient, masks, and the same bits each time."""

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.ops.causal_convolution import causal_max, causal_responses


def _inputs(width, batch=3, length=7, size=4, filters=5, seed=0):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(batch, length, size)).astype(np.float32)
    kernel = random.normal(size=(width, size, filters)).astype(np.float32)
    mask = (np.arange(length) < random.integers(1, length + 1, size=(batch, 1))).astype(np.float32)
    return vectors, kernel, mask


def _by_hand(vectors, kernel, mask):
    width, (batch, length, _), filters = len(kernel), vectors.shape, kernel.shape[2]
    best = np.full((batch, filters), -np.inf)
    for b in range(batch):
        for t in range(length):
            seen = [i for i in range(width) if t - width + 1 + i >= 0]
            response = sum(vectors[b, t - width + 1 + i] @ kernel[i] for i in seen)
            if mask[b, t]:
                best[b] = np.maximum(best[b], response)
    return best


def _plain(vectors, kernel, mask):
    responses = tf.nn.conv1d(
        tf.pad(vectors, [[0, 0], [len(kernel) - 1, 0], [0, 0]]), kernel, 1, "VALID"
    )
    return tf.reduce_max(tf.where(mask[:, :, None] > 0, responses, -np.inf), axis=1)


widths = pytest.mark.parametrize(
    "width,length", [(1, 7), (2, 7), (3, 7), (9, 7), (16, 16), (17, 43), (20, 7)]
)  # from 16 on by their spectra, but the last


@widths
def test_the_maximum_equals_the_loop_written_out(width, length):
    inputs = _inputs(width, length=length)
    np.testing.assert_allclose(
        causal_max(*map(tf.constant, inputs)), _by_hand(*inputs), rtol=1e-5, atol=1e-5
    )


@widths
def test_the_gradient_equals_tensorflows_own(width, length):
    vectors, kernel, mask = map(tf.constant, _inputs(width, length=length, seed=1))
    weights = tf.constant(np.random.default_rng(2).normal(size=(3, 5)).astype(np.float32))
    found = []
    for function in (causal_max, _plain):
        with tf.GradientTape() as tape:
            tape.watch([vectors, kernel])
            value = tf.reduce_sum(weights * function(vectors, kernel, mask))
        found.append(tape.gradient(value, [vectors, kernel]))
    for ours, theirs in zip(*found):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_steps_that_do_not_count_have_neither_response_nor_gradient():
    vectors, kernel, _ = map(tf.constant, _inputs(2))
    mask = tf.constant([[1.0, 1, 1, 0, 0, 0, 0]] * 3)
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        value = causal_max(vectors, kernel, mask)
    np.testing.assert_array_equal(value, causal_max(vectors[:, :3], kernel, mask[:, :3]))
    assert not np.any(tape.gradient(value, vectors)[:, 3:])


@widths
def test_without_a_mask_every_step_counts(width, length):
    vectors, kernel, _ = map(tf.constant, _inputs(width, length=length))
    np.testing.assert_array_equal(
        causal_max(vectors, kernel), causal_max(vectors, kernel, tf.ones([3, length]))
    )


def test_a_graph_of_any_length_takes_long_filters_too():
    compiled = tf.function(
        causal_max, input_signature=[tf.TensorSpec([None, None, 4]), tf.TensorSpec([17, 4, 5])]
    )
    vectors, kernel, _ = map(tf.constant, _inputs(17, length=43))
    np.testing.assert_allclose(
        compiled(vectors, kernel), causal_max(vectors, kernel), rtol=1e-5, atol=1e-5
    )


def test_equal_responses_give_the_gradient_to_the_first():
    vectors, kernel = tf.ones([1, 4, 1]), tf.ones([1, 1, 1])
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        value = causal_max(vectors, kernel, tf.ones([1, 4]))
    assert tape.gradient(value, vectors).numpy().ravel().tolist() == [1, 0, 0, 0]


def test_the_gradient_is_the_same_to_the_bit_each_time():
    random = np.random.default_rng(3)
    vectors = tf.constant(random.normal(size=(32, 100, 16)).astype(np.float32))
    kernel = tf.Variable(random.normal(size=(20, 16, 600)).astype(np.float32))

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            value = tf.reduce_sum(causal_max(vectors, kernel, tf.ones([32, 100])) ** 2)
        return tape.gradient(value, [vectors, kernel])

    first = gradient()
    for _ in range(10):
        for one, other in zip(first, gradient()):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float64])
@pytest.mark.parametrize("width", [2, 16])
def test_other_precisions_pass_through(dtype, width):
    vectors, kernel, mask = (tf.cast(part, dtype) for part in _inputs(width, length=19))
    with tf.GradientTape() as tape:
        tape.watch([vectors, kernel])
        value = causal_max(vectors, kernel, mask)
    gradients = tape.gradient(value, [vectors, kernel])
    assert [part.dtype for part in (value, *gradients)] == [dtype] * 3


def test_where_there_is_a_gpu_the_gradient_is_tensorflows_own_and_the_same(monkeypatch):
    vectors, kernel, mask = map(tf.constant, _inputs(3, seed=4))
    found = []
    for devices in ([], ["a GPU"]):
        monkeypatch.setattr(
            tf.config, "list_physical_devices", lambda kind, devices=devices: devices
        )
        with tf.GradientTape() as tape:
            tape.watch([vectors, kernel])
            value = tf.reduce_sum(causal_max(vectors, kernel, mask) ** 2)
        found.append([value, *tape.gradient(value, [vectors, kernel])])
    for ours, theirs in zip(*found):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("width,length", [(2, 7), (4, 3), (16, 19)])
@pytest.mark.parametrize("every", [1, 2, 3, 50])
def test_the_maximum_of_the_first_blocks_is_that_of_their_prefix(width, length, every):
    vectors, kernel, mask = map(tf.constant, _inputs(width, length=length))
    blocks = causal_responses(vectors, kernel, mask, every)
    assert blocks.shape == [-(-length // every), vectors.shape[0], kernel.shape[2]]
    for block in range(blocks.shape[0]):
        until = (block + 1) * every
        expected = causal_max(vectors[:, :until], kernel, mask[:, :until])
        np.testing.assert_allclose(
            tf.reduce_max(blocks[: block + 1], axis=0), expected, rtol=1e-5, atol=1e-5
        )
