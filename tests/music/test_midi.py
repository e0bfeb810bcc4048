"""Claims about tfseqgan.music.midi."""

import dataclasses
import io
import itertools
import os

import mido
import numpy as np
import pytest
from conftest import make_score

from tfseqgan.music.midi import read_midi, write_midi
from tfseqgan.music.score import LONGEST_TICKS, Chord, Note, Score


def make_track(*events, channel=0, meta=()):
    """Returns a track of events (tick, kind, pitch, velocity), which ends at the last of them."""
    track = mido.MidiTrack(meta)
    now = 0
    for tick, kind, pitch, velocity in events:
        message = mido.Message(
            kind, channel=channel, note=pitch, velocity=velocity, time=tick - now
        )
        track.append(message)
        now = tick

    return track


def make_scale(low, channel=0, intervals=(0,), beats=8, beat=480):
    """Returns a track of rising notes, one each beat, with all `intervals` above each."""
    events = []
    for index in range(beats):
        pitches = [low + index % 5 + interval for interval in intervals]
        events += [(index * beat, "note_on", pitch, 80) for pitch in pitches]
        events += [((index + 1) * beat, "note_off", pitch, 0) for pitch in pitches]

    return make_track(*events, channel=channel)


def make_chords(beats=8):
    """Returns a track of low major chords on the second channel."""
    return make_scale(40, channel=1, intervals=(0, 4, 7), beats=beats)


def make_drums(beats=8):
    """Returns a track of percussion."""
    return make_scale(35, channel=9, beats=beats)


def save(path, *tracks, kind=1, ticks_per_beat=480):
    """Saves tracks as a MIDI file of type `kind`."""
    mido.MidiFile(type=kind, ticks_per_beat=ticks_per_beat, tracks=list(tracks)).save(path)


def read_tracks(folder, *tracks, **file_options):
    """Saves tracks as tune.mid and reads them."""
    path = folder / "tune.mid"
    save(path, *tracks, **file_options)

    return read_midi(path)


def one_note(**fields):
    """Returns a score of one note."""
    return Score((Note(0, 24, 60),), **fields)


def make_waltz():
    """Returns a score of eight bars of 3/4 in G that says neither."""
    melody = [Note(24 * beat, 24, pitch) for beat, pitch in enumerate([67, 71, 74] * 8)]

    return Score(melody, [Chord(72 * bar, 72, (43, 47, 50)) for bar in range(8)])


# Reading


def test_a_written_score_is_read_back_equal(tmp_path, random_scores):
    path = tmp_path / "a.mid"
    for random_score in random_scores:
        score = dataclasses.replace(
            random_score,
            name=random_score.name or "x",
            key="F#m",
            time_signature=(6, 8),
            tempo_bpm=96.0,
            rhythm="jig",
        )

        write_midi(score, path)

        assert read_midi(path) == score


def test_a_written_score_is_read_back_equal_even_with_the_melody_below_the_chords(tmp_path):
    path = tmp_path / "a.mid"
    score = make_score(3)
    low_melody = [
        Note(chord.start_ticks, chord.duration_ticks, pitch)
        for chord in score.chords
        for pitch in chord.pitches
    ]
    high_chords = {
        note.start_ticks: Chord(note.start_ticks, note.duration_ticks, (note.pitch,))
        for note in score.melody
    }
    upside_down = Score(low_melody, high_chords.values(), "D", (3, 4), name="x")

    write_midi(upside_down, path)

    assert read_midi(path) == upside_down


@pytest.mark.parametrize("tempo_bpm", [3.6, 97.3, 120.0, 333.0])
def test_the_tempo_is_read_back_to_a_microsecond_per_quarter(tmp_path, tempo_bpm):
    path = tmp_path / "a.mid"

    write_midi(one_note(tempo_bpm=tempo_bpm), path)

    assert abs(60e6 / read_midi(path).tempo_bpm - 60e6 / tempo_bpm) <= 0.5


@pytest.mark.parametrize("name", ["Drowsy Maggie", "Port na bPúcaí", "Čardáš № 1", "R:no rhythm"])
def test_a_name_in_any_script_is_read_back(tmp_path, name):
    path = tmp_path / "a.mid"

    write_midi(one_note(name=name), path)

    assert read_midi(path).name == name


