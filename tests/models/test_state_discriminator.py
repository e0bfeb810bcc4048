"""The discriminator that reads a generator's states: definition, prefixes, what is trained."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import (
    CONTROLLED,
    CONTROLLED_TUNES,
    V,
    make_generator,
    make_generator_with_controls,
    make_tokens,
)

from tfseqgan.models.state_discriminator import StateDiscriminator

TUNES = CONTROLLED.whole_tunes(CONTROLLED_TUNES, 60).tokens
KINDS = ("lstm", "attention")


def make(reader, seed=3):
    """Returns a tiny discriminator with random weights."""
    keras.utils.set_random_seed(seed)
    discriminator = StateDiscriminator(reader, hidden_dim=5, filters=3, kernel_sizes=(1, 4))
    rng = np.random.default_rng(seed)
    for weight in discriminator.trainable_variables:
        weight.assign(rng.normal(size=weight.shape))

    return discriminator


def reference_vectors(discriminator, tokens):
    """Computes the vectors of one tune by the definition: int [T] → float [T, hidden]."""
    reader = discriminator.reader
    log_probs, outputs = reader.log_probs_and_outputs(tokens[None])
    table = np.array(reader.embedding.table())
    surprise = discriminator.surprise_layer

    vectors = []
    for t, token in enumerate(tokens):
        log_prob = max(float(log_probs[0, t]), -20.0)
        surprises = np.array([log_prob, np.exp(log_prob), min(log_prob + 4, 0)])
        output = outputs[0, t].numpy().astype(np.float16).astype(float)
        vector = output @ discriminator.state_layer.kernel.numpy()
        vector += table[token] @ discriminator.token_layer.kernel.numpy()
        vectors.append(vector + surprises @ surprise.kernel.numpy() + surprise.bias.numpy())

    return np.maximum(vectors, 0)


def reference_logit(discriminator, tokens):
    """Computes the logit of one tune by the definition, int [T] → float."""
    reader = discriminator.reader
    end = list(tokens).index(reader.end_token_id)
    is_event = (reader.token_durations > 0).any(axis=1)[tokens]
    counts = (is_event & (np.arange(len(tokens)) < end)) | (np.arange(len(tokens)) == end)
    vectors = reference_vectors(discriminator, tokens) * counts[:, None]

    responses = []
    for layer in discriminator.convolutions:
        kernel = layer.kernel.numpy()
        padded = np.concatenate([np.zeros((len(kernel) - 1, vectors.shape[1])), vectors])
        windows = [padded[t : t + len(kernel)] for t in range(len(tokens))]
        response = [np.einsum("wd,wdf->f", window, kernel) for window in windows]
        responses.append(np.maximum(np.array(response) + layer.bias.numpy(), 0))
    counted = np.concatenate(responses, axis=1)[counts]
    pooled = np.concatenate([counted.max(axis=0), counted.mean(axis=0)])

    first, last = discriminator.hidden_layer, discriminator.output_layer
    hidden = np.maximum(pooled @ first.kernel.numpy() + first.bias.numpy(), 0)

    return float((hidden @ last.kernel.numpy() + last.bias.numpy())[0])


@pytest.mark.parametrize("kind", KINDS)
def test_logits_follow_the_definition(kind):
    discriminator = make(make_generator_with_controls(kind))

    expected = [reference_logit(discriminator, tokens) for tokens in TUNES]

    np.testing.assert_allclose(discriminator(TUNES), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("every", [1, 7])
def test_the_logit_of_a_prefix_is_that_of_its_tokens_alone(every):
    discriminator = make(make_generator_with_controls("attention"))

    logits = discriminator.prefix_logits(TUNES, every)

    assert logits.shape == (len(TUNES), -(-TUNES.shape[1] // every))
    for column in range(0, logits.shape[1], 3):
        of_prefix = discriminator(TUNES[:, : (column + 1) * every])
        np.testing.assert_allclose(logits[:, column], of_prefix, rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(logits[:, -1], discriminator(TUNES), rtol=1e-3, atol=2e-3)


def test_what_stands_after_the_end_does_not_count():
    discriminator = make(make_generator(dropout=0.0))
    tokens = make_tokens(4, rows=6)
    tokens[:, 2] = discriminator.end_token_id
    others = tokens.copy()
    others[:, 3:] = (others[:, 3:] + 1) % V

    np.testing.assert_array_equal(discriminator(tokens), discriminator(others))


def test_only_its_own_weights_are_trained():
    generator = make_generator_with_controls("lstm")
    discriminator = make(generator)
    discriminator.compile(keras.optimizers.Adam(0.1))
    before = discriminator.get_weights()
    of_reader = discriminator.reader.get_weights()

    discriminator.fit(TUNES, np.array([1, 0, 1]), epochs=1, verbose=0)

    for weight, old in zip(discriminator.reader.get_weights(), of_reader, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert len(discriminator.trainable_variables) == 3 + 1 + 2 * 2 + 2 * 2
    assert any(
        (new != old).any() for new, old in zip(discriminator.get_weights(), before, strict=True)
    )


def test_it_does_not_follow_the_generator_that_it_was_made_from():
    generator = make_generator_with_controls("lstm")
    discriminator = make(generator)
    before = discriminator(TUNES)

    for weight in generator.trainable_variables:
        weight.assign(weight + 1.0)

    assert generator.trainable_variables
    np.testing.assert_array_equal(discriminator(TUNES), before)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded_it_gives_the_same_logits_and_can_be_trained_on(kind, tmp_path):
    discriminator = make(make_generator_with_controls(kind))
    discriminator.compile(keras.optimizers.Adam(0.1))
    discriminator.fit(TUNES, np.array([1, 0, 1]), epochs=1, verbose=0)
    discriminator.save(tmp_path / "discriminator.keras")

    loaded = keras.models.load_model(tmp_path / "discriminator.keras")

    np.testing.assert_array_equal(loaded(TUNES), discriminator(TUNES))
    assert len(loaded.trainable_variables) == len(discriminator.trainable_variables)
    assert int(loaded.optimizer.iterations) == 1


def test_no_gradient_reaches_the_reader():
    discriminator = make(make_generator_with_controls("lstm"))
    discriminator.reader.trainable = True
    of_reader = discriminator.reader.trainable_variables

    with tf.GradientTape() as tape:
        logits = tf.reduce_sum(discriminator(TUNES))

    assert of_reader
    assert tape.gradient(logits, of_reader) == [None] * len(of_reader)


def test_equal_widths_are_one_convolution_with_the_filters_of_both():
    keras.utils.set_random_seed(0)
    discriminator = StateDiscriminator(make_generator(), filters=3, kernel_sizes=(4, 4, 2))

    shapes = [layer.kernel.shape for layer in discriminator.convolutions]

    assert shapes == [(4, 96, 6), (2, 96, 3)]
    assert discriminator.hidden_layer.kernel.shape[0] == 2 * 9


def test_a_reader_in_mixed_precision_gives_finite_float32_logits():
    reader = make_generator_with_controls("attention", dtype="mixed_bfloat16")
    discriminator = make(reader)

    logits = discriminator(TUNES)

    assert logits.dtype == tf.float32
    assert np.isfinite(logits).all()
    assert {weight.dtype for weight in discriminator.trainable_variables} == {"float32"}


@pytest.mark.parametrize(
    "sizes", [{"filters": 0}, {"hidden_dim": 1.5}, {"kernel_sizes": (2, -1)}, {"kernel_sizes": ()}]
)
def test_a_size_that_is_no_count_is_named(sizes):
    [name] = sizes

    with pytest.raises(ValueError, match=f"{name} must be a whole number of 1 or more"):
        StateDiscriminator(make_generator(), **sizes)
