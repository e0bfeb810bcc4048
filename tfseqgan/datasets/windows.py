"""Loads a corpus by its path as rows of tokens, windows or whole tunes, ready for training."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfseqgan.datasets.corpus import Corpus, split_by_group
from tfseqgan.datasets.lee2017 import load_lee2017
from tfseqgan.datasets.nottingham import load_nottingham
from tfseqgan.datasets.synthetic import synthetic_tunes
from tfseqgan.datasets.transposition import RandomTransposition
from tfseqgan.datasets.tune_folder import load_folder
from tfseqgan.music.encoded import Encoded
from tfseqgan.music.score import ALL_TRANSPOSITIONS, Score
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.symbols.token_rows import TokenRows, cut_windows

_MOST_REPLACED = 0.1
"""The share of held-out tokens that may be replaced without a warning."""

_MOST_PADDING = 4
"""Windows may be so many times as long as the longest held-out tune without a warning."""

_log = logging.getLogger("tfseqgan")


@dataclasses.dataclass(frozen=True, eq=False)
class Windows:
    """A corpus as rows of tokens: windows, or whole tunes.

    Args:
        tokenizer: the vocabulary of the tokens.
        train: the training rows, int32 [N, T].
        validation: the held-out rows, int32 [M, T].
        name: the name of the corpus.
        sha256: 64 hexadecimal digits that identify the corpus.
        skipped: (file, reason) for each file that could not be read.
        train_tunes: the tune that each training row is from, int32 [N]; None where it is not known.
        has_grammar: whether every row is as `Tokenizer.encode` writes it, so that a generator may
            know the tokens' durations.
        kept_aside: the rows that choose the epoch of maximum likelihood, int32 [K, T]; None where
            the held-out rows choose it.
        num_replaced: tokens of all these rows that replace events which the vocabulary lacks.
    """

    tokenizer: Tokenizer
    train: np.ndarray
    validation: np.ndarray
    name: str
    sha256: str
    skipped: tuple[tuple[str, str], ...] = ()
    train_tunes: np.ndarray | None = None
    has_grammar: bool = True
    kept_aside: np.ndarray | None = None
    num_replaced: int = 0

    def in_other_keys(self, seed: int) -> RandomTransposition:
        """Returns what moves the training tunes to other keys in every epoch.

        Args:
            seed: the seed of the intervals.

        Raises:
            ValueError: if the tunes of the rows are not known, or the vocabulary lacks other keys.
        """
        if self.train_tunes is None:
            raise ValueError(
                f"{self.name} holds windows whose tunes are not known; expected tunes, which can "
                "be moved to other keys. Set random_transposition to False."
            )

        return RandomTransposition(self.tokenizer, TokenRows(self.train, self.train_tunes), seed)

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
            "encode. Pass a folder of MIDI or ABC files."
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
        has_grammar=False,
    )


def holds_published_windows(path: Path | str | None) -> bool:
    """Returns whether a path names windows that were published as tokens, and no tunes.

    Example:
        >>> holds_published_windows("lee2017/tokens.npz"), holds_published_windows("tunes")
        (True, False)
    """
    return path is not None and Path(path).suffix == ".npz"


def load_corpus(path: Path | str | None, validation_fraction: float, seed: int) -> Corpus:
    """Loads the tunes whose rows `load_windows` returns, split as it splits them.

    Args:
        path: a folder of MIDI and ABC files, or None for the synthetic tunes.
        validation_fraction: as in `split_by_group`.
        seed: of the split.

    Returns:
        The `Corpus`.

    Raises:
        ValueError: if the folder holds no usable tunes, or the share is out of range.

    Example:
        >>> load_corpus(None, validation_fraction=0.1, seed=0).name
        'session'
    """
    if path is None:
        return synthetic_tunes(validation_fraction=validation_fraction, split_seed=seed)

    folders = (Path(path), Path(path) / "MIDI")
    is_nottingham = any((folder / "ashover1.mid").is_file() for folder in folders)
    load = load_nottingham if is_nottingham else load_folder

    return load(path, validation_fraction=validation_fraction, seed=seed)


def _warn_of_poor_windows(tokenizer: Tokenizer, held_out: Encoded, length: int) -> None:
    """Warns where the vocabulary does not cover the music, or where most of a window is padding.

    Few of the events of piano music occur twice, so that most of its vocabulary is never seen
    again, and held-out tunes get the nearest of it instead.
    """
    lengths = [len(tokens) for tokens in held_out.sequences]

    if held_out.num_replaced > _MOST_REPLACED * sum(lengths):
        _log.warning(
            "%.0f %% of the held-out tokens are not in the vocabulary of %d tokens and are "
            "replaced by the nearest: a model of such music learns little. Use more tunes, or "
            "tunes of a melody and plain chords.",
            100 * held_out.num_replaced / sum(lengths),
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


def _make_rows(
    tokenizer: Tokenizer, parts: Sequence[Sequence[Score]], length: int, whole_tunes: bool
) -> tuple[list[TokenRows], int]:
    """Returns the tunes of each part as rows of one length, and how many tokens were replaced.

    Args:
        tokenizer: the vocabulary.
        parts: the training tunes, the held-out ones, and those that are kept aside, if any.
        length: the most tokens of a row.
        whole_tunes: whether rows are no longer than the longest tune.
    """
    encoded = [tokenizer.encode_all(part) for part in parts]
    for each in encoded:
        each.log_counts()
    if whole_tunes:
        lengths = [len(tokens) for each in encoded for tokens in each.sequences]
        length = min(length, max(lengths, default=length))
    _warn_of_poor_windows(tokenizer, encoded[1], length)

    rows = [
        cut_windows(each.sequences, length, pad_token_id=tokenizer.pad_token_id) for each in encoded
    ]

    return rows, sum(each.num_replaced for each in encoded)


def _check_rows(name: str, train: TokenRows, held_out: TokenRows) -> None:
    """Raises ValueError unless there is a row to train on and one to hold out."""
    if not len(train.tokens) or not len(held_out.tokens):
        raise ValueError(
            f"{name} gives {len(train.tokens)} training and {len(held_out.tokens)} "
            "validation windows; "
            "expected at least one of each. Use more tunes, raise validation_fraction, lower "
            "minimum_count, or set rare to 'nearest'."
        )


def _keep_aside(
    corpus: Corpus, fraction: float, seed: int
) -> tuple[tuple[Score, ...], tuple[Score, ...]]:
    """Returns the training tunes to learn from, and those that choose the epoch."""
    if not fraction:
        return corpus.train, ()  # finding duplicates takes time

    return split_by_group(corpus.train, fraction, seed)


def load_windows(
    path: Path | str | None,
    *,
    length: int,
    validation_fraction: float,
    kept_aside_fraction: float = 0.0,
    seed: int,
    minimum_count: int,
    rare: str,
    interleave: bool = False,
    transpose: str | None = None,
    chord_octaves: bool = True,
    controls: bool = False,
    random_transposition: bool = False,
    whole_tunes: bool = False,
    tokenizer: Tokenizer | None = None,
    vocabulary_of: Tokenizer | None = None,
) -> Windows:
    """Loads the training and validation rows of a corpus: windows, or whole tunes.

    The published tokens of Lee et al. (2017) come with their own split and vocabulary, so only
    `length` and `tokenizer` apply to them, and both have to fit.

    A warning is logged where more than a tenth of the held-out tokens are not in the vocabulary,
    or where windows are more than four times as long as the longest held-out tune.

    Args:
        path: a folder of MIDI and ABC files; the file `tokens.npz` of Lee et al. (2017); or None
            for the synthetic tunes (`synthetic_tunes`). A folder that holds `ashover1.mid` is
            loaded by `load_nottingham`.
        length: the number of tokens in a row. The rest of a longer tune is a row of its own.
        validation_fraction: the share of the tunes to hold out, as in `split_by_group`.
        kept_aside_fraction: the share of the other tunes to keep aside, to choose the epoch of
            maximum likelihood; 0 for none.
        seed: the seed of the split. The synthetic tunes themselves are always the same.
        minimum_count: as in `Tokenizer.fit`: events that occur less often are rare.
        rare: as in `Tokenizer.fit`: "nearest" replaces a rare event by the nearest known one,
            "drop" leaves out the tune.
        interleave: as in `Tokenizer.fit`; so are `transpose`, `chord_octaves` and `controls`.
        random_transposition: make a vocabulary that holds the tunes in all keys
            (`Windows.in_other_keys`).
        whole_tunes: a row is a tune, and rows are no longer than the longest.
        tokenizer: the vocabulary to use. By default one is fitted to the training tunes with
            the options above, which are ignored otherwise.
        vocabulary_of: a tokenizer whose tokens to use, while what a sample is not asked to be is
            drawn from the training tunes (`Tokenizer.drawn_from`).

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
    if path is not None and holds_published_windows(path):
        return _load_published_windows(path, length, tokenizer or vocabulary_of)

    corpus = load_corpus(path, validation_fraction, seed)
    tunes, kept_aside = _keep_aside(corpus, kept_aside_fraction, seed)
    if vocabulary_of is not None:
        tokenizer = vocabulary_of.drawn_from(tunes)
    elif tokenizer is None:
        tokenizer = Tokenizer.fit(
            tunes,
            minimum_count=minimum_count,
            rare=rare,
            interleave=interleave,
            transpose=transpose,
            chord_octaves=chord_octaves,
            controls=controls,
            transpositions=ALL_TRANSPOSITIONS if random_transposition else (0,),
        )
    parts = [tunes, corpus.validation, *[kept_aside] * bool(kept_aside)]
    (train, validation, *others), num_replaced = _make_rows(tokenizer, parts, length, whole_tunes)
    _check_rows(corpus.name, train, validation)

    return Windows(
        tokenizer=tokenizer,
        train=train.tokens,
        validation=validation.tokens,
        name=corpus.name,
        sha256=corpus.sha256,
        skipped=corpus.skipped,
        train_tunes=train.tunes,
        kept_aside=others[0].tokens if others else None,
        num_replaced=num_replaced,
    )
