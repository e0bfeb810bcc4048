"""Evaluation figures as a table."""

from tfseqgan.evaluation.table import format_table

HEADINGS = (
    "model  H(data,gen)  BLEU  H(gen)  reward  spread  precision  recall  AUC  real  generated"
)


def test_a_table_without_rows_is_its_headings():
    assert format_table({}) == HEADINGS


def test_columns_are_aligned_and_no_line_ends_in_blanks():
    rows = {
        "a": {"nll": 1.0, "nll_stderr": 0.5, "num_real": 3},
        "a longer name": {"auc": 0.25, "num_generated": 1234567},
    }

    lines = format_table(rows).splitlines()
    headings, _, last = lines

    assert all(line == line.rstrip() for line in lines)
    assert last.index("0.250") == headings.index("AUC")
    assert last.index("1234567") == headings.index("generated")


def test_a_standard_error_stands_after_its_own_figure_alone():
    row = {"reward_mean": 0.5, "reward_stderr": 0.125, "reward_std": 0.25}

    assert "0.500 (0.125)  0.250  " in format_table({"mine": row})


def test_a_missing_figure_and_nan_are_shown_as_a_dash():
    _, line = format_table({"mine": {"precision": float("nan"), "recall": 1.0}}).splitlines()

    assert line.split() == ["mine", "-", "-", "-", "-", "-", "-", "1.000", "-", "-", "-"]
