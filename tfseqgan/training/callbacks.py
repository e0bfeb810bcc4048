"""What a run shows and writes while it goes on: a progress line, a CSV file, scalars for TensorBoard. All are Keras callbacks.

Of several workers the chief alone shows and writes anything.
"""

import csv
import io
import os
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.files import write_atomically
from tfseqgan.ops.replicas import is_chief


class Progress(keras.callbacks.Callback):
    """Shows the round, the time left and the figures that matter, on one line that is written over or one line a round.

    Args:
        first: the first round of the run.
        last: the round that it ends before.
        keys: which logs to show, in this order.
        live: write over one line (a terminal) or add a line a round (a file).
        title: what a round is called.
    """

    def __init__(self, first, last, keys, live, title="round"):
        super().__init__()
        self.first, self.last, self.keys, self.live, self.title = first, last, keys, live, title

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self.started, self.begun_at = time.monotonic(), None

    def on_epoch_begin(self, epoch, logs=None):
        """Notes where the run begins, since a resumed one begins late."""
        self.begun_at = epoch if self.begun_at is None else self.begun_at

    def on_epoch_end(self, epoch, logs=None):
        """Writes the line."""
        seconds = time.monotonic() - self.started
        left = seconds / (epoch + 1 - self.begun_at) * (self.last - epoch - 1)
        done, total = epoch + 1 - self.first, self.last - self.first
        bar = "━" * round(20 * done / total)
        figures = "  ".join(
            f"{key} {logs[key]:.4g}" for key in self.keys if np.isfinite(logs.get(key, np.nan))
        )
        line = f"{self.title} {epoch + 1:>4}/{self.last} {bar:<20} {seconds:5.0f}s + {left:.0f}s  {figures}"
        print(f"\r{line}\033[K" if self.live else line, end="" if self.live else "\n", flush=True)

    def on_train_end(self, logs=None):
        """Leaves the live line standing."""
        if self.live:
            print(flush=True)


def progress(first, last, keys, verbose="auto", title="round"):
    """Returns the progress callbacks that `verbose` asks for, as in Keras.

    Args:
        first: the first round.
        last: the round that the run ends before.
        keys: which logs to show.
        verbose: 0 for silence, 1 for one live line, 2 for a line a round, "auto" for 1 in a terminal and 2 elsewhere.
        title: what a round is called.

    Returns:
        A list of none or one callback.

    Example:
        >>> progress(0, 3, ["nll"], verbose=0)
        []
    """
    if verbose == "auto":
        verbose = 1 if sys.stdout.isatty() else 2
    return (
        [Progress(first, last, keys, live=verbose == 1, title=title)]
        if verbose and is_chief()
        else []
    )


class MetricsCSV(keras.callbacks.Callback):
    """Writes one row of figures a round, so that a run can be followed and drawn while it goes on.

    A resumed run plays some rounds again: their old rows are dropped before the first of them is played, and no other row is lost.

    Args:
        path: the file; its folder must exist.
        title: the name of the first column.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "metrics.csv")
        >>> table = MetricsCSV(path)
        >>> table.on_epoch_begin(0); table.on_epoch_end(0, {"nll": 2.5})
        >>> path.read_text().split()
        ['round,nll', '0,2.5']
    """

    def __init__(self, path, title="round"):
        super().__init__()
        self.path, self.title, self.opened = path, title, False

    def on_train_begin(self, logs=None):
        """Looks at the file anew, since another run may have written to it."""
        self.opened = False

    def on_epoch_begin(self, epoch, logs=None):
        """Drops the rows of this round and later ones, once."""
        if not self.opened and is_chief() and os.path.exists(self.path):
            with open(self.path, newline="", encoding="utf-8") as file:
                rows = [row for row in csv.DictReader(file) if int(row[self.title]) < epoch]
            write_atomically(self.path, self._text(rows, header=True).encode())
        self.opened = True

    def on_epoch_end(self, epoch, logs=None):
        """Adds the round's row."""
        if not is_chief():
            return
        row = {self.title: epoch} | {key: float(value) for key, value in (logs or {}).items()}
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            file.write(self._text([row], header=file.tell() == 0))

    @staticmethod
    def _text(rows, header):
        """Returns rows as lines of CSV."""
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0] if rows else [], lineterminator="\n")
        if rows and header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


class Scalars(keras.callbacks.Callback):
    """Writes every figure as a scalar that TensorBoard reads; TensorBoard itself is not needed to write them.

    Args:
        folder: where the event files go.
    """

    def __init__(self, folder):
        super().__init__()
        self.folder, self.writer = folder, None

    def on_epoch_end(self, epoch, logs=None):
        """Writes the round's scalars; opens the file when there is something to write."""
        if not is_chief():
            return
        self.writer = self.writer or tf.summary.create_file_writer(str(self.folder))
        metadata = tf.compat.v1.SummaryMetadata(
            plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
        )
        with self.writer.as_default():
            for key, value in (logs or {}).items():
                tf.summary.write(key, tf.constant(value, tf.float32), step=epoch, metadata=metadata)

    def on_train_end(self, logs=None):
        """Closes the file."""
        if self.writer:
            self.writer.close()
            self.writer = None
