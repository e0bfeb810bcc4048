"""Table 1's columns and what goes with them (section 4).

Dropout is off, samples are fresh, real sequences are held out, and every mean comes with a standard
error. Everything runs on one device.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfseqgan.evaluation import metrics
from tfseqgan.models.checks import (
    check_count,
    check_offers,
    check_same_vocabulary,
    check_sequences,
    check_tokens,
)
from tfseqgan.models.graphs import compile_for_each_model
from tfseqgan.models.interfaces import SequenceDiscriminator, SequenceGenerator
from tfseqgan.models.policy import Policy

_SAMPLED_AT_ONCE = 512

_TOKENS_AT_ONCE = 128 * 100
"""Tokens of the rows whose likelihood is computed at once."""

_OFFERED = ("vocabulary_size", "pad_token_id", "end_token_id", "token_log_probs", "sample")
"""What `evaluate` needs of a generator."""


def _log_probs(generator, tokens):
    """Computes log p(y) of each row: int32 [B, T] → float32 [B]."""
    return tf.reduce_sum(Policy(generator).log_prob(tokens), axis=1)


def _logits(discriminator, tokens):
    """Computes the logit of each row, dropout off: int32 [B, T] → float32 [B]."""
    return discriminator(tokens, training=False)


_sequence_log_probs = compile_for_each_model(_log_probs)

# A discriminator chooses the kernels of its convolutions by the number of tokens.
_sequence_logits = compile_for_each_model(_logits, keep_width=True)


def _in_batches(
    function: Callable[[Any, tf.Tensor], tf.Tensor], model: Any, tokens: np.ndarray, size: int
) -> np.ndarray:
    """Applies a function of a model and rows, `size` rows at a time: [N, T] → float64 [N]."""
    batches = [tokens[start : start + size] for start in range(0, len(tokens), size)]
    results = [function(model, tf.constant(batch, tf.int32)).numpy() for batch in batches]

    return np.concatenate(results).astype(np.float64)


def sequence_nlls(
    generator: SequenceGenerator, tokens: np.ndarray, batch_size: int = 128
) -> np.ndarray:
    """Computes the NLL of every sequence in nats, dropout off.

    Args:
        generator: the model.
        tokens: int32 [N, T].
        batch_size: the most rows at a time; of long rows fewer, which bounds the memory.

    Returns:
        NumPy float64 [N], −log p(y) of each row, summed over its tokens.

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> generator = Generator(vocabulary_size=7, embedding_dim=4, units=8)
        >>> sequence_nlls(generator, np.array([[3, 4, 2, 0]])).shape
        (1,)
    """
    at_once = max(1, _TOKENS_AT_ONCE // tokens.shape[1])

    return -_in_batches(_sequence_log_probs, generator, tokens, min(batch_size, at_once))


def mean_nll(generator: SequenceGenerator, tokens: np.ndarray, batch_size: int = 128) -> float:
    """Computes H(p_data, p_gen) of some sequences, dropout off, in nats per token.

    Args:
        generator: the model.
        tokens: int32 [N, T].
        batch_size: rows at a time.

    Returns:
        The sum of the NLLs over the number of tokens up to and including the end tokens.
    """
    nlls = sequence_nlls(generator, tokens, batch_size)
    lengths = metrics.sequence_lengths(tokens, generator.end_token_id)

    return float(nlls.sum() / lengths.sum())


def discriminator_logits(
    discriminator: SequenceDiscriminator, tokens: np.ndarray, batch_size: int = 128
) -> np.ndarray:
    """Computes the discriminator's logits, dropout off.

    Args:
        discriminator: the model.
        tokens: int32 [N, T].
        batch_size: rows at a time.

    Returns:
        NumPy float64 [N].
    """
    return _in_batches(_sequence_logits, discriminator, tokens, batch_size)


def sample_with_nll(
    generator: SequenceGenerator,
    num_sequences: int,
    length: int,
    seed: int | tuple[int, int],
    batch_size: int = _SAMPLED_AT_ONCE,
) -> tuple[np.ndarray, np.ndarray]:
    """Samples sequences at temperature 1, with their NLL.

    Args:
        generator: the model.
        num_sequences: N.
        length: T.
        seed: a whole number or a pair of them.
        batch_size: rows at a time; the samples do not depend on it.

    Returns:
        Tokens, NumPy int32 [N, T], and −log p(y) of each row in nats, NumPy float64 [N].
    """
    policy = Policy(generator)
    tokens = []
    nlls = []

    for start in range(0, num_sequences, batch_size):
        count = min(batch_size, num_sequences - start)
        trajectory = policy.sample(count, length, seed, first_row=start)
        tokens.append(trajectory.tokens.numpy())
        nlls.append(-tf.reduce_sum(trajectory.log_probs, axis=1).numpy().astype(np.float64))

    return np.concatenate(tokens), np.concatenate(nlls)


def discriminator_columns(
    real_logits: np.ndarray, generated_logits: np.ndarray
) -> dict[str, float]:
    """Computes a discriminator's reward, precision, recall and AUC.

    Args:
        real_logits: float [N], of real sequences that it was not trained on.
        generated_logits: float [M], of fresh generated ones.

    Returns:
        `reward_mean`, `reward_stderr`, `reward_std`, `precision`, `recall` and `auc`.
    """
    rewards = 1 / (1 + np.exp(-generated_logits))
    reward_mean, reward_error = metrics.mean_and_standard_error(rewards)

    return {
        "reward_mean": reward_mean,
        "reward_stderr": reward_error,
        "reward_std": float(rewards.std()),
        "precision": metrics.precision(real_logits, generated_logits),
        "recall": metrics.recall(real_logits),
        "auc": metrics.auc(real_logits, generated_logits),
    }


def discriminator_errors(real_logits: np.ndarray, generated_logits: np.ndarray) -> dict[str, float]:
    """Computes the standard errors of spread, precision, recall and AUC, by the jackknife.

    Args:
        real_logits: float [N].
        generated_logits: float [M].

    Returns:
        The errors, under the names of the columns with `_stderr`.
    """
    rewards = 1 / (1 + np.exp(-generated_logits))
    pair = (real_logits, generated_logits)

    return {
        "reward_std_stderr": metrics.jackknife_error(np.std, rewards),
        "precision_stderr": metrics.jackknife_error(metrics.precision, *pair),
        "recall_stderr": metrics.jackknife_error(metrics.recall, real_logits),
        "auc_stderr": metrics.jackknife_error(metrics.auc, *pair),
    }


def make_columns(
    data: np.ndarray,
    nlls: np.ndarray,
    samples: np.ndarray,
    sample_nlls: np.ndarray,
    references: np.ndarray,
    logits: tuple[np.ndarray, np.ndarray] | None = None,
    end_token_id: int | None = None,
) -> dict[str, float]:
    """Computes the columns that `evaluate` describes, from the models' outputs.

    Args:
        data: int32 [N, T], real sequences.
        nlls: float64 [N], −log p(y) of each, summed over its tokens.
        samples: int32 [M, T], generated sequences.
        sample_nlls: float64 [M].
        references: int32 [R, S], for BLEU.
        logits: the discriminator's logits of `data` and of `samples`, float [N] and [M], or None.
        end_token_id: the id that ends a sequence, or None.

    Returns:
        Figures and counts by name.
    """
    lengths = metrics.sequence_lengths(data, end_token_id)
    sample_lengths = metrics.sequence_lengths(samples, end_token_id)
    nll, nll_error = metrics.mean_per_token(nlls, lengths)
    entropy, entropy_error = metrics.mean_per_token(sample_nlls, sample_lengths)
    bleus = metrics.bleu(samples, references, end_token_id)
    bleu, bleu_error = metrics.mean_and_standard_error(bleus)

    columns = {
        "nll": nll,
        "nll_stderr": nll_error,
        "bleu": bleu,
        "bleu_stderr": bleu_error,
        "entropy": entropy,
        "entropy_stderr": entropy_error,
    }
    if logits is not None:
        columns |= discriminator_columns(*logits) | discriminator_errors(*logits)

    return columns | {"num_real": len(data), "num_generated": len(samples)}


def evaluate(
    generator: SequenceGenerator,
    discriminator: SequenceDiscriminator | None,
    data: np.ndarray,
    *,
    num_samples: int | None = None,
    references: np.ndarray | None = None,
    batch_size: int = 128,
    seed: int = 0,
) -> dict[str, float]:
    """Computes Table 1's columns by name, on held-out data against fresh samples, dropout off.

    | key | what | unit |
    |---|---|---|
    | `nll` | H(p_data, p_gen): mean NLL of `data` | nats per token |
    | `bleu` | mean sentence BLEU of the samples against all `references` | 0 to 1 |
    | `entropy` | H(p_gen): mean NLL of the samples | nats per token |
    | `reward_mean`, `reward_std` | R̄_T, S_T: mean and spread of D of the samples | probability |
    | `precision`, `recall` | p_d, r_d at D > 0.5; p_d is NaN where D > 0.5 for none | share |
    | `auc` | probability that D ranks a real sequence above a sample | 0.5 is chance |
    | `…_stderr` | standard error over sequences; jackknife where it is no mean | as the figure |
    | `num_real`, `num_generated` | how many sequences it was computed from | |

    Args:
        generator: a `Generator`, or one's own.
        discriminator: a `Discriminator`, or None to leave its columns out.
        data: int32 [N, T], sequences that neither model was trained on.
        num_samples: how many sequences to sample; as many as `data` has by default.
        references: int32 [M, S] for BLEU; `data` by default.
        batch_size: rows at a time; changes nothing but speed and memory.
        seed: an integer for the samples.

    Returns:
        Figures and counts by name.

    Raises:
        ValueError: if the models do not fit each other or the data, or a number is out of range.
        TypeError: if the generator lacks a method that is needed.

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> generator = Generator(vocabulary_size=7, embedding_dim=4, units=8)
        >>> columns = evaluate(generator, None, np.array([[3, 4, 5, 2], [3, 6, 2, 0]]))
        >>> sorted(columns)[:4], columns["num_real"]
        (['bleu', 'bleu_stderr', 'entropy', 'entropy_stderr'], 2)

    Reference:
        Bjare & Meredith, section 4 and Table 1.
    """
    check_offers(generator, *_OFFERED)
    check_same_vocabulary(generator, discriminator)
    data = check_sequences(generator, data)
    if references is None:
        references = data
    references = check_tokens(references, generator.vocabulary_size, "references")
    num_samples = check_count("num_samples", len(data) if num_samples is None else num_samples)
    batch_size = check_count("batch_size", batch_size)

    samples, sample_nlls = sample_with_nll(generator, num_samples, data.shape[1], seed)
    nlls = sequence_nlls(generator, data, batch_size)
    logits = None
    if discriminator is not None:
        logits = (
            discriminator_logits(discriminator, data, batch_size),
            discriminator_logits(discriminator, samples, batch_size),
        )

    return make_columns(
        data, nlls, samples, sample_nlls, references, logits, generator.end_token_id
    )
