"""Render the tables and figures of docs/results.md from experiments/results/table1.

The page has blocks between `<!-- name -->` and `<!-- end -->`. Rendering replaces these blocks. The
text around them is written by hand and stays as it is.

    python experiments/table1.py --render

In this file, a *seed* is a dict of the results of one seed: stage → content of its JSON file. The
*columns* are the figures of one model: the dict that `tfseqgan.evaluate` returned.
"""

import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import results_figures as figures
from pages import replace_block

from tfseqgan.evaluation.metrics import auc
from tfseqgan.music.abc_notation import to_abc
from tfseqgan.music.engraving import engrave
from tfseqgan.music.midi import write_midi
from tfseqgan.music.score import Chord, Note, Score

RESULTS = Path(__file__).resolve().parent / "results" / "table1"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "results.md"

# Table 1 of Bjare & Meredith.
PAPER = {
    "nll": {"nll": 2.58, "bleu": 0.375, "entropy": 3.17},
    "ordinary": {
        "nll": 3.81,
        "bleu": 0.241,
        "entropy": 1.54,
        "reward_mean": 0.016,
        "reward_std": 0.100,
        "precision": 0.993,
        "recall": 1.00,
    },
    "baseline": {
        "nll": 4.39,
        "bleu": 0.146,
        "entropy": 4.11,
        "reward_mean": 0.012,
        "reward_std": 0.077,
        "precision": 1.00,
        "recall": 0.993,
    },
    "merl": {
        "nll": 5.66,
        "bleu": 0.082,
        "entropy": 5.26,
        "reward_mean": 0.000,
        "reward_std": 0.001,
        "precision": 1.00,
        "recall": 1.00,
    },
}

# The columns of Table 1 and their headings.
COLUMNS = {
    "nll": "H(data, gen)",
    "bleu": "BLEU",
    "entropy": "H(gen)",
    "reward_mean": "R̄",
    "reward_std": "S",
    "precision": "p_d",
    "recall": "r_d",
    "auc": "AUC",
}

MODELS = ("ordinary", "baseline", "merl")
STAGES = ("nll", "discriminator", *MODELS)
FROM_SCRATCH = tuple(f"{name}_from_scratch" for name in MODELS)
LONG = ("ordinary_long", "baseline_long")
DASH = "–"

# ---- reading, and pieces of text


