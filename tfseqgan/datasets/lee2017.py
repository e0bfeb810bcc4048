"""The tokens that Lee et al. (2017) published and the paper's Table 1 was measured on."""

import dataclasses
import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np

from tfseqgan.music.events import Event
from tfseqgan.music.score import TICKS_PER_QUARTER
from tfseqgan.music.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True, eq=False)
class TokenCorpus:
    """A corpus that was published as tokens.

    Args:
        tokenizer: gives the tokens their meaning.
        train: int32 [N, T], the sequences to learn from; without start and end tokens.
        validation: int32 [M, T], the sequences held out.
        name: what the corpus is called.
        sha256: 64 hexadecimal digits of the tokens and their meaning.
    """

    tokenizer: Tokenizer
    train: np.ndarray
    validation: np.ndarray
    name: str
    sha256: str


def _open_lee2017(path):
    """Returns the train, valid and vocabulary arrays and the two tables, or raises ValueError if they are not what was published."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            train, valid, vocabulary = (arrays[name] for name in ("train", "valid", "vocabulary"))
        tables = json.loads(path.with_name("tables.json").read_bytes())
        octaves, classes = (
            [tuple(entry or ()) for entry in tables[name]]
            for name in ("octaves", "pitch_class_sets")
        )
    except (ValueError, TypeError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} does not hold the lee2017 tokens: expected an npz with train, valid and vocabulary, and tables.json with octaves and "
            f"pitch_class_sets beside it, but {error!r}. Fetch both files again."
        ) from error
    _check_lee2017(path, train, valid, vocabulary)
    return train, valid, vocabulary, octaves, classes


def _check_lee2017(path, train, valid, vocabulary):
    """Raises ValueError unless the arrays are two sets of sequences of one length over one vocabulary."""
    shapes = f"train {train.shape} {train.dtype}, valid {valid.shape} {valid.dtype}, vocabulary {vocabulary.shape} {vocabulary.dtype}"
    sequences = [
        tokens.ndim == 2 and tokens.size > 0 and tokens.dtype.kind in "iu"
        for tokens in (train, valid)
    ]
    rows = (
        vocabulary.ndim == 2
        and vocabulary.shape[1] == 6
        and vocabulary.dtype.kind == "f"
        and np.isfinite(vocabulary).all()
    )
    if not (all(sequences) and rows and train.shape[1] == valid.shape[1]):
        raise ValueError(
            f"{path}: expected integer train [N, T], integer valid [M, T] and float vocabulary [V, 6], received {shapes}."
        )
    outside = [
        int(token)
        for tokens in (train, valid)
        for token in (tokens.min(), tokens.max())
        if not 0 <= token < len(vocabulary)
    ]
    if outside:
        raise ValueError(
            f"{path}: expected tokens from 0 to {len(vocabulary) - 1}, the rows of the vocabulary, received {outside[0]}."
        )


def _lee2017_half(duration, octave_index, class_index, octaves, classes):
    """Returns one half of an event: the duration in ticks, and what the two indices stand for."""
    pairs = list(
        zip(classes[int(class_index)], octaves[int(octave_index)])
    )  # one row names four octaves for three classes
    return (
        round(duration * TICKS_PER_QUARTER),
        tuple(octave for _, octave in pairs),
        tuple(pitch_class for pitch_class, _ in pairs),
    )


def load_lee2017(file):
    """Loads the tokens that Lee et al. (2017) published and the paper's Table 1 was measured on.

    The ids are raised by 3 to make room for padding, start and end; the vocabulary keeps its order, so row i has id i + 3. Durations are
    rounded to the grid, which keeps all 3,216 rows distinct. Sixteen of them are melody notes without a duration: ornaments, which decoding
    leaves out. The published split is by window and not by tune, so that many passages of `validation` stand in `train` too: say so beside
    any figure. Some octaves of its chords are permuted: taken as given.

    Args:
        file: `tokens.npz`, with `tables.json` beside it.

    Returns:
        A `TokenCorpus`; its sequences hold neither start nor end tokens.

    Raises:
        ValueError: if a file is damaged or its arrays have other names, shapes or values.
        OSError: if a file cannot be opened; FileNotFoundError if it is missing.

    Reference:
        Lee et al. 2017, "A SeqGAN for Polyphonic Music Generation".
    """
    path = Path(file)
    train, valid, vocabulary, octaves, classes = _open_lee2017(path)
    try:
        rows = [
            (_lee2017_half(*row[:3], octaves, classes), _lee2017_half(*row[3:], octaves, classes))
            for row in vocabulary.tolist()
        ]
        tokenizer = Tokenizer([Event(*melody, *chord) for melody, chord in rows])
    except (IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: its vocabulary and tables.json do not fit together: {error}. Fetch both files again."
        ) from error
    first = tokenizer.vocabulary_size - len(vocabulary)
    train, valid = (tokens.astype(np.int32) + first for tokens in (train, valid))  # [N, T], [M, T]
    contents = (
        train.astype("<i4").tobytes(),
        valid.astype("<i4").tobytes(),
        repr(tokenizer.events).encode(),
    )
    return TokenCorpus(
        tokenizer, train, valid, "lee2017", hashlib.sha256(b"".join(contents)).hexdigest()
    )
