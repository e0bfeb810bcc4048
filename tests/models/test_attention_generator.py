"""Attention that looks back: its slow twin, its cache, its grammar, and what it remembers."""

import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import make_score
from tiny_models import V, make_attention_generator, make_tokens

import tfseqgan as sg
from tfseqgan.models.attention_bias import (
    NUM_BAR_BUCKETS,
    NUM_DIFFERENCES,
    NUM_DISTANCE_BUCKETS,
    NUM_ONSET_BUCKETS,
    difference_rows,
    distance_buckets,
    joint_table,
)
from tfseqgan.models.attention_layer import RECENT
from tfseqgan.models.decoding import complete_prefixes, score_sequences
from tfseqgan.models.policy import Policy
from tfseqgan.music.tokenizer import Tokenizer

B, T = 4, 19
TOKENS = make_tokens(3, rows=B, length=T)
METRES = [(4, 4), (6, 8), (3, 4), (2, 4)]
SCORES = [
    dataclasses.replace(
        make_score(seed, num_notes=12, num_chords=5), time_signature=METRES[seed], key="D"
    )
    for seed in range(B)
]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "controls"])
def tokenizer(request):
    return Tokenizer.fit(SCORES, interleave=True, controls=request.param)


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
        token_controls=tokenizer.token_controls,
        token_pitch_classes=tokenizer.token_pitch_classes if tokenizer.controls else None,
        **sizes | options,
    )
    rng = np.random.default_rng(seed)
    biases = [generator.onset_bias, generator.distance_bias, generator.bias, generator.bar_bias]
    for weight in biases:
        if weight is not None:
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
    vectors = vectors + generator.clock(row[None])[0].numpy()
    if generator.form is not None:
        form = generator.form.states_before(row[None], states.melody_end, states.chord_end)
        of_form = generator.form.vectors(form, generator.clock.due(states, codes))
        vectors = vectors + of_form[0].numpy()

    return vectors, onsets, generator.clock.mask[codes[0]]


