"""What a run has reached, in sentences: how good it is, why, and what would help.

The sentences are pure functions of the figures, which `outcome.json` holds.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfseqgan.datasets.windows import Windows
from tfseqgan.evaluation.evaluate import sequence_nlls
from tfseqgan.evaluation.metrics import mean_and_standard_error, sequence_lengths
from tfseqgan.models.language_model import LanguageModel
from tfseqgan.runs.fine_tuning import SMALL_FOLDER
from tfseqgan.runs.start import Start

_FEW_HELD_OUT = 20
_FEW_REPLACED = 0.0005
_MANY_REPLACED = 0.1
_CLEARLY = 2.0
"""So many standard errors are a difference."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The figures of a finished run, all of tunes that were held out.

    Args:
        num_train: tunes, or windows where tunes are not known, that it learned from.
        num_held_out: those that were held out.
        are_tunes: whether they are tunes.
        nats: mean NLL of one.
        nats_error: its standard error; None of one tune.
        nats_an_event: the same NLL by the number of tokens but the start token.
        unigram_nats_an_event: that of a unigram of the training tunes (`unigram_nats`).
        replaced: share of all tokens that replace an event which the vocabulary lacks.
        unknown_metres: share of all tunes in a metre that the vocabulary lacks.
        start: the model that the run started from, or None.
        start_nats: the start's mean NLL of a held-out tune, or None.
        gain_error: the standard error of the mean of what each tune costs less than by the start;
            None of one tune.
        best_epoch: the epoch of maximum likelihood that was kept, from 1; 0 for none.
        num_epochs: how many were trained.
    """

    num_train: int
    num_held_out: int
    are_tunes: bool
    nats: float
    nats_error: float | None
    nats_an_event: float
    unigram_nats_an_event: float
    replaced: float
    unknown_metres: float = 0.0
    start: str | None = None
    start_nats: float | None = None
    gain_error: float | None = None
    best_epoch: int = 0
    num_epochs: int = 0

    @property
    def thing(self) -> str:
        """What a row is: a tune or a window."""
        return "tune" if self.are_tunes else "window"


def _plus_minus(mean: float, error: float | None) -> str:
    """Returns a mean and its standard error, where there is one."""
    return f"{mean:.1f}" if error is None else f"{mean:.1f} ± {error:.1f}"


def say_likelihood(outcome: Outcome) -> str:
    """Says what a held-out tune costs, beside a guess by how common each event is."""
    nats = _plus_minus(outcome.nats, outcome.nats_error)
    common = outcome.unigram_nats_an_event
    is_better = outcome.nats_an_event < common
    verdict = (
        f"each event by its frequency alone costs {common:.2f}"
        if is_better
        else f"no better than {common:.2f} by the frequency of each event: expect no music"
    )

    return (
        f"A held-out {outcome.thing} costs {nats} nats, {outcome.nats_an_event:.2f} an event; "
        f"{verdict}."
    )


def say_gain(outcome: Outcome) -> str | None:
    """Says what fine-tuning has changed; None for a run that started from random weights."""
    if outcome.start_nats is None:
        return None

    gain = outcome.start_nats - outcome.nats
    by_start = f"By the start, {outcome.start}, it costs {outcome.start_nats:.1f}"
    change = _plus_minus(abs(gain), outcome.gain_error)
    if outcome.gain_error is None or abs(gain) < _CLEARLY * outcome.gain_error:
        return f"{by_start}: no clear difference, so that little was learned from your tunes."
    if gain < 0:
        return (
            f"{by_start}: fine-tuning has lost {change}. Use the start itself, or lower "
            "--pretraining_learning_rate."
        )

    return f"{by_start}: fine-tuning on your tunes has gained {change}."


def say_replaced(outcome: Outcome) -> str | None:
    """Says how many events were replaced; None for so few that 0.0 % would be printed."""
    if outcome.replaced < _FEW_REPLACED:
        return None

    share = f"{100 * outcome.replaced:.1f} % of the tokens replace an event that the vocabulary"
    if outcome.replaced <= _MANY_REPLACED:
        return f"{share} lacks by the nearest one."
    if outcome.start is None:
        return f"{share} lacks: the tunes share too few events for a model to learn them."

    return f"{share} of {outcome.start} lacks by the nearest one: it writes those, not yours."


def _say_replaced_help(outcome: Outcome) -> str | None:
    if outcome.replaced <= _MANY_REPLACED or outcome.start is None:
        return None

    return (
        f"with {SMALL_FOLDER} tunes or more, --init none, which makes a vocabulary of your own "
        "events"
    )


def _say_metre_help(outcome: Outcome) -> str | None:
    if not outcome.unknown_metres:
        return None

    return (
        f"tunes in a metre that the model knows: {100 * outcome.unknown_metres:.0f} % are in none "
        "of them, and it does not know their bar lines"
    )


def _say_epochs_help(outcome: Outcome) -> str | None:
    if outcome.num_epochs < 1 or outcome.best_epoch < outcome.num_epochs:
        return None

    return f"more epochs (--epochs {2 * outcome.num_epochs}), since the last one was the best"


def _say_tunes_help(outcome: Outcome) -> str | None:
    if outcome.num_train >= SMALL_FOLDER or not outcome.are_tunes:
        return None

    return f"more tunes than these {outcome.num_train}"


def _say_start_help(outcome: Outcome) -> str | None:
    is_few = outcome.num_train < SMALL_FOLDER and outcome.are_tunes
    if outcome.start is not None or not is_few:
        return None

    return "a trained model to start from (--init nottingham)"


def _say_held_out_help(outcome: Outcome) -> str | None:
    if outcome.num_held_out >= _FEW_HELD_OUT:
        return None

    things = outcome.thing if outcome.num_held_out == 1 else f"{outcome.thing}s"

    return (
        f"for surer figures, more than {outcome.num_held_out} held-out {things} "
        "(--validation_fraction)"
    )


def say_what_would_help(outcome: Outcome) -> str | None:
    """Says what would make the model better, the most certain first; None if nothing is known."""
    reasons = (
        _say_start_help,
        _say_tunes_help,
        _say_epochs_help,
        _say_replaced_help,
        _say_metre_help,
        _say_held_out_help,
    )
    found = [said for say in reasons if (said := say(outcome))]

    return f"What would help: {'; '.join(found)}." if found else None


def sentences_of(outcome: Outcome) -> list[str]:
    """Returns every sentence that applies to a run.

    Example:
        >>> sentences_of(Outcome(900, 100, True, 335.3, 33.3, 1.61, 4.5, replaced=0.0))
        ['A held-out tune costs 335.3 ± 33.3 nats, 1.61 an event; each event by its frequency ...']
    """
    sentences = (say_likelihood, say_gain, say_replaced, say_what_would_help)

    return [said for say in sentences if (said := say(outcome))]


def unigram_nats(
    train: np.ndarray,
    rows: np.ndarray,
    vocabulary_size: int,
    start_token_id: int,
    end_token_id: int,
) -> np.ndarray:
    """Computes what rows cost by how often each token occurs in the training rows.

    Start tokens cost nothing. All tokens of the vocabulary share, in equal parts, one more
    occurrence for each distinct token of the training rows.

    Args:
        train: int32 [N, T].
        rows: int32 [M, S].
        vocabulary_size: V.
        start_token_id: the id that begins a tune.
        end_token_id: the id that ends one.

    Returns:
        float64 [M], in nats.

    Example:
        >>> unigram_nats(np.array([[1, 3, 2]]), np.array([[1, 3, 2], [1, 2, 0]]), 4, 1, 2)
        array([1.961..., 0.980...])

    Reference:
        Witten & Bell 1991, "The zero-frequency problem", method C, interpolated.
    """
    of_train = train[_are_events(train, start_token_id, end_token_id)]
    counts = np.bincount(of_train, minlength=vocabulary_size)
    smoothed = counts + np.count_nonzero(counts) / vocabulary_size
    costs = -np.log(smoothed / smoothed.sum())

    return np.where(_are_events(rows, start_token_id, end_token_id), costs[rows], 0.0).sum(axis=1)


def _are_events(rows: np.ndarray, start_token_id: int, end_token_id: int) -> np.ndarray:
    """Returns which tokens count: those up to the end token but the start token, bool [N, T]."""
    lengths = sequence_lengths(rows, end_token_id)
    is_within = np.arange(rows.shape[1]) < lengths[:, None]

    return is_within & (rows != start_token_id)


def _tunes_of_rows(rows: np.ndarray, start_token_id: int) -> np.ndarray:
    """Returns the tune of each row, int [N]: a tune begins with a start token, if any row does."""
    begins = rows[:, 0] == start_token_id
    if not begins.any():
        return np.arange(len(rows))

    return np.cumsum(begins) - begins[0]


def _share_of_unknown_metres(data: Windows) -> float:
    """Returns the share of tunes whose metre the vocabulary lacks; 0 without controls."""
    table = data.tokenizer.token_controls
    if table is None:
        return 0.0

    rows = np.concatenate([data.train, data.validation])
    metres = rows[rows[:, 0] == data.tokenizer.start_token_id, 1]

    return float((table[metres, 1] == 0).mean())


def measure(
    generator: LanguageModel, data: Windows, start: Start | None, val_nll: Sequence[float] = ()
) -> Outcome:
    """Computes the figures of a finished run, on its held-out tunes.

    Args:
        generator: at the end of the run.
        data: the run's data.
        start: what it started from, or None for random weights.
        val_nll: the NLL by which the epoch of maximum likelihood was chosen, one an epoch.
    """
    tokenizer = data.tokenizer
    ids = tokenizer.start_token_id, tokenizer.end_token_id
    rows = data.validation
    tunes = _tunes_of_rows(rows, ids[0])

    def by_tune(nats: np.ndarray) -> np.ndarray:
        return np.bincount(tunes, weights=nats)

    num_events = _are_events(rows, *ids).sum()
    nats = by_tune(sequence_nlls(generator, rows))
    unigram = unigram_nats(data.train, rows, tokenizer.vocabulary_size, *ids)
    of_start = None if start is None else by_tune(sequence_nlls(start.generator, rows))
    num_tokens = sum(_are_events(each, *ids).sum() for each in _all_rows(data))

    return Outcome(
        num_train=len(set(_tunes_of_rows(data.train, ids[0]).tolist())),
        num_held_out=len(nats),
        are_tunes=data.starts_with_start_token(),
        nats=float(nats.mean()),
        nats_error=_standard_error(nats),
        nats_an_event=float(nats.sum() / num_events),
        unigram_nats_an_event=float(unigram.sum() / num_events),
        replaced=float(data.num_replaced / num_tokens),
        unknown_metres=_share_of_unknown_metres(data),
        start=None if start is None else start.model,
        start_nats=None if of_start is None else float(of_start.mean()),
        gain_error=None if of_start is None else _standard_error(of_start - nats),
        best_epoch=int(np.argmin(val_nll)) + 1 if len(val_nll) else 0,
        num_epochs=len(val_nll),
    )


def _standard_error(values: np.ndarray) -> float | None:
    """Returns the standard error of a mean; None of one value, as JSON has no NaN."""
    return mean_and_standard_error(values)[1] if len(values) > 1 else None


def _all_rows(data: Windows) -> list[np.ndarray]:
    """Returns all rows of a run: those that are learned from, held out and kept aside."""
    rows = [data.train, data.validation, data.kept_aside]

    return [each for each in rows if each is not None]


def to_json(outcome: Outcome) -> dict[str, Any]:
    """Returns the content of outcome.json: the figures and the sentences."""
    return dataclasses.asdict(outcome) | {"sentences": sentences_of(outcome)}
