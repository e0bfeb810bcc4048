"""Claims about tfseqgan.objectives.names: the tables of parts have exactly these names."""

import pytest

from tfseqgan.objectives import names
from tfseqgan.objectives.baselines import (
    BASELINES,
    BatchMean,
    LeaveOneOut,
    MovingAverage,
    NoBaseline,
)
from tfseqgan.objectives.credit import CREDITS, Prefix, Rollout, Terminal
from tfseqgan.objectives.recipes import RECIPES
from tfseqgan.objectives.rewards import REWARDS


@pytest.mark.parametrize(
    "table, expected",
    [
        (REWARDS, names.REWARD_NAMES),
        (CREDITS, names.CREDIT_NAMES),
        (BASELINES, names.BASELINE_NAMES),
        (RECIPES, names.RECIPE_NAMES),
    ],
)
def test_a_table_of_parts_has_exactly_the_names_of_the_names_module(table, expected):
    assert tuple(table) == expected


@pytest.mark.parametrize("table", [REWARDS, RECIPES])
def test_a_function_is_found_by_its_own_name(table):
    assert {name: function.__name__ for name, function in table.items()} == {
        name: name for name in table
    }


def test_a_name_stands_for_the_part_that_it_names():
    assert {
        "terminal": Terminal(),
        "prefix": Prefix(),
        "rollout": Rollout(),
    } == CREDITS
    assert {
        "none": NoBaseline(),
        "batch_mean": BatchMean(),
        "leave_one_out": LeaveOneOut(),
        "moving_average": MovingAverage(),
    } == BASELINES
