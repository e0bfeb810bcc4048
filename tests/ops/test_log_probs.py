"""Log-probabilities equal their definition and their gradient TensorFlow's, however unlikely a token is."""

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.ops import log_probs as likelihood
from tfseqgan.ops.log_probs import log_probs_at, token_log_probs

B, T, D, V = 3, 4, 5, 7


def factors(seed=0, scale=3.0, dtype=np.float64):
    """Returns outputs [B, T, D], a kernel [D, V] and a bias [V]."""
    random = np.random.default_rng(seed)
    outputs, kernel, bias = (
        random.normal(size=(B, T, D)),
        random.normal(size=(D, V)) / np.sqrt(D),
        random.normal(size=V),
    )
    return [tf.constant(part, dtype) for part in (outputs, scale * kernel, scale * bias)]


def tokens_of(seed=1):
    return (
        np.random.default_rng(seed).integers(0, V - 1, (B, T)).astype(np.int32)
    )  # the last one never occurs, others twice


@pytest.mark.parametrize("scale", [0.1, 3.0, 200.0])
def test_they_equal_their_definition(scale):
    (outputs, kernel, bias), tokens = factors(scale=scale), tokens_of()
    logits = outputs.numpy() @ kernel.numpy() + bias.numpy()
    largest = logits.max(axis=-1, keepdims=True)
    log_sum = largest[..., 0] + np.log(np.exp(logits - largest).sum(axis=-1))
    expected = np.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0] - log_sum
    found = token_log_probs(
        *(tf.cast(part, tf.float32) for part in (outputs, kernel, bias)), tokens
    )
    assert found.dtype == tf.float32 and found.shape == (B, T)
    np.testing.assert_allclose(found, expected, rtol=4e-6, atol=4e-6)


def test_one_unlikely_token_among_others_is_exact():
    logits = np.zeros((2, V), np.float32)
    logits[1, 3] = -300
    probs = tf.nn.softmax(logits)
    assert float(probs[1, 3]) == 0
    np.testing.assert_allclose(
        log_probs_at(lambda: tf.constant(logits), probs, tf.constant([0, 3])),
        [-np.log(7), -300 - np.log(6)],
        rtol=1e-6,
    )


def test_a_row_does_not_depend_on_the_others_bit_for_bit():
    logits = np.random.default_rng(0).normal(size=(16, V)).astype(np.float32)
    tokens = np.arange(16) % V
    alone = log_probs_at(lambda: tf.constant(logits), tf.nn.softmax(logits), tokens).numpy()
    logits[3, tokens[3]] = -300
    together = log_probs_at(lambda: tf.constant(logits), tf.nn.softmax(logits), tokens).numpy()
    assert together[3] < -290 and np.delete(together, 3).tobytes() == np.delete(alone, 3).tobytes()


def by_tensorflow(outputs, kernel, bias, tokens):
    """Returns the log-probabilities that TensorFlow's own operations give."""
    return tf.gather(tf.nn.log_softmax(outputs @ kernel + bias), tokens, batch_dims=2)


def gradients(function, parts, tokens, upstream):
    """Returns the log-probabilities and the gradients of their sum, weighted, of outputs, kernel and bias."""
    with tf.GradientTape() as tape:
        tape.watch(parts)
        log_probs = function(*parts, tokens)
        loss = tf.reduce_sum(log_probs * tf.cast(upstream, log_probs.dtype))
    return [log_probs, *tape.gradient(loss, parts)]


@pytest.mark.parametrize("compiled", [False, True])
def test_their_gradient_is_that_of_the_log_softmax(compiled):
    parts, tokens, upstream = factors(), tokens_of(), np.random.default_rng(2).normal(size=(B, T))
    assert len(np.unique(tokens)) < B * T and V - 1 not in tokens
    ours = tf.function(token_log_probs) if compiled else token_log_probs
    for one, other in zip(
        gradients(ours, parts, tokens, upstream), gradients(by_tensorflow, parts, tokens, upstream)
    ):
        assert np.abs(other).max() > 1e-3
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_their_gradient_is_what_finite_differences_say():
    (outputs, kernel, bias), tokens, step = factors(), tokens_of(), 1e-6
    found = gradients(token_log_probs, [outputs, kernel, bias], tokens, np.ones((B, T)))[2].numpy()
    for place in [(0, 0), (2, 3), (D - 1, V - 1)]:
        moved = np.zeros((D, V))
        moved[place] = step
        up, down = (
            np.sum(token_log_probs(outputs, kernel + sign * moved, bias, tokens))
            for sign in (1, -1)
        )
        np.testing.assert_allclose(found[place], (up - down) / (2 * step), rtol=1e-6, atol=1e-8)


def test_in_half_precision_the_gradient_of_an_almost_certain_token_keeps_its_digits():
    outputs, kernel, bias = (
        tf.cast(part, tf.bfloat16)
        for part in (tf.ones([1, 1, D]), tf.zeros([D, V]), [12.0] + [0.0] * (V - 1))
    )
    exact = [tf.cast(part, tf.float64) for part in (outputs, kernel, bias)]
    found = gradients(token_log_probs, [outputs, kernel, bias], [[0]], [[1.0]])
    expected = gradients(by_tensorflow, exact, [[0]], [[1.0]])
    assert found[0].dtype == tf.float32 and {part.dtype for part in found[1:]} == {tf.bfloat16}
    assert 1e-6 < float(expected[3][0]) < 1e-4  # 1 − p, of which p in bfloat16 would leave nothing
    for one, other in zip(found[2:], expected[2:]):
        np.testing.assert_allclose(tf.cast(one, tf.float64), other, rtol=0.01)


@pytest.mark.parametrize("devices,ours", [([], "_from_sums"), (["a GPU"], "_from_errors")])
def test_both_ways_to_the_gradient_are_the_same_and_a_gpu_which_rounds_takes_the_one_that_cannot_cancel(
    monkeypatch, devices, ours
):
    parts, tokens, upstream = factors(), tokens_of(), np.random.default_rng(2).normal(size=(B, T))
    expected = gradients(by_tensorflow, parts, tokens, upstream)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: devices)
    monkeypatch.setattr(
        likelihood, {"_from_sums": "_from_errors", "_from_errors": "_from_sums"}[ours], None
    )
    for one, other in zip(gradients(token_log_probs, parts, tokens, upstream), expected):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_a_token_that_comes_twice_gets_both_its_gradients():
    parts = [tf.zeros([1, 2, D]), tf.zeros([D, V]), tf.zeros([V])]
    np.testing.assert_allclose(
        gradients(token_log_probs, parts, [[3, 3]], tf.ones([1, 2]))[3][3],
        2 * (1 - 1 / V),
        rtol=1e-6,
    )
