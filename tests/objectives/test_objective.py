"""Claims about tfseqgan.objectives.objective and recipes, proved by enumeration.

The expected gradient of every recipe is the gradient of the J that it stands for. All sequences of
V tokens and T steps are listed, and so are all batches of N of them; no claim relies on sampling.
"""

import dataclasses
import functools
import itertools
import json
import math

import numpy as np
import pytest
import tensorflow as tf
from enumeration import (
    expected_gradient,
    generator_world,
    gradient_of_j,
    random_attention_generator,
    random_generator,
    relative_error,
    tabular_world,
)

from tfseqgan.objectives import recipes
from tfseqgan.objectives.baselines import (
    BASELINES,
    BatchMean,
    LeaveOneOut,
    MovingAverage,
    NoBaseline,
)
from tfseqgan.objectives.credit import Prefix, Rollout, Terminal
from tfseqgan.objectives.objective import Objective
from tfseqgan.objectives.recipes import (
    get_objective,
    kl_control,
    maligan,
    merl,
    reinforce,
    reinforce_with_baseline,
)
from tfseqgan.objectives.rewards import REWARDS

RECIPES = {
    "reinforce": reinforce,
    "reinforce_with_baseline": reinforce_with_baseline,
    "merl": functools.partial(merl, entropy_weight=0.7),
    "kl_control": functools.partial(kl_control, kl_weight=0.6),
}

every_recipe = pytest.mark.parametrize("recipe", RECIPES)
ELEMENTWISE = [name for name in REWARDS if name != "odds"]
"""The rewards that are functions of one sequence. Odds are divided by those of the batch."""

every_reward = pytest.mark.parametrize("reward", ELEMENTWISE)
every_baseline = pytest.mark.parametrize(
    "baseline",
    [
        name if name == "leave_one_out" else pytest.param(name, marks=pytest.mark.slow)
        for name in BASELINES
    ],
)
every_world = pytest.mark.parametrize(
    "world_name",
    [pytest.param("fixed length", marks=pytest.mark.slow), "may end"],
)
every_long_world = pytest.mark.parametrize("world_name", ["four steps", "four steps, may end"])


DURATIONS = [[0, 0], [0, 0], [0, 0], [24, 0], [0, 24]]
"""Ticks of the padding, the start, the end, a melody note and a chord."""


@functools.cache
def get_world(name):
    """Returns a world by name."""
    worlds = {
        "fixed length": lambda: tabular_world(),
        "may end": lambda: tabular_world(end_token_id=2),
        "four steps": lambda: tabular_world(2, 4),
        "four steps, may end": lambda: tabular_world(2, 4, end_token_id=1),
        "generator": lambda: generator_world(random_generator(0)),
        "generator, may end": lambda: generator_world(random_generator(0, end_token_id=2)),
        "generator with a grammar": lambda: generator_world(
            random_generator(0, 5, end_token_id=2, token_durations=DURATIONS)
        ),
        "attention with a grammar": lambda: generator_world(
            random_attention_generator(0, 5, DURATIONS)
        ),
    }

    return worlds[name]()


@functools.cache
def loss_of(objective):
    """Returns the loss of a batch as training computes it.

    The state of the baseline is that of a moving average whose batches had the mean 0.6.
    """

    def loss(batch):
        logits = batch.logits
        if isinstance(objective.credit, Prefix):
            every = objective.credit.every
            last = batch.prefix_logits.shape[1] - 1
            scored = [*range(every - 1, last, every), last]
            logits = tf.gather(batch.prefix_logits, scored, axis=1)

        rewards = objective.reward(logits)
        credit = objective.credit(rewards, batch.mask, objective.discount)
        state = tf.constant([0.3, 0.5], batch.log_probs.dtype)

        return objective.loss(
            batch.log_probs, credit, batch.mask, batch.prior_log_probs, state
        ).loss

    return loss


