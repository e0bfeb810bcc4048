"""Claims about tfseqgan.music.voice_separation."""

from fractions import Fraction

import numpy as np
import pytest

from tfseqgan.music.voice_separation import (
    Stream,
    join_channels,
    quantise,
    separate_voices,
    to_chords,
    to_voice,
)

MELODY = [(24 * i, 24 * i + 24, 67 + i % 7) for i in range(32)]
CHORDS = [(96 * i, 96 * i + 96, pitch) for i in range(8) for pitch in (43, 47, 50)]
BASS = [(48 * i, 48 * i + 48, 36 + i % 3) for i in range(16)]
HIGH_DRONE = [(0, 384, 90), (384, 768, 90)]
SECOND_VOICE = [  # every second onset is a double stop
    (24 * i, 24 * i + 24, 62 + i % 3 + 4 * extra) for i in range(32) for extra in range(1 + i % 2)
]


@pytest.mark.parametrize("ticks_per_beat", [1, 24, 96, 100, 480, 1024, 32767])
def test_quantising_rounds_to_the_nearest_tick_and_halves_up(ticks_per_beat):
    def round_exactly(time):
        return int(Fraction(24 * time, ticks_per_beat) + Fraction(1, 2))

    times = np.random.default_rng(0).integers(0, 10**6, size=(50, 2)).tolist()
    notes = [(start, end, 60) for start, end in times]

    expected = [(round_exactly(start), round_exactly(end), 60) for start, end in times]
    assert quantise(notes, ticks_per_beat) == expected


@pytest.mark.parametrize(
    "file_ticks, grid_ticks",
    [([0, 341, 683, 1024], [0, 8, 16, 24]), ([0, 171, 341, 512], [0, 4, 8, 12])],
    ids=["thirds", "sixths"],
)
def test_tuplets_that_the_file_rounded_fall_on_the_grid(file_ticks, grid_ticks):
    notes = quantise([(time, time, 60) for time in file_ticks], 1024)

    assert [start for start, _, _ in notes] == grid_ticks


def test_gaps_and_overlaps_of_one_file_tick_vanish():
    notes = [(0, 1023, 60), (1024, 2049, 62), (2048, 3072, 64)]

    assert quantise(notes, 1024) == [(0, 24, 60), (24, 48, 62), (48, 72, 64)]


def test_an_onset_ends_what_still_sounds():
    assert to_voice([(0, 96, 60), (24, 48, 62)]) == [(0, 24, (60,)), (24, 24, (62,))]


def test_notes_that_start_together_last_as_long_as_the_longest():
    notes = [(0, 12, 64), (0, 36, 60), (48, 60, 62)]

    assert to_voice(notes) == [(0, 36, (60, 64)), (48, 12, (62,))]


def test_a_doubled_note_becomes_one_pitch():
    assert to_voice([(0, 24, 60), (0, 24, 60)]) == [(0, 24, (60,))]


def test_an_ornament_is_dropped_at_a_note_and_lasts_a_tick_alone():
    assert to_voice([(24, 24, 62), (24, 48, 64)]) == [(24, 24, (64,))]
    assert to_voice([(24, 24, 62), (25, 48, 64)]) == [(24, 1, (62,)), (25, 23, (64,))]


def test_a_voice_does_not_depend_on_the_order_of_its_notes():
    rng = np.random.default_rng(1)
    notes = [
        (start, start + duration, pitch)
        for start, duration, pitch in rng.integers(0, 60, (80, 3)).tolist()
    ]

    for _ in range(5):
        shuffled = [notes[index] for index in rng.permutation(80)]
        assert to_voice(shuffled) == to_voice(notes)


def test_what_an_accompaniment_holds_is_struck_again_with_each_chord():
    bass = [(0, 96, 40)]
    chords = [(24 * i, 24 * i + 12, pitch) for i in range(4) for pitch in (60, 64)]

    assert to_chords(bass + chords) == [(24 * i, 24, (40, 60, 64)) for i in range(4)]


def test_an_overlap_of_less_than_half_a_chord_is_not_struck_again():
    assert to_chords([(0, 30, 48), (24, 48, 50)]) == [(0, 24, (48,)), (24, 24, (50,))]


def test_an_accompaniment_that_never_overlaps_itself_is_the_same_voice():
    assert to_chords(CHORDS) == to_voice(CHORDS)
    assert to_chords([(24, 24, 62), (24, 48, 64), (60, 72, 64)]) == [
        (24, 24, (64,)),
        (60, 12, (64,)),
    ]


def separate(*streams):
    """Returns the notes of the melody and of the chords, each in order."""
    tracks = [
        stream if isinstance(stream, Stream) else Stream(stream, track=index)
        for index, stream in enumerate(streams)
    ]
    voices = separate_voices(tracks)

    return sorted(voices.melody), sorted(voices.chords)


