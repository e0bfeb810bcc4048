"""Claims about tfseqgan.music.metre."""

import pytest

from tfseqgan.music.metre import bar_lines, bar_ticks, beam_ticks, first_bar_line
from tfseqgan.music.score import Chord, Note, Score


@pytest.mark.parametrize(
    "time_signature, bar, beam",
    [((4, 4), 96, 48), ((3, 4), 72, 24), ((6, 8), 72, 36), ((2, 2), 96, 48), ((7, 8), 84, 24)],
)
def test_a_bar_and_its_beams_follow_from_the_time_signature(time_signature, bar, beam):
    score = Score((), time_signature=time_signature)

    assert bar_ticks(score) == bar
    assert beam_ticks(score) == beam


def test_bar_lines_are_counted_from_the_first_chord_after_a_pick_up():
    score = Score((Note(0, 240, 67),), (Chord(24, 72, (43,)),), time_signature=(3, 4))

    assert first_bar_line(score) == 24
    assert list(bar_lines(score, score.end_ticks)) == [24, 96, 168, 240]


def test_bar_lines_are_counted_from_the_start_without_a_pick_up():
    score = Score((Note(0, 240, 67),), time_signature=(3, 4))

    assert first_bar_line(score) == 72
    assert list(bar_lines(score, score.end_ticks)) == [72, 144, 216, 288]
