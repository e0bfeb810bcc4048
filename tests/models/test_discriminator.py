"""The discriminator: the paper's network by its definition, the mask, and logits of prefixes."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from reference_models import randomize, token_vectors
from tiny_models import (
    END,
    FEATURES,
    V,
    lengths,
    make_discriminator,
    make_tokens,
    sigmoid,
)

from tfseqgan import Discriminator

TOKENS = make_tokens(4, rows=6)
LABELS = np.array([1, 0, 1, 1, 0, 0])


def test_without_rows_there_are_no_logits():
    discriminator = random_discriminator()
    nothing = np.zeros((0, 5), np.int32)

    assert discriminator(nothing).shape == (0,)
    assert discriminator.prefix_logits(nothing).shape == (0, 5)


@pytest.mark.parametrize(
    "sizes", [{"filters": 99_999_999_999}, {"embedding_dim": 10**12}, {"vocabulary_size": 10**12}]
)
def test_a_model_that_no_machine_can_hold_is_refused_by_name(sizes):
    [(name, size)] = sizes.items()
    arguments = {"vocabulary_size": V, "embedding_dim": 4, "filters": 3} | sizes

    with pytest.raises(ValueError, match=rf"{name} = {size}\b.* needs about .* of memory"):
        Discriminator(**arguments)


@pytest.mark.parametrize(
    "name, sizes", [("filters", {"filters": 0}), ("kernel_sizes", {"kernel_sizes": (2, 1.5)})]
)
def test_a_size_that_is_no_count_is_named(name, sizes):
    with pytest.raises(ValueError, match=f"{name} must be a whole number of 1 or more"):
        Discriminator(V, **sizes)


@functools.cache
def random_discriminator(**options):
    """Returns a discriminator with random weights; the tests share it and do not change it."""
    return randomize(make_discriminator(**options))


def weights_of(convolution):
    """Returns the kernel and the bias of a branch, NumPy."""
    return [np.array(weight) for weight in convolution.weights]


def branches_of(discriminator):
    """Returns the kernel and the bias of every convolution."""
    return [weights_of(convolution) for convolution in discriminator.convolutions]


def reference_responses(vectors, kernel, bias):
    """Computes the response of one branch at every step: [T, D], [W, D, F] → [T, F]."""
    width = len(kernel)
    padded = np.concatenate([np.zeros((width - 1, vectors.shape[1])), vectors])
    windows = [padded[t : t + width] for t in range(len(vectors))]

    return np.stack([np.einsum("wd,wdf->f", window, kernel) + bias for window in windows])


def reference_logits(discriminator, tokens, branches):
    """Computes logits by the definition, one sequence after the other.

    Args:
        discriminator: offers the embedding, the highway and the output layer.
        tokens: int [B, T].
        branches: pairs of kernel and bias.
    """
    table = token_vectors(discriminator.embedding)
    highway = discriminator.highway
    transform, transform_bias = (np.array(weight) for weight in highway.transform.weights)
    gate_kernel, gate_bias = (np.array(weight) for weight in highway.gate.weights)
    output, output_bias = (np.array(weight) for weight in discriminator.output_layer.weights)

    logits = []
    for row, length in zip(tokens, lengths(tokens), strict=True):
        responses = [reference_responses(table[row], *branch)[:length] for branch in branches]
        peaks = np.concatenate([response.max(axis=0) for response in responses])
        features = np.maximum(peaks, 0)
        gate = sigmoid(features @ gate_kernel + gate_bias)
        transformed = np.maximum(features @ transform + transform_bias, 0)
        mixed = gate * transformed + (1 - gate) * features
        logits.append(mixed @ output[:, 0] + output_bias[0])

    return np.array(logits)


def gradients_of(function, model):
    """Returns the dense gradients of a scalar with respect to a model's weights."""
    with tf.GradientTape() as tape:
        value = function()
    gradients = tape.gradient(value, model.trainable_variables)

    return [tf.convert_to_tensor(gradient) for gradient in gradients]


@pytest.mark.parametrize("features", [FEATURES, None], ids=["parts", "table"])
def test_it_equals_its_definition_in_numpy(features):
    discriminator = randomize(make_discriminator(token_features=features))

    found = discriminator(TOKENS)

    expected = reference_logits(discriminator, TOKENS, branches_of(discriminator))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_branches_of_equal_width_computed_as_one_equal_separate_ones():
    discriminator = random_discriminator(kernel_sizes=(2, 3, 2))
    filters = discriminator.filters
    (kernel, bias), narrow = branches_of(discriminator)
    assert kernel.shape[-1] == 2 * filters
    first = (kernel[..., :filters], bias[:filters])
    second = (kernel[..., filters:], bias[filters:])

    found = discriminator(TOKENS)

    expected = reference_logits(discriminator, TOKENS, [first, second, narrow])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_branches_of_equal_width_start_with_different_weights_as_large_as_separate_ones():
    merged = make_discriminator(filters=400, kernel_sizes=(3, 3)).convolutions[0]
    alone = make_discriminator(filters=400, kernel_sizes=(3,)).convolutions[0]

    of_merged = np.array(merged.kernel)
    of_alone = np.array(alone.kernel)

    assert not np.allclose(of_merged[..., :400], of_merged[..., 400:])
    # 9,600 and 4,800 numbers: the standard errors are about 1 %.
    np.testing.assert_allclose(of_merged.std(), of_alone.std(), rtol=0.05)


