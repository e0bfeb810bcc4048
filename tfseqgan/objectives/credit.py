"""Which action earned how much of a sequence's reward.

A credit asks the discriminator (`judge`), and spreads what the reward function made of its logits over the steps (the call).
"""

import dataclasses

import tensorflow as tf

from tfseqgan.models.decoding import complete
from tfseqgan.objectives.returns import reward_to_go

_ROWS_AT_ONCE = (
    4096  # of completions: what a step of them needs, 4,096 rows of V logits, stays below 100 MB
)


_JUDGED_AT_ONCE = 256  # of them: the paper's discriminator needs 2 MB for each


def _by_parts(function, rows, size):
    """Returns what a function of a part's number and its rows, int32 [] and [size, T], gives for all rows, one part after the other: float [N, …]."""
    count = tf.shape(rows)[0]
    parts = tf.reshape(tf.pad(rows, [[0, -count % size], [0, 0]]), [-1, size, rows.shape[1]])
    places = tf.range(tf.shape(parts)[0])
    results = tf.map_fn(
        lambda numbered: function(*numbered),
        (places, parts),
        fn_output_signature=tf.float32,
        parallel_iterations=1,
    )  # [parts, size, …]
    return tf.reshape(results, tf.concat([[-1], tf.shape(results)[2:]], axis=0))[:count]


@dataclasses.dataclass(frozen=True)
class Terminal:
    """The whole reward arrives with the last token, as the paper has it: rₜ = 0 for t < T, r_T = R(y).

    The credit of step t is then the discounted reward to go,

        creditₜ = γᵀ⁻ᵗ R(y),   T the sequence's own last step,

    which for γ = 1 is R(y) at every step.

    Example:
        >>> Terminal()(tf.constant([8.0]), tf.constant([[1.0, 1.0, 1.0, 0.0]]), discount=0.5).numpy().tolist()
        [[2.0, 4.0, 8.0, 0.0]]

    Reference:
        Bjare & Meredith, section 3.1 and equation 1.
    """

    def judge(self, discriminator, tokens, generator=None, seed=None):
        """Returns the logit of each sequence, dropout off: int32 [B, T] → float [B]. Neither generator nor seed is needed."""
        return discriminator(tokens, training=False)

    def final(self, logits):
        """Returns the logits of whole sequences out of what `judge` gave, float [B]."""
        return logits

    def __call__(self, rewards, mask, discount=1.0):
        """Spreads rewards over the steps.

        Args:
            rewards: float [B], R(y).
            mask: float [B, T] of zeros and ones.
            discount: γ in [0, 1].

        Returns:
            float [B, T], of the dtype of `rewards`; 0 behind the end.
        """
        mask = tf.cast(mask, rewards.dtype)
        steps_left = tf.cumsum(mask, axis=1, reverse=True, exclusive=True)  # [B, T]
        return rewards[:, None] * tf.convert_to_tensor(discount, rewards.dtype) ** steps_left * mask


@dataclasses.dataclass(frozen=True)
class Prefix:
    """Each token earns what it adds to the discriminator's opinion of the sequence so far: the paper's own suggestion, exact and in one pass.

        rₜ = Φₜ − Φₜ₋₁,   Φₜ = R(y₁…yₗ) for the last multiple l ≤ t of `every`, 0 where there is none, and R(y) at the sequence's last token
        creditₜ = Σ_{k≥t} γᵏ⁻ᵗ rₖ

    The rewards add up to R(y), so that for γ = 1 the credit is Terminal's less Φₜ₋₁, a function of the state: the expected gradient is the
    same (potential-based shaping), and what changes is its variance. With γ < 1 later opinions count less.

    Args:
        every: the discriminator is asked after so many tokens each; with 1, after every token.

    Raises:
        ValueError: if the number is below 1.

    Example:
        >>> Prefix()(tf.constant([[1.0, 3.0, 8.0]]), tf.ones([1, 3])).numpy().tolist()
        [[8.0, 7.0, 5.0]]
        >>> Prefix(every=2)(tf.constant([[3.0, 8.0]]), tf.ones([1, 3])).numpy().tolist()
        [[8.0, 8.0, 5.0]]

    Reference:
        Bjare & Meredith, section 7; Ng, Harada & Russell 1999, "Policy Invariance under Reward Transformations".
    """

    every: int = 1

    def __post_init__(self):
        if self.every < 1:
            raise ValueError(
                f"every must be 1 or more, received {self.every}. 1 asks the discriminator after every token."
            )

    def judge(self, discriminator, tokens, generator=None, seed=None):
        """Returns the logits of the prefixes, dropout off: int32 [B, T] → float [B, ⌈T / every⌉]. Neither generator nor seed is needed."""
        return discriminator.prefix_logits(tokens, self.every)

    def final(self, logits):
        """Returns the logits of whole sequences out of what `judge` gave: float [B, P] → float [B]."""
        return logits[:, -1]

    def __call__(self, rewards, mask, discount=1.0):
        """Spreads rewards over the steps.

        Args:
            rewards: float [B, ⌈T / every⌉], R of the prefixes.
            mask: float [B, T] of zeros and ones.
            discount: γ in [0, 1].

        Returns:
            float [B, T], of the dtype of `rewards`; 0 behind the end.
        """
        going_on = tf.pad(mask[:, 1:], [[0, 0], [0, 1]])  # [B, T], whether another token follows
        asked = (
            tf.range(tf.shape(mask)[1]) + 1
        ) // self.every  # [T], how many prefixes have been judged
        opinions = tf.gather(tf.pad(rewards, [[0, 0], [1, 0]]), asked, axis=1)  # [B, T]
        opinions = tf.where(going_on > 0, opinions, rewards[:, -1:])
        return reward_to_go(opinions - tf.pad(opinions[:, :-1], [[0, 0], [1, 0]]), mask, discount)


