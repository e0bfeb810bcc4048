"""From the discriminator's logit to a reward: elementwise functions [B] → [B].

Each reward makes the policy descend another divergence to the data, if D is optimal against the
present policy π:

    probability  R = D                bounded in [0, 1]; the paper's reward (section 3.1)
    log          R = log D            the non-saturating GAN's
    logit        R = log D/(1 − D)    = log p_data(y)/π(y): descends KL(π‖p_data)
    none         R = 0                D is not asked: for rewards of the tokens alone

`check_rewards` and `check_token_rewards` check what a reward of somebody's own returns.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from tfseqgan.objectives.names import REWARD_NAMES


def probability(logits: tf.Tensor) -> tf.Tensor:
    """Computes D(y) = σ(logit), in [0, 1].

    Args:
        logits: float [B], the discriminator's logits.

    Returns:
        float [B].

    Example:
        >>> probability(tf.constant([0.0])).numpy().tolist()
        [0.5]

    Reference:
        Bjare & Meredith, section 3.1.
    """
    return tf.sigmoid(logits)


def log(logits: tf.Tensor) -> tf.Tensor:
    """Computes log D(y), at most 0; stable where D is nearly 0.

    Args:
        logits: float [B], the discriminator's logits.

    Returns:
        float [B], in nats.

    Example:
        >>> float(log(tf.constant([-200.0]))[0])
        -200.0

    Reference:
        Goodfellow et al. 2014, section 3.
    """
    return tf.math.log_sigmoid(logits)


def logit(logits: tf.Tensor) -> tf.Tensor:
    """Returns log D(y)/(1 − D(y)): the logit itself.

    With D optimal for data against π₀ this is log p_data(y)/π₀(y), and `kl_control` with weight 1
    has the optimum p_data.

    Args:
        logits: float [B], the discriminator's logits.

    Returns:
        float [B], in nats.

    Example:
        >>> logit(tf.constant([-2.0])).numpy().tolist()
        [-2.0]

    Reference:
        Finn et al. 2016, "A Connection between GANs, Inverse RL, and Energy-Based Models".
    """
    return tf.identity(logits)


def none(logits: tf.Tensor) -> tf.Tensor:
    """Returns 0 for every sequence: the discriminator is not asked.

    Args:
        logits: float [B], the discriminator's logits.

    Returns:
        float [B] of zeros.

    Example:
        >>> none(tf.constant([3.0])).numpy().tolist()
        [0.0]
    """
    return tf.zeros_like(logits)


REWARDS = dict(zip(REWARD_NAMES, (probability, log, logit, none), strict=True))
"""The rewards by name."""


def _describe(value):
    """Returns what a reward returned, for a message: type and shape of arrays, else the type."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        dtype = getattr(value.dtype, "name", value.dtype)
        return f"{dtype} of shape {tuple(value.shape)}"

    return f"a {type(value).__name__}"


def _is_real(dtype):
    """Returns whether an array of this type holds real numbers, or truth values."""
    try:
        dtype = tf.as_dtype(dtype)
    except TypeError:  # one of NumPy's that TensorFlow has not
        return False

    return dtype.is_floating or dtype.is_integer or dtype.is_bool


def check_rewards(rewards: Any, logits: tf.Tensor) -> tf.Tensor:
    """Returns what an objective's reward computed, checked: a real number for each logit.

    Rewards of another shape would be broadcast, and credit sequences with the sum of all.

    Args:
        rewards: what the function returned for the logits.
        logits: float [B, …], the discriminator's logits.

    Returns:
        Tensor of the shape and dtype of the logits.

    Raises:
        ValueError: if the shape is another, or the numbers are not real.

    Example:
        >>> check_rewards(np.array([1, 0]), tf.zeros([2])).numpy().tolist()
        [1.0, 0.0]
    """
    is_array = hasattr(rewards, "dtype") and hasattr(rewards, "shape")
    if not is_array or not _is_real(rewards.dtype) or tuple(rewards.shape) != tuple(logits.shape):
        raise ValueError(
            "The objective's reward must return one real number for each logit, shape "
            f"{tuple(logits.shape)}; received {_describe(rewards)}. It is called with a tensor of "
            "logits; tfseqgan.rewards has some to start from."
        )

    return tf.cast(rewards, logits.dtype)


def check_token_rewards(rewards: Any, num_sequences: int) -> tf.Tensor:
    """Returns what a reward of the tokens returned, checked: one finite number a sequence.

    Args:
        rewards: what the function returned: an array, a tensor, or a list of numbers.
        num_sequences: B.

    Returns:
        float32 [B].

    Raises:
        ValueError: if the shape is another, or the numbers are not real and finite.

    Example:
        >>> check_token_rewards([1, 0.5], 2).numpy().tolist()
        [1.0, 0.5]
    """
    expected = f"reward must return one finite number a sequence, shape {(num_sequences,)}"
    advice = "It is called with NumPy int32 tokens [B, T]."
    try:
        array = np.asarray(rewards)
        if array.dtype == object:  # numbers of several libraries, or what is no number
            array = array.astype(np.float64)
        if not _is_real(array.dtype):
            raise TypeError("the numbers are not real")
        with np.errstate(over="ignore"):
            numbers = array.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{expected}; received {_describe(rewards)}. {advice}") from error

    is_finite = np.isfinite(numbers).all()
    if numbers.shape != (num_sequences,) or not is_finite:
        raise ValueError(
            f"{expected}; received shape {numbers.shape}, "
            f"{'finite' if is_finite else 'not finite'}. {advice}"
        )

    return tf.constant(numbers)
