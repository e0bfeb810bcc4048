"""What a tune is and may be asked to be, and how what is not asked for is drawn."""

import dataclasses
import json

import numpy as np
import pytest

from tfseqgan.arguments import seed_pairs
from tfseqgan.music.controls import (
    KEYS,
    MOST_BARS,
    Controls,
    ControlVocabulary,
    controls_of,
    count_bars,
    mix_seeds,
)
from tfseqgan.music.score import Chord, Note, Score, transpose, transpose_key

G = (43, 47, 50)


def make_tune(bars, time_signature=(4, 4), pick_up=0, **fields):
    """Returns a tune of quarter notes, with its first chord after a pick-up."""
    bar = 96 * time_signature[0] // time_signature[1]
    num_notes = bars * bar // 24
    melody = tuple(Note(24 * index, 24, 67) for index in range(num_notes))
    chords = tuple(Chord(pick_up + index * bar, bar, G) for index in range(bars))

    return Score(melody, chords, time_signature=time_signature, **fields)


JIG = make_tune(32, (6, 8), key="G", rhythm="jig")
REEL = make_tune(16, (4, 4), key="Em", rhythm="reel")
WALTZ = make_tune(24, (3, 4), key="G", rhythm="waltz")
PLAIN = make_tune(8)
VOCABULARY = ControlVocabulary.fit([JIG, JIG, REEL, WALTZ, PLAIN])


def draw(num_tunes, seed=0, **asked):
    return VOCABULARY.draw(VOCABULARY.encode(Controls(**asked)), seed_pairs(seed, num_tunes))


def test_a_tune_says_what_it_is():
    assert controls_of(JIG) == Controls("6/8", "G", 32, "jig")
    assert controls_of(PLAIN) == Controls("4/4", "G", 8, None)
    assert controls_of(Score(())).bars is None


def test_what_a_tune_does_not_say_its_notes_tell():
    unsaid = dataclasses.replace(WALTZ, time_signature=None, key=None)

    assert controls_of(unsaid) == Controls("3/4", "G", 24, "waltz")
    assert count_bars(unsaid) == 24


@pytest.mark.parametrize("pick_up", [0, 24, 48])
def test_bars_are_counted_from_the_first_chord(pick_up):
    assert count_bars(make_tune(16, pick_up=pick_up)) == 16


def test_the_number_of_bars_beyond_the_most_is_unknown():
    assert count_bars(make_tune(MOST_BARS)) == MOST_BARS
    assert count_bars(make_tune(MOST_BARS + 1)) is None


def test_what_is_not_asked_for_is_drawn_from_tunes_whose_bars_are_known():
    long = make_tune(MOST_BARS + 1)

    assert ControlVocabulary.fit([long, make_tune(8)]).tunes[:, 2].tolist() == [8]
    assert ControlVocabulary.fit([long]).tunes[:, 2].tolist() == [0]


def test_a_rhythm_that_only_long_tunes_have_is_drawn_with_its_metre():
    long = make_tune(MOST_BARS + 1, (3, 4), rhythm="waltz")
    vocabulary = ControlVocabulary.fit([JIG, long])

    drawn = vocabulary.draw(vocabulary.encode(Controls(rhythm="waltz")), [[0, 7]])

    assert vocabulary.decode(drawn[0]) == Controls("3/4", "G", None, "waltz")


def test_a_bar_that_the_grid_cannot_express_is_counted():
    assert count_bars(dataclasses.replace(make_tune(8), time_signature=(3, 7))) == 19


@pytest.mark.parametrize("score", [JIG, REEL, WALTZ, PLAIN])
def test_codes_give_the_controls_back(score):
    controls = controls_of(score)

    codes = VOCABULARY.encode(controls)

    assert codes.dtype == np.int32
    assert (codes < VOCABULARY.sizes).all()
    assert VOCABULARY.decode(codes) == controls


def test_a_key_has_one_code_whatever_its_tonic_is_called():
    first, second = [VOCABULARY.encode(Controls(key=key)) for key in ("F#", "Gb")]

    np.testing.assert_array_equal(first, second)
    assert len(set(KEYS)) == 24


@pytest.mark.parametrize("semitones", [-5, 0, 3, 6])
def test_codes_are_transposed_as_tunes_are(semitones):
    scores = [JIG, REEL, PLAIN]
    codes = np.stack([VOCABULARY.encode(controls_of(score)) for score in scores])

    moved = VOCABULARY.transpose(codes, np.full(3, semitones))

    for score, row in zip(scores, moved, strict=True):
        expected = VOCABULARY.encode(controls_of(transpose(score, semitones)))
        np.testing.assert_array_equal(row, expected)
    assert transpose_key("G", semitones) == transpose(JIG, semitones).key


