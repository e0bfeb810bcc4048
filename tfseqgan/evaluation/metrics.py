"""Numbers about sequences and classifiers, in NumPy."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

Values = np.ndarray | Sequence[float]
"""float [N]."""

TokenRows = np.ndarray | Sequence[Sequence[int]]
"""int [N, T], one sequence a row."""


def sequence_lengths(tokens: TokenRows, end_token_id: int | None = None) -> np.ndarray:
    """Counts the tokens of each row, up to and including the first end token.

    Args:
        tokens: int [N, T].
        end_token_id: the id that ends a sequence, or None where all tokens count.

    Returns:
        int [N].

    Example:
        >>> sequence_lengths(np.array([[5, 2, 0], [7, 8, 9]]), end_token_id=2).tolist()
        [2, 3]
    """
    tokens = np.asarray(tokens)
    is_end = tokens == end_token_id  # [N, T]; nothing equals None
    has_end = is_end.any(axis=1)

    return np.where(has_end, is_end.argmax(axis=1) + 1, tokens.shape[1])


def mean_and_standard_error(values: Values) -> tuple[float, float]:
    """Computes the mean and its standard error, s / √N with the unbiased variance s².

    Args:
        values: float [N].

    Returns:
        The mean and its standard error, which is NaN for a single value.

    Example:
        >>> mean_and_standard_error([1.0, 2.0, 3.0])
        (2.0, 0.577...)
    """
    values = np.asarray(values, np.float64)
    deviation = values.std(ddof=1) if len(values) > 1 else math.nan

    return float(values.mean()), float(deviation / math.sqrt(len(values)))


def mean_per_token(sums: Values, lengths: Values) -> tuple[float, float]:
    """Computes a mean over tokens and its standard error over sequences.

    The tokens of one sequence are not independent. So the mean is a ratio of sums over sequences,
    Σ xᵢ / Σ nᵢ, and the error is that of a ratio.

    Args:
        sums: float [N], the sum over the tokens of each sequence.
        lengths: [N], the number of tokens of each sequence.

    Returns:
        The mean and its standard error, which is NaN for a single sequence.

    Example:
        >>> mean_per_token([2.0, 6.0], [2, 2])[0]
        2.0

    Reference:
        Cochran 1977, "Sampling Techniques", section 6.3 (the ratio estimator).
    """
    sums = np.asarray(sums, np.float64)
    lengths = np.asarray(lengths, np.float64)

    mean = sums.sum() / lengths.sum()
    _, error = mean_and_standard_error(sums - mean * lengths)

    return float(mean), error / float(lengths.mean())


def _number_values(values: np.ndarray) -> np.ndarray:
    """Replaces the distinct values of an array by 0, 1, 2, …: int of any shape → int64."""
    _, numbers = np.unique(values, return_inverse=True)

    return np.asarray(numbers, np.int64).reshape(values.shape)


def _ngram_ids(
    tokens: np.ndarray, lengths: np.ndarray, order: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers the n-grams of all rows, for n = 1 … order.

    Two n-grams have the same id if and only if they are equal, whatever row they are in. An n-gram
    is an (n − 1)-gram and one more token, so that numbering these pairs numbers the n-grams.

    Args:
        tokens: int [N, T].
        lengths: int [N], how many tokens of each row count.
        order: the longest n-grams.

    Yields:
        For each n the row and the id of every n-gram whose tokens all count, int [K] each.
    """
    token_ids = _number_values(tokens)  # [N, T]
    num_tokens = token_ids.max() + 1
    ids = token_ids

    for n in range(1, order + 1):
        if n > 1:
            ids = _number_values(ids[:, :-1] * num_tokens + token_ids[:, n - 1 :])  # [N, T − n + 1]

        ends = np.arange(ids.shape[1]) + n
        is_counted = ends <= lengths[:, None]  # [N, T − n + 1]
        rows, _ = np.nonzero(is_counted)

        yield rows, ids[is_counted]


