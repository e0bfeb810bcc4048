"""The card of the shipped sampler shows what its JSON says, and the JSON what tunes are."""

import numpy as np
import pytest
from conftest import import_experiment, make_score
from tiny_models import CONTROLLED, CONTROLLED_TUNES

from tfseqgan.evaluation.music import SharedRuns, figures_of, figures_of_tune
from tfseqgan.music.score_labels import with_metre_and_key


@pytest.fixture(scope="module")
def card():
    """The module experiments/model_card.py."""
    return import_experiment("model_card")


def test_rendering_the_card_again_changes_no_byte(card):
    assert card.render() == card.PAGE.read_text(encoding="utf-8")


def test_figures_are_means_over_tunes_and_the_longest_of_the_shared_runs(card):
    tunes = [make_score(seed, num_notes=20, num_chords=6) for seed in range(3)]
    shared = SharedRuns(tunes[1:])

    found = card.figures_of_tunes(tunes, [True, False, True], [None, 3, 10**6], shared)

    assert (found["tunes"], found["empty"]) == (3, 0)
    in_key = [figures_of_tune(tune)["in_key"] for tune in tunes]
    expected = (np.mean(in_key), np.std(in_key, ddof=1) / 3**0.5)
    assert found["means"]["in_key"] == pytest.approx(expected)
    assert found["means"]["ended"][0] == pytest.approx(2 / 3)
    assert found["means"]["bars_as_asked"][0] in (0.0, 0.5)
    assert found["copied_most"] == 19  # the whole tune, which the others hold
    assert found["distinct_figures"] == len({each for tune in tunes for each in figures_of(tune)})


def test_what_a_tune_was_asked_to_be_stands_after_its_start(card):
    for tune in CONTROLLED_TUNES:
        row = np.concatenate([CONTROLLED.encode(tune), [0, 0]])

        said = card.controls_asked(CONTROLLED, row)

        labelled = with_metre_and_key(tune)
        assert said.key == labelled.key
        assert said.metre == "{}/{}".format(*labelled.time_signature)
