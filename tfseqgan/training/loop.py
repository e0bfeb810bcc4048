"""One round after another: callbacks, history, checkpoints, resume."""

import keras


def run_rounds(
    play,
    last,
    *,
    model,
    journal,
    checkpoints,
    checkpoint_every=10,
    callbacks=(),
    finished=lambda: False,
):
    """Plays rounds and keeps their books; goes on from the newest checkpoint where there is one.

    Args:
        play: function of a round's number that trains and returns its figures, a dict of floats.
        last: the round to end before.
        model: the model that callbacks see, whose `stop_training` ends the run.
        journal: the run's `RunState`, which knows the first round.
        checkpoints: the run's `Checkpoints`.
        checkpoint_every: rounds from one checkpoint to the next; the last round is always kept.
        callbacks: Keras callbacks; their epochs are rounds.
        finished: whether the journal calls for no further round, asked before each; so that a run that ended early stays ended when it is resumed.

    Returns:
        keras.callbacks.History with the figures of all rounds, those before a stop included.
    """
    history = keras.callbacks.History()
    callbacks = keras.callbacks.CallbackList(
        [history, *callbacks], model=model, epochs=last, verbose=0
    )
    model.stop_training = False
    checkpoints.restore()
    callbacks.on_train_begin()
    history.epoch, history.history = (
        list(journal.rounds),
        {key: list(values) for key, values in journal.history.items()},
    )
    while journal.next_round < last and not model.stop_training and not finished():
        number = journal.next_round
        callbacks.on_epoch_begin(number)
        logs = play(number)
        journal.write(number, logs)
        callbacks.on_epoch_end(number, logs)
        if (
            (number + 1) % checkpoint_every == 0
            or number + 1 == last
            or model.stop_training
            or finished()
        ):
            checkpoints.save()
    callbacks.on_train_end()
    return history
