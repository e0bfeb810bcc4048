"""Fair timing: what is compared is called in turn, after a call of each that warms it up."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

Timer = Callable[[], float]
"""Does something and returns its seconds."""


def seconds_of(function: Callable[[], Any]) -> float:
    """Returns the seconds of one call, its tensors computed."""
    started = time.perf_counter()
    results = tf.nest.flatten(function())
    for result in results:
        if tf.is_tensor(result):
            result.numpy()

    return time.perf_counter() - started


def medians_in_turn(timers: Sequence[Timer], repeats: int = 7, calls: int = 1) -> list[float]:
    """Returns the median seconds of each timer, all called in turn: A B C A B C.

    Args:
        timers: what is compared.
        repeats: turns of each; one more turn goes first and is not counted.
        calls: calls in a turn, of which the mean counts. A short call alone would find the caches
            full of another process' data.

    Returns:
        One float a timer.
    """
    turns = []
    for _ in range(repeats + 1):
        turns.append([statistics.mean(timer() for _ in range(calls)) for timer in timers])

    return [statistics.median(column) for column in zip(*turns[1:], strict=True)]


def matmul_timer(m: int, k: int, n: int) -> Timer:
    """Returns a timer of one matrix product [m, k] × [k, n].

    It is the mean of several products in one graph, so that calling it costs nothing. They are
    computed once before, untimed, so that the factors are in the caches.
    """
    left = tf.random.normal([m, k])
    right = tf.random.normal([k, n])
    count = min(50, max(1, int(2e9 // (2 * m * k * n))))

    @tf.function
    def products():
        total = tf.constant(0.0)
        for _ in range(count):
            total += tf.matmul(left + 0 * total, right)[0, 0]
        return total

    def timer():
        seconds_of(products)
        return seconds_of(products) / count

    return timer
