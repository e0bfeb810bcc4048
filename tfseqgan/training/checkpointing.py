"""Everything that a run needs in order to go on exactly where it stopped."""

import errno
import json
import logging
import os
import shutil
import tempfile
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfseqgan.ops.replicas import is_chief

_log = logging.getLogger("tfseqgan")


def checksum(values):
    """Returns a number that changes when any of some integers does, or None for None; to name in a run's settings what is too long to list.

    Example:
        >>> checksum([[1, 2]]) == checksum([[1, 2]]), checksum([[1, 2]]) == checksum([[2, 1]])
        (True, False)
    """
    return None if values is None else zlib.crc32(np.asarray(values, np.int32).tobytes())


def model_settings(**models):
    """Returns what a checkpoint fixes about models, as plain values by name: their parts, precision and the kind of their optimizer.

    Args:
        **models: compiled models by name.

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> generator = Generator(vocabulary_size=7, units=8)
        >>> generator.compile("adam")
        >>> model_settings(generator=generator)["generator.units"], model_settings(generator=generator)["generator.optimizer"]
        (8, 'Adam')
    """
    settings = {}
    for name, model in models.items():
        config = model.get_config() | {
            "optimizer": type(model.optimizer).__name__,
            "token_features": checksum(model.token_features),
        }
        config["precision"] = model.dtype_policy.name
        settings |= {
            f"{name}.{key}": value
            for key, value in config.items()
            if key not in ("name", "trainable", "dtype")
        }
    return settings


class RunState(tf.train.experimental.PythonState):
    """The plain values of a run, saved inside the same checkpoint as its tensors, so that the two can never disagree.

    Attributes:
        settings: dict, what must be the same when the run goes on.
        next_round: int, the first round not yet played.
        history: dict of lists, one figure a round; `rounds` are their numbers.
        rounds: list of int.
    """

    def __init__(self, settings, first_round=0):
        self.settings, self.next_round, self.history, self.rounds = settings, first_round, {}, []

    def serialize(self):
        """Returns the values as JSON; floats survive to the last bit."""
        return json.dumps(
            {name: getattr(self, name) for name in ("settings", "next_round", "history", "rounds")}
        )

    def deserialize(self, text):
        """Takes the values from JSON, after checking that the settings are this run's."""
        saved = json.loads(text)
        ours = json.loads(json.dumps(self.settings))
        changed = {
            name
            for name in ours.keys() | saved["settings"].keys()
            if ours.get(name) != saved["settings"].get(name)
        }
        if changed:
            differences = "; ".join(
                f"{name}: saved {saved['settings'].get(name)!r}, now {ours.get(name)!r}"
                for name in sorted(changed)
            )
            raise ValueError(
                f"The checkpoint belongs to a run with other settings ({differences}). A run goes on only as it was begun: pass the saved settings, "
                "or another checkpoint_dir."
            )
        self.next_round, self.history, self.rounds = (
            saved["next_round"],
            saved["history"],
            saved["rounds"],
        )

    def write(self, round_number, logs):
        """Adds a round's figures."""
        self.rounds.append(round_number)
        for key, value in logs.items():
            self.history.setdefault(key, []).append(float(value))
        self.next_round = round_number + 1


class Checkpoints:
    """Saves and restores a run's journal together with its models, optimizers and other state.

    Args:
        folder: where the checkpoints are; made when it does not exist. None keeps nothing and restores nothing.
        journal: the run's `RunState`.
        **state: the models, optimizers and variables to keep, by name.

    Example:
        >>> import tempfile
        >>> folder, step = tempfile.mkdtemp(), tf.Variable(5)
        >>> Checkpoints(folder, RunState({}), step=step).save()
        >>> again = tf.Variable(0)
        >>> Checkpoints(folder, RunState({}), step=again).restore(), int(again)
        (True, 5)
    """

    def __init__(self, folder, journal, **state):
        self.manager = None
        if folder is not None:
            os.makedirs(folder, exist_ok=True)
            checkpoint = tf.train.Checkpoint(journal=journal, **state)
            self.manager = self.writer = tf.train.CheckpointManager(
                checkpoint, str(folder), max_to_keep=2
            )
            if not is_chief():  # saving is the work of all, since a variable may be summed over the workers for it; what the others write is thrown away
                self.aside = tempfile.TemporaryDirectory(prefix="tfseqgan-")
                self.writer = tf.train.CheckpointManager(checkpoint, self.aside.name, max_to_keep=1)

    def restore(self):
        """Takes the newest whole checkpoint over everything; returns whether there was one.

        Raises:
            ValueError: if the checkpoint belongs to a run with other settings, or none of those in the folder is whole.
        """
        kept = [] if self.manager is None else self.manager.checkpoints
        for path in reversed(kept):
            try:
                self.manager.checkpoint.restore(path).assert_existing_objects_matched()
                return True
            except ValueError:  # of `RunState.deserialize`
                raise
            except Exception as error:  # TensorFlow reports damage as IndexError, DataLossError, NotFoundError and more
                _log.warning("The checkpoint %s is damaged (%s).", path, str(error).splitlines()[0])
        if kept:
            raise ValueError(
                f"No checkpoint in {self.manager.directory} is whole; expected one at least. Restore the folder, or begin a new run."
            )
        return False

    def save(self):
        """Writes a checkpoint, then drops the oldest one; of several workers the chief alone leaves one behind.

        Raises:
            OSError: if the disk is full or cannot be written; the checkpoints that were there before are untouched.
        """
        if self.manager is None:
            return
        try:
            self.writer.save()
        except tf.errors.OpError as error:
            self._drop_partial()
            code = (
                errno.ENOSPC if isinstance(error, tf.errors.ResourceExhaustedError) else errno.EIO
            )
            raise OSError(code, os.strerror(code), self.writer.directory) from error

    def _drop_partial(self):
        """Removes what a checkpoint that could not be written left behind."""
        kept = {os.path.basename(path) for path in self.writer.checkpoints}
        for path in Path(self.writer.directory).glob("ckpt-*"):
            if path.name.split(".")[0] not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
