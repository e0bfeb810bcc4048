"""Figures as a table to read."""

from collections.abc import Mapping

_HEADINGS = {
    "nll": "H(data,gen)",
    "bleu": "BLEU",
    "entropy": "H(gen)",
    "reward_mean": "reward",
    "reward_std": "spread",
    "precision": "precision",
    "recall": "recall",
    "auc": "AUC",
    "num_real": "real",
    "num_generated": "generated",
}


def _format_cell(row, key):
    """Returns a figure with its standard error in brackets, or "-" where there is no figure."""
    value = row.get(key)
    error = row.get(f"{key.removesuffix('_mean')}_stderr")
    is_missing = value is None or value != value  # NaN differs from itself
    if is_missing:
        return "-"

    text = str(value) if isinstance(value, int) else f"{value:.3f}"

    return text if error is None else f"{text} ({error:.3f})"


def format_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Formats evaluation figures as the paper's Table 1, standard errors in brackets.

    Args:
        rows: for the name of each model its figures, as `evaluate` returns them.

    Returns:
        A heading and one line for each model, without a line break at the end. A figure that is
        missing or NaN is shown as "-".

    Example:
        >>> figures = {"nll": 2.5, "nll_stderr": 0.01, "num_real": 4, "num_generated": 5}
        >>> print(format_table({"mine": figures}))
        model  H(data,gen)    BLEU  H(gen)  reward  spread  precision  recall  AUC  real  generated
        mine   2.500 (0.010)  -     -       -       -       -          -       -    4     5
    """
    table = [["model", *_HEADINGS.values()]]
    for name, row in rows.items():
        table.append([name, *(_format_cell(row, key) for key in _HEADINGS)])

    columns = zip(*table, strict=True)
    widths = [max(len(text) for text in column) for column in columns]
    lines = []
    for cells in table:
        padded = [text.ljust(width) for text, width in zip(cells, widths, strict=True)]
        lines.append("  ".join(padded).rstrip())

    return "\n".join(lines)
