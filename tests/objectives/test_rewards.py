"""Claims about tfseqgan.objectives.rewards."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.music.score import Note, Score
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.objectives.objective import Objective
from tfseqgan.objectives.rewards import (
    Weighted,
    check_reward,
    check_rewards,
    check_token_rewards,
    log,
    logit,
    none,
    odds,
    of_decoded,
    probability,
    token_rewards,
)

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


def test_odds_are_divided_by_their_mean_over_the_batch():
    of_prefixes = np.random.default_rng(1).normal(size=(5, 3))
    expected = np.exp(of_prefixes) / np.exp(of_prefixes).mean(axis=0)

    np.testing.assert_allclose(odds(tf.constant(of_prefixes)), expected)
    np.testing.assert_allclose(odds(tf.constant(of_prefixes + 900.0)), expected)  # no overflow


@pytest.mark.parametrize("reward", [probability, log, logit, odds])
def test_a_reward_rises_with_the_logit(reward):
    rising = tf.constant(np.linspace(-8, 8, 33))

    assert np.all(np.diff(reward(rising).numpy()) > 0)


def test_the_log_reward_does_not_lose_a_small_d_to_rounding():
    assert log(tf.constant([-30.0])).numpy()[0] == pytest.approx(-30 - math.exp(-30))
    assert log(tf.constant([30.0])).numpy()[0] == pytest.approx(-math.exp(-30), rel=1e-5)


@pytest.mark.parametrize("shape", [(5,), (5, 3)], ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, bool])
def test_rewards_of_the_shape_of_the_logits_are_taken_in_their_dtype(shape, dtype):
    values = np.ones(shape, dtype)

    for rewards in (values, tf.constant(values)):
        found = check_rewards(rewards, tf.zeros(shape))

        assert found.dtype == tf.float32
        np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    "reward, received",
    [
        (lambda logits: logits[:, None], r"float32 of shape \(5, 1\)"),
        (lambda logits: tf.reduce_mean(logits), r"float32 of shape \(\)"),
        (lambda logits: logits[:1], r"float32 of shape \(1,\)"),
        (lambda logits: 1.0, "a float"),
        (lambda logits: None, "a NoneType"),
        (lambda logits: (1.0 for _ in range(5)), "a generator"),
        (lambda logits: tf.cast(logits, tf.complex64), r"complex64 of shape \(5,\)"),
        (lambda logits: logits.numpy() * 1j, r"complex64 of shape \(5,\)"),
        (lambda logits: np.array(["a"] * 5), r"of shape \(5,\)"),
    ],
)
def test_a_reward_of_another_shape_or_kind_is_refused_and_not_broadcast(reward, received):
    objective = Objective(reward=reward)

    with pytest.raises(ValueError, match=f"objective's reward must return one .*{received}"):
        objective.rewards_of(tf.zeros(5) + tf.cast(LOGITS, tf.float32))


@pytest.mark.parametrize(
    "rewards",
    [
        [1, 0, 1],
        [True, False, True],
        [tf.constant(1.0), np.float64(0), 1],
        np.array([1, 0, 1], np.uint8),
        np.array([1, 0, 1], object),
        tf.constant([1.0, 0.0, 1.0], tf.float64),
        tf.constant([1.0, 0.0, 1.0], tf.bfloat16),
    ],
    ids=lambda rewards: type(rewards).__name__,
)
def test_a_reward_of_the_tokens_may_be_any_array_of_numbers(rewards):
    found = check_token_rewards(rewards, 3)

    assert found.dtype == tf.float32
    assert found.numpy().tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "rewards, received",
    [
        (np.ones(3) + 1j, r"complex128 of shape \(3,\)"),
        ([1j, 2, 3], "a list"),
        ((1.0 for _ in range(3)), "a generator"),
        (map(float, range(3)), "a map"),
        (["1", "2", "3"], "a list"),
        ([[1], [2, 3], [4]], "a list"),
        ({0: 1.0}, "a dict"),
        (np.ones((3, 1)), r"shape \(3, 1\), finite"),
        (1.0, r"shape \(\), finite"),
        (None, r"shape \(\), not finite"),
        ([1.0, 2.0], r"shape \(2,\), finite"),
        ([1.0, np.inf, 0.0], r"shape \(3,\), not finite"),
        ([1e39, 0.0, 0.0], r"shape \(3,\), not finite"),
    ],
)
def test_what_is_not_one_finite_number_a_sequence_is_refused_as_the_reward(rewards, received):
    expected = r"reward must return one finite number a sequence, shape \(3,\)"

    with pytest.raises(ValueError, match=f"{expected}; received {received}"):
        check_token_rewards(rewards, 3)


TOKENS = np.array([[3, 4, 4], [5, 3, 2]], np.int32)


def count_fours(tokens):
    """Returns how often 4 stands in each row."""
    return (tokens == 4).sum(axis=1)


def first_token(tokens):
    """Returns the first token of each row."""
    return tokens[:, 0]


def test_several_rewards_are_summed_by_their_weights_and_kept_apart():
    reward = check_reward([Weighted(count_fours, -0.5), Weighted(first_token, 2, name="first")])

    total, parts = token_rewards(reward, TOKENS)

    assert total.numpy().tolist() == [-0.5 * 2 + 2 * 3, 2 * 5]
    assert {name: part.numpy().tolist() for name, part in parts.items()} == {
        "count_fours": [2, 0],
        "first": [3, 5],
    }


def test_one_function_has_no_parts_and_no_reward_is_zero():
    for reward, expected in [(count_fours, [2, 0]), (None, [0, 0])]:
        total, parts = token_rewards(check_reward(reward), TOKENS)
        assert total.numpy().tolist() == expected
        assert parts == {}


def test_the_message_of_a_bad_reward_among_several_names_it():
    reward = check_reward([Weighted(count_fours), Weighted(lambda tokens: 1.0, name="constant")])

    with pytest.raises(ValueError, match=r"reward/constant must return .* shape \(2,\)"):
        token_rewards(reward, TOKENS)


@pytest.mark.parametrize(
    "reward, received",
    [
        ([], "a list"),
        ([count_fours, first_token], "a list"),
        (Weighted(count_fours), "a Weighted"),
        ({"count_fours": count_fours}, "a dict"),
        (0.5, "a float"),
    ],
)
def test_what_is_neither_a_function_nor_weighted_functions_is_refused(reward, received):
    with pytest.raises(TypeError, match=f"expected .*Weighted.*received {received}"):
        check_reward(reward)


def test_two_rewards_of_one_name_are_refused():
    with pytest.raises(ValueError, match="expected a name of its own"):
        check_reward([Weighted(count_fours), Weighted(first_token, name="count_fours")])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"weight": math.inf}, "weight must be a finite number"),
        ({"weight": "2"}, "weight must be a number"),
        ({"name": "a/b"}, "received .* the name 'a/b'"),
        ({"function": lambda tokens: tokens}, "the name '<lambda>'"),
        ({"function": 3}, "received a int"),
    ],
)
def test_a_weighted_reward_is_a_named_function_and_a_finite_weight(arguments, message):
    with pytest.raises(ValueError, match=message):
        Weighted(**{"function": count_fours} | arguments)


def test_a_reward_of_tunes_gets_the_tunes_that_the_tokens_say():
    tunes = [Score((Note(0, 24, 60), Note(24, 12, 62))), Score((Note(0, 12, 62),))]
    tokenizer = Tokenizer.fit(tunes)
    rows = tokenizer.whole_tunes(tunes, length=9).tokens
    received = []

    def num_notes(tune):
        received.append(tune)
        return len(tune.melody)

    reward = of_decoded(tokenizer, num_notes)

    assert reward(rows) == [2, 1]
    assert received == tunes
    assert Weighted(reward).name == "num_notes"
