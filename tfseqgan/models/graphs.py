"""Functions of a model, compiled once for tensors of all sizes and forgotten with the model.

`tf.function` compiles again for each new Python number, and a function of a module keeps what it
compiled for a model after the model is gone. Both fill the memory of a process that runs for long.
"""

import collections
import functools
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfseqgan.ops.gradients import without_gradients

_MOST_GRAPHS = 8
"""Graphs kept for each model and function; the one that was used longest ago goes first."""


class _Process:
    """What this process did with TensorFlow: whether it was used, and forked since."""

    is_used = False
    is_forked_after_use = False

    def after_fork(self) -> None:
        """Notes, in a child process, that its parent had used TensorFlow."""
        self.is_forked_after_use = self.is_used


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.after_fork)


def check_process() -> None:
    """Raises RuntimeError in a child process in which TensorFlow would wait for ever.

    A process that is forked gets no copy of the threads of its parent. If the parent has run a
    model before, TensorFlow in the child waits for threads that do not exist.

    Raises:
        RuntimeError: if this process was forked after a model was used in its parent.

    Example:
        >>> check_process()
    """
    if _process.is_forked_after_use:
        raise RuntimeError(
            "This process was forked after a model was used; expected a process of its own, since "
            "TensorFlow would wait for ever here. Start it with "
            "multiprocessing.get_context('spawn'), or fork before the first model is used."
        )

    _process.is_used = True


def _relaxed(tensor: tf.Tensor | None, keep_width: bool) -> tf.TensorSpec | None:
    """Returns the type and rank of a tensor without its sizes, except perhaps its width."""
    if tensor is None:
        return None

    shape = [None] * tensor.shape.rank
    if keep_width:
        shape[1] = tensor.shape[1]

    return tf.TensorSpec(shape, tensor.dtype)


def _compile(
    function: Callable[..., Any], model: weakref.ref, specs: tuple[tf.TensorSpec | None, ...]
) -> Callable[..., Any]:
    """Compiles a function of a model for the tensors that are not None."""

    @tf.function(input_signature=[spec for spec in specs if spec is not None])
    def compiled(*tensors):
        given = iter(tensors)
        arguments = [None if spec is None else next(given) for spec in specs]

        with without_gradients():
            return function(model(), *arguments)

    return compiled


def compile_for_each_model(
    function: Callable[..., Any], *, keep_width: bool = False
) -> Callable[..., Any]:
    """Compiles a function of a model and tensors: one graph a model, for tensors of all sizes.

    There is one graph for each choice of which tensors are None, and of their ranks and types.
    Nothing is differentiated. The graphs of a model are dropped with the model.

    Args:
        function: of a model and of tensors, some of which may be None.
        keep_width: whether tensors [B, T] of another T get a graph of their own, for functions
            that choose among kernels by T. At most eight graphs are kept then.

    Returns:
        The compiled function, to be called with tensors.

    Example:
        >>> class Model:
        ...     scale = 2
        >>> count = compile_for_each_model(lambda model, rows: model.scale * tf.shape(rows)[0])
        >>> model = Model()
        >>> [int(count(model, tf.zeros([size, 3]))) for size in (1, 4)]
        [2, 8]
    """
    graphs: dict[int, collections.OrderedDict[Any, Callable[..., Any]]] = {}
    lock = threading.Lock()

    @functools.wraps(function)
    def call(model, *tensors):
        check_process()
        specs = tuple(_relaxed(tensor, keep_width) for tensor in tensors)
        with lock:
            if id(model) not in graphs:
                graphs[id(model)] = collections.OrderedDict()
                weakref.finalize(model, graphs.pop, id(model), None).atexit = False

            of_model = graphs[id(model)]
            compiled = of_model.pop(specs, None) or _compile(function, weakref.ref(model), specs)
            of_model[specs] = compiled
            if len(of_model) > _MOST_GRAPHS:
                of_model.popitem(last=False)

        return compiled(*(tensor for tensor in tensors if tensor is not None))

    return call
