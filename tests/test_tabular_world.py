"""Claims of experiments/tabular_world.py: its world is exact, its training climbs to π* ∝ exp(R/α), and the published file meets the criterion."""

import importlib.util
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from enumeration import chi_square_p

import tfseqgan as sg

ROOT = Path(__file__).resolve().parents[1]
SPEC = importlib.util.spec_from_file_location(
    "tabular_world_experiment", ROOT / "experiments" / "tabular_world.py"
)
experiment = sys.modules[SPEC.name] = importlib.util.module_from_spec(
    SPEC
)  # a dataclass looks its own module up there
SPEC.loader.exec_module(experiment)
PUBLISHED = json.loads(experiment.RESULT.read_text(encoding="utf-8"))


def random_tables(world, seed=0, num_tables=2):
    """Returns tables of logits of which some are far from uniform, [S, P, V]."""
    return np.random.default_rng(seed).normal(
        0, 2, (num_tables, world.num_prefixes, world.vocabulary_size)
    )


def records(plan):
    """Returns the published records of a plan by (number of sequences, α)."""
    return {
        (record["sequences"], record["entropy_weight"]): record
        for record in PUBLISHED["runs"]
        if record["plan"] == plan
    }


def test_a_sequence_has_the_product_of_its_steps_probabilities():
    world = experiment.World(3, 4)
    [table] = random_tables(world, num_tables=1)
    prefixes = [prefix for t in range(4) for prefix in itertools.product(range(3), repeat=t)]
    log_probs = world.log_probs(table[None]).numpy()[0]
    for tokens, found in zip(world.tokens.tolist(), log_probs):
        rows = [table[prefixes.index(tuple(tokens[:t]))] for t in range(4)]
        np.testing.assert_allclose(
            found, [row[token] - np.log(np.exp(row).sum()) for row, token in zip(rows, tokens)]
        )
    assert np.exp(log_probs.sum(axis=1)).sum() == pytest.approx(1)


def test_sequences_are_drawn_with_their_probabilities():
    world, draws = experiment.World(3, 2), 4000
    tables = random_tables(world) / 2
    rows = world.sample(
        tf.constant(tables), tf.random.stateless_uniform([2, 2, draws], [0, 1], dtype=tf.float64)
    ).numpy()
    probabilities = np.exp(world.log_probs(tables).numpy().sum(axis=-1))
    for drawn, p in zip(rows, probabilities):
        assert chi_square_p(np.bincount(drawn, minlength=9), p) > 1e-4


def test_the_modes_are_the_best_of_all_that_are_near_them():
    world = experiment.World(4, 5)
    steps_apart = (world.tokens[:, None] != world.tokens).sum(axis=-1)
    best_nearby = np.where(steps_apart == 1, world.logits, -np.inf).max(axis=1)
    peaks = world.tokens[world.logits > best_nearby + 1]
    assert {tuple(mode) for mode in world.modes} == {tuple(peak) for peak in peaks}


@pytest.mark.parametrize("alpha", [1.0, 0.1, 0.01])
def test_the_regret_is_alpha_times_the_divergence_from_the_optimum(alpha):
    world = experiment.World(3, 4)
    objective, tables = sg.merl(entropy_weight=alpha), random_tables(world)
    log_p = tf.reduce_sum(world.log_probs(tables), axis=2)
    log_optimum = tf.nn.log_softmax(objective.reward(world.logits) / alpha)
    divergence = tf.reduce_sum(tf.exp(log_p) * (log_p - log_optimum), axis=1).numpy()
    variation = tf.reduce_sum(tf.abs(tf.exp(log_p) - tf.exp(log_optimum)), axis=1).numpy() / 2
    figures = experiment.measure(world, objective, tables)
    np.testing.assert_allclose(figures["regret"], alpha * divergence, rtol=1e-9)
    np.testing.assert_allclose(figures["kl"], divergence, rtol=1e-9)
    np.testing.assert_allclose(figures["total_variation"], variation, rtol=1e-9)
    assert figures["regret"].min() > 0.01


def test_without_entropy_the_optimum_is_the_best_sequence():
    world = experiment.World(3, 4)
    figures = experiment.measure(world, sg.merl(entropy_weight=0.0), random_tables(world))
    np.testing.assert_allclose(
        figures["regret"], (1 / (1 + np.exp(-world.logits))).max() - figures["reward"]
    )
    assert "kl" not in figures


@pytest.mark.parametrize("alpha", [1.0, 0.1])
def test_a_short_training_comes_near_the_optimum(alpha):
    settings = experiment.Settings(steps=600, points=2)
    record = experiment.run(experiment.World(3, 3), "fixed", alpha, seeds=(0, 1), settings=settings)
    divergences = np.array(record["curves"]["kl"])
    assert (alpha * divergences[:, 0]).min() > 0.1
    assert max(record["regret"]["each"]) < 0.001 and max(record["total_variation"]["each"]) < 0.02


def test_the_published_file_is_of_this_experiment():
    assert PUBLISHED["worlds"] == [
        experiment.describe(experiment.World(3, 3)),
        experiment.describe(experiment.World(4, 4)),
    ]
    assert {name: PUBLISHED["settings"][name] for name in vars(experiment.SETTINGS)} == vars(
        experiment.SETTINGS
    )
    assert set(records("annealed")) == set(itertools.product((27, 256), experiment.WEIGHTS))
    for record in PUBLISHED["runs"]:
        alpha, curves = (
            record["entropy_weight"],
            {name: np.array(curve) for name, curve in record["curves"].items()},
        )
        assert record["seeds"] == list(experiment.SEEDS) and all(
            curve.shape == (3, len(PUBLISHED["steps"])) for curve in curves.values()
        )
        np.testing.assert_allclose(
            curves["j"], curves["reward"] + alpha * curves["entropy"], atol=2e-6
        )
        np.testing.assert_allclose(
            record["optimal_j"] - curves["j"][:, -1], record["regret"]["each"], atol=2e-6
        )
        if alpha:
            np.testing.assert_allclose(
                alpha * curves["kl"][:, -1], record["regret"]["each"], atol=2e-6
            )


def test_the_published_policies_are_at_their_optimum():
    assert PUBLISHED["verdict"]["annealed"] is True
    for (_, alpha), record in records("annealed").items():
        assert max(record["regret"]["each"]) <= 0.01
        assert alpha < 0.1 or max(record["total_variation"]["each"]) <= 0.05


def test_a_small_fixed_alpha_loses_seeds_from_a_skewed_start_at_every_rate_and_batch():
    assert PUBLISHED["verdict"]["fixed"] is False and all(
        world["lead_of_the_best"] > 0.02 for world in PUBLISHED["worlds"]
    )
    lost = {
        (case["plan"], case["settings"]["start_scale"] > 0): []
        for case in PUBLISHED["sweep_at_alpha_0"]
    }
    for case in PUBLISHED["sweep_at_alpha_0"]:
        lost[case["plan"], case["settings"]["start_scale"] > 0].append(case["seeds_lost"])
    assert lost[("annealed", True)] == lost[("fixed", False)] == [0]
    assert len(lost[("fixed", True)]) == 6 and min(lost[("fixed", True)]) > 0
