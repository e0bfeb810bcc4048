"""What a word that nobody knows may have meant."""

import argparse
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns the question after the known word that is most like a mistyped one.

    Args:
        word: what was typed.
        known: what could have been typed.

    Returns:
        A sentence with a blank before it; an empty string if no known word is like it.

    Example:
        >>> did_you_mean("smaple", ["train", "sample"])
        " Did you mean 'sample'?"
        >>> did_you_mean("compose", ["train", "sample"])
        ''
    """
    similar = difflib.get_close_matches(word, list(known), n=1)

    return f" Did you mean {similar[0]!r}?" if similar else ""


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """Returns a reader of a flag whose value is one of some names, for argparse's `type`.

    Example:
        >>> one_of(["quick", "paper"])("papr")
        Traceback (most recent call last):
        argparse.ArgumentTypeError: expected one of quick, paper, received 'papr'. Did you mean ...
    """

    def read(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(
                f"expected one of {', '.join(names)}, received {text!r}.{did_you_mean(text, names)}"
            )
        return text

    return read


def list_of(names: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Returns a reader of a flag whose value is a list of names such as nll,auc.

    Example:
        >>> list_of(["nll", "auc"])("auc,nll")
        ('auc', 'nll')
    """
    read_name = one_of(names)

    def read(text: str) -> tuple[str, ...]:
        return tuple(map(read_name, text.split(",")))

    return read


def flags_of(parser: argparse.ArgumentParser) -> list[str]:
    """Returns every flag of a parser, such as "--out", in the order of its help."""
    # argparse has no public list of what was added to a parser.
    return [flag for action in parser._actions for flag in action.option_strings]


def _first_unknown(words: Sequence[str], flags: Sequence[str]) -> str | None:
    """Returns the first long flag among words that is not one of the flags, without its value."""
    for word in words:
        if word == "--":
            return None
        flag = word.partition("=")[0]
        if flag.startswith("--") and flag not in flags:
            return flag

    return None


def check_spelling(
    parser: argparse.ArgumentParser,
    commands: Mapping[str, argparse.ArgumentParser],
    words: Sequence[str],
) -> None:
    """Ends the program with exit code 2 if a command or a long flag is not known.

    It looks before argparse does, which would first ask for the flag that was mistyped.

    Args:
        parser: of the whole command line.
        commands: the parser of each command by its name.
        words: the command line without the program's name.
    """
    positions = [index for index, word in enumerate(words) if not word.startswith("-")]
    before = words[: positions[0]] if positions else words
    unknown = _first_unknown(before, flags_of(parser))
    if unknown:
        parser.error(
            f"there is no flag {unknown} before a command.{did_you_mean(unknown, flags_of(parser))}"
        )
    if not positions:
        return

    name = words[positions[0]]
    if name not in commands:
        parser.error(
            f"there is no command {name!r}; expected one of {', '.join(commands)}."
            f"{did_you_mean(name, commands)}"
        )

    _check_flags(parser, commands[name], words[positions[0] + 1 :])


def _check_flags(
    parser: argparse.ArgumentParser, command: argparse.ArgumentParser, words: Sequence[str]
) -> None:
    """Ends the program with exit code 2 if a command does not know a long flag."""
    unknown = _first_unknown(words, flags_of(command))
    if unknown is None:
        return

    if unknown in flags_of(parser):
        remedy = f" It belongs before the command: {parser.prog} {unknown} …"
    else:
        remedy = did_you_mean(unknown, flags_of(command))
    command.error(f"there is no flag {unknown}; expected those of '{command.prog} --help'.{remedy}")
