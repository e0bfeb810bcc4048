r"""Whole samples or prefixes: two ways to draw by a discriminator's odds, at the same K.

    python experiments/sequential_resampling.py --data ../shared/data/nottingham-midi --seed 0 \
        --start whole-0/generator.keras --out runs/sequential

A discriminator on the generator's states learns prefixes and whole tunes, and is calibrated. Tunes
are then drawn in three ways for the same prompts: each alone; one of K by the odds of whole tunes
(`sg.resample`); and by K particles that the odds of their prefixes weigh
(`sg.resample_sequentially`). A second discriminator, of other samples and another seed, says what
each way has gained: it weighs none of them. Beside it stand the musical figures, effective sample
sizes and seconds. Writes experiments/results/sequential_resampling/<seed>.json; a run that was
stopped resumes at the next stage.

The real tunes that calibrate the discriminators are those that experiments/memory.py keeps aside;
the second one is asked about the held-out tunes.
"""

import argparse
import dataclasses
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from cooperative import (
    LENGTH,
    Game,
    Tunes,
    load_model,
    made_once,
    sample,
    train_discriminator,
    use_one_thread,
)
from memory import ROWS, make_tokenizer
from rows import load_data, parse_settings
from versions import library_versions

import tfseqgan as sg
from tfseqgan.evaluation.calibration import cross_entropy
from tfseqgan.evaluation.metrics import auc
from tfseqgan.evaluation.music import musical_figures
from tfseqgan.files import write_json

RESULTS = Path(__file__).resolve().parent / "results" / "sequential_resampling"

