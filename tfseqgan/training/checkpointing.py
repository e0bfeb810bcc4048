"""Everything that a stopped run needs in order to resume exactly where it stopped."""

import errno
import json
import logging
import os
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfseqgan.training.distribute import is_chief

_log = logging.getLogger("tfseqgan")


def checksum(values: Any) -> int | None:
    """Returns a number that changes when any of some integers does, or None for None.

    It stands in a run's settings for what is too long to list.

    Example:
        >>> checksum([[1, 2]]) == checksum([[1, 2]]), checksum([[1, 2]]) == checksum([[2, 1]])
        (True, False)
    """
    if values is None:
        return None

    return zlib.crc32(np.asarray(values, np.int32).tobytes())


def model_settings(**models: Any) -> dict[str, Any]:
    """Returns what a checkpoint fixes about models: size, precision and the kind of optimizer.

    Args:
        **models: compiled models by name.

    Returns:
        Plain values by name, such as "generator.units".

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> generator = Generator(vocabulary_size=7, units=8)
        >>> generator.compile("adam")
        >>> settings = model_settings(generator=generator)
        >>> settings["generator.units"], settings["generator.optimizer"]
        (8, 'Adam')
    """
    settings: dict[str, Any] = {}
    for name, model in models.items():
        config = model.get_config() | {
            "optimizer": type(model.optimizer).__name__,
            "token_features": checksum(model.token_features),
            "precision": model.dtype_policy.name,
        }
        kept = {key for key in config if key not in ("name", "trainable", "dtype")}
        settings |= {f"{name}.{key}": config[key] for key in kept}

    return settings


class RunState(tf.train.experimental.PythonState):
    """The plain values of a run, saved in the same checkpoint as its tensors.

    So the two can never disagree.

    Attributes:
        settings: what must be the same when the run is resumed.
        next_round: the first round that has not run.
        history: one list of figures a name, one figure a round.
        rounds: the indices of those rounds.
    """

    _SAVED = ("settings", "next_round", "history", "rounds")

    def __init__(self, settings: dict[str, Any], first_round: int = 0) -> None:
        self.settings = settings
        self.next_round = first_round
        self.history: dict[str, list[float]] = {}
        self.rounds: list[int] = []

    def serialize(self) -> str:
        """Returns the values as JSON; floats survive to the last bit."""
        return json.dumps({name: getattr(self, name) for name in self._SAVED})

    def deserialize(self, text: str) -> None:
        """Takes the values from JSON, after checking that the settings are this run's.

        Raises:
            ValueError: naming what differs, if the settings are another run's.
        """
        saved = json.loads(text)
        theirs = saved["settings"]
        ours = json.loads(json.dumps(self.settings))

        names = sorted(ours.keys() | theirs.keys())
        changed = [name for name in names if ours.get(name) != theirs.get(name)]
        if changed:
            differences = "; ".join(
                f"{name}: saved {theirs.get(name)!r}, now {ours.get(name)!r}" for name in changed
            )
            raise ValueError(
                f"The checkpoint belongs to a run with other settings ({differences}). A run can "
                "only be resumed with the settings it was started with: pass the saved settings, "
                "or another checkpoint_dir."
            )

        self.next_round = saved["next_round"]
        self.history = saved["history"]
        self.rounds = saved["rounds"]

    def write(self, round_index: int, logs: dict[str, float]) -> None:
        """Adds a round's figures."""
        self.rounds.append(round_index)
        for key, value in logs.items():
            self.history.setdefault(key, []).append(float(value))
        self.next_round = round_index + 1


class Checkpoints:
    """Saves and restores a run's state together with its models, optimizers and variables.

    Args:
        folder: where the checkpoints are; made where it does not exist. None keeps nothing and
            restores nothing.
        run_state: the run's `RunState`.
        **state: the models, optimizers and variables to keep, by name.

    Example:
        >>> import tempfile
        >>> folder, step = tempfile.mkdtemp(), tf.Variable(5)
        >>> Checkpoints(folder, RunState({}), step=step).save()
        >>> again = tf.Variable(0)
        >>> Checkpoints(folder, RunState({}), step=again).restore(), int(again)
        (True, 5)
    """

    def __init__(self, folder: Path | str | None, run_state: RunState, **state: Any) -> None:
        self.manager = None
        if folder is None:
            return

        os.makedirs(folder, exist_ok=True)
        checkpoint = tf.train.Checkpoint(journal=run_state, **state)
        self.manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2)
        self.writer = self.manager
        if not is_chief():
            # All workers must save, since a variable may have to be summed over them; what the
            # others write is thrown away.
            self.scratch_folder = tempfile.TemporaryDirectory(prefix="tfseqgan-")
            self.writer = tf.train.CheckpointManager(
                checkpoint, self.scratch_folder.name, max_to_keep=1
            )

    def restore(self) -> bool:
        """Restores the newest whole checkpoint; returns whether there was one.

        Raises:
            ValueError: if the checkpoint belongs to a run with other settings, or no checkpoint in
                the folder is whole.
        """
        if self.manager is None or not self.manager.checkpoints:
            return False

        for path in reversed(self.manager.checkpoints):
            try:
                self.manager.checkpoint.restore(path).assert_existing_objects_matched()
                return True
            except ValueError:  # of `RunState.deserialize`
                raise
            except Exception as error:  # TensorFlow reports damage by many kinds of errors
                reason = str(error).splitlines()[0]
                _log.warning("The checkpoint %s is damaged (%s).", path, reason)

        raise ValueError(
            f"No checkpoint in {self.manager.directory} is whole; expected one or more. "
            "Restore the folder, or start a new run."
        )

    def save(self) -> None:
        """Writes a checkpoint, then drops the oldest one.

        Raises:
            OSError: if the disk is full or cannot be written; the earlier checkpoints are intact.
        """
        if self.manager is None:
            return

        try:
            self.writer.save()
        except tf.errors.OpError as error:
            self._remove_partial_checkpoint()
            is_full = isinstance(error, tf.errors.ResourceExhaustedError)
            code = errno.ENOSPC if is_full else errno.EIO
            raise OSError(code, os.strerror(code), self.writer.directory) from error

    def _remove_partial_checkpoint(self):
        """Removes the files of a checkpoint that could not be written."""
        kept = {os.path.basename(path) for path in self.writer.checkpoints}
        for path in Path(self.writer.directory).glob("ckpt-*"):
            if path.name.split(".")[0] in kept:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