def read(data: str, schedule: str) -> list[dict]:
    """Returns the results of every seed, in the order of the seeds.

    Args:
        data: folder name of the data, "lee2017" or "by_tune".
        schedule: folder name of the schedule.
    """
    folders = sorted(
        (RESULTS / data / schedule).glob("seed*"),
        key=lambda folder: int(folder.name.removeprefix("seed")),
    )

    return [
        {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
        for folder in folders
    ]


def number(value: float | None, digits: int = 3) -> str:
    """Returns a figure as text, or a dash if there is none."""
    return DASH if value is None else f"{value:.{digits}f}"


def mean_and_spread(values: Sequence[float | None]) -> str:
    """Returns mean ± standard deviation over the seeds, or a dash if a value is missing."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return DASH

    mean = number(statistics.mean(known))
    if len(known) == 1:
        return mean
    return f"{mean} ± {number(statistics.stdev(known))}"


def with_error(columns: dict, column: str) -> str:
    """Returns a figure with its standard error in brackets, if it has one."""
    figure = number(columns.get(column))
    error = columns.get(column.removesuffix("_mean") + "_stderr")

    return figure if error is None else f"{figure} ({number(error)})"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def link(data: str, schedule: str, seed: int, stage: str) -> str:
    """Returns a link from the page to the JSON file of a stage."""
    path = f"experiments/results/table1/{data}/{schedule}/seed{seed}/{stage}.json"
    return f"[{stage}](../{path})"


# ---- the tables


def table1(seeds: Sequence[dict]) -> str:
    """Returns Table 1: the paper's figures and ours, mean ± standard deviation over the seeds."""
    rows = []
    for name, paper in PAPER.items():
        paper_figures = [number(paper.get(column)) for column in COLUMNS]
        rows.append([figures.NAMES[name], "paper", *paper_figures])

        # The NLL model has no discriminator of its own. Its row shows the figures of the one that
        # was pre-trained against it.
        stage = "discriminator" if name == "nll" else name
        ours = [seed.get(stage, seed[name])["evaluation"] for seed in seeds if name in seed]
        our_figures = [mean_and_spread([columns[column] for columns in ours]) for column in COLUMNS]
        plural = "" if len(ours) == 1 else "s"
        rows.append(["", f"ours, {len(ours)} seed{plural}", *our_figures])

    return markdown_table(["model", "", *COLUMNS.values()], rows)


def runs(data: str, schedule: str, names: Sequence[str]) -> str:
    """Returns a table of single runs with standard errors over the sequences.

    Args:
        data: folder name of the data.
        schedule: folder name of the schedule.
        names: the stages to list; a seed need not have all of them.
    """
    rows = []
    for seed in read(data, schedule):
        for name in figures.available(names, seed):
            columns = seed[name]["evaluation"]
            seed_number = seed[name]["seed"]
            rows.append(
                [
                    link(data, schedule, seed_number, name),
                    str(seed_number),
                    *(with_error(columns, column) for column in COLUMNS),
                    f"{columns['num_real']} / {columns['num_generated']}",
                ]
            )

    return markdown_table(["run", "seed", *COLUMNS.values(), "real / generated"], rows)


def dropped(seeds: Sequence[dict]) -> str:
    """Returns a table of the tokens that each model dropped.

    Its figures are the share of the NLL model's probability mass on the tokens that a model
    dropped, and the entropy of π(·|s₁₅). Both are measured on the ordinary model's trajectories.
    """
    rows = []
    for seed in seeds:
        if "figure2" not in seed:
            continue

        seed_number = seed["nll"]["seed"]
        figure2 = seed["figure2"]
        for name, entropy in figure2["entropy_15"].items():
            mass = figure2["dropped_mass"].get(name)
            share = DASH if mass is None else f"{number(mass['mean'])} ({number(mass['stderr'])})"
            rows.append(
                [
                    figures.NAMES[name],
                    link("lee2017", "cpu", seed_number, "figure2"),
                    str(seed_number),
                    share,
                    number(entropy),
                ]
            )

    header = [
        "model",
        "JSON",
        "seed",
        "dropped mass (standard error)",
        "entropy of π(·|s₁₅) on the trajectory drawn",
    ]
    return markdown_table(header, rows)


def alpha_of_balance(columns: dict, length: int, uniform_entropy: float) -> float:
    """Returns R̄ / (T (log V − H)).

    At this α, the whole mean reward R̄ is worth as much as the entropy that noise would add.

    Args:
        columns: of a generator.
        length: T, tokens in a sequence.
        uniform_entropy: log V.
    """
    return columns["reward_mean"] / (length * (uniform_entropy - columns["entropy"]))


def bounds(seed: dict) -> str:
    """Returns a table of what the algebra says for each α, next to what happened.

    The rewards lie in [0, 1], so the optimum's entropy is at least log V − 1/(αT).
    """
    before = seed["discriminator"]["evaluation"]
    rows = []
    for name in figures.available(figures.SWEEP, seed):
        result = seed[name]
        after = result["evaluation"]
        alpha = result["objective"]["entropy_weight"]
        length = result["networks"]["length"]
        uniform = math.log(result["data"]["vocabulary_size"])

        least_entropy = max(0.0, uniform - 1 / (alpha * length)) if alpha else 0.0
        rows.append(
            [
                figures.SWEEP[name].removeprefix("α = "),
                number(least_entropy),
                number(before["entropy"]),
                with_error(after, "entropy"),
                with_error(after, "nll"),
                number(before["reward_mean"], 4),
                number(after["reward_mean"], 4),
                f"{alpha_of_balance(before, length, uniform):.1e}",
                f"{alpha_of_balance(after, length, uniform):.1e}",
            ]
        )

    header = [
        "α",
        "optimum's H(gen), at least",
        "H(gen) before",
        "after",
        "H(data, gen) after",
        "R̄ before",
        "after",
        "α of balance, before",
        "after",
    ]
    return markdown_table(header, rows)


def tabular(result: dict) -> str:
    """Returns a table of the tabular worlds: the regrets, the distances to π*, the seeds lost."""
    rows = []
    for run in result["runs"]:
        rows.append(
            [
                run["plan"],
                str(run["sequences"]),
                f"{run['entropy_weight']:g}",
                number(run["optimal_j"]),
                number(max(run["regret"]["each"]), 5),
                number(max(run["total_variation"]["each"]), 4),
                f"{run['seeds_lost']} of {len(run['seeds'])}",
            ]
        )

    header = [
        "plan",
        "sequences",
        "α",
        "J*",
        "largest J* − J(π)",
        "largest total variation to π*",
        "seeds lost",
    ]
    return markdown_table(header, rows)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Returns Spearman's correlation of two arrays [N] without ties."""
    first_ranks = np.argsort(np.argsort(first))
    second_ranks = np.argsort(np.argsort(second))

    return float(np.corrcoef(first_ranks, second_ranks)[0, 1])


def orders(seed: dict) -> str:
    """Returns a table of how the discriminator's order of fixed sequences changed.

    The sequences are fifty validation tunes and fifty samples of the NLL model. The table compares
    the discriminator at the start with the one after the last round.
    """
    rows = []
    for name in MODELS:
        recorded = [np.array(logits) for logits in seed[name]["judgements"].values()]
        real_before, generated_before = np.split(recorded[0], 2)
        real_after, generated_after = np.split(recorded[-1], 2)
        share_called_real = float(np.mean(generated_after > 0))

        rows.append(
            [
                figures.NAMES[name],
                number(auc(real_before, generated_before)),
                number(auc(real_after, generated_after)),
                number(rank_correlation(real_before, real_after)),
                number(rank_correlation(generated_before, generated_after)),
                number(share_called_real),
            ]
        )

    header = [
        "model",
        "AUC, real against NLL samples, before",
        "after",
        "rank correlation, before to after, real",
        "NLL samples",
        "these called real after",
    ]
    return markdown_table(header, rows)


def shapes(seed: dict) -> str:
    """Returns a table of the three shapes of the reward with the same baseline."""
    rows = []
    for name in figures.available(figures.SHAPES, seed):
        columns = seed[name]["evaluation"]
        cells = [with_error(columns, column) for column in COLUMNS]
        rows.append([figures.SHAPES[name], *cells])

    return markdown_table(["reward", *COLUMNS.values()], rows)


def scratch(seeds: Sequence[dict]) -> str:
    """Returns a table of the runs that start from random weights."""
    rows = []
    for seed in seeds:
        for name in figures.available(FROM_SCRATCH, seed):
            result = seed[name]
            columns = result["evaluation"]
            rewards = result["curves"]["reward_mean"]
            rows.append(
                [
                    figures.NAMES[name.removesuffix("_from_scratch")],
                    str(result["seed"]),
                    str(len(rewards)),
                    number(rewards[0], 4),
                    number(max(rewards[1:]), 4),
                    number(rewards[-1], 4),
                    with_error(columns, "nll"),
                    with_error(columns, "entropy"),
                    number(columns["precision"]),
                    number(columns["auc"]),
                ]
            )

    header = [
        "model",
        "seed",
        "rounds",
        "R̄, first round",
        "highest after it",
        "last",
        "H(data, gen)",
        "H(gen)",
        "p_d",
        "AUC",
    ]
    return markdown_table(header, rows)


# ---- the samples of Figure 1


def score_of(picture: dict, name: str) -> Score:
    """Returns a recorded sample as a `Score`."""
    melody = [Note(*note) for note in picture["melody"]]
    chords = [Chord(start, length, tuple(pitches)) for start, length, pitches in picture["chords"]]

    return Score(tuple(melody), tuple(chords), name=name)


def draw_sample(kind: str, picture: dict, folder: Path) -> str:
    """Writes a sample as ABC, sheet music, piano roll and MIDI, and returns its part of the page.

    Args:
        kind: such as "best_liked"; the files begin with it.
        picture: the sample, as experiments/table1.py recorded it.
        folder: for the files.
    """
    title = kind.replace("_", " ")
    score = score_of(picture, title)
    abc = to_abc(score)

    (folder / f"{kind}.abc").write_text(abc)
    (folder / f"{kind}_score.svg").write_text(engrave(abc))
    figures.save(figures.piano_roll(picture), folder / f"{kind}_roll.svg")
    write_midi(score, folder / f"{kind}.mid")

    model = figures.NAMES[picture["model"]]
    reward = f"D = {picture['reward']:.2g}"
    tokens = f"{picture['distinct_tokens']} distinct tokens"
    samples = f"one of {picture['num_samples']:,} samples"
    links = f"[MIDI](results/{kind}.mid), [ABC](results/{kind}.abc)"
    caption = f"**{title.capitalize()}** ({model}): {reward}, {tokens}, {samples}. {links}."

    return "\n\n".join(
        [
            caption,
            f"![score](results/{kind}_score.svg)",
            f"![piano roll](results/{kind}_roll.svg)",
        ]
    )


def draw_samples(figure1: dict, folder: Path) -> str:
    """Writes the files of all samples, and returns their block of the page."""
    return "\n\n".join(draw_sample(kind, picture, folder) for kind, picture in figure1.items())


# ---- the page


def draw_figures(seeds: Sequence[dict], tabular_result: dict, folder: Path) -> None:
    """Writes every figure of the page. Figures of a single seed show the first one."""
    first = seeds[0]
    drawings = {
        "rounds": figures.rounds(seeds),
        "sweep": figures.sweep(first),
        "shapes": figures.shapes(first),
        "scratch": figures.scratch(seeds),
        "judgements": figures.logits_of_fixed_sequences(first),
        "policies": figures.policies(first["figure2"]),
        "entropies": figures.entropies(first["figure2"]),
        "tabular": figures.tabular(tabular_result),
    }

    for name, figure in drawings.items():
        figures.save(figure, folder / f"{name}.svg")


def render(page: Path = PAGE, schedule: str = "cpu") -> None:
    """Writes the blocks and figures of the page. The same JSON gives the same bytes.

    Args:
        page: the page; its figures go to the folder "results" beside it.
        schedule: folder name of the schedule to show.
    """
    short_schedule = f"{schedule}_short"
    seeds = read("lee2017", schedule)
    tabular_result = json.loads((RESULTS / "tabular_world.json").read_text())

    folder = page.parent / "results"
    folder.mkdir(exist_ok=True)
    draw_figures(seeds, tabular_result, folder)

    other_runs = [
        name
        for name in (*figures.SWEEP, *figures.SHAPES, *FROM_SCRATCH, *LONG)
        if name not in STAGES
    ]
    blocks = {
        "table1": table1(seeds),
        "runs": runs("lee2017", schedule, STAGES),
        "samples": draw_samples(seeds[0]["figure1"], folder),
        "dropped": dropped(seeds),
        "bounds": bounds(seeds[0]),
        "orders": orders(seeds[0]),
        "shapes": shapes(seeds[0]),
        "scratch": scratch(seeds),
        "tabular": tabular(tabular_result),
        "by_tune": runs("by_tune", short_schedule, STAGES),
        "more_runs": runs("lee2017", schedule, other_runs),
    }

    text = page.read_text(encoding="utf-8")
    for name, content in blocks.items():
        text = replace_block(text, name, content)
    page.write_text(text, encoding="utf-8")
