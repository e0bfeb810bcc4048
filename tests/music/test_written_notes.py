"""Claims about tfseqgan.music.written_notes; test_abc_notation.py tests them as text."""

from tfseqgan.music.score import Note, Score
from tfseqgan.music.written_notes import written_bars


def durations(score, cuts=()):
    """Returns the ticks of the written notes by bar and word."""
    return [
        [[segment.end - segment.start for segment in word.segments] for word in bar]
        for bar in written_bars(score, cuts)
    ]


def test_a_note_is_cut_at_bar_lines_and_tied():
    score = Score((Note(0, 120, 60),), time_signature=(4, 4))

    [first, second] = written_bars(score, ())

    assert first[0].segments[0].tied
    assert not second[0].segments[0].tied
    assert durations(score) == [[[96]], [[24]]]


def test_a_note_is_cut_where_a_chord_symbol_must_stand():
    score = Score((Note(0, 96, 60),), time_signature=(4, 4))

    assert durations(score, cuts=[48]) == [[[48], [48]]]


def test_notes_within_a_beam_are_one_word():
    eighths = Score(tuple(Note(12 * index, 12, 60) for index in range(6)), time_signature=(6, 8))

    assert durations(eighths) == [[[12] * 3, [12] * 3]]


def test_thirds_of_a_quarter_are_a_triplet():
    melody = (Note(0, 8, 60), Note(8, 8, 62), Note(16, 8, 64), Note(24, 72, 65))
    triplet = Score(melody, time_signature=(4, 4))

    [bar] = written_bars(triplet, ())

    assert [word.is_triplet for word in bar] == [True, False]
    assert durations(triplet) == [[[8, 8, 8], [72]]]


def test_an_empty_score_is_one_bar_of_rest():
    [[word]] = written_bars(Score((), time_signature=(3, 4)), ())

    assert [(segment.start, segment.end, segment.pitches) for segment in word.segments] == [
        (0, 72, ())
    ]