@dataclasses.dataclass(frozen=True)
class Rollout:
    """Each token is worth the mean reward of what the policy would make of the sequence from there on.

        creditₜ = 1/N Σₙ R(y₁…yₗ, completion n),   l = the next multiple of `every` from t on; R(y) itself where that is T or more

    These are action values, not rewards: nothing is summed over time. A later prefix stands for those just before it, which adds variance and no
    bias, since its tokens were drawn from the same policy.

    Args:
        num_rollouts: N, completions of a prefix.
        every: prefixes that are completed stand so many tokens apart.

    Raises:
        ValueError: if a number is below 1.

    Example:
        >>> rewards = tf.constant([[[1.0, 3.0], [5.0, 5.0]]])  # two completions of the first prefix, then the whole sequence
        >>> Rollout(num_rollouts=2, every=2)(rewards, tf.ones([1, 4])).numpy().tolist()
        [[2.0, 2.0, 5.0, 5.0]]

    Reference:
        Yu et al. 2016, equation 4.
    """

    num_rollouts: int = 16
    every: int = 1

    def __post_init__(self):
        if self.num_rollouts < 1 or self.every < 1:
            raise ValueError(
                f"num_rollouts and every must be 1 or more, received {self.num_rollouts} and {self.every}. Yu et al. take 16 and 1."
            )

    def judge(self, discriminator, tokens, generator, seed):
        """Returns the logits of N completions of every prefix that is completed, and of the whole sequence behind them, dropout off.

        Args:
            discriminator: a `Discriminator`.
            tokens: int32 [B, T].
            generator: the `Generator` that drew the tokens.
            seed: int32 [2], of the completions.

        Returns:
            float [B, P + 1, N] with P = ⌈T / every⌉ − 1.
        """
        length = tokens.shape[1]
        size = max(1, _ROWS_AT_ONCE // (self.num_rollouts * (-(-length // self.every) or 1)))

        def judge_part(place, rows):
            drawn = complete(
                generator,
                rows,
                self.num_rollouts,
                self.every,
                tf.random.experimental.stateless_fold_in(seed, place),
            )
            flat = tf.reshape(drawn, [-1, length])
            logits = _by_parts(
                lambda _, some: discriminator(some, training=False), flat, _JUDGED_AT_ONCE
            )
            logits = tf.reshape(logits, tf.shape(drawn)[:3])  # [P, N, size]
            whole = tf.broadcast_to(
                discriminator(rows, training=False), [1, self.num_rollouts, size]
            )
            return tf.transpose(tf.concat([logits, whole], axis=0), [2, 0, 1])  # [size, P + 1, N]

        return _by_parts(judge_part, tokens, size)

    def final(self, logits):
        """Returns the logits of whole sequences out of what `judge` gave: float [B, P + 1, N] → float [B]."""
        return logits[:, -1, 0]

    def __call__(self, rewards, mask, discount=1.0):
        """Spreads rewards over the steps.

        Args:
            rewards: float [B, P + 1, N], R of the completions and of the whole sequences.
            mask: float [B, T] of zeros and ones.
            discount: 1: what a completion's reward would be discounted by depends on its own length.

        Returns:
            float [B, T], of the dtype of `rewards`; 0 behind the end.

        Raises:
            ValueError: for another discount.
        """
        if discount != 1:
            raise ValueError(
                f"Rollouts are not discounted: expected a discount of 1, received {discount}. Take credit.Prefix() for a smaller one."
            )
        places = tf.minimum(
            tf.range(tf.shape(mask)[1]) // self.every, tf.shape(rewards)[1] - 1
        )  # [T]
        return tf.gather(tf.reduce_mean(rewards, axis=2), places, axis=1) * tf.cast(
            mask, rewards.dtype
        )


CREDITS = {"terminal": Terminal(), "prefix": Prefix(), "rollout": Rollout()}
"""The credits by name, for the command line and for configurations."""
