"""No graph without end: sizes and options compile nothing new, and graphs go with their model."""

import gc
import os
import resource
import subprocess
import sys
import weakref

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context
from tiny_models import V, make_discriminator, make_generator, make_tokens

from tfseqgan import SavedSampler, evaluate
from tfseqgan.evaluation.evaluate import discriminator_logits, sample_with_nll, sequence_nlls
from tfseqgan.models.graphs import compile_for_each_model
from tfseqgan.ops.sampling import row_seeds

GREATEST_LENGTH = 24


def count_functions():
    """Returns how many compiled functions TensorFlow holds in this process."""
    for _ in range(3):  # what a collected graph held is collected next
        gc.collect()

    return len(context.context().list_function_names())


def random_call(generator, rng):
    """Samples with a batch, a length, options and a prompt that hardly any other call has."""
    length = int(rng.integers(1, GREATEST_LENGTH))
    width = int(rng.integers(0, length + 1))
    options = {
        "temperature": rng.uniform(0.5, 2),
        "top_k": rng.choice([None, int(rng.integers(1, V))]),
        "top_p": rng.choice([None, rng.uniform(0.1, 1)]),
        "prompt": rng.integers(3, V, width) if rng.random() < 0.5 else None,
    }

    return generator.generate(int(rng.integers(1, 60)), length, seed=0, **options)


def one_call_of_each_kind(generator):
    """Samples filtered and unfiltered, with and without a prompt."""
    for options in ({}, {"top_k": 2}):
        for prompt in (None, [3]):
            generator.generate(2, 3, prompt=prompt, seed=0, **options)


@pytest.mark.slow
def test_200_calls_that_all_differ_are_computed_by_four_graphs_in_flat_memory():
    generator = make_generator()
    rng = np.random.default_rng(0)
    before = count_functions()
    one_call_of_each_kind(generator)
    of_four_graphs = count_functions()
    for _ in range(20):
        random_call(generator, rng)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    for _ in range(180):
        random_call(generator, rng)

    assert before < of_four_graphs < before + 100
    assert count_functions() <= of_four_graphs
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - kilobytes < 30_000


def test_an_option_of_another_value_compiles_no_graph():
    generator = make_generator()
    generator.generate(2, 3, top_k=2, seed=0)
    before = count_functions()

    for options in ({"top_k": 3}, {"top_p": 0.5}, {"top_k": 1, "top_p": 0.3}):
        generator.generate(5, 7, temperature=0.7, seed=1, **options)

    assert count_functions() <= before


@pytest.mark.slow
def test_evaluating_another_number_of_rows_compiles_no_graph():
    models = make_generator(), make_discriminator()
    evaluate(*models, make_tokens(0, 3), batch_size=2)
    before = count_functions()

    for rows in range(4, 12):
        evaluate(*models, make_tokens(rows, rows), batch_size=rows - 1, num_samples=rows + 3)

    assert count_functions() <= before


@pytest.mark.slow
def test_sequences_of_another_length_are_scored_and_sampled_by_the_same_graph():
    generator = make_generator()
    sequence_nlls(generator, make_tokens(0, 3))
    sample_with_nll(generator, 3, 4, seed=0)
    before = count_functions()

    for length in range(5, 12):
        sequence_nlls(generator, make_tokens(0, 4, length))
        sample_with_nll(generator, length, length, seed=0)

    assert count_functions() <= before


@pytest.mark.slow
def test_a_discriminator_keeps_at_most_eight_graphs_for_as_many_lengths():
    discriminator = make_discriminator()
    for length in range(3, 12):
        discriminator_logits(discriminator, make_tokens(0, 3, length))
    of_eight = count_functions()

    for length in range(12, 16):
        discriminator_logits(discriminator, make_tokens(0, 3, length))

    assert count_functions() <= of_eight + 2


@pytest.mark.slow
def test_the_graphs_of_a_model_go_with_it():
    def use_models():
        generator, discriminator = make_generator(), make_discriminator()
        evaluate(generator, discriminator, make_tokens(0, 3))
        generator.generate(2, 3, top_k=2, seed=0)
        return weakref.ref(generator), weakref.ref(discriminator)

    use_models()
    before = count_functions()

    references = [reference for _ in range(3) for reference in use_models()]

    assert count_functions() <= before
    assert [reference() for reference in references] == [None] * 6


@pytest.mark.slow
@pytest.mark.serving
def test_an_exported_sampler_compiles_no_graph_for_other_options():
    sampler = SavedSampler(os.path.join(os.path.dirname(__file__), "..", "golden", "sampler"))
    sampler.generate(2, seed=0)
    before = count_functions()

    for rows, top_k, top_p in ((3, 2, None), (20, None, 0.5), (40, 5, 0.9)):
        sampler.generate(rows, 5, top_k=top_k, top_p=top_p, seed=1)

    assert count_functions() <= before


def test_options_for_all_rows_and_for_each_row_give_the_same_samples():
    generator = make_generator()
    seeds = row_seeds(0, 20)

    for_all, _ = generator.sample(seeds, 5, tf.constant(0.7))
    for_each, _ = generator.sample(seeds, 5, tf.fill([20], 0.7))

    np.testing.assert_array_equal(for_all, for_each)


def test_within_a_function_the_number_of_tokens_is_known():
    generator = make_generator()

    @tf.function
    def sample(seeds):
        tokens, log_probs = generator.sample(seeds, 5)
        assert tokens.shape[1] == log_probs.shape[1] == 5
        return tokens

    found = sample(row_seeds(0, 3))

    np.testing.assert_array_equal(found, generator.generate(3, 5, seed=0))


def test_a_function_of_a_model_is_compiled_once_for_all_sizes():
    traces = []

    class Model:
        """Somebody's own, which cannot be hashed."""

        scale = 2
        __hash__ = None

    @compile_for_each_model
    def scaled(model, rows, more):
        traces.append(rows.shape)
        return model.scale * rows if more is None else rows + more

    model = Model()
    for size in (1, 4, 3):
        assert scaled(model, tf.ones([size, 2]), None).shape == (size, 2)
        assert scaled(model, tf.ones([size]), tf.ones([size])).numpy().tolist() == [2] * size

    assert [shape.as_list() for shape in traces] == [[None, None], [None]]


FORK = """
import os, sys
import tfseqgan as sg

generator = sg.Generator(9, embedding_dim=4, units=8)
if sys.argv[1] == "used":
    generator.generate(1, 3)
child = os.fork()
if not child:
    try:
        generator.generate(1, 3)
    except RuntimeError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_process_that_was_forked_after_a_model_was_used_says_so_instead_of_waiting():
    command = [sys.executable, "-c", FORK, "used"]

    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)

    assert result.stdout.startswith("This process was forked after a model was used; expected")
