"""Which degree of its key a pitch is, so that transposition changes nothing but the register.

A token has a degree for the highest note of its melody and one for the lowest note of its chord:
twelve of the major and twelve of the minor scale in each voice.
"""

import numpy as np
import tensorflow as tf

from tfseqgan.models.checks import check_token_table

NUM_KEYS = 24
"""Twelve major keys from C upwards, then twelve minor ones; code 0 stands for unknown."""

_DEGREES_OF_A_VOICE = 2 * 12
"""Twelve degrees of the major and twelve of the minor scale."""

NUM_DEGREES = 2 * _DEGREES_OF_A_VOICE
"""Degrees of the highest note of the melody, then of the lowest note of the chord."""

_NUM_PITCH_CLASSES = 13
"""None, then C to B."""


def check_pitch_classes(
    pitch_classes: np.ndarray | list[list[int]] | None, vocabulary_size: int
) -> np.ndarray | None:
    """Returns pitch classes as int32 [V, 2], checked, or None.

    Args:
        pitch_classes: integers [V, 2] in 0 to 12: 1 + the pitch class of the highest note of the
            melody that starts, or 0; likewise of the lowest note of the chord. Or None.
        vocabulary_size: V.

    Raises:
        ValueError: if the shape or the values do not fit the vocabulary.
    """
    if pitch_classes is None:
        return None

    name = "token_pitch_classes"
    table = check_token_table(name, pitch_classes, vocabulary_size, num_columns=2)
    if table.max() >= _NUM_PITCH_CLASSES:
        raise ValueError(
            f"{name} holds {table.max()}; expected 0 for no pitch, and 1 to 12 for C to B. Pass "
            f"tokenizer.{name}."
        )

    return table


def _degree_of_pitch_class() -> np.ndarray:
    """Returns the degree of each pitch class in each key, int32 [1 + keys, 2 · 13].

    The columns are none and C to B of the melody, then of the bass. `NUM_DEGREES` stands for no
    pitch, or an unknown key.
    """
    degrees = np.full((1 + NUM_KEYS, 2, _NUM_PITCH_CLASSES), NUM_DEGREES, np.int32)
    for key in range(NUM_KEYS):
        is_minor, tonic = divmod(key, 12)
        for voice in range(2):
            of_c_to_b = (np.arange(12) - tonic) % 12
            degrees[1 + key, voice, 1:] = _DEGREES_OF_A_VOICE * voice + 12 * is_minor + of_c_to_b

    return degrees.reshape(1 + NUM_KEYS, -1)


_DEGREES = _degree_of_pitch_class()


def degrees_in_key(keys: tf.Tensor, pitch_classes: tf.Tensor) -> tf.Tensor:
    """Computes the degrees of the pitch classes of melody and bass.

    Args:
        keys: int32 [...], 1 + a key, or 0 for unknown.
        pitch_classes: int32 [..., 2], 1 + a pitch class, or 0 for none.

    Returns:
        int32 [..., 2]; `NUM_DEGREES` for none.

    Example:
        >>> in_d_major = tf.constant([3])
        >>> degrees_in_key(in_d_major, tf.constant([[1 + 6, 1 + 2]])).numpy().tolist()
        [[4, 24]]
    """
    columns = pitch_classes + [0, _NUM_PITCH_CLASSES]

    return tf.gather(_DEGREES.reshape(-1), keys[..., None] * _DEGREES.shape[1] + columns)


def pitch_class_rows(pitch_classes: np.ndarray) -> np.ndarray:
    """Returns the rows of the output kernel that `degree_scores` meets, bool [26, V].

    Args:
        pitch_classes: int32 [V, 2], from `check_pitch_classes`.
    """
    classes = np.arange(_NUM_PITCH_CLASSES)[:, None]

    return np.concatenate([pitch_classes[:, 0] == classes, pitch_classes[:, 1] == classes])


def degree_scores(outputs: tf.Tensor, degrees: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
    """Computes what the degree of each pitch class adds to the logits.

    Args:
        outputs: float [N, D], what the tokens' vectors are multiplied with.
        degrees: float [`NUM_DEGREES`, D], the vector of each degree.
        keys: int32 [N], 1 + a key, or 0 for unknown.

    Returns:
        float [N, 26]: of none and C to B in the melody, then in the bass; 0 for none, and where the
        key is unknown.
    """
    with_none = tf.pad(tf.convert_to_tensor(degrees), [[0, 1], [0, 0]])
    scores = tf.matmul(outputs, tf.cast(with_none, outputs.dtype), transpose_b=True)
    of_pitch_classes = tf.gather(_DEGREES, keys)  # [N, 26]

    return tf.gather(scores, of_pitch_classes, batch_dims=1)
