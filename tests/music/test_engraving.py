"""Sheet music: one page, the same bytes for one text, and a remedy where verovio is missing."""

import importlib
import importlib.util
from pathlib import Path

import pytest

from tfseqgan.datasets.synthetic import compose_tunes
from tfseqgan.music.abc_notation import to_abc
from tfseqgan.music.engraving import engrave, load_verovio, number_ids

DOCS = Path(__file__).parents[2] / "docs"

needs_verovio = pytest.mark.skipif(
    importlib.util.find_spec("verovio") is None, reason='sheet music needs the extra "viz"'
)


@needs_verovio
def test_sheet_music_does_not_depend_on_what_was_engraved_before():
    names = ("best_liked", "true_negative", "collapsed")
    tunes = [(DOCS / "results" / f"{name}.abc").read_text() for name in names]

    first = engrave(tunes[0])
    for tune in tunes:
        engrave(tune)
        assert engrave(tunes[0]) == first

    assert 'id="n0"' in first
    assert first.count("#n") > 10


def test_ids_and_the_references_to_them_are_numbered_in_their_order():
    svg = '<g id="x7" class="id"><use href="#k-2"/><path id="k-2"/></g><style>#x7 {}</style>'
    numbered = '<g id="n0" class="id"><use href="#n1"/><path id="n1"/></g><style>#n0 {}</style>'

    assert number_ids(svg) == numbered


@needs_verovio
def test_a_long_tune_is_engraved_on_one_page():
    lines = "CDEF|GABc|cBAG|FEDC|\n" * 50
    svg = engrave(f"X:1\nL:1/4\nM:4/4\nK:C\n{lines}")

    assert svg.count('class="notehead"') == 50 * 16


@needs_verovio
def test_engraving_prints_nothing(capfd):
    engrave(to_abc(compose_tunes(1, seed=0)[0]))

    assert capfd.readouterr() == ("", "")


def test_where_verovio_is_missing_the_extra_is_named(monkeypatch):
    def fail(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", fail)

    with pytest.raises(ValueError, match=r"cannot be loaded .* pip install 'tfseqgan\[viz\]'"):
        load_verovio()
