"""Claims about tfseqgan.objectives.returns and the masks that it is used with."""

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.objectives.returns import reward_to_go
from tfseqgan.ops.masking import masked_mean, sequence_mask

LENGTHS = [7, 1, 4, 2]


def random_rewards():
    """Returns float64 rewards and masks, four rows of seven steps; noise follows the ends."""
    rewards = np.random.default_rng(0).normal(size=(4, 7))
    mask = np.arange(7) < np.array(LENGTHS)[:, None]

    return rewards, mask.astype(np.float64)


def test_the_mask_is_1_up_to_and_including_the_first_end_token():
    tokens = np.random.default_rng(1).integers(0, 5, size=(40, 7))
    expected = [[0.0 if 2 in row[:t] else 1.0 for t in range(7)] for row in tokens.tolist()]

    found = sequence_mask(tf.constant(tokens), end_token_id=2)

    assert found.numpy().tolist() == expected
    assert {1, 7} <= set(np.sum(expected, axis=1))


def test_tokens_after_the_first_end_token_do_not_count():
    mask = sequence_mask(tf.constant([[3, 2, 4, 2, 4]]), end_token_id=2)

    assert mask.numpy().tolist() == [[1, 1, 0, 0, 0]]


@pytest.mark.parametrize("end_token_id", [None, 3])
def test_all_tokens_of_a_sequence_without_an_end_token_count(end_token_id):
    mask = sequence_mask(tf.constant([[0, 1, 2], [2, 2, 2]]), end_token_id)

    assert mask.dtype == tf.float32
    assert mask.numpy().tolist() == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_a_masked_mean_is_the_mean_of_the_values_that_count(axis):
    values, mask = random_rewards()

    found = masked_mean(tf.constant(values), tf.constant(mask, tf.float32), axis).numpy()

    assert found.dtype == np.float64
    assert found == pytest.approx(np.ma.array(values, mask=mask == 0).mean(axis))


@pytest.mark.parametrize("axis, expected", [(None, 0.0), (0, [0.0, 0.0]), (1, [0.0, 0.0, 0.0])])
def test_a_masked_mean_of_nothing_is_0(axis, expected):
    assert masked_mean(tf.ones([3, 2]), tf.zeros([3, 2]), axis).numpy().tolist() == expected


@pytest.mark.parametrize("discount", [1.0, 0.9, 0.5, 0.0, 1, 0])
def test_the_reward_to_go_is_the_discounted_sum_of_the_rewards_to_come(discount):
    rewards, mask = random_rewards()
    expected = np.zeros_like(rewards)
    for b, length in enumerate(LENGTHS):
        for t in range(length):
            expected[b, t] = sum(discount ** (k - t) * rewards[b, k] for k in range(t, length))

    found = reward_to_go(tf.constant(rewards), tf.constant(mask), discount)

    assert found.dtype == tf.float64
    assert found.numpy() == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_the_reward_to_go_is_summed_over_time_and_not_over_the_batch(discount):
    rewards, mask = random_rewards()

    def compute(rows):
        return reward_to_go(tf.constant(rewards[rows]), tf.constant(mask[rows]), discount).numpy()

    together = compute(slice(None))
    alone = np.concatenate([compute(slice(b, b + 1)) for b in range(4)])
    over_the_batch = np.cumsum((rewards * mask)[::-1], axis=0)[::-1]

    assert together == pytest.approx(alone, abs=1e-14)
    assert np.abs(together - over_the_batch).max() > 1


def test_a_discount_of_0_leaves_the_rewards_as_they_are():
    rewards = tf.random.stateless_normal([2, 300], seed=(0, 0))

    assert reward_to_go(rewards, tf.ones([2, 300]), 0.0).numpy() == pytest.approx(rewards.numpy())


def test_the_powers_of_a_small_discount_stay_finite_over_many_steps():
    rewards = tf.random.stateless_normal([2, 300], seed=(0, 0))

    assert np.isfinite(reward_to_go(rewards, tf.ones([2, 300]), 0.01).numpy()).all()


def test_the_reward_to_go_is_the_same_in_a_graph_of_unknown_shape():
    rewards, mask = map(tf.constant, random_rewards())
    spec = tf.TensorSpec([None, None], tf.float64)
    graph = tf.function(lambda r, m: reward_to_go(r, m, 0.9), input_signature=[spec, spec])

    found = graph(rewards, mask)

    assert found.numpy() == pytest.approx(reward_to_go(rewards, mask, 0.9).numpy())
