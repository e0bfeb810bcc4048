"""Which training brings a generator to the data, where the data's distribution is known?

    python experiments/multimodal_world.py
    python experiments/multimodal_world_page.py

**The world** has V = 6 tokens and T = 4 steps: 1,296 sequences. p_data is a mixture of six modes of
unequal weight and a uniform background. A mode is a centre of which each token is kept with
probability 0.9 and else replaced by one of the others. Centres differ from each other in at least
three steps, so that the neighbourhoods of two centres (what differs from them in at most one step)
have no sequence in common.

**The generator** is a table of logits with one row for each prefix: it can write p_data exactly.
It knows 400 sequences, and 100 more are kept aside. Its start is the maximum-likelihood estimate
from the 400 with a constant added to every count, the constant that is best on the 100.

**The discriminators.** "exact" is the optimal one, logit = log p_data(y)/π(y), computed at the
beginning of every round: what a method can do at best. "fitted" knows what one has in practice: the
finite sample, and that its features generalize, which the table does not know. It is a logistic
regression over tokens and pairs of tokens at their positions, fitted in every round to the 400
sequences and to fresh samples, and calibrated on the 100 and on other samples (Platt).

**The methods** sample equally many sequences, in equally many rounds. Those of policy gradient use
`tfseqgan`'s objectives as they are. A cooperative round draws one of K candidates by the odds, and
trains by maximum likelihood on what was kept, with or without as much weight on the 400 sequences;
or it trains on all candidates, weighed by their odds.

**The measure.** KL(p_data‖π), KL(π‖p_data) and the entropy are sums over all sequences. A mode is
kept if π gives its neighbourhood at least half of the probability that the data give it; it is lost
if π gives it less than a tenth.

**The criterion for learning rates** was set before the first run, as was the world: of a grid, the
rate with the smallest KL(p_data‖π) at the end of one run in another world (seed 1), for each method
and discriminator. The page shows the whole grid. The seeds of the published runs choose their own
400 + 100 sequences, and their batches.
"""

import argparse
import dataclasses
import functools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from multimodal_discriminator import FittedDiscriminator
from tabular_world import Sequences, mean_spread_and_each
from versions import library_versions

import tfseqgan as sg
from tfseqgan.files import write_json
from tfseqgan.objectives.objective import policy_gradient_loss
from tfseqgan.ops.sampling import next_tokens

RESULT = Path(__file__).resolve().parent / "results" / "multimodal_world.json"

WEIGHTS = (0.30, 0.22, 0.16, 0.12, 0.09, 0.06)
"""Of the modes; what is missing to 1 is the background's."""

FIDELITY = 0.9
LEAST_DISTANCE = 3

PUBLISHED_WORLD = 0
TUNING_WORLD = 1
SEEDS = (10, 11, 12)
TUNING_SEED = 0
RATES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)

PSEUDO_COUNTS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)

