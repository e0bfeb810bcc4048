r"""Reproduce Table 1 of the paper on the paper's tokens (Lee et al. 2017).

One generator is trained by maximum likelihood, and one discriminator is trained against it. Every
adversarial model starts from these two.

    python experiments/table1.py --schedule cpu --seed 0 --work runs/table1 \
        --data ../shared/data/nottingham-lee2017/tokens.npz
    python experiments/table1.py --render

The experiment has stages. Each stage writes one file when it is done:
experiments/results/table1/<data>/<schedule>/seed<seed>/<stage>.json. Start the first command again
after a stop: it skips the stages that are done, and resumes the one that was stopped from its
checkpoints in --work. If --data is a folder of MIDI files, the data are split by tune.

The second command renders the tables and figures of docs/results.md from the JSON files.
"""

import argparse
import dataclasses
import functools
import json
import math
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import tfseqgan as sg
from tfseqgan.datasets.windows import Windows, load_windows
from tfseqgan.evaluation.evaluate import discriminator_logits, evaluate, sample_with_nll
from tfseqgan.files import write_json
from tfseqgan.models.policy import Policy
from tfseqgan.runs.settings import PRESETS, Settings
from tfseqgan.runs.train_run import make_models

RESULTS = Path(__file__).resolve().parent / "results" / "table1"

# ---- the schedules: how long each stage trains

# The published tokens are used as they are. On MIDI files the paper's filter, which keeps only the
# tunes whose tokens all occur ten times, would leave 311 windows. It is therefore switched off.
PAPER = dataclasses.replace(PRESETS["paper"], minimum_count=1, rare="nearest")
CPU = dataclasses.replace(
    PAPER,
    pretraining_batch_size=32,
    pretraining_learning_rate=4e-3,
    dropout=0.2,
    epochs=30,
    patience=30,
    discriminator_pretraining_rounds=4,
    rounds=40,
    discriminator_steps=11,
    discriminator_samples=176,
    validation_freq=10,
)
CPU_SHORT = dataclasses.replace(CPU, epochs=12)  # the split by tune overfits sooner
SMOKE = dataclasses.replace(
    PAPER,
    epochs=1,
    discriminator_pretraining_rounds=1,
    rounds=2,
    discriminator_steps=2,
    discriminator_samples=32,
    validation_freq=1,
)
SCHEDULES = {"paper": PAPER, "cpu": CPU, "cpu_short": CPU_SHORT, "smoke": SMOKE}

# The shares of the maximum-likelihood epochs after which the learning rate falls to a quarter.
LEARNING_RATE_FALLS = {"cpu": (2 / 3, 5 / 6), "cpu_short": (2 / 3, 5 / 6)}

# Discriminator pre-training: the paper makes three epochs over 1,400 real and 1,400 generated
# sequences in each round, which are 263 steps.
PRETRAINING_SAMPLES = 1400
PRETRAINING_STEPS = 263
SMOKE_PRETRAINING_STEPS = 2

LONG_FACTOR = 3  # the long runs have three times as many rounds

# ---- the models

MODELS = {
    "ordinary": sg.reinforce(),
    "baseline": sg.reinforce_with_baseline(),
    "merl": sg.merl(entropy_weight=1.0),
}

# The other entropy weights. "merl" is α = 1 and "baseline" is α = 0.
SWEEP = {f"alpha_{alpha:g}": sg.merl(entropy_weight=alpha) for alpha in (1e-1, 1e-2, 1e-3, 1e-4)}

# The other shapes of the reward. "baseline" has the probability as its reward.
SHAPES = {
    "log": sg.reinforce_with_baseline(reward=sg.rewards.log),
    "logit": sg.reinforce_with_baseline(reward=sg.rewards.logit),
}

# ---- what is measured

NUM_SAMPLES = 1400
NUM_FOLLOWED = 50  # real and generated sequences whose logits are recorded during training
NUM_TRAJECTORIES = 100

# The second half of a seed, so that the samples of each kind have random numbers of their own.
FOLLOWED_STREAM = 10**6
FIGURE2_STREAM = 2 * 10**6
FIGURE1_STREAM = 3 * 10**6

# The settings of the networks that a result names.
NETWORK_SETTINGS = (
    "length",
    "embedding",
    "embedding_dim",
    "units",
    "dropout",
    "discriminator_embedding_dim",
    "filters",
    "kernel_sizes",
    "discriminator_dropout",
    "l2_weight",
)


