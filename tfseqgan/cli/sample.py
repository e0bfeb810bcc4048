"""`tfseqgan sample`: tunes of a trained generator."""

import argparse
from typing import Any

from tfseqgan.cli import late_imports
from tfseqgan.cli.command_parser import Command, add_command
from tfseqgan.cli.output_paths import check_folder_for_tunes
from tfseqgan.cli.printing import add_printing_flags, show
from tfseqgan.cli.spelling import list_of, one_of
from tfseqgan.runs.settings import TUNE_FORMATS

SUMMARY = "write tunes of a trained generator"

EXAMPLE = "tfseqgan sample --out jigs --num_tunes 4 --key D --rhythm jig"


def add_parser(commands: Any) -> None:
    """Adds the command to those of the parser, and says which function runs it."""
    parser = add_command(
        commands,
        "sample",
        SUMMARY,
        usage="--out FOLDER [--model MODEL] [--num_tunes N] [--key D] [--FLAG VALUE ...]",
        example=EXAMPLE,
        description="Samples tunes from a trained generator and writes them as MIDI files, or as "
        "ABC and sheet music. The files of a run hold no code. An exported sampler is a program: "
        "it is loaded only if it holds nothing but what 'tfseqgan export' writes, and it may still "
        "take long.",
    )
    parser.add_argument(
        "--model",
        default="nottingham",
        help="the folder of a run or of an exported sampler, or 'nottingham', the sampler of folk "
        "tunes that comes with tfseqgan [nottingham]",
    )
    parser.add_argument("--out", required=True, help="the folder for the tunes")
    parser.add_argument(
        "--format",
        type=list_of(TUNE_FORMATS),
        default=("mid",),
        metavar="NAME,NAME",
        help="what to write of each tune: mid, abc, svg (sheet music; needs the extra 'viz') [mid]",
    )
    parser.add_argument("--num_tunes", "--num", type=int, default=4, help="how many tunes [4]")
    parser.add_argument(
        "--stage",
        type=one_of(["generator", "pretrained"]),
        metavar="{generator,pretrained}",
        default="generator",
        help="the generator at the end of the run (generator), or before adversarial training "
        "(pretrained) [generator]",
    )
    parser.add_argument(
        "--length",
        type=int,
        help="the most tokens of a tune [1024, or the length of an exported sampler]",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        help="lower for more likely tokens, higher for more varied ones; 1.2e-38 at least [1.0, or "
        "what the card of an exported sampler says; so are --top_p and --guidance]",
    )
    parser.add_argument("--top_k", type=int, help="keep only the k likeliest tokens at each step")
    parser.add_argument(
        "--top_p",
        type=float,
        help="keep only the likeliest tokens whose probabilities add up to p",
    )
    parser.add_argument(
        "--guidance",
        type=float,
        help="how much more than in the model it shall count what the tune is asked to be [0]",
    )
    parser.add_argument("--metre", help='ask for a metre, such as "6/8"')
    parser.add_argument("--key", help='ask for a key, such as "D" or "Em"')
    parser.add_argument("--bars", type=int, help="ask for so many bars, such as 32")
    parser.add_argument("--rhythm", help='ask for a rhythm of the training tunes, such as "jig"')
    parser.add_argument("--seed", type=int, help="the same seed gives the same tunes again")
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="write into a folder that is not empty, and replace tunes of the same names",
    )
    add_printing_flags(parser)
    parser.set_defaults(command=Command(_run, flags_by_argument={"num_sequences": "num_tunes"}))


def _run(args: argparse.Namespace) -> None:
    """Writes sampled tunes and says where they are."""
    check_folder_for_tunes(args.out, args.overwrite)

    run_folder = late_imports.import_run_module("run_folder")
    run_folder.check_formats(args.format)
    finished_run = late_imports.import_run_module("finished_run")
    tunes = finished_run.sample_tunes(
        args.model,
        args.num_tunes,
        stage=args.stage,
        length=args.length,
        temperature=args.temperature,
        top_k=args.top_k,
        top_p=args.top_p,
        guidance=args.guidance,
        metre=args.metre,
        key=args.key,
        bars=args.bars,
        rhythm=args.rhythm,
        seed=args.seed,
    )
    paths = [str(path) for path in run_folder.write_tunes(tunes, args.out, args.format)]
    show(args, "\n".join(paths), {"files": paths})