def expected_ascent(objective, world_name, num_sequences=2):
    """Computes −E[∇loss] of an objective over every batch of N sequences, NumPy.

    A reward is elementwise. So the loss gets the rewards where it expects logits, and objectives
    that differ in their reward alone share a compiled loss.
    """
    world = get_world(world_name)

    def everything():
        batch = world.everything()
        return dataclasses.replace(
            batch,
            logits=objective.reward(batch.logits),
            prefix_logits=objective.reward(batch.prefix_logits),
        )

    with_rewards = dataclasses.replace(world, everything=everything)
    loss = loss_of(dataclasses.replace(objective, reward=REWARDS["logit"]))

    return -expected_gradient(with_rewards, loss, num_sequences)


def batch_mean_factor(world, num_sequences):
    """Computes how the batch mean scales the gradient at each prefix, [P, 1].

    If a step is reached with probability p, the number n of the sequences that reach it, given
    that one does, is 1 plus a binomial number of the N − 1 others, and
    E[(n − 1)/n] = 1 − (1 − (1 − p)ᴺ)/(N p).
    """
    p = world.alive()[world.depths]

    return (1 - (1 - (1 - p) ** num_sequences) / (num_sequences * p))[:, None]


def assert_ascends_j(objective, world_name, num_sequences=2):
    """Asserts that the expected gradient of the loss is −∇J, scaled where the batch mean does."""
    world = get_world(world_name)
    expected = gradient_of_j(world, objective)
    if objective.baseline == BatchMean():
        expected = expected * batch_mean_factor(world, num_sequences)

    found = expected_ascent(objective, world_name, num_sequences)

    assert relative_error(found, expected) < 1e-10


@pytest.mark.parametrize(
    "name, num_sequences",
    [
        ("fixed length", 27),
        ("may end", 15),
        ("four steps", 16),
        ("four steps, may end", 5),
        ("generator", 27),
        ("generator, may end", 15),
        ("generator with a grammar", 20),
        ("attention with a grammar", 20),
    ],
)
def test_a_world_holds_every_sequence_once(name, num_sequences):
    world = get_world(name)

    assert len(world.tokens) == num_sequences
    assert len(np.unique(world.tokens, axis=0)) == num_sequences
    assert float(tf.reduce_sum(world.probabilities())) == pytest.approx(1, abs=1e-6)


@every_world
@every_baseline
@every_reward
@every_recipe
def test_the_expected_gradient_is_the_gradient_of_j(recipe, reward, baseline, world_name):
    objective = RECIPES[recipe](reward=REWARDS[reward], baseline=BASELINES[baseline])

    assert_ascends_j(objective, world_name)


@pytest.mark.slow
@every_world
@every_baseline
@every_reward
@every_recipe
def test_prefix_credit_keeps_the_expected_gradient(recipe, reward, baseline, world_name):
    objective = RECIPES[recipe](
        reward=REWARDS[reward],
        baseline=BASELINES[baseline],
        credit=Prefix(),
    )

    assert_ascends_j(objective, world_name)


@pytest.mark.parametrize("every", [2, 3, 5])
@every_world
def test_prefix_credit_of_every_few_tokens_keeps_the_expected_gradient(world_name, every):
    objective = merl(
        0.7,
        reward=REWARDS["logit"],
        baseline=BASELINES["leave_one_out"],
        credit=Prefix(every),
    )

    assert_ascends_j(objective, world_name)


def gradients_of_log_probabilities(world):
    """Computes ∇log π(y) of every sequence, NumPy [S, …]."""
    with tf.GradientTape() as tape:
        batch = world.everything()
        log_p = tf.reduce_sum(batch.log_probs * batch.mask, axis=1)

    return tape.jacobian(log_p, world.variable).numpy()


def test_maligan_weighs_each_sequence_of_a_batch_by_its_share_of_the_odds():
    world = get_world("fixed length")
    p = world.probabilities().numpy()
    weights = np.exp(world.everything().logits.numpy())
    gradients = gradients_of_log_probabilities(world)
    expected = np.zeros(gradients.shape[1:])
    for pair in itertools.product(range(len(p)), repeat=2):
        rows = list(pair)
        advantages = weights[rows] / weights[rows].mean() - 1
        estimate = np.tensordot(advantages, gradients[rows], axes=1) / 2
        expected += p[rows].prod() * estimate

    found = -expected_gradient(world, loss_of(maligan()), num_sequences=2)

    assert relative_error(found, expected) < 1e-10


