"""The tokens that Lee et al. (2017) published, on which the paper's Table 1 was measured."""

import dataclasses
import hashlib
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfseqgan.files import read_json
from tfseqgan.music.events import Event
from tfseqgan.music.score import TICKS_PER_QUARTER
from tfseqgan.music.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True, eq=False)
class TokenCorpus:
    """A corpus that was published as tokens.

    Args:
        tokenizer: the vocabulary of the tokens.
        train: the training sequences, int32 [N, T], without start and end tokens.
        validation: the held-out sequences, int32 [M, T], without start and end tokens.
        name: the name of the corpus.
        sha256: 64 hexadecimal digits that identify the tokens and their vocabulary.
    """

    tokenizer: Tokenizer
    train: np.ndarray
    validation: np.ndarray
    name: str
    sha256: str


_MOST_BYTES = 100_000_000  # the published arrays have 0.4 MB, and tables.json 743 bytes

_Table = list[tuple[int, ...]]  # a published row names its octaves by their index in such a table


def _check_sizes(path: Path) -> None:
    """Raises ValueError if a file holds more than it can: a small archive may unpack to a huge one.

    A member of an archive gives no more bytes than the archive says.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path.name} is no file")
    with zipfile.ZipFile(path) as archive:
        sizes = [member.file_size for member in archive.infolist()]
    if sum(sizes) > _MOST_BYTES:
        raise ValueError(f"the arrays have {sum(sizes):,} bytes, at most {_MOST_BYTES:,} expected")

    tables = path.with_name("tables.json")
    if tables.exists() and not (tables.is_file() and tables.stat().st_size <= _MOST_BYTES):
        raise ValueError("tables.json is no file, or a huge one")


def _read_files(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, _Table, _Table]:
    """Reads (train, valid, vocabulary, octaves, pitch_class_sets) as published."""
    try:
        _check_sizes(path)
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            train = arrays["train"]
            valid = arrays["valid"]
            vocabulary = arrays["vocabulary"]

        tables = read_json(path.with_name("tables.json"))
        octaves = [tuple(entry or ()) for entry in tables["octaves"]]
        pitch_class_sets = [tuple(entry or ()) for entry in tables["pitch_class_sets"]]
    except (
        ValueError,
        TypeError,
        KeyError,
        EOFError,
        AttributeError,
        MemoryError,
        RuntimeError,  # JSON nested too deep, or an archive that is encrypted or of another kind
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(
            f"{path} does not hold the lee2017 tokens: expected an npz file with train, valid and "
            "vocabulary, and beside it a file tables.json with octaves and pitch_class_sets, "
            f"received {error!r}. Download both files again."
        ) from error

    return train, valid, vocabulary, octaves, pitch_class_sets


def _check_arrays(path: Path, train: np.ndarray, valid: np.ndarray, vocabulary: np.ndarray) -> None:
    """Raises ValueError unless both sets hold tokens of the vocabulary, at one length."""
    sequences_fit = all(
        tokens.ndim == 2 and tokens.size > 0 and tokens.dtype.kind in "iu"
        for tokens in (train, valid)
    )
    vocabulary_fits = (
        vocabulary.ndim == 2
        and vocabulary.shape[1] == 6
        and vocabulary.dtype.kind == "f"
        and np.isfinite(vocabulary).all()
    )
    if not (sequences_fit and vocabulary_fits and train.shape[1] == valid.shape[1]):
        raise ValueError(
            f"{path}: expected integer train [N, T], integer valid [M, T] and finite float "
            f"vocabulary [V, 6], received train {train.shape} {train.dtype}, "
            f"valid {valid.shape} {valid.dtype}, vocabulary {vocabulary.shape} {vocabulary.dtype}. "
            "Download the file again."
        )

    for tokens in (train, valid):
        for token in (tokens.min(), tokens.max()):
            if not 0 <= token < len(vocabulary):
                raise ValueError(
                    f"{path}: expected tokens from 0 to {len(vocabulary) - 1}, the rows of the "
                    f"vocabulary, received {token}. Download the file again."
                )


def _half_event(
    row: Sequence[float], octaves: _Table, pitch_class_sets: _Table
) -> tuple[int, tuple, tuple]:
    """Returns (duration in ticks, octaves, pitch classes) of the melody or the chord of a row."""
    duration_quarters, octaves_index, pitch_classes_index = row
    row_octaves = octaves[int(octaves_index)]
    row_pitch_classes = pitch_class_sets[int(pitch_classes_index)]

    # One published row gives four octaves for three pitch classes: the fourth is left out.
    num_pitches = min(len(row_octaves), len(row_pitch_classes))

    return (
        round(duration_quarters * TICKS_PER_QUARTER),
        row_octaves[:num_pitches],
        row_pitch_classes[:num_pitches],
    )


def load_lee2017(file: Path | str) -> TokenCorpus:
    """Loads the tokens that Lee et al. (2017) published.

    The published ids are raised by 3, which makes room for the padding, start and end tokens. The
    vocabulary keeps its order, so row i has id i + 3. Durations are rounded to whole ticks, and
    all 3,216 rows stay distinct.

    Three properties of the published data are kept as they are. Sixteen rows are melody notes
    without a duration (ornaments), which decoding leaves out. Some octaves of the chords are
    permuted. The split is by window and not by tune, so many passages of `validation` also occur
    in `train`: mention this beside any figure measured on it.

    Args:
        file: the file `tokens.npz`, with `tables.json` in the same folder.

    Returns:
        A `TokenCorpus`.

    Raises:
        ValueError: if a file is damaged or its arrays have other names, shapes or values.
        OSError: if a file cannot be opened; `FileNotFoundError` if it does not exist.

    Reference:
        Lee et al. 2017, "A SeqGAN for Polyphonic Music Generation".
    """
    path = Path(file)
    train, valid, vocabulary, octaves, pitch_class_sets = _read_files(path)
    _check_arrays(path, train, valid, vocabulary)

    # A row of the vocabulary is the melody's half of an event, then the chord's half.
    try:
        events = []
        for row in vocabulary.tolist():
            melody = _half_event(row[:3], octaves, pitch_class_sets)
            chord = _half_event(row[3:], octaves, pitch_class_sets)
            events.append(Event(*melody, *chord))
        tokenizer = Tokenizer(events)
    except (IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: its vocabulary and tables.json do not fit together: {error}. Download both "
            "files again."
        ) from error

    # Raise the ids above the special tokens.
    first_id = tokenizer.vocabulary_size - len(vocabulary)
    train = train.astype(np.int32) + first_id  # [N, T]
    validation = valid.astype(np.int32) + first_id  # [M, T]

    content = (
        train.astype("<i4").tobytes()
        + validation.astype("<i4").tobytes()
        + repr(tokenizer.events).encode()
    )
    return TokenCorpus(
        tokenizer=tokenizer,
        train=train,
        validation=validation,
        name="lee2017",
        sha256=hashlib.sha256(content).hexdigest(),
    )
