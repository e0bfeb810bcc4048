r"""Cooperative rounds against a control: a discriminator weighs samples, the generator learns them.

    python experiments/cooperative.py --data ../shared/data/nottingham-midi --arm game --seed 0 \
        --start whole-0/generator.keras --out runs/cooperative

A round of the game samples tunes, trains a new discriminator on the generator's states until it
learns no more, draws one of K candidates by its calibrated odds, and trains the generator by
maximum likelihood on real and kept tunes, half of each, with averaged weights. The control is
trained on for as many steps on real tunes alone, and the start is left as it is. Every stage writes
a file, and a run that was stopped resumes at the next. At the end it writes tunes of the model's
own distribution, which experiments/cooperative_verdict.py judges.

The start is a generator of experiments/memory.py (--checkpoints). The tunes that are kept aside
there calibrate the discriminators; the held-out ones are read by nothing here but the last NLL.
"""

import argparse
import dataclasses
import functools
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
import tensorflow as tf
from memory import ROWS, Training, make_optimizer, make_tokenizer, nats_of
from rows import Data, load_data, parse_settings
from versions import library_versions

import tfseqgan as sg
from tfseqgan.files import write_json
from tfseqgan.music.controls import count_bars
from tfseqgan.symbols.token_rows import TokenRows

ARMS = ("start", "control", "game")

LENGTH = 1024
LONGEST_ROW = 700
"""Tokens of a tune that is trained on; few are longer, and attention pays by their square."""

ROWS_AT_ONCE = 128


@dataclasses.dataclass(frozen=True)
class Game:
    """What a round does."""

    rounds: int = 2
    samples: int = 2048
    kept: int = 1792
    candidates: int = 6
    keys: int = 3
    epochs: int = 5
    tunes_per_step: int = 24
    learning_rate: float = 1e-4
    warmup_steps: int = 20
    weight_averaging: float = 0.99
    discriminator_rate: float = 5e-4
    discriminator_decay: float = 1e-3
    judged: int = 3072


def of_known_bars(tunes: tuple[sg.Score, ...]) -> list[sg.Score]:
    """Returns the tunes that say how many bars they have, as samples do."""
    return [tune for tune in tunes if count_bars(tune) is not None]


def of_one_length(rows: np.ndarray) -> np.ndarray:
    """Returns rows of at most LONGEST_ROW tokens, padded or cut to it: int32 [N, LONGEST_ROW]."""
    cut = rows[:, :LONGEST_ROW]

    return np.pad(cut, [(0, 0), (0, LONGEST_ROW - cut.shape[1])])


class Tunes:
    """The tunes of the experiment as tokens.

    Args:
        data: from `load_data`.
        tokenizer: fitted to all training tunes.
        seed: of the keys.
    """

    def __init__(self, data: Data, tokenizer: sg.Tokenizer, seed: int) -> None:
        self.data = data
        self.tokenizer = tokenizer
        self.seed = seed
        self.train = self.rows_of(data.tunes)
        self.aside = self.rows_of(data.kept_aside)

    def rows_of(self, tunes: tuple[sg.Score, ...]) -> np.ndarray:
        """Returns the tunes that say how many bars they have, int32 [N, T]."""
        rows = self.tokenizer.whole_tunes(of_known_bars(tunes), LENGTH).tokens
        is_short = (rows > 0).sum(axis=1) <= LONGEST_ROW
        is_whole = rows[:, 0] == self.tokenizer.start_token_id  # not the rest of a longer one

        return of_one_length(rows[is_short & is_whole])

    def that_end(self, rows: np.ndarray) -> np.ndarray:
        """Returns the rows that hold an end token."""
        return rows[(rows == self.tokenizer.end_token_id).any(axis=1)]

    def prompts(self, count: int, seed: tuple[int, int]) -> np.ndarray:
        """Returns what tunes are asked to be, in random keys as the real tunes are, int32 [N, P].

        Asked for in the keys of the corpus, and moved afterwards, tunes would be known by their
        keys, or by a wider range of registers: the generator learned its tunes in all keys.
        """
        in_own_keys = self.tokenizer.prompts(count, seed=seed)

        return self.in_other_keys(in_own_keys, seed[1])

    def in_other_keys(self, rows: np.ndarray, epoch: int) -> np.ndarray:
        """Returns each row in a random key, int32 [N, T]."""
        tunes = TokenRows(rows, np.arange(len(rows)))

        return sg.RandomTransposition(self.tokenizer, tunes, self.seed)(epoch)

    def in_several_keys(self, rows: np.ndarray, count: int) -> np.ndarray:
        """Returns each row in several random keys, int32 [N · count, T]."""
        return np.concatenate([self.in_other_keys(rows, 100 + key) for key in range(count)])


