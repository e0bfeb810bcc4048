"""Numbers about sequences and classifiers, in NumPy alone."""

import math

import numpy as np


def sequence_lengths(tokens, end_token_id=None):
    """Returns how many tokens of each row count: up to and including the first end token, else all.

    Args:
        tokens: int [N, T].
        end_token_id: the id that ends a sequence, or None.

    Returns:
        int [N].

    Example:
        >>> sequence_lengths(np.array([[5, 2, 0], [7, 8, 9]]), end_token_id=2).tolist()
        [2, 3]
    """
    tokens = np.asarray(tokens)
    ends = tokens == end_token_id
    return np.where(ends.any(axis=1), ends.argmax(axis=1) + 1, tokens.shape[1])


def mean_and_standard_error(values):
    """Returns the mean and its standard error, s/√N with the unbiased s; the error of one value is NaN.

    Args:
        values: float [N].

    Example:
        >>> mean_and_standard_error([1.0, 2.0, 3.0])
        (2.0, 0.577...)
    """
    values = np.asarray(values, np.float64)
    spread = values.std(ddof=1) if len(values) > 1 else math.nan
    return float(values.mean()), float(spread / math.sqrt(len(values)))


def mean_per_token(sums, lengths):
    """Returns a mean over tokens and its standard error over sequences.

    Tokens of one sequence are not independent, so that the error is that of a ratio of sums over sequences, Σ xᵢ / Σ nᵢ.

    Args:
        sums: float [N], the sum over each sequence.
        lengths: [N], its number of tokens.

    Example:
        >>> mean_per_token([2.0, 6.0], [2, 2])[0]
        2.0

    Reference:
        Cochran 1977, "Sampling Techniques", section 6.3 (the ratio estimator).
    """
    sums, lengths = np.asarray(sums, np.float64), np.asarray(lengths, np.float64)
    mean = sums.sum() / lengths.sum()
    _, error = mean_and_standard_error(sums - mean * lengths)
    return float(mean), error / float(lengths.mean())


def _ngram_ids(tokens, lengths, order):
    """Yields for n = 1 … order the n-grams of all rows as (row, id) pairs, ids counted over all rows together.

    An n-gram is its (n − 1)-gram and its last token, so that numbering the pairs numbers the n-grams, with no hashing.
    """
    rows, steps = np.indices(tokens.shape)
    _, ids = np.unique(tokens, return_inverse=True)
    words = ids = ids.reshape(tokens.shape).astype(np.int64)  # [N, T]
    size = words.max() + 1
    for n in range(1, order + 1):
        if n > 1:
            _, ids = np.unique(ids[:, :-1] * size + words[:, n - 1 :], return_inverse=True)
            ids = ids.reshape(len(tokens), -1)  # [N, T − n + 1]
        whole = steps[:, : ids.shape[1]] + n <= lengths[:, None]
        yield rows[:, : ids.shape[1]][whole], ids[whole]


def _clipped_matches(rows, ids, num_references, num_rows):
    """Returns for every hypothesis how many of its n-grams are matched, each at most as often as in the best reference."""
    pairs, counts = np.unique(rows * (ids.max(initial=0) + 1) + ids, return_counts=True)
    rows, ids = np.divmod(pairs, ids.max(initial=0) + 1)
    is_reference = rows < num_references
    most = np.zeros(ids.max(initial=0) + 1, np.int64)
    np.maximum.at(most, ids[is_reference], counts[is_reference])
    matched = np.minimum(counts[~is_reference], most[ids[~is_reference]])
    return np.bincount(rows[~is_reference] - num_references, matched, num_rows - num_references)


def _smoothed_log_precision(matches, totals, lengths):
    """Returns the mean of the logarithms of the four precisions, those without a match smoothed by nltk's method4."""
    log_sum, misses = np.zeros(len(lengths)), np.zeros(len(lengths))
    for matched, total in zip(matches, totals):
        missed = (matched == 0) & (lengths > 1)
        misses += missed
        smoothed = np.log(np.maximum(lengths, 2)) / (5 * 2.0**misses)
        numerator = np.where(missed, smoothed, matched)
        with np.errstate(divide="ignore"):
            log_sum += np.where(numerator > 0, np.log(numerator / np.maximum(total, 1)), 0) / len(
                matches
            )
    return log_sum


