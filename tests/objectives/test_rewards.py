"""Claims about tfseqgan.objectives.rewards."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.objectives.rewards import log, logit, none, probability

LOGITS = np.random.default_rng(0).normal(scale=3, size=5)


def sigmoid(x):
    """Returns D of a logit."""
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize(
    "reward, twin",
    [
        (probability, sigmoid),
        (log, lambda x: math.log(sigmoid(x))),
        (logit, lambda x: math.log(sigmoid(x)) - math.log(1 - sigmoid(x))),
        (none, lambda _: 0.0),
    ],
)
def test_a_reward_is_its_formula_in_d(reward, twin):
    found = reward(tf.constant(LOGITS))

    assert found.dtype == tf.float64
    assert found.numpy() == pytest.approx(np.array([twin(x) for x in LOGITS]))


@pytest.mark.parametrize(
    "reward, smallest, largest",
    [(probability, 0, 1), (log, -1e4, 0), (logit, -1e4, 1e4), (none, 0, 0)],
)
def test_a_certain_discriminator_gives_a_finite_reward_and_gradient(reward, smallest, largest):
    logits = tf.constant([-1e4, 1e4])

    with tf.GradientTape() as tape:
        tape.watch(logits)
        rewards = reward(logits)
    gradient = tape.gradient(rewards, logits, unconnected_gradients="zero")

    assert rewards.numpy().tolist() == [smallest, largest]
    assert np.isfinite(gradient.numpy()).all()


@pytest.mark.parametrize("reward", [probability, log, logit])
def test_a_reward_rises_with_the_logit(reward):
    rising = tf.constant(np.linspace(-8, 8, 33))

    assert np.all(np.diff(reward(rising).numpy()) > 0)


def test_the_log_reward_does_not_lose_a_small_d_to_rounding():
    assert log(tf.constant([-30.0])).numpy()[0] == pytest.approx(-30 - math.exp(-30))
    assert log(tf.constant([30.0])).numpy()[0] == pytest.approx(-math.exp(-30), rel=1e-5)
