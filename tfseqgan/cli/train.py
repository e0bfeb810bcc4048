"""`tfseqgan train`: a whole run in a folder."""

import argparse
import dataclasses
import os
import shlex
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

from tfseqgan import files
from tfseqgan.cli import late_imports
from tfseqgan.cli.command_parser import Command, add_command
from tfseqgan.cli.config_file import ConfigFile, read_config_file
from tfseqgan.cli.settings_flags import add_settings_flags, given_settings
from tfseqgan.cli.spelling import one_of
from tfseqgan.evaluation import table
from tfseqgan.runs.settings import (
    CHANGED_ON_RESUME,
    PRESETS,
    Settings,
    check_sizes,
    settings_from_preset,
)

SUMMARY = "train a sequence GAN and write tunes"

EXAMPLE = "tfseqgan train --data my/midi/folder --preset quick --out runs/mine"


def add_parser(commands: Any) -> None:
    """Adds the command to those of the parser, and says which function runs it."""
    parser = add_command(
        commands,
        "train",
        SUMMARY,
        usage="--out FOLDER [--data PATH] [--preset NAME] [--init MODEL] [--FLAG VALUE ...]",
        example=EXAMPLE,
        description="Trains a sequence GAN, prints Table 1's columns, writes tunes.",
    )
    parser.add_argument(
        "--data",
        help="a folder of MIDI or ABC files, or the tokens.npz of Lee et al.; by default, the "
        "synthetic tunes that tfseqgan composes itself",
    )
    parser.add_argument(
        "--out",
        required=True,
        help="the run's folder: new or empty, except with --resume or --overwrite",
    )
    parser.add_argument(
        "--preset",
        type=one_of(list(PRESETS)),
        metavar=f"{{{','.join(PRESETS)}}}",
        help="quick: minutes on two cores; default: the best known; paper: Bjare & Meredith's",
    )
    parser.add_argument(
        "--init",
        metavar="MODEL",
        help="fine-tune a trained model: the folder of a finished run or of an exported sampler, "
        "or 'nottingham'; 'none' for random weights [none; 'nottingham' for a folder of fewer than "
        "300 tunes, with --preset quick or default]",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="a JSON file with settings by name, which replace the preset's, and which flags "
        "replace; or the config.json of a run, which also says --init",
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
        type=one_of(["mirrored", "multi_worker"]),
        metavar="{mirrored,multi_worker}",
        help="share the work among all GPUs of this machine (mirrored), or among several machines "
        "(multi_worker, with TF_CONFIG)",
    )
    add_settings_flags(parser)
    parser.set_defaults(command=Command(_run, is_training=True))


def _find_changes(args: argparse.Namespace, saved: Settings, config: dict[str, Any]) -> list[str]:
    """Returns the flags that ask for something else than a run was started with."""
    changed = [
        f"--{name} (saved {getattr(saved, name)}, given {value})"
        for name, value in given_settings(args).items()
        if name not in CHANGED_ON_RESUME and value != getattr(saved, name)
    ]
    new_runs_only = ("preset", "init", "config")
    changed += [f"--{name}" for name in new_runs_only if getattr(args, name) is not None]
    if args.data is not None and os.path.abspath(args.data) != config["data_path"]:
        changed.append(f"--data (saved {config['data_path']})")

    return changed


def _resumed_settings(
    args: argparse.Namespace, saved: Settings, config: dict[str, Any]
) -> Settings:
    """Returns the settings of the run to resume, perhaps with more rounds or other rates.

    Raises:
        ValueError: if the flags ask for anything else than the run was started with.
    """
    changed = _find_changes(args, saved, config)
    if changed:
        raise ValueError(
            "A run can only be resumed with the settings it was started with: leave out "
            f"{', '.join(changed)}. Only --rounds may be raised, and the learning rates and "
            "--global_clipnorm changed."
        )

    given = given_settings(args)
    rounds = given.get("rounds", saved.rounds)
    if rounds < saved.rounds:
        raise ValueError(
            f"--rounds is {rounds} and the run was started with {saved.rounds}; expected "
            f"{saved.rounds} or more. Leave out --rounds to finish the run as it was started."
        )

    return dataclasses.replace(
        saved, **{name: given[name] for name in CHANGED_ON_RESUME if name in given}
    )


class _Plan(NamedTuple):
    """What a run shall do.

    Attributes:
        settings: all of them.
        data_path: as in `load_windows`.
        init: what a new run starts from, as in `train_run`.
        resumed_config: the content of config.json of a run to resume, or None.
    """

    settings: Settings
    data_path: str | None
    init: str | None = None
    resumed_config: dict[str, Any] | None = None


def _plan_new_run(args: argparse.Namespace) -> _Plan:
    """Returns what a new run shall do."""
    in_file = read_config_file(args.config) if args.config else ConfigFile({})
    given = in_file.settings | given_settings(args)
    # Before TensorFlow is imported, which takes seconds: a wrong flag is reported at once.
    settings = settings_from_preset(args.preset or "default", **given)
    check_sizes(given_settings(args), settings.generator)

    # Before it is said what the run starts from: a wrong folder is reported alone.
    run_folder = late_imports.import_run_module("run_folder")
    run_folder.check_folder(args.out, args.overwrite)
    run_folder.check_is_no_run(args.data)

    start = late_imports.import_run_module("start")
    init, settings = start.choose_start(args.init or in_file.init, args.preset, args.data, given)

    return _Plan(settings, args.data, init)


def _plan_resumed_run(args: argparse.Namespace) -> _Plan:
    """Returns what is left to do of a run that was stopped."""
    if args.overwrite:
        raise ValueError("--resume and --overwrite contradict each other; pass only one of them.")

    run_folder = late_imports.import_run_module("run_folder")
    opened = run_folder.open_run_to_resume(run_folder.check_folder(args.out, resume=True))
    settings = _resumed_settings(args, opened.settings, opened.config)

    return _Plan(settings, opened.config["data_path"], resumed_config=opened.config)


def _run(args: argparse.Namespace) -> None:
    """Trains, prints the figures, and says what can be done next."""
    plan = _plan_resumed_run(args) if args.resume else _plan_new_run(args)

    train_run = late_imports.import_run_module("train_run")
    rows = train_run.train_run_with_strategy(
        args.strategy, args.out, **plan._asdict(), overwrite=args.overwrite
    )
    if rows is None:  # on every worker except the chief
        return

    print(table.format_table(rows))
    print()
    for sentence in files.read_json(Path(args.out) / "outcome.json")["sentences"]:
        print(textwrap.fill(sentence, table.WIDTH))
    print()
    print(_next_steps(Path(args.out), plan.settings))


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
