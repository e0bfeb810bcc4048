"""The samplers that come with tfseqgan, by name."""

from pathlib import Path

SHIPPED = ("nottingham",)
"""Their names."""

_PACKAGE = Path(__file__).resolve().parents[1]


def find_model(name_or_folder: Path | str) -> Path:
    """Returns the folder of a model that is given by its folder, or by a name in `SHIPPED`.

    A folder of that name goes first. The wheel holds the samplers within the package, a clone
    beside it.

    Args:
        name_or_folder: a folder, or a name.

    Example:
        >>> find_model("nottingham").name, find_model("runs/mine") == Path("runs/mine")
        ('nottingham', True)
    """
    folder = Path(name_or_folder)
    if folder.exists() or str(name_or_folder) not in SHIPPED:
        return folder

    return shipped_folder(str(name_or_folder))


def shipped_folder(name: str) -> Path:
    """Returns the folder of a model in `SHIPPED`, whatever the current folder holds."""
    places = [place / "saved_models" / name for place in (_PACKAGE, _PACKAGE.parent)]

    return next((place for place in places if place.is_dir()), Path(name))
