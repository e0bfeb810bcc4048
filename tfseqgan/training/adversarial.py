"""Adversarial training: the paper's algorithm on one screen (sections 3 and 4)."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from tfseqgan.evaluation.evaluate import discriminator_columns, draw, judge, mean_nll
from tfseqgan.models.checks import check_counts, check_tokens
from tfseqgan.objectives.recipes import get_objective
from tfseqgan.ops.replicas import check_rows_for_all, check_same_everywhere, under_strategy
from tfseqgan.ops.sampling import row_seeds
from tfseqgan.training.callbacks import progress
from tfseqgan.training.checkpointing import Checkpoints, RunState, checksum, model_settings
from tfseqgan.training.checks import check_batch, check_finite, check_trainable_pair
from tfseqgan.training.loop import run_rounds
from tfseqgan.training.seeding import derive_seed, resolve_seed, shuffled_indices
from tfseqgan.training.steps import AdversarialSteps

_SAMPLE, _POOL, _ORDER, _DROPOUT, _VALIDATION, _ROLLOUT = range(6)


_SHOWN = ["reward_mean", "entropy", "val_nll", "generator_loss", "discriminator_accuracy"]


_GENERATOR_FIGURES = ["generator_loss", "kl", "advantage_std", "gradient_norm"]


_VALIDATION_FIGURES = ["val_nll", "val_precision", "val_recall", "val_auc"]


@dataclasses.dataclass(frozen=True)
class AdversarialRound:
    """A game over a data set: what one round does. Every random number is a matter of the seed and the place in the run.

    The fields are `fit_adversarial`'s arguments; `pool_size` is its `discriminator_samples`.
    """

    game: AdversarialSteps
    data: np.ndarray
    validation_data: np.ndarray | None
    generator_steps: int
    discriminator_steps: int
    batch_size: int
    discriminator_batch_size: int
    pool_size: int
    pretraining_rounds: int
    validation_freq: int
    seed: int

    def _place(self, purpose, number, step=0):
        """Returns the seed's path for a purpose at a round, counted from the first round of pre-training."""
        return self.seed, purpose, number + self.pretraining_rounds, step

    def play(self, number):
        """Plays one round and returns its figures; a round below 0 trains the discriminator alone."""
        steps = [self.train_generator(number, step) for step in range(self.generator_steps)]
        logs = {key: float(np.mean([float(step[key]) for step in steps])) for key in steps[0]}
        logs["discriminator_loss"] = self.train_discriminator(number)
        figures = {key: logs[key] for key in ("entropy", "reward_mean", "discriminator_loss")}
        check_finite(f"round {number}", figures, self.game.generator, self.game.discriminator)
        return logs | (self.validate(number) if self.validation_data is not None else {})

    def train_generator(self, number, step):
        """Samples and judges, then takes a policy-gradient step; in a round below 0 no step."""
        seed = self._place(_SAMPLE, number, step)
        tokens, log_probs, mask = self.game.policy.sample(
            self.batch_size, self.data.shape[1], derive_seed(*seed)
        )
        token_rewards, objective, judged = (
            self.game.token_rewards(tokens),
            self.game.objective,
            None,
        )
        if (
            number >= 0
        ):  # a credit may ask for thousands of completions, which nobody learns from before
            [rollout_seed] = row_seeds(derive_seed(*self._place(_ROLLOUT, number, step)), 1)
            judged = self.game.judge(tokens, rollout_seed)
        logits = (
            self.game.logits(tokens) if judged is None else objective.credit.final(judged)
        )  # [B]
        rewards = objective.reward(logits) + token_rewards  # [B]
        real = self.game.logits(
            tf.constant(self.data[shuffled_indices(self.batch_size, len(self.data), *seed)])
        )
        figures = {
            "reward_mean": tf.reduce_mean(rewards),
            "reward_std": tf.math.reduce_std(rewards),
            "entropy": -tf.reduce_sum(log_probs) / tf.reduce_sum(mask),
            "discriminator_accuracy": (np.mean(real > 0) + np.mean(logits <= 0)) / 2,
        }
        if number < 0:
            return figures | dict.fromkeys(_GENERATOR_FIGURES, math.nan)
        return figures | self.game.generator_step(tokens, objective.reward(judged), token_rewards)

    def train_discriminator(self, number):
        """Takes the round's steps on fresh samples; returns their mean loss."""
        self.game.discriminator.seed_dropout(derive_seed(*self._place(_DROPOUT, number)))
        half = self.discriminator_batch_size // 2
        generated, _ = draw(
            self.game.generator,
            self.pool_size,
            self.data.shape[1],
            derive_seed(*self._place(_POOL, number)),
        )
        count = self.discriminator_steps * half
        real_rows = shuffled_indices(
            count, len(self.data), *self._place(_ORDER, number, 0)
        ).reshape(-1, half)
        generated_rows = shuffled_indices(
            count, self.pool_size, *self._place(_ORDER, number, 1)
        ).reshape(-1, half)
        pairs = zip(real_rows, generated_rows)
        return float(
            np.mean(
                [
                    self.game.discriminator_step(
                        tf.constant(self.data[r]), tf.constant(generated[g])
                    )
                    for r, g in pairs
                ]
            )
        )

    def validate(self, number):
        """Returns the validation figures, the samples as many as the sequences; NaN in the rounds between."""
        if (number + 1) % self.validation_freq:
            return dict.fromkeys(_VALIDATION_FIGURES, math.nan)
        seed = derive_seed(*self._place(_VALIDATION, number))
        samples, _ = draw(self.game.generator, len(self.validation_data), self.data.shape[1], seed)
        columns = discriminator_columns(
            *(judge(self.game.discriminator, tokens) for tokens in (self.validation_data, samples))
        )
        nll = mean_nll(self.game.generator, self.validation_data)
        return {"val_nll": nll} | {
            f"val_{key}": columns[key] for key in ("precision", "recall", "auc")
        }


