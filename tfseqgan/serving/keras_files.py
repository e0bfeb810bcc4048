"""`.keras` files that may come from a stranger: looked at first, loaded afterwards.

A `.keras` file is a zip of three members: `metadata.json`, `config.json`, which names classes and
their arguments, and `model.weights.h5`. Keras makes whatever the configuration names, at whatever
size it asks for. Here a file is loaded only if

- its members are those three, uncompressed, so that it is as large as it looks;
- its configuration names an expected class of tfseqgan and plain values;
- its weights lie in it, in plain datasets that fill it, and are as many as the configuration needs;
- what was loaded is finite.

The optimizer's configuration is read only on request, and only if it names an optimizer of tfseqgan
or Keras and plain values.
"""

import io
import itertools
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import keras
import numpy as np

from tfseqgan.files import parse_json
from tfseqgan.models.attention_generator import AttentionGenerator
from tfseqgan.models.discriminator import Discriminator
from tfseqgan.models.generator import Generator
from tfseqgan.models.state_discriminator import StateDiscriminator
from tfseqgan.models.weight_counts import (
    count_attention_generator_weights,
    count_discriminator_weights,
    count_generator_weights,
)

Classes: TypeAlias = type | tuple[type, ...]

GENERATORS = (Generator, AttentionGenerator)
"""The classes of generators that can be saved and loaded."""

_CONFIG = "config.json"
_WEIGHTS = "model.weights.h5"
_MEMBERS = {"metadata.json", _CONFIG, _WEIGHTS}

_MOST_CONFIG_BYTES = 32 * 2**20
_FEWEST_BYTES_PER_WEIGHT = 2


def _is_plain(value: Any) -> bool:
    """Returns whether a value of JSON holds no object, which could name a class."""
    if isinstance(value, list):
        return all(map(_is_plain, value))

    return not isinstance(value, dict)


def _check_plain(config: Any, where: str, besides: tuple[str, ...] = ()) -> None:
    """Raises ValueError unless a configuration is a dict of plain values, except some."""
    if not isinstance(config, dict):
        raise ValueError(f"{where} is {config!r}")
    for name, value in config.items():
        if name not in besides and not _is_plain(value):
            raise ValueError(f"{where} holds an object as {name}")


def _check_keras_object(config: Any, module: str, where: str) -> None:
    """Raises ValueError unless a configuration names a public object of a module of Keras."""
    is_of_keras = (
        isinstance(config, dict)
        and config.get("module") == module
        and config.get("registered_name") is None
    )
    if not is_of_keras:
        raise ValueError(f"{where} is {config!r}, which is not of {module}")

    _check_plain(config["config"], where)


def _find_class(config: Any, expected: Classes) -> type:
    """Returns which of the expected classes a configuration makes, or raises ValueError."""
    classes = expected if isinstance(expected, tuple) else (expected,)
    by_name = {f"tfseqgan>{each.__name__}": each for each in classes}
    found = config.get("registered_name") if isinstance(config, dict) else None
    if found not in by_name:
        raise ValueError(f"it holds {found!r} where {' or '.join(map(repr, by_name))} is expected")

    return by_name[found]


def check_kind_of_discriminator(discriminator: Any) -> None:
    """Raises ValueError if a discriminator cannot be loaded from a folder or an export."""
    if isinstance(discriminator, StateDiscriminator):
        raise ValueError(
            "A StateDiscriminator holds a generator of its own, which folders of models and "
            "exported samplers have no place for; expected a Discriminator or None. Write it with "
            "its own save(path), and load it with keras.models.load_model(path)."
        )


def check_model_config(config: Mapping[str, Any], expected: Classes) -> type:
    """Returns the class that a model's configuration makes, if it makes nothing else.

    Args:
        config: as `keras.saving.serialize_keras_object` gives it.
        expected: the class that it must be, or several of which it must be one.

    Raises:
        ValueError: if it names another class, or holds what would make another object.
    """
    found = _find_class(config, expected)
    settings = config["config"]
    _check_plain(settings, "the model's configuration", besides=("dtype",))
    policy = settings.get("dtype")
    if not _is_plain(policy):
        _check_keras_object(policy, "keras", "its dtype")

    # Keras calls `build` with what is here; the models build themselves.
    build_config = config.get("build_config") or {}
    _check_plain(build_config, "build_config", besides=("shapes_dict",))
    _check_plain(build_config.get("shapes_dict") or {}, "shapes_dict")

    return found


def _check_compile_config(config: Any) -> None:
    """Raises ValueError unless a model was compiled with an optimizer of tfseqgan or Keras."""
    if config is None:
        return

    _check_plain(config, "compile_config", besides=("optimizer",))
    optimizer = config.get("optimizer")
    if _is_plain(optimizer):
        return

    settings = optimizer.get("config")
    _check_plain(settings, "the optimizer", besides=("learning_rate",))
    if not _is_plain(settings.get("learning_rate")):
        module = "keras.optimizers.schedules"
        _check_keras_object(settings["learning_rate"], module, "its learning rate")
    if optimizer.get("registered_name") != "tfseqgan>Adam":
        without_rate = optimizer | {"config": {}}
        _check_keras_object(without_rate, "keras.optimizers", "the optimizer")


_SIZES = ("units", "filters", "num_layers", "num_heads", "feed_forward_dim")

