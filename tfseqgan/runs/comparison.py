"""Finished runs side by side: those that differ in nothing but the seed are one group.

It imports no TensorFlow: what it reads is what the runs say of themselves.
"""

import csv
import dataclasses
import io
import statistics
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfseqgan.evaluation.table import HEADINGS, align
from tfseqgan.runs.run_records import RunRecords, read_records, resume_command


@dataclasses.dataclass(frozen=True)
class Spread:
    """A figure of some runs: its mean and how far the runs lie apart.

    Attributes:
        mean: over the runs.
        sd: the standard deviation with n − 1 in the denominator; None for one run.
    """

    mean: float
    sd: float | None

    def __str__(self) -> str:
        return f"{self.mean:.3f}" if self.sd is None else f"{self.mean:.3f} ± {self.sd:.3f}"


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but the seed.

    Attributes:
        name: a letter.
        runs: their folders.
        seeds: their seeds, in the same order.
        settings: what distinguishes the group from the others: settings by name; "data", the
            beginning of its hash; "start", the name of the model that it was fine-tuned from and
            the beginning of the hash of its weights.
        figures: by the name of the stage, the figures by name; None where a run has none.
    """

    name: str
    runs: tuple[str, ...]
    seeds: tuple[int, ...]
    settings: dict[str, Any]
    figures: dict[str, dict[str, Spread | None]]


def _read_run(run: Path | str) -> tuple[RunRecords, dict[str, dict[str, float | None]]]:
    """Returns what a finished run says of itself, and its figures by stage.

    Raises:
        ValueError: if there is no finished run in the folder.
    """
    records = read_records(run)
    rows = records.load_evaluation()

    is_table = isinstance(rows, dict) and all(
        isinstance(row, dict)
        and all(value is None or isinstance(value, int | float) for value in row.values())
        for row in rows.values()
    )
    if not is_table:
        raise ValueError(
            f"{records.folder / 'evaluation.json'} holds no figures by the name of a stage; "
            "expected what 'tfseqgan train' writes. Make them again: "
            f"{resume_command(records.folder)}"
        )
    if records.settings.rounds and records.settings.objective not in rows:
        raise ValueError(
            f"{records.folder} has no figures of {records.settings.objective}; expected a run "
            f"whose adversarial training has ended. Resume it: {resume_command(records.folder)}"
        )

    return records, rows


def _what_decides(records: RunRecords) -> dict[str, Any]:
    """Returns all that decides a run's figures, except its seed: settings, data and start.

    Data and start are told by their hashes, wherever they lie.
    """
    settings = dataclasses.asdict(records.settings)
    del settings["seed"]

    return settings | {
        "data": records.config["data"]["sha256"][:8],
        "start": _describe_start(records.config.get("start")),
    }


def _describe_start(start: Mapping[str, str] | None) -> str:
    """Returns what a run started from: a model, or random weights."""
    return "none" if start is None else f"{Path(start['model']).name} {start['sha256'][:8]}"


def _spread(values: Sequence[float | None]) -> Spread | None:
    """Returns the mean and the standard deviation, or None if a value is missing."""
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return None

    return Spread(
        statistics.fmean(numbers), statistics.stdev(numbers) if len(numbers) > 1 else None
    )


def _spreads(
    tables: Sequence[Mapping[str, Mapping[str, float | None]]],
) -> dict[str, dict[str, Spread | None]]:
    """Returns the spread of every figure of every stage over some runs."""
    return {
        stage: {
            key: _spread([table.get(stage, {}).get(key) for table in tables])
            for key in HEADINGS
            if key in row
        }
        for stage, row in tables[0].items()
    }


def compare_runs(runs: Sequence[Path | str]) -> list[Group]:
    """Reads finished runs, and puts those into one group that differ in nothing but the seed.

    Args:
        runs: the folders of one run or more.

    Returns:
        The groups in the order of their first runs.

    Raises:
        ValueError: naming the folder, if it holds no finished run or is given twice.
    """
    _check_distinct(runs)
    read = [_read_run(run) for run in runs]

    deciding = [_what_decides(records) for records, _ in read]
    kinds = [kind for index, kind in enumerate(deciding) if kind not in deciding[:index]]
    differing = [name for name in kinds[0] if any(kind[name] != kinds[0][name] for kind in kinds)]

    groups = []
    for number, kind in enumerate(kinds):
        members = [index for index, decided in enumerate(deciding) if decided == kind]
        groups.append(
            Group(
                name=string.ascii_uppercase[number] if number < 26 else str(number + 1),
                runs=tuple(str(runs[index]) for index in members),
                seeds=tuple(read[index][0].settings.seed for index in members),
                settings={name: kind[name] for name in differing},
                figures=_spreads([read[index][1] for index in members]),
            )
        )

    return groups


def _check_distinct(runs: Sequence[Path | str]) -> None:
    """Raises ValueError if a run is given twice, perhaps by two paths."""
    folders = [Path(run).resolve() for run in runs]
    for run, folder in zip(runs, folders, strict=True):
        if folders.count(folder) > 1:
            raise ValueError(
                f"{run} is given {folders.count(folder)} times; expected different runs, since a "
                "run that counts twice makes the others look alike. Name it once."
            )


def _format_cell(key: str, spread: Spread | None) -> str:
    """Returns a figure as a cell of a table: numbers of sequences without decimals."""
    if spread is None:
        return "-"

    return f"{spread.mean:g}" if key.startswith("num_") else str(spread)


def format_comparison(groups: Sequence[Group], columns: Sequence[str] = tuple(HEADINGS)) -> str:
    """Formats groups of runs: what each is, then their figures side by side.

    Args:
        groups: as `compare_runs` returns them.
        columns: the figures to show, by their names in `evaluation.json`.

    Returns:
        A line for each group, and a table with a row for each stage of each group: the mean over
        the runs, and ± the standard deviation where there are several.
    """
    table = [["group, stage", *(HEADINGS[key] for key in columns)]]
    for group in groups:
        for stage, figures in group.figures.items():
            cells = [_format_cell(key, figures.get(key)) for key in columns]
            table.append([f"{group.name} {stage}", *cells])

    return "\n".join([*map(_describe, groups), "", align(table)])


def _describe(group: Group) -> str:
    """Returns what a group is, in one line."""
    parts = [f"{name} {value}" for name, value in group.settings.items()]
    seeds = ", ".join(map(str, group.seeds))
    parts.append(f"{len(group.seeds)} seeds ({seeds})" if len(group.seeds) > 1 else f"seed {seeds}")

    return f"{group.name}  {', '.join(parts)}: {' '.join(group.runs)}"


def comparison_as_plain(groups: Sequence[Group]) -> dict[str, Any]:
    """Returns groups of runs as plain values, for JSON: every figure has "mean", "sd" and "n"."""
    return {
        "groups": [
            dataclasses.asdict(group)
            | {
                "figures": {
                    stage: {
                        key: None
                        if spread is None
                        else dataclasses.asdict(spread) | {"n": len(group.runs)}
                        for key, spread in figures.items()
                    }
                    for stage, figures in group.figures.items()
                }
            }
            for group in groups
        ]
    }


def comparison_as_csv(groups: Sequence[Group], columns: Sequence[str] = tuple(HEADINGS)) -> str:
    """Returns groups of runs as CSV: a row for each stage of each group.

    Args:
        groups: as `compare_runs` returns them.
        columns: the figures, by name: the mean, and the standard deviation as "NAME_sd".
    """
    names = list(groups[0].settings)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["group", "stage", "n", "seeds", "runs", *names]
        + [title for key in columns for title in (key, f"{key}_sd")]
    )
    for group in groups:
        known = [group.settings[name] for name in names]
        seeds = " ".join(map(str, group.seeds))
        for stage, figures in group.figures.items():
            spreads = [figures.get(key) or Spread(float("nan"), None) for key in columns]
            numbers = [number for spread in spreads for number in (spread.mean, spread.sd)]
            writer.writerow(
                [group.name, stage, len(group.runs), seeds, " ".join(group.runs), *known]
                + ["" if number is None or number != number else number for number in numbers]
            )

    return text.getvalue()
