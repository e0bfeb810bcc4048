"""Claims about tfseqgan.training.callbacks.

A progress line, a CSV file that no stop can damage, and scalars that TensorBoard reads.
"""

import io
import re
import sys

import numpy as np
import pytest
import tensorflow as tf
from tiny_models import OBJECTIVES, make_models, make_tokens, train_adversarially

from tfseqgan import MetricsCSV, Scalars, fit_adversarial
from tfseqgan.training.callbacks import Progress, progress


def run(callbacks, rounds, first=0):
    """Calls callbacks as a run does, with known figures."""
    for callback in callbacks:
        callback.on_train_begin()

    for index in range(first, rounds):
        figures = {"reward_mean": index / 3, "val_nll": np.nan if index % 2 else 2.0}
        for callback in callbacks:
            callback.on_epoch_begin(index)
            callback.on_epoch_end(index, figures)

    for callback in callbacks:
        callback.on_train_end()


def read_scalars(folder):
    """Returns (step, tag, value, plugin) of every scalar in the event files of a folder."""
    scalars = []
    for path in sorted(folder.glob("events.*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                number = float(tf.make_ndarray(value.tensor))
                plugin = value.metadata.plugin_data.plugin_name
                scalars.append((event.step, value.tag, number, plugin))

    return scalars


def test_a_line_shows_the_round_and_the_figures_that_are_numbers(capsys):
    run([Progress(0, 2, ["reward_mean", "val_nll", "absent"], live=False)], rounds=2)

    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"round +1/2 ━{10} +\d+s \+ \d+s  reward_mean 0  val_nll 2", first)
    assert re.fullmatch(r"round +2/2 ━{20} +\d+s \+ 0s  reward_mean 0.3333", second)


def test_a_terminal_gets_one_line_that_is_overwritten(capsys):
    run([Progress(0, 2, ["reward_mean"], live=True, title="epoch")], rounds=2)

    shown = capsys.readouterr().out
    assert shown.count("\r") == 2
    assert shown.count("\n") == 1
    assert shown.endswith("\n")
    assert "epoch" in shown


def test_the_time_left_is_estimated_from_the_rounds_of_this_process(capsys, monkeypatch):
    clock = iter([0.0, 10.0, 20.0])
    monkeypatch.setattr("tfseqgan.training.callbacks.time.monotonic", lambda: next(clock))

    run([Progress(0, 100, [], live=False)], first=80, rounds=82)

    lines = capsys.readouterr().out.splitlines()
    shown = [re.search(r"\d+s \+ \d+s", line)[0] for line in lines]
    assert shown == ["10s + 190s", "20s + 180s"]


def test_the_time_left_is_estimated_from_the_last_ten_rounds(capsys, monkeypatch):
    # The first round compiles: it takes 1000 seconds, and each after it 2.
    clock = iter([0.0, *(1000.0 + 2 * index for index in range(11))])
    monkeypatch.setattr("tfseqgan.training.callbacks.time.monotonic", lambda: next(clock))

    run([Progress(0, 100, [], live=False)], rounds=11)

    *_, before, last = capsys.readouterr().out.splitlines()
    assert before.endswith(f"1018s + {round((1018 / 10) * 90)}s")
    assert last.endswith("1020s + 178s")


def test_rounds_are_counted_from_1_and_those_of_the_discriminator_by_themselves(capsys):
    run([Progress(-3, 2, [], live=False)], first=-3, rounds=2)

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(name, count) for name, count, *_ in lines] == [
        ("discriminator", "1/3"),
        ("discriminator", "2/3"),
        ("discriminator", "3/3"),
        ("round", "1/2"),
        ("round", "2/2"),
    ]


