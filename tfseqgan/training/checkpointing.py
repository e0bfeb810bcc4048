"""Everything that a stopped run needs in order to resume exactly where it stopped.

A checkpoint is found by its own files, `ckpt-<number>.index` and `.data-…`, which TensorFlow writes
with checksums. TensorFlow's state file `checkpoint`, which lists them, is written for other tools
and never read: it may be torn, missing, or name paths of another folder.
"""

import contextlib
import errno
import json
import logging
import os
import re
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.files import lock_folder, write_atomically
from tfseqgan.training.code_identity import Identity, is_known_to_be_same, is_known_to_differ
from tfseqgan.training.distribute import is_chief

_KEPT = 2
"""How many checkpoints stay in a folder."""

_STATE_FILE = "checkpoint"
_NUMBERED = re.compile(r"ckpt-(\d+)")
_WHOLE_FILE = re.compile(r"ckpt-(\d+)\.(index|data-\d{5}-of-\d{5})")
_PARTIAL_FILE = re.compile(
    r"ckpt-\d+(_temp|\.(index|data-\d{5}-of-\d{5})(\.tempstate\d+)?)"
    r"|checkpoint\.tmp.*|\.checkpoint\.\d+\.partial"
)
"""The names that a killed process may leave behind; a file of a whole checkpoint has one too."""

_ERROR_NUMBERS = {
    tf.errors.ResourceExhaustedError: errno.ENOSPC,
    tf.errors.NotFoundError: errno.ENOENT,
    tf.errors.PermissionDeniedError: errno.EACCES,
}

_log = logging.getLogger("tfseqgan")


def os_error(error: tf.errors.OpError, path: Path | str) -> OSError:
    """Returns an error of TensorFlow about a file as the error of the system that it stands for.

    Example:
        >>> os_error(tf.errors.ResourceExhaustedError(None, None, "full"), "logs").strerror
        'No space left on device'
    """
    number = _ERROR_NUMBERS.get(type(error), errno.EIO)

    return OSError(number, os.strerror(number), str(path))


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


_TABLES = ("token_features", "token_durations", "token_controls", "token_pitch_classes")
"""What models know of the tokens: large, so that a checksum stands for each."""


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
            "precision": model.dtype_policy.name,
        }
        for table in _TABLES:
            if table in config:
                config[table] = checksum(getattr(model, table))
        if "reader" in config:
            config["reader"] = [
                zlib.crc32(weight.tobytes()) for weight in model.reader.get_weights()
            ]
        kept = {key for key in config if key not in ("name", "trainable", "dtype")}
        settings |= {f"{name}.{key}": config[key] for key in kept}

    return settings


