"""Which action earned how much of a sequence's reward.

A credit first asks the discriminator for the logits that it needs (`logits`); a reward function
maps these to rewards; and the credit then spreads the rewards over the steps (the call).
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tfseqgan.arguments import whole_number
from tfseqgan.models.decoding import complete_prefixes
from tfseqgan.models.interfaces import SequenceDiscriminator, SequenceGenerator
from tfseqgan.objectives.names import CREDIT_NAMES
from tfseqgan.objectives.returns import reward_to_go

_MOST_COMPLETIONS = 4096
"""Completions sampled at a time: a step of them needs 4,096 rows of V logits, below 100 MB."""

_MOST_SEQUENCES = 256
"""Completions scored at a time: the paper's discriminator needs 2 MB for each."""


def _in_parts(
    function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], rows: tf.Tensor, size: int
) -> tf.Tensor:
    """Applies a function to all rows, `size` of them at a time.

    Args:
        function: of a part's index int32 [] and its rows int32 [size, T], to float32 [size, …].
        rows: int32 [N, T].
        size: rows in a part; the last part is padded.

    Returns:
        float32 [N, …].
    """
    num_rows = tf.shape(rows)[0]
    padded = tf.pad(rows, [[0, -num_rows % size], [0, 0]])
    parts = tf.reshape(padded, [-1, size, rows.shape[1]])

    results = tf.map_fn(
        lambda part: function(*part),
        (tf.range(tf.shape(parts)[0]), parts),
        fn_output_signature=tf.float32,
        parallel_iterations=1,
    )  # [parts, size, …]
    joined = tf.reshape(results, tf.concat([[-1], tf.shape(results)[2:]], axis=0))

    return joined[:num_rows]