def test_tokens_after_the_end_token_change_nothing_whatever_their_ids():
    discriminator = random_discriminator()
    other = TOKENS.copy()
    for row, length in zip(other, lengths(TOKENS), strict=True):
        row[length:] = (3 + np.arange(len(row) - length)) % V
    assert not np.array_equal(other, TOKENS)

    np.testing.assert_array_equal(discriminator(TOKENS), discriminator(other))

    ended = TOKENS[np.array(lengths(TOKENS)) < TOKENS.shape[1]]
    longer = np.pad(ended, ((0, 0), (0, 3)))
    np.testing.assert_allclose(discriminator(ended), discriminator(longer), rtol=1e-5)


def test_the_end_token_itself_counts():
    discriminator = random_discriminator()
    with_end = np.array([[3, 4, END, 0]])
    without_end = np.array([[3, 4, 5, 0]])

    assert not np.allclose(discriminator(with_end), discriminator(without_end))


def test_if_the_largest_response_is_negative_the_feature_is_zero():
    discriminator = randomize(make_discriminator())
    for convolution in discriminator.convolutions:
        convolution.bias.assign(tf.fill(convolution.bias.shape, -1e3))

    found = discriminator(TOKENS)

    expected = reference_logits(discriminator, TOKENS, branches_of(discriminator))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.ptp(found) < 1e-6


@pytest.mark.parametrize("length", [1, 2])
def test_sequences_shorter_than_the_widest_filter_are_accepted(length):
    discriminator = random_discriminator(kernel_sizes=(1, 4))
    tokens = make_tokens(0, rows=3, length=length)

    found = discriminator(tokens)

    expected = reference_logits(discriminator, tokens, branches_of(discriminator))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_penalty_is_half_lambda_times_the_squared_output_weights_and_nothing_else():
    discriminator = randomize(make_discriminator(l2_weight=0.2))
    discriminator.compile("adam")
    logits = discriminator(TOKENS)

    loss = discriminator.compute_loss(y=LABELS, y_pred=logits)

    exact = np.array(logits, np.float64)
    cross_entropy = np.mean(np.log1p(np.exp(exact)) - LABELS * exact)
    penalty = 0.2 / 2 * np.sum(np.array(discriminator.output_layer.kernel) ** 2)
    np.testing.assert_allclose(loss, cross_entropy + penalty, rtol=1e-5)


def test_a_sequence_of_weight_two_counts_twice_and_of_weight_zero_not_at_all():
    discriminator = randomize(make_discriminator(l2_weight=0.0))
    discriminator.compile("adam", run_eagerly=True)
    weights = np.array([2.0, 0, 1, 0, 0, 1])
    rows = np.array([0, 0, 2, 5])
    options = {"return_dict": True, "verbose": 0}

    weighted = discriminator.evaluate(TOKENS, LABELS, sample_weight=weights, **options)
    repeated = discriminator.evaluate(TOKENS[rows], LABELS[rows], **options)

    np.testing.assert_allclose(weighted["loss"], repeated["loss"], rtol=1e-5)
    np.testing.assert_allclose(weighted["accuracy"], repeated["accuracy"], rtol=1e-5)


@pytest.mark.slow
def test_dropout_is_off_except_in_training():
    without_dropout = random_discriminator(dropout=0.0)
    with_dropout = make_discriminator(dropout=0.9)
    with_dropout.set_weights(without_dropout.get_weights())
    expected = without_dropout(TOKENS)

    np.testing.assert_array_equal(with_dropout(TOKENS), expected)
    np.testing.assert_allclose(with_dropout.predict(TOKENS, verbose=0), expected, rtol=1e-4)
    assert not np.allclose(with_dropout(TOKENS, training=True), expected)


def test_dropout_repeats_from_a_seed():
    discriminator = make_discriminator()

    def outputs(seed):
        discriminator.seed_dropout(seed)
        return np.array(discriminator(TOKENS, training=True))

    first = outputs((1, 2))
    np.testing.assert_array_equal(first, outputs((1, 2)))
    assert not np.array_equal(first, outputs((1, 3)))


