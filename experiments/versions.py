"""The versions that a figure was computed with, which stand in its JSON file."""

import platform
from importlib.metadata import version

import tfseqgan as sg


def library_versions() -> dict[str, str]:
    """Returns the versions that the figures were computed with."""
    return {
        "tfseqgan": sg.__version__,
        "python": platform.python_version(),
        "tensorflow": version("tensorflow"),
        "keras": version("keras"),
    }
