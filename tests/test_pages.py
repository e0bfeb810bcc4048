"""Blocks of pages that a command makes."""

import re
from pathlib import Path

import pytest
from conftest import import_experiment


@pytest.fixture(scope="module")
def pages():
    """The module experiments/pages.py."""
    return import_experiment("pages")


def test_a_page_without_a_block_is_refused(pages):
    with pytest.raises(ValueError, match="0 blocks '<!-- table1 -->', expected exactly one"):
        pages.replace_block("No blocks here.", "table1", "")


def test_a_block_is_replaced_as_a_whole_and_other_blocks_are_kept(pages):
    text = "a\n<!-- one -->\nold\n<!-- end -->\nb\n<!-- two -->\nkept\n<!-- end -->\n"

    assert pages.replace_block(text, "one", "new") == text.replace("old", "new")


def test_the_page_on_objectives_holds_only_figures_of_the_results_page():
    docs = Path(__file__).resolve().parents[1] / "docs"
    results = (docs / "results.md").read_text(encoding="utf-8")
    page = (docs / "which_objective.md").read_text(encoding="utf-8")

    figures = set(re.findall(r"(?<![\d.])\d+\.\d{3}(?!\d)", page))
    assert len(figures) > 30
    known = set(re.findall(r"(?<![\d.])\d+\.\d{3}(?!\d)", results))
    assert figures <= known
