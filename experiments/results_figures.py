"""Draw the figures of docs/results.md.

Each function takes results that were read from the JSON files of experiments/table1.py or
experiments/tabular_world.py, and returns a matplotlib figure. The same JSON and the same version of
matplotlib always give the same bytes.

In this file, a *seed* is a dict of the results of one seed: stage → content of its JSON file.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {"nll": "#222222", "ordinary": "#d55e00", "baseline": "#0072b2", "merl": "#009e73"}
NAMES = {"nll": "NLL", "ordinary": "ordinary", "baseline": "reward baseline", "merl": "MERL α = 1"}
ADVERSARIAL_NAMES = {name: NAMES[name] for name in ("ordinary", "baseline", "merl")}

# The runs with other entropy weights and with other rewards, and their labels.
SWEEP = {
    "merl": "α = 1",
    "alpha_0.1": "α = 0.1",
    "alpha_0.01": "α = 0.01",
    "alpha_0.001": "α = 0.001",
    "alpha_0.0001": "α = 0.0001",
    "baseline": "α = 0",
}
SHAPES = {"baseline": "D", "log": "log D", "logit": "logit D"}

# The curves that a figure of runs shows, and the labels of their axes.
CURVES = {
    "val_nll": "H(data, gen), nats a token",
    "entropy": "H(gen), nats a token",
    "reward_mean": "mean reward",
}

TICKS_PER_QUARTER = 24
SMALLEST_REGRET = 1e-6  # a logarithmic axis has no zero

matplotlib.rcParams.update(
    {
        "svg.hashsalt": "tfseqgan",
        "svg.fonttype": "none",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
    }
)


def available(names: Iterable[str], seed: dict) -> list[str]:
    """Returns the names of the stages for which a seed has results."""
    return [name for name in names if name in seed]


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as SVG, without the date."""
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def make_panels(count: int, height: float = 2.8) -> tuple[Figure, np.ndarray]:
    """Returns a figure and an array of its axes, side by side."""
    figure = Figure(figsize=(3.4 * count, height))
    axes = figure.subplots(1, count)

    return figure, np.atleast_1d(axes)


def colours_of(names: Sequence) -> dict[Any, Any]:
    """Returns a colour for each name, from dark to light."""
    colormap = matplotlib.colormaps["viridis"]
    return {name: colormap(index / len(names)) for index, name in enumerate(names)}


def plot_curve(
    axis: Axes, result: dict, curve: str, start: float | None = None, **style: Any
) -> None:
    """Draws one curve of a run over the rounds. Rounds without a value are skipped.

    Args:
        axis: to draw on.
        result: a JSON file of a run.
        curve: its name in the file.
        start: the value before the first round, if there is one.
        **style: of the line.
    """
    # Validation happens at the end of a round, all other figures belong to its beginning.
    completed = 1 if curve.startswith("val_") else 0

    points = [] if start is None else [(0, start)]
    for number, value in zip(result["rounds"], result["curves"][curve], strict=True):
        if value is not None:
            points.append((number + completed, value))

    axis.plot(
        [number for number, _ in points],
        [value for _, value in points],
        **style,
    )


def plot_runs(
    seeds: Sequence[dict],
    names: Mapping[str, str],
    colours: Mapping[str, Any],
    logarithmic: Sequence[str] = (),
) -> Figure:
    """Draws three curves of some runs: validation NLL, entropy and mean reward.

    Args:
        seeds: the results; the labels belong to the first seed.
        names: the labels of the runs to draw; a seed need not have all of them.
        colours: of these runs.
        logarithmic: the curves that have a logarithmic axis.
    """
    figure, axes = make_panels(len(CURVES))
    for axis, (curve, label) in zip(axes, CURVES.items(), strict=True):
        for index, seed in enumerate(seeds):
            for name in available(names, seed):
                start = seed["discriminator"]["evaluation"]["nll"] if curve == "val_nll" else None
                plot_curve(
                    axis,
                    seed[name],
                    curve,
                    start,
                    color=colours[name],
                    lw=1.2,
                    alpha=0.9,
                    label=names[name] if index == 0 else None,
                )

        scale = "log" if curve in logarithmic else "linear"
        axis.set(xlabel="rounds", ylabel=label, yscale=scale)

    axes[0].legend()
    return figure


def rounds(seeds: Sequence[dict]) -> Figure:
    """Draws the three models of Table 1 over the rounds, for every seed."""
    return plot_runs(seeds, ADVERSARIAL_NAMES, COLOURS, logarithmic=["reward_mean"])


def sweep(seed: dict) -> Figure:
    """Draws the runs with entropy weights from 1 to 0."""
    figure = plot_runs([seed], SWEEP, colours_of(list(SWEEP)), logarithmic=["reward_mean"])

    entropy_axis = figure.axes[1]
    uniform = math.log(seed["merl"]["data"]["vocabulary_size"])
    entropy_axis.axhline(uniform, color="grey", ls=":", lw=1)
    entropy_axis.annotate("log V, uniform", (0, uniform), va="bottom", color="grey", fontsize=7)

    return figure


def shapes(seed: dict) -> Figure:
    """Draws the runs with three shapes of the reward and the same baseline.

    These rewards have different scales. The third panel therefore shows the discriminator's
    accuracy instead of the reward.
    """
    colours = colours_of(list(SHAPES))
    figure = plot_runs([seed], SHAPES, colours)

    axis = figure.axes[2]
    axis.clear()
    for name in available(SHAPES, seed):
        plot_curve(axis, seed[name], "discriminator_accuracy", color=colours[name], lw=1.2)
    axis.set(xlabel="rounds", ylabel="D's accuracy, dropout off", ylim=(0.4, 1.02))

    return figure