def test_what_a_score_does_not_say_is_written_as_its_notes_tell(tmp_path):
    waltz = make_waltz()

    write_midi(waltz, tmp_path / "a.mid")

    read = read_midi(tmp_path / "a.mid")
    assert (read.time_signature, read.key) == ((3, 4), "G")
    assert (read.melody, read.chords) == (waltz.melody, waltz.chords)


def test_what_a_score_says_is_written_whatever_its_notes_tell(tmp_path):
    score = dataclasses.replace(make_waltz(), key="Em", time_signature=(6, 8))

    write_midi(score, tmp_path / "a.mid")

    read = read_midi(tmp_path / "a.mid")
    assert (read.time_signature, read.key) == ((6, 8), "Em")


def test_a_score_whose_notes_tell_no_key_is_written_without_one(tmp_path):
    chromatic = Score(tuple(Note(24 * step, 24, 60 + step) for step in range(12)))

    write_midi(chromatic, tmp_path / "a.mid")

    assert read_midi(tmp_path / "a.mid").key is None


@pytest.mark.parametrize("key", ["C", "Gb", "C#", "Am", "Ebm", "A#m"])
def test_a_key_is_read_back(tmp_path, key):
    path = tmp_path / "a.mid"

    write_midi(one_note(key=key), path)

    assert read_midi(path).key == key


def test_middle_c_is_pitch_60_in_the_file(tmp_path):
    path = tmp_path / "a.mid"

    write_midi(one_note(), path)

    pitches = [message.note for message in mido.MidiFile(path) if message.type == "note_on"]
    assert pitches == [60]


@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize("ticks_per_beat", [24, 100, 480, 32767])
def test_every_type_and_resolution_is_read(tmp_path, kind, ticks_per_beat):
    scale = make_scale(60, beats=3, beat=ticks_per_beat)

    score = read_tracks(tmp_path, scale, kind=kind, ticks_per_beat=ticks_per_beat)

    assert score.melody == (Note(0, 24, 60), Note(24, 24, 61), Note(48, 24, 62))
    assert score.chords == ()


def test_a_note_on_with_velocity_0_is_a_note_off(tmp_path):
    track = make_track((0, "note_on", 60, 80), (480, "note_on", 60, 0))

    assert read_tracks(tmp_path, track).melody == (Note(0, 24, 60),)


def test_of_overlapping_notes_of_one_pitch_the_first_ends_first(tmp_path):
    track = make_track(
        (0, "note_on", 60, 80),
        (480, "note_on", 60, 80),
        (960, "note_off", 60, 0),
        (1920, "note_off", 60, 0),
    )

    assert read_tracks(tmp_path, track).melody == (Note(0, 24, 60), Note(24, 72, 60))


def test_a_note_that_is_never_switched_off_ends_with_its_track(tmp_path):
    track = make_track(
        (0, "note_on", 60, 80),
        (480, "note_off", 60, 0),
        (480, "note_on", 62, 80),
        (1440, "note_off", 99, 0),
    )

    assert read_tracks(tmp_path, track).melody == (Note(0, 24, 60), Note(24, 48, 62))


def test_percussion_is_ignored(tmp_path):
    score = read_tracks(tmp_path, make_drums(beats=64), make_scale(72, beats=2))

    assert score.melody == (Note(0, 24, 72), Note(24, 24, 73))
    assert score.chords == ()


@pytest.mark.parametrize("chords_first", [False, True])
def test_melody_and_chords_are_found_by_their_notes(tmp_path, chords_first):
    tracks = [make_scale(72), make_chords()]
    if chords_first:
        tracks.reverse()

    score = read_tracks(tmp_path, *tracks)

    assert score.melody[0].pitch == 72
    assert score.chords[0].pitches == (40, 44, 47)


def test_the_channels_of_a_type_0_file_are_separate_streams(tmp_path):
    merged = mido.merge_tracks([make_scale(72), make_chords(), make_drums()])

    score = read_tracks(tmp_path, merged, kind=0)

    assert len(score.melody) == 8
    assert len(score.chords) == 8
    assert score.chords[0].pitches == (40, 44, 47)


def test_labels_have_defaults(tmp_path):
    score = read_tracks(tmp_path, make_scale(60))

    assert score.key is None
    assert score.time_signature is None
    assert score.tempo_bpm == 120.0
    assert score.name == "tune"
    assert score.rhythm is None


