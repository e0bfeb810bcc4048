"""Table 1 of the paper: four models from one pre-trained generator and discriminator, on the tokens of the paper (Lee et al. 2017).

    python experiments/table1.py --data ../shared/data/nottingham-lee2017/tokens.npz --schedule cpu --seed 0 --work runs/table1
    python experiments/table1.py --render

Each stage writes experiments/results/table1/<data>/<schedule>/seed<seed>/<stage>.json when it is done; a stopped run goes on from --work and passes
over what is done. A folder of MIDI files as --data is split by tunes. The second line makes docs/results.md and its figures again from the JSON.
"""

import argparse
import dataclasses
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import tfseqgan as sg
from tfseqgan.datasets.windows import load_windows
from tfseqgan.evaluation.evaluate import draw, evaluate, judge
from tfseqgan.files import write_json
from tfseqgan.models.policy import Policy
from tfseqgan.runs.settings import PRESETS
from tfseqgan.runs.train_run import make_models

RESULTS = Path(__file__).resolve().parent / "results" / "table1"
NUM_SAMPLES = 1400
NETWORKS = (
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
FALLS = {
    "cpu": (2 / 3, 5 / 6),
    "cpu_short": (2 / 3, 5 / 6),
}  # shares of maximum likelihood after which its learning rate falls to a quarter
LONGER = 3  # times the rounds, to see where two curves go that lie close together
FIXED = 50  # real and generated sequences whose judgement is followed through the rounds

# The published tokens are as they are; of MIDI files the paper's filter (tunes whose tokens all occur ten times) leaves 311 windows, so it is off.
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
SCHEDULES = {
    "paper": PAPER,
    "cpu": CPU,
    "cpu_short": dataclasses.replace(
        CPU, epochs=12
    ),  # for the split by tunes, which maximum likelihood overfits sooner
    "smoke": dataclasses.replace(
        PAPER,
        epochs=1,
        discriminator_pretraining_rounds=1,
        rounds=2,
        discriminator_steps=2,
        discriminator_samples=32,
        validation_freq=1,
    ),
}
PRETRAINING_STEPS = {"smoke": 2}  # of a round; else 263, the three epochs over 1,400 and 1,400
MODELS = {
    "ordinary": sg.reinforce(),
    "baseline": sg.reinforce_with_baseline(),
    "merl": sg.merl(entropy_weight=1.0),
}
SWEEP = {
    f"alpha_{alpha:g}": sg.merl(entropy_weight=alpha) for alpha in (1e-1, 1e-2, 1e-3, 1e-4)
}  # 1 is merl, 0 is baseline
SHAPES = {
    shape: sg.reinforce_with_baseline(reward=getattr(sg.rewards, shape))
    for shape in ("log", "logit")
}  # probability is baseline


class Judgements(keras.callbacks.Callback):
    """Keeps the discriminator's logits of fixed sequences every tenth round, so that one can see how the reward moves."""

    def __init__(self, discriminator, tokens, path):
        super().__init__()
        self.discriminator, self.tokens, self.path = discriminator, tokens, Path(path)
        self.kept = json.loads(self.path.read_text()) if self.path.is_file() else {}

    def _keep(self, when):
        self.kept[when] = [
            round(float(logit), 4) for logit in judge(self.discriminator, self.tokens)
        ]
        write_json(self.path, self.kept)

    def on_train_begin(self, logs=None):
        if not self.kept:
            self._keep("start")

    def on_epoch_end(self, epoch, logs=None):
        if epoch % 10 == 9:
            self._keep(str(epoch))


class Clock(keras.callbacks.Callback):
    """Keeps the seconds of every round or epoch, through stops."""

    def __init__(self, path):
        super().__init__()
        self.path = Path(path)
        self.kept = json.loads(self.path.read_text()) if self.path.is_file() else {}

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.time()

    def on_epoch_end(self, epoch, logs=None):
        self.kept[str(epoch)] = round(time.time() - self.began, 2)
        write_json(self.path, self.kept)


def learning_rates(settings, schedule):
    """Returns maximum likelihood's learning rates by the epoch that they begin with: the paper's one, or two falls to a quarter towards the end."""
    rate, falls = settings.pretraining_learning_rate, FALLS.get(schedule, ())
    return {0: rate} | {
        round(settings.epochs * share): rate / 4 ** (place + 1) for place, share in enumerate(falls)
    }


def data_name(data):
    """Returns the name of the results' folder: the published windows, or the tunes of a folder of MIDI files."""
    return data.name if data.name == "lee2017" else "by_tune"


class Experiment:
    """One seed of the table: the stages, each of which leaves a JSON file behind.

    Args:
        data: `Windows` of the published split, or of the tunes of a folder.
        schedule: a name in SCHEDULES.
        seed: of weights and samples.
        work: folder for checkpoints and weights.
    """

    def __init__(self, data, schedule, seed, work):
        self.data, self.schedule, self.seed = data, schedule, seed
        self.settings = dataclasses.replace(SCHEDULES[schedule], seed=seed)
        self.work = Path(work) / data_name(data) / schedule / f"seed{seed}"
        self.results = RESULTS / data_name(data) / schedule / f"seed{seed}"
        for folder in (self.work, self.results):
            folder.mkdir(parents=True, exist_ok=True)

    def models(self, stage=None):
        """Returns fresh models, or those that a stage left behind, compiled with the paper's optimizers."""
        generator, discriminator = make_models(self.data, self.settings)
        if stage:
            generator.load_weights(self.work / f"{stage}.generator.weights.h5")
        if stage not in (None, "nll"):
            discriminator.load_weights(self.work / f"{stage}.discriminator.weights.h5")
        generator.compile(
            keras.optimizers.Adam(self.settings.generator_learning_rate, global_clipnorm=5.0)
        )
        discriminator.compile(keras.optimizers.Adam(self.settings.discriminator_learning_rate))
        return generator, discriminator

    def finish(self, name, generator, discriminator, history, clock, arguments, **more):
        """Keeps the weights and writes the figures of a model, with the arguments that it was trained with."""
        for model, kind in ((generator, "generator"), (discriminator, "discriminator")):
            if model is not None:
                model.save_weights(self.work / f"{name}.{kind}.weights.h5")
        columns = evaluate(
            generator,
            discriminator,
            self.data.validation,
            num_samples=min(NUM_SAMPLES, len(self.data.train)),
            seed=self.seed,
        )
        result = {
            "model": name,
            "schedule": self.schedule,
            "seed": self.seed,
            "evaluation": columns,
            "seconds": clock.kept,
            "rounds": history.epoch,
            "curves": history.history,
            "arguments": arguments,
            "networks": {
                key: value
                for key, value in dataclasses.asdict(self.settings).items()
                if key in NETWORKS
            },
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
        print(
            f"seed {self.seed} {name}: "
            + ", ".join(f"{key} {value:.4g}" for key, value in columns.items()),
            flush=True,
        )

    def maximum_likelihood(self):
        """Trains the NLL model with the paper's generator until it stops improving."""
        generator, _ = self.models()
        steps = -(-len(self.data.train) // self.settings.pretraining_batch_size)
        rates, clock = (
            learning_rates(self.settings, self.schedule),
            Clock(self.work / "nll.seconds.json"),
        )
        ends, rate = [epoch * steps for epoch in rates if epoch], rates[0]
        if ends:
            rate = keras.optimizers.schedules.PiecewiseConstantDecay(ends, list(rates.values()))
        generator.compile(keras.optimizers.Adam(rate, global_clipnorm=5.0))
        arguments = {
            "epochs": self.settings.epochs,
            "batch_size": self.settings.pretraining_batch_size,
            "patience": self.settings.patience,
        }
        history = sg.pretrain(
            generator,
            self.data.train,
            validation_data=self.data.validation,
            checkpoint_dir=self.work / "nll",
            seed=self.seed,
            verbose=2,
            callbacks=[clock],
            **arguments,
        )
        self.finish("nll", generator, None, history, clock, arguments | {"learning_rates": rates})

    def train(
        self,
        name,
        objective,
        stage,
        rounds,
        pretraining_rounds=0,
        discriminator_steps=None,
        discriminator_samples=None,
    ):
        """Plays rounds from a stage's models (None: from random weights) and keeps the figures."""
        settings, (generator, discriminator) = self.settings, self.models(stage)
        samples, _ = draw(self.models("nll")[0], FIXED, settings.length, (self.seed, 10**6))
        followed = Judgements(
            discriminator,
            np.concatenate([self.data.validation[:FIXED], samples]),
            self.work / f"{name}.judgements.json",
        )
        clock = Clock(self.work / f"{name}.seconds.json")
        arguments = {
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
            callbacks=[clock, followed],
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
            clock,
            arguments,
            objective=objective.summary(),
            judgements=followed.kept,
        )

    def stages(self):
        """Returns the stages by name, in the order that they need each other."""
        settings = self.settings
        first = {
            "nll": self.maximum_likelihood,
            "discriminator": lambda: self.train(
                "discriminator",
                MODELS["ordinary"],
                "nll",
                0,
                settings.discriminator_pretraining_rounds,
                PRETRAINING_STEPS.get(self.schedule, 263),
                min(1400, len(self.data.train)),
            ),
        }
        pretrained = {
            n: lambda n=n, o=o: self.train(n, o, "discriminator", settings.rounds)
            for n, o in (MODELS | SWEEP | SHAPES).items()
        }
        scratch = {
            f"{n}_from_scratch": lambda n=n, o=o: self.train(
                f"{n}_from_scratch", o, None, settings.rounds
            )
            for n, o in MODELS.items()
        }
        longer = {
            f"{n}_long": lambda n=n: self.train(
                f"{n}_long", MODELS[n], "discriminator", LONGER * settings.rounds
            )
            for n in ("ordinary", "baseline")
        }
        return (
            first
            | pretrained
            | {"figure1": self.figure1, "figure2": self.figure2}
            | scratch
            | longer
        )

    def figure1(self):
        """Keeps the ordinary model's sample that its discriminator likes best and the one it likes least, and the most collapsed sample of all three."""
        drawn = {
            name: draw(
                self.models(name)[0], NUM_SAMPLES, self.settings.length, (self.seed, 3 * 10**6)
            )[0]
            for name in MODELS
        }
        logits = judge(self.models("ordinary")[1], drawn["ordinary"])
        kinds = {name: [len(set(row)) for row in tokens.tolist()] for name, tokens in drawn.items()}
        collapsed = min(kinds, key=lambda name: min(kinds[name]))
        picks = {
            "best_liked": ("ordinary", int(np.argmax(logits))),
            "true_negative": ("ordinary", int(np.argmin(logits))),
            "collapsed": (collapsed, int(np.argmin(kinds[collapsed]))),
        }
        write_json(
            self.results / "figure1.json",
            {kind: self.picture(name, drawn[name][row]) for kind, (name, row) in picks.items()},
        )

    def picture(self, name, tokens):
        """Returns what a drawing of a sample needs, notes and chords in ticks, with what its model's discriminator says of it."""
        score = self.data.tokenizer.decode(tokens)
        return {
            "model": name,
            "reward": float(1 / (1 + np.exp(-judge(self.models(name)[1], tokens[None])[0]))),
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

    def figure2(self):
        """Compares the policies on trajectories of the ordinary model: π(·|s₁₅) of one, entropies over time and dropped mass of a hundred."""
        names = ["nll", *MODELS]
        policies = {name: Policy(self.models(name)[0]) for name in names}
        tokens, _ = draw(
            policies["ordinary"].generator, 100, self.settings.length, (self.seed, 2 * 10**6)
        )
        tokens = tokens[
            np.argsort([len(set(row)) for row in tokens.tolist()], kind="stable")
        ]  # the most degenerate first
        logits = {
            name: tf.concat(
                [policy.distribution(part).logits for part in np.split(tokens, 10)], axis=0
            )
            for name, policy in policies.items()
        }
        probs = {
            name: tf.nn.softmax(value).numpy() for name, value in logits.items()
        }  # [100, T, V]
        shown = sorted(
            set().union(*(np.argsort(-probs[name][0, 15])[:20].tolist() for name in names))
        )
        dropped = {
            name: (probs["nll"] * (probs[name] < 0.1 * probs["nll"])).sum(axis=-1)
            for name in names[1:]
        }  # [100, T]
        entropies = {
            name: -(value * np.log(np.maximum(value, 1e-30))).sum(axis=-1)
            for name, value in probs.items()
        }
        write_json(
            self.results / "figure2.json",
            {
                "trajectory": tokens[0].tolist(),
                "shown_tokens": shown,
                "pi_15": {
                    name: [float(value) for value in probs[name][0, 15, shown]] for name in names
                },
                "entropy_15": {name: float(entropies[name][0, 15]) for name in names},
                "entropy_over_time": {
                    name: entropies[name].mean(axis=0).round(5).tolist() for name in names
                },
                "entropy_over_time_stderr": {
                    name: (entropies[name].std(axis=0, ddof=1) / 10).round(5).tolist()
                    for name in names
                },
                "dropped_mass": {
                    name: {
                        "mean": float(value.mean()),
                        "stderr": float(value.mean(axis=1).std(ddof=1) / 10),
                    }
                    for name, value in dropped.items()
                },
                "num_trajectories": 100,
            },
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="tokens.npz of Lee et al. (2017), or a folder of MIDI files")
    parser.add_argument("--schedule", choices=list(SCHEDULES), default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", default="runs/table1", help="folder for checkpoints and weights")
    parser.add_argument("--stages", help="only these, separated by commas")
    parser.add_argument(
        "--render",
        action="store_true",
        help="make docs/results.md's table and figures from the JSON",
    )
    args = parser.parse_args()
    if args.render:
        import results_page  # which draws by the extra 'viz', that no training needs

        return results_page.render()
    if args.data is None:
        parser.error(
            "--data is missing: expected tokens.npz of Lee et al. (2017), or a folder of MIDI files. --render needs none."
        )
    experiment = Experiment(load_windows(args.data, PAPER), args.schedule, args.seed, args.work)
    for name, run in experiment.stages().items():
        if (args.stages is None or name in args.stages.split(",")) and not (
            experiment.results / f"{name}.json"
        ).is_file():
            run()


if __name__ == "__main__":
    main()
