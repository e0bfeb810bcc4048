"""Table 1 of the paper: four models from one pre-trained generator and discriminator, on the tokens of the paper (Lee et al. 2017).

    python experiments/table1.py --data ../shared/data/nottingham-lee2017/tokens.npz --schedule cpu --seed 0 --work runs/table1

A seed takes about an hour and a half on two cores (`cpu`), or the paper's own 100 epochs and 2,000 rounds (`paper`, for a GPU). Each model writes
experiments/results/table1/<schedule>/seed<seed>/<model>.json when it is done; a stopped run goes on from --work and passes over what is done.
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
from tfseqgan.evaluation import draw, evaluate, judge
from tfseqgan.policy import Policy
from tfseqgan.presets import PRESETS
from tfseqgan.files import write_json
from tfseqgan.runs import make_models
from tfseqgan.windows import open_data

RESULTS = Path(__file__).resolve().parent / "results" / "table1"
NUM_SAMPLES = 1400
FIXED = 50  # real and generated sequences whose judgement is followed through the rounds

SCHEDULES = {
    "paper": PRESETS["paper"],
    "cpu": dataclasses.replace(
        PRESETS["paper"], epochs=60, patience=4, discriminator_pretraining_rounds=8, rounds=100, discriminator_steps=44, discriminator_samples=352
    ),
    "smoke": dataclasses.replace(
        PRESETS["paper"], epochs=1, discriminator_pretraining_rounds=1, rounds=2, discriminator_steps=2, discriminator_samples=32, validation_freq=1
    ),
}
PRETRAINING_STEPS = {"paper": 263, "cpu": 263, "smoke": 2}
OBJECTIVES = {"ordinary": sg.reinforce(), "baseline": sg.reinforce_with_baseline(), "merl": sg.merl(entropy_weight=1.0)}


class Judgements(keras.callbacks.Callback):
    """Keeps the discriminator's logits of fixed sequences every tenth round, so that one can see how the reward moves."""

    def __init__(self, discriminator, tokens, path):
        super().__init__()
        self.discriminator, self.tokens, self.path = discriminator, tokens, Path(path)
        self.kept = json.loads(self.path.read_text()) if self.path.is_file() else {}

    def on_epoch_end(self, epoch, logs=None):
        if epoch < 0 or epoch % 10 == 9:
            self.kept[str(epoch)] = [round(float(logit), 4) for logit in judge(self.discriminator, self.tokens)]
            write_json(self.path, self.kept)


