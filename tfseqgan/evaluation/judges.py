"""Judges: fresh discriminators that were never part of the game tell how good a generator is.

A discriminator that was trained beside its generator proves nothing: it may be fooled where a fresh
one is not. So judges are trained from nothing on finished tunes, real ones against generated ones,
until tunes that are kept back show that they learn no more. What counts is their cross-entropy on
tunes that neither they nor the generator saw: ln 2 = 0.693 nats if they cannot tell.
"""

import dataclasses
import itertools
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from tfseqgan.evaluation.calibration import Errors, bootstrap_errors, cross_entropy, fit_platt
from tfseqgan.evaluation.judge_networks import KINDS, make_judge
from tfseqgan.evaluation.judge_windows import (
    JudgedTunes,
    Windows,
    fit_judge_tokenizer,
    in_one_register,
)
from tfseqgan.evaluation.metrics import auc
from tfseqgan.music.score import Score
from tfseqgan.music.tokenizer import Tokenizer

WINDOW_LENGTH = 100
"""T, the tokens of a window."""

_WINDOWS_OF_AN_EPOCH = 1024
"""Of each kind."""

_BATCH_SIZE = 64
_LABEL_SMOOTHING = 0.05
_WEIGHT_DECAY = 1e-4
_LEARNING_RATE = 5e-4

_log = logging.getLogger("tfseqgan")


