"""Runs so small that they take seconds, on tunes that are composed for them."""

import atexit
import dataclasses
import functools
import tempfile
from pathlib import Path

import numpy as np

from tfseqgan.datasets.synthetic import compose_tunes
from tfseqgan.music.midi import write_midi
from tfseqgan.runs.run_folder import load_model, read_config
from tfseqgan.runs.settings import MODELS_OF_THE_PAPER, TOKENS_OF_THE_PAPER, Settings
from tfseqgan.runs.train_run import train_run

TINY = Settings(
    **TOKENS_OF_THE_PAPER,  # the smallest vocabulary
    **MODELS_OF_THE_PAPER,
    seed=3,
    length=24,
    embedding_dim=4,
    units=8,
    dropout=0.2,
    epochs=2,
    pretraining_batch_size=16,
    discriminator_embedding_dim=4,
    filters=2,
    kernel_sizes=(1, 2),
    rounds=2,
    discriminator_steps=2,
    batch_size=4,
    discriminator_batch_size=4,
    discriminator_samples=4,
    discriminator_pretraining_rounds=1,
    validation_freq=1,
    num_tunes=2,
)

TINY_WHOLE_TUNES = dataclasses.replace(
    TINY,
    interleave=True,
    random_transposition=True,
    whole_tunes=True,
    grammar=True,
    controls=True,
    length=60,
)
"""The tokens of the default preset."""

TINY_DEFAULT = dataclasses.replace(
    TINY_WHOLE_TUNES,
    generator="attention",
    num_layers=1,
    num_heads=2,
    feed_forward_dim=8,
    control_dropout=0.1,
    warmup_steps=2,
    beta_2=0.98,
    weight_decay=0.01,
    weight_averaging=0.9,
)
"""The tokens, the generator and the optimizer of the default preset."""

MODELS = ("pretrained", "generator", "discriminator")
FIGURES_AND_TUNES = (
    "pretraining.csv",
    "metrics.csv",
    "evaluation.json",
    "samples/tune_1.mid",
    "samples/tune_2.mid",
)


def compose_folder(folder, seed=0, num_tunes=8):
    """Writes composed tunes as 00.mid, 01.mid, ... into a new folder, and returns the folder."""
    folder.mkdir()
    for number, tune in enumerate(compose_tunes(num_tunes, seed)):
        write_midi(tune, folder / f"{number:02}.mid")

    return folder


def train(out, data_path, settings=TINY, **options):
    """Does a silent run."""
    return train_run(out, settings, data_path, verbose=0, **options)


def resume(out, **changes):
    """Resumes a run as the command line does, perhaps with other settings."""
    settings, config = read_config(out)
    settings = dataclasses.replace(settings, **changes)

    return train(out, config["data_path"], settings, resumed_config=config)


@functools.cache
def _shared_folder():
    """Returns a folder that lasts as long as the process."""
    folder = tempfile.TemporaryDirectory(prefix="tfseqgan-tests-")
    atexit.register(folder.cleanup)

    return Path(folder.name)


@functools.cache
def shared_tunes():
    """Returns a folder of tunes, composed once for all tests, which no test may change."""
    return compose_folder(_shared_folder() / "tunes")


@functools.cache
def shared_run():
    """Returns the folder of a finished run, done once for all tests, which no test may change."""
    out = _shared_folder() / "run"
    train(out, shared_tunes())

    return out


def assert_same_run(run, other):
    """Asserts that two runs have the same weights, to the last bit, the same figures and tunes."""
    for name in MODELS:
        weights = load_model(run, name).get_weights()
        other_weights = load_model(other, name).get_weights()
        for ours, theirs in zip(weights, other_weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)

    for file in FIGURES_AND_TUNES:
        assert (run / file).read_bytes() == (other / file).read_bytes(), file
