"""Attention that looks back: its slow twin, its cache, its grammar, and what it remembers."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import make_score
from tiny_models import V, make_attention_generator, make_tokens

import tfseqgan as sg
from tfseqgan.models.attention_bias import (
    NUM_DISTANCE_BUCKETS,
    NUM_ONSET_BUCKETS,
    distance_buckets,
    onset_buckets,
)
from tfseqgan.models.decoding import complete_prefixes, score_sequences
from tfseqgan.models.policy import Policy
from tfseqgan.music.tokenizer import Tokenizer

B, T = 4, 19
TOKENS = make_tokens(3, rows=B, length=T)
SCORES = [make_score(seed, num_notes=12, num_chords=5) for seed in range(B)]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.fit(SCORES, interleave=True)


@pytest.fixture(scope="module")
def rows(tokenizer):
    return tokenizer.whole_tunes(SCORES, T).tokens


def make_generator_of_tunes(tokenizer, seed=1, **options):
    keras.utils.set_random_seed(seed)
    sizes = {"embedding_dim": 8, "num_layers": 2, "num_heads": 2, "feed_forward_dim": 16}
    generator = sg.AttentionGenerator(
        tokenizer.vocabulary_size,
        tokenizer.token_features,
        tokenizer.token_durations,
        **sizes | options,
    )
    rng = np.random.default_rng(seed)
    for weight in (generator.onset_bias, generator.distance_bias, generator.bias):
        weight.assign(rng.normal(size=weight.shape))

    return generator


@pytest.fixture(scope="module")
def generator(tokenizer):
    return make_generator_of_tunes(tokenizer)


def layer_norm(x, layer):
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return scaled * layer.gamma.numpy() + layer.beta.numpy()


def dense(x, layer):
    return x @ layer.kernel.numpy() + layer.bias.numpy()


def softmax(x):
    exponentials = np.exp(x - x.max())
    return exponentials / exponentials.sum()


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / np.sqrt(2)))


def slow_inputs(generator, row):
    """Returns what the first layer reads [T, D], the onsets [T], and the mask [T, V] of a row."""
    table = generator.embedding.table().numpy()
    vectors = np.concatenate([generator.opening.numpy()[None], table[row[:-1]]])
    if generator.clock is None:
        return vectors, np.full(len(row), -1), np.zeros((len(row), generator.vocabulary_size))

    states = generator.clock.states_before(row[None])
    codes = generator.clock.grammar(states)
    onsets = generator.clock.onsets(states, codes)[0].numpy()

    return vectors + generator.clock(row[None])[0].numpy(), onsets, generator.clock.mask[codes[0]]


def slow_attention(generator, index, x, onsets):
    """Returns what the heads of a layer read at every position, before their projection."""
    layer = generator.attention[index]
    parts = dense(layer_norm(x, layer.attention_norm), layer.inputs_of_heads)
    size = generator.embedding_dim // generator.num_heads
    read_onsets = np.concatenate([[-1], onsets[:-1]])
    found = np.zeros_like(x)
    for head in range(generator.num_heads):
        queries, keys, values = [
            part[:, head * size : (head + 1) * size] for part in np.split(parts, 3, axis=1)
        ]
        of_onset = generator.onset_bias.numpy()[:, index * generator.num_heads + head]
        of_distance = generator.distance_bias.numpy()[:, index * generator.num_heads + head]
        for t in range(len(x)):
            past = np.arange(t + 1)
            scores = keys[past] @ queries[t] / np.sqrt(size)
            scores += of_onset[onset_buckets(onsets[t], read_onsets[past]).numpy()]
            scores += of_distance[np.minimum(t - past, 63)]
            found[t, head * size : (head + 1) * size] = softmax(scores) @ values[past]

    return found


def slow_twin(generator, row):
    """Returns the logits of one row, position by position and head by head: NumPy [T, V]."""
    x, onsets, mask = slow_inputs(generator, row)
    for index, layer in enumerate(generator.attention):
        x = x + dense(slow_attention(generator, index, x, onsets), layer.outputs_of_heads)
        hidden = gelu(dense(layer_norm(x, layer.feed_forward_norm), layer.hidden))
        x = x + dense(hidden, layer.result)

    outputs = dense(layer_norm(x, generator.norm), generator.projection)
    if generator.token_features is not None:
        outputs = outputs @ generator.embedding.table().numpy().T + generator.bias.numpy()

    return outputs + mask


@pytest.mark.parametrize("options", [{}, {"token_features": None}], ids=["parts", "table"])
def test_the_logits_are_those_of_a_slow_twin(options):
    generator = make_attention_generator(**options)

    found = generator(TOKENS).numpy()

    for row, logits in zip(TOKENS, found, strict=True):
        np.testing.assert_allclose(logits, slow_twin(generator, row), rtol=1e-4, atol=1e-5)


def test_the_logits_of_tunes_are_those_of_a_slow_twin(generator, rows):
    found = generator(rows).numpy()

    for row, logits in zip(rows, found, strict=True):
        is_allowed = logits > -1e6
        expected = slow_twin(generator, row)
        assert (is_allowed == (expected > -1e6)).all()
        np.testing.assert_allclose(logits[is_allowed], expected[is_allowed], rtol=1e-4, atol=1e-5)


def test_an_exact_difference_of_up_to_20_bars_has_a_bucket_of_its_own():
    differences = np.arange(0, 20 * 96, 6, dtype=np.int32)

    buckets = onset_buckets(tf.constant(differences + 5), tf.constant(5)).numpy()

    assert buckets.tolist() == list(range(1, 321))
    longer = onset_buckets(tf.constant([1920, 2400, 5000, 50_000, 10**6]), tf.constant(0)).numpy()
    assert (np.diff(longer) >= 0).all()
    assert longer[0] == 321
    assert longer[-1] == NUM_ONSET_BUCKETS - 1
    assert onset_buckets(tf.constant([-1, 7]), tf.constant([3, -1])).numpy().tolist() == [0, 0]


def test_distances_in_tokens_are_cut_at_the_last_bucket():
    found = distance_buckets(tf.constant([-3, 0, 1, 62, 63, 64, 999])).numpy()

    assert found.tolist() == [0, 0, 1, 62, 63, 63, 63]
    assert found.max() == NUM_DISTANCE_BUCKETS - 1


def test_no_position_depends_on_later_tokens(generator, rows):
    changed = rows.copy()
    changed[:, 11:] = rows[::-1, 11:]

    before = generator(rows).numpy()
    after = generator(changed).numpy()

    np.testing.assert_array_equal(before[:, :12], after[:, :12])
    assert not np.array_equal(before[:, 12:], after[:, 12:])


def test_step_by_step_the_logits_of_tunes_are_those_of_whole_rows(generator, rows):
    expected = generator(rows).numpy()
    cache = generator.decoding_cache()
    state = generator.initial_state(*rows.shape)
    previous = tf.fill([len(rows)], generator.vocabulary_size)

    for t in range(T):
        logits, state = generator.next_logits(cache, state, previous)
        np.testing.assert_allclose(logits, expected[:, t], rtol=1e-5, atol=1e-5)
        previous = tf.constant(rows[:, t])


def test_after_every_prefix_the_logits_of_tunes_are_those_of_whole_rows(generator, rows):
    expected = generator(rows).numpy()
    cache = generator.decoding_cache()
    state_before = generator.prefix_states(rows)

    for length in range(1, T):
        logits, state = generator.next_logits(cache, state_before(length), rows[:, length - 1])
        np.testing.assert_allclose(logits, expected[:, length], rtol=1e-5, atol=1e-5)
        if length + 1 < T:
            logits, _ = generator.next_logits(cache, state, rows[:, length])
            np.testing.assert_allclose(logits, expected[:, length + 1], rtol=1e-5, atol=1e-5)


def test_scores_and_samples_have_the_log_probabilities_of_whole_rows(generator, rows):
    seeds = tf.constant(np.stack([np.zeros(16), np.arange(16)], axis=1), tf.int32)
    samples, log_probs = generator.sample(seeds, T)
    policy = Policy(generator)

    np.testing.assert_allclose(
        score_sequences(generator, tf.constant(rows)), policy.log_prob(rows), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(log_probs, policy.log_prob(samples), rtol=1e-4, atol=1e-4)
    assert float(tf.reduce_min(log_probs)) > -1e6


def test_a_row_does_not_depend_on_the_rows_beside_it_to_the_bit(generator):
    seeds = tf.constant(np.stack([np.zeros(50), np.arange(50)], axis=1), tf.int32)

    tokens, log_probs = generator.sample(seeds, T)

    for rows in (slice(0, 1), slice(7, 30)):
        few_tokens, few_log_probs = generator.sample(seeds[rows], T)
        np.testing.assert_array_equal(few_tokens, tokens[rows])
        np.testing.assert_array_equal(few_log_probs, log_probs[rows])


def test_completions_begin_with_their_prefix_and_keep_the_grammar(generator, rows, tokenizer):
    tunes = rows[rows[:, 0] == tokenizer.start_token_id][:, :9]
    completed = complete_prefixes(
        generator, tf.constant(tunes), num_rollouts=3, every=4, seed=tf.constant([0, 1])
    ).numpy()

    assert completed.shape == (2, 3, len(tunes), 9)
    for index, length in enumerate((4, 8)):
        np.testing.assert_array_equal(
            completed[index, :, :, :length],
            np.broadcast_to(tunes[:, :length], (3, *tunes[:, :length].shape)),
        )
    assert generator.find_grammar_break(completed.reshape(-1, 9)) is None


@pytest.mark.slow
def test_it_learns_to_repeat_what_stood_far_back():
    rng = np.random.default_rng(0)
    halves = rng.integers(3, V, (256, 12))
    data = np.concatenate([halves, halves], axis=1)
    keras.utils.set_random_seed(0)
    generator = sg.AttentionGenerator(
        V, embedding_dim=32, num_layers=2, num_heads=2, feed_forward_dim=64, end_token_id=None
    )
    generator.compile(sg.Adam(3e-3))

    sg.pretrain(generator, data, epochs=40, batch_size=32, seed=0, verbose=0)

    fresh = rng.integers(3, V, (64, 12))
    log_probs = generator.token_log_probs(np.concatenate([fresh, fresh], axis=1)).numpy()
    assert -log_probs[:, :12].mean() == pytest.approx(np.log(V - 3), abs=0.1)
    assert -log_probs[:, 13:].mean() < 0.1


def test_heads_must_divide_the_length_of_a_vector():
    with pytest.raises(ValueError, match="num_heads is 3; expected a divisor of embedding_dim = 8"):
        sg.AttentionGenerator(V, embedding_dim=8, num_heads=3)
