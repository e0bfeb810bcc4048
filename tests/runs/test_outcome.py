"""The closing sentences of a run: each says what its figures say."""

import dataclasses

import numpy as np
import pytest
from tiny_models import CONTROLLED, CONTROLLED_TUNES

from tfseqgan.datasets.windows import Windows
from tfseqgan.evaluation.evaluate import sequence_nlls
from tfseqgan.files import read_json, write_json
from tfseqgan.models.generator import Generator
from tfseqgan.runs import outcome
from tfseqgan.runs.outcome import Outcome, measure, sentences_of, to_json, unigram_nats
from tfseqgan.runs.settings import Settings
from tfseqgan.runs.start import Start

PLAIN = Outcome(
    num_train=900,
    num_held_out=100,
    are_tunes=True,
    nats=335.31,
    nats_error=33.3,
    nats_an_event=1.614,
    unigram_nats_an_event=4.5,
    replaced=0.0,
)
TUNED = dataclasses.replace(
    PLAIN, num_train=48, start="nottingham", start_nats=400.0, gain_error=10.0
)


def change(plain, **fields):
    return dataclasses.replace(plain, **fields)


# ---- how good it is


def test_a_run_on_many_tunes_says_what_a_held_out_tune_costs_and_nothing_else():
    assert sentences_of(PLAIN) == [
        "A held-out tune costs 335.3 ± 33.3 nats, 1.61 an event; each event by its frequency "
        "alone costs 4.50."
    ]


def test_a_single_held_out_tune_has_no_error():
    said = outcome.say_likelihood(change(PLAIN, nats_error=None))

    assert said.startswith("A held-out tune costs 335.3 nats, 1.61 an event;")


def test_rows_that_are_no_tunes_are_called_windows():
    assert "held-out window costs" in outcome.say_likelihood(change(PLAIN, are_tunes=False))


@pytest.mark.parametrize("common", [1.614, 1.2])
def test_a_run_that_is_no_better_than_frequencies_is_told_to_give_no_music(common):
    said = outcome.say_likelihood(change(PLAIN, unigram_nats_an_event=common))

    assert said.endswith(
        f"no better than {common:.2f} by the frequency of each event: expect no music."
    )


# ---- what fine-tuning changed


def test_a_run_from_random_weights_says_nothing_of_a_start():
    assert outcome.say_gain(PLAIN) is None


def test_a_gain_of_more_than_two_standard_errors_was_learned_from_the_tunes():
    assert outcome.say_gain(TUNED) == (
        "By the start, nottingham, it costs 400.0: fine-tuning on your tunes has gained "
        "64.7 ± 10.0."
    )


@pytest.mark.parametrize("gain_error", [33.0, None])
def test_a_gain_within_two_standard_errors_or_of_one_tune_is_no_clear_difference(gain_error):
    said = outcome.say_gain(change(TUNED, gain_error=gain_error))

    assert said.endswith("no clear difference, so that little was learned from your tunes.")


def test_a_loss_is_called_harm_and_says_what_to_do():
    said = outcome.say_gain(change(TUNED, start_nats=300.0))

    assert "fine-tuning has lost 35.3 ± 10.0. Use the start itself" in said
    assert "--pretraining_learning_rate" in said


# ---- what was replaced


def test_a_vocabulary_that_holds_every_event_is_not_mentioned():
    assert outcome.say_replaced(TUNED) is None
    assert outcome.say_replaced(change(TUNED, replaced=0.0004)) is None  # it would say 0.0 %
    assert "0.1 % of the tokens" in outcome.say_replaced(change(TUNED, replaced=0.0006))


@pytest.mark.parametrize(
    "plain, replaced, words",
    [
        (
            TUNED,
            0.1,
            "10.0 % of the tokens replace an event that the vocabulary lacks by the nearest",
        ),
        (
            TUNED,
            0.23,
            "23.0 % of the tokens replace an event that the vocabulary of nottingham lacks",
        ),
        (PLAIN, 0.23, "the tunes share too few events for a model to learn them"),
    ],
)
def test_the_share_of_replaced_tokens_says_what_it_means(plain, replaced, words):
    assert words in outcome.say_replaced(change(plain, replaced=replaced))


# ---- what would help


@pytest.mark.parametrize(
    "plain, fields, words",
    [
        (TUNED, {}, "more tunes than these 48"),
        (TUNED, {"num_epochs": 10, "best_epoch": 10}, "more epochs (--epochs 20)"),
        (TUNED, {"replaced": 0.2}, "--init none, which makes a vocabulary of your own events"),
        (TUNED, {"unknown_metres": 0.25}, "a metre that the model knows: 25 % are in none"),
        (PLAIN, {"num_train": 48}, "a trained model to start from (--init nottingham)"),
        (PLAIN, {"num_held_out": 6}, "more than 6 held-out tunes (--validation_fraction)"),
        (PLAIN, {"num_held_out": 1}, "more than 1 held-out tune (--validation_fraction)"),
    ],
)
def test_what_would_help_follows_from_the_figures(plain, fields, words):
    said = outcome.say_what_would_help(change(plain, **fields))

    assert said.startswith("What would help: ")
    assert words in said


