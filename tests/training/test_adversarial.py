"""Adversarial training: exact after any stop, each player moved by its own gradient alone, and clear about what it cannot do."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import (
    END,
    RECIPES,
    Interrupted,
    Interruption,
    T,
    V,
    assert_same,
    make_discriminator,
    make_generator,
    make_models,
    make_tokens,
    play,
    snapshot,
)

import tfseqgan as sg
from tfseqgan.training.adversarial import AdversarialRound
from tfseqgan.training.steps import AdversarialSteps

ROUNDS = range(-2, 3)
PLACES = ["within", "before", "behind"]
SHORT = {"rounds": 2, "discriminator_pretraining_rounds": 0, "validation_data": None}
TRAIN = make_tokens(0, 7)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The uninterrupted run: KL control with its prior, and a moving average with its state."""
    return play(tmp_path_factory.mktemp("whole"))


def assert_runs_equal(first, second):
    """Weights, optimizers, figures and the CSV file agree to the last bit."""
    assert_same(first[0], second[0])
    assert_same(first[1], second[1])
    assert first[2] == second[2]


def fit(generator, discriminator, **options):
    """Plays a short silent match."""
    defaults = {
        "rounds": 2,
        "batch_size": 3,
        "discriminator_batch_size": 4,
        "discriminator_steps": 2,
        "seed": 0,
        "verbose": 0,
    }
    return sg.fit_adversarial(generator, discriminator, **{"data": TRAIN} | defaults | options)


@pytest.mark.parametrize("every, rounds", [(1, ROUNDS), (2, [0, 2])])
def test_a_run_interrupted_in_every_round_goes_on_bit_for_bit(tmp_path, every, rounds, whole):
    for number, where in zip(rounds, itertools.cycle(PLACES)):
        resumes = any(
            tmp_path.glob("checkpoints/*.index")
        )  # then the players have weights of their own, which the checkpoint must replace
        with pytest.raises(Interrupted):
            play(
                tmp_path,
                interruption=Interruption(number, where),
                weights_seed=20 if resumes else 1,
                checkpoint_every=every,
            )
    assert resumes
    assert_runs_equal(whole, play(tmp_path, weights_seed=30, checkpoint_every=every))


@pytest.mark.parametrize("recipe", ["reinforce", "reinforce_with_baseline", "merl"])
def test_every_recipe_goes_on_bit_for_bit_and_more_rounds_extend_a_run(tmp_path, recipe):
    for folder in ("whole", "parts"):
        (tmp_path / folder).mkdir()
    play(tmp_path / "parts", recipe, **SHORT | {"rounds": 1})
    resumed = play(tmp_path / "parts", recipe, weights_seed=9, **SHORT)
    assert_runs_equal(play(tmp_path / "whole", recipe, **SHORT), resumed)


def test_a_killed_process_loses_nothing(tmp_path, whole):
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from tiny_models import Interruption, play\n"
        "play(sys.argv[1], interruption=Interruption(1, 'within', kill=True))"
    )
    tests = Path(__file__).parents[1]
    process = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(tests), str(tests.parent)],
        capture_output=True,
    )
    assert process.returncode == -9
    assert_runs_equal(whole, play(tmp_path, weights_seed=9))


def test_a_seed_repeats_bit_for_bit_and_another_differs():
    one, same, other = (fit(*make_models(), rounds=1, seed=seed).history for seed in (4, 4, 5))
    assert_same(one, same)
    assert all(
        one[name] != other[name]
        for name in ("reward_mean", "entropy", "discriminator_loss", "gradient_norm")
    )


def test_evaluation_after_a_resume_is_the_same(tmp_path):
    def players():
        models = make_models()
        fit(*models, rounds=2, checkpoint_dir=tmp_path)
        return models

    first, second = (sg.evaluate(*players(), TRAIN) for _ in range(2))
    assert first == second


def test_the_history_has_the_figures_of_the_docstring_and_no_others(whole):
    rows = re.findall(r"^    \| (`.+?`) \|", sg.fit_adversarial.__doc__, re.MULTILINE)
    glossary = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert whole[1].keys() - {"round"} == glossary
    without = {name for name in glossary if not name.startswith("val_")}
    assert fit(*make_models()).history.keys() == without


