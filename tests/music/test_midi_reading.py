"""Claims about what `read_midi` makes of files from the wild: names, labels, defects, limits.

Most of them stand for public reports about other readers; `midi_bytes` writes the files.
"""

import json
import logging
import os
import struct

import pytest
from midi_bytes import (
    SCALE,
    chunk,
    key,
    meta,
    metre,
    midi_file,
    named,
    number,
    switches,
    tempo,
    track,
)

from tfseqgan.music.abc_notation import to_abc
from tfseqgan.music.midi import read_midi, read_midi_with_voices, write_midi
from tfseqgan.music.midi_parsing import parse_midi
from tfseqgan.music.midi_streams import pair_switches
from tfseqgan.music.score import LONGEST_TICKS, Chord, Note, Score
from tfseqgan.music.text import decode_text, printable_path

SCALE_PITCHES = [60, 62, 64, 65]


@pytest.fixture
def read(tmp_path):
    """Returns a function that reads the bytes of a file."""

    def read_bytes(data, name="tune.mid"):
        (tmp_path / name).write_bytes(data)

        return read_midi(tmp_path / name)

    return read_bytes


def line(pitches, duration=24):
    """Returns notes one after the other."""
    return [
        (index * duration, (index + 1) * duration, pitch) for index, pitch in enumerate(pitches)
    ]


def triads(num_bars, *pitches):
    """Returns a chord for each bar of four quarters."""
    return [(96 * bar, 96 * bar + 96, pitch) for bar in range(num_bars) for pitch in pitches]


def pitches_of(score):
    """Returns the pitches of the melody."""
    return [note.pitch for note in score.melody]


def voice_track(notes, name=None, channel=0):
    """Returns a track of notes, with or without a name."""
    head = [] if name is None else [named(name)]

    return track(*head, *switches(notes, channel))


# One track with two voices

MARY = [64, 62, 60, 62, 64, 64, 64, 62]


def test_one_track_with_a_held_bass_gives_the_tune_over_the_bass(read):
    bass = [(0, 96, 48), (96, 192, 43)]

    score = read(midi_file(voice_track(line(MARY) + bass)))

    assert pitches_of(score) == MARY
    assert score.chords == (Chord(0, 96, (48,)), Chord(96, 96, (43,)))


@pytest.mark.parametrize(
    "lower",
    [
        triads(2, 43, 47, 50),
        line([48, 55] * 4),
        [(0, 96, 48), (48, 96, 55), (96, 192, 48)],
        line([48, 52, 55, 52] * 4, 12),
    ],
    ids=["chords", "bass in quarters", "held and entering", "broken chords"],
)
def test_one_track_gives_the_same_score_as_two(read, lower):
    tune = line([pitch + 8 for pitch in MARY])

    apart = read(midi_file(voice_track(tune), voice_track(lower, channel=1)))
    together = read(midi_file(voice_track(tune + lower)))

    assert pitches_of(apart) == [pitch + 8 for pitch in MARY]
    assert together == apart


# A track named as the melody


def test_a_track_named_melody_is_the_melody_among_the_tracks_of_pop909(read):
    melody = line([64, 65, 67, 64] * 4)
    bridge = line([72, 76, 79] * 4, 32)
    piano = triads(4, 48, 52, 55)
    tracks = [
        voice_track(melody, "MELODY", 0),
        voice_track(bridge, "BRIDGE", 1),
        voice_track(piano, "PIANO", 2),
    ]

    score = read(midi_file(track(tempo(90)), *tracks))

    assert pitches_of(score) == [64, 65, 67, 64] * 4
    assert score.chords[0] == Chord(0, 32, (48, 52, 55, 72))
    assert read(midi_file(*reversed(tracks))).melody == score.melody


def test_a_track_named_after_its_instrument_is_found_by_that_name(read):
    lead = track((0, meta(4, b"Lead Vocal")), *switches(line([60, 62] * 4)))

    score = read(midi_file(voice_track(line([80, 81] * 4), "Bells", 1), lead))

    assert pitches_of(score) == [60, 62] * 4


