"""What an error means, and what to do about it."""

import argparse
import errno
import os
import re
import shlex
from pathlib import Path

from tfseqgan import files


def _explain(error: OSError) -> str:
    """Returns what an error of the system means and what to do about it.

    An error without an errno was raised by tfseqgan or a library, and explains itself.
    """
    if error.errno is None:
        return f"{str(error).removesuffix('.')}."

    what = error.strerror or str(error)
    if error.filename:
        what = f"{what}: {error.filename}"

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk is full ({what}); expected space for the next file. What was finished "
            "before is kept. Free some space."
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return (
            f"A file cannot be used ({what}); expected permission to read and write it. "
            "Choose another folder, or change its permissions."
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
        return f"A path is not as expected ({what}). Check the paths of the command."

    return f"A file cannot be read or written ({what}). Check the disk and the paths."


_BEGINNING = re.compile(r"\w+(?:(?:, | and )\w+)*(?= is | must | = )")
"""The arguments that a message begins with, as in "version, length and num_candidates must"."""

_NAMED_LATER = re.compile(r"(?<![\w./'\"-])(?:(?<=[Ss]et )\w+|\w+_\w+)(?![\w./(])")
"""A word that can only be an argument: after "set", or joined by underscores."""

_GIVEN_LATER = re.compile(r"(?<=[Pp]ass )(\w+)=(?=\S)")
"""An argument with its value, as in "pass top_k=1"."""


def name_flags(message: str, args: argparse.Namespace) -> str:
    """Returns a message of the library with flags in place of the arguments of Python.

    Args:
        message: such as "top_k must be 1 or more, received 0."
        args: the parsed command line, whose names are those of the command's flags.

    Example:
        >>> from tfseqgan.cli.command_parser import Command
        >>> args = argparse.Namespace(top_k=0, command=Command(print))
        >>> name_flags("top_k must be 1 or more, received 0.", args)
        '--top_k must be 1 or more, received 0.'
        >>> name_flags("There is no such number: expected 1 or more, received 0.", args)
        '--top_k: There is no such number: expected 1 or more, received 0.'
    """
    flags = {name: f"--{name}" for name in vars(args) if name != "command"}
    flags |= {name: f"--{flag}" for name, flag in args.command.flags_by_argument.items()}

    def to_flags(found: re.Match) -> str:
        return re.sub(r"\w+", lambda word: flags.get(word[0], word[0]), found[0])

    beginning = _BEGINNING.match(message)
    if beginning:
        message = to_flags(beginning) + message[beginning.end() :]
    message = _GIVEN_LATER.sub(
        lambda found: f"{flags[found[1]]} " if found[1] in flags else found[0], message
    )

    message = _NAMED_LATER.sub(to_flags, message).replace("Pass None for", "Leave it out for")

    return message if "--" in message else f"{_flag_of_value(message, args)}{message}"


def _flag_of_value(message: str, args: argparse.Namespace) -> str:
    """Returns "--key: " where a message that names no argument has received the value of --key."""
    received = [name for name, value in vars(args).items() if f"received {value!r}" in message]

    return f"--{received[0]}: " if len(received) == 1 else ""


def how_to_resume(args: argparse.Namespace) -> str:
    """Returns how to resume a run that was stopped; nothing if there is no checkpoint yet."""
    if not args.command.is_training or not os.path.exists(os.path.join(args.out, "checkpoints")):
        return ""

    command = f"tfseqgan train --resume --out {shlex.quote(args.out)}"

    return f" Resume from the last checkpoint: {command}"


def _how_to_resume_more_slowly(args: argparse.Namespace) -> str:
    """Returns how to resume a run that diverged, with a learning rate that is lower by half."""
    command = how_to_resume(args)
    if not command:
        return ""

    is_pretrained = os.path.exists(os.path.join(args.out, "pretrained.keras"))
    name = "generator_learning_rate" if is_pretrained else "pretraining_learning_rate"
    try:
        rate = files.read_json(Path(args.out) / "config.json")["settings"][name]
    except (OSError, ValueError, KeyError, TypeError):
        return command

    return f"{command} --{name} {rate / 2:g}"


def describe_error(error: Exception, args: argparse.Namespace) -> str:
    """Returns what an error that the user can correct means, and what to do about it."""
    if isinstance(error, OSError):
        return f"{_explain(error)}{how_to_resume(args)}"
    if isinstance(error, FloatingPointError):
        return f"{error}{_how_to_resume_more_slowly(args)}"
    if isinstance(error, MemoryError):
        detail = f" ({error})" if str(error) else ""
        return (
            f"There is not enough memory{detail}; expected room for the models, the data and a "
            f"batch. Lower the sizes or the batch.{how_to_resume(args)}"
        )

    return name_flags(str(error), args)
