"""Claims about the files that a release changes together."""

import re
from pathlib import Path

import tfseqgan

ROOT = Path(__file__).resolve().parents[1]


def test_the_citation_names_the_version_of_the_package():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")

    assert re.findall(r"^version: (\S+)$", citation, re.MULTILINE) == [tfseqgan.__version__]


def test_the_changelog_has_a_heading_for_the_version_of_the_package():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert f"## {tfseqgan.__version__}" in changelog.splitlines()
