"""Players so small that a round takes milliseconds, and runs of theirs that can be interrupted anywhere."""

import os
import signal
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import tfseqgan as sg
from tfseqgan.objectives.baselines import MovingAverage

V, T = 9, 5
END, PAD = 2, 0
FEATURES = np.random.default_rng(5).integers(0, 3, (V, 2))
RECIPES = {
    "reinforce": sg.reinforce(),
    "reinforce_with_baseline": sg.reinforce_with_baseline(),
    "merl": sg.merl(0.05),
    "kl_control": sg.kl_control(0.5),
    "moving average": sg.kl_control(0.5, baseline=MovingAverage(0.5)),
}


def make_generator(seed=1, **options):
    """Returns a tiny generator whose weights are a matter of the seed."""
    keras.utils.set_random_seed(seed)
    return sg.Generator(
        V, **{"token_features": FEATURES, "embedding_dim": 4, "units": 6, "dropout": 0.3} | options
    )


def make_discriminator(seed=2, **options):
    """Returns a tiny discriminator whose weights are a matter of the seed."""
    keras.utils.set_random_seed(seed)
    options = {
        "token_features": FEATURES,
        "embedding_dim": 4,
        "filters": 3,
        "kernel_sizes": (2, 3),
        "l2_weight": 0.1,
    } | options
    return sg.Discriminator(V, **options)


def make_models(seed=1, learning_rate=0.01):
    """Returns a compiled generator and a compiled discriminator."""
    generator, discriminator = make_generator(seed), make_discriminator(seed)
    generator.compile(sg.Adam(learning_rate))
    discriminator.compile(sg.Adam(learning_rate))
    return generator, discriminator


def make_tokens(seed, rows, length=T):
    """Returns random sequences; some end early and are padded."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(3, V, (rows, length))
    for row, end in zip(tokens, rng.integers(1, length + 3, rows)):
        row[end : end + 1] = END
        row[end + 1 :] = PAD
    return tokens


def lengths(tokens):
    """Returns how many tokens of each row count, the first end included."""
    return [list(row).index(END) + 1 if END in row else len(row) for row in tokens]


def sigmoid(x):
    """Returns 1 / (1 + exp(−x))."""
    return 1 / (1 + np.exp(-x))


def log_softmax(logits):
    """Returns log-probabilities along the last axis."""
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def embedding_twin(layer):
    """Returns the vector of every token: its own plus those of its parts."""
    table = np.array(layer.own)
    for column, part in zip(FEATURES.T, layer.parts):
        table = table + np.array(part)[column]
    return table


def snapshot(*models):
    """Returns copies of the weights of models and of the variables of their optimizers."""
    variables = [variable for model in models for variable in model.weights]
    variables += [
        variable for model in models if model.compiled for variable in model.optimizer.variables
    ]
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assert_same(first, second):
    """Two snapshots, or two dicts of figures, are equal bit for bit; NaN equals NaN."""
    assert len(first) == len(second)
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        first, second = list(first.values()), [second[key] for key in first]
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one, other)


class Interrupted(Exception):
    """What an `Interruption` raises."""


class Interruption(keras.callbacks.Callback):
    """Ends a run at a round: before it, within it (when its second samples are judged), or behind its figures.

    Args:
        number: the round, or None for a run that is left alone.
        where: "before", "within" or "behind".
        kill: end the process on the spot, as `kill -9` does, in place of raising.
    """

    def __init__(self, number=None, where="before", kill=False):
        super().__init__()
        self.number, self.where, self.kill, self.now, self.judged = number, where, kill, None, 0

    def _strike(self, where):
        if self.now == self.number is not None and where == self.where:
            if self.kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise Interrupted

    def on_epoch_begin(self, epoch, logs=None):
        """Before the round."""
        self.now, self.judged = epoch, 0
        self._strike("before")

    def on_epoch_end(self, epoch, logs=None):
        """Behind its figures."""
        self._strike("behind")

    def reward(self, tokens):
        """A reward of tokens: the share of 4s."""
        self.judged += 1
        if self.judged == 2:
            self._strike("within")
        return (tokens == 4).mean(axis=1)


def play(
    folder, recipe="moving average", interruption=None, *, weights_seed=1, strategy=None, **options
):
    """Trains fresh players in a folder, or goes on there; returns all that they hold, the figures, and the CSV file's text."""
    interruption = interruption or Interruption()
    with (strategy or tf.distribute.get_strategy()).scope():
        generator, discriminator = make_models(weights_seed)
    defaults = {
        "rounds": 3,
        "discriminator_pretraining_rounds": 2,
        "generator_steps": 2,
        "validation_data": make_tokens(1, 4),
        "checkpoint_every": 1,
        "seed": 3,
        "batch_size": 3,
    }
    history = sg.fit_adversarial(
        generator,
        discriminator,
        make_tokens(0, 7),
        RECIPES[recipe],
        discriminator_steps=3,
        discriminator_batch_size=4,
        discriminator_samples=5,
        reward=interruption.reward,
        validation_freq=2,
        checkpoint_dir=Path(folder) / "checkpoints",
        callbacks=[sg.MetricsCSV(Path(folder) / "metrics.csv"), interruption],
        strategy=strategy,
        verbose=0,
        **defaults | options,
    )
    return (
        snapshot(generator, discriminator),
        {"round": history.epoch} | history.history,
        Path(folder, "metrics.csv").read_text(),
    )