@pytest.mark.slow
def test_fit_learns_to_tell_two_easy_sets_apart():
    tokens = make_tokens(0, rows=80)
    labels = np.arange(80) % 2
    tokens[labels == 1, 0] = 4
    tokens[labels == 0, 0] = 5
    discriminator = make_discriminator(filters=6)
    discriminator.compile(keras.optimizers.Adam(0.03))
    options = {"batch_size": 20, "return_dict": True, "verbose": 0}

    before = discriminator.evaluate(tokens, labels, **options)["accuracy"]
    discriminator.fit(tokens[:60], labels[:60], epochs=15, batch_size=20, verbose=0)
    after = discriminator.evaluate(tokens[60:], labels[60:], **options)["accuracy"]

    is_right = (np.array(discriminator(tokens[60:])) > 0) == labels[60:]
    np.testing.assert_allclose(after, is_right.mean(), rtol=1e-6)
    assert before < 0.8
    assert after > 0.9


@pytest.mark.parametrize("dtype, precision", [("float32", 1e-5), ("mixed_bfloat16", 2**-7)])
def test_the_logit_of_a_prefix_is_that_of_the_prefix_alone(dtype, precision):
    discriminator = random_discriminator(kernel_sizes=(1, 3, 4), dtype=dtype)

    found = discriminator.prefix_logits(TOKENS).numpy()

    assert found.shape == TOKENS.shape
    for length in range(1, TOKENS.shape[1] + 1):
        alone = discriminator(TOKENS[:, :length])
        np.testing.assert_allclose(found[:, length - 1], alone, rtol=precision, atol=precision)


def test_the_logit_of_a_prefix_is_that_of_the_prefix_alone_with_long_filters_too():
    discriminator = random_discriminator(kernel_sizes=(2, 16))  # 16 is convolved by its spectrum
    tokens = make_tokens(4, rows=6, length=19)

    found = discriminator.prefix_logits(tokens).numpy()

    for length in (1, 15, 16, 17, 19):
        alone = discriminator(tokens[:, :length])
        np.testing.assert_allclose(found[:, length - 1], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("length", [2, 5], ids=["shorter than a filter", "longer"])
def test_the_gradient_of_the_logit_of_a_prefix_is_that_of_the_prefix_alone(length):
    discriminator = random_discriminator(kernel_sizes=(1, 2, 3))
    weights = np.arange(1.0, 7.0, dtype=np.float32)

    def of_all_prefixes():
        return tf.reduce_sum(discriminator.prefix_logits(TOKENS)[:, length - 1] * weights)

    def of_prefix_alone():
        return tf.reduce_sum(discriminator(TOKENS[:, :length]) * weights)

    found = gradients_of(of_all_prefixes, discriminator)
    expected = gradients_of(of_prefix_alone, discriminator)

    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@functools.cache
def logits_of_prefixes_alone(kernel_sizes):
    """Returns tokens int [6, 13] and the logit of each of their prefixes, scored alone."""
    discriminator = random_discriminator(kernel_sizes=kernel_sizes)
    tokens = make_tokens(4, rows=6, length=13)
    logits = [discriminator(tokens[:, :length]) for length in range(1, 14)]

    return tokens, np.stack(logits, axis=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kernel_sizes",
    [(1, 3), (2, 50)],
    ids=["short filters", "a filter wider than the sequence"],
)
@pytest.mark.parametrize("every", [2, 3, 4, 50])
def test_the_logits_of_every_so_many_tokens_are_those_of_these_prefixes(every, kernel_sizes):
    tokens, alone = logits_of_prefixes_alone(kernel_sizes)

    found = random_discriminator(kernel_sizes=kernel_sizes).prefix_logits(tokens, every)

    prefix_lengths = [*range(every, 13, every), 13]
    expected = alone[:, np.array(prefix_lengths) - 1]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_in_a_graph_the_logits_of_prefixes_and_their_gradients_are_the_same():
    discriminator = random_discriminator(kernel_sizes=(1, 3))
    tokens = tf.constant(make_tokens(4, rows=6, length=13))

    def sum_of_squares():
        return tf.reduce_sum(discriminator.prefix_logits(tokens, 3) ** 2)

    def logits_and_gradients():
        logits = discriminator.prefix_logits(tokens, 3)
        return [logits, *gradients_of(sum_of_squares, discriminator)]

    eager = logits_and_gradients()
    compiled = tf.function(logits_and_gradients)()

    for one, other in zip(eager, compiled, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_after_the_end_token_the_logit_of_a_prefix_stays_the_same():
    prefix_logits = random_discriminator().prefix_logits(TOKENS).numpy()

    for logits, length in zip(prefix_logits, lengths(TOKENS), strict=True):
        np.testing.assert_allclose(logits[length - 1 :], logits[-1], rtol=1e-6)
