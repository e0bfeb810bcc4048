"""The samplers that come with tfseqgan, by name."""

from pathlib import Path

SHIPPED = ("nottingham",)
"""Their names."""

_FILES_OF_A_MODEL = (
    "config.json",
    "generator.keras",
    "pretrained.keras",
    "saved_model.pb",
    "*/saved_model.pb",
)
"""What the folder of a run or of an exported sampler holds."""

_PACKAGE = Path(__file__).resolve().parents[1]


def find_model(name_or_folder: Path | str) -> Path:
    """Returns the folder of a model that is given by its folder, or by a name in `SHIPPED`.

    A folder of that name goes first if it holds a model: it may be that of the tunes, as `tfseqgan
    download` writes them. The wheel holds the samplers within the package, a clone beside it.

    Args:
        name_or_folder: a folder, or a name.

    Example:
        >>> find_model("nottingham").name, find_model("runs/mine") == Path("runs/mine")
        ('nottingham', True)
    """
    folder = Path(name_or_folder)
    if _holds_model(folder) or str(name_or_folder) not in SHIPPED:
        return folder

    return shipped_folder(str(name_or_folder))


def _holds_model(folder: Path) -> bool:
    """Returns whether a folder holds a file of a run or of an exported sampler."""
    return any(any(folder.glob(pattern)) for pattern in _FILES_OF_A_MODEL)


def shipped_folder(name: str) -> Path:
    """Returns the folder of a model in `SHIPPED`, whatever the current folder holds.

    Where the models are not installed, the folder does not exist.
    """
    places = [place / "saved_models" / name for place in (_PACKAGE, _PACKAGE.parent)]

    return next((place for place in places if place.is_dir()), places[0])
