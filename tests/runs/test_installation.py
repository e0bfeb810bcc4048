"""What is installed: versions, the machine, the models."""

from importlib import metadata

from tfseqgan import __version__
from tfseqgan.runs import installation
from tfseqgan.runs.installation import describe_installation, installed_versions, version_of
from tfseqgan.serving.shipped import SHIPPED


def test_the_versions_are_those_that_are_installed():
    versions = installed_versions()

    assert versions["tfseqgan"] == __version__
    assert versions["tensorflow"] == metadata.version("tensorflow")
    assert None not in versions.values()


def test_a_package_that_is_not_installed_has_no_version():
    assert version_of("a-package-that-nobody-has") is None


def test_the_models_that_come_with_the_package_are_found():
    models = describe_installation()["models"]

    assert list(models) == list(SHIPPED)
    assert models["nottingham"].endswith("saved_models/nottingham")


def test_a_folder_of_a_models_name_is_not_taken_for_the_one_that_comes_with_the_package(
    monkeypatch, tmp_path
):
    expected = describe_installation()["models"]
    (tmp_path / "nottingham").mkdir()
    (tmp_path / "nottingham" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)

    assert describe_installation()["models"] == expected


def test_a_model_that_is_missing_has_no_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(installation, "shipped_folder", lambda name: tmp_path / name)

    assert describe_installation()["models"]["nottingham"] is None


def test_the_machine_has_cores_and_memory():
    machine = describe_installation()["machine"]

    assert machine["cores"] >= 1
    assert 0.1 < machine["memory_gib"] < 1e5
