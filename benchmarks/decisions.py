"""What three decisions of the code rest on, each as a ratio within one run, alternated: the smaller, the better for what we chose.

    python benchmarks/decisions.py

- The tied output is one flat matrix product and not an einsum (`Generator._logits`): forward and gradient at B 32, T 100, D 128, V 3,219.
- The discriminator's branches are Conv1D over [B, T, D] and not conv2d over [B, T, D, 1], as the reference codes have it: one branch of 400
  filters 20 wide, forward and gradient at B 32, T 100, D 32.
- The gradient of convolution and maximum over time is our own and touches one window a filter (`causal_max`), against TensorFlow's: 2,000 filters
  20 wide at B 32, T 100, D 32.
"""

import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from tfseqgan.convolution import causal_max


def gradient_step(function, *shapes):
    """Returns a compiled call of a function's value and gradients at random arguments."""
    arguments = [tf.Variable(tf.random.normal(shape)) for shape in shapes]

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(function(*arguments) ** 2)
        return tape.gradient(value, arguments)

    return step


def flat(h, table):
    return tf.matmul(tf.reshape(h, [-1, h.shape[-1]]), table, transpose_b=True)


def einsum(h, table):
    return tf.einsum("...d,vd->...v", h, table)


def conv1d(x, kernel):
    return tf.nn.conv1d(x, kernel, 1, "VALID")


def conv2d(x, kernel):
    return tf.nn.conv2d(x[..., None], kernel[:, :, None], 1, "VALID")


def sparse_maximum(x, kernel):
    return causal_max(x, kernel, tf.ones(x.shape[:2]))


def dense_maximum(x, kernel):
    return tf.reduce_max(conv1d(tf.pad(x, [[0, 0], [19, 0], [0, 0]]), kernel), axis=1)


def compare(name, ours, theirs, *shapes, repeats=3):
    """Prints the median times of two ways to compute the same, and their ratio."""
    steps = gradient_step(ours, *shapes), gradient_step(theirs, *shapes)
    seconds = ([], [])
    for repeat in range(repeats + 1):
        for step, times in zip(steps, seconds):
            started = time.perf_counter()
            step()
            times.append(time.perf_counter() - started)
    mine, other = (statistics.median(times[1:]) for times in seconds)  # the first call compiles
    print(f"{name}: {mine:.3f} s against {other:.3f} s, ratio {mine / other:.3f}")


if __name__ == "__main__":
    compare("tied output, flat product against einsum", flat, einsum, [32, 100, 128], [3219, 128])
    compare("branch of the discriminator, Conv1D against conv2d", conv1d, conv2d, [32, 100, 32], [20, 32, 400])
    compare("maximum over time, own gradient against TensorFlow's", sparse_maximum, dense_maximum, [32, 100, 32], [20, 32, 2000], repeats=9)
