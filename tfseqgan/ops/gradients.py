"""Gradients of kernels, left out where none is asked for.

TensorFlow keeps every custom gradient in a table of the whole process, and with it the graph that
it was traced in. Graphs that only compute values would stay there after their model is gone.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

_are_needed = contextvars.ContextVar("_are_needed", default=True)


@contextlib.contextmanager
def without_gradients() -> Iterator[None]:
    """Traces operations within it without the gradients of `custom_gradient`.

    Example:
        >>> with without_gradients():
        ...     _are_needed.get()
        False
    """
    token = _are_needed.set(False)
    try:
        yield
    finally:
        _are_needed.reset(token)


def custom_gradient(function: Callable[..., tuple[Any, Callable[..., Any]]]) -> Callable[..., Any]:
    """Gives a function its own gradient, as `tf.custom_gradient`, except in `without_gradients`.

    Args:
        function: returns a value, and a function from the gradient of the value to those of the
            arguments.

    Returns:
        A function that returns the value.

    Example:
        >>> double = custom_gradient(lambda x: (2 * x, lambda upstream: 2 * upstream))
        >>> float(double(tf.constant(3.0)))
        6.0
    """
    differentiable = tf.custom_gradient(function)

    @functools.wraps(function)
    def call(*arguments):
        if _are_needed.get():
            return differentiable(*arguments)

        value, _ = function(*arguments)

        return value

    return call