_COUNTS: dict[type, Callable[[Mapping[str, Any]], int]] = {
    Generator: lambda settings: count_generator_weights(
        settings["vocabulary_size"],
        settings["embedding_dim"],
        settings["units"],
        settings["token_features"],
        has_clock=bool(settings.get("token_durations")),
        token_controls=settings.get("token_controls"),
    ),
    AttentionGenerator: lambda settings: count_attention_generator_weights(
        settings["vocabulary_size"],
        settings["embedding_dim"],
        settings["num_layers"],
        settings["num_heads"],
        settings["feed_forward_dim"],
        settings["token_features"],
        has_clock=bool(settings["token_durations"]),
        token_controls=settings.get("token_controls"),
    ),
    Discriminator: lambda settings: count_discriminator_weights(
        settings["vocabulary_size"],
        settings["embedding_dim"],
        settings["filters"],
        settings["kernel_sizes"],
        settings["token_features"],
    ),
}


def count_weights(expected: type, settings: Mapping[str, Any]) -> int:
    """Returns how many weights a model has, without making it.

    Args:
        expected: the class of the model.
        settings: its arguments, as `get_config` gives them.

    Raises:
        ValueError: if a size is not a whole number of 0 or more.

    Example:
        >>> generator = Generator(vocabulary_size=7, embedding_dim=4, units=8)
        >>> count_weights(Generator, generator.get_config()) == generator.count_params()
        True
    """
    features = settings["token_features"] or []
    sizes = [settings["vocabulary_size"], settings["embedding_dim"]]
    sizes += itertools.chain.from_iterable(features)
    sizes += itertools.chain.from_iterable(settings.get("token_controls") or [])
    sizes += [settings[name] for name in _SIZES if name in settings]
    sizes += settings.get("kernel_sizes", [])
    if not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError("a size in its configuration is not a whole number of 0 or more")

    return _COUNTS[expected](settings)


def _datasets(group: h5py.Group, seen: set[int]) -> Iterator[h5py.Dataset]:
    """Yields every dataset below a group once; raises ValueError where a link leaves the file."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"its weights hold {name!r}, a link to another place")

        found = group[name]
        address = h5py.h5o.get_info(found.id).addr
        if address in seen:
            continue
        seen.add(address)
        if isinstance(found, h5py.Group):
            yield from _datasets(found, seen)
        else:
            yield found


def _check_weights(data: bytes, num_weights: int) -> None:
    """Raises ValueError unless weights lie in their file in full, and are as many as needed."""
    total_bytes = 0
    with h5py.File(io.BytesIO(data), "r") as file:
        for dataset in _datasets(file, set()):
            is_plain = (
                isinstance(dataset, h5py.Dataset)
                and dataset.dtype.kind in "biuf"
                and dataset.chunks is None
                and not dataset.is_virtual
                and dataset.external is None
            )
            if not is_plain:
                raise ValueError(f"its weights hold {dataset.name!r}, which is no plain array")
            total_bytes += math.prod(dataset.shape) * dataset.dtype.itemsize

    if total_bytes > len(data):
        raise ValueError(f"its weights claim {total_bytes} bytes in a file of {len(data)} bytes")
    if num_weights * _FEWEST_BYTES_PER_WEIGHT > total_bytes:
        raise ValueError(
            f"its configuration asks for {num_weights} weights and it holds {total_bytes} bytes"
        )


def _read_member(archive: zipfile.ZipFile, name: str, max_bytes: int) -> bytes:
    """Reads a member of a zip whose size is looked at first."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > max_bytes:
        raise ValueError(
            f"its {name} is compressed or of {info.file_size} bytes, where an uncompressed one of "
            f"at most {max_bytes} is expected"
        )

    return archive.read(info)


def _check_file(path: Path, expected: Classes, compile: bool) -> None:
    """Raises an error unless a `.keras` file can be loaded without harm."""
    with zipfile.ZipFile(path) as archive:
        if sorted(archive.namelist()) != sorted(_MEMBERS):
            raise ValueError(f"it holds {archive.namelist()}")

        config = parse_json(_read_member(archive, _CONFIG, _MOST_CONFIG_BYTES), _CONFIG)
        found = check_model_config(config, expected)
        if compile:
            _check_compile_config(config.get("compile_config"))

        num_weights = count_weights(found, config["config"])
        _check_weights(_read_member(archive, _WEIGHTS, path.stat().st_size), num_weights)


def check_finite_model(model: keras.Model) -> None:
    """Raises ValueError unless every weight of a model, and its optimizer's state, is finite."""
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.weights, *(optimizer.variables if optimizer else [])]
    for variable in variables:
        values = keras.ops.convert_to_numpy(variable)
        is_float = values.dtype.kind not in "biu"
        if is_float and not np.isfinite(values.astype(np.float64)).all():
            raise ValueError(f"{variable.path} holds numbers that are not finite")


def load_keras_file(path: Path, expected: Classes, compile: bool = False) -> Any:
    """Loads a model of tfseqgan from a `.keras` file, after the checks at the top of this module.

    No code from the file runs, and no class but an expected one is made.

    Args:
        path: the file.
        expected: the class that it must hold, or several of which it must hold one.
        compile: whether the model gets its optimizer back, with its state.

    Returns:
        The model.

    Raises:
        ValueError: naming the file and the reason, whatever is wrong with it.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "generator.keras")
        >>> Generator(vocabulary_size=7, embedding_dim=4, units=8).save(path)
        >>> load_keras_file(path, Generator).units
        8
        >>> load_keras_file(path, Discriminator)
        Traceback (most recent call last):
        ValueError: .../generator.keras cannot be loaded (it holds 'tfseqgan>Generator' where ...
    """
    try:
        _check_file(path, expected, compile)
        model = keras.models.load_model(path, compile=compile)
        check_finite_model(model)
    except Exception as error:  # a damaged file raises BadZipFile, KeyError, OpError and many more
        is_whole = path.is_file() and zipfile.is_zipfile(path)
        reason = error if is_whole else "the file is incomplete"
        raise ValueError(
            f"{path} cannot be loaded ({reason}); expected a model saved by tfseqgan."
        ) from error

    return model
