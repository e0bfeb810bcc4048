"""The tables of docs/multimodal_world.md, from the JSON file of experiments/multimodal_world.py.

python experiments/multimodal_world_page.py
"""

import json
from pathlib import Path
from typing import Any

from pages import make_table, replace_block

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "experiments" / "results" / "multimodal_world.json"
PAGE = ROOT / "docs" / "multimodal_world.md"

IN_NATS = ("kl_data_policy", "kl_policy_data", "entropy")
OF_MODES = ("modes_kept", "modes_lost")

Result = dict[str, Any]


def name_of(run: Result) -> str:
    """Returns the method as code, what is special to it after a comma as text.

    Example:
        >>> name_of({"method": "merl, α = 1", "discriminator": "exact"})
        '`merl`, α = 1'
        >>> name_of({"method": "maximum likelihood, trained on", "discriminator": None})
        'maximum likelihood, trained on'
    """
    recipe, *rest = run["method"].split(", ")
    is_recipe = run["discriminator"] and not recipe.startswith("cooperative")

    return ", ".join([f"`{recipe}`" if is_recipe else recipe, *rest])


def format_figures(figures: dict[str, Any], num_modes: int) -> list[str]:
    """Returns means and standard deviations over the seeds, and each seed's number of modes."""
    nats = [f"{figures[name]['mean']:.4f} ± {figures[name]['std']:.4f}" for name in IN_NATS]
    modes = [
        ", ".join(str(round(share * num_modes)) for share in figures[name]["each"])
        for name in OF_MODES
    ]

    return [*nats, *modes]


def figures_table(result: Result) -> str:
    """Returns the table of the final figures: the data, the start, and every run."""
    num_modes = len(result["world"]["modes"])
    header = [
        "discriminator",
        "method",
        "learning rate",
        "KL(p_data‖π)",
        "KL(π‖p_data)",
        "H(π)",
        f"modes kept, of {num_modes}",
        "modes lost",
    ]
    data = ["", "p_data", "", "0", "0", f"{result['world']['entropy']:.4f}", f"{num_modes}", "0"]
    start = ["", "the start", "", *format_figures(result["start"], num_modes)]
    runs = [
        [
            run["discriminator"] or "",
            name_of(run),
            f"{run['learning_rate']:g}",
            *format_figures(run["figures"], num_modes),
        ]
        for run in result["runs"]
    ]

    return make_table(header, [data, start, *runs])


def limits_table(result: Result) -> str:
    """Returns the table of where some methods end if their odds are exact and samples endless."""
    rows = [
        [
            name_of({"method": name, "discriminator": "exact"}),
            f"{limit['mean']:.4f} ± {limit['std']:.4f}",
        ]
        for name, limit in result["limits"].items()
    ]

    return make_table(["method", "KL(p_data‖π) at its limit"], rows)


def rates_table(result: Result) -> str:
    """Returns the table of KL(p_data‖π), and of the modes that were kept, by learning rate."""
    num_modes = len(result["world"]["modes"])
    rates = [f"{record['learning_rate']:g}" for record in result["runs"][0]["sweep"]]
    rows = [
        [
            run["discriminator"] or "",
            name_of(run),
            *(
                f"{record['kl_data_policy']:.3f} ({round(record['modes_kept'] * num_modes)})"
                for record in run["sweep"]
            ),
        ]
        for run in result["runs"]
    ]

    return make_table(["discriminator", "method", *rates], rows)


def render() -> str:
    """Returns the page with its tables made from the JSON file."""
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    page = replace_block(page, "figures", figures_table(result))
    page = replace_block(page, "limits", limits_table(result))

    return replace_block(page, "rates", rates_table(result))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