def made_once(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Returns the array of a file, which is made if there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npy")
        np.save(partial, make())
        partial.rename(path)

    return np.load(path)


class Block(NamedTuple):
    """Tunes that one process writes.

    Attributes:
        generator: its file.
        discriminator: the file of the one whose odds choose among candidates, or None.
        prompts: int32 [B, P], what the tunes are asked to be.
        candidates: K.
        seed: of the samples.
    """

    generator: Path
    discriminator: Path | None
    prompts: np.ndarray
    candidates: int
    seed: tuple[int, int]


load_model = functools.cache(keras.models.load_model)


def use_one_thread() -> None:
    """Lets a process use one core: two such processes sample far faster than one with two."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def write_block(block: Block) -> np.ndarray:
    """Returns the tunes of a block, int32 [B, T]."""
    generator = load_model(block.generator, compile=False)
    options = {"prompt": block.prompts, "seed": block.seed}
    if block.discriminator is None:
        return generator.generate(len(block.prompts), LENGTH, **options)

    discriminator = load_model(block.discriminator, compile=False)
    found = sg.resample(
        generator,
        discriminator,
        len(block.prompts),
        LENGTH,
        num_candidates=block.candidates,
        **options,
    )

    return found.tokens


def sample(
    tunes: Tunes,
    generator: Path,
    count: int,
    seed: tuple[int, int],
    discriminator: Path | None = None,
    candidates: int = 1,
) -> np.ndarray:
    """Returns tunes that end, at temperature 1, each one of `candidates`: int32 [≤ count, T]."""
    blocks = []
    for start in range(0, count, ROWS_AT_ONCE):
        own_seed = (seed[0], 100_000 * seed[1] + start)
        prompts = tunes.prompts(min(ROWS_AT_ONCE, count - start), own_seed)
        blocks.append(Block(generator, discriminator, prompts, candidates, own_seed))

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, initializer=use_one_thread) as pool:
        rows = np.concatenate(list(pool.map(write_block, blocks)))

    return tunes.that_end(rows)


def train_discriminator(
    generator: Any, tunes: Tunes, generated: np.ndarray, game: Game, folder: Path, seed: int
) -> tuple[Any, dict[str, list[float]]]:
    """Returns a calibrated discriminator on the generator's states, and its curve."""
    keras.utils.set_random_seed(seed)
    discriminator = sg.StateDiscriminator(generator)
    optimizer = keras.optimizers.AdamW(
        game.discriminator_rate, weight_decay=game.discriminator_decay
    )
    discriminator.compile(optimizer)
    num_kept_back = len(generated) // 5
    train = sg.RealAndGenerated(
        tunes.in_several_keys(tunes.train, game.keys), generated[num_kept_back:]
    )
    kept_back = sg.RealAndGenerated(
        tunes.in_several_keys(tunes.aside, 4), generated[:num_kept_back]
    )

    history = sg.fit_discriminator(
        discriminator, train, kept_back, checkpoint_dir=folder, seed=seed, verbose=2
    )

    return discriminator, history.history


def train_generator(
    generator: Any, tunes: Tunes, kept: np.ndarray | None, game: Game, folder: Path, seed: int
) -> dict[str, list[float]]:
    """Trains on real tunes and on as many kept ones, or on real ones alone; returns its curve."""
    real = tunes.train
    num_steps = game.epochs * -(-2 * len(real) // game.tunes_per_step)
    training = Training(
        learning_rate=game.learning_rate,
        warmup_steps=game.warmup_steps,
        weight_averaging=game.weight_averaging,
    )
    generator.compile(make_optimizer(num_steps, training))

    def rows_of_epoch(epoch: int) -> np.ndarray:
        others = real if kept is None else chosen(kept, len(real), epoch)
        halves = [tunes.in_other_keys(real, 2 * epoch), tunes.in_other_keys(others, 2 * epoch + 1)]
        return np.concatenate(halves)

    history = sg.pretrain(
        generator,
        rows_of_epoch(0),
        epochs=game.epochs,
        batch_size=game.tunes_per_step,
        validation_data=tunes.aside,
        bucket_by_length=True,
        augment=rows_of_epoch,
        checkpoint_dir=folder,
        seed=seed,
        verbose=2,
    )

    return history.history


def chosen(rows: np.ndarray, count: int, epoch: int) -> np.ndarray:
    """Returns `count` of the rows that are not too long, int32 [count, LONGEST_ROW]."""
    short = of_one_length(rows[(rows > 0).sum(axis=1) <= LONGEST_ROW])
    rng = np.random.default_rng(epoch)

    return short[np.resize(rng.permutation(len(short)), count)]


def play_round(
    arm: str, start: Path, tunes: Tunes, game: Game, folder: Path, seed: int, index: int
) -> dict[str, Any]:
    """Runs one round from a generator's file to the next in `folder`; returns its figures."""
    generator = keras.models.load_model(start, compile=False)
    figures: dict[str, Any] = {}
    kept = None
    if arm == "game":
        generated = made_once(
            folder / "samples.npy", lambda: sample(tunes, start, game.samples, (seed, 2 * index))
        )
        discriminator, figures["discriminator"] = train_discriminator(
            generator, tunes, generated, game, folder / "discriminator", seed + index
        )
        weighs = folder / "discriminator.keras"
        discriminator.save(weighs)
        of_candidates = (weighs, game.candidates)
        kept = made_once(
            folder / "kept.npy",
            lambda: sample(tunes, start, game.kept, (seed, 2 * index + 1), *of_candidates),
        )

    figures["generator"] = train_generator(
        generator, tunes, kept, game, folder / "generator", seed + index
    )
    generator.save(folder / "generator.keras")

    return figures


def parse_arguments() -> tuple[argparse.Namespace, Game]:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="the folder of the Nottingham MIDI files")
    parser.add_argument("--start", required=True, help="the generator.keras to start from")
    parser.add_argument("--arm", choices=ARMS, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True, help="a folder, in which a stopped run resumes")

    return parse_settings(parser, Game)


def play(args: argparse.Namespace, tunes: Tunes, game: Game, out: Path) -> Path:
    """Plays the rounds that have not been played, and returns the file of the last generator."""
    generator = Path(args.start)
    num_rounds = 0 if args.arm == "start" else game.rounds
    for index in range(1, num_rounds + 1):
        folder = out / f"round-{index}"
        if not (folder / "round.json").exists():
            figures = play_round(args.arm, generator, tunes, game, folder, args.seed, index)
            write_json(folder / "round.json", figures)
        generator = folder / "generator.keras"

    return generator


def main() -> None:
    """Plays the rounds of one arm, and writes its samples and figures."""
    args, game = parse_arguments()
    started = time.time()
    data = load_data(args.data)
    tokenizer = make_tokenizer(ROWS["whole"], data.corpus.train)
    tunes = Tunes(data, tokenizer, args.seed)
    out = Path(args.out) / f"{args.arm}-{args.seed}"

    last = play(args, tunes, game, out)
    made_once(out / "judged.npy", lambda: sample(tunes, last, game.judged, (args.seed, 99)))
    generator = keras.models.load_model(last, compile=False)
    nats, of_controls = nats_of(generator, tokenizer, data.corpus.validation)
    aside, _ = nats_of(generator, tokenizer, data.kept_aside)
    figures = {
        "arm": args.arm,
        "seed": args.seed,
        "game": dataclasses.asdict(game),
        "nats": nats.tolist(),
        "nats_of_controls": of_controls.tolist(),
        "nats_of_tunes_kept_aside": aside.tolist(),
        "seconds": time.time() - started,
        "versions": library_versions(),
    }
    write_json(out / "figures.json", figures)


if __name__ == "__main__":
    main()
