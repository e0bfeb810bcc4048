"""Every loop that writes tokens: decode, sample, score, complete.

The loops are plain TensorFlow operations, so that a graph that holds them can be served without
Keras. Rows are padded to whole blocks where a row must not depend on the others to the last bit.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tfseqgan.models.graphs import compile_for_each_model
from tfseqgan.models.interfaces import SequenceGenerator
from tfseqgan.ops.log_probs import log_probs_at
from tfseqgan.ops.masking import FORBIDDEN
from tfseqgan.ops.sampling import (
    LOWEST_TEMPERATURE,
    ROWS_PER_BLOCK,
    inverse_cdf,
    next_tokens,
    pad_rows,
    row_uniforms,
)

ChooseTokens = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
"""Function of the step int32 [], which sequences are continued, int32 [R], and their logits and
probabilities, float32 [R, V] → tokens int32 [R]."""

_STEPS_PER_BLOCK = 32
"""Steps after which the sequences that have ended are left behind."""


class _Loop(NamedTuple):
    """The variables of the loop that writes B sequences, of which R are continued.

    Attributes:
        t: int32 [], the step.
        rows: int32 [R], which sequences are continued.
        previous: int32 [R], the last token of each.
        state: the generator's.
        is_running: bool [R], whether a sequence has not ended.
        tokens: TensorArray of int32 [B].
        log_probs: TensorArray of float32 [B].
    """

    t: tf.Tensor
    rows: tf.Tensor
    previous: tf.Tensor
    state: Any
    is_running: tf.Tensor
    tokens: tf.TensorArray
    log_probs: tf.TensorArray


def decode(
    generator: SequenceGenerator,
    num_rows: tf.Tensor | int,
    length: tf.Tensor | int,
    choose: ChooseTokens,
    guidance: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Writes sequences token by token, until all have ended.

    Sequences that have ended are no longer computed after some steps.

    With guidance, each row has a second one that reads the same tokens with all controls unknown,
    and a token is chosen from

        logits + guidance · (log p(· | y₍<t₎, controls) − log p(· | y₍<t₎))

    Args:
        generator: the model.
        num_rows: B, an integer or int32 [].
        length: T, an integer or int32 [].
        choose: function of the step t, of the indices of R sequences, and of the logits and
            probabilities of p(· | y₍<t₎) of these, that returns their yₜ.
        guidance: float32 [B], or None for none.

    Returns:
        tokens int32 [B, T], padded after the end token, and log_probs float32 [B, T], the model's
        own log p(yₜ | y₍<t₎) in nats, 0 after the end token.

    Reference:
        Ho & Salimans 2022 (guidance, there for diffusion); Sanchez et al. 2023 (for language
        models).
    """
    cache = generator.decoding_cache()
    readings = 1 if guidance is None else 2  # of each sequence

    def step(*variables):
        loop = _without_ended(_Loop(*variables), readings)
        logits, guided, state = _next_logits(generator, cache, loop, guidance)
        probs = tf.nn.softmax(logits)  # [R, V]
        guided_probs = probs if guidance is None else tf.nn.softmax(guided)

        chosen = choose(loop.t, loop.rows, guided, guided_probs)
        chosen = tf.ensure_shape(chosen, loop.previous.shape)  # [R]
        log_probs = log_probs_at(logits, probs, chosen)
        is_running = loop.is_running
        if generator.end_token_id is not None:
            is_running &= chosen != generator.end_token_id

        return _Loop(
            t=loop.t + 1,
            rows=loop.rows,
            previous=chosen,
            state=state,
            is_running=is_running,
            tokens=_write(loop.tokens, loop, chosen, num_rows, generator.pad_token_id),
            log_probs=_write(loop.log_probs, loop, log_probs, num_rows, 0.0),
        )

    def continues(*variables):
        loop = _Loop(*variables)
        return (loop.t < length) & tf.reduce_any(loop.is_running)

    start = _Loop(
        t=tf.constant(0),
        rows=tf.range(num_rows),
        previous=tf.fill([num_rows], generator.vocabulary_size),
        state=generator.initial_state(readings * num_rows, length),
        is_running=tf.fill([num_rows], True),
        tokens=tf.TensorArray(tf.int32, length),
        log_probs=tf.TensorArray(tf.float32, length),
    )
    shapes = _shapes_of_loop(generator, start)
    end = tf.while_loop(continues, step, start, shape_invariants=shapes, parallel_iterations=1)

    return (
        _stack_steps(end.tokens, end.t, num_rows, generator.pad_token_id),
        _stack_steps(end.log_probs, end.t, num_rows, 0.0),
    )


def _next_logits(generator, cache, loop, guidance):
    """Returns the logits of the model, those to choose from, both [R, V], and the state."""
    if guidance is None:
        logits, state = generator.next_logits(cache, loop.state, loop.previous)
        return logits, logits, state

    of_rows = tf.gather(guidance, loop.rows)

    return _guided_logits(generator, cache, loop.state, loop.previous, of_rows)


