"""Corpora, split by tune: folders of MIDI files, Nottingham, the tunes the package composes; and the published tokens of Lee et al."""

import contextlib
import dataclasses
import gc
import hashlib
import json
import logging
import zipfile
from pathlib import Path

import numpy as np

from tfseqgan.duplicates import fingerprint, group_duplicates
from tfseqgan.events import Event
from tfseqgan.reading import read_all
from tfseqgan.score import TICKS_PER_QUARTER, Score
from tfseqgan.session import compose_session_tunes
from tfseqgan.tokenizer import Tokenizer

_log = logging.getLogger("tfseqgan")

_BOOK_RHYTHMS = {
    "ashover": "ashover",
    "hpps": "hornpipe",
    "jigs": "jig",
    "morris": "morris",
    "playford": "playford",
    "reelsa-c": "reel",
    "reelsd-g": "reel",
    "reelsh-l": "reel",
    "reelsm-q": "reel",
    "reelsr-t": "reel",
    "reelsu-z": "reel",
    "slip": "slip jig",
    "waltzes": "waltz",
    "xmas": "xmas",
}

_EXTRACTED_VOICES = ("melody", "chords")


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Tunes, split so that no tune, copy or close variant stands on both sides.

    Args:
        train: the tunes to learn from.
        validation: the tunes held out.
        name: what the corpus is called.
        sha256: 64 hexadecimal digits of the tunes themselves: the same wherever they lie and however they are split.
        skipped: (file, reason) for each file that could not be read.
    """

    train: tuple[Score, ...]
    validation: tuple[Score, ...]
    name: str
    sha256: str
    skipped: tuple[tuple[str, str], ...] = ()


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


def split_by_group(scores, validation_fraction=0.1, seed=0):
    """Splits tunes into training and validation; copies and close variants (`duplicates.group_duplicates`) stay together.

    The groups are drawn in random order and held out where they still fit. The draw depends on the tunes and the seed, not on the
    order in which the tunes come.

    Args:
        scores: a sequence of `Score`.
        validation_fraction: the share of tunes to hold out, 0 to below 1; above 0, at least one group is held out where there are two.
        seed: of the draw.

    Returns:
        (train, validation), two tuples of `Score` in the order given.

    Raises:
        ValueError: if `validation_fraction` is out of range.
    """
    if not 0 <= validation_fraction < 1:
        raise ValueError(f"validation_fraction is {validation_fraction}, expected 0 to below 1: the share of tunes that are held out.")
    scores = tuple(scores)
    groups = sorted(group_duplicates(scores), key=lambda group: min((fingerprint(scores[place]), scores[place].name) for place in group))
    target = round(validation_fraction * len(scores))
    held_out = []
    for draw in np.random.default_rng(seed).permutation(len(groups)):
        if len(held_out) + len(groups[draw]) <= target:
            held_out += groups[draw]
    if not held_out and validation_fraction > 0 and len(groups) > 1:
        held_out = min(groups, key=len)
    held_out = set(held_out)
    train = tuple(score for place, score in enumerate(scores) if place not in held_out)
    return train, tuple(scores[place] for place in sorted(held_out))


def _digest(scores):
    """Returns the sha256 of tunes, whatever their order."""
    digests = []
    for score in scores:
        notes = [(note.start_ticks, note.duration_ticks, note.pitch) for note in score.melody]
        chords = [(chord.start_ticks, chord.duration_ticks, chord.pitches) for chord in score.chords]
        labels = (score.key, score.time_signature, score.tempo_bpm, score.name, score.rhythm)
        digests.append(hashlib.sha256(repr((notes, chords, labels)).encode()).digest())
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def _corpus(scores, name, validation_fraction, seed, skipped=()):
    """Returns the `Corpus` of tunes."""
    train, validation = split_by_group(scores, validation_fraction, seed)
    return Corpus(train, validation, name, _digest(scores), tuple(skipped))


def _find_midi_files(folder):
    """Returns the MIDI files of a folder and its sub-folders, in the same order on every file system."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: expected a folder that holds .mid or .midi files. Check the path.")
    return sorted(
        (path for path in folder.rglob("*") if path.suffix.lower() in (".mid", ".midi") and path.is_file()),
        key=lambda path: path.relative_to(folder).as_posix(),
    )


def _list_reasons(skipped, most=10):
    """Returns the first few skipped files and reasons as one line."""
    more = [f"and {len(skipped) - most} more"] if len(skipped) > most else []
    return "; ".join([f"{name} ({reason})" for name, reason in skipped[:most]] + more)


