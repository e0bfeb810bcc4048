"""Table 1's columns: each against a twin that goes sequence by sequence; nothing is changed by looking."""

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
from tfseqgan.evaluation.evaluate import draw, judge, mean_nll, sequence_nlls

DATA, REFERENCES = make_tokens(6, rows=7), make_tokens(7, rows=4, length=T + 3)
NUM_SAMPLES, SEED = 10, 5


@pytest.fixture(scope="module")
def players():
    """Models whose weights are large enough that every column differs from its neighbour."""
    models, rng = (make_generator(), make_discriminator()), np.random.default_rng(1)
    for model in models:
        model.compile("adam")
        for weight in model.trainable_weights:
            weight.assign(rng.normal(scale=0.6, size=weight.shape))
    generator, discriminator = models
    discriminator.output_layer.bias.assign(
        [discriminator.output_layer.bias[0] - np.median(discriminator(DATA)) - 0.01]
    )
    return generator, discriminator


@pytest.fixture(scope="module")
def columns(players):
    """What the twins are compared with."""
    return evaluate(*players, DATA, num_samples=NUM_SAMPLES, references=REFERENCES, seed=SEED)


@pytest.fixture(scope="module")
def samples(players):
    """The sequences that `evaluate` samples."""
    return players[0].generate(NUM_SAMPLES, length=T, seed=SEED)


def nll_twin(generator, tokens):
    """Returns the NLL of each sequence, summed over its own tokens."""
    log_p = log_softmax(np.array(generator(tokens), np.float64))
    return np.array(
        [
            -sum(log_p[row, t, tokens[row, t]] for t in range(length))
            for row, length in enumerate(lengths(tokens))
        ]
    )


def ratio_error(sums, counts):
    """Returns the standard error of Σ sums / Σ counts over sequences (Cochran 1977, equation 6.13)."""
    sums, counts = np.asarray(sums), np.asarray(counts)
    residuals = sums - counts * sums.sum() / counts.sum()
    return np.sqrt(np.sum(residuals**2) / (len(sums) - 1) / len(sums)) / counts.mean()


def test_nll_is_the_mean_over_the_tokens_of_the_data(players, columns):
    nlls = nll_twin(players[0], DATA)
    np.testing.assert_allclose(columns["nll"], nlls.sum() / sum(lengths(DATA)), rtol=1e-5)
    np.testing.assert_allclose(columns["nll_stderr"], ratio_error(nlls, lengths(DATA)), rtol=1e-4)


def test_entropy_is_the_mean_over_the_tokens_of_the_samples(players, columns, samples):
    nlls = nll_twin(players[0], samples)
    np.testing.assert_allclose(columns["entropy"], nlls.sum() / sum(lengths(samples)), rtol=1e-5)
    np.testing.assert_allclose(
        columns["entropy_stderr"], ratio_error(nlls, lengths(samples)), rtol=1e-4
    )


def test_bleu_is_nltks_against_all_references(columns, samples):
    references = [row[:length].tolist() for row, length in zip(REFERENCES, lengths(REFERENCES))]
    hypotheses = [row[:length].tolist() for row, length in zip(samples, lengths(samples))]
    scores = [
        sentence_bleu(references, hypothesis, smoothing_function=SmoothingFunction().method4)
        for hypothesis in hypotheses
    ]
    np.testing.assert_allclose(columns["bleu"], np.mean(scores), rtol=1e-9)
    np.testing.assert_allclose(
        columns["bleu_stderr"], np.std(scores, ddof=1) / np.sqrt(len(scores)), rtol=1e-9
    )
    assert columns["bleu"] > 0


def test_rewards_are_the_discriminators_probabilities_of_the_samples(players, columns, samples):
    rewards = [float(sigmoid(np.array(players[1](row[None]), np.float64))[0]) for row in samples]
    np.testing.assert_allclose(columns["reward_mean"], np.mean(rewards), rtol=1e-5)
    np.testing.assert_allclose(columns["reward_std"], np.std(rewards), rtol=1e-4)
    np.testing.assert_allclose(
        columns["reward_stderr"], np.std(rewards, ddof=1) / np.sqrt(len(rewards)), rtol=1e-4
    )
    assert columns["reward_std"] > 0.01


def test_precision_recall_and_auc_are_counted_pair_by_pair(players, columns, samples):
    real = [float(players[1](row[None])[0]) for row in DATA]
    generated = [float(players[1](row[None])[0]) for row in samples]
    hits, false = sum(logit > 0 for logit in real), sum(logit > 0 for logit in generated)
    assert 0 < hits < len(real) and 0 < false < len(generated)
    np.testing.assert_allclose(columns["precision"], hits / (hits + false))
    np.testing.assert_allclose(columns["recall"], hits / len(real))
    wins = [(one > other) + (one == other) / 2 for one in real for other in generated]
    np.testing.assert_allclose(columns["auc"], np.mean(wins))


def test_there_are_these_columns_and_no_others(columns):
    means = {"nll", "bleu", "entropy", "reward", "reward_std", "precision", "recall", "auc"}
    others = {
        "nll",
        "bleu",
        "entropy",
        "reward_mean",
        "reward_std",
        "precision",
        "recall",
        "auc",
        "num_real",
        "num_generated",
    }
    assert columns.keys() == {f"{name}_stderr" for name in means} | others
    assert (columns["num_real"], columns["num_generated"]) == (len(DATA), NUM_SAMPLES)