def test_a_track_named_as_write_midi_does_keeps_its_notes_whatever_they_are(read):
    chords = triads(4, 60, 64, 67)
    tune = line([40, 41, 43, 41] * 4)

    score = read(midi_file(voice_track(chords, "Melody"), voice_track(tune, "Chords", 1)))

    assert pitches_of(score) == [60, 64, 67] * 4
    assert [chord.pitches for chord in score.chords] == [(40,), (41,), (43,), (41,)] * 4


# Accompaniment on several tracks or channels


def test_many_streams_of_a_quartet_become_one_line_over_chords(read):
    voices = [[72, 71, 69, 71], [67, 67, 65, 67], [64, 62, 60, 62], [48, 55, 53, 55]]
    chords = [(48, 64, 67), (55, 62, 67), (53, 60, 65), (55, 62, 67)]
    tracks = [voice_track(line(voice), channel=index) for index, voice in enumerate(voices)]
    one_track = [note for voice in voices for note in line(voice)]

    apart = read(midi_file(*tracks))
    together = read(midi_file(voice_track(one_track)))

    for score in (apart, together):
        assert pitches_of(score) == voices[0]
        assert [chord.pitches for chord in score.chords] == chords


def test_many_streams_that_one_instrument_plays_on_a_channel_for_each_note_are_joined(read):
    notes = line([60, 62, 64, 65, 67, 69, 71, 72])
    messages = [
        (0, bytes([status | index % 8, pitch, 64]))
        for index, (_, _, pitch) in enumerate(notes)
        for status in (0x90, 0x80)
    ]
    messages = [(24 if index % 2 else 0, message) for index, (_, message) in enumerate(messages)]

    score = read(midi_file(track(*messages)))

    assert pitches_of(score) == [60, 62, 64, 65, 67, 69, 71, 72]


def test_many_streams_are_named_with_what_became_of_them(tmp_path):
    path = tmp_path / "tune.mid"
    clicks = line([84] * 32, 12)
    path.write_bytes(
        midi_file(
            voice_track(line(MARY), "Flute", 0),
            voice_track(triads(2, 48, 52), "Organ", 1),
            voice_track(clicks, "Percussion", 2),
            voice_track(clicks, "Kit", 9),
        )
    )

    score, streams = read_midi_with_voices(path)

    assert score == read_midi(path)
    assert [(stream.track, stream.name, stream.voice, stream.num_notes) for stream in streams] == [
        (0, "Flute", "melody", 8),
        (1, "Organ", "chords", 4),
        (2, "Percussion", "left out", 32),
        (3, "Kit", "percussion", 32),
    ]


# Metre, tempo and key


@pytest.mark.parametrize(
    "signatures, expected",
    [
        ([metre(1, 2), metre(3, 2, 24)], (3, 4)),
        ([metre(1, 3), metre(3, 3, 12)], (3, 8)),
        ([metre(4, 2), metre(3, 2, 48)], (3, 4)),
        ([metre(3, 2), metre(1, 2, 144)], (3, 4)),
        ([metre(2, 2), metre(3, 2, 24), metre(2, 2, 48), metre(3, 2, 24)], (3, 4)),
        ([metre(6, 3, 96)], (4, 4)),
        ([metre(6, 3, 48)], (6, 8)),
        ([metre(3, 2), metre(4, 2, 84)], (3, 4)),
    ],
    ids=["1/4", "1/8", "4/4", "at the end", "in turn", "late", "early", "halves"],
)
def test_a_pick_up_bar_does_not_give_the_tune_its_metre(read, signatures, expected):
    score = read(midi_file(track(*signatures), voice_track(line(range(60, 67)))))

    assert score.time_signature == expected


def test_a_pick_up_bar_is_told_from_a_first_part_with_a_metre_of_its_own(read):
    signatures = track(metre(2, 2), metre(3, 2, 96))
    tune = line(range(60, 72))

    assert read(midi_file(signatures, voice_track(tune))).time_signature == (2, 4)
    assert read(midi_file(signatures, voice_track(line([60] * 17)))).time_signature == (3, 4)


def test_a_pick_up_count_in_without_notes_gives_neither_metre_nor_tempo(read):
    labels = track(metre(4, 2), tempo(60), metre(3, 2, 960), tempo(90))
    tune = [(start + 960, end + 960, pitch) for start, end, pitch in SCALE]

    score = read(midi_file(labels, voice_track(tune)))

    assert score.time_signature == (3, 4)
    assert score.tempo_bpm == pytest.approx(90, rel=1e-5)


