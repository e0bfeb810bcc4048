"""The recurrence equals Keras' layer, forward and backward, in every dtype, eagerly and in a graph."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.ops import lstm as recurrence
from tfseqgan.ops.lstm import gates_of, lstm_states, project, read, read_rows

B, T, D, H = 3, 5, 4, 6


def make_layer(seed=0, **options):
    """Returns a layer with random weights and biases."""
    layer = keras.layers.LSTM(H, return_sequences=True, **options)
    layer.build((None, None, D))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.get_weights()])
    return layer


def vectors(seed=1, dtype=np.float32):
    return tf.constant(np.random.default_rng(seed).normal(size=(B, T, D)), dtype)


def gradients(outputs_of, layer, inputs):
    """Returns the outputs and the gradients of a random sum of them, of the inputs and every weight."""
    upstream = np.random.default_rng(2).normal(size=(B, T, H))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = outputs_of(inputs)
        loss = tf.reduce_sum(outputs * tf.constant(upstream, outputs.dtype))
    return [
        outputs,
        *tape.gradient(loss, [inputs, *(weight.value for weight in layer.trainable_variables)]),
    ]


@pytest.mark.parametrize("compiled", [False, True])
def test_outputs_and_gradients_are_those_of_the_layer(compiled):
    layer = make_layer(dtype="float64")
    ours = lambda inputs: read(inputs, layer)  # noqa: E731
    inputs = vectors(dtype=np.float64)
    expected = gradients(layer, layer, inputs)
    found = gradients(tf.function(ours) if compiled else ours, layer, inputs)
    assert len(found) == 5
    for one, other in zip(found, expected):
        assert np.abs(other).max() > 1e-3
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("rows", [B, 70], ids=["one loop", "two loops"])
def test_rows_of_a_table_are_read_as_the_layer_reads_their_vectors(rows, compiled):
    layer, random = make_layer(dtype="float64"), np.random.default_rng(3)
    table, places = (
        tf.constant(random.normal(size=(9, D))),
        tf.constant(random.integers(0, 8, (rows, T)), tf.int32),
    )  # the last row is never read
    weights = tf.constant(random.normal(size=(rows, T, H)))

    def gradients(outputs_of):
        with tf.GradientTape() as tape:
            tape.watch(table)
            outputs = outputs_of(table, places)
            loss = tf.reduce_sum(outputs * weights)
        return [
            outputs,
            *map(
                tf.convert_to_tensor,
                tape.gradient(
                    loss, [table, *(weight.value for weight in layer.trainable_variables)]
                ),
            ),
        ]

    ours = lambda table, places: tf.transpose(
        tf.concat(read_rows(table, places, layer), axis=1), [1, 0, 2]
    )  # noqa: E731
    found, expected = (
        gradients(tf.function(ours) if compiled else ours),
        gradients(lambda table, places: layer(tf.gather(table, places))),
    )
    assert len(found) == 5 and not np.any(found[1][-1])
    for one, other in zip(found, expected):
        assert np.abs(other).max() > 1e-3
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_a_batch_of_any_size_and_length_is_read_by_one_graph():
    layer = make_layer()
    compiled = tf.function(
        lambda inputs: read(inputs, layer), input_signature=[tf.TensorSpec([None, None, D])]
    )
    for rows, length in [(1, 1), (2, 7), (B, T)]:
        inputs = tf.random.stateless_normal([rows, length, D], [rows, length])
        np.testing.assert_allclose(compiled(inputs), layer(inputs), atol=1e-6)


def test_the_states_passed_are_those_of_the_cell():
    layer = make_layer()
    hidden, cells = lstm_states(vectors(), layer)
    state = [tf.zeros([B, H])] * 2
    for t in range(T):
        _, state = layer.cell(vectors()[:, t], state)
        np.testing.assert_allclose(hidden[t], state[0], atol=1e-6)
        np.testing.assert_allclose(cells[t], state[1], atol=1e-6)


def test_inputs_are_projected_gate_by_gate():
    layer = make_layer()
    together = vectors() @ layer.cell.kernel + layer.cell.bias
    np.testing.assert_allclose(
        tf.concat(project(vectors(), gates_of(layer)), axis=-1), together, atol=1e-6
    )


def test_bfloat16_agrees_but_for_its_digits():
    full, half = make_layer(), make_layer(dtype="mixed_bfloat16")
    outputs = read(tf.cast(vectors(), tf.bfloat16), half)
    assert outputs.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), read(vectors(), full), atol=0.05)


def test_where_there_is_a_gpu_the_layer_is_called(monkeypatch):
    monkeypatch.setattr(recurrence.tf.config, "list_physical_devices", lambda kind: [kind])
    calls = []
    layer = lambda inputs: calls.append(inputs.shape) or inputs + 7  # noqa: E731
    assert np.array_equal(read(vectors(), layer), vectors() + 7)
    (outputs,) = read_rows(tf.zeros([7, D]), tf.zeros([B, T], tf.int32), layer)
    assert outputs.shape == [T, B, D] and np.all(outputs == 7)
    assert calls == [[B, T, D], [B, T, D]]
