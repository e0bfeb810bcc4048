"""BLEU equals nltk's, standard errors are those of repeated experiments, AUC counts pairs."""

import math

import numpy as np
import pytest
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from tfseqgan.evaluation.metrics import (
    auc,
    bleu,
    jackknife_error,
    mean_and_standard_error,
    mean_per_token,
    precision,
    recall,
    sequence_lengths,
)


def cut(tokens, end_token_id):
    """Returns the rows as lists, up to and including the first end token."""
    rows = np.asarray(tokens).tolist()

    return [row[: row.index(end_token_id) + 1] if end_token_id in row else row for row in rows]


def nltk_bleu(hypotheses, references, end_token_id=None):
    """Returns nltk's sentence BLEU, smoothing method 4, of every hypothesis."""
    references = cut(references, end_token_id)
    method4 = SmoothingFunction().method4

    return [
        sentence_bleu(references, hypothesis, smoothing_function=method4)
        for hypothesis in cut(hypotheses, end_token_id)
    ]


def random_tokens(seed, *shapes, vocabulary_size):
    """Returns one array of random tokens for each shape."""
    rng = np.random.default_rng(seed)

    return [rng.integers(0, vocabulary_size, size=shape) for shape in shapes]


def random_logits():
    """Returns logits of 30 real and of 20 generated sequences."""
    real = np.random.default_rng(0).normal(size=30)
    generated = np.random.default_rng(1).normal(size=20)

    return real, generated


# ---- BLEU


@pytest.mark.parametrize("vocabulary_size", [2, 6, 40])
@pytest.mark.parametrize(
    "hypotheses, references",
    [
        ((1, 1), (1, 1)),
        ((5, 2), (3, 1)),
        ((5, 3), (4, 8)),
        ((6, 4), (1, 4)),
        ((7, 30), (9, 20)),
        ((3, 12), (20, 15)),
    ],
)
@pytest.mark.parametrize("end_token_id", [None, 1])
def test_bleu_is_that_of_nltk_on_random_sequences(
    hypotheses, references, vocabulary_size, end_token_id
):
    for seed in range(5):
        ours, theirs = random_tokens(seed, hypotheses, references, vocabulary_size=vocabulary_size)
        expected = nltk_bleu(ours, theirs, end_token_id)

        assert bleu(ours, theirs, end_token_id) == pytest.approx(expected, abs=1e-9)


def test_bleu_is_that_of_nltk_on_sequences_of_all_lengths_at_once():
    end = 8
    hypotheses, references = random_tokens(0, (40, 10), (12, 8), vocabulary_size=9)
    hypotheses[np.arange(40), np.arange(40) % 10] = end
    references[np.arange(12), np.arange(12) % 8] = end
    assert set(sequence_lengths(hypotheses, end)) >= set(range(1, 9))

    expected = nltk_bleu(hypotheses, references, end)

    assert bleu(hypotheses, references, end) == pytest.approx(expected, abs=1e-9)


def test_bleu_is_that_of_nltk_on_copies_with_few_changes():
    rng = np.random.default_rng(0)
    references = rng.integers(0, 50, size=(8, 25))
    is_changed = rng.random((8, 25)) < 0.1
    hypotheses = np.where(is_changed, rng.integers(0, 50, size=(8, 25)), references)

    expected = nltk_bleu(hypotheses, references)

    assert min(expected) > 0.3
    assert bleu(hypotheses, references) == pytest.approx(expected, abs=1e-9)


def test_bleu_is_that_of_nltk_on_real_tunes(lee2017_file):
    with np.load(lee2017_file) as arrays:
        hypotheses = arrays["valid"][:5]
        references = arrays["train"][:200]

    expected = nltk_bleu(hypotheses, references)

    assert min(expected) > 0.1
    assert bleu(hypotheses, references) == pytest.approx(expected, abs=1e-9)


def test_bleu_without_a_common_token_is_0():
    references = [[6, 7, 8, 9, 10, 11]]

    assert bleu([[1, 2, 3, 4, 5], [7, 7, 7, 7, 7]], references)[0] == 0
    assert nltk_bleu([[1, 2, 3, 4, 5]], references) == [0]


def test_bleu_of_a_copy_is_1_and_of_its_beginning_the_brevity_penalty():
    tokens = np.arange(10)[None]

    assert bleu(tokens, tokens).tolist() == [1]
    assert bleu(tokens[:, :6], tokens) == pytest.approx(math.exp(1 - 10 / 6))


def test_bleu_does_not_count_tokens_after_the_end_token():
    padded = bleu([[5, 6, 7, 8, 2, 0, 0]], [[5, 6, 7, 8, 9, 2, 0, 0, 0]], end_token_id=2)
    noisy = bleu([[5, 6, 7, 8, 2, 9, 9]], [[5, 6, 7, 8, 9, 2, 5, 6, 7]], end_token_id=2)

    assert padded.tolist() == noisy.tolist()


def test_the_bleu_of_a_hypothesis_does_not_depend_on_the_others():
    hypotheses, references = random_tokens(0, (12, 9), (5, 11), vocabulary_size=6)
    alone = [bleu(row, references)[0] for row in hypotheses]

    assert bleu(hypotheses, references) == pytest.approx(alone, abs=1e-15)


@pytest.mark.parametrize(
    "hypotheses, references", [([], [[1, 2]]), ([[1, 2]], np.zeros((0, 5), int)), ([[1, 2]], [])]
)
def test_bleu_without_a_hypothesis_or_a_reference_is_refused(hypotheses, references):
    with pytest.raises(ValueError, match="BLEU needs a hypothesis and a reference"):
        bleu(hypotheses, references)


