"""Fresh judges of a finished run: its samples against the tunes that it was trained for."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tfseqgan.datasets.corpus import Corpus, split_by_group
from tfseqgan.evaluation.judge_networks import KINDS
from tfseqgan.evaluation.judges import Evidence, Verdict, judge
from tfseqgan.music.score import Score
from tfseqgan.runs.finished_run import load_tunes, sample_tunes
from tfseqgan.training.seeding import derive_seed, resolve_seed

FEWEST_TUNES = 20
"""The fewest tunes of each part, real or sampled: an interval from fewer says little."""

KEPT_BACK_FRACTION = 0.125
"""The share of the training tunes that tells when a judge learns no more."""

_SAMPLED_AT_ONCE = 256

_log = logging.getLogger("tfseqgan")


class Trial(NamedTuple):
    """What is needed in order to judge a run, before anything is sampled.

    Attributes:
        run: the run's folder, or that of an exported sampler.
        real: the real tunes.
        num_judges: of each kind of network, with and without the place in time.
        seed: of the samples.
    """

    run: Path | str
    real: Evidence
    num_judges: int
    seed: int


def prepare_trial(
    run: Path | str,
    data_path: Path | str | None = None,
    *,
    num_judges: int,
    seed: int | None = None,
) -> Trial:
    """Loads the real tunes that a run's samples are judged against, and says what will be done.

    Judges learn from the training tunes, except an eighth that is kept back, with all versions of a
    tune on one side, and are tested on the held-out tunes. Tunes without a melody are left out.

    Args:
        run: as in `evaluate_run`; so is `data_path`.
        num_judges: how many of each kind, with and without the place in time; their seeds are 0, 1
            and so on.
        seed: of the samples; the run's own by default.

    Returns:
        The trial, for `judge_run`.

    Raises:
        ValueError: if the number is below 1, the seed below 0, the data holds no tunes, too few of
            them, or other ones than those of the run.
    """
    if num_judges < 1:
        raise ValueError(
            f"num_judges is {num_judges}; expected 1 or more of each kind. Leave out "
            "--judges if there shall be none."
        )

    corpus, settings = load_tunes(run, data_path)
    real = _split_real(corpus, settings.seed)
    trial = Trial(run, real, num_judges, resolve_seed(settings.seed if seed is None else seed))
    _announce(trial)

    return trial


def judge_run(trial: Trial) -> list[dict[str, Any]]:
    """Samples as many tunes as there are real ones, and trains fresh judges to tell them apart.

    The samples are drawn by `sample_tunes` at temperature 1, whatever the card of an exported
    sampler recommends.

    Args:
        trial: from `prepare_trial`.

    Returns:
        What each judge says, as plain values.

    Raises:
        ValueError: if too few samples have a melody.
    """
    generated = _draw_evidence(trial)
    verdicts = judge(trial.real, generated, seeds=range(trial.num_judges))

    return [_as_plain(verdict) for verdict in verdicts]


def _with_melody(tunes: Sequence[Score]) -> list[Score]:
    """Returns the tunes with a melody, which tells a judge their register."""
    return [tune for tune in tunes if tune.melody]


def _split_real(corpus: Corpus, seed: int) -> Evidence:
    """Returns the real tunes to learn from, to keep back, and to test on."""
    train, kept_back = split_by_group(corpus.train, KEPT_BACK_FRACTION, seed)
    real = Evidence(*map(_with_melody, (train, kept_back, corpus.validation)))

    for name, tunes in (("kept back", real.kept_back), ("held out", real.test)):
        if len(tunes) < FEWEST_TUNES:
            raise ValueError(
                f"{corpus.name} has {len(tunes)} tunes with a melody that are {name}; expected "
                f"{FEWEST_TUNES} or more, since judges of fewer say little. Use more tunes, or "
                "leave out --judges."
            )

    return real


def _announce(trial: Trial) -> None:
    """Says how many samples will be drawn, and how many judges trained."""
    num_networks = 2 * len(KINDS) * trial.num_judges
    sizes = [len(tunes) for tunes in trial.real]
    _log.info(
        "Judges: %d samples will be drawn at temperature 1, and %d fresh networks trained on %d "
        "of them and as many real tunes, stopped by %d and tested on %d of each. This takes long: "
        "on two cores up to a quarter of an hour a network, and the samples besides.",
        sum(sizes),
        num_networks,
        *sizes,
    )


def _draw_evidence(trial: Trial) -> Evidence:
    """Draws as many samples as there are real tunes in each part."""
    sizes = [len(tunes) for tunes in trial.real]
    samples = _draw(trial.run, sum(sizes), trial.seed)
    ends = [sizes[0], sizes[0] + sizes[1]]
    parts = [samples[: ends[0]], samples[ends[0] : ends[1]], samples[ends[1] :]]
    generated = Evidence(*map(_with_melody, parts))
    _check_samples(len(samples), generated)

    return generated


def _draw(run: Path | str, num_tunes: int, seed: int) -> list[Score]:
    """Samples tunes at temperature 1, some at a time, which bounds the memory."""
    tunes: list[Score] = []
    while len(tunes) < num_tunes:
        count = min(_SAMPLED_AT_ONCE, num_tunes - len(tunes))
        batch_seed, _ = derive_seed(seed, len(tunes))
        tunes += sample_tunes(run, count, temperature=1.0, top_p=1.0, guidance=0.0, seed=batch_seed)
        _log.info("Judges: %d of %d samples drawn.", len(tunes), num_tunes)

    return tunes


def _check_samples(num_samples: int, generated: Evidence) -> None:
    """Raises ValueError if too few samples have a melody, and says if some have none."""
    num_silent = num_samples - sum(map(len, generated))
    if min(map(len, generated)) < FEWEST_TUNES:
        raise ValueError(
            f"{num_silent} of {num_samples} samples have no melody; expected {FEWEST_TUNES} with "
            "one in each part, since a judge knows the register of a tune by its melody. Train "
            "the generator for longer, or leave out --judges."
        )
    if num_silent:
        _log.warning(
            "%d of %d samples have no melody. Judges do not see them, so that their figures "
            "flatter the generator.",
            num_silent,
            num_samples,
        )


def _as_plain(verdict: Verdict) -> dict[str, Any]:
    """Returns a verdict under the names that the columns of an evaluation have."""
    return {
        "kind": verdict.kind,
        "has_place": verdict.has_place,
        "seed": verdict.seed,
        "cross_entropy": verdict.cross_entropy,
        "cross_entropy_stderr": verdict.errors.cross_entropy,
        "auc": verdict.auc,
        "auc_low": verdict.errors.auc_low,
        "auc_high": verdict.errors.auc_high,
        "epochs": len(verdict.curve),
        "curve": list(verdict.curve),
    }
