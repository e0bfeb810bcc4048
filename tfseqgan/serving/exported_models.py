"""The models of an exported sampler as Keras models again, to sample in Python and to train on.

A SavedModel holds the weights once. `models.json` beside its card holds what makes the models, so
that they need no second copy. What is read may come from a stranger: no class but those of tfseqgan
is made, of no more weights than the file holds.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfseqgan.files import read_json, write_json
from tfseqgan.models.discriminator import Discriminator
from tfseqgan.serving.keras_files import (
    GENERATORS,
    check_finite_model,
    check_model_config,
    count_weights,
)
from tfseqgan.serving.saved_model_check import damage_error

_CONFIGS = Path("assets.extra", "models.json")
_WEIGHTS = Path("variables", "variables")
_WEIGHT = "model_variables/{index}/.ATTRIBUTES/VARIABLE_VALUE"
_BYTES_PER_WEIGHT = 2


def write_configs(models: Sequence[Any], folder: Path) -> None:
    """Writes what makes the models of an exported sampler, where all are of tfseqgan.

    Args:
        models: the generator, and the discriminator if there is one.
        folder: the folder of the version, with `assets.extra`.
    """
    if not all(isinstance(model, (*GENERATORS, Discriminator)) for model in models):
        return

    configs = [keras.saving.serialize_keras_object(model) for model in models]
    without_optimizer = [config | {"compile_config": None} for config in configs]
    write_json(folder / _CONFIGS, without_optimizer)


def load_models(folder: Path) -> list[Any]:
    """Loads the generator of an exported sampler, and its discriminator if there is one.

    Args:
        folder: the folder of the version.

    Returns:
        The models, not compiled.

    Raises:
        ValueError: if the sampler was exported by 0.1.0 or with a generator of one's own, or a file
            is damaged or was tampered with.
    """
    if not (folder / _CONFIGS).is_file():
        raise ValueError(
            f"{folder} does not say what makes its generator; expected a sampler of a generator of "
            "tfseqgan, exported by 0.2.0 or later. Sample from it with SavedSampler, or load the "
            "run that it was exported from."
        )

    try:
        models = _make_models(read_json(folder / _CONFIGS), folder)
        _read_weights(models, folder)
        for model in models:
            check_finite_model(model)
    except Exception as error:  # a damaged file raises ValueError, KeyError, OpError and many more
        raise damage_error(folder, error) from error

    return models


def _make_models(configs: list[dict[str, Any]], folder: Path) -> list[Any]:
    """Returns models of configurations that were checked, with weights that are not read yet."""
    kinds = (GENERATORS, Discriminator)[: len(configs)]
    found = [check_model_config(*pair) for pair in zip(configs, kinds, strict=True)]
    num_weights = sum(
        count_weights(each, config["config"]) for each, config in zip(found, configs, strict=True)
    )
    num_bytes = sum(path.stat().st_size for path in folder.glob(f"{_WEIGHTS}.data*"))
    if num_weights * _BYTES_PER_WEIGHT > num_bytes:
        raise ValueError(f"its models have {num_weights} weights, and it holds {num_bytes} bytes")

    return [keras.saving.deserialize_keras_object(config) for config in configs]


def _read_weights(models: list[Any], folder: Path) -> None:
    """Sets the weights of models to those of the file, in their order."""
    reader = tf.train.load_checkpoint(str(folder / _WEIGHTS))
    weights = [weight for model in models for weight in model.weights]
    for index, weight in enumerate(weights):
        weight.assign(reader.get_tensor(_WEIGHT.format(index=index)))
