"""Particles: of several unfinished sequences those are continued that the discriminator prefers.

`models.resampling` draws one of K finished sequences, of which most are spoilt by one slip. Here
the odds of prefixes weigh the sequences while they are written: after every few tokens, the ones
with low odds are left and the others continued in their place.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfseqgan.models.checks import check_count, check_prompt
from tfseqgan.models.decoding import state_shapes, with_prompt
from tfseqgan.models.graphs import compile_for_each_model
from tfseqgan.models.resampling import spread_seeds
from tfseqgan.models.state_discriminator import PrefixState, StateDiscriminator
from tfseqgan.ops.log_probs import log_probs_at
from tfseqgan.ops.sampling import (
    LOWEST_TEMPERATURE,
    ROWS_PER_BLOCK,
    check_sampling,
    next_tokens,
    row_seeds,
    row_uniforms,
)

_PARTICLES_AT_ONCE = 512


class SequentiallyResampled(NamedTuple):
    """Samples that were drawn among particles.

    Attributes:
        tokens: int32 [B, T], the samples that were kept.
        log_evidence: float32 [B], log Ẑ; Ẑ is an unbiased estimate of E[exp(logit)] under the
            generator, given the prompt.
        effective_sample_sizes: float32 [B, P], how many of the K particles had a say after each
            block of tokens, before they were drawn again. It stays the same once all have ended.
    """

    tokens: np.ndarray
    log_evidence: np.ndarray
    effective_sample_sizes: np.ndarray


class _Written(NamedTuple):
    """What R particles are after some tokens.

    Attributes:
        tokens: int32 [R, t].
        previous: int32 [R], the last token of each.
        is_running: bool [R], whether it has not ended.
        state: the generator's.
        prefix: the discriminator's.
        logits: float32 [R], of what is written.
    """

    tokens: tf.Tensor
    previous: tf.Tensor
    is_running: tf.Tensor
    state: Any
    prefix: PrefixState
    logits: tf.Tensor


class _Weighed(NamedTuple):
    """The variables of the loop over blocks of tokens.

    Attributes:
        block: int32 [], the number of blocks that are written.
        particles: R = B · K of them.
        log_weights: float32 [B, K], since they were last drawn.
        log_evidence: float32 [B], of the times that they were drawn.
        sizes: TensorArray of float32 [B].
    """

    block: tf.Tensor
    particles: _Written
    log_weights: tf.Tensor
    log_evidence: tf.Tensor
    sizes: tf.TensorArray


def _find_particles(log_weights: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Computes min {j : W₀ + … + Wⱼ > place}, W the weights by their sum.

    Args:
        log_weights: float32 [B, K].
        places: float32 [B, N] in [0, 1).

    Returns:
        int32 [B, N].
    """
    sums = tf.cumsum(tf.nn.softmax(log_weights), axis=1)  # [B, K]
    found = tf.searchsorted(sums, places * sums[:, -1:], side="right")

    return tf.minimum(found, tf.shape(sums)[1] - 1)


def systematic_ancestors(log_weights: tf.Tensor, uniforms: tf.Tensor) -> tf.Tensor:
    """Draws K of K particles by their weights, all with one uniform number.

        aₖ = min {j : W₀ + … + Wⱼ > (k + u) / K},   W the weights by their sum

    A particle of weight W is drawn K W times on average, and never more than one time away from it.

    Args:
        log_weights: float32 [B, K].
        uniforms: float32 [B] in [0, 1).

    Returns:
        int32 [B, K], increasing in each row.

    Example:
        >>> log_weights = tf.math.log([[0.5, 0.1, 0.4, 0.0]])
        >>> systematic_ancestors(log_weights, tf.constant([0.2])).numpy().tolist()
        [[0, 0, 1, 2]]

    Reference:
        Kitagawa 1996; Douc, Cappé & Moulines 2005.
    """
    count = tf.shape(log_weights)[1]
    places = tf.cast(tf.range(count), tf.float32) + uniforms[:, None]  # [B, K]

    return _find_particles(log_weights, places / tf.cast(count, tf.float32))


def _effective_sizes(log_weights: tf.Tensor) -> tf.Tensor:
    """Computes the effective sample size of each row, float32 [B, K] → [B]."""
    weights = tf.nn.softmax(log_weights)

    return 1 / tf.reduce_sum(weights**2, axis=1)


def _log_mean(log_weights: tf.Tensor) -> tf.Tensor:
    """Computes the logarithm of the mean weight of each row, float32 [B, K] → [B]."""
    count = tf.cast(tf.shape(log_weights)[1], tf.float32)

    return tf.reduce_logsumexp(log_weights, axis=1) - tf.math.log(count)


