"""A generator that knows its tokens' durations writes nothing but tunes whose voices fit."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import make_score
from tiny_models import make_generator_with_grammar

import tfseqgan as sg
from tfseqgan.models.decoding import complete_prefixes, score_sequences
from tfseqgan.models.policy import Policy
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.ops.masking import sequence_mask

B, T = 5, 23
TOKENIZERS = {"combined": {}, "interleaved": {"interleave": True}}
every_tokenizer = pytest.mark.parametrize("name", TOKENIZERS)


@pytest.fixture(scope="module")
def tokenizers():
    scores = [make_score(seed, num_notes=12, num_chords=5) for seed in range(12)]

    return {name: Tokenizer.fit(scores, **options) for name, options in TOKENIZERS.items()}


@pytest.fixture(scope="module")
def rows(tokenizers):
    """Whole tunes as the rows of each tokenizer, some cut."""
    scores = [make_score(seed, num_notes=12, num_chords=5) for seed in range(B)]

    return {name: one.whole_tunes(scores, T).tokens for name, one in tokenizers.items()}


@pytest.fixture(scope="module")
def openings(rows):
    """The rows with which the tunes begin, [B, T]."""
    return {name: tokens[tokens[:, 0] == 1] for name, tokens in rows.items()}


@pytest.fixture(scope="module")
def generators(tokenizers):
    """Generators with random weights, which know nothing but the grammar."""
    return {name: make_generator(tokenizer) for name, tokenizer in tokenizers.items()}


@pytest.fixture(scope="module")
def trained(tokenizers, rows):
    """Generators that have learned a few tunes."""
    generators = {}
    for name, tokenizer in tokenizers.items():
        generator = make_generator(tokenizer)
        generator.compile(sg.Adam(0.01))
        sg.pretrain(generator, rows[name], epochs=60, batch_size=B, seed=0, verbose=0)
        generators[name] = generator

    return generators


def make_generator(tokenizer, seed=0, **options):
    """Returns a tiny generator whose preferences are strong and random."""
    generator = make_generator_with_grammar(tokenizer, seed, **options)
    generator.bias.assign(np.random.default_rng(seed).normal(size=generator.bias.shape))

    return generator


def assert_voices_fit(tokenizer, row):
    """Checks a row from its start token on: gapless voices that end together if it ends."""
    tokens = row.tolist()
    assert tokens[0] == tokenizer.start_token_id
    has_ended = tokenizer.end_token_id in tokens
    body = tokens[1 : tokens.index(tokenizer.end_token_id)] if has_ended else tokens[1:]

    ends = np.zeros(2, int)
    voices = None
    for index, token in enumerate(body):
        durations = tokenizer.token_durations[token]
        starts = durations > 0
        assert starts.any()
        if voices is None and (index > 0 or not tokenizer.options["interleave"] or starts[0]):
            voices = starts if index == 0 else starts | (ends > 0)
        if voices is not None:
            assert not (starts & ~voices).any()
            due = ends == ends[voices].min()
            assert not (starts & ~due).any()
        ends += durations

    if has_ended:
        assert not ends.all() or ends[0] == ends[1]
        score = tokenizer.decode(row)
        assert score.end_ticks <= ends.max()


@every_tokenizer
def test_tokens_that_may_not_follow_have_probability_0(generators, rows, name):
    generator = generators[name]
    tokens = rows[name]
    codes = generator.clock.grammar(generator.clock.states_before(tokens)).numpy()
    is_allowed = generator.clock.mask[codes] == 0  # [B, T, V]

    probs = tf.nn.softmax(generator(tokens)).numpy()

    assert (probs[~is_allowed] == 0).all()
    assert (probs[is_allowed] > 0).all()
    np.testing.assert_allclose(probs.sum(axis=-1), 1, rtol=1e-5)
    assert 0 < is_allowed.mean() < 0.9


@every_tokenizer
def test_log_probs_and_their_gradient_are_those_of_the_masked_logits(generators, rows, name):
    generator = generators[name]
    tokens = rows[name]
    mask = sequence_mask(tokens, generator.end_token_id)
    weights = generator.trainable_variables

    with tf.GradientTape(persistent=True) as tape:
        found = generator.token_log_probs(tokens) * mask
        log_softmax = tf.nn.log_softmax(generator(tokens))
        expected = tf.gather(log_softmax, tokens, batch_dims=2) * mask

    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(
        tape.gradient(found, weights), tape.gradient(expected, weights), strict=True
    ):
        assert np.abs(tf.convert_to_tensor(other)).max() > 0
        np.testing.assert_allclose(
            tf.convert_to_tensor(one), tf.convert_to_tensor(other), rtol=1e-4, atol=1e-5
        )


@every_tokenizer
def test_scoring_token_by_token_is_scoring_whole_rows(generators, rows, name):
    generator = generators[name]
    tokens = rows[name]

    by_step = score_sequences(generator, tf.constant(tokens))

    np.testing.assert_allclose(by_step, Policy(generator).log_prob(tokens), rtol=1e-4, atol=1e-4)


@every_tokenizer
def test_a_sample_has_the_log_probability_that_it_was_drawn_with(generators, name):
    generator = generators[name]
    seeds = tf.constant(np.stack([np.zeros(16), np.arange(16)], axis=1), tf.int32)

    tokens, log_probs = generator.sample(seeds, T)

    assert float(tf.reduce_min(log_probs)) > -1e6
    np.testing.assert_allclose(log_probs, Policy(generator).log_prob(tokens), rtol=1e-4, atol=1e-4)


@every_tokenizer
@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 0.7}, {"temperature": 1e38}, {"top_k": 3}, {"top_p": 0.8}],
    ids=str,
)
def test_whatever_is_asked_for_every_sample_fits(generators, tokenizers, name, options):
    tokenizer = tokenizers[name]

    samples = generators[name].generate(64, 40, prompt=[1], seed=0, **options)

    for row in samples:
        assert_voices_fit(tokenizer, row)


@every_tokenizer
def test_a_prompt_is_continued_where_it_stands(generators, tokenizers, openings, name):
    tokenizer = tokenizers[name]
    prompt = openings[name][:, :7]

    samples = generators[name].generate(B, 40, prompt=prompt, seed=1)

    for row in samples:
        assert_voices_fit(tokenizer, row)


@every_tokenizer
def test_rollouts_fit(generators, tokenizers, openings, name):
    tokenizer = tokenizers[name]
    tokens = tf.constant(openings[name][:, :9])

    completed = complete_prefixes(
        generators[name], tokens, num_rollouts=3, every=4, seed=tf.constant([0, 1])
    ).numpy()

    assert completed.shape == (2, 3, B, 9)
    for row in completed.reshape(-1, 9):
        assert_voices_fit(tokenizer, row)


@every_tokenizer
def test_training_keeps_to_the_grammar(tokenizers, rows, name):
    generator = make_generator(tokenizers[name], dropout=0.2)
    generator.compile(sg.Adam(0.02))

    history = sg.pretrain(generator, rows[name], epochs=3, batch_size=2, seed=0, verbose=0)

    assert history.history["nll"][-1] < history.history["nll"][0] < 10
    for row in generator.generate(32, 40, prompt=[1], seed=2):
        assert_voices_fit(tokenizers[name], row)


def test_in_half_precision_every_sample_fits(tokenizers):
    tokenizer = tokenizers["interleaved"]
    generator = make_generator(tokenizer, dtype="mixed_bfloat16")

    for row in generator.generate(32, 40, prompt=[1], seed=2):
        assert_voices_fit(tokenizer, row)


def test_a_generator_with_durations_is_saved_with_them(generators, rows, tmp_path):
    generator = generators["interleaved"]

    generator.save(tmp_path / "generator.keras")
    loaded = keras.models.load_model(tmp_path / "generator.keras")

    np.testing.assert_array_equal(loaded(rows["interleaved"]), generator(rows["interleaved"]))


@every_tokenizer
def test_the_first_token_that_cannot_follow_is_found(generators, rows, openings, name):
    generator = generators[name]
    broken = np.tile(openings[name], (700, 1))  # more rows than are checked at once
    row, index = len(broken) - 2, 3
    state = generator.clock.states_before(broken[row : row + 1])
    forbidden = generator.clock.mask[generator.clock.grammar(state)[0, index]] < 0
    broken[row, index] = np.flatnonzero(forbidden)[-1]

    assert generator.find_grammar_break(rows[name]) is None
    assert generator.find_grammar_break(broken) == (row, index)


@every_tokenizer
def test_data_that_breaks_the_grammar_is_refused_before_it_is_learned(tokenizers, rows, name):
    generator = make_generator(tokenizers[name])
    generator.compile(sg.Adam(0.01))
    broken = rows[name].copy()
    broken[1, 0] = 1
    broken[1, 1:] = 1

    message = "breaks the grammar of .* token 1 at index 1 of row 1 cannot follow"
    with pytest.raises(ValueError, match=f"^data {message}"):
        sg.pretrain(generator, broken, batch_size=B, verbose=0)
    with pytest.raises(ValueError, match=f"^validation_data {message}"):
        sg.pretrain(generator, rows[name], batch_size=B, validation_data=broken, verbose=0)
    with pytest.raises(ValueError, match=f"^data {message}"):
        sg.evaluate(generator, None, broken)


def test_a_generator_without_durations_takes_any_order(tokenizers):
    tokenizer = tokenizers["combined"]
    generator = sg.Generator(tokenizer.vocabulary_size, embedding_dim=2, units=3)

    assert generator.find_grammar_break(np.array([[1, 1, 1]])) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, options",
    [
        ("combined", {"temperature": 1.0}),
        ("interleaved", {"temperature": 0.7}),
        ("interleaved", {"temperature": 1.0}),
        ("interleaved", {"temperature": 1.3}),
        ("interleaved", {"temperature": 1.3, "top_k": 20}),
        ("interleaved", {"temperature": 1.0, "top_p": 0.9}),
    ],
    ids=str,
)
def test_of_10000_samples_of_a_trained_generator_every_one_fits(trained, tokenizers, name, options):
    tokenizer = tokenizers[name]
    prompts = np.array([tokenizer.start_token_id])

    samples = trained[name].generate(10_000, 40, prompt=prompts, seed=3, **options)

    assert (samples == tokenizer.end_token_id).any(axis=1).sum() > 100
    for row in samples:
        assert_voices_fit(tokenizer, row)


def test_sequences_without_an_end_have_no_grammar(tokenizers):
    with pytest.raises(ValueError, match="token_durations need an end token"):
        make_generator(tokenizers["combined"], end_token_id=None)
