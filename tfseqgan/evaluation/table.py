"""Figures as a table to read."""

from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 80
"""The columns of a terminal that every table fits into."""

HEADINGS = {
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
"""The figures of a table in their order, and what each is called there."""

_VERDICT_HEADINGS = (
    "judge",
    "place",
    "seed",
    "cross-entropy (of 0.693)",  # ln 2, that of a judge which cannot tell
    "AUC (95 % interval)",
    "epochs",
)


def _format_cell(row, key):
    """Returns a figure with its standard error in brackets, or "-" where there is no figure."""
    value = row.get(key)
    error = row.get(f"{key.removesuffix('_mean')}_stderr")
    is_missing = value is None or value != value  # NaN differs from itself
    if is_missing:
        return "-"

    text = str(value) if isinstance(value, int) else f"{value:.3f}"

    return text if error is None else f"{text} ({error:.3f})"


def _split_columns(widths, limit):
    """Returns the indices of the columns of each block that is at most `limit` wide, if it can be.

    The first column begins every block.
    """
    blocks = [[]]
    left = limit - widths[0]
    for index, width in enumerate(widths[1:], 1):
        if width + 2 > left and blocks[-1]:
            blocks.append([])
            left = limit - widths[0]
        blocks[-1].append(index)
        left -= width + 2

    return [[0, *block] for block in blocks]


def _balanced_columns(widths, limit):
    """Returns as few blocks of columns as fit, as equally wide as can be."""
    blocks = _split_columns(widths, limit)
    narrower = (_split_columns(widths, width) for width in range(max(widths), limit))

    return next((split for split in narrower if len(split) == len(blocks)), blocks)


def align(table: Sequence[Sequence[str]], width: int = WIDTH) -> str:
    """Aligns the columns of a table, and stacks what is too wide in blocks.

    Args:
        table: a heading and rows, all of the same number of cells.
        width: the most characters of a line. A table with more is split between two columns, as
            often as need be, and its blocks stand below each other, with the first column in each.

    Returns:
        The lines, blocks apart by an empty line, without a line break at the end.

    Example:
        >>> print(align([["model", "nll", "bleu"], ["mine", "2.5", "0.3"]], width=12))
        model  nll
        mine   2.5
        <BLANKLINE>
        model  bleu
        mine   0.3
    """
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    blocks = []
    for columns in _balanced_columns(widths, width):
        lines = ["  ".join(row[index].ljust(widths[index]) for index in columns) for row in table]
        blocks.append("\n".join(line.rstrip() for line in lines))

    return "\n\n".join(blocks)


def format_table(rows: Mapping[str, Mapping[str, float]], width: int = WIDTH) -> str:
    """Formats evaluation figures as the paper's Table 1, standard errors in brackets.

    Args:
        rows: for the name of each model its figures, as `evaluate` returns them.
        width: the most characters of a line. What is wider stands in blocks below each other.

    Returns:
        A heading and one line for each model, in every block, without a line break at the end. A
        figure that is missing or NaN is shown as "-".

    Example:
        >>> figures = {"nll": 2.5, "nll_stderr": 0.01, "num_real": 4, "num_generated": 5}
        >>> print(format_table({"mine": figures}))
        model  H(data,gen)    BLEU  H(gen)  reward  spread
        mine   2.500 (0.010)  -     -       -       -
        <BLANKLINE>
        model  precision  recall  AUC  real  generated
        mine   -          -       -    4     5
    """
    table = [["model", *HEADINGS.values()]]
    for name, row in rows.items():
        table.append([name, *(_format_cell(row, key) for key in HEADINGS)])

    return align(table, width)


def _verdict_cells(verdict):
    """Returns the line of one judge."""
    return [
        verdict["kind"],
        "yes" if verdict["has_place"] else "no",
        str(verdict["seed"]),
        _format_cell(verdict, "cross_entropy"),
        "{auc:.3f} ({auc_low:.3f}, {auc_high:.3f})".format_map(verdict),
        str(verdict["epochs"]),
    ]


def format_verdicts(verdicts: Sequence[Mapping[str, Any]], width: int = WIDTH) -> str:
    """Formats what fresh judges say as a table, with the standard error of the cross-entropy.

    Args:
        verdicts: for each judge its figures by name (docs/glossary.md).
        width: as in `format_table`.

    Returns:
        A heading and one line for each judge, without a line break at the end.

    Example:
        >>> verdict = {"kind": "cnn", "has_place": True, "seed": 0, "epochs": 21}
        >>> verdict |= {"cross_entropy": 0.31, "cross_entropy_stderr": 0.012}
        >>> verdict |= {"auc": 0.95, "auc_low": 0.94, "auc_high": 0.96}
        >>> print(format_verdicts([verdict]))
        judge  place  seed  cross-entropy (of 0.693)  AUC (95 % interval)   epochs
        cnn    yes    0     0.310 (0.012)             0.950 (0.940, 0.960)  21
    """
    return align([_VERDICT_HEADINGS, *map(_verdict_cells, verdicts)], width)
