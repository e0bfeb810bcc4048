r"""Train on folders of 60 tunes, from the shipped model and from random weights, and compare.

    python experiments/small_folder.py --data ../shared/data/nottingham-midi

Two folders are written as MIDI: every seventeenth of the Nottingham tunes, most of which the
shipped model has learned from, and 60 tunes that `tfseqgan` composes itself, of which it has seen
none. Each is trained on with the default preset, as `tfseqgan train --data FOLDER` does (fine-tuned
from the shipped model) and as `--init none` does. 100 tunes are sampled of each run. Writes
experiments/results/small_folder/<folder>-<start>.json and the tables of docs/fine_tuning.md.

A result that is there already is kept, so that a stopped experiment resumes where it stopped;
--again makes it again.
"""

import argparse
import dataclasses
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pages import replace_block
from versions import library_versions

import tfseqgan as sg
from tfseqgan.datasets.synthetic import compose_tunes
from tfseqgan.evaluation.music import musical_figures
from tfseqgan.files import read_json, write_json
from tfseqgan.runs.fine_tuning import FIXED_BY_START
from tfseqgan.runs.run_folder import open_run
from tfseqgan.runs.start import choose_start
from tfseqgan.runs.train_run import train_run

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "experiments" / "results" / "small_folder"
PAGE = ROOT / "docs" / "fine_tuning.md"

OVERLAP = "overlap.json"
"""Which of the Nottingham tunes the shipped model has learned from, and which it had held out."""

FOLDERS = ("synthetic", "nottingham")
STARTS = ("nottingham", "none")
EVERY = 17
NUM_TUNES = 60

SAMPLING = {"temperature": 0.9, "top_p": 0.95, "guidance": 0.4}
"""As the card of the shipped model recommends."""

TOKENS_OF_A_SAMPLE = 1024

Result = dict[str, Any]


def every_seventeenth(folder: Path, num_tunes: int) -> list[Path]:
    """Returns the 17th, the 34th, … of the MIDI files of a folder."""
    return sorted(folder.glob("*.mid"))[EVERY - 1 :: EVERY][:num_tunes]


def write_folder(name: str, data: Path, folder: Path, num_tunes: int) -> list[sg.Score]:
    """Writes the MIDI files of an experiment to a folder, and returns their tunes."""
    folder.mkdir()
    if name == "nottingham":
        for path in every_seventeenth(data, num_tunes):
            (folder / path.name).write_bytes(path.read_bytes())
    else:
        for number, tune in enumerate(compose_tunes(num_tunes, seed=0)):
            sg.write_midi(tune, folder / f"{number:02}.mid")

    return [sg.read_midi(path) for path in sorted(folder.glob("*.mid"))]


def find_overlap(data: Path, names: Sequence[str]) -> dict[str, list[str]]:
    """Returns which tunes the shipped model has learned from, and which it had held out."""
    corpus = sg.load_nottingham(data)
    parts = {"learned": corpus.train, "held_out": corpus.validation}

    return {
        part: sorted({tune.name for tune in tunes} & set(names)) for part, tunes in parts.items()
    }


def draw_tunes(run: Path, num_samples: int) -> tuple[list[sg.Score], list[bool]]:
    """Samples tunes of a run; returns them, and which were cut off at the limit of their length."""
    opened = open_run(run)
    tokenizer = opened.load_tokenizer()
    prompts = tokenizer.prompts(num_samples, seed=0)
    rows = opened.load_model("generator").generate(
        num_samples, TOKENS_OF_A_SAMPLE, prompt=prompts, seed=0, **SAMPLING
    )
    is_cut_off = (rows != tokenizer.end_token_id).all(axis=1).tolist()

    return [tokenizer.decode(row) for row in rows], is_cut_off


def measure_run(
    folder: Path, start: str, out: Path, given: dict[str, Any], num_samples: int
) -> Result:
    """Trains on a folder, and returns what the run has reached."""
    init, settings = choose_start(start, "default", str(folder), given)
    began = time.perf_counter()
    train_run(out, settings, folder, init=init, verbose=2)
    minutes = (time.perf_counter() - began) / 60
    tunes, is_cut_off = draw_tunes(out, num_samples)
    saved = dataclasses.asdict(settings)

    return {
        "start": start,
        "outcome": read_json(out / "outcome.json"),
        "samples": {"tunes": num_samples, **musical_figures(tunes, is_cut_off)},
        "sampling": SAMPLING,
        "minutes": minutes,
        "settings": {name: saved[name] for name in saved if name not in FIXED_BY_START},
    }


