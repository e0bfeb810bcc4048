"""Completions of prefixes: what the policy would have gone on with, from the states that it passed through."""

import tensorflow as tf

from tfseqgan.ops.lstm import advance, lstm_states
from tfseqgan.ops.sampling import next_tokens


def _begin(tokens, states, length, num_rollouts):
    """Returns h, c and tokens of the rows that continue the first `length` tokens: N times every sequence."""
    hidden, cell = (
        tf.tile(state[length - 1], [num_rollouts, 1]) for state in states
    )  # [N·B, units]
    return hidden, cell, tf.tile(tokens[:, :length], [num_rollouts, 1])  # [N·B, length]


def complete(generator, tokens, num_rollouts, every, seed):
    """Returns N completions of every `every`-th prefix of each sequence, sampled at temperature 1.

    Prefixes of `every`, 2·`every`, … < T tokens are completed to T tokens. All of them are sampled in one loop over time, to which each prefix adds
    its rows when its own length is reached, so that no prefix is read twice.

    Args:
        generator: a `Generator`.
        tokens: int32 [B, T].
        num_rollouts: N.
        every: prefixes stand so many tokens apart.
        seed: int32 [2].

    Returns:
        int32 [P, N, B, T] with P = ⌈T / every⌉ − 1, padded behind the end.

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> generator = Generator(vocabulary_size=7, embedding_dim=4, units=8)
        >>> complete(generator, tf.constant([[3, 4, 5, 6, 2]]), num_rollouts=3, every=2, seed=tf.constant([0, 0])).shape
        TensorShape([2, 3, 1, 5])
    """
    tokens = tf.convert_to_tensor(tokens)
    length, (table, known, gates) = tokens.shape[1], generator.tables()
    states = lstm_states(generator.inputs(tokens, table), generator.lstm)

    def step(t, hidden, cell, written):
        if t % every == 0:
            rows = _begin(tokens, states, t, num_rollouts)
            hidden, cell, written = (
                tf.concat(pair, axis=0) for pair in zip((hidden, cell, written), rows)
            )
        hidden, cell = advance(
            [tf.gather(part, written[:, -1]) for part in known], hidden, cell, gates.states
        )
        uniforms = tf.random.stateless_uniform(
            [tf.shape(written)[0]], tf.random.experimental.stateless_fold_in(seed, t)
        )
        chosen = next_tokens(generator.logits(hidden, table), uniforms)  # [rows]
        if generator.end_token_id is not None:
            chosen = tf.where(
                tf.reduce_any(written == generator.end_token_id, axis=1),
                generator.pad_token_id,
                chosen,
            )
        return hidden, cell, tf.concat([written, chosen[:, None]], axis=1)

    hidden, cell, written = (
        part[:0] for part in _begin(tokens, states, min(every, length), num_rollouts)
    )
    for t in range(every, length):
        hidden, cell, written = step(t, hidden, cell, written)
    return tf.reshape(written, [-1, num_rollouts, tf.shape(tokens)[0], length])
