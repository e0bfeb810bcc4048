"""Table 1's columns and what goes with them: dropout off, fresh samples, held-out tunes, a standard error beside every mean (section 4)."""

import numpy as np
import tensorflow as tf

from tfseqgan.evaluation import metrics
from tfseqgan.models.checks import check_counts, check_models, check_tokens
from tfseqgan.models.policy import Policy
from tfseqgan.ops.replicas import map_rows_over_replicas


@tf.function(reduce_retracing=True)
def _row_log_probs(generator, tokens):
    return map_rows_over_replicas(
        lambda tokens: tf.reduce_sum(Policy(generator).log_prob(tokens), axis=1), tokens
    )  # [B]


@tf.function(reduce_retracing=True)
def _row_logits(discriminator, tokens):
    return map_rows_over_replicas(
        lambda tokens: discriminator(tokens, training=False), tokens
    )  # [B]


def sequence_nlls(generator, tokens, batch_size=128):
    """Returns the NLL of every sequence in nats, dropout off.

    Args:
        generator: a `Generator`.
        tokens: int32 [N, T].
        batch_size: rows at a time.

    Returns:
        NumPy float64 [N], −log p(y) of each row, summed over its tokens.

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> sequence_nlls(Generator(vocabulary_size=7, embedding_dim=4, units=8), np.array([[3, 4, 2, 0]])).shape
        (1,)
    """
    batches = [tokens[start : start + batch_size] for start in range(0, len(tokens), batch_size)]
    return -np.concatenate(
        [_row_log_probs(generator, tf.constant(batch, tf.int32)).numpy() for batch in batches]
    ).astype(np.float64)


def mean_nll(generator, tokens, batch_size=128):
    """Returns H(p_data, p_gen) of some sequences, dropout off: int32 [N, T] → a float in nats per token."""
    return float(
        sequence_nlls(generator, tokens, batch_size).sum()
        / metrics.sequence_lengths(tokens, generator.end_token_id).sum()
    )


def draw(generator, num_sequences, length, seed, batch_size=512):
    """Returns fresh samples at temperature 1 and their NLL.

    Args:
        generator: a `Generator`.
        num_sequences: N.
        length: T.
        seed: an integer or a pair of integers.
        batch_size: rows at a time; the samples do not depend on it.

    Returns:
        tokens NumPy int32 [N, T] and −log p(y) of each row, NumPy float64 [N].
    """
    first, second = seed if isinstance(seed, tuple) else (seed, 0)
    policy, tokens, nlls = Policy(generator), [], []
    for start in range(0, num_sequences, batch_size):
        trajectory = policy.sample(
            min(batch_size, num_sequences - start), length, (first, second + start)
        )
        tokens.append(trajectory.tokens.numpy())
        nlls.append(-tf.reduce_sum(trajectory.log_probs, axis=1).numpy().astype(np.float64))
    return np.concatenate(tokens), np.concatenate(nlls)


def judge(discriminator, tokens, batch_size=128):
    """Returns the discriminator's logits, dropout off: int32 [N, T] → NumPy float64 [N]."""
    batches = [tokens[start : start + batch_size] for start in range(0, len(tokens), batch_size)]
    return np.concatenate(
        [_row_logits(discriminator, tf.constant(batch, tf.int32)).numpy() for batch in batches]
    ).astype(np.float64)


def discriminator_columns(real_logits, generated_logits):
    """Returns reward_mean, reward_std, precision, recall and auc of a discriminator's judgements.

    Args:
        real_logits: float [N], of real sequences that it was not trained on.
        generated_logits: float [M], of fresh generated ones.

    Returns:
        A dict of floats.
    """
    rewards = 1 / (1 + np.exp(-generated_logits))
    reward, reward_error = metrics.mean_and_standard_error(rewards)
    return {
        "reward_mean": reward,
        "reward_stderr": reward_error,
        "reward_std": float(rewards.std()),
        "precision": metrics.precision(real_logits, generated_logits),
        "recall": metrics.recall(real_logits),
        "auc": metrics.auc(real_logits, generated_logits),
    }