def test_figures_are_nan_only_where_they_have_no_meaning(whole):
    _, figures, _ = whole
    rounds = np.array(figures["round"])
    assert rounds.tolist() == [-2, -1, 0, 1, 2]
    for name, values in figures.items():
        finite = np.isfinite(values)
        if name in ("generator_loss", "advantage_std", "gradient_norm", "kl"):
            assert np.array_equal(finite, rounds >= 0), name
        elif name.startswith("val_") and name != "val_precision":
            assert np.array_equal(finite, (rounds + 1) % 2 == 0), name
        elif not name.startswith("val_"):
            assert finite.all(), name
    assert np.isnan(fit(*make_models(), rounds=1).history["kl"]).all()


def test_pretraining_rounds_move_the_discriminator_alone():
    moved = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            moved.append(
                (epoch, *(not np.array_equal(old, new) for old, new in zip(before, weights())))
            )

    players = make_models()

    def weights():
        return [player.get_weights()[-1].copy() for player in players]

    before = weights()
    fit(*players, discriminator_pretraining_rounds=2, rounds=1, callbacks=[Watch()])
    assert moved == [(-2, False, True), (-1, False, True), (0, True, True)]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_generator_step_follows_the_gradient_of_the_objective_by_hand(recipe):
    generator, discriminator = make_generator(), make_discriminator()
    for model in (generator, discriminator):
        model.compile(keras.optimizers.SGD(0.5))
    objective, prior = RECIPES[recipe], np.array(keras.ops.log_softmax(generator(TRAIN)))
    game = AdversarialSteps(generator, discriminator, objective)
    generator.opening.assign(generator.opening + 0.3)  # away from the prior
    rewards = np.linspace(-1, 1, len(TRAIN), dtype=np.float32)
    mask = np.cumsum(TRAIN == END, axis=1) - (TRAIN == END) == 0
    with tf.GradientTape() as tape:
        log_p = tf.gather(tf.nn.log_softmax(generator(TRAIN)), TRAIN, batch_dims=2)
        prior_log_p = np.take_along_axis(prior, TRAIN[..., None], axis=2)[..., 0]
        costs = -objective.entropy_weight * log_p.numpy() - objective.kl_weight * (
            log_p.numpy() - prior_log_p
        )
        values = rewards[:, None] + np.cumsum((costs * mask)[:, ::-1], axis=1)[:, ::-1]
        loss = -tf.reduce_sum(
            (values - baseline_by_hand(recipe, values, mask)) * mask * log_p
        ) / len(TRAIN)
    gradients = [
        tf.convert_to_tensor(gradient)
        for gradient in tape.gradient(loss, generator.trainable_variables)
    ]
    expected = [
        weight - 0.5 * gradient
        for weight, gradient in zip(generator.trainable_variables, gradients)
    ]
    before = snapshot(discriminator)
    figures = game.generator_step(tf.constant(TRAIN, tf.int32), tf.constant(rewards))
    for weight, value in zip(generator.trainable_variables, expected):
        np.testing.assert_allclose(weight, value, atol=2e-6, rtol=1e-4)
    np.testing.assert_allclose(figures["generator_loss"], loss, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        figures["gradient_norm"],
        np.sqrt(sum(np.sum(np.square(gradient)) for gradient in gradients)),
        rtol=1e-4,
    )
    assert_same(before, snapshot(discriminator))


def baseline_by_hand(recipe, values, mask):
    """Returns what each recipe subtracts in its first step."""
    if recipe in ("reinforce", "moving average"):
        return np.zeros_like(values)
    total, count = (values * mask).sum(axis=0), mask.sum(axis=0)
    if recipe == "kl_control":
        return (total - values * mask) / np.maximum(count - mask, 1)
    return np.broadcast_to(total / np.maximum(count, 1), values.shape)


