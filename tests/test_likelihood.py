"""Log-probabilities equal their definition and their gradient TensorFlow's, however unlikely a token is."""

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.likelihood import log_probs_at, token_log_probs

B, T, V = 3, 4, 7


def logits_of(seed=0, scale=3.0, dtype=np.float64):
    return (scale * np.random.default_rng(seed).normal(size=(B, T, V))).astype(dtype)


def tokens_of(seed=1):
    return np.random.default_rng(seed).integers(0, V, (B, T)).astype(np.int32)


@pytest.mark.parametrize("scale", [0.1, 3.0, 200.0])
def test_they_equal_their_definition(scale):
    logits, tokens = logits_of(scale=scale), tokens_of()
    largest = logits.max(axis=-1, keepdims=True)
    log_sum = largest[..., 0] + np.log(np.exp(logits - largest).sum(axis=-1))
    expected = np.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0] - log_sum
    found = token_log_probs(tf.constant(logits, tf.float32), tokens)
    assert found.dtype == tf.float32 and found.shape == (B, T)
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


def test_one_unlikely_token_among_others_is_exact():
    logits = np.zeros((2, V), np.float32)
    logits[1, 3] = -300
    probs = tf.nn.softmax(logits)
    assert float(probs[1, 3]) == 0
    np.testing.assert_allclose(log_probs_at(tf.constant(logits), probs, tf.constant([0, 3])), [-np.log(7), -300 - np.log(6)], rtol=1e-6)


def test_a_row_does_not_depend_on_the_others_bit_for_bit():
    logits = np.random.default_rng(0).normal(size=(16, V)).astype(np.float32)
    tokens = np.arange(16) % V
    alone = log_probs_at(tf.constant(logits), tf.nn.softmax(logits), tokens).numpy()
    logits[3, tokens[3]] = -300
    together = log_probs_at(tf.constant(logits), tf.nn.softmax(logits), tokens).numpy()
    assert together[3] < -290 and np.delete(together, 3).tobytes() == np.delete(alone, 3).tobytes()


def test_their_gradient_is_that_of_the_log_softmax():
    logits, tokens, upstream = tf.constant(logits_of()), tokens_of(), np.random.default_rng(2).normal(size=(B, T))
    results = []
    for function in (token_log_probs, lambda values, chosen: tf.gather(tf.nn.log_softmax(values), chosen, batch_dims=2)):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = tf.reduce_sum(function(logits, tokens) * upstream)
        results.append(tape.gradient(loss, logits))
    np.testing.assert_allclose(*results, rtol=1e-10, atol=1e-12)


def test_a_token_that_comes_twice_gets_both_its_gradients():
    logits = tf.zeros([1, 2, V])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = tf.reduce_sum(token_log_probs(logits, [[3, 3]]))
    np.testing.assert_allclose(tape.gradient(loss, logits)[0, :, 3], [1 - 1 / V] * 2, rtol=1e-6)
