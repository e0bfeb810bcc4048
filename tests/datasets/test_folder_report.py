"""Claims about `inspect_folder` and the table of its report."""

import json
import re

import mido
import pytest
from conftest import make_score

from tfseqgan.datasets.folder_report import (
    FolderReport,
    format_report,
    inspect_folder,
    summary_line,
)
from tfseqgan.datasets.tune_folder import load_folder
from tfseqgan.music.midi import write_midi
from tfseqgan.music.score import Chord, Note, Score, transpose
from tfseqgan.music.tokenizer import Tokenizer

TRIAD = (43, 47, 50)


def waltz(last_pitch=67, **fields):
    """Returns eight bars of 3/4 in G that end with a pitch."""
    pitches = [67, 71, 74, 76, 74, 71] * 4
    pitches[-1] = last_pitch
    melody = [Note(24 * beat, 24, pitch) for beat, pitch in enumerate(pitches)]

    return Score(melody, [Chord(72 * bar, 72, TRIAD) for bar in range(8)], **fields)


def track(name, pitches, channel=0, program=0, ticks=480, stagger=0):
    """Returns a track that plays pitches (a tuple is a chord) one after the other."""
    messages = [
        mido.MetaMessage("track_name", name=name),
        mido.Message("program_change", channel=channel, program=program),
    ]
    for index, pitch in enumerate(pitches):
        together = pitch if isinstance(pitch, tuple) else (pitch,)
        late = stagger * (index % 3)
        for number, each in enumerate(together):
            wait = 0 if number else late
            messages.append(mido.Message("note_on", channel=channel, note=each, time=wait))
        for number, each in enumerate(together):
            wait = 0 if number else ticks - late
            messages.append(mido.Message("note_off", channel=channel, note=each, time=wait))

    return mido.MidiTrack(messages)


def save(path, *tracks):
    mido.MidiFile(type=1, ticks_per_beat=480, tracks=list(tracks)).save(path)


def band(path):
    """Writes a file with a lead, a bass, a drum kit and a track of claps."""
    save(
        path,
        track("Lead Vocal", [67, 69, 71, 72, 74, 72, 71, 69]),
        track("Synth Pad", [(55, 59, 62)] * 2, channel=1, ticks=1920),
        track("Bass", [31, 43] * 4, channel=2, program=33),
        track("Kit", [36, 38] * 4, channel=9),
        track("Claps", [60] * 8, channel=3),
    )


def test_every_track_says_what_it_became_and_why(tmp_path):
    band(tmp_path / "band.mid")

    [file] = inspect_folder(tmp_path).files

    assert [(each.name, each.voice, each.reason) for each in file.tracks] == [
        ("Lead Vocal", "melody", "its name says a voice"),
        ("Synth Pad", "chords", "its name says an accompaniment"),
        ("Bass", "chords", "its name says an accompaniment"),
        ("Claps", "left out", "its name says percussion or effects"),
        ("Kit", "percussion", "on the percussion channel"),
    ]
    assert [each.name for each in file.dropped] == ["Claps", "Kit"]
    assert (file.num_notes, file.num_chords) == (8, 8)


@pytest.mark.parametrize(
    "tracks, reasons",
    [
        (
            [track("", [72, 74, 76, 77]), track("", [(48, 52, 55)] * 4, channel=1)],
            ["its notes are the most like a melody", "another track is more like a melody"],
        ),
        (
            [track("Solo A", [72, 74, 76, 77]), track("Solo B", [48, 60, 48, 60], channel=1)],
            [
                "its name says a lead; its notes are the most like a melody",
                "another track is more like a melody",
            ],
        ),
        ([track("", [60, 62])], ["the only one with pitched notes"]),
        (
            [track("", [72, 74, 76]), track("", [60] * 3, channel=1, program=119)],
            ["the only one with pitched notes", "its program is percussion or an effect"],
        ),
    ],
    ids=["notes", "names and notes", "alone", "effect"],
)
def test_a_melody_is_explained_by_what_decided(tmp_path, tracks, reasons):
    save(tmp_path / "a.mid", *tracks)

    [file] = inspect_folder(tmp_path).files

    assert [each.reason for each in file.tracks] == reasons


