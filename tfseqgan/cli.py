"""The command line: tfseqgan train, sample, evaluate, export, download.

TensorFlow and NumPy are imported only when a command needs them, so that `--help` answers at once.
"""

import argparse
import contextlib
import dataclasses
import errno
import importlib
import io
import logging
import os
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from absl import app
from absl import logging as absl_logging
from absl.flags import argparse_flags

from tfseqgan import __version__, files
from tfseqgan.evaluation import table
from tfseqgan.runs.settings import (
    CHANGED_ON_RESUME,
    PRESETS,
    Settings,
    settings_from_preset,
)


def _read_integers(text: str) -> tuple[int, ...]:
    """Reads a list of whole numbers such as 1,2,4."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected whole numbers such as 1,2,4, received {text!r}"
        ) from error


def _read_yes_no(text: str) -> bool:
    """Reads a flag such as "True"."""
    if text not in ("True", "False"):
        raise argparse.ArgumentTypeError(f"expected True or False, received {text!r}")

    return text == "True"


_FLAG_TYPES: dict[Any, tuple[Any, str]] = {
    bool: (_read_yes_no, "BOOL"),
    int: (int, "INT"),
    float: (float, "FLOAT"),
    float | None: (float, "FLOAT"),
    str: (str, "STR"),
    str | None: (str, "STR"),
    tuple[int, ...]: (_read_integers, "INT,INT,…"),
}
"""How a flag is read and shown, by the type of its field in `Settings`."""


def _show_default(default: Any) -> str:
    """Returns a default value as --help shows it; an empty string for None."""
    if default is None:
        return ""
    if isinstance(default, tuple):
        default = ",".join(map(str, default))

    return f" [{default}]"


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Adds a flag for each field of `Settings`; without it the preset's value is kept."""
    group = parser.add_argument_group(
        "settings", "each replaces the preset's; the values shown are those of --preset default"
    )
    for field in dataclasses.fields(Settings):
        reader, metavar = _FLAG_TYPES[field.type]
        group.add_argument(
            f"--{field.name}",
            type=reader,
            metavar=metavar,
            help=field.metadata["help"] + _show_default(field.default),
        )


def _add_train(commands: Any) -> None:
    """Adds the command `train`."""
    parser = commands.add_parser(
        "train",
        allow_abbrev=False,
        help="train a sequence GAN and write tunes",
        usage=(
            "%(prog)s --out OUT [--data DATA] [--preset {quick,default,paper}] "
            "[--overwrite | --resume] [--strategy {mirrored,multi_worker}] [--SETTING VALUE ...]"
        ),
        description="Trains a sequence GAN, prints Table 1's columns, writes tunes.",
    )
    parser.add_argument(
        "--data",
        help="a folder of MIDI files, or the tokens.npz of Lee et al.; by default, the synthetic "
        "tunes that tfseqgan composes itself",
    )
    parser.add_argument(
        "--out",
        required=True,
        help="the run's folder: new or empty, except with --resume or --overwrite",
    )
    parser.add_argument(
        "--preset",
        choices=list(PRESETS),
        help="quick: minutes on two cores; default: the best known; paper: Bjare & Meredith's",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier run in the folder --out"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="resume the stopped run in the folder --out, with its own settings; only --rounds may "
        "be raised, and the learning rates and --global_clipnorm changed",
    )
    parser.add_argument(
        "--strategy",
        choices=["mirrored", "multi_worker"],
        help="share the work among all GPUs of this machine (mirrored), or among several machines "
        "(multi_worker, with TF_CONFIG)",
    )
    _add_settings(parser)
    parser.set_defaults(run=_train)


