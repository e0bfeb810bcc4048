"""Claims about tfseqgan.credit."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_models import make_discriminator, make_tokens

from tfseqgan.objectives.credit import Prefix, Terminal
from tfseqgan.objectives.returns import reward_to_go

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
    assert (
        Terminal()(tf.constant(REWARDS), tf.constant(MASK)).numpy().tolist()
        == (REWARDS[:, None] * MASK).tolist()
    )


@pytest.mark.parametrize("discount", [1.0, 0.7])
def test_terminal_credit_is_the_reward_to_go_of_a_reward_at_the_last_token(discount):
    at_the_end = np.zeros((4, 6))
    at_the_end[np.arange(4), np.array(LENGTHS) - 1] = REWARDS
    expected = reward_to_go(tf.constant(at_the_end), tf.constant(MASK), discount).numpy()
    assert Terminal()(tf.constant(REWARDS), tf.constant(MASK), discount).numpy() == pytest.approx(
        expected, abs=1e-14
    )


def test_a_float32_mask_gives_credit_of_the_rewards_dtype():
    assert Terminal()(tf.constant(REWARDS), tf.constant(MASK, tf.float32), 0.5).dtype == tf.float64


@pytest.mark.parametrize("discount", [1.0, 0.7])
def test_credit_for_prefixes_is_the_sum_of_the_differences_to_come(discount):
    opinions = np.random.default_rng(1).normal(size=(4, 6))
    opinions = np.where(
        MASK == 1, opinions, opinions[np.arange(4), np.array(LENGTHS) - 1][:, None]
    )  # it stays behind the end
    expected = np.zeros((4, 6))
    for b, length in enumerate(LENGTHS):
        earned = np.diff(opinions[b, :length], prepend=0.0)
        for t in range(length):
            expected[b, t] = sum(discount ** (k - t) * earned[k] for k in range(t, length))
    found = Prefix()(tf.constant(opinions), tf.constant(MASK), discount).numpy()
    assert found == pytest.approx(expected, abs=1e-14)
    if discount == 1:
        assert found[:, 0] == pytest.approx(opinions[:, -1])  # telescopes to the terminal reward


@pytest.mark.parametrize("every", [2, 3, 4, 7])
def test_asked_less_often_the_opinion_in_between_is_the_last_one(every):
    opinions = np.random.default_rng(1).normal(size=(4, 6))
    opinions = np.where(MASK == 1, opinions, opinions[np.arange(4), np.array(LENGTHS) - 1][:, None])
    expected = np.zeros((4, 6))
    for b, length in enumerate(LENGTHS):
        potential = (
            [0.0]
            + [opinions[b, t // every * every - 1] if t >= every else 0.0 for t in range(1, length)]
            + [opinions[b, length - 1]]
        )
        for t in range(length):
            expected[b, t] = potential[-1] - potential[t]
    asked = [*range(every - 1, 5, every), 5]
    found = Prefix(every)(tf.constant(opinions[:, asked]), tf.constant(MASK)).numpy()
    assert found == pytest.approx(expected, abs=1e-14)


def test_it_is_asked_once_in_a_number_of_tokens_of_one_or_more():
    with pytest.raises(ValueError, match="every must be 1 or more, received 0"):
        Prefix(0)


def test_the_judgement_of_whole_sequences_is_the_last_of_their_prefixes():
    discriminator, tokens = make_discriminator(), make_tokens(3, rows=4)
    whole, prefixes = Terminal().judge(discriminator, tokens), Prefix().judge(discriminator, tokens)
    assert whole.shape == [4] and prefixes.shape == tokens.shape
    np.testing.assert_allclose(Prefix().final(prefixes), Terminal().final(whole), rtol=1e-5)
