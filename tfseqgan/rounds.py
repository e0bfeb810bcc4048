"""One round after another: callbacks, history, checkpoints, and going on after a stop. What a round does is its caller's."""

import secrets

import keras
import numpy as np

from tfseqgan.replicas import agree


def resolve_seed(seed):
    """Returns a run's seed: the one given, checked, or a random one for None.

    Raises:
        ValueError: unless it is None or a whole number of 0 or more.

    Example:
        >>> resolve_seed(7)
        7
    """
    if seed is None:
        return agree(secrets.randbits(31))
    if not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed must be a whole number of 0 or more, or None for a random one; received {seed!r}.")
    return seed


def derive_seed(seed, *path):
    """Returns two integers that depend on a run's seed and on a place in it (a purpose, a round, a step), and on nothing else.

    Args:
        seed: a non-negative integer.
        *path: non-negative integers.

    Returns:
        A pair of integers below 2³².

    Example:
        >>> derive_seed(0, 1, 2) == derive_seed(0, 1, 2), derive_seed(0, 1, 2) == derive_seed(0, 2, 1), derive_seed(0, 1) == derive_seed(0, 1, 0)
        (True, False, False)
    """
    return tuple(int(word) for word in np.random.SeedSequence(seed, spawn_key=path).generate_state(2))


def index_stream(count, size, seed, *path):
    """Returns `count` row numbers below `size`: shuffled passes over all rows, one after the other.

    Args:
        count: how many.
        size: the number of rows.
        seed: the run's seed.
        *path: the place in the run, as in `derive_seed`.

    Returns:
        NumPy int64 [count]; every row occurs ⌊count/size⌋ or one more times.

    Example:
        >>> sorted(index_stream(6, 3, 0).tolist())
        [0, 0, 1, 1, 2, 2]
    """
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=path))
    passes = [random.permutation(size) for _ in range(-(-count // size))]
    return np.concatenate(passes)[:count]


def play_rounds(play, last, *, model, journal, checkpoints, checkpoint_every=10, callbacks=(), finished=lambda: False):
    """Plays rounds and keeps their books; goes on from the newest checkpoint where there is one.

    Args:
        play: function of a round's number that trains and returns its figures, a dict of floats.
        last: the round to end before.
        model: the model that callbacks see, whose `stop_training` ends the run.
        journal: the run's `Journal`, which knows the first round.
        checkpoints: the run's `Checkpoints`.
        checkpoint_every: rounds from one checkpoint to the next; the last round is always kept.
        callbacks: Keras callbacks; their epochs are rounds.
        finished: whether the journal calls for no further round, asked before each; so that a run that ended early stays ended when it is resumed.

    Returns:
        keras.callbacks.History with the figures of all rounds, those before a stop included.
    """
    history = keras.callbacks.History()
    callbacks = keras.callbacks.CallbackList([history, *callbacks], model=model, epochs=last, verbose=0)
    model.stop_training = False
    checkpoints.restore()
    callbacks.on_train_begin()
    history.epoch, history.history = list(journal.rounds), {key: list(values) for key, values in journal.history.items()}
    while journal.next_round < last and not model.stop_training and not finished():
        number = journal.next_round
        callbacks.on_epoch_begin(number)
        logs = play(number)
        journal.write(number, logs)
        callbacks.on_epoch_end(number, logs)
        if (number + 1) % checkpoint_every == 0 or number + 1 == last or model.stop_training or finished():
            checkpoints.save()
    callbacks.on_train_end()
    return history
