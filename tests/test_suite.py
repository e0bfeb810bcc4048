"""The benchmark suite runs whole at tiny sizes, counts its operations rightly, and its table holds every row."""

import argparse
import importlib.util
import json
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SPEC = importlib.util.spec_from_file_location("benchmark_suite", ROOT / "benchmarks" / "suite.py")
suite = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(suite)


def operations(products):
    return sum(2 * count * m * k * n for (m, k, n), count in products.items())


def test_gradients_take_twice_the_operations_of_the_forward_pass():
    for factored in (False, True):
        forward = suite.products_of_reading(factored)
        assert operations(suite.with_gradients(forward)) == 3 * operations(forward)


def test_sampling_takes_the_operations_of_reading():
    for factored in (False, True):
        assert operations(suite.products_of_sampling(factored)) == operations(
            suite.products_of_reading(factored)
        )


def test_it_runs_whole_and_writes_every_row(tmp_path, monkeypatch):
    sizes = {
        "B": 4,
        "T": 6,
        "H": 8,
        "V": 20,
        "D": 3,
        "E": 5,
        "F": 10,
        "W": 2,
        "PAIR": 4,
        "PARTS": [3, 4],
    }
    for name, value in sizes.items():
        monkeypatch.setattr(suite, name, value)
    monkeypatch.setattr(suite, "slopes", lambda bench: {})
    monkeypatch.setattr(suite.Bench, "whole_round", lambda bench: None)
    out = tmp_path / "results" / "cpu.json"
    suite.run(argparse.Namespace(no_peer=True, data=None, out=out))
    result = json.loads(out.read_text())
    assert {
        "sample, table",
        "likelihood, factored",
        "policy gradient, table",
        "discriminator",
        "generator step, prefix credit",
        "evaluation",
    } <= result["rows"].keys()
    assert all(
        row["seconds"] > 0 and row["torch_seconds"] is None for row in result["rows"].values()
    )
    lines = suite.table(result).splitlines()
    assert len(lines) == 2 + len(result["rows"]) and all(line.count("|") == 11 for line in lines)
    assert list(result["memory_mb_by_round"]) == ["50", "100", "150", "200"]


def test_the_products_alone_take_some_time():
    assert suite.product_timer(8, 4, 2)() > 0


@pytest.mark.parametrize(("repeats", "calls"), [(1, 1), (4, 1), (3, 2)])
def test_the_three_are_called_in_turn(repeats, calls):
    called = []
    peers = [
        lambda: called.append("peer") or float(len(called)),
        lambda: called.append("tuned") or 3.0,
    ]
    ours, theirs = suite.medians(lambda: called.append("ours"), peers, repeats, calls)
    turn = ["ours"] * calls + ["peer"] * calls + ["tuned"] * calls
    assert called == turn * (repeats + 1) and ours >= 0 and theirs[1] == 3.0
    ends = [
        [len(turn) * k + calls + i + 1 for i in range(calls)] for k in range(1, repeats + 1)
    ]  # what the peer told, without the first turn
    assert theirs[0] == statistics.median(statistics.mean(part) for part in ends)


def test_the_line_through_seconds_is_the_straight_one():
    slope, intercept, error = suite.line_through({"50": 0.2, "100": 0.3, "200": 0.5, "400": 0.9})
    assert (slope, intercept, error) == pytest.approx((0.002, 0.1, 0), abs=1e-9)
    assert suite.line_through({"50": 0.1, "100": 0.4, "200": 1.6, "400": 6.4})[2] > 0.3


def test_the_page_holds_the_figures_of_the_json():
    page = suite.PAGE.read_text(encoding="utf-8")
    assert page == suite.render(json.loads(suite.RESULT.read_text(encoding="utf-8")))