def slow_onset_bias(generator, head, difference, is_known, bar_ticks):
    """Returns what a difference of onsets adds to a score."""
    units = max(difference // 6, 0)
    octave = np.log2(max(units, 1) / 320)
    bucket = units if units < 320 else 320 + min(int(4 * octave), 18)
    added = generator.onset_bias.numpy()[1 + bucket if is_known else 0, head]
    if generator.form is None:
        return added

    is_whole = is_known and bar_ticks and 6 * units % bar_ticks == 0
    bars = 6 * units // bar_ticks if is_whole else 0

    return added + generator.bar_bias.numpy()[bars if bars <= 33 else 0, head]


def slow_bar_ticks(generator, row):
    """Returns the length of a bar that is known before each token; 0 for unknown."""
    if generator.form is None:
        return np.zeros(len(row), int)

    return np.concatenate([[0], np.cumsum(generator.token_controls[row, 2])])[:-1]


def slow_attention(generator, index, x, onsets, bar_ticks):
    """Returns what the heads of a layer read at every position, before their projection."""
    layer = generator.attention[index]
    parts = dense(layer_norm(x, layer.attention_norm), layer.inputs_of_heads)
    size = generator.embedding_dim // generator.num_heads
    read_onsets = np.concatenate([[-1], onsets[:-1]])
    found = np.zeros_like(x)
    for head in range(generator.num_heads):
        column = index * generator.num_heads + head
        queries, keys, values = [
            part[:, head * size : (head + 1) * size] for part in np.split(parts, 3, axis=1)
        ]
        of_distance = generator.distance_bias.numpy()[:, column]
        for t in range(len(x)):
            past = np.arange(t + 1)
            scores = keys[past] @ queries[t] / np.sqrt(size)
            for j in past:
                is_known = onsets[t] >= 0 and read_onsets[j] >= 0
                difference = onsets[t] - read_onsets[j]
                scores[j] += slow_onset_bias(generator, column, difference, is_known, bar_ticks[t])
            scores += of_distance[np.minimum(t - past, 63)]
            found[t, head * size : (head + 1) * size] = softmax(scores) @ values[past]

    return found


def slow_degrees(generator, row, outputs):
    """Returns what the degrees of each token in the key add to its logit, [T, V]."""
    added = np.zeros((len(row), generator.vocabulary_size))
    if generator.form is None:
        return added

    table = generator.form.degrees.numpy()
    said = np.where(generator.token_controls[row, 0] == 2, generator.token_controls[row, 1], 0)
    keys = np.concatenate([[0], np.cumsum(said)])[:-1]
    for t, key in enumerate(keys):
        for token, classes in enumerate(generator.token_pitch_classes):
            for voice, name in enumerate(classes):
                if key and name:
                    is_minor, tonic = divmod(key - 1, 12)
                    degree = 24 * voice + 12 * is_minor + (name - 1 - tonic) % 12
                    added[t, token] += outputs[t] @ table[degree]

    return added


def slow_mask_of_bars(generator, row):
    """Returns what the number of bars forbids in tunes of interleaved voices, [T, V]."""
    mask = np.zeros((len(row), generator.vocabulary_size))
    if generator.form is None or row[0] != 1:
        return mask

    durations, classes = generator.token_durations, generator.token_pitch_classes
    num_bars, bar, first = 0, 0, None
    melody_end, chord_end = 0, 0
    for t, token in enumerate(row):
        has_begun = first is not None
        if num_bars and bar:
            if not has_begun or melody_end - first < (num_bars - 0.75) * bar:
                mask[t, 2] = -1e9
            due = min(melody_end, chord_end)
            if has_begun and due - first >= (num_bars + 0.25) * bar:
                mask[t, classes[:, 0] > 0] = -1e9
            if chord_end and not melody_end:
                mask[t, durations[:, 1] > 0] = -1e9
        which, code, ticks = generator.token_controls[token]
        num_bars, bar = num_bars + code * (which == 3), bar + ticks
        if first is None and classes[token, 1]:
            first = chord_end
        melody_end += durations[token, 0]
        chord_end += durations[token, 1]

    return mask


def slow_twin(generator, row):
    """Returns the logits of one row, position by position and head by head: NumPy [T, V]."""
    x, onsets, mask = slow_inputs(generator, row)
    for index, layer in enumerate(generator.attention):
        found = slow_attention(generator, index, x, onsets, slow_bar_ticks(generator, row))
        x = x + dense(found, layer.outputs_of_heads)
        hidden = gelu(dense(layer_norm(x, layer.feed_forward_norm), layer.hidden))
        x = x + dense(hidden, layer.result)

    outputs = dense(layer_norm(x, generator.norm), generator.projection)
    if generator.token_features is not None:
        of_degrees = slow_degrees(generator, row, outputs)
        outputs = outputs @ generator.embedding.table().numpy().T + generator.bias.numpy()
        outputs += of_degrees

    return outputs + mask + slow_mask_of_bars(generator, row)


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


def buckets_of(differences):
    """Returns the bucket of each difference, read off a table whose bucket b adds b."""
    table = joint_table(np.arange(NUM_ONSET_BUCKETS, dtype=np.float32)[:, None], None, [])
    rows = difference_rows(tf.constant(differences) + 5, tf.constant(5))

    return tf.gather(table[:, 0], rows).numpy().astype(int)


def test_an_exact_difference_of_up_to_20_bars_has_a_bucket_of_its_own():
    differences = np.arange(0, 20 * 96, 6, dtype=np.int32)

    assert buckets_of(differences).tolist() == list(range(1, 321))
    longer = buckets_of([1920, 2400, 5000, 50_000, 10**6])
    assert (np.diff(longer) >= 0).all()
    assert longer[0] == 321
    assert longer[-1] == NUM_ONSET_BUCKETS - 1
    unknown = difference_rows(tf.constant([-1, 7]), tf.constant([3, -1]))
    assert unknown.numpy().tolist() == [0, 0]


def test_exactly_n_bars_ago_is_one_bucket_under_every_metre():
    bars = np.arange(NUM_BAR_BUCKETS, dtype=np.float32)[:, None]
    zeros = np.zeros((NUM_ONSET_BUCKETS, 1), np.float32)
    table = joint_table(zeros, bars, [0, 72, 96]).numpy().reshape(3, NUM_DIFFERENCES)

    ticks = np.arange(0, 40 * 96, 6, dtype=np.int32)
    rows = difference_rows(tf.constant(ticks), tf.constant(0)).numpy()
    assert not table[0].any()
    for column, bar in ((1, 72), (2, 96)):
        whole = np.where((ticks % bar == 0) & (ticks // bar <= 33), ticks // bar, 0)
        assert table[column, rows].tolist() == whole.tolist()


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


LONG = make_tokens(5, rows=3, length=2 * RECENT + 7)
LONG[LONG < 3] = 3  # no row ends


def step_through(generator, state, tokens, first):
    """Asserts that the logits from a state on are those of whole rows."""
    expected = generator(tokens).numpy()
    cache = generator.decoding_cache()
    before = np.concatenate([np.full((len(tokens), 1), V), tokens], axis=1)
    for t in range(first, tokens.shape[1]):
        logits, state = generator.next_logits(cache, state, tf.constant(before[:, t], tf.int32))
        np.testing.assert_allclose(logits, expected[:, t], rtol=1e-5, atol=1e-5)


def test_what_lies_far_back_is_read_like_what_is_recent():
    generator = make_attention_generator(end_token_id=None)

    step_through(generator, generator.initial_state(*LONG.shape), LONG, first=0)


@pytest.mark.parametrize("length", [1, RECENT - 1, RECENT, RECENT + 1, 2 * RECENT, 2 * RECENT + 1])
def test_a_prefix_of_any_length_is_continued_like_a_whole_row(length):
    generator = make_attention_generator(end_token_id=None)

    step_through(generator, generator.prefix_states(LONG)(length), LONG, first=length)


def test_long_samples_do_not_depend_on_the_batch_and_are_scored_like_whole_rows():
    generator = make_attention_generator(end_token_id=None)
    tokens = generator.generate(20, LONG.shape[1], seed=1)

    np.testing.assert_array_equal(generator.generate(3, LONG.shape[1], seed=1), tokens[:3])
    found = score_sequences(generator, tf.constant(tokens))
    np.testing.assert_allclose(found, generator.token_log_probs(tokens), rtol=1e-4, atol=1e-4)


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
