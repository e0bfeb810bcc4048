"""What the paper fixes, what a setting may be, and that the names are those that exist."""

import dataclasses
import json
import math

import numpy as np
import pytest

from tfseqgan.objectives.baselines import BASELINES
from tfseqgan.objectives.credit import CREDITS
from tfseqgan.objectives.names import BASELINE_NAMES, CREDIT_NAMES, RECIPE_NAMES, REWARD_NAMES
from tfseqgan.objectives.recipes import RECIPES
from tfseqgan.objectives.rewards import REWARDS
from tfseqgan.runs.run_folder import read_settings
from tfseqgan.runs.settings import (
    PRESETS,
    TOKENS_OF_THE_PAPER,
    Settings,
    settings_from_preset,
)
from tfseqgan.training.schedule import Schedule

PAPER = {
    "length": 100,
    "interleave": False,
    "transpose": None,
    "chord_octaves": True,
    "random_transposition": False,
    "whole_tunes": False,
    "grammar": False,
    "embedding": "table",
    "embedding_dim": 32,
    "units": 512,
    "dropout": 0.0,
    "epochs": 100,
    "pretraining_batch_size": 128,
    "pretraining_learning_rate": 1e-3,
    "schedule": "constant",
    "generator_learning_rate": 1e-3,
    "batch_size": 128,
    "discriminator_embedding_dim": 32,
    "filters": 400,
    "kernel_sizes": (20, 20, 20, 20, 20),
    "discriminator_dropout": 0.25,
    "l2_weight": 0.2,
    "discriminator_learning_rate": 1e-4,
    "discriminator_batch_size": 32,
    "discriminator_samples": 1400,
    "discriminator_pretraining_rounds": 100,
    "rounds": 2000,
    "generator_steps": 1,
    "objective": "reinforce",
    "discount": 1.0,
    "reward": None,
    "baseline": None,
    "entropy_weight": None,
    "kl_weight": None,
}


@pytest.mark.parametrize("name", PAPER)
def test_the_paper_preset_has_the_papers_setting(name):
    assert getattr(PRESETS["paper"], name) == PAPER[name]


def test_maximum_likelihood_of_the_paper_preset_never_stops_early():
    assert PRESETS["paper"].patience >= PRESETS["paper"].epochs


def test_the_discriminator_of_the_paper_preset_sees_its_samples_three_times_a_round():
    schedule = PRESETS["paper"].round_schedule()

    steps = math.ceil(3 * schedule.discriminator_samples / schedule.half_batch)

    assert schedule.discriminator_steps == steps


def test_the_default_preset_has_the_default_settings():
    assert PRESETS["default"] == Settings()


def test_the_quick_preset_is_smaller_than_the_default():
    quick = PRESETS["quick"]

    assert quick.epochs * quick.length < Settings().epochs * Settings().length
    assert quick.units < Settings().units


def test_the_round_schedule_has_the_settings_of_the_same_names():
    settings = Settings(
        generator_steps=2,
        discriminator_steps=3,
        batch_size=4,
        discriminator_batch_size=6,
        discriminator_samples=7,
        discriminator_pretraining_rounds=8,
        validation_freq=9,
    )

    assert settings.round_schedule() == Schedule(
        generator_steps=2,
        discriminator_steps=3,
        batch_size=4,
        discriminator_batch_size=6,
        discriminator_samples=7,
        discriminator_pretraining_rounds=8,
        validation_freq=9,
    )


def test_an_override_replaces_the_presets_setting_and_none_keeps_it():
    settings = settings_from_preset("paper", rounds=3, epochs=None)

    assert settings == dataclasses.replace(PRESETS["paper"], rounds=3)


def test_zero_overrides_a_setting():
    settings = settings_from_preset("quick", rounds=0, dropout=0)

    assert settings.rounds == 0
    assert settings.dropout == 0


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'best'; expected one of quick, default, paper"):
        settings_from_preset("best")


