"""Models so small that a round takes milliseconds, and runs of them that stop where a test asks."""

import dataclasses
import os
import signal
from pathlib import Path

import keras
import numpy as np
from conftest import make_score

import tfseqgan as sg
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.objectives.baselines import MovingAverage

V, T = 9, 5
END, PAD = 2, 0
FEATURES = np.random.default_rng(5).integers(0, 3, (V, 2))

OBJECTIVES = {
    "reinforce": sg.reinforce(),
    "reinforce_with_baseline": sg.reinforce_with_baseline(),
    "merl": sg.merl(0.05),
    "kl_control": sg.kl_control(0.5),
    "moving average": sg.kl_control(0.5, baseline=MovingAverage(0.5)),
}


def make_generator(seed=1, **options):
    """Returns a tiny generator whose weights depend on the seed."""
    keras.utils.set_random_seed(seed)
    defaults = {"token_features": FEATURES, "embedding_dim": 4, "units": 6, "dropout": 0.3}

    return sg.Generator(V, **defaults | options)


def make_attention_generator(seed=1, **options):
    """Returns a tiny generator with attention, whose biases are not zero."""
    keras.utils.set_random_seed(seed)
    defaults = {
        "token_features": FEATURES,
        "embedding_dim": 6,
        "num_layers": 2,
        "num_heads": 2,
        "feed_forward_dim": 7,
        "dropout": 0.3,
    }
    generator = sg.AttentionGenerator(V, **defaults | options)
    rng = np.random.default_rng(seed)
    for bias in (generator.onset_bias, generator.distance_bias):
        bias.assign(rng.normal(size=bias.shape))

    return generator


def make_generator_with_grammar(tokenizer, seed=1, **options):
    """Returns a tiny generator that knows the durations of a tokenizer's tokens."""
    keras.utils.set_random_seed(seed)

    return sg.Generator(
        tokenizer.vocabulary_size,
        tokenizer.token_features,
        tokenizer.token_durations,
        **{"embedding_dim": 4, "units": 6} | options,
    )


TABLES_WITH_CONTROLS = {
    "vocabulary_size": V + 8,
    "token_features": np.random.default_rng(6).integers(0, 3, (V + 8, 2)),
    "token_durations": [[0, 0]] * 3 + [[12, 0]] * 3 + [[0, 24]] * 3 + [[0, 0]] * 8,
    "token_pitch_classes": [[0, 0]] * 4 + [[1, 0], [5, 0], [0, 3], [0, 8]] + [[0, 0]] * 9,
    "token_controls": [
        *[[0, 0, 0]] * V,
        *[[1, 0, 0], [1, 1, 72], [2, 0, 0], [2, 3, 0]],
        *[[3, 0, 0], [3, 9, 0], [4, 0, 0], [4, 1, 0]],
    ],
    "control_dropout": 0.2,
}
"""Tables of V tokens and eight controls, for rows that begin inside a tune."""


def make_lstm_that_reads_controls(seed=1, **options):
    """Returns a tiny LSTM whose first V tokens are events."""
    keras.utils.set_random_seed(seed)
    sizes = {"embedding_dim": 4, "units": 6, "dropout": 0.3}

    return sg.Generator(**TABLES_WITH_CONTROLS | sizes | options)


def make_attention_that_reads_controls(seed=1, **options):
    """Returns a tiny generator with attention whose first V tokens are events."""
    keras.utils.set_random_seed(seed)
    sizes = {
        "embedding_dim": 6,
        "num_layers": 1,
        "num_heads": 2,
        "feed_forward_dim": 7,
        "dropout": 0.3,
    }

    return sg.AttentionGenerator(**TABLES_WITH_CONTROLS | sizes | options)


KEYS_AND_RHYTHMS = (("D", "jig"), ("Em", "reel"), (None, ""))
CONTROLLED_TUNES = [
    dataclasses.replace(make_score(seed, num_notes=9, num_chords=4), key=key, rhythm=rhythm)
    for seed, (key, rhythm) in enumerate(KEYS_AND_RHYTHMS)
]
CONTROLLED = Tokenizer.fit(CONTROLLED_TUNES, interleave=True, controls=True)

_KINDS = {
    "lstm": (sg.Generator, {"units": 6}),
    "attention": (sg.AttentionGenerator, {"num_layers": 2, "num_heads": 2, "feed_forward_dim": 6}),
}


def make_generator_with_controls(kind, seed=1, tokenizer=CONTROLLED, **options):
    """Returns a tiny generator of whole tunes that say their controls.

    Args:
        kind: "lstm" or "attention".
        seed: the seed of the weights, of which none is zero.
        tokenizer: a tokenizer with controls.
        **options: of the generator.
    """
    make, sizes = _KINDS[kind]
    keras.utils.set_random_seed(seed)
    generator = make(
        tokenizer.vocabulary_size,
        tokenizer.token_features,
        tokenizer.token_durations,
        token_controls=tokenizer.token_controls,
        token_pitch_classes=tokenizer.token_pitch_classes,
        **{"embedding_dim": 8} | sizes | options,
    )
    rng = np.random.default_rng(seed)
    for weight in generator.trainable_variables:
        weight.assign(weight + 0.1 * rng.normal(size=weight.shape))

    return generator


