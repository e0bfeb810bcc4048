"""Adam's steps are Keras', whatever is clipped, decayed or averaged, and its state is saved and goes on."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import make_generator, make_tokens, snapshot

import tfseqgan as sg

OPTIONS = [
    {},
    {"global_clipnorm": 0.5},
    {"weight_decay": 0.1},
    {"use_ema": True, "ema_momentum": 0.5},
    {"amsgrad": True},
    {"beta_1": 0.5, "epsilon": 0.1},
]


def steps(make, compiled, **options):
    """Returns two weights and the optimizer's variables after five steps."""
    rng = np.random.default_rng(0)
    weights = [
        keras.Variable(rng.normal(size=shape).astype(np.float32)) for shape in ((3, 4), (5,))
    ]
    optimizer = make(keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5), **options)
    optimizer.build(weights)
    apply = lambda *gradients: optimizer.apply(list(gradients), weights)  # noqa: E731
    apply = tf.function(apply) if compiled else apply
    for _ in range(5):
        apply(
            *(tf.constant(rng.normal(size=weight.shape).astype(np.float32)) for weight in weights)
        )
    return [weight.numpy() for weight in weights] + [
        np.array(variable) for variable in optimizer.variables
    ]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_its_steps_are_those_of_keras(options, compiled):
    ours, theirs = (
        steps(sg.Adam, compiled, **options),
        steps(keras.optimizers.Adam, compiled, **options),
    )
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)


def test_a_model_that_was_saved_with_it_goes_on(tmp_path):
    generator = make_generator(dropout=0.0)
    generator.compile(sg.Adam(0.01, global_clipnorm=1.0))
    generator.train_on_batch(make_tokens(0, 4))
    generator.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is sg.Adam and loaded.optimizer.global_clipnorm == 1.0
    for model in (generator, loaded):
        model.train_on_batch(make_tokens(0, 4))
    for one, other in zip(snapshot(generator), snapshot(loaded)):
        np.testing.assert_array_equal(one, other)


def test_its_state_is_keras_adams_and_can_be_exchanged(tmp_path):
    weights = [keras.Variable(np.ones(3, np.float32))]
    ours, theirs = sg.Adam(0.1), keras.optimizers.Adam(0.1)
    for optimizer in (ours, theirs):
        optimizer.build(weights)
    ours.apply([tf.constant([1.0, 2.0, 3.0])], weights)
    path = tf.train.Checkpoint(optimizer=ours).save(str(tmp_path / "state"))
    tf.train.Checkpoint(optimizer=theirs).restore(path).assert_existing_objects_matched()
    np.testing.assert_array_equal(theirs._momentums[0], ours._momentums[0])
    assert int(theirs.iterations) == 1
