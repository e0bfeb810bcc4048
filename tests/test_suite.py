"""The benchmarks run at tiny sizes and count operations; the page shows their JSON."""

import argparse
import json
import statistics
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import page  # noqa: E402
import products  # noqa: E402
import suite  # noqa: E402
import timing  # noqa: E402

TINY = products.Sizes(
    batch_size=4,
    length=6,
    units=8,
    vocabulary_size=20,
    table_dim=3,
    factored_dim=5,
    filters=10,
    width=2,
    pair=4,
    part_sizes=(3, 4),
)


@pytest.mark.parametrize("factored", [False, True])
def test_gradients_take_twice_the_operations_of_the_forward_pass(factored):
    forward = products.of_reading(TINY, factored)

    assert products.gflop(products.with_gradients(forward)) == pytest.approx(
        3 * products.gflop(forward)
    )


@pytest.mark.parametrize("factored", [False, True])
def test_sampling_takes_the_operations_of_reading(factored):
    of_sampling = products.gflop(products.of_sampling(TINY, factored))
    of_reading = products.gflop(products.of_reading(TINY, factored))

    assert of_sampling == pytest.approx(of_reading)


def once_in_turn(timers, repeats=7, calls=1):
    """Takes what is timed once, and not seven times."""
    return timing.medians_in_turn(timers, repeats=1)


@pytest.mark.slow
def test_the_suite_runs_whole_and_writes_every_row(tmp_path, monkeypatch):
    monkeypatch.setattr(suite.Bench, "time_round", lambda bench: None)
    monkeypatch.setattr(suite, "MEMORY_ROUNDS", 8)
    monkeypatch.setattr(suite, "medians_in_turn", once_in_turn)
    out = tmp_path / "results" / "cpu.json"

    suite.run(argparse.Namespace(no_peer=True, data=None, out=out), TINY)

    result = json.loads(out.read_text())
    assert {
        "sample, table",
        "likelihood, factored",
        "policy gradient, table",
        "discriminator",
        "generator step, prefix credit",
        "evaluation",
    } <= result["rows"].keys()
    for row in result["rows"].values():
        assert row["seconds"] > 0
        assert row["torch_seconds"] is None
    lines = page.steps_table(result).splitlines()
    assert len(lines) == 2 + len(result["rows"])
    assert all(line.count("|") == 7 for line in lines)
    assert list(result["memory_mb_by_round"]) == ["2", "4", "6", "8"]


def test_a_matrix_product_alone_takes_some_time():
    assert timing.matmul_timer(8, 4, 2)() > 0


@pytest.mark.parametrize("repeats, calls", [(1, 1), (4, 1), (3, 2)])
def test_what_is_compared_is_called_in_turn_and_the_first_turn_is_not_counted(repeats, calls):
    called = []

    def timer(name):
        def call():
            called.append(name)
            return float(len(called))

        return call

    names = ["ours", "peer", "tuned"]
    medians = timing.medians_in_turn([timer(name) for name in names], repeats, calls)

    turn = [name for name in names for _ in range(calls)]
    assert called == turn * (repeats + 1)
    for index, median in enumerate(medians):
        first = [len(turn) * k + index * calls + 1 for k in range(1, repeats + 1)]
        means = [statistics.mean(range(start, start + calls)) for start in first]
        assert median == statistics.median(means)


def test_the_page_shows_the_figures_of_the_json_files():
    assert page.PAGE.read_text(encoding="utf-8") == page.render()
