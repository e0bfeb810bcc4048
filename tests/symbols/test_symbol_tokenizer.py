"""Claims about tfseqgan.symbols.symbol_tokenizer."""

import json

import numpy as np
import pytest

import tfseqgan as sg

SMILES = ["CC(=O)O", "c1ccccc1", "CCO"]
NUMBERS = [[7, -3, 7], [10**30, 7]]
WORDS = [["the", "tide", "came", "in"], ["the", "tide"]]


@pytest.mark.parametrize("sequences", [SMILES, NUMBERS, WORDS, [["a", 1, "1"]]])
def test_every_sequence_comes_back_from_its_tokens(sequences):
    tokenizer = sg.SymbolTokenizer.fit(sequences)

    for sequence in sequences:
        tokens = tokenizer.encode(sequence)
        assert tokens.dtype == np.int32
        assert (tokens[0], tokens[-1]) == (tokenizer.start_token_id, tokenizer.end_token_id)
        assert tokenizer.decode(tokens) == tuple(sequence)


@pytest.mark.parametrize("sequence", ["", []])
def test_an_empty_sequence_is_its_start_and_its_end(sequence):
    tokenizer = sg.SymbolTokenizer("abc")

    assert tokenizer.encode(sequence).tolist() == [1, 2]
    assert tokenizer.decode([1, 2]) == ()
    assert tokenizer.windows([sequence, "b"], length=4).tolist() == [[1, 2, 0, 0], [1, 4, 2, 0]]


def test_a_vocabulary_of_rare_symbols_is_refused():
    with pytest.raises(ValueError, match="minimum_count must be 1 or more, received 0. Pass 1"):
        sg.SymbolTokenizer.fit(["aab"], minimum_count=0)
    with pytest.raises(ValueError, match="has 0 symbols.*expected 1 or more"):
        sg.SymbolTokenizer.fit(["aab"], minimum_count=3)


def test_the_vocabulary_does_not_depend_on_the_order_of_the_sequences():
    tokenizer = sg.SymbolTokenizer.fit(["bba", [3, "c"]])

    assert tokenizer.symbols == ("b", 3, "a", "c")
    assert tokenizer == sg.SymbolTokenizer.fit([["c", 3], "abb"])
    assert tokenizer.vocabulary_size == 3 + 4


def test_numbers_of_numpy_are_numbers():
    tokenizer = sg.SymbolTokenizer.fit([np.array([5, 6, 6], np.int64)])

    assert tokenizer.symbols == (6, 5)
    assert tokenizer.encode([5]).tolist() == [1, 4, 2]


def test_an_unknown_symbol_is_refused_with_its_place():
    tokenizer = sg.SymbolTokenizer.fit(["abc"])

    with pytest.raises(ValueError, match="'x' at index 2 is not in the vocabulary.*unknown='?'"):
        tokenizer.encode("abx")


@pytest.mark.parametrize("unknown", ["?", "a"])
def test_a_symbol_that_stands_for_others_is_written_in_their_place(unknown):
    tokenizer = sg.SymbolTokenizer.fit(["aab"], minimum_count=2, unknown=unknown)

    assert "".join(tokenizer.decode(tokenizer.encode("abx"))) == f"a{unknown}{unknown}"
    assert tokenizer.symbols == ("a", "?")[: 2 if unknown == "?" else 1]


def test_windows_hold_every_token_and_no_parts_of_two_sequences():
    tokenizer = sg.SymbolTokenizer.fit(SMILES)

    rows = tokenizer.windows(SMILES, length=4)

    assert rows.shape == (3 + 3 + 2, 4)
    starts = np.flatnonzero(rows[:, 0] == tokenizer.start_token_id)
    parts = np.split(rows, starts[1:])
    assert ["".join(tokenizer.decode(part.ravel())) for part in parts] == SMILES
    whole = tokenizer.windows(SMILES, length=20)
    assert ["".join(tokenizer.decode(row)) for row in whole] == SMILES


@pytest.mark.parametrize("bad", [1.5, None, True, b"a", ("a",), ["a"]])
def test_what_is_neither_a_string_nor_a_whole_number_is_no_symbol(bad):
    with pytest.raises(ValueError, match="is no symbol: expected a string or a whole number"):
        sg.SymbolTokenizer.fit([["a", bad]])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"symbols": []}, "has 0 symbols"),
        ({"symbols": "aba"}, r"\['a'\] occur twice"),
        ({"symbols": "ab", "unknown": "c"}, "unknown is 'c', which is not in the vocabulary"),
    ],
)
def test_a_vocabulary_has_symbols_once_and_the_unknown_one_among_them(arguments, message):
    with pytest.raises(ValueError, match=message):
        sg.SymbolTokenizer(**arguments)


@pytest.mark.parametrize("tokens", [[3, 9], [-1], [[3]], [3.0]])
def test_tokens_that_are_no_sequence_of_the_vocabulary_are_refused(tokens):
    with pytest.raises(ValueError, match="expected one sequence of integers of 0 to 5, received"):
        sg.SymbolTokenizer("abc").decode(tokens)


def test_nothing_can_be_asked_for_of_symbols():
    tokenizer = sg.SymbolTokenizer("abc")

    assert tokenizer.prompts(2, sg.Controls()).tolist() == [[1], [1]]
    with pytest.raises(ValueError, match="have no controls"):
        tokenizer.prompts(2, sg.Controls(key="D"))


@pytest.mark.parametrize("tokenizer", [sg.SymbolTokenizer(["é", "\ud800", 7, "7"], unknown=7)])
def test_a_saved_tokenizer_is_the_same_again(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")

    assert sg.SymbolTokenizer.load(tmp_path / "tokenizer.json") == tokenizer


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"format": "tfseqgan.Tokenizer"},
        {"more": 1},
        {"symbols": "ab"},
        {"symbols": ["a", 1.5]},
        {"symbols": ["a", "a"]},
        {"unknown": "z"},
    ],
)
def test_a_damaged_file_is_refused_by_its_name(change, tmp_path):
    path = tmp_path / "tokenizer.json"
    sg.SymbolTokenizer("ab").save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    with pytest.raises(ValueError, match=r"tokenizer.json is not a whole tokenizer file.*Fetch"):
        sg.SymbolTokenizer.load(path)
