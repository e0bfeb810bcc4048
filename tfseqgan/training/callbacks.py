"""What a run shows and writes while it runs: a progress line, a CSV file, TensorBoard scalars.

All are Keras callbacks. Of several workers only the chief shows and writes anything.
"""

import contextlib
import csv
import io
import logging
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.files import write_atomically
from tfseqgan.training.checkpointing import os_error
from tfseqgan.training.distribute import is_chief

_log = logging.getLogger("tfseqgan")


_LAST_ROUNDS = 10
"""The time left is estimated from so many rounds, since the first ones compile."""

_SECONDS_BETWEEN_LINES = 30.0
"""How often a run writes a line where nobody watches."""

_BAR = 20


class Progress(keras.callbacks.Callback):
    """Shows the round, the time left and the figures that matter.

    Rounds are counted from 1. Those below 0, which train the discriminator alone, are counted by
    themselves.

    Args:
        first: the first round of the run.
        last: the round before which the run ends.
        keys: which figures to show, in this order.
        live: overwrite one line, which fits the terminal, or write lines.
        title: what a round is called.
        seconds_between: the least time from one line to the next, where it is not live. The first
            round and the last one of a process have a line in any case.
    """

    def __init__(
        self,
        first: int,
        last: int,
        keys: Sequence[str],
        live: bool,
        title: str = "round",
        seconds_between: float = 0.0,
    ) -> None:
        super().__init__()
        self.first = first
        self.last = last
        self.keys = keys
        self.live = live
        self.title = title
        self.seconds_between = seconds_between

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self.started = time.monotonic()
        self.ends: deque[float] = deque([self.started], maxlen=_LAST_ROUNDS + 1)
        self.written: float | None = None
        self.unwritten = ""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the line, unless the one before was written just now."""
        now = time.monotonic()
        self.ends.append(now)
        line = self._line(epoch, logs or {})

        if self.live:
            print(f"\r{line}\033[K", end="", flush=True)
            return

        is_due = self.written is None or now - self.written >= self.seconds_between
        self.unwritten = "" if is_due else line
        if is_due:
            print(line, flush=True)
            self.written = now

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Ends the live line, or writes that of the last round."""
        if self.live:
            print(flush=True)
        elif self.unwritten:
            print(self.unwritten, flush=True)

    def _line(self, epoch, logs):
        """Returns the line of a round."""
        seconds_a_round = (self.ends[-1] - self.ends[0]) / (len(self.ends) - 1)
        seconds = self.ends[-1] - self.started
        times = f"{seconds:5.0f}s + {seconds_a_round * (self.last - epoch - 1):.0f}s"

        known = [key for key in self.keys if np.isfinite(logs.get(key, np.nan))]
        figures = [f"{key} {logs[key]:.4g}" for key in known]
        share_done = (epoch + 1 - self.first) / (self.last - self.first)
        width = shutil.get_terminal_size().columns - 1 if self.live else None

        return _fit(self._count(epoch), share_done, times, figures, width)

    def _count(self, epoch):
        """Returns which round it is, of how many."""
        if epoch < 0:
            return f"discriminator {epoch + 1 - self.first:>4}/{-self.first}"

        return f"{self.title} {epoch + 1:>4}/{self.last}"


def _fit(
    counter: str, share_done: float, times: str, figures: Sequence[str], width: int | None
) -> str:
    """Returns the line of a round: first the bar gets shorter, then the last figures are left out.

    Args:
        counter: which round it is.
        share_done: the part of the bar that is filled, 0 to 1.
        times: that has passed, and that is left.
        figures: with their names.
        width: the most characters; None for a line of any length.
    """
    shown = list(figures)
    if width is not None:
        while shown and len("  ".join([f"{counter} {times}", *shown])) > width:
            shown.pop()

    room = _BAR if width is None else width - len("  ".join([f"{counter}  {times}", *shown]))
    bar_width = max(0, min(_BAR, room))
    bar = ("━" * round(bar_width * share_done)).ljust(bar_width)
    before = f"{counter} {bar} {times}" if bar_width else f"{counter} {times}"

    return "  ".join([before, *shown])[:width]


def progress(
    first: int,
    last: int,
    keys: Sequence[str],
    verbose: int | str = "auto",
    title: str = "round",
) -> list[keras.callbacks.Callback]:
    """Returns the progress callbacks that `verbose` asks for, as in Keras.

    Args:
        first: the first round.
        last: the round before which the run ends.
        keys: which figures to show.
        verbose: 0 for silence, 1 for one live line, 2 for a line a round, "auto" for 1 in a
            terminal and a line now and then elsewhere.
        title: what a round is called.

    Returns:
        A list of no callback or one.

    Example:
        >>> progress(0, 3, ["nll"], verbose=0)
        []
    """
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    if not verbose or not is_chief():
        return []

    live = verbose == 1 or (verbose == "auto" and is_terminal)
    seconds_between = _SECONDS_BETWEEN_LINES if verbose == "auto" else 0.0

    return [Progress(first, last, keys, live, title, seconds_between)]


