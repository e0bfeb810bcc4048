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

from absl import app
from absl import logging as absl_logging
from absl.flags import argparse_flags

from tfseqgan import __version__
from tfseqgan.cli import download, evaluate, export, sample, train
from tfseqgan.cli.error_messages import describe_error, how_to_resume
from tfseqgan.cli.interrupts import Terminated, signals_as_interrupts

COMMANDS = (train, sample, evaluate, export, download)
"""The modules of the commands, in the order of --help."""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Returns the parsed command line; exits with code 2 if it is wrong."""
    parser = argparse_flags.ArgumentParser(
        prog="tfseqgan",
        description="Sequence GANs trained by reinforcement learning, for symbolic music.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(is_training=False)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)

    return parser.parse_args(argv[1:])


def _say(message: str) -> None:
    """Prints to stderr; a terminal that has gone is no error."""
    with contextlib.suppress(OSError):
        print(message, file=sys.stderr, flush=True)


def main(args: argparse.Namespace) -> int:
    """Runs a command; returns 0, or 2 after one message for an error that the user can correct."""
    logging.getLogger("tfseqgan").setLevel(logging.INFO)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    absl_logging.set_verbosity(absl_logging.ERROR)
    absl_logging.get_absl_handler().setFormatter(logging.Formatter("%(message)s"))

    try:
        with signals_as_interrupts():
            args.run(args)
            sys.stdout.flush()
    except KeyboardInterrupt as stop:
        _say(f"\ntfseqgan: Stopped.{how_to_resume(args)}")
        return 128 + (stop.number if isinstance(stop, Terminated) else signal.SIGINT)
    except (ValueError, OSError, FloatingPointError, MemoryError) as error:
        if args.debug:
            raise
        _say(f"tfseqgan: {describe_error(error, args)}")
        if isinstance(error, BrokenPipeError):  # Python would try again to write at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 2

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

    app.run(main, flags_parser=parse)
