"""The command line: tfseqgan train, sample, evaluate, export, download. TensorFlow is imported when a command needs it, so that --help answers at once."""

import argparse
import dataclasses
import errno
import importlib
import logging
import os
import shlex
import sys
import tempfile
from pathlib import Path

from absl import app
from absl import logging as absl_logging
from absl.flags import argparse_flags

from tfseqgan import __version__, files
from tfseqgan.datasets import nottingham
from tfseqgan.evaluation import table
from tfseqgan.runs.settings import PRESETS, Settings, settings_from_preset

_TYPES = {"int": int, "float": float, "str": str, "str | None": str, "float | None": float}


def _widths(text):
    """Reads a list of whole numbers such as 1,2,4."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected whole numbers such as 1,2,4, received {text!r}"
        ) from error


def _add_settings(parser):
    """Adds one flag for each field of `Settings`; one that is not given leaves the preset's value."""
    group = parser.add_argument_group(
        "settings", "each replaces the preset's; the values shown are those of --preset default"
    )
    for field in dataclasses.fields(Settings):
        type_name = getattr(field.type, "__name__", str(field.type))
        is_list, metavar = type_name == "tuple", type_name.removesuffix(" | None").upper()
        shown = (
            ""
            if field.default is None
            else f" [{','.join(map(str, field.default)) if is_list else field.default}]"
        )
        reader = _widths if is_list else _TYPES[type_name]
        group.add_argument(
            f"--{field.name}",
            type=reader,
            metavar="INT,INT,…" if is_list else metavar,
            help=field.metadata["help"] + shown,
        )


def _add_train(commands):
    parser = commands.add_parser(
        "train",
        allow_abbrev=False,
        help="train a sequence GAN and write tunes",
        usage="%(prog)s --out OUT [--data DATA] [--preset {quick,default,paper}] [--overwrite | --resume] [--strategy {mirrored,multi_worker}] [--SETTING VALUE ...]",
        description="Trains on a corpus, prints Table 1's columns, writes tunes.",
    )
    parser.add_argument(
        "--data",
        help="a folder of MIDI files, or Lee et al.'s tokens.npz; the tunes that tfseqgan composes itself by default",
    )
    parser.add_argument(
        "--out",
        required=True,
        help="the run's folder; a new or empty one, but for --resume and --overwrite",
    )
    parser.add_argument(
        "--preset",
        choices=list(PRESETS),
        help="quick: minutes on two cores; default: best known; paper: Bjare & Meredith's",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier run in --out")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the stopped run in --out, with its settings",
    )
    parser.add_argument(
        "--strategy",
        choices=["mirrored", "multi_worker"],
        help="share the work among all GPUs of this machine, or among machines (TF_CONFIG)",
    )
    _add_settings(parser)
    parser.set_defaults(run=_train)


def _add_sample(commands):
    parser = commands.add_parser(
        "sample",
        allow_abbrev=False,
        help="write tunes of a trained generator as MIDI",
        description="Writes tunes of a trained generator as MIDI files.",
    )
    parser.add_argument("--model", required=True, help="a run's folder, or an exported sampler's")
    parser.add_argument("--out", required=True, help="the folder for the MIDI files")
    parser.add_argument("--num_tunes", "--num", type=int, default=4, help="how many tunes [4]")
    stage = "the generator at the end of the run, or before adversarial training [generator]"
    parser.add_argument(
        "--stage", choices=["generator", "pretrained"], default="generator", help=stage
    )
    parser.add_argument(
        "--length",
        type=int,
        help="tokens a tune at the most [512, or an exported sampler's own length]",
    )
    parser.add_argument(
        "--temperature", type=float, default=1.0, help="below 1 is safer, above 1 bolder [1.0]"
    )
    parser.add_argument("--top_k", type=int, help="keep only the k likeliest tokens of each step")
    parser.add_argument(
        "--top_p", type=float, help="keep only the likeliest tokens that hold this probability"
    )
    parser.add_argument("--seed", type=int, help="for the same tunes again")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace tunes of the same names in --out"
    )
    parser.set_defaults(run=_sample)


