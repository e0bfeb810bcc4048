"""What the experiments that compare rows of a table share: options, the data, what is written."""

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from versions import library_versions

import tfseqgan as sg
from tfseqgan.datasets.corpus import split_by_group
from tfseqgan.files import write_json


class Data(NamedTuple):
    """The tunes of an experiment.

    Attributes:
        corpus: the Nottingham tunes, with the held-out ones.
        tunes: the training tunes but those that are kept aside.
        kept_aside: a twentieth of the training tunes, by groups, which chooses the epoch.
    """

    corpus: sg.Corpus
    tunes: tuple[sg.Score, ...]
    kept_aside: tuple[sg.Score, ...]


def load_data(folder: str) -> Data:
    """Loads the Nottingham MIDI files of a folder."""
    corpus = sg.load_nottingham(folder)

    return Data(corpus, *split_by_group(corpus.train, validation_fraction=0.05, seed=1))


def parse_arguments(
    description: str, rows: Mapping[str, Any], training_class: type
) -> tuple[argparse.Namespace, Any]:
    """Reads the command line.

    Args:
        description: the docstring of the experiment.
        rows: the rows by name, of which --row chooses one.
        training_class: a dataclass of plain values, each of which is a flag.

    Returns:
        The options, and the training that they say.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="the folder of the Nottingham MIDI files")
    parser.add_argument("--row", choices=list(rows), required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoints", help="folder from which a stopped run can resume")

    return parse_settings(parser, training_class)


def parse_settings(
    parser: argparse.ArgumentParser, settings_class: type
) -> tuple[argparse.Namespace, Any]:
    """Reads the command line, on which every field of a dataclass of plain values is a flag."""
    fields = dataclasses.fields(settings_class)
    for field in fields:
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    args = parser.parse_args()

    return args, settings_class(**{field.name: getattr(args, field.name) for field in fields})


def write_result(
    folder: Path,
    args: argparse.Namespace,
    row: Any,
    training: Any,
    data: Data,
    figures: Mapping[str, Any],
) -> None:
    """Writes the figures of one row with one seed, and everything they depend on, as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        folder / f"{args.row}-{args.seed}.json",
        {
            **figures,
            "row": dataclasses.asdict(row),
            "training": dataclasses.asdict(training),
            "seed": args.seed,
            "data": {"name": data.corpus.name, "sha256": data.corpus.sha256},
            "versions": library_versions(),
        },
    )