def make_discriminator(seed=2, **options):
    """Returns a tiny discriminator whose weights depend on the seed."""
    keras.utils.set_random_seed(seed)
    defaults = {
        "token_features": FEATURES,
        "embedding_dim": 4,
        "filters": 3,
        "kernel_sizes": (2, 3),
        "l2_weight": 0.1,
    }

    return sg.Discriminator(V, **defaults | options)


def make_models(seed=1, learning_rate=0.01, **options):
    """Returns a compiled generator and a compiled discriminator; both take the options."""
    generator = make_generator(seed, **options)
    discriminator = make_discriminator(seed, **options)
    generator.compile(sg.Adam(learning_rate))
    discriminator.compile(sg.Adam(learning_rate))

    return generator, discriminator


def make_tokens(seed, rows, length=T):
    """Returns random sequences; some end early and are padded."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(3, V, (rows, length))
    ends = rng.integers(1, length + 3, rows)
    for row, end in zip(tokens, ends, strict=True):
        row[end : end + 1] = END
        row[end + 1 :] = PAD

    return tokens


def lengths(tokens):
    """Returns the number of tokens of each row, up to and including the first end token."""
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
    for column, part in zip(FEATURES.T, layer.parts, strict=True):
        table = table + np.array(part)[column]

    return table


def snapshot(*models):
    """Returns copies of the weights of models and of the variables of their optimizers."""
    variables = [variable for model in models for variable in model.weights]
    compiled = [model for model in models if model.compiled]
    variables += [variable for model in compiled for variable in model.optimizer.variables]

    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assert_same(first, second):
    """Asserts that two snapshots, or two dicts of figures, are equal bit for bit.

    NaN equals NaN.
    """
    assert len(first) == len(second)
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        second = [second[key] for key in first]
        first = list(first.values())

    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


class Interrupted(Exception):
    """What an `Interruption` raises."""


class Interruption(keras.callbacks.Callback):
    """Ends a run in one of its rounds.

    Args:
        index: the round, or None to let the run end by itself.
        where: "before" the round, "within" it (when its second samples are scored), or "after" its
            figures are known.
        kill: end the process at once, as `kill -9` does, instead of raising `Interrupted`.
    """

    def __init__(self, index=None, where="before", kill=False):
        super().__init__()
        self.index = index
        self.where = where
        self.kill = kill
        self.round = None
        self.batches_scored = 0

    def _interrupt(self, where):
        if self.index is None or (self.round, where) != (self.index, self.where):
            return
        if self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        raise Interrupted

    def on_epoch_begin(self, epoch, logs=None):
        """Interrupts before the round."""
        self.round = epoch
        self.batches_scored = 0
        self._interrupt("before")

    def on_epoch_end(self, epoch, logs=None):
        """Interrupts after the round."""
        self._interrupt("after")

    def reward(self, tokens):
        """Returns the share of 4s in each row; interrupts within the round."""
        self.batches_scored += 1
        if self.batches_scored == 2:
            self._interrupt("within")

        return (tokens == 4).mean(axis=1)


def train_adversarially(
    folder,
    objective="moving average",
    interruption=None,
    *,
    models=None,
    weights_seed=1,
    **options,
):
    """Trains models in a folder, or resumes there.

    Args:
        folder: of the checkpoints and of metrics.csv.
        objective: a name in `OBJECTIVES`, or an `Objective`.
        interruption: an `Interruption`, or None.
        models: generator and discriminator, or None for fresh ones.
        weights_seed: the seed of fresh models.
        **options: of `fit_adversarial`.

    Returns:
        The snapshot of both models, the figures, and the text of metrics.csv.
    """
    interruption = interruption or Interruption()
    generator, discriminator = models or make_models(weights_seed)
    defaults = {
        "rounds": 3,
        "generator_steps": 2,
        "discriminator_steps": 3,
        "batch_size": 3,
        "discriminator_batch_size": 4,
        "discriminator_samples": 5,
        "discriminator_pretraining_rounds": 2,
        "validation_data": make_tokens(1, 4),
        "validation_freq": 2,
        "checkpoint_every": 1,
        "seed": 3,
    }

    history = sg.fit_adversarial(
        generator,
        discriminator,
        make_tokens(0, 7),
        OBJECTIVES.get(objective, objective),
        reward=interruption.reward,
        checkpoint_dir=Path(folder) / "checkpoints",
        callbacks=[sg.MetricsCSV(Path(folder) / "metrics.csv"), interruption],
        verbose=0,
        **defaults | options,
    )

    return (
        snapshot(generator, discriminator),
        {"round": history.epoch} | history.history,
        Path(folder, "metrics.csv").read_text(),
    )
