"""`tfseqgan download`: the Nottingham tunes as MIDI."""

import argparse
from typing import Any

from tfseqgan.cli.command_parser import Command, add_command

SUMMARY = "download the Nottingham tunes as MIDI"

EXAMPLE = "tfseqgan download --out nottingham"


def add_parser(commands: Any) -> None:
    """Adds the command to those of the parser, and says which function runs it."""
    parser = add_command(
        commands,
        "download",
        SUMMARY,
        usage="--out FOLDER",
        example=EXAMPLE,
        description="Downloads the Nottingham Music Database, 1,034 folk tunes (GPL-3.0), and "
        "compares them with the hash of the published ones.",
    )
    parser.add_argument(
        "--out",
        required=True,
        help="the folder for the tunes: new or empty, and not the current one",
    )
    parser.set_defaults(command=Command(_run))


def _run(args: argparse.Namespace) -> None:
    """Downloads the Nottingham tunes and prints their folder."""
    from tfseqgan.datasets.nottingham import download_nottingham  # not at the top: needs NumPy

    print(download_nottingham(args.out))
