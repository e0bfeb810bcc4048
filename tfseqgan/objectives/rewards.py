"""Rewards: of the discriminator's logits, [B] → [B], and of the tokens, [B, T] → [B].

Each reward makes the policy descend another divergence to the data, if D is optimal against the
present policy π:

    probability  R = D                bounded in [0, 1]; the paper's reward (section 3.1)
    log          R = log D            the non-saturating GAN's
    logit        R = log D/(1 − D)    = log p_data(y)/π(y): descends KL(π‖p_data)
    odds         R ∝ D/(1 − D)        = p_data(y)/π(y): descends KL(p_data‖π), as likelihood does
    none         R = 0                D is not asked: for rewards of the tokens alone

A reward of the tokens is a function of one's own, to which `fit_adversarial` adds that of the
discriminator. `Weighted` is one of several, and `of_decoded` makes one of a function of tunes.

`check_rewards` and `check_token_rewards` check what a reward of somebody's own returns.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import tensorflow as tf

from tfseqgan.arguments import real_number
from tfseqgan.objectives.names import REWARD_NAMES

TokenReward: TypeAlias = Callable[[np.ndarray], Any]
"""A reward of the tokens alone: NumPy int32 [B, T] → float [B]."""


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


def odds(logits: tf.Tensor) -> tf.Tensor:
    """Computes the odds D/(1 − D) of each sequence by their mean over the batch.

        Rᵇ = B exp(logitᵇ) / Σ_b' exp(logitᵇ')

    With D optimal for data against π the odds are p_data(y)/π(y), and E_π[R ∇log π] is the gradient
    of the likelihood E_data[log π], estimated from samples of π. That the odds are divided by their
    mean takes away the error of a D that is off by a factor; it costs a bias that vanishes with B.
    The reward of one sequence depends on the others, and their mean is 1.

    Args:
        logits: float [B] or [B, P], the discriminator's logits; each column is a batch.

    Returns:
        Tensor of the shape of the logits.

    Example:
        >>> odds(tf.math.log([3.0, 1.0])).numpy().round(4).tolist()
        [1.5, 0.5]

    Reference:
        Che et al. 2017, "Maximum-Likelihood Augmented Discrete Generative Adversarial Networks",
        section 3.
    """
    count = tf.cast(tf.shape(logits)[0], logits.dtype)

    return count * tf.nn.softmax(logits, axis=0)


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


REWARDS = dict(zip(REWARD_NAMES, (probability, log, logit, odds, none), strict=True))
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


def check_token_rewards(rewards: Any, num_sequences: int, name: str = "reward") -> tf.Tensor:
    """Returns what a reward of the tokens returned, checked: one finite number a sequence.

    Args:
        rewards: what the function returned: an array, a tensor, or a list of numbers.
        num_sequences: B.
        name: which reward it is, for the message.

    Returns:
        float32 [B].

    Raises:
        ValueError: if the shape is another, or the numbers are not real and finite.

    Example:
        >>> check_token_rewards([1, 0.5], 2).numpy().tolist()
        [1.0, 0.5]
    """
    expected = f"{name} must return one finite number a sequence, shape {(num_sequences,)}"
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


@dataclasses.dataclass(frozen=True)
class Weighted:
    """One of several rewards of the tokens, and how much it counts.

        R(y) = R_D(y) + Σᵢ wᵢ Rᵢ(y)

    Args:
        function: NumPy tokens int32 [B, T] → float [B], or what `of_decoded` returns.
        weight: w, a finite number; below 0 it is the price of what the function measures.
        name: what it is called in history and tables, `reward/<name>`; by default the function's.

    Raises:
        ValueError: if the weight is not finite, or the function has no name and none is given.

    Example:
        >>> def length(tokens):
        ...     return (tokens != 0).sum(axis=1)
        >>> Weighted(length, weight=-0.1).name
        'length'
    """

    function: TokenReward
    weight: float = 1.0
    name: str = ""

    def __post_init__(self) -> None:
        weight = real_number("weight", self.weight)
        name = self.name or getattr(self.function, "__name__", "")
        if not math.isfinite(weight):
            raise ValueError(f"weight must be a finite number, received {weight}. Lower it.")
        if not callable(self.function) or not str(name).isidentifier():
            raise ValueError(
                "A weighted reward is a function and has a name of letters, digits and _; received "
                f"{_describe(self.function)} and the name {name!r}. Pass "
                "Weighted(function, weight, name='few_leaps')."
            )

        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "name", name)


class TokenRewards(NamedTuple):
    """What a batch of sequences earned by the rewards of the tokens.

    Attributes:
        total: float32 [B], what the objective's reward is added to.
        parts: float32 [B] by name, before they are weighted; none where there is one function.
    """

    total: tf.Tensor
    parts: dict[str, tf.Tensor]


def check_reward(
    reward: TokenReward | Sequence[Weighted] | None,
) -> TokenReward | tuple[Weighted, ...] | None:
    """Returns a reward of the tokens, or several weighted ones as a tuple, checked.

    Args:
        reward: a function, a sequence of `Weighted`, or None for none.

    Raises:
        TypeError: if it is none of these.
        ValueError: if two have one name.

    Example:
        >>> check_reward([len])
        Traceback (most recent call last):
        TypeError: reward must be one function of the tokens, or a sequence of ... received a list.
    """
    if reward is None or callable(reward):
        return reward

    is_sequence = isinstance(reward, Sequence) and len(reward) > 0
    if not is_sequence or not all(isinstance(part, Weighted) for part in reward):
        raise TypeError(
            "reward must be one function of the tokens, or a sequence of weighted ones, expected "
            "[sg.rewards.Weighted(first, 1.0), sg.rewards.Weighted(second, 0.5)]; received "
            f"{_describe(reward)}."
        )
    names = [part.name for part in reward]
    if len(set(names)) < len(names):
        raise ValueError(
            f"The rewards' names are {names}; expected a name of its own for each. "
            "Pass name= to Weighted."
        )

    return tuple(reward)


def token_rewards(
    reward: TokenReward | tuple[Weighted, ...] | None, tokens: np.ndarray
) -> TokenRewards:
    """Computes the reward of the tokens, and what it is made of.

    Args:
        reward: what `check_reward` returned.
        tokens: int32 [B, T].

    Raises:
        ValueError: if a reward is not one finite number a sequence.

    Example:
        >>> parts = (Weighted(lambda tokens: tokens[:, 0], 2.0, "first"),)
        >>> token_rewards(parts, np.array([[3, 4], [5, 6]])).total.numpy().tolist()
        [6.0, 10.0]
    """
    num_sequences = len(tokens)
    if reward is None:
        return TokenRewards(tf.zeros(num_sequences), {})
    if not isinstance(reward, tuple):
        return TokenRewards(check_token_rewards(reward(tokens), num_sequences), {})

    parts = {
        part.name: check_token_rewards(part.function(tokens), num_sequences, f"reward/{part.name}")
        for part in reward
    }
    weighted = [part.weight * parts[part.name] for part in reward]

    return TokenRewards(tf.add_n(weighted), parts)


class Decoder(Protocol):
    """What reads token ids as something else: `Tokenizer`, for example."""

    def decode(self, tokens: np.ndarray, /) -> Any:
        """Reads one sequence, int32 [T]."""
        ...


def of_decoded(tokenizer: Decoder, function: Callable[[Any], float]) -> TokenReward:
    """Returns a reward of the tokens from a function of what they say.

    That is a `Score` where the tokenizer is a `Tokenizer`.

    Args:
        tokenizer: what decodes a row.
        function: of one decoded sequence; returns a number.

    Returns:
        A function of NumPy tokens int32 [B, T] → float [B], of the name of `function`.

    Example:
        >>> import tfseqgan as sg
        >>> tokenizer = sg.Tokenizer([(24, (4,), (0,), 0, (), ())])
        >>> def num_notes(tune):
        ...     return len(tune.melody)
        >>> of_decoded(tokenizer, num_notes)(np.array([[3, 3, 2], [3, 2, 0]]))
        [2, 1]
    """

    @functools.wraps(function)
    def reward(tokens):
        return [function(tokenizer.decode(row)) for row in tokens]

    return reward
