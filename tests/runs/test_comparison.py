"""Runs side by side: seeds are averaged, and nothing else is."""

import csv
import io
import json
import statistics

import pytest
from written_runs import FIGURES, write_run

from tfseqgan.files import write_json
from tfseqgan.runs.comparison import (
    Spread,
    compare_runs,
    comparison_as_csv,
    comparison_as_plain,
    format_comparison,
)

NLLS = (2.0, 2.5, 4.0)


@pytest.fixture
def runs(tmp_path):
    """Three seeds of one kind of run, and one run of another kind."""
    same = [
        write_run(tmp_path / f"a{seed}", {"maximum likelihood": FIGURES | {"nll": nll}}, seed=seed)
        for seed, nll in enumerate(NLLS)
    ]

    return [same[0], write_run(tmp_path / "b", units=7), *same[1:]]


def test_runs_that_differ_in_the_seed_alone_are_one_group_with_mean_and_deviation(runs):
    several, single = compare_runs(runs)

    assert (several.name, several.seeds) == ("A", (0, 1, 2))
    assert several.runs == tuple(str(runs[index]) for index in (0, 2, 3))
    assert several.figures["maximum likelihood"]["nll"] == Spread(
        pytest.approx(sum(NLLS) / 3), pytest.approx(statistics.stdev(NLLS))
    )
    assert several.figures["maximum likelihood"]["auc"] is None
    assert (single.name, single.seeds) == ("B", (0,))
    assert single.figures["maximum likelihood"]["nll"] == Spread(2.5, None)


def test_a_group_is_described_by_what_distinguishes_it(runs):
    several, single = compare_runs(runs)

    assert several.settings == {"units": 512}
    assert single.settings == {"units": 7}


def test_runs_on_other_data_are_no_seeds_of_each_other(tmp_path):
    ours = write_run(tmp_path / "ours", seed=1)
    theirs = write_run(tmp_path / "theirs", seed=2, sha256="f" * 64)

    groups = compare_runs([ours, theirs])

    assert [group.settings for group in groups] == [
        {"data": "00000000"},
        {"data": "ffffffff"},
    ]


def test_runs_from_other_starts_are_no_seeds_of_each_other(tmp_path):
    start = {"model": "/runs/first", "sha256": "1" * 64}
    scratch = write_run(tmp_path / "scratch", seed=1)
    tuned = write_run(tmp_path / "tuned", seed=2, start=start)

    groups = compare_runs([scratch, tuned])

    assert [group.settings for group in groups] == [{"start": "none"}, {"start": "first 11111111"}]


def test_a_figure_that_one_seed_lacks_has_no_mean(tmp_path):
    runs = [write_run(tmp_path / "0", seed=0)]
    runs.append(write_run(tmp_path / "1", {"maximum likelihood": {"nll": 2.0}}, seed=1))

    (group,) = compare_runs(runs)

    assert group.figures["maximum likelihood"]["bleu"] is None
    assert group.figures["maximum likelihood"]["nll"].mean == 2.25


def test_the_table_names_the_groups_and_fits_80_columns(runs):
    text = format_comparison(compare_runs(runs))
    table = text.split("\n\n", 1)[1]

    a, b, *_ = text.splitlines()
    assert a == f"A  units 512, 3 seeds (0, 1, 2): {runs[0]} {runs[2]} {runs[3]}"
    assert b == f"B  units 7, seed 0: {runs[1]}"
    assert "A maximum likelihood  2.833 ± 1.041  0.250 ± 0.000" in table
    assert "B maximum likelihood  2.500          0.250" in table
    assert max(map(len, table.splitlines())) <= 80


def test_only_the_columns_that_are_named_are_shown(runs):
    text = format_comparison(compare_runs(runs), ("auc", "num_real"))

    assert "\ngroup, stage          AUC  real\nA maximum likelihood  -    4" in text


def test_the_comparison_as_json_has_mean_deviation_and_number(runs):
    plain = json.loads(json.dumps(comparison_as_plain(compare_runs(runs))))

    first, second = plain["groups"]
    assert first["seeds"] == [0, 1, 2]
    assert first["settings"] == {"units": 512}
    nll = first["figures"]["maximum likelihood"]["nll"]
    assert nll == {
        "mean": pytest.approx(sum(NLLS) / 3),
        "sd": pytest.approx(statistics.stdev(NLLS)),
        "n": 3,
    }
    assert second["figures"]["maximum likelihood"]["nll"] == {"mean": 2.5, "sd": None, "n": 1}
    assert second["figures"]["maximum likelihood"]["auc"] is None


def test_the_comparison_as_csv_has_a_row_for_each_stage_of_each_group(tmp_path):
    rows = {"maximum likelihood": {"nll": 2.0}, "merl": {"nll": 3.0, "auc": 0.5}}
    runs = [write_run(tmp_path / "a", rows, rounds=3, objective="merl", seed=4)]
    runs.append(write_run(tmp_path / "b"))

    text = comparison_as_csv(compare_runs(runs), ("nll", "auc"))

    found = list(csv.DictReader(io.StringIO(text)))
    assert [(row["group"], row["stage"]) for row in found] == [
        ("A", "maximum likelihood"),
        ("A", "merl"),
        ("B", "maximum likelihood"),
    ]
    assert found[1] == {
        "group": "A",
        "stage": "merl",
        "n": "1",
        "seeds": "4",
        "runs": str(runs[0]),
        "objective": "merl",
        "rounds": "3",
        "nll": "3.0",
        "nll_sd": "",
        "auc": "0.5",
        "auc_sd": "",
    }


@pytest.mark.parametrize(
    "file, words",
    [
        ("config.json", "config.json does not exist; expected a run folder made by 'tfseqgan"),
        ("evaluation.json", "evaluation.json does not exist; expected a run that has reached"),
    ],
)
def test_what_is_no_finished_run_is_not_compared(runs, file, words):
    (runs[2] / file).unlink()

    with pytest.raises(ValueError, match=words):
        compare_runs(runs)


def test_figures_that_were_changed_are_not_compared(runs):
    write_json(runs[2] / "evaluation.json", {"maximum likelihood": {"nll": 1.0}})

    with pytest.raises(ValueError, match="is not what the run wrote: expected sha256"):
        compare_runs(runs)


def test_a_run_whose_rounds_have_not_ended_is_not_compared(tmp_path):
    run = write_run(tmp_path / "run", rounds=5, objective="merl")

    with pytest.raises(ValueError, match="no figures of merl; expected .* has ended. Resume it: "):
        compare_runs([run])


@pytest.mark.parametrize("rows", [[1], {"merl": 3}, {"merl": {"nll": "low"}}], ids=str)
def test_a_file_without_figures_is_not_compared(tmp_path, rows):
    run = write_run(tmp_path / "run", rows)

    with pytest.raises(ValueError, match="holds no figures by the name of a stage; expected"):
        compare_runs([run])


def test_a_run_is_not_counted_twice(runs, monkeypatch):
    monkeypatch.chdir(runs[0].parent)

    with pytest.raises(ValueError, match="a0 is given 2 times; expected different runs"):
        compare_runs([*runs, "a0"])
