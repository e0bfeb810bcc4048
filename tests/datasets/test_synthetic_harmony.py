"""Claims about the plan of a synthetic tune."""

import collections

import numpy as np
import pytest

from tfseqgan.datasets.synthetic_harmony import (
    OCTAVE,
    TRIAD,
    PartPlanner,
    ScaleRange,
    choose_weighted,
    scale_range,
)

SCALE = ScaleRange(tonic=62, mode="mixolydian", home=7, low=0, high=12)
SEEDS = range(50)


def roots_of_clauses(slots):
    """Returns the roots of each of the four clauses of a part."""
    roots = [slot.root for slot in slots]
    clause_length = len(roots) // 4

    return [roots[start : start + clause_length] for start in range(0, len(roots), clause_length)]


def test_options_are_chosen_in_proportion_to_their_weights():
    rng = np.random.default_rng(0)

    counts = collections.Counter(choose_weighted(rng, "abc", (1.0, 0.0, 3.0)) for _ in range(4000))

    assert set(counts) == {"a", "c"}
    assert counts["c"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_a_step_has_the_pitch_that_the_mode_gives_it():
    assert [SCALE.pitch(step) for step in (0, 2, 6, 7, -1)] == [62, 66, 72, 74, 60]


def test_a_chord_is_its_root_in_the_bass_and_the_triad_in_one_octave():
    assert SCALE.chord(root=0) == (38, 62, 54, 57)  # D, then D, F sharp and A


@pytest.mark.parametrize("key", ["D", "F", "Em", "Bm"])
def test_the_range_of_a_tune_holds_its_home_tonic_and_fits_a_fiddle(key):
    for seed in SEEDS:
        scale = scale_range(np.random.default_rng(seed), key)

        assert 62 <= scale.pitch(scale.low) < scale.pitch(scale.high) <= 83
        assert scale.home % OCTAVE == 0
        assert scale.low <= scale.home <= scale.high
        assert scale.pitch(scale.home) <= 74


@pytest.mark.parametrize("groups_per_bar", [1, 2])
def test_anchors_are_chord_tones_in_the_range_and_the_last_one_is_home(groups_per_bar):
    for seed in SEEDS:
        planner = PartPlanner(np.random.default_rng(seed), SCALE, groups_per_bar)

        slots = planner.plan("a b a' c", centre=4)

        assert len(slots) == 8 * groups_per_bar
        assert all((slot.anchor - slot.root) % OCTAVE in TRIAD for slot in slots)
        assert all(SCALE.low <= slot.anchor <= SCALE.high for slot in slots)
        assert slots[-1].anchor == SCALE.home


def test_clauses_with_one_symbol_share_their_chords_and_a_prime_changes_them():
    for seed in SEEDS:
        planner = PartPlanner(np.random.default_rng(seed), SCALE, groups_per_bar=2)

        first, primed, again, close = roots_of_clauses(planner.plan("a a' a c", centre=4))
        *_, close_of_second_part = roots_of_clauses(planner.plan("d e d c", centre=8))

        assert first == again != primed
        assert close == close_of_second_part
