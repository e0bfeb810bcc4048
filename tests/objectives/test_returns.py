"""Claims about tfseqgan.returns."""

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.objectives.returns import reward_to_go
from tfseqgan.ops.masking import masked_mean, sequence_mask

LENGTHS = [7, 1, 4, 2]


def random_rewards():
    """Returns float64 rewards and masks of four rows of seven steps; noise stands behind the ends."""
    return np.random.default_rng(0).normal(size=(4, 7)), (
        np.arange(7) < np.array(LENGTHS)[:, None]
    ).astype(np.float64)


def test_the_mask_is_1_up_to_and_including_the_first_end():
    tokens = np.random.default_rng(1).integers(0, 5, size=(40, 7))
    expected = [[0.0 if 2 in row[:t] else 1.0 for t in range(7)] for row in tokens.tolist()]
    assert sequence_mask(tf.constant(tokens), end_token_id=2).numpy().tolist() == expected
    assert {1, 7} <= set(np.sum(expected, axis=1))


def test_ends_and_tokens_behind_the_first_end_do_not_count():
    assert sequence_mask(tf.constant([[3, 2, 4, 2, 4]]), end_token_id=2).numpy().tolist() == [
        [1, 1, 0, 0, 0]
    ]


def test_sequences_without_an_end_count_whole():
    tokens = tf.constant([[0, 1, 2], [2, 2, 2]])
    for mask in (sequence_mask(tokens), sequence_mask(tokens, end_token_id=3)):
        assert mask.dtype == tf.float32 and mask.numpy().tolist() == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_a_masked_mean_is_the_mean_of_what_is_left(axis):
    values, mask = random_rewards()
    found = masked_mean(tf.constant(values), tf.constant(mask, tf.float32), axis).numpy()
    assert found.dtype == np.float64
    assert found == pytest.approx(np.ma.array(values, mask=mask == 0).mean(axis))


@pytest.mark.parametrize("axis, expected", [(None, 0.0), (0, [0.0, 0.0]), (1, [0.0, 0.0, 0.0])])
def test_a_masked_mean_of_nothing_is_0(axis, expected):
    assert masked_mean(tf.ones([3, 2]), tf.zeros([3, 2]), axis).numpy().tolist() == expected


@pytest.mark.parametrize("discount", [1.0, 0.9, 0.5, 0.0, 1, 0])
def test_the_reward_to_go_is_the_discounted_sum_of_what_is_to_come(discount):
    rewards, mask = random_rewards()
    expected = np.zeros_like(rewards)
    for b, length in enumerate(LENGTHS):
        for t in range(length):
            expected[b, t] = sum(discount ** (k - t) * rewards[b, k] for k in range(t, length))
    found = reward_to_go(tf.constant(rewards), tf.constant(mask), discount)
    assert found.dtype == tf.float64 and found.numpy() == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_the_sum_runs_over_time_and_not_over_the_batch(discount):
    rewards, mask = random_rewards()
    together = reward_to_go(tf.constant(rewards), tf.constant(mask), discount).numpy()
    alone = [
        reward_to_go(
            tf.constant(rewards[b : b + 1]), tf.constant(mask[b : b + 1]), discount
        ).numpy()[0]
        for b in range(4)
    ]
    over_the_batch = np.cumsum((rewards * mask)[::-1], axis=0)[::-1]
    assert together == pytest.approx(np.array(alone), abs=1e-14)
    assert np.abs(together - over_the_batch).max() > 1


def test_a_discount_of_0_leaves_the_rewards_and_its_powers_do_not_overflow():
    rewards = tf.random.stateless_normal([2, 300], seed=(0, 0))
    mask = tf.ones([2, 300])
    assert reward_to_go(rewards, mask, 0.0).numpy() == pytest.approx(rewards.numpy())
    assert np.isfinite(reward_to_go(rewards, mask, 0.01).numpy()).all()


def test_it_is_the_same_in_a_graph_of_unknown_shape():
    rewards, mask = random_rewards()
    spec = tf.TensorSpec([None, None], tf.float64)
    graph = tf.function(lambda r, m: reward_to_go(r, m, 0.9), input_signature=[spec, spec])
    assert graph(rewards, mask).numpy() == pytest.approx(
        reward_to_go(tf.constant(rewards), tf.constant(mask), 0.9).numpy()
    )
