"""Evaluation figures as a table."""

import pytest

from tfseqgan.evaluation.table import HEADINGS, align, format_table


def blocks_of(text):
    """Returns the blocks of a table, each as its lines."""
    return [block.splitlines() for block in text.split("\n\n")]


def test_a_table_without_rows_is_its_headings():
    assert format_table({}, width=200) == (
        "model  H(data,gen)  BLEU  H(gen)  reward  spread  precision  recall  AUC  real  generated"
    )


def test_columns_are_aligned_and_no_line_ends_in_blanks():
    rows = {
        "a": {"nll": 1.0, "nll_stderr": 0.5, "num_real": 3},
        "a longer name": {"auc": 0.25, "num_generated": 1234567},
    }

    lines = format_table(rows, width=200).splitlines()
    headings, _, last = lines

    assert all(line == line.rstrip() for line in lines)
    assert last.index("0.250") == headings.index("AUC")
    assert last.index("1234567") == headings.index("generated")


@pytest.mark.parametrize("longest", ["merl", "reinforce_with_baseline"])
def test_a_table_fits_80_columns_with_each_figure_once_and_the_model_in_every_block(longest):
    figures = {key: 2.5 for key in HEADINGS}
    errors = {f"{key.removesuffix('_mean')}_stderr": 0.125 for key in HEADINGS}

    blocks = blocks_of(format_table({"maximum likelihood": figures, longest: figures | errors}))

    assert len(blocks) > 1
    assert all(len(line) <= 80 for block in blocks for line in block)
    headings = [block[0].split() for block in blocks]
    assert all(names[0] == "model" for names in headings)
    assert [name for names in headings for name in names[1:]] == list(HEADINGS.values())
    for _, first, second in blocks:
        assert first.split()[:3] == ["maximum", "likelihood", "2.500"]
        assert second.startswith(longest)


def test_the_blocks_of_a_table_are_as_few_and_as_equal_as_can_be():
    table = [["k", *(f"c{index}" for index in range(7))]]

    two_blocks = align(table, width=26)

    assert [len(block[0].split()) - 1 for block in blocks_of(two_blocks)] == [4, 3]
    assert align(table, width=29).count("\n") == 0


def test_a_column_that_is_too_wide_by_itself_is_shown_all_the_same():
    assert align([["key", "a" * 30, "b"]], width=10) == f"key  {'a' * 30}\n\nkey  b"


def test_a_standard_error_stands_after_its_own_figure_alone():
    row = {"reward_mean": 0.5, "reward_stderr": 0.125, "reward_std": 0.25}

    assert "0.500 (0.125)  0.250  " in format_table({"mine": row}, width=200)


def test_a_missing_figure_and_nan_are_shown_as_a_dash():
    rows = {"mine": {"precision": float("nan"), "recall": 1.0}}

    _, line = format_table(rows, width=200).splitlines()

    assert line.split() == ["mine", "-", "-", "-", "-", "-", "-", "1.000", "-", "-", "-"]
