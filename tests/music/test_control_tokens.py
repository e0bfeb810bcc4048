"""Controls as tokens of a tune: written, read, moved to other keys, and asked for."""

import dataclasses

import numpy as np
import pytest
from conftest import make_score

from tfseqgan.music.control_tokens import ControlTokens
from tfseqgan.music.controls import KEYS, Controls, ControlVocabulary, controls_of
from tfseqgan.music.score import ALL_TRANSPOSITIONS, transpose
from tfseqgan.music.tokenizer import Tokenizer

FIELDS = [
    {"key": "D", "time_signature": (6, 8), "rhythm": "jig"},
    {"key": "Em", "time_signature": (4, 4), "rhythm": "reel"},
    {"key": None, "time_signature": (3, 4), "rhythm": ""},
    {"key": "Bb", "time_signature": (5, 64), "rhythm": "jig"},
]
TUNES = [
    dataclasses.replace(make_score(seed, num_notes=9, num_chords=4), **fields)
    for seed, fields in enumerate(FIELDS)
]
VOCABULARY = ControlVocabulary(["3/4", "5/64", "6/8"], ["jig", "reel"], [[3, 3, 16, 1]])


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.fit(TUNES, interleave=True, controls=True, transpositions=ALL_TRANSPOSITIONS)


def test_every_id_says_one_control_and_its_code():
    tokens = ControlTokens(VOCABULARY, first_id=7)

    control, code, ticks = tokens.table.T
    assert len(tokens) == len(control) == 4 + 25 + 65 + 3
    assert control.tolist() == [1] * 4 + [2] * 25 + [3] * 65 + [4] * 3
    assert code.tolist() == [*range(4), *range(25), *range(65), *range(3)]
    assert ticks.tolist() == [0, 72, 0, 72] + [0] * 93


def test_codes_come_back_from_their_tokens():
    tokens = ControlTokens(VOCABULARY, first_id=7)
    for codes in ([0, 0, 0, 0], [3, 24, 64, 2], [1, 5, 0, 1]):
        ids = tokens.ids_of(codes)
        assert tokens.codes_of([1, *ids, 5, 2]).tolist() == codes


def test_a_tune_says_its_controls_after_its_start(tokenizer):
    for tune in TUNES:
        tokens = tokenizer.encode(tune)

        first = len(tokenizer.events) + 3
        assert tokens[0] == tokenizer.start_token_id
        assert (tokens[1:5] >= first).all()
        assert (tokens[5:] < first).all()
        assert tokenizer.token_controls[tokens[1:5], 0].tolist() == [1, 2, 3, 4]
        assert tokenizer.token_controls[tokens[1:5], 1].tolist() == [
            *tokenizer.controls.codes_of(tune)
        ]


def test_a_tune_comes_back_with_what_it_says(tokenizer):
    for tune in TUNES:
        read = tokenizer.decode(tokenizer.encode(tune))

        assert (read.melody, read.chords) == (tune.melody, tune.chords)
        assert controls_of(read) == controls_of(tune)
        assert tokenizer.decode(tokenizer.encode(tune), rhythm="polka").rhythm == "polka"


def test_without_controls_a_tune_says_nothing():
    tokenizer = Tokenizer.fit(TUNES, interleave=True)

    assert tokenizer.controls is None
    assert tokenizer.token_controls is None
    assert tokenizer.encode(TUNES[0])[1] < len(tokenizer.events) + 3
    assert tokenizer.prompts(3, seed=0).tolist() == [[1], [1], [1]]
    with pytest.raises(ValueError, match="cannot be asked for: expected a tokenizer with controls"):
        tokenizer.prompts(3, Controls(key="D"), seed=0)


def test_what_a_held_out_tune_says_and_no_training_tune_is_unknown(tokenizer):
    other = dataclasses.replace(TUNES[0], time_signature=(7, 8), rhythm="polka")

    codes = tokenizer.token_controls[tokenizer.encode(other)[1:5], 1]

    assert codes[[0, 3]].tolist() == [0, 0]
    assert codes[1] == 1 + KEYS.index("D")


def test_a_moved_tune_says_its_new_key(tokenizer):
    for semitones in (-5, 0, 3):
        ids = tokenizer.transposed_ids(semitones)
        for tune in TUNES:
            moved = tokenizer.decode(ids[tokenizer.encode(tune)])
            assert controls_of(moved) == controls_of(transpose(tune, semitones))


def test_in_c_a_tune_says_that_it_is_in_c():
    tokenizer = Tokenizer.fit(TUNES, controls=True, transpose="C")
    for tune, key in zip(TUNES[:2], ("C", "Am"), strict=True):
        tokens = tokenizer.encode(tune)
        moved_by = tokenizer.transposition_of(tune)

        assert tokenizer.decode(tokens).key == key
        assert controls_of(tokenizer.decode(tokens, transposition=moved_by)) == controls_of(tune)


def test_prompts_say_what_is_asked_for_and_draw_the_rest(tokenizer):
    prompts = tokenizer.prompts(7, Controls(key="A", rhythm="reel"), seed=3)

    assert prompts.shape == (7, 5)
    said = [
        tokenizer.controls.decode(codes) for codes in tokenizer.token_controls[prompts[:, 1:], 1]
    ]
    assert {each.key for each in said} == {"A"}
    assert {(each.metre, each.rhythm) for each in said} == {("4/4", "reel")}
    np.testing.assert_array_equal(
        prompts, tokenizer.prompts(7, Controls(key="A", rhythm="reel"), seed=3)
    )


def test_a_tokenizer_with_controls_comes_back_from_its_file(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    again = Tokenizer.load(tmp_path / "tokenizer.json")

    assert again == tokenizer
    assert again.controls == tokenizer.controls
    assert again != Tokenizer(tokenizer.events, interleave=True)
    np.testing.assert_array_equal(again.encode(TUNES[1]), tokenizer.encode(TUNES[1]))
