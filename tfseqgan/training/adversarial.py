"""Adversarial training: the paper's algorithm on one screen (sections 3 and 4)."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.evaluation.evaluate import (
    discriminator_columns,
    discriminator_logits,
    mean_nll,
)
from tfseqgan.models.checks import check_count, check_sequences
from tfseqgan.objectives.objective import Objective
from tfseqgan.objectives.recipes import get_objective
from tfseqgan.objectives.rewards import TokenReward, Weighted
from tfseqgan.ops.sampling import row_seeds
from tfseqgan.training.callbacks import progress
from tfseqgan.training.checkpointing import Checkpoints, RunState, checksum, model_settings
from tfseqgan.training.checks import (
    check_batch,
    check_finite,
    check_trainable_pair,
)
from tfseqgan.training.code_identity import code_identities
from tfseqgan.training.distribute import (
    check_rows_for_all_replicas,
    check_same_on_workers,
    under_strategy,
)
from tfseqgan.training.loop import run_rounds
from tfseqgan.training.schedule import Schedule
from tfseqgan.training.seeding import derive_seed, resolve_seed, shuffled_indices
from tfseqgan.training.steps import AdversarialSteps

# Purposes of random numbers.
_SAMPLE, _DISCRIMINATOR_SAMPLES, _ORDER, _DROPOUT, _VALIDATION, _ROLLOUT = range(6)

_SHOWN = ["reward_mean", "entropy", "val_nll", "generator_loss", "discriminator_accuracy"]
_GENERATOR_FIGURES = ["generator_loss", "kl", "advantage_std", "gradient_norm"]
_VALIDATION_FIGURES = ["val_nll", "val_precision", "val_recall", "val_auc"]


@dataclasses.dataclass(frozen=True)
class AdversarialRound:
    """What one round does: generator steps, discriminator steps, validation.

    Every random number depends on the seed and the position in the run alone. A round below 0
    trains the discriminator alone.

    Args:
        steps: the models, the objective and their compiled steps.
        data: int32 [N, T], the real sequences.
        validation_data: int32 [M, T], or None.
        schedule: how much a round does.
        seed: the run's seed.
        augment: as in `fit_adversarial`.
    """

    steps: AdversarialSteps
    data: np.ndarray
    validation_data: np.ndarray | None
    schedule: Schedule
    seed: int
    augment: Callable[[int], np.ndarray] | None = None

    def run(self, index: int) -> dict[str, float]:
        """Runs one round and returns its figures."""
        by_step = [
            self.train_generator(index, step) for step in range(self.schedule.generator_steps)
        ]
        figures = {
            key: float(np.mean([float(step[key]) for step in by_step])) for key in by_step[0]
        }
        figures["discriminator_loss"] = self.train_discriminator(index)

        checked = {key: figures[key] for key in ("entropy", "reward_mean", "discriminator_loss")}
        check_finite(f"round {index}", checked, self.steps.generator, self.steps.discriminator)

        return figures | self.validate(index)

    def real_rows(self, index: int) -> np.ndarray:
        """Returns the real sequences of a round, int32 [N, T]."""
        if self.augment is None:
            return self.data

        return self.augment(index + self.schedule.discriminator_pretraining_rounds)

    def train_generator(self, index: int, step: int) -> dict[str, Any]:
        """Samples and scores sequences, then takes a policy-gradient step.

        A round below 0 takes no step, and asks for no credit: a credit may need thousands of
        completions.
        """
        steps = self.steps
        path = self._path(_SAMPLE, index, step)
        trajectory = steps.sample(self.schedule.batch_size, self.data.shape[1], derive_seed(*path))
        token_rewards = steps.token_rewards(trajectory.tokens)

        is_trained = index >= 0
        credit_logits = None
        if is_trained:
            credit_logits = steps.credit_logits(trajectory.tokens, self._rollout_seed(index, step))
            logits = steps.objective.credit.sequence_logits(credit_logits)  # [B]
        else:
            logits = steps.sequence_logits(trajectory.tokens)

        figures = self._sample_figures(
            trajectory, logits, token_rewards, self.real_rows(index), path
        )
        if not is_trained:
            return figures | dict.fromkeys(_GENERATOR_FIGURES, math.nan)

        rewards = steps.objective.rewards_of(credit_logits)

        return figures | steps.generator_step(trajectory, rewards, token_rewards.total)

    def _sample_figures(self, trajectory, logits, token_rewards, real, path):
        """Returns the figures of a generator step's samples, before the step."""
        rewards = self.steps.objective.rewards_of(logits) + token_rewards.total  # [B]
        rows = shuffled_indices(self.schedule.batch_size, len(self.data), *path)
        real_logits = self.steps.sequence_logits(tf.constant(real[rows]))
        right_of_real = np.mean(real_logits > 0)
        right_of_generated = np.mean(logits <= 0)
        of_parts = {
            f"reward/{name}": tf.reduce_mean(part) for name, part in token_rewards.parts.items()
        }

        return {
            "reward_mean": tf.reduce_mean(rewards),
            "reward_std": tf.math.reduce_std(rewards),
            "entropy": -tf.reduce_sum(trajectory.log_probs) / tf.reduce_sum(trajectory.mask),
            "discriminator_accuracy": (right_of_real + right_of_generated) / 2,
            **of_parts,
        }

    def train_discriminator(self, index: int) -> float:
        """Takes the round's discriminator steps on fresh samples; returns their mean loss."""
        schedule = self.schedule
        dropout_seed = derive_seed(*self._path(_DROPOUT, index))
        sample_seed = derive_seed(*self._path(_DISCRIMINATOR_SAMPLES, index))
        self.steps.discriminator.seed_dropout(dropout_seed)
        generated = self.steps.sample_tokens(
            schedule.discriminator_samples, self.data.shape[1], sample_seed
        )

        data = self.real_rows(index)
        real_rows = self._step_rows(len(data), index, 0)
        generated_rows = self._step_rows(schedule.discriminator_samples, index, 1)
        losses = []
        for real, fake in zip(real_rows, generated_rows, strict=True):
            loss = self.steps.discriminator_step(
                tf.constant(data[real]), tf.constant(generated[fake])
            )
            losses.append(loss)

        return float(np.mean(losses))

    def _step_rows(self, size, index, kind):
        """Returns the rows below `size` of each discriminator step, int64 [steps, B/2]."""
        half = self.schedule.half_batch
        count = self.schedule.discriminator_steps * half
        rows = shuffled_indices(count, size, *self._path(_ORDER, index, kind))

        return rows.reshape(-1, half)

    def validate(self, index: int) -> dict[str, float]:
        """Returns the validation figures; NaN in the rounds between validations.

        As many sequences are sampled as the validation data has.
        """
        if self.validation_data is None:
            return {}
        if (index + 1) % self.schedule.validation_freq:
            return dict.fromkeys(_VALIDATION_FIGURES, math.nan)

        generator = self.steps.generator
        discriminator = self.steps.discriminator
        seed = derive_seed(*self._path(_VALIDATION, index))
        samples = self.steps.sample_tokens(len(self.validation_data), self.data.shape[1], seed)
        columns = discriminator_columns(
            discriminator_logits(discriminator, self.validation_data),
            discriminator_logits(discriminator, samples),
        )

        return {
            "val_nll": mean_nll(generator, self.validation_data),
            "val_precision": columns["precision"],
            "val_recall": columns["recall"],
            "val_auc": columns["auc"],
        }

    def _path(self, purpose, index, step=0):
        """Returns the seed and the path of random numbers; rounds count from the first one."""
        return self.seed, purpose, index + self.schedule.discriminator_pretraining_rounds, step

    def _rollout_seed(self, index, step):
        """Returns the seed of a step's completions, int32 [2]."""
        seed = derive_seed(*self._path(_ROLLOUT, index, step))

        return row_seeds(seed, 1)[0]


