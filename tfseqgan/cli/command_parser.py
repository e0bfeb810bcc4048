"""The parser of one command, in the form that all of them have."""

import argparse
import dataclasses
import sys
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

_WIDTH = 78


class Parser(argparse.ArgumentParser):
    """A parser whose help ends as other output does where nobody reads it.

    argparse takes no notice if its help cannot be written, and the program would end with code 0.
    """

    def print_help(self, file: Any = None) -> None:
        """Prints the help; raises BrokenPipeError if nobody reads it."""
        print(self.format_help(), end="", file=file or sys.stdout)


@dataclasses.dataclass(frozen=True)
class Command:
    """What is known of a command besides its flags; the parsed command line has it as `command`.

    Attributes:
        run: does what the command is for.
        is_training: whether it makes a run that can be resumed.
        flags_by_argument: the flag of an argument of Python that has another name.
    """

    run: Callable[[argparse.Namespace], None]
    is_training: bool = False
    flags_by_argument: Mapping[str, str] = dataclasses.field(default_factory=dict)


def add_command(
    commands: Any, name: str, summary: str, *, usage: str, description: str, example: str
) -> argparse.ArgumentParser:
    """Adds a command to those of the program, and returns its parser.

    Args:
        commands: what `ArgumentParser.add_subparsers` returns.
        name: of the command.
        summary: one line, for the list of commands.
        usage: the flags that are needed or used most.
        description: what the command does.
        example: a command line that runs.
    """
    return commands.add_parser(
        name,
        help=summary,
        usage=f"%(prog)s {usage}",
        description=textwrap.fill(description, _WIDTH),
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