@pytest.mark.parametrize(
    "tempos, expected",
    [
        ([tempo(60), tempo(90, 24)], 90),
        ([tempo(90), tempo(60, 72)], 90),
        ([tempo(90), tempo(60, 48)], 90),
        ([tempo(90, 24)], 90),
        ([tempo(90, 72)], 120),
    ],
    ids=["slow start", "slow end", "halves", "from the second quarter", "for the last quarter"],
)
def test_the_tempo_is_the_one_in_force_longest_and_120_before_the_first(read, tempos, expected):
    score = read(midi_file(track(*tempos), voice_track(SCALE)))

    assert score.tempo_bpm == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("in_one_track", [True, False])
def test_the_last_message_at_a_tick_rules(read, in_one_track):
    first = [tempo(120), metre(4, 2)]
    second = [tempo(90), metre(3, 2)]
    tracks = [first + second] if in_one_track else [first, second]

    score = read(midi_file(*(track(*labels) for labels in tracks), voice_track(SCALE)))

    assert score.tempo_bpm == pytest.approx(90, rel=1e-5)
    assert score.time_signature == (3, 4)


def test_the_last_message_at_a_tick_rules_for_the_key_within_a_track(read):
    tracks = [track(key(0), key(2)), track(key(-3)), voice_track(SCALE)]

    assert read(midi_file(*tracks)).key == "D"


@pytest.mark.parametrize(
    "keys, expected",
    [([key(1), key(2, 24)], "G"), ([key(1, 48)], "G"), ([key(1, 48), key(2, 24)], "G"), ([], None)],
)
def test_the_key_is_the_one_in_which_the_tune_begins(read, keys, expected):
    assert read(midi_file(track(*keys), voice_track(SCALE))).key == expected


# Defects that touch no note

BAD_MESSAGES = {
    "18 flats": meta(0x59, [256 - 18, 1]),
    "mode 255": meta(0x59, [254, 255]),
    "8 sharps": meta(0x59, [8, 0]),
    "empty key": meta(0x59, []),
    "short metre": meta(0x58, [3, 2]),
    "metre of 0": meta(0x58, [0, 2, 24, 8]),
    "short tempo": meta(0x51, [7]),
    "tempo of 0": meta(0x51, [0, 0, 0]),
    "long tempo": meta(0x51, [7] * 200),
    "short SMPTE offset": meta(0x54, [96]),
    "empty channel prefix": meta(0x20, []),
    "empty sequence number": meta(0x00, []),
    "unknown meta": meta(0x60, [1, 2, 3]),
    "control 168": bytes([0xB0, 7, 168]),
    "controller 200": bytes([0xB0, 200, 1]),
    "program 208": bytes([0xC0, 208]),
    "bend 255": bytes([0xE0, 255, 255]),
    "pitch 200": bytes([0x90, 200, 64]),
    "exclusive byte": bytes([0xF0, 3, 0x7D, 200, 0xF7]),
    "escape": bytes([0xF7, 2, 0xF3, 1]),
    "undefined F4": bytes([0xF4]),
    "undefined FD": bytes([0xFD]),
    "song position": bytes([0xF2, 1, 2]),
    "clock": bytes([0xF8]),
}


@pytest.mark.parametrize("message", BAD_MESSAGES.values(), ids=BAD_MESSAGES.keys())
def test_a_defect_that_touches_no_note_costs_no_tune(read, message):
    first, *others = switches(SCALE)

    score = read(midi_file(track((0, message), first, (0, message), *others, (9, message))))

    assert [(note.start_ticks, note.pitch) for note in score.melody] == [
        (start, pitch) for start, _, pitch in SCALE
    ]
    assert (score.key, score.time_signature) == (None, None)


