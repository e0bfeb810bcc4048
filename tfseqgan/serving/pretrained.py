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

import logging
import os
from pathlib import Path
from typing import NamedTuple

import keras

from tfseqgan.models.attention_generator import AttentionGenerator
from tfseqgan.models.attention_layer import AttentionLayer
from tfseqgan.models.checks import check_same_vocabulary
from tfseqgan.models.discriminator import Discriminator, Highway
from tfseqgan.models.embedding import TokenEmbedding
from tfseqgan.models.generator import Generator
from tfseqgan.models.language_model import LanguageModel
from tfseqgan.models.state_discriminator import StateDiscriminator
from tfseqgan.models.token_clock import TokenClock
from tfseqgan.models.tune_form import TuneForm
from tfseqgan.ops.adam import Adam
from tfseqgan.serving.exported_models import load_models
from tfseqgan.serving.keras_files import (
    GENERATORS,
    check_finite_model,
    check_kind_of_discriminator,
    load_keras_file,
)
from tfseqgan.serving.manifest import (
    MANIFEST,
    hash_files,
    is_as_listed,
    read_manifest,
    write_manifest,
)
from tfseqgan.serving.saved_sampler import newest_version
from tfseqgan.serving.shipped import find_model
from tfseqgan.serving.tokenizer_files import AnyTokenizer, load_tokenizer

REGISTERED_CLASSES = (
    Adam,
    AttentionGenerator,
    AttentionLayer,
    Discriminator,
    Generator,
    Highway,
    StateDiscriminator,
    TokenClock,
    TokenEmbedding,
    TuneForm,
)
"""Every class that a `.keras` file of tfseqgan may name."""

_log = logging.getLogger("tfseqgan")


class Pretrained(NamedTuple):
    """What a folder of trained models holds.

    Attributes:
        generator: the generator.
        tokenizer: the tokenizer of its vocabulary.
        discriminator: the discriminator, or None if the folder holds none.
    """

    generator: LanguageModel
    tokenizer: AnyTokenizer
    discriminator: Discriminator | None


def check_same_tokens(tokenizer: AnyTokenizer, generator: LanguageModel) -> None:
    """Raises ValueError unless a tokenizer has as many tokens as a generator."""
    if tokenizer.vocabulary_size != generator.vocabulary_size:
        raise ValueError(
            f"The tokenizer has {tokenizer.vocabulary_size} tokens and the generator "
            f"{generator.vocabulary_size}; expected the same number. Pass the tokenizer that the "
            "generator was trained with."
        )


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


def save_parts(
    folder: Path,
    generator: LanguageModel,
    tokenizer: AnyTokenizer,
    discriminator: Discriminator | None = None,
) -> dict[str, str]:
    """Writes the files of `save_pretrained` except the manifest.

    Returns:
        The hash of each file by name, for the manifest: it is to be written last, so that an
        interrupted save leaves no manifest that fits a mix of old and new files.

    Raises:
        ValueError: if a model holds numbers that are not finite; nothing is written then.
        OSError: if a file cannot be written.
    """
    check_finite_model(generator)
    if discriminator is not None:
        check_finite_model(discriminator)

    names = ["tokenizer.json", "generator.keras"]
    tokenizer.save(folder / "tokenizer.json")
    save_model(generator, folder / "generator.keras")
    if discriminator is not None:
        save_model(discriminator, folder / "discriminator.keras")
        names.append("discriminator.keras")

    return hash_files(folder, *names)


def save_pretrained(
    folder: Path | str,
    generator: LanguageModel,
    tokenizer: AnyTokenizer,
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
        ValueError: if the models and the tokenizer do not have the same vocabulary, the
            discriminator is a `StateDiscriminator`, or a model holds numbers that are not finite.
        OSError: if a file cannot be written.

    Example:
        >>> import tempfile
        >>> from tfseqgan.music.tokenizer import Tokenizer
        >>> tokenizer = Tokenizer([(24, (4,), (0,), 0, (), ())])
        >>> generator = Generator(tokenizer.vocabulary_size, embedding_dim=4, units=8)
        >>> folder = tempfile.mkdtemp()
        >>> save_pretrained(folder, generator, tokenizer)
        >>> from_pretrained(folder).generator.units
        8
    """
    check_kind_of_discriminator(discriminator)
    check_same_vocabulary(generator, discriminator)
    check_same_tokens(tokenizer, generator)

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(folder, save_parts(folder, generator, tokenizer, discriminator))


def _read_complete_manifest(folder: Path) -> dict[str, str]:
    """Returns the hashes of a folder that lists a generator and a tokenizer at least."""
    try:
        hashes = read_manifest(folder)
        _ = hashes["generator.keras"], hashes["tokenizer.json"]
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{folder} holds no trained models ({error}); expected a folder written by "
            "save_pretrained or a finished run. Check the path."
        ) from error

    return hashes


def _load_exported(version: Path, compile: bool) -> Pretrained:
    """Loads the models of an exported sampler."""
    if compile:
        raise ValueError(
            f"{version} is an exported sampler, which holds no optimizer; expected compile=False. "
            "Compile the generator with an optimizer of your own."
        )

    generator, *discriminators = load_models(version)
    tokenizer = load_tokenizer(version / "assets" / "tokenizer.json")
    check_same_tokens(tokenizer, generator)

    return Pretrained(generator, tokenizer, *discriminators[:1] or [None])


def from_pretrained(folder: Path | str, compile: bool = False) -> Pretrained:
    """Loads what `save_pretrained` wrote, after comparing every file with its hash.

    An exported sampler is loaded too, by the weights that it holds.

    Nothing is unpickled, no code from the folder is run, and no class that the folder names is made
    except those of tfseqgan. The manifest decides what is loaded: a discriminator that it does not
    list is left alone, with a warning. SECURITY.md says what is checked.

    Args:
        folder: the folder, that of a finished run or of an exported sampler, or a name
            (`shipped.SHIPPED`).
        compile: whether models that were saved with an optimizer get it back, with its state.

    Returns:
        The generator, the tokenizer, and the discriminator or None.

    Raises:
        ValueError: if the folder holds no models, a file is missing or was changed, or a file
            cannot be loaded safely: it names another class, asks for more memory than it fills,
            or holds numbers that are not finite.
        OSError: if a file cannot be read, for want of permission or because the disk fails.
    """
    folder = find_model(folder)
    version = newest_version(folder)
    if version is not None:
        return _load_exported(version, compile)

    hashes = _read_complete_manifest(folder)
    has_discriminator = "discriminator.keras" in hashes
    names = ["generator.keras", "tokenizer.json", *["discriminator.keras"] * has_discriminator]
    for name in names:
        if not is_as_listed(folder, name, hashes):
            raise ValueError(
                f"{folder / name} is missing or changed; expected sha256 {hashes[name]}. "
                "Fetch the folder again."
            )
    if not has_discriminator and (folder / "discriminator.keras").exists():
        _log.warning(
            "%s does not list discriminator.keras, which is not loaded: it is not known where it "
            "is from.",
            folder / MANIFEST,
        )

    generator = load_keras_file(folder / "generator.keras", GENERATORS, compile)
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    discriminator = None
    if has_discriminator:
        discriminator = load_keras_file(folder / "discriminator.keras", Discriminator, compile)
    check_same_tokens(tokenizer, generator)
    check_same_vocabulary(generator, discriminator)

    return Pretrained(generator, tokenizer, discriminator)
