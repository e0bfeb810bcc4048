"""π: the generator as a distribution over sequences, for reinforcement learning."""

from typing import NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from tfseqgan.models.interfaces import SequenceGenerator, Tokens
from tfseqgan.ops.masking import sequence_mask
from tfseqgan.ops.sampling import check_sampling, row_seeds


class Trajectory(NamedTuple):
    """What a policy did, one row a sequence.

    Attributes:
        tokens: int32 [B, T].
        log_probs: float32 [B, T], log π(yₜ | y₍<t₎) in nats; 0 after the end token.
        mask: float32 [B, T], 1 up to and including the end token, 0 after it.
    """

    tokens: tf.Tensor
    log_probs: tf.Tensor
    mask: tf.Tensor


class Policy:
    """A generator as a policy: states are prefixes y₍<t₎, actions are tokens, dropout is off.

    Args:
        generator: a `Generator`, or another `SequenceGenerator`.

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> generator = Generator(vocabulary_size=7, embedding_dim=4, units=8, end_token_id=None)
        >>> trajectory = Policy(generator).sample(2, length=5, seed=0)
        >>> trajectory.tokens.shape, bool(tf.reduce_all(trajectory.log_probs < 0))
        (TensorShape([2, 5]), True)

    Reference:
        Bjare & Meredith, section 3.1; Yu et al. 2016, section 3.
    """

    def __init__(self, generator: SequenceGenerator) -> None:
        self.generator = generator

    def distribution(self, tokens: Tokens) -> tfp.distributions.Categorical:
        """Returns π(· | y₍<t₎) at every step: int32 [B, T] → a TFP Categorical of shape [B, T]."""
        return tfp.distributions.Categorical(logits=self.generator(tokens, training=False))

    def mask(self, tokens: Tokens) -> tf.Tensor:
        """Computes which tokens were actions: int32 [B, T] → float32 [B, T]."""
        return sequence_mask(tokens, self.generator.end_token_id)

    def log_prob(self, tokens: Tokens) -> tf.Tensor:
        """Computes log π(yₜ | y₍<t₎) in nats, 0 after the end token: int32 [B, T] → float32."""
        return self.generator.token_log_probs(tokens) * self.mask(tokens)

    def entropy(self, tokens: Tokens) -> tf.Tensor:
        """Computes the entropy of π(· | y₍<t₎) in nats, 0 after the end token: [B, T] → float32."""
        return self.distribution(tokens).entropy() * self.mask(tokens)

    def sample(
        self,
        num_sequences: int,
        length: int,
        seed: int | tuple[int, int] | None = None,
        first_row: int = 0,
    ) -> Trajectory:
        """Samples trajectories at temperature 1: anything else would be off-policy.

        Args:
            num_sequences: B.
            length: T.
            seed: a whole number, a pair of them, or None for a random one; row i draws from the
                pair with i added to its second.
            first_row: the index of the first row, for samples that are drawn in parts.

        Returns:
            A `Trajectory`.

        Raises:
            ValueError: if a number is out of range, or so many tokens need more memory than this
                machine has.
        """
        options = check_sampling(num_sequences, length)
        seeds = row_seeds(seed, options.num_sequences, first_row)

        return self.sample_rows(seeds, options.length)

    def sample_rows(self, seeds: tf.Tensor, length: int) -> Trajectory:
        """Samples one trajectory a seed pair: int32 [B, 2] → a `Trajectory`."""
        tokens, log_probs = self.generator.sample(seeds, length)

        return Trajectory(tokens, log_probs, self.mask(tokens))