@every_world
def test_on_a_batch_of_everything_maligan_ascends_the_likelihood_of_the_weighed_sequences(
    world_name,
):
    world = get_world(world_name)
    is_uniform = tf.zeros_like(world.variable)
    before = tf.identity(world.variable)
    world.variable.assign(is_uniform)
    gradients = gradients_of_log_probabilities(world)
    # A batch with every sequence as often as its probability says: 9 of length 1 in 27.
    copies = np.round(27 * world.probabilities().numpy()).astype(int)
    rows = np.repeat(np.arange(len(copies)), copies)
    batch = world.everything().rows(rows)
    odds = np.exp(batch.logits.numpy())
    with tf.GradientTape() as tape:
        fields = world.everything().rows(rows)
        loss = loss_of(maligan(baseline=NoBaseline()))(fields)
    found = -tape.gradient(loss, world.variable).numpy()
    world.variable.assign(before)

    expected = np.tensordot(odds / odds.sum(), gradients[rows], axes=1)
    assert len(rows) == 27
    assert relative_error(found, expected) < 1e-10


@pytest.mark.slow
@every_long_world
@pytest.mark.parametrize("baseline", ["batch_mean", "leave_one_out"])
@every_recipe
def test_the_expected_gradient_is_that_of_j_for_batches_of_three_and_sequences_of_four(
    recipe, baseline, world_name
):
    assert_ascends_j(RECIPES[recipe](baseline=BASELINES[baseline]), world_name, num_sequences=3)


def expected_reward_of_prefixes(world):
    """Computes E[R | y₁…yₜ], R being the logit: the mean of infinitely many rollouts.

    Returns:
        NumPy [S, T], for every sequence and step.
    """
    p = world.probabilities().numpy()
    rewards = world.everything().logits.numpy()
    values = np.zeros(world.tokens.shape)

    for t in range(world.tokens.shape[1]):
        _, groups = np.unique(world.tokens[:, : t + 1], axis=0, return_inverse=True)
        groups = groups.ravel()
        means = np.bincount(groups, p * rewards) / np.bincount(groups, p)
        values[:, t] = means[groups]

    return values


@functools.cache
def rollout_loss(objective):
    """Returns the loss with rollout credit; the prefixes have rewards in place of logits."""

    def loss(batch):
        credit = objective.credit(batch.prefix_logits[:, :, None], batch.mask)
        state = tf.constant([0.3, 0.5], tf.float64)
        return objective.loss(batch.log_probs, credit, batch.mask, baseline_state=state).loss

    return loss


@pytest.mark.parametrize(
    "every",
    [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(3, marks=pytest.mark.slow)],
)
@every_baseline
@every_world
def test_rollout_credit_keeps_the_expected_gradient(world_name, baseline, every):
    world = get_world(world_name)
    objective = merl(
        0.7,
        reward=REWARDS["logit"],
        baseline=BASELINES[baseline],
        credit=Rollout(1, every),
    )
    length = world.tokens.shape[1]
    last_steps = np.array([*range(every, length, every), length]) - 1
    values = tf.constant(expected_reward_of_prefixes(world)[:, last_steps])  # [S, P + 1]

    def everything():
        return dataclasses.replace(world.everything(), prefix_logits=values)

    expected = gradient_of_j(world, objective)
    if baseline == "batch_mean":
        expected = expected * batch_mean_factor(world, 2)
    with_rollouts = dataclasses.replace(world, everything=everything)
    found = -expected_gradient(with_rollouts, rollout_loss(objective), num_sequences=2)

    assert relative_error(found, expected) < 1e-10


@pytest.mark.slow
@pytest.mark.parametrize("num_sequences", [1, 2, 3])
@every_recipe
def test_the_batch_mean_scales_the_gradient_by_n_minus_1_over_n_and_leave_one_out_does_not(
    recipe, num_sequences
):
    with_mean = RECIPES[recipe](baseline=BatchMean())
    with_others = RECIPES[recipe](baseline=LeaveOneOut())
    truth = gradient_of_j(get_world("fixed length"), with_mean)
    tolerance = 1e-10 * np.abs(truth).max()

    scaled = expected_ascent(with_mean, "fixed length", num_sequences)
    unbiased = expected_ascent(with_others, "fixed length", num_sequences)

    factor = (num_sequences - 1) / num_sequences
    assert np.abs(scaled - factor * truth).max() < tolerance
    assert np.abs(unbiased - truth).max() < tolerance


