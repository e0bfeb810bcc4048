"""A script by which the shell completes commands and flags."""

import argparse
from collections.abc import Mapping

from tfseqgan.cli.spelling import flags_of

_SCRIPT = """\
_tfseqgan() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" words=""
  if [[ $COMP_CWORD -eq 1 ]]; then
    words="{first}"
  elif [[ $word == -* ]]; then
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _tfseqgan tfseqgan
"""


def completion_script(
    parser: argparse.ArgumentParser, commands: Mapping[str, argparse.ArgumentParser]
) -> str:
    """Returns a script for bash that completes commands, their flags, and paths.

    Args:
        parser: of the whole command line.
        commands: the parser of each command by its name.
    """
    cases = [
        f'      {name}) words="{" ".join(flags_of(command))}" ;;'
        for name, command in commands.items()
    ]

    return _SCRIPT.format(first=" ".join([*commands, *flags_of(parser)]), cases="\n".join(cases))