def test_a_defect_of_velocity_leaves_the_note_on(read):
    messages = [
        (wait, message[:2] + (b"\xc8" if message[2] else b"\0"))
        for wait, message in switches(SCALE)
    ]

    assert pitches_of(read(midi_file(track(*messages)))) == SCALE_PITCHES


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\x3c\x40\x00\xff\x2f\x00",
        b"\x00\xff\x03\x7f",
        b"\xff\xff\xff\xff\x7f\x90",
        b"\x00\xf0\x7f\x00",
    ],
    ids=["no status", "half a name", "large number", "half an exclusive"],
)
def test_a_defect_that_hides_where_the_next_message_starts_is_refused(read, content):
    with pytest.raises(ValueError, match=r"tune.mid is damaged: expected .* received"):
        read(midi_file(chunk(b"MTrk", content)))


# Structure that a reader must step over


UNKNOWN = chunk(b"XFIH", b"abcd")


@pytest.mark.parametrize(
    "chunks, num_tracks",
    [
        ([UNKNOWN, voice_track(SCALE)], 1),
        ([track(named("a")), UNKNOWN, voice_track(SCALE)], 2),
        ([voice_track(SCALE), UNKNOWN], 1),
        ([voice_track(SCALE), b"\0"], 1),
        ([track(named("a")), b"\0\0\0", voice_track(SCALE)], 2),
        ([track(named("a")), b"\0" * 40, voice_track(SCALE)], 2),
        ([voice_track(SCALE), chunk(b"XFIH", b"abcd")[:-2]], 1),
        ([track(named("a")), voice_track(SCALE)], 1),
        ([voice_track(SCALE)], 0),
    ],
    ids=[
        "unknown first",
        "unknown between",
        "unknown last",
        "a byte after the end",
        "bytes between",
        "many bytes between",
        "cut unknown last",
        "fewer tracks promised",
        "no track promised",
    ],
)
def test_structure_that_holds_no_note_is_stepped_over(read, chunks, num_tracks):
    assert pitches_of(read(midi_file(*chunks, num_tracks=num_tracks))) == SCALE_PITCHES


def test_structure_with_fewer_tracks_than_promised_is_read_with_a_warning(read, caplog):
    score = read(midi_file(voice_track(SCALE), num_tracks=3))

    assert pitches_of(score) == SCALE_PITCHES
    assert "tune.mid holds 1 of the 3 tracks that its header promises" in caplog.text


@pytest.mark.parametrize("size", [0, 6, 10, 22, 2**31])
def test_structure_of_the_header_may_have_another_size(read, size):
    extra = bytes(4) if size == 10 else b""
    header = struct.pack(">4sIHHH", b"MThd", size, 1, 1, 24) + extra

    assert pitches_of(read(header + voice_track(SCALE))) == SCALE_PITCHES


def test_structure_of_a_riff_file_is_unwrapped(read):
    data = midi_file(voice_track(SCALE))
    size = struct.pack("<I", len(data))

    score = read(b"RIFF" + size + b"RMIDdata" + size + data)

    assert pitches_of(score) == SCALE_PITCHES


def test_structure_of_a_track_that_states_too_large_a_size_ends_with_its_end_of_track(read):
    name, content = b"MTrk", voice_track(SCALE)[8:]
    too_large = name + struct.pack(">I", len(content) + 50) + content

    assert pitches_of(read(midi_file(too_large))) == SCALE_PITCHES


@pytest.mark.parametrize(
    "between", [bytes([0xF0, 2, 1, 0xF7]), meta(1, b"text"), bytes([0xF8]), bytes([0xF6])]
)
def test_structure_of_running_status_lasts_through_other_messages(read, between):
    first, *others = switches(SCALE)
    running = [(wait, message[1:]) for wait, message in others]
    with_messages = [part for message in running for part in ((0, between), message)]

    score = read(midi_file(track(first, *with_messages)))

    assert pitches_of(score) == SCALE_PITCHES


@pytest.mark.parametrize("ending", [b"", b"\0", b"\0\xff", b"\0\xff\x2f"])
def test_structure_of_an_end_of_track_that_is_cut_short_is_stepped_over(read, ending):
    messages = b"".join(number(wait) + message for wait, message in switches(SCALE))

    assert pitches_of(read(midi_file(chunk(b"MTrk", messages + ending)))) == SCALE_PITCHES


def test_structure_without_any_track_is_refused(read):
    with pytest.raises(ValueError, match=r"is damaged: .* 1 chunks of which none is a track"):
        read(midi_file(UNKNOWN))


