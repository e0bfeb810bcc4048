"""Controls within a served graph: what a request asks for, and what is drawn for the rest."""

import numpy as np
import tensorflow as tf

from tfseqgan.music.control_tokens import ControlTokens
from tfseqgan.music.controls import GOLDEN_RATIO, KEY_INDEX, MIXING, ControlVocabulary


def _mix_seeds(seeds: tf.Tensor) -> tf.Tensor:
    """Mixes each pair of seeds to one number, as `music.controls.mix_seeds`: uint32 [B]."""
    mixed = tf.zeros(tf.shape(seeds)[:1], tf.uint32)
    for column in tf.unstack(tf.bitcast(seeds, tf.uint32), axis=1):
        mixed = tf.bitwise.bitwise_xor(mixed, column) + tf.constant(GOLDEN_RATIO, tf.uint32)
        for shift, factor in MIXING:
            shifted = tf.bitwise.right_shift(mixed, tf.constant(shift, tf.uint32))
            mixed = tf.bitwise.bitwise_xor(mixed, shifted) * tf.constant(factor, tf.uint32)
        shifted = tf.bitwise.right_shift(mixed, tf.constant(16, tf.uint32))
        mixed = tf.bitwise.bitwise_xor(mixed, shifted)

    return mixed


def draw_controls(vocabulary: ControlVocabulary, asked: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
    """Draws what was not asked for: `ControlVocabulary.draw` in TensorFlow, number for number.

    Args:
        vocabulary: the controls, and the tunes to draw from.
        asked: int32 [B, 4], codes; 0 for what is not asked for.
        seeds: int32 [B, 2].

    Returns:
        int32 [B, 4].

    Example:
        >>> vocabulary = ControlVocabulary(["6/8"], ["jig"], [[1, 3, 16, 1]])
        >>> draw_controls(vocabulary, tf.constant([[0, 5, 0, 0]]), tf.constant([[7, 0]])).numpy()
        array([[ 1,  5, 16,  1]], dtype=int32)
    """
    tunes = vocabulary.tunes  # [N, 4]
    if not len(tunes):
        return asked

    is_choosing = (asked > 0) & (np.arange(tunes.shape[1]) != KEY_INDEX)
    agrees = (asked[:, None] == tunes) & is_choosing[:, None]  # [B, N, 4]
    agreement = tf.reduce_sum(tf.cast(agrees, tf.int32), axis=2)  # [B, N]
    is_best = agreement == tf.reduce_max(agreement, axis=1, keepdims=True)
    rank = tf.cumsum(tf.cast(is_best, tf.int64), axis=1)  # [B, N], from 1

    chosen = 1 + tf.cast(_mix_seeds(seeds), tf.int64) % rank[:, -1]  # [B]
    index = tf.argmax(is_best & (rank == chosen[:, None]), axis=1)

    return tf.where(asked > 0, asked, tf.gather(tunes, index))


def control_prompts(
    tokens: ControlTokens, start_token_id: int, asked: tf.Tensor, seeds: tf.Tensor
) -> tf.Tensor:
    """Returns what each tune begins with: the start token and its controls, int32 [B, 5].

    Args:
        tokens: the ids of the controls.
        start_token_id: the first token of every tune.
        asked: int32 [B, 4], codes; 0 for what is not asked for.
        seeds: int32 [B, 2].
    """
    codes = draw_controls(tokens.vocabulary, asked, seeds)
    start = tf.fill([tf.shape(asked)[0], 1], start_token_id)

    return tf.concat([start, tokens.ids_of(np.zeros(codes.shape[1], int)) + codes], axis=1)
