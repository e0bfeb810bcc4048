"""How many weights a model has, by its arguments alone: before it is made, or loaded."""

from collections.abc import Sequence

import numpy as np

from tfseqgan.models.attention_bias import (
    NUM_BAR_BUCKETS,
    NUM_DISTANCE_BUCKETS,
    NUM_ONSET_BUCKETS,
)
from tfseqgan.models.token_clock import NUM_ROWS
from tfseqgan.models.tune_form import count_form_rows

Features = np.ndarray | Sequence[Sequence[int]] | None
"""The parts of each token, integers [V, P], or None."""

Controls = np.ndarray | Sequence[Sequence[int]] | None
"""The control that each token says, integers [V, 3], or None."""


def _count_embedding(vocabulary_size: int, embedding_dim: int, token_features: Features) -> int:
    """Counts the weights of a `TokenEmbedding`."""
    num_rows = vocabulary_size
    if token_features is not None and len(token_features):
        num_rows += sum(int(largest) + 1 for largest in np.asarray(token_features).max(axis=0))

    return num_rows * embedding_dim


def _count_ends(
    vocabulary_size: int,
    embedding_dim: int,
    output_dim: int,
    token_features: Features,
    has_clock: bool,
    token_controls: Controls,
) -> int:
    """Counts the weights of a `LanguageModel` without its middle, whose outputs have a length."""
    is_tied = token_features is not None
    embedding = _count_embedding(vocabulary_size, embedding_dim, token_features)
    clock = NUM_ROWS * embedding_dim if has_clock else 0
    projection = (output_dim + 1) * (embedding_dim if is_tied else vocabulary_size)
    bias = vocabulary_size if is_tied else 0

    form = 0
    if token_controls is not None and len(token_controls):
        form = count_form_rows(token_controls) * embedding_dim

    return embedding + clock + form + projection + bias + embedding_dim  # and the opening vector


def count_generator_weights(
    vocabulary_size: int,
    embedding_dim: int,
    units: int,
    token_features: Features = None,
    has_clock: bool = False,
    token_controls: Controls = None,
) -> int:
    """Counts the weights of a `Generator`.

    Args:
        vocabulary_size: V.
        embedding_dim: D.
        units: H.
        token_features: the parts of each token, or None for the table embedding.
        has_clock: whether it knows the durations of its tokens.
        token_controls: the control that each token says, or None.

    Returns:
        The number of weights.

    Example:
        >>> count_generator_weights(7, embedding_dim=4, units=8)
        511
    """
    lstm = 4 * units * (embedding_dim + units + 1)

    return lstm + _count_ends(
        vocabulary_size, embedding_dim, units, token_features, has_clock, token_controls
    )


def count_discriminator_weights(
    vocabulary_size: int,
    embedding_dim: int,
    filters: int,
    kernel_sizes: Sequence[int],
    token_features: Features = None,
) -> int:
    """Counts the weights of a `Discriminator`.

    Args:
        vocabulary_size: V.
        embedding_dim: D.
        filters: of each width.
        kernel_sizes: the widths.
        token_features: the parts of each token, or None for the table embedding.

    Returns:
        The number of weights.

    Example:
        >>> count_discriminator_weights(7, embedding_dim=4, filters=3, kernel_sizes=(1, 2))
        161
    """
    num_features = filters * len(kernel_sizes)
    convolutions = sum(filters * (width * embedding_dim + 1) for width in kernel_sizes)
    highway = 2 * num_features * (num_features + 1)
    embedding = _count_embedding(vocabulary_size, embedding_dim, token_features)

    return embedding + convolutions + highway + num_features + 1


def count_attention_generator_weights(
    vocabulary_size: int,
    embedding_dim: int,
    num_layers: int,
    num_heads: int,
    feed_forward_dim: int,
    token_features: Features = None,
    has_clock: bool = False,
    token_controls: Controls = None,
) -> int:
    """Counts the weights of an `AttentionGenerator`.

    Args:
        vocabulary_size: V.
        embedding_dim: D.
        num_layers: layers of attention.
        num_heads: heads in each.
        feed_forward_dim: units of the feed-forward network in each.
        token_features: the parts of each token, or None for the table embedding.
        has_clock: whether it knows the durations of its tokens.
        token_controls: the control that each token says, or None.

    Returns:
        The number of weights.

    Example:
        >>> count_attention_generator_weights(7, 8, num_layers=1, num_heads=2, feed_forward_dim=4)
        1347
    """
    attention = (embedding_dim + 1) * 4 * embedding_dim
    feed_forward = 2 * embedding_dim * feed_forward_dim + feed_forward_dim + embedding_dim
    norms = (2 * num_layers + 1) * 2 * embedding_dim
    num_buckets = NUM_ONSET_BUCKETS + NUM_DISTANCE_BUCKETS
    if token_controls is not None:
        num_buckets += NUM_BAR_BUCKETS
    biases = num_layers * num_heads * num_buckets
    middle = num_layers * (attention + feed_forward) + norms + biases

    return middle + _count_ends(
        vocabulary_size, embedding_dim, embedding_dim, token_features, has_clock, token_controls
    )