def _write(array, loop, values, num_rows, rest):
    """Writes one step of all sequences: `rest` for those that had ended before."""
    running = tf.where(loop.is_running, values, rest)
    of_all = tf.tensor_scatter_nd_update(tf.fill([num_rows], rest), loop.rows[:, None], running)

    return array.write(loop.t, of_all)


def _without_ended(loop, readings):
    """Leaves the sequences that have ended behind, at the first step of each block of steps.

    As many stay as fill whole blocks of rows, so that the bits of the others stay what they are.
    """
    num_running = tf.reduce_sum(tf.cast(loop.is_running, tf.int32))
    num_kept = num_running + -num_running % ROWS_PER_BLOCK
    is_due = (loop.t % _STEPS_PER_BLOCK == 0) & (num_kept < tf.size(loop.rows))

    def keep_rows():
        running_first = tf.concat([tf.where(loop.is_running), tf.where(~loop.is_running)], axis=0)
        kept = tf.cast(running_first[:num_kept, 0], tf.int32)
        of_readings = tf.concat([kept + k * tf.size(loop.rows) for k in range(readings)], axis=0)
        state = tf.nest.map_structure(lambda part: tf.gather(part, of_readings), loop.state)

        return *[tf.gather(part, kept) for part in (loop.rows, loop.previous)], state, kept

    def keep_all():
        return loop.rows, loop.previous, loop.state, tf.range(tf.size(loop.rows))

    rows, previous, state, kept = tf.cond(is_due, keep_rows, keep_all)

    return loop._replace(
        rows=rows, previous=previous, state=state, is_running=tf.gather(loop.is_running, kept)
    )


def _stack_steps(array, num_steps, num_rows, rest):
    """Returns what was written in each step, [B, T]; `rest` where all rows had ended before."""
    length = array.size()
    nothing = tf.fill([length, num_rows], rest)
    written = tf.cond(num_steps > 0, array.stack, lambda: nothing)  # without rows nothing is
    is_written = tf.range(length)[:, None] < num_steps

    return tf.transpose(tf.where(is_written, written, nothing))


def state_shapes(generator: SequenceGenerator, state: Any) -> Any:
    """Returns the shapes that a generator's state has in a loop: of any number of rows.

    The other axes may grow where the generator says so.
    """
    relax = getattr(generator, "state_shapes", None)

    def shape_of(part):
        return part.shape

    def of_any_rows(shape):
        return tf.TensorShape([None, *shape[1:]])

    shapes = tf.nest.map_structure(shape_of, state) if relax is None else relax(state)

    return tf.nest.map_structure(of_any_rows, shapes)


def _shapes_of_loop(generator, start):
    """Returns the shapes of a loop's variables."""
    any_rows = tf.TensorShape([None])

    return _Loop(
        t=start.t.shape,
        rows=any_rows,
        previous=any_rows,
        state=state_shapes(generator, start.state),
        is_running=any_rows,
        tokens=tf.TensorShape(None),
        log_probs=tf.TensorShape(None),
    )


def _guided_logits(generator, cache, state, previous, guidance):
    """Returns the logits, the guided ones, both float32 [B, V], and the state of both readings.

    Forbidden tokens stay forbidden.
    """
    pairs = tf.concat([previous, generator.without_controls(previous)], axis=0)
    of_pairs, state = generator.next_logits(cache, state, pairs)
    logits, without_controls = tf.split(of_pairs, 2)

    gained = tf.nn.log_softmax(logits) - tf.nn.log_softmax(without_controls)
    guided = logits + guidance[:, None] * gained

    return logits, tf.where(logits > FORBIDDEN / 2, guided, FORBIDDEN), state


def with_prompt(
    drawn: tf.Tensor, t: tf.Tensor, prompt: tf.Tensor, prompt_lengths: tf.Tensor | None = None
) -> tf.Tensor:
    """Replaces the tokens drawn at step t by those of the prompt, where it reaches so far."""
    size = tf.shape(prompt)[1]
    lengths = size if prompt_lengths is None else prompt_lengths
    padded = tf.pad(prompt, [[0, 0], [0, 1]])
    prompted = tf.gather(padded, tf.minimum(t, size), axis=1)  # [B]

    return tf.where(t < lengths, prompted, drawn)


