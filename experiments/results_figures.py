"""The figures of docs/results.md, drawn from the JSON of experiments/table1.py and experiments/tabular_world.py alone.

Each function takes what was read and returns a matplotlib figure. Drawn twice from the same JSON by the same matplotlib, a file has the same bytes.
"""

import math

import matplotlib
import numpy as np
from matplotlib.figure import Figure

COLOURS = {"nll": "#222222", "ordinary": "#d55e00", "baseline": "#0072b2", "merl": "#009e73"}
NAMES = {"nll": "NLL", "ordinary": "ordinary", "baseline": "reward baseline", "merl": "MERL α = 1"}
SWEEP = {
    "merl": "α = 1",
    "alpha_0.1": "α = 0.1",
    "alpha_0.01": "α = 0.01",
    "alpha_0.001": "α = 0.001",
    "alpha_0.0001": "α = 0.0001",
    "baseline": "α = 0",
}
SHAPES = {"baseline": "D", "log": "log D", "logit": "logit D"}
MEASURES = {
    "val_nll": "H(data, gen), nats a token",
    "entropy": "H(gen), nats a token",
    "reward_mean": "mean reward",
}

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


def save(figure, path):
    """Writes a figure as SVG without a date."""
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def panels(count, height=2.8):
    """Returns a figure and its axes side by side."""
    figure = Figure(figsize=(3.4 * count, height))
    return figure, np.atleast_1d(figure.subplots(1, count))


def plot_curve(axes, result, measure, start=None, **style):
    """Draws a measure over the rounds that lie behind; validation comes at a round's end, all else before its step. Rounds without a value are left out."""
    behind = measure.startswith("val_")
    values = [
        (number + behind, value)
        for number, value in zip(result["rounds"], result["curves"][measure])
        if value is not None
    ]
    axes.plot(*zip(*([(0, start)] * (start is not None) + values)), **style)


def curves(stages, names, colours, logarithmic=()):
    """Returns the three measures over the rounds: stages is a list of dicts of results, one a seed; the first seed carries the labels."""
    figure, axes = panels(len(MEASURES))
    for axis, (measure, label) in zip(axes, MEASURES.items()):
        for place, seed in enumerate(stages):
            for name in [name for name in names if name in seed]:
                start = seed["discriminator"]["evaluation"]["nll"] if measure == "val_nll" else None
                plot_curve(
                    axis,
                    seed[name],
                    measure,
                    start,
                    color=colours[name],
                    lw=1.2,
                    alpha=0.9,
                    label=None if place else names[name],
                )
        axis.set(
            xlabel="rounds", ylabel=label, yscale="log" if measure in logarithmic else "linear"
        )
    axes[0].legend()
    return figure


def sweep_colours(names):
    """Returns a colour a name, from dark to light."""
    return {
        name: matplotlib.colormaps["viridis"](place / len(names))
        for place, name in enumerate(names)
    }


def rounds(stages):
    """The three models of Table 1 over the rounds, every seed."""
    return curves(
        stages,
        {name: NAMES[name] for name in ("ordinary", "baseline", "merl")},
        COLOURS,
        ("reward_mean",),
    )


def sweep(seed):
    """The entropy weight from 1 to 0."""
    figure = curves([seed], SWEEP, sweep_colours(SWEEP), ("reward_mean",))
    vocabulary = seed["merl"]["data"]["vocabulary_size"]
    figure.axes[1].axhline(math.log(vocabulary), color="grey", ls=":", lw=1)
    figure.axes[1].annotate(
        "log V, uniform", (0, math.log(vocabulary)), va="bottom", color="grey", fontsize=7
    )
    return figure


def shapes(seed):
    """Three shapes of the reward at the same baseline. Their rewards have different scales, so that D's accuracy stands in their place."""
    figure = curves([seed], SHAPES, sweep_colours(SHAPES))
    axis = figure.axes[2]
    axis.clear()
    for name in [name for name in SHAPES if name in seed]:
        plot_curve(
            axis, seed[name], "discriminator_accuracy", color=sweep_colours(SHAPES)[name], lw=1.2
        )
    axis.set(xlabel="rounds", ylabel="D's accuracy, dropout off", ylim=(0.4, 1.02))
    return figure


