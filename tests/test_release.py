"""Claims about the files that a release changes together."""

import configparser
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import tfseqgan

ROOT = Path(__file__).resolve().parents[1]


def test_the_citation_names_the_version_of_the_package():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")

    assert re.findall(r"^version: (\S+)$", citation, re.MULTILINE) == [tfseqgan.__version__]


def test_the_changelog_has_a_heading_for_the_version_of_the_package():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert f"## {tfseqgan.__version__}" in changelog.splitlines()


def test_every_package_is_listed():
    found = {path.parent for path in (ROOT / "tfseqgan").rglob("__init__.py")}
    packages = {".".join(path.relative_to(ROOT).parts) for path in found}
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")

    assert set(config["options"]["packages"].split()) == packages | {"tfseqgan.saved_models"}


@pytest.mark.slow
@pytest.mark.processes
def test_the_wheel_holds_the_samplers_of_the_clone(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source)
    for name in ("tfseqgan", "saved_models"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, source]
    subprocess.run(command, check=True, capture_output=True)

    [wheel] = tmp_path.glob("*.whl")
    assert wheel.stat().st_size <= 15e6
    with zipfile.ZipFile(wheel) as archive:
        prefix = "tfseqgan/saved_models/"
        packed = {
            name.removeprefix(prefix): archive.read(name)
            for name in archive.namelist()
            if name.startswith(prefix)
        }
    folder = ROOT / "saved_models"
    kept = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert packed == kept