def sample_sequences(
    generator: SequenceGenerator,
    seeds: tf.Tensor,
    length: tf.Tensor | int,
    temperature: tf.Tensor | None = None,
    top_k: tf.Tensor | None = None,
    top_p: tf.Tensor | None = None,
    prompt: tf.Tensor | None = None,
    prompt_lengths: tf.Tensor | None = None,
    guidance: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Samples one sequence a seed pair. A row depends on its own seed alone.

    Args:
        generator: the model.
        seeds: int32 [B, 2].
        length: T, an integer or int32 [].
        temperature: float32 [] or [B], or None for 1; below `LOWEST_TEMPERATURE` it makes no
            difference.
        top_k: int32 [] or [B], 0 for every token, or None.
        top_p: float32 [] or [B], or None.
        prompt: int32 [B, P] that the sequences begin with, or None.
        prompt_lengths: int32 [B], how much of each row's prompt counts, or None for all of it.
        guidance: float32 [] or [B], how much more than the model's own the controls shall count
            (`decode`), at the price of a second row a sample; or None.

    Returns:
        As `decode`: the log-probabilities are the model's own, at temperature 1 and unfiltered.
    """

    def is_by_row(values):
        return tf.is_tensor(values) and values.shape.rank

    def pad(values):
        return pad_rows(values) if is_by_row(values) else values

    def of_rows(values, rows):
        return tf.gather(values, rows) if is_by_row(values) else values

    padded_seeds = pad_rows(seeds)
    uniforms = row_uniforms(padded_seeds, length)  # [T, B]
    filters = (
        None if temperature is None else pad(tf.maximum(temperature, LOWEST_TEMPERATURE)),
        pad(top_k),
        pad(top_p),
    )
    is_filtered = any(option is not None for option in filters)
    padded_prompt = pad(prompt)
    padded_lengths = pad(prompt_lengths)

    def choose(t, rows, logits, probs):
        numbers = tf.gather(uniforms[t], rows)  # [R]
        if is_filtered:
            drawn = next_tokens(logits, numbers, *[of_rows(option, rows) for option in filters])
        else:
            drawn = inverse_cdf(probs, numbers)
        if prompt is None:
            return drawn

        return with_prompt(drawn, t, of_rows(padded_prompt, rows), of_rows(padded_lengths, rows))

    padded_rows = tf.shape(padded_seeds)[0]
    if guidance is not None:
        guidance = tf.broadcast_to(pad(guidance), [padded_rows])
    tokens, log_probs = decode(generator, padded_rows, length, choose, guidance)
    num_rows = tf.shape(seeds)[0]

    return tokens[:num_rows], log_probs[:num_rows]


sample_in_one_graph = compile_for_each_model(sample_sequences)
"""`sample_sequences` of tensors alone, the length too: compiled once for sizes of all kinds."""


def score_sequences(generator: SequenceGenerator, tokens: tf.Tensor) -> tf.Tensor:
    """Computes log p(yₜ | y₍<t₎) step by step: what `token_log_probs` computes, for serving.

    Args:
        generator: the model.
        tokens: int32 [B, T].

    Returns:
        float32 [B, T] in nats, 0 after the end token.
    """
    padded = pad_rows(tokens)
    num_rows, length = tf.unstack(tf.shape(padded))

    def choose(t, rows, logits, probs):
        return tf.gather(tf.gather(padded, t, axis=1), rows)

    _, log_probs = decode(generator, num_rows, length, choose)

    return log_probs[: tf.shape(tokens)[0]]


def complete_prefixes(
    generator: SequenceGenerator,
    tokens: tf.Tensor,
    num_rollouts: int,
    every: int,
    seed: tf.Tensor,
) -> tf.Tensor:
    """Samples N completions of every `every`-th prefix of each sequence, at temperature 1.

    Prefixes of `every`, 2·`every`, … < T tokens are completed to T tokens. All of them are sampled
    in one loop over time, to which each prefix adds its rows when its own length is reached, so
    that no prefix is read twice.

    Args:
        generator: the model.
        tokens: int32 [B, T].
        num_rollouts: N.
        every: the distance between the lengths of prefixes.
        seed: int32 [2].

    Returns:
        int32 [P, N, B, T] with P = ⌈T / every⌉ − 1, padded after the end token.

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> generator = Generator(vocabulary_size=7, embedding_dim=4, units=8)
        >>> tokens = tf.constant([[3, 4, 5, 6, 2]])
        >>> complete_prefixes(generator, tokens, 3, every=2, seed=tf.constant([0, 0])).shape
        TensorShape([2, 3, 1, 5])

    Reference:
        Yu et al. 2016, section 3.1 (Monte Carlo search).
    """
    tokens = tf.convert_to_tensor(tokens)
    length = tokens.shape[1]
    cache = generator.decoding_cache()
    state_before = generator.prefix_states(tokens)

    def repeat(part):
        return tf.tile(part, [num_rollouts] + [1] * (part.shape.rank - 1))  # [N·B, …]

    def rows_of_prefix(t):
        return tf.nest.map_structure(repeat, (state_before(t), tokens[:, :t]))

    def append(rows, more):
        return tf.nest.map_structure(lambda *pair: tf.concat(pair, axis=0), rows, more)

    first = min(every, length)
    rows = tf.nest.map_structure(lambda part: part[:0], rows_of_prefix(first))
    for t in range(every, length):
        if t % every == 0:
            rows = append(rows, rows_of_prefix(t))
        state, written = rows

        logits, state = generator.next_logits(cache, state, written[:, -1])
        step_seed = tf.random.experimental.stateless_fold_in(seed, t)
        uniforms = tf.random.stateless_uniform([tf.shape(written)[0]], step_seed)
        chosen = next_tokens(logits, uniforms)  # [rows]
        if generator.end_token_id is not None:
            has_ended = tf.reduce_any(written == generator.end_token_id, axis=1)
            chosen = tf.where(has_ended, generator.pad_token_id, chosen)

        rows = (state, tf.concat([written, chosen[:, None]], axis=1))

    _, written = rows

    return tf.reshape(written, [-1, num_rollouts, tf.shape(tokens)[0], length])