class RecordLogits(keras.callbacks.Callback):
    """Records the discriminator's logits of fixed sequences at the start and every tenth round.

    They show how the reward moves while the discriminator learns.

    Args:
        discriminator: the `Discriminator` that is trained.
        tokens: the sequences, int32 [N, T].
        path: a JSON file; a resumed run adds to it.
    """

    def __init__(self, discriminator: sg.Discriminator, tokens: np.ndarray, path: Path):
        super().__init__()
        self.discriminator = discriminator
        self.tokens = tokens
        self.path = path
        self.recorded = json.loads(path.read_text()) if path.is_file() else {}

    def _record(self, when: str) -> None:
        logits = discriminator_logits(self.discriminator, self.tokens)
        self.recorded[when] = [round(float(logit), 4) for logit in logits]
        write_json(self.path, self.recorded)

    def on_train_begin(self, logs=None) -> None:
        if not self.recorded:
            self._record("start")

    def on_epoch_end(self, epoch, logs=None) -> None:
        if epoch % 10 == 9:
            self._record(str(epoch))


class RecordSeconds(keras.callbacks.Callback):
    """Records the seconds of every round or epoch.

    Args:
        path: a JSON file; a resumed run adds to it.
    """

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self.recorded = json.loads(path.read_text()) if path.is_file() else {}

    def on_epoch_begin(self, epoch, logs=None) -> None:
        self.started = time.time()

    def on_epoch_end(self, epoch, logs=None) -> None:
        self.recorded[str(epoch)] = round(time.time() - self.started, 2)
        write_json(self.path, self.recorded)


def learning_rates(settings: Settings, schedule: str) -> dict[int, float]:
    """Returns the learning rates of maximum likelihood by the epoch in which they begin."""
    rate = settings.pretraining_learning_rate
    rates = {0: rate}
    for share in LEARNING_RATE_FALLS.get(schedule, ()):
        rate = rate / 4
        rates[round(settings.epochs * share)] = rate

    return rates


