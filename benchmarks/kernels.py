"""What each hand-written kernel saves of a step that a preset runs.

    python benchmarks/kernels.py

Each step of the presets is compiled with the kernel and with the plain TensorFlow or Keras
operation in its place, and both are called in turn. A kernel stays in the library if it saves 10 %
of some preset's step. Run it on a machine that does nothing else.
"""

import argparse
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from timing import medians_in_turn, seconds_of

import tfseqgan as sg
from tfseqgan.files import write_json
from tfseqgan.models.policy import Policy
from tfseqgan.ops.causal_convolution import causal_responses
from tfseqgan.ops.log_probs import output_logits
from tfseqgan.ops.sampling import row_seeds
from tfseqgan.runs.settings import PRESETS, Settings
from tfseqgan.training.steps import AdversarialSteps, make_likelihood_step

RESULT = Path(__file__).resolve().parent / "results" / "kernels.json"
V, T = 3219, 100  # vocabulary and length of the published tokens
PART_SIZES = [24, 11, 14, 19, 11, 60]  # about those of the published vocabulary


def keras_lstm(vectors, layer):
    """The plain operation for `lstm_outputs`."""
    return layer(vectors)


def cross_entropy(outputs, kernel, bias, tokens):
    """The plain operation for `token_log_probs`."""
    logits = output_logits(outputs, kernel, bias)

    return -tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.cast(tokens, tf.int32), logits=logits
    )


def dense_maximum(vectors, kernel, mask=None):
    """The plain operation for `causal_max`."""
    return tf.reduce_max(causal_responses(vectors, kernel, mask), axis=1)


def cumulative_sum(weights, uniforms):
    """The plain operation for `inverse_cdf`."""
    sums = tf.cumsum(weights, axis=1)
    is_passed = sums <= uniforms[:, None] * sums[:, -1:]

    return tf.reduce_sum(tf.cast(is_passed, tf.int32), axis=1)


MODELS = "tfseqgan.models"
GENERATOR_KERNELS = {
    "lstm_outputs": (f"{MODELS}.generator.lstm_outputs", keras_lstm),
    "token_log_probs": (f"{MODELS}.generator.token_log_probs", cross_entropy),
    "Adam": ("tfseqgan.Adam", keras.optimizers.Adam),
}
DISCRIMINATOR_KERNELS = {
    "causal_max": (f"{MODELS}.discriminator.causal_max", dense_maximum),
    "spectral_convolution": ("tfseqgan.ops.causal_convolution._LONG_FILTER", 10**9),
    "Adam": ("tfseqgan.Adam", keras.optimizers.Adam),
}
SAMPLING_KERNELS = {"inverse_cdf": (f"{MODELS}.decoding.inverse_cdf", cumulative_sum)}


@contextlib.contextmanager
def replaced(replacement: tuple | None) -> Iterator[None]:
    """Puts a plain operation in the place of a kernel while a step is compiled."""
    if replacement is None:
        yield
        return
    with mock.patch(*replacement):
        yield


class PresetSteps:
    """The steps of a preset, on random tokens.

    Args:
        settings: of the preset.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.random = np.random.default_rng(0)
        columns = [self.random.integers(0, size, V) for size in PART_SIZES]
        has_parts = settings.embedding == "parts"
        self.features = np.stack(columns, axis=1) if has_parts else None

    def tokens(self, rows: int) -> tf.Tensor:
        """Returns random tokens, int32 [rows, T]."""
        return tf.constant(self.random.integers(3, V, (rows, T)), tf.int32)

    def generator(self) -> sg.Generator:
        """Returns a compiled generator."""
        settings = self.settings
        generator = sg.Generator(
            V,
            self.features,
            embedding_dim=settings.embedding_dim,
            units=settings.units,
            dropout=settings.dropout,
        )
        generator.compile(sg.Adam(1e-5, global_clipnorm=5.0))

        return generator

    def adversarial_steps(self) -> AdversarialSteps:
        """Returns compiled steps of a new pair of models."""
        settings = self.settings
        discriminator = sg.Discriminator(
            V,
            self.features,
            embedding_dim=settings.discriminator_embedding_dim,
            filters=settings.filters,
            kernel_sizes=settings.kernel_sizes,
            dropout=settings.discriminator_dropout,
            l2_weight=settings.l2_weight,
        )
        discriminator.compile(sg.Adam(1e-6))

        return AdversarialSteps(self.generator(), discriminator, sg.reinforce())

    def likelihood(self) -> Callable[[], tf.Tensor]:
        """Returns a maximum-likelihood step."""
        step = make_likelihood_step(self.generator())
        tokens = self.tokens(self.settings.pretraining_batch_size)

        return lambda: step(tokens)

    def policy_gradient(self) -> Callable[[], tf.Tensor]:
        """Returns a policy-gradient step, without sampling."""
        steps = self.adversarial_steps()
        tokens = self.tokens(self.settings.batch_size)
        log_probs = tf.random.uniform(tokens.shape, -9.0, 0.0)
        trajectory = sg.Trajectory(tokens, log_probs, Policy(steps.generator).mask(tokens))
        rewards = tf.random.uniform([len(tokens)])

        return lambda: steps.generator_step(trajectory, rewards)

    def discriminator(self) -> Callable[[], tf.Tensor]:
        """Returns a discriminator step."""
        steps = self.adversarial_steps()
        half = self.settings.discriminator_batch_size // 2
        real, generated = self.tokens(half), self.tokens(half)

        return lambda: steps.discriminator_step(real, generated)

    def sampling(self) -> Callable[[], tf.Tensor]:
        """Returns the sampling of a policy-gradient step's sequences."""
        generator = self.generator()
        seeds = row_seeds(0, self.settings.batch_size)
        sample = tf.function(lambda: generator.sample(seeds, T)[0])

        return sample


def savings(make_step: Callable, kernels: dict, repeats: int, calls: int) -> dict[str, dict]:
    """Times a step with all kernels, and with each one replaced, in turn.

    Returns:
        By kernel: the seconds of the step as it is and with the plain operation, and the share of
        the latter that the kernel saves.
    """
    variants = {"as it is": None} | kernels
    steps = []
    for replacement in variants.values():
        with replaced(replacement):
            step = make_step()
            seconds_of(step)  # compiles it
            steps.append(step)

    timers = [lambda step=step: seconds_of(step) for step in steps]
    seconds, *plain = medians_in_turn(timers, repeats, calls)

    return {
        name: {"seconds": seconds, "plain_seconds": other, "saved": 1 - seconds / other}
        for name, other in zip(kernels, plain, strict=True)
    }


def main() -> None:
    """Times every preset's steps and writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--presets", nargs="+", default=list(PRESETS))
    args = parser.parse_args()

    results = {}
    for preset in args.presets:
        steps = PresetSteps(PRESETS[preset])
        kinds = {
            "likelihood": (steps.likelihood, GENERATOR_KERNELS, 7, 1),
            "policy gradient": (steps.policy_gradient, GENERATOR_KERNELS, 7, 1),
            "discriminator": (steps.discriminator, DISCRIMINATOR_KERNELS, 9, 4),
            "sampling": (steps.sampling, SAMPLING_KERNELS, 7, 1),
        }
        for kind, arguments in kinds.items():
            name = f"{preset}, {kind}"
            results[name] = savings(*arguments)
            for kernel, row in results[name].items():
                print(f"{name:28} {kernel:22} saves {row['saved']:6.1%}", flush=True)
        write_json(args.out, results)


if __name__ == "__main__":
    main()
