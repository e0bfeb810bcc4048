"""docs/results.md says what the JSON says: rendering it again changes no byte of it, and every block is there."""

import json
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS, RESULTS = ROOT / "docs", ROOT / "experiments" / "results" / "table1"
pytest.importorskip("matplotlib", reason="the figures are drawn by the extra 'viz'")
pytest.importorskip("verovio", reason="the scores are engraved by the extra 'viz'")


@pytest.fixture(scope="module")
def page():
    """Returns experiments/results_page.py, which stands beside its figures and outside the package."""
    sys.path.insert(0, str(ROOT / "experiments"))
    try:
        import results_page

        yield results_page
    finally:
        sys.path.remove(str(ROOT / "experiments"))


def test_rendering_again_changes_no_byte(page, tmp_path):
    shutil.copy(DOCS / "results.md", tmp_path)
    page.render(tmp_path / "results.md")
    assert (tmp_path / "results.md").read_bytes() == (DOCS / "results.md").read_bytes()
    drawn, kept = (
        {path.name: path.read_bytes() for path in (folder / "results").iterdir()}
        for folder in (tmp_path, DOCS)
    )
    assert drawn.keys() == kept.keys()
    assert [name for name in kept if drawn[name] != kept[name]] == []


def test_a_page_without_a_block_is_refused(page):
    with pytest.raises(ValueError, match="0 blocks '<!-- table1 -->'; expected one"):
        page.replace_block("No blocks here.", "table1", "")


def test_a_block_is_replaced_whole_and_alone(page):
    text = "a\n<!-- one -->\nold\n<!-- end -->\nb\n<!-- two -->\nkept\n<!-- end -->\n"
    assert page.replace_block(text, "one", "new") == text.replace("old", "new")


def test_the_table_shows_mean_and_spread_over_seeds(page):
    seeds = [
        {"ordinary": {"evaluation": dict.fromkeys(page.COLUMNS, value)}}
        for value in (1.0, 2.0, 3.0)
    ]
    assert "| ours, 3 seeds | 2.000 ± 1.000 |" in page.table1(seeds)
    assert "| ours, 0 seeds | – |" in page.table1(seeds)


def test_a_missing_figure_is_a_dash(page):
    assert page.spread([0.5, None]) == "–"


@pytest.mark.parametrize(
    "path", sorted(RESULTS.glob("*/*/seed*/*.json")), ids=lambda path: "/".join(path.parts[-4:])
)
def test_every_published_run_states_its_samples_errors_seed_and_versions(path):
    result = json.loads(path.read_text())
    if path.stem.startswith("figure"):
        return
    columns = result["evaluation"]
    assert columns["num_generated"] >= 350 and columns["num_real"] >= 56
    figures = [
        name for name in columns if not name.startswith("num_") and not name.endswith("_stderr")
    ]
    assert all(f"{name.removesuffix('_mean')}_stderr" in columns for name in figures)
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
    assert (
        f"seed{result['seed']}" == path.parent.name
        and result["schedule"] == path.parent.parent.name
    )


def test_a_score_is_engraved_alike_whatever_was_engraved_before(page):
    tunes = [
        (DOCS / "results" / f"{name}.abc").read_text()
        for name in ("best_liked", "true_negative", "collapsed")
    ]
    first = page.engrave(tunes[0])
    for number in range(3):
        page.engrave(tunes[number])
        assert page.engrave(tunes[0]) == first
    assert 'id="n0"' in first and first.count("#n") > 10


def test_ids_are_numbered_in_their_order_with_what_refers_to_them(page):
    svg = '<g id="x7" class="id"><use href="#k-2"/><path id="k-2"/></g><style>#x7 {}</style>'
    assert (
        page.number_ids(svg)
        == '<g id="n0" class="id"><use href="#n1"/><path id="n1"/></g><style>#n0 {}</style>'
    )