def _by_step(array: tf.TensorArray) -> tf.Tensor:
    """Returns what was written in S steps, [R, S, …]."""
    stacked = array.stack()

    return tf.transpose(stacked, [1, 0, *range(2, stacked.shape.rank)])


class _Writer:
    """Writes and weighs the tokens of a block.

    Args:
        discriminator: weighs; the generator that it reads writes.
        temperature: float32 [], of the generator.
        uniforms: float32 [T, R].
        prompt: int32 [R, P] that the sequences begin with.
    """

    def __init__(
        self,
        discriminator: StateDiscriminator,
        temperature: tf.Tensor,
        uniforms: tf.Tensor,
        prompt: tf.Tensor,
    ) -> None:
        self.discriminator = discriminator
        self.generator = discriminator.reader
        self.temperature = tf.maximum(temperature, LOWEST_TEMPERATURE)
        self.uniforms = uniforms
        self.prompt = prompt
        self.cache = self.generator.decoding_cache()

    def start(self) -> _Written:
        """Returns R particles before their first token."""
        length, num_rows = tf.unstack(tf.shape(self.uniforms))

        return _Written(
            tokens=tf.zeros([num_rows, 0], tf.int32),
            previous=tf.fill([num_rows], self.generator.vocabulary_size),
            is_running=tf.fill([num_rows], True),
            state=self.generator.initial_state(num_rows, length),
            prefix=self.discriminator.first_prefix(num_rows),
            logits=tf.zeros([num_rows]),
        )

    def extend(self, particles: _Written, num_steps: tf.Tensor) -> _Written:
        """Writes some more tokens of every particle, and weighs what is then written."""
        generator = self.generator
        start = tf.shape(particles.tokens)[1]

        def step(t, previous, is_running, state, written):
            logits, after = generator.next_logits(self.cache, state, previous)
            chosen = self._choose(start + t, logits)
            values = (
                tf.where(is_running, chosen, generator.pad_token_id),
                tf.cast(generator.output_of(after), tf.float16),
                log_probs_at(logits, tf.nn.softmax(logits), chosen),
            )
            written = [array.write(t, value) for array, value in zip(written, values, strict=True)]
            if generator.end_token_id is not None:
                is_running &= chosen != generator.end_token_id

            return t + 1, chosen, is_running, after, written

        arrays = [tf.TensorArray(dtype, num_steps) for dtype in (tf.int32, tf.float16, tf.float32)]
        any_rows = tf.TensorShape([None])
        _, previous, is_running, state, written = tf.while_loop(
            lambda t, *_: t < num_steps,
            step,
            (0, particles.previous, particles.is_running, particles.state, arrays),
            shape_invariants=(
                tf.TensorShape([]),
                any_rows,
                any_rows,
                state_shapes(generator, particles.state),
                [tf.TensorShape(None)] * 3,
            ),
            parallel_iterations=1,
        )
        reading = self.discriminator.reading_of(*[_by_step(array) for array in written])
        logits, prefix = self.discriminator.extend_prefix(particles.prefix, reading)
        tokens = tf.concat([particles.tokens, reading.tokens], axis=1)

        return _Written(tokens, previous, is_running, state, prefix, logits)

    def _choose(self, t: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Draws the tokens of step t, or takes them from the prompt, int32 [R]."""
        drawn = next_tokens(logits, self.uniforms[t], self.temperature)

        return tf.ensure_shape(with_prompt(drawn, t, self.prompt), [None])


def _draw_again(population: _Weighed, uniforms: tf.Tensor) -> _Weighed:
    """Continues the particles of great weight in the place of others, where few have a say.

    Those of a sequence that have all ended are left: `_keep_one` draws among them by their weights,
    so that it does not matter how long the other sequences of the loop are.

    Args:
        population: of B · K particles.
        uniforms: float32 [B].
    """
    log_weights = population.log_weights
    num_sequences, count = tf.unstack(tf.shape(log_weights))
    is_running = tf.reshape(population.particles.is_running, tf.shape(log_weights))
    few_have_a_say = 2 * _effective_sizes(log_weights) < tf.cast(count, tf.float32)
    is_due = few_have_a_say & tf.reduce_any(is_running, axis=1)  # [B]

    drawn = systematic_ancestors(log_weights, uniforms)
    ancestors = tf.where(is_due[:, None], drawn, tf.range(count))  # [B, K]
    rows = tf.reshape(ancestors + count * tf.range(num_sequences)[:, None], [-1])
    gained = tf.where(is_due, _log_mean(log_weights), 0.0)

    return population._replace(
        particles=tf.nest.map_structure(lambda part: tf.gather(part, rows), population.particles),
        log_weights=tf.where(is_due[:, None], 0.0, log_weights),
        log_evidence=population.log_evidence + gained,
    )


def _extend(population: _Weighed, writer: _Writer, num_steps: tf.Tensor) -> _Weighed:
    """Writes a block of tokens; each weight is multiplied by what the odds gained."""
    before = population.particles
    particles = writer.extend(before, num_steps)
    gained = tf.reshape(particles.logits - before.logits, tf.shape(population.log_weights))
    log_weights = population.log_weights + gained
    sizes = population.sizes.write(population.block, _effective_sizes(log_weights))

    return _Weighed(
        block=population.block + 1,
        particles=particles,
        log_weights=log_weights,
        log_evidence=population.log_evidence,
        sizes=sizes,
    )


def _shapes_of(population: _Weighed, generator: Any) -> _Weighed:
    """Returns the shapes of the loop's variables, of any number of rows."""
    any_rows = tf.TensorShape([None])

    def of_any_rows(part):
        return tf.TensorShape([None, *part.shape[1:]])

    return _Weighed(
        block=tf.TensorShape([]),
        particles=_Written(
            tokens=tf.TensorShape([None, None]),
            previous=any_rows,
            is_running=any_rows,
            state=state_shapes(generator, population.particles.state),
            prefix=tf.nest.map_structure(of_any_rows, population.particles.prefix),
            logits=any_rows,
        ),
        log_weights=tf.TensorShape([None, None]),
        log_evidence=any_rows,
        sizes=tf.TensorShape(None),
    )


def sample_particles(
    discriminator: StateDiscriminator,
    seeds: tf.Tensor,
    temperature: tf.Tensor,
    prompt: tf.Tensor,
    length: tf.Tensor,
    num_particles: tf.Tensor,
    every: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Writes K particles for each seed pair, and keeps one of them (`resample_sequentially`).

    Args:
        discriminator: weighs; the generator that it reads writes.
        seeds: int32 [B, 2].
        temperature: float32 [].
        prompt: int32 [B, P], P may be 0.
        length: T, int32 [].
        num_particles: K, int32 [].
        every: tokens of a block, int32 [].

    Returns:
        As `SequentiallyResampled`.
    """
    num_sequences = tf.shape(seeds)[0]
    num_blocks = -(-length // every)
    own = spread_seeds(seeds, num_particles + 2)  # [B, K + 2, 2]
    uniforms = row_uniforms(tf.reshape(own[:, :num_particles], [-1, 2]), length)  # [T, B · K]
    of_draws = row_uniforms(own[:, num_particles], num_blocks)  # [P, B]
    writer = _Writer(discriminator, temperature, uniforms, tf.repeat(prompt, num_particles, axis=0))

    def step(*variables):
        population = _Weighed(*variables)
        drawn = _draw_again(population, of_draws[population.block])
        num_steps = tf.minimum(every, length - population.block * every)

        return _extend(drawn, writer, num_steps)

    def continues(*variables):
        population = _Weighed(*variables)
        is_running = tf.reduce_any(population.particles.is_running)
        return (population.block < num_blocks) & is_running

    start = _Weighed(
        block=tf.constant(0),
        particles=writer.start(),
        log_weights=tf.zeros([num_sequences, num_particles]),
        log_evidence=tf.zeros([num_sequences]),
        sizes=tf.TensorArray(tf.float32, num_blocks),
    )
    shapes = _shapes_of(start, discriminator.reader)
    end = _Weighed(
        *tf.while_loop(continues, step, start, shape_invariants=shapes, parallel_iterations=1)
    )

    return _keep_one(end, own[:, num_particles + 1], length, discriminator.reader.pad_token_id)


def _keep_one(
    end: _Weighed, seeds: tf.Tensor, length: tf.Tensor, pad_token_id: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Draws one particle of each sequence by its weight; returns what `sample_particles` does."""
    num_sequences, count = tf.unstack(tf.shape(end.log_weights))
    places = row_uniforms(seeds, 1)  # [1, B]
    chosen = _find_particles(end.log_weights, tf.transpose(places))[:, 0]  # [B]
    kept = tf.gather(end.particles.tokens, chosen + count * tf.range(num_sequences))
    missing = length - tf.shape(kept)[1]
    tokens = tf.pad(kept, [[0, 0], [0, missing]], constant_values=pad_token_id)

    written = end.sizes.gather(tf.range(end.block))  # [blocks that were written, B]
    of_rest = tf.repeat(written[-1:], end.sizes.size() - end.block, axis=0)
    sizes = tf.transpose(tf.concat([written, of_rest], axis=0))

    return tokens, end.log_evidence + _log_mean(end.log_weights), sizes


_sample_in_one_graph = compile_for_each_model(sample_particles)


def _whole_blocks(values: tf.Tensor | np.ndarray, num_particles: int) -> tf.Tensor:
    """Repeats the last of B sequences until all particles fill whole blocks of rows."""
    multiple = ROWS_PER_BLOCK // math.gcd(ROWS_PER_BLOCK, num_particles)
    missing = -len(values) % multiple

    return tf.concat([values, tf.repeat(values[-1:], missing, axis=0)], axis=0)


def resample_sequentially(
    discriminator: StateDiscriminator,
    num_sequences: int,
    length: int,
    *,
    num_particles: int = 16,
    every: int = 16,
    temperature: float = 1.0,
    prompt: np.ndarray | list[int] | None = None,
    seed: int | tuple[int, int] | None = None,
) -> SequentiallyResampled:
    """Samples sequences by particles that the odds of their prefixes weigh (twisted SMC).

    K particles of a sequence are written side by side. After every block of tokens each one's
    weight is multiplied by

        wₖ ← wₖ · exp(logit(y₍≤t₎) − logit(y₍≤s₎))

    with s the length before the block. Where the effective sample size of the weights falls below
    K / 2, the particles are drawn again by their weights, which are then equal. In the end one
    is kept, drawn by its weight. Whatever the odds of prefixes are, the sequences that are kept
    have, for K → ∞, the distribution p(y) exp(logit(y)) / Z; the better they are, the fewer
    particles it takes. The generator is the one that the discriminator reads, so that nothing is
    read twice.

    Args:
        discriminator: a calibrated one, trained on prefixes too; its odds are taken for what they
            are.
        num_sequences: B.
        length: T, the largest number of tokens.
        num_particles: K. Numbers that 16 divides need no rows that are thrown away.
        every: tokens of a block.
        temperature: as in `SequenceModel.generate`; so are `prompt` and `seed`.
        prompt: see `temperature`.
        seed: see `temperature`.

    Returns:
        The samples, log Ẑ, and the effective sample sizes.

    Raises:
        TypeError: if the discriminator is no `StateDiscriminator`.
        ValueError: if an argument is out of range.

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> discriminator = StateDiscriminator(Generator(7, embedding_dim=4, units=8))
        >>> drawn = resample_sequentially(discriminator, 3, 5, num_particles=2, every=2, seed=0)
        >>> drawn.tokens.shape, drawn.effective_sample_sizes.shape
        ((3, 5), (3, 3))

    Reference:
        Zhao et al. 2024, "Probabilistic Inference in Language Models via Twisted Sequential Monte
        Carlo"; Del Moral, Doucet & Jasra 2006.
    """
    if not isinstance(discriminator, StateDiscriminator):
        raise TypeError(
            "Particles are weighed by what a generator makes of them; expected a "
            f"StateDiscriminator, received {type(discriminator).__name__}. Train "
            "StateDiscriminator(generator), or use resample, which takes any discriminator."
        )
    num_sequences, length, temperature, *_ = check_sampling(num_sequences, length, temperature)
    num_particles = check_count("num_particles", num_particles)
    every = check_count("every", every)
    vocabulary_size = discriminator.reader.vocabulary_size
    prompts = check_prompt(prompt, num_sequences, length, vocabulary_size)
    if prompts is None:
        prompts = np.zeros((num_sequences, 0), np.int32)

    seeds = row_seeds(seed, num_sequences)
    sizes = [tf.constant(size) for size in (length, num_particles, every)]
    rows_at_once = max(1, _PARTICLES_AT_ONCE // num_particles)
    parts = []
    for start in range(0, num_sequences, rows_at_once):
        rows = slice(start, start + rows_at_once)
        inputs = [_whole_blocks(part[rows], num_particles) for part in (seeds, prompts)]
        found = _sample_in_one_graph(
            discriminator, inputs[0], tf.constant(temperature), inputs[1], *sizes
        )
        parts.append([part[: len(seeds[rows])].numpy() for part in found])

    return SequentiallyResampled(*[np.concatenate(pieces) for pieces in zip(*parts, strict=True)])