def _make_schedule(data: np.ndarray, **counts: Any) -> Schedule:
    """Returns the numbers of a round, in range, for which there is enough data."""
    if counts["discriminator_samples"] is None:
        del counts["discriminator_samples"]  # as many as needed
    may_be_zero = {"discriminator_pretraining_rounds"}
    counts = {
        name: check_count(name, count, least=0 if name in may_be_zero else 1)
        for name, count in counts.items()
    }
    schedule = Schedule(**counts)

    check_batch(data, schedule.batch_size)
    check_batch(data, schedule.half_batch, "half of discriminator_batch_size")
    check_rows_for_all_replicas(
        batch_size=schedule.batch_size, discriminator_batch_size=schedule.half_batch * 2
    )

    return schedule


@under_strategy
def fit_adversarial(
    generator: Any,
    discriminator: Any,
    data: np.ndarray,
    objective: Objective | str = "reinforce",
    *,
    rounds: int = 100,
    generator_steps: int = 1,
    discriminator_steps: int = 5,
    batch_size: int = 64,
    discriminator_batch_size: int = 64,
    discriminator_samples: int | None = None,
    discriminator_pretraining_rounds: int = 0,
    reward: TokenReward | Sequence[Weighted] | None = None,
    augment: Callable[[int], np.ndarray] | None = None,
    validation_data: np.ndarray | None = None,
    validation_freq: int = 1,
    checkpoint_dir: Path | str | None = None,
    checkpoint_every: int = 10,
    strategy: tf.distribute.Strategy | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    seed: int | None = None,
    verbose: int | str = "auto",
) -> keras.callbacks.History:
    """Trains a generator and a discriminator against each other, in place.

    A round takes `generator_steps` policy-gradient steps, each on `batch_size` fresh samples; then
    it samples again and takes `discriminator_steps` steps of real against generated. Sampling is at
    temperature 1 with dropout off, so that every step is on-policy. Each model is trained by its
    own compiled optimizer. One epoch of the history is one round; rounds before 0 trained the
    discriminator alone.

    | figure of a round | what | unit |
    |---|---|---|
    | `reward_mean`, `reward_std` | of the round's samples, before the generator's step | reward |
    | `reward/<name>` | mean of each of several rewards of the tokens, not weighted | its own |
    | `entropy` | mean −log π of the samples | nats per token |
    | `discriminator_accuracy` | share classified rightly before its steps, half real | share |
    | `generator_loss` | L(θ), mean over the round's steps | reward × nats |
    | `kl` | mean log π − log π₀ of the samples; NaN without a prior | nats per token |
    | `advantage_std` | standard deviation of the advantages | reward |
    | `gradient_norm` | of the generator's gradient, before clipping | |
    | `discriminator_loss` | mean over the round's steps, dropout on | nats |
    | `val_nll` | NLL of the validation data | nats per token |
    | `val_precision`, `val_recall`, `val_auc` | D on validation data and fresh samples | share |

    Args:
        generator: a compiled `Generator`, or one's own (`SequenceModel`), usually pre-trained.
        discriminator: a compiled `Discriminator` of the same vocabulary.
        data: int32 [N, T], the real sequences; samples are T long too.
        objective: an `Objective`, or a recipe's name (`tfseqgan.objectives.recipes`).
        rounds: how many; 0 with pre-training rounds trains the discriminator alone.
        generator_steps: policy-gradient steps a round.
        discriminator_steps: discriminator steps a round.
        batch_size: sequences of a policy-gradient step.
        discriminator_batch_size: sequences of a discriminator step, half real and half generated.
        discriminator_samples: sequences generated for a round's discriminator steps, used again in
            another order when they run out; as many as the steps need by default. The paper's 3
            epochs over 1,400 are `discriminator_steps=263, discriminator_samples=1400,
            discriminator_batch_size=32`.
        discriminator_pretraining_rounds: rounds before the first that train the discriminator
            alone.
        reward: function of NumPy tokens int32 [B, T] → float [B], added to the discriminator's
            reward (`sg.rewards.of_decoded` makes one of a function of tunes); or several, as
            `[sg.rewards.Weighted(first, 1.0), sg.rewards.Weighted(second, 0.5)]`, of which each is
            a figure of its own. For such rewards alone give the objective
            `reward=sg.rewards.none`.
        augment: function of the round, 0 for the first one and counted on from there, that returns
            the real sequences in place of `data`, int32 [N, T] (`RandomTransposition`); or None.
        validation_data: int32 [M, T] real sequences not in `data`, or None.
        validation_freq: rounds from one validation to the next; figures between are NaN.
        checkpoint_dir: folder for checkpoints; a run that finds its own there resumes from it, bit
            for bit on a CPU. A model that was compiled with another learning rate or clipping than
            the saved run's keeps its own from there on, which is logged. Functions (`reward`, parts
            of the objective) are compared by their names and their code.
        checkpoint_every: rounds from one checkpoint to the next.
        strategy: a tf.distribute.Strategy under which both models were made and compiled, or None
            for the one in scope. Its replicas share every batch (docs/distributed.md); the sizes
            above are those of whole batches.
        callbacks: Keras callbacks; epochs are rounds, and the model they see is the generator.
        seed: an integer for the same run again, or None, with which a resumed run draws another
            seed.
        verbose: 0 silent, 1 one live line, 2 a line a round, "auto" for 1 in a terminal
            and a line now and then elsewhere.

    Returns:
        keras.callbacks.History.

    Raises:
        ValueError: if a model is not compiled (under the strategy), the data differs from worker
            to worker, the models or the data do not fit each other, there is less data than a
            batch, a number is out of range, a reward of the tokens is not one finite number a
            sequence, the checkpoint belongs to another run, or another process writes to
            `checkpoint_dir`.
        TypeError: if the generator lacks a method that is needed, or the reward is neither a
            function nor a sequence of `Weighted`.
        FloatingPointError: if the training diverges; the last checkpoint is then intact.

    Example:
        >>> import tfseqgan as sg
        >>> generator = sg.Generator(vocabulary_size=7, embedding_dim=4, units=8)
        >>> discriminator = sg.Discriminator(7, embedding_dim=4, filters=3, kernel_sizes=(1, 2))
        >>> generator.compile("adam"); discriminator.compile("adam")
        >>> data = np.array([[3, 4, 5, 2], [3, 6, 2, 0]])
        >>> history = sg.fit_adversarial(
        ...     generator, discriminator, data, sg.merl(0.01), rounds=2,
        ...     batch_size=2, discriminator_batch_size=4, seed=0, verbose=0)
        >>> history.epoch
        [0, 1]

    Reference:
        Bjare & Meredith, sections 3 and 4; Yu et al. 2016, algorithm 1.
    """
    check_trainable_pair(generator, discriminator)
    data = check_sequences(generator, data)
    if validation_data is not None:
        validation_data = check_sequences(generator, validation_data, "validation_data")
    schedule = _make_schedule(
        data,
        generator_steps=generator_steps,
        discriminator_steps=discriminator_steps,
        batch_size=batch_size,
        discriminator_batch_size=discriminator_batch_size,
        discriminator_samples=discriminator_samples,
        discriminator_pretraining_rounds=discriminator_pretraining_rounds,
        validation_freq=validation_freq,
    )
    checkpoint_every = check_count("checkpoint_every", checkpoint_every)
    rounds = check_count("rounds", rounds, least=0)
    seed = None if seed is None else check_count("seed", seed, least=0)
    check_same_on_workers(data=checksum(data), validation_data=checksum(validation_data))

    objective = get_objective(objective)
    steps = AdversarialSteps(generator, discriminator, objective, reward)
    adversarial_round = AdversarialRound(
        steps, data, validation_data, schedule, resolve_seed(seed), augment
    )
    first = -schedule.discriminator_pretraining_rounds
    code = code_identities(
        **_reward_functions(steps),
        reward=objective.reward,
        credit=objective.credit,
        baseline=objective.baseline,
    )
    run_state = RunState(_settings(adversarial_round, seed, first), first, code)

    return run_rounds(
        adversarial_round.run,
        rounds,
        model=generator,
        run_state=run_state,
        checkpoints=Checkpoints(checkpoint_dir, run_state, **steps.state()),
        checkpoint_every=checkpoint_every,
        callbacks=[*progress(first, rounds, _SHOWN, verbose), *callbacks],
    )


