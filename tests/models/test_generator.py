"""The generator: a causal model, its masked likelihood, and samples that repeat row by row."""

import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from reference_models import randomize, token_vectors
from tiny_models import (
    END,
    FEATURES,
    PAD,
    V,
    lengths,
    log_softmax,
    make_discriminator,
    make_generator,
    make_tokens,
    sigmoid,
    snapshot,
)

from tfseqgan import Generator
from tfseqgan.evaluation.evaluate import mean_nll, sequence_nlls
from tfseqgan.ops.sampling import row_seeds

TOKENS = make_tokens(4, rows=6)
B, T = TOKENS.shape
LENGTH = 6

EMBEDDINGS = {"parts": FEATURES, "table": None}
both_embeddings = pytest.mark.parametrize(
    "embedding",
    ["parts", pytest.param("table", marks=pytest.mark.slow)],
)


def random_generator(embedding="parts", **options):
    """Returns a generator none of whose weights is zero, far from uniform, without dropout."""
    options = {"token_features": EMBEDDINGS[embedding], "dropout": 0.0} | options

    return randomize(make_generator(**options), scale=0.8, seed=5)


@functools.cache
def shared_generator(embedding="parts", end_token_id=END):
    """Returns a random generator that the tests share, so that it is compiled once for all."""
    return random_generator(embedding, end_token_id=end_token_id)


def reference_logits(generator, tokens):
    """Computes the logits by the definition, one step after the other, in float64."""
    table = token_vectors(generator.embedding)
    lstm_weights = [np.array(weight, np.float64) for weight in generator.lstm.trainable_weights]
    kernel, recurrent_kernel, bias = lstm_weights
    hidden = cell = np.zeros((len(tokens), generator.units))
    vectors = np.tile(np.array(generator.opening), (len(tokens), 1))

    logits = []
    for t in range(tokens.shape[1]):
        gates = vectors @ kernel + hidden @ recurrent_kernel + bias
        i, f, g, o = np.split(gates, 4, axis=1)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(cell)

        projected = hidden @ np.array(generator.projection.kernel)
        projected = projected + np.array(generator.projection.bias)
        if generator.token_features is not None:
            projected = projected @ table.T + np.array(generator.bias)

        logits.append(projected)
        vectors = table[tokens[:, t]]

    return np.stack(logits, axis=1)


@both_embeddings
def test_it_equals_its_definition_in_numpy(embedding):
    generator = shared_generator(embedding)

    expected = reference_logits(generator, TOKENS)

    np.testing.assert_allclose(generator(TOKENS), expected, rtol=1e-4, atol=1e-5)


@both_embeddings
@pytest.mark.parametrize("t", range(T))
def test_no_logit_depends_on_its_own_token_or_a_later_one(embedding, t):
    generator = shared_generator(embedding)
    other = TOKENS.copy()
    other[:, t:] = (other[:, t:] + 1) % V

    before = np.array(generator(TOKENS))
    after = np.array(generator(other))

    np.testing.assert_array_equal(before[:, : t + 1], after[:, : t + 1])
    is_last = t == T - 1
    assert is_last or not np.isclose(before[:, t + 1 :], after[:, t + 1 :]).all()


@pytest.mark.slow
@both_embeddings
def test_the_probabilities_of_all_sequences_sum_to_1(embedding):
    generator = shared_generator(embedding, end_token_id=None)
    axes = np.meshgrid(*[np.arange(V)] * 3, indexing="ij")
    everything = np.stack(axes, axis=-1).reshape(-1, 3)

    probabilities = np.exp(-sequence_nlls(generator, everything, batch_size=V**3))

    np.testing.assert_allclose(probabilities.sum(), 1, rtol=1e-5)


def test_the_vectors_of_the_input_are_those_of_the_output():
    generator = random_generator()
    token = 5
    before = np.array(generator(TOKENS))

    own = np.array(generator.embedding.own)
    own[token] += 1
    generator.embedding.own.assign(own)
    after = np.array(generator(TOKENS))

    # At the first step no token has been read, so that only the output uses the vectors.
    has_changed = ~np.isclose(before, after)[:, 0]  # [B, V]
    assert has_changed[:, token].all()
    assert has_changed.sum() == B


