"""docs/results.md's tables and figures, made from the JSON under experiments/results/table1 and from nothing else.

The page holds blocks between <!-- name --> and <!-- end --> that are written anew; the sentences around them are the page's own.
"""

import json
import math
import re
import statistics
from pathlib import Path

import numpy as np
import results_figures as figures
import verovio

from tfseqgan.evaluation.metrics import auc
from tfseqgan.music.abc_notation import to_abc
from tfseqgan.music.midi import write_midi
from tfseqgan.music.score import Chord, Note, Score

RESULTS = Path(__file__).resolve().parent / "results" / "table1"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "results.md"
PAPER = {  # Bjare & Meredith, Table 1
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
LONGER = ("ordinary_long", "baseline_long")
SCRATCH = tuple(f"{name}_from_scratch" for name in MODELS)


def read(data, schedule):
    """Returns the results of every seed of a schedule that is there: a list of dicts, stage → result, in the order of the seeds."""
    folders = sorted(
        (RESULTS / data / schedule).glob("seed*"),
        key=lambda folder: int(folder.name.removeprefix("seed")),
    )
    return [
        {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
        for folder in folders
    ]


def number(value, digits=3):
    """Returns a figure as text; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def spread(values):
    """Returns mean ± standard deviation over the seeds as text; a dash where a value is missing."""
    if None in values or not values:
        return "–"
    return number(statistics.mean(values)) + (
        f" ± {number(statistics.stdev(values))}" if len(values) > 1 else ""
    )


def columns_of(seed, name):
    """Returns Table 1's columns of a model; the NLL model is judged by the discriminator that was pre-trained against it."""
    return seed.get("discriminator" if name == "nll" else name, seed[name])["evaluation"]


def markdown(header, rows):
    """Returns a Markdown table."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows)]
    return "\n".join(lines)


def table1(seeds):
    """The paper's rows and ours, mean ± standard deviation over the seeds."""
    rows = []
    for name, paper in PAPER.items():
        ours = [columns_of(seed, name) for seed in seeds if name in seed]
        rows.append(
            [figures.NAMES[name], "paper", *(number(paper.get(column)) for column in COLUMNS)]
        )
        rows.append(
            [
                "",
                f"ours, {len(ours)} seed{'s' * (len(ours) != 1)}",
                *(spread([columns[column] for columns in ours]) for column in COLUMNS),
            ]
        )
    return markdown(["model", "", *COLUMNS.values()], rows)


def link(data, schedule, seed, stage):
    """Returns a link to a stage's JSON, as seen from docs/."""
    return f"[{stage}](../experiments/results/table1/{data}/{schedule}/seed{seed}/{stage}.json)"


def with_error(columns, column):
    """Returns a figure with its standard error in brackets, where it has one."""
    error = columns.get(column.removesuffix("_mean") + "_stderr")
    return number(columns.get(column)) + (f" ({number(error)})" if error is not None else "")


def runs(data, schedule, names):
    """Every run by itself: the figures with their standard errors over sequences, the numbers of sequences, a link to the JSON."""
    rows = []
    for seed in read(data, schedule):
        for name in [name for name in names if name in seed]:
            place, columns = f"{seed[name]['seed']}", seed[name]["evaluation"]
            counts = f"{columns['num_real']} / {columns['num_generated']}"
            rows.append(
                [
                    link(data, schedule, place, name),
                    place,
                    *(with_error(columns, column) for column in COLUMNS),
                    counts,
                ]
            )
    return markdown(["run", "seed", *COLUMNS.values(), "real / generated"], rows)


def dropped(seeds):
    """The share of the NLL model's mass on tokens that a model dropped, and the entropy of π(·|s₁₅), on the ordinary model's trajectories."""
    rows = []
    for seed in [seed for seed in seeds if "figure2" in seed]:
        place, figure2 = seed["nll"]["seed"], seed["figure2"]
        for name, entropy in figure2["entropy_15"].items():
            mass = figure2["dropped_mass"].get(name)
            share = "–" if mass is None else f"{number(mass['mean'])} ({number(mass['stderr'])})"
            rows.append(
                [
                    figures.NAMES[name],
                    link("lee2017", "cpu", place, "figure2"),
                    str(place),
                    share,
                    number(entropy),
                ]
            )
    return markdown(
        [
            "model",
            "JSON",
            "seed",
            "dropped mass (standard error)",
            "entropy of π(·|s₁₅) on the trajectory drawn",
        ],
        rows,
    )


def balance(columns, length, uniform):
    """Returns the α at which all that D pays, R̄, is worth as much as the entropy up to noise: R̄ / (T (log V − H))."""
    return columns["reward_mean"] / (length * (uniform - columns["entropy"]))


def bounds(seed):
    """What the algebra says of each α, beside what came: the optimum's entropy is at least log V − 1/(αT), since the reward spans at most 1."""
    rows, start = [], seed["discriminator"]["evaluation"]
    for name, label in [(name, label) for name, label in figures.SWEEP.items() if name in seed]:
        result, columns = seed[name], seed[name]["evaluation"]
        alpha, length, uniform = (
            result["objective"]["entropy_weight"],
            result["networks"]["length"],
            math.log(result["data"]["vocabulary_size"]),
        )
        least = max(0.0, uniform - 1 / (alpha * length)) if alpha else 0.0
        rows.append(
            [
                label.removeprefix("α = "),
                number(least),
                number(start["entropy"]),
                with_error(columns, "entropy"),
                with_error(columns, "nll"),
                number(start["reward_mean"], 4),
                number(columns["reward_mean"], 4),
                *(f"{balance(each, length, uniform):.1e}" for each in (start, columns)),
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
    return markdown(header, rows)


def tabular(result):
    """The last figures of the tabular worlds: the largest regret of the seeds, the seeds that missed the criterion, and the distance to π*."""
    rows = []
    for record in result["runs"]:
        worst = (
            f"{max(record['regret']['each']):.5f}",
            f"{max(record['total_variation']['each']):.4f}",
        )
        lost = f"{record['seeds_lost']} of {len(record['seeds'])}"
        rows.append(
            [
                record["plan"],
                str(record["sequences"]),
                f"{record['entropy_weight']:g}",
                number(record["optimal_j"]),
                *worst,
                lost,
            ]
        )
    return markdown(
        [
            "plan",
            "sequences",
            "α",
            "J*",
            "largest J* − J(π)",
            "largest total variation to π*",
            "seeds lost",
        ],
        rows,
    )


def score_of(picture, name):
    """Returns a kept sample as a `Score`."""
    chords = [Chord(start, length, tuple(pitches)) for start, length, pitches in picture["chords"]]
    return Score([Note(*note) for note in picture["melody"]], chords, name=name)


def number_ids(svg):
    """Returns an SVG without empty groups whose ids are n0, n1, … in their order: both depend on what verovio drew before."""
    svg = re.sub(r"\s*<g [^>]*/>", "", svg)
    names = {
        name: f"n{number}"
        for number, name in enumerate(dict.fromkeys(re.findall(r'\bid="([^"]+)"', svg)))
    }
    return re.sub(r'(?<=["#])[\w-]+(?=["\s{.,])', lambda found: names.get(found[0], found[0]), svg)


def engrave(abc):
    """Returns a tune's staff notation as SVG; the same text gives the same bytes."""
    toolkit = verovio.toolkit()
    layout = {
        "breaks": "encoded",
        "adjustPageHeight": True,
        "pageWidth": 2400,
        "scale": 40,
        "footer": "none",
    }
    toolkit.setOptions({"inputFrom": "abc", "xmlIdSeed": 1, **layout})
    toolkit.loadData(abc)
    return number_ids(toolkit.renderToSVG(1))


def draw_samples(figure1, folder):
    """Writes each kept sample as a score, a piano roll, ABC text and a MIDI file; returns their block of the page."""
    parts = []
    for kind, picture in figure1.items():
        title = kind.replace("_", " ")
        score = score_of(picture, title)
        (folder / f"{kind}.abc").write_text(to_abc(score))
        (folder / f"{kind}_score.svg").write_text(engrave(to_abc(score)))
        figures.save(figures.piano_roll(picture), folder / f"{kind}_roll.svg")
        write_midi(score, folder / f"{kind}.mid")
        facts = f"D = {picture['reward']:.2g}, {picture['distinct_tokens']} distinct tokens, one of {picture['num_samples']:,} samples"
        caption = f"**{title.capitalize()}** ({figures.NAMES[picture['model']]}): {facts}. [MIDI](results/{kind}.mid), [ABC](results/{kind}.abc)."
        parts.append(
            f"{caption}\n\n![score](results/{kind}_score.svg)\n\n![piano roll](results/{kind}_roll.svg)"
        )
    return "\n\n".join(parts)


def replace_block(page, name, content):
    """Returns a page with the block of a name written anew.

    Raises:
        ValueError: if the page has no such block.
    """
    page, count = re.subn(
        rf"(<!-- {name} -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}{content}\n{match[2]}",
        page,
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError(
            f"{PAGE.name} has {count} blocks '<!-- {name} -->'; expected one, closed by '<!-- end -->'. Restore it."
        )
    return page


def rank_correlation(one, other):
    """Returns Spearman's correlation of two rows of numbers without ties."""
    return float(np.corrcoef(np.argsort(np.argsort(one)), np.argsort(np.argsort(other)))[0, 1])


def orders(seed):
    """How D ranks fifty fixed held-out tunes and fifty fixed NLL samples at the start and after the last round, and what became of its order."""
    rows = []
    for name in MODELS:
        kept = list(seed[name]["judgements"].values())
        first, last = np.array(kept[0]), np.array(kept[-1])  # [100], fifty real ones first
        ranks = [
            number(rank_correlation(first[part], last[part]))
            for part in (slice(50), slice(50, None))
        ]
        rows.append(
            [
                figures.NAMES[name],
                *(number(auc(each[:50], each[50:])) for each in (first, last)),
                *ranks,
                number(float(np.mean(last[50:] > 0))),
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
    return markdown(header, rows)


def shapes(seed):
    """The three shapes of the reward at the same baseline."""
    there = {
        label: seed[name]["evaluation"] for name, label in figures.SHAPES.items() if name in seed
    }
    rows = [
        [label, *(with_error(columns, column) for column in COLUMNS)]
        for label, columns in there.items()
    ]
    return markdown(["reward", *COLUMNS.values()], rows)


def scratch(seeds):
    """From random weights: the mean reward in the first round, at its highest after it, and in the last; and the columns at the end."""
    rows = []
    for name, result in [(name, seed[name]) for seed in seeds for name in SCRATCH if name in seed]:
        rewards, columns = result["curves"]["reward_mean"], result["evaluation"]
        figures_ = [f"{value:.4f}" for value in (rewards[0], max(rewards[1:]), rewards[-1])]
        ends = [
            with_error(columns, "nll"),
            with_error(columns, "entropy"),
            number(columns["precision"]),
            number(columns["auc"]),
        ]
        rows.append(
            [
                figures.NAMES[name.removesuffix("_from_scratch")],
                str(result["seed"]),
                str(len(rewards)),
                *figures_,
                *ends,
            ]
        )
    return markdown(
        [
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
        ],
        rows,
    )


def draw(seeds, worlds, folder):
    """Writes every figure of the page; those of one seed are the first one's."""
    first = seeds[0]
    drawings = {
        "rounds": figures.rounds(seeds),
        "sweep": figures.sweep(first),
        "shapes": figures.shapes(first),
        "scratch": figures.scratch(seeds),
        "judgements": figures.judgements(first),
        "policies": figures.policies(first["figure2"]),
        "entropies": figures.entropies(first["figure2"]),
        "tabular": figures.tabular(worlds),
    }
    for name, figure in drawings.items():
        figures.save(figure, folder / f"{name}.svg")


def render(page=PAGE, schedule="cpu"):
    """Writes the page's blocks and figures anew from the JSON, the same bytes each time."""
    folder = page.parent / "results"
    folder.mkdir(exist_ok=True)
    seeds, tunes = read("lee2017", schedule), read("by_tune", f"{schedule}_short")
    worlds = json.loads((RESULTS / "tabular_world.json").read_text())
    draw(seeds, worlds, folder)
    blocks = {
        "table1": table1(seeds),
        "runs": runs("lee2017", schedule, STAGES),
        "samples": draw_samples(seeds[0]["figure1"], folder),
        "dropped": dropped(seeds),
        "bounds": bounds(seeds[0]),
        "orders": orders(seeds[0]),
        "shapes": shapes(seeds[0]),
        "scratch": scratch(seeds),
        "tabular": tabular(worlds),
        "by_tune": runs("by_tune", f"{schedule}_short", STAGES),
        "more_runs": runs(
            "lee2017",
            schedule,
            [
                name
                for name in (*figures.SWEEP, *figures.SHAPES, *SCRATCH, *LONGER)
                if name not in STAGES
            ],
        ),
    }
    text = page.read_text(encoding="utf-8")
    for name, content in blocks.items():
        text = replace_block(text, name, content)
    page.write_text(text, encoding="utf-8")