KEPT_SHARE = 0.5
LOST_SHARE = 0.1


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a table is trained.

    Args:
        rounds: number of rounds; each has a discriminator of its own.
        steps: generator steps of a round.
        batch_size: sequences that are sampled for a step of policy gradient; a cooperative round
            samples steps · batch_size candidates at once.
        candidates: K.
        train: sequences of the data that the generator learns from.
        aside: sequences of the data that choose and calibrate.
        generated: samples that a fitted discriminator learns from and is calibrated on in a round.
    """

    rounds: int = 50
    steps: int = 40
    batch_size: int = 128
    candidates: int = 4
    train: int = 400
    aside: int = 100
    generated: int = 2000


SETTINGS = Settings()


class World(Sequences):
    """All sequences of six tokens and four steps, and the probability that the data give them.

    Args:
        seed: of the centres.
    """

    def __init__(self, seed: int):
        super().__init__(vocabulary_size=6, length=4)
        self.seed = seed
        self.centres = self._draw_centres(np.random.default_rng(seed))  # [M, T]

        differing_steps = (self.tokens[:, None] != self.centres).sum(axis=-1)  # [N, M]
        self.is_near = (differing_steps <= 1).T  # [M, N]
        replaced = (1 - FIDELITY) / (self.vocabulary_size - 1)
        of_mode = FIDELITY ** (self.length - differing_steps) * replaced**differing_steps
        background = (1 - sum(WEIGHTS)) / len(self.tokens)
        self.p_data = of_mode @ np.array(WEIGHTS) + background  # [N]

    def _draw_centres(self, rng: np.random.Generator) -> np.ndarray:
        """Draws sequences one after the other, without those too near to an earlier one."""
        centres: list[np.ndarray] = []
        while len(centres) < len(WEIGHTS):
            drawn = rng.integers(self.vocabulary_size, size=self.length)
            if all((drawn != centre).sum() >= LEAST_DISTANCE for centre in centres):
                centres.append(drawn)

        return np.stack(centres)

    def log_p(self, tables: tf.Tensor) -> np.ndarray:
        """Returns log π(y) of every sequence: float64 [S, P, V] → [S, N]."""
        return self.log_probs(tables).numpy().sum(axis=-1)


class Data(NamedTuple):
    """How often each sequence stands in the finite samples, one a seed.

    Attributes:
        train: [S, N], what the generator learns from.
        aside: [S, N], what chooses and calibrates.
    """

    train: np.ndarray
    aside: np.ndarray


def draw_data(world: World, seeds: Sequence[int], settings: Settings) -> Data:
    """Draws the finite samples of some seeds."""
    rngs = [np.random.default_rng((world.seed, seed)) for seed in seeds]
    draws = [
        (
            rng.multinomial(settings.train, world.p_data),
            rng.multinomial(settings.aside, world.p_data),
        )
        for rng in rngs
    ]
    train, aside = zip(*draws, strict=True)

    return Data(np.stack(train), np.stack(aside))


# ---- the start


def smoothed_table(world: World, counts: np.ndarray, pseudo_count: float) -> np.ndarray:
    """Returns the logits, [P, V], of the frequencies of some sequences, [N], after smoothing.

    A constant is added to the count of every token after every prefix.
    """
    table = np.full(world.num_prefixes * world.vocabulary_size, pseudo_count)
    np.add.at(table, world.cells, counts[:, None])

    return np.log(table).reshape(world.num_prefixes, world.vocabulary_size)


def start_tables(world: World, data: Data) -> np.ndarray:
    """Returns the start of every seed, [S, P, V]: smoothed as is best on what is kept aside."""
    starts = []
    for train, aside in zip(data.train, data.aside, strict=True):
        tables = np.stack([smoothed_table(world, train, constant) for constant in PSEUDO_COUNTS])
        best = np.argmax(world.log_p(tf.constant(tables)) @ aside)
        starts.append(tables[best])

    return np.stack(starts)


# ---- the discriminators


Discriminator = Callable[[np.ndarray], np.ndarray]
"""From log π of every sequence, [S, N], to logits, [S, N]."""


def make_discriminator(
    kind: str, world: World, data: Data, seeds: Sequence[int], settings: Settings
) -> Discriminator:
    """Returns the exact discriminator, or a fitted one for each seed."""
    if kind == "exact":
        return lambda log_p: np.log(world.p_data) - log_p

    fitted = [
        FittedDiscriminator(world, train, aside, seed, settings.generated)
        for train, aside, seed in zip(data.train, data.aside, seeds, strict=True)
    ]

    def logits(log_p: np.ndarray) -> np.ndarray:
        pairs = zip(fitted, np.exp(log_p), strict=True)
        return np.stack([each.logits(p / p.sum()) for each, p in pairs])

    return logits


# ---- the methods


@dataclasses.dataclass(frozen=True)
class Method:
    """How the generator learns.

    Args:
        objective: of a policy gradient; None for maximum likelihood.
        asks_once: the discriminator is that of the start, throughout.
        kept: the share of what is learned by maximum likelihood that the odds kept; the rest is of
            the 400 sequences.
        weighs: all candidates are learned from, weighed by their odds, instead of one of K.
    """

    objective: sg.Objective | None = None
    asks_once: bool = False
    kept: float = 0.0
    weighs: bool = False

    @property
    def discriminates(self) -> bool:
        """Whether there is a discriminator."""
        return self.objective is not None or self.kept > 0


METHODS = {
    "maximum likelihood, trained on": Method(),
    "reinforce": Method(sg.reinforce()),
    "reinforce_with_baseline": Method(sg.reinforce_with_baseline()),
    "merl, α = 1": Method(sg.merl(entropy_weight=1.0)),
    "merl, α = 0.01": Method(sg.merl(entropy_weight=0.01)),
    "kl_control, D of the start": Method(sg.kl_control(), asks_once=True),
    "kl_control, D of each round": Method(sg.kl_control()),
    "maligan": Method(sg.maligan()),
    "cooperative, half kept": Method(kept=0.5),
    "cooperative, all kept": Method(kept=1.0),
    "cooperative, all weighed": Method(kept=1.0, weighs=True),
}
KINDS = ("exact", "fitted")


class Learner:
    """Tables of logits, one for each seed, and their training.

    A table is start + rate · moves, and Adam changes the moves at a rate that falls from 1 to 0
    along a cosine. Adam does not depend on the scale of a gradient, so this is Adam at `rate`, and
    tables can learn at different rates at once.

    Args:
        world: that is sampled from.
        starts: [S, P, V].
        rates: [S].
        seeds: [S], of the samples.
        settings: of the training.
    """

    def __init__(
        self,
        world: World,
        starts: np.ndarray,
        rates: Sequence[float],
        seeds: Sequence[int],
        settings: Settings,
    ):
        self.world = world
        self.starts = tf.constant(starts)
        self.rates = tf.constant(rates, tf.float64)[:, None, None]
        self.seeds = seeds
        self.settings = settings
        self.prior = world.log_probs(self.starts)  # [S, N, T]
        self.moves = keras.Variable(np.zeros_like(starts), dtype="float64")
        schedule = keras.optimizers.schedules.CosineDecay(1.0, settings.rounds * settings.steps)
        self.optimizer = keras.optimizers.Adam(schedule, epsilon=1e-12)
        self.optimizer.build([self.moves])

    def tables(self) -> tf.Tensor:
        """Returns the logits, float64 [S, P, V]."""
        return self.starts + self.rates * self.moves.value

    def uniforms(self, shape: Sequence[int], number: tf.Tensor | int) -> tf.Tensor:
        """Draws numbers from [0, 1) that depend on the seed and another number: [S, …]."""
        draws = [
            tf.random.stateless_uniform(shape, tf.stack([seed, number]), dtype=tf.float64)
            for seed in self.seeds
        ]

        return tf.stack(draws)

    def sample(self, count: int, step: tf.Tensor | int) -> tf.Tensor:
        """Samples sequences: indices of the world's, int32 [S, count]."""
        uniforms = self.uniforms([self.world.length, count], step)  # [S, T, B]

        return self.world.sample(self.tables(), tf.transpose(uniforms, [1, 0, 2]))

    def descend(self, loss: Callable[[], tf.Tensor]) -> None:
        """Makes a step. A table's loss depends on it alone, so the gradients do not mix."""
        with tf.GradientTape() as tape:
            losses = loss()  # [S]
        self.optimizer.apply([tape.gradient(losses, self.moves.value)], [self.moves])

    def policy_gradient_round(self, objective: sg.Objective) -> Callable[..., None]:
        """Returns a compiled function of logits, [S, N], and the number of the first step."""
        mask = tf.ones([self.settings.batch_size, self.world.length], tf.float64)

        def loss_of_seed(batch):
            log_probs, prior, logits = batch  # [B, T], [B, T] and [B]
            credit = objective.credit(objective.rewards_of(logits), mask, objective.discount)
            return objective.loss(log_probs, credit, mask, prior).loss

        def losses(rows, logits):
            log_probs = self.world.log_probs(self.tables())  # [S, N, T]
            of_all = (log_probs, self.prior, logits)
            batches = tuple(tf.gather(each, rows, batch_dims=1) for each in of_all)
            return tf.vectorized_map(loss_of_seed, batches)

        @tf.function
        def play(logits, first_step):
            for step in tf.range(first_step, first_step + self.settings.steps):
                rows = self.sample(self.settings.batch_size, step)  # [S, B]
                self.descend(lambda rows=rows: losses(rows, logits))

        return play

    @functools.cached_property
    def likelihood_round(self) -> Callable[[tf.Tensor], None]:
        """A compiled function that trains on target distributions, [S, N], by their likelihood."""

        def losses(target):
            log_probs = self.world.log_probs(self.tables())  # [S, N, T]
            weights = tf.cast(tf.shape(target)[1], tf.float64) * target[..., None]  # mean 1
            return tf.vectorized_map(lambda pair: policy_gradient_loss(*pair), (log_probs, weights))

        @tf.function
        def play(target):
            for _ in tf.range(self.settings.steps):
                self.descend(lambda: losses(target))

        return play

    @functools.cached_property
    def kept_round(self) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """A compiled function of logits, [S, N], and a number: one of K candidates each, [S, B]."""
        num_candidates = self.settings.candidates
        num_kept = self.settings.steps * self.settings.batch_size // num_candidates

        @tf.function
        def draw(logits, index):
            shape = [len(self.seeds), num_kept, num_candidates]
            rows = tf.reshape(self.sample(num_kept * num_candidates, index), shape)
            scores = tf.gather(logits, rows, batch_dims=1)  # [S, B, K]
            uniforms = self.uniforms([num_kept], -1 - index)  # [S, B]

            flat_scores = tf.reshape(scores, [-1, num_candidates])
            chosen = next_tokens(flat_scores, tf.reshape(uniforms, [-1]))  # [S · B]
            chosen = tf.reshape(chosen, [len(self.seeds), num_kept])
            return tf.gather(rows, chosen, batch_dims=2)

        return draw

    def kept(self, logits: np.ndarray, index: int) -> np.ndarray:
        """Samples candidates, keeps one of K by the odds, and returns the frequencies, [S, N]."""
        rows = self.kept_round(tf.constant(logits), tf.constant(index)).numpy()  # [S, B]
        num_sequences = len(self.world.tokens)
        counts = [np.bincount(own_rows, minlength=num_sequences) for own_rows in rows]

        return np.stack(counts) / rows.shape[1]

    def weighed(self, logits: np.ndarray, index: int) -> np.ndarray:
        """Samples as many candidates, and returns their frequencies weighed by the odds, [S, N]."""
        count = self.settings.steps * self.settings.batch_size
        rows = self.sample(count, tf.constant(index)).numpy()  # [S, B]
        frequencies = []
        for own_rows, own_logits in zip(rows, logits, strict=True):
            weights = sg.rewards.odds(tf.constant(own_logits[own_rows])).numpy()  # mean 1
            frequencies.append(np.bincount(own_rows, weights, minlength=len(own_logits)) / count)

        return np.stack(frequencies)


