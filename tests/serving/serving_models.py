"""Tiny exported models, requests to them, and how to call their signatures."""

import dataclasses
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from conftest import make_score
from tensorflow.core.protobuf import saved_model_pb2

import tfseqgan as sg
from tfseqgan.ops.sampling import row_seeds
from tfseqgan.serving.export import export_saved_model

LENGTH = 12
PROMPT = (1,)


@dataclasses.dataclass
class Exported:
    """An exported model with the models that it was made of."""

    generator: sg.Generator
    discriminator: sg.Discriminator | None
    tokenizer: sg.Tokenizer
    folder: Path

    @functools.cached_property
    def signatures(self):
        """Returns the signatures of the loaded SavedModel."""
        return tf.saved_model.load(str(self.folder)).signatures

    def ask(self, name, inputs):
        """Calls a signature by its name: NumPy in, NumPy out."""
        return ask(self.signatures[name], inputs)


def make_models(num_events, seed=3, end_token_id=2):
    """Returns a generator, a discriminator and their tokenizer.

    The models are not trained, but their outputs are far from uniform.
    """
    events = sg.Tokenizer.fit([make_score(number) for number in range(4)]).events
    tokenizer = sg.Tokenizer(events[:num_events])
    size = tokenizer.vocabulary_size
    options = {"token_features": tokenizer.token_features, "end_token_id": end_token_id}

    keras.utils.set_random_seed(seed)
    generator = sg.Generator(size, embedding_dim=8, units=20, **options)
    discriminator = sg.Discriminator(
        size, embedding_dim=6, filters=4, kernel_sizes=(1, 2, 3), **options
    )

    rng = np.random.default_rng(seed)
    for model, scale in ((generator, 0.5), (discriminator, 0.3)):
        noisy = [weight + rng.normal(0, scale, weight.shape) for weight in model.get_weights()]
        model.set_weights(noisy)

    return generator, discriminator, tokenizer


def export(
    folder,
    num_events=40,
    length=LENGTH,
    prompt=PROMPT,
    end_token_id=2,
    has_discriminator=True,
    **options,
):
    """Exports new models and returns them with the folder of the version."""
    generator, discriminator, tokenizer = make_models(num_events, end_token_id=end_token_id)
    if not has_discriminator:
        discriminator = None

    target = export_saved_model(
        generator,
        tokenizer,
        folder,
        discriminator=discriminator,
        length=length,
        prompt=prompt,
        **options,
    )

    return Exported(generator, discriminator, tokenizer, target)


def sampling_inputs(seeds, temperature=1.0, top_k=0, top_p=1.0):
    """Returns the inputs of `sample` with the same options in every row."""
    num_rows = len(seeds)

    return {
        "seed": np.array(seeds, np.int32),
        "temperature": np.full(num_rows, temperature, np.float32),
        "top_k": np.full(num_rows, top_k, np.int32),
        "top_p": np.full(num_rows, top_p, np.float32),
    }


def plain_inputs(num_rows=2, seed=7):
    """Returns the inputs of `sample` that ask for what `generate` gives for a seed."""
    return sampling_inputs(row_seeds(seed, num_rows).numpy())


def mixed_inputs(num_rows, seed=0):
    """Returns the inputs of `sample` with different options in every row."""
    rng = np.random.default_rng(seed)

    return {
        "seed": rng.integers(-(2**31), 2**31, (num_rows, 2)).astype(np.int32),
        "temperature": rng.uniform(0.3, 2, num_rows).astype(np.float32),
        "top_k": rng.integers(0, 9, num_rows).astype(np.int32),
        "top_p": rng.choice([0.3, 0.8, 1.0], num_rows).astype(np.float32),
    }


def prompt_inputs(num_rows, seed=1, width=5):
    """Returns the inputs `prompt` and `prompt_length` with a random length in every row."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, width + 1, num_rows).astype(np.int32)
    tokens = rng.integers(3, 40, (num_rows, width)).astype(np.int32)

    return {"prompt": tokens, "prompt_length": lengths}


def ask(signature, inputs):
    """Calls a signature of a loaded SavedModel: NumPy in, NumPy out."""
    tensors = {name: tf.constant(value) for name, value in inputs.items()}
    outputs = signature(**tensors)

    return {name: value.numpy() for name, value in outputs.items()}


def read_meta_graph(folder):
    """Returns the only meta graph of a SavedModel."""
    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString((folder / "saved_model.pb").read_bytes())
    [meta_graph] = saved_model.meta_graphs

    return meta_graph


def all_nodes(graph_def):
    """Returns the operations of a graph and of its functions."""
    nodes = list(graph_def.node)
    for function in graph_def.library.function:
        nodes.extend(function.node_def)

    return nodes


def assert_same(first, second):
    """Asserts that two answers are equal, bit for bit."""
    assert first.keys() == second.keys()
    for name, value in first.items():
        other = second[name]
        assert value.dtype == other.dtype, name
        assert value.shape == other.shape, name
        assert value.tobytes() == other.tobytes(), name


def to_json(inputs):
    """Returns inputs as the loaders in other processes read them."""
    arrays = {name: np.asarray(value) for name, value in inputs.items()}

    return {name: [str(array.dtype), array.tolist()] for name, array in arrays.items()}


def from_json(names, values):
    """Returns what a loader wrote as NumPy arrays by name."""
    pairs = zip(sorted(names), values, strict=True)

    return {name: np.array(numbers, dtype) for name, (dtype, numbers) in pairs}


def run_loader(name, folder, requests):
    """Runs a loader in a process of its own and returns what it wrote."""
    result = subprocess.run(
        [sys.executable, Path(__file__).parent / name],
        input=json.dumps({"model": str(folder), "requests": requests}),
        env={"TF_CPP_MIN_LOG_LEVEL": "3", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]

    return json.loads(result.stdout)


def c_request(folder, name, inputs):
    """Returns a request as the C loader reads it, by the names of tensors."""
    signature = read_meta_graph(folder).signature_def[name]
    values = to_json(inputs)

    return {
        "inputs": {signature.inputs[key].name: value for key, value in values.items()},
        "outputs": [signature.outputs[key].name for key in sorted(signature.outputs)],
    }