def discriminator_errors(real_logits, generated_logits):
    """Returns the standard errors of spread, precision, recall and auc, by the jackknife, under their names with `_stderr`."""
    rewards = 1 / (1 + np.exp(-generated_logits))
    return {
        "reward_std_stderr": metrics.jackknife_error(np.std, rewards),
        "precision_stderr": metrics.jackknife_error(
            metrics.precision, real_logits, generated_logits
        ),
        "recall_stderr": metrics.jackknife_error(metrics.recall, real_logits),
        "auc_stderr": metrics.jackknife_error(metrics.auc, real_logits, generated_logits),
    }


def make_columns(data, nlls, samples, sample_nlls, references, logits=(), end_token_id=None):
    """Returns the columns that `evaluate` describes, from what the models said of the sequences.

    Args:
        data: int32 [N, T], real sequences.
        nlls: float64 [N], −log p(y) of each, summed over its tokens.
        samples: int32 [M, T], generated sequences.
        sample_nlls: float64 [M].
        references: int32 [R, S], for BLEU.
        logits: the discriminator's logits of `data` and of `samples`, float [N] and [M], or nothing.
        end_token_id: the id that ends a sequence, or None.

    Returns:
        A dict of floats and counts.
    """
    nll, nll_error = metrics.mean_per_token(nlls, metrics.sequence_lengths(data, end_token_id))
    entropy, entropy_error = metrics.mean_per_token(
        sample_nlls, metrics.sequence_lengths(samples, end_token_id)
    )
    bleu, bleu_error = metrics.mean_and_standard_error(
        metrics.bleu(samples, references, end_token_id)
    )
    columns = {
        "nll": nll,
        "nll_stderr": nll_error,
        "bleu": bleu,
        "bleu_stderr": bleu_error,
        "entropy": entropy,
        "entropy_stderr": entropy_error,
    }
    judged = discriminator_columns(*logits) | discriminator_errors(*logits) if logits else {}
    return columns | judged | {"num_real": len(data), "num_generated": len(samples)}


def evaluate(
    generator, discriminator, data, *, num_samples=None, references=None, batch_size=128, seed=0
):
    """Returns Table 1's columns by name, on held-out data against fresh samples, dropout off.

    | key | what | unit |
    |---|---|---|
    | `nll` | H(p_data, p_gen): mean NLL of `data` | nats per token |
    | `bleu` | mean sentence BLEU of the samples against all `references` | 0 to 1 |
    | `entropy` | H(p_gen): mean NLL of the samples | nats per token |
    | `reward_mean`, `reward_std` | R̄_T and S_T: mean and spread of D over the samples | probability |
    | `precision`, `recall` | p_d and r_d at D > 0.5; precision is NaN where nothing is judged real | share |
    | `auc` | probability that D ranks a real sequence above a generated one | 0.5 is chance |
    | `…_stderr` | the standard error of that figure, over sequences; by the jackknife where it is no mean | as the figure |
    | `num_real`, `num_generated` | how many sequences it was computed from | |

    Args:
        generator: a `Generator`.
        discriminator: a `Discriminator`, or None to leave its columns out.
        data: int32 [N, T], sequences that neither model was trained on.
        num_samples: how many sequences to sample; as many as `data` has by default.
        references: int32 [M, S] for BLEU; `data` by default.
        batch_size: rows at a time; changes nothing but speed and memory.
        seed: an integer for the samples.

    Returns:
        A dict of floats and counts.

    Raises:
        ValueError: if the models do not fit each other or the data, or a number is out of range.

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> columns = evaluate(Generator(vocabulary_size=7, embedding_dim=4, units=8), None, np.array([[3, 4, 5, 2], [3, 6, 2, 0]]))
        >>> sorted(columns)[:4], columns["num_real"]
        (['bleu', 'bleu_stderr', 'entropy', 'entropy_stderr'], 2)

    Reference:
        Bjare & Meredith, section 4 and Table 1.
    """
    check_models(generator, discriminator)
    data = check_tokens(data, generator.vocabulary_size)
    references = (
        data
        if references is None
        else check_tokens(references, generator.vocabulary_size, "references")
    )
    num_samples = len(data) if num_samples is None else num_samples
    check_counts(num_samples=num_samples, batch_size=batch_size)
    samples, sample_nlls = draw(generator, num_samples, data.shape[1], seed)
    nlls = sequence_nlls(generator, data, batch_size)
    logits = (
        [judge(discriminator, tokens, batch_size) for tokens in (data, samples)]
        if discriminator is not None
        else ()
    )
    return make_columns(
        data, nlls, samples, sample_nlls, references, logits, generator.end_token_id
    )
