"""Claims about tfseqgan.training.adversarial and steps.

A run resumes bit for bit after any stop, each model is moved by its own gradient alone, and what
cannot be trained is refused by name.
"""

import functools
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
    OBJECTIVES,
    Interrupted,
    Interruption,
    T,
    V,
    assert_same,
    log_softmax,
    make_discriminator,
    make_generator,
    make_models,
    make_tokens,
    sigmoid,
    snapshot,
    train_adversarially,
)

import tfseqgan as sg
from tfseqgan.training.adversarial import AdversarialRound
from tfseqgan.training.schedule import Schedule
from tfseqgan.training.steps import AdversarialSteps

TRAIN = make_tokens(0, 7)
SHORT = {"rounds": 2, "discriminator_pretraining_rounds": 0, "validation_data": None}


def fit(generator, discriminator, **options):
    """Runs a short silent training; every batch of one kind has four rows, so that graphs fit."""
    defaults = {
        "data": TRAIN,
        "rounds": 2,
        "batch_size": 4,
        "discriminator_batch_size": 4,
        "discriminator_steps": 2,
        "seed": 0,
        "verbose": 0,
    }

    return sg.fit_adversarial(generator, discriminator, **defaults | options)


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """A run that nothing interrupts: KL control with its prior, and a moving average."""
    return train_adversarially(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def compiled_models():
    """Models for tests that end before anything is trained."""
    return make_models()


@pytest.fixture(scope="module")
def short_run(tmp_path_factory):
    """The history, models and checkpoints of one round of REINFORCE."""
    folder = tmp_path_factory.mktemp("short")
    models = make_models()
    history = fit(*models, rounds=1, checkpoint_dir=folder)

    return history.history, models, folder


def assert_runs_equal(first, second):
    """Asserts that weights, optimizers, figures and the CSV file agree to the last bit."""
    assert_same(first[0], second[0])
    assert_same(first[1], second[1])
    assert first[2] == second[2]


@pytest.mark.slow
@pytest.mark.parametrize("every, rounds", [(1, range(-2, 3)), (2, [0, 2])])
def test_a_run_interrupted_in_every_round_resumes_bit_for_bit(tmp_path, every, rounds, whole_run):
    resumes = False
    for index, where in zip(rounds, itertools.cycle(["within", "before", "after"]), strict=False):
        # Models of a resumed run have other weights, which the checkpoint must replace.
        resumes = any(tmp_path.glob("checkpoints/*.index"))
        with pytest.raises(Interrupted):
            train_adversarially(
                tmp_path,
                interruption=Interruption(index, where),
                weights_seed=20 if resumes else 1,
                checkpoint_every=every,
            )
    assert resumes

    resumed = train_adversarially(tmp_path, weights_seed=30, checkpoint_every=every)

    assert_runs_equal(whole_run, resumed)


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["reinforce", "reinforce_with_baseline", "merl"])
def test_more_rounds_extend_a_run_of_every_recipe_bit_for_bit(tmp_path, objective):
    whole_folder = tmp_path / "whole"
    parts_folder = tmp_path / "parts"
    whole_folder.mkdir()
    parts_folder.mkdir()

    whole = train_adversarially(whole_folder, objective, **SHORT)
    train_adversarially(parts_folder, objective, **SHORT | {"rounds": 1})
    resumed = train_adversarially(parts_folder, objective, weights_seed=9, **SHORT)

    assert_runs_equal(whole, resumed)


@pytest.mark.slow
@pytest.mark.processes
def test_a_killed_process_resumes_bit_for_bit(tmp_path, whole_run):
    tests = Path(__file__).parents[1]
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from tiny_models import Interruption, train_adversarially\n"
        "interruption = Interruption(1, 'within', kill=True)\n"
        "train_adversarially(sys.argv[1], interruption=interruption)"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(tests), str(tests.parent)]

    process = subprocess.run(command, capture_output=True)
    resumed = train_adversarially(tmp_path, weights_seed=9)

    assert process.returncode == -9
    assert_runs_equal(whole_run, resumed)


