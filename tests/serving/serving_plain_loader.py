"""Runs signatures of a SavedModel where Keras, TensorFlow Probability and tfseqgan cannot be imported.

It reads one JSON object from standard input: `model`, a folder, and `requests`, pairs of a signature's name and its inputs (name → [dtype, nested
list]). It writes a JSON list: for each request the outputs in the order of their names, each [dtype, nested list].
"""

import importlib.machinery
import json
import sys

FORBIDDEN = {"keras", "tf_keras", "tensorflow_probability", "tfseqgan"}


class Refusal:
    """A finder and loader that finds the forbidden packages, as TensorFlow does when it looks for Keras, and refuses to load them."""

    def find_spec(self, name, path=None, target=None):
        """Returns a specification of a forbidden package, and None for the others."""
        return (
            importlib.machinery.ModuleSpec(name, self) if name.split(".")[0] in FORBIDDEN else None
        )

    def create_module(self, spec):
        """Raises ImportError."""
        raise ImportError(f"{spec.name} is refused here")

    def exec_module(self, module):
        """Is never reached."""


sys.meta_path.insert(0, Refusal())
for package in FORBIDDEN:
    try:
        importlib.import_module(package)
    except ImportError:
        continue
    raise AssertionError(f"{package} can be imported")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

task = json.load(sys.stdin)
signatures, answers = tf.saved_model.load(task["model"]).signatures, []
for name, inputs in task["requests"]:
    outputs = signatures[name](
        **{key: tf.constant(np.array(values, dtype)) for key, (dtype, values) in inputs.items()}
    )
    answers.append(
        [[outputs[key].dtype.name, outputs[key].numpy().tolist()] for key in sorted(outputs)]
    )
json.dump(answers, sys.stdout)
