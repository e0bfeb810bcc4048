"""A discriminator trained to convergence and calibrated, so that its odds mean what they say.

In adversarial rounds a discriminator follows its generator. Where its odds D / (1 − D) weigh whole
sequences (`models.resampling`), they must be those of sequences that it did not learn from. So it
stops when sequences that were kept back show that it learns no more, and its logits are then put on
the line that makes them true there.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.evaluation.calibration import cross_entropy, fit_platt
from tfseqgan.evaluation.metrics import auc
from tfseqgan.models.checks import check_count, check_tokens
from tfseqgan.models.resampling import effective_sample_sizes
from tfseqgan.models.sequence_classifier import SequenceClassifier
from tfseqgan.ops.masking import sequence_mask
from tfseqgan.training.batches import batches_of_similar_length, round_length
from tfseqgan.training.best_epoch import BestWeights, is_out_of_patience
from tfseqgan.training.callbacks import progress
from tfseqgan.training.checkpointing import Checkpoints, RunState, checksum, model_settings
from tfseqgan.training.checks import check_batch, check_compiled, check_finite
from tfseqgan.training.distribute import local_rows
from tfseqgan.training.loop import run_rounds
from tfseqgan.training.seeding import derive_seed, resolve_seed, shuffled_indices
from tfseqgan.training.steps import gradient_step

_BATCHES, _ORDER, _DROPOUT = range(3)  # purposes of random numbers

_PREFIX_EVERY = 16
"""Every prefix of a multiple of so many tokens is learned from."""

_ROWS_READ_AT_ONCE = 16
_SHOWN = ["loss", "val_cross_entropy", "val_auc", "mean_odds", "effective_share"]


class RealAndGenerated(NamedTuple):
    """Sequences of both kinds, about as many of each.

    Attributes:
        real: int32 [N, T].
        generated: int32 [M, T'].
    """

    real: np.ndarray
    generated: np.ndarray


class _Batch(NamedTuple):
    """What a discriminator reads of some sequences, and which of them are real, bool [B]."""

    reading: Any
    is_real: np.ndarray


def _joined(sequences: RealAndGenerated) -> np.ndarray:
    """Returns both kinds as rows of one length, int32 [N + M, T]."""
    longest = max(rows.shape[1] for rows in sequences)
    padded = [np.pad(rows, [(0, 0), (0, longest - rows.shape[1])]) for rows in sequences]

    return np.concatenate(padded)


def _read_batches(
    discriminator: Any, sequences: RealAndGenerated, batch_size: int, seed: int
) -> list[_Batch]:
    """Reads all sequences once, in batches of similar length."""
    tokens = _joined(sequences)
    is_real = np.arange(len(tokens)) < len(sequences.real)
    mask = sequence_mask(tf.constant(tokens), discriminator.end_token_id)
    lengths = tf.reduce_sum(mask, axis=1).numpy().astype(int)
    read = tf.function(discriminator.read, reduce_retracing=True)

    batches = []
    for rows in batches_of_similar_length(lengths, batch_size, seed, _BATCHES):
        length = round_length(int(lengths[rows].max()))
        parts = [
            read(tf.constant(tokens[few, :length]))
            for few in np.split(rows, range(_ROWS_READ_AT_ONCE, len(rows), _ROWS_READ_AT_ONCE))
        ]
        reading = tf.nest.map_structure(lambda *pieces: tf.concat(pieces, axis=0), *parts)
        batches.append(_Batch(reading, is_real[rows]))

    return batches


def _loss_of_prefixes(discriminator: Any, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Computes the mean of two cross-entropies: of whole sequences, and of all their prefixes.

    Args:
        discriminator: a compiled one.
        labels: float32 [B].
        logits: float32 [B, P], of prefixes; the last column is of whole sequences.
    """
    of_prefixes = tf.repeat(labels, tf.shape(logits)[1])
    flat = tf.reshape(logits, [-1])

    loss = discriminator.compute_loss(y=labels, y_pred=logits[:, -1])
    loss += discriminator.compute_loss(y=of_prefixes, y_pred=flat)

    return loss / 2


def _make_step(discriminator: Any) -> Callable[[Any, tf.Tensor], tf.Tensor]:
    """Returns the compiled step: a reading and labels float32 [B] → loss float32 []."""

    @tf.function(reduce_retracing=True)
    def step(reading, labels):
        def local_loss():
            own = local_rows(labels)
            local_reading = tf.nest.map_structure(local_rows, reading)
            logits = discriminator.prefix_logits_of(local_reading, _PREFIX_EVERY, training=True)
            share = tf.cast(tf.shape(own)[0] / tf.shape(labels)[0], tf.float32)

            return _loss_of_prefixes(discriminator, own, logits), share

        loss, _ = gradient_step(discriminator, local_loss)

        return loss

    return step


class _DiscriminatorEpochs:
    """The epochs of a run of `fit_discriminator`, whose data and seed are fixed."""

    def __init__(
        self,
        discriminator: Any,
        train: RealAndGenerated,
        kept_back: RealAndGenerated,
        batch_size: int,
        label_smoothing: float,
        seed: int,
    ) -> None:
        self.discriminator = discriminator
        self.train = _read_batches(discriminator, train, batch_size, seed)
        self.kept_back = _read_batches(discriminator, kept_back, batch_size, seed)
        self.label_smoothing = label_smoothing
        self.seed = seed
        self.best = BestWeights(discriminator)
        self.step = _make_step(discriminator)
        self.logits_of = tf.function(discriminator.logits_of, reduce_retracing=True)

    def run(self, epoch: int, earlier: Sequence[float]) -> dict[str, float]:
        """Trains one epoch and returns its figures; keeps the weights if they are the best.

        Args:
            epoch: from 0.
            earlier: the cross-entropies of the epochs before.
        """
        self.discriminator.seed_dropout(derive_seed(self.seed, _DROPOUT, epoch))
        count = len(self.train)
        losses = []
        for index in shuffled_indices(count, count, self.seed, _ORDER, epoch):
            batch = self.train[index]
            labels = np.abs(batch.is_real - self.label_smoothing / 2)
            losses.append(self.step(batch.reading, tf.constant(labels, tf.float32)))

        figures = {"loss": float(np.mean(losses))} | self.validate()
        check_finite(f"epoch {epoch}", figures, self.discriminator)
        if figures["val_cross_entropy"] < min(earlier, default=np.inf):
            self.best.save()

        return figures

    def kept_back_logits(self) -> tuple[np.ndarray, np.ndarray]:
        """Computes the logits of real and of generated sequences that were kept back."""
        logits = [self.logits_of(batch.reading).numpy().astype(float) for batch in self.kept_back]
        is_real = np.concatenate([batch.is_real for batch in self.kept_back])
        joined = np.concatenate(logits)

        return joined[is_real], joined[~is_real]

    def validate(self) -> dict[str, float]:
        """Returns the figures on what was kept back, of logits on the line that makes them true."""
        of_real, of_generated = self.kept_back_logits()
        line = fit_platt(of_real, of_generated)
        real, generated = line(of_real), line(of_generated)

        return {
            "val_cross_entropy": cross_entropy(real, generated),
            "val_auc": auc(real, generated),
            "mean_odds": float(np.exp(generated).mean()),
            "effective_share": float(effective_sample_sizes(generated)) / len(generated),
        }

    def finish(self) -> None:
        """Gives the discriminator its best weights, and calibrates it."""
        self.best.restore()
        line = fit_platt(*self.kept_back_logits())
        self.discriminator.scale_logits(line.scale, line.shift)


def fit_discriminator(
    discriminator: SequenceClassifier,
    train: RealAndGenerated,
    kept_back: RealAndGenerated,
    *,
    max_epochs: int = 30,
    patience: int = 3,
    batch_size: int = 64,
    label_smoothing: float = 0.05,
    checkpoint_dir: Path | str | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    seed: int | None = None,
    verbose: int | str = "auto",
) -> keras.callbacks.History:
    """Trains a discriminator until it learns no more and calibrates it, in place.

    It ends with the weights of the epoch with the lowest cross-entropy on the sequences that were
    kept back, and its logits are the true odds there (Platt scaling, in the last layer). The loss
    is half that of whole sequences and half that of their prefixes of 16, 32, … tokens: what a
    prefix shows already is learned sooner, and its odds can weigh sequences while they are written
    (`models.particles`).

    | figure of an epoch | what | unit |
    |---|---|---|
    | `loss` | of whole sequences and prefixes, with dropout and smoothed labels | nats |
    | `val_cross_entropy` | of what was kept back, calibrated; 0.693 if it cannot tell | nats |
    | `val_auc` | a real sequence looks more real than a generated one | share |
    | `mean_odds` | E[w] of generated sequences; 1 where nothing real is left out | |
    | `effective_share` | (Σ w)² / Σ w² of generated sequences, by their number | share |

    Args:
        discriminator: a compiled `Discriminator` or `StateDiscriminator`.
        train: it learns from these.
        kept_back: sequences that neither it nor the generator learned from.
        max_epochs: the most passes over the sequences.
        patience: stop after this many epochs without a lower cross-entropy.
        batch_size: sequences of a step, of both kinds and of similar length.
        label_smoothing: real sequences have the label 1 − s/2, generated ones s/2.
        checkpoint_dir: folder for checkpoints; a run that finds its own there resumes from it.
        callbacks: Keras callbacks.
        seed: an integer for the same run again, or None.
        verbose: 0 silent, 1 one live line, 2 a line an epoch, "auto" to choose.

    Returns:
        keras.callbacks.History of the figures above.

    Raises:
        ValueError: if the discriminator is not compiled, sequences do not fit it, there are none of
            a kind, they are of different lengths while one has no end, a number is out of range, or
            the checkpoint belongs to another run.
        FloatingPointError: if the training diverges.

    Example:
        >>> import tfseqgan as sg
        >>> discriminator = sg.Discriminator(7, embedding_dim=4, filters=3, kernel_sizes=(1, 2))
        >>> discriminator.compile("adam")
        >>> both = RealAndGenerated(np.array([[3, 4, 2], [3, 6, 2]]), np.array([[5, 5, 2]]))
        >>> history = fit_discriminator(
        ...     discriminator, both, both, max_epochs=2, batch_size=2, seed=0, verbose=0)
        >>> history.epoch
        [0, 1]

    Reference:
        Grover et al. 2019, "Bias Correction of Learned Generative Models"; Platt 1999.
    """
    check_compiled(discriminator)
    train = _check("train", discriminator, train)
    kept_back = _check("kept_back", discriminator, kept_back)
    batch_size = check_count("batch_size", batch_size)
    check_batch(_joined(train), batch_size)
    max_epochs = check_count("max_epochs", max_epochs)
    patience = check_count("patience", patience)
    label_smoothing = _check_smoothing(label_smoothing)
    seed = None if seed is None else check_count("seed", seed, least=0)

    settings = {
        "stage": "discriminator",
        "batch_size": batch_size,
        "label_smoothing": label_smoothing,
        "seed": seed,
        "data_checksum": [checksum(rows) for rows in (*train, *kept_back)],
        **model_settings(discriminator=discriminator),
    }
    run_state = RunState(settings)
    run = _DiscriminatorEpochs(
        discriminator, train, kept_back, batch_size, label_smoothing, resolve_seed(seed)
    )
    checkpoints = Checkpoints(
        checkpoint_dir,
        run_state,
        discriminator=discriminator,
        optimizer=discriminator.optimizer,
        best=run.best.copies,
    )

    def entropies() -> list[float]:
        return run_state.history.get("val_cross_entropy", [])

    history = run_rounds(
        lambda epoch: run.run(epoch, entropies()),
        max_epochs,
        model=discriminator,
        run_state=run_state,
        checkpoints=checkpoints,
        checkpoint_every=1,
        callbacks=[*progress(0, max_epochs, _SHOWN, verbose, title="epoch"), *callbacks],
        is_finished=lambda: is_out_of_patience(entropies(), patience),
    )
    run.finish()

    return history


def _check_smoothing(label_smoothing: float) -> float:
    """Returns the share by which labels are smoothed, or raises ValueError."""
    if not 0 <= label_smoothing < 1:
        raise ValueError(
            f"label_smoothing is {label_smoothing}; expected a number, 0 to below 1. 0 leaves the "
            "labels at 0 and 1."
        )

    return float(label_smoothing)


def _check(
    name: str, discriminator: SequenceClassifier, sequences: RealAndGenerated
) -> RealAndGenerated:
    """Returns sequences as int32, or raises ValueError."""
    checked = RealAndGenerated(
        *[
            check_tokens(rows, discriminator.vocabulary_size, f"{name}.{kind}")
            for kind, rows in sequences._asdict().items()
        ]
    )
    widths = [rows.shape[1] for rows in checked]
    end = discriminator.end_token_id
    all_end = all((rows == end).any(axis=1).all() for rows in checked)
    if widths[0] != widths[1] and not all_end:
        raise ValueError(
            f"{name} holds real sequences of length {widths[0]} and generated ones of length "
            f"{widths[1]}, of which some have no end token: their padding would tell them apart. "
            "Cut both to one length."
        )

    return checked
