"""Checks of token arrays, counts, prompts and pairs of models name what is wrong."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_models import V, make_discriminator, make_generator, make_models

import tfseqgan as sg
from tfseqgan.models.checks import (
    check_count,
    check_counts,
    check_ends,
    check_prompt,
    check_same_vocabulary,
    check_size,
    check_tokens,
)

B, LENGTH = 3, 5


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_tokens_are_returned_as_int32(dtype):
    tokens = np.array([[3, 4, 5], [8, 2, 0]], dtype)

    checked = check_tokens(tokens, V)

    assert checked.dtype == np.int32
    np.testing.assert_array_equal(checked, tokens)


@pytest.mark.parametrize(
    "tokens, message",
    [
        ([3, 4], r"samples must be integer tokens .* received int64 of shape \(2,\)"),
        (np.zeros((0, 4), int), r"samples must be .* shape \(0, 4\)"),
        ([[3.0, 4.0]], "samples must be .* received float64"),
        ([[3, V]], "samples holds tokens from 3 to 9, expected 0 to 8"),
        ([[-1, 4]], "samples holds tokens from -1 to 4"),
    ],
)
def test_tokens_that_do_not_fit_are_named(tokens, message):
    with pytest.raises(ValueError, match=message):
        check_tokens(tokens, V, argument="samples")


@pytest.mark.parametrize("count", [0, -1, 2.0, "2", None])
def test_a_count_that_is_too_small_or_no_whole_number_is_named(count):
    check_counts(rounds=1)

    with pytest.raises(ValueError, match="rounds must be a whole number of 1 or more, received"):
        check_counts(rounds=count)


@pytest.mark.parametrize("count", [np.int64(2), np.uint8(2), np.array(2)], ids=repr)
def test_numpys_integers_are_counts(count):
    check_counts(rounds=count)

    assert type(check_count("rounds", count)) is int


def test_a_model_that_does_not_fit_into_the_memory_is_refused():
    with pytest.raises(ValueError, match=r"A model of units = 9 needs about .* EiB of memory"):
        check_size(2**70, units=9)


def test_a_count_may_be_as_small_as_the_least():
    check_counts(least=0, rounds=0)


def test_models_of_one_vocabulary_fit_together():
    check_same_vocabulary(make_generator(), make_discriminator())
    check_same_vocabulary(make_generator())


def test_models_with_another_end_token_do_not_fit_together():
    with pytest.raises(ValueError, match="generator's end_token_id is 2 and the .* None"):
        check_same_vocabulary(make_generator(), make_discriminator(end_token_id=None))


@pytest.mark.parametrize("prompt", [None, [], np.zeros((B, 0), int)])
def test_an_empty_prompt_is_none(prompt):
    assert check_prompt(prompt, B, LENGTH, V) is None


@pytest.mark.parametrize(
    "prompt",
    [[3, 4], [[3, 4]], np.array([3, 4], np.uint8)],
    ids=["a list", "one row", "other integers"],
)
def test_one_prompt_stands_for_every_sequence(prompt):
    checked = check_prompt(prompt, B, LENGTH, V)

    assert checked.dtype == np.int32
    assert checked.tolist() == [[3, 4]] * B


def test_every_sequence_may_have_a_prompt_of_its_own():
    prompts = [[3, 4], [5, 6], [8, 0]]

    assert check_prompt(prompts, B, LENGTH, V).tolist() == prompts


def test_a_prompt_may_be_as_long_as_the_sequences():
    assert check_prompt([3] * LENGTH, B, LENGTH, V).shape == (B, LENGTH)


@pytest.mark.parametrize(
    "prompt",
    [
        [V],
        [-1],
        [0.5],
        ["3"],
        3,
        [3] * (LENGTH + 1),
        np.ones((B - 1, 2), int),
        np.ones((1, 2, 2), int),
    ],
    ids=[
        "beyond the vocabulary",
        "negative",
        "no integer",
        "text",
        "no list",
        "too long",
        "another number of rows",
        "too many axes",
    ],
)
def test_a_prompt_that_does_not_fit_is_named(prompt):
    with pytest.raises(ValueError, match=r"prompt must be token ids 0 to 8, \[P\] or .* received"):
        check_prompt(prompt, B, LENGTH, V)


@pytest.mark.parametrize(
    "row",
    [[3, 4, 5, 6], [3, 2, 0, 0], [3, 4, 5, 2], [2, 0, 0, 0]],
    ids=["no end", "an end and padding", "an end in the last place", "nothing but an end"],
)
def test_padding_after_an_end_token_is_what_a_row_may_have(row):
    check_ends(np.array([[3, 4, 5, 6], row]), end_token_id=2, pad_token_id=0)


@pytest.mark.parametrize(
    "row, message",
    [
        ([3, 2, 4, 0], "token 4 at index 2 of row 1, after the end token 2"),
        ([3, 2, 2, 0], "token 2 at index 2 of row 1, after the end token 2"),
        ([3, 0, 4, 5], "token 0 at index 1 of row 1, padding before an end token 2"),
        ([3, 4, 0, 0], "token 0 at index 2 of row 1, padding before an end token 2"),
    ],
)
def test_ids_that_mean_something_else_than_an_end_and_padding_are_refused(row, message):
    tokens = np.array([[3, 4, 5, 6], row])

    with pytest.raises(ValueError, match=f"rows holds {message}; expected .* end_token_id=None"):
        check_ends(tokens, end_token_id=2, pad_token_id=0, argument="rows")
    check_ends(tokens, end_token_id=None, pad_token_id=0)


def test_a_sequence_may_be_padded_with_its_end_token():
    check_ends(np.array([[3, 4, 2, 2], [3, 0, 4, 5]]), end_token_id=2, pad_token_id=2)


def test_numbers_from_zero_on_are_not_cut_without_a_word():
    numbers = np.array([[0, 1, 2, 3], [3, 2, 1, 0]])
    generator = make_generator()
    generator.compile("adam")

    for train in (
        lambda: generator.fit(numbers, verbose=0),
        lambda: sg.pretrain(generator, numbers, batch_size=2, verbose=0),
        lambda: sg.evaluate(generator, None, numbers),
    ):
        with pytest.raises(ValueError, match="padding before an end token"):
            train()

    without_end = make_generator(end_token_id=None)
    without_end.compile("adam")
    with pytest.raises(ValueError, match="bucket_by_length cuts the padding"):
        sg.pretrain(without_end, numbers, batch_size=2, bucket_by_length=True, verbose=0)


def test_a_dataset_is_refused_by_name_with_the_remedy():
    generator, discriminator = make_models()
    dataset = tf.data.Dataset.from_tensor_slices([[3, 4, 2], [3, 5, 2]]).batch(2)

    for call in (
        lambda: sg.pretrain(generator, dataset, verbose=0),
        lambda: sg.fit_adversarial(generator, discriminator, dataset, verbose=0),
        lambda: sg.evaluate(generator, discriminator, dataset),
        lambda: sg.fit_discriminator(
            discriminator, both := sg.RealAndGenerated(dataset, dataset), both, verbose=0
        ),
    ):
        with pytest.raises(TypeError, match=r"is a tf.data.Dataset; expected an array .* Pass np"):
            call()

    [batch] = [np.concatenate(list(dataset.as_numpy_iterator()))]
    assert np.isfinite(sg.evaluate(generator, None, batch)["nll"])