def _clipped_matches(
    rows: np.ndarray, ids: np.ndarray, num_references: int, num_rows: int
) -> np.ndarray:
    """Counts the n-grams of each hypothesis that are matched.

    An n-gram is matched at most as often as it occurs in the reference that has it most often.

    Args:
        rows: int [K], the row of each n-gram: references first, then hypotheses.
        ids: int [K], the id of each n-gram.
        num_references: how many of the rows are references.
        num_rows: the number of rows.

    Returns:
        float64 [hypotheses].
    """
    num_ids = ids.max(initial=0) + 1
    pairs, counts = np.unique(rows * num_ids + ids, return_counts=True)
    rows, ids = np.divmod(pairs, num_ids)
    is_reference = rows < num_references

    most = np.zeros(num_ids, np.int64)  # the count of each n-gram in the best reference
    np.maximum.at(most, ids[is_reference], counts[is_reference])

    is_hypothesis = ~is_reference
    matched = np.minimum(counts[is_hypothesis], most[ids[is_hypothesis]])
    hypotheses = rows[is_hypothesis] - num_references

    return np.bincount(hypotheses, matched, num_rows - num_references)


def _mean_log_precision(
    matches: list[np.ndarray], totals: list[np.ndarray], lengths: np.ndarray
) -> np.ndarray:
    """Averages the logarithms of the n-gram precisions, smoothed by nltk's `method4`.

    Where no n-gram is matched, the number of matches is replaced by log(length) / (5 · 2ᵏ), with k
    the number of orders so far without a match.

    Args:
        matches: for each order the number of matched n-grams, [N].
        totals: for each order the number of n-grams, [N].
        lengths: int [N], the lengths of the hypotheses.

    Returns:
        float64 [N].
    """
    log_sum = np.zeros(len(lengths))
    num_unmatched = np.zeros(len(lengths))

    for matched, total in zip(matches, totals, strict=True):
        is_unmatched = (matched == 0) & (lengths > 1)
        num_unmatched += is_unmatched
        smoothed = np.log(np.maximum(lengths, 2)) / (5 * 2.0**num_unmatched)
        numerator = np.where(is_unmatched, smoothed, matched)

        with np.errstate(divide="ignore"):
            log_precision = np.log(numerator / np.maximum(total, 1))
        log_sum += np.where(numerator > 0, log_precision, 0) / len(matches)

    return log_sum


def _closest_lengths(lengths: np.ndarray, reference_lengths: np.ndarray) -> np.ndarray:
    """Returns the reference length closest to each length, the smaller of two: [N], [M] → [N]."""
    distances = np.abs(reference_lengths[None, :] - lengths[:, None])  # [N, M]
    is_closest = distances == distances.min(axis=1, keepdims=True)
    too_long = reference_lengths.max() + 1

    return np.where(is_closest, reference_lengths[None, :], too_long).min(axis=1)


def bleu(
    hypotheses: TokenRows,
    references: TokenRows,
    end_token_id: int | None = None,
    order: int = 4,
) -> np.ndarray:
    """Computes the sentence BLEU of every hypothesis against all references.

    It is nltk's `sentence_bleu` with smoothing `method4`. The n-grams of the references are
    counted once for all hypotheses.

    BLEU rises with the number of references and rewards copying. Report it for comparison with
    earlier work, and do not tune a model by it (the paper, section 1).

    Args:
        hypotheses: int [N, T], one sequence a row.
        references: int [M, S].
        end_token_id: the id that ends a sequence, or None; it is compared like other tokens.
        order: the longest n-grams.

    Returns:
        float64 [N], each in [0, 1].

    Raises:
        ValueError: if there is no hypothesis or no reference.

    Example:
        >>> bleu([[1, 2, 3, 4, 5]], [[1, 2, 3, 4, 5], [9, 9, 9, 9, 9]]).tolist()
        [1.0]

    Reference:
        Papineni et al. 2002; Chen & Cherry 2014, smoothing 4 as nltk computes it.
    """
    hypotheses = np.atleast_2d(hypotheses)
    references = np.atleast_2d(references)
    if not hypotheses.size or not references.size:
        raise ValueError(
            f"BLEU needs a hypothesis and a reference, received arrays of shape {hypotheses.shape} "
            f"and {references.shape}. Pass one sequence or more of each."
        )
    lengths = sequence_lengths(hypotheses, end_token_id)  # [N]
    reference_lengths = sequence_lengths(references, end_token_id)  # [M]

    # References and hypotheses in one array, since equal n-grams must get the same number.
    width = max(hypotheses.shape[1], references.shape[1])
    padded = [
        np.pad(rows, ((0, 0), (0, width - rows.shape[1]))) for rows in (references, hypotheses)
    ]
    tokens = np.concatenate(padded)  # [M + N, width]
    all_lengths = np.concatenate([reference_lengths, lengths])

    matches = [
        _clipped_matches(rows, ids, len(references), len(tokens))
        for rows, ids in _ngram_ids(tokens, all_lengths, order)
    ]
    totals = [np.maximum(lengths - n, 0) for n in range(order)]
    mean_precision = np.exp(_mean_log_precision(matches, totals, lengths))  # [N]
    closest = _closest_lengths(lengths, reference_lengths)
    brevity_penalty = np.exp(np.minimum(1 - closest / lengths, 0))  # [N]

    return np.where(matches[0] > 0, brevity_penalty * mean_precision, 0.0)


