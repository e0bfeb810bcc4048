"""Files that 0.1.0 wrote load in this version and give the same results.

tests/golden/make_golden.py made them. Weights and tokens are the same bit for bit. The numbers that
are computed from them are so on the kind of processor that the files were made on; TensorFlow has
other kernels on another one, which round the last digit otherwise.
"""

import csv
import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfseqgan as sg
from tfseqgan.ops.sampling import pad_rows
from tfseqgan.runs.finished_run import evaluate_run
from tfseqgan.runs.run_folder import load_model, read_config, read_json
from tfseqgan.runs.train_run import train_run
from tfseqgan.serving.pretrained import REGISTERED_CLASSES

GOLDEN = Path(__file__).parent / "golden"
RUN = GOLDEN / "run"
NAMES = ("generator", "discriminator")


@pytest.fixture(scope="module")
def expected():
    """Returns what 0.1.0 computed, by name."""
    return np.load(GOLDEN / "expected.npz")


@pytest.fixture(scope="module")
def models():
    """Returns the saved generator and discriminator."""
    return tuple(load_model(RUN, name) for name in NAMES)


def weights_of(expected, name):
    """Returns the weights that 0.1.0 saved under a name, in order."""
    count = sum(key.startswith(f"{name}.") for key in expected.files)

    return [expected[f"{name}.{index}"] for index in range(count)]


def assert_weights(model, saved):
    """Asserts that the weights of a model are those that 0.1.0 had, bit for bit."""
    assert len(saved) > 0
    for ours, theirs in zip(model.get_weights(), saved, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def assert_same_numbers(ours, theirs):
    """Asserts that float32 numbers differ by no more than the rounding of their last digits."""
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def read_rows(path):
    """Returns the rows of a CSV file as dicts."""
    with open(path) as file:
        return list(csv.DictReader(file))


def test_saved_weights_are_loaded_unchanged(models, expected):
    for name, model in zip(NAMES, models, strict=True):
        assert_weights(model, weights_of(expected, name))


@pytest.mark.slow
def test_a_loaded_generator_samples_the_same_tokens(models, expected):
    generator, _ = models
    seeds = tf.constant([[5, row] for row in range(5)], tf.int32)

    generated = generator.generate(7, length=24, prompt=[1], temperature=0.8, top_p=0.95, seed=3)
    tokens, log_probs = generator.sample(pad_rows(seeds), 24)

    np.testing.assert_array_equal(generated, expected["generated"])
    np.testing.assert_array_equal(tokens[:5], expected["sampled"])
    assert_same_numbers(log_probs[:5], expected["sampled_log_probs"])


def test_loaded_models_score_the_same(models, expected):
    generator, discriminator = models
    tokens = tf.constant(expected["generated"])

    assert_same_numbers(generator.token_log_probs(tokens), expected["token_log_probs"])
    assert_same_numbers(generator(tokens), expected["logits"])
    assert_same_numbers(discriminator(tokens), expected["discriminator_logits"])
    assert_same_numbers(discriminator.prefix_logits(tokens), expected["prefix_logits"])


def test_a_saved_sampler_draws_the_same_tokens(expected):
    tokens = sg.SavedSampler(GOLDEN / "sampler").generate(5, seed=3, temperature=0.9)

    np.testing.assert_array_equal(tokens, expected["saved_sampler"])


def test_a_saved_tokenizer_is_loaded_unchanged():
    of_run = sg.Tokenizer.load(RUN / "tokenizer.json")
    of_sampler = sg.Tokenizer.load(GOLDEN / "sampler" / "1" / "assets" / "tokenizer.json")
    data = read_json(RUN / "config.json")["data"]

    assert of_run == of_sampler
    assert of_run.vocabulary_size == data["vocabulary_size"] == 199


@pytest.mark.slow
def test_a_saved_run_is_evaluated_to_the_same_figures():
    rows = evaluate_run(RUN)
    saved = read_json(RUN / "evaluation.json")

    # The last digits depend on the shape of the batches, which were others in 0.1.0, and on the
    # processor.
    assert rows.keys() == saved.keys()
    for stage, row in rows.items():
        assert row == pytest.approx(saved[stage], rel=1e-5)


@pytest.mark.slow
def test_a_saved_checkpoint_is_resumed(tmp_path, expected):
    out = tmp_path / "run"
    shutil.copytree(RUN, out)
    settings, config = read_config(out)

    longer = dataclasses.replace(settings, rounds=4)
    train_run(out, longer, resumed_config=config, verbose=0)

    # What the checkpoint holds comes back to the bit: the rounds before the stop.
    ours = read_rows(out / "metrics.csv")
    theirs = read_rows(GOLDEN / "resumed_metrics.csv")
    before = len(read_rows(RUN / "metrics.csv"))
    assert len(ours) == len(theirs) == before + 2
    assert ours[:before] == theirs[:before]

    # The rounds after it sum in another order than 0.1.0 did, so that the last digits differ; the
    # KL is a small difference of large sums.
    for our_row, their_row in zip(ours[before:], theirs[before:], strict=True):
        for key, value in their_row.items():
            wanted = pytest.approx(float(value), rel=1e-5, abs=1e-7, nan_ok=True)
            assert float(our_row[key]) == wanted, key
    for name in NAMES:
        saved = weights_of(expected, f"resumed_{name}")
        for weight, golden in zip(load_model(out, name).get_weights(), saved, strict=True):
            np.testing.assert_allclose(weight, golden, rtol=1e-5, atol=1e-7)


LOAD_IN_A_FRESH_PROCESS = {
    "from_pretrained": "import sys, tfseqgan as sg; sg.from_pretrained(sys.argv[1])",
    "from_pretrained, compiled": (
        "import sys, tfseqgan as sg; found = sg.from_pretrained(sys.argv[1], compile=True)\n"
        "assert type(found.generator.optimizer) is sg.Adam, found.generator.optimizer\n"
        "assert type(found.discriminator.optimizer) is sg.Adam"
    ),
    "keras, one class imported": (
        "import sys, keras; from tfseqgan import Generator\n"
        "for name in ('generator', 'pretrained', 'discriminator'):\n"
        "    model = keras.models.load_model(f'{sys.argv[1]}/{name}.keras')\n"
        "    assert model.optimizer.iterations > 0"
    ),
    "keras, the package imported": (
        "import sys, keras, tfseqgan; keras.models.load_model(f'{sys.argv[1]}/generator.keras')"
    ),
    "saved sampler": "import sys, tfseqgan as sg; sg.SavedSampler(sys.argv[2]).generate(1, seed=0)",
    "plain TensorFlow": (
        "import sys, tensorflow as tf; tf.saved_model.load(sys.argv[2] + '/1')\n"
        "assert not any(name.startswith('tfseqgan') for name in sys.modules)"
    ),
}


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.parametrize("code", LOAD_IN_A_FRESH_PROCESS.values(), ids=LOAD_IN_A_FRESH_PROCESS)
def test_every_saved_kind_is_loaded_in_a_fresh_process(code):
    command = [sys.executable, "-c", code, str(RUN), str(GOLDEN / "sampler")]

    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr[-2000:]


def test_importing_pretrained_registers_every_class_that_keras_can_save():
    registered = keras.saving.get_custom_objects()
    names = {name for name in registered if name.startswith("tfseqgan>")}

    assert names == {f"tfseqgan>{found.__name__}" for found in REGISTERED_CLASSES}
