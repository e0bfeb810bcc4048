r"""What fresh judges say of the start, the control and the game of experiments/cooperative.py.

    python experiments/cooperative_verdict.py --data ../shared/data/nottingham-midi \
        --out runs/cooperative --seed 0

Judges are trained from nothing: real training tunes against an arm's samples, all in random keys,
until tunes that were kept aside show that they learn no more. They are tested on the held-out
tunes. Beside their cross-entropy stand the nats of the held-out tunes, what is copied from the
training tunes, and the musical figures. Writes experiments/results/cooperative/<arm>-<seed>.json.
"""

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from cooperative import of_known_bars
from memory import ROWS, make_tokenizer
from rows import Data, load_data
from versions import library_versions

import tfseqgan as sg
from tfseqgan.evaluation.judges import Evidence, judge
from tfseqgan.evaluation.music import SharedRuns, musical_figures
from tfseqgan.files import read_json, write_json

RESULTS = Path(__file__).resolve().parent / "results" / "cooperative"


def real_evidence(data: Data) -> Evidence:
    """Returns the real tunes of at most 64 bars, as the samples are."""
    parts = (data.tunes, data.kept_aside, data.corpus.validation)

    return Evidence(*map(of_known_bars, parts))


def split(tunes: list[sg.Score]) -> Evidence:
    """Returns samples of which an eighth is kept back, and an eighth is the test."""
    eighth = len(tunes) // 8

    return Evidence(tunes[2 * eighth :], tunes[:eighth], tunes[eighth : 2 * eighth])


def verdict_of(tunes: list[sg.Score], real: Evidence, shared: SharedRuns) -> dict[str, Any]:
    """Computes everything that is said of an arm's samples."""
    verdicts = judge(real, split(tunes))
    copied = np.array([shared.longest(tune) for tune in tunes[:500]])
    of_real = np.percentile([shared.longest(tune) for tune in real.test], 95)

    return {
        "judges": [dataclasses.asdict(each) for each in verdicts],
        "longer_than_the_copies_of_held_out_tunes": float((copied > of_real).mean()),
        "musical": musical_figures(tunes[:1000]),
        "tunes": len(tunes),
    }


def main() -> None:
    """Judges one arm."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="the folder of the Nottingham MIDI files")
    parser.add_argument("--out", required=True, help="that of experiments/cooperative.py")
    parser.add_argument("--arm", default="game", help="start, control or game")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    data = load_data(args.data)
    tokenizer = make_tokenizer(ROWS["whole"], data.corpus.train)
    folder = Path(args.out) / f"{args.arm}-{args.seed}"
    decoded = [tokenizer.decode(row) for row in np.load(folder / "judged.npy")]
    tunes = [tune for tune in decoded if tune.melody]
    figures = read_json(folder / "figures.json")
    verdict = verdict_of(tunes, real_evidence(data), SharedRuns(data.corpus.train))

    RESULTS.mkdir(parents=True, exist_ok=True)
    write_json(
        RESULTS / f"{args.arm}-{args.seed}.json",
        {**figures, **verdict, "versions": library_versions()},
    )


if __name__ == "__main__":
    main()
