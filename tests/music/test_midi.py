"""Claims about tfseqgan.midi."""

import dataclasses
import io
import os

import mido
import numpy as np
import pytest
from conftest import make_score

from tfseqgan.music.midi import read_midi, write_midi
from tfseqgan.music.score import LONGEST_TICKS, Chord, Note, Score


def _track(*events, channel=0, meta=()):
    """Returns a track of (tick, kind, pitch, velocity), ended at the last event."""
    track, now = mido.MidiTrack(meta), 0
    for tick, kind, pitch, velocity in events:
        track.append(
            mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=tick - now)
        )
        now = tick
    return track


def _scale(low, channel=0, pitches=(0,), beats=8, beat=480):
    """Returns a track that strikes `pitches` above a rising note once a beat."""
    events = []
    for i in range(beats):
        events += [(i * beat, "note_on", low + i % 5 + pitch, 80) for pitch in pitches]
        events += [((i + 1) * beat, "note_off", low + i % 5 + pitch, 0) for pitch in pitches]
    return _track(*events, channel=channel)


def _save(path, *tracks, kind=1, ticks_per_beat=480):
    mido.MidiFile(type=kind, ticks_per_beat=ticks_per_beat, tracks=list(tracks)).save(path)
    return path


def _read(tmp_path, *tracks, **settings):
    return read_midi(_save(tmp_path / "tune.mid", *tracks, **settings))


# reading


def test_a_written_score_is_read_back_equal(tmp_path, random_scores):
    for score in random_scores:
        score = dataclasses.replace(
            score,
            name=score.name or "x",
            key="F#m",
            time_signature=(6, 8),
            tempo_bpm=96.0,
            rhythm="jig",
        )
        write_midi(score, tmp_path / "a.mid")
        assert read_midi(tmp_path / "a.mid") == score


def test_a_written_score_is_read_back_equal_even_with_the_melody_below_the_chords(tmp_path):
    score = make_score(3, name="x")
    low = tuple(
        Note(chord.start_ticks, chord.duration_ticks, pitch)
        for chord in score.chords
        for pitch in chord.pitches
    )
    high = {
        note.start_ticks: Chord(note.start_ticks, note.duration_ticks, (note.pitch,))
        for note in score.melody
    }
    upside_down = Score(low, high.values(), name="x")
    write_midi(upside_down, tmp_path / "a.mid")
    assert read_midi(tmp_path / "a.mid") == upside_down


@pytest.mark.parametrize("tempo_bpm", [3.6, 97.3, 120.0, 333.0])
def test_the_tempo_comes_back_to_a_microsecond_a_beat(tmp_path, tempo_bpm):
    write_midi(Score((Note(0, 24, 60),), tempo_bpm=tempo_bpm), tmp_path / "a.mid")
    assert abs(60e6 / read_midi(tmp_path / "a.mid").tempo_bpm - 60e6 / tempo_bpm) <= 0.5


@pytest.mark.parametrize("name", ["Drowsy Maggie", "Port na bPúcaí", "Čardáš № 1", "R:no rhythm"])
def test_a_name_in_any_script_comes_back(tmp_path, name):
    write_midi(Score((Note(0, 24, 60),), name=name), tmp_path / "a.mid")
    assert read_midi(tmp_path / "a.mid").name == name


@pytest.mark.parametrize("key", [None, "C", "Gb", "C#", "Am", "Ebm", "A#m"])
def test_a_key_comes_back(tmp_path, key):
    write_midi(Score((Note(0, 24, 60),), key=key), tmp_path / "a.mid")
    assert read_midi(tmp_path / "a.mid").key == key


def test_middle_c_is_60_in_the_file(tmp_path):
    write_midi(Score((Note(0, 24, 60),)), tmp_path / "a.mid")
    assert [
        message.note for message in mido.MidiFile(tmp_path / "a.mid") if message.type == "note_on"
    ] == [60]