def scratch(seeds: Sequence[dict]) -> Figure:
    """Draws the reward and the entropy of the runs that start from random weights."""
    figure, (reward_axis, entropy_axis) = make_panels(2)
    for index, seed in enumerate(seeds):
        for name, label in ADVERSARIAL_NAMES.items():
            run = seed.get(f"{name}_from_scratch")
            if run is not None:
                style = {
                    "color": COLOURS[name],
                    "lw": 1.2,
                    "label": label if index == 0 else None,
                }
                plot_curve(reward_axis, run, "reward_mean", **style)
                plot_curve(entropy_axis, run, "entropy", **style)

    scale = "log" if reward_axis.lines else "linear"
    reward_axis.set(xlabel="rounds", ylabel="mean reward", yscale=scale)
    entropy_axis.set(xlabel="rounds", ylabel="H(gen), nats a token", ylim=(0, 8.5))
    if reward_axis.lines:
        reward_axis.legend()

    return figure


def logits_of_fixed_sequences(seed: dict) -> Figure:
    """Draws how the reward moves while the discriminator learns.

    The sequences do not change: fifty of the validation tunes and fifty samples of the NLL model.
    The discriminators are those at the start and of every tenth round.
    """
    figure, axes = make_panels(3)
    for axis, (name, title) in zip(axes, ADVERSARIAL_NAMES.items(), strict=True):
        recorded = seed[name]["judgements"]
        logits = np.array(list(recorded.values()))  # [times, 100]
        when = [0 if key == "start" else int(key) + 1 for key in recorded]

        for part, colour, label in (
            (logits[:, :50], "#0072b2", "validation"),
            (logits[:, 50:], "#d55e00", "NLL samples"),
        ):
            axis.plot(when, part, color=colour, alpha=0.15, lw=0.6)
            axis.plot(when, np.median(part, axis=1), color=colour, lw=1.8, label=label)

        axis.axhline(0, color="grey", ls=":", lw=1)
        axis.set(xlabel="rounds", title=title)

    axes[0].set_ylabel("logit D")
    axes[0].legend()
    return figure


def policies(figure2: dict) -> Figure:
    """Draws π(·|s₁₅) of every model on one degenerate trajectory of the ordinary model."""
    figure = Figure(figsize=(10, 4.6))
    axes = figure.subplots(4, 1, sharex=True)
    for axis, (name, probabilities) in zip(axes, figure2["pi_15"].items(), strict=True):
        axis.bar(range(len(probabilities)), probabilities, color=COLOURS[name], width=0.85)
        axis.set_ylim(0, 1)

        entropy = figure2["entropy_15"][name]
        axis.set_title(f"{NAMES[name]}: entropy {entropy:.2f} nats", loc="left", fontsize=8)

    axes[-1].set_xlabel("tokens: the twenty likeliest of each model, in the order of their ids")
    return figure


def entropies(figure2: dict) -> Figure:
    """Draws the entropy of π(·|s_t) over t: mean and standard error of a hundred trajectories."""
    figure, (axis,) = make_panels(1, height=3.2)
    for name, values in figure2["entropy_over_time"].items():
        mean = np.array(values)
        error = np.array(figure2["entropy_over_time_stderr"][name])

        axis.plot(mean, color=COLOURS[name], lw=1.2, label=NAMES[name])
        axis.fill_between(
            range(len(mean)),
            mean - error,
            mean + error,
            color=COLOURS[name],
            alpha=0.2,
            lw=0,
        )

    axis.set(xlabel="t", ylabel="entropy of π(·|s_t), nats")
    axis.legend()
    return figure


def piano_roll(picture: dict) -> Figure:
    """Draws a sample as a piano roll, the melody over its chords."""
    figure = Figure(figsize=(10, 2.8))
    axis = figure.subplots()
    for start, duration, pitches in picture["chords"]:
        axis.barh(
            pitches,
            duration / TICKS_PER_QUARTER,
            left=start / TICKS_PER_QUARTER,
            height=0.8,
            color="#9ecae1",
            lw=0,
        )

    starts, durations, pitches = np.array(picture["melody"]).reshape(-1, 3).T
    axis.barh(
        pitches,
        durations / TICKS_PER_QUARTER,
        left=starts / TICKS_PER_QUARTER,
        height=0.8,
        color="#d55e00",
        edgecolor="white",
        lw=0.4,
    )

    axis.set(xlabel="quarter notes", ylabel="MIDI pitch")
    return figure


def tabular(result: dict) -> Figure:
    """Draws the regret J* − J(π) of the tabular policies among 256 sequences, mean of the seeds.

    One panel for each plan, annealed and fixed; one line for each α.
    """
    runs = [run for run in result["runs"] if run["sequences"] == 256]
    colours = colours_of(sorted({run["entropy_weight"] for run in runs}, reverse=True))

    figure, axes = make_panels(2)
    for axis, plan in zip(axes, ("annealed", "fixed"), strict=True):
        runs_of_plan = [run for run in runs if run["plan"] == plan]
        for run in runs_of_plan:
            alpha = run["entropy_weight"]
            regret = run["optimal_j"] - np.mean(run["curves"]["j"], axis=0)  # [times]
            axis.plot(
                result["steps"],
                np.maximum(regret, SMALLEST_REGRET),
                color=colours[alpha],
                lw=1.2,
                label=f"α = {alpha:g}",
            )

        axis.set(xlabel="step", ylabel="J* − J(π)", yscale="log", title=plan)
        axis.legend(fontsize=7)

    return figure
