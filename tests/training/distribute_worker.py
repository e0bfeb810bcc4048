"""One process of a distributed run; it writes what its runs left to a folder.

    python distribute_worker.py none|mirrored|multi_worker FOLDER OPTIONS

OPTIONS are those of `run_all` as JSON.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tiny_models import (
    OBJECTIVES,
    Interruption,
    T,
    make_generator,
    make_models,
    make_tokens,
    snapshot,
    train_adversarially,
)

import tfseqgan as sg
from tfseqgan.objectives.baselines import LeaveOneOut
from tfseqgan.training.checks import check_trainable_pair
from tfseqgan.training.distribute import is_chief
from tfseqgan.training.steps import AdversarialSteps

OBJECTIVES = OBJECTIVES | {
    "prefix": sg.reinforce_with_baseline(credit=sg.credit.Prefix()),
    "rollout": sg.reinforce_with_baseline(credit=sg.credit.Rollout(2)),
}
BATCH_SIZE = 5


def make_strategy(name):
    """Returns a strategy by name; two logical CPUs stand for two GPUs."""
    if name == "mirrored":
        [cpu] = tf.config.list_physical_devices("CPU")
        logical_cpus = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, logical_cpus)
        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()

    return tf.distribute.get_strategy()


def train(strategy, folder, objective, dropout=0.0, kill_at=None, **options):
    """Trains by an objective; returns the weights and the figures.

    Dropout is off by default, since replicas do not draw the masks that one device draws. As many
    sequences are sampled for a validation as for a step, so that both use one graph.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    defaults = {"batch_size": BATCH_SIZE, "validation_data": make_tokens(1, BATCH_SIZE)}
    with strategy.scope():
        models = make_models(dropout=dropout)

    weights, figures, _ = train_adversarially(
        folder,
        OBJECTIVES[objective],
        Interruption(kill_at, kill=True),
        models=models,
        strategy=strategy,
        **defaults | options,
    )

    return weights, figures


def pretrain(strategy, seed=1, rows=7, dropout=0.0):
    """Trains by maximum likelihood, on seven rows in batches of 3, 3 and 1.

    Returns:
        The weights and the figures.
    """
    with strategy.scope():
        generator = make_generator(dropout=dropout)
        generator.compile(sg.Adam(0.01, global_clipnorm=0.05))

    history = sg.pretrain(
        generator,
        make_tokens(0, rows),
        epochs=3,
        batch_size=3,
        validation_data=make_tokens(1, 5),
        strategy=strategy,
        seed=seed,
        verbose=0,
    )

    return snapshot(generator), history.history


def evaluate(strategy):
    """Returns Table 1's columns of fresh models, on seven sequences."""
    with strategy.scope():
        return sg.evaluate(*make_models(), make_tokens(2, 7), seed=3)


class RecordingBaseline:
    """The leave-one-out baseline, which also keeps the advantages of its last batch."""

    def __init__(self):
        self.advantages = tf.Variable(tf.zeros([BATCH_SIZE, T]), trainable=False)

    def __call__(self, action_values, mask, state):
        baseline, state = LeaveOneOut()(action_values, mask, state)
        self.advantages.assign((action_values - baseline) * mask)

        return baseline, state


def whole_batch_advantages(strategy):
    """Returns the advantages of one generator step, NumPy [B, T]."""
    baseline = RecordingBaseline()
    with strategy.scope():
        generator, discriminator = make_models(dropout=0.0)
        check_trainable_pair(generator, discriminator)  # creates the optimizers' variables
        steps = AdversarialSteps(generator, discriminator, sg.merl(0.05, baseline=baseline))
        trajectory = steps.sample(BATCH_SIZE, T, seed=(4, 0))
        logits = steps.credit_logits(trajectory.tokens, tf.constant([1, 2]))
        steps.generator_step(trajectory, steps.objective.reward(logits))

    return baseline.advantages.numpy()


def repeats_with_dropout(strategy, folder):
    """Takes discriminator and likelihood steps twice, with dropout and the same seeds.

    Returns:
        Whether both runs have the same weights and losses, all of them finite.
    """
    runs = []
    for name in ("first", "second"):
        weights, figures = train(
            strategy,
            Path(folder, name),
            "reinforce",
            dropout=0.3,
            rounds=0,
            validation_data=None,
        )
        likelihood_weights, likelihood = pretrain(strategy, dropout=0.3)
        losses = [np.array(figures["discriminator_loss"]), np.array(likelihood["nll"])]
        runs.append([*weights, *likelihood_weights, *losses])

    is_finite = all(np.isfinite(values).all() for values in runs[0])
    repeats = all(map(np.array_equal, *runs))

    return is_finite and repeats


def message_of_refusal(function):
    """Returns the message of the ValueError that a function raises, or None."""
    try:
        function()
    except ValueError as error:
        return str(error)


def run_all(name, out, objectives, folder, kill_at=None):
    """Trains by each objective and by maximum likelihood, and evaluates, under a strategy.

    Args:
        name: of the strategy.
        out: the folder to write weights.npz and figures.json to.
        objectives: names in `OBJECTIVES`.
        folder: of the runs' checkpoints.
        kill_at: the round in which the process ends itself, or None.
    """
    strategy = make_strategy(name)
    weights = {}
    figures = {}
    for objective in objectives:
        weights[objective], figures[objective] = train(
            strategy, Path(folder) / objective, objective, kill_at=kill_at
        )
    weights["likelihood"], figures["likelihood"] = pretrain(strategy)
    weights["advantages"] = [whole_batch_advantages(strategy)]
    figures["evaluation"] = evaluate(strategy)

    with strategy.scope():
        figures["chief"] = is_chief()
    if name == "mirrored":
        figures["repeats_with_dropout"] = repeats_with_dropout(strategy, out)
        figures["refusal"] = message_of_refusal(
            lambda: sg.fit_adversarial(
                *make_models(), make_tokens(0, 4), rounds=1, strategy=strategy
            )
        )
    if name == "multi_worker":
        rows = 7 + strategy.cluster_resolver.task_id
        figures["unseeded"] = pretrain(strategy, seed=None)[1]
        figures["refusal"] = message_of_refusal(lambda: pretrain(strategy, rows=rows))

    named = {
        f"{objective} {index}": value
        for objective, values in weights.items()
        for index, value in enumerate(values)
    }
    np.savez(out / "weights.npz", **named)
    (out / "figures.json").write_text(json.dumps(figures))


if __name__ == "__main__":
    target = Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    run_all(sys.argv[1], target, **json.loads(sys.argv[3]))
