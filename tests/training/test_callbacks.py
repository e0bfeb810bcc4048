"""What a run shows and writes: progress lines, a CSV file that no stop can spoil, and scalars that TensorBoard reads."""

import io
import re

import numpy as np
import pytest
import tensorflow as tf
from tiny_models import RECIPES, make_models, make_tokens, play

from tfseqgan import MetricsCSV, Scalars, fit_adversarial
from tfseqgan.training.callbacks import Progress, progress


def run(callbacks, rounds, first=0):
    """Leads callbacks through rounds whose figures are known."""
    for callback in callbacks:
        callback.on_train_begin()
    for number in range(first, rounds):
        for callback in callbacks:
            callback.on_epoch_begin(number)
            callback.on_epoch_end(
                number, {"reward_mean": number / 3, "val_nll": np.nan if number % 2 else 2.0}
            )
    for callback in callbacks:
        callback.on_train_end()


def scalars(folder):
    """Returns (step, tag, value, plugin) of every scalar in the event files of a folder."""
    found = []
    for file in sorted(folder.glob("events.*")):
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                found.append(
                    (
                        event.step,
                        value.tag,
                        float(tf.make_ndarray(value.tensor)),
                        value.metadata.plugin_data.plugin_name,
                    )
                )
    return found


def test_a_line_shows_the_round_and_the_figures_that_are_numbers(capsys):
    run([Progress(0, 2, ["reward_mean", "val_nll", "absent"], live=False)], rounds=2)
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"round +1/2 ━{10} +\d+s \+ \d+s  reward_mean 0  val_nll 2", first)
    assert re.fullmatch(r"round +2/2 ━{20} +\d+s \+ 0s  reward_mean 0.3333", second)


def test_a_terminal_gets_one_line_that_is_written_over(capsys):
    run([Progress(0, 2, ["reward_mean"], live=True, title="epoch")], rounds=2)
    shown = capsys.readouterr().out
    assert (
        shown.count("\n") == 1
        and shown.endswith("\n")
        and shown.count("\r") == 2
        and "epoch" in shown
    )


def test_the_time_left_counts_only_the_rounds_of_this_run(capsys, monkeypatch):
    clock = iter([0.0, 10.0, 20.0])
    monkeypatch.setattr("tfseqgan.training.callbacks.time.monotonic", lambda: next(clock))
    run([Progress(0, 100, [], live=False)], rounds=100 - 18, first=80)
    assert [
        re.search(r"\d+s \+ \d+s", line)[0] for line in capsys.readouterr().out.splitlines()
    ] == ["10s + 190s", "20s + 180s"]


@pytest.mark.parametrize("verbose, live", [(0, None), (1, True), (2, False), ("auto", False)])
def test_verbose_is_as_in_keras(verbose, live, monkeypatch):
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert [callback.live for callback in progress(0, 3, ["nll"], verbose)] == (
        [] if live is None else [live]
    )


def test_a_run_shows_round_reward_entropy_and_nll(capsys):
    fit_adversarial(
        *make_models(),
        make_tokens(0, 7),
        RECIPES["merl"],
        rounds=1,
        batch_size=3,
        discriminator_batch_size=4,
        discriminator_steps=1,
        validation_data=make_tokens(1, 4),
        verbose=2,
    )
    assert re.search(
        r"round +1/1 .*reward_mean [\d.]+  entropy [\d.]+  val_nll [\d.]+", capsys.readouterr().out
    )


def test_the_file_has_a_header_and_a_row_a_round(tmp_path):
    run([MetricsCSV(tmp_path / "metrics.csv")], rounds=2, first=-1)
    lines = (tmp_path / "metrics.csv").read_text().splitlines()
    assert lines == [
        "round,reward_mean,val_nll",
        "-1,-0.3333333333333333,nan",
        "0,0.0,2.0",
        "1,0.3333333333333333,nan",
    ]


def test_figures_in_the_file_are_exact(tmp_path):
    run([MetricsCSV(tmp_path / "metrics.csv")], rounds=8)
    rows = (tmp_path / "metrics.csv").read_text().splitlines()[1:]
    assert [float(row.split(",")[1]) for row in rows] == [number / 3 for number in range(8)]


@pytest.mark.parametrize("again", [0, 1, 3, 4])
def test_rows_of_rounds_that_are_played_again_are_dropped_and_no_others(tmp_path, again):
    path = tmp_path / "metrics.csv"
    run([MetricsCSV(path)], rounds=4)
    whole = path.read_text()
    table = MetricsCSV(path)
    table.on_epoch_begin(again)
    assert path.read_text().splitlines() == (whole.splitlines()[: again + 1] if again else [])
    run([MetricsCSV(path)], rounds=4, first=again)
    assert path.read_text() == whole


def test_rows_stay_as_they_were_when_they_cannot_be_written_again(tmp_path, monkeypatch):
    path = tmp_path / "metrics.csv"
    run([MetricsCSV(path)], rounds=3)
    whole = path.read_text()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        MetricsCSV(path).on_epoch_begin(1)
    assert path.read_text() == whole and [file.name for file in tmp_path.iterdir()] == [
        "metrics.csv"
    ]


def test_one_object_may_write_two_runs(tmp_path):
    table, writer = MetricsCSV(tmp_path / "metrics.csv"), Scalars(tmp_path / "logs")
    run([table, writer], rounds=2)
    run([table, writer], rounds=2)
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 3
    assert len([step for step, tag, *_ in scalars(tmp_path / "logs") if tag == "reward_mean"]) == 4


def test_scalars_can_be_read_as_tensorboard_reads_them(tmp_path):
    run([Scalars(tmp_path)], rounds=3)
    expected = [(number, "reward_mean", np.float32(number / 3), "scalars") for number in range(3)]
    assert [scalar for scalar in scalars(tmp_path) if scalar[1] == "reward_mean"] == expected
    assert [value for _, tag, value, _ in scalars(tmp_path) if tag == "val_nll"][::2] == [2.0, 2.0]


def test_a_run_that_never_began_writes_no_event_file(tmp_path):
    run([Scalars(tmp_path)], rounds=0)
    assert not list(tmp_path.iterdir())


def test_the_file_of_a_run_holds_its_history(tmp_path):
    _, history, text = play(tmp_path)
    header, *rows = (line.split(",") for line in text.splitlines())
    assert header == list(history)
    for column, name in enumerate(header):
        np.testing.assert_array_equal([float(row[column]) for row in rows], history[name])