def scratch(seeds):
    """The reward from random weights."""
    figure, (axis, entropy) = panels(2)
    for place, seed in enumerate(seeds):
        for name in [
            name for name in ("ordinary", "baseline", "merl") if f"{name}_from_scratch" in seed
        ]:
            style = {"color": COLOURS[name], "lw": 1.2, "label": None if place else NAMES[name]}
            plot_curve(axis, seed[f"{name}_from_scratch"], "reward_mean", **style)
            plot_curve(entropy, seed[f"{name}_from_scratch"], "entropy", **style)
    axis.set(xlabel="rounds", ylabel="mean reward", yscale="log" if axis.lines else "linear")
    entropy.set(xlabel="rounds", ylabel="H(gen), nats a token", ylim=(0, 8.5))
    if axis.lines:
        axis.legend()
    return figure


def judgements(seed):
    """How the reward moves: D of fifty fixed validation tunes and fifty fixed samples of the NLL model, by the discriminators of every tenth round."""
    figure, axes = panels(3)
    for axis, name in zip(axes, ("ordinary", "baseline", "merl")):
        kept = seed[name]["judgements"]
        logits = np.array(list(kept.values()))  # [times, 100]
        when = [0 if key == "start" else int(key) + 1 for key in kept]
        for part, colour, label in (
            (logits[:, :50], "#0072b2", "validation"),
            (logits[:, 50:], "#d55e00", "NLL samples"),
        ):
            axis.plot(when, part, color=colour, alpha=0.15, lw=0.6)
            axis.plot(when, np.median(part, axis=1), color=colour, lw=1.8, label=label)
        axis.axhline(0, color="grey", ls=":", lw=1)
        axis.set(xlabel="rounds", title=NAMES[name])
    axes[0].set_ylabel("logit D")
    axes[0].legend()
    return figure


def policies(figure2):
    """π(·|s₁₅) of every model on one degenerate trajectory of the ordinary model."""
    figure = Figure(figsize=(10, 4.6))
    axes = figure.subplots(4, 1, sharex=True)
    for axis, (name, probabilities) in zip(axes, figure2["pi_15"].items()):
        axis.bar(range(len(probabilities)), probabilities, color=COLOURS[name], width=0.85)
        axis.set_ylim(0, 1)
        axis.set_title(
            f"{NAMES[name]}: entropy {figure2['entropy_15'][name]:.2f} nats", loc="left", fontsize=8
        )
    axes[-1].set_xlabel("tokens: the twenty likeliest of each model, in the order of their ids")
    return figure


def entropies(figure2):
    """The entropy of π(·|s_t) over t: mean and standard error of a hundred trajectories."""
    figure, (axis,) = panels(1, 3.2)
    for name, mean in figure2["entropy_over_time"].items():
        mean, error = np.array(mean), np.array(figure2["entropy_over_time_stderr"][name])
        axis.plot(mean, color=COLOURS[name], lw=1.2, label=NAMES[name])
        axis.fill_between(
            range(len(mean)), mean - error, mean + error, color=COLOURS[name], alpha=0.2, lw=0
        )
    axis.set(xlabel="t", ylabel="entropy of π(·|s_t), nats")
    axis.legend()
    return figure


def piano_roll(picture):
    """A sample as a piano roll: the melody over its chords."""
    figure = Figure(figsize=(10, 2.8))
    axis = figure.subplots()
    for start, duration, pitches in picture["chords"]:
        axis.barh(pitches, duration / 24, left=start / 24, height=0.8, color="#9ecae1", lw=0)
    melody = np.array(picture["melody"]).reshape(-1, 3)
    axis.barh(
        melody[:, 2],
        melody[:, 1] / 24,
        left=melody[:, 0] / 24,
        height=0.8,
        color="#d55e00",
        edgecolor="white",
        lw=0.4,
    )
    axis.set(xlabel="quarter notes", ylabel="MIDI pitch")
    return figure


def tabular(result):
    """The regret J* − J(π) over the steps among 256 sequences, mean of the seeds: a line for every α, annealed and fixed."""
    figure, axes = panels(2)
    records = [record for record in result["runs"] if record["sequences"] == 256]
    colours = sweep_colours(sorted({record["entropy_weight"] for record in records}, reverse=True))
    for axis, plan in zip(axes, ("annealed", "fixed")):
        for record in [record for record in records if record["plan"] == plan]:
            regret = record["optimal_j"] - np.mean(record["curves"]["j"], axis=0)  # [times]
            alpha = record["entropy_weight"]
            axis.plot(
                result["steps"],
                np.maximum(regret, 1e-6),
                color=colours[alpha],
                lw=1.2,
                label=f"α = {alpha:g}",
            )
        axis.set(xlabel="step", ylabel="J* − J(π)", yscale="log", title=plan)
        axis.legend(fontsize=7)
    return figure
