"""`tfseqgan export`: a run's sampler for TensorFlow Serving."""

import argparse
from pathlib import Path
from typing import Any

from tfseqgan import files
from tfseqgan.cli import late_imports
from tfseqgan.cli.command_parser import Command, add_command

SUMMARY = "write a run's sampler for TensorFlow Serving"

EXAMPLE = "tfseqgan export --model runs/mine --out served/mine"


def add_parser(commands: Any) -> None:
    """Adds the command to those of the parser, and says which function runs it."""
    parser = add_command(
        commands,
        "export",
        SUMMARY,
        usage="--model RUN --out FOLDER [--version N] [--FLAG VALUE ...]",
        example=EXAMPLE,
        description="Writes a run's sampler as a SavedModel, in a numbered version.",
    )
    parser.add_argument("--model", required=True, help="the folder of a finished run")
    parser.add_argument(
        "--out", required=True, help="the folder of the exported model, which a server watches"
    )
    parser.add_argument("--version", type=int, default=1, help="a new version number [1]")
    parser.add_argument("--length", type=int, default=1024, help="tokens of every sample [1024]")
    parser.add_argument(
        "--num_candidates",
        type=int,
        default=8,
        help="samples that sample_best chooses one from [8]",
    )
    parser.add_argument(
        "--temperature", type=float, help="what the card recommends to sample with [1.0]"
    )
    parser.add_argument("--top_p", type=float, help="likewise [all tokens]")
    parser.add_argument("--guidance", type=float, help="likewise, for models with controls [0]")
    parser.set_defaults(command=Command(_run))


def _run(args: argparse.Namespace) -> None:
    """Exports a run and prints the folder of the new version."""
    files.check_can_be_written(Path(args.out) / str(args.version))

    finished_run = late_imports.import_run_module("finished_run")
    folder = finished_run.export_run(
        args.model,
        args.out,
        args.version,
        length=args.length,
        num_candidates=args.num_candidates,
        temperature=args.temperature,
        top_p=args.top_p,
        guidance=args.guidance,
    )
    print(folder)
