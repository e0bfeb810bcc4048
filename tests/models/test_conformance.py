"""What Keras and TensorFlow expect of a model, tested for each of a table of tiny models."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import (
    assert_same,
    make_attention_generator,
    make_attention_that_reads_controls,
    make_discriminator,
    make_generator,
    make_lstm_that_reads_controls,
    make_tokens,
    snapshot,
)

import tfseqgan as sg

ROOT = Path(__file__).resolve().parents[2]
TOKENS = make_tokens(4, rows=6)
LABELS = np.array([1, 0, 1, 1, 0, 0])

MODELS = {
    "generator of parts": make_generator,
    "generator of a table": functools.partial(make_generator, token_features=None),
    "generator without an end": functools.partial(make_generator, end_token_id=None, dropout=0.0),
    "generator in bfloat16": functools.partial(make_generator, dtype="mixed_bfloat16"),
    "attention of parts": make_attention_generator,
    "attention of a table": functools.partial(make_attention_generator, token_features=None),
    "attention in bfloat16": functools.partial(make_attention_generator, dtype="mixed_bfloat16"),
    "controls of parts": make_attention_that_reads_controls,
    "LSTM with controls": make_lstm_that_reads_controls,
    "controls in bfloat16": functools.partial(
        make_attention_that_reads_controls, dtype="mixed_bfloat16"
    ),
    "discriminator of parts": make_discriminator,
    "discriminator of a table": functools.partial(make_discriminator, token_features=None),
    "discriminator in bfloat16": functools.partial(make_discriminator, dtype="mixed_bfloat16"),
    "discriminator with two equal branches": functools.partial(
        make_discriminator, kernel_sizes=(2, 3, 2), end_token_id=None
    ),
}
every_model = pytest.mark.parametrize(
    "name",
    [
        name if name.endswith("of parts") else pytest.param(name, marks=pytest.mark.slow)
        for name in MODELS
    ],
)
every_kind = pytest.mark.parametrize(
    "make",
    [
        make_generator,
        make_attention_generator,
        make_attention_that_reads_controls,
        make_discriminator,
    ],
)


@functools.cache
def shared_model(name):
    """Returns a model that the tests share and do not change."""
    return MODELS[name](seed=1)


def different_model(name):
    """Returns a new model of the same configuration with other weights."""
    return MODELS[name](seed=8)


@pytest.fixture(scope="module")
def keras_files(tmp_path_factory):
    """The shared models as Keras files, by name."""
    folder = tmp_path_factory.mktemp("models")
    files = {name: folder / f"{name}.keras" for name in MODELS}
    for name, file in files.items():
        shared_model(name).save(file)

    return files


def train(model, steps):
    """Takes training steps; first restarts dropout, whose random numbers Keras does not save."""
    if not model.compiled:
        model.compile("adam", run_eagerly=True)
    model.seed_dropout((5, 6))
    labels = LABELS if isinstance(model, sg.Discriminator) else None
    for _ in range(steps):
        model.train_on_batch(TOKENS, labels)


@every_model
def test_a_keras_file_gives_the_same_model_again(name, keras_files):
    model = shared_model(name)

    loaded = keras.models.load_model(keras_files[name])

    assert type(loaded) is type(model)
    assert loaded.get_config() == model.get_config()
    assert_same(snapshot(model), snapshot(loaded))
    np.testing.assert_array_equal(model(TOKENS), loaded(TOKENS))


@pytest.mark.processes
@pytest.mark.slow
def test_keras_files_give_the_same_outputs_in_a_new_process(keras_files, tmp_path):
    code = """
import sys
from pathlib import Path
import keras, numpy as np
from tfseqgan import AttentionGenerator, Discriminator, Generator

out, *files = map(Path, sys.argv[1:])
tokens = np.load(out / "tokens.npy")
for file in files:
    np.save(out / f"{file.stem}.npy", keras.models.load_model(file)(tokens))