@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize("ticks_per_beat", [24, 100, 480, 32767])
def test_every_type_and_resolution_is_read(tmp_path, kind, ticks_per_beat):
    score = _read(
        tmp_path, _scale(60, beats=3, beat=ticks_per_beat), kind=kind, ticks_per_beat=ticks_per_beat
    )
    assert (
        score.melody == (Note(0, 24, 60), Note(24, 24, 61), Note(48, 24, 62)) and score.chords == ()
    )


def test_a_note_on_without_velocity_is_a_note_off(tmp_path):
    assert _read(tmp_path, _track((0, "note_on", 60, 80), (480, "note_on", 60, 0))).melody == (
        Note(0, 24, 60),
    )


def test_overlapping_notes_of_one_pitch_are_paired_first_in_first_out(tmp_path):
    events = [
        (0, "note_on", 60, 80),
        (480, "note_on", 60, 80),
        (960, "note_off", 60, 0),
        (1920, "note_off", 60, 0),
    ]
    assert _read(tmp_path, _track(*events)).melody == (Note(0, 24, 60), Note(24, 72, 60))


def test_a_note_never_switched_off_ends_with_its_track(tmp_path):
    events = [
        (0, "note_on", 60, 80),
        (480, "note_off", 60, 0),
        (480, "note_on", 62, 80),
        (1440, "note_off", 99, 0),
    ]
    assert _read(tmp_path, _track(*events)).melody == (Note(0, 24, 60), Note(24, 48, 62))


def test_percussion_is_passed_over(tmp_path):
    score = _read(tmp_path, _scale(35, channel=9, beats=64), _scale(72, beats=2))
    assert score.melody == (Note(0, 24, 72), Note(24, 24, 73)) and score.chords == ()


@pytest.mark.parametrize("swapped", [False, True])
def test_melody_and_chords_are_found_by_content(tmp_path, swapped):
    melody, chords = _scale(72), _scale(40, channel=1, pitches=(0, 4, 7))
    score = _read(tmp_path, *((chords, melody) if swapped else (melody, chords)))
    assert score.melody[0].pitch == 72 and score.chords[0].pitches == (40, 44, 47)


def test_the_channels_of_a_type_0_file_are_told_apart(tmp_path):
    merged = mido.merge_tracks(
        [_scale(72), _scale(40, channel=1, pitches=(0, 4, 7)), _scale(35, channel=9)]
    )
    score = _read(tmp_path, merged, kind=0)
    assert len(score.melody) == len(score.chords) == 8 and score.chords[0].pitches == (40, 44, 47)


def test_labels_have_defaults(tmp_path):
    score = _read(tmp_path, _scale(60))
    assert (score.key, score.time_signature, score.tempo_bpm, score.name, score.rhythm) == (
        None,
        (4, 4),
        120.0,
        "tune",
        None,
    )


def test_the_first_label_of_each_kind_counts(tmp_path):
    later = [
        mido.MetaMessage("key_signature", key="D", time=480),
        mido.MetaMessage("set_tempo", tempo=300000),
    ]
    first = [
        mido.MetaMessage("key_signature", key="Em"),
        mido.MetaMessage("time_signature", numerator=6, denominator=8, time=960),
    ]
    first.append(mido.MetaMessage("set_tempo", tempo=600000))
    score = _read(tmp_path, mido.MidiTrack(later), mido.MidiTrack(first), _scale(60))
    assert (score.key, score.time_signature, score.tempo_bpm) == ("Em", (6, 8), 200.0)


def test_labels_without_meaning_are_passed_over(tmp_path):
    labels = [
        mido.MetaMessage("set_tempo", tempo=0),
        mido.MetaMessage("time_signature", numerator=0, denominator=4),
    ]
    labels.append(mido.MetaMessage("time_signature", numerator=4, denominator=2**200))
    score = _read(tmp_path, mido.MidiTrack(labels), _scale(60))
    assert (score.time_signature, score.tempo_bpm) == ((4, 4), 120.0)


