"""The LSTM gate by gate, with a gradient of its own: what Keras' layer computes, in less time on a CPU.

With input xₜ, state h and cell c, and the logistic function σ:

    i, f, o = σ(x W + h U + b) of each,   g = tanh(x W + h U + b)
    cₜ = f ⊙ cₜ₋₁ + i ⊙ g,   hₜ = o ⊙ tanh(cₜ)

The gates' four products run side by side and need no cutting up; the sum over time of each weight's gradient is one product (benchmarks/decisions.py).
"""

from typing import NamedTuple

import tensorflow as tf

from tfseqgan.ops.sampling import row_blocks, whole_rows
from tfseqgan.ops.sparse import take_rows


class Gates(NamedTuple):
    """An LSTM's weights, one tensor a gate, in the order i, f, g, o.

    Attributes:
        inputs: float [D, H] each, W.
        states: float [H, H] each, U.
        biases: float [H] each, b.
    """

    inputs: list
    states: list
    biases: list


def gates_of(layer):
    """Returns the weights of a built `keras.layers.LSTM` in its compute dtype, as `Gates`."""
    weights = layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias
    return Gates(
        *(tf.split(tf.cast(weight, layer.compute_dtype), 4, axis=-1) for weight in weights)
    )


def project(vectors, gates):
    """Returns what the gates get from inputs, x W + b: float [..., D] → four of [..., H]."""
    flat = tf.reshape(vectors, [-1, vectors.shape[-1]])
    shape = tf.concat([tf.shape(vectors)[:-1], [gates.biases[0].shape[0]]], axis=0)
    return [
        tf.reshape(tf.nn.bias_add(tf.matmul(flat, kernel), bias), shape)
        for kernel, bias in zip(gates.inputs, gates.biases)
    ]


def activate(projected, hidden, states):
    """Returns the gates i, f, g and o of a step: four of float [B, H], float [B, H], four of [H, H] → four of [B, H]."""
    i, f, g, o = (given + tf.matmul(hidden, kernel) for given, kernel in zip(projected, states))
    return tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)


def advance(projected, hidden, cell, states):
    """Takes one step.

    Args:
        projected: four of float [B, H], from `project`.
        hidden: float [B, H].
        cell: float [B, H].
        states: four of float [H, H].

    Returns:
        (hidden, cell), float [B, H] each.
    """
    i, f, g, o = activate(projected, hidden, states)
    cell = f * cell + i * g
    return o * tf.tanh(cell), cell


def _differentiate(gates, cell, before, hidden_gradient, cell_gradient):
    """Returns the gradients before the activations of a step's gates, four of [B, H], and that of the cell before it."""
    (i, f, g, o), squashed = gates, tf.tanh(cell)
    through, through_tanh = tf.raw_ops.SigmoidGrad, tf.raw_ops.TanhGrad
    cell_gradient += through_tanh(y=squashed, dy=hidden_gradient * o)
    of_gates = (
        through(y=i, dy=cell_gradient * g),
        through(y=f, dy=cell_gradient * before),
        through_tanh(y=g, dy=cell_gradient * i),
        through(y=o, dy=hidden_gradient * squashed),
    )
    return of_gates, cell_gradient * f


def _read(projected, states):
    """Goes forward over time; returns hidden and cell before the first step and after each, and the gates of each, all as TensorArrays."""
    length, batch, size = tf.shape(projected[0])[0], tf.shape(projected[0])[1], states[0].shape[0]
    arrays = [
        tf.TensorArray(
            states[0].dtype, length + opening, clear_after_read=False, element_shape=[None, size]
        )
        for opening in (1, 1, 0, 0, 0, 0)
    ]
    zeros = tf.zeros([batch, size], states[0].dtype)

    def step(t, hidden, cell, hiddens, cells, *gates):
        i, f, g, o = activate([part[t] for part in projected], hidden, states)
        cell = f * cell + i * g
        hidden = o * tf.tanh(cell)
        return (
            t + 1,
            hidden,
            cell,
            hiddens.write(t + 1, hidden),
            cells.write(t + 1, cell),
            *(kept.write(t, value) for kept, value in zip(gates, (i, f, g, o))),
        )

    hiddens, cells, *gates = arrays
    opened = (0, zeros, zeros, hiddens.write(0, zeros), cells.write(0, zeros), *gates)
    return tf.while_loop(lambda t, *_: t < length, step, opened, parallel_iterations=1)[3:]


