"""Everything that a run needs in order to go on exactly where it stopped."""

import json
import os

import tensorflow as tf


class Journal(tf.train.experimental.PythonState):
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
        return json.dumps({name: getattr(self, name) for name in ("settings", "next_round", "history", "rounds")})

    def deserialize(self, text):
        """Takes the values from JSON, after checking that the settings are this run's."""
        saved = json.loads(text)
        ours = json.loads(json.dumps(self.settings))
        changed = {name for name in ours.keys() | saved["settings"].keys() if ours.get(name) != saved["settings"].get(name)}
        if changed:
            differences = "; ".join(f"{name}: saved {saved['settings'].get(name)!r}, now {ours.get(name)!r}" for name in sorted(changed))
            raise ValueError(
                f"The checkpoint belongs to a run with other settings ({differences}). A run goes on only as it was begun: pass the saved settings, "
                "or another checkpoint_dir."
            )
        self.next_round, self.history, self.rounds = saved["next_round"], saved["history"], saved["rounds"]

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
        journal: the run's `Journal`.
        **state: the models, optimizers and variables to keep, by name.

    Example:
        >>> import tempfile
        >>> folder, step = tempfile.mkdtemp(), tf.Variable(5)
        >>> Checkpoints(folder, Journal({}), step=step).save()
        >>> again = tf.Variable(0)
        >>> Checkpoints(folder, Journal({}), step=again).restore(), int(again)
        (True, 5)
    """

    def __init__(self, folder, journal, **state):
        self.manager = None
        if folder is not None:
            os.makedirs(folder, exist_ok=True)
            checkpoint = tf.train.Checkpoint(journal=journal, **state)
            self.manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2)

    def restore(self):
        """Takes the newest checkpoint over everything; returns whether there was one."""
        if self.manager is None or self.manager.latest_checkpoint is None:
            return False
        self.manager.checkpoint.restore(self.manager.latest_checkpoint).assert_existing_objects_matched()
        return True

    def save(self):
        """Writes a checkpoint, then drops the oldest one."""
        if self.manager is not None:
            self.manager.save()
