"""The command beside a figure has the settings that the figure was made with."""

import json
from pathlib import Path

from conftest import import_experiment

from tfseqgan.runs.run_folder import read_settings
from tfseqgan.runs.settings import PRESETS

RESULTS = Path(__file__).resolve().parents[1] / "experiments" / "results"


def test_maximum_likelihood_has_the_settings_of_its_published_result():
    published = json.loads((RESULTS / "maximum_likelihood" / "parts.json").read_bytes())
    settings = import_experiment("maximum_likelihood").SETTINGS["parts"]

    for name, value in published["settings"].items():
        assert getattr(settings, name) == value, name
    assert settings.length == 100
    assert not settings.grammar and not settings.whole_tunes


def test_the_quick_preset_has_the_settings_of_its_published_run():
    published = json.loads((RESULTS / "nottingham_quick" / "config.json").read_bytes())

    assert read_settings(published) == PRESETS["quick"]
