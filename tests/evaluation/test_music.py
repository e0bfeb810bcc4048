"""Musical figures: of tunes made for each, and of the held-out Nottingham tunes as published."""

import dataclasses

import numpy as np
import pytest

from tfseqgan.datasets.nottingham import load_nottingham
from tfseqgan.evaluation import music
from tfseqgan.evaluation.music import SharedRuns, embarrassments, musical_figures
from tfseqgan.music.score import Chord, Note, Score, transpose

G, C, D = (43, 47, 50), (36, 40, 43), (38, 42, 45)
PHRASE = (67, 71, 74, 71, 72, 69, 66, 69)
"""Eight eighths of G major, a bar of 4/4."""


def make_tune(bars, bar=96, phrases=None, **fields):
    """Returns a tune of bars of eight notes each over one chord a bar; it ends on G."""
    step = bar // 8
    melody = []
    for index in range(bars):
        phrase = PHRASE if phrases is None else phrases[index]
        for place, pitch in enumerate(phrase):
            melody.append(Note(index * bar + place * step, step, pitch))
    melody[-1] = dataclasses.replace(melody[-1], pitch=67)
    chords = [Chord(index * bar, bar, (G, C, D, G)[index % 4]) for index in range(bars)]

    return Score(tuple(melody), tuple(chords), **fields)


def different_phrases(bars):
    """Returns phrases of G major of which no two are equal."""
    scale = np.array([67, 69, 71, 72, 74, 76, 78, 79])

    return [tuple(scale[(np.arange(8) * (1 + k % 3) + k) % 8].tolist()) for k in range(bars)]


@pytest.mark.parametrize("bar", music.BAR_TICKS)
def test_a_bar_is_as_long_as_the_steps_from_chord_to_chord(bar):
    tune = make_tune(16, bar=bar - bar % 8 if bar != 108 else 72)
    chords = tuple(Chord(index * bar, bar, G) for index in range(16))

    assert music.bar_ticks(dataclasses.replace(tune, chords=chords)) == bar


def test_without_chords_the_melody_tells_the_bar():
    melody = tuple(Note(72 * k + offset, 24, 67) for k in range(12) for offset in (0, 24))

    assert music.bar_ticks(Score(melody)) == 72


def test_the_share_of_bar_lines_with_a_chord_counts_those_without():
    tune = make_tune(16)
    without_four = tuple(chord for index, chord in enumerate(tune.chords) if index % 4 != 3)

    assert music.bar_lines_with_a_chord(tune) == 1
    assert music.bar_lines_with_a_chord(dataclasses.replace(tune, chords=without_four)) == 0.75


def test_a_bar_line_slips_where_the_chords_move_within_the_bar():
    tune = make_tune(24)
    moved = tuple(
        dataclasses.replace(chord, start_ticks=chord.start_ticks + 24 * (index >= 16))
        for index, chord in enumerate(tune.chords)
    )

    assert not music.slips(tune)
    assert music.slips(dataclasses.replace(tune, chords=moved))


def test_chords_between_half_bars_are_off_the_grid():
    chords = (Chord(0, 48, G), Chord(48, 48, C), Chord(96, 36, D), Chord(132, 60, G))
    tune = dataclasses.replace(make_tune(8), chords=chords + make_tune(8).chords[2:])

    assert music.chord_changes_on_the_grid(tune) == 0.9
    assert music.chord_changes_on_the_grid(Score(tune.melody)) is None


def test_notes_outside_the_best_diatonic_set_are_out_of_key():
    melody = tuple(Note(24 * k, 24, pitch) for k, pitch in enumerate((60, 62, 64, 65, 61)))

    assert music.in_key(Score(melody)) == 0.8


def test_melody_time_counts_as_far_as_a_chord_sounds():
    tune = Score((Note(0, 24, 67), Note(24, 24, 69), Note(48, 48, 71)), (Chord(0, 72, G),))

    assert music.melody_on_chord_tones(tune) == pytest.approx(48 / 72)
    assert music.melody_on_chord_tones(Score(tune.melody)) is None


def test_bars_that_return_are_heard_before_and_eight_bars_back():
    eight = different_phrases(8)
    tune = make_tune(24, phrases=eight + eight + different_phrases(16)[8:])

    assert music.bars_heard_before(tune) == pytest.approx(8 / 24, abs=2 / 24)
    assert music.bars_equal_to_eight_before(tune) == pytest.approx(8 / 16, abs=1 / 16)
    assert music.bars_equal_to_eight_before(make_tune(8)) == 0


def test_figures_that_return_are_counted_where_there_are_enough():
    assert music.figures_heard_before(make_tune(2)) is None
    assert music.figures_heard_before(make_tune(4)) == pytest.approx(1 - 9 / 25)


@pytest.mark.parametrize(
    "bars, expected", [(8, True), (16, True), (12, False), (17, True), (4, False)]
)
def test_a_tune_has_a_multiple_of_eight_bars(bars, expected):
    assert music.is_a_multiple_of_eight_bars(make_tune(bars)) is expected


