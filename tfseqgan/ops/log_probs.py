"""Log softmax at the tokens, with a gradient from the softmax of the forward pass."""

import tensorflow as tf

_SMALLEST_PROB = 1e-30
"""Below it a float32 probability loses digits; at 1e-38 it is 0."""


def log_probs_at(logits: tf.Tensor, probs: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
    """Computes the log-probability of one token a row from logits and their softmax, in nats.

    It is the logarithm of the token's probability. A row whose probability is too small for
    float32 takes the logit minus the log-sum-exp of the logits, which keeps its digits; that is
    computed only if there is such a row.

    Args:
        logits: float32 [N, V].
        probs: float32 [N, V], the softmax of `logits`.
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
    is_exact = chosen > _SMALLEST_PROB

    def from_logits():
        below = logits - tf.reduce_max(logits, axis=-1, keepdims=True)  # [N, V]
        log_sum = tf.math.log(tf.reduce_sum(tf.exp(below), axis=-1))

        return tf.gather(below, tokens, batch_dims=1) - log_sum  # [N]

    all_exact = tf.cond(tf.reduce_all(is_exact), lambda: log_probs, from_logits)

    return tf.where(is_exact, log_probs, all_exact)  # so that no row depends on another


@tf.custom_gradient
def _row_log_probs(logits, tokens):
    """Computes `token_log_probs` of rows: float [N, V], int32 [N] → float [N]."""
    probs = tf.nn.softmax(logits)

    def gradient(upstream):
        rows = tf.range(tf.shape(tokens)[0])
        indices = tf.stack([rows, tokens], axis=1)  # [N, 2]
        weighted = -upstream[:, None] * probs  # [N, V]

        return tf.tensor_scatter_nd_add(weighted, indices, upstream), None

    return log_probs_at(logits, probs, tokens), gradient


def token_log_probs(logits: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
    """Computes log softmax(logits) at the tokens, in nats.

        ∂ log pₙ(yₙ) / ∂ logitsₙ = onehot(yₙ) − pₙ

    The gradient uses the softmax p of the forward pass. TensorFlow's cross-entropy computes the
    same in more passes over the logits. The second derivative is not defined.

    Args:
        logits: float [..., V].
        tokens: int32 [...].

    Returns:
        float [...], of the dtype of `logits`.

    Example:
        >>> token_log_probs(tf.zeros([1, 1, 2]), tf.constant([[1]])).numpy().round(2)
        array([[-0.69]], dtype=float32)
    """
    rows = tf.reshape(logits, [-1, logits.shape[-1]])
    flat_tokens = tf.reshape(tf.cast(tokens, tf.int32), [-1])
    log_probs = _row_log_probs(rows, flat_tokens)

    return tf.reshape(log_probs, tf.shape(tokens))
