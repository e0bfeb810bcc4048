"""A flag for every field of `Settings`, made from the field."""

import argparse
import dataclasses
from typing import Any

from tfseqgan.cli.spelling import one_of
from tfseqgan.runs.settings import Settings


def _read_integers(text: str) -> tuple[int, ...]:
    """Reads a list of whole numbers such as 1,2,4."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected whole numbers such as 1,2,4, received {text!r}"
        ) from error


def _read_yes_no(text: str) -> bool:
    """Reads a flag such as "True"."""
    if text not in ("True", "False"):
        raise argparse.ArgumentTypeError(f"expected True or False, received {text!r}")

    return text == "True"


_FLAG_TYPES: dict[Any, tuple[Any, str]] = {
    bool: (_read_yes_no, "BOOL"),
    int: (int, "INT"),
    float: (float, "FLOAT"),
    float | None: (float, "FLOAT"),
    str: (str, "STR"),
    str | None: (str, "STR"),
    tuple[int, ...]: (_read_integers, "INT,INT,…"),
}
"""How a flag is read and shown, by the type of its field in `Settings`."""


def _show_default(default: Any) -> str:
    """Returns a default value as --help shows it; an empty string for None."""
    if default is None:
        return ""
    if isinstance(default, tuple):
        default = ",".join(map(str, default))

    return f" [{default}]"


def add_settings_flags(parser: argparse.ArgumentParser) -> None:
    """Adds a flag for each field of `Settings`; without it the preset's value is kept."""
    group = parser.add_argument_group(
        "settings", "each replaces the preset's; the values shown are those of --preset default"
    )
    for field in dataclasses.fields(Settings):
        reader, metavar = _FLAG_TYPES[field.type]
        names = field.metadata["expected"]
        if isinstance(names, tuple):
            reader = one_of(names)
        group.add_argument(
            f"--{field.name}",
            type=reader,
            metavar=metavar,
            help=field.metadata["help"] + _show_default(field.default),
        )


def given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the settings that were given as flags."""
    values = {field.name: getattr(args, field.name) for field in dataclasses.fields(Settings)}

    return {name: value for name, value in values.items() if value is not None}