def test_structure_after_the_end_of_a_track_is_not_read():
    content = number(0) + meta(0x2F, b"") + number(0) + bytes([0x90, 60, 64])

    (raw,) = parse_midi(midi_file(chunk(b"MTrk", content)), "tune.mid").tracks

    assert raw.messages == []


# Limits


def test_a_limit_on_silence_counts_the_music_of_all_voices(read):
    beats = [*range(60), *range(340, 400)]
    melody = [(24 * beat, 24 * beat + 24, 72 + index % 5) for index, beat in enumerate(beats)]
    chords = [(start, start + 96, pitch) for start, _, _ in melody[::4] for pitch in (60, 64, 67)]
    bass = line([36 + index % 3 for index in range(400)])

    score = read(
        midi_file(
            voice_track(melody, channel=0),
            voice_track(chords, channel=1),
            voice_track(bass, channel=2),
        )
    )

    assert len(score.melody) == 120


def test_a_limit_does_not_speak_of_the_end_of_the_track(read):
    late_end = track(*switches(SCALE), wait=10**6)

    assert [note.duration_ticks for note in read(midi_file(late_end)).melody] == [24] * 4


def test_a_limit_does_not_speak_of_a_last_note_that_is_never_switched_off(read):
    *others, _ = switches(SCALE)

    score = read(midi_file(track(*others, wait=10**6)))

    assert score.melody[-1] == Note(72, 96, 65)


def test_a_limit_does_not_speak_of_percussion_or_other_streams_that_are_left_out(read):
    hum = voice_track([(0, 10**5, 60)], "Percussion", 1)

    assert pitches_of(read(midi_file(voice_track(SCALE), hum))) == SCALE_PITCHES


def test_a_limit_on_chords_strikes_a_long_drone_again(read):
    drone = [(0, 300 * 24, 48)]

    score = read(midi_file(voice_track(line([72] * 300)), voice_track(drone, channel=1)))

    assert score.chords == (Chord(0, LONGEST_TICKS, (48,)), Chord(LONGEST_TICKS, 1056, (48,)))


def test_a_limit_on_drones_holds_after_sixteen_strikes(read):
    longest = 16 * LONGEST_TICKS
    tune = voice_track(line([72] * 16))

    score = read(midi_file(tune, voice_track([(0, longest, 48)], channel=1)))
    with pytest.raises(ValueError, match=r"holds a chord of pitches \(48,\) at tick 0 that lasts"):
        read(midi_file(tune, voice_track([(0, longest + 1, 48)], channel=1)))

    assert len(score.chords) == 16


@pytest.mark.parametrize("start, first_start", [(6144, 6144), (6145, 1), (96 * 100 + 30, 30)])
def test_a_limit_on_silence_moves_a_clip_from_the_middle_to_the_front_by_whole_bars(
    read, start, first_start
):
    clip = [(note_start + start, end + start, pitch) for note_start, end, pitch in SCALE]

    assert read(midi_file(voice_track(clip))).melody[0] == Note(first_start, 24, 60)


@pytest.mark.parametrize(
    "switches_of_key, notes",
    [
        ([(0, True), (9, True), (12, False), (15, False)], [(0, 12), (9, 15)]),
        ([(0, True), (9, True), (12, False)], [(0, 9), (9, 12)]),
        ([(0, True), (0, True), (12, False)], [(0, 0), (0, 12)]),
        ([(0, True), (9, False), (12, True)], [(0, 9), (12, 99)]),
        ([(0, True), (9, False), (12, False)], [(0, 9)]),
        (
            [(0, True), (3, False), (6, True), (9, True), (12, False), (15, True), (18, False)],
            [(0, 3), (6, 9), (9, 12), (15, 18)],
        ),
    ],
    ids=[
        "overlap",
        "missing off",
        "doubled",
        "last never off",
        "stray off",
        "missing in the middle",
    ],
)
def test_a_missing_note_off_ends_its_note_where_the_key_starts_again(switches_of_key, notes):
    assert pair_switches(switches_of_key, 99) == notes


def test_a_missing_note_off_does_not_stretch_the_notes_to_come(read):
    messages = [(0, [0x90, 60, 64]), *switches(line([60, 62, 64]))]

    assert read(midi_file(track(*messages))).melody == (
        Note(0, 24, 60),
        Note(24, 24, 62),
        Note(48, 24, 64),
    )