@both_embeddings
def test_the_loss_is_the_nll_per_token_that_counts(embedding):
    generator = shared_generator(embedding)
    log_p = log_softmax(reference_logits(generator, TOKENS))
    of_tokens = np.take_along_axis(log_p, TOKENS[..., None], axis=2)[..., 0]  # [B, T]
    num_tokens = lengths(TOKENS)
    rows = zip(of_tokens, num_tokens, strict=True)
    nlls = [-row[:length].sum() for row, length in rows]

    loss = generator.nll(TOKENS)

    np.testing.assert_allclose(loss, sum(nlls) / sum(num_tokens), rtol=1e-5)
    np.testing.assert_allclose(sequence_nlls(generator, TOKENS), nlls, rtol=1e-5)
    np.testing.assert_allclose(mean_nll(generator, TOKENS, batch_size=4), loss, rtol=1e-5)


@pytest.mark.slow
def test_tokens_after_the_end_token_count_for_nothing_whatever_their_ids():
    generator = shared_generator()
    other = TOKENS.copy()
    for row, length in zip(other, lengths(TOKENS), strict=True):
        row[length:] = (3 + np.arange(len(row) - length)) % V
    assert not np.array_equal(other, TOKENS)

    assert float(generator.nll(TOKENS)) == float(generator.nll(other))

    ended = TOKENS[np.array(lengths(TOKENS)) < T]
    longer = np.pad(ended, ((0, 0), (0, 2)))
    of_longer = sequence_nlls(generator, longer)
    np.testing.assert_allclose(of_longer, sequence_nlls(generator, ended), rtol=1e-6)


@pytest.mark.slow
def test_fit_lowers_the_nll_and_reports_it_over_tokens_not_over_batches():
    generator = make_generator(dropout=0.0)
    valid = make_tokens(15, rows=6)
    generator.compile(keras.optimizers.Adam(0.05))

    history = generator.fit(
        TOKENS,
        validation_data=(valid,),
        validation_batch_size=3,
        epochs=8,
        batch_size=3,
        verbose=0,
    ).history

    nlls = sequence_nlls(generator, valid).reshape(2, 3)  # by batch
    num_tokens = np.reshape(lengths(valid), (2, 3))
    nll = nlls.sum() / num_tokens.sum()
    mean_over_batches = np.mean(nlls.sum(axis=1) / num_tokens.sum(axis=1))
    assert history["nll"][-1] < history["nll"][0] - 0.3
    np.testing.assert_allclose(history["val_nll"][-1], nll, rtol=1e-6)
    assert abs(mean_over_batches - nll) > 1e-3


@pytest.mark.slow
def test_fit_weighs_batches_by_their_rows_and_takes_the_metrics_of_compile():
    generator = random_generator(end_token_id=None)
    tokens = make_tokens(9, rows=5)
    generator.compile("adam", metrics=["sparse_categorical_accuracy"], run_eagerly=True)

    figures = generator.evaluate(tokens, tokens, batch_size=4, return_dict=True, verbose=0)

    nll = mean_nll(generator, tokens)
    accuracy = np.mean(np.argmax(generator(tokens), axis=2) == tokens)
    np.testing.assert_allclose(figures["loss"], nll, rtol=1e-6)
    np.testing.assert_allclose(figures["nll"], nll, rtol=1e-6)
    np.testing.assert_allclose(figures["sparse_categorical_accuracy"], accuracy, rtol=1e-6)

    history = generator.fit(tokens, tokens, batch_size=4, verbose=0).history
    assert set(history) == {"loss", "nll", "sparse_categorical_accuracy"}


@pytest.mark.slow
def test_a_scaled_loss_moves_the_weights_as_far_as_an_unscaled_one():
    def weights_after_a_step(optimizer):
        generator = random_generator()
        generator.compile(optimizer, run_eagerly=True)
        generator.fit(TOKENS, batch_size=B, verbose=0)
        return generator.get_weights()

    plain = keras.optimizers.SGD(0.1)
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=64.0)

    expected = weights_after_a_step(plain)
    found = weights_after_a_step(scaled)

    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def weights_after_fit(*data, **options):
    """Returns the weights of a random generator after one large step on some data."""
    generator = random_generator()
    generator.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    generator.fit(*data, batch_size=B, verbose=0, **options)

    return generator.get_weights()


def assert_equal(weights, others):
    """Asserts that two lists of weights are nearly equal."""
    for weight, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_sample_weights_of_zero_leave_the_weights_as_they_were():
    before = random_generator().get_weights()

    of_rows = weights_after_fit(TOKENS, sample_weight=np.zeros(B))
    of_tokens = weights_after_fit(TOKENS, sample_weight=np.zeros((B, T)))

    for weights in (of_rows, of_tokens):
        for weight, other in zip(weights, before, strict=True):
            np.testing.assert_array_equal(weight, other)


