"""The tables of docs/performance.md, rendered from the JSON files.

python benchmarks/page.py
"""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"


def _number(value: float | int | None) -> str:
    if value is None:
        return ""

    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def steps_table(result: dict[str, Any]) -> str:
    """Returns the rows of the suite as a Markdown table."""
    lines = [
        "| step | seconds | of PyTorch's time | of tuned PyTorch's | of the products' rate | MB |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in result["rows"].items():
        cells = [
            _number(row["seconds"]),
            _percent(row["ratio_to_torch"]),
            _percent(row["ratio_to_tuned_torch"]),
            _percent(row["share_of_floor"]),
            _number(row["peak_memory_mb"]),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")

    return "\n".join(lines)


def kernels_table(result: dict[str, Any]) -> str:
    """Returns what each kernel saves of each preset's step as a Markdown table."""
    lines = [
        "| step | kernel | seconds | with the plain operation | saved |",
        "|---|---|---|---|---|",
    ]
    for step, kernels in result.items():
        for kernel, row in kernels.items():
            cells = [
                _number(row["seconds"]),
                _number(row["plain_seconds"]),
                _percent(row["saved"]),
            ]
            lines.append(f"| {step} | `{kernel}` | {' | '.join(cells)} |")

    return "\n".join(lines)


def presets_table(result: dict[str, Any]) -> str:
    """Returns the presets' times beside those of another version as a Markdown table."""
    lines = [
        "| what | seconds | 0.1.0, seconds | ratio | smallest and largest ratio |",
        "|---|---|---|---|---|",
    ]
    for name, row in result.items():
        spread = f"{row['smallest_ratio']:.2f} to {row['largest_ratio']:.2f}"
        lines.append(
            f"| {name} | {row['seconds']:.2f} | {row['other_seconds']:.2f} "
            f"| {row['ratio']:.2f} | {spread} |"
        )

    return "\n".join(lines)


def grammar_table(result: dict[str, Any]) -> str:
    """Returns what the grammar costs as a Markdown table."""
    lines = [
        "| tokens | vocabulary | likelihood step, seconds | with the grammar | sampling, seconds "
        "| with the grammar | ms a tune | with the grammar |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in result.items():
        cells = [
            f"{row['vocabulary']:,}",
            f"{row['step_seconds']:.3f}",
            f"{row['step_seconds_with_grammar'] / row['step_seconds']:.2f} ×",
            f"{row['sampling_seconds']:.3f}",
            f"{row['sampling_seconds_with_grammar'] / row['sampling_seconds']:.2f} ×",
            f"{row['milliseconds_a_tune']:.1f}",
            f"{row['milliseconds_a_tune_with_grammar']:.1f}",
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")

    return "\n".join(lines)


def machine_line(result: dict[str, Any]) -> str:
    """Returns what the suite ran on, and the figures that stand in no table."""
    machine = result["machine"]
    versions = result["versions"]
    rates = result["gflop_per_second"].values()
    memory = result["memory_mb_by_round"]
    of_rounds = ", ".join(f"{size} MB after {rounds}" for rounds, size in memory.items())

    return "\n".join(
        [
            f"- {machine['cores']} cores ({machine['processor']}), Python {machine['python']}, "
            f"TensorFlow {versions['tensorflow']}, PyTorch {versions['torch']}.",
            f"- Matrix products of these shapes ran at {min(rates):.0f} to {max(rates):.0f} "
            "GFLOP/s.",
            "- Importing everything for training takes "
            f"{result['import_seconds']:.3f} s after the dependencies.",
            f"- Memory after rounds of tiny models with rollouts: {of_rounds}.",
        ]
    )


def attention_table(result: dict[str, Any]) -> str:
    """Returns what the generator with attention costs, three tables one after the other."""
    step = result["step"]
    sampling = result["sampling"]
    pairs = {
        f"likelihood step, {step['rows']} × {step['tokens']} tokens": step,
        f"sampling, {sampling['rows']} × {sampling['tokens']} tokens": sampling,
    }
    lines = ["| what | seconds | PyTorch | ratio |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {pair['ours']:.3f} | {pair['peer']:.3f} | {pair['ours'] / pair['peer']:.2f} |"
        for name, pair in pairs.items()
    ]
    lines.append(f"| epoch of the training tunes | {result['epoch_seconds']:.1f} |  |  |")

    lines += ["", "| whole tunes, 128 at a time | tunes a second | steps |", "|---|---|---|"]
    lines += [
        f"| {name} | {way['tunes_per_second']:.1f} | {way['steps']} |"
        for name, way in result["tunes"].items()
    ]

    lines += [
        "",
        "| tokens | step of 12 rows, seconds | peak MB | sampling of 128 rows, seconds | peak MB |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['tokens']} | {row['step']:.2f} | {row['megabytes_step']:.0f} "
        f"| {row['sampling']:.1f} | {row['megabytes_sampling']:.0f} |"
        for row in result["growth"]
    ]

    return "\n".join(lines)


TABLES = {
    "steps": ("cpu.json", steps_table),
    "machine": ("cpu.json", machine_line),
    "kernels": ("kernels.json", kernels_table),
    "presets": ("presets.json", presets_table),
    "grammar": ("grammar.json", grammar_table),
    "attention": ("attention.json", attention_table),
}
"""The marked parts of the page: the file of each, and what makes text of it."""


def render() -> str:
    """Returns the page with its marked parts made from the JSON files that exist."""
    page = PAGE.read_text(encoding="utf-8")
    for name, (file, to_text) in TABLES.items():
        path = RESULTS / file
        if not path.is_file():
            continue
        text = to_text(json.loads(path.read_text(encoding="utf-8")))
        pattern = rf"(?<=<!-- {name} -->\n).*?(?=\n?<!-- end -->)"
        page = re.sub(pattern, lambda _, text=text: text + "\n", page, flags=re.DOTALL)

    return re.sub(r"\n\n<!-- end -->", "\n<!-- end -->", page)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
