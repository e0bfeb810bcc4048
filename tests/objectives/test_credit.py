"""Claims about tfseqgan.objectives.credit."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_models import make_discriminator, make_tokens

from tfseqgan.objectives.credit import Prefix, Terminal
from tfseqgan.objectives.returns import reward_to_go

LENGTHS = np.array([6, 1, 4, 2])
MASK = (np.arange(6) < LENGTHS[:, None]).astype(np.float64)
REWARDS = np.random.default_rng(0).normal(size=4)


def prefix_rewards():
    """Returns rewards of every prefix, NumPy [4, 6]; after its end a sequence keeps its own."""
    rewards = np.random.default_rng(1).normal(size=(4, 6))
    of_sequences = rewards[np.arange(4), LENGTHS - 1]

    return np.where(MASK == 1, rewards, of_sequences[:, None])


def credit_of(credit, rewards, discount=1.0):
    """Computes a credit as NumPy, after checking its dtype."""
    found = credit(tf.constant(rewards), tf.constant(MASK), discount)
    assert found.dtype == tf.float64

    return found.numpy()


@pytest.mark.parametrize("discount", [1.0, 0.9, 0.0])
def test_terminal_credit_is_the_reward_discounted_by_the_steps_left_in_its_own_row(discount):
    expected = np.zeros((4, 6))
    for b, length in enumerate(LENGTHS):
        for t in range(length):
            expected[b, t] = discount ** (length - 1 - t) * REWARDS[b]

    assert credit_of(Terminal(), REWARDS, discount) == pytest.approx(expected, abs=1e-14)


def test_undiscounted_terminal_credit_is_the_reward_at_every_step():
    assert credit_of(Terminal(), REWARDS).tolist() == (REWARDS[:, None] * MASK).tolist()


@pytest.mark.parametrize("discount", [1.0, 0.7])
def test_terminal_credit_is_the_reward_to_go_of_a_reward_at_the_last_token(discount):
    at_the_end = np.zeros((4, 6))
    at_the_end[np.arange(4), LENGTHS - 1] = REWARDS
    expected = reward_to_go(tf.constant(at_the_end), tf.constant(MASK), discount).numpy()

    assert credit_of(Terminal(), REWARDS, discount) == pytest.approx(expected, abs=1e-14)


def test_a_float32_mask_gives_credit_of_the_dtype_of_the_rewards():
    credit = Terminal()(tf.constant(REWARDS), tf.constant(MASK, tf.float32), 0.5)

    assert credit.dtype == tf.float64


@pytest.mark.parametrize("discount", [1.0, 0.7])
def test_prefix_credit_is_the_discounted_sum_of_the_differences_to_come(discount):
    rewards = prefix_rewards()
    expected = np.zeros((4, 6))
    for b, length in enumerate(LENGTHS):
        earned = np.diff(rewards[b, :length], prepend=0.0)
        for t in range(length):
            expected[b, t] = sum(discount ** (k - t) * earned[k] for k in range(t, length))

    assert credit_of(Prefix(), rewards, discount) == pytest.approx(expected, abs=1e-14)


def test_undiscounted_prefix_credit_of_the_first_token_is_the_terminal_reward():
    rewards = prefix_rewards()

    assert credit_of(Prefix(), rewards)[:, 0] == pytest.approx(rewards[:, -1])


@pytest.mark.parametrize("every", [2, 3, 4, 7])
def test_between_the_scored_prefixes_the_reward_is_that_of_the_last_scored_one(every):
    rewards = prefix_rewards()
    expected = np.zeros((4, 6))
    for b, length in enumerate(LENGTHS):
        for t in range(length):
            last_scored = t // every * every
            potential = rewards[b, last_scored - 1] if last_scored else 0.0
            expected[b, t] = rewards[b, length - 1] - potential

    scored = [*range(every - 1, 5, every), 5]
    found = credit_of(Prefix(every), rewards[:, scored])

    assert found == pytest.approx(expected, abs=1e-14)


def test_prefix_credit_of_every_0_tokens_is_refused_by_name():
    with pytest.raises(ValueError, match="every must be 1 or more, received 0"):
        Prefix(0)


def test_the_last_prefix_logit_is_the_logit_of_the_whole_sequence():
    discriminator = make_discriminator()
    tokens = make_tokens(3, rows=4)

    of_sequences = Terminal().logits(discriminator, tokens)
    of_prefixes = Prefix().logits(discriminator, tokens)

    assert of_sequences.shape == [4]
    assert of_prefixes.shape == tokens.shape
    np.testing.assert_allclose(
        Prefix().sequence_logits(of_prefixes),
        Terminal().sequence_logits(of_sequences),
        rtol=1e-5,
    )
