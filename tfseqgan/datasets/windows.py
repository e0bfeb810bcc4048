"""A corpus as a run uses it: found by its path, tokenized, cut into windows, some of them held out."""

import dataclasses
from pathlib import Path

import numpy as np

from tfseqgan.datasets.lee2017 import load_lee2017
from tfseqgan.datasets.midi_folder import load_midi
from tfseqgan.datasets.nottingham import load_nottingham
from tfseqgan.datasets.synthetic import synthetic_tunes
from tfseqgan.music.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True, eq=False)
class Windows:
    """A corpus as a run uses it.

    Args:
        tokenizer: its vocabulary.
        train: int32 [N, T].
        validation: int32 [M, T].
        name: of the corpus.
        sha256: of its content.
        skipped: (file, reason) of the files that could not be read.
    """

    tokenizer: Tokenizer
    train: np.ndarray
    validation: np.ndarray
    name: str
    sha256: str
    skipped: tuple = ()

    def summary(self):
        """Returns what config.json says of the data."""
        sizes = {
            "train_windows": len(self.train),
            "validation_windows": len(self.validation),
            "vocabulary_size": self.tokenizer.vocabulary_size,
        }
        skipped = [{"file": file, "reason": reason} for file, reason in self.skipped]
        return {"name": self.name, "sha256": self.sha256, **sizes, "skipped_files": skipped}

    def end_token_id(self):
        """Returns the id that ends a sequence, or None where none of them ends, as in tokens that were published as windows."""
        end = self.tokenizer.end_token_id
        return end if (self.train == end).any() else None

    def starts_with_start_token(self):
        """Returns whether sequences begin with the start token, so that samples must."""
        return bool((self.train[:, 0] == self.tokenizer.start_token_id).any())


def _open_corpus(path, settings):
    """Returns the scores at a path: a folder of MIDI files, Nottingham where it is that, or the composed tunes for None."""
    if path is None:
        return synthetic_tunes(validation_fraction=settings.validation_fraction)
    folders = (Path(path), Path(path) / "MIDI")
    load = (
        load_nottingham
        if any((folder / "ashover1.mid").is_file() for folder in folders)
        else load_midi
    )
    return load(path, validation_fraction=settings.validation_fraction, seed=settings.seed)


def load_windows(path, settings, tokenizer=None):
    """Returns the training and validation windows of a corpus.

    Args:
        path: a folder of MIDI files; the `tokens.npz` of Lee et al. (2017); or None for the tunes that the package composes.
        settings: `Settings`.
        tokenizer: the vocabulary to use; by default one is fitted on the training tunes.

    Returns:
        `Windows`.

    Raises:
        ValueError: if there are no usable tunes, too few to hold some out, or published tokens of another length or vocabulary.
    """
    if path is not None and Path(path).suffix == ".npz":
        published = load_lee2017(path)
        if tokenizer not in (None, published.tokenizer):
            raise ValueError(
                f"{path} has a vocabulary of its own; expected tunes that the run's tokenizer can read. Pass a folder of MIDI files."
            )
        if published.train.shape[1] != settings.length:
            raise ValueError(
                f"{path} holds windows of {published.train.shape[1]} tokens and length is {settings.length}; expected the same. Change --length."
            )
        return Windows(
            published.tokenizer,
            published.train,
            published.validation,
            published.name,
            published.sha256,
        )
    corpus = _open_corpus(path, settings)
    tokenizer = tokenizer or Tokenizer.fit(
        corpus.train, minimum_count=settings.minimum_count, rare=settings.rare
    )
    train, validation = (
        tokenizer.windows(tunes, settings.length) for tunes in (corpus.train, corpus.validation)
    )
    if not len(train) or not len(validation):
        raise ValueError(
            f"{corpus.name} gives {len(train)} training and {len(validation)} validation windows; expected one of each at least. Bring more tunes, raise "
            "validation_fraction, lower minimum_count, or let rare be 'nearest'."
        )
    return Windows(tokenizer, train, validation, corpus.name, corpus.sha256, corpus.skipped)
