"""A run's folder: what it holds, when it may be used, and how its files are read.

config.json            every setting, the versions, the hash of the data, the skipped files
tokenizer.json         the vocabulary
pretraining.csv        figures of maximum likelihood, one row an epoch
metrics.csv            figures of adversarial training, one row a round
checkpoints/           everything that a stopped run needs in order to resume
pretrained.keras       the generator after maximum likelihood
generator.keras        the generator at the end
discriminator.keras    the discriminator at the end
manifest.json          hashes of the tokenizer and the final models, for `from_pretrained`
evaluation.json        Table 1's columns, before and after adversarial training
samples/*.mid          tunes
logs/                  scalars for TensorBoard
"""

import json
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from tfseqgan import __version__
from tfseqgan.models.discriminator import Discriminator
from tfseqgan.models.generator import Generator
from tfseqgan.music.midi import write_midi
from tfseqgan.music.score import Score
from tfseqgan.runs.settings import Settings

_CONTENTS = (
    "checkpoints",
    "logs",
    "samples",
    "pretraining.csv",
    "metrics.csv",
    "pretrained.keras",
    "generator.keras",
    "discriminator.keras",
    "evaluation.json",
    "manifest.json",
    "tokenizer.json",
    "config.json",
)
"""Everything that a run writes, in the order in which it is removed: as long as config.json is
there, the folder is known to be a run's."""


def check_separate_folders(out: Path | str, data_path: Path | str | None) -> None:
    """Raises ValueError if a run's folder and its data lie inside each other.

    The run's tunes would then be read as data, or the data replaced by the run.
    """
    if data_path is None:
        return

    folder = Path(out).resolve()
    data = Path(data_path).resolve()
    if folder.is_relative_to(data) or data.is_relative_to(folder):
        raise ValueError(
            f"--out {folder} and --data {data} lie inside each other; expected two separate "
            "folders, so that the run does not learn from its own tunes. Choose another --out."
        )


def _is_run(folder: Path) -> bool:
    """Returns whether a folder's config.json was written by a run."""
    try:
        return "tfseqgan" in read_json(folder / "config.json")["versions"]
    except (ValueError, KeyError, TypeError, OSError):
        return False


def check_folder(out: Path | str, overwrite: bool = False, resume: bool = False) -> Path:
    """Checks that a run may use a folder, and changes nothing there.

    Args:
        out: the folder.
        overwrite: whether an earlier run in it may be replaced.
        resume: whether the run in it is to be resumed.

    Returns:
        The folder as a path.

    Raises:
        ValueError: if the folder holds a run and neither was asked for, holds something else, or
            holds no run to resume.
    """
    folder = Path(out)
    if resume:
        if not (folder / "config.json").is_file():
            raise ValueError(
                f"{folder} holds no run to resume; expected a config.json there. Check the path, "
                "or leave out --resume to start a new run."
            )
        return folder

    is_empty = folder.is_dir() and not any(folder.iterdir())
    if is_empty or not folder.exists():
        return folder

    if not _is_run(folder):
        raise ValueError(
            f"{folder} exists and is not a run of tfseqgan; expected a new or empty folder. "
            "Choose another --out."
        )
    if not overwrite:
        raise ValueError(
            f"{folder} already holds a run; expected a new or empty folder. Pass --resume to "
            "resume that run, --overwrite to replace it, or choose another --out."
        )

    return folder


def clear_folder(out: Path) -> None:
    """Removes the run in a folder, and no other file there."""
    for name in _CONTENTS:
        path = out / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def read_json(path: Path | str) -> Any:
    """Reads a JSON file of a run.

    Raises:
        ValueError: naming the file, if it is missing or damaged.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(
            f"{path} does not exist; expected a run folder made by 'tfseqgan train'. Check the "
            "path, or finish the run."
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged ({error}); expected JSON. Train again into a new folder."
        ) from error


def read_settings(content: Any) -> Settings:
    """Returns the settings in a config.json or on the card of an exported sampler.

    Args:
        content: the content of the JSON file.

    Raises:
        KeyError, TypeError or ValueError: if the settings are not as this version writes them.
    """
    saved = content["settings"]
    kernel_sizes = tuple(saved["kernel_sizes"])  # a list in JSON

    return Settings(**saved | {"kernel_sizes": kernel_sizes})


def read_config(run: Path | str) -> tuple[Settings, dict[str, Any]]:
    """Returns the settings of a run, and the whole content of its config.json.

    Raises:
        ValueError: naming the file, if it is missing, damaged, or not as this version writes it.
    """
    path = Path(run) / "config.json"
    config = read_json(path)
    try:
        settings = read_settings(config)
        _ = config["data_path"], config["data"]["sha256"], config["starts_with_start_token"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not what tfseqgan {__version__} writes ({error}); expected the "
            "config.json of a run. Restore the file, or start a new run."
        ) from error

    return settings, config


def load_model(run: Path | str, name: str) -> Any:
    """Loads a model of a run, without its optimizer.

    Args:
        run: the run's folder.
        name: "generator", "discriminator" or "pretrained".

    Returns:
        A `Generator` or `Discriminator`.

    Raises:
        ValueError: if the run has not reached that stage, or the file is damaged.
    """
    path = Path(run) / f"{name}.keras"
    if not path.is_file():
        raise ValueError(
            f"{path} does not exist; expected a run that has reached this stage. Resume the run: "
            f"tfseqgan train --resume --out {run}"
        )

    classes = {"Generator": Generator, "Discriminator": Discriminator}
    try:
        return keras.models.load_model(path, custom_objects=classes, compile=False)
    except Exception as error:  # ValueError, BadZipFile, KeyError, OSError and more, if damaged
        # Keras says of a truncated file that it was not found.
        reason = error if zipfile.is_zipfile(path) else "the file is incomplete"
        raise ValueError(
            f"{path} cannot be loaded ({reason}); expected a model saved by tfseqgan. Restore the "
            f"file, or make it again: tfseqgan train --resume --out {run}"
        ) from error


def write_tunes(tunes: Sequence[Score], folder: Path | str) -> list[Path]:
    """Writes tunes as MIDI files, and replaces files of the same names.

    Args:
        tunes: the tunes.
        folder: is created if it does not exist.

    Returns:
        The paths: `tune_1.mid`, or `tune_01.mid` if there are ten tunes or more, and so on.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    num_digits = len(str(len(tunes)))

    paths = []
    for number, tune in enumerate(tunes, 1):
        path = folder / f"tune_{number:0{num_digits}}.mid"
        write_midi(tune, path)
        paths.append(path)

    return paths
