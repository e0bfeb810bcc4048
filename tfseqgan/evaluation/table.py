"""Figures as a table to read."""


def format_table(rows):
    """Returns evaluation rows as the paper's Table 1, standard errors in brackets.

    Args:
        rows: what `train_run` and `evaluate_run` return.

    Example:
        >>> print(format_table({"mine": {"nll": 2.5, "nll_stderr": 0.01, "num_real": 4, "num_generated": 5}}))
        model  H(data,gen)    BLEU  H(gen)  reward  spread  precision  recall  AUC  real  generated
        mine   2.500 (0.010)  -     -       -       -       -          -       -    4     5
    """
    keys = {
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

    def cell(row, key):
        value, error = row.get(key), row.get(key.removesuffix("_mean") + "_stderr")
        if value is None or value != value:
            return "-"
        text = str(value) if isinstance(value, int) else f"{value:.3f}"
        return f"{text} ({error:.3f})" if error is not None else text

    table = [["model", *keys.values()]] + [
        [name, *(cell(row, key) for key in keys)] for name, row in rows.items()
    ]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in table
    )
