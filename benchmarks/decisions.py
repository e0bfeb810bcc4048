"""What two choices of layout rest on, each as a ratio within one run, alternated.

    python benchmarks/decisions.py

- The output layer is one flat matrix product and not an einsum (`Generator.logits`): forward and
  gradient at B 32, T 100, D 128, V 3,219.
- The discriminator's branches are Conv1D over [B, T, D] and not conv2d over [B, T, D, 1] as in the
  reference codes: one branch of 400 filters of width 20, forward and gradient at B 32, T 100, D 32.

What each hand-written kernel saves is measured by `benchmarks/kernels.py`.
"""

import os
from collections.abc import Callable, Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from timing import medians_in_turn, seconds_of


def flat_product(outputs: tf.Tensor, table: tf.Tensor) -> tf.Tensor:
    """Projects outputs as one product of flat rows."""
    return tf.matmul(tf.reshape(outputs, [-1, outputs.shape[-1]]), table, transpose_b=True)


def einsum(outputs: tf.Tensor, table: tf.Tensor) -> tf.Tensor:
    """Projects outputs as an einsum with an ellipsis."""
    return tf.einsum("...d,vd->...v", outputs, table)


def conv1d(vectors: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves along time, the vectors as channels."""
    return tf.nn.conv1d(vectors, kernel, 1, "VALID")


def conv2d(vectors: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves an image of height T and width D with one channel."""
    return tf.nn.conv2d(vectors[..., None], kernel[:, :, None], 1, "VALID")


def gradient_step(function: Callable, shapes: Sequence[Sequence[int]]) -> Callable:
    """Returns a compiled call of a function's value and gradients at random arguments."""
    arguments = [tf.Variable(tf.random.normal(shape)) for shape in shapes]

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(function(*arguments) ** 2)
        return tape.gradient(value, arguments)

    return step


def compare(name: str, ours: Callable, theirs: Callable, *shapes: Sequence[int]) -> None:
    """Prints the median seconds of two ways to compute the same, and their ratio."""
    steps = [gradient_step(function, shapes) for function in (ours, theirs)]
    timers = [lambda step=step: seconds_of(step) for step in steps]
    mine, other = medians_in_turn(timers, repeats=3)

    print(f"{name}: {mine:.4f} s against {other:.4f} s, ratio {mine / other:.3f}", flush=True)


if __name__ == "__main__":
    compare(
        "output, flat product against einsum", flat_product, einsum, [32, 100, 128], [3219, 128]
    )
    compare("branch, Conv1D against conv2d", conv1d, conv2d, [32, 100, 32], [20, 32, 400])
