"""A world of 27 sequences, where every expectation is a sum. See that the loss is right.

You learn what the objectives promise, with nothing left to chance.

1. The gradient of the loss, averaged over every batch that could be sampled, is the gradient of
   −J = −(E[R] + α H). A baseline that is the mean of the batch contains the sample itself, and
   this scales the gradient by (N − 1)/N.
2. The policy that maximizes J is π* ∝ exp(R/α). A small α keeps only the best sequences. With the
   paper's α = 1 no sequence is more than e times as likely as another, since R lies in [0, 1].

    python examples/05_tabular_world.py
"""

import itertools

import keras
import numpy as np
import tensorflow as tf

import tfseqgan as sg

VOCABULARY_SIZE = 3
LENGTH = 3
SEQUENCES = list(itertools.product(range(VOCABULARY_SIZE), repeat=LENGTH))

# A policy is a table of logits: a row for each prefix, a column for each next token. There are
# 1 + 3 + 9 prefixes.
PREFIXES = sorted({sequence[:t] for sequence in SEQUENCES for t in range(LENGTH)})

# What a discriminator says of each sequence, float64 [27].
LOGITS = tf.constant(np.random.default_rng(0).normal(0, 2, len(SEQUENCES)))


def cells_of(sequence: tuple[int, ...]) -> list[int]:
    """Returns the indices of the logits that a sequence reads, one for each of its tokens."""
    rows = [PREFIXES.index(sequence[:t]) for t in range(LENGTH)]
    return [VOCABULARY_SIZE * row + token for row, token in zip(rows, sequence, strict=True)]


CELLS = np.array([cells_of(sequence) for sequence in SEQUENCES])  # [27, 3]


def log_probs(table: tf.Variable) -> tf.Tensor:
    """Returns log π(yₜ|y₍<t₎) of every sequence, [27, 3], for a table of logits, [13, 3]."""
    return tf.gather(tf.reshape(tf.nn.log_softmax(table), [-1]), CELLS)


def gradient_of_j(table: tf.Variable, objective: sg.Objective) -> tf.Tensor:
    """Returns ∇J, where J = E[R] + α H, by differentiating the sum over all sequences."""
    with tf.GradientTape() as tape:
        log_p = tf.reduce_sum(log_probs(table), axis=1)
        value = objective.reward(LOGITS) - objective.entropy_weight * log_p
        j = tf.reduce_sum(tf.exp(log_p) * value)

    return tape.gradient(j, table)


def expected_gradient(table: tf.Variable, objective: sg.Objective) -> np.ndarray:
    """Returns −E[∇loss] over every batch of N = 2 sequences, weighted by its probability."""
    batches = np.array(list(itertools.product(range(len(SEQUENCES)), repeat=2)))  # [729, 2]
    log_p = tf.reduce_sum(log_probs(table), axis=1)
    probabilities = tf.exp(tf.reduce_sum(tf.gather(log_p, batches), axis=1))
    mask = tf.ones([2, LENGTH], tf.float64)

    def loss(batch):
        rewards = tf.gather(objective.reward(LOGITS), batch)
        credit = objective.credit(rewards, mask, objective.discount)
        return objective.loss(tf.gather(log_probs(table), batch), credit, mask).loss

    with tf.GradientTape() as tape:
        losses = tf.vectorized_map(loss, tf.constant(batches))
        expected_loss = tf.reduce_sum(probabilities * losses)

    return -tape.gradient(expected_loss, table).numpy()


def maximize_j(objective: sg.Objective, steps: int = 3000) -> np.ndarray:
    """Returns the sequence probabilities, [27], of the policy that maximizes J.

    Adam climbs along the exact gradient, from the uniform policy.
    """
    table = keras.Variable(np.zeros((len(PREFIXES), VOCABULARY_SIZE)), dtype="float64")
    adam = keras.optimizers.Adam(0.01)
    adam.build([table])

    @tf.function
    def step():
        adam.apply([-gradient_of_j(table.value, objective)], [table])

    for _ in range(steps):
        step()

    return tf.exp(tf.reduce_sum(log_probs(table.value), axis=1)).numpy()


def compare_gradients() -> None:
    """Prints how the expected gradient of the loss relates to ∇J, for three baselines."""
    table = tf.Variable(np.random.default_rng(1).normal(size=(len(PREFIXES), VOCABULARY_SIZE)))

    for baseline in (
        sg.baselines.NoBaseline(),
        sg.baselines.LeaveOneOut(),
        sg.baselines.BatchMean(),
    ):
        objective = sg.merl(entropy_weight=0.5, baseline=baseline)
        exact = gradient_of_j(table, objective).numpy()
        expected = expected_gradient(table, objective)

        factor = np.sum(exact * expected) / np.sum(exact**2)
        error = np.abs(expected - factor * exact).max()
        print(
            f"MERL with {baseline}: "
            f"expected gradient = {factor:.6f} × ∇J, largest difference {error:.1e}"
        )


def compare_optima() -> None:
    """Prints how likely the best sequence becomes, and how far the policy is from π*."""
    for alpha in (0.1, 1.0):
        objective = sg.merl(entropy_weight=alpha)
        policy = maximize_j(objective)
        optimum = tf.nn.softmax(objective.reward(LOGITS) / alpha).numpy()  # exp(R/α) / Σ exp(R/α)

        error = np.abs(policy - optimum).max()
        print(
            f"α = {alpha}: probability of the likeliest sequence {policy.max():.3f}, "
            f"largest difference from exp(R/α)/Z {error:.1e}"
        )


if __name__ == "__main__":
    compare_gradients()
    compare_optima()
