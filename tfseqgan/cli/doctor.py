"""`tfseqgan doctor`: what is installed here, and how fast it is."""

import argparse
import dataclasses
import textwrap
from collections.abc import Mapping
from typing import Any

from tfseqgan.cli import late_imports
from tfseqgan.cli.command_parser import Command, add_command
from tfseqgan.cli.printing import add_json_flag
from tfseqgan.evaluation.table import WIDTH
from tfseqgan.files import to_json

SUMMARY = "say what is installed, on which devices, and how fast"

EXAMPLE = "tfseqgan doctor --json"

_PRESETS = ("quick", "default")


def add_parser(commands: Any) -> None:
    """Adds the command to those of the parser, and says which function runs it."""
    parser = add_command(
        commands,
        "doctor",
        SUMMARY,
        usage="[--json]",
        example=EXAMPLE,
        description="Says which versions are installed, which devices TensorFlow sees, where the "
        "models lie that come with tfseqgan, and how long a likelihood step of the presets quick "
        "and default takes on this machine, which is measured in about a minute.",
    )
    add_json_flag(parser)
    # What is logged while a corpus is read is not of interest here.
    parser.set_defaults(command=Command(_run), quiet=True)


def _run(args: argparse.Namespace) -> None:
    """Prints what is known at once, then what must be measured."""
    from tfseqgan.runs.installation import describe_installation  # not at the top: needs NumPy

    def say(text: str) -> None:
        if not args.json:
            print(text, flush=True)

    report = describe_installation()
    say(_describe(report))

    speed = _import_speed()
    report["devices"] = speed.describe_devices()
    say(f"{'devices':10}{', '.join(report['devices'])}")

    report["speed"] = {}
    for preset in _PRESETS:
        measured = speed.measure_speed(preset)
        report["speed"][preset] = dataclasses.asdict(measured) | {
            "likelihood_seconds": measured.likelihood_seconds
        }
        say(_describe_speed(preset, measured))

    if args.json:
        print(to_json(report), end="")


def _import_speed() -> Any:
    """Imports what needs TensorFlow; where that fails, the user is told what to do.

    Raises:
        ValueError: if TensorFlow cannot be imported.
    """
    try:
        return late_imports.import_run_module("speed")
    except ImportError as error:
        raise ValueError(
            f"TensorFlow cannot be loaded ({error}); expected one that tfseqgan was installed "
            "with. Install both again: pip install --force-reinstall tfseqgan"
        ) from error


def _list_versions(title: str, versions: Mapping[str, str | None]) -> str:
    """Returns packages with their versions in lines of a terminal."""
    texts = [f"{name} {version or 'not installed'}" for name, version in versions.items()]

    return textwrap.fill(
        f"{title:10}{', '.join(texts)}", WIDTH, subsequent_indent=" " * 10, break_on_hyphens=False
    )


def _describe(report: Mapping[str, Any]) -> str:
    """Returns what is installed, to be read."""
    machine = report["machine"]
    models = [f"{name} in {folder or 'no folder'}" for name, folder in report["models"].items()]

    return "\n".join(
        [
            _list_versions("versions", report["versions"]),
            _list_versions("extras", report["extras"]),
            f"{'machine':10}{machine['system']} {machine['processor']}, {machine['cores']} cores, "
            f"{machine['memory_gib']} GiB of memory",
            f"{'models':10}{', '.join(models)}",
        ]
    )


def _describe_speed(preset: str, speed: Any) -> str:
    """Returns how fast a preset is here, to be read."""
    minutes = speed.likelihood_seconds / 60
    rounds = f", plus {speed.rounds} rounds" if speed.rounds else ""

    return (
        f"{preset:10}{speed.step_seconds:.3g} s a likelihood step of {speed.rows_per_step} rows\n"
        f"{'':10}{speed.epochs} epochs of synthetic tunes: at most {minutes:.2g} minutes{rounds}"
    )
