"""One process of a distributed run: python distribute_worker.py none|mirrored|multi_worker OUT OPTIONS. Writes what the runs left to the folder OUT.

OPTIONS are those of `work` as JSON.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tiny_models import (
    RECIPES,
    Interruption,
    make_generator,
    make_models,
    make_tokens,
    play,
    snapshot,
)

import tfseqgan as sg
from tfseqgan.ops.replicas import is_chief

CREDITS = {"prefix": sg.credit.Prefix(), "rollout": sg.credit.Rollout(2)}
RECIPES |= {name: sg.reinforce_with_baseline(credit=credit) for name, credit in CREDITS.items()}


def make_strategy(name):
    """Returns a strategy by name; two logical devices stand for two GPUs."""
    if name == "mirrored":
        [device] = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(
            device, [tf.config.LogicalDeviceConfiguration()] * 2
        )
        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    return (
        tf.distribute.MultiWorkerMirroredStrategy()
        if name == "multi_worker"
        else tf.distribute.get_strategy()
    )


def learn(strategy, seed=1, rows=7):
    """Trains a generator by maximum likelihood, on seven rows in batches of 3, 3 and 1; returns what it holds and the figures."""
    with strategy.scope():
        generator = make_generator()
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


def judge(strategy):
    """Returns Table 1's columns of fresh players, seven sequences."""
    with strategy.scope():
        return sg.evaluate(*make_models(), make_tokens(2, 7), seed=3)


def refusal(function):
    """Returns the words with which a function refuses to begin."""
    try:
        function()
    except ValueError as error:
        return str(error)


def work(name, out, recipes, folder, kill_at=None):
    """Trains by each recipe, by maximum likelihood, and evaluates, all under a strategy; ends itself at a round where it is told to."""
    strategy, weights, figures = make_strategy(name), {}, {}
    for recipe in recipes:
        place = Path(folder) / recipe
        place.mkdir(parents=True, exist_ok=True)
        weights[recipe], figures[recipe], _ = play(
            place, recipe, Interruption(kill_at, kill=True), strategy=strategy, batch_size=5
        )
    weights["likelihood"], figures["likelihood"] = learn(strategy)
    figures["evaluation"] = judge(strategy)
    with strategy.scope():
        figures["chief"] = is_chief()
    if name == "mirrored":
        figures["refusal"] = refusal(
            lambda: sg.fit_adversarial(
                *make_models(), make_tokens(0, 4), rounds=1, strategy=strategy
            )
        )
    if name == "multi_worker":
        figures["unseeded"] = learn(strategy, seed=None)[1]
        figures["refusal"] = refusal(
            lambda: learn(strategy, rows=7 + strategy.cluster_resolver.task_id)
        )
    np.savez(
        out / "weights.npz",
        **{
            f"{recipe} {i}": value
            for recipe, values in weights.items()
            for i, value in enumerate(values)
        },
    )
    (out / "figures.json").write_text(json.dumps(figures))


if __name__ == "__main__":
    target = Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    work(sys.argv[1], target, **json.loads(sys.argv[3]))