def test_every_column_stands_in_the_docstring(columns):
    for name in columns.keys() - {name for name in columns if name.endswith("_stderr")}:
        assert f"`{name}`" in evaluate.__doc__


@pytest.mark.parametrize("batch_size", [1, 3, 7, 1000])
def test_the_batch_size_changes_nothing(players, columns, batch_size):
    again = evaluate(
        *players,
        DATA,
        num_samples=NUM_SAMPLES,
        references=REFERENCES,
        seed=SEED,
        batch_size=batch_size,
    )
    np.testing.assert_allclose(list(again.values()), list(columns.values()), rtol=1e-5)


def test_samples_do_not_depend_on_how_many_are_drawn_at_a_time(players):
    tokens, nlls = draw(players[0], 7, T, seed=3)
    for batch_size in (1, 3, 7):
        again, other = draw(players[0], 7, T, seed=3, batch_size=batch_size)
        assert np.array_equal(again, tokens)
        np.testing.assert_allclose(other, nlls, rtol=1e-5)


def test_one_column_less_for_every_question_to_a_missing_discriminator(players, columns):
    alone = evaluate(
        players[0], None, DATA, num_samples=NUM_SAMPLES, references=REFERENCES, seed=SEED
    )
    assert alone == {name: columns[name] for name in alone}
    assert columns.keys() - alone.keys() == {
        "reward_mean",
        "reward_stderr",
        "reward_std",
        "precision",
        "recall",
        "auc",
    } | {f"{name}_stderr" for name in ("reward_std", "precision", "recall", "auc")}


def test_references_and_number_of_samples_are_those_of_the_data_by_default(players):
    assert evaluate(players[0], None, DATA) == evaluate(
        players[0], None, DATA, references=DATA, num_samples=len(DATA), seed=0
    )


def test_evaluating_changes_no_state_and_repeats(players, columns):
    variables = [
        variable
        for model in players
        for owner in (model, model.optimizer)
        for variable in owner.variables
    ]
    before = [np.array(tf.convert_to_tensor(variable)) for variable in variables]
    keras.utils.set_random_seed(4)
    expected = np.random.get_state()[1].copy()
    again = evaluate(*players, DATA, num_samples=NUM_SAMPLES, references=REFERENCES, seed=SEED)
    assert again == columns
    assert all(
        np.array_equal(old, tf.convert_to_tensor(variable))
        for old, variable in zip(before, variables)
    )
    assert np.array_equal(np.random.get_state()[1], expected)


def test_dropout_is_off():
    wild, tame = (make_generator(dropout=dropout) for dropout in (0.9, 0.0))
    deaf, sharp = (make_discriminator(dropout=dropout) for dropout in (0.9, 0.0))
    wild.set_weights(tame.get_weights()), deaf.set_weights(sharp.get_weights())
    assert evaluate(wild, deaf, DATA) == evaluate(tame, sharp, DATA)


def test_padding_behind_the_end_has_no_say(players, columns):
    padded = np.pad(DATA[np.array(lengths(DATA)) < T], ((0, 0), (0, 2)), constant_values=PAD + 4)
    np.testing.assert_allclose(
        mean_nll(players[0], padded), mean_nll(players[0], padded[:, :-2]), rtol=1e-6
    )
    np.testing.assert_allclose(
        judge(players[1], padded), judge(players[1], padded[:, :-2]), rtol=1e-5
    )


def test_a_discriminator_that_calls_nothing_real_has_no_precision(players):
    discriminator = make_discriminator()
    discriminator.output_layer.bias.assign([-100.0])
    columns = evaluate(players[0], discriminator, DATA)
    assert np.isnan(columns["precision"]) and columns["recall"] == 0


def test_the_nll_in_batches_is_that_of_single_sequences(players):
    alone = np.concatenate([sequence_nlls(players[0], row[None]) for row in DATA])
    np.testing.assert_allclose(sequence_nlls(players[0], DATA, batch_size=3), alone, rtol=1e-5)


@pytest.mark.parametrize(
    "message, data, options",
    [
        (r"data holds tokens from 0 to 9, expected 0 to 8", [[3, 0, V]], {}),
        (r"data holds tokens from -1 to 4, expected 0 to 8", [[4, -1, 3]], {}),
        (r"data must be integer tokens \[sequences, length\].*shape \(3,\)", [3, 4, 5], {}),
        (r"data must be integer tokens.*float64", [[3.0, 4.0]], {}),
        (r"data must be integer tokens.*at least one", np.zeros((0, 4), int), {}),
        (r"references holds tokens from 9 to 9", DATA, {"references": [[V]]}),
        (r"references must be integer tokens", DATA, {"references": [3]}),
        (r"num_samples must be a whole number of 1 or more, received 0", DATA, {"num_samples": 0}),
        (r"batch_size must be a whole number of 1 or more, received 0", DATA, {"batch_size": 0}),
    ],
)
def test_what_cannot_be_evaluated_is_named(players, message, data, options):
    with pytest.raises(ValueError, match=message):
        evaluate(*players, data, **options)


def test_models_that_do_not_fit_each_other_are_named(players):
    foreign = [make_discriminator(end_token_id=3), make_discriminator(end_token_id=None)]
    for discriminator in foreign:
        with pytest.raises(
            ValueError, match="generator's end_token_id is 2 and the discriminator's"
        ):
            evaluate(players[0], discriminator, DATA)
    with pytest.raises(
        ValueError, match="generator's vocabulary_size is 9 and the discriminator's 8"
    ):
        evaluate(players[0], Discriminator(V - 1), DATA)
