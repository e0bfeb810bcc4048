"""The generator: a causal model, its masked likelihood, and sampling that repeats row by row."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import (
    END,
    FEATURES,
    PAD,
    V,
    embedding_twin,
    lengths,
    log_softmax,
    make_generator,
    make_tokens,
    sigmoid,
    snapshot,
)

from tfseqgan.evaluation.evaluate import mean_nll, sequence_nlls
from tfseqgan.ops.sampling import row_seeds

TOKENS = make_tokens(4, rows=6)
both_embeddings = pytest.mark.parametrize("features", [FEATURES, None], ids=["parts", "table"])


def generator_twin(generator, tokens):
    """Returns the logits by the definition, one step after the other, in float64."""
    table = embedding_twin(generator.embedding)
    kernel, recurrent, bias = (
        np.array(weight, np.float64) for weight in generator.lstm.trainable_weights
    )
    h = c = np.zeros((len(tokens), generator.units))
    vectors, logits = np.tile(np.array(generator.opening), (len(tokens), 1)), []
    for t in range(tokens.shape[1]):
        i, f, g, o = np.split(vectors @ kernel + h @ recurrent + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        projected = h @ np.array(generator.projection.kernel) + np.array(generator.projection.bias)
        tied = generator.token_features is not None
        logits.append(projected @ table.T + np.array(generator.bias) if tied else projected)
        vectors = table[tokens[:, t]]
    return np.stack(logits, axis=1)


def shaken(features=FEATURES, **options):
    """Returns a generator none of whose weights is zero, and far from uniform."""
    generator, rng = make_generator(token_features=features, **options), np.random.default_rng(5)
    for weight in generator.trainable_weights:
        weight.assign(rng.normal(scale=0.8, size=weight.shape))
    return generator


@both_embeddings
def test_it_equals_its_definition_in_numpy(features):
    generator = shaken(features)
    np.testing.assert_allclose(
        generator(TOKENS), generator_twin(generator, TOKENS), rtol=1e-4, atol=1e-5
    )


@both_embeddings
@pytest.mark.parametrize("t", range(TOKENS.shape[1]))
def test_no_logit_depends_on_its_own_token_or_a_later_one(features, t):
    generator, other = shaken(features), TOKENS.copy()
    other[:, t:] = (other[:, t:] + 1) % V
    one, two = np.array(generator(TOKENS)), np.array(generator(other))
    assert np.array_equal(one[:, : t + 1], two[:, : t + 1])
    assert not np.isclose(one[:, t + 1 :], two[:, t + 1 :]).all() or t == TOKENS.shape[1] - 1


@both_embeddings
def test_the_probabilities_of_all_tokens_sum_to_one_and_of_all_sequences_too(features):
    generator = shaken(features, end_token_id=None)
    everything = np.stack(np.meshgrid(*[np.arange(V)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    np.testing.assert_allclose(np.exp(-sequence_nlls(generator, everything)).sum(), 1, rtol=1e-5)


def test_the_vectors_of_the_input_are_those_of_the_output():
    generator, token = shaken(), 5
    before = np.array(generator(TOKENS))
    own = np.array(generator.embedding.own)
    own[token] += 1
    generator.embedding.own.assign(own)
    changed = ~np.isclose(before, np.array(generator(TOKENS)))[
        :, 0
    ]  # the first step has read no token yet
    assert changed[:, token].all() and changed.sum() == len(TOKENS)


def test_tokens_that_share_a_part_share_its_gradient():
    generator = shaken()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(generator.embedding(np.array([[3]])))
    part = tf.convert_to_tensor(tape.gradient(loss, generator.embedding.parts[0]))
    assert np.array_equal(
        part.numpy().sum(axis=1) != 0, np.arange(FEATURES[:, 0].max() + 1) == FEATURES[3, 0]
    )


@both_embeddings
def test_the_loss_is_the_nll_a_token_that_counts(features):
    generator = shaken(features)
    log_p = log_softmax(generator_twin(generator, TOKENS))
    nlls = [
        -sum(log_p[row, t, TOKENS[row, t]] for t in range(length))
        for row, length in enumerate(lengths(TOKENS))
    ]
    loss = generator.nll(TOKENS)
    np.testing.assert_allclose(loss, sum(nlls) / sum(lengths(TOKENS)), rtol=1e-5)
    np.testing.assert_allclose(sequence_nlls(generator, TOKENS), nlls, rtol=1e-5)
    np.testing.assert_allclose(mean_nll(generator, TOKENS, batch_size=4), loss, rtol=1e-5)


def test_what_stands_behind_the_end_counts_for_nothing_whatever_its_ids():
    generator, other = shaken(), TOKENS.copy()
    for row, length in zip(other, lengths(TOKENS)):
        row[length:] = (3 + np.arange(len(row) - length)) % V
    assert not np.array_equal(other, TOKENS)
    longer = np.pad(TOKENS, ((0, 0), (0, 2)))[np.array(lengths(TOKENS)) < TOKENS.shape[1]]
    losses = [float(generator.nll(tokens)) for tokens in (TOKENS, other)]
    assert losses[0] == losses[1]
    np.testing.assert_allclose(
        sequence_nlls(generator, longer), sequence_nlls(generator, longer[:, :-2]), rtol=1e-6
    )


def test_fit_lowers_the_nll_and_reports_it_over_tokens_not_over_batches():
    generator, valid = make_generator(dropout=0.0), make_tokens(9, rows=5)
    generator.compile(keras.optimizers.Adam(0.05))
    history = generator.fit(
        TOKENS, validation_data=(valid,), validation_batch_size=3, epochs=8, batch_size=4, verbose=0
    ).history
    assert history["nll"][-1] < history["nll"][0] - 0.3
    np.testing.assert_allclose(history["val_nll"][-1], mean_nll(generator, valid), rtol=1e-6)
    batches = np.mean([mean_nll(generator, valid[:3]), mean_nll(generator, valid[3:])])
    assert (
        abs(batches - mean_nll(generator, valid)) > 1e-3
    )  # the mean over batches would be another number


def test_fit_weighs_batches_by_their_rows_and_takes_the_metrics_of_compile():
    generator, tokens = shaken(end_token_id=None), make_tokens(9, rows=5)
    generator.compile("adam", metrics=["sparse_categorical_accuracy"])
    figures = generator.evaluate(tokens, tokens, batch_size=4, return_dict=True, verbose=0)
    np.testing.assert_allclose(
        [figures["loss"], figures["nll"]], mean_nll(generator, tokens), rtol=1e-6
    )
    np.testing.assert_allclose(
        figures["sparse_categorical_accuracy"],
        np.mean(np.argmax(generator(tokens), axis=2) == tokens),
        rtol=1e-6,
    )
    assert set(generator.fit(tokens, tokens, batch_size=4, verbose=0).history) == {
        "loss",
        "nll",
        "sparse_categorical_accuracy",
    }


def test_a_loss_that_is_scaled_moves_the_weights_as_far():
    weights = []
    for scaled in (False, True):
        generator, optimizer = shaken(dropout=0.0), keras.optimizers.SGD(0.1)
        generator.compile(
            keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=64.0)
            if scaled
            else optimizer
        )
        generator.fit(TOKENS, batch_size=len(TOKENS), verbose=0)
        weights.append(generator.get_weights())
    for one, other in zip(*weights):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@both_embeddings
@pytest.mark.parametrize("rows", [6, 70], ids=["one loop", "two loops"])
def test_the_log_probabilities_of_tokens_are_those_of_the_logits_and_so_is_the_gradient(
    features, rows
):
    generator, tokens = shaken(features, dropout=0.0), tf.constant(make_tokens(4, rows=rows))
    weights, found = np.random.default_rng(0).normal(size=tokens.shape).astype(np.float32), []
    by_logits = lambda: tf.gather(tf.nn.log_softmax(generator(tokens)), tokens, batch_dims=2)  # noqa: E731
    for function in (tf.function(lambda: generator.token_log_probs(tokens)), by_logits):
        with tf.GradientTape() as tape:
            log_probs = function()
            total = tf.reduce_sum(log_probs * weights)
        found.append(
            [
                log_probs,
                *map(tf.convert_to_tensor, tape.gradient(total, generator.trainable_variables)),
            ]
        )
    for one, other in zip(*found):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-4)


def test_a_seed_repeats_and_another_differs():
    generator = make_generator()
    one = generator.generate(4, length=6, seed=7)
    assert np.array_equal(one, generator.generate(4, length=6, seed=7))
    assert not np.array_equal(one, generator.generate(4, length=6, seed=8))
    assert not np.array_equal(generator.generate(4, length=6), generator.generate(4, length=6))


@both_embeddings
@pytest.mark.parametrize(
    "options", [{}, {"temperature": 0.7, "top_k": 4, "top_p": 0.9}], ids=["plain", "filtered"]
)
def test_a_row_is_the_same_however_many_are_drawn_with_it(features, options):
    generator = shaken(features)
    rows = {
        number: generator.generate(number, length=6, seed=3, **options)
        for number in (1, 5, 70, 300)
    }  # 70 are two loops
    assert rows[300].shape == (300, 6) and rows[300].dtype == np.int32
    assert all(np.array_equal(fewer, rows[300][: len(fewer)]) for fewer in rows.values())


def test_behind_the_end_comes_padding():
    tokens = make_generator(pad_token_id=7).generate(200, length=6, seed=0)
    ended = np.array(lengths(tokens)) < 6
    assert 20 < ended.sum() < 200
    for row, length in zip(tokens, lengths(tokens)):
        assert (row[length:] == 7).all() and END not in row[: length - 1]


def test_without_an_end_a_sequence_goes_on():
    tokens = make_generator(end_token_id=None).generate(100, length=6, seed=0)
    assert any(END in row[:-1] and (row[list(row).index(END) + 1 :] != PAD).any() for row in tokens)


def test_a_prompt_is_kept_whole_and_what_follows_depends_on_it():
    generator = shaken()
    prompts = np.array([[3, 4], [5, 6], [8, 3]])
    tokens = generator.generate(3, length=6, prompt=prompts, seed=0)
    assert np.array_equal(tokens[:, :2], prompts)
    assert np.array_equal(generator.generate(3, length=6, prompt=[3, 4], seed=0)[0], tokens[0])
    others = (
        generator.generate(50, length=6, prompt=[5, 6], seed=0),
        generator.generate(50, length=6, prompt=[3, 4], seed=0),
    )
    assert not np.array_equal(others[0][:, 2:], others[1][:, 2:])
    assert np.array_equal(
        generator.generate(3, length=6, prompt=[], seed=0), generator.generate(3, length=6, seed=0)
    )


def test_the_likeliest_token_alone_is_greedy():
    generator = shaken(end_token_id=None)
    tokens = generator.generate(2, length=6, top_k=1, seed=0)
    assert (
        np.array_equal(tokens, np.argmax(generator(tokens), axis=-1)) and len(np.unique(tokens)) > 1
    )


def test_first_tokens_come_as_often_as_the_model_says():
    generator, count = shaken(), 20_000
    probabilities = np.exp(log_softmax(np.array(generator(TOKENS[:1]), np.float64)[0, 0]))
    shares = np.bincount(generator.generate(count, length=1, seed=0)[:, 0], minlength=V) / count
    errors = np.sqrt(probabilities * (1 - probabilities) / count)
    assert (np.abs(shares - probabilities) < 4 * errors + 1e-9).all()  # nine tokens, one fixed seed


@both_embeddings
def test_the_log_probabilities_of_samples_are_those_of_teacher_forcing(features):
    generator = shaken(features)
    tokens, log_probs = generator.sample(row_seeds(5, 60), 6)
    forced = np.take_along_axis(
        log_softmax(np.array(generator(tokens))), tokens.numpy()[..., None], axis=-1
    )[..., 0]
    counts = np.arange(6) < np.array(lengths(tokens.numpy()))[:, None]
    np.testing.assert_allclose(log_probs, np.where(counts, forced, 0), atol=1e-5)
    assert counts.any(axis=1).all() and not counts.all()


def test_dropout_is_never_on_when_sampling_and_always_in_training():
    wild, tame = make_generator(dropout=0.9), make_generator(dropout=0.0)
    wild.set_weights(tame.get_weights())
    seeds = [np.array(variable) for variable in wild.non_trainable_variables]
    assert np.array_equal(wild.generate(20, length=6, seed=0), tame.generate(20, length=6, seed=0))
    assert np.array_equal(wild(TOKENS), tame(TOKENS))
    assert all(np.array_equal(old, new) for old, new in zip(seeds, wild.non_trainable_variables))
    assert not np.allclose(wild(TOKENS, training=True), tame(TOKENS))


@both_embeddings
def test_what_is_looked_up_in_training_is_what_is_computed_place_by_place(features):
    looked_up, computed = (
        shaken(features, dropout=0.0),
        shaken(features, dropout=1e-9),
    )  # which drops nothing
    gradients = []
    for generator in (looked_up, computed):
        with tf.GradientTape() as tape:
            loss = generator.nll(TOKENS, training=True)
        gradients.append(
            [loss, *map(tf.convert_to_tensor, tape.gradient(loss, generator.trainable_variables))]
        )
    for one, other in zip(*gradients):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_dropout_repeats_from_a_seed():
    generator = make_generator()

    def outputs(seed):
        generator.seed_dropout(seed)
        return np.array(generator(TOKENS, training=True))

    assert np.array_equal(outputs((1, 2)), outputs((1, 2))) and not np.array_equal(
        outputs((1, 2)), outputs((1, 3))
    )


def test_sampling_changes_no_weight():
    generator = make_generator()
    before = snapshot(generator)
    generator.generate(3, length=4)
    assert all(np.array_equal(old, new) for old, new in zip(before, snapshot(generator)))


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
        ("prompt", {"prompt": [3] * 7}),
        ("prompt", {"prompt": np.ones((3, 2), int)}),
        ("prompt", {"prompt": np.ones((1, 2, 2), int)}),
    ],
)
def test_an_argument_out_of_range_is_named(name, options):
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        make_generator().generate(**{"num_sequences": 2, "length": 6} | options)