def test_where_sequences_may_end_the_batch_mean_scales_late_steps_down_more():
    world = get_world("may end")
    by_prefix = batch_mean_factor(world, 2)
    factors = [by_prefix[world.depths == depth][0, 0] for depth in range(3)]

    assert factors == pytest.approx(world.alive() / 2)
    assert factors[0] == pytest.approx(1 / 2)
    assert factors[0] > factors[1] > factors[2] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "baseline, world_name, factor",
    [
        ("none", "generator, may end", 1),
        ("batch_mean", "generator", 0.5),
        ("leave_one_out", "generator, may end", 1),
        ("moving_average", "generator", 1),
        ("none", "generator with a grammar", 1),
        ("leave_one_out", "generator with a grammar", 1),
        ("none", "attention with a grammar", 1),
        ("leave_one_out", "attention with a grammar", 1),
    ],
)
@every_recipe
def test_a_real_generator_has_the_same_expected_gradient_to_float32(
    recipe, baseline, world_name, factor
):
    objective = RECIPES[recipe](baseline=BASELINES[baseline])
    expected = factor * gradient_of_j(get_world(world_name), objective)

    found = expected_ascent(objective, world_name)

    assert relative_error(found, expected) < 1e-5


class ShiftedCredit:
    """Somebody's own credit: the reward of the sequence minus a constant, at every step."""

    def logits(self, discriminator, tokens, generator, seed):
        return discriminator(tokens, training=False)

    def sequence_logits(self, logits):
        return logits

    def __call__(self, rewards, mask, discount):
        return (rewards[:, None] - 0.3) * mask


class StepBaseline:
    """Somebody's own baseline: a number for each step, and a count of batches as its state."""

    def __call__(self, action_values, mask, state):
        steps = tf.cast(tf.range(tf.shape(mask)[1]), action_values.dtype)
        return tf.broadcast_to(0.2 * steps, tf.shape(mask)), state + 1


def squashed(logits):
    """Somebody's own reward."""
    return tf.tanh(logits)


@every_world
def test_somebodys_own_reward_credit_and_baseline_have_the_gradient_of_j(world_name):
    objective = Objective(squashed, ShiftedCredit(), StepBaseline(), 0.7, 0.6)

    assert_ascends_j(objective, world_name)


def test_the_state_of_somebodys_own_baseline_is_returned():
    log_probs, credit, mask, _ = map(tf.constant, random_batch())
    objective = Objective(baseline=StepBaseline())

    first = objective.loss(log_probs, credit, mask)
    second = objective.loss(log_probs, credit, mask, baseline_state=first.baseline_state)

    assert second.baseline_state.numpy().tolist() == [2, 2]


def test_a_summary_of_somebodys_own_parts_is_the_same_in_every_process():
    summary = Objective(squashed, ShiftedCredit(), StepBaseline()).summary()

    assert summary["reward"] == "squashed"
    assert summary["credit"] == "ShiftedCredit()"
    assert summary["baseline"] == "StepBaseline()"


@pytest.mark.slow
@every_world
def test_subtracting_a_constant_at_each_step_changes_no_expected_gradient(world_name):
    def loss(batch):
        credit = merl().credit(merl().reward(batch.logits), batch.mask)
        return reinforce(entropy_weight=1.0).loss(batch.log_probs, credit - 1, batch.mask).loss

    world = get_world(world_name)
    found = -expected_gradient(world, loss, num_sequences=1)

    assert relative_error(found, gradient_of_j(world, merl())) < 1e-10


def equation_2(objective):
    """Returns the loss with the paper's −1 in the sum over the steps to come, as in equation 2."""

    def loss(batch):
        steps_to_come = tf.cumsum(batch.mask, axis=1, reverse=True)
        credit = objective.credit(objective.reward(batch.logits), batch.mask) - steps_to_come
        return objective.loss(batch.log_probs, credit, batch.mask).loss

    return loss