"""
    np.save(tmp_path / "tokens.npy", TOKENS)

    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *map(str, keras_files.values())],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )

    for name in MODELS:
        outputs = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_array_equal(outputs, shared_model(name)(TOKENS), err_msg=name)


@pytest.mark.slow
@every_kind
def test_training_resumes_from_a_keras_file_and_from_a_checkpoint_to_the_bit(make, tmp_path):
    model = make()
    train(model, steps=2)
    model.save(tmp_path / "model.keras")
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    path = checkpoint.write(str(tmp_path / "checkpoint"))
    train(model, steps=1)
    expected = snapshot(model)
    assert len(expected) > 2 * len(model.weights)  # the optimizer's variables too

    loaded = keras.models.load_model(tmp_path / "model.keras")
    train(loaded, steps=1)
    assert_same(snapshot(loaded), expected)

    restored = make(seed=8)
    restored.compile("adam", run_eagerly=True)
    restored.optimizer.build(restored.trainable_variables)
    status = tf.train.Checkpoint(model=restored, optimizer=restored.optimizer).read(path)
    status.assert_existing_objects_matched()
    train(restored, steps=1)
    assert_same(snapshot(restored), expected)


@pytest.mark.slow
@every_model
def test_a_weights_file_fills_another_model(name, tmp_path):
    expected = shared_model(name)(TOKENS)
    model = different_model(name)
    assert not np.array_equal(model(TOKENS), expected)

    shared_model(name).save_weights(tmp_path / "model.weights.h5")
    model.load_weights(tmp_path / "model.weights.h5")

    np.testing.assert_array_equal(model(TOKENS), expected)


@pytest.mark.slow
@every_model
def test_a_tensorflow_checkpoint_of_the_model_alone_holds_every_weight(name, tmp_path):
    model = different_model(name)

    path = tf.train.Checkpoint(model=shared_model(name)).write(str(tmp_path / "checkpoint"))
    tf.train.Checkpoint(model=model).read(path).assert_existing_objects_matched()

    assert_same(snapshot(shared_model(name)), snapshot(model))


@every_model
def test_the_promised_output_shape_is_the_real_one(name):
    model = shared_model(name)

    for num_rows, length in [(6, 5), (1, 1), (2, 7)]:
        tokens = make_tokens(0, num_rows, length)
        assert model.compute_output_shape(tokens.shape) == tuple(model(tokens).shape)


@pytest.mark.slow
@every_model
def test_a_symbolic_call_makes_the_same_function(name):
    model = shared_model(name)
    inputs = keras.Input((None,), dtype="int32")

    outputs = model(inputs)

    assert tuple(outputs.shape) == tuple(model.compute_output_shape((None, None)))
    assert outputs.dtype == "float32"
    functional = keras.Model(inputs, outputs)
    np.testing.assert_allclose(functional(TOKENS), model(TOKENS), atol=1e-6)


@pytest.mark.slow
@every_model
@pytest.mark.parametrize("dtype", ["int16", "int32", "int64"])
def test_two_calls_with_tokens_of_any_integer_type_give_the_same(name, dtype):
    model = shared_model(name)

    np.testing.assert_array_equal(model(TOKENS.astype(dtype)), model(TOKENS))


@every_model
def test_the_config_is_plain_json_and_makes_the_same_model(name):
    model = shared_model(name)
    config = json.loads(json.dumps(model.get_config()))

    copy = type(model).from_config(config)

    assert json.loads(json.dumps(copy.get_config())) == config
    shapes = [weight.shape for weight in model.weights]
    assert [weight.shape for weight in copy.weights] == shapes


@every_model
def test_building_a_second_time_changes_nothing(name):
    model = shared_model(name)
    before = snapshot(model)

    model.build((None, None))

    assert_same(before, snapshot(model))


@every_model
def test_every_weight_has_a_gradient(name):
    model = shared_model(name)

    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model(TOKENS) ** 2)
    gradients = tape.gradient(total, model.trainable_variables)

    assert all(gradient is not None for gradient in gradients)


@pytest.mark.slow
@every_kind
def test_mixed_precision_gives_the_logits_of_full_precision_except_for_its_precision(make):
    full = make(dropout=0.0)
    mixed = make(dropout=0.0, dtype="mixed_bfloat16")

    expected = full(TOKENS)
    found = mixed(TOKENS)

    assert found.dtype == tf.float32
    assert {weight.dtype for weight in mixed.trainable_weights} == {"float32"}
    largest_error = np.abs(expected - found).max()
    assert 0 < largest_error < 0.05 * np.abs(expected).max()


@pytest.mark.slow
def test_a_bfloat16_generator_samples_what_it_scores():
    policy = sg.Policy(shared_model("generator in bfloat16"))

    tokens, log_probs, mask = policy.sample(5, length=7, seed=0)

    np.testing.assert_allclose(log_probs, policy.log_prob(tokens), atol=0.02)
    assert mask.shape == [5, 7]


@pytest.mark.slow
@pytest.mark.parametrize(
    "credit",
    [sg.credit.Terminal(), sg.credit.Prefix(), sg.credit.Rollout(2)],
    ids=["terminal", "prefix", "rollout"],
)
def test_adversarial_training_in_mixed_precision_stays_finite(credit):
    generator = make_generator(dtype="mixed_bfloat16")
    discriminator = make_discriminator(dtype="mixed_bfloat16")
    generator.compile("adam")
    discriminator.compile("adam")

    history = sg.fit_adversarial(
        generator,
        discriminator,
        TOKENS,
        sg.kl_control(0.1, credit=credit),
        rounds=2,
        discriminator_steps=1,
        batch_size=4,
        discriminator_batch_size=4,
        seed=0,
        verbose=0,
    ).history

    assert np.isfinite(history["generator_loss"]).all()
    assert np.isfinite(history["discriminator_loss"]).all()


def test_half_precision_that_needs_a_scaled_loss_is_refused():
    generator = make_generator(dtype="mixed_float16")
    generator.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()))

    with pytest.raises(ValueError, match="expected dtype='mixed_bfloat16'"):
        sg.pretrain(generator, TOKENS, batch_size=2, verbose=0)
