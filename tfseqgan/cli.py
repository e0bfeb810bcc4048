"""The command line: tfseqgan train, sample, evaluate. TensorFlow is imported when a command needs it, so that --help answers at once."""

import dataclasses
import logging
import os
import sys

from absl import app
from absl import logging as absl_logging
from absl.flags import argparse_flags

from tfseqgan import __version__
from tfseqgan.presets import PRESETS, Settings, resolve

_TYPES = {"int": int, "float": float, "str": str, "str | None": str, "float | None": float}


def _widths(text):
    """Reads a list of whole numbers such as 1,2,4."""
    return tuple(int(part) for part in text.split(","))


def _add_settings(parser):
    """Adds one flag for each field of `Settings`; one that is not given leaves the preset's value."""
    group = parser.add_argument_group("settings", "each replaces the preset's; the values shown are those of --preset default")
    for field in dataclasses.fields(Settings):
        type_name = getattr(field.type, "__name__", str(field.type))
        reader = _widths if type_name == "tuple" else _TYPES[type_name]
        shown = "" if field.default is None else f" [{','.join(map(str, field.default)) if type_name == 'tuple' else field.default}]"
        group.add_argument(f"--{field.name}", type=reader, metavar=type_name.removesuffix(" | None").upper(), help=field.metadata["help"] + shown)


def _add_train(commands):
    parser = commands.add_parser("train", help="train a sequence GAN and write tunes", description="Trains on a corpus, prints Table 1's columns, writes tunes.")
    parser.add_argument("--data", help="a folder of MIDI files, or Lee et al.'s tokens.npz; the tunes that tfseqgan composes itself by default")
    parser.add_argument("--out", required=True, help="the run's folder; must be new")
    parser.add_argument("--preset", choices=list(PRESETS), help="quick: minutes on two cores; default: best known; paper: Bjare & Meredith's")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier run in --out")
    parser.add_argument("--resume", action="store_true", help="go on with the stopped run in --out, with its settings")
    _add_settings(parser)
    parser.set_defaults(run=_train)


def _add_sample(commands):
    parser = commands.add_parser("sample", help="write tunes of a trained generator as MIDI", description="Writes tunes of a trained generator as MIDI files.")
    parser.add_argument("--model", required=True, help="a run's folder")
    parser.add_argument("--out", required=True, help="the folder for the MIDI files")
    parser.add_argument("--num", type=int, default=4, help="how many tunes [4]")
    parser.add_argument("--stage", choices=["generator", "pretrained"], default="generator", help="the generator at the end of the run, or before adversarial training")
    parser.add_argument("--length", type=int, default=512, help="tokens a tune at the most [512]")
    parser.add_argument("--temperature", type=float, default=1.0, help="below 1 is safer, above 1 bolder [1.0]")
    parser.add_argument("--top_k", type=int, help="keep only the k likeliest tokens of each step")
    parser.add_argument("--top_p", type=float, help="keep only the likeliest tokens that hold this probability")
    parser.add_argument("--seed", type=int, help="for the same tunes again")
    parser.add_argument("--overwrite", action="store_true", help="replace tunes in --out")
    parser.set_defaults(run=_sample)


def _add_evaluate(commands):
    parser = commands.add_parser("evaluate", help="print Table 1's columns of a run", description="Prints Table 1's columns on held-out tunes.")
    parser.add_argument("--model", required=True, help="a run's folder")
    parser.add_argument("--data", help="other data than the run's own")
    parser.add_argument("--num_samples", type=int, help="sequences to sample; as many as there are held-out windows by default")
    parser.add_argument("--seed", type=int, default=0, help="of the samples [0]")
    parser.add_argument("--out", help="a JSON file for the figures")
    parser.set_defaults(run=_evaluate)


def _parse(argv):
    """Returns the parsed command line; exits with code 2 where it is wrong."""
    parser = argparse_flags.ArgumentParser(prog="tfseqgan", description="Sequence GANs trained by reinforcement learning, for symbolic music.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (_add_train, _add_sample, _add_evaluate):
        add(commands)
    return parser.parse_args(argv[1:])


def _overrides(args):
    """Returns the settings that were given as flags."""
    given = {field.name: getattr(args, field.name) for field in dataclasses.fields(Settings)}
    return {name: value for name, value in given.items() if value is not None}


def _resumed(args, config):
    """Returns the settings and data of the run to go on with, of which only the number of rounds may be changed."""
    saved = config["settings"] | {"kernel_sizes": tuple(config["settings"]["kernel_sizes"])}
    given = _overrides(args)
    changed = [f"--{name} (saved {saved[name]}, given {value})" for name, value in given.items() if saved[name] != value and name != "rounds"]
    changed += ["--preset"] * (args.preset is not None) + ["--data"] * (args.data is not None and args.data != config["data_path"])
    if changed:
        raise ValueError(f"A run goes on with its own settings: leave out {', '.join(changed)}. Only --rounds may be changed.")
    return Settings(**saved | {"rounds": given.get("rounds", saved["rounds"])}), config["data_path"]


def _train(args):
    from tfseqgan import runs

    if args.resume and args.overwrite:
        raise ValueError("--resume and --overwrite contradict each other: pass one of them.")
    out = runs.check_folder(args.out, args.overwrite, args.resume)
    config = runs.read_json(out / "config.json") if args.resume else None
    settings, data_path = _resumed(args, config) if args.resume else (resolve(args.preset or "default", **_overrides(args)), args.data)
    rows = runs.train_run(out, settings, data_path, overwrite=args.overwrite, resumed_config=config)
    print(runs.format_table(rows))
    print(f"Tunes: {out / 'samples'}   Figures: {out / 'metrics.csv'}   More tunes: tfseqgan sample --model {out} --out tunes")


def _sample(args):
    from tfseqgan import runs

    if os.path.isdir(args.out) and any(os.scandir(args.out)) and not args.overwrite:
        raise ValueError(f"{args.out} is not empty; expected a new folder, so that no tune is lost. Pass --overwrite or another --out.")
    tunes = runs.sample_tunes(
        args.model, args.num, stage=args.stage, length=args.length, temperature=args.temperature, top_k=args.top_k, top_p=args.top_p, seed=args.seed
    )
    print(*runs.write_tunes(tunes, args.out), sep="\n")


def _evaluate(args):
    from tfseqgan import runs

    rows = runs.evaluate_run(args.model, args.data, num_samples=args.num_samples, seed=args.seed)
    print(runs.format_table(rows))
    if args.out:
        runs.write_json(args.out, rows)


def _main(args):
    """Runs a command; what the user can mend is one clear message and exit code 2."""
    logging.getLogger("tfseqgan").setLevel(logging.INFO)
    absl_logging.get_absl_handler().setFormatter(logging.Formatter("%(message)s"))
    try:
        args.run(args)
    except (ValueError, OSError, FloatingPointError) as error:
        if args.debug:
            raise
        print(f"tfseqgan: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ntfseqgan: stopped. 'tfseqgan train --resume --out …' goes on from the last checkpoint.", file=sys.stderr)
        return 130
    return 0


def run():
    """The entry point of the command `tfseqgan`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's notes on missing GPUs would bury the command's own words
    app.run(_main, flags_parser=_parse)
