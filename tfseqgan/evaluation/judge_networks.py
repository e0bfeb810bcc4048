"""The networks of judges: convolutional or recurrent, with or without the place in time."""

import keras

from tfseqgan.models.embedding import TokenEmbedding
from tfseqgan.models.token_clock import NUM_JOINT_ROWS
from tfseqgan.music.tokenizer import Tokenizer

KINDS = ("cnn", "gru")

_DIM = 96
_FILTERS = 64
_WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24)
_UNITS = 96
_DROPOUT = 0.3


def _without_padding(vectors, tokens):
    """Returns the vectors [B, T, D], those of padding zero."""
    is_token = keras.ops.cast(keras.ops.not_equal(tokens, 0), vectors.dtype)

    return vectors * keras.ops.expand_dims(is_token, -1)


def _convolutions(vectors):
    """Returns the largest response of each filter over time, float [B, F]."""
    responses = [
        keras.layers.Conv1D(_FILTERS, width, padding="same", activation="relu")(vectors)
        for width in _WIDTHS
    ]

    return keras.layers.GlobalMaxPooling1D()(keras.layers.Concatenate()(responses))


def _recurrence(vectors):
    """Returns the largest and the mean state over time of both directions, float [B, F]."""
    states = keras.layers.Bidirectional(keras.layers.GRU(_UNITS, return_sequences=True))(vectors)
    largest = keras.layers.GlobalMaxPooling1D()(states)
    mean = keras.layers.GlobalAveragePooling1D()(states)

    return keras.layers.Concatenate()([largest, mean])


def make_judge(tokenizer: Tokenizer, kind: str, has_place: bool, length: int) -> keras.Model:
    """Returns an untrained judge.

    Args:
        tokenizer: from `fit_judge_tokenizer`.
        kind: "cnn" or "gru".
        has_place: whether it reads where the tokens stand in time.
        length: T, the tokens of a window.

    Returns:
        A model of `{"tokens": int32 [B, T], "places": int32 [B, T, 2]}` that gives logits
        float32 [B, 1], above 0 for real.

    Raises:
        ValueError: if there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"There is no judge {kind!r}; expected one of {', '.join(KINDS)}.")

    tokens = keras.Input([length], dtype="int32", name="tokens")
    places = keras.Input([length, 2], dtype="int32", name="places")
    embedding = TokenEmbedding(
        tokenizer.vocabulary_size,
        _DIM,
        tokenizer.token_features,
        keras.initializers.RandomNormal(stddev=0.1),
        name="embedding",
    )
    vectors = embedding(tokens)
    if has_place:
        of_places = keras.layers.Embedding(NUM_JOINT_ROWS, _DIM, name="places_in_time")(places)
        vectors = vectors + keras.ops.sum(of_places, axis=2)
    vectors = keras.layers.Dropout(_DROPOUT)(_without_padding(vectors, tokens))

    features = _convolutions(vectors) if kind == "cnn" else _recurrence(vectors)
    hidden = keras.layers.Dense(128, activation="relu")(keras.layers.Dropout(_DROPOUT)(features))
    logits = keras.layers.Dense(1, name="logits")(keras.layers.Dropout(_DROPOUT)(hidden))

    return keras.Model({"tokens": tokens, "places": places}, logits)
