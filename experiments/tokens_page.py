"""The table of docs/tokens.md, rendered from the JSON files of experiments/tokens.py.

python experiments/tokens_page.py
"""

import json
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from pages import replace_block

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "experiments" / "results" / "tokens"
PAGE = ROOT / "docs" / "tokens.md"

HEADER = (
    "| tokens | vocabulary | tokens a tune | replaced | nats an event | nats a tune "
    "| on tunes that every row writes | without replaced tokens | seeds |"
)

Result = dict[str, Any]


def read_results() -> dict[str, list[Result]]:
    """Returns the results of each row, one a seed."""
    by_row = defaultdict(list)
    for path in sorted(RESULTS.glob("*.json")):
        row, _, _ = path.stem.rpartition("-")
        by_row[row].append(json.loads(path.read_text(encoding="utf-8")))

    return by_row


def nats_of(results: list[Result]) -> np.ndarray:
    """Returns the nats of each tune, a mean over seeds; NaN where a row cannot write the tune."""
    values = np.array([result["nats"] for result in results], float)  # [seeds, tunes]

    return values.mean(axis=0)


def with_error(values: np.ndarray) -> str:
    """Returns the mean and its standard error over tunes; one tune has none."""
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan

    return f"{values.mean():.1f} ± {error:.1f}"


def line_of(name: str, results: list[Result], everywhere: np.ndarray) -> tuple[float, str]:
    """Returns a row's mean nats on the tunes that every row writes, and its line of the table."""
    nats = nats_of(results)
    first = results[0]
    is_written = ~np.isnan(nats)
    is_known = (np.array(first["replaced"]) == 0) & is_written
    events = np.array(first["events"])
    by_seed = [np.nanmean(np.array(result["nats"], float)[everywhere]) for result in results]
    spread = f" ({min(by_seed):.1f} to {max(by_seed):.1f})" if len(results) > 1 else ""

    cells = [
        f"`{name}`",
        f"{first['vocabulary']:,}",
        f"{statistics.mean(first['tokens']):.0f}",
        str(sum(first["replaced"])),
        f"{nats[is_written].sum() / events[is_written].sum():.3f}",
        with_error(nats[is_written]) + f" ({is_written.sum()})",
        with_error(nats[everywhere]) + spread,
        with_error(nats[is_known]) + f" ({is_known.sum()})",
        str(len(results)),
    ]

    return float(nats[everywhere].mean()), f"| {' | '.join(cells)} |"


def table(by_row: dict[str, list[Result]]) -> str:
    """Returns the table, the best row first."""
    nats = np.stack([nats_of(results) for results in by_row.values()])
    everywhere = ~np.isnan(nats).any(axis=0)
    lines = sorted(line_of(name, results, everywhere) for name, results in by_row.items())
    rule = "|---" * HEADER.count(" | ") + "|---|"

    return "\n".join([HEADER, rule, *(line for _, line in lines)])


def render() -> str:
    """Returns the page with its table made from the JSON files."""
    return replace_block(PAGE.read_text(encoding="utf-8"), "tokens", table(read_results()))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