@pytest.mark.slow
def test_a_seed_repeats_bit_for_bit_and_another_seed_differs(short_run):
    first, first_models, _ = short_run
    models = make_models()

    same = fit(*models, rounds=1, seed=0).history
    other = fit(*make_models(), rounds=1, seed=5).history

    assert_same(first, same)
    assert_same(snapshot(*first_models), snapshot(*models))
    for name in ("reward_mean", "entropy", "discriminator_loss", "gradient_norm"):
        assert first[name] != other[name], name


@pytest.mark.slow
def test_evaluation_after_a_resume_is_the_same(short_run):
    _, models, folder = short_run
    resumed = make_models(seed=9)
    fit(*resumed, rounds=1, checkpoint_dir=folder)

    assert sg.evaluate(*resumed, TRAIN) == sg.evaluate(*models, TRAIN)


@pytest.mark.slow
def test_the_history_has_the_figures_of_the_docstring_and_no_others(whole_run, short_run):
    rows = re.findall(r"^    \| (`.+?`) \|", sg.fit_adversarial.__doc__, re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    without_validation = {name for name in documented if not name.startswith("val_")}

    assert whole_run[1].keys() - {"round"} == documented
    assert short_run[0].keys() == without_validation


@pytest.mark.slow
def test_figures_are_nan_only_where_they_have_no_meaning(whole_run, short_run):
    figures = whole_run[1]
    rounds = np.array(figures["round"])
    assert rounds.tolist() == [-2, -1, 0, 1, 2]

    is_finite = {name: np.isfinite(values) for name, values in figures.items()}
    of_generator = {"generator_loss", "advantage_std", "gradient_norm", "kl"}
    of_validation = {"val_nll", "val_recall", "val_auc"}
    del is_finite["val_precision"]  # NaN where the discriminator calls nothing real

    for name in of_generator:
        assert np.array_equal(is_finite.pop(name), rounds >= 0), name
    for name in of_validation:
        assert np.array_equal(is_finite.pop(name), (rounds + 1) % 2 == 0), name
    for name, values in is_finite.items():
        assert values.all(), name
    assert np.isnan(short_run[0]["kl"]).all()


@pytest.mark.slow
def test_pretraining_rounds_move_the_discriminator_alone():
    models = make_models()
    moved = []

    def last_weights():
        return [model.get_weights()[-1].copy() for model in models]

    before = last_weights()

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            has_moved = [
                not np.array_equal(old, new)
                for old, new in zip(before, last_weights(), strict=True)
            ]
            moved.append((epoch, *has_moved))

    fit(*models, discriminator_pretraining_rounds=2, rounds=1, callbacks=[Watch()])

    assert moved == [(-2, False, True), (-1, False, True), (0, True, True)]


@pytest.mark.slow
def test_no_rounds_train_the_discriminator_alone():
    generator, discriminator = make_models()
    generator_before = generator.get_weights()
    discriminator_before = discriminator.get_weights()

    history = fit(generator, discriminator, rounds=0, discriminator_pretraining_rounds=2)

    assert history.epoch == [-2, -1]
    assert_same(generator_before, generator.get_weights())
    assert not np.array_equal(discriminator_before[-1], discriminator.get_weights()[-1])


def trajectory_of(steps, tokens):
    """Returns the trajectory of given tokens, as if the policy had sampled them."""
    tokens = tf.constant(tokens, tf.int32)

    return sg.Trajectory(tokens, steps.policy.log_prob(tokens), steps.policy.mask(tokens))


def mask_twin(tokens):
    """Returns which tokens count: those up to and including the first end token."""
    is_end = tokens == END

    return np.cumsum(is_end, axis=1) - is_end == 0


def baseline_twin(objective, values, mask):
    """Computes what each recipe subtracts in its first step."""
    if objective in ("reinforce", "moving average"):
        return np.zeros_like(values)

    total = (values * mask).sum(axis=0)
    count = mask.sum(axis=0)
    if objective == "kl_control":
        return (total - values * mask) / np.maximum(count - mask, 1)

    return np.broadcast_to(total / np.maximum(count, 1), values.shape)


def step_of_sgd(model, loss_function, learning_rate=0.5):
    """Computes a loss, the norm of its gradient, and the weights after a step of SGD."""
    with tf.GradientTape() as tape:
        loss = loss_function()
    gradients = [
        tf.convert_to_tensor(gradient)
        for gradient in tape.gradient(loss, model.trainable_variables)
    ]

    moved = [
        weight - learning_rate * gradient
        for weight, gradient in zip(model.trainable_variables, gradients, strict=True)
    ]

    return loss, tf.linalg.global_norm(gradients), moved


def assert_weights_close(model, expected, atol):
    """Asserts that the weights of a model are the expected ones."""
    for weight, value in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(weight, value, atol=atol, rtol=1e-4)


@pytest.mark.parametrize(
    "name",
    [
        name if name == "kl_control" else pytest.param(name, marks=pytest.mark.slow)
        for name in OBJECTIVES
    ],
)
def test_a_generator_step_follows_the_gradient_of_the_objective_by_hand(name):
    objective = OBJECTIVES[name]
    generator = make_generator()
    discriminator = make_discriminator()
    generator.compile(keras.optimizers.SGD(0.5))
    discriminator.compile(keras.optimizers.SGD(0.5))
    steps = AdversarialSteps(generator, discriminator, objective)

    prior = np.take_along_axis(log_softmax(np.array(generator(TRAIN))), TRAIN[..., None], 2)[..., 0]
    generator.opening.assign(generator.opening + 0.3)  # away from the prior
    rewards = np.linspace(-1, 1, len(TRAIN), dtype=np.float32)
    mask = mask_twin(TRAIN)

    def loss_by_hand():
        log_p = tf.gather(tf.nn.log_softmax(generator(TRAIN)), TRAIN, batch_dims=2)
        log_ratio = log_p.numpy() - prior
        costs = -objective.entropy_weight * log_p.numpy() - objective.kl_weight * log_ratio
        costs_to_go = np.cumsum((costs * mask)[:, ::-1], axis=1)[:, ::-1]
        values = rewards[:, None] + costs_to_go
        advantages = (values - baseline_twin(name, values, mask)) * mask
        return -tf.reduce_sum(advantages * log_p) / len(TRAIN)

    loss, norm, expected = step_of_sgd(generator, loss_by_hand)
    before = snapshot(discriminator)
    figures = steps.generator_step(trajectory_of(steps, TRAIN), tf.constant(rewards))

    assert_weights_close(generator, expected, atol=2e-6)
    np.testing.assert_allclose(figures["generator_loss"], loss, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(figures["gradient_norm"], norm, rtol=1e-4)
    assert_same(before, snapshot(discriminator))


@pytest.mark.slow
def test_the_costs_of_a_generator_step_are_those_of_the_sampled_trajectory():
    steps = AdversarialSteps(*make_models(), OBJECTIVES["kl_control"])
    trajectory = trajectory_of(steps, TRAIN)
    shifted = trajectory._replace(log_probs=trajectory.log_probs + 0.5 * trajectory.mask)

    figures = steps.generator_step(shifted, tf.zeros(len(TRAIN)))

    np.testing.assert_allclose(figures["kl"], 0.5, rtol=1e-5)


@pytest.mark.slow
def test_the_moving_average_is_updated_by_a_generator_step_and_is_part_of_the_state():
    steps = AdversarialSteps(*make_models(), OBJECTIVES["moving average"])
    before = steps.baseline_state.numpy()

    steps.generator_step(trajectory_of(steps, TRAIN), tf.fill([len(TRAIN)], 4.0))

    mean_times_weight, weight = steps.baseline_state.numpy()
    assert before.tolist() == [0, 0]
    assert 0 < weight < 1
    np.testing.assert_allclose(mean_times_weight / weight, 4, atol=0.2)
    assert steps.state()["baseline"] is steps.baseline_state


def test_a_discriminator_step_follows_the_cross_entropy_and_leaves_the_generator():
    generator = make_generator()
    discriminator = make_discriminator(dropout=0.0)
    generator.compile(keras.optimizers.SGD(0.5))
    discriminator.compile(keras.optimizers.SGD(0.5))
    real = tf.constant(TRAIN[:4], tf.int32)
    generated = tf.constant(make_tokens(9, 3), tf.int32)

    def loss_by_hand():
        wrong = tf.concat([-discriminator(real), discriminator(generated)], axis=0)
        penalty = 0.1 / 2 * tf.reduce_sum(discriminator.output_layer.kernel**2)
        return tf.reduce_mean(tf.nn.softplus(wrong)) + penalty

    expected_loss, _, expected = step_of_sgd(discriminator, loss_by_hand)
    before = snapshot(generator)
    steps = AdversarialSteps(generator, discriminator, sg.reinforce())
    loss = steps.discriminator_step(real, generated)

    np.testing.assert_allclose(loss, expected_loss, rtol=1e-5)
    assert_weights_close(discriminator, expected, atol=1e-6)
    assert_same(before, snapshot(generator))


@pytest.mark.slow
def test_the_prior_is_a_copy_of_the_generator_that_never_moves():
    generator, discriminator = make_models()
    before = generator.get_weights()
    steps = AdversarialSteps(generator, discriminator, OBJECTIVES["kl_control"])

    for _ in range(3):
        rewards = tf.linspace(-1.0, 1.0, len(TRAIN))
        steps.generator_step(trajectory_of(steps, TRAIN), rewards)

    assert_same(before, steps.prior.generator.get_weights())
    assert not np.array_equal(before[-1], generator.get_weights()[-1])


@pytest.mark.slow
def test_a_reward_of_the_tokens_alone_is_learned():
    generator, discriminator = make_models()
    generator.compile(keras.optimizers.Adam(0.1))

    history = fit(
        generator,
        discriminator,
        data=make_tokens(0, 32),
        objective=sg.reinforce_with_baseline(reward=sg.rewards.none),
        reward=lambda tokens: (tokens == 4).sum(axis=1),
        rounds=25,
        batch_size=32,
        discriminator_steps=1,
    )

    rewards = history.history["reward_mean"]
    assert np.mean(rewards[:3]) < 1.5
    assert np.mean(rewards[-3:]) > 4


def test_figures_of_a_round_are_those_of_its_samples_before_the_step():
    batches = []

    def reward(tokens):
        batches.append(tokens.copy())
        return np.zeros(len(tokens))

    history = fit(*make_models(), reward=reward, rounds=1, batch_size=6).history

    [samples] = batches
    generator, discriminator = make_models()
    probabilities = sigmoid(np.array(discriminator(samples)))
    log_p = log_softmax(np.array(generator(samples)))
    log_p = np.take_along_axis(log_p, samples[..., None], axis=2)[..., 0]
    assert samples.shape == (6, T)
    assert samples.dtype == np.int32
    np.testing.assert_allclose(history["entropy"][0], -log_p[mask_twin(samples)].mean(), rtol=1e-5)
    np.testing.assert_allclose(history["reward_mean"][0], probabilities.mean(), rtol=1e-5)
    np.testing.assert_allclose(history["reward_std"][0], probabilities.std(), rtol=1e-4)


def fours(tokens):
    """Returns how often 4 stands in each row."""
    return (tokens == 4).sum(axis=1)


def fives(tokens):
    """Returns how often 5 stands in each row."""
    return (tokens == 5).sum(axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["moving average", sg.merl(0.1, credit=sg.credit.Prefix())])
def test_several_rewards_move_the_weights_as_their_sum_does_and_are_logged_by_name(
    objective, tmp_path
):
    several = [sg.rewards.Weighted(fours, 2.0), sg.rewards.Weighted(fives, -0.25, name="price")]
    batches = []

    def total(tokens):
        batches.append(tokens)
        return 2 * fours(tokens) - fives(tokens) / 4

    options = {"objective": OBJECTIVES.get(objective, objective), "rounds": 2}
    with_total = make_models()
    expected = fit(*with_total, reward=total, **options).history
    models = make_models()
    table = sg.MetricsCSV(tmp_path / "metrics.csv")
    history = fit(*models, reward=several, callbacks=[table], **options).history

    assert_same(snapshot(*models), snapshot(*with_total))
    means = [(fours(batch).mean(), fives(batch).mean()) for batch in batches]
    of_fours, of_price = np.transpose(means)
    np.testing.assert_allclose(history.pop("reward/fours"), of_fours)
    np.testing.assert_allclose(history.pop("reward/price"), of_price)
    assert_same(history, expected)
    header, *_ = (tmp_path / "metrics.csv").read_text().splitlines()
    assert {"reward/fours", "reward/price"} <= set(header.split(","))


@pytest.mark.slow
def test_a_run_of_several_rewards_resumes_only_with_the_same_functions_and_weights(tmp_path):
    def train(*parts, rounds):
        options = {"checkpoint_dir": tmp_path, "rounds": rounds}
        return fit(*make_models(), reward=parts, **options)

    train(sg.rewards.Weighted(fours), sg.rewards.Weighted(fives), rounds=1)

    resumed = train(sg.rewards.Weighted(fours), sg.rewards.Weighted(fives), rounds=2)
    assert len(resumed.history["reward/fives"]) == 2
    with pytest.raises(ValueError, match=r"saved .*'fives': 1.0.*now .*'fives': 2.0"):
        train(sg.rewards.Weighted(fours), sg.rewards.Weighted(fives, 2.0), rounds=3)
    with pytest.raises(ValueError, match="another reward/fives"):
        other = sg.rewards.Weighted(lambda tokens: tokens.max(axis=1), name="fives")
        train(sg.rewards.Weighted(fours), other, rounds=3)


class RecordedSteps:
    """Adversarial steps that record what the discriminator gets, and do not train it."""

    def __init__(self, steps):
        self.steps = steps
        self.batches = []

    def __getattr__(self, name):
        return getattr(self.steps, name)

    def discriminator_step(self, real, generated):
        self.batches.append((real.numpy(), generated.numpy()))
        return tf.constant(0.0)


@functools.cache
def discriminator_batches(num_samples=None):
    """Returns the real and the generated sequences of each discriminator step of one round.

    Sequences do not end early, so that two of them are rarely alike by chance.
    """
    generator = make_generator(end_token_id=None)
    discriminator = make_discriminator(end_token_id=None)
    steps = RecordedSteps(AdversarialSteps(generator, discriminator, sg.reinforce()))
    schedule = Schedule(
        discriminator_steps=6,
        discriminator_batch_size=4,
        discriminator_samples=num_samples,
    )
    data = TRAIN.astype(np.int32)

    AdversarialRound(steps, data, None, schedule, seed=0).train_discriminator(0)

    return steps.batches


@pytest.mark.slow
def test_every_discriminator_step_gets_as_many_real_as_generated_sequences():
    batches = discriminator_batches()

    assert len(batches) == 6
    for real, generated in batches:
        assert real.shape == generated.shape == (2, T)


@pytest.mark.slow
def test_real_sequences_are_drawn_in_shuffled_passes():
    real = np.concatenate([real for real, _ in discriminator_batches()])

    # Twelve rows are one pass over the seven, and five more.
    assert len(np.unique(real[:7], axis=0)) == 7


@pytest.mark.slow
def test_by_default_every_generated_sequence_is_used_once():
    generated = np.concatenate([generated for _, generated in discriminator_batches()])

    assert len(np.unique(generated, axis=0)) == len(generated) == 12


@pytest.mark.slow
def test_fewer_generated_sequences_are_used_again_in_another_order():
    generated = np.concatenate([generated for _, generated in discriminator_batches(4)])
    _, counts = np.unique(generated, axis=0, return_counts=True)
    first, second, third = generated.reshape(3, 4, T).tolist()

    assert counts.tolist() == [3, 3, 3, 3]
    assert first != second or second != third


@pytest.mark.slow
def test_early_stopping_ends_a_run():
    stop = keras.callbacks.EarlyStopping(
        monitor="reward_mean", mode="max", min_delta=100.0, patience=1
    )

    assert fit(*make_models(), rounds=9, callbacks=[stop]).epoch == [0, 1]


@pytest.mark.slow
def test_callbacks_see_the_generator_as_their_model(tmp_path):
    generator, discriminator = make_models()
    seen = []

    class Record(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((self.model, logs))

    csv = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    nan = keras.callbacks.TerminateOnNaN()
    fit(generator, discriminator, callbacks=[Record(), csv, nan])

    assert len(seen) == 2
    for model, logs in seen:
        assert model is generator
        assert {"reward_mean", "entropy"} <= logs.keys()
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3


@pytest.mark.slow
def test_divergence_stops_a_run_and_its_last_checkpoint_is_finite(tmp_path):
    class Diverge(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.optimizer.learning_rate.assign(np.inf)

    options = {"rounds": 4, "checkpoint_dir": tmp_path, "checkpoint_every": 1}
    message = "Training diverged in round 2.*last checkpoint is intact.*clip the gradient"
    with pytest.raises(FloatingPointError, match=message):
        fit(*make_models(), callbacks=[Diverge()], **options)

    models = make_models()
    history = fit(*models, **options)

    assert history.epoch == [0, 1, 2, 3]
    assert all(np.isfinite(weight).all() for weight in snapshot(*models))


@pytest.mark.slow
@pytest.mark.parametrize(
    "message, options",
    [
        ("seed: saved 0, now 1", {"seed": 1}),
        ("batch_size: saved 4, now 2", {"batch_size": 2}),
        ("discriminator_steps: saved 2, now 3", {"discriminator_steps": 3}),
        (
            r"baseline: saved 'NoBaseline\(\)', now 'BatchMean\(\)'",
            {"objective": "reinforce_with_baseline"},
        ),
        ("kl_weight: saved 0.0, now 1.0", {"objective": "kl_control"}),
        ("token_reward: saved None, now 'sum'", {"reward": np.sum}),
        ("data_checksum: saved", {"data": make_tokens(3, 7)}),
        ("validation_data_checksum: saved None", {"validation_data": TRAIN}),
        ("first_round: saved 0, now -1", {"discriminator_pretraining_rounds": 1}),
    ],
)
def test_a_run_is_not_resumed_with_other_settings(short_run, message, options):
    models = make_models()
    before = [model.get_weights() for model in models]

    with pytest.raises(
        ValueError, match=f"The checkpoint belongs to a run with other settings.*{message}"
    ):
        fit(*models, checkpoint_dir=short_run[2], **options)

    for weights, model in zip(before, models, strict=True):
        assert_same(weights, model.get_weights())


@pytest.mark.slow
def test_torn_moments_of_one_huge_reward_end_a_run_before_they_are_saved(tmp_path):
    class Huge:
        """A reward that is huge in the second round, and not in the next run."""

        calls = 0

        def __call__(self, tokens):
            self.calls += 1
            return np.where(tokens[:, 0] > 3, 1e25 if self.calls == 2 else 1.0, 0.0)

    huge = Huge()
    models = make_models()
    options = {"checkpoint_dir": tmp_path, "checkpoint_every": 1, "rounds": 3, "reward": huge}

    with pytest.raises(FloatingPointError, match="optimizers' moments not finite"):
        fit(*models, **options)
    resumed = fit(*make_models(seed=9), **options)

    assert resumed.epoch == [0, 1, 2]
    assert np.isfinite(resumed.history["gradient_norm"]).all()


@pytest.mark.slow
def test_numpy_integers_are_taken_as_pythons_own(short_run, tmp_path):
    history, _, _ = short_run
    models = make_models()
    options = {"rounds": np.int64(1), "seed": np.uint8(0), "batch_size": np.int32(4)}

    assert_same(history, fit(*models, **options, checkpoint_dir=tmp_path).history)
    assert_same(history, fit(*models, rounds=1, checkpoint_dir=tmp_path).history)


@pytest.mark.slow
def test_advice_another_lambda_is_another_run(tmp_path, caplog):
    fit(*make_models(), reward=lambda tokens: tokens.mean(axis=1), checkpoint_dir=tmp_path)

    resumed = fit(
        *make_models(), reward=lambda tokens: tokens.mean(axis=1), checkpoint_dir=tmp_path
    )
    assert resumed.epoch == [0, 1]
    assert "cannot be known" not in caplog.text

    with pytest.raises(ValueError, match="a run with another token_reward"):
        fit(*make_models(), reward=lambda tokens: tokens.max(axis=1), checkpoint_dir=tmp_path)
    lambdas = [sg.merl(0.1, reward=lambda logits, k=k: k * logits) for k in (1.0, 2.0)]
    fit(*make_models(), objective=lambdas[0], checkpoint_dir=tmp_path / "own")
    with pytest.raises(ValueError, match="a run with another reward"):
        fit(*make_models(), objective=lambdas[1], checkpoint_dir=tmp_path / "own")


@pytest.mark.slow
def test_advice_models_compiled_with_another_rate_train_at_their_own(tmp_path):
    fit(*make_models(), rounds=1, checkpoint_dir=tmp_path)

    models = make_models(learning_rate=0.25)
    fit(*models, rounds=2, checkpoint_dir=tmp_path)

    for model in models:
        assert float(model.optimizer.learning_rate) == 0.25


@pytest.mark.slow
def test_a_run_is_not_resumed_with_other_models(short_run):
    generator = make_generator(units=7)
    discriminator = make_discriminator(kernel_sizes=(2, 4))
    generator.compile("sgd")
    discriminator.compile("adam")
    differences = [
        r"discriminator.kernel_sizes: saved \[2, 3\], now \[2, 4\]",
        "generator.optimizer: saved 'Adam', now 'SGD'",
        "generator.units: saved 6, now 7",
    ]

    with pytest.raises(ValueError, match="; ".join(differences)):
        fit(generator, discriminator, checkpoint_dir=short_run[2])


@pytest.mark.slow
def test_adversarial_training_does_not_resume_from_a_checkpoint_of_maximum_likelihood(tmp_path):
    generator, discriminator = make_models()
    options = {"batch_size": 3, "seed": 0, "verbose": 0}
    sg.pretrain(generator, TRAIN, epochs=1, checkpoint_dir=tmp_path, **options)

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
            {"data": np.where(TRAIN < V - 1, TRAIN, V)},
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
    ],
)
def test_options_that_are_out_of_range_are_refused_by_name(compiled_models, message, options):
    with pytest.raises(ValueError, match=message):
        fit(*compiled_models, **options)


@pytest.mark.parametrize(
    "received, reward",
    [
        (r"shape \(3, 5\), finite", lambda tokens: tokens),
        (r"shape \(\), finite", lambda tokens: 1.0),
        (r"shape \(\), not finite", lambda tokens: None),
        (r"shape \(3,\), not finite", lambda tokens: [0.0, np.nan, 0.0]),
    ],
)
def test_a_reward_of_the_tokens_must_be_one_finite_number_a_sequence(received, reward):
    steps = AdversarialSteps(*make_models(), sg.reinforce(), reward)
    expected = r"reward must return one finite number a sequence, shape \(3,\)"

    with pytest.raises(ValueError, match=f"{expected}; received {received}"):
        steps.token_rewards(tf.constant(TRAIN[:3]))


@pytest.mark.slow
def test_training_refuses_a_reward_of_the_tokens_of_another_shape():
    with pytest.raises(ValueError, match="reward must return one finite number a sequence"):
        fit(*make_models(), reward=lambda tokens: tokens)


def test_an_objective_of_another_type_is_refused():
    message = "objective must be an Objective or a recipe's name, received float"

    with pytest.raises(TypeError, match=message):
        fit(*make_models(), objective=0.1)


def test_models_that_are_not_compiled_are_refused_with_the_remedy():
    generator, discriminator = make_models()

    with pytest.raises(ValueError, match=r"The generator is not compiled.*Call generator.compile"):
        fit(make_generator(), discriminator)
    with pytest.raises(ValueError, match=r"discriminator is not compiled.*discriminator.compile"):
        fit(generator, make_discriminator())


def test_models_of_different_vocabularies_are_refused():
    generator, _ = make_models()
    discriminator = sg.Discriminator(V + 1)
    discriminator.compile("adam")
    message = "generator's vocabulary_size is 9 and the discriminator's 10; expected the same"

    with pytest.raises(ValueError, match=message):
        fit(generator, discriminator)


def test_models_with_the_same_optimizer_object_are_refused():
    generator, discriminator = make_models()
    discriminator.compile(generator.optimizer)

    with pytest.raises(ValueError, match="same optimizer object"):
        fit(generator, discriminator)


@pytest.mark.slow
def test_models_with_a_table_and_without_an_end_token_train_too():
    options = {"token_features": None, "end_token_id": None}
    history = fit(*make_models(**options), objective="kl_control", generator_steps=2).history

    assert np.isfinite(history["kl"]).all()


@pytest.mark.slow
def test_prefix_credit_trains_and_a_reward_of_the_tokens_arrives_at_the_end():
    generator, discriminator = make_models()
    before = snapshot(generator)

    history = fit(
        generator,
        discriminator,
        objective=sg.reinforce_with_baseline(credit=sg.credit.Prefix()),
        reward=lambda tokens: np.ones(len(tokens)),
    ).history

    # The discriminator's reward is in (0, 1), that of the tokens is 1.
    assert all(1 < reward < 2 for reward in history["reward_mean"])
    assert not np.array_equal(before[0], snapshot(generator)[0])


def train_and_resume(folder, objective):
    """Trains for two rounds at once, and for one and another one.

    Returns:
        The snapshots of both, and that of the models before.
    """
    snapshots = []
    for name, stops in (("whole", [2]), ("parts", [1, 2])):
        for rounds in stops:
            models = make_models()
            fit(*models, objective=objective, rounds=rounds, checkpoint_dir=folder / name)
        snapshots.append(snapshot(*models))

    return *snapshots, snapshot(*make_models())


@pytest.mark.slow
def test_seqgan_trains_and_resumes_bit_for_bit(tmp_path):
    whole, resumed, before = train_and_resume(tmp_path, sg.seqgan(num_rollouts=3))

    assert_same(whole, resumed)
    assert not np.array_equal(whole[0], before[0])


class HalfCredit:
    """Somebody's own credit: half of the reward for each step."""

    def logits(self, discriminator, tokens, generator, seed):
        return discriminator(tokens, training=False)

    def sequence_logits(self, logits):
        return logits

    def __call__(self, rewards, mask, discount):
        return 0.5 * rewards[:, None] * mask


class RisingBaseline:
    """Somebody's own baseline: a tenth of the number of earlier batches, which is its state."""

    def __call__(self, action_values, mask, state):
        return tf.fill(tf.shape(action_values), 0.1 * state[0]), state + 1


def squashed(logits):
    """Somebody's own reward."""
    return tf.tanh(logits)


@pytest.mark.slow
def test_somebodys_own_reward_credit_and_baseline_train_and_resume_bit_for_bit(tmp_path):
    objective = sg.Objective(squashed, HalfCredit(), RisingBaseline(), entropy_weight=0.1)

    whole, resumed, before = train_and_resume(tmp_path, objective)

    assert_same(whole, resumed)
    assert not np.array_equal(whole[0], before[0])


@pytest.mark.slow
def test_the_advantages_are_those_of_somebodys_own_reward_credit_and_baseline():
    steps = AdversarialSteps(*make_models(), sg.Objective(squashed, HalfCredit(), RisingBaseline()))
    logits = np.linspace(-2, 2, len(TRAIN), dtype=np.float32)
    rewards = steps.objective.reward(tf.constant(logits))
    mask = mask_twin(TRAIN)

    for earlier_batches in range(2):
        figures = steps.generator_step(trajectory_of(steps, TRAIN), rewards)

        advantages = 0.5 * np.tanh(logits)[:, None] - 0.1 * earlier_batches + np.zeros([1, T])
        np.testing.assert_allclose(figures["advantage_std"], advantages[mask].std(), rtol=1e-4)
    assert steps.baseline_state.numpy().tolist() == [2, 2]


@pytest.mark.slow
def test_rounds_that_train_the_discriminator_alone_sample_no_completions(monkeypatch):
    def refuse(*_):
        raise AssertionError("completions were sampled")

    monkeypatch.setattr(sg.credit.Rollout, "logits", refuse)
    models = make_models()
    options = {"objective": sg.seqgan(), "discriminator_pretraining_rounds": 2}

    history = fit(*models, rounds=0, **options)

    assert history.epoch == [-2, -1]
    assert all(0 < reward < 1 for reward in history.history["reward_mean"])
    with pytest.raises(AssertionError, match="completions were sampled"):
        fit(*models, rounds=1, **options)