class Evidence(NamedTuple):
    """Tunes of one kind, of which a judge learns from some and is tested on others.

    Attributes:
        train: it learns from these.
        kept_back: they tell when it learns no more, and calibrate its odds.
        test: it is tested on these, which it did not see before.
    """

    train: Sequence[Score]
    kept_back: Sequence[Score]
    test: Sequence[Score]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What one judge says of a generator.

    Attributes:
        kind: "cnn" or "gru".
        has_place: whether it reads where the tokens stand in time.
        seed: of its weights, windows and keys.
        cross_entropy: in nats a window, half of real and half of generated ones; 0.693 if it cannot
            tell, 0 if it always can.
        auc: the probability that a real window looks more real than a generated one.
        errors: by bootstrap over tunes.
        curve: its cross-entropy on the tunes that were kept back, by epoch.
    """

    kind: str
    has_place: bool
    seed: int
    cross_entropy: float
    auc: float
    errors: Errors
    curve: tuple[float, ...]


class _Pair(NamedTuple):
    """Something of real tunes, and the same of generated ones."""

    real: Any
    generated: Any

    def map(self, function: Callable[[Any], Any]) -> "_Pair":
        """Applies a function to both."""
        return _Pair(function(self.real), function(self.generated))


def judge(
    real: Evidence,
    generated: Evidence,
    *,
    kinds: Iterable[str] = KINDS,
    seeds: Iterable[int] = (0,),
    length: int = WINDOW_LENGTH,
    max_epochs: int = 60,
    patience: int = 6,
) -> list[Verdict]:
    """Trains fresh judges, and tests them.

    They read windows of notes, both kinds in one register and in random keys, and nothing else:
    no controls, no names, no tempo. So a tune and its transpositions are one to them.

    Args:
        real: tunes of the corpus, each with a melody; the generator did not see `test` either.
        generated: tunes of the generator, each with a melody.
        kinds: networks, each with and without the place in time.
        seeds: of each judge.
        length: T, the tokens of a window.
        max_epochs: the most epochs, of 1,024 windows of each kind.
        patience: epochs without a better cross-entropy on the tunes that were kept back, after
            which a judge stops.

    Returns:
        One verdict for each kind, place and seed.

    Raises:
        ValueError: if some tunes are missing, or there is no such kind.

    Example:
        >>> from tfseqgan.datasets.synthetic import synthetic_tunes
        >>> tunes = synthetic_tunes().train
        >>> real = Evidence(tunes[:20], tunes[20:30], tunes[30:40])
        >>> generated = Evidence(tunes[40:60], tunes[60:70], tunes[70:80])
        >>> verdicts = judge(real, generated, kinds=["gru"], length=8, max_epochs=1)
        >>> [(each.has_place, each.cross_entropy > 0.6) for each in verdicts]
        [(False, True), (True, True)]

    Reference:
        Lopez-Paz & Oquab 2017, "Revisiting Classifier Two-Sample Tests".
    """
    _check_evidence(real, generated)
    real, generated = [_in_one_register(evidence) for evidence in (real, generated)]
    tokenizer = fit_judge_tokenizer([*real.train, *generated.train])
    train, kept_back, test = [
        _Pair(*parts).map(lambda tunes: JudgedTunes(tokenizer, tunes, length))
        for parts in zip(real, generated, strict=True)
    ]

    verdicts = []
    for kind, has_place, seed in itertools.product(kinds, (False, True), seeds):
        model = _make(tokenizer, kind, has_place, length, seed)
        validation = kept_back.map(lambda tunes: tunes.tile(seed))  # noqa: B023
        curve = _train(model, train, validation, seed, max_epochs, patience)
        calibrate = fit_platt(*_logits(model, validation))

        windows = test.map(lambda tunes: tunes.tile(seed))  # noqa: B023
        logits = _logits(model, windows).map(calibrate)
        errors = bootstrap_errors(*logits, *windows.map(lambda each: each.tunes), seed=seed)
        figures = (cross_entropy(*logits), auc(*logits), errors, curve)
        verdicts.append(Verdict(kind, has_place, seed, *figures))
        _report(verdicts[-1])

    return verdicts


def _report(verdict: Verdict) -> None:
    """Logs what a judge says, since the next may take as long."""
    _log.info(
        "A judge (%s %s place, seed %d): cross-entropy %.3f, AUC %.3f, after %d epochs.",
        verdict.kind,
        "with" if verdict.has_place else "without",
        verdict.seed,
        verdict.cross_entropy,
        verdict.auc,
        len(verdict.curve),
    )


def _check_evidence(real: Evidence, generated: Evidence) -> None:
    """Raises ValueError if some of the tunes are missing."""
    for name, evidence in (("real", real), ("generated", generated)):
        for part, tunes in evidence._asdict().items():
            if not tunes:
                raise ValueError(
                    f"There are no {name} tunes in {part!r}; expected some, since a judge learns, "
                    "is calibrated and is tested on different ones. Sample or split more tunes."
                )
            silent = [index for index, tune in enumerate(tunes) if not tune.melody]
            if silent:
                raise ValueError(
                    f"The {name} tune {silent[0]} in {part!r} has no melody; expected tunes with "
                    "one, which tells their register. Leave it out."
                )


def _in_one_register(evidence: Evidence) -> Evidence:
    return Evidence(*[[in_one_register(tune) for tune in tunes] for tunes in evidence])


def _make(tokenizer: Tokenizer, kind: str, has_place: bool, length: int, seed: int) -> keras.Model:
    """Returns a compiled judge whose weights depend on the seed."""
    keras.utils.set_random_seed(seed)
    model = make_judge(tokenizer, kind, has_place, length)
    model.compile(
        keras.optimizers.AdamW(_LEARNING_RATE, weight_decay=_WEIGHT_DECAY),
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=_LABEL_SMOOTHING),
    )

    return model


def _inputs(windows: Windows) -> dict[str, np.ndarray]:
    return {"tokens": windows.tokens, "places": windows.places}


def _logits(model: keras.Model, windows: _Pair) -> _Pair:
    """Computes the logits of real and of generated windows, float64 [N] each."""
    return windows.map(
        lambda each: model.predict(_inputs(each), batch_size=256, verbose=0)[:, 0].astype(float)
    )


def _train(
    model: keras.Model,
    train: _Pair,
    validation: _Pair,
    seed: int,
    max_epochs: int,
    patience: int,
) -> tuple[float, ...]:
    """Trains a judge on new windows each epoch, and keeps its best weights; returns its curve."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([1.0, 0.0], _WINDOWS_OF_AN_EPOCH)
    curve: list[float] = []
    best = model.get_weights()
    while len(curve) < max_epochs and len(curve) - _best_epoch(curve) < patience:
        drawn = train.map(lambda tunes: tunes.draw(_WINDOWS_OF_AN_EPOCH, rng))
        both = Windows(*[np.concatenate(parts) for parts in zip(*drawn, strict=True)])
        model.fit(_inputs(both), labels, batch_size=_BATCH_SIZE, verbose=0)

        logits = _logits(model, validation)
        curve.append(cross_entropy(*logits.map(fit_platt(*logits))))
        if _best_epoch(curve) == len(curve):
            best = model.get_weights()
    model.set_weights(best)

    return tuple(curve)


def _best_epoch(curve: Sequence[float]) -> int:
    """Returns the number of the epoch with the lowest cross-entropy, from 1; 0 before the first."""
    return 1 + int(np.argmin(curve)) if curve else 0