@pytest.mark.slow
@pytest.mark.parametrize(
    "baseline, scale",
    [(NoBaseline(), 1), (BatchMean(), 0.5), (LeaveOneOut(), 1)],
)
def test_the_minus_1_of_equation_2_changes_nothing_for_sequences_of_one_length(baseline, scale):
    world = get_world("fixed length")
    objective = merl(baseline=baseline)

    found = -expected_gradient(world, equation_2(objective), num_sequences=2)

    assert relative_error(found, scale * gradient_of_j(world, objective)) < 1e-10


def test_the_minus_1_of_equation_2_is_a_price_on_length_where_sequences_may_end():
    world = get_world("may end")
    objective = merl(baseline=NoBaseline())
    length = tf.reduce_sum(world.everything().mask, axis=1)
    price = gradient_of_j(world, reinforce(reward=lambda _: -length))

    found = -expected_gradient(world, equation_2(objective), num_sequences=1)

    assert relative_error(found, gradient_of_j(world, objective) + price) < 1e-10
    assert np.abs(price).max() > 0.1


def gradient_variance(world, loss):
    """Computes the trace of the covariance of the gradient of one sequence's loss."""

    @tf.function
    def gradient(rows):
        with tf.GradientTape() as tape:
            value = loss(world.everything().rows(rows))
        return tf.reshape(tape.gradient(value, world.variable), [-1])

    gradients = np.array([gradient(tf.constant([row])) for row in range(len(world.tokens))])
    probabilities = world.probabilities().numpy()
    mean = probabilities @ gradients

    return probabilities @ np.sum(gradients**2, axis=1) - np.sum(mean**2)


@pytest.mark.slow
@pytest.mark.parametrize("alpha, is_raised", [(0.01, True), (0.7, False), (1.0, False)])
def test_the_minus_1_of_equation_2_is_a_constant_baseline_that_raises_or_lowers_the_variance(
    alpha, is_raised
):
    world = get_world("fixed length")
    objective = merl(alpha, baseline=NoBaseline())

    with_it = gradient_variance(world, equation_2(objective))
    without_it = gradient_variance(world, loss_of(objective))

    ratio = with_it / without_it
    assert ratio > 3 if is_raised else ratio < 1 / 3


@pytest.mark.parametrize("baseline", [BatchMean(), LeaveOneOut()])
def test_a_batch_baseline_cancels_the_minus_1_of_equation_2(baseline):
    rng = np.random.default_rng(0)
    log_probs = tf.constant(-rng.exponential(size=(4, 6)))
    credit = tf.constant(rng.normal(size=(4, 6)))
    steps_to_come = tf.range(6, 0, -1, tf.float64)
    objective = merl(baseline=baseline)

    with_it = objective.loss(log_probs, credit - steps_to_come, tf.ones([4, 6])).advantages
    without_it = objective.loss(log_probs, credit, tf.ones([4, 6])).advantages

    assert np.abs(without_it).max() > 1
    assert with_it.numpy() == pytest.approx(without_it.numpy(), abs=1e-12)


def test_the_entropy_term_is_summed_over_time_and_not_over_the_batch():
    log_probs = -np.random.default_rng(0).exponential(size=(4, 6))
    zeros = tf.zeros([4, 6], tf.float64)

    found = merl(0.7).action_values(zeros, tf.constant(log_probs), tf.ones_like(zeros)).numpy()

    over_time = [
        [sum(-0.7 * log_probs[b, k] for k in range(t, 6)) for t in range(6)] for b in range(4)
    ]
    over_the_batch = -0.7 * np.cumsum(log_probs[::-1], axis=0)[::-1]
    assert found == pytest.approx(np.array(over_time))
    assert relative_error(over_the_batch, found) > 0.5


@pytest.mark.slow
def test_summing_over_the_batch_as_the_reference_code_does_gives_another_gradient():
    def loss(batch):
        over_the_batch = -tf.stop_gradient(tf.cumsum(batch.log_probs, axis=0, reverse=True))
        return reinforce().loss(batch.log_probs, over_the_batch, batch.mask).loss

    world = get_world("fixed length")
    entropy = merl(1.0, reward=REWARDS["none"], baseline=NoBaseline())
    truth = gradient_of_j(world, entropy)

    found = -expected_gradient(world, loss, num_sequences=2)

    assert relative_error(expected_ascent(entropy, "fixed length"), truth) < 1e-10
    assert relative_error(found, truth) > 0.1


