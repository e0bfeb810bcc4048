"""Log-probabilities of tokens: their definition, their gradient, and tokens that are unlikely."""

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.ops.log_probs import log_probs_at, token_log_probs

B, T, D, V = 3, 4, 5, 7


def reference_log_probs(logits, tokens):
    """Computes `token_log_probs` with TensorFlow's own operations."""
    return tf.gather(tf.nn.log_softmax(logits), tokens, batch_dims=2)


def random_logits(scale=3.0):
    """Returns float64 [B, T, V]."""
    return tf.constant(scale * np.random.default_rng(0).normal(size=(B, T, V)))


def random_tokens():
    """Returns int32 [B, T]; the last token of the vocabulary never occurs, others occur twice."""
    tokens = np.random.default_rng(1).integers(0, V - 1, (B, T))
    assert len(np.unique(tokens)) < B * T

    return tf.constant(tokens, tf.int32)


def value_and_gradients(function, variables):
    """Returns log-probabilities [B, T] and the gradients of a weighted sum of them."""
    with tf.GradientTape() as tape:
        tape.watch(variables)
        log_probs = function(*variables)
        weights = np.random.default_rng(2).normal(size=log_probs.shape)
        total = tf.reduce_sum(log_probs * tf.constant(weights, log_probs.dtype))

    return [log_probs, *tape.gradient(total, variables)]


@pytest.mark.parametrize("scale", [0.1, 3.0, 200.0])
def test_they_equal_their_definition(scale):
    logits = random_logits(scale)
    tokens = random_tokens()

    found = token_log_probs(tf.cast(logits, tf.float32), tokens)

    assert found.dtype == tf.float32
    assert found.shape == (B, T)
    np.testing.assert_allclose(found, reference_log_probs(logits, tokens), rtol=4e-6, atol=4e-6)


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
    logits = random_logits()
    tokens = random_tokens()
    ours = tf.function(token_log_probs) if compiled else token_log_probs

    found = value_and_gradients(lambda logits: ours(logits, tokens), [logits])

    expected = value_and_gradients(lambda logits: reference_log_probs(logits, tokens), [logits])
    for one, other in zip(found, expected, strict=True):
        assert np.abs(other).max() > 1e-3
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_their_gradient_is_that_of_finite_differences():
    logits = random_logits()
    tokens = random_tokens()
    step = 1e-6
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.reduce_sum(token_log_probs(logits, tokens))
    gradient = tape.gradient(total, logits).numpy()

    is_token = (0, 0, int(tokens[0, 0]))
    never_occurs = (B - 1, T - 1, V - 1)
    for index in (is_token, (2, 3, 0), never_occurs):
        moved = np.zeros((B, T, V))
        moved[index] = step
        above = np.sum(token_log_probs(logits + moved, tokens))
        below = np.sum(token_log_probs(logits - moved, tokens))
        slope = (above - below) / (2 * step)
        np.testing.assert_allclose(gradient[index], slope, rtol=1e-6, atol=1e-8)


def test_after_a_layer_in_half_precision_an_almost_certain_token_keeps_a_gradient():
    outputs = tf.ones([1, D], tf.bfloat16)
    kernel = tf.zeros([D, V], tf.bfloat16)
    bias = tf.constant([12.0] + [0.0] * (V - 1), tf.bfloat16)
    tokens = tf.constant([[0]])

    def of_half_precision(kernel, bias):
        logits = tf.cast(outputs @ kernel + bias, tf.float32)  # as `Generator.logits` casts them
        return token_log_probs(logits[:, None], tokens)

    def of_full_precision(kernel, bias):
        logits = tf.cast(outputs, tf.float64) @ kernel + bias
        return reference_log_probs(logits[:, None], tokens)

    found = value_and_gradients(of_half_precision, [kernel, bias])
    exact = [tf.cast(part, tf.float64) for part in (kernel, bias)]
    expected = value_and_gradients(of_full_precision, exact)

    assert [part.dtype for part in found] == [tf.float32, tf.bfloat16, tf.bfloat16]
    error_of_token = np.abs(expected[2][0])  # 1 − p, which p in bfloat16 would round to 0
    assert 1e-6 < error_of_token < 1e-4
    for one, other in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(tf.cast(one, tf.float64), other, rtol=0.01)


def test_a_token_that_occurs_twice_gets_both_its_gradients():
    bias = tf.zeros([V])
    with tf.GradientTape() as tape:
        tape.watch(bias)
        logits = tf.zeros([1, 2, V]) + bias
        total = tf.reduce_sum(token_log_probs(logits, tf.constant([[3, 3]])))

    gradient = tape.gradient(total, bias)

    np.testing.assert_allclose(gradient[3], 2 * (1 - 1 / V), rtol=1e-6)