@pytest.mark.slow
def test_sample_weights_of_one_change_nothing_and_of_two_double_the_step():
    before = random_generator().get_weights()
    plain = weights_after_fit(TOKENS)
    doubled = weights_after_fit(TOKENS, sample_weight=np.full(B, 2.0))

    assert_equal(weights_after_fit(TOKENS, sample_weight=np.ones(B)), plain)
    twice = [2 * after - start for after, start in zip(plain, before, strict=True)]
    assert_equal(doubled, twice)


@pytest.mark.slow
def test_a_sequence_of_weight_zero_is_as_if_it_were_not_there():
    weights = np.array([1.0] * (B - 2) + [0.0] * 2)
    other = TOKENS.copy()
    other[B - 2 :] = make_tokens(99, rows=2)
    other[B - 2 :, 0] = (TOKENS[B - 2 :, 0] - 3 + 1) % (V - 3) + 3
    generator = shared_generator()
    generator.compile()

    figures, of_other = [
        generator.evaluate(tokens, sample_weight=weights, return_dict=True, verbose=0)
        for tokens in (TOKENS, other)
    ]

    assert figures["nll"] == pytest.approx(of_other["nll"], rel=1e-5)
    assert figures["nll"] == pytest.approx(mean_nll(generator, TOKENS[: B - 2]), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("make_dataset", [False, True], ids=["arrays", "a dataset"])
def test_labels_that_are_not_the_tokens_are_refused(make_dataset):
    data = (TOKENS[:, :-1], TOKENS[:, 1:])
    if make_dataset:
        data = (tf.data.Dataset.from_tensor_slices(data).batch(B),)
    generator = random_generator()
    generator.compile("adam")
    options = {"shuffle": False} if make_dataset else {}

    message = "y must be None, or x itself: a generator"
    with pytest.raises(ValueError, match=message):
        generator.fit(*data, verbose=0, **options)
    with pytest.raises(ValueError, match=message):
        generator.evaluate(*data, verbose=0)


@pytest.mark.slow
def test_validation_data_may_come_with_weights_and_not_with_labels():
    generator = random_generator()
    generator.compile("adam", run_eagerly=True)
    weights = np.array([1.0] + [0.0] * (B - 1))

    history = generator.fit(
        TOKENS, validation_data=(TOKENS, TOKENS, weights), batch_size=B, verbose=0
    ).history

    expected = mean_nll(generator, TOKENS[:1])
    np.testing.assert_allclose(history["val_nll"], [expected], rtol=1e-5)
    with pytest.raises(ValueError, match="y must be None"):
        generator.fit(TOKENS, validation_data=(TOKENS, TOKENS + 1), verbose=0)


def test_keras_own_export_names_the_one_that_works(tmp_path):
    for model in (shared_generator(), make_discriminator()):
        with pytest.raises(ValueError, match="tfseqgan.export_saved_model"):
            model.export(tmp_path / "model")


@pytest.mark.parametrize(
    "sizes", [{"units": 99_999_999_999}, {"embedding_dim": 10**12}, {"vocabulary_size": 10**12}]
)
def test_a_model_that_no_machine_can_hold_is_refused_by_name(sizes):
    arguments = {"vocabulary_size": V, "embedding_dim": 4, "units": 6} | sizes
    [(name, size)] = sizes.items()

    with pytest.raises(ValueError, match=rf"{name} = {size}\b.* needs about .* of memory"):
        Generator(**arguments)


@pytest.mark.parametrize("units", [0, -1, 2.5, "8", None])
def test_units_that_are_no_count_are_refused(units):
    with pytest.raises(ValueError, match="units must be a whole number of 1 or more"):
        Generator(V, units=units)


def test_numpys_integers_are_sizes_and_the_configuration_holds_pythons():
    generator = Generator(np.int64(V), embedding_dim=np.int32(4), units=np.uint8(6))

    config = generator.get_config()

    assert json.loads(json.dumps(config))["units"] == 6


@both_embeddings
def test_token_log_probs_and_their_gradient_are_those_of_the_logits(embedding):
    generator = shared_generator(embedding)
    weights = np.random.default_rng(0).normal(size=(B, T)).astype(np.float32)

    def by_logits(tokens):
        return tf.gather(tf.nn.log_softmax(generator(tokens)), tokens, batch_dims=2)

    def value_and_gradients(function):
        with tf.GradientTape() as tape:
            log_probs = function(tf.constant(TOKENS))
            total = tf.reduce_sum(log_probs * weights)
        gradients = tape.gradient(total, generator.trainable_variables)
        return [tf.convert_to_tensor(part) for part in (log_probs, *gradients)]

    found = value_and_gradients(tf.function(generator.token_log_probs))
    expected = value_and_gradients(by_logits)

    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-4)


