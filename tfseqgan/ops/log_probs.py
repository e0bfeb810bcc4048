"""Log-probabilities of tokens, from logits, or from what is projected to them, with a gradient that writes nothing as large as the logits."""

import tensorflow as tf

from tfseqgan.ops.sparse import add_rows

_SMALLEST = 1e-30  # below it a float32 probability loses digits, and at 1e-38 it is 0


def log_probs_at(logits, probs, tokens):
    """Returns the log-probability of one token a row, in nats.

    The logarithm of its probability; where one is so small that float32 loses its digits, the logit less the logarithm of the sum of exponentials,
    for all.

    Args:
        logits: function that returns float32 [N, V]; only called where they are needed, so that nobody has to keep them.
        probs: float32 [N, V], their softmax.
        tokens: int32 [N].

    Returns:
        float32 [N].

    Example:
        >>> logits = tf.constant([[0.0, -200.0]])
        >>> log_probs_at(lambda: logits, tf.nn.softmax(logits), tf.constant([1])).numpy().tolist()
        [-200.0]
    """
    chosen = tf.gather(probs, tokens, batch_dims=1)  # [N]
    log_probs = tf.math.log(chosen)

    def from_logits():
        values = logits()
        below = values - tf.reduce_max(values, axis=-1, keepdims=True)  # [N, V]
        return tf.gather(below, tokens, batch_dims=1) - tf.math.log(
            tf.reduce_sum(tf.exp(below), axis=-1)
        )  # [N]

    exact = tf.cond(tf.reduce_all(chosen > _SMALLEST), lambda: log_probs, from_logits)
    return tf.where(
        chosen > _SMALLEST, log_probs, exact
    )  # row by row, so that none depends on the others


def _from_errors(given, kernel, probs, tokens, weights):
    """Returns the gradients out of onehot(y) − p itself."""
    places = tf.stack([tf.range(tf.shape(tokens)[0]), tokens], axis=1)  # [N, 2]
    errors = tf.tensor_scatter_nd_add(-probs, places, tf.ones_like(probs[:, 0])) * weights  # [N, V]
    errors = tf.cast(errors, given.dtype)
    return tf.matmul(errors, kernel, transpose_b=True), tf.matmul(given, errors, transpose_a=True)


def _from_sums(given, kernel, probs, tokens, weights):
    """Returns the gradients as what onehot(y) gives, rows taken and added up, less what p gives, two products: nothing as large as p is written."""
    weighted = given * weights  # [N, D]
    to_given = (
        tf.gather(tf.transpose(kernel), tokens) - tf.matmul(probs, kernel, transpose_b=True)
    ) * weights  # [N, D]
    # The left factor of the last product is the small one: to turn p takes as long as to multiply it (docs/performance.md).
    return to_given, tf.transpose(add_rows(weighted, tokens, tf.shape(probs)[1])) - tf.matmul(
        weighted, probs, transpose_a=True
    )


@tf.custom_gradient
def _row_log_probs(given, kernel, tokens):
    """As `token_log_probs`, of rows: [N, D], [D, V], [N] → [N]."""

    def logits():
        values = tf.matmul(given, kernel)  # [N, V]
        return values if values.dtype == tf.float64 else tf.cast(values, tf.float32)

    probs = tf.nn.softmax(logits())  # [N, V]

    def gradient(upstream):
        # Where y is almost certain the sums almost cancel: products that round, in half precision and as GPUs do in TensorFloat-32, would leave noise.
        exact = given.dtype == probs.dtype and not tf.config.list_physical_devices("GPU")
        return *(_from_sums if exact else _from_errors)(
            given, kernel, probs, tokens, upstream[:, None]
        ), None

    return log_probs_at(logits, probs, tokens), gradient


def token_log_probs(outputs, kernel, bias, tokens):
    """Returns log softmax(outputs · kernel + bias) of every token in nats.

    On CPUs, but in half precision, the gradient of the logits, onehot(y) − p, is never written: with o the outputs, K the kernel and u what comes from above,

        ∂/∂oₙ = uₙ (K_yₙ − K pₙ),   ∂/∂K_v = Σ_{n: yₙ = v} uₙ oₙ − Σₙ pₙᵥ uₙ oₙ,

    and the bias is a row of K that meets ones. Forward and backward take 0.7 of the time of TensorFlow's cross-entropy behind a product
    (benchmarks/decisions.py). The second derivative is not defined.

    Args:
        outputs: float [..., D].
        kernel: float [D, V], of the dtype of `outputs`.
        bias: float [V], of the same.
        tokens: int32 [...].

    Returns:
        float32 [...], float64 if the outputs are.

    Example:
        >>> token_log_probs(tf.ones([1, 1, 3]), tf.ones([3, 2]), tf.zeros([2]), tf.constant([[1]])).numpy().round(2)
        array([[-0.69]], dtype=float32)
    """
    flat = tf.reshape(outputs, [-1, outputs.shape[-1]])
    given = tf.concat([flat, tf.ones_like(flat[:, :1])], axis=1)  # [N, D + 1]
    log_probs = _row_log_probs(
        given, tf.concat([kernel, bias[None]], axis=0), tf.reshape(tf.cast(tokens, tf.int32), [-1])
    )
    return tf.reshape(log_probs, tf.shape(tokens))
