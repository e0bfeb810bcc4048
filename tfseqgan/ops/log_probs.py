"""Log softmax at the tokens, from the inputs of the last layer, with a gradient of its own."""

import tensorflow as tf

from tfseqgan.ops.devices import has_gpu
from tfseqgan.ops.gradients import custom_gradient

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


def _gradients_by_errors(outputs, kernel, probs, tokens, upstream):
    """Computes the gradients from the gradient of the logits, uₙ (onehot(yₙ) − pₙ), written out."""
    rows = tf.range(tf.shape(tokens)[0])
    indices = tf.stack([rows, tokens], axis=1)  # [N, 2]
    errors = tf.tensor_scatter_nd_add(-upstream[:, None] * probs, indices, upstream)  # [N, V]
    errors = tf.cast(errors, outputs.dtype)

    of_outputs = tf.matmul(errors, kernel, transpose_b=True)
    of_kernel = tf.matmul(outputs, errors, transpose_a=True)

    return of_outputs, of_kernel, tf.reduce_sum(errors, axis=0)


def _gradients_by_sums(outputs, kernel, probs, tokens, upstream):
    """Computes the same as what the tokens add less what the probabilities add."""
    weighted = upstream[:, None] * outputs  # [N, D]
    of_token = tf.gather(tf.transpose(kernel), tokens)  # [N, D]
    expected = tf.matmul(probs, kernel, transpose_b=True)  # [N, D], K p
    of_outputs = upstream[:, None] * (of_token - expected)

    # The small factor is the transposed one: to transpose p takes as long as to multiply it.
    size = tf.shape(probs)[1]
    of_tokens = tf.transpose(tf.math.unsorted_segment_sum(weighted, tokens, size))  # [D, V]
    of_kernel = of_tokens - tf.matmul(weighted, probs, transpose_a=True)

    expected_upstream = tf.matmul(upstream[None], probs)[0]  # [V]
    of_bias = tf.math.unsorted_segment_sum(upstream, tokens, size) - expected_upstream

    return of_outputs, of_kernel, of_bias


@custom_gradient
def _row_log_probs(outputs, kernel, bias, tokens):
    """Computes `token_log_probs` of rows: float [N, D], [D, V], [V], int32 [N] → float [N]."""
    logits = output_logits(outputs, kernel, bias)  # [N, V]
    probs = tf.nn.softmax(logits)

    # Where a token is almost certain the two sums almost cancel. Half precision, and the products
    # of a GPU in TensorFloat-32, would leave noise.
    products_round = outputs.dtype != probs.dtype or has_gpu()
    gradients_of = _gradients_by_errors if products_round else _gradients_by_sums

    def gradient(upstream):
        return *gradients_of(outputs, kernel, probs, tokens, upstream), None

    return log_probs_at(logits, probs, tokens), gradient


def output_logits(outputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Computes outputs · kernel + bias, in float32 where they are of half precision.

    Args:
        outputs: float [N, D].
        kernel: float [D, V], of the dtype of `outputs`.
        bias: float [V], of the same dtype.

    Returns:
        float32 [N, V], or float64 if the outputs are.
    """
    logits = tf.nn.bias_add(tf.matmul(outputs, kernel), bias)

    return logits if logits.dtype == tf.float64 else tf.cast(logits, tf.float32)


def token_log_probs(
    outputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, tokens: tf.Tensor
) -> tf.Tensor:
    """Computes log softmax(outputs · kernel + bias) at the tokens, in nats.

    On a CPU the gradient of the logits, onehot(y) − p, is never written, which saves passes over
    the largest tensors of a step. With outputs o, kernel K and upstream gradient u,

        ∂/∂oₙ = uₙ (K_yₙ − K pₙ),   ∂/∂K_v = Σ_{n: yₙ = v} uₙ oₙ − Σₙ pₙᵥ uₙ oₙ,

    and ∂/∂b is as ∂/∂K with oₙ = 1. The second derivative is not defined.

    Args:
        outputs: float [..., D].
        kernel: float [D, V], of the dtype of `outputs`.
        bias: float [V], of the same dtype.
        tokens: int32 [...].

    Returns:
        float32 [...], or float64 if the outputs are.

    Example:
        >>> outputs = tf.ones([1, 1, 3])
        >>> token_log_probs(outputs, tf.ones([3, 2]), tf.zeros([2]), tf.constant([[1]])).numpy()
        array([[-0.6931472]], dtype=float32)
    """
    rows = tf.reshape(outputs, [-1, outputs.shape[-1]])
    flat_tokens = tf.reshape(tf.cast(tokens, tf.int32), [-1])
    log_probs = _row_log_probs(rows, kernel, bias, flat_tokens)

    return tf.reshape(log_probs, tf.shape(tokens))
