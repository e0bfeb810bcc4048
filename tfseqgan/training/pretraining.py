"""Maximum likelihood, the start of every model of the paper (section 4).

The loop repeats and resumes bit for bit.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.evaluation.evaluate import mean_nll
from tfseqgan.models.checks import check_count, check_sequences
from tfseqgan.training.batches import batches_of_similar_length, cut_padding, row_lengths
from tfseqgan.training.best_epoch import BestWeights, is_out_of_patience
from tfseqgan.training.callbacks import progress
from tfseqgan.training.checkpointing import Checkpoints, RunState, checksum, model_settings
from tfseqgan.training.checks import check_batch, check_finite, check_generator
from tfseqgan.training.distribute import (
    check_rows_for_all_replicas,
    check_same_on_workers,
    under_strategy,
)
from tfseqgan.training.loop import run_rounds
from tfseqgan.training.seeding import derive_seed, resolve_seed, shuffled_indices
from tfseqgan.training.steps import make_likelihood_step
from tfseqgan.training.weight_averaging import averaged_weights, keeps_average

_ORDER, _DROPOUT = range(2)  # purposes of random numbers


class _LikelihoodEpochs:
    """The epochs of a run of `pretrain`, whose data and seed are fixed."""

    def __init__(
        self,
        generator,
        data,
        validation_data,
        batch_size,
        bucket_by_length,
        augment,
        seed,
        run_state,
    ):
        self.generator = generator
        self.data = data
        self.validation_data = validation_data
        self.batch_size = batch_size
        self.bucket_by_length = bucket_by_length
        self.augment = augment
        self.seed = seed
        self.run_state = run_state
        self._check_has_padding()
        self.best = BestWeights(generator)
        self.step = make_likelihood_step(generator, has_many_widths=bucket_by_length)

    def _check_has_padding(self) -> None:
        """Raises ValueError where padding shall be cut and no id is padding."""
        if self.bucket_by_length and self.generator.end_token_id is None:
            raise ValueError(
                "bucket_by_length cuts the padding after end tokens, and the generator's "
                "end_token_id is None; expected an id. Leave bucket_by_length out for rows of a "
                "fixed length."
            )

    def run(self, epoch: int) -> dict[str, float]:
        """Trains one epoch and returns its figures."""
        self.generator.seed_dropout(derive_seed(self.seed, _DROPOUT, epoch))
        data = self.data if self.augment is None else self.augment(epoch)
        losses = [self.step(tf.constant(batch, tf.int32)) for batch in self._batches(data, epoch)]

        figures = {"nll": float(np.mean(losses))}
        check_finite(f"epoch {epoch}", figures, self.generator)
        if self.validation_data is not None:
            figures["val_nll"] = self._validate()

        return figures

    def _batches(self, data, epoch):
        """Yields the rows of each step, int32 [B, T]."""
        if not self.bucket_by_length:
            order = shuffled_indices(len(data), len(data), self.seed, _ORDER, epoch)
            for start in range(0, len(data), self.batch_size):
                yield data[order[start : start + self.batch_size]]
            return

        pad_token_id = self.generator.pad_token_id
        lengths = row_lengths(data, pad_token_id)
        for rows in batches_of_similar_length(lengths, self.batch_size, self.seed, _ORDER, epoch):
            yield cut_padding(data[rows], pad_token_id)

    def _validate(self):
        """Returns the validation NLL, and keeps the weights if it is the lowest so far."""
        earlier = self.run_state.history.get("val_nll", [])
        with averaged_weights(self.generator):
            nll = mean_nll(self.generator, self.validation_data)
            if nll < min(earlier, default=math.inf):
                self.best.save()

        return nll

    def keep_best(self) -> None:
        """Gives the generator the weights of its best epoch, or the average of the last steps."""
        if self.validation_data is not None:
            self.best.restore()
        elif keeps_average(self.generator):
            weights = self.generator.trainable_variables
            self.generator.optimizer.finalize_variable_values(weights)


@under_strategy
def pretrain(
    generator: Any,
    data: np.ndarray,
    *,
    epochs: int = 20,
    batch_size: int = 32,
    validation_data: np.ndarray | None = None,
    bucket_by_length: bool = False,
    augment: Callable[[int], np.ndarray] | None = None,
    patience: int | None = None,
    checkpoint_dir: Path | str | None = None,
    checkpoint_every: int = 1,
    strategy: tf.distribute.Strategy | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    seed: int | None = None,
    verbose: int | str = "auto",
) -> keras.callbacks.History:
    """Trains a generator by maximum likelihood, in place.

    An optimizer with `use_ema=True` averages the weights over the steps; the average is what is
    validated, and what the generator has at the end.

    It does what `generator.fit` does; besides, a run with a seed repeats bit for bit on a CPU, one
    with a `checkpoint_dir` resumes after a stop as if it had not stopped, and one with validation
    data ends with the weights of its best epoch.

    Args:
        generator: a compiled `Generator`, or one's own (`SequenceModel`).
        data: int32 [N, T] token rows (`Tokenizer.windows`).
        epochs: passes over the data.
        batch_size: rows a step; the last step of an epoch takes those that are left.
        validation_data: int32 [M, T], or None to keep the last epoch's weights.
        bucket_by_length: make steps of rows of similar length and cut the padding, for whole tunes
            (`Tokenizer.whole_tunes`).
        augment: function of the epoch, 0, 1, …, that returns the rows to train on in place of
            `data`, int32 [N, T] (`RandomTransposition`); or None.
        patience: stop after this many epochs without a lower validation NLL, or None.
        checkpoint_dir: folder for checkpoints; a run that finds its own there resumes from it. A
            generator that was compiled with another learning rate or clipping than the saved run's
            keeps its own from there on, which is logged.
        checkpoint_every: epochs from one checkpoint to the next.
        strategy: a tf.distribute.Strategy under which the generator was made and compiled, or None
            for the one in scope; `batch_size` is its whole batch.
        callbacks: Keras callbacks.
        seed: an integer for the same run again, or None.
        verbose: 0 silent, 1 one live line, 2 a line an epoch, "auto" to choose.

    Returns:
        keras.callbacks.History with `nll` (training, dropout on) and `val_nll` (dropout off), in
        nats per token.

    Raises:
        ValueError: if the generator is not compiled (under the strategy), the data does not fit it
            or differs from worker to worker, a number is out of range, the checkpoint belongs to
            another run, or another process writes to `checkpoint_dir`.
        TypeError: if the generator lacks a method that is needed.
        FloatingPointError: if the training diverges; the last checkpoint is then intact.

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> generator = Generator(vocabulary_size=7, embedding_dim=4, units=8)
        >>> generator.compile("adam")
        >>> data = np.array([[3, 4, 2], [3, 5, 2]])
        >>> history = pretrain(generator, data, epochs=2, batch_size=2, seed=0, verbose=0)
        >>> history.epoch
        [0, 1]

    Reference:
        Bjare & Meredith, section 4 (the NLL model).
    """
    check_generator(generator)
    data = check_sequences(generator, data)
    batch_size = check_count("batch_size", batch_size, least=0)
    check_batch(data, batch_size)
    if validation_data is not None:
        validation_data = check_sequences(generator, validation_data, "validation_data")
    epochs = check_count("epochs", epochs, least=0)
    checkpoint_every = check_count("checkpoint_every", checkpoint_every)
    patience = None if patience is None else check_count("patience", patience)
    seed = None if seed is None else check_count("seed", seed, least=0)
    check_rows_for_all_replicas(batch_size=batch_size)
    check_same_on_workers(data=checksum(data), validation_data=checksum(validation_data))

    settings = {
        "stage": "pretrain",
        "batch_size": batch_size,
        "seed": seed,
        "data_checksum": checksum(data),
        "validation_data_checksum": checksum(validation_data),
        **model_settings(generator=generator),
    }
    if bucket_by_length:  # checkpoints of 0.1.0 know neither of these
        settings["bucket_by_length"] = True
    if augment is not None:
        settings["is_augmented"] = True
    run_state = RunState(settings)
    run = _LikelihoodEpochs(
        generator,
        data,
        validation_data,
        batch_size,
        bucket_by_length,
        augment,
        resolve_seed(seed),
        run_state,
    )
    checkpoints = Checkpoints(
        checkpoint_dir,
        run_state,
        generator=generator,
        optimizer=generator.optimizer,
        best=run.best.copies,
    )

    shown = progress(0, epochs, ["nll", "val_nll"], verbose, title="epoch")
    history = run_rounds(
        run.run,
        epochs,
        model=generator,
        run_state=run_state,
        checkpoints=checkpoints,
        checkpoint_every=checkpoint_every,
        callbacks=[*shown, *callbacks],
        is_finished=lambda: is_out_of_patience(run_state.history.get("val_nll", []), patience),
    )
    if history.epoch:
        run.keep_best()

    return history
