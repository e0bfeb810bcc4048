"""What is subtracted from the action values: never a function of the action itself, but for the batch mean.

A baseline maps action values [B, T], their mask and its own state to (baseline [B, T], new state). Its state is a float [2], which the
trainer keeps and the checkpoint saves; it is read before it is updated. Only `MovingAverage` uses it.
"""

import dataclasses

import tensorflow as tf


def initial_state(dtype=tf.float32):
    """Returns the state that every baseline starts from: float [2] of zeros."""
    return tf.zeros([2], dtype)


@dataclasses.dataclass(frozen=True)
class NoBaseline:
    """Subtracts nothing: bₜ = 0. The paper's ordinary REINFORCE (equation 1).

    Example:
        >>> NoBaseline()(tf.ones([3, 1]), tf.ones([3, 1]), initial_state())[0].numpy().tolist()
        [[0.0], [0.0], [0.0]]
    """

    def __call__(self, action_values, mask, state):
        """Returns (zeros [B, T], state)."""
        return tf.zeros_like(action_values), state


@dataclasses.dataclass(frozen=True)
class BatchMean:
    """Subtracts the mean over the sequences still going: bₜ = Σ_b mₜ Q̂ₜ / Σ_b mₜ.

    The mean contains the sample itself, so that the expected gradient is (N − 1)/N times the true one, N sequences being averaged. Where
    sequences may end, a step that they reach with probability p is scaled by 1 − (1 − (1 − p)ᴺ)/(N p), late steps the most.

    Example:
        >>> BatchMean()(tf.constant([[1.0], [3.0]]), tf.ones([2, 1]), initial_state())[0].numpy().tolist()
        [[2.0], [2.0]]

    Reference:
        Bjare & Meredith, section 3.2.
    """

    def __call__(self, action_values, mask, state):
        """Returns (the mean of each column, [B, T]; state)."""
        count = tf.maximum(tf.reduce_sum(mask, axis=0, keepdims=True), 1)  # [1, T]
        mean = tf.reduce_sum(action_values * mask, axis=0, keepdims=True) / count
        return tf.broadcast_to(mean, tf.shape(action_values)), state  # [B, T]


@dataclasses.dataclass(frozen=True)
class LeaveOneOut:
    """Subtracts the mean over the other sequences still going: bₜᵇ = Σ_{b'≠b} mₜ Q̂ₜ / Σ_{b'≠b} mₜ; 0 for the last one going.

    The sample itself is left out, so that the expected gradient is the true one.

    Example:
        >>> LeaveOneOut()(tf.constant([[1.0], [3.0]]), tf.ones([2, 1]), initial_state())[0].numpy().tolist()
        [[3.0], [1.0]]

    Reference:
        Kool et al. 2019, "Buy 4 REINFORCE Samples, Get a Baseline for Free!".
    """

    def __call__(self, action_values, mask, state):
        """Returns (the mean of the others in each column, [B, T]; state)."""
        own = action_values * mask
        total, count = (
            tf.reduce_sum(own, axis=0, keepdims=True),
            tf.reduce_sum(mask, axis=0, keepdims=True),
        )  # [1, T]
        return (total - own) / tf.maximum(count - mask, 1), state  # [B, T]


@dataclasses.dataclass(frozen=True)
class MovingAverage:
    """Subtracts an exponential moving average of the mean action value of earlier batches; 0 for the first batch.

        b = m / w,   then m ← ρ m + (1 − ρ) mean(Q̂),   w ← ρ w + (1 − ρ)

    Args:
        decay: ρ in [0, 1); the average reaches back about 1/(1 − ρ) batches.

    Example:
        >>> baseline, state = MovingAverage(0.9)(tf.constant([[4.0]]), tf.ones([1, 1]), initial_state())
        >>> float(baseline[0, 0]), float(MovingAverage(0.9)(tf.constant([[0.0]]), tf.ones([1, 1]), state)[0][0, 0])
        (0.0, 4.0)

    Reference:
        Williams 1992, section 4 ("reinforcement comparison").
    """

    decay: float = 0.95

    def __post_init__(self):
        if not 0 <= self.decay < 1:
            raise ValueError(
                f"decay must lie in [0, 1), received {self.decay}. 0.95 averages over about twenty batches."
            )

    def __call__(self, action_values, mask, state):
        """Returns (one number everywhere, [B, T]; the updated state)."""
        mean = tf.reduce_sum(action_values * mask) / tf.maximum(tf.reduce_sum(mask), 1)
        baseline = tf.math.divide_no_nan(state[0], state[1])
        update = self.decay * state + (1 - self.decay) * tf.stack([mean, tf.ones_like(mean)])
        return tf.fill(tf.shape(action_values), baseline), update


BASELINES = {
    "none": NoBaseline(),
    "batch_mean": BatchMean(),
    "leave_one_out": LeaveOneOut(),
    "moving_average": MovingAverage(),
}
"""The baselines by name, for the command line and for configurations."""
