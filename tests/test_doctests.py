"""Every example in a docstring runs as written."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import tfseqgan

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(tfseqgan.__path__, "tfseqgan.")
    if not module.ispkg
)


# Their examples compose a corpus, or compile many graphs.
SLOW = {
    "tfseqgan.datasets.windows",
    "tfseqgan.evaluation.evaluate",
    "tfseqgan.evaluation.judges",
    "tfseqgan.models.generator",
    "tfseqgan.serving.export",
    "tfseqgan.serving.pretrained",
    "tfseqgan.training.adversarial",
    "tfseqgan.training.pretraining",
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in MODULES],
)
def test_the_examples_in_docstrings_hold(name):
    module = importlib.import_module(name)
    globs = vars(module) | {"np": np}
    results = doctest.testmod(
        module, extraglobs=globs, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert results.failed == 0, (
        f"{results.failed} of {results.attempted} examples of {name} failed; see the output above"
    )
