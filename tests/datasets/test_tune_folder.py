"""Claims about `load_folder` and the files that it skips."""

import json
import logging
import os

import mido
import pytest
from conftest import make_score
from dataset_files import SCORES, all_tunes, fill_folder, sorted_names

from tfseqgan.datasets import tune_folder
from tfseqgan.datasets.nottingham import load_nottingham
from tfseqgan.datasets.tune_folder import count_tunes, load_folder
from tfseqgan.music.midi import read_midi, read_midi_with_voices, write_midi


def test_a_folder_is_read_with_its_subfolders_and_either_case_of_suffix(tmp_path):
    folder = fill_folder(tmp_path / "a", SCORES[:4])
    fill_folder(folder / "b" / "c", SCORES[4:])
    (folder / "0.mid").rename(folder / "0.MIDI")
    (folder / "notes.txt").write_text("not a tune")

    corpus = load_folder(folder, validation_fraction=0.2)

    assert sorted_names(all_tunes(corpus)) == sorted_names(SCORES)
    assert set(all_tunes(corpus)) == set(SCORES)
    assert len(corpus.validation) == 2
    assert (corpus.name, corpus.skipped, len(corpus.sha256)) == ("a", (), 64)


def test_tunes_come_in_the_order_of_their_paths_without_the_files_that_are_skipped(tmp_path):
    names = [f"tune {number:02} é.mid" for number in range(11)]
    for number, name in enumerate(names):
        write_midi(make_score(number, 3, 2, name=f"Nº {number}"), tmp_path / name)
    for name in (names[3], names[-1]):
        (tmp_path / name).write_bytes(b"no MIDI")

    corpus = load_folder(tmp_path, validation_fraction=0)

    readable_names = names[:3] + names[4:-1]
    assert list(corpus.train) == [read_midi(tmp_path / name) for name in readable_names]
    assert [name for name, _ in corpus.skipped] == [names[3], names[-1]]


def test_a_skipped_file_is_named_by_its_path_in_the_folder_with_the_reason_of_read_midi(tmp_path):
    fill_folder(tmp_path)
    fill_folder(tmp_path / "deep" / "er", scores=(), num_bad=1)

    ((name, reason),) = load_folder(tmp_path).skipped

    assert name == "deep/er/bad0.mid"
    with pytest.raises(ValueError) as error:
        read_midi(tmp_path / name)
    assert reason == str(error.value)
    assert "is not a MIDI file" in reason


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_as_many_tunes_of_abc_are_counted_as_are_read(tmp_path, line_end, mark):
    text = b"".join(b"X:%d\nT:Take X:9\nK:C\nCDE%s|\n\n" % (n, b"FGAB"[:n]) for n in (1, 2, 3))
    (tmp_path / "book.abc").write_bytes(mark + text.replace(b"\n", line_end))

    corpus = load_folder(tmp_path, validation_fraction=0)

    assert count_tunes(tmp_path) == len(corpus.train) == 3


def test_a_corpus_does_not_depend_on_how_the_path_of_its_folder_is_written(tmp_path, monkeypatch):
    folder = fill_folder(tmp_path / "tunes", num_bad=1)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "er")
    fill_folder(tmp_path / "deep" / "tunes", num_bad=1)
    monkeypatch.chdir(folder)

    corpora = [
        load_folder(path) for path in (folder, ".", str(folder), tmp_path / "link" / ".." / "tunes")
    ]

    assert all(corpus.name == "tunes" for corpus in corpora)
    assert all(corpus.train == corpora[0].train for corpus in corpora)
    assert all(corpus.sha256 == corpora[0].sha256 for corpus in corpora)
    assert [[name for name, _ in corpus.skipped] for corpus in corpora] == [["bad0.mid"]] * 4


def test_the_hash_of_a_corpus_does_not_depend_on_the_folder_or_the_names_of_the_files(tmp_path):
    corpus = load_folder(fill_folder(tmp_path / "a"))
    other_folder = load_folder(
        fill_folder(tmp_path / "b", SCORES[::-1]), validation_fraction=0.3, seed=4
    )
    fewer_tunes = load_folder(fill_folder(tmp_path / "c", SCORES[1:]))

    assert corpus.sha256 == other_folder.sha256 != fewer_tunes.sha256