@dataclasses.dataclass(frozen=True)
class Terminal:
    """The whole reward arrives with the last token, as in the paper: rₜ = 0 for t < T, r_T = R(y).

    The credit of step t is then the discounted reward to go,

        creditₜ = γᵀ⁻ᵗ R(y),   T the sequence's own last step,

    which for γ = 1 is R(y) at every step.

    Example:
        >>> mask = tf.constant([[1.0, 1.0, 1.0, 0.0]])
        >>> Terminal()(tf.constant([8.0]), mask, discount=0.5).numpy().tolist()
        [[2.0, 4.0, 8.0, 0.0]]

    Reference:
        Bjare & Meredith, section 3.1 and equation 1.
    """

    def logits(
        self,
        discriminator: SequenceDiscriminator,
        tokens: tf.Tensor,
        generator: SequenceGenerator | None = None,
        seed: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Computes the logit of each sequence, dropout off: int32 [B, T] → float [B].

        Neither generator nor seed is needed.
        """
        return discriminator(tokens, training=False)

    def sequence_logits(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns the logits of whole sequences among those of `logits`: float [B]."""
        return logits

    def __call__(self, rewards: tf.Tensor, mask: tf.Tensor, discount: float = 1.0) -> tf.Tensor:
        """Spreads rewards over the steps.

        Args:
            rewards: float [B], R(y).
            mask: float [B, T] of zeros and ones.
            discount: γ in [0, 1].

        Returns:
            float [B, T], of the dtype of `rewards`; 0 after the end token.
        """
        mask = tf.cast(mask, rewards.dtype)
        steps_left = tf.cumsum(mask, axis=1, reverse=True, exclusive=True)  # [B, T]
        base = tf.convert_to_tensor(discount, rewards.dtype)

        return rewards[:, None] * base**steps_left * mask


@dataclasses.dataclass(frozen=True)
class Prefix:
    """Each token earns what it adds to the reward of the sequence so far.

    This is the paper's own suggestion, exact and in one pass of the discriminator.

        rₜ = Φₜ − Φₜ₋₁,   Φₜ = R(y₁…yₗ) for the last multiple l ≤ t of `every`, 0 where there is
                          none, and R(y) at the sequence's last token
        creditₜ = Σ_{k≥t} γᵏ⁻ᵗ rₖ

    The rewards add up to R(y), so that for γ = 1 the credit is Terminal's minus Φₜ₋₁, a function
    of the state: the expected gradient is the same (potential-based shaping) and its variance is
    another. With γ < 1 the rewards of later prefixes count less.

    Args:
        every: the discriminator scores every so many tokens; with 1, after every token.

    Raises:
        ValueError: if the number is below 1.

    Example:
        >>> Prefix()(tf.constant([[1.0, 3.0, 8.0]]), tf.ones([1, 3])).numpy().tolist()
        [[8.0, 7.0, 5.0]]
        >>> Prefix(every=2)(tf.constant([[3.0, 8.0]]), tf.ones([1, 3])).numpy().tolist()
        [[8.0, 8.0, 5.0]]

    Reference:
        Bjare & Meredith, section 7; Ng, Harada & Russell 1999, "Policy Invariance under Reward
        Transformations".
    """

    every: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "every", whole_number("every", self.every))
        if self.every < 1:
            raise ValueError(
                f"every must be 1 or more, received {self.every}. "
                "1 asks the discriminator after every token."
            )

    def logits(
        self,
        discriminator: SequenceDiscriminator,
        tokens: tf.Tensor,
        generator: SequenceGenerator | None = None,
        seed: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Computes the logits of the prefixes, dropout off: int32 [B, T] → [B, ⌈T / every⌉].

        Neither generator nor seed is needed.
        """
        return discriminator.prefix_logits(tokens, self.every)

    def sequence_logits(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns the logits of whole sequences among those of `logits`: [B, P] → [B]."""
        return logits[:, -1]

    def __call__(self, rewards: tf.Tensor, mask: tf.Tensor, discount: float = 1.0) -> tf.Tensor:
        """Spreads rewards over the steps.

        Args:
            rewards: float [B, ⌈T / every⌉], R of the prefixes.
            mask: float [B, T] of zeros and ones.
            discount: γ in [0, 1].

        Returns:
            float [B, T], of the dtype of `rewards`; 0 after the end token.
        """
        num_prefixes = (tf.range(tf.shape(mask)[1]) + 1) // self.every  # [T], scored up to t
        with_nothing = tf.pad(rewards, [[0, 0], [1, 0]])  # [B, P + 1]
        potentials = tf.gather(with_nothing, num_prefixes, axis=1)  # [B, T]

        continues = tf.pad(mask[:, 1:], [[0, 0], [0, 1]])  # [B, T]
        potentials = tf.where(continues > 0, potentials, rewards[:, -1:])
        previous = tf.pad(potentials[:, :-1], [[0, 0], [1, 0]])

        return reward_to_go(potentials - previous, mask, discount)


@dataclasses.dataclass(frozen=True)
class Rollout:
    """Each token is worth the mean reward of N completions of the sequence so far.

        creditₜ = 1/N Σₙ R(y₁…yₗ, completion n)

    with l the next multiple of `every` from t on, and R(y) itself where that is T or more. These
    are action values, not rewards: nothing is summed over time. A later prefix stands for those
    just before it, which adds variance and no bias, since its tokens come from the same policy.

    Args:
        num_rollouts: N, completions of a prefix.
        every: the distance between the lengths of the prefixes that are completed.

    Raises:
        ValueError: if a number is below 1.

    Example:
        >>> rewards = tf.constant([[[1.0, 3.0], [5.0, 5.0]]])  # [B, P + 1, N]
        >>> Rollout(num_rollouts=2, every=2)(rewards, tf.ones([1, 4])).numpy().tolist()
        [[2.0, 2.0, 5.0, 5.0]]

    Reference:
        Yu et al. 2016, equation 4.
    """

    num_rollouts: int = 16
    every: int = 1

    def __post_init__(self) -> None:
        for name in ("num_rollouts", "every"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name)))
        if self.num_rollouts < 1 or self.every < 1:
            raise ValueError(
                "num_rollouts and every must be 1 or more, "
                f"received {self.num_rollouts} and {self.every}. Yu et al. take 16 and 1."
            )

    def logits(
        self,
        discriminator: SequenceDiscriminator,
        tokens: tf.Tensor,
        generator: SequenceGenerator | None,
        seed: tf.Tensor | None,
    ) -> tf.Tensor:
        """Computes the logits of N completions of each prefix, then of the whole sequence.

        Args:
            discriminator: scores the sequences, dropout off.
            tokens: int32 [B, T].
            generator: the generator that sampled the tokens; it completes the prefixes.
            seed: int32 [2], of the completions.

        Returns:
            float [B, P + 1, N] with P = ⌈T / every⌉ − 1.
        """
        length = tokens.shape[1]
        prefixes = -(-length // self.every) or 1
        size = max(1, _MOST_COMPLETIONS // (self.num_rollouts * prefixes))

        def score(_, sequences):
            return discriminator(sequences, training=False)

        def score_part(index, rows):
            part_seed = tf.random.experimental.stateless_fold_in(seed, index)
            completed = complete_prefixes(
                generator, rows, self.num_rollouts, self.every, part_seed
            )  # [P, N, size, T]
            flat = tf.reshape(completed, [-1, length])
            logits = _in_parts(score, flat, _MOST_SEQUENCES)
            logits = tf.reshape(logits, tf.shape(completed)[:3])  # [P, N, size]

            whole = discriminator(rows, training=False)
            whole = tf.broadcast_to(whole, [1, self.num_rollouts, size])

            return tf.transpose(tf.concat([logits, whole], axis=0), [2, 0, 1])

        return _in_parts(score_part, tokens, size)

    def sequence_logits(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns the logits of whole sequences among those of `logits`: [B, P + 1, N] → [B]."""
        return logits[:, -1, 0]

    def __call__(self, rewards: tf.Tensor, mask: tf.Tensor, discount: float = 1.0) -> tf.Tensor:
        """Spreads rewards over the steps.

        Args:
            rewards: float [B, P + 1, N], R of the completions and of the whole sequences.
            mask: float [B, T] of zeros and ones.
            discount: 1; the discount of a completion's reward would depend on its own length.

        Returns:
            float [B, T], of the dtype of `rewards`; 0 after the end token.

        Raises:
            ValueError: for another discount.
        """
        if discount != 1:
            raise ValueError(
                f"Rollouts are not discounted: expected a discount of 1, received {discount}. "
                "Take credit.Prefix() for a smaller one."
            )

        prefix = tf.range(tf.shape(mask)[1]) // self.every  # [T]
        index = tf.minimum(prefix, tf.shape(rewards)[1] - 1)
        values = tf.gather(tf.reduce_mean(rewards, axis=2), index, axis=1)  # [B, T]

        return values * tf.cast(mask, rewards.dtype)


CREDITS = dict(zip(CREDIT_NAMES, (Terminal(), Prefix(), Rollout()), strict=True))
"""The credits by name."""