@pytest.mark.parametrize(
    "asked, message",
    [
        (Controls(metre="5/4"), "metre is '5/4': expected 3/4, 4/4, 6/8"),
        (Controls(bars=0), "bars is 0: expected 1 to 64"),
        (Controls(bars=65), "bars is 65: expected 1 to 64"),
        (Controls(rhythm="polka"), "rhythm is 'polka': expected jig, reel, waltz"),
        (Controls(key="H"), "key"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_by_name(asked, message):
    with pytest.raises(ValueError, match=message):
        VOCABULARY.encode(asked)


def test_without_rhythms_in_the_corpus_none_can_be_asked_for():
    with pytest.raises(ValueError, match="expected none, since no tune says its own"):
        ControlVocabulary.fit([PLAIN]).encode(Controls(rhythm="jig"))


def test_unasked_controls_are_drawn_together_as_often_as_the_tunes_have_them():
    drawn = [VOCABULARY.decode(codes) for codes in draw(2000)]
    known = [controls_of(score) for score in (JIG, REEL, WALTZ, PLAIN)]

    assert set(drawn) == set(known)
    share_of_jigs = drawn.count(known[0]) / len(drawn)
    assert share_of_jigs == pytest.approx(0.4, abs=4 * np.sqrt(0.4 * 0.6 / 2000))


def test_what_is_asked_for_stays_and_the_rest_agrees_with_it():
    for codes in draw(20, seed=1, rhythm="jig", key="D"):
        assert VOCABULARY.decode(codes) == Controls("6/8", "D", 32, "jig")

    for codes in draw(20, seed=1, metre="3/4", bars=5):
        assert VOCABULARY.decode(codes) == Controls("3/4", "G", 5, "waltz")


def test_a_row_depends_on_the_seed_and_its_index_alone():
    many = draw(50, seed=3)

    np.testing.assert_array_equal(draw(20, seed=3), many[:20])
    assert not np.array_equal(draw(50, seed=4), many)


def test_each_row_may_ask_for_something_else():
    asked = [VOCABULARY.encode(Controls(rhythm=rhythm)) for rhythm in ("jig", "reel", "waltz")]

    drawn = VOCABULARY.draw(np.array(asked), seed_pairs(0, 3))

    assert [VOCABULARY.decode(codes).metre for codes in drawn] == ["6/8", "4/4", "3/4"]


def test_mixed_seeds_are_uniform_in_their_remainders():
    n, size = 20_000, 7
    for seeds in (seed_pairs(5, n), np.stack([np.arange(n), np.zeros(n)], 1).astype(np.int32)):
        numbers = mix_seeds(seeds)
        counts = np.bincount(numbers % size, minlength=size)
        chi_square = ((counts - n / size) ** 2 / (n / size)).sum()
        assert chi_square < 22.5  # 0.1 % of six degrees of freedom
        assert len(np.unique(numbers)) == n


def test_without_tunes_nothing_is_drawn():
    empty = ControlVocabulary(["4/4"], [], [])

    assert empty.draw([1, 0, 0, 0], seed_pairs(0, 3)).tolist() == [[1, 0, 0, 0]] * 3


def test_the_vocabulary_comes_back_from_json():
    again = ControlVocabulary(**json.loads(json.dumps(VOCABULARY.to_json())))

    assert again == VOCABULARY
    assert hash(again) == hash(VOCABULARY)
    assert again != ControlVocabulary.fit([JIG])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((["4/4", "4/4"], [], []), "are not distinct"),
        ((["4/4"], [], [[2, 0, 0, 0]]), "codes of the tunes are out of range"),
        ((["4/4"], [], [[0, -1, 0, 0]]), "codes of the tunes are out of range"),
    ],
)
def test_a_malformed_vocabulary_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ControlVocabulary(*arguments)


def test_prompts_of_a_model_that_is_trained_further_are_drawn_from_the_new_tunes():
    jig = Score((Note(0, 72, 67),), key="G", time_signature=(6, 8), rhythm="jig")
    waltz = Score((Note(0, 72, 67),), key="D", time_signature=(3, 4), rhythm="waltz")
    vocabulary = ControlVocabulary.fit([jig])

    moved = vocabulary.drawn_from([waltz, dataclasses.replace(jig, key="A", rhythm="")])

    assert (moved.metres, moved.rhythms) == (vocabulary.metres, vocabulary.rhythms)
    assert [moved.decode(codes) for codes in moved.tunes] == [
        Controls(key="D", bars=1),  # no code says its metre, nor its rhythm
        Controls("6/8", "A", 1),
    ]
