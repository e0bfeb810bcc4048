"""Controls drawn within a graph are those drawn in NumPy."""

import numpy as np
import tensorflow as tf

from tfseqgan.arguments import seed_pairs
from tfseqgan.music.control_tokens import ControlTokens
from tfseqgan.music.controls import ControlVocabulary
from tfseqgan.serving.served_controls import control_prompts, draw_controls

RNG = np.random.default_rng(0)
METRES, RHYTHMS = ("3/4", "4/4", "6/8"), ("jig", "reel")
TUNES = np.stack([RNG.integers(0, size, 23) for size in (4, 25, 65, 3)], axis=1)
VOCABULARY = ControlVocabulary(METRES, RHYTHMS, TUNES)


def some_requests(num_rows):
    """Returns codes of which about half are not asked for, and a seed pair each."""
    asked = np.stack([RNG.integers(0, size, num_rows) for size in VOCABULARY.sizes], axis=1)
    asked[RNG.random(asked.shape) < 0.5] = 0

    return asked.astype(np.int32), RNG.integers(-(2**31), 2**31, (num_rows, 2)).astype(np.int32)


def test_a_graph_draws_what_numpy_draws():
    asked, seeds = some_requests(500)

    found = tf.function(lambda *row: draw_controls(VOCABULARY, *row))(asked, seeds)

    np.testing.assert_array_equal(found, VOCABULARY.draw(asked, seeds))


def test_prompts_are_the_start_and_the_tokens_of_the_codes():
    asked, seeds = some_requests(9)
    tokens = ControlTokens(VOCABULARY, first_id=11)

    prompts = control_prompts(tokens, 1, tf.constant(asked), tf.constant(seeds)).numpy()

    assert prompts.shape == (9, 5)
    assert (prompts[:, 0] == 1).all()
    np.testing.assert_array_equal(prompts[:, 1:], tokens.ids_of(VOCABULARY.draw(asked, seeds)))


def test_without_tunes_what_is_not_asked_for_is_unknown():
    empty = ControlVocabulary(METRES, RHYTHMS, [])
    asked = tf.constant([[0, 3, 0, 1]])

    assert draw_controls(empty, asked, tf.constant(seed_pairs(0, 1))).numpy().tolist() == [
        [0, 3, 0, 1]
    ]