@pytest.mark.parametrize("streams", [[MELODY, CHORDS], [CHORDS, MELODY], [[], CHORDS, [], MELODY]])
def test_of_two_streams_the_monophonic_high_one_is_the_melody(streams):
    assert separate(*streams) == (MELODY, CHORDS)


def test_of_many_streams_the_most_melodic_is_the_melody_and_no_note_of_the_others_is_lost():
    melody, chords = separate(BASS, CHORDS, SECOND_VOICE, HIGH_DRONE, MELODY)

    assert melody == MELODY
    assert chords == sorted(BASS + CHORDS + SECOND_VOICE + HIGH_DRONE)


def test_a_single_stream_without_chords_is_all_melody():
    assert separate(SECOND_VOICE) == (SECOND_VOICE, [])


def test_a_single_stream_with_chords_is_split_by_pitch():
    assert separate(CHORDS + MELODY) == (MELODY, CHORDS)


def test_a_chord_that_starts_under_a_held_melody_note_is_not_melody():
    held = [(96 * i, 96 * i + 96, 72 + i) for i in range(4)]
    strummed = [(24 * i, 24 * i + 24, pitch) for i in range(16) for pitch in (43, 47, 50)]

    assert separate(strummed + held) == (held, strummed)


def test_without_notes_both_voices_are_empty():
    assert separate() == ([], [])
    assert separate([], []) == ([], [])


# One track with two voices


def test_one_track_with_a_bass_under_the_tune_is_split():
    bass = [(96 * i, 96 * i + 96, 43 + 5 * (i % 2)) for i in range(8)]

    assert separate(MELODY + bass) == (MELODY, bass)


def test_one_track_with_a_chord_while_the_melody_rests_keeps_the_chord_whole():
    melody = [note for note in MELODY if note[0] % 192 >= 24]  # every second bar begins with a rest

    assert separate(melody + CHORDS) == (melody, CHORDS)


def test_one_track_with_chords_before_the_melody_begins_keeps_the_chords_whole():
    melody = [(start + 384, end + 384, pitch) for start, end, pitch in MELODY]
    vamp = CHORDS[:12]

    assert separate(vamp + melody) == (melody, vamp)


def test_one_track_of_two_voices_in_equal_rhythm_is_split_if_they_lie_an_octave_apart():
    low = [(start, end, 48 + index % 3) for index, (start, end, _) in enumerate(MELODY)]

    assert separate(MELODY + low) == (MELODY, low)


def test_one_track_with_ornaments_keeps_the_notes_that_they_adorn():
    ornaments = [(start, start, pitch + 2) for start, _, pitch in MELODY[::2]]

    melody, chords = separate(MELODY + ornaments)
    split_melody, split_chords = separate(MELODY + ornaments + CHORDS)

    assert (to_voice(melody), chords) == (to_voice(MELODY), [])
    assert (split_melody, split_chords) == (MELODY, CHORDS)


def test_one_track_with_a_walking_bass_while_the_melody_rests_keeps_the_bass_whole():
    melody = [note for note in MELODY if note[0] % 192 >= 48]
    bass = [(24 * i, 24 * i + 24, (43, 47, 50, 52)[i % 4]) for i in range(32)]

    assert separate(melody + bass) == (melody, bass)


def test_one_track_in_legato_is_all_melody():
    legato = [(start, end + 6, pitch) for start, end, pitch in MELODY]

    assert separate(legato) == (legato, [])


def test_one_track_keeps_the_double_stops_of_its_melody():
    melody = sorted(MELODY + [(start, end, pitch - 4) for start, end, pitch in MELODY[::6]])

    assert separate(melody + CHORDS) == (melody, CHORDS)


def test_one_track_of_a_chorale_gives_its_top_line():
    voices = [[(24 * i, 24 * i + 24, low + i % 3) for i in range(16)] for low in (48, 60, 64, 71)]

    melody, chords = separate(sum(voices, []))

    assert melody == voices[-1]
    assert chords == sorted(sum(voices[:-1], []))


# A track named as the melody


COUNTER_MELODY = [(16 * i, 16 * i + 16, 76 + i % 9) for i in range(48)]


@pytest.mark.parametrize(
    "name", ["Melody", "MELODY", "Lead Vocal", "vocals_1", "Lead_Square", "RH", "Piano right"]
)
def test_a_track_named_as_the_melody_is_the_melody_under_a_higher_one(name):
    melody = [(start, end, pitch - 12) for start, end, pitch in MELODY]

    voices = separate_voices([Stream(COUNTER_MELODY, "Bells", 0), Stream(melody, name, 1)])

    assert (voices.melody, voices.chords) == (melody, COUNTER_MELODY)


