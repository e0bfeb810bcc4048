"""What is subtracted from the action values to lower the variance of the gradient.

A baseline must not depend on the action itself; the batch mean does, and its docstring says what
that costs. It maps action values [B, T], their mask and its own state to a baseline [B, T] and a
new state. The state is a float [2], which training keeps and the checkpoint saves; it is read
before it is updated. Only `MovingAverage` uses it.
"""

import dataclasses

import tensorflow as tf

from tfseqgan.arguments import real_number
from tfseqgan.objectives.names import BASELINE_NAMES


def initial_state(dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Returns the state that every baseline starts from: float [2] of zeros."""
    return tf.zeros([2], dtype)


@dataclasses.dataclass(frozen=True)
class NoBaseline:
    """Subtracts nothing: bₜ = 0. The paper's ordinary REINFORCE (equation 1).

    Example:
        >>> baseline, _ = NoBaseline()(tf.ones([3, 1]), tf.ones([3, 1]), initial_state())
        >>> baseline.numpy().tolist()
        [[0.0], [0.0], [0.0]]
    """

    def __call__(
        self, action_values: tf.Tensor, mask: tf.Tensor, state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns zeros [B, T], and the state as it is."""
        return tf.zeros_like(action_values), state


@dataclasses.dataclass(frozen=True)
class BatchMean:
    """Subtracts the mean over the sequences that have not ended: bₜ = Σ_b mₜ Q̂ₜ / Σ_b mₜ.

    The mean contains the sample itself, so that the expected gradient is (N − 1)/N times the true
    one for a batch of N sequences. Where sequences may end, a step that they reach with
    probability p is scaled by 1 − (1 − (1 − p)ᴺ)/(N p), late steps the most.

    Example:
        >>> values = tf.constant([[1.0], [3.0]])
        >>> BatchMean()(values, tf.ones([2, 1]), initial_state())[0].numpy().tolist()
        [[2.0], [2.0]]

    Reference:
        Bjare & Meredith, section 3.2.
    """

    def __call__(
        self, action_values: tf.Tensor, mask: tf.Tensor, state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes the mean of each column, [B, T]; the state stays as it is."""
        total = tf.reduce_sum(action_values * mask, axis=0, keepdims=True)  # [1, T]
        count = tf.reduce_sum(mask, axis=0, keepdims=True)
        mean = total / tf.maximum(count, 1)

        return tf.broadcast_to(mean, tf.shape(action_values)), state


@dataclasses.dataclass(frozen=True)
class LeaveOneOut:
    """Subtracts the mean over the other sequences that have not ended; 0 for the last of them.

        bₜᵇ = Σ_{b'≠b} mₜ Q̂ₜ / Σ_{b'≠b} mₜ

    The sample itself is left out, so that the expected gradient is the true one.

    Example:
        >>> values = tf.constant([[1.0], [3.0]])
        >>> LeaveOneOut()(values, tf.ones([2, 1]), initial_state())[0].numpy().tolist()
        [[3.0], [1.0]]

    Reference:
        Kool et al. 2019, "Buy 4 REINFORCE Samples, Get a Baseline for Free!".
    """

    def __call__(
        self, action_values: tf.Tensor, mask: tf.Tensor, state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes the mean of the others in each column, [B, T]; the state stays as it is."""
        own = action_values * mask
        total = tf.reduce_sum(own, axis=0, keepdims=True)  # [1, T]
        count = tf.reduce_sum(mask, axis=0, keepdims=True)

        return (total - own) / tf.maximum(count - mask, 1), state


@dataclasses.dataclass(frozen=True)
class MovingAverage:
    """Subtracts an exponential moving average of the mean action value of earlier batches.

        b = m / w,   then m ← ρ m + (1 − ρ) mean(Q̂),   w ← ρ w + (1 − ρ)

    It is 0 for the first batch.

    Args:
        decay: ρ in [0, 1); the average reaches back about 1/(1 − ρ) batches.

    Raises:
        ValueError: if `decay` is out of range.

    Example:
        >>> average, ones = MovingAverage(0.9), tf.ones([1, 1])
        >>> first, state = average(tf.constant([[4.0]]), ones, initial_state())
        >>> second, state = average(tf.constant([[0.0]]), ones, state)
        >>> float(first[0, 0]), float(second[0, 0])
        (0.0, 4.0)

    Reference:
        Williams 1992, section 4 ("reinforcement comparison").
    """

    decay: float = 0.95

    def __post_init__(self) -> None:
        object.__setattr__(self, "decay", real_number("decay", self.decay))
        if not 0 <= self.decay < 1:
            raise ValueError(
                f"decay must lie in [0, 1), received {self.decay}. "
                "0.95 averages over about twenty batches."
            )

    def __call__(
        self, action_values: tf.Tensor, mask: tf.Tensor, state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns one number everywhere, [B, T], and the updated state."""
        mean = tf.reduce_sum(action_values * mask) / tf.maximum(tf.reduce_sum(mask), 1)
        baseline = tf.math.divide_no_nan(state[0], state[1])
        newest = tf.stack([mean, tf.ones_like(mean)])
        updated = self.decay * state + (1 - self.decay) * newest

        return tf.fill(tf.shape(action_values), baseline), updated


BASELINES = dict(
    zip(
        BASELINE_NAMES,
        (NoBaseline(), BatchMean(), LeaveOneOut(), MovingAverage()),
        strict=True,
    )
)
"""The baselines by name."""
