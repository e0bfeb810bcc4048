"""Every example in a docstring runs as written."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import tfseqgan

MODULES = sorted(module.name for module in pkgutil.iter_modules(tfseqgan.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_hold(name):
    module = importlib.import_module(f"tfseqgan.{name}")
    globs = vars(module) | {"np": np}
    results = doctest.testmod(module, extraglobs=globs, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0, f"{results.failed} of {results.attempted} examples of tfseqgan.{name} failed; see the output above"
