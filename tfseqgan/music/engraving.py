"""ABC → sheet music as SVG, by verovio, which is not needed for anything else."""

import importlib
import re
from typing import Any

_OPTIONS = {
    "inputFrom": "abc",
    "xmlIdSeed": 1,
    "breaks": "encoded",
    "adjustPageHeight": True,
    "pageWidth": 2400,
    "pageHeight": 60000,
    "scale": 40,
    "footer": "none",
}
"""A line of ABC is a line of the score, and all of them are on one page, which is as high as they
need."""


def load_verovio() -> Any:
    """Imports verovio, which the extra "viz" installs.

    Raises:
        ValueError: if it is not installed.
    """
    try:
        return importlib.import_module("verovio")
    except ImportError as error:
        raise ValueError(
            f"Sheet music is engraved by verovio, which cannot be loaded ({error}); expected the "
            "extra 'viz'. Install it: pip install 'tfseqgan[viz]'"
        ) from error


def number_ids(svg: str) -> str:
    """Returns an SVG without empty groups, and with its ids renamed to n0, n1, … in their order.

    Both depend on what verovio engraved before, so without this the bytes would too.

    Args:
        svg: as verovio writes it.

    Example:
        >>> number_ids('<g id="note-7f"><use href="#note-7f" /></g>')
        '<g id="n0"><use href="#n0" /></g>'
    """
    svg = re.sub(r"\s*<g [^>]*/>", "", svg)
    ids = dict.fromkeys(re.findall(r'\bid="([^"]+)"', svg))  # each id once, in order
    new_names = {old: f"n{index}" for index, old in enumerate(ids)}

    # An id stands after a quote or a #, in the element itself or in a reference to it.
    return re.sub(
        r'(?<=["#])[\w-]+(?=["\s{.,])',
        lambda match: new_names.get(match[0], match[0]),
        svg,
    )


def engrave(abc: str) -> str:
    """Engraves a tune as sheet music. The same text gives the same bytes.

    Args:
        abc: a tune in ABC, as `to_abc` writes it.

    Returns:
        The text of an SVG file, of one page.

    Raises:
        ValueError: if verovio is not installed.
    """
    verovio = load_verovio()
    verovio.enableLog(verovio.LOG_ERROR)  # it warns of every field that it does not show
    toolkit = verovio.toolkit()
    toolkit.setOptions(_OPTIONS)
    toolkit.loadData(abc)

    return number_ids(toolkit.renderToSVG(1))