def test_the_name_of_a_track_with_notes_is_no_title(tmp_path):
    named = mido.MidiTrack([mido.MetaMessage("track_name", name="Violin"), *_scale(60)])
    assert _read(tmp_path, named).name == "tune"
    assert _read(tmp_path, named, kind=0).name == "Violin"
    assert (
        _read(tmp_path, mido.MidiTrack([mido.MetaMessage("track_name", name="A Reel")]), named).name
        == "A Reel"
    )


# writing


def test_a_written_file_has_what_players_show(tmp_path):
    score = Score(
        (Note(0, 24, 67),),
        (Chord(0, 24, (43, 50)),),
        key="G",
        time_signature=(3, 4),
        tempo_bpm=150.0,
        name="A Waltz",
    )
    write_midi(score, tmp_path / "a.mid")
    file = mido.MidiFile(tmp_path / "a.mid")
    assert (file.type, [track.name for track in file.tracks]) == (
        1,
        ["A Waltz", "Melody", "Chords"],
    )
    assert [message.type for message in file.tracks[0]] == [
        "track_name",
        "set_tempo",
        "time_signature",
        "key_signature",
        "end_of_track",
    ]
    programs = [
        (message.channel, message.program) for message in file if message.type == "program_change"
    ]
    assert programs == [(0, 73), (1, 25)]
    assert file.length == pytest.approx(60 / 150)


def test_bars_begin_louder_and_the_melody_stands_before_the_chords(tmp_path):
    melody = tuple(Note(24 * i, 24, 67) for i in range(6))
    write_midi(Score(melody, (Chord(0, 72, (43, 50)),), time_signature=(3, 4)), tmp_path / "a.mid")
    loudness = {}
    for message in mido.MidiFile(tmp_path / "a.mid"):
        if message.type == "note_on":
            loudness.setdefault(message.channel, []).append(message.velocity)
    assert loudness[0][0] == loudness[0][3] > loudness[0][1] == loudness[0][2] > max(loudness[1])


def test_a_repeated_pitch_is_switched_off_before_it_is_struck_again(tmp_path):
    write_midi(Score((Note(0, 24, 60), Note(24, 24, 60))), tmp_path / "a.mid")
    assert [m.type for m in mido.MidiFile(tmp_path / "a.mid") if "note_" in m.type] == [
        "note_on",
        "note_off",
    ] * 2


@pytest.mark.parametrize(
    "fields, what",
    [
        ({"tempo_bpm": 3.5}, "tempo_bpm"),
        ({"tempo_bpm": 1e9}, "tempo_bpm"),
        ({"time_signature": (4, 3)}, "time_signature"),
        ({"time_signature": (256, 4)}, "time_signature"),
        ({"time_signature": (4, 128)}, "time_signature"),
        ({"key": "H"}, "'H'"),
    ],
)
def test_what_midi_cannot_say_is_refused_and_nothing_is_written(tmp_path, fields, what):
    with pytest.raises(ValueError, match=what):
        write_midi(Score((Note(0, 24, 60),), **fields), tmp_path / "a.mid")
    assert os.listdir(tmp_path) == []


# bad input


