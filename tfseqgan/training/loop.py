"""One round after another: callbacks, history, checkpoints, resume.

What a round does is its caller's.
"""

from collections.abc import Callable, Sequence

import keras

from tfseqgan.training.checkpointing import Checkpoints, RunState


def run_rounds(
    run_round: Callable[[int], dict[str, float]],
    last: int,
    *,
    model: keras.Model,
    run_state: RunState,
    checkpoints: Checkpoints,
    checkpoint_every: int = 10,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    is_finished: Callable[[], bool] = lambda: False,
) -> keras.callbacks.History:
    """Runs rounds; resumes from the newest checkpoint where there is one.

    No other process may write to the folder of the checkpoints meanwhile.

    A callback that has a method `on_resume(rounds, history)`, such as `MetricsCSV`, is told what
    the checkpoint knows before the first round: the indices of the rounds that have run, and one
    list of figures a name.

    Args:
        run_round: trains one round, given its index, and returns its figures.
        last: the round to end before.
        model: the model that callbacks see, whose `stop_training` ends the run.
        run_state: the run's `RunState`, which knows the first round.
        checkpoints: the run's `Checkpoints`.
        checkpoint_every: rounds from one checkpoint to the next; the last round is always kept.
        callbacks: Keras callbacks; their epochs are rounds.
        is_finished: whether the run's history asks for no further round. It is asked before each
            round, so that a run that ended early stays ended when it is resumed.

    Returns:
        keras.callbacks.History with the figures of all rounds, those before a stop included.

    Raises:
        ValueError: if another process runs with the same checkpoints, they belong to another run,
            or none of them is whole.
        FloatingPointError: if what would be saved is not finite.
        OSError: if a file cannot be written.
    """
    history = keras.callbacks.History()
    callback_list = keras.callbacks.CallbackList(
        [history, *callbacks], model=model, epochs=last, verbose=0
    )
    model.stop_training = False

    with checkpoints.lock():
        checkpoints.restore()
        callback_list.on_train_begin()
        history.epoch = list(run_state.rounds)
        history.history = {key: list(values) for key, values in run_state.history.items()}
        for callback in callbacks:
            if hasattr(callback, "on_resume"):
                callback.on_resume(history.epoch, history.history)

        while run_state.next_round < last and not model.stop_training and not is_finished():
            index = run_state.next_round
            callback_list.on_epoch_begin(index)
            logs = run_round(index)
            run_state.write(index, logs)
            callback_list.on_epoch_end(index, logs)

            is_last = index + 1 == last or model.stop_training or is_finished()
            if is_last or (index + 1) % checkpoint_every == 0:
                checkpoints.save()

        callback_list.on_train_end()

    return history
