"""Pages with blocks that are made by a command, between `<!-- name -->` and `<!-- end -->`."""

import re
from collections.abc import Iterable, Sequence


def replace_block(page: str, name: str, content: str) -> str:
    """Returns a page with new content in one of its blocks.

    Raises:
        ValueError: unless the page has exactly one block of this name.
    """
    page, count = re.subn(
        rf"(<!-- {name} -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}{content}\n{match[2]}",
        page,
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError(
            f"The page has {count} blocks '<!-- {name} -->', expected exactly one that ends with "
            "'<!-- end -->'. Restore the block in the page."
        )

    return page


def make_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table of Markdown."""
    lines = [header, ["---"] * len(header), *rows]

    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
