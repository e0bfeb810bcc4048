"""The discriminator: the paper's network by its definition, and a mask that nothing gets past."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import (
    END,
    FEATURES,
    V,
    embedding_twin,
    lengths,
    make_discriminator,
    make_tokens,
    sigmoid,
)

from tfseqgan.models import discriminator as discriminator_module
from tfseqgan.ops import sparse

TOKENS = make_tokens(4, rows=6)
LABELS = np.array([1, 0, 1, 1, 0, 0])


def responses(vectors, kernel, bias):
    """Returns what one branch of causal filters answers at every step: [T, D], [width, D, F] → [T, F]."""
    padded = np.concatenate([np.zeros((len(kernel) - 1, vectors.shape[1])), vectors])
    windows = [padded[t : t + len(kernel)] for t in range(len(vectors))]
    return np.stack([np.einsum("wd,wdf->f", window, kernel) + bias for window in windows])


def discriminator_twin(discriminator, tokens, branches):
    """Returns the logits by the definition, one sequence after the other; branches are pairs of kernel and bias."""
    table = (
        embedding_twin(discriminator.embedding)
        if discriminator.token_features is not None
        else np.array(discriminator.embedding.own)
    )
    layers = (
        discriminator.highway.transform,
        discriminator.highway.gate,
        discriminator.output_layer,
    )
    (w, b), (u, c), (v, d) = ([np.array(weight) for weight in layer.weights] for layer in layers)
    logits = []
    for row, length in zip(tokens, lengths(tokens)):
        peaks = [responses(table[row], *branch)[:length].max(axis=0) for branch in branches]
        features = np.maximum(np.concatenate(peaks), 0)
        gate = sigmoid(features @ u + c)
        logits.append(
            (gate * np.maximum(features @ w + b, 0) + (1 - gate) * features) @ v[:, 0] + d[0]
        )
    return np.array(logits)


def shaken(**options):
    """Returns a discriminator none of whose weights is zero."""
    discriminator, rng = make_discriminator(**options), np.random.default_rng(0)
    for weight in discriminator.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    return discriminator


def weights_of(convolution):
    return [np.array(weight) for weight in convolution.weights]


@pytest.mark.parametrize("features", [FEATURES, None], ids=["parts", "table"])
def test_it_equals_its_definition_in_numpy(features):
    discriminator = shaken(token_features=features)
    branches = [weights_of(convolution) for convolution in discriminator.convolutions]
    np.testing.assert_allclose(
        discriminator(TOKENS),
        discriminator_twin(discriminator, TOKENS, branches),
        rtol=1e-4,
        atol=1e-5,
    )


def test_branches_of_equal_width_computed_as_one_equal_separate_ones():
    discriminator = shaken(kernel_sizes=(2, 3, 2))
    (kernel, bias), narrow = (
        weights_of(discriminator.convolutions[0]),
        weights_of(discriminator.convolutions[1]),
    )
    count = discriminator.filters
    assert len(discriminator.convolutions) == 2 and kernel.shape[-1] == 2 * count
    branches = [(kernel[..., :count], bias[:count]), (kernel[..., count:], bias[count:]), narrow]
    np.testing.assert_allclose(
        discriminator(TOKENS),
        discriminator_twin(discriminator, TOKENS, branches),
        rtol=1e-4,
        atol=1e-5,
    )


def test_branches_of_equal_width_start_apart_and_as_wide_as_separate_ones():
    merged, alone = (
        make_discriminator(filters=400, kernel_sizes=(3, 3)),
        make_discriminator(filters=400, kernel_sizes=(3,)),
    )
    kernels = [np.array(discriminator.convolutions[0].kernel) for discriminator in (merged, alone)]
    assert not np.allclose(kernels[0][..., :400], kernels[0][..., 400:])
    np.testing.assert_allclose(
        kernels[0].std(), kernels[1].std(), rtol=0.05
    )  # 9,600 and 4,800 numbers: errors of about 1 %


def test_what_stands_behind_the_end_changes_nothing_whatever_its_ids():
    discriminator, other = shaken(), TOKENS.copy()
    for row, length in zip(other, lengths(TOKENS)):
        row[length:] = (3 + np.arange(len(row) - length)) % V
    assert not np.array_equal(other, TOKENS)
    assert np.array_equal(discriminator(TOKENS), discriminator(other))
    ended = TOKENS[np.array(lengths(TOKENS)) < TOKENS.shape[1]]
    np.testing.assert_allclose(
        discriminator(ended), discriminator(np.pad(ended, ((0, 0), (0, 3)))), rtol=1e-5
    )


def test_the_end_itself_is_heard():
    discriminator = shaken()
    with_end, without = np.array([[3, 4, END, 0]]), np.array([[3, 4, 5, 0]])
    assert not np.allclose(discriminator(with_end), discriminator(without))


def test_the_largest_response_may_be_negative_and_then_the_feature_is_zero():
    discriminator = shaken()
    for convolution in discriminator.convolutions:
        convolution.bias.assign(tf.fill(convolution.bias.shape, -1e3))
    branches = [weights_of(convolution) for convolution in discriminator.convolutions]
    np.testing.assert_allclose(
        discriminator(TOKENS), discriminator_twin(discriminator, TOKENS, branches), rtol=1e-5
    )
    assert np.ptp(discriminator(TOKENS)) < 1e-6


@pytest.mark.parametrize("length", [1, 2])
def test_sequences_shorter_than_the_widest_kernel_are_judged_too(length):
    discriminator, tokens = shaken(kernel_sizes=(1, 4)), make_tokens(0, rows=3, length=length)
    branches = [weights_of(convolution) for convolution in discriminator.convolutions]
    np.testing.assert_allclose(
        discriminator(tokens),
        discriminator_twin(discriminator, tokens, branches),
        rtol=1e-4,
        atol=1e-5,
    )


def test_the_penalty_is_half_lambda_times_the_squared_output_weights_and_nothing_else():
    discriminator = shaken(l2_weight=0.2)
    discriminator.compile("adam")
    logits = np.array(discriminator(TOKENS), np.float64)
    cross_entropy = np.mean(np.log1p(np.exp(logits)) - LABELS * logits)
    penalty = 0.2 / 2 * np.sum(np.array(discriminator.output_layer.kernel) ** 2)
    loss = discriminator.compute_loss(y=LABELS, y_pred=discriminator(TOKENS))
    np.testing.assert_allclose(loss, cross_entropy + penalty, rtol=1e-5)


def test_the_weight_of_a_sequence_is_its_own():
    discriminator = shaken(l2_weight=0.0)
    discriminator.compile("adam")
    weights = np.array([2.0, 0, 1, 0, 0, 1])
    whole = discriminator.evaluate(
        TOKENS, LABELS, sample_weight=weights, return_dict=True, verbose=0
    )
    chosen = np.array([0, 0, 2, 5])
    part = discriminator.evaluate(TOKENS[chosen], LABELS[chosen], return_dict=True, verbose=0)
    np.testing.assert_allclose(
        [whole["loss"], whole["accuracy"]], [part["loss"], part["accuracy"]], rtol=1e-5
    )


def test_dropout_is_off_but_in_training():
    wild, tame = make_discriminator(dropout=0.9), make_discriminator(dropout=0.0)
    wild.set_weights(tame.get_weights())
    assert np.array_equal(wild(TOKENS), tame(TOKENS))
    np.testing.assert_allclose(wild.predict(TOKENS, verbose=0), tame(TOKENS), rtol=1e-4)
    assert not np.allclose(wild(TOKENS, training=True), tame(TOKENS))


def test_dropout_repeats_from_a_seed():
    discriminator = make_discriminator()

    def outputs(seed):
        discriminator.seed_dropout(seed)
        return np.array(discriminator(TOKENS, training=True))

    assert np.array_equal(outputs((1, 2)), outputs((1, 2))) and not np.array_equal(
        outputs((1, 2)), outputs((1, 3))
    )


def test_fit_learns_to_tell_an_easy_set_apart():
    tokens, labels = make_tokens(0, rows=80), np.arange(80) % 2
    tokens[labels == 1, 0] = 4
    tokens[labels == 0, 0] = 5
    discriminator = make_discriminator(filters=6)
    discriminator.compile(keras.optimizers.Adam(0.03))
    before = discriminator.evaluate(tokens, labels, return_dict=True, verbose=0)["accuracy"]
    discriminator.fit(tokens[:60], labels[:60], epochs=15, batch_size=16, verbose=0)
    after = discriminator.evaluate(tokens[60:], labels[60:], return_dict=True, verbose=0)[
        "accuracy"
    ]
    np.testing.assert_allclose(
        after, np.mean((np.array(discriminator(tokens[60:])) > 0) == labels[60:]), rtol=1e-6
    )
    assert before < 0.8 and after > 0.9


@pytest.mark.parametrize("dtype,digits", [("float32", 1e-5), ("mixed_bfloat16", 2**-7)])
@pytest.mark.parametrize("many", [1, 64], ids=["by what changes", "at once"])
def test_the_logit_of_a_prefix_is_that_of_the_prefix_alone(monkeypatch, many, dtype, digits):
    monkeypatch.setattr(discriminator_module, "_MANY", many)
    discriminator = shaken(kernel_sizes=(1, 3, 4), dtype=dtype)
    found = discriminator.prefix_logits(TOKENS).numpy()
    assert found.shape == TOKENS.shape
    for t in range(1, TOKENS.shape[1] + 1):
        np.testing.assert_allclose(
            found[:, t - 1], discriminator(TOKENS[:, :t]), rtol=digits, atol=digits
        )


@pytest.mark.parametrize("many", [1, 64], ids=["by what changes", "at once"])
def test_prefixes_of_long_filters_are_judged_as_they_are_alone(monkeypatch, many):
    monkeypatch.setattr(discriminator_module, "_MANY", many)
    discriminator, tokens = shaken(kernel_sizes=(2, 16)), make_tokens(4, rows=6, length=19)
    found = discriminator.prefix_logits(tokens).numpy()
    for t in (1, 15, 16, 17, 19):
        np.testing.assert_allclose(
            found[:, t - 1], discriminator(tokens[:, :t]), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("few", [0.0, 2.0], ids=["all multiplied", "changes added"])
def test_prefixes_are_judged_alike_however_much_changes(monkeypatch, few):
    discriminator, tokens = (
        shaken(kernel_sizes=(1, 3, 4)),
        make_tokens(4, rows=70, length=12),
    )  # 70 rows are two loops, of 8 steps behind the opening
    monkeypatch.setattr(sparse, "_FEW", few)
    found = discriminator.prefix_logits(tokens).numpy()
    for t in range(1, tokens.shape[1] + 1):
        np.testing.assert_allclose(
            found[:, t - 1], discriminator(tokens[:, :t]), rtol=1e-5, atol=1e-5
        )


def test_where_there_is_a_gpu_all_prefixes_are_judged_at_once_and_the_same(monkeypatch):
    discriminator = shaken(kernel_sizes=(1, 3, 4))
    monkeypatch.setattr(discriminator_module, "_MANY", 1)
    found = discriminator.prefix_logits(TOKENS, 2)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(discriminator, "_judge_changes", None)
    np.testing.assert_allclose(discriminator.prefix_logits(TOKENS, 2), found, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("length", [2, 5])  # shorter and longer than the widest filter
@pytest.mark.parametrize("many", [1, 64], ids=["by what changes", "at once"])
def test_the_gradient_of_the_logit_of_a_prefix_is_that_of_the_prefix_alone(
    monkeypatch, many, length
):
    monkeypatch.setattr(discriminator_module, "_MANY", many)
    discriminator = shaken(kernel_sizes=(1, 2, 3))
    gradients = []
    for logits in (
        lambda: discriminator.prefix_logits(TOKENS)[:, length - 1],
        lambda: discriminator(TOKENS[:, :length]),
    ):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(logits() * np.arange(1.0, 7.0, dtype=np.float32))
        gradients.append(
            [
                tf.convert_to_tensor(part)
                for part in tape.gradient(total, discriminator.trainable_variables)
            ]
        )
    for one, other in zip(*gradients):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "kernel_sizes", [(1, 3), (2, 50)], ids=["short filters", "a filter wider than the sequence"]
)
@pytest.mark.parametrize("many", [1, 64], ids=["by what changes", "at once"])
@pytest.mark.parametrize("every", [2, 3, 4, 50])
def test_the_logits_of_every_second_or_third_prefix_are_those_of_these_prefixes(
    monkeypatch, every, many, kernel_sizes
):
    monkeypatch.setattr(discriminator_module, "_MANY", many)
    discriminator, tokens = shaken(kernel_sizes=kernel_sizes), make_tokens(4, rows=6, length=13)
    lengths = [*range(every, 13, every), 13]
    alone = np.stack([discriminator(tokens[:, :length]) for length in lengths], axis=1)
    np.testing.assert_allclose(
        discriminator.prefix_logits(tokens, every), alone, rtol=1e-5, atol=1e-5
    )


def test_in_a_graph_the_logits_of_prefixes_and_their_gradients_are_the_same():
    discriminator, tokens = (
        shaken(kernel_sizes=(1, 3)),
        tf.constant(make_tokens(4, rows=70, length=13)),
    )

    def step():
        with tf.GradientTape() as tape:
            logits = discriminator.prefix_logits(tokens, 3)
            total = tf.reduce_sum(logits**2)
        return logits, [
            tf.convert_to_tensor(part)
            for part in tape.gradient(total, discriminator.trainable_variables)
        ]

    for one, other in zip(tf.nest.flatten(step()), tf.nest.flatten(tf.function(step)())):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_behind_the_end_the_logit_of_a_prefix_stays():
    discriminator = shaken()
    for row, logits in zip(TOKENS, discriminator.prefix_logits(TOKENS).numpy()):
        length = lengths(row[None])[0]
        np.testing.assert_allclose(logits[length - 1 :], logits[-1], rtol=1e-6)