@pytest.mark.parametrize(
    "name, value",
    [
        ("seed", -1),
        ("seed", 2**32),
        ("length", 0),
        ("units", 1.5),
        ("units", "512"),
        ("units", True),
        ("dropout", False),
        ("kernel_sizes", (True,)),
        ("global_clipnorm", 0.0),
        ("objective", ["merl"]),
        ("num_tunes", 0),
        ("validation_freq", 0),
        ("validation_fraction", 0.0),
        ("validation_fraction", 1.0),
        ("rare", "keep"),
        ("embedding", "sum"),
        ("schedule", "linear"),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("dropout", math.nan),
        ("epochs", -1),
        ("patience", 0),
        ("pretraining_learning_rate", 0.0),
        ("generator_learning_rate", math.inf),
        ("kernel_sizes", ()),
        ("kernel_sizes", (1, 0)),
        ("kernel_sizes", (1.5,)),
        ("kernel_sizes", 3),
        ("l2_weight", -1.0),
        ("objective", "seqgun"),
        ("reward", "d"),
        ("baseline", "mean"),
        ("credit", "token"),
        ("entropy_weight", -0.1),
        ("entropy_weight", math.inf),
        ("kl_weight", math.nan),
        ("discount", 1.1),
        ("rounds", -1),
        ("discriminator_batch_size", 1),
        ("discriminator_pretraining_rounds", -1),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name_with_what_was_expected(name, value):
    with pytest.raises(ValueError) as caught:
        Settings(**{name: value})

    assert str(caught.value).startswith(f"{name} is {value!r}; expected ")


@pytest.mark.parametrize(
    "table, names",
    [
        (RECIPES, RECIPE_NAMES),
        (REWARDS, REWARD_NAMES),
        (BASELINES, BASELINE_NAMES),
        (CREDITS, CREDIT_NAMES),
    ],
)
def test_the_tables_of_parts_have_exactly_the_names_of_objectives_names(table, names):
    assert tuple(table) == names


@pytest.mark.parametrize(
    "name, names",
    [
        ("objective", RECIPE_NAMES),
        ("reward", REWARD_NAMES),
        ("baseline", BASELINE_NAMES),
        ("credit", CREDIT_NAMES),
    ],
)
def test_a_setting_that_names_a_part_allows_and_lists_exactly_the_names_that_exist(name, names):
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    metadata = fields[name].metadata

    assert metadata["expected"] == names
    assert all(choice in metadata["help"] for choice in names)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_settings_of_a_preset_survive_json(preset):
    saved = json.loads(json.dumps(dataclasses.asdict(PRESETS[preset])))

    restored = Settings(**saved | {"kernel_sizes": tuple(saved["kernel_sizes"])})

    assert restored == PRESETS[preset]


def test_numpy_integers_and_floats_are_saved_as_pythons_own():
    settings = Settings(
        seed=np.int64(7), dropout=np.float32(0.5), kernel_sizes=(np.int32(2), 3), rounds=np.uint8(9)
    )

    assert settings == Settings(seed=7, dropout=0.5, kernel_sizes=(2, 3), rounds=9)
    assert json.loads(json.dumps(dataclasses.asdict(settings)))["seed"] == 7


@pytest.mark.parametrize("value", [1, "True", None])
def test_a_setting_that_is_true_or_false_is_nothing_else(value):
    with pytest.raises(ValueError, match=r"interleave is .*; expected True or False"):
        Settings(interleave=value)


def test_tunes_of_one_key_are_not_moved_to_others():
    assert Settings(transpose="C", random_transposition=False).transpose == "C"

    with pytest.raises(ValueError, match="transpose is 'C' and random_transposition is True"):
        Settings(transpose="C")


def test_settings_of_0_1_0_mean_the_tokens_of_the_paper():
    old = dataclasses.asdict(Settings(length=100, units=8))
    for name in TOKENS_OF_THE_PAPER:
        del old[name]

    read = read_settings({"settings": old})

    assert read == Settings(length=100, units=8, **TOKENS_OF_THE_PAPER)
    assert not read.interleave and not read.grammar
