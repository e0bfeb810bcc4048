"""Trained models in a folder, with their tokenizer and the hash of every file: to keep, to send, to load again."""

import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import keras

from tfseqgan.files import write_atomically
from tfseqgan.models.checks import check_models
from tfseqgan.models.discriminator import Discriminator, Highway
from tfseqgan.models.embedding import TokenEmbedding
from tfseqgan.models.generator import Generator
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.ops.adam import Adam
from tfseqgan.ops.replicas import Dropout

_MANIFEST = "manifest.json"

REGISTERED_CLASSES = (Adam, Discriminator, Dropout, Generator, Highway, TokenEmbedding)
"""Every class that a `.keras` file may name. Keras finds a class once its module has been imported, whatever module the file names: importing this one
imports them all."""


class Pretrained(NamedTuple):
    """What a folder of trained models holds.

    Attributes:
        generator: a `Generator`.
        tokenizer: the `Tokenizer` of its vocabulary.
        discriminator: a `Discriminator`, or None where there is none.
    """

    generator: Generator
    tokenizer: Tokenizer
    discriminator: Discriminator | None


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save_model(model, path):
    """Writes a Keras model to a path whole or not at all, so that a full disk costs no earlier one."""
    partial = path.with_name(f".partial.{path.name}")
    try:
        model.save(partial)
        os.replace(partial, path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def save_pretrained(folder, generator, tokenizer, discriminator=None):
    """Writes a generator, its tokenizer and, where there is one, its discriminator, as `.keras` and JSON files.

    Args:
        folder: made where it does not exist; earlier models there are replaced.
        generator: a `Generator`.
        tokenizer: the `Tokenizer` of its vocabulary.
        discriminator: a `Discriminator`, or None.

    Raises:
        ValueError: if the parts do not fit each other.
        OSError: if a file cannot be written.

    Example:
        >>> import tempfile
        >>> tokenizer = Tokenizer([(24, (4,), (0,), 0, (), ())])
        >>> folder = tempfile.mkdtemp()
        >>> save_pretrained(folder, Generator(tokenizer.vocabulary_size, embedding_dim=4, units=8), tokenizer)
        >>> from_pretrained(folder).generator.units
        8
    """
    check_models(generator, discriminator)
    if tokenizer.vocabulary_size != generator.vocabulary_size:
        raise ValueError(
            f"The tokenizer knows {tokenizer.vocabulary_size} tokens and the generator {generator.vocabulary_size}; expected the same."
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder / "tokenizer.json")
    models = {"generator.keras": generator} | (
        {} if discriminator is None else {"discriminator.keras": discriminator}
    )
    for name, model in models.items():
        save_model(model, folder / name)
    hashes = {name: _sha256(folder / name) for name in ("tokenizer.json", *models)}
    write_atomically(folder / _MANIFEST, (json.dumps(hashes, indent=1) + "\n").encode())


def from_pretrained(folder, compile=False):
    """Loads what `save_pretrained` wrote, after checking every file by its hash. No pickle, no code from the folder.

    Args:
        folder: the folder.
        compile: whether models that were saved with an optimizer come back with it and its state.

    Returns:
        `Pretrained`.

    Raises:
        ValueError: if the folder holds no models, or a file is missing or not the one that was saved.
    """
    folder = Path(folder)
    try:
        hashes = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        _ = hashes["generator.keras"], hashes["tokenizer.json"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder} holds no trained models ({error}); expected a folder written by save_pretrained or a finished run."
        ) from error
    for name, expected in hashes.items():
        if not (folder / name).is_file() or _sha256(folder / name) != expected:
            raise ValueError(
                f"{folder / name} is missing or changed; expected sha256 {expected}. Fetch the folder again."
            )

    def load(name):
        return keras.models.load_model(folder / name, compile=compile)

    discriminator = load("discriminator.keras") if "discriminator.keras" in hashes else None

    return Pretrained(
        load("generator.keras"), Tokenizer.load(folder / "tokenizer.json"), discriminator
    )
