"""Table 1's columns: each equals a slow computation of one sequence at a time.

Evaluating changes no state of the models.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from tiny_models import (
    PAD,
    T,
    V,
    lengths,
    log_softmax,
    make_discriminator,
    make_generator,
    make_tokens,
    sigmoid,
)

from tfseqgan import Discriminator, evaluate
from tfseqgan.evaluation.evaluate import (
    discriminator_logits,
    mean_nll,
    sample_with_nll,
    sequence_nlls,
)

DATA = make_tokens(6, rows=7)
REFERENCES = make_tokens(7, rows=4, length=T + 3)
NUM_SAMPLES = 10
SEED = 5


@pytest.fixture(scope="module")
def models():
    """Returns a generator and a discriminator whose weights make all columns differ."""
    generator = make_generator()
    discriminator = make_discriminator()
    rng = np.random.default_rng(1)
    for model in (generator, discriminator):
        model.compile("adam")
        for weight in model.trainable_weights:
            weight.assign(rng.normal(scale=0.6, size=weight.shape))

    # The threshold lies among the logits of the data, so that recall is neither 0 nor 1.
    bias = discriminator.output_layer.bias
    bias.assign([bias[0] - np.median(discriminator(DATA)) - 0.01])

    return generator, discriminator


@pytest.fixture(scope="module")
def columns(models):
    """Returns the figures that are compared with slow computations."""
    return evaluate(*models, DATA, num_samples=NUM_SAMPLES, references=REFERENCES, seed=SEED)


@pytest.fixture(scope="module")
def samples(models):
    """Returns the sequences that `evaluate` samples."""
    generator, _ = models

    return generator.generate(NUM_SAMPLES, length=T, seed=SEED)


def slow_nlls(generator, tokens):
    """Returns the NLL of each sequence, summed over the tokens that count."""
    log_probs = log_softmax(np.array(generator(tokens), np.float64))
    nlls = []
    for row, length in enumerate(lengths(tokens)):
        nlls.append(-sum(log_probs[row, t, tokens[row, t]] for t in range(length)))

    return np.array(nlls)


def ratio_error(sums, counts):
    """Returns the standard error of Σ sums / Σ counts (Cochran 1977, equation 6.13)."""
    sums = np.asarray(sums)
    counts = np.asarray(counts)
    residuals = sums - counts * sums.sum() / counts.sum()
    variance = np.sum(residuals**2) / (len(sums) - 1)

    return np.sqrt(variance / len(sums)) / counts.mean()


def single_logits(discriminator, tokens):
    """Returns the logit of each row, computed alone."""
    return [float(discriminator(row[None])[0]) for row in tokens]


def test_nll_is_the_mean_over_the_tokens_of_the_data(models, columns):
    generator, _ = models
    nlls = slow_nlls(generator, DATA)

    np.testing.assert_allclose(columns["nll"], nlls.sum() / sum(lengths(DATA)), rtol=1e-5)
    np.testing.assert_allclose(columns["nll_stderr"], ratio_error(nlls, lengths(DATA)), rtol=1e-4)


@pytest.mark.slow
def test_entropy_is_the_mean_over_the_tokens_of_the_samples(models, columns, samples):
    generator, _ = models
    nlls = slow_nlls(generator, samples)
    error = ratio_error(nlls, lengths(samples))

    np.testing.assert_allclose(columns["entropy"], nlls.sum() / sum(lengths(samples)), rtol=1e-5)
    np.testing.assert_allclose(columns["entropy_stderr"], error, rtol=1e-4)


def test_bleu_is_that_of_nltk_against_all_references(columns, samples):
    def cut(tokens):
        pairs = zip(tokens, lengths(tokens), strict=True)
        return [row[:length].tolist() for row, length in pairs]

    method4 = SmoothingFunction().method4
    references = cut(REFERENCES)
    scores = [
        sentence_bleu(references, hypothesis, smoothing_function=method4)
        for hypothesis in cut(samples)
    ]
    error = np.std(scores, ddof=1) / np.sqrt(len(scores))

    np.testing.assert_allclose(columns["bleu"], np.mean(scores), rtol=1e-9)
    np.testing.assert_allclose(columns["bleu_stderr"], error, rtol=1e-9)
    assert columns["bleu"] > 0


def test_rewards_are_the_probabilities_that_the_discriminator_gives_the_samples(
    models, columns, samples
):
    _, discriminator = models
    rewards = sigmoid(np.array(single_logits(discriminator, samples)))
    error = np.std(rewards, ddof=1) / np.sqrt(len(rewards))

    np.testing.assert_allclose(columns["reward_mean"], np.mean(rewards), rtol=1e-5)
    np.testing.assert_allclose(columns["reward_std"], np.std(rewards), rtol=1e-4)
    np.testing.assert_allclose(columns["reward_stderr"], error, rtol=1e-4)
    assert columns["reward_std"] > 0.01


def test_precision_recall_and_auc_are_counted_pair_by_pair(models, columns, samples):
    _, discriminator = models
    real = single_logits(discriminator, DATA)
    generated = single_logits(discriminator, samples)
    num_true = sum(logit > 0 for logit in real)
    num_false = sum(logit > 0 for logit in generated)
    assert 0 < num_true < len(real)
    assert 0 < num_false < len(generated)

    wins = [(one > other) + (one == other) / 2 for one in real for other in generated]

    np.testing.assert_allclose(columns["precision"], num_true / (num_true + num_false))
    np.testing.assert_allclose(columns["recall"], num_true / len(real))
    np.testing.assert_allclose(columns["auc"], np.mean(wins))


def test_there_are_these_columns_and_no_others(columns):
    figures = {
        "nll",
        "bleu",
        "entropy",
        "reward_mean",
        "reward_std",
        "precision",
        "recall",
        "auc",
    }
    errors = {f"{name.removesuffix('_mean')}_stderr" for name in figures}

    assert columns.keys() == figures | errors | {"num_real", "num_generated"}
    assert columns["num_real"] == len(DATA)
    assert columns["num_generated"] == NUM_SAMPLES


def test_the_docstring_describes_every_column(columns):
    for name in columns:
        assert name.endswith("_stderr") or f"`{name}`" in evaluate.__doc__


@pytest.mark.parametrize("batch_size", [1, 3, 7, 1000])
def test_the_figures_do_not_depend_on_the_batch_size(models, columns, batch_size):
    again = evaluate(
        *models,
        DATA,
        num_samples=NUM_SAMPLES,
        references=REFERENCES,
        seed=SEED,
        batch_size=batch_size,
    )

    np.testing.assert_allclose(list(again.values()), list(columns.values()), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_samples_do_not_depend_on_how_many_are_drawn_at_a_time(models, batch_size):
    generator, _ = models
    tokens, nlls = sample_with_nll(generator, 7, T, seed=3)

    again, again_nlls = sample_with_nll(generator, 7, T, seed=3, batch_size=batch_size)

    assert np.array_equal(again, tokens)
    np.testing.assert_allclose(again_nlls, nlls, rtol=1e-5)


def test_without_a_discriminator_exactly_its_columns_are_missing(models, columns):
    generator, _ = models
    alone = evaluate(
        generator, None, DATA, num_samples=NUM_SAMPLES, references=REFERENCES, seed=SEED
    )

    assert alone == {name: columns[name] for name in alone}
    assert columns.keys() - alone.keys() == {
        "reward_mean",
        "reward_stderr",
        "reward_std",
        "reward_std_stderr",
        "precision",
        "precision_stderr",
        "recall",
        "recall_stderr",
        "auc",
        "auc_stderr",
    }


def test_references_and_number_of_samples_are_those_of_the_data_by_default(models):
    generator, _ = models
    by_default = evaluate(generator, None, DATA)

    assert by_default == evaluate(
        generator, None, DATA, references=DATA, num_samples=len(DATA), seed=0
    )


@pytest.mark.slow
def test_evaluating_changes_no_state_and_repeats(models, columns):
    owners = [owner for model in models for owner in (model, model.optimizer)]
    variables = [variable for owner in owners for variable in owner.variables]
    values = [np.array(tf.convert_to_tensor(variable)) for variable in variables]
    keras.utils.set_random_seed(4)
    random_state = np.random.get_state()[1].copy()

    again = evaluate(*models, DATA, num_samples=NUM_SAMPLES, references=REFERENCES, seed=SEED)

    assert again == columns
    for value, variable in zip(values, variables, strict=True):
        assert np.array_equal(value, tf.convert_to_tensor(variable))
    assert np.array_equal(np.random.get_state()[1], random_state)


@pytest.mark.slow
def test_dropout_is_off():
    plain_models = (make_generator(dropout=0.0), make_discriminator(dropout=0.0))
    models = (make_generator(dropout=0.9), make_discriminator(dropout=0.9))
    for model, plain in zip(models, plain_models, strict=True):
        model.set_weights(plain.get_weights())

    assert evaluate(*models, DATA) == evaluate(*plain_models, DATA)


@pytest.mark.slow
def test_tokens_after_the_end_token_do_not_count(models):
    generator, discriminator = models
    ended = DATA[np.array(lengths(DATA)) < T]
    longer = np.pad(ended, ((0, 0), (0, 2)), constant_values=PAD + 4)

    np.testing.assert_allclose(mean_nll(generator, longer), mean_nll(generator, ended), rtol=1e-6)
    np.testing.assert_allclose(
        discriminator_logits(discriminator, longer),
        discriminator_logits(discriminator, ended),
        rtol=1e-5,
    )


def test_a_discriminator_that_calls_nothing_real_has_no_precision(models):
    generator, _ = models
    discriminator = make_discriminator()
    discriminator.output_layer.bias.assign([-100.0])

    columns = evaluate(generator, discriminator, DATA)

    assert np.isnan(columns["precision"])
    assert columns["recall"] == 0


def test_the_nll_in_batches_is_that_of_single_sequences(models):
    generator, _ = models
    alone = np.concatenate([sequence_nlls(generator, row[None]) for row in DATA])

    np.testing.assert_allclose(sequence_nlls(generator, DATA, batch_size=3), alone, rtol=1e-5)


@pytest.mark.parametrize(
    "message, data, options",
    [
        (r"data holds tokens from 0 to 9, expected 0 to 8", [[3, 0, V]], {}),
        (r"data holds tokens from -1 to 4, expected 0 to 8", [[4, -1, 3]], {}),
        (r"data must be integer tokens \[sequences, length\].*shape \(3,\)", [3, 4, 5], {}),
        (r"data must be integer tokens.*float64", [[3.0, 4.0]], {}),
        (r"data must be integer tokens.*one sequence or more", np.zeros((0, 4), int), {}),
        (r"references holds tokens from 9 to 9", DATA, {"references": [[V]]}),
        (r"references must be integer tokens", DATA, {"references": [3]}),
        (r"num_samples must be a whole number of 1 or more, received 0", DATA, {"num_samples": 0}),
        (r"batch_size must be a whole number of 1 or more, received 0", DATA, {"batch_size": 0}),
    ],
)
def test_the_error_names_an_argument_that_cannot_be_evaluated(models, message, data, options):
    with pytest.raises(ValueError, match=message):
        evaluate(*models, data, **options)


@pytest.mark.parametrize("end_token_id", [3, None])
def test_models_with_different_end_tokens_are_refused(models, end_token_id):
    generator, _ = models
    discriminator = make_discriminator(end_token_id=end_token_id)

    with pytest.raises(ValueError, match="generator's end_token_id is 2 and the discriminator's"):
        evaluate(generator, discriminator, DATA)


def test_models_with_different_vocabularies_are_refused(models):
    generator, _ = models
    message = "generator's vocabulary_size is 9 and the discriminator's 8"

    with pytest.raises(ValueError, match=message):
        evaluate(generator, Discriminator(V - 1), DATA)
