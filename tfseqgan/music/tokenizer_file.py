"""The content of a tokenizer's file: JSON of a format, a version and all arguments."""

from typing import Any

from tfseqgan.music.controls import ControlVocabulary
from tfseqgan.music.score import TICKS_PER_QUARTER

FORMAT = "tfseqgan.Tokenizer"

_OPTIONS_OF_VERSIONS = {
    1: (),
    2: ("interleave", "transpose", "chord_octaves"),
    3: ("interleave", "transpose", "chord_octaves", "controls"),
}
"""The options that a file of each version has; version 1 is that of 0.1.0."""

VERSIONS = tuple(_OPTIONS_OF_VERSIONS)
"""The versions that can be read; the last one is written."""


def file_header() -> dict[str, Any]:
    """Returns what every file begins with."""
    return {"format": FORMAT, "version": VERSIONS[-1], "ticks_per_quarter": TICKS_PER_QUARTER}


def read_content(content: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of `Tokenizer` from the content of a file.

    Raises:
        ValueError: if it is not that of a file of a known version.
    """
    header = (content.get("format"), content.get("ticks_per_quarter"))
    version = content.get("version")
    if header != (FORMAT, TICKS_PER_QUARTER) or version not in _OPTIONS_OF_VERSIONS:
        raise ValueError(f"its header is {(*header, version)}")

    options = _OPTIONS_OF_VERSIONS[version]
    expected = {"format", "version", "ticks_per_quarter", "rare", "events", *options}
    if set(content) != expected:
        raise ValueError(f"its fields are {sorted(content)}")

    arguments = {name: content[name] for name in ("events", "rare", *options)}
    if arguments.get("controls") is not None:
        arguments["controls"] = ControlVocabulary(**arguments["controls"])

    return arguments
