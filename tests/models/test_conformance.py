"""One battery over a table of tiny models: what Keras and TensorFlow expect of every model holds for each of ours."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import V, assert_same, make_discriminator, make_generator, make_tokens, snapshot

import tfseqgan as sg

ROOT = Path(__file__).resolve().parents[2]
MODELS = {
    "generator of parts": make_generator,
    "generator of a table": lambda seed=1: make_generator(seed, token_features=None),
    "generator without an end": lambda seed=1: make_generator(seed, end_token_id=None, dropout=0.0),
    "generator in bfloat16": lambda seed=1: make_generator(seed, dtype="mixed_bfloat16"),
    "discriminator of parts": make_discriminator,
    "discriminator of a table": lambda seed=1: make_discriminator(seed, token_features=None),
    "discriminator in bfloat16": lambda seed=1: make_discriminator(seed, dtype="mixed_bfloat16"),
    "discriminator with two branches alike": lambda seed=1: make_discriminator(
        seed, kernel_sizes=(2, 3, 2), end_token_id=None
    ),
}
TOKENS = make_tokens(4, rows=6)
LABELS = np.array([1, 0, 1, 1, 0, 0])

every_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
both_models = pytest.mark.parametrize("make", [make_generator, make_discriminator])


def train(model, steps):
    """Takes training steps, compiled or not before; the dropout starts anew, since Keras saves its random numbers nowhere."""
    if not model.compiled:
        model.compile("adam")
    model.seed_dropout((5, 6))
    for _ in range(steps):
        model.train_on_batch(TOKENS, LABELS)


@every_model
def test_a_keras_file_gives_the_same_model_again(make, tmp_path):
    model = make()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model) and loaded.get_config() == model.get_config()
    assert_same(snapshot(model), snapshot(loaded))
    assert np.array_equal(model(TOKENS), loaded(TOKENS))


@both_models
def test_training_goes_on_from_a_keras_file_as_if_nothing_had_been(make, tmp_path):
    model = make()
    train(model, steps=2)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    train(model, steps=1), train(loaded, steps=1)
    assert len(snapshot(model)) > 2 * len(model.weights)
    assert_same(snapshot(model), snapshot(loaded))


def test_keras_files_give_the_same_outputs_in_a_fresh_process(tmp_path):
    models = {name.replace(" ", "_"): make() for name, make in MODELS.items()}
    np.save(tmp_path / "tokens.npy", TOKENS)
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
    code = (
        "import sys, pathlib, keras, numpy as np; from tfseqgan import Discriminator, Generator\n"
        "folder = pathlib.Path(sys.argv[1]); tokens = np.load(folder / 'tokens.npy')\n"
        "for file in folder.glob('*.keras'): np.save(file.with_suffix('.npy'), keras.models.load_model(file)(tokens))\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True, capture_output=True
    )
    for name, model in models.items():
        assert np.array_equal(np.load(tmp_path / f"{name}.npy"), model(TOKENS)), name


@every_model
def test_a_weights_file_fills_a_fresh_model(make, tmp_path):
    model, fresh = make(), make(seed=8)
    model.save_weights(tmp_path / "model.weights.h5")
    assert not np.array_equal(model(TOKENS), fresh(TOKENS))
    fresh.load_weights(tmp_path / "model.weights.h5")
    assert np.array_equal(model(TOKENS), fresh(TOKENS))


@both_models
def test_a_tensorflow_checkpoint_holds_the_model_and_its_optimizers_slots(make, tmp_path):
    model, fresh = make(), make(seed=8)
    train(model, steps=2)
    path = tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(
        str(tmp_path / "checkpoint")
    )
    fresh.compile("adam")
    fresh.optimizer.build(fresh.trainable_variables)
    tf.train.Checkpoint(model=fresh, optimizer=fresh.optimizer).read(
        path
    ).assert_existing_objects_matched()
    train(model, steps=1), train(fresh, steps=1)
    assert_same(snapshot(model), snapshot(fresh))


@every_model
def test_a_tensorflow_checkpoint_of_the_model_alone_holds_every_weight(make, tmp_path):
    model, fresh = make(), make(seed=8)
    path = tf.train.Checkpoint(model=model).write(str(tmp_path / "checkpoint"))
    tf.train.Checkpoint(model=fresh).read(path).assert_existing_objects_matched()
    assert_same(snapshot(model), snapshot(fresh))


@every_model
def test_the_promised_output_shape_is_the_real_one(make):
    model = make()
    assert model.compute_output_shape(TOKENS.shape) == tuple(model(TOKENS).shape)


@every_model
def test_a_symbolic_call_makes_the_same_function(make):
    model = make()
    inputs = keras.Input((None,), dtype="int32")
    outputs = model(inputs)
    assert (
        tuple(outputs.shape) == tuple(model.compute_output_shape((None, None)))
        and outputs.dtype == "float32"
    )
    np.testing.assert_allclose(keras.Model(inputs, outputs)(TOKENS), model(TOKENS), atol=1e-6)


@every_model
def test_calling_twice_gives_the_same(make):
    model = make()
    assert np.array_equal(model(TOKENS), model(TOKENS))


@every_model
def test_the_config_is_plain_json_and_makes_the_same_model(make):
    model = make()
    config = json.loads(json.dumps(model.get_config()))
    again = type(model).from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    assert [weight.shape for weight in again.weights] == [weight.shape for weight in model.weights]


@every_model
def test_building_again_changes_nothing(make):
    model = make()
    before = snapshot(model)
    model.build((None, None))
    assert_same(before, snapshot(model))


@every_model
@pytest.mark.parametrize("dtype", ["int16", "int32", "int64"])
def test_tokens_of_every_integer_type_give_the_same(make, dtype):
    model = make()
    assert np.array_equal(model(TOKENS.astype(dtype)), model(TOKENS))


@every_model
def test_sequences_of_other_lengths_and_numbers_are_taken(make):
    model = make()
    for rows, length in [(1, 1), (2, 7)]:
        tokens = make_tokens(0, rows, length)
        assert model.compute_output_shape(tokens.shape) == tuple(model(tokens).shape)


@every_model
def test_every_weight_has_a_gradient(make):
    model = make()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(TOKENS) ** 2)
    assert all(gradient is not None for gradient in tape.gradient(loss, model.trainable_variables))


@pytest.mark.parametrize(
    "features", [np.zeros((V - 1, 2), int), np.zeros(V, int), np.zeros((V, 2)), np.full((V, 2), -1)]
)
def test_part_features_that_do_not_fit_are_named(features):
    for make in (make_generator, make_discriminator):
        with pytest.raises(
            ValueError, match="token_features must be non-negative integers .* vocabulary_size = 9"
        ):
            make(token_features=features)


@both_models
def test_mixed_precision_gives_the_logits_of_full_precision_but_for_its_digits(make):
    full, mixed = make(dropout=0.0), make(dropout=0.0, dtype="mixed_bfloat16")
    assert mixed(TOKENS).dtype == tf.float32 and {
        weight.dtype for weight in mixed.trainable_weights
    } == {"float32"}
    assert 0 < np.abs(full(TOKENS) - mixed(TOKENS)).max() < 0.05 * np.abs(full(TOKENS)).max()


def test_a_bfloat16_generator_samples_what_it_scores():
    generator = make_generator(dtype="mixed_bfloat16")
    tokens, log_probs, mask = sg.Policy(generator).sample(5, 7, seed=0)
    np.testing.assert_allclose(log_probs, sg.Policy(generator).log_prob(tokens), atol=0.02)
    assert mask.shape == [5, 7]


def test_mixed_precision_plays_a_game():
    generator, discriminator = (
        make_generator(dtype="mixed_bfloat16"),
        make_discriminator(dtype="mixed_bfloat16"),
    )
    generator.compile("adam"), discriminator.compile("adam")
    options = {"batch_size": 4, "discriminator_batch_size": 4, "seed": 0, "verbose": 0}
    for credit in (sg.credit.Terminal(), sg.credit.Prefix(), sg.credit.Rollout(2)):
        history = sg.fit_adversarial(
            generator, discriminator, TOKENS, sg.kl_control(0.1, credit=credit), rounds=2, **options
        )
        assert np.isfinite(history.history["generator_loss"]).all()


def test_half_precision_that_needs_a_scaled_loss_is_refused():
    generator = make_generator(dtype="mixed_float16")
    generator.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()))
    with pytest.raises(ValueError, match="expected dtype='mixed_bfloat16'"):
        sg.pretrain(generator, TOKENS, batch_size=2, verbose=0)