@tf.custom_gradient
def _unroll(*projected_and_states):
    projected, states = projected_and_states[:4], projected_and_states[4:]
    hiddens, cells, *gates = _read(projected, states)
    hiddens = hiddens.stack()  # [T + 1, B, H]

    def gradient(upstream):
        zeros, turned = tf.zeros_like(hiddens[0]), [tf.transpose(kernel) for kernel in states]

        def back(t, hidden_gradient, cell_gradient, *arrays):
            of_gates, cell_gradient = _differentiate(
                [gate.read(t) for gate in gates],
                cells.read(t + 1),
                cells.read(t),
                hidden_gradient + upstream[t],
                cell_gradient,
            )
            hidden_gradient = tf.add_n(
                [tf.matmul(value, kernel) for value, kernel in zip(of_gates, turned)]
            )
            return (
                t - 1,
                hidden_gradient,
                cell_gradient,
                *(array.write(t, value) for array, value in zip(arrays, of_gates)),
            )

        length, size = tf.shape(upstream)[0], states[0].shape[0]
        arrays = [
            tf.TensorArray(upstream.dtype, length, element_shape=[None, size]) for _ in range(4)
        ]
        *_, i, f, g, o = tf.while_loop(
            lambda t, *_: t >= 0, back, (length - 1, zeros, zeros, *arrays), parallel_iterations=1
        )
        of_projected = [array.stack() for array in (i, f, g, o)]  # [T, B, H]
        earlier = tf.reshape(hiddens[:-1], [-1, size])  # [T·B, H]
        of_states = [
            tf.matmul(earlier, tf.reshape(value, [-1, size]), transpose_a=True)
            for value in of_projected
        ]
        return *of_projected, *of_states

    return hiddens[1:], gradient


def lstm_states(vectors, layer):
    """Returns the states after each step of reading: float [B, T, D] → hidden and cell, float [T, B, H] each.

    Args:
        vectors: the inputs.
        layer: a built `keras.layers.LSTM`.
    """
    gates = gates_of(layer)
    hiddens, cells, *_ = _read(project(tf.transpose(vectors, [1, 0, 2]), gates), gates.states)
    return hiddens.stack()[1:], cells.stack()[1:]


def read(vectors, layer):
    """Returns an LSTM's outputs, as calling the layer gives them.

    Where there is a GPU the layer itself is called, which cuDNN computes in one kernel.

    Args:
        vectors: float [B, T, D].
        layer: a built `keras.layers.LSTM` that returns sequences, with the activations and the bias that it comes with.

    Returns:
        float [B, T, H].

    Example:
        >>> import keras
        >>> layer = keras.layers.LSTM(3, return_sequences=True)
        >>> vectors = tf.random.normal([2, 4, 5])
        >>> expected = layer(vectors)
        >>> bool(tf.reduce_max(tf.abs(read(vectors, layer) - expected)) < 1e-6)
        True

    Reference:
        Hochreiter & Schmidhuber 1997; Gers et al. 2000, "Learning to Forget".
    """
    if tf.config.list_physical_devices("GPU"):
        return layer(vectors)
    gates = gates_of(layer)
    return tf.transpose(
        _unroll(*project(tf.transpose(vectors, [1, 0, 2]), gates), *gates.states), [1, 0, 2]
    )


def read_rows(table, places, layer):
    """Returns an LSTM's outputs where every input is a row of a table, as `read(tf.gather(table, places), layer)` but time first, and in blocks of rows.

    What a row brings to the gates is computed once, however often it occurs, and so is its gradient.

    Args:
        table: float [R, D].
        places: int32 [B, T], 0 to R − 1.
        layer: as in `read`.

    Returns:
        float [T, b, H] for each of `rows.row_blocks`.

    Example:
        >>> import keras
        >>> layer = keras.layers.LSTM(3, return_sequences=True)
        >>> table, places = tf.random.normal([7, 5]), tf.constant([[1, 6, 1, 0], [2, 2, 2, 1]])
        >>> expected = layer(tf.gather(table, places))
        >>> outputs = tf.transpose(tf.concat(read_rows(table, places, layer), axis=1), [1, 0, 2])
        >>> bool(tf.reduce_max(tf.abs(outputs - expected)) < 1e-6)
        True
    """
    if tf.config.list_physical_devices("GPU"):
        return [tf.transpose(layer(take_rows(table, places)), [1, 0, 2])]
    gates = gates_of(layer)
    rows, at = tf.unique(tf.reshape(places, [-1]))
    projected = project(take_rows(table, whole_rows(rows)), gates)  # four of [rows that occur, H]
    at = tf.transpose(tf.reshape(at, tf.shape(places)))  # [T, B]
    return [
        _unroll(*(take_rows(part, at[:, block]) for part in projected), *gates.states)
        for block in row_blocks(places.shape[0])
    ]
