"""Claims about experiments/multimodal_world.py, its published file and docs/multimodal_world.md."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
import tensorflow as tf
from conftest import import_experiment

import tfseqgan as sg


@pytest.fixture(scope="module")
def experiment():
    """The module experiments/multimodal_world.py."""
    return import_experiment("multimodal_world")


@pytest.fixture(scope="module")
def discriminator():
    """The module experiments/multimodal_discriminator.py."""
    return import_experiment("multimodal_discriminator")


@pytest.fixture(scope="module")
def page():
    """The module experiments/multimodal_world_page.py."""
    return import_experiment("multimodal_world_page")


@pytest.fixture(scope="module")
def published(page):
    """What was published."""
    return json.loads(page.RESULT.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def world(experiment):
    return experiment.World(0)


@pytest.fixture(scope="module")
def tiny(experiment):
    """A training of a second."""
    return experiment.Settings(rounds=2, steps=3, batch_size=8, candidates=2, generated=50)


# ---- the world


@pytest.mark.parametrize("seed", [0, 1])
def test_the_data_are_a_mixture_whose_probabilities_sum_to_one(experiment, seed):
    world = experiment.World(seed)
    assert world.p_data.sum() == pytest.approx(1)

    # The same mixture, one token of one sequence at a time.
    for index in (0, 7, 700, 1295):
        of_modes = []
        for centre in world.centres:
            kept = world.tokens[index] == centre
            of_modes.append(np.prod([0.9 if is_kept else 0.1 / 5 for is_kept in kept]))
        expected = np.dot(experiment.WEIGHTS, of_modes) + 0.05 / 6**4
        assert world.p_data[index] == pytest.approx(expected)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_neighbourhoods_of_two_modes_have_no_sequence_in_common(experiment, seed):
    world = experiment.World(seed)

    assert world.is_near.sum(axis=0).max() == 1
    assert world.is_near.sum(axis=1).tolist() == [1 + 4 * 5] * 6
    for first, second in itertools.combinations(world.centres, 2):
        assert (first != second).sum() >= 3


# ---- the measure


def test_the_data_themselves_are_at_no_distance_and_keep_every_mode(experiment, world):
    figures = experiment.measure(world, np.log(world.p_data)[None])

    entropy = -np.sum(world.p_data * np.log(world.p_data))
    assert figures["kl_data_policy"][0] == pytest.approx(0)
    assert figures["kl_policy_data"][0] == pytest.approx(0)
    assert figures["entropy"][0] == pytest.approx(entropy)
    assert figures["modes_kept"].tolist() == [1]
    assert figures["modes_lost"].tolist() == [0]


def test_a_mode_is_kept_at_half_of_its_probability_and_lost_below_a_tenth(experiment, world):
    factors = np.ones(len(world.tokens))
    for mode, factor in zip(world.is_near, (0.51, 0.49, 0.11, 0.09), strict=False):
        factors[mode] = factor
    rest = ~world.is_near.any(axis=0)
    factors[rest] = (1 - (factors * world.p_data)[~rest].sum()) / world.p_data[rest].sum()

    figures = experiment.measure(world, np.log(factors * world.p_data)[None])

    assert figures["modes_kept"][0] == pytest.approx(3 / 6)
    assert figures["modes_lost"][0] == pytest.approx(1 / 6)


# ---- the start and the discriminators


def test_the_start_is_the_frequencies_with_a_constant_added_to_every_count(experiment, world):
    counts = np.bincount([0, 1, 1, 40], minlength=len(world.tokens))

    log_p = world.log_p(tf.constant(experiment.smoothed_table(world, counts, 0.5))[None])[0]

    # The four are 0000, twice 0001, and 0104: all begin with 0, three continue with 0 and 0.
    expected = (4.5 / 7) * (3.5 / 7) * (3.5 / 6) * (1.5 / 6)
    assert np.exp(log_p[0]) == pytest.approx(expected)
    assert np.exp(log_p).sum() == pytest.approx(1)


def test_a_logistic_regression_with_a_feature_for_each_row_finds_the_log_ratios(discriminator):
    real, generated = np.array([1.0, 2.0, 3.0]), np.array([4.0, 2.0, 1.0])

    weights = discriminator.fit_logistic(np.eye(3), real, generated, 1e-6, np.zeros(3))

    np.testing.assert_allclose(weights, np.log(real / generated), atol=1e-4)


def test_a_fitted_discriminator_with_much_data_is_nearly_the_exact_one(
    experiment, discriminator, world
):
    settings = dataclasses.replace(experiment.SETTINGS, train=4000, aside=1000, generated=5000)
    data = experiment.draw_data(world, (3,), settings)
    uniform = np.full((1, len(world.tokens)), 1 / len(world.tokens))

    fitted = experiment.make_discriminator("fitted", world, data, (3,), settings)
    logits = fitted(np.log(uniform))[0]

    exact = np.log(world.p_data / uniform[0])
    found, best = (
        discriminator.cross_entropy(each, world.p_data, uniform[0]) for each in (logits, exact)
    )
    assert best < found < best + 0.05
    assert best < 0.4 < np.log(2)


def test_the_odds_of_the_exact_discriminator_turn_a_policy_into_the_data(experiment, world):
    data = experiment.draw_data(world, (3,), experiment.SETTINGS)
    log_p = world.log_p(tf.constant(experiment.start_tables(world, data)))

    discriminator = experiment.make_discriminator("exact", world, data, (3,), experiment.SETTINGS)

    np.testing.assert_allclose(np.exp(log_p + discriminator(log_p))[0], world.p_data)


# ---- the training


def test_candidates_that_are_kept_or_weighed_are_nearer_to_the_data(experiment, world):
    settings = dataclasses.replace(experiment.SETTINGS, batch_size=2000)
    data = experiment.draw_data(world, (3, 4), settings)
    starts = experiment.start_tables(world, data)
    learner = experiment.Learner(world, starts, (0.1, 0.1), (3, 4), settings)
    log_p = world.log_p(learner.tables())
    logits = np.log(world.p_data) - log_p

    variations = [
        np.abs(frequencies - world.p_data).sum(axis=1) / 2
        for frequencies in (
            np.exp(log_p),
            learner.kept(logits, 0),
            learner.weighed(logits, 0),
        )
    ]

    of_start, of_kept, of_weighed = variations
    assert (of_kept < 0.8 * of_start).all()
    assert (of_weighed < 0.5 * of_start).all()


def test_a_table_learns_as_it_would_alone_at_its_own_rate(experiment, world, tiny):
    method = experiment.METHODS["maligan"]

    together = experiment.train(world, method, "exact", (3, 3, 4), (0.3, 0.0, 0.1), tiny)
    alone = experiment.train(world, method, "exact", (4,), (0.1,), tiny)

    data = experiment.draw_data(world, (3,), tiny)
    start = world.log_p(tf.constant(experiment.start_tables(world, data)))
    np.testing.assert_allclose(together[2], alone[0])
    np.testing.assert_allclose(together[1], start[0])
    assert np.abs(together[0] - start[0]).max() > 0.1


@pytest.mark.slow
def test_every_method_trains_with_both_discriminators(experiment, world, tiny):
    for name, kind in experiment.rows():
        log_p = experiment.train(world, experiment.METHODS[name], kind, (3,), (0.1,), tiny)

        assert log_p.shape == (1, 1296), name
        assert np.exp(log_p).sum() == pytest.approx(1), name


@pytest.mark.parametrize("name", ["maligan", "cooperative, all weighed"])
def test_a_short_training_by_exact_odds_halves_the_distance_to_the_data(experiment, world, name):
    settings = dataclasses.replace(experiment.SETTINGS, rounds=8, steps=25)
    data = experiment.draw_data(world, (3,), settings)
    start = world.log_p(tf.constant(experiment.start_tables(world, data)))

    trained = experiment.train(world, experiment.METHODS[name], "exact", (3,), (0.03,), settings)

    [before], [after] = (
        experiment.measure(world, log_p)["kl_data_policy"] for log_p in (start, trained)
    )
    assert after < before / 2


# ---- the published file and its page


def test_rendering_the_page_again_changes_no_byte(page):
    assert page.render() == page.PAGE.read_text(encoding="utf-8")


def test_the_published_file_is_of_this_experiment(experiment, published):
    assert published["settings"] == vars(experiment.SETTINGS)
    assert published["world"]["centres"] == experiment.World(0).centres.tolist()
    assert published["seeds"] == list(experiment.SEEDS)
    assert published["start"] == experiment.describe_start()
    assert published["limits"] == experiment.limits()

    found = [(run["method"], run["discriminator"]) for run in published["runs"]]
    assert found == [
        (name, kind if experiment.METHODS[name].discriminates else None)
        for name, kind in experiment.rows()
    ]


def test_the_published_learning_rates_are_the_best_ones_in_the_other_world(experiment, published):
    for run in published["runs"]:
        divergences = {record["learning_rate"]: record["kl_data_policy"] for record in run["sweep"]}
        assert tuple(divergences) == experiment.RATES
        assert divergences[run["learning_rate"]] == min(divergences.values())
        assert len(run["figures"]["kl_data_policy"]["each"]) == 3


def test_kl_control_with_a_renewed_discriminator_ends_at_its_limit(published):
    name = "kl_control, D of each round"
    [run] = [
        run
        for run in published["runs"]
        if run["method"] == name and run["discriminator"] == "exact"
    ]

    found = run["figures"]["kl_data_policy"]["each"]
    np.testing.assert_allclose(found, published["limits"][name]["each"], atol=0.005)


def test_the_methods_are_the_recipes_of_the_library(experiment):
    objectives = {name: method.objective for name, method in experiment.METHODS.items()}

    assert objectives["reinforce"] == sg.reinforce()
    assert objectives["maligan"] == sg.maligan()
    assert objectives["kl_control, D of the start"] == sg.kl_control(kl_weight=1.0)
    assert objectives["merl, α = 1"] == sg.merl()
