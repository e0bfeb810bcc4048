"""Calls signatures where Keras, TensorFlow Probability and tfseqgan cannot be imported.

It reads one JSON object from standard input: `model`, a folder, and `requests`, pairs of a
signature's name and its inputs (name → [dtype, nested list]). It writes a JSON list to standard
output: for each request its outputs in the order of their names, each as [dtype, nested list].
"""

import importlib.machinery
import json
import sys

FORBIDDEN = {"keras", "tf_keras", "tensorflow_probability", "tfseqgan"}


class Refusal:
    """Finds the forbidden packages, as TensorFlow expects of Keras, and refuses to load them."""

    def find_spec(self, name, path=None, target=None):
        """Returns a specification of a forbidden package, and None for the others."""
        if name.split(".")[0] not in FORBIDDEN:
            return None

        return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        """Raises ImportError."""
        raise ImportError(f"{spec.name} is refused here")

    def exec_module(self, module):
        """Is never called, since no module is created."""


def check_refusal():
    """Raises AssertionError if a forbidden package can be imported."""
    for package in FORBIDDEN:
        try:
            importlib.import_module(package)
        except ImportError:
            continue
        raise AssertionError(f"{package} can be imported")


def answer(signature, inputs):
    """Returns the outputs of a signature as JSON takes them."""
    import numpy as np
    import tensorflow as tf

    tensors = {
        name: tf.constant(np.array(values, dtype)) for name, (dtype, values) in inputs.items()
    }
    outputs = signature(**tensors)

    return [[outputs[name].dtype.name, outputs[name].numpy().tolist()] for name in sorted(outputs)]


def main():
    """Answers the requests of standard input."""
    sys.meta_path.insert(0, Refusal())
    check_refusal()

    import tensorflow as tf

    task = json.load(sys.stdin)
    signatures = tf.saved_model.load(task["model"]).signatures
    answers = [answer(signatures[name], inputs) for name, inputs in task["requests"]]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