def _add_export(commands):
    parser = commands.add_parser(
        "export",
        allow_abbrev=False,
        help="write a run's sampler for TensorFlow Serving",
        description="Writes a run's sampler as a SavedModel, in a numbered version.",
    )
    parser.add_argument("--model", required=True, help="a finished run's folder")
    parser.add_argument("--out", required=True, help="the model's folder, which a server watches")
    parser.add_argument(
        "--version", type=int, default=1, help="the version's number, which must be new [1]"
    )
    parser.add_argument("--length", type=int, default=512, help="tokens of every sample [512]")
    parser.add_argument(
        "--num_candidates", type=int, default=8, help="draws of which sample_best keeps one [8]"
    )
    parser.set_defaults(run=_export)


def _add_evaluate(commands):
    parser = commands.add_parser(
        "evaluate",
        allow_abbrev=False,
        help="print Table 1's columns of a run",
        description="Prints Table 1's columns on held-out tunes.",
    )
    parser.add_argument("--model", required=True, help="a run's folder, or an exported sampler's")
    parser.add_argument(
        "--data",
        help="other data than the run's own; an exported sampler needs the folder of its tunes, or fetches Nottingham's",
    )
    parser.add_argument(
        "--num_samples",
        type=int,
        help="sequences to sample; as many as there are held-out windows by default",
    )
    parser.add_argument(
        "--seed",
        type=int,
        help="of the samples; the run's own by default, which gives its evaluation.json again",
    )
    parser.add_argument("--out", help="a JSON file for the figures")
    parser.add_argument("--overwrite", action="store_true", help="replace the file --out")
    parser.set_defaults(run=_evaluate)


def _add_download(commands):
    parser = commands.add_parser(
        "download",
        help="fetch the Nottingham tunes as MIDI",
        description="Fetches the Nottingham Music Database, 1,034 folk tunes (GPL-3.0).",
    )
    parser.add_argument("--out", required=True, help="the folder for the tunes; a new or empty one")
    parser.set_defaults(run=_download)


