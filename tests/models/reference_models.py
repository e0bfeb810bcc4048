"""Random weights for tests of models, and the embedding by its definition."""

import numpy as np


def randomize(model, scale=1.0, seed=0):
    """Draws every trainable weight of a model from a normal distribution; returns the model."""
    rng = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(scale=scale, size=weight.shape))

    return model


def token_vectors(embedding):
    """Returns the vector of every token: its own plus those of its parts, NumPy [V, D]."""
    table = np.array(embedding.own)
    for index, part in enumerate(embedding.parts):
        part_of_token = embedding.token_features[:, index]
        table = table + np.array(part)[part_of_token]

    return table
