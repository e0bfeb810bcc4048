"""`tfseqgan doctor`: what it prints, and what it says where TensorFlow cannot be loaded."""

import json

import pytest
from running_commands import assert_one_line_and_code_1

from tfseqgan import __version__
from tfseqgan.cli import late_imports
from tfseqgan.runs import speed
from tfseqgan.runs.speed import Speed


@pytest.fixture
def known_speed(monkeypatch):
    """Makes every preset as fast as the next one, without measuring it."""

    def measure(preset):
        return Speed(preset, 0.25, rows_per_step=12, steps_per_epoch=30, epochs=24, rounds=5)

    monkeypatch.setattr(speed, "measure_speed", measure)


def test_doctor_prints_versions_machine_devices_models_and_speed_in_80_columns(
    tfseqgan, known_speed
):
    code, out, err = tfseqgan("doctor")

    assert (code, err) == (0, "")
    titles = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    assert titles == ["versions", "extras", "machine", "models", "devices", "quick", "default"]
    assert f"tfseqgan {__version__}" in out
    assert "0.25 s a likelihood step of 12 rows" in out
    assert "24 epochs of synthetic tunes: at most 3 minutes, plus 5 rounds" in out
    assert all(len(line) <= 80 or line.startswith("models") for line in out.splitlines())


def test_doctor_as_json_prints_the_same_and_nothing_else(tfseqgan, known_speed):
    code, out, err = tfseqgan("doctor", "--json")

    assert (code, err) == (0, "")
    report = json.loads(out)
    assert set(report) == {"versions", "extras", "machine", "models", "devices", "speed"}
    assert report["speed"]["default"]["likelihood_seconds"] == 0.25 * 30 * 24


def test_doctor_says_what_is_installed_where_tensorflow_cannot_be_loaded(tfseqgan, monkeypatch):
    def fail(name):
        raise ImportError("libtensorflow.so: no such file")

    monkeypatch.setattr(late_imports, "import_run_module", fail)

    code, out, err = tfseqgan("doctor")

    assert "versions" in out
    assert_one_line_and_code_1((code, "", err), "TensorFlow cannot be loaded (libtensorflow.so: no")
