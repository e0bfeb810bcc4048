"""`tfseqgan evaluate`: Table 1's columns of a run, and what fresh judges say of its samples."""

import argparse
from typing import Any

from tfseqgan import files
from tfseqgan.cli import late_imports
from tfseqgan.cli.command_parser import Command, add_command
from tfseqgan.cli.output_paths import check_new_file
from tfseqgan.cli.printing import add_printing_flags, show, show_meanwhile
from tfseqgan.evaluation import table

SUMMARY = "print Table 1's columns of a run"

EXAMPLE = "tfseqgan evaluate --model runs/mine --json"


def add_parser(commands: Any) -> None:
    """Adds the command to those of the parser, and says which function runs it."""
    parser = add_command(
        commands,
        "evaluate",
        SUMMARY,
        usage="--model MODEL [--data FOLDER] [--judges N] [--out FILE] [--json]",
        example=EXAMPLE,
        description="Prints Table 1's columns of a run, on held-out tunes, and with --judges what "
        "fresh networks say that learn to tell its samples from real tunes.",
    )
    parser.add_argument(
        "--model", required=True, help="the folder of a run, or of an exported sampler"
    )
    parser.add_argument(
        "--data",
        help="other data than the run's own; an exported sampler needs the folder of its tunes, "
        "except for the Nottingham tunes, which are downloaded, and the synthetic tunes",
    )
    parser.add_argument(
        "--num_samples",
        type=int,
        help="sequences to sample; by default as many as there are held-out windows",
    )
    parser.add_argument(
        "--seed",
        type=int,
        help="seed of the samples; by default the run's own, which gives the figures of its "
        "evaluation.json again",
    )
    parser.add_argument(
        "--judges",
        type=int,
        metavar="N",
        help="besides, train N fresh judges of each kind to tell samples from real tunes, which "
        "takes long; needs 20 held-out tunes or more",
    )
    parser.add_argument("--out", help="a JSON file for the figures")
    parser.add_argument("--overwrite", action="store_true", help="replace the file --out")
    add_printing_flags(parser)
    parser.set_defaults(command=Command(_run, flags_by_argument={"num_judges": "judges"}))


def _run(args: argparse.Namespace) -> None:
    """Prints the figures of a run, and writes them to a file if one is given."""
    if args.out:
        check_new_file(args.out, args.overwrite)

    finished_run = late_imports.import_run_module("finished_run")
    judging = late_imports.import_run_module("judging")
    trial = None
    if args.judges is not None:  # what cannot be judged is refused before anything is computed
        trial = judging.prepare_trial(args.model, args.data, num_judges=args.judges, seed=args.seed)

    rows = finished_run.evaluate_run(
        args.model, args.data, num_samples=args.num_samples, seed=args.seed
    )
    text = table.format_table(rows)

    if trial is not None:
        show_meanwhile(args, f"{text}\n")
        verdicts = judging.judge_run(trial)
        text = table.format_verdicts(verdicts)
        rows = {**rows, "judges": verdicts}

    show(args, text, rows)
    if args.out:
        files.write_json(args.out, rows)
