"""Claims about tfseqgan.metrics."""

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
    """Returns the rows as lists, cut behind the first end."""
    rows = np.asarray(tokens).tolist()
    return [row[: row.index(end_token_id) + 1] if end_token_id in row else row for row in rows]


def nltk_bleu(hypotheses, references, end_token_id=None):
    """Returns nltk's sentence BLEU with smoothing method 4 of every hypothesis against all references."""
    references, method4 = cut(references, end_token_id), SmoothingFunction().method4
    return [
        sentence_bleu(references, hypothesis, smoothing_function=method4)
        for hypothesis in cut(hypotheses, end_token_id)
    ]


def random_tokens(seed, *shapes, vocabulary_size):
    """Returns one array of random tokens a shape."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, vocabulary_size, size=shape) for shape in shapes]


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
def test_bleu_is_nltks_on_random_sequences(hypotheses, references, vocabulary_size, end_token_id):
    for seed in range(5):
        ours, theirs = random_tokens(seed, hypotheses, references, vocabulary_size=vocabulary_size)
        assert bleu(ours, theirs, end_token_id) == pytest.approx(
            nltk_bleu(ours, theirs, end_token_id), abs=1e-9
        )


def test_bleu_is_nltks_on_sequences_of_every_length_at_once():
    ours, theirs = random_tokens(0, (40, 10), (12, 8), vocabulary_size=9)
    ours[np.arange(40), np.arange(40) % 10] = 8
    theirs[np.arange(12), np.arange(12) % 8] = 8
    assert set(sequence_lengths(ours, 8)) >= set(range(1, 9))
    assert bleu(ours, theirs, end_token_id=8) == pytest.approx(nltk_bleu(ours, theirs, 8), abs=1e-9)


def test_bleu_is_nltks_on_copies_with_few_changes():
    rng = np.random.default_rng(0)
    references = rng.integers(0, 50, size=(8, 25))
    hypotheses = np.where(rng.random((8, 25)) < 0.1, rng.integers(0, 50, size=(8, 25)), references)
    expected = nltk_bleu(hypotheses, references)
    assert min(expected) > 0.3 and bleu(hypotheses, references) == pytest.approx(expected, abs=1e-9)


def test_bleu_is_nltks_on_real_tunes(lee2017_file):
    with np.load(lee2017_file) as arrays:
        hypotheses, references = arrays["valid"][:5], arrays["train"][:200]
    expected = nltk_bleu(hypotheses, references)
    assert min(expected) > 0.1 and bleu(hypotheses, references) == pytest.approx(expected, abs=1e-9)


def test_bleu_without_a_common_token_is_0():
    assert bleu([[1, 2, 3, 4, 5], [7, 7, 7, 7, 7]], [[6, 7, 8, 9, 10, 11]])[0] == 0
    assert nltk_bleu([[1, 2, 3, 4, 5]], [[6, 7, 8, 9, 10, 11]]) == [0]


def test_bleu_of_a_copy_is_1_and_of_a_shorter_one_is_the_brevity_penalty():
    tokens = np.arange(10)[None]
    assert bleu(tokens, tokens).tolist() == [1]
    assert bleu(tokens[:, :6], tokens) == pytest.approx(math.exp(1 - 10 / 6))


def test_padding_behind_the_end_counts_for_nothing():
    hypotheses, references = [[5, 6, 7, 8, 2, 0, 0]], [[5, 6, 7, 8, 9, 2, 0, 0, 0]]
    noisy = bleu([[5, 6, 7, 8, 2, 9, 9]], [[5, 6, 7, 8, 9, 2, 5, 6, 7]], end_token_id=2)
    assert bleu(hypotheses, references, end_token_id=2).tolist() == noisy.tolist()


def test_the_bleu_of_a_hypothesis_does_not_depend_on_the_others():
    hypotheses, references = random_tokens(0, (12, 9), (5, 11), vocabulary_size=6)
    together, alone = bleu(hypotheses, references), [bleu(row, references)[0] for row in hypotheses]
    assert together == pytest.approx(alone, abs=1e-15)


@pytest.mark.parametrize(
    "hypotheses, references", [([], [[1, 2]]), ([[1, 2]], np.zeros((0, 5), int)), ([[1, 2]], [])]
)
def test_bleu_of_nothing_is_refused(hypotheses, references):
    with pytest.raises(ValueError, match="BLEU needs a hypothesis and a reference"):
        bleu(hypotheses, references)


@pytest.mark.parametrize("end_token_id", [None, 0, 3])
def test_a_sequence_is_as_long_as_its_first_end_says(end_token_id):
    (tokens,) = random_tokens(0, (30, 7), vocabulary_size=9)
    assert sequence_lengths(tokens, end_token_id).tolist() == [
        len(row) for row in cut(tokens, end_token_id)
    ]


def test_the_standard_error_is_s_over_the_root_of_n():
    values = np.random.default_rng(0).normal(size=20)
    mean = sum(values) / 20
    s = math.sqrt(sum((value - mean) ** 2 for value in values) / 19)
    assert mean_and_standard_error(values) == pytest.approx((mean, s / math.sqrt(20)))


def test_the_standard_error_of_one_value_is_nan():
    mean, error = mean_and_standard_error([3])
    assert mean == 3 and math.isnan(error)
    mean, error = mean_per_token([6.0], [3])
    assert mean == 2 and math.isnan(error)


def test_a_mean_per_token_weighs_every_token_alike():
    assert mean_per_token([2.0, 30.0], [1, 3])[0] == 8


def test_the_mean_per_token_of_equal_lengths_has_the_plain_standard_error():
    sums = np.random.default_rng(0).normal(size=20)
    assert mean_per_token(sums, np.full(20, 4)) == pytest.approx(mean_and_standard_error(sums / 4))


def test_the_standard_error_per_token_is_the_spread_of_repeated_experiments():
    rng, found = np.random.default_rng(0), []
    for _ in range(
        3000
    ):  # the spread of n repeats is known to 1/√(2n), 1.3 %; the tolerance is four of these
        lengths = rng.integers(1, 30, size=200)
        levels = (
            2 + rng.normal(size=200) + 0.05 * lengths
        )  # one level a sequence: its tokens are not independent
        found.append(mean_per_token(levels * lengths, lengths))
    means, errors = np.transpose(found)
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.052)


def test_precision_and_recall_are_shares_of_what_is_counted():
    real, generated = (
        np.random.default_rng(0).normal(size=30),
        np.random.default_rng(1).normal(size=20),
    )
    true, false = sum(logit > 0 for logit in real), sum(logit > 0 for logit in generated)
    assert precision(real, generated) == pytest.approx(true / (true + false)) and recall(
        real
    ) == pytest.approx(true / 30)


def test_a_logit_of_0_is_not_judged_real():
    assert precision([1.0, 0.0], [0.0]) == 1 and recall([1.0, 0.0]) == 0.5


def test_precision_is_nan_where_nothing_is_judged_real():
    assert math.isnan(precision([-1.0], [-2.0, -3.0])) and recall([-1.0]) == 0


@pytest.mark.parametrize("decimals", [0, 8])
def test_auc_is_the_share_of_pairs_that_are_ranked_right_ties_counting_half(decimals):
    real = np.random.default_rng(0).normal(0.5, size=30).round(decimals)
    generated = np.random.default_rng(1).normal(size=20).round(decimals)
    pairs = [(r > g) + (r == g) / 2 for r in real for g in generated]
    assert auc(real, generated) == pytest.approx(sum(pairs) / 600)
    assert (0.5 in pairs) == (decimals == 0)


def test_auc_is_1_0_or_a_half_where_all_pairs_agree():
    assert (
        auc([2.0, 3.0], [1.0]) == 1
        and auc([1.0], [2.0, 3.0, 4.0]) == 0
        and auc([1.0, 1.0], [1.0]) == 0.5
    )


def test_auc_turns_round_with_its_arguments():
    real, generated = (
        np.random.default_rng(0).normal(size=30),
        np.random.default_rng(1).normal(size=20),
    )
    assert auc(real, generated) == pytest.approx(1 - auc(generated, real))


def test_the_jackknife_of_a_mean_is_its_standard_error_and_of_a_share_the_binomial_one():
    values = np.random.default_rng(0).normal(size=37)
    assert jackknife_error(np.mean, values) == pytest.approx(np.std(values, ddof=1) / np.sqrt(37))
    share = np.mean(values > 0)
    assert jackknife_error(recall, values) == pytest.approx(np.sqrt(share * (1 - share) / 36))


@pytest.mark.parametrize("statistic, tolerance", [(precision, 0.1), (auc, 0.1)])
def test_the_jackknife_agrees_with_the_spread_over_fresh_samples(statistic, tolerance):
    rng = np.random.default_rng(1)
    pairs = [(rng.normal(0.5, 1, 60), rng.normal(-0.5, 1, 90)) for _ in range(1000)]
    spread = np.std([statistic(*pair) for pair in pairs])  # known to 1/√2000, 2 %
    found = np.sqrt(np.mean([jackknife_error(statistic, *pair) ** 2 for pair in pairs[:50]]))
    assert found == pytest.approx(spread, rel=tolerance)


def test_the_jackknife_of_two_samples_adds_their_variances():
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=9), rng.normal(size=12)
    error = jackknife_error(lambda a, b: a.mean() - b.mean(), one, other)
    assert error == pytest.approx(
        np.hypot(np.std(one, ddof=1) / 3, np.std(other, ddof=1) / np.sqrt(12))
    )


def test_the_jackknife_of_one_observation_is_nan():
    assert np.isnan(jackknife_error(np.mean, np.array([1.0])))
