"""griffe extension: shows an "Example:" section as code.

griffe knows "Examples:" as a section of doctests and takes "Example:" for a box of prose. The
docstrings of this library, like those of Keras, say "Example:".
"""

import re
from typing import Any

import griffe


class ExampleSections(griffe.Extension):
    """Renames the sections while griffe reads the source."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Renames "Example:" to "Examples:" in the docstring of an object."""
        if obj.docstring is None:
            return
        obj.docstring.value = re.sub(
            r"^Example:$",
            "Examples:",
            obj.docstring.value,
            flags=re.MULTILINE,
        )
