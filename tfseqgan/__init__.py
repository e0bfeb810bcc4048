"""Sequence GANs trained by reinforcement learning, for symbolic music first.

    symbols      sequences of any symbols as tokens
    music        a tune as plain values, in and out
    datasets     corpora, split by tune, as token windows
    ops          tensor functions and kernels
    models       the networks, and the loops that write tokens
    objectives   what a generator is trained for
    evaluation   Table 1 and more
    training     the algorithm
    serving      models in files and behind servers
    runs         a run in a folder
    cli          the command

The public names are listed in `__init__.pyi`. Each is imported when it is first used, so that
`tfseqgan --help` and reading or tokenizing music start without TensorFlow.
"""

import ast
import importlib
import sys
from pathlib import Path

__version__ = "0.1.0"


def _modules_by_name():
    """Returns the module that each public name is imported from, as the stub lists them."""
    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]

    return {alias.name: node.module for node in imports for alias in node.names}


_MODULES_BY_NAME = _modules_by_name()

__all__ = sorted(_MODULES_BY_NAME)


def _register_keras_classes():
    """Imports every class that a `.keras` file may name, if Keras is in use.

    `keras.models.load_model` finds a class once its module has been imported.
    """
    if "keras" in sys.modules:
        importlib.import_module("tfseqgan.serving.pretrained")


def __getattr__(name):
    if name not in _MODULES_BY_NAME:
        raise AttributeError(f"module 'tfseqgan' has no attribute {name!r}")

    module = importlib.import_module(_MODULES_BY_NAME[name])
    _register_keras_classes()
    if not hasattr(module, name):
        importlib.import_module(f"{module.__name__}.{name}")
    value = getattr(module, name)
    globals()[name] = value

    return value


def __dir__():
    return [*__all__, "__version__"]


_register_keras_classes()
