"""The compiled updates of each model."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.models.frozen_copy import frozen_copy
from tfseqgan.models.policy import Policy, Trajectory
from tfseqgan.objectives.baselines import initial_state
from tfseqgan.objectives.credit import Terminal
from tfseqgan.objectives.objective import Objective, policy_gradient_loss
from tfseqgan.objectives.rewards import (
    TokenReward,
    TokenRewards,
    Weighted,
    check_reward,
    token_rewards,
)
from tfseqgan.ops.masking import masked_mean, sequence_mask
from tfseqgan.ops.sampling import row_seeds
from tfseqgan.training.distribute import (
    local_rows,
    local_seed,
    map_rows_over_replicas,
    on_first_replica_only,
    run_on_replicas,
    sum_over_replicas,
)

_SAMPLED_AT_ONCE = 512


def gradient_step(
    model: keras.Model, local_loss: Callable[[], tuple[tf.Tensor, tf.Tensor]]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Moves a model down a loss that is a weighted mean over replicas, by its own optimizer.

    The gradients are summed over the replicas before the optimizer clips them, so that a step does
    not depend on how many replicas share the batch.

    Args:
        model: a compiled Keras model.
        local_loss: computes the loss of the replica's own rows and its weight; the weights of all
            replicas add up to 1.

    Returns:
        The loss, and the norm of the gradient before clipping.
    """

    def step():
        with tf.GradientTape() as tape:
            loss, weight = local_loss()
            loss *= weight

        gradients = tape.gradient(loss, model.trainable_variables)
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
        loss, *dense = sum_over_replicas([loss, *dense])
        model.optimizer.apply(on_first_replica_only(dense), model.trainable_variables)

        return loss, tf.linalg.global_norm(dense)

    return run_on_replicas(step)


def _share_of_rows(tokens: tf.Tensor) -> tf.Tensor:
    """Returns, within a replica, the share of a batch's rows that are its own, float32 []."""
    own = tf.shape(local_rows(tokens))[0]

    return tf.cast(own / tf.shape(tokens)[0], tf.float32)


