"""How long each step of training takes, what it would take at the machine's own matrix-product rate, and what PyTorch takes.

    python benchmarks/suite.py --data FOLDER_OF_NOTTINGHAM_MIDI

A step is timed in turn with its PyTorch twins (benchmarks/torch_peer.py, processes of their own), A B C A B C, eight calls a turn
where a call is short, and the medians are compared; the credits of a generator step are timed in turn likewise. A step's floor is the time that its matrix
products take alone, each shape timed in turn with the step: what nobody can go below without doing less work. Without torch, or with --no-peer, the peers'
columns stay empty. Run it on a machine that does nothing else.
"""

import argparse
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import tfseqgan as sg
from tfseqgan.files import write_json
from tfseqgan.ops.sampling import row_seeds
from tfseqgan.training.steps import AdversarialSteps, make_step

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "cpu.json"
PAGE = ROOT / "docs" / "performance.md"
B, T, H, V, D, E = (
    128,
    100,
    512,
    3219,
    32,
    128,
)  # batch, length, units, vocabulary, embeddings of the table and of the parts
F, W, PAIR = 2000, 20, 32  # filters, their width, sequences of a discriminator step
PARTS = [
    24,
    11,
    14,
    19,
    11,
    60,
]  # sizes of a token's six parts, about those of the published vocabulary


def time_of(function):
    """Returns the seconds of one call."""
    started = time.perf_counter()
    tf.nest.map_structure(
        lambda value: value.numpy() if hasattr(value, "numpy") else value, function()
    )
    return time.perf_counter() - started


def medians(ours, theirs=(), repeats=7, calls=1):
    """Returns the median seconds of ours and a list of those of each of theirs, called in turn after a turn of each that warms it up.

    Args:
        ours: what is called and timed.
        theirs: functions that return the seconds of a call.
        repeats: turns of each.
        calls: how many in a turn; their mean counts. A short call alone would find the caches full of another process' data.
    """
    timers = [lambda: time_of(ours), *theirs]
    seconds = [
        [statistics.mean(timer() for _ in range(calls)) for timer in timers]
        for _ in range(repeats + 1)
    ][1:]
    mine, *others = (statistics.median(column) for column in zip(*seconds))
    return mine, others