class MetricsCSV(keras.callbacks.Callback):
    """Writes one row of figures a round, so that a run can be watched and plotted while it runs.

    A run with checkpoints is the source of its table: when it resumes, the table is written again
    from the checkpoint, so that it does not matter whether it was torn, edited or deleted. Without
    a checkpoint, as in Keras' `fit`, the rows of rounds that are repeated are dropped before the
    first of them runs, and so is a row that cannot be read.

    Args:
        path: the file; its folder must exist.
        title: the name of the first column.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "metrics.csv")
        >>> table = MetricsCSV(path)
        >>> table.on_epoch_begin(0); table.on_epoch_end(0, {"nll": 2.5})
        >>> path.read_text().split()
        ['round,nll', '0,2.5']
    """

    def __init__(self, path: Path | str, title: str = "round") -> None:
        super().__init__()
        self.path = path
        self.title = title
        self.is_open = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forgets what it knows of the file, since another run may have written to it."""
        self.is_open = False

    def on_resume(self, rounds: Sequence[int], history: Mapping[str, Sequence[float]]) -> None:
        """Writes the table again from what a checkpoint knows.

        Args:
            rounds: the indices of the rounds that have run; none for a new run.
            history: one list of figures a name, one figure a round.
        """
        if is_chief() and (rounds or os.path.exists(self.path)):
            columns = sorted(history)  # the order in which Keras passes figures to callbacks
            rows = [
                {self.title: index, **{key: history[key][row] for key in columns}}
                for row, index in enumerate(rounds)
            ]
            self._write(rows)
        self.is_open = True

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Drops the rows of this round and later ones, once."""
        if not self.is_open and is_chief() and os.path.exists(self.path):
            self._write([row for row in self._read() if int(row[self.title]) < epoch])
        self.is_open = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Appends the round's row."""
        if not is_chief():
            return

        figures = {key: float(value) for key, value in (logs or {}).items()}
        row = {self.title: epoch} | figures
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            is_new = file.tell() == 0
            file.write(self._to_csv([row], header=is_new))

    def _read(self) -> list[dict[str, str]]:
        """Returns the rows that are whole; says how many are not."""
        with open(self.path, newline="", encoding="utf-8", errors="replace") as file:
            text = file.read()
        end = text.rfind("\n") + 1  # what follows was cut off, even if it looks like a figure
        rows = list(csv.DictReader(io.StringIO(text[:end], newline="")))

        whole = [row for row in rows if self._is_whole(row)]
        num_lost = len(rows) - len(whole) + (end < len(text))
        if num_lost:
            _log.warning("%s: %d rows cannot be read and are dropped.", self.path, num_lost)

        return whole

    def _is_whole(self, row):
        """Returns whether a row has a number in each column, and the first is a round's."""
        try:
            int(row[self.title])
            for value in row.values():
                float(value)
        except (KeyError, TypeError, ValueError):
            return False

        return True

    def _write(self, rows):
        """Replaces the whole table."""
        write_atomically(self.path, self._to_csv(rows, header=True).encode())

    @staticmethod
    def _to_csv(rows, header):
        """Returns rows as lines of CSV."""
        text = io.StringIO()
        columns = rows[0] if rows else []
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        if rows and header:
            writer.writeheader()
        writer.writerows(rows)

        return text.getvalue()


class Scalars(keras.callbacks.Callback):
    """Writes every figure as a scalar that TensorBoard reads.

    TensorBoard itself is not needed to write them.

    Args:
        folder: where the event files are written.
    """

    def __init__(self, folder: Path | str) -> None:
        super().__init__()
        self.folder = folder
        self.writer: Any = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the round's scalars; opens the file when there is something to write.

        Raises:
            OSError: if the file cannot be written, for want of space for example.
        """
        if not is_chief():
            return

        try:
            self._write(epoch, logs or {})
        except tf.errors.OpError as error:
            raise os_error(error, self.folder) from error

    def _write(self, epoch, logs):
        """Writes scalars by name."""
        if self.writer is None:
            self.writer = tf.summary.create_file_writer(str(self.folder))

        plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
        metadata = tf.compat.v1.SummaryMetadata(plugin_data=plugin)
        with self.writer.as_default():
            for key, value in logs.items():
                tf.summary.write(key, tf.constant(value, tf.float32), step=epoch, metadata=metadata)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes the file."""
        if self.writer is None:
            return

        try:
            self.writer.close()
        except tf.errors.OpError as error:
            raise os_error(error, self.folder) from error
        finally:
            self.writer = None

    def on_interrupt(self) -> None:
        """Closes the file of a run that ends by an error, which is not to be hidden by another."""
        with contextlib.suppress(OSError):
            self.on_train_end()