def optimizer_options(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """Returns what may be changed when a run is resumed: the learning rate and the clipping.

    Returns:
        Plain values; the learning rate is a number, or the configuration of a schedule.

    Example:
        >>> options = optimizer_options(keras.optimizers.Adam(0.5, clipnorm=1.0))
        >>> options["learning_rate"], options["clipnorm"]
        (0.5, 1.0)
    """
    config = optimizer.get_config()
    names = ("learning_rate", "clipnorm", "global_clipnorm", "clipvalue")

    return json.loads(json.dumps({name: config.get(name) for name in names}))


class OtherRunError(ValueError):
    """A checkpoint that is whole, and belongs to a run with other settings."""


class RunState(tf.train.experimental.PythonState):
    """The plain values of a run, saved in the same checkpoint as its tensors.

    So the two can never disagree.

    Attributes:
        settings: what must be the same when the run is resumed.
        code: the identity of each function that the run was given (`code_identity`), by name; these
            must be the same too, as far as that can be known.
        optimizers: the `optimizer_options` that each optimizer was compiled with, by name; these
            may change.
        saved_optimizers: those of the checkpoint that was restored; empty if it has none, as those
            of 0.1.0.
        next_round: the first round that has not run.
        history: one list of figures a name, one figure a round.
        rounds: the indices of those rounds.
    """

    _SAVED = ("settings", "code", "optimizers", "next_round", "history", "rounds")

    def __init__(
        self,
        settings: dict[str, Any],
        first_round: int = 0,
        code: dict[str, Identity] | None = None,
    ) -> None:
        self.settings = settings
        self.code = code or {}
        self.optimizers: dict[str, dict[str, Any]] = {}
        self.saved_optimizers: dict[str, dict[str, Any]] = {}
        self.next_round = first_round
        self.history: dict[str, list[float]] = {}
        self.rounds: list[int] = []

    def serialize(self) -> str:
        """Returns the values as JSON; floats survive to the last bit."""
        return json.dumps({name: getattr(self, name) for name in self._SAVED})

    def deserialize(self, text: str) -> None:
        """Takes the values from JSON, after checking that the settings are this run's.

        Checkpoints of 0.1.0 hold no code and no optimizers: these are not compared then.

        Raises:
            OtherRunError: naming what differs, if the settings are another run's.
        """
        saved = json.loads(text)
        history = saved["history"]
        rounds = saved["rounds"]
        if any(len(figures) != len(rounds) for figures in history.values()):
            raise TypeError("its history does not have one figure a round")

        self._check_settings(saved["settings"])
        self._check_code(saved.get("code", {}))
        self._check_optimizers(saved.get("optimizers", {}))
        self.saved_optimizers = saved.get("optimizers", {})
        self.next_round = int(saved["next_round"])
        self.history = history
        self.rounds = rounds

    def _check_settings(self, theirs: dict[str, Any]) -> None:
        """Raises OtherRunError, naming what differs, unless the saved settings are this run's."""
        ours = json.loads(json.dumps(self.settings))
        names = sorted(ours.keys() | theirs.keys())
        changed = [name for name in names if ours.get(name) != theirs.get(name)]
        if changed:
            differences = "; ".join(
                f"{name}: saved {theirs.get(name)!r}, now {ours.get(name)!r}" for name in changed
            )
            raise OtherRunError(
                f"The checkpoint belongs to a run with other settings ({differences}). A run can "
                "only be resumed with the settings it was started with: pass the saved settings, "
                "or another checkpoint_dir."
            )

    def _check_code(self, theirs: dict[str, Identity]) -> None:
        """Raises OtherRunError unless the functions are this run's, as far as can be known."""
        for name in sorted(self.code.keys() & theirs.keys()):
            saved = theirs[name]
            now = self.code[name]
            if is_known_to_differ(saved, now):
                raise OtherRunError(
                    f"The checkpoint belongs to a run with another {name} (saved {saved['name']} "
                    f"with the code {saved['code']}, now {now['name']} with {now['code']}). A run "
                    "can only be resumed with the functions it was started with: pass the same "
                    "one, or another checkpoint_dir."
                )
            if not is_known_to_be_same(saved, now):
                _log.warning(
                    "It cannot be known whether %s (%s) is what this run was started with: its "
                    "code or what it depends on cannot be compared.",
                    name,
                    now["name"],
                )

    def _check_optimizers(self, theirs: dict[str, dict[str, Any]]) -> None:
        """Raises OtherRunError where a learning rate was a number and is a schedule, or vice versa.

        A checkpoint holds a number and not a schedule, so that one cannot replace the other.
        """
        for name in sorted(self.optimizers.keys() & theirs.keys()):
            saved = theirs[name]["learning_rate"]
            now = self.optimizers[name]["learning_rate"]
            if isinstance(saved, dict) != isinstance(now, dict):
                raise OtherRunError(
                    f"The checkpoint belongs to a run whose {name} had the learning rate {saved}, "
                    f"and now has {now}; expected a number for a number, or a schedule for a "
                    "schedule. Compile the model so, or pass another checkpoint_dir."
                )

    def write(self, round_index: int, logs: dict[str, float]) -> None:
        """Adds a round's figures."""
        self.rounds.append(round_index)
        for key, value in logs.items():
            self.history.setdefault(key, []).append(float(value))
        self.next_round = round_index + 1


def _remove(path: Path) -> None:
    """Removes a file, a link (not what it points to) or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(paths: list[Path]) -> None:
    """Asks the system to bring files and their folders to the disk."""
    for path in [*paths, *{path.parent for path in paths}]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Checkpoints:
    """Saves and restores a run's state together with its models, optimizers and variables.

    Only files of the folder itself are read, written and removed.

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
        self.folder = None if folder is None else Path(folder)
        self.run_state = run_state
        self.optimizers = {
            name: value
            for name, value in state.items()
            if isinstance(value, keras.optimizers.Optimizer)
        }
        run_state.optimizers = {
            name: optimizer_options(optimizer) for name, optimizer in self.optimizers.items()
        }
        if self.folder is None:
            return

        os.makedirs(self.folder, exist_ok=True)
        self.checkpoint = tf.train.Checkpoint(journal=run_state, **state)
        self.damaged: set[int] = set()
        self.written_folder = self.folder
        if not is_chief():
            # All workers must save, since a variable may have to be summed over them; what the
            # others write is thrown away.
            self.scratch_folder = tempfile.TemporaryDirectory(prefix="tfseqgan-")
            self.written_folder = Path(self.scratch_folder.name)

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Returns a context in which no other process may write to the folder.

        Raises:
            ValueError: on entry, naming the process, if another one holds it.
        """
        if self.folder is None or not is_chief():
            return contextlib.nullcontext()

        return lock_folder(self.folder)

    def restore(self) -> bool:
        """Restores the newest whole checkpoint; returns whether there was one.

        A checkpoint is whole if TensorFlow can read it and all its numbers are finite. What a
        killed process left behind half-written is removed. An optimizer that was compiled with
        another learning rate than the saved one keeps its own.

        Raises:
            ValueError: if the checkpoint belongs to a run with other settings, or no checkpoint in
                the folder is whole.
        """
        if self.folder is None:
            return False

        numbers = self._numbers(self.folder)
        for number in reversed(numbers):
            path = self.folder / f"ckpt-{number}"
            reason = self._read(path)
            if reason is None:
                self._remove_litter()
                self._apply_optimizer_options()
                _log.info("Resumed from the checkpoint %s.", path)
                return True
            self.damaged.add(number)
            _log.warning("The checkpoint %s is damaged (%s).", path, reason)

        if numbers or os.path.lexists(self.folder / _STATE_FILE):
            raise ValueError(
                f"No checkpoint in {self.folder} is whole; expected one or more. "
                "Restore the folder, or start a new run."
            )
        self._remove_litter()

        return False

    def _read(self, path: Path) -> str | None:
        """Restores a checkpoint; returns what is wrong with it, or None."""
        try:
            status = self.checkpoint.read(str(path))
            status.assert_existing_objects_matched()
            status.expect_partial()  # checkpoints of 0.1.0 hold a counter that is not needed
        except OtherRunError:
            raise
        except Exception as error:  # TensorFlow reports damage by many kinds of errors
            return str(error).splitlines()[0] if str(error) else type(error).__name__

        return self._find_not_finite()

    def _find_not_finite(self) -> str | None:
        """Returns which part of the state holds numbers that are not finite, or None."""
        for variable in tf.train.TrackableView(self.checkpoint).descendants():
            if not isinstance(variable, keras.Variable | tf.Variable):
                continue
            values = tf.convert_to_tensor(variable)
            if values.dtype.is_floating and not tf.reduce_all(tf.math.is_finite(values)):
                return f"{variable.name} holds numbers that are not finite"

        return None

    def _apply_optimizer_options(self) -> None:
        """Gives each optimizer the rate it was compiled with, where that is not the saved one.

        A rate that a callback changed while the run went on is not another rate: it is kept.
        """
        for name, optimizer in self.optimizers.items():
            now = self.run_state.optimizers[name]
            restored = optimizer_options(optimizer)
            saved = self.run_state.saved_optimizers.get(
                name, now | {"learning_rate": restored["learning_rate"]}
            )
            for option, value in now.items():
                if value == saved.get(option):
                    continue
                was = saved.get(option)
                _log.warning(
                    "%s: %s is %s from here on; it was %s.",
                    name,
                    option,
                    f"{value:.6g}" if isinstance(value, float) else value,
                    f"{was:.6g}" if isinstance(was, float) else was,
                )
                if option == "learning_rate" and isinstance(value, float):
                    optimizer.learning_rate = value

    def save(self) -> None:
        """Writes a checkpoint, then drops those before the last two.

        Raises:
            FloatingPointError: if the state holds numbers that are not finite: nothing is written.
            OSError: if the disk is full or cannot be written; the earlier checkpoints are intact.
        """
        if self.folder is None:
            return
        not_finite = self._find_not_finite()
        if not_finite:
            raise FloatingPointError(
                f"Training diverged: {not_finite}. The last checkpoint is intact. Lower the "
                "learning rate or clip the gradient (global_clipnorm=5.0)."
            )

        taken = {*self._numbers(self.written_folder, _NUMBERED), *self.damaged}
        number = 1 + max(taken, default=0)
        path = self.written_folder / f"ckpt-{number}"
        try:
            self.checkpoint.write(str(path))
            _sync(self._files(number))
        except tf.errors.OpError as error:
            self._remove_number(number)
            raise os_error(error, self.written_folder) from error

        self._drop_old()

    def _numbers(self, folder: Path, pattern: re.Pattern[str] | None = None) -> list[int]:
        """Returns the numbers of the checkpoints in a folder, by their index files in order.

        Args:
            folder: the folder.
            pattern: counts every file that begins so instead, to find a number that is free.
        """
        if pattern is None:
            names = [path.name for path in folder.glob("ckpt-*.index") if path.is_file()]
            pattern = _WHOLE_FILE
        else:
            names = os.listdir(folder)

        return sorted({int(found[1]) for name in names if (found := pattern.match(name))})

    def _files(self, number: int) -> list[Path]:
        """Returns the files of a checkpoint, its index first."""
        return sorted(self.written_folder.glob(f"ckpt-{number}.*"), reverse=True)

    def _remove_number(self, number: int) -> None:
        """Removes whatever there is of a checkpoint; its index first, by which it is found."""
        for path in [*self._files(number), self.written_folder / f"ckpt-{number}_temp"]:
            _remove(path)

    def _drop_old(self) -> None:
        """Keeps the newest whole checkpoints, and lists them for TensorFlow's own tools."""
        numbers = self._numbers(self.written_folder)
        kept = [number for number in numbers if number not in self.damaged][-_KEPT:]
        lines = [f'model_checkpoint_path: "ckpt-{kept[-1]}"']
        lines += [f'all_model_checkpoint_paths: "ckpt-{number}"' for number in kept]

        state_file = self.written_folder / _STATE_FILE
        if state_file.is_symlink():  # it could lead out of the folder
            state_file.unlink()
        write_atomically(state_file, ("\n".join(lines) + "\n").encode())
        for number in set(numbers) - set(kept):
            self._remove_number(number)

    def _remove_litter(self) -> None:
        """Removes what a killed process left behind half-written."""
        if not is_chief():
            return

        numbers = self._numbers(self.written_folder)
        for path in list(self.written_folder.iterdir()):
            whole = _WHOLE_FILE.fullmatch(path.name)
            is_whole = whole is not None and int(whole[1]) in numbers
            if _PARTIAL_FILE.fullmatch(path.name) and not is_whole:
                _log.warning("Removed %s, which a stopped process left half-written.", path)
                _remove(path)