def product_timer(m, k, n):
    """Returns a function that returns the seconds of one matrix product [m, k] × [k, n], the mean of several in a graph, so that calling it costs nothing.

    Each time it computes them once before, untimed: a floor is what a product takes that finds its factors in the caches.
    """
    left, right = tf.random.normal([m, k]), tf.random.normal([k, n])
    inside = min(50, max(1, int(2e9 // (2 * m * k * n))))

    @tf.function
    def products():
        total = tf.constant(0.0)
        for _ in range(inside):
            total += tf.matmul(left + 0 * total, right)[0, 0]
        return total

    return lambda: [time_of(products), time_of(products)][1] / inside


def products_of_reading(factored):
    """Returns the matrix products of a forward pass with teacher forcing, each place for itself: {(m, k, n): how many}."""
    width = E if factored else D
    output = {(B * T, H, E): 1, (B * T, E, V): 1} if factored else {(B * T, H, V): 1}
    return {(B, H, 4 * H): T, (B * T, width, 4 * H): 1, **output}


def products_of_sampling(factored):
    """Returns the matrix products of sampling, where each step waits for the one before, each place for itself."""
    width = E if factored else D
    output = {(B, H, E): T, (B, E, V): T} if factored else {(B, H, V): T}
    return {(B, H, 4 * H): T, (B, width, 4 * H): T, **output}


def with_gradients(products):
    """Adds the two products of each one's gradients; those of weights that every step shares are one over all steps."""
    result = dict(products)
    for (m, k, n), count in products.items():
        for shape, times in (((m, n, k), count), ((k, m * count, n), 1)):
            result[shape] = result.get(shape, 0) + times
    return result


def products_of_discriminator():
    """Returns the matrix products of a discriminator step; the filters' own gradients touch one window each and count as nothing."""
    transform = gate = Counter(with_gradients({(PAIR, F, F): 1}))
    return dict(transform + gate + Counter({(PAIR * T, W * D, F): 1}))


class Peer:
    """A PyTorch process.

    Args:
        features: int32 [V, 6], the parts of each token of the factored generator.
        tuned: take its fused Adam, and draw tokens as we do in place of `torch.multinomial`.
    """

    def __init__(self, features, tuned=False):
        self.draw = "inverse_cdf" if tuned else "multinomial"
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / "torch_peer.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.torch = self.ask(
            configure={
                "batch_size": B,
                "length": T,
                "vocabulary_size": V,
                "units": H,
                "embedding_dim": D,
                "parts": features.tolist(),
                "factored_embedding_dim": E,
                "filters": 400,
                "kernel_sizes": [W] * 5,
                "discriminator_batch_size": PAIR,
                "discriminator_embedding_dim": D,
                "threads": os.cpu_count(),
                "fused_adam": tuned,
            }
        )["torch"]

    def ask(self, **message):
        """Sends a message and returns the answer."""
        print(json.dumps(message), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def timer(self, step, **message):
        """Returns a function that runs a step there and returns its seconds."""
        draw = {"draw": self.draw} if step in ("sample", "rollouts_one") else {}
        return lambda: self.ask(step=step, **message, **draw)["seconds"]


class Bench:
    """The models at the paper's sizes and the rows of the table.

    Args:
        peers: two of `Peer`, as it comes and tuned, or none.
        features: int32 [V, 6], the parts of each token of the factored generator.
    """

    def __init__(self, peers, features):
        self.peers, self.rows, self.rates = peers, {}, {}
        self.random = np.random.default_rng(0)
        self.discriminator_sizes = {
            "embedding_dim": D,
            "filters": F // 5,
            "kernel_sizes": (W,) * 5,
            "l2_weight": 0.2,
            "end_token_id": None,
        }
        self.discriminator = sg.Discriminator(V, **self.discriminator_sizes)
        self.discriminator.compile(sg.Adam(1e-4))
        sizes = {"table": (D, None), "factored": (E, features)}
        self.generators = {
            name: sg.Generator(V, parts, embedding_dim=width, units=H, end_token_id=None)
            for name, (width, parts) in sizes.items()
        }
        for generator in self.generators.values():
            generator.compile(sg.Adam(1e-3, global_clipnorm=5.0))

    def tokens(self, rows):
        """Returns random tokens, int32 [rows, T]."""
        return tf.constant(self.random.integers(3, V, (rows, T)), tf.int32)

    def add(self, name, ours, products=None, theirs=(), repeats=7, calls=1):
        """Times a step, its peers and its matrix products, in turn, and keeps its row."""
        shapes = products or {}
        mine, others = medians(
            ours, [*theirs, *(product_timer(*shape) for shape in shapes)], repeats, calls
        )
        alone = dict(zip(shapes, others[len(theirs) :]))
        self.rates |= alone
        self.keep(
            name,
            mine,
            products,
            products and sum(count * alone[shape] for shape, count in products.items()),
            others[: len(theirs)],
        )

    def keep(self, name, mine, products=None, floor=None, others=()):
        """Keeps a row: what our step took, its matrix products and what they took alone, and what the peers' took."""
        operations = (
            sum(2 * count * math.prod(shape) for shape, count in products.items())
            if products
            else None
        )
        torch, tuned = others or (None, None)
        self.rows[name] = {
            "seconds": mine,
            "torch_seconds": torch,
            "ratio_to_torch": torch and mine / torch,
            "tuned_torch_seconds": tuned,
            "ratio_to_tuned_torch": tuned and mine / tuned,
            "gflop": operations and operations / 1e9,
            "floor_seconds": floor,
            "share_of_floor": floor and floor / mine,
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        print(
            f"{name:28} {mine:8.3f} s"
            + "".join(f"  torch × {mine / other:.2f}" for other in others)
            + (f"  floor {floor / mine:.0%}" if floor else ""),
            flush=True,
        )

    def timers(self, step, **message):
        """Returns the peers' timers of a step."""
        return [peer.timer(step, **message) for peer in self.peers]

    def generator_steps(self, name):
        """Times sampling, a likelihood step and a policy-gradient step of a generator."""
        generator, factored, tokens = self.generators[name], name == "factored", self.tokens(B)
        game, likelihood, rewards = (
            AdversarialSteps(generator, self.discriminator, sg.reinforce()),
            make_step(generator),
            tf.random.uniform([B]),
        )
        reading = with_gradients(products_of_reading(factored))
        seeds = row_seeds(0, B)
        self.add(
            f"sample, {name}",
            lambda: generator.sample(seeds, T),
            products_of_sampling(factored),
            self.timers("sample", generator=name),
        )
        self.add(
            f"likelihood, {name}",
            lambda: likelihood(tokens),
            reading,
            self.timers("likelihood", generator=name),
        )
        step = self.timers("policy_gradient", generator=name)
        self.add(
            f"policy gradient, {name}", lambda: game.generator_step(tokens, rewards), reading, step
        )

    def discriminator_step(self):
        """Times a discriminator step, on as many real as generated sequences."""
        game, halves = (
            AdversarialSteps(self.generators["table"], self.discriminator, sg.reinforce()),
            (self.tokens(PAIR // 2), self.tokens(PAIR // 2)),
        )
        self.add(
            "discriminator",
            lambda: game.discriminator_step(*halves),
            products_of_discriminator(),
            self.timers("discriminator"),
            calls=8,
        )

    def credit(self, objective, rows=B, discriminator=None):
        """Returns a generator step with a credit, of the table generator: sampling, judging and the step itself."""
        generator, seeds = self.generators["table"], row_seeds(0, rows)
        game = AdversarialSteps(generator, discriminator or self.discriminator, objective)

        def step():
            tokens, _ = generator.sample(seeds, T)
            return game.generator_step(tokens, objective.reward(game.judge(tokens, seeds[0])))

        return step

    def credits(self):
        """Times what a generator step costs with each credit, all in turn, since their ratios are what counts."""
        half = sg.Discriminator(V, **self.discriminator_sizes, dtype="mixed_bfloat16")
        steps = {
            "terminal credit": self.credit(sg.reinforce()),
            "prefix credit": self.credit(sg.reinforce(credit=sg.credit.Prefix())),
            "prefix credit, every 2nd": self.credit(sg.reinforce(credit=sg.credit.Prefix(every=2))),
            "prefix credit, every 4th": self.credit(sg.reinforce(credit=sg.credit.Prefix(every=4))),
            "prefix credit, discriminator in bfloat16": self.credit(
                sg.reinforce(credit=sg.credit.Prefix()), discriminator=half
            ),
        }
        first, *rest = steps.values()
        mine, others = medians(first, [lambda step=step: time_of(step) for step in rest])
        for name, seconds in zip(steps, [mine, *others]):
            self.keep(f"generator step, {name}", seconds)
        self.add(
            "generator step, rollouts, 2 sequences",
            self.credit(sg.seqgan(num_rollouts=16), rows=2),
            repeats=3,
        )

    def completions_one_by_one(self, rows, num_rollouts=16):
        """Times what rollouts would take one completion at a time: the mean of some, times how many there are."""
        generator, prefix, positions = (
            self.generators["table"],
            self.tokens(1),
            range(max(1, T // 20), T, max(1, T // 10)),
        )

        def one(position):
            tokens = generator.sample(row_seeds(0, 1), T, prompt=prefix[:, :position])[0]
            return self.discriminator(tokens, training=False)

        compiled = [tf.function(lambda position=position: one(position)) for position in positions]
        mean = sum(medians(step, repeats=3)[0] for step in compiled) / len(compiled)
        self.rows["generator step, rollouts one by one, 2 sequences"] = {
            **dict.fromkeys(self.rows["discriminator"]),
            "seconds": mean * num_rollouts * rows * (T - 1),
        }

    def half_precision(self):
        """Times the steps of the table generator and of the discriminator in bfloat16."""
        generator = sg.Generator(
            V, embedding_dim=D, units=H, end_token_id=None, dtype="mixed_bfloat16"
        )
        discriminator = sg.Discriminator(V, **self.discriminator_sizes, dtype="mixed_bfloat16")
        generator.compile(sg.Adam(1e-3, global_clipnorm=5.0)), discriminator.compile(sg.Adam(1e-4))
        game, likelihood, seeds = (
            AdversarialSteps(generator, discriminator, sg.reinforce()),
            make_step(generator),
            row_seeds(0, B),
        )
        tokens, rewards, halves = (
            self.tokens(B),
            tf.random.uniform([B]),
            (self.tokens(PAIR // 2), self.tokens(PAIR // 2)),
        )
        self.add("sample, table, bfloat16", lambda: generator.sample(seeds, T))
        self.add("likelihood, table, bfloat16", lambda: likelihood(tokens))
        self.add("policy gradient, table, bfloat16", lambda: game.generator_step(tokens, rewards))
        self.add("discriminator, bfloat16", lambda: game.discriminator_step(*halves), calls=8)

    def whole_round(self):
        """Times a round at the paper's settings: 1 generator step, 263 discriminator steps on 1,400 fresh samples against 1,400 real ones."""
        data = self.tokens(1400).numpy()
        options = {
            "batch_size": B,
            "discriminator_steps": 263,
            "discriminator_samples": 1400,
            "discriminator_batch_size": PAIR,
            "seed": 0,
            "verbose": 0,
        }
        self.add(
            "adversarial round",
            lambda: (
                sg.fit_adversarial(
                    self.generators["table"], self.discriminator, data, rounds=1, **options
                ).history
            ),
            repeats=1,
        )

    def evaluation(self):
        """Times Table 1's columns, BLEU included, on 350 real sequences and as many samples."""
        data = self.tokens(350).numpy()
        self.add(
            "evaluation",
            lambda: sg.evaluate(self.generators["table"], self.discriminator, data),
            repeats=3,
        )
        self.add("BLEU of 350 × 350", lambda: sg.metrics.bleu(data, data[::-1]), repeats=3)

    def tokenising(self, folder):
        """Times reading and tokenising a folder of MIDI files."""

        def tokenise():
            corpus = sg.load_nottingham(folder)
            tokenizer = sg.Tokenizer.fit(corpus.train)
            return tokenizer.windows(corpus.train, T), tokenizer.windows(corpus.validation, T)

        self.add("reading and tokenising", tokenise, repeats=1)


def memory_by_round():
    """Returns the process' megabytes after rounds of a tiny game, rollouts in every round; what grows without end grows here."""
    generator, discriminator = (
        sg.Generator(50, embedding_dim=8, units=16),
        sg.Discriminator(50, embedding_dim=8, filters=8, kernel_sizes=(2, 3)),
    )
    generator.compile("adam"), discriminator.compile("adam")
    data, kept = np.random.default_rng(0).integers(3, 50, (40, 12)), {}

    class Meter(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if (epoch + 1) % 50 == 0:
                pages = int(Path("/proc/self/statm").read_text().split()[1])
                kept[epoch + 1] = pages * resource.getpagesize() // 2**20

    options = {
        "rounds": 200,
        "batch_size": 8,
        "discriminator_batch_size": 8,
        "validation_data": data[:9],
        "seed": 0,
        "verbose": 0,
    }
    sg.fit_adversarial(generator, discriminator, data, sg.seqgan(4), callbacks=[Meter()], **options)
    return kept


def processor():
    """Returns the processor's name with the number formats that it computes products in, where the system tells."""
    info = Path("/proc/cpuinfo")
    lines = (
        dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
        if info.is_file()
        else {}
    )
    fields = {key.strip(): value.strip() for key, value in lines.items()}
    formats = [
        flag
        for flag in fields.get("flags", "").split()
        if flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    ]
    return ", ".join([fields.get("model name", platform.machine()), *formats])


def importing():
    """Returns the seconds of importing tfseqgan's training after its dependencies, in a new process."""
    before = "import tensorflow, keras, tensorflow_probability, mido, time; s = time.perf_counter()"
    after = "import tfseqgan; tfseqgan.fit_adversarial; print(time.perf_counter() - s)"
    return float(
        subprocess.run(
            [sys.executable, "-c", f"{before}; {after}"], capture_output=True, text=True, check=True
        ).stdout
    )


def slopes(bench):
    """Returns the seconds of sampling and of terminal and prefix credit for several lengths, for the straight line through them."""
    generator, result = bench.generators["table"], {}
    for name, objective in (
        ("sample", None),
        ("terminal", sg.reinforce()),
        ("prefix", sg.reinforce(credit=sg.credit.Prefix())),
    ):
        result[name] = {}
        for length in (50, 100, 200, 400):
            tokens, seeds = (
                tf.constant(bench.random.integers(3, V, (32, length)), tf.int32),
                row_seeds(0, 32),
            )
            game = objective and AdversarialSteps(generator, bench.discriminator, objective)
            step = (
                (lambda: generator.sample(seeds, length))
                if game is None
                else (lambda: game.judge(tokens, seeds[0]))
            )
            result[name][length] = medians(step, repeats=5)[0]
    return result


def run(args):
    """Runs the suite and writes its JSON."""
    features = np.stack(
        [np.random.default_rng(1).integers(0, size, V) for size in PARTS], axis=1
    ).astype(np.int32)
    memory = memory_by_round()  # before the large models
    peers = [] if args.no_peer else [Peer(features), Peer(features, tuned=True)]
    bench = Bench(peers, features)
    for name in ("table", "factored"):
        bench.generator_steps(name)
    bench.discriminator_step()
    bench.credits()
    bench.completions_one_by_one(rows=2)
    bench.half_precision()
    bench.evaluation()
    bench.whole_round()
    if args.data:
        bench.tokenising(args.data)
    args.out.parent.mkdir(exist_ok=True)
    rate = {
        f"{m} x {k} x {n}": 2 * m * k * n / seconds / 1e9
        for (m, k, n), seconds in bench.rates.items()
    }
    write_json(
        args.out,
        {
            "rows": bench.rows,
            "gflop_per_second": rate,
            "import_seconds": importing(),
            "seconds_by_length": slopes(bench),
            "memory_mb_by_round": memory,
            "sizes": {
                "B": B,
                "T": T,
                "units": H,
                "V": V,
                "embedding_dim": D,
                "factored_embedding_dim": E,
                "filters": F,
                "kernel_size": W,
            },
            "machine": {
                "cores": os.cpu_count(),
                "processor": processor(),
                "python": platform.python_version(),
            },
            "versions": {
                "tfseqgan": sg.__version__,
                "tensorflow": version("tensorflow"),
                "torch": peers[0].torch if peers else None,
            },
        },
    )


def table(result):
    """Returns the JSON's rows as a Markdown table."""
    lines = [
        "| step | seconds | GFLOP | floor, seconds | share of the floor | PyTorch, seconds | ratio | PyTorch tuned, seconds | ratio | peak memory so far, MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    keys = (
        "seconds",
        "gflop",
        "floor_seconds",
        "torch_seconds",
        "ratio_to_torch",
        "tuned_torch_seconds",
        "ratio_to_tuned_torch",
        "peak_memory_mb",
    )
    for name, row in result["rows"].items():
        share = "" if row["share_of_floor"] is None else f"{row['share_of_floor']:.0%}"
        cells = [
            ""
            if row[key] is None
            else f"{row[key]:.3f}"
            if isinstance(row[key], float)
            else str(row[key])
            for key in keys
        ]
        lines.append("| " + " | ".join([name, *cells[:3], share, *cells[3:]]) + " |")
    return "\n".join(lines)


def line_through(seconds):
    """Returns slope, intercept and the largest relative error of the straight line through seconds by length, the small ones weighing as much."""
    lengths, times = (
        np.array([float(length) for length in seconds]),
        np.array(list(seconds.values())),
    )
    slope, intercept = np.polyfit(lengths, times, 1, w=1 / times)
    return slope, intercept, np.max(np.abs(slope * lengths + intercept - times) / times)


def length_table(result):
    """Returns the seconds by length as a Markdown table, with the straight line through each row."""
    rows = result["seconds_by_length"]
    lengths = list(next(iter(rows.values())))
    lines = [
        "| of 32 sequences | "
        + " | ".join(f"T = {length}" for length in lengths)
        + " | a straight line | largest error |",
        "|---" * (len(lengths) + 3) + "|",
    ]
    for name, seconds in rows.items():
        slope, intercept, error = line_through(seconds)
        cells = [f"{value:.3f} s" for value in seconds.values()] + [
            f"{intercept:.3f} s + {1000 * slope:.2f} ms · T",
            f"{error:.0%}",
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def other_figures(result):
    """Returns what stands in no table, as a list in Markdown."""
    rows, memory = result["rows"], result["memory_mb_by_round"]
    step = {
        name.removeprefix("generator step, "): row["seconds"]
        for name, row in rows.items()
        if name.startswith("generator step")
    }
    machine = result["machine"]
    lines = [
        f"{machine['cores']} cores ({machine['processor']}), Python {machine['python']}, TensorFlow {result['versions']['tensorflow']}, "
        f"PyTorch {result['versions']['torch']}; matrix products of these shapes ran at {min(result['gflop_per_second'].values()):.0f} to "
        f"{max(result['gflop_per_second'].values()):.0f} GFLOP/s.",
        f"A generator step with prefix credit costs {step['prefix credit'] / step['terminal credit']:.2f} times one with terminal credit, "
        f"{step['prefix credit, every 2nd'] / step['terminal credit']:.2f} times with an opinion after every second token, "
        f"{step['prefix credit, every 4th'] / step['terminal credit']:.2f} times after every fourth, and "
        f"{step['prefix credit, discriminator in bfloat16'] / step['terminal credit']:.2f} times with a discriminator in bfloat16.",
        f"Rollouts take {step['rollouts one by one, 2 sequences'] / step['rollouts, 2 sequences']:.1f} times longer one completion at a time.",
        f"`import tfseqgan` with everything for training takes {result['import_seconds']:.3f} s after its dependencies.",
        "Memory after rounds of a tiny game with rollouts: "
        + ", ".join(f"{size} MB after {number}" for number, size in memory.items())
        + ".",
    ]
    with_table = {
        kind: rows[f"{kind}, table"]["torch_seconds"] for kind in ("likelihood", "policy gradient")
    }
    if all(with_table.values()):
        likelihood, gradient = (
            rows[f"{kind}, factored"]["seconds"] / seconds for kind, seconds in with_table.items()
        )
        lines.append(
            f"Of PyTorch's time with the table, the factored generator's likelihood step takes {likelihood:.2f} and its policy-gradient step {gradient:.2f}."
        )
    return "\n".join(f"- {line}" for line in lines)


def render(result):
    """Returns the text of docs/performance.md with the result's tables between its marks."""
    text = PAGE.read_text(encoding="utf-8")
    for name, block in {
        "suite": table(result),
        "lengths": length_table(result),
        "figures": other_figures(result),
    }.items():
        before, rest = text.split(f"<!-- {name} -->\n")
        text = f"{before}<!-- {name} -->\n{block}\n<!-- end -->\n{rest.split('<!-- end -->' + chr(10), 1)[1]}"
    return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="folder of the Nottingham MIDI files, for tokenising")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--no-peer", action="store_true", help="without PyTorch")
    parser.add_argument(
        "--render",
        action="store_true",
        help="measure nothing: write docs/performance.md's tables out of the JSON",
    )
    args = parser.parse_args()
    if not args.render:
        run(args)
    PAGE.write_text(render(json.loads(args.out.read_text())), encoding="utf-8")
