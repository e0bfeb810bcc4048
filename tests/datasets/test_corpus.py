"""Claims about tfseqgan.datasets."""

import dataclasses
import gc
import json
import logging
import shutil

import numpy as np
import pytest
from conftest import make_score

from tfseqgan.datasets.corpus import split_by_group
from tfseqgan.datasets.duplicates import fingerprint, group_duplicates
from tfseqgan.datasets.lee2017 import load_lee2017
from tfseqgan.datasets.midi_folder import load_midi
from tfseqgan.datasets.nottingham import load_nottingham
from tfseqgan.datasets.synthetic import synthetic_tunes
from tfseqgan.music.midi import write_midi
from tfseqgan.music.score import transpose

SCORES = tuple(make_score(seed, name=f"tune {seed}", key="G", rhythm="jig") for seed in range(10))


def _fill(folder, scores=SCORES, bad=0):
    """Writes scores, and some files that are no MIDI, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, score in enumerate(scores):
        write_midi(score, folder / f"{number}.mid")
    for number in range(bad):
        (folder / f"bad{number}.mid").write_bytes(b"no MIDI")
    return folder


def _names(scores):
    return sorted(score.name for score in scores)


# splits


@pytest.mark.parametrize("fraction, held_out", [(0, 0), (0.01, 1), (0.2, 2), (0.55, 6)])
def test_a_split_holds_out_the_share_asked_for_and_loses_nothing(fraction, held_out):
    train, validation = split_by_group(SCORES, fraction)
    assert len(validation) == held_out and _names(train + validation) == _names(SCORES)


def test_copies_stand_on_one_side_of_every_split():
    scores = SCORES + tuple(
        dataclasses.replace(transpose(score, 3), name=f"copy of {score.name}") for score in SCORES
    )
    for seed in range(20):
        train, validation = split_by_group(scores, 0.3, seed)
        assert len(validation) == 6
        assert not {fingerprint(score) for score in train} & {
            fingerprint(score) for score in validation
        }


def test_a_split_depends_on_the_seed_and_the_tunes_but_not_on_their_order():
    splits = [_names(split_by_group(SCORES, 0.3, seed)[1]) for seed in range(8)]
    assert splits == [_names(split_by_group(SCORES[::-1], 0.3, seed)[1]) for seed in range(8)]
    assert len({tuple(split) for split in splits}) > 1


def test_one_tune_alone_is_trained_on():
    assert split_by_group(SCORES[:1], 0.5) == (SCORES[:1], ())
    assert split_by_group([], 0.5) == ((), ())


def test_a_group_too_big_for_the_share_is_held_out_only_where_nothing_else_is_left():
    scores = [transpose(SCORES[0], step) for step in range(3)] + [
        transpose(SCORES[1], step) for step in range(2)
    ]
    assert [len(part) for part in split_by_group(scores, 0.2)] == [3, 2]


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(ValueError, match="expected 0 to below 1"):
        split_by_group(SCORES, fraction)


# folders


def test_a_folder_is_read_with_its_subfolders_and_either_case_of_suffix(tmp_path):
    _fill(tmp_path / "a", SCORES[:4])
    _fill(tmp_path / "a" / "b" / "c", SCORES[4:])
    (tmp_path / "a" / "0.mid").rename(tmp_path / "a" / "0.MIDI")
    (tmp_path / "a" / "notes.txt").write_text("no tune")
    corpus = load_midi(tmp_path / "a", validation_fraction=0.2)
    assert (
        _names(corpus.train + corpus.validation) == _names(SCORES) and len(corpus.validation) == 2
    )
    assert (corpus.name, corpus.skipped, len(corpus.sha256)) == ("a", (), 64)
    assert set(corpus.train + corpus.validation) == set(SCORES)


def test_the_hash_tells_the_tunes_and_not_where_they_lie(tmp_path):
    one = load_midi(_fill(tmp_path / "a"))
    other = load_midi(_fill(tmp_path / "b", SCORES[::-1]), validation_fraction=0.3, seed=4)
    fewer = load_midi(_fill(tmp_path / "c", SCORES[1:]))
    assert one.sha256 == other.sha256 != fewer.sha256


def test_bad_files_are_named_counted_and_skipped_with_one_warning(tmp_path, caplog):
    corpus = load_midi(_fill(tmp_path / "a", bad=2))
    assert len(corpus.train + corpus.validation) == 10
    assert [name for name, _ in corpus.skipped] == ["bad0.mid", "bad1.mid"]
    assert all("is not a MIDI file" in reason for _, reason in corpus.skipped)
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert (
        record.name == "tfseqgan"
        and "2 of the 12 MIDI files" in record.getMessage()
        and "bad0.mid (" in record.getMessage()
    )


def test_a_long_list_of_bad_files_is_cut_in_the_warning_but_not_in_the_corpus(tmp_path, caplog):
    scores = [make_score(seed, 2, 0) for seed in range(13)]
    corpus = load_midi(_fill(tmp_path / "a", scores, bad=13))
    assert len(corpus.skipped) == 13 and "and 3 more" in caplog.records[-1].getMessage()


def test_more_than_half_bad_stops(tmp_path):
    with pytest.raises(
        ValueError, match="11 of the 21 MIDI files in .* cannot be read: expected at most half"
    ):
        load_midi(_fill(tmp_path / "a", bad=11))


@pytest.mark.parametrize("load", [load_midi, load_nottingham])
def test_an_empty_folder_and_no_folder_are_refused(tmp_path, load):
    with pytest.raises(ValueError, match="holds no MIDI files"):
        load(tmp_path)
    with pytest.raises(ValueError, match="is not a folder"):
        load(tmp_path / "none")
    (tmp_path / "file.mid").write_bytes(b"")
    with pytest.raises(ValueError, match="is not a folder"):
        load(tmp_path / "file.mid")


# Nottingham


def test_the_archive_is_read_without_its_extracted_voices(tmp_path):
    for part in ("MIDI", "MIDI/melody", "MIDI/chords", "ABC"):
        _fill(tmp_path / "archive" / part)
    assert len(load_midi(tmp_path / "archive").train) > 10
    for folder in (tmp_path / "archive", tmp_path / "archive" / "MIDI"):
        corpus = load_nottingham(folder)
        assert (
            _names(corpus.train + corpus.validation) == _names(SCORES)
            and corpus.name == "nottingham"
        )


def test_the_book_gives_the_rhythm(tmp_path):
    rhythms = {
        "jigs3": "jig",
        "reelsa-c12": "reel",
        "waltzes1": "waltz",
        "hpps65": "hornpipe",
        "slip2": "slip jig",
        "xmas1": "xmas",
    }
    rhythms["other1"] = "polka"
    scores = [make_score(seed, name=name, rhythm="polka") for seed, name in enumerate(rhythms)]
    corpus = load_nottingham(_fill(tmp_path / "a", scores))
    assert {score.name: score.rhythm for score in corpus.train + corpus.validation} == rhythms


def test_all_of_nottingham_is_loaded_and_split_by_tune(nottingham_folder):
    corpus = load_nottingham(nottingham_folder)
    scores = corpus.train + corpus.validation
    assert (len(corpus.train), len(corpus.validation), corpus.skipped) == (931, 103, ())
    assert len({score.rhythm for score in scores}) == 9 and all(score.rhythm for score in scores)
    assert corpus.sha256.startswith("6d6669f7")
    for group in group_duplicates(scores):
        assert len({place < len(corpus.train) for place in group}) == 1


# the embedded corpus


def test_session_tunes_repeat_with_their_seed_and_differ_between_seeds():
    one, same, other = (synthetic_tunes(seed, num_tunes=20) for seed in (0, 0, 1))
    assert one == same and one.sha256 != other.sha256
    assert (len(one.train), len(one.validation), one.name) == (18, 2, "session")
    assert all(score.rhythm and score.key for score in one.train + one.validation)


# the published tokens


def _write_lee2017(folder, tables=None, **arrays):
    """Writes a small npz and its tables: a note and a rest over a chord, and an ornament."""
    vocabulary = np.array(
        [[1, 1, 1, 2, 2, 2], [0.3333, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0]], np.float32
    )
    content = {
        "train": np.array([[0, 1, 2], [2, 1, 0]], np.int16),
        "valid": np.array([[0, 0, 0]], np.int16),
        "vocabulary": vocabulary,
    }
    np.savez(
        folder / "tokens.npz",
        **{name: array for name, array in {**content, **arrays}.items() if array is not None},
    )
    tables = tables or {
        "pitch_class_sets": [None, [0], [2, 7, 11]],
        "octaves": [None, [4], [3, 2, 2]],
    }
    (folder / "tables.json").write_text(json.dumps(tables))
    return folder / "tokens.npz"


def test_published_tokens_are_raised_above_the_special_ids_and_keep_their_meaning(tmp_path):
    corpus = load_lee2017(_write_lee2017(tmp_path))
    assert corpus.train.dtype == corpus.validation.dtype == np.int32
    assert corpus.train.tolist() == [[3, 4, 5], [5, 4, 3]] and corpus.validation.tolist() == [
        [3, 3, 3]
    ]
    assert corpus.tokenizer.events[0] == (24, (4,), (0,), 48, (3, 2, 2), (2, 7, 11))
    assert corpus.tokenizer.events[1] == (8, (), (), 0, (), ()) and corpus.tokenizer.events[2] == (
        0,
        (4,),
        (0,),
        0,
        (),
        (),
    )
    score = corpus.tokenizer.decode(corpus.train[0])
    assert [note.pitch for note in score.melody] == [60] and score.chords[0].pitches == (43, 47, 50)


@pytest.mark.parametrize(
    "arrays",
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
def test_arrays_of_other_names_shapes_or_values_are_refused_by_file(tmp_path, arrays):
    with pytest.raises(ValueError, match="tokens.npz.*expected|tokens.npz.*do not fit"):
        load_lee2017(_write_lee2017(tmp_path, **arrays))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 cut", b"tokens"])
def test_a_file_that_is_no_npz_is_refused_by_name(tmp_path, data):
    _write_lee2017(tmp_path).write_bytes(data)
    with pytest.raises(ValueError, match="tokens.npz does not hold the lee2017 tokens: expected"):
        load_lee2017(tmp_path / "tokens.npz")


def test_missing_files_are_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_lee2017(tmp_path / "tokens.npz")
    _write_lee2017(tmp_path)
    (tmp_path / "tables.json").unlink()
    with pytest.raises(FileNotFoundError):
        load_lee2017(tmp_path / "tokens.npz")


def test_the_published_tokens_keep_their_3216_meanings(lee2017_file, tmp_path):
    corpus = load_lee2017(lee2017_file)
    assert (corpus.train.shape, corpus.validation.shape, corpus.tokenizer.vocabulary_size) == (
        (1400, 100),
        (350, 100),
        3219,
    )
    assert len(np.unique(corpus.tokenizer.token_features[3:], axis=0)) == 3216
    assert (corpus.train.min(), corpus.train.max()) == (3, 3217)
    shutil.copytree(lee2017_file.parent, tmp_path / "copy")
    assert load_lee2017(tmp_path / "copy" / "tokens.npz").sha256 == corpus.sha256


def test_the_published_tokens_decode_to_music(lee2017_file):
    corpus = load_lee2017(lee2017_file)
    scores = [corpus.tokenizer.decode(tokens) for tokens in corpus.validation]
    assert (
        np.median([len(score.melody) for score in scores]) == 100
    )  # most tokens strike one melody note
    assert 50 * 24 < np.median([score.end_ticks for score in scores]) < 75 * 24
    assert sum(len(score.chords) for score in scores) > 20 * len(scores)


@pytest.mark.parametrize("on", [True, False])
def test_reading_leaves_the_garbage_collector_as_it_was(tmp_path, on):
    was_on = gc.isenabled()
    (gc.enable if on else gc.disable)()
    try:
        for folder in (tmp_path, tmp_path / "none"):
            with pytest.raises(ValueError, match="holds no MIDI files|is not a folder"):
                load_midi(folder)
            assert gc.isenabled() == on
    finally:
        (gc.enable if was_on else gc.disable)()
