"""The embedding: shared parts, and a gradient that keeps its precision and repeats."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_models import FEATURES, V, make_discriminator, make_generator

from tfseqgan.models.embedding import TokenEmbedding

D = 4


def gradient_of_sum(layer, weight, tokens):
    """Returns the dense gradient of the sum of the tokens' vectors."""
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.cast(layer(tokens), tf.float32))

    return tf.convert_to_tensor(tape.gradient(total, weight)).numpy()


def test_tokens_that_share_a_part_share_its_gradient():
    layer = TokenEmbedding(V, D, FEATURES)
    layer.build()

    gradient = gradient_of_sum(layer, layer.parts[0], np.array([[3]]))

    is_moved = gradient.sum(axis=1) != 0
    is_part_of_token = np.arange(FEATURES[:, 0].max() + 1) == FEATURES[3, 0]
    np.testing.assert_array_equal(is_moved, is_part_of_token)


def test_a_token_that_occurs_often_loses_no_gradient_in_half_precision():
    layer = TokenEmbedding(V, D, dtype="mixed_bfloat16")
    layer.build()

    gradient = gradient_of_sum(layer, layer.own, np.full((64, 64), 3))

    expected = np.zeros((V, D))
    expected[3] = 4096  # added up in bfloat16 it would stay at 256
    np.testing.assert_array_equal(gradient, expected)


def test_the_gradient_is_the_same_to_the_bit_each_time():
    rng = np.random.default_rng(2)
    tokens = rng.integers(0, 40, (50, 100))
    weights = tf.constant(rng.normal(size=(50, 100, 64)), tf.float32)
    layer = TokenEmbedding(40, 64)
    layer.build()

    def gradient():
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(tokens) * weights)
        return tf.convert_to_tensor(tape.gradient(total, layer.own)).numpy()

    first = gradient()
    for _ in range(10):
        np.testing.assert_array_equal(gradient(), first)


@pytest.mark.parametrize("make", [make_generator, make_discriminator])
@pytest.mark.parametrize(
    "features",
    [np.zeros((V - 1, 2), int), np.zeros(V, int), np.zeros((V, 2)), np.full((V, 2), -1)],
    ids=["too few tokens", "no parts", "no integers", "negative"],
)
def test_part_features_that_do_not_fit_are_named(make, features):
    message = "token_features must be non-negative integers .* vocabulary_size = 9"

    with pytest.raises(ValueError, match=message):
        make(token_features=features)