_ROWS_READ_AT_ONCE = 16


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What is compared, at which size."""

    samples: int = 1536
    drawn: int = 192
    candidates: int = 16
    every: int = 16
    tunes_at_once: int = 24


class Draw(NamedTuple):
    """Some of the tunes that are drawn one way, by one process.

    Attributes:
        way: "alone", "by whole tunes" or "by prefixes".
        discriminator: its file.
        prompts: int32 [B, P].
        candidates: K.
        every: tokens of a block, where prefixes are weighed.
        seed: of the samples.
    """

    way: str
    discriminator: Path
    prompts: np.ndarray
    candidates: int
    every: int
    seed: tuple[int, int]


class Drawn(NamedTuple):
    """Tunes, int32 [B, T], and how many candidates had a say at the end, float [B]."""

    tokens: np.ndarray
    effective_sample_sizes: np.ndarray


def draw(request: Draw) -> Drawn:
    """Draws some tunes."""
    discriminator = load_model(request.discriminator, compile=False)
    count = len(request.prompts)
    options = {"prompt": request.prompts, "seed": request.seed}
    if request.way == "alone":
        tokens = discriminator.reader.generate(count, LENGTH, **options)
        return Drawn(tokens, np.ones(count))
    if request.way == "by whole tunes":
        found = sg.resample(
            discriminator.reader,
            discriminator,
            count,
            LENGTH,
            num_candidates=request.candidates,
            **options,
        )
        return Drawn(found.tokens, found.effective_sample_sizes())

    particles = sg.resample_sequentially(
        discriminator,
        count,
        LENGTH,
        num_particles=request.candidates,
        every=request.every,
        **options,
    )

    return Drawn(particles.tokens, particles.effective_sample_sizes.mean(axis=1))


def draw_all(
    way: str, discriminator: Path, tunes: Tunes, comparison: Comparison, seed: int
) -> Drawn:
    """Draws all tunes one way, in as many processes as there are cores."""
    requests = []
    for start in range(0, comparison.drawn, comparison.tunes_at_once):
        own_seed = (seed, 900_000 + start)
        prompts = tunes.prompts(min(comparison.tunes_at_once, comparison.drawn - start), own_seed)
        requests.append(
            Draw(way, discriminator, prompts, comparison.candidates, comparison.every, own_seed)
        )

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, initializer=use_one_thread) as pool:
        drawn = list(pool.map(draw, requests))

    return Drawn(*map(np.concatenate, zip(*drawn, strict=True)))


def logits_of(discriminator: Any, rows: np.ndarray) -> np.ndarray:
    """Computes the logits of rows, float [N]."""
    blocks = np.split(rows, range(_ROWS_READ_AT_ONCE, len(rows), _ROWS_READ_AT_ONCE))

    return np.concatenate([discriminator(_without_padding(block)).numpy() for block in blocks])


def _without_padding(rows: np.ndarray) -> np.ndarray:
    """Returns rows as short as the longest of them, in steps of 64 tokens."""
    longest = int((rows > 0).sum(axis=1).max())

    return rows[:, : longest + -longest % 64]


def figures_of(
    drawn: Drawn, real: np.ndarray, second: Any, tunes: Tunes, seconds: float
) -> dict[str, Any]:
    """Computes what is said of tunes that were drawn one way."""
    ended = tunes.that_end(drawn.tokens)
    decoded = [tunes.tokenizer.decode(row) for row in ended]
    logits = logits_of(second, ended)

    return {
        "auc": auc(real, logits),
        "cross_entropy": cross_entropy(real, logits),
        "mean_logit": float(logits.mean()),
        "mean_logit_stderr": float(logits.std(ddof=1) / len(logits) ** 0.5),
        "ended": len(ended) / len(drawn.tokens),
        "effective_sample_size": float(drawn.effective_sample_sizes.mean()),
        "musical": musical_figures([tune for tune in decoded if tune.melody]),
        "seconds": seconds,
    }


def timed(make: Callable[[], Drawn], path: Path) -> tuple[Drawn, float]:
    """Draws tunes, or loads those that an earlier run has drawn; returns the seconds it took."""
    if not path.exists():
        started = time.time()
        drawn = make()
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, **drawn._asdict(), seconds=time.time() - started)
        partial.rename(path)

    saved = np.load(path)

    return Drawn(saved["tokens"], saved["effective_sample_sizes"]), float(saved["seconds"])


def parse_arguments() -> tuple[argparse.Namespace, Comparison]:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="the folder of the Nottingham MIDI files")
    parser.add_argument("--start", required=True, help="the generator.keras that is sampled")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True, help="a folder, in which a stopped run resumes")

    return parse_settings(parser, Comparison)


def train_both(
    start: Path, tunes: Tunes, comparison: Comparison, out: Path, seed: int
) -> list[dict[str, list[float]]]:
    """Trains the discriminator that weighs and the second one, and saves them; returns curves."""
    generator = keras.models.load_model(start, compile=False)
    curves = []
    for index, name in enumerate(("weighs", "second")):
        rows = made_once(
            out / f"samples-{name}.npy",
            lambda index=index: sample(tunes, start, comparison.samples, (seed, 10 + index)),
        )
        discriminator, curve = train_discriminator(
            generator, tunes, rows, Game(), out / name, 100 * seed + index
        )
        discriminator.save(out / f"{name}.keras")
        curves.append(curve)

    return curves


def main() -> None:
    """Draws tunes in three ways and compares them."""
    args, comparison = parse_arguments()
    data = load_data(args.data)
    tokenizer = make_tokenizer(ROWS["whole"], data.corpus.train)
    tunes = Tunes(data, tokenizer, args.seed)
    out = Path(args.out) / str(args.seed)
    out.mkdir(parents=True, exist_ok=True)

    curves = train_both(Path(args.start), tunes, comparison, out, args.seed)
    second = keras.models.load_model(out / "second.keras", compile=False)
    held_out = tunes.in_several_keys(tunes.rows_of(data.corpus.validation), 4)
    real = logits_of(second, held_out)

    figures: dict[str, Any] = {"real": {"mean_logit": float(real.mean())}}
    for way in ("alone", "by whole tunes", "by prefixes"):
        drawn, seconds = timed(
            lambda way=way: draw_all(way, out / "weighs.keras", tunes, comparison, args.seed),
            out / f"{way.replace(' ', '-')}.npz",
        )
        figures[way] = figures_of(drawn, real, second, tunes, seconds)
        print(way, figures[way])

    write_json(
        RESULTS / f"{args.seed}.json",
        {
            "what": "tunes drawn by a discriminator's odds, as a second discriminator sees them",
            "seed": args.seed,
            "comparison": dataclasses.asdict(comparison),
            "discriminators": curves,
            "figures": figures,
            "versions": library_versions(),
        },
    )


if __name__ == "__main__":
    main()