def test_a_track_named_as_accompaniment_is_not_the_melody():
    melody = [(start, end, pitch - 12) for start, end, pitch in MELODY]

    for name in ("BRIDGE", "Strings", "backing vocals", "Left Hand"):
        assert separate(Stream(COUNTER_MELODY, name), Stream(melody)) == (melody, COUNTER_MELODY)


@pytest.mark.parametrize("name", ["Piano Solo", "Piano right", "Harpsichord"])
def test_a_track_named_after_a_keyboard_is_split_if_it_holds_both_voices(name):
    held = [(48 * i, 48 * i + 48, 50) for i in range(16)]

    assert separate(Stream(MELODY + held, name), Stream(BASS, "Bass")) == (
        MELODY,
        sorted(held + BASS),
    )
    assert separate(Stream(MELODY + held, name)) == (MELODY, held)


@pytest.mark.parametrize("name", ["Melody", "Vocals"])
def test_a_track_named_after_a_voice_is_taken_at_its_word(name):
    with_tail = [(start, end + 18, pitch) for start, end, pitch in MELODY]

    assert separate(Stream(with_tail, name), Stream(BASS, track=1)) == (with_tail, BASS)
    assert separate(Stream(with_tail, name)) == (with_tail, [])


def test_of_tracks_with_equal_names_the_notes_tell_the_melody():
    assert separate(Stream(BASS, "Violin"), Stream(MELODY, "Violin")) == (MELODY, BASS)
    assert separate(Stream(BASS, "Strings"), Stream(MELODY, "Strings")) == (MELODY, BASS)


def test_a_track_named_as_the_melody_that_holds_a_few_notes_is_not_the_melody():
    assert separate(Stream(MELODY[:1], "Vocal"), Stream(MELODY, track=1)) == (MELODY, MELODY[:1])


# Height and monophony alone do not tell the melody


def test_features_find_a_lead_in_thirds_over_a_bass_line():
    lead = sorted(MELODY + [(start, end, pitch + 4) for start, end, pitch in MELODY])

    assert separate(BASS, lead) == (lead, BASS)


def test_features_find_a_low_melody_under_a_pad():
    low = [(start, end, pitch - 20) for start, end, pitch in MELODY]
    pad = [(start, end, pitch + 29) for start, end, pitch in CHORDS]

    assert separate(pad, low) == (low, pad)


def test_features_find_a_sung_line_under_higher_broken_chords():
    broken = [(12 * i, 12 * i + 12, 72 + (0, 4, 7, 12)[i % 4]) for i in range(64)]

    assert separate(broken, MELODY) == (MELODY, broken)


def test_features_leave_a_bass_program_out_of_the_choice():
    walking = [(start, end, pitch - 10) for start, end, pitch in MELODY]
    melody = sorted(MELODY + [(start, end, pitch - 5) for start, end, pitch in MELODY])

    bass = Stream(walking, program=32)

    assert separate(bass, Stream(melody, program=0)) == (melody, walking)


@pytest.mark.parametrize("fields", [{"program": 115}, {"name": "Percussion"}, {"name": "Drums 2"}])
def test_features_leave_percussion_on_a_pitched_channel_out(fields):
    clicks = Stream([(12 * i, 12 * i + 12, 84) for i in range(64)], **fields)

    voices = separate_voices([clicks, Stream(MELODY, track=1)])

    assert (voices.melody, voices.chords) == (MELODY, [])
    assert [stream.voice for stream in voices.streams] == ["left out", "melody"]
    assert separate(clicks) == (clicks.notes, [])  # if there is nothing else


# Accompaniment on several tracks or channels


def test_many_streams_lose_no_note_and_the_record_says_what_became_of_each():
    streams = [Stream(BASS, "Bass", 1), Stream(MELODY, "Flute", 2), Stream(CHORDS, "Pad", 3)]

    voices = separate_voices(streams)

    assert [(stream.name, stream.voice, stream.num_notes) for stream in voices.streams] == [
        ("Bass", "chords", 16),
        ("Flute", "melody", 32),
        ("Pad", "chords", 24),
    ]
    assert len(voices.melody) + len(voices.chords) == 16 + 32 + 24


def test_many_streams_of_one_note_each_are_joined_to_one_voice():
    mpe = [Stream(MELODY[index::8], channels=(index,)) for index in range(8)]

    assert separate(*mpe) == (MELODY, [])
    assert [stream.voice for stream in separate_voices(mpe).streams] == ["melody"]


def test_many_streams_are_the_strings_of_one_guitar_if_they_share_track_and_program():
    strings = [Stream(MELODY[index::6], channels=(index,), program=24) for index in range(6)]

    assert len(join_channels(strings)) == 1
    assert (
        len(join_channels([stream._replace(track=stream.channels[0]) for stream in strings])) == 6
    )
    assert len(join_channels([*strings, Stream(CHORDS, channels=(8,), program=24)])) == 2
    assert len(join_channels([Stream(MELODY), Stream(BASS, channels=(1,))])) == 2
