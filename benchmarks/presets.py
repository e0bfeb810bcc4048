"""Whole runs and rounds of the presets, this tree against another one, alternated.

    python benchmarks/presets.py --other FOLDER_OF_ANOTHER_CHECKOUT --data NOTTINGHAM_MIDI

Each run is a process of its own. It times `tfseqgan train --preset quick` from beginning to end,
and for every preset 8 likelihood steps (an epoch of 8 batches) and an adversarial round. Run it on
a machine that does nothing else. Rows that are not measured again stay in the result.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tfseqgan.files import write_json
from tfseqgan.runs.settings import MODELS_OF_THE_PAPER, PRESETS, TOKENS_OF_THE_PAPER, Settings

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "presets.json"

PRESETS_OF_0_1_0: dict[str, Settings] = PRESETS | {
    "default": Settings(
        **TOKENS_OF_THE_PAPER,
        **MODELS_OF_THE_PAPER,
        length=100,
        embedding_dim=128,
        dropout=0.3,
        rounds=200,
        epochs=22,
        pretraining_batch_size=32,
        pretraining_learning_rate=4e-3,
    ),
}
"""Both trees do the same work only with the presets that both know."""

ROUNDS = {"quick": 6, "default": 3, "paper": 2}  # the first one of each compiles

RUN_COMMAND = """
try:
    from tfseqgan.cli.main import run
except ImportError:  # 0.1.0, where the command is one module
    from tfseqgan.cli import run
run()
"""


def sizes_of(settings: Settings, rounds: int) -> dict:
    """Returns what `preset_round.py` needs to know of a preset, as plain values."""
    schedule_fields = (
        "generator_steps",
        "discriminator_steps",
        "batch_size",
        "discriminator_batch_size",
        "discriminator_samples",
    )

    return {
        "has_parts": settings.embedding == "parts",
        "generator": {
            "embedding_dim": settings.embedding_dim,
            "units": settings.units,
            "dropout": settings.dropout,
        },
        "discriminator": {
            "embedding_dim": settings.discriminator_embedding_dim,
            "filters": settings.filters,
            "kernel_sizes": settings.kernel_sizes,
            "dropout": settings.discriminator_dropout,
            "l2_weight": settings.l2_weight,
        },
        "pretraining_batch_size": settings.pretraining_batch_size,
        "objective": settings.objective,
        "schedule": {name: getattr(settings, name) for name in schedule_fields},
        "rounds": rounds,
    }


def run(tree: Path, *arguments: str) -> str:
    """Runs Python with a tree on the path and returns what it printed."""
    environment = os.environ | {"PYTHONPATH": str(tree)}
    result = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True
    )

    return result.stdout


def time_round(tree: Path, preset: str) -> dict[str, float]:
    """Returns the seconds of an epoch of 8 steps and of a round of a preset."""
    sizes = sizes_of(PRESETS_OF_0_1_0[preset], ROUNDS[preset])
    script = ROOT / "benchmarks" / "preset_round.py"

    return json.loads(run(tree, str(script), json.dumps(sizes)).splitlines()[-1])


def time_quick_run(tree: Path, data: str | None) -> dict[str, float]:
    """Returns the seconds of `tfseqgan train --preset quick`."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["-c", RUN_COMMAND, "train", "--preset", "quick"]
        flags = ["--out", f"{folder}/run"] + (["--data", data] if data else [])
        started = time.perf_counter()
        run(tree, *command, *flags)

        return {"whole run": time.perf_counter() - started}


def compare(name: str, timers: list, repeats: int) -> dict[str, dict[str, float]]:
    """Runs both trees in turn; returns seconds and the ratio of the medians by what is timed."""
    results = [[timer() for timer in timers] for _ in range(repeats)]
    rows = {}
    for what in results[0][0]:
        ours = statistics.median(pair[0][what] for pair in results)
        theirs = statistics.median(pair[1][what] for pair in results)
        ratios = [pair[0][what] / pair[1][what] for pair in results]
        rows[f"{name}, {what}"] = {
            "seconds": ours,
            "other_seconds": theirs,
            "ratio": ours / theirs,
            "smallest_ratio": min(ratios),
            "largest_ratio": max(ratios),
        }
        print(
            f"{name}, {what}: {ours:.2f} s against {theirs:.2f} s, {ours / theirs:.2f}", flush=True
        )

    return rows


def main() -> None:
    """Compares the trees and writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--other", type=Path, required=True, help="another checkout")
    parser.add_argument("--data", help="Nottingham MIDI; the synthetic tunes by default")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rounds-of", nargs="*", default=list(PRESETS), metavar="PRESET")
    parser.add_argument("--no-whole-run", action="store_true", help="rounds alone")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()

    trees = (ROOT, args.other.resolve())
    rows = json.loads(args.out.read_bytes()) if args.out.is_file() else {}
    for preset in args.rounds_of:
        timers = [lambda tree=tree, preset=preset: time_round(tree, preset) for tree in trees]
        rows |= compare(preset, timers, args.repeats)
        write_json(args.out, rows)

    if not args.no_whole_run:
        timers = [lambda tree=tree: time_quick_run(tree, args.data) for tree in trees]
        rows |= compare("quick", timers, args.repeats)
        write_json(args.out, rows)


if __name__ == "__main__":
    main()
