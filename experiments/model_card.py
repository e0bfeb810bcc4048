r"""The figures on the card of the shipped sampler, and the tables made from them.

    python experiments/model_card.py --data ../shared/data/nottingham-midi

Reads the newest version of saved_models/nottingham. Writes tunes as `tfseqgan sample` does without
flags, and at temperature 1 without any filter, computes the musical figures of both and of the
tunes that were held out, and writes experiments/results/model_card.json and the tables of
saved_models/nottingham/README.md.
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from pages import replace_block
from versions import library_versions

import tfseqgan as sg
from tfseqgan.evaluation.metrics import mean_and_standard_error
from tfseqgan.evaluation.music import SharedRuns, figures_of, figures_of_tune, mean_figures
from tfseqgan.files import write_json
from tfseqgan.music.control_tokens import NUM_CONTROLS
from tfseqgan.music.controls import count_bars

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "saved_models" / "nottingham"
PAGE = MODEL / "README.md"
RESULT = ROOT / "experiments" / "results" / "model_card.json"

AS_IT_IS = {"temperature": 1.0, "top_p": 1.0, "guidance": 0.0}
"""The model's own distribution."""

SAMPLES_PER_CALL = 128
SAMPLES_SHOWN_BESIDE = 103
"""As many samples as there are held-out tunes, where a figure depends on how many there are."""

ROWS = {
    "bar_lines_with_a_chord": "bar lines that carry a chord",
    "slips": "tunes whose bar line slips",
    "in_key": "notes in the key",
    "melody_on_chord_tones": "melody on chord tones",
    "bars_heard_before": "bars heard before in the tune",
    "bars_equal_to_eight_before": "bars equal to the bar eight before",
    "figures_heard_before": "8-note figures heard before",
    "multiple_of_eight_bars": "a multiple of eight bars",
    "ends_on_the_tonic": "ends on the tonic",
    "embarrassing": "embarrassing by simple rules",
    "sound_with_form": "sound, and with returning bars",
    "ended": "came to an end of its own",
    "bars_as_asked": "as many bars as asked for",
}
"""What is said of each figure; definitions in `tfseqgan.evaluation.music`."""


def controls_asked(tokenizer: sg.Tokenizer, row: np.ndarray) -> sg.Controls:
    """Returns what a tune was asked to be, from the tokens after its start token."""
    codes = tokenizer.token_controls[row[1 : 1 + NUM_CONTROLS], 1]

    return tokenizer.controls.decode(codes)


def draw_tunes(
    sampler: sg.SavedSampler, num_tunes: int, options: dict[str, float]
) -> tuple[list[sg.Score], list[bool], list[int | None]]:
    """Writes tunes; returns them, whether each ended, and how many bars each was asked to have."""
    tokenizer = sampler.tokenizer
    tunes: list[sg.Score] = []
    ended: list[bool] = []
    bars: list[int | None] = []
    while len(tunes) < num_tunes:
        num_rows = min(SAMPLES_PER_CALL, num_tunes - len(tunes))
        rows = sampler.generate(num_rows, seed=(0, len(tunes)), **options)
        tunes += [tokenizer.decode(row) for row in rows]
        ended += (rows == tokenizer.end_token_id).any(axis=1).tolist()
        bars += [controls_asked(tokenizer, row).bars for row in rows]

    return tunes, ended, bars


def figures_of_tunes(
    tunes: Sequence[sg.Score],
    ended: Sequence[bool],
    bars: Sequence[int | None],
    shared: SharedRuns,
) -> dict[str, Any]:
    """Computes means and standard errors over tunes, and what they share with training tunes."""
    by_tune = [figures_of_tune(tune, not end) for tune, end in zip(tunes, ended, strict=True)]
    for figures, tune, end, asked in zip(by_tune, tunes, ended, bars, strict=True):
        figures["ended"] = float(end)
        if asked is not None:
            figures["bars_as_asked"] = float(count_bars(tune) == asked)
    means = mean_figures(by_tune)
    copied = np.array([shared.longest(tune) for tune in tunes])
    beside = tunes[:SAMPLES_SHOWN_BESIDE]

    return {
        "tunes": len(tunes),
        "empty": sum(not tune.melody for tune in tunes),
        "means": {name: means[name] for name in ROWS if name in means},
        "copied_median": float(np.median(copied)),
        "copied_95th_percentile": float(np.percentile(copied, 95)),
        "copied_most": int(copied.max()),
        "distinct_figures": len({figure for tune in beside for figure in figures_of(tune)}),
    }