def _parse(argv):
    """Returns the parsed command line; exits with code 2 where it is wrong."""
    parser = argparse_flags.ArgumentParser(
        prog="tfseqgan",
        description="Sequence GANs trained by reinforcement learning, for symbolic music.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (_add_train, _add_sample, _add_evaluate, _add_export, _add_download):
        add(commands)
    return parser.parse_args(argv[1:])


def _overrides(args):
    """Returns the settings that were given as flags."""
    given = {field.name: getattr(args, field.name) for field in dataclasses.fields(Settings)}
    return {name: value for name, value in given.items() if value is not None}


def _resumed(args, saved, config):
    """Returns the settings of the run to go on with, of which only the number of rounds may be raised."""
    given = _overrides(args)
    changed = [
        f"--{name} (saved {getattr(saved, name)}, given {value})"
        for name, value in given.items()
        if getattr(saved, name) != value
    ]
    changed = [flag for flag in changed if not flag.startswith("--rounds ")]
    changed += ["--preset"] * (args.preset is not None)
    changed += [f"--data (saved {config['data_path']})"] * (
        args.data is not None and os.path.abspath(args.data) != config["data_path"]
    )
    if changed:
        raise ValueError(
            f"A run goes on with its own settings: leave out {', '.join(changed)}. Only --rounds may be changed."
        )
    rounds = given.get("rounds", saved.rounds)
    if rounds < saved.rounds:
        raise ValueError(
            f"--rounds is {rounds} and the run was begun with {saved.rounds}; expected as many or more. Leave out --rounds to finish it."
        )
    return dataclasses.replace(saved, rounds=rounds)


def _train(args):
    if args.resume and args.overwrite:
        raise ValueError("--resume and --overwrite contradict each other: pass one of them.")
    settings = settings_from_preset(
        args.preset or "default", **_overrides(args)
    )  # a wrong flag shows before TensorFlow's long start
    run_folder, train_run = _import_run_module("run_folder"), _import_run_module("train_run")
    out, data_path, config = Path(args.out), args.data, None
    if args.resume:
        saved, config = run_folder.read_config(run_folder.check_folder(out, resume=True))
        settings, data_path = _resumed(args, saved, config), config["data_path"]
    rows = train_run.train_run_with_strategy(
        args.strategy, out, settings, data_path, overwrite=args.overwrite, resumed_config=config
    )
    if rows is None:
        return
    folder, more = shlex.quote(str(out)), max(settings.rounds, 10) * 2
    print(f"""{table.format_table(rows)}

Hear:   {out / "samples"} holds {settings.num_tunes} tunes that any MIDI player plays; more: tfseqgan sample --model {folder} --out more_tunes
See:    {out / "metrics.csv"}, {out / "evaluation.json"}; curves: tensorboard --logdir {folder}
Go on:  tfseqgan train --resume --out {folder} --rounds {more}""")


def _sample(args):
    if os.path.exists(args.out) and not os.path.isdir(args.out):
        raise ValueError(
            f"{args.out} is a file; expected a folder for the MIDI files. Choose another --out."
        )
    if os.path.isdir(args.out) and os.listdir(args.out) and not args.overwrite:
        raise ValueError(
            f"{args.out} is not empty; expected a new folder, so that no tune is lost. Pass --overwrite or another --out."
        )
    run_folder, finished_run = _import_run_module("run_folder"), _import_run_module("finished_run")
    sampling = {
        name: getattr(args, name)
        for name in ("stage", "length", "temperature", "top_k", "top_p", "seed")
    }
    print(
        *run_folder.write_tunes(
            finished_run.sample_tunes(args.model, args.num_tunes, **sampling), args.out
        ),
        sep="\n",
    )


def _evaluate(args):
    if args.out and os.path.exists(args.out) and not args.overwrite:
        raise ValueError(
            f"{args.out} exists; expected a new file, so that no figure is lost. Pass --overwrite or another --out."
        )
    rows = _import_run_module("finished_run").evaluate_run(
        args.model, args.data, num_samples=args.num_samples, seed=args.seed
    )
    print(table.format_table(rows))
    if args.out:
        files.write_json(args.out, rows)


def _export(args):
    finished_run = _import_run_module("finished_run")
    print(
        finished_run.export_run(
            args.model,
            args.out,
            args.version,
            length=args.length,
            num_candidates=args.num_candidates,
        )
    )


def _download(args):
    print(nottingham.download_nottingham(args.out))


def _import_run_module(name):
    """Returns a module of `tfseqgan.runs`, and with it TensorFlow, whose notes on loading (no GPU here, oneDNN is on) would bury the command's own words."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            module = importlib.import_module(f"tfseqgan.runs.{name}")
        except ImportError:
            notes.seek(0)
            os.write(terminal, notes.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
    return module


def _explain(error):
    """Returns what an error of the system means and what to do about it; one that says so itself has no number."""
    if error.errno is None:
        return str(error)
    what = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full ({what}); expected room for the next file. What was finished before is kept. Free some space"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"A file cannot be used ({what}); expected leave to read and write it. Choose another folder, or change its rights"
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
        return f"A path is not what it should be ({what}). Check the paths of the command"
    return f"A file cannot be read or written ({what}). Check the disk and the paths of the command"


def _how_to_go_on(args):
    """Returns the words on how to go on with a run that was stopped, empty where there is none."""
    begun = args.run is _train and os.path.exists(os.path.join(args.out, "checkpoints"))
    return (
        f" Go on from the last checkpoint: tfseqgan train --resume --out {shlex.quote(args.out)}"
        if begun
        else ""
    )


def _main(args):
    """Runs a command; what the user can mend is one clear message and exit code 2."""
    logging.getLogger("tfseqgan").setLevel(logging.INFO)
    absl_logging.set_verbosity(absl_logging.ERROR)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    absl_logging.get_absl_handler().setFormatter(logging.Formatter("%(message)s"))
    try:
        args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"\ntfseqgan: Stopped.{_how_to_go_on(args)}", file=sys.stderr)
        return 130
    except (ValueError, OSError, FloatingPointError, MemoryError) as error:
        if args.debug:
            raise
        message = (
            f"{_explain(error)}.{_how_to_go_on(args)}" if isinstance(error, OSError) else str(error)
        )
        print(f"tfseqgan: {message}", file=sys.stderr)
        return 2
    return 0


def run():
    """The entry point of the command `tfseqgan`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stdout.reconfigure(
        errors="replace"
    )  # a terminal or a file that cannot show a bar or a Greek letter is no reason to stop
    app.run(_main, flags_parser=_parse)
