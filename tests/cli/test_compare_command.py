"""`tfseqgan compare`: what it prints and writes, and that it starts without TensorFlow."""

import json
import subprocess
import sys

import pytest
from running_commands import ROOT, assert_one_line_and_code_1
from written_runs import write_run

processes = pytest.mark.processes


@pytest.fixture
def runs(tmp_path):
    """Two seeds of one kind of run."""
    return [write_run(tmp_path / f"run{seed}", seed=seed) for seed in (3, 5)]


def test_compare_prints_the_groups_and_writes_them_to_a_file(tfseqgan, runs, tmp_path):
    as_csv = tmp_path / "groups.csv"

    code, out, err = tfseqgan("compare", *runs, "--csv", as_csv)

    assert (code, err) == (0, "")
    assert out.startswith(f"A  2 seeds (3, 5): {runs[0]} {runs[1]}\n\ngroup, stage ")
    assert as_csv.read_text().startswith("group,stage,n,seeds,runs,nll,nll_sd,bleu,bleu_sd,")


def test_compare_as_json_prints_the_groups_and_nothing_else(tfseqgan, runs):
    code, out, err = tfseqgan("compare", *runs, "--json")

    assert (code, err) == (0, "")
    (group,) = json.loads(out)["groups"]
    assert group["figures"]["maximum likelihood"]["nll"] == {"mean": 2.5, "sd": 0.0, "n": 2}


def test_compare_does_not_replace_a_file_unless_asked(tfseqgan, runs, tmp_path):
    mine = tmp_path / "mine.csv"
    mine.write_text("mine")

    result = tfseqgan("compare", *runs, "--csv", mine)

    assert_one_line_and_code_1(result, "Pass --overwrite, or choose another --csv.")
    assert mine.read_text() == "mine"
    assert tfseqgan("compare", *runs, "--csv", mine, "--overwrite")[0] == 0
    assert mine.read_text() != "mine"


def test_a_column_that_nobody_knows_is_asked_back(tfseqgan, runs):
    code, _, err = tfseqgan("compare", *runs, "--columns", "nll,belu")

    assert code == 2
    assert "received 'belu'. Did you mean 'bleu'?" in err


def test_a_folder_without_a_run_is_one_line_and_code_1(tfseqgan, runs, tmp_path):
    result = tfseqgan("compare", *runs, tmp_path)

    assert_one_line_and_code_1(result, "expected a run folder made by 'tfseqgan train'")


@processes
def test_runs_are_compared_without_tensorflow(runs):
    code = (
        "import json, sys\n"
        "from tfseqgan.cli import main\n"
        "main.main(main.parse(['tfseqgan', 'compare', *sys.argv[1:]]))\n"
        "print(json.dumps(sorted({'tensorflow', 'keras'} & set(sys.modules))))"
    )

    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, runs)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(result.stdout.splitlines()[-1]) == []
