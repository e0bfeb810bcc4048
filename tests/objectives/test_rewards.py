"""Claims about tfseqgan.rewards."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.objectives.rewards import REWARDS, log, logit, none, probability

LOGITS = np.random.default_rng(0).normal(scale=3, size=5)


@pytest.mark.parametrize(
    "reward, twin",
    [
        (probability, lambda x: 1 / (1 + math.exp(-x))),
        (log, lambda x: math.log(1 / (1 + math.exp(-x)))),
        (logit, lambda x: math.log(1 / (1 + math.exp(-x))) - math.log(1 - 1 / (1 + math.exp(-x)))),
        (none, lambda _: 0.0),
    ],
)
def test_a_reward_is_its_formula_in_d(reward, twin):
    found = reward(tf.constant(LOGITS))
    assert found.dtype == tf.float64 and found.numpy() == pytest.approx(
        np.array([twin(x) for x in LOGITS])
    )


@pytest.mark.parametrize(
    "reward, at_minus, at_plus",
    [(probability, 0, 1), (log, -1e4, 0), (logit, -1e4, 1e4), (none, 0, 0)],
)
def test_a_certain_discriminator_gives_a_finite_reward_and_gradient(reward, at_minus, at_plus):
    logits = tf.constant([-1e4, 1e4])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        rewards = reward(logits)
    assert rewards.numpy().tolist() == [at_minus, at_plus]
    gradient = tape.gradient(rewards, logits, unconnected_gradients="zero")
    assert np.isfinite(gradient.numpy()).all()


def test_rewards_rise_with_the_logit():
    rising = tf.constant(np.linspace(-8, 8, 33))
    for reward in (probability, log, logit):
        assert np.all(np.diff(reward(rising).numpy()) > 0)


def test_log_and_logit_do_not_lose_a_small_d_to_rounding():
    assert log(tf.constant([-30.0])).numpy()[0] == pytest.approx(-30 - math.exp(-30))
    assert log(tf.constant([30.0])).numpy()[0] == pytest.approx(-math.exp(-30), rel=1e-5)


def test_rewards_are_found_by_the_names_of_their_functions():
    assert {name: reward.__name__ for name, reward in REWARDS.items()} == {
        name: name for name in ("probability", "log", "logit", "none")
    }