@pytest.mark.parametrize(
    "fields",
    [
        {"num_train": 300},
        {"num_epochs": 10, "best_epoch": 9},
        {"num_epochs": 0, "best_epoch": 0},
        {"replaced": 0.1},
        {"replaced": 0.5},
        {"num_held_out": 20},
        {"num_train": 48, "are_tunes": False},
    ],
)
def test_nothing_would_help_where_the_figures_name_no_cause(fields):
    assert outcome.say_what_would_help(change(PLAIN, **fields)) is None


# ---- the figures


def test_a_unigram_gives_tokens_their_smoothed_share_and_start_tokens_nothing():
    train = np.array([[1, 3, 3, 2, 0], [1, 4, 2, 0, 0]])
    rows = np.array([[1, 3, 5, 2, 5], [4, 4, 4, 4, 4]])

    found = unigram_nats(train, rows, 7, start_token_id=1, end_token_id=2)

    total = 5 + 3  # five events, and three distinct ones for what is not seen
    of_3, of_4, of_end, of_unseen = np.array([2, 1, 2, 0]) + 3 / 7
    expected = [
        -np.log([of_3 / total, of_unseen / total, of_end / total]).sum(),
        -5 * np.log(of_4 / total),
    ]
    np.testing.assert_allclose(found, expected)


def make_generator(seed):
    import keras

    keras.utils.set_random_seed(seed)

    return Generator(
        CONTROLLED.vocabulary_size, embedding_dim=4, units=8, end_token_id=CONTROLLED.end_token_id
    )


def test_figures_are_of_whole_tunes_although_rows_are_windows():
    whole = CONTROLLED.whole_tunes(CONTROLLED_TUNES, 400).tokens
    windows = CONTROLLED.windows(CONTROLLED_TUNES, 11)
    assert len(windows) > len(whole)
    generator = make_generator(0)
    data = Windows(CONTROLLED, windows, windows, "mine", "0f", num_replaced=3)

    found = measure(generator, data, None, [3.0, 1.0, 2.0])

    num_events = (windows > 1).sum()
    assert (found.num_train, found.num_held_out) == (len(whole), len(whole))
    nlls = sequence_nlls(generator, windows)
    assert found.nats == pytest.approx(nlls.sum() / len(whole))
    assert found.nats_an_event == pytest.approx(nlls.sum() / num_events)
    assert found.replaced == pytest.approx(3 / (2 * num_events))
    assert (found.best_epoch, found.num_epochs) == (2, 3)
    assert found.start is None and found.start_nats is None
    assert found.unknown_metres == 0.0


def test_the_gain_is_that_of_each_tune_over_the_start():
    rows = CONTROLLED.whole_tunes(CONTROLLED_TUNES, 400).tokens
    data = Windows(CONTROLLED, rows, rows, "mine", "0f")
    generator = make_generator(0)
    start = Start("before", make_generator(1), CONTROLLED, Settings())

    found = measure(generator, data, start)

    gains = sequence_nlls(start.generator, rows) - sequence_nlls(generator, rows)
    assert found.start_nats - found.nats == pytest.approx(gains.mean())
    assert found.gain_error == pytest.approx(gains.std(ddof=1) / len(gains) ** 0.5)
    assert found.start == "before"


def test_the_sentences_of_one_held_out_tune_follow_from_the_file(tmp_path):
    rows = CONTROLLED.whole_tunes(CONTROLLED_TUNES, 400).tokens
    data = Windows(CONTROLLED, rows, rows[:1], "mine", "0f")
    start = Start("before", make_generator(1), CONTROLLED, Settings())

    write_json(tmp_path / "outcome.json", to_json(measure(make_generator(0), data, start)))

    saved = read_json(tmp_path / "outcome.json")
    said = saved.pop("sentences")
    assert sentences_of(Outcome(**saved)) == said
    assert "no clear difference" in said[1]


def test_a_metre_that_the_vocabulary_lacks_is_counted():
    rows = CONTROLLED.whole_tunes(CONTROLLED_TUNES, 400).tokens
    unknown = rows.copy()
    is_unknown_metre = (CONTROLLED.token_controls[:, 0] == 1) & (
        CONTROLLED.token_controls[:, 1] == 0
    )
    unknown[0, 1] = np.flatnonzero(is_unknown_metre)[0]
    data = Windows(CONTROLLED, unknown, rows, "mine", "0f")

    found = measure(make_generator(0), data, None)

    assert found.unknown_metres == pytest.approx(1 / (2 * len(rows)))
