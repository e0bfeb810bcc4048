"""The tables of docs/metre_and_key.md, rendered from the JSON file of experiments/metre_and_key.py.

python experiments/metre_and_key_page.py
"""

import json
from pathlib import Path
from typing import Any

from pages import make_table, replace_block

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "experiments" / "results" / "metre_and_key.json"
PAGE = ROOT / "docs" / "metre_and_key.md"

Result = dict[str, Any]


def format_share(count: dict[str, int]) -> str:
    """Returns a share in per cent, and what it is of.

    Example:
        >>> format_share({"right": 3, "of": 4})
        '75.0 % (3 of 4)'
    """
    percent = 100 * count["right"] / count["of"]

    return f"{percent:.1f} % ({count['right']:,} of {count['of']:,})"


def shares_table(result: Result) -> str:
    """Returns the table of the shares that are right, a corpus a row."""
    header = ["tunes", "metre", "exact time signature", "key"]
    rows = [
        [name, *(format_share(shares[what]) for what in ("metre", "time signature", "key"))]
        for name, shares in result["corpora"].items()
    ]

    return make_table(header, rows)


def profiles_table(result: Result) -> str:
    """Returns the table of the keys that are right by other profiles, one a row."""
    corpora = result["corpora"]
    names = next(iter(corpora.values()))["key by profiles"]
    rows = [
        [name, *(format_share(shares["key by profiles"][name]) for shares in corpora.values())]
        for name in names
    ]

    return make_table(["profiles", *corpora], rows)


def wrong_table(result: Result) -> str:
    """Returns the table of the tunes whose metre is wrong."""
    rows = [[each["tune"], each["said"], each["estimated"]] for each in result["wrong metres"]]

    return make_table(["tune", "the book says", "estimated"], rows)


def render() -> str:
    """Returns the page with its tables made from the JSON file."""
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    page = replace_block(page, "shares", shares_table(result))
    page = replace_block(page, "profiles", profiles_table(result))

    return replace_block(page, "wrong", wrong_table(result))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
