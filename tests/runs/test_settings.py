"""Claims about tfseqgan.presets: what the paper fixes, and what a setting may be."""

import dataclasses
import json
import math

import pytest

from tfseqgan.objectives.baselines import BASELINES
from tfseqgan.objectives.credit import CREDITS
from tfseqgan.objectives.recipes import RECIPES
from tfseqgan.objectives.rewards import REWARDS
from tfseqgan.runs.settings import PRESETS, Settings, settings_from_preset

PAPER = {
    "length": 100,
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


def test_the_papers_maximum_likelihood_never_stops_early():
    assert PRESETS["paper"].patience >= PRESETS["paper"].epochs


def test_the_papers_discriminator_sees_its_samples_three_times_a_round():
    paper = PRESETS["paper"]
    assert paper.discriminator_steps == math.ceil(
        3 * paper.discriminator_samples / (paper.discriminator_batch_size // 2)
    )


def test_the_default_preset_is_the_defaults_and_quick_is_smaller():
    assert PRESETS["default"] == Settings()
    assert PRESETS["quick"].rounds < Settings().rounds and PRESETS["quick"].units < Settings().units


def test_a_setting_replaces_the_presets_and_none_keeps_it():
    assert settings_from_preset("paper", rounds=3, epochs=None) == dataclasses.replace(
        PRESETS["paper"], rounds=3
    )


def test_zero_is_a_setting_and_not_a_missing_one():
    assert settings_from_preset("quick", rounds=0, dropout=0).rounds == 0


def test_an_unknown_preset_is_told_the_known_ones():
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
        ("entropy_weight", -0.1),
        ("entropy_weight", math.inf),
        ("kl_weight", math.nan),
        ("discount", 1.1),
        ("rounds", -1),
        ("discriminator_batch_size", 1),
        ("discriminator_pretraining_rounds", -1),
    ],
)
def test_a_setting_out_of_range_is_named_with_what_was_expected(name, value):
    with pytest.raises(ValueError) as caught:
        Settings(**{name: value})
    assert str(caught.value).startswith(f"{name} is {value!r}; expected ")


@pytest.mark.parametrize(
    "name, table",
    [("objective", RECIPES), ("reward", REWARDS), ("baseline", BASELINES), ("credit", CREDITS)],
)
def test_the_names_to_choose_from_are_those_that_exist(name, table):
    (field,) = (field for field in dataclasses.fields(Settings) if field.name == name)
    assert field.metadata["expected"] == tuple(table)
    assert all(choice in field.metadata["help"] for choice in table)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_presets_settings_survive_json(preset):
    saved = json.loads(json.dumps(dataclasses.asdict(PRESETS[preset])))
    assert Settings(**saved | {"kernel_sizes": tuple(saved["kernel_sizes"])}) == PRESETS[preset]
