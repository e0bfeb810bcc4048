"""`tfseqgan inspect`: what the loader makes of a folder of tunes."""

import argparse
from typing import Any

from tfseqgan.cli.command_parser import Command, add_command
from tfseqgan.cli.printing import add_printing_flags, show

SUMMARY = "say what becomes of the files of a folder"

EXAMPLE = "tfseqgan inspect my/midi/folder"


def add_parser(commands: Any) -> None:
    """Adds the command to those of the parser, and says which function runs it."""
    parser = add_command(
        commands,
        "inspect",
        SUMMARY,
        usage="FOLDER [--json]",
        example=EXAMPLE,
        description="Reads a folder of MIDI and ABC files as 'tfseqgan train' does. Says of each "
        "file which track became the melody and which the chords, and why; what was left out; "
        "metre, key and length; of which other file it is a version; and why it cannot be read. "
        "Says too how many of the notes the vocabulary of the sampler of folk tunes lacks. Writes "
        "nothing.",
    )
    parser.add_argument("folder", metavar="FOLDER", help="a folder of MIDI or ABC files")
    add_printing_flags(parser)
    parser.set_defaults(command=Command(_run))


def _run(args: argparse.Namespace) -> None:
    """Prints what becomes of each file."""
    # Not at the top: these need NumPy.
    from tfseqgan.datasets.folder_report import format_report, inspect_folder
    from tfseqgan.runs.installation import shipped_tokenizer

    report = inspect_folder(args.folder, shipped_tokenizer(), "the sampler of folk tunes")
    show(args, format_report(report), report.to_dict())