def train(
    world: World,
    method: Method,
    kind: str,
    seeds: Sequence[int],
    rates: Sequence[float],
    settings: Settings = SETTINGS,
) -> np.ndarray:
    """Trains one table for each seed, and returns log π of every sequence, [S, N]."""
    data = draw_data(world, seeds, settings)
    discriminator = make_discriminator(kind, world, data, seeds, settings)
    learner = Learner(world, start_tables(world, data), rates, seeds, settings)
    real = data.train / settings.train
    if method.objective is not None:
        play = learner.policy_gradient_round(method.objective)

    for index in range(settings.rounds):
        if method.discriminates and not (method.asks_once and index):
            logits = discriminator(world.log_p(learner.tables()))  # [S, N]
        if method.objective is not None:
            play(tf.constant(logits), tf.constant(index * settings.steps))
            continue

        target = real
        if method.kept:
            kept = (learner.weighed if method.weighs else learner.kept)(logits, index)
            target = method.kept * kept + (1 - method.kept) * real
        learner.likelihood_round(tf.constant(target))

    return world.log_p(learner.tables())


# ---- the figures


def measure(world: World, log_p: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the exact figures of some policies by name, each float64 [S].

    Args:
        world: whose data they are compared with.
        log_p: log π of every sequence, [S, N].

    Returns:
        kl_data_policy, kl_policy_data and entropy in nats; modes_kept and modes_lost, shares.
    """
    log_data = np.log(world.p_data)
    p = np.exp(log_p)
    share = (p @ world.is_near.T) / (world.is_near @ world.p_data)  # [S, M]

    return {
        "kl_data_policy": (log_data - log_p) @ world.p_data,
        "kl_policy_data": (p * (log_p - log_data)).sum(axis=1),
        "entropy": -(p * log_p).sum(axis=1),
        "modes_kept": (share >= KEPT_SHARE).mean(axis=1),
        "modes_lost": (share < LOST_SHARE).mean(axis=1),
    }


def sweep(name: str, kind: str, settings: Settings = SETTINGS) -> list[dict[str, float]]:
    """Returns what each learning rate leads to in the tuning world, one run each."""
    world = World(TUNING_WORLD)
    log_p = train(world, METHODS[name], kind, [TUNING_SEED] * len(RATES), RATES, settings)
    figures = measure(world, log_p)

    return [
        {"learning_rate": rate}
        | {figure: round(float(values[index]), 6) for figure, values in figures.items()}
        for index, rate in enumerate(RATES)
    ]


def best_rate(records: Sequence[dict[str, float]]) -> float:
    """Returns the learning rate with the smallest KL(p_data‖π)."""
    return min(records, key=lambda record: record["kl_data_policy"])["learning_rate"]


def run(name: str, kind: str, settings: Settings = SETTINGS) -> dict[str, Any]:
    """Chooses the learning rate of a method, trains every seed, and returns the record."""
    started = time.time()
    records = sweep(name, kind, settings)
    rate = best_rate(records)
    world = World(PUBLISHED_WORLD)
    figures = measure(
        world, train(world, METHODS[name], kind, SEEDS, [rate] * len(SEEDS), settings)
    )
    record = {
        "method": name,
        "discriminator": kind if METHODS[name].discriminates else None,
        "learning_rate": rate,
        "figures": {figure: mean_spread_and_each(values) for figure, values in figures.items()},
        "sweep": records,
    }
    found = record["figures"]["kl_data_policy"]
    print(
        f"{kind:7} {name:32} rate {rate:5g} KL {found['mean']:.4f} ± {found['std']:.4f}, "
        f"modes kept {record['figures']['modes_kept']['each']}, {time.time() - started:.0f} s",
        flush=True,
    )

    return record


def describe_start(settings: Settings = SETTINGS) -> dict[str, Any]:
    """Returns the figures of the starts of all seeds."""
    world = World(PUBLISHED_WORLD)
    starts = start_tables(world, draw_data(world, SEEDS, settings))
    figures = measure(world, world.log_p(tf.constant(starts)))

    return {figure: mean_spread_and_each(values) for figure, values in figures.items()}


def limits(settings: Settings = SETTINGS) -> dict[str, Any]:
    """Returns KL(p_data‖π), by method, where exact odds and endless sampling would still leave π.

    With a discriminator of each round, the reward log p_data/π and the price of KL(π‖π₀) balance
    at π ∝ √(π₀ p_data). Where half of what is learned is the finite sample, π is half of it, too.
    """
    world = World(PUBLISHED_WORLD)
    data = draw_data(world, SEEDS, settings)
    log_start = world.log_p(tf.constant(start_tables(world, data)))
    geometric_mean = tf.nn.log_softmax((log_start + np.log(world.p_data)) / 2).numpy()
    half_sample = np.log((data.train / settings.train + world.p_data) / 2)

    return {
        name: mean_spread_and_each(measure(world, log_p)["kl_data_policy"])
        for name, log_p in (
            ("kl_control, D of each round", geometric_mean),
            ("cooperative, half kept", half_sample),
        )
    }


def make_result(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the content of the published file."""
    world = World(PUBLISHED_WORLD)
    return {
        "what": (
            "generators of a world whose data distribution is known, after equally many samples; "
            "every figure summed over all sequences; nats, and shares of the modes"
        ),
        "criterion": (
            "the learning rate with the smallest KL(p_data || policy) in the world of seed "
            f"{TUNING_WORLD}"
        ),
        "world": {
            "vocabulary_size": world.vocabulary_size,
            "length": world.length,
            "sequences": len(world.tokens),
            "seed": world.seed,
            "centres": world.centres.tolist(),
            "weights": list(WEIGHTS),
            "fidelity": FIDELITY,
            "entropy": round(float(-world.p_data @ np.log(world.p_data)), 6),
            "modes": (world.is_near @ world.p_data).round(6).tolist(),
        },
        "settings": dataclasses.asdict(SETTINGS),
        "seeds": list(SEEDS),
        "start": describe_start(),
        "limits": limits(),
        "runs": records,
        "versions": library_versions(),
    }


def rows() -> list[tuple[str, str]]:
    """Returns the method and the kind of discriminator of every row of the table."""
    return [
        (name, kind)
        for kind in KINDS
        for name, method in METHODS.items()
        if method.discriminates or kind == KINDS[0]
    ]


def run_on_one_core() -> None:
    """Makes the figures repeatable; with more threads the small operations are slower, too."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()


def main() -> None:
    """Runs every method with both discriminators, and writes the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=RESULT, help="the JSON file to write")
    path = parser.parse_args().out
    started = time.time()
    run_on_one_core()

    write_json(path, make_result([run(name, kind) for name, kind in rows()]))
    print(f"{path}, {time.time() - started:.0f} s")


if __name__ == "__main__":
    main()
