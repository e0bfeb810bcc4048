"""The LSTM equals its equations and Keras' layer: outputs, gradients, dtypes and graphs."""

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.ops.lstm import (
    gates_of,
    input_projections,
    lstm_outputs,
    lstm_states,
    lstm_step,
)

B, T, D, H = 3, 5, 4, 6


def reference_step(vectors, hidden, cell, layer):
    """Takes one step by the equations; returns the new (hidden, cell)."""
    kernel, recurrent_kernel, bias = layer.trainable_variables
    i, f, g, o = tf.split(vectors @ kernel + hidden @ recurrent_kernel + bias, 4, axis=1)
    cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(g)
    return tf.sigmoid(o) * tf.tanh(cell), cell


def reference_states(vectors, layer):
    """Returns the hidden states and the cells after each step, [T, B, H] each."""
    state = (tf.zeros([B, H], vectors.dtype), tf.zeros([B, H], vectors.dtype))
    states = []
    for step_vectors in tf.unstack(vectors, axis=1):
        state = reference_step(step_vectors, *state, layer)
        states.append(state)
    hiddens, cells = zip(*states, strict=True)

    return tf.stack(hiddens), tf.stack(cells)


def reference_outputs(vectors, layer):
    """Returns the hidden state after each step, [B, T, H]."""
    return tf.transpose(reference_states(vectors, layer)[0], [1, 0, 2])


def make_layer(**options):
    """Returns a layer whose weights and biases are random."""
    layer = keras.layers.LSTM(H, return_sequences=True, **options)
    layer.build((None, None, D))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.get_weights()])

    return layer


def random_vectors(dtype=tf.float32):
    """Returns the inputs of a layer, [B, T, D]."""
    return tf.constant(np.random.default_rng(1).normal(size=(B, T, D)), dtype)


def value_and_gradients(outputs_of, layer, vectors):
    """Returns outputs and the gradients of a weighted sum of them: of vectors, of each weight."""
    weights = np.random.default_rng(2).normal(size=(B, T, H))
    variables = [weight.value for weight in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        outputs = outputs_of(vectors)
        total = tf.reduce_sum(outputs * tf.constant(weights, outputs.dtype))

    return [outputs, *tape.gradient(total, [vectors, *variables])]


def test_outputs_and_gradients_are_those_of_the_equations_and_of_the_layer():
    layer = make_layer(dtype="float64")
    vectors = random_vectors(tf.float64)

    def ours(vectors):
        return lstm_outputs(vectors, layer)

    of_equations = value_and_gradients(lambda x: reference_outputs(x, layer), layer, vectors)
    of_layer = value_and_gradients(layer, layer, vectors)
    assert len(of_layer) == 5
    assert all(np.abs(part).max() > 1e-3 for part in of_layer)

    for function in (ours, tf.function(ours)):
        found = value_and_gradients(function, layer, vectors)
        for expected in (of_equations, of_layer):
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_one_graph_takes_batches_of_any_size_and_length():
    layer = make_layer()
    compiled = tf.function(
        lambda vectors: lstm_outputs(vectors, layer),
        input_signature=[tf.TensorSpec([None, None, D])],
    )

    for batch_size, length in [(1, 1), (2, 7), (B, T)]:
        vectors = tf.random.stateless_normal([batch_size, length, D], [batch_size, length])
        np.testing.assert_allclose(compiled(vectors), layer(vectors), atol=1e-6)


def test_a_step_is_that_of_the_equations():
    layer = make_layer()
    gates = gates_of(layer)
    vectors = random_vectors()
    hidden = tf.random.stateless_normal([B, H], [0, 0])
    cell = tf.random.stateless_normal([B, H], [0, 1])

    projections = input_projections(vectors[:, 0], gates)
    found = lstm_step(projections, hidden, cell, gates.recurrent_kernels)

    expected = reference_step(vectors[:, 0], hidden, cell, layer)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_states_after_each_step_are_those_of_the_equations_and_of_the_layers_cell():
    layer = make_layer()
    vectors = random_vectors()

    hiddens, cells = lstm_states(vectors, layer)

    expected_hiddens, expected_cells = reference_states(vectors, layer)
    np.testing.assert_allclose(hiddens, expected_hiddens, atol=1e-6)
    np.testing.assert_allclose(cells, expected_cells, atol=1e-6)

    state = [tf.zeros([B, H])] * 2
    for t in range(T):
        _, state = layer.cell(vectors[:, t], state)
        np.testing.assert_allclose(hiddens[t], state[0], atol=1e-6)
        np.testing.assert_allclose(cells[t], state[1], atol=1e-6)


def test_inputs_are_projected_gate_by_gate():
    layer = make_layer()
    vectors = random_vectors()

    projections = input_projections(vectors, gates_of(layer))

    expected = vectors @ layer.cell.kernel + layer.cell.bias
    np.testing.assert_allclose(tf.concat(projections, axis=-1), expected, atol=1e-6)


def test_bfloat16_agrees_except_for_its_precision():
    full = make_layer()
    half = make_layer(dtype="mixed_bfloat16")

    outputs = lstm_outputs(random_vectors(tf.bfloat16), half)

    assert outputs.dtype == tf.bfloat16
    expected = lstm_outputs(random_vectors(), full)
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), expected, atol=0.05)


def test_on_a_gpu_the_layer_itself_is_called(monkeypatch):
    monkeypatch.setattr("tfseqgan.ops.lstm.has_gpu", lambda: True)
    shapes = []

    def layer(vectors):
        shapes.append(vectors.shape)
        return vectors + 7

    outputs = lstm_outputs(random_vectors(), layer)

    np.testing.assert_array_equal(outputs, random_vectors() + 7)
    assert shapes == [[B, T, D]]