def test_a_piano_that_is_split_says_so(tmp_path):
    piano = [(48, 55, 72 + step) for step in (0, 2, 4, 5, 7, 5, 4, 2)]
    save(tmp_path / "a.mid", track("", piano))

    [file] = inspect_folder(tmp_path).files

    assert file.tracks[0].voice == "melody and chords"
    assert file.tracks[0].reason.endswith("split, since it holds an accompaniment too")


def test_metre_and_key_are_those_of_the_file_or_else_of_the_notes(tmp_path):
    save(
        tmp_path / "unsaid.mid",
        track("", [67, 71, 74, 76, 74, 71] * 4),
        track("", [(43, 47, 50)] * 8, channel=1, ticks=1440),
    )
    write_midi(waltz(key="Em", time_signature=(6, 8)), tmp_path / "said.mid")

    said, unsaid = inspect_folder(tmp_path).files

    assert (said.time_signature, said.metre_is_said, said.num_bars) == ((6, 8), True, 8)
    assert (said.key, said.key_is_said) == ("Em", True)
    assert (unsaid.time_signature, unsaid.metre_is_said, unsaid.num_bars) == ((3, 4), False, 8)
    assert (unsaid.key, unsaid.key_is_said) == ("G", False)


def test_a_pick_up_is_no_bar(tmp_path):
    melody = [Note(24 * beat, 24, 67) for beat in range(13)]
    chords = [Chord(24 + 72 * bar, 72, TRIAD) for bar in range(4)]
    write_midi(Score(melody, chords, "G", (3, 4)), tmp_path / "a.mid")

    assert inspect_folder(tmp_path).files[0].num_bars == 4


def test_versions_name_the_first_file_with_the_tune(tmp_path):
    tune = make_score(1, num_notes=40, num_chords=5)
    medley = Score([*tune.melody[:-1], Note(tune.end_ticks + 24, 24, 60)])
    write_midi(tune, tmp_path / "1.mid")
    write_midi(make_score(2), tmp_path / "2.mid")
    write_midi(Score(tune.melody), tmp_path / "3.mid")
    write_midi(transpose(tune, -3), tmp_path / "4.mid")
    write_midi(medley, tmp_path / "5.mid")

    report = inspect_folder(tmp_path)

    versions = [file.version_of for file in report.files]
    assert versions[:2] == [None, None]
    assert [(each.file, each.kind, each.semitones) for each in versions[2:]] == [
        ("1.mid", "copy", 0),
        ("1.mid", "transposed", -3),
        ("1.mid", "variant", None),
    ]
    assert report.num_tunes == 2


def test_a_file_that_cannot_be_read_is_reported_with_its_reason(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "bad.mid").write_bytes(b"no MIDI")
    (tmp_path / "empty.mid").write_bytes(b"")
    write_midi(waltz(), tmp_path / "good.mid")

    report = inspect_folder(tmp_path)

    assert [file.file for file in report.files] == ["good.mid"]
    assert [name for name, _ in report.unreadable] == ["deep/bad.mid", "empty.mid"]
    with pytest.raises(ValueError) as error:
        load_folder(tmp_path)
    assert all(reason in str(error.value) for _, reason in report.unreadable)


def test_a_folder_of_bad_files_alone_is_reported(tmp_path):
    (tmp_path / "bad.mid").write_bytes(b"no MIDI")

    report = inspect_folder(tmp_path)

    assert (report.files, len(report.unreadable), report.held_out) == ((), 1, None)
    assert "0 of 1 files can be read" in summary_line(report)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_text("a")])
def test_a_folder_without_midi_files_and_what_is_no_folder_are_refused(tmp_path, make):
    make(tmp_path / "notes.txt")

    with pytest.raises(ValueError, match="holds no MIDI or ABC files"):
        inspect_folder(tmp_path)
    with pytest.raises(ValueError, match="is not a folder"):
        inspect_folder(tmp_path / "missing")


def test_free_playing_is_told_by_onsets_on_no_note_value(tmp_path):
    save(tmp_path / "free.mid", track("", [67, 69, 71, 72, 74, 76] * 2, stagger=37))
    save(tmp_path / "plain.mid", track("", [67, 69, 71, 72, 74, 76] * 2, ticks=160))

    free, plain = inspect_folder(tmp_path).files

    assert plain.off_note_values == 0
    assert free.off_note_values > 0.3
    assert "played freely" in format_report(inspect_folder(tmp_path))