def random_batch():
    """Returns log_probs, credit, mask and prior_log_probs, NumPy [4, 6] each.

    The rows end at 6, 2, 4 and 1 of six steps; after their ends they hold noise.
    """
    rng = np.random.default_rng(2)
    log_probs, prior = -rng.exponential(size=(2, 4, 6))
    mask = (np.arange(6) < np.array([[6], [2], [4], [1]])).astype(np.float64)

    return log_probs, rng.normal(size=(4, 6)), mask, prior


def action_values_twin(credit, log_probs, mask, prior, alpha, beta, gamma):
    """Computes Q̂ by the equation, one number after the other."""
    costs = -alpha * log_probs - beta * (log_probs - prior)
    values = np.zeros_like(credit)
    for b, t in np.argwhere(mask):
        to_come = [k for k in range(t, 6) if mask[b, k]]
        values[b, t] = credit[b, t] + sum(gamma ** (k - t) * costs[b, k] for k in to_come)

    return values


def baseline_twin(name, values, mask, b, t, state):
    """Computes the baseline of one step by its definition."""
    if name == "none":
        return 0.0
    if name == "moving_average":
        return state[0] / state[1]

    rows = [row for row in range(4) if name == "batch_mean" or row != b]
    active = [values[row, t] for row in rows if mask[row, t]]

    return sum(active) / len(active) if active else 0.0


@pytest.mark.parametrize("gamma", [1.0, 0.9, 0.0])
@every_baseline
def test_the_loss_is_the_equation_number_by_number(baseline, gamma):
    log_probs, credit, mask, prior = random_batch()
    state = np.array([0.3, 0.5])
    objective = Objective(
        baseline=BASELINES[baseline],
        entropy_weight=0.7,
        kl_weight=0.6,
        discount=gamma,
    )

    found = objective.loss(*map(tf.constant, (log_probs, credit, mask, prior, state)))

    values = action_values_twin(credit, log_probs, mask, prior, 0.7, 0.6, gamma)
    advantages = np.zeros((4, 6))
    for b, t in np.argwhere(mask):
        advantages[b, t] = values[b, t] - baseline_twin(baseline, values, mask, b, t, state)
    loss = -sum(advantages[b, t] * log_probs[b, t] for b, t in np.argwhere(mask)) / 4
    assert found.advantages.numpy() == pytest.approx(advantages, abs=1e-12)
    assert float(found.loss) == pytest.approx(loss)


def test_values_after_the_end_token_do_not_change_the_loss():
    log_probs, credit, mask, prior = random_batch()
    objective = merl(0.7, kl_weight=0.6, discount=0.9)

    def loss(shift):
        shifted = [np.where(mask == 1, x, x + shift) for x in (log_probs, credit, prior)]
        log_probs_, credit_, prior_ = map(tf.constant, shifted)
        return float(objective.loss(log_probs_, credit_, tf.constant(mask), prior_).loss)

    assert loss(0) == loss(-5)


@every_baseline
def test_advantages_are_constants_to_the_gradient(baseline):
    log_probs, credit, mask, prior = map(tf.constant, random_batch())
    objective = Objective(
        baseline=BASELINES[baseline],
        entropy_weight=0.7,
        kl_weight=0.6,
        discount=0.9,
    )

    with tf.GradientTape(persistent=True) as tape:
        tape.watch([log_probs, credit, prior])
        result = objective.loss(log_probs, credit, mask, prior)

    by_log_probs = tape.gradient(result.loss, log_probs).numpy()
    assert by_log_probs == pytest.approx(-result.advantages.numpy() / 4)
    assert tape.gradient(result.loss, credit) is None
    assert tape.gradient(result.loss, prior) is None


