"""Settings from a JSON file, such as the config.json of a run."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from tfseqgan import files
from tfseqgan.cli.spelling import did_you_mean
from tfseqgan.runs.settings import (
    MODELS_OF_THE_PAPER,
    RANDOM_WEIGHTS,
    TOKENS_OF_THE_PAPER,
    Settings,
)


class ConfigFile(NamedTuple):
    """What a JSON file says of a run.

    Attributes:
        settings: by name.
        init: what the run starts from, as --init; None where the file is not that of a run.
    """

    settings: dict[str, Any]
    init: str | None = None


def read_config_file(path: Path | str) -> ConfigFile:
    """Reads settings from a JSON file, and of a run's config.json also what it started from.

    Args:
        path: a file with fields of `Settings`, or with an object "settings" that has them, as a
            run's config.json does. What the config.json of 0.1.0 lacks means the paper's tokens and
            optimizer, as in that run. A setting that is null is left to the preset.

    Raises:
        ValueError: naming the file, if it is missing, is no JSON object, or holds an unknown field.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "run.json")
        >>> _ = path.write_text('{"units": 64, "kernel_sizes": [1, 2]}')
        >>> read_config_file(path)
        ConfigFile(settings={'units': 64, 'kernel_sizes': (1, 2)}, init=None)
    """
    content = _read_object(path)
    given = content["settings"] if isinstance(content.get("settings"), dict) else content
    _check_fields(path, given)

    values = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
    is_of_a_run = "versions" in content
    if not is_of_a_run:
        return ConfigFile(values)

    return ConfigFile(TOKENS_OF_THE_PAPER | MODELS_OF_THE_PAPER | values, _start_of(path, content))


def _start_of(path: Path | str, content: dict[str, Any]) -> str:
    """Returns what the run of a config.json started from."""
    start = content.get("start")
    if start is None:
        return RANDOM_WEIGHTS
    if not isinstance(start, dict) or not isinstance(start.get("model"), str):
        raise ValueError(
            f"{path} has the start {start!r}; expected the model that a run started from, as "
            "'tfseqgan train' writes it. Restore the file, or choose another --config."
        )

    return start["model"]


def _read_object(path: Path | str) -> dict[str, Any]:
    """Returns the object in a JSON file."""
    try:
        content = files.read_json(path)
    except FileNotFoundError as error:
        raise ValueError(
            f"{path} does not exist; expected a JSON file with settings, such as a run's "
            "config.json. Choose another --config."
        ) from error
    except ValueError as error:
        raise ValueError(f"{error} Choose another --config.") from error

    if not isinstance(content, dict):
        raise ValueError(
            f"{path} holds {type(content).__name__}; expected an object with settings by name, "
            'such as {"units": 64}. Choose another --config.'
        )

    return content


def _check_fields(path: Path | str, given: dict[str, Any]) -> None:
    """Raises ValueError unless every name is that of a setting."""
    known = [field.name for field in dataclasses.fields(Settings)]
    unknown = [f"{name!r}.{did_you_mean(name, known)}" for name in given if name not in known]
    if unknown:
        raise ValueError(
            f"{path} holds what is no setting; expected names of 'tfseqgan train --help', received "
            f"{' '.join(unknown)} Correct or remove it."
        )