def test_the_moving_average_is_read_before_it_is_updated_and_is_part_of_the_game():
    generator, discriminator = make_models()
    game = AdversarialSteps(generator, discriminator, RECIPES["moving average"])
    tokens, rewards = tf.constant(TRAIN, tf.int32), tf.fill([len(TRAIN)], 4.0)
    assert np.array_equal(game.baseline_state, [0, 0])
    game.generator_step(tokens, rewards)
    assert 0 < game.baseline_state[1] < 1 and game.baseline_state is game.state()["baseline"]
    np.testing.assert_allclose(game.baseline_state[0] / game.baseline_state[1], 4, atol=0.2)


def test_a_discriminator_step_follows_the_cross_entropy_and_leaves_the_generator():
    generator, discriminator = make_generator(), make_discriminator(dropout=0.0)
    for model in (generator, discriminator):
        model.compile(keras.optimizers.SGD(0.5))
    real, generated = TRAIN[:4], make_tokens(9, 3)
    with tf.GradientTape() as tape:
        wrong = tf.concat([-discriminator(real), discriminator(generated)], axis=0)
        loss = tf.reduce_mean(tf.nn.softplus(wrong)) + 0.1 / 2 * tf.reduce_sum(
            discriminator.output_layer.kernel**2
        )
    gradients = [
        tf.convert_to_tensor(gradient)
        for gradient in tape.gradient(loss, discriminator.trainable_variables)
    ]
    expected = [
        weight - 0.5 * gradient
        for weight, gradient in zip(discriminator.trainable_variables, gradients)
    ]
    before, game = snapshot(generator), AdversarialSteps(generator, discriminator, sg.reinforce())
    step = game.discriminator_step(tf.constant(real, tf.int32), tf.constant(generated, tf.int32))
    np.testing.assert_allclose(step, loss, rtol=1e-5)
    for weight, value in zip(discriminator.trainable_variables, expected):
        np.testing.assert_allclose(weight, value, atol=1e-6, rtol=1e-4)
    assert_same(before, snapshot(generator))


def test_the_prior_is_the_generator_as_it_came_and_never_moves():
    generator, discriminator = make_models()
    came, game = (
        generator.get_weights(),
        AdversarialSteps(generator, discriminator, RECIPES["kl_control"]),
    )
    for _ in range(3):
        game.generator_step(tf.constant(TRAIN, tf.int32), tf.linspace(-1.0, 1.0, len(TRAIN)))
    assert_same(came, game.prior.generator.get_weights())
    assert not np.array_equal(came[-1], generator.get_weights()[-1])


def test_a_reward_of_the_tokens_alone_is_learned():
    generator, discriminator = make_models()
    generator.compile(keras.optimizers.Adam(0.1))
    objective = sg.reinforce_with_baseline(reward=sg.rewards.none)
    history = fit(
        generator,
        discriminator,
        objective=objective,
        reward=lambda tokens: (tokens == 4).sum(axis=1),
        rounds=25,
        data=make_tokens(0, 32),
        batch_size=32,
        discriminator_steps=1,
    )
    rewards = history.history["reward_mean"]
    assert np.mean(rewards[:3]) < 1.5 and np.mean(rewards[-3:]) > 4


def test_figures_of_a_round_are_those_of_its_samples():
    generator, discriminator = make_models()
    seen = []

    def reward(tokens):
        seen.append(tokens.copy())
        return np.zeros(len(tokens))

    writer, judge = make_models()
    history = fit(generator, discriminator, reward=reward, rounds=1, batch_size=5).history
    probabilities = 1 / (1 + np.exp(-np.array(judge(seen[0]))))
    log_p = tf.gather(tf.nn.log_softmax(writer(seen[0])), seen[0], batch_dims=2).numpy()
    mask = np.cumsum(seen[0] == END, axis=1) - (seen[0] == END) == 0
    np.testing.assert_allclose(history["entropy"][0], -log_p[mask].mean(), rtol=1e-5)
    np.testing.assert_allclose(history["reward_mean"][0], probabilities.mean(), rtol=1e-5)
    np.testing.assert_allclose(history["reward_std"][0], probabilities.std(), rtol=1e-4)
    assert seen[0].shape == (5, T) and seen[0].dtype == np.int32


