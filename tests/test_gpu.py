"""What must hold on a GPU: a CPU's results, mixed precision, and memory that does not grow."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import make_discriminator, make_generator, make_tokens

import tfseqgan as sg
from tfseqgan.evaluation.evaluate import sequence_nlls
from tfseqgan.ops.devices import has_gpu
from tfseqgan.ops.log_probs import token_log_probs

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not has_gpu(), reason="there is no GPU"),
]
TOKENS = make_tokens(0, 20)
CREDITS = [sg.credit.Terminal(), sg.credit.Prefix(), sg.credit.Rollout(2)]


def train_on_gpu(credit, rounds, **options):
    """Returns the history of adversarial training on a GPU."""
    with tf.device("GPU:0"):
        generator = make_generator(units=32, **options)
        discriminator = make_discriminator(**options)
        generator.compile(sg.Adam(1e-3))
        discriminator.compile(sg.Adam(1e-3))

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


@pytest.fixture
def on_both_devices(monkeypatch):
    """A function that returns what another gives on a GPU, and on a CPU by the CPU's kernels."""

    def run(function):
        with tf.device("GPU:0"):
            of_gpu = function()

        monkeypatch.setattr("tfseqgan.ops.lstm.has_gpu", lambda: False)
        monkeypatch.setattr("tfseqgan.ops.causal_convolution.has_gpu", lambda: False)
        with tf.device("CPU:0"):
            of_cpu = function()

        return of_gpu, of_cpu

    return run


def test_the_nlls_of_a_generator_are_those_of_a_cpu(on_both_devices):
    def nlls():
        return sequence_nlls(make_generator(units=32), TOKENS)

    of_gpu, of_cpu = on_both_devices(nlls)

    np.testing.assert_allclose(of_gpu, of_cpu, rtol=1e-4)


def test_the_logits_of_a_discriminator_are_those_of_a_cpu(on_both_devices):
    def logits():
        return make_discriminator()(TOKENS).numpy()

    of_gpu, of_cpu = on_both_devices(logits)

    np.testing.assert_allclose(of_gpu, of_cpu, rtol=1e-4, atol=1e-5)


def test_the_gradient_of_an_almost_certain_token_keeps_its_digits():
    with tf.device("GPU:0"):
        outputs = tf.ones([1, 1, 5])
        kernel = tf.zeros([5, 7])
        bias = tf.constant([12.0] + [0.0] * 6)
        with tf.GradientTape() as tape:
            tape.watch(bias)
            total = tf.reduce_sum(token_log_probs(outputs, kernel, bias, tf.constant([[0]])))

        gradient = tape.gradient(total, bias)

    others = 6 * np.exp(-12.0)
    np.testing.assert_allclose(gradient[0], others / (1 + others), rtol=0.01)


@pytest.mark.parametrize("credit", CREDITS, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_adversarial_training_stays_finite(credit, dtype):
    history = train_on_gpu(credit, rounds=3, dtype=dtype)

    assert np.isfinite(history["generator_loss"]).all()
    assert np.isfinite(history["val_nll"]).all()


def test_maximum_likelihood_learns_as_on_a_cpu(on_both_devices):
    def nll_of_epochs():
        generator = make_generator(dropout=0.0)
        generator.compile(keras.optimizers.Adam(0.01))
        history = sg.pretrain(generator, TOKENS, epochs=3, batch_size=5, seed=0, verbose=0)
        return history.history["nll"]

    of_gpu, of_cpu = on_both_devices(nll_of_epochs)

    np.testing.assert_allclose(of_gpu, of_cpu, rtol=1e-3)


def test_memory_does_not_grow_from_run_to_run():
    peaks = []
    for _ in range(3):
        tf.config.experimental.reset_memory_stats("GPU:0")
        train_on_gpu(sg.credit.Rollout(2), rounds=20)
        keras.backend.clear_session()
        peaks.append(tf.config.experimental.get_memory_info("GPU:0")["peak"])

    assert peaks[2] <= 1.02 * peaks[1]
