"""Completions of prefixes: they keep what they complete, end where they end, and have the policy's own probabilities."""

import numpy as np
import pytest
import tensorflow as tf
from enumeration import chi_square_p, list_sequences, random_generator
from tiny_models import END, make_discriminator, make_generator, make_tokens

from tfseqgan.models.decoding import complete
from tfseqgan.models.policy import Policy
from tfseqgan.objectives.credit import Rollout

SEED = tf.constant([3, 4])


def conditional(generator, tokens, length):
    """Returns every sequence that begins with the first `length` tokens of a row, and its probability given them."""
    everything, mask = list_sequences(
        generator.vocabulary_size, tokens.shape[1], generator.end_token_id
    )
    log_p = tf.reduce_sum(
        Policy(generator).log_prob(everything) * tf.constant(mask, tf.float32), axis=1
    ).numpy()
    same = (everything[:, :length] == tokens[0, :length]).all(axis=1)
    p = np.exp(log_p.astype(np.float64)) * same
    return everything[same], (p / p.sum())[same]


@pytest.mark.parametrize(
    "every, lengths", [(1, [1, 2, 3, 4, 5, 6]), (3, [3, 6]), (4, [4]), (7, []), (9, [])]
)
def test_completions_keep_their_prefixes_and_stand_so_many_tokens_apart(every, lengths):
    tokens = make_tokens(0, rows=3, length=7).astype(np.int32)
    drawn = complete(make_generator(), tf.constant(tokens), 5, every, SEED).numpy()
    assert drawn.shape == (len(lengths), 5, 3, 7)
    for length, part in zip(lengths, drawn):
        np.testing.assert_array_equal(
            part[..., :length], np.broadcast_to(tokens[:, :length], (5, 3, length))
        )


def test_behind_an_end_there_is_padding():
    generator = make_generator()
    tokens = np.array([[3, END, 5, 6, 3, 4]], np.int32)  # what stands behind the end is not read
    drawn = complete(generator, tf.constant(tokens), 50, 1, SEED).numpy()
    assert not drawn[1:, :, 0, 2:][..., 3:].any() and not drawn[1, :, 0, 2:].any()
    for row in drawn[0, :, 0]:
        ends = np.flatnonzero(row == END)
        assert not len(ends) or not row[ends[0] + 1 :].any()


@pytest.mark.parametrize("end_token_id", [None, 2])
@pytest.mark.parametrize("length", [1, 2])
def test_completions_have_the_policys_probabilities(length, end_token_id):
    generator = random_generator(0, end_token_id=end_token_id)
    tokens = np.array([[1, 0, 1, 1]], np.int32)
    rows, p = conditional(generator, tokens, length)
    drawn = complete(generator, tf.constant(tokens), 5000, 1, SEED).numpy()[length - 1, :, 0]
    counts = np.array([(drawn == row).all(axis=1).sum() for row in rows])
    assert counts.sum() == 5000
    likely = p > 0.002  # ten expected; the rarer ones are counted as one
    counts, p = (np.append(values[likely], values[~likely].sum()) for values in (counts, p))
    assert chi_square_p(counts[p > 0.001], p[p > 0.001] / p[p > 0.001].sum()) > 1e-4


def test_the_credit_of_a_step_is_the_mean_reward_of_its_completions():
    generator, discriminator = (
        random_generator(0, vocabulary_size=7, end_token_id=None),
        make_discriminator(end_token_id=None),
    )
    tokens = np.array([[3, 4, 5], [6, 3, 3]], np.int32)
    logits = Rollout(2000).judge(discriminator, tf.constant(tokens), generator, SEED)
    assert logits.shape == [2, 3, 2000]
    np.testing.assert_allclose(Rollout(2000).final(logits), discriminator(tokens), rtol=1e-5)
    rewards = tf.sigmoid(logits)
    credit = Rollout(2000)(rewards, tf.ones([2, 3])).numpy()
    for b, t in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        rows, p = conditional(generator, tokens[b : b + 1], t + 1)
        values = tf.sigmoid(discriminator(rows)).numpy()
        error = np.sqrt((p @ values**2 - (p @ values) ** 2) / 2000)
        assert abs(credit[b, t] - p @ values) < 4 * error + 1e-6
    np.testing.assert_allclose(credit[:, 2], tf.sigmoid(discriminator(tokens)), rtol=1e-4)


def test_sequences_taken_in_parts_are_judged_in_their_order(monkeypatch):
    generator, discriminator, tokens = (
        make_generator(),
        make_discriminator(),
        tf.constant(make_tokens(1, rows=5, length=6), tf.int32),
    )
    monkeypatch.setattr("tfseqgan.objectives.credit._ROWS_AT_ONCE", 2 * 3 * 6)
    logits = Rollout(3).judge(discriminator, tokens, generator, SEED)
    assert logits.shape == [5, 6, 3]
    np.testing.assert_allclose(logits[:, -1], np.tile(discriminator(tokens), (3, 1)).T, rtol=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
def test_where_no_prefix_is_completed_the_whole_is_judged(compiled):
    generator, discriminator, tokens = (
        make_generator(),
        make_discriminator(),
        tf.constant(make_tokens(1, rows=5, length=3), tf.int32),
    )
    judge = lambda tokens: Rollout(2, every=3).judge(discriminator, tokens, generator, SEED)  # noqa: E731
    logits = (tf.function(judge) if compiled else judge)(tokens)
    assert logits.shape == [5, 1, 2]
    np.testing.assert_allclose(logits[:, 0], np.tile(discriminator(tokens), (2, 1)).T, rtol=1e-5)


@pytest.mark.parametrize("numbers", [(0, 1), (4, 0)])
def test_numbers_below_one_are_refused(numbers):
    with pytest.raises(ValueError, match="must be 1 or more"):
        Rollout(*numbers)


def test_a_discount_is_refused():
    with pytest.raises(ValueError, match="expected a discount of 1, received 0.9"):
        Rollout()(tf.ones([2, 3, 4]), tf.ones([3, 4]), 0.9)
