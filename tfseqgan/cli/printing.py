"""What a command prints on stdout: text to read, JSON for programs, or nothing."""

import argparse
from typing import Any

from tfseqgan.files import to_json


def add_json_flag(parser: argparse.ArgumentParser) -> None:
    """Adds the flag by which a command prints JSON."""
    parser.add_argument(
        "--json", action="store_true", help="print the result as JSON, and nothing else on stdout"
    )


def add_printing_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say how a command prints its result."""
    add_json_flag(parser)
    parser.add_argument(
        "--quiet", action="store_true", help="print warnings and errors alone, and JSON if asked"
    )


def show_meanwhile(args: argparse.Namespace, text: str) -> None:
    """Prints a part of the result while the rest is computed; as JSON it comes at the end.

    Args:
        args: with the values of the flags above.
        text: the part to be read.
    """
    if not args.json and not args.quiet:
        print(text, flush=True)


def show(args: argparse.Namespace, text: str, content: Any) -> None:
    """Prints the result of a command.

    Args:
        args: with the values of the flags above.
        text: the result to be read.
        content: the same as plain values.
    """
    if args.json:
        print(to_json(content), end="")
    elif not args.quiet:
        print(text)
