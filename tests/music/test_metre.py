"""Claims about tfseqgan.music.metre."""

import mido
import pytest

from tfseqgan.music.abc_notation import to_abc
from tfseqgan.music.metre import (
    bar_lines,
    bar_ticks,
    beam_ticks,
    first_bar_line,
    pick_up_ticks,
    starts_bar,
)
from tfseqgan.music.midi import write_midi
from tfseqgan.music.score import Chord, Note, Score


@pytest.mark.parametrize(
    "time_signature, bar, beam",
    [((4, 4), 96, 48), ((3, 4), 72, 24), ((6, 8), 72, 36), ((2, 2), 96, 48), ((7, 8), 84, 24)],
)
def test_a_bar_and_its_beams_follow_from_the_time_signature(time_signature, bar, beam):
    score = Score((), time_signature=time_signature)

    assert bar_ticks(score) == bar
    assert beam_ticks(score) == beam


def test_bars_are_refused_where_the_metre_is_unknown():
    with pytest.raises(ValueError, match="received None.*with_metre_and_key"):
        bar_ticks(Score((Note(0, 24, 60),), name="a tune"))


def test_bar_lines_are_counted_from_the_first_chord_after_a_pick_up():
    score = Score((Note(0, 240, 67),), (Chord(24, 72, (43,)),), time_signature=(3, 4))

    assert first_bar_line(score) == 24
    assert list(bar_lines(score, score.end_ticks)) == [24, 96, 168, 240]


def test_bar_lines_are_counted_from_the_start_without_a_pick_up():
    score = Score((Note(0, 240, 67),), time_signature=(3, 4))

    assert first_bar_line(score) == 72
    assert list(bar_lines(score, score.end_ticks)) == [72, 144, 216, 288]


# Kind L: the accents of write_midi and the bar lines of to_abc agree


def waltz(pitches, chord_ticks, **fields):
    """Returns a melody of quarters in 3/4 over chords that start at the ticks."""
    melody = tuple(Note(24 * index, 24, pitch) for index, pitch in enumerate(pitches))
    chords = tuple(Chord(tick, 24, (43, 47, 50)) for tick in chord_ticks)

    return Score(melody, chords, **{"time_signature": (3, 4), **fields})


def accented_ticks(score, path):
    """Returns the ticks at which the notes of the file are louder, by the MIDI file alone."""
    write_midi(score, path)

    ticks = set()
    for track in mido.MidiFile(path).tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity in (92 + 12, 64 + 12):
                ticks.add(now * 24 // 480)

    return sorted(ticks)


def test_kind_l_bars_begin_louder_after_the_pick_up(tmp_path):
    score = waltz((62, 67, 69, 71, 72, 71, 69), chord_ticks=(24, 96))

    assert accented_ticks(score, tmp_path / "a.mid") == [24, 96]


@pytest.mark.parametrize(
    "score",
    [
        waltz((62, 67, 69, 71, 72, 71, 69), chord_ticks=(24, 96)),
        waltz((62, 64, 67, 69, 71, 72, 71, 69), chord_ticks=(48, 120)),
        waltz((62, 67, 69, 71, 72, 71, 69), chord_ticks=(24, 96), time_signature=(2, 4)),
        waltz((62, 67, 69, 71, 72, 71, 69), chord_ticks=(24,), time_signature=(6, 8)),
        waltz((62, 67, 69, 71, 72, 71, 69), chord_ticks=(0, 72)),
        waltz((62, 67, 69, 71, 72, 71, 69), chord_ticks=(96,)),
        waltz((62, 67, 69, 71, 72, 71, 69), chord_ticks=()),
    ],
    ids=["quarter", "half", "2/4", "6/8", "no pick-up", "chord in bar 2", "no chords"],
)
def test_kind_l_louder_notes_are_after_the_bar_lines_of_abc(tmp_path, score):
    end = score.end_ticks
    starts = [0, *bar_lines(score, end)] if not pick_up_ticks(score) else bar_lines(score, end)
    onsets = {event.start_ticks for event in (*score.melody, *score.chords)}

    assert accented_ticks(score, tmp_path / "a.mid") == sorted(onsets & set(starts))
    assert to_abc(score).count("|") == sum(0 < line < end for line in bar_lines(score, end)) + 1


def test_kind_l_a_bar_that_the_grid_cannot_express_is_counted_exactly():
    score = Score((), time_signature=(9, 64))  # 13.5 ticks

    assert [tick for tick in range(60) if starts_bar(score, tick)] == [0, 27, 54]


@pytest.mark.parametrize("rests", [0, 12])
def test_a_pick_up_is_music_before_the_first_chord(rests):
    melody = (Note(rests, 24 - rests, 62), Note(24, 72, 67))
    score = Score(melody, (Chord(24, 72, (43,)),), time_signature=(3, 4))

    assert pick_up_ticks(score) == (0 if rests else 24)
