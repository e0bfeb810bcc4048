"""How fast a preset trains on this machine: one likelihood step, measured."""

import dataclasses
import math
import statistics
import time
from typing import Any

import keras
import numpy as np

from tfseqgan.datasets.windows import Windows, load_windows
from tfseqgan.ops.devices import list_devices
from tfseqgan.runs.settings import PRESETS, Settings
from tfseqgan.runs.train_run import likelihood_optimizer, make_models
from tfseqgan.training.batches import row_lengths
from tfseqgan.training.pretraining import pretrain

_STEPS = 4
"""So many steps are timed, after one that compiles."""


@dataclasses.dataclass(frozen=True)
class Speed:
    """How long maximum likelihood takes with a preset, on the synthetic tunes.

    Attributes:
        preset: its name.
        step_seconds: of one step, the median.
        rows_per_step: the rows of it.
        steps_per_epoch: on the synthetic tunes.
        epochs: the most that the preset trains.
        rounds: of adversarial training, which take their time besides.
    """

    preset: str
    step_seconds: float
    rows_per_step: int
    steps_per_epoch: int
    epochs: int
    rounds: int

    @property
    def likelihood_seconds(self) -> float:
        """The most that maximum likelihood takes on the synthetic tunes."""
        return self.step_seconds * self.steps_per_epoch * self.epochs


def describe_devices() -> list[str]:
    """Returns the devices that TensorFlow sees, such as "GPU (NVIDIA H200)"."""
    return [kind if name is None else f"{kind} ({name})" for kind, name in list_devices()]


class _Clock(keras.callbacks.Callback):
    """Keeps the seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the clock."""
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stops the clock."""
        self.seconds.append(time.perf_counter() - self.started)


def typical_batch(tokens: np.ndarray, batch_size: int, pad_token_id: int) -> np.ndarray:
    """Returns the rows whose lengths are those in the middle: int32 [N, T] → int32 [B, T].

    Example:
        >>> typical_batch(np.array([[4, 5, 6], [4, 0, 0], [4, 5, 0]]), 1, pad_token_id=0)
        array([[4, 5, 0]])
    """
    by_length = np.argsort(row_lengths(tokens, pad_token_id), kind="stable")
    start = max(0, (len(by_length) - batch_size) // 2)

    return tokens[by_length[start : start + batch_size]]


def measure_speed(preset: str) -> Speed:
    """Times likelihood steps of a preset's generator on a batch of the synthetic tunes.

    Args:
        preset: a name in `PRESETS`.
    """
    settings = PRESETS[preset]
    data = load_windows(None, **settings.window_options())
    batch = typical_batch(data.train, settings.pretraining_batch_size, data.tokenizer.pad_token_id)

    return Speed(
        preset=preset,
        step_seconds=time_step(data, batch, settings),
        rows_per_step=len(batch),
        steps_per_epoch=math.ceil(len(data.train) / len(batch)),
        epochs=settings.epochs,
        rounds=settings.rounds,
    )


def time_step(data: Windows, batch: np.ndarray, settings: Settings) -> float:
    """Returns the median seconds of a likelihood step, after one that compiles.

    Args:
        data: whose vocabulary the generator gets.
        batch: int32 [B, T], the rows of the step.
        settings: of the generator and its optimizer.
    """
    generator, _ = make_models(data, settings)
    generator.compile(likelihood_optimizer(len(data.train), settings))
    clock = _Clock()
    pretrain(
        generator,
        batch,
        epochs=1 + _STEPS,
        batch_size=len(batch),
        bucket_by_length=settings.whole_tunes,
        callbacks=[clock],
        seed=settings.seed,
        verbose=0,
    )

    return statistics.median(clock.seconds[1:])