class Experiment:
    """One seed of the table: the stages, each of which leaves a JSON file behind.

    Args:
        data: `Windows` of the lee2017 split.
        schedule: a name in SCHEDULES.
        seed: of weights and samples.
        work: folder for checkpoints and weights.
    """

    def __init__(self, data, schedule, seed, work):
        self.data, self.schedule, self.seed = data, schedule, seed
        self.settings = dataclasses.replace(SCHEDULES[schedule], seed=seed)
        self.work = Path(work) / schedule / f"seed{seed}"
        self.results = RESULTS / schedule / f"seed{seed}"
        for folder in (self.work, self.results):
            folder.mkdir(parents=True, exist_ok=True)

    def models(self, stage=None):
        """Returns fresh models, or those that a stage left behind, compiled with the paper's optimizers."""
        generator, discriminator = make_models(self.data, self.settings)
        if stage:
            generator.load_weights(self.work / f"{stage}.generator.weights.h5")
            discriminator.load_weights(self.work / f"{stage}.discriminator.weights.h5")
        generator.compile(keras.optimizers.Adam(self.settings.generator_learning_rate, global_clipnorm=5.0))
        discriminator.compile(keras.optimizers.Adam(self.settings.discriminator_learning_rate))
        return generator, discriminator

    def finish(self, name, generator, discriminator, history, started, **more):
        """Keeps the weights and writes the figures of a model."""
        generator.save_weights(self.work / f"{name}.generator.weights.h5")
        discriminator.save_weights(self.work / f"{name}.discriminator.weights.h5")
        columns = evaluate(
            generator, discriminator if more else None, self.data.validation, num_samples=min(NUM_SAMPLES, len(self.data.train)), seed=self.seed
        )
        result = {
            "model": name,
            "schedule": self.schedule,
            "seed": self.seed,
            "evaluation": columns,
            "seconds_of_this_process": round(time.time() - started, 1),
            "rounds": history.epoch,
            "curves": history.history,
            "settings": dataclasses.asdict(self.settings),
            "data": self.data.summary(),
            "versions": {"tfseqgan": sg.__version__, "python": platform.python_version(), "tensorflow": version("tensorflow"), "keras": version("keras")},
            **more,
        }
        write_json(self.results / f"{name}.json", result)
        print(f"seed {self.seed} {name}: " + ", ".join(f"{key} {value:.4g}" for key, value in columns.items()), flush=True)

    def maximum_likelihood(self):
        """Trains the NLL model with the paper's generator until it stops improving."""
        started, (generator, discriminator) = time.time(), self.models()
        generator.compile(keras.optimizers.Adam(self.settings.pretraining_learning_rate, global_clipnorm=5.0))
        history = sg.pretrain(
            generator, self.data.train, epochs=self.settings.epochs, batch_size=self.settings.pretraining_batch_size,
            validation_data=self.data.validation, patience=self.settings.patience, checkpoint_dir=self.work / "nll", seed=self.seed, verbose=2,
        )  # fmt: skip
        self.finish("nll", generator, discriminator, history, started)

    def train(self, name, objective, stage, rounds, pretraining_rounds=0, discriminator_steps=None, discriminator_samples=None):
        """Plays rounds from a stage's models (None: from random weights) and keeps the figures."""
        started, (generator, discriminator) = time.time(), self.models(stage)
        settings = self.settings
        samples, _ = draw(self.models("nll")[0], FIXED, settings.length, (self.seed, 10**6))
        followed = Judgements(discriminator, np.concatenate([self.data.validation[:FIXED], samples]), self.work / f"{name}.judgements.json")
        history = sg.fit_adversarial(
            generator, discriminator, self.data.train, objective, rounds=rounds, generator_steps=settings.generator_steps,
            discriminator_steps=discriminator_steps or settings.discriminator_steps, batch_size=settings.batch_size,
            discriminator_batch_size=settings.discriminator_batch_size, discriminator_samples=discriminator_samples or settings.discriminator_samples,
            discriminator_pretraining_rounds=pretraining_rounds, validation_data=self.data.validation, validation_freq=settings.validation_freq,
            checkpoint_dir=self.work / name, checkpoint_every=5, callbacks=[followed], seed=self.seed, verbose=2,
        )  # fmt: skip
        self.finish(name, generator, discriminator, history, started, objective=objective.summary(), judgements=followed.kept)

    def stages(self):
        """Returns the stages by name, in the order that they need each other."""
        settings = self.settings
        first = {
            "nll": self.maximum_likelihood,
            "discriminator": lambda: self.train(
                "discriminator", OBJECTIVES["ordinary"], "nll", 0, settings.discriminator_pretraining_rounds,
                PRETRAINING_STEPS[self.schedule], min(1400, len(self.data.train)),
            ),
        }  # fmt: skip
        pretrained = {name: lambda n=name, o=objective: self.train(n, o, "discriminator", settings.rounds) for name, objective in OBJECTIVES.items()}
        scratch = {
            f"{name}_from_scratch": lambda n=name, o=objective: self.train(f"{n}_from_scratch", o, None, max(settings.rounds // 4, 1))
            for name, objective in OBJECTIVES.items()
        }
        return first | pretrained | {"figure2": self.figure2} | scratch

    def figure2(self):
        """Compares the policies on trajectories of the ordinary model: π(·|s₁₅) of one, entropies over time and dropped mass of a hundred."""
        names = ["nll", *OBJECTIVES]
        policies = {name: Policy(self.models(name)[0]) for name in names}
        tokens, _ = draw(policies["ordinary"].generator, 100, self.settings.length, (self.seed, 2 * 10**6))
        logits = {name: tf.concat([policy.distribution(part).logits for part in np.split(tokens, 10)], axis=0) for name, policy in policies.items()}
        probs = {name: tf.nn.softmax(value).numpy() for name, value in logits.items()}  # [100, T, V]
        shown = sorted(set().union(*(np.argsort(-probs[name][0, 15])[:20].tolist() for name in names)))
        dropped = {name: (probs["nll"] * (probs[name] < 0.1 * probs["nll"])).sum(axis=-1) for name in names[1:]}  # [100, T]
        entropies = {name: -(value * np.log(np.maximum(value, 1e-30))).sum(axis=-1) for name, value in probs.items()}
        write_json(self.results / "figure2.json", {
            "trajectory": tokens[0].tolist(),
            "shown_tokens": shown,
            "pi_15": {name: [float(value) for value in probs[name][0, 15, shown]] for name in names},
            "entropy_15": {name: float(entropies[name][0, 15]) for name in names},
            "entropy_over_time": {name: entropies[name].mean(axis=0).round(5).tolist() for name in names},
            "entropy_over_time_stderr": {name: (entropies[name].std(axis=0, ddof=1) / 10).round(5).tolist() for name in names},
            "dropped_mass": {name: {"mean": float(value.mean()), "stderr": float(value.mean(axis=1).std(ddof=1) / 10)} for name, value in dropped.items()},
            "num_trajectories": 100,
        })  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="tokens.npz of Lee et al. (2017)")
    parser.add_argument("--schedule", choices=list(SCHEDULES), default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", default="runs/table1", help="folder for checkpoints and weights")
    parser.add_argument("--stages", help="only these, separated by commas")
    args = parser.parse_args()
    experiment = Experiment(open_data(args.data, PRESETS["paper"]), args.schedule, args.seed, args.work)
    for name, run in experiment.stages().items():
        if (args.stages is None or name in args.stages.split(",")) and not (experiment.results / f"{name}.json").is_file():
            run()


if __name__ == "__main__":
    main()