def _add_sample(commands: Any) -> None:
    """Adds the command `sample`."""
    parser = commands.add_parser(
        "sample",
        allow_abbrev=False,
        help="write tunes of a trained generator as MIDI",
        description="Samples tunes from a trained generator and writes them as MIDI files. The "
        "files of a run hold no code. An exported sampler is a program: it is loaded only if it "
        "holds nothing but what 'tfseqgan export' writes, and it may still take long.",
    )
    parser.add_argument(
        "--model",
        default="nottingham",
        help="the folder of a run or of an exported sampler, or 'nottingham', the sampler of folk "
        "tunes that comes with tfseqgan [nottingham]",
    )
    parser.add_argument("--out", required=True, help="the folder for the MIDI files")
    parser.add_argument("--num_tunes", "--num", type=int, default=4, help="how many tunes [4]")
    parser.add_argument(
        "--stage",
        choices=["generator", "pretrained"],
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
    parser.set_defaults(run=_sample)


def _add_evaluate(commands: Any) -> None:
    """Adds the command `evaluate`."""
    parser = commands.add_parser(
        "evaluate",
        allow_abbrev=False,
        help="print Table 1's columns of a run",
        description="Prints Table 1's columns of a run, on held-out tunes.",
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
    parser.add_argument("--out", help="a JSON file for the figures")
    parser.add_argument("--overwrite", action="store_true", help="replace the file --out")
    parser.set_defaults(run=_evaluate)


def _add_export(commands: Any) -> None:
    """Adds the command `export`."""
    parser = commands.add_parser(
        "export",
        allow_abbrev=False,
        help="write a run's sampler for TensorFlow Serving",
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
    parser.set_defaults(run=_export)


def _add_download(commands: Any) -> None:
    """Adds the command `download`."""
    parser = commands.add_parser(
        "download",
        help="download the Nottingham tunes as MIDI",
        description="Downloads the Nottingham Music Database, 1,034 folk tunes (GPL-3.0), and "
        "compares them with the hash of the published ones.",
    )
    parser.add_argument(
        "--out",
        required=True,
        help="the folder for the tunes: new or empty, and not the current one",
    )
    parser.set_defaults(run=_download)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    """Returns the parsed command line; exits with code 2 if it is wrong."""
    parser = argparse_flags.ArgumentParser(
        prog="tfseqgan",
        description="Sequence GANs trained by reinforcement learning, for symbolic music.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add_command in (_add_train, _add_sample, _add_evaluate, _add_export, _add_download):
        add_command(commands)

    return parser.parse_args(argv[1:])


def _given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the settings that were given as flags."""
    values = {field.name: getattr(args, field.name) for field in dataclasses.fields(Settings)}

    return {name: value for name, value in values.items() if value is not None}


def _resumed_settings(
    args: argparse.Namespace, saved: Settings, config: dict[str, Any]
) -> Settings:
    """Returns the settings of the run to resume, perhaps with more rounds or other rates.

    Raises:
        ValueError: if the flags ask for anything else than the run was started with.
    """
    given = _given_settings(args)
    changed = [
        f"--{name} (saved {getattr(saved, name)}, given {value})"
        for name, value in given.items()
        if name not in CHANGED_ON_RESUME and value != getattr(saved, name)
    ]
    if args.preset is not None:
        changed.append("--preset")
    if args.data is not None and os.path.abspath(args.data) != config["data_path"]:
        changed.append(f"--data (saved {config['data_path']})")
    if changed:
        raise ValueError(
            "A run can only be resumed with the settings it was started with: leave out "
            f"{', '.join(changed)}. Only --rounds may be raised, and the learning rates and "
            "--global_clipnorm changed."
        )

    changed_settings = {name: given[name] for name in CHANGED_ON_RESUME if name in given}
    rounds = given.get("rounds", saved.rounds)
    if rounds < saved.rounds:
        raise ValueError(
            f"--rounds is {rounds} and the run was started with {saved.rounds}; expected "
            f"{saved.rounds} or more. Leave out --rounds to finish the run as it was started."
        )

    return dataclasses.replace(saved, **changed_settings)


def _train(args: argparse.Namespace) -> None:
    """Trains, prints the figures, and says what can be done next."""
    if args.resume and args.overwrite:
        raise ValueError("--resume and --overwrite contradict each other; pass only one of them.")

    # Before TensorFlow is imported, which takes seconds: a wrong flag is reported at once.
    settings = settings_from_preset(args.preset or "default", **_given_settings(args))

    run_folder = _import_run_module("run_folder")
    train_run = _import_run_module("train_run")
    data_path = args.data
    config = None
    if args.resume:
        opened = run_folder.open_run_to_resume(run_folder.check_folder(args.out, resume=True))
        config = opened.config
        settings = _resumed_settings(args, opened.settings, config)
        data_path = config["data_path"]

    rows = train_run.train_run_with_strategy(
        args.strategy,
        args.out,
        settings,
        data_path,
        overwrite=args.overwrite,
        resumed_config=config,
    )
    if rows is None:  # on every worker except the chief
        return

    print(table.format_table(rows))
    print()
    print(_next_steps(Path(args.out), settings))


def _next_steps(out: Path, settings: Settings) -> str:
    """Returns what can be done with a finished run, with the commands to do it."""
    folder = shlex.quote(str(out))
    more_rounds = max(settings.rounds, 10) * 2

    return "\n".join(
        [
            f"Hear:      {out / 'samples'} holds {settings.num_tunes} tunes that any MIDI player "
            f"plays; more: tfseqgan sample --model {folder} --out more_tunes",
            f"See:       {out / 'metrics.csv'}, {out / 'evaluation.json'}; curves: "
            f"tensorboard --logdir {folder}",
            f"Continue:  tfseqgan train --resume --out {folder} --rounds {more_rounds}",
        ]
    )


def _sample(args: argparse.Namespace) -> None:
    """Writes sampled tunes and prints their paths."""
    if os.path.exists(args.out) and not os.path.isdir(args.out):
        raise ValueError(
            f"{args.out} is a file; expected a folder for the MIDI files. Choose another --out."
        )
    if os.path.isdir(args.out) and os.listdir(args.out) and not args.overwrite:
        raise ValueError(
            f"{args.out} is not empty; expected a new or empty folder, so that no tune is lost. "
            "Pass --overwrite, or choose another --out."
        )
    files.check_can_be_written(Path(args.out) / "tune_1.mid")

    run_folder = _import_run_module("run_folder")
    finished_run = _import_run_module("finished_run")
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
    for path in run_folder.write_tunes(tunes, args.out):
        print(path)


def _check_new_file(path: str, overwrite: bool) -> None:
    """Raises an error unless figures can be written to a file without replacing others.

    A device or a pipe, such as /dev/null, holds no figures that could be lost.
    """
    if os.path.isdir(path):
        raise ValueError(f"{path} is a folder; expected a file for the figures. Name a file in it.")
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise ValueError(
            f"{path} lies in a folder that does not exist; expected one that does. Make the folder "
            "first, or choose another --out."
        )
    if os.path.isfile(path) and not overwrite:
        raise ValueError(
            f"{path} exists; expected a new file, so that no figures are lost. "
            "Pass --overwrite, or choose another --out."
        )
    if os.path.isfile(path) or not os.path.exists(path):
        files.check_can_be_written(path)


def _evaluate(args: argparse.Namespace) -> None:
    """Prints the figures of a run, and writes them to a file if one is given."""
    if args.out:
        _check_new_file(args.out, args.overwrite)

    finished_run = _import_run_module("finished_run")
    rows = finished_run.evaluate_run(
        args.model, args.data, num_samples=args.num_samples, seed=args.seed
    )
    print(table.format_table(rows))
    if args.out:
        files.write_json(args.out, rows)


def _export(args: argparse.Namespace) -> None:
    """Exports a run and prints the folder of the new version."""
    files.check_can_be_written(Path(args.out) / str(args.version))

    finished_run = _import_run_module("finished_run")
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


def _download(args: argparse.Namespace) -> None:
    """Downloads the Nottingham tunes and prints their folder."""
    from tfseqgan.datasets.nottingham import download_nottingham  # not at the top: needs NumPy

    print(download_nottingham(args.out))


def _import_run_module(name: str) -> Any:
    """Imports a module of `tfseqgan.runs`, and TensorFlow with it, without TensorFlow's notes.

    TensorFlow writes notes to stderr when it is loaded (no GPU was found, oneDNN is on), which
    would hide what the command itself says. They are shown only if the import fails.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            return importlib.import_module(f"tfseqgan.runs.{name}")
        except ImportError:
            notes.seek(0)
            os.write(terminal, notes.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


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


def _how_to_resume(args: argparse.Namespace) -> str:
    """Returns how to resume a run that was stopped; nothing if there is no checkpoint yet."""
    if args.run is not _train or not os.path.exists(os.path.join(args.out, "checkpoints")):
        return ""

    command = f"tfseqgan train --resume --out {shlex.quote(args.out)}"

    return f" Resume from the last checkpoint: {command}"


def _how_to_resume_more_slowly(args: argparse.Namespace) -> str:
    """Returns how to resume a run that diverged, with a learning rate that is lower by half."""
    command = _how_to_resume(args)
    if not command:
        return ""

    is_pretrained = os.path.exists(os.path.join(args.out, "pretrained.keras"))
    name = "generator_learning_rate" if is_pretrained else "pretraining_learning_rate"
    try:
        rate = files.read_json(Path(args.out) / "config.json")["settings"][name]
    except (OSError, ValueError, KeyError, TypeError):
        return command

    return f"{command} --{name} {rate / 2:g}"


class _Terminated(KeyboardInterrupt):
    """A signal that asks the process to end, handled as Ctrl-C is.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def _raise_terminated(number: int, _: Any) -> None:
    """Ends what the process does as Ctrl-C does."""
    raise _Terminated(number)


@contextlib.contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Makes SIGTERM and SIGHUP end the command as Ctrl-C does, unless they are ignored (nohup)."""
    numbers = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP)
        if threading.current_thread() is threading.main_thread()
        and signal.getsignal(number) is signal.SIG_DFL
    ]
    for number in numbers:
        signal.signal(number, _raise_terminated)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _say(message: str) -> None:
    """Prints to stderr; a terminal that has gone is no error."""
    with contextlib.suppress(OSError):
        print(message, file=sys.stderr, flush=True)


def _describe_error(error: Exception, args: argparse.Namespace) -> str:
    """Returns what an error that the user can correct means, and what to do about it."""
    if isinstance(error, BrokenPipeError):
        return f"Nobody reads the output any more (broken pipe).{_how_to_resume(args)}"
    if isinstance(error, OSError):
        return f"{_explain(error)}{_how_to_resume(args)}"
    if isinstance(error, FloatingPointError):
        return f"{error}{_how_to_resume_more_slowly(args)}"
    if isinstance(error, MemoryError):
        detail = f" ({error})" if str(error) else ""
        return (
            f"There is not enough memory{detail}; expected room for the models, the data and a "
            f"batch. Lower the sizes or the batch.{_how_to_resume(args)}"
        )

    return str(error)


def _main(args: argparse.Namespace) -> int:
    """Runs a command; returns 0, or 2 after one message for an error that the user can correct."""
    logging.getLogger("tfseqgan").setLevel(logging.INFO)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    absl_logging.set_verbosity(absl_logging.ERROR)
    absl_logging.get_absl_handler().setFormatter(logging.Formatter("%(message)s"))

    try:
        with _signals_as_interrupts():
            args.run(args)
            sys.stdout.flush()
    except KeyboardInterrupt as stop:
        _say(f"\ntfseqgan: Stopped.{_how_to_resume(args)}")
        return 128 + (stop.number if isinstance(stop, _Terminated) else signal.SIGINT)
    except (ValueError, OSError, FloatingPointError, MemoryError) as error:
        if args.debug:
            raise
        _say(f"tfseqgan: {_describe_error(error, args)}")
        if isinstance(error, BrokenPipeError):  # Python would try again to write at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 2

    return 0


def _open_standard_files() -> None:
    """Opens /dev/null where a standard file is closed.

    Otherwise the next file that is opened, such as a checkpoint, would get its number, and what a
    library prints would go into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one

    sys.stdout = sys.stdout or io.StringIO()
    sys.stderr = sys.stderr or io.StringIO()


def run() -> None:
    """Runs the command `tfseqgan`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _open_standard_files()

    # A terminal or a file that cannot show a bar or a Greek letter shows a question mark.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")

    app.run(_main, flags_parser=_parse)
