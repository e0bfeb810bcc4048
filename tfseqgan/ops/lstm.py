"""One LSTM step, and the outputs of a whole sequence with a gradient of their own.

With input xₜ, state h and cell c, and the logistic function σ:

    i, f, o = σ(x W + h U + b) of each,   g = tanh(x W + h U + b)
    cₜ = f ⊙ cₜ₋₁ + i ⊙ g,   hₜ = o ⊙ tanh(cₜ)

The weights are those of a Keras layer, and so are the results. On a CPU the four products of a
step run side by side, and the gradient of each weight is one product over all steps.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from tfseqgan.ops.devices import has_gpu
from tfseqgan.ops.gradients import custom_gradient


class Gates(NamedTuple):
    """The weights of an LSTM, one tensor a gate, in the order i, f, g, o.

    Attributes:
        kernels: four of float [D, H], W.
        recurrent_kernels: four of float [H, H], U.
        biases: four of float [H], b.
    """

    kernels: list[tf.Tensor]
    recurrent_kernels: list[tf.Tensor]
    biases: list[tf.Tensor]


def gates_of(layer: keras.layers.LSTM) -> Gates:
    """Returns the weights of a built layer in its compute dtype."""
    cell = layer.cell
    weights = (cell.kernel, cell.recurrent_kernel, cell.bias)
    cast = [tf.cast(weight, layer.compute_dtype) for weight in weights]

    return Gates(*(tf.split(weight, 4, axis=-1) for weight in cast))


def input_projections(vectors: tf.Tensor, gates: Gates) -> list[tf.Tensor]:
    """Computes the part of each gate that depends on the input alone, x W + b.

    Args:
        vectors: float [..., D].
        gates: from `gates_of`.

    Returns:
        Four of float [..., H].
    """
    flat = tf.reshape(vectors, [-1, vectors.shape[-1]])
    leading = tf.shape(vectors)[:-1]
    units = gates.biases[0].shape[0]
    projections = []

    for kernel, bias in zip(gates.kernels, gates.biases, strict=True):
        projection = tf.nn.bias_add(tf.matmul(flat, kernel), bias)
        projections.append(tf.reshape(projection, tf.concat([leading, [units]], axis=0)))

    return projections


def _activations(projections, hidden, recurrent_kernels):
    """Computes the gates i, f, g and o of one step: four of float [B, H]."""
    i, f, g, o = (
        projection + tf.matmul(hidden, kernel)
        for projection, kernel in zip(projections, recurrent_kernels, strict=True)
    )

    return tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)


def lstm_step(
    projections: list[tf.Tensor],
    hidden: tf.Tensor,
    cell: tf.Tensor,
    recurrent_kernels: list[tf.Tensor],
) -> tuple[tf.Tensor, tf.Tensor]:
    """Takes one step.

    Args:
        projections: four of float [B, H], from `input_projections`.
        hidden: float [B, H].
        cell: float [B, H].
        recurrent_kernels: four of float [H, H].

    Returns:
        The new (hidden, cell), float [B, H] each.
    """
    i, f, g, o = _activations(projections, hidden, recurrent_kernels)
    cell = f * cell + i * g

    return o * tf.tanh(cell), cell


def _forward(projections, recurrent_kernels):
    """Runs over time.

    Returns TensorArrays of the hidden state and the cell before the first step and after each,
    T + 1 entries, and of the four gates, T entries.
    """
    length = tf.shape(projections[0])[0]
    batch_size = tf.shape(projections[0])[1]
    units = recurrent_kernels[0].shape[0]
    dtype = recurrent_kernels[0].dtype
    zeros = tf.zeros([batch_size, units], dtype)

    def array(size):
        return tf.TensorArray(dtype, size, clear_after_read=False, element_shape=[None, units])

    def step(t, hidden, cell, hiddens, cells, *gates):
        inputs = [projection[t] for projection in projections]
        activations = _activations(inputs, hidden, recurrent_kernels)
        i, f, g, o = activations
        cell = f * cell + i * g
        hidden = o * tf.tanh(cell)
        written = (kept.write(t, value) for kept, value in zip(gates, activations, strict=True))

        return t + 1, hidden, cell, hiddens.write(t + 1, hidden), cells.write(t + 1, cell), *written

    hiddens = array(length + 1).write(0, zeros)
    cells = array(length + 1).write(0, zeros)
    start = (0, zeros, zeros, hiddens, cells, *(array(length) for _ in range(4)))
    *_, hiddens, cells, i, f, g, o = tf.while_loop(
        lambda t, *_: t < length, step, start, parallel_iterations=1
    )

    return hiddens, cells, (i, f, g, o)


def _step_gradient(gates, cell, previous_cell, hidden_gradient, cell_gradient):
    """Computes the gradients of a step's gates before their activations, and of the cell before."""
    i, f, g, o = gates
    squashed = tf.tanh(cell)
    through_sigmoid = tf.raw_ops.SigmoidGrad
    through_tanh = tf.raw_ops.TanhGrad

    cell_gradient += through_tanh(y=squashed, dy=hidden_gradient * o)
    gate_gradients = (
        through_sigmoid(y=i, dy=cell_gradient * g),
        through_sigmoid(y=f, dy=cell_gradient * previous_cell),
        through_tanh(y=g, dy=cell_gradient * i),
        through_sigmoid(y=o, dy=hidden_gradient * squashed),
    )

    return gate_gradients, cell_gradient * f


