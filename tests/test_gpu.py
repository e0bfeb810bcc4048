"""What must hold where there is a GPU: the figures of a CPU, mixed precision, and memory that does not grow. Skipped where there is none."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import make_discriminator, make_generator, make_tokens

import tfseqgan as sg
from tfseqgan.evaluation.evaluate import sequence_nlls
from tfseqgan.ops.log_probs import token_log_probs

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not tf.config.list_physical_devices("GPU"), reason="there is no GPU"),
]
TOKENS = make_tokens(0, 20)
CREDITS = [sg.credit.Terminal(), sg.credit.Prefix(), sg.credit.Rollout(2)]


def play(device, credit, rounds=3, **options):
    """Returns the history of a game on a device."""
    with tf.device(device):
        generator, discriminator = (
            make_generator(units=32, **options),
            make_discriminator(**options),
        )
        generator.compile(sg.Adam(1e-3)), discriminator.compile(sg.Adam(1e-3))
        return sg.fit_adversarial(
            generator,
            discriminator,
            TOKENS,
            sg.kl_control(0.1, credit=credit),
            rounds=rounds,
            batch_size=16,
            discriminator_batch_size=8,
            validation_data=TOKENS,
            seed=0,
            verbose=0,
        ).history


def on_both(monkeypatch, function):
    """Returns what a function gives on a GPU, and on a CPU by the code that runs where there is no GPU."""
    with tf.device("GPU:0"):
        there = function()
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with tf.device("CPU:0"):
        return there, function()


def test_a_generator_scores_as_on_a_cpu(monkeypatch):
    np.testing.assert_allclose(
        *on_both(monkeypatch, lambda: sequence_nlls(make_generator(units=32), TOKENS)), rtol=1e-4
    )


def test_a_discriminator_judges_as_on_a_cpu(monkeypatch):
    np.testing.assert_allclose(
        *on_both(monkeypatch, lambda: make_discriminator()(TOKENS).numpy()), rtol=1e-4, atol=1e-5
    )


def test_the_gradient_of_an_almost_certain_token_keeps_its_digits():
    with tf.device("GPU:0"):
        parts = [tf.ones([1, 1, 5]), tf.zeros([5, 7]), tf.constant([12.0] + [0.0] * 6)]
        with tf.GradientTape() as tape:
            tape.watch(parts)
            total = tf.reduce_sum(token_log_probs(*parts, [[0]]))
        others = 6 * np.exp(-12.0)
        np.testing.assert_allclose(
            tape.gradient(total, parts)[2][0], others / (1 + others), rtol=0.01
        )


@pytest.mark.parametrize("credit", CREDITS, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_game_is_played(credit, dtype):
    history = play("GPU:0", credit, dtype=dtype)
    assert np.isfinite(history["generator_loss"]).all() and np.isfinite(history["val_nll"]).all()


def learn():
    """Returns the NLLs of three epochs of maximum likelihood."""
    generator = make_generator(dropout=0.0)
    generator.compile(keras.optimizers.Adam(0.01))
    return sg.pretrain(generator, TOKENS, epochs=3, batch_size=5, seed=0, verbose=0).history["nll"]


def test_maximum_likelihood_learns_as_on_a_cpu(monkeypatch):
    np.testing.assert_allclose(*on_both(monkeypatch, learn), rtol=1e-3)


def test_memory_does_not_grow_from_round_to_round():
    peaks = []
    for _ in range(3):
        tf.config.experimental.reset_memory_stats("GPU:0")
        play("GPU:0", sg.credit.Rollout(2), rounds=20)
        keras.backend.clear_session()
        peaks.append(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    assert peaks[2] <= 1.02 * peaks[1]
