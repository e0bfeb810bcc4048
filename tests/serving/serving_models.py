"""Tiny exported models, and how to ask them."""

import functools
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from conftest import make_score
from tensorflow.core.protobuf import saved_model_pb2

import tfseqgan as sg
from tfseqgan.ops.sampling import row_seeds
from tfseqgan.serving.export import export_saved_model

LENGTH, PROMPT = 12, (1,)


class Exported(NamedTuple):
    """An exported model beside the players that it was made of."""

    generator: sg.Generator
    discriminator: sg.Discriminator | None
    tokenizer: sg.Tokenizer
    folder: object

    @functools.cache
    def signatures(self):
        """Returns the signatures of the loaded SavedModel."""
        return tf.saved_model.load(str(self.folder)).signatures


def make_models(num_events, seed=3, end_token_id=2):
    """Returns an untrained generator and discriminator, far from uniform and from undecided, and their tokenizer."""
    events = sg.Tokenizer.fit([make_score(number) for number in range(4)]).events
    tokenizer = sg.Tokenizer(events[:num_events])
    size, options = (
        tokenizer.vocabulary_size,
        {"token_features": tokenizer.token_features, "end_token_id": end_token_id},
    )
    keras.utils.set_random_seed(seed)
    generator = sg.Generator(size, embedding_dim=8, units=20, **options)
    discriminator = sg.Discriminator(
        size, embedding_dim=6, filters=4, kernel_sizes=(1, 2, 3), **options
    )
    noise = np.random.default_rng(seed)
    for model, scale in ((generator, 0.5), (discriminator, 0.3)):
        model.set_weights(
            [weight + noise.normal(0, scale, weight.shape) for weight in model.get_weights()]
        )
    return generator, discriminator, tokenizer


def export(
    folder, num_events=40, length=LENGTH, prompt=PROMPT, end_token_id=2, judged=True, **options
):
    """Exports fresh players and returns them with the folder of the version."""
    generator, discriminator, tokenizer = make_models(num_events, end_token_id=end_token_id)
    discriminator = discriminator if judged else None
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


def draws(seeds, temperature=1.0, top_k=0, top_p=1.0):
    """Returns the inputs of `sample` for some seeds and the same options in every row."""
    rows = len(seeds)
    options = {
        "temperature": np.full(rows, temperature, np.float32),
        "top_p": np.full(rows, top_p, np.float32),
    }
    return {"seed": np.array(seeds, np.int32), "top_k": np.full(rows, top_k, np.int32), **options}


def own_draws(rows, seed=0):
    """Returns the inputs of `sample` with options of its own in every row."""
    rng = np.random.default_rng(seed)
    return {
        "seed": rng.integers(-(2**31), 2**31, (rows, 2)).astype(np.int32),
        "temperature": rng.uniform(0.3, 2, rows).astype(np.float32),
        "top_k": rng.integers(0, 9, rows).astype(np.int32),
        "top_p": rng.choice([0.3, 0.8, 1.0], rows).astype(np.float32),
    }


def prompts(rows, seed=1, width=5):
    """Returns the inputs `prompt` and `prompt_length` with a length of its own in every row."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, width + 1, rows).astype(np.int32)
    return {"prompt": rng.integers(3, 40, (rows, width)).astype(np.int32), "prompt_length": lengths}


def plain_request(rows=2):
    """Returns inputs of `sample` that nothing is wrong with."""
    return draws(row_seeds(7, rows).numpy())


def ask(signature, inputs):
    """Calls a signature of a loaded SavedModel: NumPy in, NumPy out."""
    return {
        name: value.numpy()
        for name, value in signature(
            **{name: tf.constant(value) for name, value in inputs.items()}
        ).items()
    }


def read_meta_graph(folder):
    """Returns the only meta graph of a SavedModel."""
    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString((folder / "saved_model.pb").read_bytes())
    [meta_graph] = saved_model.meta_graphs
    return meta_graph


def assert_same(first, second):
    """Two answers are equal, bit for bit."""
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert (value.dtype, value.shape) == (second[name].dtype, second[name].shape), name
        assert value.tobytes() == second[name].tobytes(), name
