"""docs/tokens.md shows what the JSON files say, and the table compares equal tunes."""

import numpy as np
import pytest
from conftest import import_experiment


@pytest.fixture(scope="module")
def page():
    """The module experiments/tokens_page.py."""
    return import_experiment("tokens_page")


def make_result(nats, replaced=(0, 0, 0), events=(100, 200, 300)):
    return {
        "vocabulary": 1234,
        "nats": nats,
        "tokens": [50, 100, 150],
        "events": list(events),
        "replaced": list(replaced),
    }


def test_rendering_the_page_again_changes_no_byte(page):
    assert page.render() == page.PAGE.read_text(encoding="utf-8")


def test_rows_are_compared_on_the_tunes_that_all_of_them_write(page):
    rows = {
        "worse": [make_result([300.0, 500.0, 700.0]), make_result([320.0, 520.0, 720.0])],
        "better": [make_result([200.0, 400.0, None], replaced=(0, 1, 2))],
    }

    _, _, better, worse = page.table(rows).splitlines()

    assert better.split(" | ")[0] == "| `better`"
    assert "300.0 ± 100.0 (2)" in better
    assert "200.0 ± nan (1)" in better  # one tune without replaced tokens has no error
    assert "410.0 ± 100.0 (400.0 to 420.0)" in worse
    assert "510.0 ± 115.5 (3)" in worse
    assert "| 1,234 | 100 | 0 | 2.550 |" in worse


def test_nats_are_means_over_seeds(page):
    found = page.nats_of([make_result([1.0, 2.0, None]), make_result([3.0, 4.0, None])])

    np.testing.assert_array_equal(found, [2.0, 3.0, np.nan])
