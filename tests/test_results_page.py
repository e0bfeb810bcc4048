"""docs/results.md shows what the JSON files say: rendering it again changes no byte."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import import_experiment

pytest.importorskip("matplotlib", reason='the figures need the extra "viz"')
pytest.importorskip("verovio", reason='the sheet music needs the extra "viz"')

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
RESULTS = ROOT / "experiments" / "results" / "table1"
PUBLISHED_RUNS = sorted(
    path for path in RESULTS.glob("*/*/seed*/*.json") if not path.stem.startswith("figure")
)


@pytest.fixture(scope="module")
def page():
    """The module experiments/results_page.py."""
    return import_experiment("results_page")


def read_files(folder: Path) -> dict[str, bytes]:
    """Returns the content of every file in a folder by its name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_rendering_the_page_again_changes_no_byte(page, tmp_path):
    shutil.copy(DOCS / "results.md", tmp_path)
    page.render(tmp_path / "results.md")

    assert (tmp_path / "results.md").read_bytes() == (DOCS / "results.md").read_bytes()

    rendered = read_files(tmp_path / "results")
    kept = read_files(DOCS / "results")
    assert rendered.keys() == kept.keys()
    assert [name for name in kept if rendered[name] != kept[name]] == []


def test_table_1_shows_mean_and_spread_over_the_seeds(page):
    seeds = [
        {"ordinary": {"evaluation": dict.fromkeys(page.COLUMNS, value)}}
        for value in (1.0, 2.0, 3.0)
    ]
    table = page.table1(seeds)

    assert "| ours, 3 seeds | 2.000 ± 1.000 |" in table
    assert "| ours, 0 seeds | – |" in table


def test_a_missing_figure_is_shown_as_a_dash(page):
    assert page.mean_and_spread([0.5, None]) == "–"


@pytest.mark.parametrize("path", PUBLISHED_RUNS, ids=lambda path: "/".join(path.parts[-4:]))
def test_a_published_run_states_its_samples_its_errors_its_seed_and_its_versions(path):
    result = json.loads(path.read_text())

    assert {
        "arguments",
        "networks",
        "seed",
        "versions",
        "seconds",
        "curves",
        "rounds",
        "data",
    } <= result.keys()
    assert f"seed{result['seed']}" == path.parent.name
    assert result["schedule"] == path.parent.parent.name

    columns = result["evaluation"]
    assert columns["num_generated"] >= 350
    assert columns["num_real"] >= 56
    for name in columns:
        if not name.startswith("num_") and not name.endswith("_stderr"):
            assert f"{name.removesuffix('_mean')}_stderr" in columns