@contextlib.contextmanager
def _without_collector():
    """Turns Python's garbage collector off: it would look through all scores read so far again and again, of which none is garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read_files(files, folder):
    """Returns the scores of files, and (file, reason) of those that cannot be read; raises ValueError if those are more than half."""
    if not files:
        raise ValueError(f"{folder} holds no MIDI files: expected files that end in .mid or .midi. Check the path.")
    read = read_all(files)
    scores = [found for found in read if isinstance(found, Score)]
    skipped = [(path.relative_to(folder).as_posix(), found) for path, found in zip(files, read) if isinstance(found, str)]
    if 2 * len(skipped) > len(files):
        raise ValueError(
            f"{len(skipped)} of the {len(files)} MIDI files in {folder} cannot be read: expected at most half to be bad. Is it the right "
            f"folder? {_list_reasons(skipped)}"
        )
    if skipped:
        _log.warning("%d of the %d MIDI files in %s were skipped: %s", len(skipped), len(files), folder, _list_reasons(skipped))
    return scores, skipped


@_without_collector()
def load_midi(folder, validation_fraction=0.1, seed=0):
    """Loads every MIDI file of a folder and its sub-folders.

    Bad files are skipped, with one logged warning that counts and names them; `Corpus.skipped` has them all with reasons.

    Args:
        folder: a folder with `.mid` or `.midi` files, in either case.
        validation_fraction: the share of tunes to hold out (`split_by_group`).
        seed: of the split.

    Returns:
        A `Corpus`.

    Raises:
        ValueError: if `folder` is no folder, holds no MIDI files, or more than half of them are bad.
    """
    folder = Path(folder)
    scores, skipped = _read_files(_find_midi_files(folder), folder)
    return _corpus(scores, folder.resolve().name, validation_fraction, seed, skipped)


@_without_collector()
def load_nottingham(folder, validation_fraction=0.1, seed=0):
    """Loads the Nottingham Music Database as MIDI: 1,034 British and American folk tunes.

    The book that a file is named after gives the rhythm: "jig", "reel", "hornpipe", "waltz", "slip jig", and for the mixed books their own
    names. Of the public archive the `MIDI` folder is read without the `melody` and `chords` sub-folders, which hold the same tunes again.

    Args:
        folder: the folder of the `.mid` files, or the archive's folder that holds `MIDI`.
        validation_fraction: the share of tunes to hold out (`split_by_group`).
        seed: of the split.

    Returns:
        A `Corpus`.

    Raises:
        ValueError: if `folder` is no folder, holds no MIDI files, or more than half of them are bad.

    Reference:
        https://github.com/jukedeck/nottingham-dataset
    """
    folder = Path(folder)
    folder = folder / "MIDI" if (folder / "MIDI").is_dir() else folder
    files = [path for path in _find_midi_files(folder) if path.relative_to(folder).parts[0] not in _EXTRACTED_VOICES]
    scores, skipped = _read_files(files, folder)
    books = [score.name.rstrip("0123456789") for score in scores]
    scores = [dataclasses.replace(score, rhythm=_BOOK_RHYTHMS.get(book, score.rhythm)) for book, score in zip(books, scores)]
    return _corpus(scores, "nottingham", validation_fraction, seed, skipped)


def session_tunes(seed=0, num_tunes=400, validation_fraction=0.1):
    """Composes the embedded corpus: session tunes whose type and key are known, no data files needed.

    Args:
        seed: of the tunes and of the split.
        num_tunes: how many to compose.
        validation_fraction: the share of tunes to hold out (`split_by_group`).

    Returns:
        A `Corpus`.
    """
    return _corpus(compose_session_tunes(num_tunes, seed), "session", validation_fraction, seed)


def _open_lee2017(path):
    """Returns the train, valid and vocabulary arrays and the two tables, or raises ValueError if they are not what was published."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            train, valid, vocabulary = (arrays[name] for name in ("train", "valid", "vocabulary"))
        tables = json.loads(path.with_name("tables.json").read_bytes())
        octaves, classes = ([tuple(entry or ()) for entry in tables[name]] for name in ("octaves", "pitch_class_sets"))
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
    sequences = [tokens.ndim == 2 and tokens.size > 0 and tokens.dtype.kind in "iu" for tokens in (train, valid)]
    rows = vocabulary.ndim == 2 and vocabulary.shape[1] == 6 and vocabulary.dtype.kind == "f" and np.isfinite(vocabulary).all()
    if not (all(sequences) and rows and train.shape[1] == valid.shape[1]):
        raise ValueError(f"{path}: expected integer train [N, T], integer valid [M, T] and float vocabulary [V, 6], received {shapes}.")
    outside = [int(token) for tokens in (train, valid) for token in (tokens.min(), tokens.max()) if not 0 <= token < len(vocabulary)]
    if outside:
        raise ValueError(f"{path}: expected tokens from 0 to {len(vocabulary) - 1}, the rows of the vocabulary, received {outside[0]}.")


def _lee2017_half(duration, octave_index, class_index, octaves, classes):
    """Returns one half of an event: the duration in ticks, and what the two indices stand for."""
    pairs = list(zip(classes[int(class_index)], octaves[int(octave_index)]))  # one row names four octaves for three classes
    return round(duration * TICKS_PER_QUARTER), tuple(octave for _, octave in pairs), tuple(pitch_class for pitch_class, _ in pairs)


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
        rows = [(_lee2017_half(*row[:3], octaves, classes), _lee2017_half(*row[3:], octaves, classes)) for row in vocabulary.tolist()]
        tokenizer = Tokenizer([Event(*melody, *chord) for melody, chord in rows])
    except (IndexError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: its vocabulary and tables.json do not fit together: {error}. Fetch both files again.") from error
    first = tokenizer.vocabulary_size - len(vocabulary)
    train, valid = (tokens.astype(np.int32) + first for tokens in (train, valid))  # [N, T], [M, T]
    contents = (train.astype("<i4").tobytes(), valid.astype("<i4").tobytes(), repr(tokenizer.events).encode())
    return TokenCorpus(tokenizer, train, valid, "lee2017", hashlib.sha256(b"".join(contents)).hexdigest())