def test_impossible_labels_are_ignored(tmp_path):
    labels = mido.MidiTrack(
        [
            mido.MetaMessage("set_tempo", tempo=0),
            mido.MetaMessage("time_signature", numerator=0, denominator=4),
            mido.MetaMessage("time_signature", numerator=4, denominator=2**200),
        ]
    )

    score = read_tracks(tmp_path, labels, make_scale(60))

    assert score.time_signature is None
    assert score.tempo_bpm == 120.0


def test_the_name_of_a_track_with_notes_is_not_the_title(tmp_path):
    title = mido.MidiTrack([mido.MetaMessage("track_name", name="A Reel")])
    violin = mido.MidiTrack([mido.MetaMessage("track_name", name="Violin"), *make_scale(60)])

    assert read_tracks(tmp_path, violin).name == "tune"
    assert read_tracks(tmp_path, title, violin).name == "A Reel"


def test_the_name_of_the_only_track_of_a_type_0_file_is_the_title(tmp_path):
    track = mido.MidiTrack([mido.MetaMessage("track_name", name="A Reel"), *make_scale(60)])

    assert read_tracks(tmp_path, track, kind=0).name == "A Reel"


# Writing


def test_a_written_file_has_the_labels_and_programs_that_programs_show(tmp_path):
    path = tmp_path / "a.mid"
    score = Score(
        (Note(0, 24, 67),),
        (Chord(0, 24, (43, 50)),),
        key="G",
        time_signature=(3, 4),
        tempo_bpm=150.0,
        name="A Waltz",
    )

    write_midi(score, path)
    file = mido.MidiFile(path)

    assert file.type == 1
    assert [track.name for track in file.tracks] == ["A Waltz", "Melody", "Chords"]
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


def test_bars_begin_louder_and_the_melody_is_louder_than_the_chords(tmp_path):
    path = tmp_path / "a.mid"
    melody = [Note(24 * index, 24, 67) for index in range(6)]
    score = Score(melody, (Chord(0, 72, (43, 50)),), time_signature=(3, 4))

    write_midi(score, path)

    velocities = {0: [], 1: []}
    for message in mido.MidiFile(path):
        if message.type == "note_on":
            velocities[message.channel].append(message.velocity)
    first, second, third, fourth, *_ = velocities[0]
    assert first == fourth > second == third > max(velocities[1])


def test_a_repeated_pitch_is_switched_off_before_it_starts_again(tmp_path):
    path = tmp_path / "a.mid"

    write_midi(Score((Note(0, 24, 60), Note(24, 24, 60))), path)

    kinds = [message.type for message in mido.MidiFile(path) if "note_" in message.type]
    assert kinds == ["note_on", "note_off", "note_on", "note_off"]


@pytest.mark.parametrize(
    "fields, named",
    [
        ({"tempo_bpm": 3.5}, "tempo_bpm"),
        ({"tempo_bpm": 1e9}, "tempo_bpm"),
        ({"time_signature": (4, 3)}, "time_signature"),
        ({"time_signature": (256, 4)}, "time_signature"),
        ({"time_signature": (4, 128)}, "time_signature"),
        ({"key": "H"}, "'H'"),
    ],
)
def test_what_midi_cannot_store_is_refused_and_nothing_is_written(tmp_path, fields, named):
    with pytest.raises(ValueError, match=named):
        write_midi(one_note(**fields), tmp_path / "a.mid")

    assert os.listdir(tmp_path) == []


# Bad input


def sample_bytes():
    """Returns the bytes of a small MIDI file."""
    buffer = io.BytesIO()
    tracks = [make_scale(72, beats=3), make_chords(beats=3)]
    mido.MidiFile(type=1, tracks=tracks).save(file=buffer)

    return buffer.getvalue()


@pytest.mark.parametrize("data", [b"", b"MTh", b"RIFF\0\0\0\0", b"X:1\nT:a tune in ABC\n"])
def test_a_file_that_is_not_midi_is_refused_by_name(tmp_path, data):
    path = tmp_path / "a.mid"
    path.write_bytes(data)

    with pytest.raises(ValueError, match="a.mid is not a MIDI file: expected .* received"):
        read_midi(path)


def test_a_file_truncated_anywhere_is_refused_by_name(tmp_path):
    path = tmp_path / "a.mid"
    data = sample_bytes()
    end_of_first_track = data.index(b"MTrk", 18)  # there the header promises a track too many
    for length in set(range(4, len(data))) - {end_of_first_track}:
        path.write_bytes(data[:length])

        with pytest.raises(ValueError, match="a.mid is truncated: expected"):
            read_midi(path)


