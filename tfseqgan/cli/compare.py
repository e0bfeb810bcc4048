"""`tfseqgan compare`: finished runs side by side, seeds as mean ± standard deviation."""

import argparse
from typing import Any

from tfseqgan import files
from tfseqgan.cli.command_parser import Command, add_command
from tfseqgan.cli.output_paths import check_new_file
from tfseqgan.cli.printing import add_printing_flags, show
from tfseqgan.cli.spelling import list_of
from tfseqgan.evaluation.table import HEADINGS

SUMMARY = "show the figures of runs side by side"

EXAMPLE = "tfseqgan compare runs/a runs/b --csv figures.csv"


def add_parser(commands: Any) -> None:
    """Adds the command to those of the parser, and says which function runs it."""
    parser = add_command(
        commands,
        "compare",
        SUMMARY,
        usage="RUN [RUN ...] [--columns NAME,NAME] [--csv FILE] [--json]",
        example=EXAMPLE,
        description="Shows the figures of finished runs side by side. Runs that differ in nothing "
        "but the seed are one group: the mean ± the standard deviation over the seeds.",
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="the folder of a finished run")
    parser.add_argument(
        "--columns",
        type=list_of(tuple(HEADINGS)),
        default=tuple(HEADINGS),
        metavar="NAME,NAME",
        help=f"the figures to show, among {', '.join(HEADINGS)} [all]",
    )
    parser.add_argument(
        "--csv", metavar="FILE", help="a CSV file with a row for each stage of each group"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file --csv")
    add_printing_flags(parser)
    parser.set_defaults(command=Command(_run))


def _run(args: argparse.Namespace) -> None:
    """Prints the runs side by side, and writes the same to a file if one is given."""
    from tfseqgan.runs import comparison  # not at the top: needs NumPy

    if args.csv:
        check_new_file(args.csv, args.overwrite, "--csv")

    groups = comparison.compare_runs(args.runs)
    text = comparison.format_comparison(groups, args.columns)
    show(args, text, comparison.comparison_as_plain(groups))
    if args.csv:
        table = comparison.comparison_as_csv(groups, args.columns)
        files.write_atomically(args.csv, table.encode())
