"""From the discriminator's logit to a reward: elementwise functions [B] → [B].

Each reward makes the policy descend another divergence to the data, if D is optimal against the
present policy π:

    probability  R = D                bounded in [0, 1]; the paper's reward (section 3.1)
    log          R = log D            the non-saturating GAN's
    logit        R = log D/(1 − D)    = log p_data(y)/π(y): descends KL(π‖p_data)
    none         R = 0                D is not asked: for rewards of the tokens alone
"""

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
