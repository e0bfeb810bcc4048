"""Maximum likelihood, the start of every model of the paper (section 4), in a loop that repeats and goes on bit for bit."""

import math

import numpy as np
import tensorflow as tf

from tfseqgan.evaluation.evaluate import mean_nll
from tfseqgan.models.checks import check_counts, check_tokens
from tfseqgan.ops.replicas import (
    check_rows_for_all,
    check_same_everywhere,
    under_strategy,
)
from tfseqgan.training.callbacks import progress
from tfseqgan.training.checkpointing import Checkpoints, RunState, checksum, model_settings
from tfseqgan.training.checks import check_batch, check_compiled, check_finite
from tfseqgan.training.loop import run_rounds
from tfseqgan.training.seeding import derive_seed, resolve_seed, shuffled_indices
from tfseqgan.training.steps import make_step

_ORDER, _DROPOUT = range(2)


class BestWeights(tf.Module):
    """A copy of a model's weights at the epoch with the lowest validation NLL.

    Args:
        model: a built Keras model.
    """

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.copies = [tf.Variable(weight, trainable=False) for weight in model.trainable_variables]

    def take(self):
        """Copies the model's weights."""
        for copy, weight in zip(self.copies, self.model.trainable_variables):
            copy.assign(weight)

    def restore(self):
        """Sets the model's weights to the copies."""
        for copy, weight in zip(self.copies, self.model.trainable_variables):
            weight.assign(copy)


@under_strategy
def pretrain(
    generator,
    data,
    *,
    epochs=20,
    batch_size=32,
    validation_data=None,
    patience=None,
    checkpoint_dir=None,
    checkpoint_every=1,
    strategy=None,
    callbacks=(),
    seed=None,
    verbose="auto",
):
    """Trains a generator by maximum likelihood; with validation data it ends with the weights of its best epoch.

    The same as `generator.fit`, but a run with a seed repeats bit for bit on a CPU, and one with a `checkpoint_dir` goes on after a stop as
    if it had not stopped.

    Args:
        generator: a compiled `Generator`.
        data: int32 [N, T] token rows (`Tokenizer.windows`).
        epochs: passes over the data.
        batch_size: rows a step; the last step of an epoch takes what is left.
        validation_data: int32 [M, T], or None to keep the last epoch's weights.
        patience: stop after so many epochs without a better validation NLL, or None.
        checkpoint_dir: folder for checkpoints; a run that finds its own there goes on from it.
        checkpoint_every: epochs from one checkpoint to the next.
        strategy: a tf.distribute.Strategy under which the generator was made and compiled, or None for the one in scope; `batch_size` is its whole batch.
        callbacks: Keras callbacks.
        seed: an integer for the same run again, or None.
        verbose: 0 silent, 1 one live line, 2 a line an epoch, "auto" to choose.

    Returns:
        keras.callbacks.History with `nll` (training, dropout on) and `val_nll` (dropout off), in nats per token.

    Raises:
        ValueError: if the generator is not compiled (under the strategy), the data does not fit it or differs from worker to worker, a number is out of
            range, or the checkpoint belongs to another run.
        FloatingPointError: if the training diverges.

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> generator = Generator(vocabulary_size=7, embedding_dim=4, units=8)
        >>> generator.compile("adam")
        >>> history = pretrain(generator, np.array([[3, 4, 2], [3, 5, 2]]), epochs=2, batch_size=2, seed=0, verbose=0)
        >>> history.epoch
        [0, 1]

    Reference:
        Bjare & Meredith, section 4 (the NLL model).
    """
    check_compiled(generator)
    data = check_tokens(data, generator.vocabulary_size)
    check_batch(data, batch_size)
    if validation_data is not None:
        validation_data = check_tokens(
            validation_data, generator.vocabulary_size, "validation_data"
        )
    check_counts(checkpoint_every=checkpoint_every, patience=1 if patience is None else patience)
    check_rows_for_all(batch_size=batch_size)
    check_same_everywhere(data=checksum(data), validation_data=checksum(validation_data))
    settings = {
        "stage": "pretrain",
        "batch_size": batch_size,
        "seed": seed,
        "data_checksum": checksum(data),
        "validation_data_checksum": checksum(validation_data),
        **model_settings(generator=generator),
    }
    journal, best = RunState(settings), BestWeights(generator)
    checkpoints = Checkpoints(
        checkpoint_dir,
        journal,
        generator=generator,
        optimizer=generator.optimizer,
        best=best.copies,
    )
    seed, step = resolve_seed(seed), make_step(generator)

    def play(epoch):
        generator.seed_dropout(derive_seed(seed, _DROPOUT, epoch))
        order = shuffled_indices(len(data), len(data), seed, _ORDER, epoch)
        losses = [
            step(tf.constant(data[order[start : start + batch_size]]))
            for start in range(0, len(data), batch_size)
        ]
        logs = {"nll": float(np.mean(losses))}
        check_finite(f"epoch {epoch}", logs, generator)
        if validation_data is not None:
            logs["val_nll"] = mean_nll(generator, validation_data)
            if logs["val_nll"] < min(journal.history.get("val_nll", []), default=math.inf):
                best.take()
        return logs

    def out_of_patience():
        nlls = journal.history.get("val_nll", [])
        return patience is not None and len(nlls) - 1 - np.argmin(nlls or [0]) >= patience

    shown = progress(0, epochs, ["nll", "val_nll"], verbose, title="epoch")
    history = run_rounds(
        play,
        epochs,
        model=generator,
        journal=journal,
        checkpoints=checkpoints,
        checkpoint_every=checkpoint_every,
        callbacks=[*shown, *callbacks],
        finished=out_of_patience,
    )
    if validation_data is not None and history.epoch:
        best.restore()
    return history
