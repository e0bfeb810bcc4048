"""The compiled updates of each model."""

import math

import numpy as np
import tensorflow as tf

from tfseqgan.models.generator import Generator
from tfseqgan.models.policy import Policy
from tfseqgan.objectives.baselines import initial_state
from tfseqgan.objectives.credit import Terminal
from tfseqgan.ops.masking import masked_mean, sequence_mask
from tfseqgan.ops.replicas import (
    gather_rows,
    local_rows,
    map_rows_over_replicas,
    on_first_replica_only,
    on_replicas,
    own_seed,
    sum_over_replicas,
)


def gradient_step(model, contribution):
    """Moves a model down a loss that is a weighted mean over replicas, through its own optimizer.

    The gradients are summed over the replicas before the optimizer clips them, so that a step does not depend on who computed what.

    Args:
        model: a compiled Keras model.
        contribution: function that every replica runs, without arguments: the loss of its own rows, their weight (together they are 1), and figures
            that all replicas know, a tuple of tensors.

    Returns:
        (loss, the gradient's norm before clipping, *figures).
    """

    def move():
        with tf.GradientTape() as tape:
            loss, weight, *figures = contribution()
            loss *= weight
        gradients = map(tf.convert_to_tensor, tape.gradient(loss, model.trainable_variables))
        loss, *gradients = sum_over_replicas([loss, *gradients])
        model.optimizer.apply(on_first_replica_only(gradients), model.trainable_variables)
        return loss, tf.linalg.global_norm(gradients), *figures

    return on_replicas(move)


def make_step(generator):
    """Returns the compiled maximum-likelihood step: int32 [B, T] → mean NLL float []."""

    @tf.function(reduce_retracing=True)
    def step(tokens):
        mask = sequence_mask(tokens, generator.end_token_id)

        def contribution():
            own = local_rows(tokens)
            return generator.nll(own, training=True), tf.reduce_sum(
                local_rows(mask)
            ) / tf.reduce_sum(mask)

        return gradient_step(generator, contribution)[0]

    return step


def frozen_copy(generator):
    """Returns a generator with the same weights that is not trained: the prior π₀."""
    copy = Generator.from_config(generator.get_config())
    copy.set_weights(generator.get_weights())
    copy.trainable = False
    return copy


def _share(tokens):
    """Returns, within a replica, the share of a batch's rows that are its own."""
    return tf.cast(tf.shape(local_rows(tokens))[0] / tf.shape(tokens)[0], tf.float32)


class AdversarialSteps:
    """The two players, the objective, and the compiled steps that train each of them.

    Args:
        generator: a compiled `Generator`.
        discriminator: a compiled `Discriminator`.
        objective: an `Objective`.
        reward: function of tokens, int32 [B, T] → float [B], added to the objective's reward, or None.
    """

    def __init__(self, generator, discriminator, objective, reward=None):
        self.generator, self.discriminator, self.objective, self.reward = (
            generator,
            discriminator,
            objective,
            reward,
        )
        self.policy = Policy(generator)
        self.prior = Policy(frozen_copy(generator)) if objective.kl_weight else None
        self.baseline_state = tf.Variable(initial_state(), trainable=False)

    def state(self):
        """Returns everything that changes while the game goes on, by name, for the checkpoint."""
        optimizers = {
            "generator_optimizer": self.generator.optimizer,
            "discriminator_optimizer": self.discriminator.optimizer,
        }
        prior = {"prior": self.prior.generator} if self.prior else {}
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "baseline": self.baseline_state,
            **optimizers,
            **prior,
        }

    @tf.function(reduce_retracing=True)
    def logits(self, tokens):
        """Returns the discriminator's logits, dropout off: int32 [B, T] → float32 [B]."""
        return map_rows_over_replicas(
            lambda tokens: self.discriminator(tokens, training=False), tokens
        )

    @tf.function(reduce_retracing=True)
    def judge(self, tokens, seed):
        """Returns the logits that the objective's credit asks for: int32 [B, T] and int32 [2] → float32 [B, …]."""
        judge = self.objective.credit.judge
        return map_rows_over_replicas(
            lambda tokens: judge(self.discriminator, tokens, self.generator, own_seed(seed)), tokens
        )

    def token_rewards(self, tokens):
        """Returns the reward of the tokens, float32 [B]: 0 where there is none."""
        if self.reward is None:
            return tf.zeros(len(tokens))
        rewards = np.asarray(self.reward(tokens.numpy()), np.float32)
        if rewards.shape != (len(tokens),) or not np.isfinite(rewards).all():
            raise ValueError(
                f"reward must return one finite number a sequence, shape {(len(tokens),)}; received shape {rewards.shape}, "
                f"{'finite' if np.isfinite(rewards).all() else 'not finite'}. It is called with NumPy int32 tokens [B, T]."
            )
        return tf.constant(rewards)

    @tf.function(reduce_retracing=True)
    def generator_step(self, tokens, rewards, token_rewards=0.0):
        """Moves the generator along the policy gradient.

        Args:
            tokens: int32 [B, T].
            rewards: float32, what the objective's reward makes of the logits that its credit asked for.
            token_rewards: float32 [B], which arrive with the last token.

        Returns:
            A dict of figures.
        """
        mask = self.policy.mask(tokens)
        credit = self.objective.credit(rewards, mask, self.objective.discount)  # [B, T]
        credit += Terminal()(
            tf.broadcast_to(token_rewards, tf.shape(tokens)[:1]), mask, self.objective.discount
        )
        prior_log_probs = (
            map_rows_over_replicas(self.prior.log_prob, tokens) if self.prior else None
        )

        def contribution():
            log_probs = self.policy.log_prob(local_rows(tokens))  # [own rows, T]
            prior = local_rows(prior_log_probs) if self.prior else None
            result = self.objective.loss(
                log_probs, local_rows(credit), local_rows(mask), prior, self.baseline_state
            )
            return (
                result.loss,
                _share(tokens),
                gather_rows(log_probs),
                gather_rows(result.advantages),
                result.baseline_state,
            )

        loss, norm, log_probs, advantages, baseline_state = gradient_step(
            self.generator, contribution
        )
        self.baseline_state.assign(baseline_state)
        variance = masked_mean(advantages**2, mask) - masked_mean(advantages, mask) ** 2
        return {
            "generator_loss": loss,
            "kl": masked_mean(log_probs - prior_log_probs, mask)
            if self.prior
            else tf.constant(math.nan),
            "advantage_std": tf.sqrt(tf.maximum(variance, 0)),
            "gradient_norm": norm,
        }

    @tf.function(reduce_retracing=True)
    def discriminator_step(self, real, generated):
        """Moves the discriminator to tell real from generated, both int32 [B/2, T]; returns its loss, float []."""
        labels = tf.concat([tf.ones(tf.shape(real)[0]), tf.zeros(tf.shape(generated)[0])], axis=0)
        tokens = tf.concat([real, generated], axis=0)

        def contribution():
            logits = self.discriminator(local_rows(tokens), training=True)
            return self.discriminator.compute_loss(y=local_rows(labels), y_pred=logits), _share(
                tokens
            )

        return gradient_step(self.discriminator, contribution)[0]