def test_a_seed_repeats_a_sample_and_another_seed_gives_another():
    generator = shared_generator()

    first = generator.generate(4, LENGTH, seed=7)

    np.testing.assert_array_equal(generator.generate(4, LENGTH, seed=7), first)
    assert not np.array_equal(generator.generate(4, LENGTH, seed=8), first)
    assert not np.array_equal(generator.generate(4, LENGTH), generator.generate(4, LENGTH))


@pytest.mark.slow
@both_embeddings
@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 0.7, "top_k": 4, "top_p": 0.9}],
    ids=["plain", "filtered"],
)
def test_a_row_is_the_same_however_many_are_drawn_with_it(embedding, options):
    generator = shared_generator(embedding)

    many = generator.generate(40, LENGTH, seed=3, **options)

    assert many.shape == (40, LENGTH)
    assert many.dtype == np.int32
    for number in (1, 5, 17):
        fewer = generator.generate(number, LENGTH, seed=3, **options)
        np.testing.assert_array_equal(fewer, many[:number])


@pytest.mark.slow
def test_after_the_end_token_a_sample_is_padding():
    tokens = make_generator(pad_token_id=7).generate(200, LENGTH, seed=0)

    has_ended = np.array(lengths(tokens)) < LENGTH
    assert 20 < has_ended.sum() < 200
    for row, length in zip(tokens, lengths(tokens), strict=True):
        assert (row[length:] == 7).all()
        assert END not in row[: length - 1]


@pytest.mark.slow
def test_without_an_end_token_a_sequence_continues():
    tokens = shared_generator(end_token_id=None).generate(100, LENGTH, seed=0)

    after_2 = [row[list(row).index(END) + 1 :] for row in tokens if END in row[:-1]]
    assert after_2
    assert any((rest != PAD).any() for rest in after_2)


@pytest.mark.slow
def test_a_prompt_is_kept_whole_and_what_follows_depends_on_it():
    generator = shared_generator()
    prompts = np.array([[3, 4], [5, 6], [8, 3]])

    tokens = generator.generate(3, LENGTH, prompt=prompts, seed=0)
    of_first_prompt = generator.generate(16, LENGTH, prompt=[3, 4], seed=0)
    of_second_prompt = generator.generate(16, LENGTH, prompt=[5, 6], seed=0)

    np.testing.assert_array_equal(tokens[:, :2], prompts)
    np.testing.assert_array_equal(of_first_prompt[0], tokens[0])
    assert not np.array_equal(of_first_prompt[:, 2:], of_second_prompt[:, 2:])


def test_an_empty_prompt_is_none():
    generator = shared_generator()

    of_empty = generator.generate(3, LENGTH, prompt=[], seed=0)

    np.testing.assert_array_equal(of_empty, generator.generate(3, LENGTH, seed=0))


@pytest.mark.slow
def test_top_k_of_1_is_greedy():
    generator = shared_generator(end_token_id=None)

    tokens = generator.generate(2, LENGTH, top_k=1, seed=0)

    np.testing.assert_array_equal(tokens, np.argmax(generator(tokens), axis=-1))
    assert len(np.unique(tokens)) > 1


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [1e-6, 1e-30, 1e-35, 1e-37, 1.2e-38])
def test_the_lowest_temperatures_give_the_likeliest_tokens(temperature):
    generator = shared_generator(end_token_id=None)

    tokens = generator.generate(20, LENGTH, temperature=temperature, seed=0)

    np.testing.assert_array_equal(tokens, generator.generate(20, LENGTH, top_k=1, seed=0))


@pytest.mark.slow
def test_the_smallest_top_p_gives_the_likeliest_tokens_and_the_largest_options_change_nothing():
    generator = shared_generator(end_token_id=None)

    smallest = generator.generate(20, LENGTH, top_p=1.2e-38, seed=0)
    largest = generator.generate(20, LENGTH, top_k=2**31 - 1, top_p=1.0, seed=0)

    np.testing.assert_array_equal(smallest, generator.generate(20, LENGTH, top_k=1, seed=0))
    np.testing.assert_array_equal(largest, generator.generate(20, LENGTH, seed=0))


