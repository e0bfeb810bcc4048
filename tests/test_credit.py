"""Claims about tfseqgan.credit."""

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.credit import Terminal
from tfseqgan.returns import reward_to_go

LENGTHS = [6, 1, 4, 2]
MASK = (np.arange(6) < np.array(LENGTHS)[:, None]).astype(np.float64)
REWARDS = np.random.default_rng(0).normal(size=4)


@pytest.mark.parametrize("discount", [1.0, 0.9, 0.0])
def test_terminal_credit_is_the_reward_discounted_by_the_steps_left_in_its_own_row(discount):
    expected = np.zeros((4, 6))
    for b, length in enumerate(LENGTHS):
        for t in range(length):
            expected[b, t] = discount ** (length - 1 - t) * REWARDS[b]
    found = Terminal()(tf.constant(REWARDS), tf.constant(MASK), discount)
    assert found.dtype == tf.float64 and found.numpy() == pytest.approx(expected, abs=1e-14)


def test_undiscounted_terminal_credit_is_the_reward_at_every_step():
    assert Terminal()(tf.constant(REWARDS), tf.constant(MASK)).numpy().tolist() == (REWARDS[:, None] * MASK).tolist()


@pytest.mark.parametrize("discount", [1.0, 0.7])
def test_terminal_credit_is_the_reward_to_go_of_a_reward_at_the_last_token(discount):
    at_the_end = np.zeros((4, 6))
    at_the_end[np.arange(4), np.array(LENGTHS) - 1] = REWARDS
    expected = reward_to_go(tf.constant(at_the_end), tf.constant(MASK), discount).numpy()
    assert Terminal()(tf.constant(REWARDS), tf.constant(MASK), discount).numpy() == pytest.approx(expected, abs=1e-14)


def test_a_float32_mask_gives_credit_of_the_rewards_dtype():
    assert Terminal()(tf.constant(REWARDS), tf.constant(MASK, tf.float32), 0.5).dtype == tf.float64
