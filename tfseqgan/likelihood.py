"""Log-probabilities of tokens from logits, forward and backward in one pass over the vocabulary each."""

import tensorflow as tf

_SMALLEST = 1e-30  # below it a float32 probability loses digits, and at 1e-38 it is 0


def log_probs_at(logits, probs, tokens):
    """Returns the log-probability of one token a row, in nats.

    The logarithm of its probability; where one is so small that float32 loses its digits, the logit less the logarithm of the sum of exponentials,
    for all.

    Args:
        logits: float32 [N, V].
        probs: float32 [N, V], their softmax.
        tokens: int32 [N].

    Returns:
        float32 [N].

    Example:
        >>> logits = tf.constant([[0.0, -200.0]])
        >>> log_probs_at(logits, tf.nn.softmax(logits), tf.constant([1])).numpy().tolist()
        [-200.0]
    """
    chosen = tf.gather(probs, tokens, batch_dims=1)  # [N]
    log_probs = tf.math.log(chosen)

    def from_logits():
        below = logits - tf.reduce_max(logits, axis=-1, keepdims=True)  # [N, V]
        return tf.gather(below, tokens, batch_dims=1) - tf.math.log(tf.reduce_sum(tf.exp(below), axis=-1))  # [N]

    exact = tf.cond(tf.reduce_all(chosen > _SMALLEST), lambda: log_probs, from_logits)
    return tf.where(chosen > _SMALLEST, log_probs, exact)  # row by row, so that none depends on the others


@tf.custom_gradient
def _row_log_probs(logits, tokens):
    probs = tf.nn.softmax(logits)  # [N, V]

    def gradient(upstream):
        """∂ log pᵧ / ∂ logits = onehot(y) − p, the first of which touches one place a row."""
        places = tf.stack([tf.range(tf.shape(tokens)[0]), tokens], axis=1)  # [N, 2]
        return tf.tensor_scatter_nd_add(probs * -upstream[:, None], places, upstream), None

    return log_probs_at(logits, probs, tokens), gradient


def token_log_probs(logits, tokens):
    """Returns log p(yₜ) of every token in nats.

    Its own gradient, onehot(y) − p, takes the softmax that the value was made of, where TensorFlow's cross-entropy takes four passes over the vocabulary
    (benchmarks/decisions.py). The second derivative is not defined.

    Args:
        logits: float32 [B, T, V].
        tokens: int32 [B, T].

    Returns:
        float32 [B, T].

    Example:
        >>> token_log_probs(tf.constant([[[5.0, 5.0]]]), tf.constant([[1]])).numpy().round(2)
        array([[-0.69]], dtype=float32)
    """
    flat = _row_log_probs(tf.reshape(logits, [-1, logits.shape[-1]]), tf.reshape(tf.cast(tokens, tf.int32), [-1]))
    return tf.reshape(flat, tf.shape(tokens))
