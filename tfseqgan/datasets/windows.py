"""Loads a corpus by its path as windows of tokens, ready for training."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfseqgan.datasets.corpus import Corpus
from tfseqgan.datasets.lee2017 import load_lee2017
from tfseqgan.datasets.midi_folder import load_midi
from tfseqgan.datasets.nottingham import load_nottingham
from tfseqgan.datasets.synthetic import synthetic_tunes
from tfseqgan.music.score import Score
from tfseqgan.music.tokenizer import Tokenizer

_MOST_REPLACED = 0.1
"""The share of held-out tokens that may be replaced without a warning."""

_MOST_PADDING = 4
"""Windows may be so many times as long as the longest held-out tune without a warning."""

_log = logging.getLogger("tfseqgan")


@dataclasses.dataclass(frozen=True, eq=False)
class Windows:
    """A corpus as windows of tokens.

    Args:
        tokenizer: the vocabulary of the tokens.
        train: the training windows, int32 [N, T].
        validation: the held-out windows, int32 [M, T].
        name: the name of the corpus.
        sha256: 64 hexadecimal digits that identify the corpus.
        skipped: (file, reason) for each file that could not be read.
    """

    tokenizer: Tokenizer
    train: np.ndarray
    validation: np.ndarray
    name: str
    sha256: str
    skipped: tuple[tuple[str, str], ...] = ()

    def summary(self) -> dict[str, Any]:
        """Returns the description of the data that is saved in `config.json`, as plain values."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "train_windows": len(self.train),
            "validation_windows": len(self.validation),
            "vocabulary_size": self.tokenizer.vocabulary_size,
            "skipped_files": [{"file": file, "reason": reason} for file, reason in self.skipped],
        }

    def end_token_id(self) -> int | None:
        """Returns the id of the end token, or None if no training window contains it.

        Tokens that were published as windows (`load_lee2017`) have no end token.
        """
        end_token_id = self.tokenizer.end_token_id
        if (self.train == end_token_id).any():
            return end_token_id

        return None

    def starts_with_start_token(self) -> bool:
        """Returns whether any training window begins with the start token.

        If so, a sample has to begin with the start token too.
        """
        return bool((self.train[:, 0] == self.tokenizer.start_token_id).any())


def _load_published_windows(path: Path | str, length: int, tokenizer: Tokenizer | None) -> Windows:
    """Loads the published tokens, provided that they fit the length and the tokenizer."""
    published = load_lee2017(path)
    if tokenizer is not None and tokenizer != published.tokenizer:
        raise ValueError(
            f"{path} has a vocabulary of its own; expected tunes that the given tokenizer can "
            "encode. Pass a folder of MIDI files."
        )
    published_length = published.train.shape[1]
    if published_length != length:
        raise ValueError(
            f"{path} holds windows of {published_length} tokens and length is {length}; expected "
            f"the same. Set length (--length) to {published_length}."
        )

    return Windows(
        tokenizer=published.tokenizer,
        train=published.train,
        validation=published.validation,
        name=published.name,
        sha256=published.sha256,
    )


def _load_corpus(path: Path | str | None, validation_fraction: float, seed: int) -> Corpus:
    """Loads the tunes in a folder of MIDI files; None loads the synthetic tunes."""
    if path is None:
        return synthetic_tunes(validation_fraction=validation_fraction, split_seed=seed)

    folders = (Path(path), Path(path) / "MIDI")
    is_nottingham = any((folder / "ashover1.mid").is_file() for folder in folders)
    load = load_nottingham if is_nottingham else load_midi

    return load(path, validation_fraction=validation_fraction, seed=seed)


def _warn_of_poor_windows(tokenizer: Tokenizer, held_out: Sequence[Score], length: int) -> None:
    """Warns where the vocabulary does not cover the music, or where most of a window is padding.

    Few of the events of piano music occur twice, so that most of its vocabulary is never seen
    again, and held-out tunes get the nearest of it instead.
    """
    encoded = tokenizer.encode_all(held_out)
    lengths = [len(tokens) for tokens in encoded.sequences]

    if encoded.num_replaced > _MOST_REPLACED * sum(lengths):
        _log.warning(
            "%.0f %% of the held-out tokens are not in the vocabulary of %d tokens and are "
            "replaced by the nearest: a model of such music learns little. Use more tunes, or "
            "tunes of a melody and plain chords.",
            100 * encoded.num_replaced / sum(lengths),
            tokenizer.vocabulary_size,
        )
    longest = max(lengths, default=length)
    if length > _MOST_PADDING * longest:
        _log.warning(
            "Most of a window is padding: windows have %d tokens, and the longest held-out tune "
            "has %d. Memory and time grow with the length of a window. Set a smaller length.",
            length,
            longest,
        )


def load_windows(
    path: Path | str | None,
    *,
    length: int,
    validation_fraction: float,
    seed: int,
    minimum_count: int,
    rare: str,
    tokenizer: Tokenizer | None = None,
) -> Windows:
    """Loads the training and validation windows of a corpus.

    The published tokens of Lee et al. (2017) come with their own split and vocabulary, so only
    `length` and `tokenizer` apply to them, and both have to fit.

    A warning is logged where more than a tenth of the held-out tokens are not in the vocabulary,
    or where windows are more than four times as long as the longest held-out tune.

    Args:
        path: a folder of MIDI files; the file `tokens.npz` of Lee et al. (2017); or None for the
            synthetic tunes (`synthetic_tunes`). A folder that holds `ashover1.mid` is loaded by
            `load_nottingham`.
        length: the number of tokens in a window.
        validation_fraction: the share of the tunes to hold out, as in `split_by_group`.
        seed: the seed of the split. The synthetic tunes themselves are always the same.
        minimum_count: as in `Tokenizer.fit`: events that occur less often are rare.
        rare: as in `Tokenizer.fit`: "nearest" replaces a rare event by the nearest known one,
            "drop" leaves out the tune.
        tokenizer: the vocabulary to use. By default one is fitted to the training tunes with
            `minimum_count` and `rare`, which are ignored otherwise.

    Returns:
        The `Windows`.

    Raises:
        ValueError: if the path holds no usable tunes, if there are no windows to train on or to
            hold out, or if published tokens have another length or vocabulary.

    Example:
        >>> data = load_windows(
        ...     None,
        ...     length=100,
        ...     validation_fraction=0.1,
        ...     seed=0,
        ...     minimum_count=1,
        ...     rare="nearest",
        ... )
        >>> data.name, data.train.dtype.name, data.train.shape[1]
        ('session', 'int32', 100)
    """
    if path is not None and Path(path).suffix == ".npz":
        return _load_published_windows(path, length, tokenizer)

    corpus = _load_corpus(path, validation_fraction, seed)
    if tokenizer is None:
        tokenizer = Tokenizer.fit(corpus.train, minimum_count=minimum_count, rare=rare)
    _warn_of_poor_windows(tokenizer, corpus.validation, length)
    train = tokenizer.windows(corpus.train, length)  # [N, T]
    validation = tokenizer.windows(corpus.validation, length)  # [M, T]

    if not len(train) or not len(validation):
        raise ValueError(
            f"{corpus.name} gives {len(train)} training and {len(validation)} validation windows; "
            "expected at least one of each. Use more tunes, raise validation_fraction, lower "
            "minimum_count, or set rare to 'nearest'."
        )

    return Windows(
        tokenizer=tokenizer,
        train=train,
        validation=validation,
        name=corpus.name,
        sha256=corpus.sha256,
        skipped=corpus.skipped,
    )
