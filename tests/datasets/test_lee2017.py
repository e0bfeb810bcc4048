"""Claims about the published tokens of Lee et al. (2017)."""

import json
import shutil
import zipfile

import numpy as np
import pytest

from tfseqgan.datasets import lee2017
from tfseqgan.datasets.lee2017 import load_lee2017

NOTE_OVER_CHORD = [1, 1, 1, 2, 2, 2]
REST = [0.3333, 0, 0, 0, 0, 0]
ORNAMENT = [0, 1, 1, 0, 0, 0]


def write_files(folder, tables=None, **changed_arrays):
    """Writes a small tokens.npz and tables.json; an array that is None is left out.

    Returns:
        The path of tokens.npz.
    """
    arrays = {
        "train": np.array([[0, 1, 2], [2, 1, 0]], np.int16),
        "valid": np.array([[0, 0, 0]], np.int16),
        "vocabulary": np.array([NOTE_OVER_CHORD, REST, ORNAMENT], np.float32),
    }
    arrays |= changed_arrays
    np.savez(
        folder / "tokens.npz",
        **{name: array for name, array in arrays.items() if array is not None},
    )

    if tables is None:
        tables = {
            "pitch_class_sets": [None, [0], [2, 7, 11]],
            "octaves": [None, [4], [3, 2, 2]],
        }
    (folder / "tables.json").write_text(json.dumps(tables))

    return folder / "tokens.npz"


def test_published_tokens_are_raised_above_the_special_ids_and_keep_their_meaning(tmp_path):
    corpus = load_lee2017(write_files(tmp_path))

    assert corpus.train.dtype == corpus.validation.dtype == np.int32
    assert corpus.train.tolist() == [[3, 4, 5], [5, 4, 3]]
    assert corpus.validation.tolist() == [[3, 3, 3]]

    assert corpus.tokenizer.events[0] == (24, (4,), (0,), 48, (3, 2, 2), (2, 7, 11))
    assert corpus.tokenizer.events[1] == (8, (), (), 0, (), ())
    assert corpus.tokenizer.events[2] == (0, (4,), (0,), 0, (), ())

    score = corpus.tokenizer.decode(corpus.train[0])
    assert [note.pitch for note in score.melody] == [60]
    assert score.chords[0].pitches == (43, 47, 50)


def test_octaves_without_a_pitch_class_are_left_out(tmp_path):
    tables = {"pitch_class_sets": [None, [0], [2, 7, 11]], "octaves": [None, [4], [3, 2, 2, 4]]}

    corpus = load_lee2017(write_files(tmp_path, tables))

    assert corpus.tokenizer.events[0] == (24, (4,), (0,), 48, (3, 2, 2), (2, 7, 11))


@pytest.mark.parametrize(
    "changes",
    [
        {"valid": None},
        {"train": np.zeros((2, 3), np.float32)},
        {"train": np.zeros(3, np.int16)},
        {"train": np.zeros((0, 3), np.int16)},
        {"valid": np.zeros((2, 4), np.int16)},
        {"valid": np.full((2, 3), 3, np.int16)},
        {"valid": np.full((2, 3), -1, np.int16)},
        {"vocabulary": np.zeros((3, 5), np.float32)},
        {"vocabulary": np.full((3, 6), np.nan, np.float32)},
        {"vocabulary": np.zeros((3, 6), np.float32)},
        {"vocabulary": np.full((3, 6), 7, np.float32)},
        {"vocabulary": np.full((3, 6), -1, np.float32)},
        {"train": np.array([[object()]])},
        {"tables": {"octaves": []}},
        {"tables": {"octaves": 3, "pitch_class_sets": [None]}},
        {"tables": {"octaves": [None, [4], ["3"]], "pitch_class_sets": [None, [0], [2]]}},
    ],
)
def test_arrays_with_other_names_shapes_or_values_are_refused_with_the_name_of_the_file(
    tmp_path, changes
):
    path = write_files(tmp_path, **changes)

    with pytest.raises(ValueError, match="tokens.npz.*expected|tokens.npz.*do not fit"):
        load_lee2017(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"tokens"])
def test_a_file_that_is_not_an_npz_file_is_refused_by_name(tmp_path, content):
    path = write_files(tmp_path)
    path.write_bytes(content)

    with pytest.raises(ValueError, match="tokens.npz does not hold the lee2017 tokens: expected"):
        load_lee2017(path)


def test_a_small_archive_of_huge_arrays_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "tokens.npz"
    write_files(tmp_path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more.npy", bytes(lee2017._MOST_BYTES + 1))
    assert path.stat().st_size < 1_000_000

    with pytest.raises(ValueError, match="tokens.npz does not hold the lee2017 tokens: .*bytes"):
        load_lee2017(path)


def replace_by_device(path):
    """Puts a link to an endless file in the place of a file."""
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "name, damage",
    [
        ("tables.json", lambda path: path.write_text("[" * 100_000)),
        ("tables.json", replace_by_device),
        ("tokens.npz", replace_by_device),
    ],
    ids=["nested deep", "endless tables", "endless tokens"],
)
def test_a_strangers_file_is_refused_by_name(tmp_path, name, damage):
    path = write_files(tmp_path)
    damage(tmp_path / name)

    with pytest.raises(ValueError, match="tokens.npz does not hold the lee2017 tokens"):
        load_lee2017(path)


def test_a_missing_file_is_a_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_lee2017(tmp_path / "tokens.npz")

    write_files(tmp_path)
    (tmp_path / "tables.json").unlink()
    with pytest.raises(FileNotFoundError):
        load_lee2017(tmp_path / "tokens.npz")


def test_the_published_tokens_keep_their_3216_distinct_events(lee2017_file, tmp_path):
    corpus = load_lee2017(lee2017_file)

    assert corpus.train.shape == (1400, 100)
    assert corpus.validation.shape == (350, 100)
    assert corpus.tokenizer.vocabulary_size == 3219
    assert len(np.unique(corpus.tokenizer.token_features[3:], axis=0)) == 3216
    assert (corpus.train.min(), corpus.train.max()) == (3, 3217)

    shutil.copytree(lee2017_file.parent, tmp_path / "copy")
    assert load_lee2017(tmp_path / "copy" / "tokens.npz").sha256 == corpus.sha256


def test_the_published_tokens_decode_to_music(lee2017_file):
    corpus = load_lee2017(lee2017_file)

    scores = [corpus.tokenizer.decode(tokens) for tokens in corpus.validation]

    # Most tokens strike one melody note.
    assert np.median([len(score.melody) for score in scores]) == 100
    assert 50 * 24 < np.median([score.end_ticks for score in scores]) < 75 * 24
    assert sum(len(score.chords) for score in scores) > 20 * len(scores)