@pytest.mark.parametrize("columns", [30, 40, 60, 80, 100, 200])
def test_the_live_line_fits_the_terminal(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    keys = ["reward_mean", "val_nll", "entropy_of_the_generator"]
    figures = {key: 1234.5678 for key in keys}

    line = Progress(0, 1000, keys, live=True)
    line.on_train_begin()
    line.on_epoch_end(998, figures)

    shown = capsys.readouterr().out.removeprefix("\r").removesuffix("\033[K")
    assert len(shown) < columns
    assert shown.startswith("round  999/1000 ")
    assert "0s + 0s" in shown
    assert ("reward_mean 1235" in shown) == (columns >= 60)
    assert ("entropy_of_the_generator 1235" in shown) == (columns >= 100)
    assert (shown.count("━") == 20) == (columns == 200)


def test_where_nobody_watches_a_line_is_written_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout", io.StringIO())
    clock = iter([0.0, *(10.0 * index for index in range(1, 9))])
    monkeypatch.setattr("tfseqgan.training.callbacks.time.monotonic", lambda: next(clock))

    run(progress(0, 8, [], "auto"), rounds=8)

    shown = re.findall(r"round +(\d)/8", sys.stdout.getvalue())
    assert shown == ["1", "4", "7", "8"]


@pytest.mark.parametrize("verbose, live", [(1, True), (2, False), ("auto", False)])
def test_verbose_is_as_in_keras(verbose, live, monkeypatch):
    monkeypatch.setattr("sys.stdout", io.StringIO())

    (line,) = progress(0, 3, ["nll"], verbose)

    assert line.live == live
    assert (line.seconds_between > 0) == (verbose == "auto")


def test_verbose_0_shows_nothing():
    assert progress(0, 3, ["nll"], verbose=0) == []


@pytest.mark.slow
def test_a_run_shows_its_round_reward_entropy_and_nll(capsys):
    fit_adversarial(
        *make_models(),
        make_tokens(0, 7),
        OBJECTIVES["merl"],
        rounds=1,
        batch_size=4,
        discriminator_batch_size=8,
        discriminator_steps=1,
        validation_data=make_tokens(1, 4),
        verbose=2,
    )

    shown = capsys.readouterr().out
    assert re.search(r"round +1/1 .*reward_mean [\d.]+  entropy [\d.]+  val_nll [\d.]+", shown)


def test_the_csv_file_has_a_header_and_a_row_for_each_round(tmp_path):
    run([MetricsCSV(tmp_path / "metrics.csv")], rounds=2, first=-1)

    assert (tmp_path / "metrics.csv").read_text().splitlines() == [
        "round,reward_mean,val_nll",
        "-1,-0.3333333333333333,nan",
        "0,0.0,2.0",
        "1,0.3333333333333333,nan",
    ]


def test_figures_in_the_csv_file_are_exact(tmp_path):
    run([MetricsCSV(tmp_path / "metrics.csv")], rounds=8)

    rows = (tmp_path / "metrics.csv").read_text().splitlines()[1:]
    assert [float(row.split(",")[1]) for row in rows] == [index / 3 for index in range(8)]


@pytest.mark.parametrize("first", [0, 1, 3, 4])
def test_only_rows_of_rounds_that_run_again_are_dropped(tmp_path, first):
    path = tmp_path / "metrics.csv"
    run([MetricsCSV(path)], rounds=4)
    whole = path.read_text()

    MetricsCSV(path).on_epoch_begin(first)
    kept = path.read_text().splitlines()
    run([MetricsCSV(path)], rounds=4, first=first)

    assert kept == (whole.splitlines()[: first + 1] if first else [])
    assert path.read_text() == whole


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text + "-",  # of "-2"
        lambda text: text + "4,0.5,2.0,7,7\n",
        lambda text: text[:-3],  # looks like a whole figure
        lambda text: text.replace("1,", "one,"),
        lambda text: "",
        lambda text: "\x00\x01",
        lambda text: text.replace("round", "epoch"),
    ],
)
def test_a_torn_table_is_written_again_from_the_checkpoints_figures(tmp_path, damage):
    path = tmp_path / "metrics.csv"
    run([MetricsCSV(path)], rounds=4)
    whole = path.read_text()
    path.write_text(damage(whole))

    history = {"reward_mean": [0 / 3, 1 / 3, 2 / 3, 3 / 3], "val_nll": [2.0, np.nan, 2.0, np.nan]}
    MetricsCSV(path).on_resume([0, 1, 2, 3], history)

    assert path.read_text() == whole


def test_a_torn_table_that_was_deleted_comes_back(tmp_path):
    MetricsCSV(tmp_path / "metrics.csv").on_resume([-1, 0], {"nll": [2.5, 2.25]})

    assert (tmp_path / "metrics.csv").read_text() == "round,nll\n-1,2.5\n0,2.25\n"


def test_a_torn_table_without_a_checkpoint_loses_only_rows_that_cannot_be_read(tmp_path, caplog):
    path = tmp_path / "metrics.csv"
    run([MetricsCSV(path)], rounds=3)
    whole = path.read_text()
    path.write_bytes(whole.encode() + b"\xe9,1,2\n-")

    MetricsCSV(path).on_epoch_begin(3)

    assert path.read_text() == whole
    assert "2 rows cannot be read and are dropped" in caplog.text


def test_a_new_run_empties_the_table_of_an_earlier_one(tmp_path):
    path = tmp_path / "metrics.csv"
    run([MetricsCSV(path)], rounds=3)

    MetricsCSV(path).on_resume([], {})

    assert path.read_text() == ""


def test_ending_a_log_that_cannot_be_written_is_an_error_of_the_system(tmp_path):
    (tmp_path / "logs").write_text("a file")

    with pytest.raises(OSError) as caught:
        run([Scalars(tmp_path / "logs")], rounds=1)

    assert caught.value.filename == str(tmp_path / "logs")


def test_ending_a_closed_standard_output_is_no_terminal(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)

    assert [callback.live for callback in progress(0, 3, ["nll"])] == [False]


def test_a_full_disk_leaves_the_csv_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "metrics.csv"
    run([MetricsCSV(path)], rounds=3)
    whole = path.read_text()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="No space left"):
        MetricsCSV(path).on_epoch_begin(1)

    assert path.read_text() == whole
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.csv"]


def test_the_same_callbacks_may_record_two_runs(tmp_path):
    path = tmp_path / "metrics.csv"
    callbacks = [MetricsCSV(path), Scalars(tmp_path / "logs")]

    run(callbacks, rounds=2)
    run(callbacks, rounds=2)

    tags = [tag for _, tag, *_ in read_scalars(tmp_path / "logs")]
    assert len(path.read_text().splitlines()) == 3
    assert tags.count("reward_mean") == 4


def test_scalars_can_be_read_as_tensorboard_reads_them(tmp_path):
    run([Scalars(tmp_path)], rounds=3)

    scalars = read_scalars(tmp_path)
    rewards = [scalar for scalar in scalars if scalar[1] == "reward_mean"]
    nlls = [value for _, tag, value, _ in scalars if tag == "val_nll"]
    assert rewards == [
        (index, "reward_mean", np.float32(index / 3), "scalars") for index in range(3)
    ]
    assert nlls[::2] == [2.0, 2.0]


def test_a_run_of_no_rounds_writes_no_event_file(tmp_path):
    run([Scalars(tmp_path)], rounds=0)

    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_csv_file_of_a_run_holds_its_history(tmp_path):
    _, history, text = train_adversarially(tmp_path)

    header, *rows = (line.split(",") for line in text.splitlines())
    assert header == list(history)
    for column, name in enumerate(header):
        np.testing.assert_array_equal([float(row[column]) for row in rows], history[name])
