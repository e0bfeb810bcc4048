"""Claims about tfseqgan.tables that those about runs do not make."""

from tfseqgan.evaluation.table import format_table


def test_a_table_of_nothing_is_its_heading():
    assert (
        format_table({})
        == "model  H(data,gen)  BLEU  H(gen)  reward  spread  precision  recall  AUC  real  generated"
    )


def test_no_line_ends_in_blanks_and_columns_stand_below_each_other():
    rows = {
        "a": {"nll": 1.0, "nll_stderr": 0.5, "num_real": 3},
        "a longer name": {"auc": 0.25, "num_generated": 1234567},
    }
    heading, *lines = format_table(rows).splitlines()
    assert [line for line in (heading, *lines) if line != line.rstrip()] == []
    assert lines[1].index("0.250") == heading.index("AUC") and lines[1].index(
        "1234567"
    ) == heading.index("generated")


def test_a_spread_has_no_error_and_a_mean_has_its_own():
    row = {"reward_mean": 0.5, "reward_stderr": 0.125, "reward_std": 0.25}
    assert "0.500 (0.125)  0.250  " in format_table({"mine": row})
