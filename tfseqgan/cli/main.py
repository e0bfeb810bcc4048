"""The parser, and what every command has in common: signals, errors, exit codes.

TensorFlow and NumPy are imported only when a command needs them, so that `--help` answers at once.
"""

import argparse
import contextlib
import io
import logging
import os
import signal
import sys
from collections.abc import Sequence

from absl import app, flags
from absl import logging as absl_logging

from tfseqgan import __version__
from tfseqgan.cli import compare, doctor, download, evaluate, export, inspect, sample, train
from tfseqgan.cli.command_parser import Parser
from tfseqgan.cli.completion import completion_script
from tfseqgan.cli.error_messages import describe_error, how_to_resume
from tfseqgan.cli.interrupts import Terminated, signals_as_interrupts
from tfseqgan.cli.spelling import check_spelling

STAGES = {
    "compose": (sample,),
    "train": (train, inspect, download),
    "judge": (evaluate, compare),
    "deploy": (export,),
    "check": (doctor,),
}
"""The modules of the commands by what they are for, in the order of --help. A module is named after
its command; it has a SUMMARY, an EXAMPLE, and `add_parser`."""

ERROR = 1
"""The exit code after an error that the user can correct; argparse has 2 for a wrong usage."""

BROKEN_PIPE = 128 + signal.SIGPIPE
"""The exit code where nobody reads the output any more, as of a process that SIGPIPE ended."""


def _list_commands() -> str:
    """Returns the commands by stage, each with its summary and an example."""
    lines = []
    for stage, commands in STAGES.items():
        lines.append(f"{stage}:")
        for command in commands:
            name = command.__name__.rpartition(".")[2]
            lines += [f"  {name:10}{command.SUMMARY}", f"{'':12}{command.EXAMPLE}"]
        lines.append("")

    return "\n".join([*lines, "The flags of a command: tfseqgan COMMAND --help"])


def parsers() -> tuple[Parser, dict[str, Parser]]:
    """Returns the parser of the whole command line, and that of each command by its name."""
    parser = Parser(
        prog="tfseqgan",
        usage="tfseqgan COMMAND [--FLAG VALUE ...]",
        description="Sequence GANs trained by reinforcement learning, for symbolic music.",
        epilog=_list_commands(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.add_argument(
        "--completion",
        action="store_true",
        help="print a script for bash that completes commands and flags",
    )
    parser.set_defaults(quiet=False)

    commands = parser.add_subparsers(
        prog="tfseqgan", required=True, metavar="COMMAND", help=argparse.SUPPRESS
    )
    for stage in STAGES.values():
        for command in stage:
            command.add_parser(commands)

    return parser, commands.choices


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Returns the parsed command line; exits with code 2 if it is wrong."""
    flags.FLAGS.mark_as_parsed()  # absl has flags of its own, which are none of the command's
    parser, commands = parsers()
    if list(argv[1:]) == ["--completion"]:
        print(completion_script(parser, commands), end="")
        parser.exit()
    check_spelling(parser, commands, argv[1:])

    return parser.parse_args(argv[1:])


def _say(message: str) -> None:
    """Prints to stderr; a terminal that has gone is no error."""
    with contextlib.suppress(OSError):
        print(message, file=sys.stderr, flush=True)


def _set_up_logging(args: argparse.Namespace) -> None:
    """Shows what tfseqgan says as plain lines, and of other packages only errors."""
    logging.getLogger("tfseqgan").setLevel(logging.WARNING if args.quiet else logging.INFO)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    absl_logging.set_verbosity(absl_logging.ERROR)
    absl_logging.get_absl_handler().setFormatter(logging.Formatter("%(message)s"))


def _discard_output() -> None:
    """Sends to /dev/null what is still to be printed, since Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def main(args: argparse.Namespace) -> int:
    """Runs a command, and returns the exit code: 0, or one of those in `docs/command_line.md`."""
    _set_up_logging(args)

    try:
        with signals_as_interrupts():
            args.command.run(args)
            sys.stdout.flush()
    except KeyboardInterrupt as stop:
        _say(f"\ntfseqgan: Stopped.{how_to_resume(args)}")
        return 128 + (stop.number if isinstance(stop, Terminated) else signal.SIGINT)
    except BrokenPipeError:
        if how_to_resume(args):
            _say(f"tfseqgan: Nobody reads the output any more.{how_to_resume(args)}")
        _discard_output()
        return BROKEN_PIPE
    except (ValueError, OSError, FloatingPointError, MemoryError) as error:
        if args.debug:
            raise
        _say(f"tfseqgan: {describe_error(error, args)}")
        return ERROR

    return 0


def _open_standard_files() -> None:
    """Opens /dev/null where a standard file is closed.

    Otherwise the next file that is opened, such as a checkpoint, would get its number, and what a
    library prints would go into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one

    sys.stdout = sys.stdout or io.StringIO()
    sys.stderr = sys.stderr or io.StringIO()


def run() -> None:
    """Runs the command `tfseqgan`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _open_standard_files()

    # A terminal or a file that cannot show a bar or a Greek letter shows a question mark.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")

    try:
        try:
            app.run(main, flags_parser=parse)
        finally:
            sys.stdout.flush()  # here and not at Python's end: help may have no reader any more
    except BrokenPipeError:
        _discard_output()
        sys.exit(BROKEN_PIPE)