@pytest.mark.slow
def test_numpys_integers_are_taken_as_pythons_and_seeds_beyond_32_bits_differ():
    generator = shared_generator()
    expected = generator.generate(4, LENGTH, seed=1)

    found = generator.generate(np.int64(4), np.int32(LENGTH), seed=np.int64(1))

    np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(generator.generate(4, LENGTH, seed=1 + 2**32), expected)


@pytest.mark.slow
def test_first_tokens_are_drawn_as_often_as_the_model_says():
    generator = shared_generator()
    num_samples = 20_000
    logits = np.array(generator(TOKENS[:1]), np.float64)[0, 0]
    probabilities = np.exp(log_softmax(logits))

    drawn = generator.generate(num_samples, length=1, seed=0)[:, 0]

    shares = np.bincount(drawn, minlength=V) / num_samples
    standard_errors = np.sqrt(probabilities * (1 - probabilities) / num_samples)
    assert (np.abs(shares - probabilities) < 4 * standard_errors + 1e-9).all()


@both_embeddings
def test_the_log_probs_of_samples_are_those_of_teacher_forcing(embedding):
    generator = shared_generator(embedding)

    tokens, log_probs = generator.sample(row_seeds(5, 60), LENGTH)

    log_p = log_softmax(np.array(generator(tokens)))
    forced = np.take_along_axis(log_p, tokens.numpy()[..., None], axis=2)[..., 0]
    num_tokens = np.array(lengths(tokens.numpy()))
    counts = np.arange(LENGTH) < num_tokens[:, None]
    np.testing.assert_allclose(log_probs, np.where(counts, forced, 0), atol=1e-5)
    assert counts.any(axis=1).all()
    assert not counts.all()


@pytest.mark.slow
def test_dropout_is_off_when_sampling_and_on_in_training():
    without_dropout = shared_generator()
    with_dropout = make_generator(dropout=0.9)
    with_dropout.set_weights(without_dropout.get_weights())
    seeds_before = [np.array(variable) for variable in with_dropout.non_trainable_variables]

    found = with_dropout.generate(20, LENGTH, seed=0)

    np.testing.assert_array_equal(found, without_dropout.generate(20, LENGTH, seed=0))
    np.testing.assert_array_equal(with_dropout(TOKENS), without_dropout(TOKENS))
    seeds_after = with_dropout.non_trainable_variables
    assert seeds_before
    for before, after in zip(seeds_before, seeds_after, strict=True):
        np.testing.assert_array_equal(before, after)
    assert not np.allclose(with_dropout(TOKENS, training=True), without_dropout(TOKENS))


def test_dropout_repeats_from_a_seed():
    generator = make_generator(dropout=0.3)

    def outputs(seed):
        generator.seed_dropout(seed)
        return np.array(generator(TOKENS, training=True))

    first = outputs((1, 2))
    np.testing.assert_array_equal(first, outputs((1, 2)))
    assert not np.array_equal(first, outputs((1, 3)))


def test_sampling_changes_no_weight():
    generator = shared_generator()
    weights_before = snapshot(generator)

    generator.generate(3, LENGTH)

    for before, after in zip(weights_before, snapshot(generator), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    "name, options",
    [
        ("num_sequences", {"num_sequences": 0}),
        ("length", {"length": 0}),
        ("temperature", {"temperature": 0.0}),
        ("temperature", {"temperature": -1.0}),
        ("temperature", {"temperature": float("nan")}),
        ("top_k", {"top_k": 0}),
        ("top_p", {"top_p": 0.0}),
        ("top_p", {"top_p": 1.5}),
        ("prompt", {"prompt": [V]}),
        ("prompt", {"prompt": [-1]}),
        ("prompt", {"prompt": [0.5]}),
        ("prompt", {"prompt": 3}),
        ("prompt", {"prompt": [3] * (LENGTH + 1)}),
        ("prompt", {"prompt": np.ones((3, 2), int)}),
        ("prompt", {"prompt": np.ones((1, 2, 2), int)}),
        ("temperature", {"temperature": 1e-46}),
        ("temperature", {"temperature": 1e-40}),
        ("top_k", {"top_k": 2**31}),
        ("length", {"length": 10**13}),
        ("seed", {"seed": 1.5}),
    ],
)
def test_an_argument_out_of_range_is_named(name, options):
    arguments = {"num_sequences": 2, "length": LENGTH} | options

    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        shared_generator().generate(**arguments)