# ---- lengths, means and their errors


@pytest.mark.parametrize("end_token_id", [None, 0, 3])
def test_a_sequence_is_as_long_as_its_first_end_token_says(end_token_id):
    (tokens,) = random_tokens(0, (30, 7), vocabulary_size=9)
    expected = [len(row) for row in cut(tokens, end_token_id)]

    assert sequence_lengths(tokens, end_token_id).tolist() == expected


def test_the_standard_error_is_s_over_the_root_of_n():
    values = np.random.default_rng(0).normal(size=20)
    mean = sum(values) / 20
    s = math.sqrt(sum((value - mean) ** 2 for value in values) / 19)

    assert mean_and_standard_error(values) == pytest.approx((mean, s / math.sqrt(20)))


def test_the_standard_error_of_one_value_is_nan():
    mean, error = mean_and_standard_error([3])
    mean_of_tokens, error_of_tokens = mean_per_token([6.0], [3])

    assert mean == 3
    assert math.isnan(error)
    assert mean_of_tokens == 2
    assert math.isnan(error_of_tokens)


def test_a_mean_per_token_gives_all_tokens_the_same_weight():
    mean, _ = mean_per_token([2.0, 30.0], [1, 3])

    assert mean == 8


def test_the_mean_per_token_of_equal_lengths_has_the_plain_standard_error():
    sums = np.random.default_rng(0).normal(size=20)

    assert mean_per_token(sums, np.full(20, 4)) == pytest.approx(mean_and_standard_error(sums / 4))


def test_the_standard_error_per_token_is_the_deviation_over_repeated_experiments():
    rng = np.random.default_rng(0)
    num_experiments = 3000
    means = []
    errors = []
    for _ in range(num_experiments):
        lengths = rng.integers(1, 30, size=200)
        # One level for each sequence: its tokens are not independent.
        levels = 2 + rng.normal(size=200) + 0.05 * lengths
        mean, error = mean_per_token(levels * lengths, lengths)
        means.append(mean)
        errors.append(error)

    # The deviation of n values is known to 1 / √(2n), here 1.3 %; the tolerance is four times that.
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.052)


# ---- classifiers


def test_precision_and_recall_are_shares_of_what_is_counted():
    real, generated = random_logits()
    num_true = sum(logit > 0 for logit in real)
    num_false = sum(logit > 0 for logit in generated)

    assert precision(real, generated) == pytest.approx(num_true / (num_true + num_false))
    assert recall(real) == pytest.approx(num_true / 30)


def test_a_logit_of_0_does_not_count_as_real():
    assert precision([1.0, 0.0], [0.0]) == 1
    assert recall([1.0, 0.0]) == 0.5


def test_precision_is_nan_where_no_logit_is_positive():
    assert math.isnan(precision([-1.0], [-2.0, -3.0]))
    assert recall([-1.0]) == 0


@pytest.mark.parametrize("decimals", [0, 8])
def test_auc_is_the_share_of_pairs_in_the_right_order_and_a_tie_counts_half(decimals):
    real = np.random.default_rng(0).normal(0.5, size=30).round(decimals)
    generated = np.random.default_rng(1).normal(size=20).round(decimals)
    pairs = [(r > g) + (r == g) / 2 for r in real for g in generated]
    assert (0.5 in pairs) == (decimals == 0)

    assert auc(real, generated) == pytest.approx(sum(pairs) / 600)


def test_auc_is_1_or_0_or_a_half_where_all_pairs_agree():
    assert auc([2.0, 3.0], [1.0]) == 1
    assert auc([1.0], [2.0, 3.0, 4.0]) == 0
    assert auc([1.0, 1.0], [1.0]) == 0.5


def test_auc_of_exchanged_arguments_is_1_minus_auc():
    real, generated = random_logits()

    assert auc(real, generated) == pytest.approx(1 - auc(generated, real))


# ---- the jackknife


def test_the_jackknife_of_a_mean_is_its_standard_error_and_of_a_share_the_binomial_one():
    values = np.random.default_rng(0).normal(size=37)
    share = np.mean(values > 0)
    error_of_mean = np.std(values, ddof=1) / np.sqrt(37)
    error_of_share = np.sqrt(share * (1 - share) / 36)

    assert jackknife_error(np.mean, values) == pytest.approx(error_of_mean)
    assert jackknife_error(recall, values) == pytest.approx(error_of_share)


@pytest.mark.slow
@pytest.mark.parametrize("statistic", [precision, auc])
def test_the_jackknife_agrees_with_the_deviation_over_fresh_samples(statistic):
    rng = np.random.default_rng(1)
    pairs = [(rng.normal(0.5, 1, 60), rng.normal(-0.5, 1, 90)) for _ in range(1000)]

    deviation = np.std([statistic(*pair) for pair in pairs])  # known to 1 / √2000, 2 %
    variances = [jackknife_error(statistic, *pair) ** 2 for pair in pairs[:50]]

    assert np.sqrt(np.mean(variances)) == pytest.approx(deviation, rel=0.1)


def test_the_jackknife_of_two_samples_adds_their_variances():
    rng = np.random.default_rng(2)
    first = rng.normal(size=9)
    second = rng.normal(size=12)

    error = jackknife_error(lambda a, b: a.mean() - b.mean(), first, second)

    first_error = np.std(first, ddof=1) / np.sqrt(9)
    second_error = np.std(second, ddof=1) / np.sqrt(12)
    assert error == pytest.approx(np.hypot(first_error, second_error))


def test_the_jackknife_of_one_observation_is_nan():
    assert np.isnan(jackknife_error(np.mean, np.array([1.0])))