def _backward(recurrent_kernels, cells, gates, upstream):
    """Runs back over time; returns the gradients of the four projections, float [T, B, H] each."""
    length = tf.shape(upstream)[0]
    units = recurrent_kernels[0].shape[0]
    transposed = [tf.transpose(kernel) for kernel in recurrent_kernels]
    zeros = tf.zeros_like(upstream[0])

    def step(t, hidden_gradient, cell_gradient, *arrays):
        gate_gradients, cell_gradient = _step_gradient(
            [gate.read(t) for gate in gates],
            cells.read(t + 1),
            cells.read(t),
            hidden_gradient + upstream[t],
            cell_gradient,
        )
        pairs = zip(gate_gradients, transposed, strict=True)
        hidden_gradient = tf.add_n([tf.matmul(value, kernel) for value, kernel in pairs])
        written = (kept.write(t, value) for kept, value in zip(arrays, gate_gradients, strict=True))

        return t - 1, hidden_gradient, cell_gradient, *written

    arrays = [tf.TensorArray(upstream.dtype, length, element_shape=[None, units]) for _ in range(4)]
    start = (length - 1, zeros, zeros, *arrays)
    *_, i, f, g, o = tf.while_loop(lambda t, *_: t >= 0, step, start, parallel_iterations=1)

    return [gradient.stack() for gradient in (i, f, g, o)]


@custom_gradient
def _outputs(*projections_and_kernels):
    """Computes the hidden states float [T, B, H] from four projections and four kernels."""
    projections = projections_and_kernels[:4]
    recurrent_kernels = projections_and_kernels[4:]
    hidden_array, cells, gates = _forward(projections, recurrent_kernels)
    hiddens = hidden_array.stack()  # [T + 1, B, H]

    def gradient(upstream):
        units = recurrent_kernels[0].shape[0]
        projection_gradients = _backward(recurrent_kernels, cells, gates, upstream)
        previous = tf.reshape(hiddens[:-1], [-1, units])  # [T·B, H]
        kernel_gradients = [
            tf.matmul(previous, tf.reshape(value, [-1, units]), transpose_a=True)
            for value in projection_gradients
        ]

        return *projection_gradients, *kernel_gradients

    return hiddens[1:], gradient


def lstm_states(vectors: tf.Tensor, layer: keras.layers.LSTM) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes the states after each step.

    Args:
        vectors: float [B, T, D].
        layer: a built `keras.layers.LSTM`.

    Returns:
        (hidden, cell), float [T, B, H] each.
    """
    gates = gates_of(layer)
    time_first = tf.transpose(vectors, [1, 0, 2])
    projections = input_projections(time_first, gates)
    hiddens, cells, _ = _forward(projections, gates.recurrent_kernels)

    return hiddens.stack()[1:], cells.stack()[1:]


def lstm_outputs(vectors: tf.Tensor, layer: keras.layers.LSTM) -> tf.Tensor:
    """Computes the outputs of an LSTM, as calling the layer does.

    On a GPU the layer itself is called, which cuDNN computes in one kernel.

    Args:
        vectors: float [B, T, D].
        layer: a built `keras.layers.LSTM` that returns sequences, with its default activations
            and its bias.

    Returns:
        float [B, T, H].

    Example:
        >>> layer = keras.layers.LSTM(3, return_sequences=True)
        >>> vectors = tf.random.normal([2, 4, 5])
        >>> expected = layer(vectors)
        >>> bool(tf.reduce_max(tf.abs(lstm_outputs(vectors, layer) - expected)) < 1e-6)
        True

    Reference:
        Hochreiter & Schmidhuber 1997; Gers et al. 2000, "Learning to Forget".
    """
    if has_gpu():
        return layer(vectors)

    gates = gates_of(layer)
    time_first = tf.transpose(vectors, [1, 0, 2])  # [T, B, D]
    projections = input_projections(time_first, gates)
    outputs = _outputs(*projections, *gates.recurrent_kernels)

    return tf.transpose(outputs, [1, 0, 2])