def nats_of(sampler: sg.SavedSampler, tunes: Sequence[sg.Score]) -> dict[str, Any]:
    """Computes the nats of each held-out tune given its controls, and of its controls."""
    of_tunes = []
    of_controls = []
    for tune in tunes:
        tokens = sampler.tokenizer.encode(tune)
        outputs = sampler.signatures["score"](tokens=tf.constant(tokens[None]))
        log_probs = outputs["log_probs"][0].numpy()
        of_controls.append(-log_probs[1 : 1 + NUM_CONTROLS].sum())
        of_tunes.append(-log_probs.sum() - of_controls[-1])

    return {
        "nats_a_tune": mean_and_standard_error(of_tunes),
        "nats_of_controls": mean_and_standard_error(of_controls),
    }


def render_table(result: dict[str, Any]) -> str:
    """Returns the table of the musical figures."""
    kinds = {
        "held-out tunes": result["held_out"],
        "samples without flags": result["by_default"],
        "at temperature 1": result["as_it_is"],
    }
    lines = [
        f"| | {' | '.join(kinds)} |",
        "|---|" + "---|" * len(kinds),
        "| tunes | " + " | ".join(f"{kind['tunes']:,}" for kind in kinds.values()) + " |",
    ]
    for name, words in ROWS.items():
        cells = [_cell(kind["means"].get(name)) for kind in kinds.values()]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    for name, words in {
        "copied_median": "longest run shared with a training tune, median",
        "copied_95th_percentile": "95th percentile",
        "copied_most": "most",
        "distinct_figures": f"distinct 8-note figures in {SAMPLES_SHOWN_BESIDE} tunes",
    }.items():
        lines.append(
            f"| {words} | " + " | ".join(f"{kind[name]:,.0f}" for kind in kinds.values()) + " |"
        )

    return "\n".join(lines)


def render_likelihood(result: dict[str, Any]) -> str:
    """Returns what the held-out tunes cost."""
    nats, error = result["nats_a_tune"]
    of_controls, _ = result["nats_of_controls"]
    options = ", ".join(f"{name} {value}" for name, value in result["sampling"].items())

    return (
        f"A held-out tune costs {nats:.1f} ({error:.1f}) nats given what it says of itself (metre, "
        f"key, bars, rhythm), and that costs {of_controls:.1f}. Without flags the sampler writes "
        f"with {options}."
    )


def render() -> str:
    """Returns the page with its blocks made from the JSON file."""
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    page = replace_block(page, "likelihood", render_likelihood(result))

    return replace_block(page, "figures", render_table(result))


def _cell(figure: Sequence[float] | None) -> str:
    if figure is None:
        return "–"
    mean, error = figure

    return f"{mean:.3f} ({error:.3f})"


def main() -> None:
    """Computes everything that the card says, and writes it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="the folder of the Nottingham MIDI files")
    parser.add_argument("--num_samples", type=int, default=2000, help="of each kind")
    args = parser.parse_args()

    corpus = sg.load_nottingham(args.data)
    sampler = sg.SavedSampler(MODEL)
    shared = SharedRuns(corpus.train)
    held_out = corpus.validation
    by_default = draw_tunes(sampler, args.num_samples, {})
    as_it_is = draw_tunes(sampler, args.num_samples, AS_IT_IS)
    no_bars = [None] * len(held_out)

    result = {
        "model": sampler.card["settings"],
        "sampling": sampler.defaults,
        "held_out": figures_of_tunes(held_out, [True] * len(held_out), no_bars, shared),
        "by_default": figures_of_tunes(*by_default, shared),
        "as_it_is": figures_of_tunes(*as_it_is, shared),
        **nats_of(sampler, held_out),
        "data": {"name": corpus.name, "sha256": corpus.sha256},
        "versions": library_versions(),
    }
    write_json(RESULT, result)
    PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