def test_a_file_too_large_for_music_is_refused_by_name(tmp_path):
    path = tmp_path / "large.mid"
    with path.open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(
        ValueError, match=r"large.mid holds 1099511627776 bytes; expected at most 67108864"
    ):
        read_midi(path)


# File names


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX alone")
def test_a_file_name_that_is_not_text_is_shown_escaped(tmp_path, read):
    score = read(midi_file(voice_track(SCALE)), os.fsdecode(b"caf\xe9.mid"))

    assert score.name == r"caf\xe9"
    to_abc(score).encode()
    write_midi(score, tmp_path / "again.mid")
    assert read_midi(tmp_path / "again.mid").name == score.name


def test_a_file_name_in_a_score_of_your_own_is_written_escaped(tmp_path):
    score = Score((Note(0, 24, 60),), name="caf\udce9", rhythm="\udce9")

    write_midi(score, tmp_path / "again.mid")

    assert read_midi(tmp_path / "again.mid").name == score.name == r"caf\xe9"


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX alone")
@pytest.mark.parametrize("data", [b"no MIDI", midi_file(), midi_file(track())])
def test_a_file_name_that_is_not_text_stands_escaped_in_errors(read, data):
    with pytest.raises(ValueError) as error:
        read(data, os.fsdecode(b"caf\xe9.mid"))

    assert r"caf\xe9.mid" in str(error.value)
    json.dumps(str(error.value)).encode()


@pytest.mark.parametrize(
    "name, shown",
    [
        ("tune.mid", "tune.mid"),
        ("Čardáš/№ 1.mid", "Čardáš/№ 1.mid"),
        ("a\nb\x1b.mid", r"a\nb\x1b.mid"),
    ],
)
def test_a_file_name_is_shown_without_control_characters(name, shown):
    assert printable_path(name) == shown


# Titles


@pytest.mark.parametrize(
    "data, title",
    [
        (b"Tune\0", "Tune"),
        (b"Midi recording 38\0\0garbage", "Midi recording 38"),
        (b"\0Tune", "Tune"),
        ("Café".encode(), "Café"),
        ("Café".encode("utf-8-sig"), "Café"),
        ("Café".encode("cp1252"), "Café"),
        ("Don’t – “Stop”".encode("cp1252"), "Don’t – “Stop”"),
        ("© 1998 Åse Näs, créée à Évian".encode("latin-1"), "© 1998 Åse Näs, créée à Évian"),
        ("Čardáš № 1".encode("utf-16"), "Čardáš № 1"),
        ("Tune".encode("utf-16-le"), "Tune"),
        ("Tune".encode("utf-16-be"), "Tune"),
        ("交響曲第７番".encode("shift-jis"), "交響曲第７番"),
        ("ふるさと (Furusato)".encode("shift-jis"), "ふるさと (Furusato)"),
        (b"a\x1b[31m\x07 reel\r\nby me\t ", "a[31m reel by me"),
        (b"", ""),
        (b"X", "X"),
        (b"\0\0\0", ""),
        (b"\x81\x8d\x90", "\ufffd" * 3),
    ],
)
def test_a_title_is_decoded_without_what_cannot_be_shown(data, title):
    assert decode_text(data) == title


@pytest.mark.parametrize(
    "data, name",
    [(b"Tune\0", "Tune"), ("春の海".encode("shift-jis"), "春の海"), (b"\0 \x1b", "tune")],
)
def test_a_title_is_the_name_of_the_score_or_else_the_file_name_is(read, data, name):
    score = read(midi_file(track(named(data)), voice_track(SCALE)))

    assert score.name == name
    assert "\0" not in to_abc(score)


def test_a_title_of_a_type_0_file_is_no_evidence_of_the_melody(read):
    title = named("Bridge over the Strings")
    data = midi_file(track(title, *switches(SCALE)), kind=0)

    assert read(data).name == "Bridge over the Strings"
    assert pitches_of(read(data)) == SCALE_PITCHES


def test_the_log_is_silent_for_a_good_file(read, caplog):
    with caplog.at_level(logging.DEBUG, "tfseqgan"):
        read(midi_file(voice_track(SCALE)))

    assert caplog.text == ""
