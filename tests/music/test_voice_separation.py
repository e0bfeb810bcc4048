"""Claims about tfseqgan.voices."""

from fractions import Fraction

import numpy as np
import pytest

from tfseqgan.music.voice_separation import quantise, separate_melody_and_chords, to_voice

MELODY = [(24 * i, 24 * i + 24, 67 + i % 7) for i in range(32)]
CHORDS = [(96 * i, 96 * i + 96, pitch) for i in range(8) for pitch in (43, 47, 50)]
BASS = [(48 * i, 48 * i + 48, 36 + i % 3) for i in range(16)]
HIGH_DRONE = [(0, 384, 90), (384, 768, 90)]
INNER = [
    (24 * i, 24 * i + 24, 62 + i % 3 + 4 * double) for i in range(32) for double in range(1 + i % 2)
]


@pytest.mark.parametrize("ticks_per_beat", [1, 24, 96, 100, 480, 1024, 32767])
def test_quantising_rounds_to_the_nearest_tick_halves_up(ticks_per_beat):
    times = np.random.default_rng(0).integers(0, 10**6, size=(50, 2)).tolist()
    nearest = [
        tuple(int(Fraction(24 * time, ticks_per_beat) + Fraction(1, 2)) for time in pair)
        for pair in times
    ]
    assert [
        note[:2] for note in quantise([(*pair, 60) for pair in times], ticks_per_beat)
    ] == nearest


def test_tuplets_that_the_file_rounded_fall_on_the_grid():
    thirds, sixths = [0, 341, 683, 1024], [0, 171, 341, 512]
    assert [start for start, _, _ in quantise([(time, time, 60) for time in thirds], 1024)] == [
        0,
        8,
        16,
        24,
    ]
    assert [start for start, _, _ in quantise([(time, time, 60) for time in sixths], 1024)] == [
        0,
        4,
        8,
        12,
    ]


def test_gaps_and_overlaps_of_one_file_tick_vanish():
    assert quantise([(0, 1023, 60), (1024, 2049, 62), (2048, 3072, 64)], 1024) == [
        (0, 24, 60),
        (24, 48, 62),
        (48, 72, 64),
    ]


def test_an_onset_cuts_what_sounds():
    assert to_voice([(0, 96, 60), (24, 48, 62)]) == [(0, 24, (60,)), (24, 24, (62,))]


def test_notes_of_one_onset_last_as_long_as_the_longest():
    assert to_voice([(0, 12, 64), (0, 36, 60), (48, 60, 62)]) == [
        (0, 36, (60, 64)),
        (48, 12, (62,)),
    ]


def test_a_unison_is_struck_once():
    assert to_voice([(0, 24, 60), (0, 24, 60)]) == [(0, 24, (60,))]


def test_an_ornament_is_dropped_before_its_note_and_lasts_a_tick_alone():
    assert to_voice([(24, 24, 62), (24, 48, 64)]) == [(24, 24, (64,))]
    assert to_voice([(24, 24, 62), (25, 48, 64)]) == [(24, 1, (62,)), (25, 23, (64,))]


def test_a_voice_is_the_same_whatever_the_order_of_its_notes():
    rng = np.random.default_rng(1)
    notes = [
        (int(start), int(start + length), int(pitch))
        for start, length, pitch in rng.integers(0, 60, (80, 3))
    ]
    for _ in range(5):
        assert to_voice([notes[i] for i in rng.permutation(80)]) == to_voice(notes)


@pytest.mark.parametrize("streams", [[MELODY, CHORDS], [CHORDS, MELODY], [[], CHORDS, [], MELODY]])
def test_of_two_streams_the_monophonic_high_one_is_the_melody(streams):
    assert separate_melody_and_chords(streams) == (MELODY, CHORDS)


def test_of_many_streams_the_most_tuneful_and_the_most_chordal_are_kept():
    assert separate_melody_and_chords([BASS, CHORDS, INNER, HIGH_DRONE, MELODY]) == (MELODY, CHORDS)


def test_one_stream_without_chords_is_all_melody():
    assert separate_melody_and_chords([INNER]) == (INNER, [])


def test_one_stream_with_chords_is_split_by_height():
    melody, chords = separate_melody_and_chords([CHORDS + MELODY])
    assert (melody, sorted(chords)) == (MELODY, sorted(CHORDS))


def test_a_chord_struck_under_a_held_melody_note_is_no_melody():
    held = [(96 * i, 96 * i + 96, 72 + i) for i in range(4)]
    strummed = [(24 * i, 24 * i + 24, pitch) for i in range(16) for pitch in (43, 47, 50)]
    melody, chords = separate_melody_and_chords([strummed + held])
    assert (melody, sorted(chords)) == (held, sorted(strummed))


def test_no_notes_give_no_parts():
    assert separate_melody_and_chords([]) == separate_melody_and_chords([[], []]) == ([], [])