def read_results() -> dict[tuple[str, str], Result]:
    """Returns the results that are there, by folder and start."""
    paths = {(name, start): path_of(name, start) for name in FOLDERS for start in STARTS}

    return {key: read_json(path) for key, path in paths.items() if path.is_file()}


def path_of(name: str, start: str) -> Path:
    """Returns the file of a result."""
    return RESULTS / f"{name}-{start}.json"


def _with_error(pair: Sequence[float | None], digits: int = 2) -> str:
    """Returns a figure with its standard error in brackets, if there is one."""
    mean, error = pair

    return f"{mean:.{digits}f}" + (f" ({error:.{digits}f})" if error is not None else "")


def line_of(name: str, result: Result) -> str:
    """Returns a row of the table: what a run has reached."""
    outcome = result["outcome"]
    figures = result["samples"]
    before = outcome["start_nats"]
    start = "random weights" if result["start"] == "none" else f"`{result['start']}`"
    cells = [
        name,
        start,
        _with_error((outcome["nats"], outcome["nats_error"]), 1),
        "–" if before is None else f"{before:.1f}",
        f"{outcome['nats_an_event']:.2f}",
        f"{outcome['unigram_nats_an_event']:.2f}",
        f"{100 * outcome['replaced']:.1f} %",
        _with_error(figures["embarrassing"]),
        _with_error(figures["sound_with_form"]),
        f"{result['minutes']:.1f}",
    ]

    return f"| {' | '.join(cells)} |"


def line_of_tunes(name: str, result: Result) -> str:
    """Returns a row of the table: the tunes of a folder themselves."""
    figures = result["tunes"]
    cells = [f"{name}: its tunes", *["–"] * 6]
    cells += [_with_error(figures[each]) for each in ("embarrassing", "sound_with_form")]

    return f"| {' | '.join([*cells, '–'])} |"


HEADER = (
    "| folder | start | nats a held-out tune | by the start | nats an event | by a unigram "
    "| replaced | samples: embarrassing | sound, with returning bars | minutes |"
)


def render_table(results: dict[tuple[str, str], Result]) -> str:
    """Returns the table of all results."""
    lines = [HEADER, "|---" * HEADER.count(" | ") + "|---|"]
    for name in FOLDERS:
        of_folder = [results[key] for key in results if key[0] == name]
        lines += [line_of(name, result) for result in of_folder]
        lines += [line_of_tunes(name, result) for result in of_folder[:1]]

    return "\n".join(lines)


def render_overlap(overlap: dict[str, list[str]]) -> str:
    """Returns which of the Nottingham tunes the shipped model had held out."""
    names = ", ".join(overlap["held_out"])

    return (
        f"Of the {len(overlap['learned']) + len(overlap['held_out'])} Nottingham tunes the shipped "
        f"model has learned from {len(overlap['learned'])}, and had held out {names}."
    )


def render() -> str:
    """Returns the page with its blocks made from the JSON files."""
    page = PAGE.read_text(encoding="utf-8")
    page = replace_block(page, "results", render_table(read_results()))

    return replace_block(page, "overlap", render_overlap(read_json(RESULTS / OVERLAP)))


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="the folder of the Nottingham MIDI files")
    parser.add_argument("--again", action="store_true", help="make every result again")
    parser.add_argument("--num_tunes", type=int, default=NUM_TUNES, help="tunes of a folder")
    parser.add_argument("--num_samples", type=int, default=100, help="tunes to sample of each run")
    parser.add_argument("--epochs", type=int, help="of every run, in place of the preset's")
    parser.add_argument("--out", type=Path, default=RESULTS, help="a folder for the JSON files")

    return parser.parse_args()


def main() -> None:
    """Trains what is missing, writes the results, and renders the page."""
    args = parse_arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    data = Path(args.data)
    given = {} if args.epochs is None else {"epochs": args.epochs}

    with tempfile.TemporaryDirectory() as work:
        for name in FOLDERS:
            folder = Path(work) / name
            tunes = write_folder(name, data, folder, args.num_tunes)
            if name == "nottingham":
                write_json(args.out / OVERLAP, find_overlap(data, [tune.name for tune in tunes]))
            for start in STARTS:
                path = args.out / f"{name}-{start}.json"
                if path.exists() and not args.again:
                    continue
                out = Path(work) / f"{name}-{start}"
                result = measure_run(folder, start, out, given, args.num_samples)
                result["tunes"] = {"tunes": len(tunes), **musical_figures(tunes)}
                write_json(path, result | {"versions": library_versions()})

    if args.out == RESULTS:
        PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
