"""Adam takes Keras' steps, and a saved state resumes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import snapshot

import tfseqgan as sg

OPTIONS = [
    {},
    {"global_clipnorm": 0.5},
    {"weight_decay": 0.1},
    {"use_ema": True, "ema_momentum": 0.5},
    {"amsgrad": True},
    {"beta_1": 0.5, "epsilon": 0.1},
]


def take_five_steps(optimizer_class, options, compiled=False):
    """Returns two weights and the optimizer's variables after five steps."""
    rng = np.random.default_rng(0)
    shapes = [(3, 4), (5,)]
    weights = [keras.Variable(rng.normal(size=shape).astype(np.float32)) for shape in shapes]
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    optimizer = optimizer_class(schedule, **options)
    optimizer.build(weights)

    def apply(*gradients):
        optimizer.apply(list(gradients), weights)

    step = tf.function(apply) if compiled else apply
    for _ in range(5):
        step(*(tf.constant(rng.normal(size=shape), tf.float32) for shape in shapes))

    return [np.array(variable) for variable in (*weights, *optimizer.variables)]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_its_steps_are_those_of_keras_in_and_out_of_a_graph(options):
    expected = take_five_steps(keras.optimizers.Adam, options)

    for compiled in (False, True):
        found = take_five_steps(sg.Adam, options, compiled)

        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-6)


def test_training_of_a_saved_model_resumes(tmp_path):
    inputs, targets = np.random.default_rng(0).normal(size=(2, 4, 3))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile(sg.Adam(0.01, global_clipnorm=1.0), "mse")
    model.train_on_batch(inputs, targets)

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is sg.Adam
    assert loaded.optimizer.global_clipnorm == 1.0

    for trained in (model, loaded):
        trained.train_on_batch(inputs, targets)
    for expected, found in zip(snapshot(model), snapshot(loaded), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_keras_adam_reads_its_checkpoints(tmp_path):
    weights = [keras.Variable(np.ones(3, np.float32))]
    ours = sg.Adam(0.1)
    theirs = keras.optimizers.Adam(0.1)
    for optimizer in (ours, theirs):
        optimizer.build(weights)

    ours.apply([tf.constant([1.0, 2.0, 3.0])], weights)
    path = tf.train.Checkpoint(optimizer=ours).save(str(tmp_path / "state"))
    tf.train.Checkpoint(optimizer=theirs).restore(path).assert_existing_objects_matched()

    for copy, original in zip(theirs.variables, ours.variables, strict=True):
        np.testing.assert_array_equal(copy, original)
    assert int(theirs.iterations) == 1
