"""Two devices of one process, and two processes on loopback, do what one does: the same losses and weights, for every recipe; and go on after a death."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tiny_models import RECIPES

from tfseqgan.ops import replicas

TESTS = Path(__file__).resolve().parents[1]
EXACT = [*RECIPES, "prefix"]  # rollouts are drawn by every replica from a seed of its own
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}


def start(strategy, out, environment=None, **options):
    """Starts a process of a run, which writes its words to a file beside its results."""
    out.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        str(TESTS / "training" / "distribute_worker.py"),
        strategy,
        str(out),
        json.dumps(options),
    ]
    with open(out / "log", "w") as log:
        return subprocess.Popen(
            command, env=ENVIRONMENT | (environment or {}), stdout=log, stderr=subprocess.STDOUT
        )


def results(out):
    """Returns the weights and the figures that a process left."""
    assert (out / "figures.json").is_file(), (out / "log").read_text()[-3000:]
    return dict(np.load(out / "weights.npz")), json.loads((out / "figures.json").read_text())


def free_port():
    """Returns a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_cluster(folder, kill_at=None, **options):
    """Starts two workers; the second one ends itself at a round where it is told to."""
    cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(2)]}
    processes = []
    for index in range(2):
        environment = {
            "TF_CONFIG": json.dumps(
                {"cluster": cluster, "task": {"type": "worker", "index": index}}
            )
        }
        more = {"kill_at": kill_at} if index else {}
        processes.append(
            start(
                "multi_worker",
                folder / f"worker{index}",
                environment,
                folder=str(folder / "shared"),
                **options,
                **more,
            )
        )
    return processes


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Returns what one process with one device leaves."""
    out = tmp_path_factory.mktemp("alone")
    assert start("none", out, folder=str(out), recipes=EXACT).wait(600) == 0, (
        out / "log"
    ).read_text()[-3000:]
    return results(out)


def assert_close(ours, theirs):
    """Weights, losses and every other figure agree to 1e-5; a loss is a sum of terms of both signs, so that it has an error of its own."""
    (weights, figures), (other_weights, other_figures) = ours, theirs
    assert weights.keys() == other_weights.keys() and figures.keys() == other_figures.keys()
    for name, value in weights.items():
        np.testing.assert_allclose(value, other_weights[name], rtol=1e-5, atol=1e-5, err_msg=name)
    for name in figures.keys() - {"chief"}:
        for key, value in figures[name].items():
            np.testing.assert_allclose(
                value, other_figures[name][key], rtol=1e-5, atol=1e-6, err_msg=f"{name}, {key}"
            )


def test_two_devices_do_what_one_does(alone, tmp_path):
    process = start("mirrored", tmp_path, folder=str(tmp_path), recipes=[*EXACT, "rollout"])
    assert process.wait(600) == 0, (tmp_path / "log").read_text()[-3000:]
    weights, figures = results(tmp_path)
    rollouts, refusal = figures.pop("rollout"), figures.pop("refusal")
    assert_close(
        (
            {name: value for name, value in weights.items() if not name.startswith("rollout")},
            figures,
        ),
        alone,
    )
    assert np.isfinite(rollouts["generator_loss"][2:]).all() and figures["chief"]
    assert refusal == (
        "The generator was not created under the strategy: expected its variables on 2 replicas. Make and compile the generator within 'with "
        "strategy.scope():'."
    )


def test_two_processes_do_what_one_does_also_after_one_died_and_the_chief_alone_writes(
    alone, tmp_path
):
    recipes = ["merl", "moving average", "prefix"]
    first, second = start_cluster(tmp_path, kill_at=1, recipes=recipes)
    assert second.wait(600) == -9
    assert first.wait(600) != 0  # it cannot go on alone
    for process in start_cluster(tmp_path, recipes=recipes):
        process.wait(600)
    chief, other = results(tmp_path / "worker0"), results(tmp_path / "worker1")
    assert chief[1]["chief"] and not other[1]["chief"]
    assert chief[1].pop("unseeded") == other[1].pop("unseeded")
    assert {result[1].pop("refusal") for result in (chief, other)} == {
        "The workers hold different data; expected the same on all of them. Give each the same files."
    }
    ours = {
        name: value
        for name, value in alone[0].items()
        if name.rsplit(" ", 1)[0] in (*recipes, "likelihood")
    }
    for result in (chief, other):
        assert_close(result, (ours, {name: alone[1][name] for name in chief[1]}))
    kept = sorted(path.name for path in (tmp_path / "shared" / "merl" / "checkpoints").iterdir())
    assert kept == sorted(
        ["checkpoint"]
        + [
            f"ckpt-{number}.{part}"
            for number in (4, 5)
            for part in ("data-00000-of-00001", "index")
        ]
    )


def test_without_a_strategy_every_function_is_the_identity():
    values = tf.constant([[1.0], [2.0], [3.0]])
    for result in (
        replicas.local_rows(values),
        replicas.gather_rows(values),
        *replicas.sum_over_replicas([values]),
        *replicas.on_first_replica_only([values]),
    ):
        assert result is values
    assert replicas.is_chief() and replicas.replica_count() == 1


def test_a_batch_smaller_than_the_replicas_is_refused(monkeypatch):
    monkeypatch.setattr(replicas, "replica_count", lambda: 3)
    with pytest.raises(
        ValueError, match="batch_size is 2, which 3 replicas share; expected 3 or more"
    ):
        replicas.check_rows_for_all(batch_size=2)