def discriminator_batches(**options):
    """Returns the real and the generated sequences that each discriminator step of one round is shown."""
    taken = []

    class Spy:
        """A game that notes what its discriminator is shown."""

        def __init__(self, game):
            self.game = game

        def __getattr__(self, name):
            return getattr(self.game, name)

        def discriminator_step(self, real, generated):
            taken.append((real.numpy(), generated.numpy()))
            return tf.constant(0.0)

    players = (
        make_generator(end_token_id=None),
        make_discriminator(end_token_id=None),
    )  # whole sequences: two alike by chance are rare
    match = AdversarialRound(
        **{
            "game": Spy(AdversarialSteps(*players, sg.reinforce())),
            "data": TRAIN.astype(np.int32),
            "validation_data": None,
            "generator_steps": 1,
            "discriminator_steps": 6,
            "batch_size": 3,
            "discriminator_batch_size": 4,
            "pool_size": 12,
            "pretraining_rounds": 0,
            "validation_freq": 1,
            "seed": 0,
        }
        | options
    )
    match.train_discriminator(0)
    return taken


def count_rows(batches):
    """Returns how often each distinct row stands in some batches."""
    return np.unique(np.concatenate(batches), axis=0, return_counts=True)[1]


def test_every_discriminator_step_has_as_many_real_as_generated_sequences():
    batches = discriminator_batches()
    assert len(batches) == 6 and all(
        real.shape == generated.shape == (2, T) for real, generated in batches
    )


def test_real_sequences_come_in_shuffled_passes():
    real = np.concatenate([real for real, _ in discriminator_batches()])
    assert (
        len(np.unique(real[:7], axis=0)) == 7
    )  # twelve rows: one pass over the seven, and five more


def test_by_default_every_generated_sequence_is_fresh():
    assert count_rows([generated for _, generated in discriminator_batches()]).max() == 1


def test_fewer_samples_are_taken_again_in_another_order():
    batches = discriminator_batches(pool_size=4)
    assert count_rows([generated for _, generated in batches]).tolist() == [3, 3, 3, 3]
    passes = [
        np.concatenate([batches[step][1], batches[step + 1][1]]).tolist() for step in (0, 2, 4)
    ]
    assert passes[0] != passes[1] or passes[1] != passes[2]


def test_early_stopping_ends_a_run():
    stop = keras.callbacks.EarlyStopping(
        monitor="reward_mean", mode="max", min_delta=100.0, patience=1
    )
    assert fit(*make_models(), rounds=9, callbacks=[stop]).epoch == [0, 1]


def test_callbacks_see_the_generator_as_their_model(tmp_path):
    players = make_models()

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            assert self.model is players[0] and {"reward_mean", "entropy"} <= logs.keys()

    csv = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    nan = keras.callbacks.TerminateOnNaN()
    fit(*players, callbacks=[Look(), csv, nan])
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3