def maximum_likelihood_optimizer(
    rates: dict[int, float], steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """Returns Adam with these learning rates."""
    learning_rate = rates[0]
    boundaries = [epoch * steps_per_epoch for epoch in rates if epoch]
    if boundaries:
        learning_rate = keras.optimizers.schedules.PiecewiseConstantDecay(
            boundaries,
            list(rates.values()),
        )

    return keras.optimizers.Adam(learning_rate, global_clipnorm=5.0)


def data_name(data: Windows) -> str:
    """Returns the folder name of the data: the published windows, or MIDI files split by tune."""
    return data.name if data.name == "lee2017" else "by_tune"


def count_distinct_tokens(tokens: np.ndarray) -> list[int]:
    """Returns the number of distinct tokens in each sequence of int32 [N, T]."""
    return [len(set(sequence)) for sequence in tokens.tolist()]


def next_token_probabilities(policy: Policy, tokens: np.ndarray) -> np.ndarray:
    """Returns π(·|y₍<t₎) at every step of the sequences: int32 [N, T] → float32 [N, T, V]."""
    # Ten parts, one after another, take less memory than all sequences at once.
    logits = [policy.distribution(part).logits for part in np.split(tokens, 10)]

    return tf.nn.softmax(tf.concat(logits, axis=0)).numpy()


def entropies(probabilities: np.ndarray) -> np.ndarray:
    """Returns the entropy of each distribution in nats: [..., V] → [...]."""
    return -(probabilities * np.log(np.maximum(probabilities, 1e-30))).sum(axis=-1)


def dropped_mass(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Returns the mass of `before` on the tokens to which `after` gives less than a tenth of it."""
    return (before * (after < 0.1 * before)).sum(axis=-1)


class Experiment:
    """One seed of the table. Its stages each write one JSON file.

    Args:
        data: the windows of the published split, or those of a folder of MIDI files.
        schedule: a name in `SCHEDULES`.
        seed: of the weights and the samples.
        work: folder for checkpoints and weights.
    """

    def __init__(self, data: Windows, schedule: str, seed: int, work: str):
        self.data = data
        self.schedule = schedule
        self.seed = seed
        self.settings = dataclasses.replace(SCHEDULES[schedule], seed=seed)

        self.work = Path(work) / data_name(data) / schedule / f"seed{seed}"
        self.results = RESULTS / data_name(data) / schedule / f"seed{seed}"
        for folder in (self.work, self.results):
            folder.mkdir(parents=True, exist_ok=True)

    def stages(self) -> dict[str, Callable[[], None]]:
        """Returns the stages by name. A stage needs only stages that come before it."""
        stages: dict[str, Callable[[], None]] = {
            "nll": self.maximum_likelihood,
            "discriminator": self.pretrain_discriminator,
        }

        rounds = self.settings.rounds
        for name, objective in (MODELS | SWEEP | SHAPES).items():
            stages[name] = functools.partial(
                self.train, name, objective, start="discriminator", rounds=rounds
            )

        stages["figure1"] = self.figure1
        stages["figure2"] = self.figure2

        for model, objective in MODELS.items():
            name = f"{model}_from_scratch"
            stages[name] = functools.partial(self.train, name, objective, start=None, rounds=rounds)

        for model in ("ordinary", "baseline"):
            name = f"{model}_long"
            stages[name] = functools.partial(
                self.train, name, MODELS[model], start="discriminator", rounds=LONG_FACTOR * rounds
            )

        return stages

    def maximum_likelihood(self) -> None:
        """Trains the NLL model, the generator that the adversarial models start from."""
        settings = self.settings
        generator, _ = self.models()
        steps_per_epoch = -(-len(self.data.train) // settings.pretraining_batch_size)  # rounded up
        rates = learning_rates(settings, self.schedule)
        generator.compile(maximum_likelihood_optimizer(rates, steps_per_epoch))

        seconds = RecordSeconds(self.work / "nll.seconds.json")
        arguments: dict[str, Any] = {
            "epochs": settings.epochs,
            "batch_size": settings.pretraining_batch_size,
            "patience": settings.patience,
        }
        history = sg.pretrain(
            generator,
            self.data.train,
            validation_data=self.data.validation,
            checkpoint_dir=self.work / "nll",
            seed=self.seed,
            verbose=2,
            callbacks=[seconds],
            **arguments,
        )

        arguments["learning_rates"] = rates
        self.finish("nll", generator, None, history, seconds, arguments)

    def pretrain_discriminator(self) -> None:
        """Trains the discriminator against the NLL model, which does not change."""
        smoke = self.schedule == "smoke"

        self.train(
            "discriminator",
            MODELS["ordinary"],
            start="nll",
            rounds=0,
            pretraining_rounds=self.settings.discriminator_pretraining_rounds,
            discriminator_steps=SMOKE_PRETRAINING_STEPS if smoke else PRETRAINING_STEPS,
            discriminator_samples=min(PRETRAINING_SAMPLES, len(self.data.train)),
        )

    def train(
        self,
        name: str,
        objective: sg.Objective,
        *,
        start: str | None,
        rounds: int,
        pretraining_rounds: int = 0,
        discriminator_steps: int | None = None,
        discriminator_samples: int | None = None,
    ) -> None:
        """Trains a generator and a discriminator against each other.

        Args:
            name: of this stage.
            objective: of the generator.
            start: the stage whose models it starts from; None for random weights.
            rounds: of both models.
            pretraining_rounds: of the discriminator alone, before these.
            discriminator_steps: in each round (default: the schedule's).
            discriminator_samples: in each round (default: the schedule's).
        """
        settings = self.settings
        generator, discriminator = self.models(start)

        # The logits of these sequences are recorded: real ones, then samples of the NLL model.
        nll_generator, _ = self.models("nll")
        seed = (self.seed, FOLLOWED_STREAM)
        samples, _ = sample_with_nll(nll_generator, NUM_FOLLOWED, settings.length, seed)
        followed = np.concatenate([self.data.validation[:NUM_FOLLOWED], samples])
        logits = RecordLogits(discriminator, followed, self.work / f"{name}.judgements.json")
        seconds = RecordSeconds(self.work / f"{name}.seconds.json")

        arguments: dict[str, Any] = {
            "rounds": rounds,
            "generator_steps": settings.generator_steps,
            "batch_size": settings.batch_size,
            "discriminator_steps": discriminator_steps or settings.discriminator_steps,
            "discriminator_batch_size": settings.discriminator_batch_size,
            "discriminator_samples": discriminator_samples or settings.discriminator_samples,
            "discriminator_pretraining_rounds": pretraining_rounds,
            "validation_freq": settings.validation_freq,
        }
        history = sg.fit_adversarial(
            generator,
            discriminator,
            self.data.train,
            objective,
            validation_data=self.data.validation,
            checkpoint_dir=self.work / name,
            checkpoint_every=5,
            callbacks=[seconds, logits],
            seed=self.seed,
            verbose=2,
            **arguments,
        )

        arguments["learning_rates"] = [
            settings.generator_learning_rate,
            settings.discriminator_learning_rate,
        ]
        self.finish(
            name,
            generator,
            discriminator,
            history,
            seconds,
            arguments,
            objective=objective.summary(),
            judgements=logits.recorded,
        )

    def models(self, stage: str | None = None) -> tuple[sg.Generator, sg.Discriminator]:
        """Returns the models of a finished stage, compiled with the paper's optimizers.

        Args:
            stage: a stage's name; None for random weights. The stage "nll" has no discriminator,
                so its discriminator has random weights.
        """
        generator, discriminator = make_models(self.data, self.settings)
        if stage is not None:
            generator.load_weights(self.work / f"{stage}.generator.weights.h5")
        if stage is not None and stage != "nll":
            discriminator.load_weights(self.work / f"{stage}.discriminator.weights.h5")

        generator.compile(
            keras.optimizers.Adam(self.settings.generator_learning_rate, global_clipnorm=5.0)
        )
        discriminator.compile(keras.optimizers.Adam(self.settings.discriminator_learning_rate))

        return generator, discriminator

    def finish(
        self,
        name: str,
        generator: sg.Generator,
        discriminator: sg.Discriminator | None,
        history: keras.callbacks.History,
        seconds: RecordSeconds,
        arguments: dict[str, Any],
        **more: Any,
    ) -> None:
        """Saves the weights of a stage, evaluates its models and writes its JSON file.

        Args:
            name: of the stage.
            generator: the trained generator.
            discriminator: the trained discriminator, or None.
            history: what the training returned.
            seconds: of each round or epoch.
            arguments: of the training.
            **more: further entries of the JSON file.
        """
        generator.save_weights(self.work / f"{name}.generator.weights.h5")
        if discriminator is not None:
            discriminator.save_weights(self.work / f"{name}.discriminator.weights.h5")

        columns = evaluate(
            generator,
            discriminator,
            self.data.validation,
            num_samples=min(NUM_SAMPLES, len(self.data.train)),
            seed=self.seed,
        )
        settings = dataclasses.asdict(self.settings)
        result = {
            "model": name,
            "schedule": self.schedule,
            "seed": self.seed,
            "evaluation": columns,
            "seconds": seconds.recorded,
            "rounds": history.epoch,
            "curves": history.history,
            "arguments": arguments,
            "networks": {key: settings[key] for key in settings if key in NETWORK_SETTINGS},
            "data": self.data.summary(),
            "versions": {
                "tfseqgan": sg.__version__,
                "python": platform.python_version(),
                "tensorflow": version("tensorflow"),
                "keras": version("keras"),
            },
            **more,
        }
        write_json(self.results / f"{name}.json", result)

        figures = ", ".join(f"{key} {value:.4g}" for key, value in columns.items())
        print(f"seed {self.seed} {name}: {figures}", flush=True)

    def figure1(self) -> None:
        """Writes the samples of Figure 1.

        They are the ordinary model's sample with the highest reward, its sample with the lowest
        reward, and the sample with the fewest distinct tokens of all three models.
        """
        samples = {}
        for name in MODELS:
            generator, _ = self.models(name)
            seed = (self.seed, FIGURE1_STREAM)
            samples[name], _ = sample_with_nll(generator, NUM_SAMPLES, self.settings.length, seed)

        _, discriminator = self.models("ordinary")
        logits = discriminator_logits(discriminator, samples["ordinary"])
        counts = {name: count_distinct_tokens(tokens) for name, tokens in samples.items()}
        most_collapsed = min(counts, key=lambda name: min(counts[name]))

        picked = {
            "best_liked": ("ordinary", np.argmax(logits)),
            "true_negative": ("ordinary", np.argmin(logits)),
            "collapsed": (most_collapsed, np.argmin(counts[most_collapsed])),
        }
        pictures = {
            kind: self.picture(name, samples[name][index]) for kind, (name, index) in picked.items()
        }
        write_json(self.results / "figure1.json", pictures)

    def picture(self, name: str, tokens: np.ndarray) -> dict[str, Any]:
        """Returns what is needed to draw a sample: its notes and chords in ticks, and its reward.

        Args:
            name: of the model that wrote the sample; its discriminator gives the reward.
            tokens: int32 [T].
        """
        _, discriminator = self.models(name)
        logit = discriminator_logits(discriminator, tokens[None])[0]
        score = self.data.tokenizer.decode(tokens)

        return {
            "model": name,
            "reward": float(1 / (1 + np.exp(-logit))),
            "distinct_tokens": len(set(tokens.tolist())),
            "num_samples": NUM_SAMPLES,
            "tokens": tokens.tolist(),
            "melody": [
                [note.start_ticks, note.duration_ticks, note.pitch] for note in score.melody
            ],
            "chords": [
                [chord.start_ticks, chord.duration_ticks, list(chord.pitches)]
                for chord in score.chords
            ],
        }

    def figure2(self) -> None:
        """Compares the policies of all models on a hundred trajectories of the ordinary model."""
        names = ["nll", *MODELS]
        policies = {name: Policy(self.models(name)[0]) for name in names}

        # The trajectory with the fewest distinct tokens comes first. It is the one that is drawn.
        seed = (self.seed, FIGURE2_STREAM)
        tokens, _ = sample_with_nll(
            policies["ordinary"].generator, NUM_TRAJECTORIES, self.settings.length, seed
        )
        tokens = tokens[np.argsort(count_distinct_tokens(tokens), kind="stable")]

        # π(·|s₁₅) on that trajectory: the twenty likeliest tokens of each model.
        probabilities = {
            name: next_token_probabilities(policy, tokens) for name, policy in policies.items()
        }
        shown: set[int] = set()
        for name in names:
            shown |= set(np.argsort(-probabilities[name][0, 15])[:20].tolist())
        shown_tokens = sorted(shown)

        # Over all trajectories: the entropy at each step, and the mass that each model dropped.
        root_n = math.sqrt(NUM_TRAJECTORIES)
        entropy = {name: entropies(probabilities[name]) for name in names}  # [N, T]
        dropped = {
            name: dropped_mass(probabilities["nll"], probabilities[name]) for name in MODELS
        }  # [N, T]
        result = {
            "trajectory": tokens[0].tolist(),
            "shown_tokens": shown_tokens,
            "pi_15": {
                name: [float(value) for value in probabilities[name][0, 15, shown_tokens]]
                for name in names
            },
            "entropy_15": {name: float(entropy[name][0, 15]) for name in names},
            "entropy_over_time": {
                name: entropy[name].mean(axis=0).round(5).tolist() for name in names
            },
            "entropy_over_time_stderr": {
                name: (entropy[name].std(axis=0, ddof=1) / root_n).round(5).tolist()
                for name in names
            },
            "dropped_mass": {
                name: {
                    "mean": float(mass.mean()),
                    "stderr": float(mass.mean(axis=1).std(ddof=1) / root_n),
                }
                for name, mass in dropped.items()
            },
            "num_trajectories": NUM_TRAJECTORIES,
        }
        write_json(self.results / "figure2.json", result)


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", help="tokens.npz of Lee et al. (2017), or a folder of MIDI files")
    parser.add_argument("--schedule", choices=list(SCHEDULES), default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", default="runs/table1", help="folder for checkpoints and weights")
    parser.add_argument("--stages", help="run only these stages, separated by commas")
    parser.add_argument(
        "--render",
        action="store_true",
        help="render the tables and figures of docs/results.md from the JSON files",
    )

    return parser


def main() -> None:
    """Runs the stages that are not done yet, or renders the page."""
    parser = make_parser()
    args = parser.parse_args()

    if args.render:
        import results_page  # needs the extra "viz", which training does not

        results_page.render()
        return
    if args.data is None:
        parser.error(
            "--data is missing. Give the tokens.npz of Lee et al. (2017) or a folder of MIDI "
            "files. Only --render works without data."
        )

    data = load_windows(args.data, **PAPER.window_options())
    experiment = Experiment(data, args.schedule, args.seed, args.work)
    stages = experiment.stages()
    chosen = stages if args.stages is None else args.stages.split(",")
    for name, run in stages.items():
        done = (experiment.results / f"{name}.json").is_file()
        if name in chosen and not done:
            run()


if __name__ == "__main__":
    main()