def test_a_tune_ends_on_the_tonic_in_every_key():
    tune = make_tune(8)
    elsewhere = dataclasses.replace(
        tune, melody=(*tune.melody[:-1], dataclasses.replace(tune.melody[-1], pitch=69))
    )

    for semitones in range(-5, 7):
        assert music.ends_on_the_tonic(transpose(tune, semitones))
        assert not music.ends_on_the_tonic(transpose(elsewhere, semitones))


def test_a_sound_tune_embarrasses_nobody():
    tune = make_tune(16, phrases=different_phrases(8) * 2)

    assert embarrassments(tune) == []
    assert music.is_sound_with_form(tune)
    assert embarrassments(tune, is_cut_off=True) == ["cut off"]
    assert not music.is_sound_with_form(tune, is_cut_off=True)


@pytest.mark.parametrize(
    "fault, change",
    [
        ("few notes", lambda tune: {"melody": tune.melody[::10]}),
        ("too short or too long", lambda tune: {"melody": tune.melody[:40]}),
        ("chords off the bar lines", lambda tune: {"chords": tune.chords[::3]}),
        (
            "the bar line slips",
            lambda tune: {
                "chords": tune.chords[:8]
                + tuple(
                    dataclasses.replace(c, start_ticks=c.start_ticks + 36) for c in tune.chords[8:]
                )
            },
        ),
        (
            "out of key",
            lambda tune: {
                "melody": tuple(
                    dataclasses.replace(note, pitch=note.pitch + (index % 3 == 0))
                    for index, note in enumerate(tune.melody)
                )
            },
        ),
        ("no chords", lambda tune: {"chords": ()}),
        (
            "leaps",
            lambda tune: {
                "melody": tuple(
                    dataclasses.replace(note, pitch=note.pitch + 24 * (index % 20 == 0))
                    for index, note in enumerate(tune.melody)
                )
            },
        ),
    ],
)
def test_each_fault_embarrasses_by_its_name(fault, change):
    tune = make_tune(16, phrases=different_phrases(8) * 2)

    assert fault in embarrassments(dataclasses.replace(tune, **change(tune)))


def test_a_tune_whose_key_drifts_and_that_ends_away_from_home_says_so():
    phrases = different_phrases(12)
    moved = [
        tuple(pitch + 6 * (index >= 8) for pitch in phrase) for index, phrase in enumerate(phrases)
    ]
    found = embarrassments(make_tune(12, phrases=moved))

    assert "the key drifts" in found
    ends_on_a = make_tune(8)
    last = dataclasses.replace(ends_on_a.melody[-1], pitch=69)
    chords = (*ends_on_a.chords[:-1], dataclasses.replace(ends_on_a.chords[-1], pitches=D))
    away = dataclasses.replace(ends_on_a, melody=(*ends_on_a.melody[:-1], last), chords=chords)
    assert "ends away from home" in embarrassments(away)


def test_shared_runs_are_found_in_any_key_and_by_rhythm():
    tune = make_tune(4, phrases=different_phrases(4))
    runs = SharedRuns([tune])
    slower = Score(tuple(Note(24 * k, 24, note.pitch) for k, note in enumerate(tune.melody)))

    assert runs.longest(transpose(tune, 3)) == len(tune.melody) - 1
    assert runs.longest(slower) == 0
    assert runs.longest(Score(())) == 0


def test_means_leave_out_tunes_for_which_a_figure_has_no_meaning():
    tunes = [make_tune(2), make_tune(4)]

    figures = musical_figures(tunes, cut_off=[True, False])

    assert figures["figures_heard_before"][0] == music.figures_heard_before(tunes[1])
    assert figures["bar_lines_with_a_chord"] == (1, 0)
    assert set(figures) >= {"slips", "in_key", "sound_with_form", "embarrassing"}


@pytest.mark.corpus
@pytest.mark.slow
def test_the_held_out_nottingham_tunes_have_the_figures_of_their_definitions(nottingham_folder):
    corpus = load_nottingham(nottingham_folder)
    figures = musical_figures(corpus.validation)
    runs = SharedRuns(corpus.train)
    longest = [runs.longest(score) for score in corpus.validation]

    rounded = {name: round(mean, 3) for name, (mean, _) in figures.items()}
    assert rounded == {
        "bar_lines_with_a_chord": 0.905,
        "slips": 0.029,
        "chord_changes_on_the_grid": 0.98,
        "in_key": 0.978,
        "melody_on_chord_tones": 0.787,
        "bars_heard_before": 0.55,
        "bars_equal_to_eight_before": 0.456,
        "figures_heard_before": 0.487,
        "multiple_of_eight_bars": 0.951,
        "ends_on_the_tonic": 0.845,
        "embarrassing": 0.252,
        "sound_with_form": 0.738,
    }
    assert (np.median(longest), max(longest)) == (8, 20)
