"""Fine-tuning: which settings a run has that starts from a trained model, and when it is better.

It imports no TensorFlow.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfseqgan.datasets.tune_folder import count_tunes
from tfseqgan.runs.settings import Settings, settings_from_preset

SMALL_FOLDER = 300
"""A folder with fewer tunes is small: by default a run on it is fine-tuned.

Some dozens of tunes teach a network of random weights no music (docs/fine_tuning.md), and 931
taught it what the shipped model knows. Where it changes in between was not measured: 300 is a third
of those."""

FIXED_BY_START = (
    "minimum_count",
    "rare",
    "interleave",
    "transpose",
    "chord_octaves",
    "grammar",
    "controls",
    "generator",
    "embedding",
    "embedding_dim",
    "units",
    "num_layers",
    "num_heads",
    "feed_forward_dim",
)
"""The settings that the weights and the vocabulary of a trained model decide."""

_TAKEN_FROM_START = (
    "length",
    "whole_tunes",
    "random_transposition",
    "dropout",
    "control_dropout",
    "schedule",
    "beta_2",
    "weight_decay",
    "global_clipnorm",
)
"""The settings that a fine-tuned run has from the run of its start, where none is given."""

FINE_TUNING: dict[str, Any] = {
    "kept_aside_fraction": 0.1,
    "epochs": 10,
    "patience": 3,
    "pretraining_batch_size": 4,
    "pretraining_learning_rate": 1e-3,
    "warmup_steps": 20,
    "weight_averaging": 0.9,
    "rounds": 0,
}
"""How a trained model is fine-tuned, where no other setting is given. A small folder has few steps,
so that batches are small, and the warm-up and the average are short. A part of the training tunes
chooses the epoch, so that the held-out tunes choose nothing."""

_SHORTER: dict[str, dict[str, Any]] = {"quick": {"epochs": 5}, "default": {}}
"""What the presets change in it."""


def is_small_folder(path: Path | str | None) -> bool:
    """Returns whether data is a folder of fewer tunes than `SMALL_FOLDER`.

    Args:
        path: as in `load_windows`. What is no folder, and one without tunes, is not small.

    Example:
        >>> is_small_folder(None), is_small_folder("tokens.npz")
        (False, False)
    """
    if path is None or not Path(path).is_dir():
        return False

    return 0 < count_tunes(Path(path)) < SMALL_FOLDER


def find_contradictions(given: Mapping[str, Any], start: Settings) -> list[str]:
    """Returns the names of the given settings that a trained model cannot have.

    Args:
        given: settings by name.
        start: the settings that the model was trained with.

    Example:
        >>> find_contradictions({"units": 8, "epochs": 1}, Settings())
        ['units']
    """
    return [
        name for name in FIXED_BY_START if name in given and given[name] != getattr(start, name)
    ]


def check_settings(given: Mapping[str, Any], start: Settings, model: str) -> None:
    """Raises ValueError if settings contradict those of the model that a run starts from.

    Args:
        given: settings by name.
        start: the settings that the model was trained with.
        model: its name or folder.
    """
    names = find_contradictions(given, start)
    if names:
        received = ", ".join(f"{name} {given[name]}" for name in names)
        expected = ", ".join(f"{name} {getattr(start, name)}" for name in names)
        raise ValueError(
            f"The settings contradict the model that the run starts from, {model}, whose network "
            f"and vocabulary are fixed: expected {expected}, received {received}. Leave these "
            "settings out, or start from random weights (--init none)."
        )


def settings_from_start(
    preset: str, given: Mapping[str, Any], start: Settings, model: str
) -> Settings:
    """Returns the settings of a run that starts from a trained model.

    They are the preset's, but those of the network, the vocabulary and the regularization are the
    model's, and those of `FINE_TUNING` replace how long and how fast it learns. Adversarial rounds
    are trained only where `rounds` is given.

    Args:
        preset: "default", or "quick" for half as many epochs.
        given: the settings that replace all others, by name.
        start: the settings that the model was trained with.
        model: its name or folder, for messages.

    Raises:
        ValueError: if the preset or a given setting contradicts the model.

    Example:
        >>> settings = settings_from_start("quick", {"dropout": 0.3}, Settings(), "nottingham")
        >>> settings.generator, settings.epochs, settings.dropout
        ('attention', 5, 0.3)
    """
    if preset not in _SHORTER:
        raise ValueError(
            f"--preset {preset} and --init {model} contradict each other: that preset decides the "
            f"vocabulary and the network, and so does the start; expected --preset "
            f"{' or '.join(_SHORTER)}. Leave out one of the two."
        )
    check_settings(given, start, model)

    names = FIXED_BY_START + _TAKEN_FROM_START
    taken = {name: getattr(start, name) for name in names}
    values = taken | FINE_TUNING | _SHORTER[preset] | dict(given)

    return dataclasses.replace(settings_from_preset(preset), **values)
