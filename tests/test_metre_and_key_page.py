"""docs/metre_and_key.md shows what the JSON file of experiments/metre_and_key.py says."""

import pytest
from conftest import import_experiment

from tfseqgan.datasets.synthetic import compose_tunes


@pytest.fixture(scope="module")
def page():
    """The module experiments/metre_and_key_page.py."""
    return import_experiment("metre_and_key_page")


@pytest.fixture(scope="module")
def experiment():
    """The module experiments/metre_and_key.py."""
    return import_experiment("metre_and_key")


def test_rendering_the_page_again_changes_no_byte(page):
    assert page.render() == page.PAGE.read_text(encoding="utf-8")


def test_a_share_is_shown_with_what_it_is_of(page):
    assert page.format_share({"right": 1023, "of": 1034}) == "98.9 % (1,023 of 1,034)"


def test_the_halves_hold_every_tune_once_and_no_tune_with_its_copy_in_the_other(experiment):
    tunes = compose_tunes(7, seed=1)

    even, odd = experiment.split_in_halves([*tunes, *tunes[:3]])

    assert len(even) + len(odd) == 10
    assert not {tune.name for tune in even} & {tune.name for tune in odd}


def test_only_two_four_and_two_two_are_taken_for_four_four(experiment):
    signatures = [(2, 4), (2, 2), (4, 4), (3, 4), (6, 8), (3, 2)]

    classes = [experiment.metre_class(signature) for signature in signatures]

    assert classes == [(4, 4), (4, 4), (4, 4), (3, 4), (6, 8), (3, 2)]