def test_bad_files_are_skipped_with_one_warning_that_counts_and_names_them(tmp_path, caplog):
    corpus = load_folder(fill_folder(tmp_path, num_bad=2))

    assert len(all_tunes(corpus)) == 10
    assert [name for name, _ in corpus.skipped] == ["bad0.mid", "bad1.mid"]
    assert all("is not a MIDI file" in reason for _, reason in corpus.skipped)

    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.name == "tfseqgan"
    assert "2 of the 12 tunes" in record.getMessage()
    assert "bad0.mid (" in record.getMessage()


def test_a_long_list_of_bad_files_is_cut_in_the_warning_but_not_in_the_corpus(tmp_path, caplog):
    scores = [make_score(seed, 2, 0) for seed in range(13)]

    corpus = load_folder(fill_folder(tmp_path, scores, num_bad=13))

    assert len(corpus.skipped) == 13
    assert "and 3 more" in caplog.records[-1].getMessage()


def test_a_folder_with_more_than_half_bad_files_is_refused(tmp_path):
    message = "11 of the 21 tunes in .* cannot be read: expected at most half"

    with pytest.raises(ValueError, match=message):
        load_folder(fill_folder(tmp_path, num_bad=11))


def test_a_file_that_the_system_cannot_read_is_skipped(tmp_path, monkeypatch):
    def refuse_one_file(path):
        if path.name == "4.mid":
            raise PermissionError("no permission")
        return read_midi_with_voices(path)

    monkeypatch.setattr(tune_folder, "read_midi_with_voices", refuse_one_file)

    corpus = load_folder(fill_folder(tmp_path))

    assert corpus.skipped == (("4.mid", "no permission"),)
    assert len(all_tunes(corpus)) == 9


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, TypeError])
def test_an_interruption_or_a_programming_error_is_not_taken_for_a_bad_file(
    tmp_path, monkeypatch, error
):
    def interrupt(path):
        raise error

    monkeypatch.setattr(tune_folder, "read_midi_with_voices", interrupt)

    with pytest.raises(error):
        load_folder(fill_folder(tmp_path))


@pytest.mark.parametrize("load", [load_folder, load_nottingham])
def test_an_empty_folder_and_a_path_that_is_no_folder_are_refused(tmp_path, load):
    with pytest.raises(ValueError, match="holds no MIDI or ABC files"):
        load(tmp_path)
    with pytest.raises(ValueError, match="is not a folder"):
        load(tmp_path / "none")

    (tmp_path / "file.mid").write_bytes(b"")
    with pytest.raises(ValueError, match="is not a folder"):
        load(tmp_path / "file.mid")


MAC_ATTRIBUTES = b"\0\5\x16\7" + bytes(80)


def test_mac_companions_are_no_files_of_the_folder(tmp_path):
    folder = fill_folder(tmp_path, SCORES[:6], num_bad=1)
    (folder / "__MACOSX" / "deep").mkdir(parents=True)
    for number in range(6):
        (folder / f"._{number}.mid").write_bytes(MAC_ATTRIBUTES)
        (folder / "__MACOSX" / "deep" / f"._{number}.mid").write_bytes(MAC_ATTRIBUTES)
    (folder / "__MACOSX" / "7.mid").write_bytes(MAC_ATTRIBUTES)

    corpus = load_folder(folder)

    assert len(all_tunes(corpus)) == 6
    assert [name for name, _ in corpus.skipped] == ["bad0.mid"]


def test_mac_companions_alone_are_no_files(tmp_path):
    (tmp_path / "._tune.mid").write_bytes(MAC_ATTRIBUTES)

    with pytest.raises(ValueError, match="holds no MIDI or ABC files"):
        load_folder(tmp_path)


