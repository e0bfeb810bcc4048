"""Guidance: what it computes, and that it never draws a forbidden token."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_models import CONTROLLED, CONTROLLED_TUNES, make_generator_with_controls

import tfseqgan as sg
from tfseqgan.models.decoding import decode
from tfseqgan.music.controls import Controls
from tfseqgan.ops.sampling import row_seeds

B, T = 5, 17


@pytest.fixture(scope="module")
def tokenizer():
    return CONTROLLED


@pytest.fixture(scope="module", params=["lstm", "attention"])
def generator(request):
    return make_generator_with_controls(request.param)


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def test_guided_logits_are_those_of_both_readings_of_the_same_tokens(generator, tokenizer):
    prompts = tokenizer.prompts(B, Controls(key="D"), seed=0)
    first_event = 3
    tokens = np.concatenate([prompts, np.full((B, T - 5), first_event)], axis=1).astype(np.int32)
    guidance = np.linspace(0, 2, B).astype(np.float32)
    seen = []

    def choose(t, rows, logits, probs):
        seen.append(logits.numpy())
        return tf.constant(tokens[:, int(t)])

    tf.config.run_functions_eagerly(True)
    try:
        _, log_probs = decode(generator, B, T, choose, guidance=tf.constant(guidance))
    finally:
        tf.config.run_functions_eagerly(False)

    blind = tokens.copy()
    blind[:, 1:5] = generator.without_controls(tokens[:, 1:5])
    with_controls = generator(tokens).numpy()
    gained = log_softmax(with_controls) - log_softmax(generator(blind).numpy())
    expected = with_controls + guidance[:, None, None] * gained
    is_allowed = with_controls > -1e6
    found = np.stack(seen, axis=1)
    np.testing.assert_array_equal(found > -1e6, is_allowed)
    np.testing.assert_allclose(found[is_allowed], expected[is_allowed], rtol=1e-4, atol=1e-4)
    own = generator.token_log_probs(tokens).numpy()
    np.testing.assert_allclose(log_probs, own, rtol=1e-4, atol=1e-4)


def test_the_unknown_controls_are_read_instead(generator, tokenizer):
    tokens = tokenizer.encode(CONTROLLED_TUNES[0])

    blind = generator.without_controls(tokens).numpy()

    assert tokenizer.token_controls[blind[1:5]].tolist() == [
        [1, 0, 0],
        [2, 0, 0],
        [3, 0, 0],
        [4, 0, 0],
    ]
    np.testing.assert_array_equal(np.delete(blind, range(1, 5)), np.delete(tokens, range(1, 5)))


def test_a_guidance_of_zero_changes_nothing(generator, tokenizer):
    prompts = tokenizer.prompts(B, seed=1)
    plain = generator.generate(B, T, prompt=prompts, seed=4)

    tokens, _ = generator.sample(row_seeds(4, B), T, prompt=prompts, guidance=tf.zeros([]))

    np.testing.assert_array_equal(tokens, plain)
    np.testing.assert_array_equal(
        generator.generate(B, T, prompt=prompts, seed=4, guidance=0), plain
    )


def test_guided_samples_keep_the_grammar_and_do_not_depend_on_the_batch(generator, tokenizer):
    prompts = tokenizer.prompts(B, seed=1)
    options = {"guidance": 3.0, "temperature": 1.3}

    many = generator.generate(B, T, prompt=prompts, seed=4, **options)
    few = generator.generate(2, T, prompt=prompts[:2], seed=4, **options)

    assert generator.find_grammar_break(many) is None
    np.testing.assert_array_equal(many[:2], few)
    assert not np.array_equal(many, generator.generate(B, T, prompt=prompts, seed=4))


@pytest.mark.parametrize("guidance", [-0.1, float("nan"), float("inf"), "much"])
def test_a_guidance_out_of_range_is_refused(generator, guidance):
    with pytest.raises(ValueError, match="guidance must be a number"):
        generator.generate(1, T, guidance=guidance)


def test_a_model_without_controls_cannot_be_guided():
    generator = sg.Generator(9, embedding_dim=4, units=6)

    with pytest.raises(ValueError, match="guidance is 0.4 and the model reads no controls"):
        generator.generate(1, T, guidance=0.4)
