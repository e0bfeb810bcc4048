"""How long each step of training takes, beside its matrix products and beside PyTorch.

    python benchmarks/suite.py --data FOLDER_OF_NOTTINGHAM_MIDI

A step, its PyTorch twins (processes of their own) and its matrix products alone are timed in turn;
the medians are compared. Without torch, or with --no-peer, the peers' columns stay empty. Run it on
a machine that does nothing else. It writes benchmarks/results/cpu.json and the tables of
docs/performance.md.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from page import PAGE, render
from peer import Peer
from products import (
    Products,
    Sizes,
    gflop,
    of_discriminator_step,
    of_reading,
    of_sampling,
    with_gradients,
)
from timing import Timer, matmul_timer, medians_in_turn, seconds_of

import tfseqgan as sg
from tfseqgan.files import write_json
from tfseqgan.ops.sampling import row_seeds
from tfseqgan.training.steps import AdversarialSteps, make_likelihood_step

RESULT = Path(__file__).resolve().parent / "results" / "cpu.json"


class Bench:
    """The models at the paper's sizes, and the rows of the table.

    Args:
        sizes: of everything.
        use_peers: whether PyTorch's steps are timed too.
    """

    def __init__(self, sizes: Sizes, use_peers: bool) -> None:
        self.sizes = sizes
        self.rows: dict[str, dict[str, Any]] = {}
        self.product_rates: dict[str, float] = {}
        self.random = np.random.default_rng(0)
        features = self._token_features()
        self.peers: list[Peer] = []
        if use_peers:
            self.peers = [Peer(sizes, features), Peer(sizes, features, tuned=True)]

        self.discriminator = self.make_discriminator()
        self.generators = {
            "table": self.make_generator(None, sizes.table_dim),
            "factored": self.make_generator(features, sizes.factored_dim),
        }

    def _token_features(self):
        random = np.random.default_rng(1)
        columns = [random.integers(0, n, self.sizes.vocabulary_size) for n in self.sizes.part_sizes]

        return np.stack(columns, axis=1).astype(np.int32)

    def make_generator(
        self, features: np.ndarray | None, embedding_dim: int, **options: Any
    ) -> sg.Generator:
        """Returns a compiled generator."""
        generator = sg.Generator(
            self.sizes.vocabulary_size,
            features,
            embedding_dim=embedding_dim,
            units=self.sizes.units,
            end_token_id=None,
            **options,
        )
        generator.compile(sg.Adam(1e-3, global_clipnorm=5.0))

        return generator

    def make_discriminator(self, **options: Any) -> sg.Discriminator:
        """Returns a compiled discriminator: the paper's five branches."""
        discriminator = sg.Discriminator(
            self.sizes.vocabulary_size,
            embedding_dim=self.sizes.table_dim,
            filters=self.sizes.filters // 5,
            kernel_sizes=(self.sizes.width,) * 5,
            l2_weight=0.2,
            end_token_id=None,
            **options,
        )
        discriminator.compile(sg.Adam(1e-4))

        return discriminator

    def tokens(self, rows: int) -> tf.Tensor:
        """Returns random tokens, int32 [rows, T]."""
        shape = (rows, self.sizes.length)

        return tf.constant(self.random.integers(3, self.sizes.vocabulary_size, shape), tf.int32)

    def add(
        self,
        name: str,
        step: Callable[[], Any],
        products: Products | None = None,
        peers: Sequence[Timer] = (),
        repeats: int = 7,
        calls: int = 1,
    ) -> None:
        """Times a step, its peers and its matrix products in turn, and keeps its row."""
        shapes = list(products or {})
        timers = [lambda: seconds_of(step), *peers, *(matmul_timer(*shape) for shape in shapes)]
        mine, *others = medians_in_turn(timers, repeats, calls)
        of_peers, of_products = others[: len(peers)], others[len(peers) :]

        floor = None
        if products:
            seconds = dict(zip(shapes, of_products, strict=True))
            floor = sum(count * seconds[shape] for shape, count in products.items())
            for (m, k, n), alone in seconds.items():
                self.product_rates[f"{m} x {k} x {n}"] = 2 * m * k * n / alone / 1e9
        self.keep(name, mine, products, floor, of_peers)

    def keep(
        self,
        name: str,
        seconds: float,
        products: Products | None = None,
        floor: float | None = None,
        of_peers: Sequence[float] = (),
    ) -> None:
        """Keeps a row: seconds, the products and what they take alone, and the peers' seconds."""
        plain, tuned = of_peers or (None, None)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        self.rows[name] = {
            "seconds": seconds,
            "torch_seconds": plain,
            "ratio_to_torch": seconds / plain if plain else None,
            "tuned_torch_seconds": tuned,
            "ratio_to_tuned_torch": seconds / tuned if tuned else None,
            "gflop": gflop(products) if products else None,
            "floor_seconds": floor,
            "share_of_floor": floor / seconds if floor else None,
            "peak_memory_mb": memory,
        }
        print(f"{name:44} {seconds:8.3f} s", flush=True)

    def peer_timers(self, step: str, **message: Any) -> list[Timer]:
        """Returns the peers' timers of a step."""
        return [peer.timer(step, **message) for peer in self.peers]

    def time_generator(self, name: str) -> None:
        """Times sampling, a likelihood step and a policy-gradient step of a generator."""
        generator = self.generators[name]
        steps = AdversarialSteps(generator, self.discriminator, sg.reinforce())
        likelihood = make_likelihood_step(generator)
        tokens = self.tokens(self.sizes.batch_size)
        trajectory = self.trajectory(tokens)
        rewards = tf.random.uniform([self.sizes.batch_size])
        seeds = row_seeds(0, self.sizes.batch_size)
        is_factored = name == "factored"
        reading = with_gradients(of_reading(self.sizes, is_factored))

        self.add(
            f"sample, {name}",
            lambda: generator.sample(seeds, self.sizes.length),
            of_sampling(self.sizes, is_factored),
            self.peer_timers("sample", generator=name),
        )
        self.add(
            f"likelihood, {name}",
            lambda: likelihood(tokens),
            reading,
            self.peer_timers("likelihood", generator=name),
        )
        self.add(
            f"policy gradient, {name}",
            lambda: steps.generator_step(trajectory, rewards),
            reading,
            self.peer_timers("policy_gradient", generator=name),
        )

    def trajectory(self, tokens: tf.Tensor) -> sg.Trajectory:
        """Returns tokens with random log-probabilities, none of them after an end token."""
        log_probs = tf.random.uniform(tokens.shape, -9.0, 0.0)

        return sg.Trajectory(tokens, log_probs, tf.ones_like(log_probs))

    def time_discriminator(self) -> None:
        """Times a discriminator step, on as many real as generated sequences."""
        steps = AdversarialSteps(self.generators["table"], self.discriminator, sg.reinforce())
        real = self.tokens(self.sizes.pair // 2)
        generated = self.tokens(self.sizes.pair // 2)
        self.add(
            "discriminator",
            lambda: steps.discriminator_step(real, generated),
            of_discriminator_step(self.sizes),
            self.peer_timers("discriminator"),
            calls=8,
        )

    def whole_generator_step(
        self,
        objective: sg.Objective,
        num_sequences: int,
        discriminator: sg.Discriminator | None = None,
    ) -> Callable[[], Any]:
        """Returns a whole step of the table generator: sampling, credit and the update."""
        steps = AdversarialSteps(
            self.generators["table"], discriminator or self.discriminator, objective
        )
        seed = row_seeds(0, 1)[0]

        def step():
            trajectory = steps.sample(num_sequences, self.sizes.length, (0, 0))
            logits = steps.credit_logits(trajectory.tokens, seed)
            return steps.generator_step(trajectory, objective.reward(logits))

        return step

    def time_credits(self) -> None:
        """Times whole generator steps with each credit, all in turn, since their ratios matter."""
        half = self.make_discriminator(dtype="mixed_bfloat16")
        prefix = sg.reinforce(credit=sg.credit.Prefix())
        rows = self.sizes.batch_size
        steps = {
            "terminal credit": self.whole_generator_step(sg.reinforce(), rows),
            "prefix credit": self.whole_generator_step(prefix, rows),
            "prefix credit, every 4th": self.whole_generator_step(
                sg.reinforce(credit=sg.credit.Prefix(every=4)), rows
            ),
            "prefix credit, discriminator in bfloat16": self.whole_generator_step(
                prefix, rows, half
            ),
        }
        timers = [lambda step=step: seconds_of(step) for step in steps.values()]
        for name, seconds in zip(steps, medians_in_turn(timers), strict=True):
            self.keep(f"generator step, {name}", seconds)

        rollouts = self.whole_generator_step(sg.seqgan(num_rollouts=16), num_sequences=2)
        self.add("generator step, rollouts, 2 sequences", rollouts, repeats=3)

    def time_half_precision(self) -> None:
        """Times the steps of the table generator and of the discriminator in bfloat16."""
        generator = self.make_generator(None, self.sizes.table_dim, dtype="mixed_bfloat16")
        discriminator = self.make_discriminator(dtype="mixed_bfloat16")
        steps = AdversarialSteps(generator, discriminator, sg.reinforce())
        likelihood = make_likelihood_step(generator)
        seeds = row_seeds(0, self.sizes.batch_size)
        tokens = self.tokens(self.sizes.batch_size)
        half = self.tokens(self.sizes.pair // 2)

        self.add("sample, table, bfloat16", lambda: generator.sample(seeds, self.sizes.length))
        self.add("likelihood, table, bfloat16", lambda: likelihood(tokens))
        self.add("discriminator, bfloat16", lambda: steps.discriminator_step(half, half), calls=8)

    def time_round(self) -> None:
        """Times a round at the paper's settings: 1 generator and 263 discriminator steps."""
        data = self.tokens(1400).numpy()

        def play():
            history = sg.fit_adversarial(
                self.generators["table"],
                self.discriminator,
                data,
                rounds=1,
                batch_size=self.sizes.batch_size,
                discriminator_steps=263,
                discriminator_samples=1400,
                discriminator_batch_size=self.sizes.pair,
                seed=0,
                verbose=0,
            )
            return history.history

        self.add("adversarial round", play, repeats=1)

    def time_evaluation(self) -> None:
        """Times Table 1's columns on 350 real sequences and as many samples, and BLEU alone."""
        data = self.tokens(350).numpy()
        generator = self.generators["table"]

        self.add("evaluation", lambda: sg.evaluate(generator, self.discriminator, data), repeats=3)
        self.add("BLEU of 350 × 350", lambda: sg.metrics.bleu(data, data[::-1]), repeats=3)

    def time_tokenizing(self, folder: str) -> None:
        """Times reading and tokenizing a folder of MIDI files."""

        def tokenize():
            corpus = sg.load_nottingham(folder)
            tokenizer = sg.Tokenizer.fit(corpus.train)
            return tokenizer.windows(corpus.train, self.sizes.length)

        self.add("reading and tokenizing", tokenize, repeats=1)


MEMORY_ROUNDS = 200
"""Rounds of tiny models after whose quarters the memory is read."""


class _MemoryMeter(keras.callbacks.Callback):
    """Keeps the process' megabytes after every 50th round."""

    def __init__(self):
        super().__init__()
        self.megabytes = {}

    def on_epoch_end(self, epoch, logs=None):
        """Reads the process' resident pages."""
        if (epoch + 1) % (MEMORY_ROUNDS // 4) == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.megabytes[epoch + 1] = pages * resource.getpagesize() // 2**20


def memory_by_round() -> dict[int, int]:
    """Returns the process' megabytes after rounds of tiny models with rollouts in every round.

    Memory that grows without end grows here.
    """
    generator = sg.Generator(50, embedding_dim=8, units=16)
    discriminator = sg.Discriminator(50, embedding_dim=8, filters=8, kernel_sizes=(2, 3))
    generator.compile("adam")
    discriminator.compile("adam")
    data = np.random.default_rng(0).integers(3, 50, (40, 12))

    meter = _MemoryMeter()
    sg.fit_adversarial(
        generator,
        discriminator,
        data,
        sg.seqgan(4),
        rounds=MEMORY_ROUNDS,
        batch_size=8,
        discriminator_batch_size=8,
        validation_data=data[:9],
        callbacks=[meter],
        seed=0,
        verbose=0,
    )

    return meter.megabytes


def processor() -> str:
    """Returns the processor's name and the number formats of its products, where known."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.machine()

    lines = [line.split(":", 1) for line in info.read_text().splitlines() if ":" in line]
    fields = {key.strip(): value.strip() for key, value in lines}
    flags = fields.get("flags", "").split()
    formats = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]

    return ", ".join([fields.get("model name", platform.machine()), *formats])


def import_seconds() -> float:
    """Returns the seconds of importing tfseqgan's training after its dependencies."""
    before = "import tensorflow, keras, tensorflow_probability, mido, time; s = time.perf_counter()"
    after = "import tfseqgan; tfseqgan.fit_adversarial; print(time.perf_counter() - s)"
    command = [sys.executable, "-c", f"{before}; {after}"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)

    return float(result.stdout)


def run(args: argparse.Namespace, sizes: Sizes) -> None:
    """Runs the suite and writes its JSON."""
    memory = memory_by_round()  # before the large models
    bench = Bench(sizes, use_peers=not args.no_peer)
    bench.time_generator("table")
    bench.time_generator("factored")
    bench.time_discriminator()
    bench.time_credits()
    bench.time_half_precision()
    bench.time_evaluation()
    bench.time_round()
    if args.data:
        bench.time_tokenizing(args.data)

    result = {
        "rows": bench.rows,
        "gflop_per_second": bench.product_rates,
        "import_seconds": import_seconds(),
        "memory_mb_by_round": memory,
        "machine": {
            "cores": os.cpu_count(),
            "processor": processor(),
            "python": platform.python_version(),
        },
        "versions": {
            "tfseqgan": sg.__version__,
            "tensorflow": version("tensorflow"),
            "torch": bench.peers[0].version if bench.peers else None,
        },
    }
    args.out.parent.mkdir(exist_ok=True)
    write_json(args.out, result)


def main() -> None:
    """Runs the suite and renders the page from the JSON files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="a folder of Nottingham MIDI files")
    parser.add_argument("--no-peer", action="store_true", help="leave PyTorch out")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()

    run(args, Sizes())
    if args.out == RESULT:
        PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
