"""Of several samples one is kept, drawn by the odds of a discriminator.

Where D is calibrated, its odds D / (1 − D) = exp(logit) are p_data(y) / p(y). A sample that is
drawn among K by these odds is nearer to the data than the generator's own, and is distributed as
the data for K → ∞: the generator times what the discriminator knows is a residual energy model.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfseqgan.models.checks import check_count, check_guidance, check_prompt, check_same_vocabulary
from tfseqgan.models.language_model import LanguageModel
from tfseqgan.models.sequence_classifier import SequenceClassifier
from tfseqgan.ops.sampling import check_sampling, next_tokens, pad_rows, row_seeds, row_uniforms

_SEED_STEP = -1640531527
"""2³² divided by the golden ratio, as int32: its multiples spread over all of int32."""

_CANDIDATES_AT_ONCE = 512
_ROWS_SCORED_AT_ONCE = 16


def effective_sample_sizes(logits: np.ndarray) -> np.ndarray:
    """Computes how many of N weighted samples have a say: (Σ w)² / Σ w² with w = exp(logit).

    Args:
        logits: float [..., N].

    Returns:
        float64 [...], 1 where one sample has all odds, N where all have the same.

    Example:
        >>> effective_sample_sizes(np.array([[900.0, 0.0], [5.0, 5.0]])).tolist()
        [1.0, 2.0]

    Reference:
        Kong 1992.
    """
    logits = logits.astype(np.float64)
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))

    return odds.sum(axis=-1) ** 2 / (odds**2).sum(axis=-1)


class Resampled(NamedTuple):
    """Samples that were drawn among candidates.

    Attributes:
        tokens: int32 [B, T], the samples that were kept.
        logits: float32 [B, K], those of the discriminator, of all candidates.
        chosen: int32 [B], which of the K candidates was kept.
    """

    tokens: np.ndarray
    logits: np.ndarray
    chosen: np.ndarray

    def effective_sample_sizes(self) -> np.ndarray:
        """Computes how many of the K candidates of each sample had a say, float64 [B]."""
        return effective_sample_sizes(self.logits)


def spread_seeds(seed: tf.Tensor, count: int) -> tf.Tensor:
    """Derives several seeds from each row's own: int32 [B, 2] → [B, count, 2]."""
    offsets = tf.range(1, count + 1) * _SEED_STEP  # [count]
    first = seed[:, :1] ^ offsets  # [B, count]
    second = tf.repeat(seed[:, 1:], count, axis=1)  # [B, count]

    return tf.stack([first, second], axis=2)


def choose_candidates(logits: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
    """Draws a candidate of each row by the odds exp(logit).

    Args:
        logits: float32 [B, K].
        seeds: int32 [B, 2].

    Returns:
        int32 [B].
    """
    uniforms = row_uniforms(seeds, 1)[0]  # [B]
    chosen = next_tokens(pad_rows(logits), pad_rows(uniforms))

    return chosen[: tf.shape(logits)[0]]


def _score(discriminator: SequenceClassifier, tokens: tf.Tensor) -> tf.Tensor:
    """Computes logits, few rows at once since a discriminator may need much memory for each."""
    blocks = [
        tokens[start : start + _ROWS_SCORED_AT_ONCE]
        for start in range(0, len(tokens), _ROWS_SCORED_AT_ONCE)
    ]
    logits = [discriminator(pad_rows(block), training=False)[: len(block)] for block in blocks]

    return tf.concat(logits, axis=0)


def resample(
    generator: LanguageModel,
    discriminator: SequenceClassifier,
    num_sequences: int,
    length: int,
    *,
    num_candidates: int = 16,
    temperature: float = 1.0,
    guidance: float | None = None,
    prompt: np.ndarray | list[int] | None = None,
    seed: int | tuple[int, int] | None = None,
) -> Resampled:
    """Samples K sequences for each one, and keeps one of them by the discriminator's odds.

    All K candidates of a row begin with the row's prompt, so that what a tune is asked to be stays
    what it is. The samples are those of the served signature `sample_best` for the same seed.

    Args:
        generator: samples the candidates.
        discriminator: a calibrated one; its odds are taken for what they are.
        num_sequences: B.
        length: T, the largest number of tokens.
        num_candidates: K.
        temperature: as in `SequenceModel.generate`; so are `guidance`, `prompt` and `seed`.
        guidance: see `temperature`.
        prompt: see `temperature`.
        seed: see `temperature`.

    Returns:
        The samples that were kept, and the logits of all.

    Raises:
        ValueError: if an argument is out of range, or the models have different vocabularies.

    Example:
        >>> from tfseqgan.models.discriminator import Discriminator
        >>> from tfseqgan.models.generator import Generator
        >>> generator = Generator(7, embedding_dim=4, units=8)
        >>> discriminator = Discriminator(7, embedding_dim=4, filters=3, kernel_sizes=(1, 2))
        >>> resample(generator, discriminator, 3, 5, num_candidates=2, seed=0).logits.shape
        (3, 2)

    Reference:
        Deng et al. 2020, "Residual Energy-Based Models for Text Generation"; Grover et al. 2019.
    """
    check_same_vocabulary(generator, discriminator)
    num_sequences, length, temperature, *_ = check_sampling(num_sequences, length, temperature)
    num_candidates = check_count("num_candidates", num_candidates)
    guidance = check_guidance(guidance, generator.reads_controls)
    prompts = check_prompt(prompt, num_sequences, length, generator.vocabulary_size)

    seeds = spread_seeds(row_seeds(seed, num_sequences), num_candidates + 1)  # [B, K + 1, 2]
    candidates = []
    logits = []
    rows_at_once = max(1, _CANDIDATES_AT_ONCE // num_candidates)
    for start in range(0, num_sequences, rows_at_once):
        rows = slice(start, start + rows_at_once)
        own = tf.reshape(seeds[rows, :-1], [-1, 2])
        repeated = None if prompts is None else np.repeat(prompts[rows], num_candidates, axis=0)
        tokens, _ = generator.sample(
            own, length, temperature, prompt=repeated, guidance=guidance
        )  # [rows · K, T]
        scores = _score(discriminator, tokens)
        candidates.append(tf.reshape(tokens, [-1, num_candidates, length]))
        logits.append(tf.reshape(scores, [-1, num_candidates]))

    all_logits = tf.concat(logits, axis=0)  # [B, K]
    chosen = choose_candidates(all_logits, seeds[:, -1])  # [B]
    kept = tf.gather(tf.concat(candidates, axis=0), chosen, batch_dims=1)

    return Resampled(kept.numpy(), all_logits.numpy(), chosen.numpy())