def _sample_bytes():
    buffer = io.BytesIO()
    mido.MidiFile(
        type=1, tracks=[_scale(72, beats=3), _scale(40, channel=1, pitches=(0, 4, 7), beats=3)]
    ).save(file=buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("data", [b"", b"MTh", b"RIFF\0\0\0\0", b"X:1\nT:a tune in ABC\n"])
def test_a_file_that_is_no_midi_is_refused_by_name(tmp_path, data):
    (tmp_path / "a.mid").write_bytes(data)
    with pytest.raises(ValueError, match="a.mid is not a MIDI file: expected .* received"):
        read_midi(tmp_path / "a.mid")


def test_a_file_truncated_anywhere_is_refused_by_name(tmp_path):
    data = _sample_bytes()
    for length in range(4, len(data)):
        (tmp_path / "a.mid").write_bytes(data[:length])
        with pytest.raises(ValueError, match="a.mid is truncated: expected"):
            read_midi(tmp_path / "a.mid")


def test_of_flipped_bytes_only_value_errors_come(tmp_path):
    rng = np.random.default_rng(0)
    data = np.frombuffer(_sample_bytes(), np.uint8)
    refused = 0
    for _ in range(1500):
        flipped = data.copy()
        places = rng.integers(4, len(data), rng.integers(1, 6))
        flipped[places] = rng.integers(0, 256, len(places))
        (tmp_path / "a.mid").write_bytes(flipped.tobytes())
        try:
            read_midi(tmp_path / "a.mid")
        except ValueError as error:
            assert "a.mid" in str(error)
            refused += 1
    assert 300 < refused < 1500  # both outcomes were met


@pytest.mark.parametrize(
    "tracks",
    [(), (mido.MidiTrack(),), (_scale(35, channel=9),)],
    ids=["no track", "empty track", "only drums"],
)
def test_a_file_without_notes_is_refused_by_name(tmp_path, tracks):
    with pytest.raises(ValueError, match="tune.mid holds no notes: expected"):
        _read(tmp_path, *tracks)


def test_a_note_a_million_ticks_long_is_refused_with_its_tick(tmp_path):
    track = _track((480, "note_on", 60, 80), (1000480, "note_off", 60, 0))
    message = f"tune.mid holds a note of pitch 60 at tick 24 that lasts 50000 ticks: expected at most {LONGEST_TICKS}"
    with pytest.raises(ValueError, match=message):
        _read(tmp_path, track)


def test_a_silence_a_million_ticks_long_is_refused_with_its_tick(tmp_path):
    track = _track(
        (0, "note_on", 60, 80),
        (480, "note_off", 60, 0),
        (1000480, "note_on", 60, 80),
        (1000960, "note_off", 60, 0),
    )
    with pytest.raises(
        ValueError, match="tune.mid holds a silence at tick 24 that lasts 50000 ticks"
    ):
        _read(tmp_path, track)


def test_time_in_film_frames_is_refused(tmp_path):
    data = bytearray(_sample_bytes())
    data[12:14] = b"\xe7\x28"
    (tmp_path / "a.mid").write_bytes(data)
    with pytest.raises(ValueError, match="a.mid counts time in film frames"):
        read_midi(tmp_path / "a.mid")


def test_a_missing_file_and_a_folder_are_what_python_says_they_are(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_midi(tmp_path / "none.mid")
    with pytest.raises(OSError):
        read_midi(tmp_path)


# the real tunes


def test_every_nottingham_tune_is_read_with_the_melody_of_its_first_track(
    nottingham_folder, nottingham_scores
):
    assert len(nottingham_scores) == 1034
    assert sum(not score.chords for score in nottingham_scores.values()) == 13
    for name in sorted(nottingham_scores)[::100]:
        first = mido.MidiFile(nottingham_folder / f"{name}.mid").tracks[0]
        struck = {message.note for message in first if message.type == "note_on"}
        assert {note.pitch for note in nottingham_scores[name].melody} == struck


def test_nottingham_tunes_keep_their_double_stops_and_labels(nottingham_scores):
    melodies = [
        score.melody for score in nottingham_scores.values()
    ]  # the files strike 754, of which 4 are one pitch twice
    assert (
        sum(
            one.start_ticks == other.start_ticks
            for melody in melodies
            for one, other in zip(melody, melody[1:])
        )
        == 750
    )
    jig = nottingham_scores["jigs1"]
    assert (jig.key, jig.time_signature, jig.tempo_bpm, jig.name, jig.melody[0]) == (
        "A",
        (6, 8),
        120.0,
        "jigs1",
        Note(60, 12, 78),
    )


def test_every_nottingham_tune_survives_a_written_file(tmp_path, nottingham_scores):
    for score in nottingham_scores.values():
        write_midi(score, tmp_path / "a.mid")
        assert read_midi(tmp_path / "a.mid") == score


def test_make_score_makes_what_the_tests_need():
    score = make_score(0)
    starts = [note.start_ticks for note in score.melody]
    assert len(set(starts)) < len(starts) and any(
        one.end_ticks < other.start_ticks for one, other in zip(score.melody, score.melody[1:])
    )