def bleu(hypotheses, references, end_token_id=None, order=4):
    """Returns the sentence BLEU of every hypothesis against all references: nltk's `sentence_bleu` with smoothing `method4`.

    The references' n-grams are counted once and not once a hypothesis. BLEU rises with the number of references and rewards copying:
    report it for comparison with earlier work, and do not steer by it (the paper, section 1).

    Args:
        hypotheses: int [N, T], one sequence a row.
        references: int [M, S].
        end_token_id: the id that ends a sequence (and is itself compared), or None.
        order: the longest n-grams.

    Returns:
        float64 [N], each in [0, 1].

    Raises:
        ValueError: if there is no hypothesis or no reference.

    Example:
        >>> bleu([[1, 2, 3, 4, 5]], [[1, 2, 3, 4, 5], [9, 9, 9, 9, 9]]).tolist()
        [1.0]

    Reference:
        Papineni et al. 2002; Chen & Cherry 2014, smoothing 4 as nltk has it.
    """
    hypotheses, references = np.atleast_2d(hypotheses), np.atleast_2d(references)
    if not hypotheses.size or not references.size:
        raise ValueError(
            f"BLEU needs a hypothesis and a reference, received {len(hypotheses)} and {len(references)} rows of tokens."
        )
    width = max(hypotheses.shape[1], references.shape[1])
    tokens = np.concatenate(
        [np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in (references, hypotheses)]
    )
    lengths = np.concatenate(
        [sequence_lengths(part, end_token_id) for part in (references, hypotheses)]
    )
    own, theirs = lengths[len(references) :], lengths[: len(references)]
    matches = [
        _clipped_matches(*pair, len(references), len(tokens))
        for pair in _ngram_ids(tokens, lengths, order)
    ]
    totals = [np.maximum(own - n, 0) for n in range(order)]
    distance = np.abs(theirs[None, :] - own[:, None])  # [N, M]
    closest = np.where(
        distance == distance.min(axis=1, keepdims=True), theirs[None, :], width + 1
    ).min(axis=1)
    brevity = np.exp(np.minimum(1 - closest / own, 0))
    return np.where(
        matches[0] > 0, brevity * np.exp(_smoothed_log_precision(matches, totals, own)), 0.0
    )


def precision(real_logits, generated_logits):
    """Returns the share of real sequences among those judged real (D > 0.5); NaN where none is.

    Args:
        real_logits: float [N], the discriminator's logits of real sequences.
        generated_logits: float [M], those of generated ones.

    Example:
        >>> precision(np.array([2.0, 1.0, -1.0]), np.array([1.0, -3.0]))
        0.666...

    Reference:
        Bjare & Meredith, section 4, p_d.
    """
    true, false = np.sum(np.asarray(real_logits) > 0), np.sum(np.asarray(generated_logits) > 0)
    return float(true / (true + false)) if true + false else math.nan


def recall(real_logits):
    """Returns the share of real sequences that are judged real (D > 0.5).

    Args:
        real_logits: float [N], the discriminator's logits of real sequences.

    Example:
        >>> recall(np.array([2.0, 1.0, -1.0, 3.0]))
        0.75

    Reference:
        Bjare & Meredith, section 4, r_d.
    """
    return float(np.mean(np.asarray(real_logits) > 0))


def auc(real_logits, generated_logits):
    """Returns the probability that a real sequence gets a higher logit than a generated one, ties counting half.

    Args:
        real_logits: float [N], the discriminator's logits of real sequences.
        generated_logits: float [M], those of generated ones.

    Example:
        >>> auc(np.array([2.0, 1.0]), np.array([0.0, 1.0]))
        0.875

    Reference:
        Hanley & McNeil 1982.
    """
    real, generated = np.sort(real_logits), np.asarray(generated_logits)
    below = np.searchsorted(real, generated, side="left")
    at_most = np.searchsorted(real, generated, side="right")
    return float(1 - (below + at_most).mean() / (2 * len(real)))


def jackknife_error(statistic, *samples):
    """Returns the standard error of a statistic of independent samples, by leaving out one observation after the other.

        √ Σₛ (Nₛ − 1)/Nₛ Σᵢ (θ₋ᵢ − mean θ₋ᵢ)²

    For a mean it is the usual standard error; for shares, spreads and ranks it agrees with it to first order.

    Args:
        statistic: function of the samples that returns a float.
        *samples: float [N] each, independent of one another.

    Returns:
        A float; NaN where a sample has one observation, or the statistic is NaN without some observation.

    Example:
        >>> round(jackknife_error(np.mean, np.array([1.0, 2.0, 3.0, 6.0])), 6) == round(mean_and_standard_error([1.0, 2.0, 3.0, 6.0])[1], 6)
        True

    Reference:
        Efron & Stein 1981, "The Jackknife Estimate of Variance".
    """
    variance = 0.0
    for place, sample in enumerate(samples):
        if len(sample) < 2:
            return math.nan
        left_out = [
            statistic(*samples[:place], np.delete(sample, i), *samples[place + 1 :])
            for i in range(len(sample))
        ]
        variance += (len(sample) - 1) * np.var(left_out)
    return float(np.sqrt(variance))