def test_a_folder_that_lies_in_a_mac_folder_is_read(tmp_path):
    folder = fill_folder(tmp_path / "__MACOSX" / "tunes")

    assert len(all_tunes(load_folder(folder))) == 10


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX alone")
def test_a_file_name_that_is_not_text_is_listed_and_logged_escaped(tmp_path, caplog):
    folder = fill_folder(tmp_path / os.fsdecode(b"caf\xe9"))
    (folder / os.fsdecode(b"na\xefve.mid")).write_bytes(b"no MIDI")
    os.rename(folder / "3.mid", folder / os.fsdecode(b"\xff.mid"))

    corpus = load_folder(folder)

    ((name, reason),) = corpus.skipped
    assert (corpus.name, name) == (r"caf\xe9", r"na\xefve.mid")
    assert len(all_tunes(corpus)) == 10
    json.dumps([name, reason, caplog.text], ensure_ascii=False).encode()
    assert r"na\xefve.mid (" in caplog.text


def test_a_file_too_large_for_music_is_skipped(tmp_path):
    folder = fill_folder(tmp_path)
    with (folder / "large.mid").open("wb") as file:
        file.truncate(2**40)

    ((name, reason),) = load_folder(folder).skipped

    assert name == "large.mid"
    assert "expected at most 67108864" in reason


def test_one_line_is_logged_for_each_file_of_which_notes_are_left_out(tmp_path, caplog):
    folder = fill_folder(tmp_path, SCORES[:2])
    for name in ("0.mid", "1.mid"):
        file = mido.MidiFile(folder / name)
        hits = [mido.Message(kind, channel=5, note=60, time=9) for kind in ("note_on", "note_off")]
        file.tracks.append(mido.MidiTrack([mido.MetaMessage("track_name", name="Perc"), *hits * 3]))
        file.save(folder / name)

    load_folder(folder)

    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert lines[0].startswith("0.mid: 3 of its ")
    assert lines[0].endswith("were left out, as percussion or sound effects: track 3 'Perc'")


def test_no_line_is_logged_where_no_note_is_left_out(tmp_path, caplog):
    load_folder(fill_folder(tmp_path))

    assert caplog.text == ""


ABC = "X:{number}\nT:Tune {number}\nK:C\n{music}|\n"


def test_the_tunes_of_abc_files_are_loaded_beside_midi_files(tmp_path):
    fill_folder(tmp_path, SCORES[:3])
    (tmp_path / "deep").mkdir()
    texts = [ABC.format(number=number, music=music) for number, music in ((1, "CDEF"), (7, "G3A"))]
    (tmp_path / "deep" / "book.ABC").write_text("\n".join(texts))

    corpus = load_folder(tmp_path, validation_fraction=0)

    names = ["tune 0", "tune 1", "tune 2", "Tune 1", "Tune 7"]
    assert sorted_names(corpus.train) == sorted(names)
    assert corpus.skipped == ()


def test_a_bad_tune_of_an_abc_file_costs_no_other(tmp_path):
    music = ("CDEF", "C?", "G3A")
    texts = [ABC.format(number=number, music=each) for number, each in enumerate(music, 1)]
    (tmp_path / "book.abc").write_text("\n".join(texts))

    corpus = load_folder(tmp_path, validation_fraction=0)

    assert sorted_names(corpus.train) == ["Tune 1", "Tune 3"]
    ((name, reason),) = corpus.skipped
    assert name == "book.abc X:2"
    assert "book.abc, tune X:2, line 9" in reason


def test_an_abc_file_without_a_tune_is_skipped_by_its_name(tmp_path):
    (tmp_path / "words.abc").write_text("no tune\n")
    (tmp_path / "book.abc").write_text(ABC.format(number=1, music="CDEF"))

    assert load_folder(tmp_path, validation_fraction=0).skipped[0][0] == "words.abc"


def test_counting_a_sparse_file_of_a_terabyte_takes_no_memory(tmp_path):
    with open(tmp_path / "huge.abc", "wb") as file:
        file.truncate(2**40)

    assert count_tunes(tmp_path) == 1