@pytest.mark.slow
def test_changed_bytes_raise_nothing_except_value_errors(tmp_path):
    path = tmp_path / "a.mid"
    rng = np.random.default_rng(0)
    data = np.frombuffer(sample_bytes(), np.uint8)

    num_refused = 0
    for _ in range(1500):
        changed = data.copy()
        indices = rng.integers(4, len(data), rng.integers(1, 6))
        changed[indices] = rng.integers(0, 256, len(indices))
        path.write_bytes(changed.tobytes())

        try:
            read_midi(path)
        except ValueError as error:
            assert "a.mid" in str(error)
            num_refused += 1

    assert 100 < num_refused < 1500  # some files were read and some were refused


@pytest.mark.parametrize(
    "tracks",
    [(), (mido.MidiTrack(),), (make_drums(),)],
    ids=["no track", "empty track", "only percussion"],
)
def test_a_file_without_notes_is_refused_by_name(tmp_path, tracks):
    with pytest.raises(ValueError, match="tune.mid holds no notes: expected"):
        read_tracks(tmp_path, *tracks)


def test_a_note_a_million_ticks_long_is_refused_with_its_tick(tmp_path):
    track = make_track((480, "note_on", 60, 80), (1000480, "note_off", 60, 0))

    message = (
        "tune.mid holds a note of pitch 60 at tick 24 that lasts 50000 ticks: "
        f"expected at most {LONGEST_TICKS}"
    )
    with pytest.raises(ValueError, match=message):
        read_tracks(tmp_path, track)


def test_a_silence_a_million_ticks_long_is_refused_with_its_tick(tmp_path):
    track = make_track(
        (0, "note_on", 60, 80),
        (480, "note_off", 60, 0),
        (1000480, "note_on", 60, 80),
        (1000960, "note_off", 60, 0),
    )

    message = "tune.mid holds a silence at tick 24 that lasts 50000 ticks"
    with pytest.raises(ValueError, match=message):
        read_tracks(tmp_path, track)


def test_time_in_film_frames_is_refused(tmp_path):
    path = tmp_path / "a.mid"
    data = bytearray(sample_bytes())
    data[12:14] = b"\xe7\x28"
    path.write_bytes(data)

    with pytest.raises(ValueError, match="a.mid counts time in film frames"):
        read_midi(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_midi(tmp_path / "none.mid")
    with pytest.raises(ValueError, match="is not a regular file"):
        read_midi(tmp_path)


# The real tunes


@pytest.mark.slow
def test_every_nottingham_tune_is_read_with_the_melody_of_its_first_track(
    nottingham_folder, nottingham_scores
):
    assert len(nottingham_scores) == 1034
    assert sum(not score.chords for score in nottingham_scores.values()) == 13

    for name in sorted(nottingham_scores)[::100]:
        first_track = mido.MidiFile(nottingham_folder / f"{name}.mid").tracks[0]
        expected = {message.note for message in first_track if message.type == "note_on"}
        assert {note.pitch for note in nottingham_scores[name].melody} == expected


def test_nottingham_tunes_keep_their_double_stops(nottingham_scores):
    num_double_stops = sum(
        first.start_ticks == second.start_ticks
        for score in nottingham_scores.values()
        for first, second in itertools.pairwise(score.melody)
    )

    assert num_double_stops == 750  # the files hold 754, of which 4 are one pitch twice


def test_nottingham_tunes_keep_their_labels(nottingham_scores):
    jig = nottingham_scores["jigs1"]

    assert jig.key == "A"
    assert jig.time_signature == (6, 8)
    assert jig.tempo_bpm == 120.0
    assert jig.name == "jigs1"
    assert jig.melody[0] == Note(60, 12, 78)


@pytest.mark.slow
def test_every_nottingham_tune_is_read_back_equal(tmp_path, nottingham_scores):
    path = tmp_path / "a.mid"
    for score in nottingham_scores.values():
        write_midi(score, path)

        assert read_midi(path) == score


def test_random_scores_have_double_stops_and_rests():
    score = make_score(0)

    starts = [note.start_ticks for note in score.melody]
    assert len(set(starts)) < len(starts)
    pairs = itertools.pairwise(score.melody)
    assert any(first.end_ticks < second.start_ticks for first, second in pairs)