def _reward_functions(steps: AdversarialSteps) -> dict[str, TokenReward | None]:
    """Returns the functions of the tokens that are rewards, by name."""
    if isinstance(steps.reward, tuple):
        return {f"reward/{part.name}": part.function for part in steps.reward}

    return {"token_reward": steps.reward}


def _describe_reward(steps: AdversarialSteps) -> str | dict[str, float] | None:
    """Returns the name of the reward of the tokens, or the weights of several by name."""
    reward = steps.reward
    if isinstance(reward, tuple):
        return {part.name: part.weight for part in reward}

    return None if reward is None else getattr(reward, "__name__", type(reward).__name__)


def _settings(adversarial_round: AdversarialRound, seed: int | None, first: int) -> dict[str, Any]:
    """Returns what must be the same when a run is resumed, as plain values by name."""
    steps = adversarial_round.steps
    counts = dataclasses.asdict(adversarial_round.schedule)
    del counts["discriminator_pretraining_rounds"]  # `first_round` says it
    augmented = {} if adversarial_round.augment is None else {"is_augmented": True}

    return {
        "stage": "adversarial",
        "seed": seed,
        "first_round": first,
        "data_checksum": checksum(adversarial_round.data),
        "validation_data_checksum": checksum(adversarial_round.validation_data),
        "token_reward": _describe_reward(steps),
        **counts,
        **augmented,  # checkpoints of 0.1.0 do not know it
        **steps.objective.summary(),
        **model_settings(generator=steps.generator, discriminator=steps.discriminator),
    }