def make_likelihood_step(
    generator: Any, has_many_widths: bool = False
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the compiled maximum-likelihood step: int32 [B, T] → mean NLL float32 [].

    Args:
        generator: a compiled `Generator`.
        has_many_widths: whether T differs from step to step. There is one graph for all of them
            then: a graph of its own for the first width would give that width other bits in a run
            that is resumed, whose first step has another one.
    """

    def step(tokens):
        mask = sequence_mask(tokens, generator.end_token_id)  # [B, T]

        def local_loss():
            share = tf.reduce_sum(local_rows(mask)) / tf.reduce_sum(mask)
            return generator.nll(local_rows(tokens), training=True), share

        loss, _ = gradient_step(generator, local_loss)

        return loss

    if has_many_widths:
        return tf.function(step, input_signature=[tf.TensorSpec([None, None], tf.int32)])

    return tf.function(step, reduce_retracing=True)


class AdversarialSteps:
    """Both models, the objective, and the compiled steps of adversarial training.

    Credit, costs, baseline and advantages are computed once for the whole batch; only the loss
    −(1/B) Σ stop(Â) log π and its gradient are shared out over replicas.

    Args:
        generator: a compiled `Generator`.
        discriminator: a compiled `Discriminator`.
        objective: an `Objective`.
        reward: function of tokens, NumPy int32 [B, T] → float [B], added to the objective's
            reward; or several weighted ones; or None.
    """

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        objective: Objective,
        reward: TokenReward | Sequence[Weighted] | None = None,
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.objective = objective
        self.reward = check_reward(reward)
        self.policy = Policy(generator)
        self.prior = Policy(frozen_copy(generator)) if objective.kl_weight else None
        self.baseline_state = tf.Variable(initial_state(), trainable=False)

    def state(self) -> dict[str, Any]:
        """Returns everything that training changes, by its name in the checkpoint."""
        state = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "baseline": self.baseline_state,
            "generator_optimizer": self.generator.optimizer,
            "discriminator_optimizer": self.discriminator.optimizer,
        }
        if self.prior is not None:
            state["prior"] = self.prior.generator

        return state

    def sample(
        self, num_sequences: int, length: int, seed: tuple[int, int], first_row: int = 0
    ) -> Trajectory:
        """Samples trajectories from the policy, each replica its share of the rows."""
        return self._sample_rows(row_seeds(seed, num_sequences, first_row), length)

    def sample_tokens(self, num_sequences: int, length: int, seed: tuple[int, int]) -> np.ndarray:
        """Samples many sequences, a batch at a time: NumPy int32 [N, T]."""
        batches = []
        for start in range(0, num_sequences, _SAMPLED_AT_ONCE):
            count = min(_SAMPLED_AT_ONCE, num_sequences - start)
            trajectory = self.sample(count, length, seed, first_row=start)
            batches.append(trajectory.tokens.numpy())

        return np.concatenate(batches)

    @tf.function(reduce_retracing=True)
    def _sample_rows(self, seeds, length):
        def sample(seeds):
            return tuple(self.policy.sample_rows(seeds, length))

        return Trajectory(*map_rows_over_replicas(sample, seeds))

    @tf.function(reduce_retracing=True)
    def sequence_logits(self, tokens: tf.Tensor) -> tf.Tensor:
        """Computes the discriminator's logits, dropout off: int32 [B, T] → float32 [B]."""
        return map_rows_over_replicas(lambda rows: self.discriminator(rows, training=False), tokens)

    @tf.function(reduce_retracing=True)
    def credit_logits(self, tokens: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Computes the logits that the credit needs: int32 [B, T] and [2] → float32 [B, …]."""
        credit = self.objective.credit

        return map_rows_over_replicas(
            lambda rows: credit.logits(self.discriminator, rows, self.generator, local_seed(seed)),
            tokens,
        )

    def token_rewards(self, tokens: tf.Tensor) -> TokenRewards:
        """Computes the reward of the tokens and its parts; 0 where there is no such reward.

        Raises:
            ValueError: if a reward is not one finite number a sequence.
        """
        return token_rewards(self.reward, tokens.numpy())

    @tf.function(reduce_retracing=True)
    def generator_step(
        self,
        trajectory: Trajectory,
        rewards: tf.Tensor,
        token_rewards: tf.Tensor | float = 0.0,
    ) -> dict[str, tf.Tensor]:
        """Moves the generator along the policy gradient.

        Args:
            trajectory: sampled from the generator as it is.
            rewards: float32 [B, …], the objective's reward of the logits that its credit needs.
            token_rewards: float32 [B] or [], rewards that arrive with the last token.

        Returns:
            Figures by name.
        """
        objective = self.objective
        tokens, log_probs, mask = trajectory
        last_rewards = tf.broadcast_to(token_rewards, tf.shape(tokens)[:1])  # [B]

        credit = objective.credit(rewards, mask, objective.discount)  # [B, T]
        credit += Terminal()(last_rewards, mask, objective.discount)
        prior_log_probs = None
        if self.prior is not None:
            prior_log_probs = map_rows_over_replicas(self.prior.log_prob, tokens)

        advantages, baseline_state = objective.advantages(
            credit, log_probs, mask, prior_log_probs, self.baseline_state
        )

        def local_loss():
            local_log_probs = self.policy.log_prob(local_rows(tokens))
            loss = policy_gradient_loss(local_log_probs, local_rows(advantages))
            return loss, _share_of_rows(tokens)

        loss, norm = gradient_step(self.generator, local_loss)
        self.baseline_state.assign(baseline_state)

        return {
            "generator_loss": loss,
            "kl": self._mean_kl(trajectory, prior_log_probs),
            "advantage_std": self._masked_std(advantages, mask),
            "gradient_norm": norm,
        }

    def _mean_kl(self, trajectory, prior_log_probs):
        """Returns the mean of log π − log π₀ in nats per token, NaN without a prior."""
        if prior_log_probs is None:
            return tf.constant(math.nan)

        return masked_mean(trajectory.log_probs - prior_log_probs, trajectory.mask)

    def _masked_std(self, values, mask):
        """Returns the standard deviation of the values whose mask is 1."""
        variance = masked_mean(values**2, mask) - masked_mean(values, mask) ** 2

        return tf.sqrt(tf.maximum(variance, 0))

    @tf.function(reduce_retracing=True)
    def discriminator_step(self, real: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
        """Moves the discriminator to tell real from generated.

        Args:
            real: int32 [B/2, T].
            generated: int32 [B/2, T].

        Returns:
            The loss in nats, float32 [].
        """
        tokens = tf.concat([real, generated], axis=0)  # [B, T]
        ones = tf.ones(tf.shape(real)[0])
        zeros = tf.zeros(tf.shape(generated)[0])
        labels = tf.concat([ones, zeros], axis=0)  # [B]

        def local_loss():
            logits = self.discriminator(local_rows(tokens), training=True)
            loss = self.discriminator.compute_loss(y=local_rows(labels), y_pred=logits)
            return loss, _share_of_rows(tokens)

        loss, _ = gradient_step(self.discriminator, local_loss)

        return loss
