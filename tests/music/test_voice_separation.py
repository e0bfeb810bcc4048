"""Claims about tfseqgan.music.voice_separation."""

from fractions import Fraction

import numpy as np
import pytest

from tfseqgan.music.voice_separation import quantise, separate_melody_and_chords, to_voice

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


@pytest.mark.parametrize("streams", [[MELODY, CHORDS], [CHORDS, MELODY], [[], CHORDS, [], MELODY]])
def test_of_two_streams_the_monophonic_high_one_is_the_melody(streams):
    assert separate_melody_and_chords(streams) == (MELODY, CHORDS)


def test_of_many_streams_the_most_melodic_and_the_most_chordal_are_kept():
    streams = [BASS, CHORDS, SECOND_VOICE, HIGH_DRONE, MELODY]

    assert separate_melody_and_chords(streams) == (MELODY, CHORDS)


def test_a_single_stream_without_chords_is_all_melody():
    assert separate_melody_and_chords([SECOND_VOICE]) == (SECOND_VOICE, [])


def test_a_single_stream_with_chords_is_split_by_pitch():
    melody, chords = separate_melody_and_chords([CHORDS + MELODY])

    assert melody == MELODY
    assert sorted(chords) == sorted(CHORDS)


def test_a_chord_that_starts_under_a_held_melody_note_is_not_melody():
    held = [(96 * i, 96 * i + 96, 72 + i) for i in range(4)]
    strummed = [(24 * i, 24 * i + 24, pitch) for i in range(16) for pitch in (43, 47, 50)]

    melody, chords = separate_melody_and_chords([strummed + held])

    assert melody == held
    assert sorted(chords) == sorted(strummed)


def test_without_notes_both_voices_are_empty():
    assert separate_melody_and_chords([]) == ([], [])
    assert separate_melody_and_chords([[], []]) == ([], [])
