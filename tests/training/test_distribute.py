"""Two devices of one process, and two processes on loopback, compute what one device computes.

Losses and weights agree for every part of a recipe. A run whose worker was killed resumes.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.training import distribute

TESTS = Path(__file__).resolve().parents[1]
WAIT_SECONDS = 1200
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}

EXACT = ["merl", "moving average", "prefix"]
"""Every part of the recipes: entropy; the prior, and a baseline with a state; the leave-one-out
baseline, and credit by prefixes. Without "rollout": every replica draws completions from a seed of
its own."""


def starts_processes(test):
    """Marks a test whose fixtures start processes and wait for them."""
    marks = [
        pytest.mark.processes,
        pytest.mark.slow,
        pytest.mark.timeout(5 * WAIT_SECONDS),
    ]
    for mark in marks:
        test = mark(test)

    return test


def start(strategy, out, environment=None, **options):
    """Starts a process of a run, which writes its log to a file beside its results."""
    out.mkdir(parents=True, exist_ok=True)
    worker = TESTS / "training" / "distribute_worker.py"
    command = [sys.executable, str(worker), strategy, str(out), json.dumps(options)]

    with open(out / "log", "w") as log:
        return subprocess.Popen(
            command,
            env=ENVIRONMENT | (environment or {}),
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def wait(process):
    """Waits for a process to end, and returns its exit status; a process that hangs is killed."""
    try:
        return process.wait(WAIT_SECONDS)
    finally:
        process.kill()


def results(out):
    """Returns the weights and the figures that a process left."""
    assert (out / "figures.json").is_file(), (out / "log").read_text()[-3000:]

    return dict(np.load(out / "weights.npz")), json.loads((out / "figures.json").read_text())


def free_port():
    """Returns a port of this machine that is not in use."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_cluster(folder, kill_at=None, **options):
    """Starts two workers; the second one ends itself in the round `kill_at`, if there is one."""
    cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(2)]}
    processes = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        processes.append(
            start(
                "multi_worker",
                folder / f"worker{index}",
                environment={"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})},
                folder=str(folder / "shared"),
                kill_at=kill_at if index else None,
                **options,
            )
        )

    return processes


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
    """The weights and figures of one process with one device."""
    out = tmp_path_factory.mktemp("one_device")
    wait(start("none", out, folder=str(out), objectives=EXACT))

    return results(out)


@pytest.fixture(scope="module")
def two_devices(tmp_path_factory):
    """The weights and figures of one process with two devices."""
    out = tmp_path_factory.mktemp("two_devices")
    wait(start("mirrored", out, folder=str(out), objectives=[*EXACT, "rollout"]))

    return results(out)


def assert_close(ours, theirs, names):
    """Asserts that weights, losses and every other figure of some runs agree to 1e-5.

    A loss is a sum of terms of both signs, so that its error can be larger than its share.
    """
    weights, figures = ours
    other_weights, other_figures = theirs

    def compared(weights):
        return {key for key in weights if key.rsplit(" ", 1)[0] in (*names, "advantages")}

    assert compared(weights) == compared(other_weights)
    for key in compared(weights):
        np.testing.assert_allclose(
            weights[key], other_weights[key], rtol=1e-5, atol=1e-5, err_msg=key
        )

    for name in (*names, "evaluation"):
        assert figures[name].keys() == other_figures[name].keys()
        for key, value in figures[name].items():
            np.testing.assert_allclose(
                value, other_figures[name][key], rtol=1e-5, atol=1e-6, err_msg=f"{name}, {key}"
            )


@starts_processes
def test_two_devices_compute_what_one_device_computes(one_device, two_devices):
    assert_close(two_devices, one_device, [*EXACT, "likelihood"])


@starts_processes
def test_advantages_of_the_whole_batch_do_not_depend_on_the_number_of_replicas(
    one_device, two_devices
):
    advantages = one_device[0]["advantages 0"]

    assert np.abs(advantages).max() > 0.1
    np.testing.assert_allclose(two_devices[0]["advantages 0"], advantages, rtol=1e-5, atol=1e-6)


@starts_processes
def test_rollouts_on_two_devices_give_finite_losses(two_devices):
    losses = two_devices[1]["rollout"]["generator_loss"]

    assert len(losses) == 5
    assert np.isfinite(losses[2:]).all()


@starts_processes
def test_training_with_dropout_on_two_devices_is_finite_and_repeats_bit_for_bit(two_devices):
    assert two_devices[1]["repeats_with_dropout"] is True


@starts_processes
def test_models_that_were_made_outside_the_strategy_are_refused(two_devices):
    assert two_devices[1]["refusal"] == (
        "The generator was not created under the strategy: expected its variables on 2 replicas. "
        "Make and compile the generator within 'with strategy.scope():'."
    )


@starts_processes
def test_the_only_process_is_the_chief(one_device, two_devices):
    assert one_device[1]["chief"]
    assert two_devices[1]["chief"]


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """The folder of a run of two processes, which resumed after the second one was killed."""
    folder = tmp_path_factory.mktemp("two_processes")
    first, second = start_cluster(folder, kill_at=1, objectives=EXACT)
    assert wait(second) == -9
    assert wait(first) != 0  # it cannot continue alone

    for process in start_cluster(folder, objectives=EXACT):
        wait(process)

    return folder


@starts_processes
@pytest.mark.parametrize("worker", ["worker0", "worker1"])
def test_two_processes_compute_what_one_does_also_after_one_was_killed(
    one_device, two_processes, worker
):
    objectives = [*EXACT, "likelihood"]

    assert_close(results(two_processes / worker), one_device, objectives)


@starts_processes
def test_the_first_of_two_processes_is_the_chief_and_alone_writes_checkpoints(two_processes):
    checkpoints = two_processes / "shared" / "merl" / "checkpoints"
    expected = {"checkpoint"}
    for number in (4, 5):
        expected |= {f"ckpt-{number}.index", f"ckpt-{number}.data-00000-of-00001"}

    assert results(two_processes / "worker0")[1]["chief"]
    assert not results(two_processes / "worker1")[1]["chief"]
    assert {path.name for path in checkpoints.iterdir()} == expected


@starts_processes
def test_two_processes_without_a_seed_draw_the_same_one(two_processes):
    first, second = (results(two_processes / f"worker{index}")[1] for index in range(2))

    assert first["unseeded"] == second["unseeded"]


@starts_processes
@pytest.mark.parametrize("worker", ["worker0", "worker1"])
def test_workers_with_different_data_are_refused(two_processes, worker):
    assert results(two_processes / worker)[1]["refusal"] == (
        "The workers hold different data; expected the same on all of them. "
        "Give each the same files."
    )


def test_without_a_strategy_every_function_is_the_identity():
    values = tf.constant([[1.0], [2.0], [3.0]])

    assert distribute.local_rows(values) is values
    assert distribute.gather_rows(values) is values
    assert distribute.sum_over_replicas([values])[0] is values
    assert distribute.on_first_replica_only([values])[0] is values
    assert distribute.local_seed(values) is values
    assert distribute.run_on_replicas(lambda: values) is values
    assert distribute.map_rows_over_replicas(lambda rows: rows, values) is values
    assert distribute.broadcast_from_chief(7) == 7
    assert distribute.is_chief()
    assert distribute.replica_count() == 1


def test_a_batch_with_fewer_rows_than_replicas_is_refused(monkeypatch):
    monkeypatch.setattr(distribute, "replica_count", lambda: 3)

    with pytest.raises(
        ValueError, match="batch_size is 2, which 3 replicas share; expected 3 or more"
    ):
        distribute.check_rows_for_all_replicas(batch_size=2)
