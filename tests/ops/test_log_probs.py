"""Log-probabilities of tokens: their definition, their gradient, and tokens that are unlikely."""

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.ops.log_probs import log_probs_at, token_log_probs

B, T, D, V = 3, 4, 5, 7


def reference_log_probs(outputs, kernel, bias, tokens):
    """Computes `token_log_probs` with TensorFlow's own operations."""
    return tf.gather(tf.nn.log_softmax(outputs @ kernel + bias), tokens, batch_dims=2)


def random_layer(scale=3.0):
    """Returns outputs [B, T, D], a kernel [D, V] and a bias [V], float64."""
    random = np.random.default_rng(0)
    outputs = random.normal(size=(B, T, D))
    kernel = scale * random.normal(size=(D, V)) / np.sqrt(D)
    bias = scale * random.normal(size=V)

    return [tf.constant(part) for part in (outputs, kernel, bias)]


def random_tokens():
    """Returns int32 [B, T]; the last token of the vocabulary never occurs, others occur twice."""
    tokens = np.random.default_rng(1).integers(0, V - 1, (B, T))
    assert len(np.unique(tokens)) < B * T

    return tf.constant(tokens, tf.int32)


def value_and_gradients(function, layer, tokens):
    """Returns log-probabilities [B, T] and the gradients of a weighted sum of them."""
    with tf.GradientTape() as tape:
        tape.watch(layer)
        log_probs = function(*layer, tokens)
        weights = np.random.default_rng(2).normal(size=log_probs.shape)
        total = tf.reduce_sum(log_probs * tf.constant(weights, log_probs.dtype))

    return [log_probs, *tape.gradient(total, layer)]


def assert_same(found, expected):
    """Checks log-probabilities and gradients of outputs, kernel and bias against a reference."""
    for one, other in zip(found, expected, strict=True):
        assert np.abs(other).max() > 1e-3
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("scale", [0.1, 3.0, 200.0])
def test_they_equal_their_definition(scale):
    layer = random_layer(scale)
    tokens = random_tokens()

    found = token_log_probs(*[tf.cast(part, tf.float32) for part in layer], tokens)

    assert found.dtype == tf.float32
    assert found.shape == (B, T)
    np.testing.assert_allclose(found, reference_log_probs(*layer, tokens), rtol=4e-6, atol=4e-6)


def test_one_unlikely_token_among_others_is_exact():
    logits = np.zeros((2, V), np.float32)
    logits[1, 3] = -300
    probs = tf.nn.softmax(logits)
    assert float(probs[1, 3]) == 0

    found = log_probs_at(tf.constant(logits), probs, tf.constant([0, 3]))

    np.testing.assert_allclose(found, [-np.log(V), -300 - np.log(V - 1)], rtol=1e-6)


def test_a_row_does_not_depend_on_the_others_to_the_bit():
    logits = np.random.default_rng(0).normal(size=(16, V)).astype(np.float32)
    tokens = tf.range(16) % V
    without = log_probs_at(tf.constant(logits), tf.nn.softmax(logits), tokens).numpy()

    logits[3, tokens[3]] = -300
    with_unlikely = log_probs_at(tf.constant(logits), tf.nn.softmax(logits), tokens).numpy()

    assert with_unlikely[3] < -290
    others = np.arange(16) != 3
    assert with_unlikely[others].tobytes() == without[others].tobytes()


@pytest.mark.parametrize("compiled", [False, True])
def test_their_gradient_is_that_of_the_log_softmax(compiled):
    layer = random_layer()
    tokens = random_tokens()
    ours = tf.function(token_log_probs) if compiled else token_log_probs

    found = value_and_gradients(ours, layer, tokens)

    assert_same(found, value_and_gradients(reference_log_probs, layer, tokens))


def test_the_gradient_on_a_gpu_whose_products_round_is_the_same(monkeypatch):
    layer = random_layer()
    tokens = random_tokens()
    monkeypatch.setattr("tfseqgan.ops.log_probs.has_gpu", lambda: True)
    monkeypatch.setattr("tfseqgan.ops.log_probs._gradients_by_sums", None)

    found = value_and_gradients(token_log_probs, layer, tokens)

    assert_same(found, value_and_gradients(reference_log_probs, layer, tokens))


def test_their_gradient_is_that_of_finite_differences():
    outputs, kernel, bias = random_layer()
    tokens = random_tokens()
    step = 1e-6
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        total = tf.reduce_sum(token_log_probs(outputs, kernel, bias, tokens))
    gradient = tape.gradient(total, kernel).numpy()

    never_occurs = (D - 1, V - 1)
    for index in ((0, 0), (2, 3), never_occurs):
        moved = np.zeros((D, V))
        moved[index] = step
        above = np.sum(token_log_probs(outputs, kernel + moved, bias, tokens))
        below = np.sum(token_log_probs(outputs, kernel - moved, bias, tokens))
        slope = (above - below) / (2 * step)
        np.testing.assert_allclose(gradient[index], slope, rtol=1e-6, atol=1e-8)


def test_in_half_precision_an_almost_certain_token_keeps_a_gradient():
    outputs = tf.ones([1, 1, D], tf.bfloat16)
    kernel = tf.zeros([D, V], tf.bfloat16)
    bias = tf.constant([12.0] + [0.0] * (V - 1), tf.bfloat16)
    exact = [tf.cast(part, tf.float64) for part in (outputs, kernel, bias)]
    tokens = tf.constant([[0]])

    found = value_and_gradients(token_log_probs, [outputs, kernel, bias], tokens)
    expected = value_and_gradients(reference_log_probs, exact, tokens)

    assert [part.dtype for part in found] == [tf.float32, *[tf.bfloat16] * 3]
    error_of_token = np.abs(expected[3][0])  # 1 − p, which p in bfloat16 would round to 0
    assert 1e-6 < error_of_token < 1e-4
    for one, other in zip(found[2:], expected[2:], strict=True):
        np.testing.assert_allclose(tf.cast(one, tf.float64), other, rtol=0.01)


def test_a_token_that_occurs_twice_gets_both_its_gradients():
    layer = [tf.zeros([1, 2, D]), tf.zeros([D, V]), tf.zeros([V])]
    with tf.GradientTape() as tape:
        tape.watch(layer)
        total = tf.reduce_sum(token_log_probs(*layer, tf.constant([[3, 3]])))

    of_bias = tape.gradient(total, layer)[2]

    np.testing.assert_allclose(of_bias[3], 2 * (1 - 1 / V), rtol=1e-6)