def test_divergence_stops_a_run_before_a_checkpoint_is_spoilt(tmp_path):
    class Blow(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.optimizer.learning_rate.assign(np.inf)

    with pytest.raises(
        FloatingPointError,
        match="Training diverged in round 2.*last checkpoint is intact.*clip the gradient",
    ):
        fit(
            *make_models(),
            rounds=4,
            callbacks=[Blow()],
            checkpoint_dir=tmp_path,
            checkpoint_every=1,
        )
    players = make_models()
    assert fit(*players, rounds=4, checkpoint_dir=tmp_path, checkpoint_every=1).epoch == [
        0,
        1,
        2,
        3,
    ]
    assert all(np.isfinite(weight).all() for weight in snapshot(*players))


@pytest.mark.parametrize(
    "message, options",
    [
        ("seed: saved 0, now 1", {"seed": 1}),
        ("batch_size: saved 3, now 2", {"batch_size": 2}),
        ("discriminator_steps: saved 2, now 3", {"discriminator_steps": 3}),
        (
            "baseline: saved 'NoBaseline\\(\\)', now 'BatchMean\\(\\)'",
            {"objective": "reinforce_with_baseline"},
        ),
        ("kl_weight: saved 0.0, now 1.0", {"objective": "kl_control"}),
        ("token_reward: saved None, now 'sum'", {"reward": np.sum}),
        ("data_checksum: saved", {"data": make_tokens(3, 7)}),
        ("validation_data_checksum: saved None", {"validation_data": TRAIN}),
        ("first_round: saved 0, now -1", {"discriminator_pretraining_rounds": 1}),
    ],
)
def test_a_run_with_other_settings_is_not_gone_on_with(finished_run, message, options):
    players = make_models()
    before = [player.get_weights() for player in players]
    with pytest.raises(
        ValueError, match=f"The checkpoint belongs to a run with other settings.*{message}"
    ):
        fit(*players, checkpoint_dir=finished_run, **options)
    for weights, player in zip(before, players):
        assert_same(weights, player.get_weights())


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """The checkpoints of a run of one round."""
    folder = tmp_path_factory.mktemp("finished")
    fit(*make_models(), rounds=1, checkpoint_dir=folder)
    return folder


def test_other_models_are_not_filled_from_its_checkpoint(finished_run):
    generator, discriminator = make_generator(units=7), make_discriminator(kernel_sizes=(2, 4))
    generator.compile("sgd"), discriminator.compile("adam")
    sizes, optimizer, units = (
        r"kernel_sizes: saved \[2, 3\], now \[2, 4\]",
        "optimizer: saved 'Adam', now 'SGD'",
        "units: saved 6, now 7",
    )
    with pytest.raises(
        ValueError, match=f"discriminator.{sizes}; generator.{optimizer}; generator.{units}"
    ):
        fit(generator, discriminator, checkpoint_dir=finished_run)


def test_a_checkpoint_of_maximum_likelihood_is_not_taken_for_an_adversarial_one(tmp_path):
    generator, discriminator = make_models()
    sg.pretrain(
        generator, TRAIN, epochs=1, batch_size=3, checkpoint_dir=tmp_path, seed=0, verbose=0
    )
    with pytest.raises(ValueError, match="stage: saved 'pretrain', now 'adversarial'"):
        fit(generator, discriminator, checkpoint_dir=tmp_path)


@pytest.mark.parametrize(
    "message, options",
    [
        ("batch_size is 8 and the data holds 7 sequences; expected 1 to 7", {"batch_size": 8}),
        (
            "half of discriminator_batch_size is 8 and the data holds 7",
            {"discriminator_batch_size": 16},
        ),
        ("half of discriminator_batch_size is 0", {"discriminator_batch_size": 1}),
        (
            "data holds tokens from 0 to 9, expected 0 to 8",
            {"data": TRAIN + (TRAIN == TRAIN.max())},
        ),
        ("data must be integer tokens", {"data": TRAIN / 2}),
        ("validation_data holds tokens from 9 to 9", {"validation_data": [[V, V]]}),
        ("rounds must be a whole number of 0 or more, received -1", {"rounds": -1}),
        (
            "generator_steps must be a whole number of 1 or more, received 1.5",
            {"generator_steps": 1.5},
        ),
        ("discriminator_steps must be", {"discriminator_steps": 0}),
        ("discriminator_samples must be", {"discriminator_samples": 0}),
        ("validation_freq must be", {"validation_freq": 0}),
        ("checkpoint_every must be", {"checkpoint_every": 0}),
        ("discriminator_pretraining_rounds must be", {"discriminator_pretraining_rounds": -1}),
        ("seed must be a whole number of 0 or more", {"seed": -3}),
        ("There is no recipe 'ppo'; expected one of reinforce", {"objective": "ppo"}),
        (
            r"reward must return one finite number .* shape \(3,\); received shape \(3, 5\), finite",
            {"reward": lambda tokens: tokens},
        ),
        (r"reward must return .* received shape \(\), finite", {"reward": lambda tokens: 1.0}),
        (r"reward must return .* received shape \(\), not finite", {"reward": lambda tokens: None}),
        (
            r"reward must return .* received shape \(3,\), not finite",
            {"reward": lambda tokens: [0.0, np.nan, 0.0]},
        ),
    ],
)
def test_what_cannot_be_played_is_named(message, options):
    with pytest.raises(ValueError, match=message):
        fit(*make_models(), **options)


def test_an_objective_of_another_type_is_named():
    with pytest.raises(
        TypeError, match="objective must be an Objective or a recipe's name, received float"
    ):
        fit(*make_models(), objective=0.1)


def test_players_that_cannot_play_are_told_what_to_do():
    generator, discriminator = make_models()
    with pytest.raises(ValueError, match=r"The generator is not compiled.*Call generator.compile"):
        fit(make_generator(), discriminator)
    with pytest.raises(
        ValueError, match=r"The discriminator is not compiled.*Call discriminator.compile"
    ):
        fit(generator, make_discriminator())
    foreign = sg.Discriminator(V + 1)
    foreign.compile("adam")
    with pytest.raises(
        ValueError,
        match="generator's vocabulary_size is 9 and the discriminator's 10; expected the same",
    ):
        fit(generator, foreign)
    discriminator.compile(generator.optimizer)
    with pytest.raises(ValueError, match="same optimizer object"):
        fit(generator, discriminator)


def test_models_of_a_table_and_sequences_without_an_end_play_too():
    generator, discriminator = (
        make(token_features=None, end_token_id=None)
        for make in (make_generator, make_discriminator)
    )
    generator.compile("adam"), discriminator.compile("adam")
    history = fit(generator, discriminator, objective="kl_control", generator_steps=2).history
    assert np.isfinite(history["kl"]).all()


def test_no_rounds_train_the_discriminator_alone():
    generator, discriminator = make_models()
    before = generator.get_weights(), discriminator.get_weights()
    assert fit(generator, discriminator, rounds=0, discriminator_pretraining_rounds=2).epoch == [
        -2,
        -1,
    ]
    assert all(
        np.array_equal(old, new)
        for old, new in zip(before[0], generator.get_weights(), strict=True)
    )
    assert not all(
        np.array_equal(old, new)
        for old, new in zip(before[1], discriminator.get_weights(), strict=True)
    )


def test_prefix_credit_trains_and_a_reward_of_the_tokens_arrives_at_the_end():
    objective = sg.reinforce_with_baseline(credit=sg.credit.Prefix())
    generator, discriminator = make_models()
    came = snapshot(generator)
    history = sg.fit_adversarial(
        generator,
        discriminator,
        TRAIN,
        objective,
        rounds=2,
        batch_size=4,
        discriminator_batch_size=4,
        reward=lambda tokens: np.ones(len(tokens)),
        seed=0,
        verbose=0,
    )
    assert all(
        1 < reward < 2 for reward in history.history["reward_mean"]
    )  # D in (0, 1), and 1 for the tokens
    assert not np.array_equal(came[0], snapshot(generator)[0])


def test_seqgan_trains_and_goes_on_bit_for_bit(tmp_path):
    runs = []
    for stops in ([2], [1, 2]):
        for rounds in stops:
            generator, discriminator = make_models()
            sg.fit_adversarial(
                generator,
                discriminator,
                TRAIN,
                sg.seqgan(num_rollouts=3),
                rounds=rounds,
                batch_size=4,
                discriminator_batch_size=4,
                seed=0,
                verbose=0,
                checkpoint_dir=tmp_path / str(len(stops)),
            )
        runs.append(snapshot(generator, discriminator))
    assert_same(*runs)
    assert not np.array_equal(runs[0][0], snapshot(make_models()[0])[0])


def test_rounds_that_train_the_discriminator_alone_ask_for_no_completions(monkeypatch):
    def refuse(*_):
        raise AssertionError("completions were drawn")

    monkeypatch.setattr(sg.credit.Rollout, "judge", refuse)
    generator, discriminator = make_models()
    options = {
        "discriminator_pretraining_rounds": 2,
        "batch_size": 4,
        "discriminator_batch_size": 4,
        "seed": 0,
        "verbose": 0,
    }
    history = sg.fit_adversarial(generator, discriminator, TRAIN, sg.seqgan(), rounds=0, **options)
    assert history.epoch == [-2, -1] and all(
        0 < reward < 1 for reward in history.history["reward_mean"]
    )
    with pytest.raises(AssertionError, match="completions were drawn"):
        sg.fit_adversarial(generator, discriminator, TRAIN, sg.seqgan(), rounds=1, **options)
