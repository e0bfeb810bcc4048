"""`tfseqgan compare`: finished runs side by side, seeds as mean ± standard deviation."""

import argparse
from typing import Any

from tfseqgan import files
from tfseqgan.cli.command_parser import Command, add_command
from tfseqgan.cli.output_paths import check_new_file
from tfseqgan.cli.spelling import did_you_mean
from tfseqgan.evaluation.table import HEADINGS

SUMMARY = "show the figures of runs side by side"

EXAMPLE = "tfseqgan compare runs/a runs/b --csv figures.csv"


def _read_columns(text: str) -> tuple[str, ...]:
    """Reads a list of figures such as nll,auc."""
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in HEADINGS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"expected names among {', '.join(HEADINGS)}, received {unknown[0]!r}."
            f"{did_you_mean(unknown[0], HEADINGS)}"
        )

    return names


def add_parser(commands: Any) -> None:
    """Adds the command to those of the parser, and says which function runs it."""
    parser = add_command(
        commands,
        "compare",
        SUMMARY,
        usage="RUN [RUN ...] [--columns NAME,NAME] [--json FILE] [--csv FILE]",
        example=EXAMPLE,
        description="Shows the figures of finished runs side by side. Runs that differ in nothing "
        "but the seed are one group: the mean ± the standard deviation over the seeds.",
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="the folder of a finished run")
    parser.add_argument(
        "--columns",
        type=_read_columns,
        default=tuple(HEADINGS),
        metavar="NAME,NAME",
        help=f"the figures to show, among {', '.join(HEADINGS)} [all]",
    )
    parser.add_argument("--json", metavar="FILE", help="a JSON file for the groups")
    parser.add_argument(
        "--csv", metavar="FILE", help="a CSV file with a row for each stage of each group"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the files")
    parser.set_defaults(command=Command(_run))


def _run(args: argparse.Namespace) -> None:
    """Prints the runs side by side, and writes the same to files."""
    from tfseqgan.runs import comparison  # not at the top: needs NumPy

    for flag, path in (("--json", args.json), ("--csv", args.csv)):
        if path:
            check_new_file(path, args.overwrite, flag)

    groups = comparison.compare_runs(args.runs)
    print(comparison.format_comparison(groups, args.columns))
    if args.json:
        files.write_json(args.json, comparison.comparison_as_plain(groups))
    if args.csv:
        table = comparison.comparison_as_csv(groups, args.columns)
        files.write_atomically(args.csv, table.encode())