def precision(real_logits: Values, generated_logits: Values) -> float:
    """Computes the share of real sequences among those with D > 0.5.

    Args:
        real_logits: float [N], the discriminator's logits of real sequences.
        generated_logits: float [M], those of generated ones.

    Returns:
        The share, or NaN if no sequence has D > 0.5.

    Example:
        >>> precision(np.array([2.0, 1.0, -1.0]), np.array([1.0, -3.0]))
        0.666...

    Reference:
        Bjare & Meredith, section 4, p_d.
    """
    num_true = np.sum(np.asarray(real_logits) > 0)
    num_false = np.sum(np.asarray(generated_logits) > 0)
    num_positive = num_true + num_false

    return float(num_true / num_positive) if num_positive else math.nan


def recall(real_logits: Values) -> float:
    """Computes the share of the real sequences that have D > 0.5.

    Args:
        real_logits: float [N], the discriminator's logits of real sequences.

    Returns:
        The share.

    Example:
        >>> recall(np.array([2.0, 1.0, -1.0, 3.0]))
        0.75

    Reference:
        Bjare & Meredith, section 4, r_d.
    """
    return float(np.mean(np.asarray(real_logits) > 0))


def auc(real_logits: Values, generated_logits: Values) -> float:
    """Computes the probability that a real sequence has a higher logit than a generated one.

    A tie counts as one half.

    Args:
        real_logits: float [N], the discriminator's logits of real sequences.
        generated_logits: float [M], those of generated ones.

    Returns:
        The area under the ROC curve; 0.5 is chance.

    Example:
        >>> auc(np.array([2.0, 1.0]), np.array([0.0, 1.0]))
        0.875

    Reference:
        Hanley & McNeil 1982.
    """
    real = np.sort(real_logits)
    generated = np.asarray(generated_logits)

    # How many real logits are smaller than each generated one, and how many are not greater.
    num_smaller = np.searchsorted(real, generated, side="left")
    num_not_greater = np.searchsorted(real, generated, side="right")

    return float(1 - (num_smaller + num_not_greater).mean() / (2 * len(real)))


def jackknife_error(statistic: Callable[..., Any], *samples: np.ndarray) -> float:
    """Computes the standard error of a statistic of independent samples, by the jackknife.

        √ Σₛ (Nₛ − 1)/Nₛ Σᵢ (θ₋ᵢ − mean θ₋ᵢ)²

    θ₋ᵢ is the statistic without observation i of sample s. For a mean this is the usual standard
    error; for shares, standard deviations and ranks it agrees with it to first order.

    Args:
        statistic: function of the samples that returns a float.
        *samples: float [N] each, independent of one another.

    Returns:
        The error; NaN if a sample has one observation, or if the statistic is NaN without some
        observation.

    Example:
        >>> values = np.array([1.0, 2.0, 3.0, 6.0])
        >>> _, error = mean_and_standard_error(values)
        >>> round(jackknife_error(np.mean, values), 6), round(error, 6)
        (1.080123, 1.080123)

    Reference:
        Efron & Stein 1981, "The Jackknife Estimate of Variance".
    """
    variance = 0.0
    for index, sample in enumerate(samples):
        if len(sample) < 2:
            return math.nan

        before = samples[:index]
        after = samples[index + 1 :]
        left_out = [statistic(*before, np.delete(sample, i), *after) for i in range(len(sample))]
        variance += (len(sample) - 1) * np.var(left_out)

    return float(np.sqrt(variance))
