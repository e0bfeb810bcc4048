"""A world of 27 sequences, where every expectation is a sum: see that the loss is right, and where MERL leads.

You learn what the objectives promise, with nothing left to chance. First, the gradient of the loss, averaged over every batch that could be sampled,
is that of −J = −(E[R] + α H); the batch mean, which contains the sample itself, scales it by (N − 1)/N. Second, climbing J ends at π* ∝ exp(R/α): a
small α keeps the best sequences, the paper's α = 1 keeps nearly all of them alike.

    python examples/05_tabular_world.py
"""

import itertools

import keras
import numpy as np
import tensorflow as tf

import tfseqgan as sg

SEQUENCES = list(itertools.product(range(3), repeat=3))  # V = 3 tokens, T = 3 steps
PREFIXES = sorted({row[:t] for row in SEQUENCES for t in range(3)})  # the states: 1 + 3 + 9
CELLS = np.array(
    [[3 * PREFIXES.index(row[:t]) + row[t] for t in range(3)] for row in SEQUENCES]
)  # [27, 3], places in the table of logits
LOGITS = tf.constant(
    np.random.default_rng(0).normal(0, 2, len(SEQUENCES))
)  # what a discriminator says of each sequence, [27]


def log_probs(table):
    """Returns log π(yₜ|y₍<t₎) of every sequence: a table of logits [13, 3] → [27, 3]."""
    return tf.gather(tf.reshape(tf.nn.log_softmax(table), [-1]), CELLS)


def gradient_of_j(table, objective):
    """Returns ∇J, J = E[R] + α H, by differentiating the sum over all sequences."""
    with tf.GradientTape() as tape:
        log_p = tf.reduce_sum(log_probs(table), axis=1)
        j = tf.reduce_sum(
            tf.exp(log_p) * (objective.reward(LOGITS) - objective.entropy_weight * log_p)
        )
    return tape.gradient(j, table)


def expected_gradient(table, objective):
    """Returns −E[∇loss] over every batch of N = 2 sequences, each weighed by its probability."""
    batches = np.array(list(itertools.product(range(27), repeat=2)))  # [729, 2]
    weights = tf.exp(
        tf.reduce_sum(tf.gather(log_probs(table), batches), axis=[1, 2])
    )  # outside the tape: constants
    mask = tf.ones([2, 3], tf.float64)

    def loss(rows):
        credit = objective.credit(tf.gather(objective.reward(LOGITS), rows), mask)
        return objective.loss(tf.gather(log_probs(table), rows), credit, mask).loss

    with tf.GradientTape() as tape:
        expected = tf.reduce_sum(weights * tf.vectorized_map(loss, tf.constant(batches)))
    return -tape.gradient(expected, table).numpy()


def climb(objective, steps=3000):
    """Returns the probabilities [27] at the top of J, climbed along its exact gradient from the uniform policy."""
    table, adam = (
        keras.Variable(np.zeros((len(PREFIXES), 3)), dtype="float64"),
        keras.optimizers.Adam(0.01),
    )
    adam.build([table])
    step = tf.function(lambda: adam.apply([-gradient_of_j(table.value, objective)], [table]))
    for _ in range(steps):
        step()
    return tf.exp(tf.reduce_sum(log_probs(table.value), axis=1)).numpy()


def main():
    table = tf.Variable(np.random.default_rng(1).normal(size=(len(PREFIXES), 3)))
    for baseline in (
        sg.baselines.NoBaseline(),
        sg.baselines.LeaveOneOut(),
        sg.baselines.BatchMean(),
    ):
        objective = sg.merl(entropy_weight=0.5, baseline=baseline)
        exact, found = gradient_of_j(table, objective).numpy(), expected_gradient(table, objective)
        factor = np.sum(exact * found) / np.sum(exact**2)
        print(
            f"MERL with {baseline}: expected gradient = {factor:.6f} × ∇J, apart by {np.abs(found - factor * exact).max():.1e}"
        )

    for alpha in (0.1, 1.0):
        objective = sg.merl(entropy_weight=alpha)
        policy, optimum = (
            climb(objective),
            tf.nn.softmax(objective.reward(LOGITS) / alpha).numpy(),
        )  # exp(R/α) / Σ exp(R/α)
        print(
            f"α = {alpha}: likeliest sequence {policy.max():.3f} of 1, apart from exp(R/α)/Z by {np.abs(policy - optimum).max():.1e}"
        )


if __name__ == "__main__":
    main()