def test_coverage_counts_the_events_that_a_vocabulary_lacks(tmp_path):
    write_midi(waltz(last_pitch=60), tmp_path / "a.mid")
    write_midi(transpose(waltz(last_pitch=62), 2), tmp_path / "b.mid")
    small = Tokenizer.fit([waltz()], interleave=True, controls=True)

    coverage = inspect_folder(tmp_path, small).in_tokenizer

    # Of a.mid, only the last note is not in the vocabulary: 60 in place of 67. Of b.mid, 69, 73,
    # 76, 78, 76, 73, …, 64 and its eight chords: in the vocabulary there are 67, 71, 74 and 76.
    assert coverage.num_events == 2 * (24 + 8)
    assert coverage.num_replaced == 1 + (24 - 8) + 8
    assert coverage.replaced == 25 / 64
    assert coverage.vocabulary_size == small.vocabulary_size


def test_held_out_events_are_covered_by_the_tunes_that_are_trained_on(tmp_path):
    for number in range(12):
        write_midi(make_score(number, num_notes=20), tmp_path / f"{number}.mid")

    held_out = inspect_folder(tmp_path).held_out

    corpus = load_folder(tmp_path)
    tokenizer = Tokenizer.fit(corpus.train, interleave=True, transpositions=range(-5, 7))
    encoded = tokenizer.encode_all(corpus.validation)
    assert held_out.num_replaced == encoded.num_replaced > 0
    assert held_out.num_events == sum(len(tokens) - 2 for tokens in encoded.sequences)


def test_the_table_fits_100_columns_and_names_every_file_and_track(tmp_path):
    (tmp_path / ("long folder " * 7)).mkdir()
    band(tmp_path / ("long folder " * 7) / "band.mid")
    write_midi(waltz(), tmp_path / "a.mid")
    write_midi(transpose(waltz(), 2), tmp_path / "b.mid")
    (tmp_path / "bad.mid").write_bytes(b"no MIDI")

    text = format_report(inspect_folder(tmp_path))

    assert max(map(len, text.splitlines())) <= 100
    for part in (
        "a.mid ",
        "bad.mid cannot be read",
        "transposed of a.mid by +2 semitones",
        "'Synth Pad'",
        "percussion: track 3 'Kit', 8 notes: on the percussion channel",
        "3 of 4 files can be read, 2 different tunes",
        "2 tracks dropped",
    ):
        assert part in re.sub(r"\n +", " ", text)


def test_an_estimate_is_marked_in_the_table(tmp_path):
    band(tmp_path / "band.mid")
    write_midi(waltz(), tmp_path / "waltz.mid")

    rows = {
        line.split()[0]: line.split()
        for line in format_report(inspect_folder(tmp_path)).splitlines()
        if ".mid" in line
    }

    assert rows["band.mid"][1].startswith("~")
    assert rows["waltz.mid"][1:4] == ["3/4", "G", "8"]


def test_the_report_is_json_and_the_summary_one_line(tmp_path):
    band(tmp_path / "band.mid")
    write_midi(waltz(), tmp_path / "waltz.mid")
    report = inspect_folder(tmp_path)

    values = json.loads(json.dumps(report.to_dict()))

    assert values["num_readable"] == 2
    assert values["files"][0]["tracks"][0]["reason"] == "its name says a voice"
    assert values["files"][1]["time_signature"] == [3, 4]
    assert values == report.to_dict()
    assert isinstance(report, FolderReport) and "\n" not in summary_line(report)


def test_each_tune_of_an_abc_file_is_reported(tmp_path):
    tunes = [
        'X:1\nT:One\nM:3/4\nL:1/4\nK:Em\n"Em"EGB|efg|\n',
        "X:2\nK:C\nC?|\n",
        'X:3\nM:3/4\nL:1/4\nK:F#m\n"F#m"FAc|fga|\n',
    ]
    (tmp_path / "book.abc").write_text("\n".join(tunes))

    report = inspect_folder(tmp_path)

    one, three = report.files
    assert (one.file, one.time_signature, one.key, one.num_bars) == (
        "book.abc X:1",
        (3, 4),
        "Em",
        2,
    )
    assert (three.version_of.file, three.version_of.semitones) == ("book.abc X:1", 2)
    assert [name for name, _ in report.unreadable] == ["book.abc X:2"]