def test_the_state_of_the_moving_average_reaches_the_next_batch():
    log_probs, credit, mask, _ = map(tf.constant, random_batch())
    objective = reinforce(baseline=BASELINES["moving_average"])

    first = objective.loss(log_probs, credit, mask)
    second = objective.loss(log_probs, credit, mask, baseline_state=first.baseline_state)

    mean = np.sum(credit * mask) / np.sum(mask)
    assert first.advantages.numpy() == pytest.approx((credit * mask).numpy())
    assert second.advantages.numpy() == pytest.approx(((credit - mean) * mask).numpy())


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize("argument", ["entropy_weight", "kl_weight"])
@every_recipe
def test_a_weight_that_is_negative_or_not_a_number_is_refused_by_name(recipe, argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be 0 or more, received {value}"):
        RECIPES[recipe](**{argument: value})


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_a_discount_outside_0_to_1_is_refused_by_name(value):
    with pytest.raises(ValueError, match=rf"discount must lie in \[0, 1\], received {value}"):
        reinforce(discount=value)


def test_kl_control_without_a_prior_is_refused_by_the_name_of_what_is_missing():
    log_probs, credit, mask, _ = map(tf.constant, random_batch())

    with pytest.raises(ValueError, match="prior_log_probs is missing: kl_weight is 1.0"):
        kl_control().loss(log_probs, credit, mask)


def test_the_recipes_are_those_of_the_paper():
    paper = Objective(
        reward=REWARDS["probability"],
        credit=Terminal(),
        baseline=NoBaseline(),
        entropy_weight=0.0,
        kl_weight=0.0,
        discount=1.0,
    )

    assert reinforce() == paper
    assert reinforce_with_baseline() == Objective(baseline=BatchMean())
    assert merl() == Objective(baseline=BatchMean(), entropy_weight=1.0)
    assert kl_control() == Objective(REWARDS["logit"], baseline=LeaveOneOut(), kl_weight=1.0)
    assert recipes.seqgan() == Objective(credit=Rollout(16))


@every_recipe
def test_every_part_of_a_recipe_can_be_replaced(recipe):
    parts = {
        "reward": REWARDS["log"],
        "credit": ShiftedCredit(),
        "baseline": BASELINES["moving_average"],
        "discount": 0.5,
        "entropy_weight": 0.2,
        "kl_weight": 0.3,
    }

    assert RECIPES[recipe](**parts) == Objective(**parts)


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_a_recipe_is_found_by_its_name(name):
    assert get_objective(name) == recipes.RECIPES[name]()


def test_get_objective_returns_an_objective_as_it_is():
    objective = merl(0.01)

    assert get_objective(objective) is objective


def test_an_unknown_recipe_is_refused_with_the_known_names():
    known = "reinforce, reinforce_with_baseline, merl, kl_control"

    with pytest.raises(ValueError, match=f"no recipe 'merle'; expected one of {known}"):
        get_objective("merle")


@pytest.mark.parametrize("value", [None, merl, 1.0])
def test_what_is_not_an_objective_is_refused_by_its_type(value):
    with pytest.raises(TypeError, match=f"received {type(value).__name__}"):
        get_objective(value)


@every_recipe
def test_a_summary_is_made_of_plain_values(recipe):
    summary = RECIPES[recipe](discount=0.9).summary()

    assert json.loads(json.dumps(summary)) == summary
    assert summary["discount"] == 0.9
    assert summary["credit"] == "Terminal()"


def test_numpys_numbers_are_kept_as_pythons_so_that_a_run_can_be_saved():
    objective = Objective(
        credit=Prefix(np.int64(2)),
        baseline=MovingAverage(np.float32(0.5)),
        entropy_weight=np.float64(0.25),
        kl_weight=np.int32(1),
        discount=np.float32(0.5),
    )
    plain = Objective(
        credit=Prefix(2),
        baseline=MovingAverage(0.5),
        entropy_weight=0.25,
        kl_weight=1.0,
        discount=0.5,
    )

    assert json.dumps(objective.summary()) == json.dumps(plain.summary())


@pytest.mark.parametrize("name", ["entropy_weight", "kl_weight", "discount"])
@pytest.mark.parametrize("value", ["0.5", None, 1j, [0.5]], ids=repr)
def test_a_weight_that_is_no_number_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a number, received"):
        Objective(**{name: value})


@pytest.mark.parametrize("make", [Prefix, lambda every: Rollout(4, every), Rollout])
@pytest.mark.parametrize("count", [1.5, "2", None], ids=repr)
def test_a_count_of_a_credit_that_is_no_whole_number_is_refused(make, count):
    with pytest.raises(ValueError, match="must be a whole number, received"):
        make(count)
