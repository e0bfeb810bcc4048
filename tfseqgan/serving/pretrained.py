"""Trained models in a folder: `.keras` files, their tokenizer, and the hash of every file.

How loading works: a `.keras` file names each class by its registered name, such as
"tfseqgan>Generator", and by the module that it was defined in. Keras looks for the registered name
first, and finds it once the class has been imported, whatever module the file names. So a class may
move to another module, and older files still load. This module imports every class that a file may
name. It is imported by each public name of tfseqgan that uses Keras, and by `import tfseqgan` if
Keras is loaded already.

`from_pretrained(folder)` loads models without their optimizers. Pass `compile=True` to load those
too, to train on.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import keras

from tfseqgan.files import write_atomically
from tfseqgan.models.checks import check_same_vocabulary
from tfseqgan.models.discriminator import Discriminator, Highway
from tfseqgan.models.embedding import TokenEmbedding
from tfseqgan.models.generator import Generator
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.ops.adam import Adam

REGISTERED_CLASSES = (Adam, Discriminator, Generator, Highway, TokenEmbedding)
"""Every class that a `.keras` file of tfseqgan may name."""

_MANIFEST = "manifest.json"


class Pretrained(NamedTuple):
    """What a folder of trained models holds.

    Attributes:
        generator: the generator.
        tokenizer: the tokenizer of its vocabulary.
        discriminator: the discriminator, or None if the folder holds none.
    """

    generator: Generator
    tokenizer: Tokenizer
    discriminator: Discriminator | None


def _sha256(path):
    """Returns the hash of a file as `sha256sum` prints it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save_model(model: keras.Model, path: Path) -> None:
    """Writes a Keras model to a file, completely or not at all.

    The model goes to a temporary file in the same folder, which then replaces `path` in one step.
    If the disk is full, an earlier model there is kept.

    Args:
        model: the model.
        path: the file, whose name ends in `.keras`; its folder must exist.

    Raises:
        OSError: if the file cannot be written.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "generator.keras")
        >>> save_model(Generator(vocabulary_size=7, embedding_dim=4, units=8), path)
        >>> os.listdir(path.parent)
        ['generator.keras']
    """
    partial = path.with_name(f".partial.{path.name}")
    try:
        model.save(partial)
        os.replace(partial, path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def save_pretrained(
    folder: Path | str,
    generator: Generator,
    tokenizer: Tokenizer,
    discriminator: Discriminator | None = None,
) -> None:
    """Writes trained models and their tokenizer to a folder, for `from_pretrained`.

    The files are `generator.keras`, `discriminator.keras` if there is one, `tokenizer.json`, and
    `manifest.json` with the hash of each.

    Args:
        folder: created if it does not exist; earlier models there are replaced.
        generator: the generator.
        tokenizer: the tokenizer of its vocabulary.
        discriminator: the discriminator, or None.

    Raises:
        ValueError: if the models and the tokenizer do not have the same vocabulary.
        OSError: if a file cannot be written.

    Example:
        >>> import tempfile
        >>> tokenizer = Tokenizer([(24, (4,), (0,), 0, (), ())])
        >>> generator = Generator(tokenizer.vocabulary_size, embedding_dim=4, units=8)
        >>> folder = tempfile.mkdtemp()
        >>> save_pretrained(folder, generator, tokenizer)
        >>> from_pretrained(folder).generator.units
        8
    """
    check_same_vocabulary(generator, discriminator)
    if tokenizer.vocabulary_size != generator.vocabulary_size:
        raise ValueError(
            f"The tokenizer has {tokenizer.vocabulary_size} tokens and the generator "
            f"{generator.vocabulary_size}; expected the same number. Pass the tokenizer that the "
            "generator was trained with."
        )

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder / "tokenizer.json")
    save_model(generator, folder / "generator.keras")
    names = ["tokenizer.json", "generator.keras"]
    if discriminator is not None:
        save_model(discriminator, folder / "discriminator.keras")
        names.append("discriminator.keras")

    # Last, so that an interrupted save leaves no manifest that fits a mix of old and new files.
    hashes = {name: _sha256(folder / name) for name in names}
    write_atomically(folder / _MANIFEST, f"{json.dumps(hashes, indent=1)}\n".encode())


def _read_manifest(folder):
    """Returns the hash of each file of a folder by name."""
    try:
        hashes = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        _ = hashes["generator.keras"], hashes["tokenizer.json"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder} holds no trained models ({error}); expected a folder written by "
            "save_pretrained or a finished run. Check the path."
        ) from error

    return hashes


def from_pretrained(folder: Path | str, compile: bool = False) -> Pretrained:
    """Loads what `save_pretrained` wrote, after comparing every file with its hash.

    Nothing is unpickled, and no code from the folder is run.

    Args:
        folder: the folder, or that of a finished run.
        compile: whether models that were saved with an optimizer get it back, with its state.

    Returns:
        The generator, the tokenizer, and the discriminator or None.

    Raises:
        ValueError: if the folder holds no models, or a file is missing or was changed.
    """
    folder = Path(folder)
    hashes = _read_manifest(folder)
    for name, expected in hashes.items():
        path = folder / name
        if not path.is_file() or _sha256(path) != expected:
            raise ValueError(
                f"{path} is missing or changed; expected sha256 {expected}. Fetch the folder again."
            )

    def load(name: str) -> Any:
        return keras.models.load_model(folder / name, compile=compile)

    return Pretrained(
        generator=load("generator.keras"),
        tokenizer=Tokenizer.load(folder / "tokenizer.json"),
        discriminator=load("discriminator.keras") if "discriminator.keras" in hashes else None,
    )
