"""Claims about tfseqgan.objectives, proved by enumeration: the expected gradient of every recipe is the gradient of what it stands for.

Sequences of V tokens and T steps are listed, and so is every batch of N of them; no claim here rests on sampling.
"""

import dataclasses
import functools
import json
import math

import numpy as np
import pytest
import tensorflow as tf
from enumeration import (
    expected_gradient,
    generator_world,
    gradient_of_j,
    random_generator,
    relative_error,
    tabular_world,
)

from tfseqgan.objectives import recipes as objectives
from tfseqgan.objectives.baselines import BASELINES, BatchMean, LeaveOneOut, NoBaseline
from tfseqgan.objectives.credit import Prefix, Rollout, Terminal
from tfseqgan.objectives.objective import Objective
from tfseqgan.objectives.recipes import (
    get_objective,
    kl_control,
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
WORLDS = {"fixed length": tabular_world(), "may end": tabular_world(end_token_id=2)}
LONG_WORLDS = {"fixed length": tabular_world(2, 4), "may end": tabular_world(2, 4, end_token_id=1)}

every_recipe = pytest.mark.parametrize("recipe", RECIPES)
every_reward = pytest.mark.parametrize("reward", REWARDS)
every_baseline = pytest.mark.parametrize("baseline", BASELINES)
every_world = pytest.mark.parametrize("world", WORLDS)


def loss_of(objective):
    """Returns the loss of a batch as the trainer computes it, with a moving average that has seen batches of mean 0.6."""

    def loss(batch):
        logits = batch.logits
        if isinstance(objective.credit, Prefix):
            every, length = objective.credit.every, batch.prefix_logits.shape[1]
            logits = tf.gather(
                batch.prefix_logits, [*range(every - 1, length - 1, every), length - 1], axis=1
            )
        credit = objective.credit(objective.reward(logits), batch.mask, objective.discount)
        state = tf.constant([0.3, 0.5], batch.log_probs.dtype)
        return objective.loss(
            batch.log_probs, credit, batch.mask, batch.prior_log_probs, state
        ).loss

    return loss


def batch_mean_factor(world, num_sequences):
    """Returns how the batch mean scales the gradient at each prefix, [P, 1].

    If a step is reached with probability p, the N − 1 others still going are binomial, and E[(n − 1)/n] = 1 − (1 − (1 − p)ᴺ)/(N p).
    """
    p = world.alive()[world.depths]
    return (1 - (1 - (1 - p) ** num_sequences) / (num_sequences * p))[:, None]


def test_the_worlds_hold_every_sequence_once():
    assert [len(world.tokens) for world in (*WORLDS.values(), *LONG_WORLDS.values())] == [
        27,
        15,
        16,
        5,
    ]
    generators = [random_generator(0), random_generator(0, end_token_id=2)]
    for world in (*WORLDS.values(), *LONG_WORLDS.values(), *map(generator_world, generators)):
        assert float(tf.reduce_sum(world.probabilities())) == pytest.approx(1, abs=1e-6)


@every_world
@every_baseline
@every_reward
@every_recipe
def test_the_expected_gradient_is_the_gradient_of_j(recipe, reward, baseline, world):
    objective, world = (
        RECIPES[recipe](reward=REWARDS[reward], baseline=BASELINES[baseline]),
        WORLDS[world],
    )
    expected = gradient_of_j(world, objective) * (
        batch_mean_factor(world, 2) if baseline == "batch_mean" else 1
    )
    assert (
        relative_error(-expected_gradient(world, loss_of(objective), num_sequences=2), expected)
        < 1e-10
    )


@every_world
@every_baseline
@every_reward
@every_recipe
def test_credit_for_prefixes_has_the_same_expected_gradient(recipe, reward, baseline, world):
    objective, world = (
        RECIPES[recipe](reward=REWARDS[reward], baseline=BASELINES[baseline], credit=Prefix()),
        WORLDS[world],
    )
    expected = gradient_of_j(world, objective) * (
        batch_mean_factor(world, 2) if baseline == "batch_mean" else 1
    )
    assert (
        relative_error(-expected_gradient(world, loss_of(objective), num_sequences=2), expected)
        < 1e-10
    )


@pytest.mark.parametrize("every", [2, 3, 5])
@every_world
def test_so_it_has_where_the_discriminator_is_asked_less_often(world, every):
    objective, world = (
        merl(
            0.7, reward=REWARDS["logit"], baseline=BASELINES["leave_one_out"], credit=Prefix(every)
        ),
        WORLDS[world],
    )
    expected = gradient_of_j(world, objective)
    assert (
        relative_error(-expected_gradient(world, loss_of(objective), num_sequences=2), expected)
        < 1e-10
    )


def expected_reward_given_prefixes(world):
    """Returns E[R | y₁…yₜ] of every sequence and step, R being the logit: what endless rollouts give. NumPy [S, T]."""
    p, worth = world.probabilities().numpy(), world.everything().logits.numpy()
    values = np.zeros(world.tokens.shape)
    for t in range(world.tokens.shape[1]):
        _, groups = np.unique(world.tokens[:, : t + 1], axis=0, return_inverse=True)
        values[:, t] = (np.bincount(groups.ravel(), p * worth) / np.bincount(groups.ravel(), p))[
            groups.ravel()
        ]
    return values


@pytest.mark.parametrize("every", [1, 2, 3])
@every_baseline
@every_world
def test_credit_by_rollouts_has_the_same_expected_gradient(world, baseline, every):
    world = WORLDS[world]
    objective = merl(
        0.7, reward=REWARDS["logit"], baseline=BASELINES[baseline], credit=Rollout(1, every)
    )
    lengths = [*range(every, world.tokens.shape[1], every), world.tokens.shape[1]]
    values = tf.constant(
        expected_reward_given_prefixes(world)[:, np.array(lengths) - 1]
    )  # [S, P + 1]

    def everything():
        return dataclasses.replace(world.everything(), prefix_logits=values)

    def loss(batch):
        credit = objective.credit(batch.prefix_logits[:, :, None], batch.mask)
        return objective.loss(
            batch.log_probs, credit, batch.mask, baseline_state=tf.constant([0.3, 0.5], tf.float64)
        ).loss

    expected = gradient_of_j(world, objective) * (
        batch_mean_factor(world, 2) if baseline == "batch_mean" else 1
    )
    found = -expected_gradient(
        dataclasses.replace(world, everything=everything), loss, num_sequences=2
    )
    assert relative_error(found, expected) < 1e-10


@every_world
@pytest.mark.parametrize("baseline", ["batch_mean", "leave_one_out"])
@every_recipe
def test_it_is_so_for_batches_of_three_and_sequences_of_four(recipe, baseline, world):
    objective, world = RECIPES[recipe](baseline=BASELINES[baseline]), LONG_WORLDS[world]
    expected = gradient_of_j(world, objective) * (
        batch_mean_factor(world, 3) if baseline == "batch_mean" else 1
    )
    assert (
        relative_error(-expected_gradient(world, loss_of(objective), num_sequences=3), expected)
        < 1e-10
    )


@pytest.mark.parametrize("num_sequences", [1, 2, 3])
@every_recipe
def test_the_batch_mean_scales_the_gradient_by_n_minus_1_over_n_and_leave_one_out_does_not(
    recipe, num_sequences
):
    world, factor = WORLDS["fixed length"], (num_sequences - 1) / num_sequences
    for baseline, scale in ((BatchMean(), factor), (LeaveOneOut(), 1)):
        objective = RECIPES[recipe](baseline=baseline)
        found, truth = (
            -expected_gradient(world, loss_of(objective), num_sequences),
            gradient_of_j(world, objective),
        )
        assert np.abs(found - scale * truth).max() < 1e-10 * np.abs(truth).max()


def test_where_sequences_may_end_the_batch_mean_scales_late_steps_down_more():
    world = WORLDS["may end"]
    factors = [batch_mean_factor(world, 2)[world.depths == depth][0, 0] for depth in range(3)]
    assert factors == pytest.approx(world.alive() / 2)
    assert factors[0] == pytest.approx(1 / 2) and factors[0] > factors[1] > factors[2] > 0


@pytest.mark.parametrize(
    "baseline, end_token_id, factor",
    [
        ("none", 2, 1),
        ("batch_mean", None, 0.5),
        ("leave_one_out", 2, 1),
        ("moving_average", None, 1),
    ],
)
@every_recipe
def test_a_real_generator_has_the_same_expected_gradient_to_float32(
    recipe, baseline, end_token_id, factor
):
    objective, world = (
        RECIPES[recipe](baseline=BASELINES[baseline]),
        generator_world(random_generator(0, end_token_id=end_token_id)),
    )
    found = -expected_gradient(world, loss_of(objective), num_sequences=2)
    assert relative_error(found, factor * gradient_of_j(world, objective)) < 1e-5


@every_world
def test_subtracting_a_constant_at_each_step_changes_no_expected_gradient(world):
    def loss(batch):
        credit = merl().credit(merl().reward(batch.logits), batch.mask)
        return reinforce(entropy_weight=1.0).loss(batch.log_probs, credit - 1, batch.mask).loss

    found = -expected_gradient(WORLDS[world], loss, num_sequences=1)
    assert relative_error(found, gradient_of_j(WORLDS[world], merl())) < 1e-10


def equation_2(objective):
    """Returns the loss with the paper's −1 where the paper has it: inside the sum over the steps to come."""

    def loss(batch):
        steps_to_come = tf.cumsum(batch.mask, axis=1, reverse=True)
        credit = objective.credit(objective.reward(batch.logits), batch.mask) - steps_to_come
        return objective.loss(batch.log_probs, credit, batch.mask).loss

    return loss


@pytest.mark.parametrize(
    "baseline, scale", [(NoBaseline(), 1), (BatchMean(), 0.5), (LeaveOneOut(), 1)]
)
def test_equation_2s_minus_1_changes_nothing_for_sequences_of_one_length(baseline, scale):
    world, objective = WORLDS["fixed length"], merl(baseline=baseline)
    found = -expected_gradient(world, equation_2(objective), num_sequences=2)
    assert relative_error(found, scale * gradient_of_j(world, objective)) < 1e-10


def test_equation_2s_minus_1_is_a_price_on_length_where_sequences_may_end():
    world, objective = WORLDS["may end"], merl(baseline=NoBaseline())
    length = tf.reduce_sum(world.everything().mask, axis=1)
    price = gradient_of_j(world, reinforce(reward=lambda _: -length))
    found = -expected_gradient(world, equation_2(objective), num_sequences=1)
    assert relative_error(found, gradient_of_j(world, objective) + price) < 1e-10
    assert np.abs(price).max() > 0.1


def gradient_variance(world, loss):
    """Returns the trace of the covariance of the gradient of one sequence's loss."""
    gradients = []
    for row in range(len(world.tokens)):
        with tf.GradientTape() as tape:
            value = loss(world.everything().rows([row]))
        gradients.append(tape.gradient(value, world.variable).numpy().ravel())
    probabilities, gradients = world.probabilities().numpy(), np.array(gradients)
    return probabilities @ np.sum(gradients**2, axis=1) - np.sum((probabilities @ gradients) ** 2)


@pytest.mark.parametrize("alpha, adds", [(0.01, True), (0.7, False), (1.0, False)])
def test_equation_2s_minus_1_is_a_constant_baseline_which_adds_variance_or_takes_it_away(
    alpha, adds
):
    world, objective = WORLDS["fixed length"], merl(alpha, baseline=NoBaseline())
    ratio = gradient_variance(world, equation_2(objective)) / gradient_variance(
        world, loss_of(objective)
    )
    assert ratio > 3 if adds else ratio < 1 / 3


@pytest.mark.parametrize("baseline", [BatchMean(), LeaveOneOut()])
def test_a_batch_baseline_cancels_equation_2s_minus_1(baseline):
    rng = np.random.default_rng(0)
    log_probs, credit = (
        tf.constant(-rng.exponential(size=(4, 6))),
        tf.constant(rng.normal(size=(4, 6))),
    )
    minus_1 = credit - tf.range(6, 0, -1, tf.float64)
    with_it, without = (
        merl(baseline=baseline).loss(log_probs, worth, tf.ones([4, 6])).advantages.numpy()
        for worth in (minus_1, credit)
    )
    assert np.abs(without).max() > 1 and with_it == pytest.approx(without, abs=1e-12)


def test_the_entropy_term_sums_over_time_and_not_over_the_batch():
    log_probs = -np.random.default_rng(0).exponential(size=(4, 6))
    found = (
        merl(0.7)
        .action_values(
            tf.zeros([4, 6], tf.float64), tf.constant(log_probs), tf.ones([4, 6], tf.float64)
        )
        .numpy()
    )
    over_time = [
        [sum(-0.7 * log_probs[b, k] for k in range(t, 6)) for t in range(6)] for b in range(4)
    ]
    over_the_batch = -0.7 * np.cumsum(log_probs[::-1], axis=0)[::-1]
    assert found == pytest.approx(np.array(over_time))
    assert relative_error(over_the_batch, found) > 0.5


def test_summing_over_the_batch_as_the_reference_code_does_gives_another_gradient():
    def loss(batch):
        over_the_batch = -tf.stop_gradient(tf.cumsum(batch.log_probs, axis=0, reverse=True))
        return reinforce().loss(batch.log_probs, over_the_batch, batch.mask).loss

    entropy = merl(1.0, reward=REWARDS["none"], baseline=NoBaseline())
    world, truth = WORLDS["fixed length"], gradient_of_j(WORLDS["fixed length"], entropy)
    assert (
        relative_error(-expected_gradient(world, loss_of(entropy), num_sequences=2), truth) < 1e-10
    )
    assert relative_error(-expected_gradient(world, loss, num_sequences=2), truth) > 0.1


def random_batch():
    """Returns log_probs, credit, mask, prior_log_probs of four rows that end at 6, 2, 4 and 1 of six steps; noise stands behind the ends."""
    rng = np.random.default_rng(2)
    log_probs, prior = -rng.exponential(size=(2, 4, 6))
    mask = (np.arange(6) < np.array([[6], [2], [4], [1]])).astype(np.float64)
    return log_probs, rng.normal(size=(4, 6)), mask, prior


def twin_action_values(credit, log_probs, mask, prior, alpha, beta, gamma):
    """Returns Q̂ by the equation, one number after the other."""
    values = np.zeros_like(credit)
    for b, t in np.argwhere(mask):
        costs = [
            -alpha * log_probs[b, k] - beta * (log_probs[b, k] - prior[b, k]) for k in range(6)
        ]
        values[b, t] = credit[b, t] + sum(
            gamma ** (k - t) * costs[k] for k in range(t, 6) if mask[b, k]
        )
    return values


def twin_baseline(name, values, mask, b, t, state):
    """Returns b of one step by its definition."""
    others = {"batch_mean": range(4), "leave_one_out": [row for row in range(4) if row != b]}
    if name in others:
        going = [values[row, t] for row in others[name] if mask[row, t]]
        return sum(going) / len(going) if going else 0.0
    return {"none": 0.0, "moving_average": state[0] / state[1]}[name]


@pytest.mark.parametrize("gamma", [1.0, 0.9, 0.0])
@every_baseline
def test_the_loss_is_the_equation_number_by_number(baseline, gamma):
    log_probs, credit, mask, prior = random_batch()
    objective = Objective(
        baseline=BASELINES[baseline], entropy_weight=0.7, kl_weight=0.6, discount=gamma
    )
    found = objective.loss(
        *map(tf.constant, (log_probs, credit, mask, prior, np.array([0.3, 0.5])))
    )
    values = twin_action_values(credit, log_probs, mask, prior, 0.7, 0.6, gamma)
    advantages = np.zeros((4, 6))
    for b, t in np.argwhere(mask):
        advantages[b, t] = values[b, t] - twin_baseline(baseline, values, mask, b, t, [0.3, 0.5])
    assert found.advantages.numpy() == pytest.approx(advantages, abs=1e-12)
    assert float(found.loss) == pytest.approx(
        -sum(advantages[b, t] * log_probs[b, t] for b, t in np.argwhere(mask)) / 4
    )


def test_what_stands_behind_the_end_counts_for_nothing():
    log_probs, credit, mask, prior = random_batch()
    objective = merl(0.7, kl_weight=0.6, discount=0.9)
    noisy = [np.where(mask == 1, values, values - 5) for values in (log_probs, credit, prior)]
    one = objective.loss(*map(tf.constant, (log_probs, credit, mask, prior)))
    other = objective.loss(*map(tf.constant, (*noisy[:2], mask, noisy[2])))
    assert float(one.loss) == float(other.loss)


@every_baseline
def test_advantages_are_constants_to_the_gradient(baseline):
    log_probs, credit, mask, prior = (tf.constant(values) for values in random_batch())
    objective = Objective(
        baseline=BASELINES[baseline], entropy_weight=0.7, kl_weight=0.6, discount=0.9
    )
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([log_probs, credit, prior])
        result = objective.loss(log_probs, credit, mask, prior)
    assert tape.gradient(result.loss, log_probs).numpy() == pytest.approx(
        -result.advantages.numpy() / 4
    )
    assert tape.gradient(result.loss, credit) is None and tape.gradient(result.loss, prior) is None


def test_the_moving_average_is_handed_on():
    log_probs, credit, mask, _ = (tf.constant(values) for values in random_batch())
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


def test_kl_control_without_a_prior_says_what_is_missing():
    log_probs, credit, mask, _ = (tf.constant(values) for values in random_batch())
    with pytest.raises(ValueError, match="prior_log_probs"):
        kl_control().loss(log_probs, credit, mask)


def test_recipes_are_the_papers():
    assert reinforce() == Objective(REWARDS["probability"], Terminal(), NoBaseline(), 0.0, 0.0, 1.0)
    assert reinforce_with_baseline() == Objective(baseline=BatchMean())
    assert merl() == Objective(baseline=BatchMean(), entropy_weight=1.0)
    assert kl_control() == Objective(REWARDS["logit"], baseline=LeaveOneOut(), kl_weight=1.0)


@every_recipe
def test_every_part_of_a_recipe_can_be_replaced(recipe):
    parts = {
        "reward": REWARDS["log"],
        "credit": lambda *_: 0,
        "baseline": BASELINES["moving_average"],
        "discount": 0.5,
    }
    weights = {"entropy_weight": 0.2, "kl_weight": 0.3}
    objective = RECIPES[recipe](**parts, **weights)
    assert objective == Objective(**parts, **weights)


@pytest.mark.parametrize("name", objectives.RECIPES)
def test_a_recipe_is_found_by_its_name(name):
    assert get_objective(name) == objectives.RECIPES[name]()


def test_an_objective_stands_for_itself():
    objective = merl(0.01)
    assert get_objective(objective) is objective


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(
        ValueError,
        match="'merle'; expected one of reinforce, reinforce_with_baseline, merl, kl_control",
    ):
        get_objective("merle")


@pytest.mark.parametrize("thing", [None, merl, 1.0])
def test_what_is_no_objective_is_refused_by_its_type(thing):
    with pytest.raises(TypeError, match=f"received {type(thing).__name__}"):
        get_objective(thing)


@every_recipe
def test_a_summary_is_plain_values(recipe):
    summary = RECIPES[recipe](discount=0.9).summary()
    assert json.loads(json.dumps(summary)) == summary
    assert summary["discount"] == 0.9 and summary["credit"] == "Terminal()"
