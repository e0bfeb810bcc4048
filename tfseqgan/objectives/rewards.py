"""What the discriminator's logit is worth to the generator: elementwise functions [B] → [B].

Each shape descends another divergence from the policy to the data, if D is optimal against the present policy π:

    probability  R = D                bounded in [0, 1]; the paper's reward (section 3.1)
    log          R = log D            the non-saturating GAN's
    logit        R = log D/(1 − D)    = log p_data(y)/π(y): descends KL(π‖p_data)
    none         R = 0                no word from D: for rewards of the tokens alone, and for the ablation
"""

import tensorflow as tf


def probability(logits):
    """Returns D(y) = σ(logit), in [0, 1].

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


def log(logits):
    """Returns log D(y), at most 0; stable where D is nearly 0.

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


def logit(logits):
    """Returns log D(y)/(1 − D(y)): the logit itself.

    With D optimal for data against π₀ this is log p_data(y)/π₀(y), and `kl_control` with weight 1 has the optimum p_data.

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


def none(logits):
    """Returns 0 for every sequence: the discriminator has no say.

    Args:
        logits: float [B], the discriminator's logits.

    Returns:
        float [B] of zeros.

    Example:
        >>> none(tf.constant([3.0])).numpy().tolist()
        [0.0]
    """
    return tf.zeros_like(logits)


REWARDS = {"probability": probability, "log": log, "logit": logit, "none": none}
"""The rewards by name, for the command line and for configurations."""