@under_strategy
def fit_adversarial(
    generator,
    discriminator,
    data,
    objective="reinforce",
    *,
    rounds=100,
    generator_steps=1,
    discriminator_steps=5,
    batch_size=64,
    discriminator_batch_size=64,
    discriminator_samples=None,
    discriminator_pretraining_rounds=0,
    reward=None,
    validation_data=None,
    validation_freq=1,
    checkpoint_dir=None,
    checkpoint_every=10,
    strategy=None,
    callbacks=(),
    seed=None,
    verbose="auto",
):
    """Trains a generator and a discriminator against each other, in place, each by its own compiled optimizer.

    A round samples `batch_size` sequences and takes a policy-gradient step on them, `generator_steps` times; then it samples afresh and takes
    `discriminator_steps` steps of real against generated. Sampling is at temperature 1 with dropout off, so that every step is on-policy. One epoch of the
    history is one round; rounds before 0 trained the discriminator alone.

    | figure of a round | what | unit |
    |---|---|---|
    | `reward_mean`, `reward_std` | of this round's samples, before the generator's step | reward |
    | `entropy` | mean −log π of the samples | nats per token |
    | `discriminator_accuracy` | share judged rightly at D > 0.5, half real and half this round's samples, dropout off, before its steps | share |
    | `generator_loss` | L(θ), mean over the round's steps | reward × nats |
    | `kl` | mean log π − log π₀ of the samples; NaN without a KL weight | nats per token |
    | `advantage_std` | spread of the advantages | reward |
    | `gradient_norm` | of the generator's gradient, before clipping | |
    | `discriminator_loss` | mean over the round's steps, dropout on | nats |
    | `val_nll` | NLL of the validation data | nats per token |
    | `val_precision`, `val_recall`, `val_auc` | of the discriminator, on validation data against as many fresh samples | share |

    Args:
        generator: a compiled `Generator`, usually pre-trained.
        discriminator: a compiled `Discriminator` of the same vocabulary.
        data: int32 [N, T], the real sequences; samples are T long too.
        objective: an `Objective`, or a recipe's name (`tfseqgan.objectives`).
        rounds: how many rounds; 0 with pre-training rounds trains the discriminator alone.
        generator_steps: policy-gradient steps a round.
        discriminator_steps: discriminator steps a round.
        batch_size: sequences of a policy-gradient step.
        discriminator_batch_size: sequences of a discriminator step, half real and half generated.
        discriminator_samples: sequences generated afresh for a round's discriminator steps, taken again in another order when they are used up; as
            many as the steps need by default. The paper's 3 epochs over 1,400 are `discriminator_steps=263, discriminator_samples=1400,
            discriminator_batch_size=32`.
        discriminator_pretraining_rounds: rounds before the first that train the discriminator alone.
        reward: function of NumPy tokens int32 [B, T] → float [B], added to the discriminator's reward. For such a reward alone give the objective
            `reward=sg.rewards.none`.
        validation_data: int32 [M, T] real sequences not in `data`, or None.
        validation_freq: rounds from one validation to the next; figures between are NaN.
        checkpoint_dir: folder for checkpoints; a run that finds its own there goes on from it, bit for bit on a CPU.
        checkpoint_every: rounds from one checkpoint to the next.
        strategy: a tf.distribute.Strategy under which both models were made and compiled, or None for the one in scope. Its replicas share every
            batch (docs/distributed.md); the sizes above are those of whole batches.
        callbacks: Keras callbacks; epochs are rounds, and the model they see is the generator.
        seed: an integer for the same run again, or None, with which a resumed run draws another seed.
        verbose: 0 silent, 1 one live line, 2 a line a round, "auto" to choose.

    Returns:
        keras.callbacks.History.

    Raises:
        ValueError: if a model is not compiled (under the strategy), the data differs from worker to worker, the models or the data do not fit each other, there is less data than a batch, a number is out of
            range, a reward of the tokens is not one finite number a sequence, or the checkpoint belongs to another run.
        FloatingPointError: if the training diverges; the last checkpoint is then intact.

    Example:
        >>> import tfseqgan as sg
        >>> generator = sg.Generator(vocabulary_size=7, embedding_dim=4, units=8)
        >>> discriminator = sg.Discriminator(vocabulary_size=7, embedding_dim=4, filters=3, kernel_sizes=(1, 2))
        >>> generator.compile("adam"); discriminator.compile("adam")
        >>> data = np.array([[3, 4, 5, 2], [3, 6, 2, 0]])
        >>> history = sg.fit_adversarial(
        ...     generator, discriminator, data, sg.merl(0.01), rounds=2, batch_size=2, discriminator_batch_size=4, seed=0, verbose=0)
        >>> history.epoch
        [0, 1]

    Reference:
        Bjare & Meredith, sections 3 and 4; Yu et al. 2016, algorithm 1.
    """
    check_trainable_pair(generator, discriminator)
    data = check_tokens(data, generator.vocabulary_size)
    check_batch(data, batch_size)
    check_batch(data, discriminator_batch_size // 2, "half of discriminator_batch_size")
    if validation_data is not None:
        validation_data = check_tokens(
            validation_data, generator.vocabulary_size, "validation_data"
        )
    pool_size = (
        discriminator_steps * (discriminator_batch_size // 2)
        if discriminator_samples is None
        else discriminator_samples
    )
    counts = {
        "generator_steps": generator_steps,
        "discriminator_steps": discriminator_steps,
        "batch_size": batch_size,
        "discriminator_batch_size": discriminator_batch_size,
        "discriminator_samples": pool_size,
        "validation_freq": validation_freq,
    }
    check_counts(checkpoint_every=checkpoint_every, **counts)
    check_rows_for_all(
        batch_size=batch_size, discriminator_batch_size=discriminator_batch_size // 2 * 2
    )
    check_same_everywhere(data=checksum(data), validation_data=checksum(validation_data))
    check_counts(
        least=0, rounds=rounds, discriminator_pretraining_rounds=discriminator_pretraining_rounds
    )
    objective, first = get_objective(objective), -discriminator_pretraining_rounds
    settings = {
        "stage": "adversarial",
        "seed": seed,
        "first_round": first,
        "data_checksum": checksum(data),
        "validation_data_checksum": checksum(validation_data),
        "token_reward": reward and getattr(reward, "__name__", type(reward).__name__),
        **counts,
        **objective.summary(),
        **model_settings(generator=generator, discriminator=discriminator),
    }
    journal = RunState(settings, first)
    game = AdversarialSteps(generator, discriminator, objective, reward)
    match = AdversarialRound(
        game,
        data,
        validation_data,
        generator_steps,
        discriminator_steps,
        batch_size,
        discriminator_batch_size,
        pool_size,
        discriminator_pretraining_rounds,
        validation_freq,
        resolve_seed(seed),
    )
    return run_rounds(
        match.play,
        rounds,
        model=generator,
        journal=journal,
        checkpoints=Checkpoints(checkpoint_dir, journal, **game.state()),
        checkpoint_every=checkpoint_every,
        callbacks=[*progress(first, rounds, _SHOWN, verbose), *callbacks],
    )
