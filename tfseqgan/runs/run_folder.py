"""A run's folder on disk: what it holds, when it may be used, and how its files are read.

A run folder holds

    config.json            every setting, the versions, the hash of the data and the files that were skipped
    tokenizer.json         the vocabulary
    pretraining.csv        figures of maximum likelihood, one row an epoch
    metrics.csv            figures of adversarial training, one row a round
    checkpoints/           all that a stopped run needs in order to go on
    pretrained.keras       the generator after maximum likelihood
    generator.keras        the generator at the end;  discriminator.keras
    manifest.json          the hashes of those three, for `from_pretrained`
    evaluation.json        Table 1's columns, before and after adversarial training
    samples/*.mid          tunes
    logs/                  scalars for TensorBoard
"""

import json
import shutil
import zipfile
from pathlib import Path

import keras

from tfseqgan import __version__
from tfseqgan.models.discriminator import Discriminator
from tfseqgan.models.generator import Generator
from tfseqgan.music.midi import write_midi
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
"""All that a run writes, config.json last: while it is there, the folder is known as a run's."""


def check_apart(out, data_path):
    """Raises ValueError if a run's folder and its data lie inside each other: the run's tunes would count as data, or be replaced."""
    if data_path is None:
        return
    out, data = Path(out).resolve(), Path(data_path).resolve()
    if out.is_relative_to(data) or data.is_relative_to(out):
        raise ValueError(
            f"--out {out} and --data {data} lie inside each other; expected two places apart, so that the run's own tunes are no data of it. "
            "Choose another --out."
        )


def _is_run(folder):
    """Returns whether a folder's config.json is one of ours."""
    try:
        return "tfseqgan" in read_json(folder / "config.json")["versions"]
    except (ValueError, KeyError, TypeError, OSError):
        return False


def check_folder(out, overwrite=False, resume=False):
    """Returns a run's folder as a path; changes nothing yet, so that a run that cannot begin loses nothing.

    Args:
        out: the folder.
        overwrite: an earlier run there may be replaced.
        resume: there is a run to go on with.

    Raises:
        ValueError: if the folder is in use and neither was asked for, holds something else, or has no run to go on with.
    """
    out = Path(out)
    if resume and not (out / "config.json").is_file():
        raise ValueError(
            f"{out} holds no run to go on with: expected a config.json there. Check the path, or leave out --resume to begin one."
        )
    if resume or not out.exists() or out.is_dir() and not any(out.iterdir()):
        return out
    if not _is_run(out):
        raise ValueError(
            f"{out} exists and is no run of tfseqgan; expected a new or empty folder. Choose another --out."
        )
    if not overwrite:
        raise ValueError(
            f"{out} holds a run already; expected a new folder. Pass --resume to go on with it, --overwrite to replace it, or another --out."
        )
    return out


def clear_folder(out):
    """Removes the run in a folder and nothing else that may lie there."""
    for path in (out / name for name in _CONTENTS):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def read_json(path):
    """Returns the content of a JSON file of a run.

    Raises:
        ValueError: naming the file, if it is missing or damaged.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(
            f"{path} does not exist; expected a run folder made by 'tfseqgan train'. Check the path, or finish the run."
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged ({error}); expected JSON. Train again into a new folder."
        ) from error


def read_settings(content):
    """Returns the settings that a JSON file holds; raises KeyError, TypeError or ValueError where they are not as this version writes them."""
    return Settings(
        **content["settings"] | {"kernel_sizes": tuple(content["settings"]["kernel_sizes"])}
    )


def read_config(run):
    """Returns the settings of a run and the whole content of its config.json.

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
            f"{path} is not what tfseqgan {__version__} writes ({error}); expected the config.json of a run. Restore the file, or begin a new run."
        ) from error
    return settings, config


def load_model(run, name):
    """Returns a model of a run: "generator", "discriminator" or "pretrained".

    Raises:
        ValueError: if the run has not got so far, or the file is damaged.
    """
    path = Path(run) / f"{name}.keras"
    if not path.is_file():
        raise ValueError(
            f"{path} does not exist; expected a run that has got so far. Go on with it: tfseqgan train --resume --out {run}"
        )
    try:
        objects = {"Generator": Generator, "Discriminator": Discriminator}
        return keras.models.load_model(path, custom_objects=objects, compile=False)
    except (
        Exception
    ) as error:  # a damaged file shows as ValueError, BadZipFile, KeyError, OSError and more
        reason = (
            error if zipfile.is_zipfile(path) else "it is no whole file"
        )  # Keras says of a truncated file that it is not found
        raise ValueError(
            f"{path} cannot be loaded ({reason}); expected a model saved by tfseqgan. Restore the file, or make it again: "
            f"tfseqgan train --resume --out {run}"
        ) from error


def write_tunes(tunes, folder):
    """Writes tunes as MIDI files, `tune_1.mid` on; returns their paths. A file of that name is replaced."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [
        folder / f"tune_{number:0{len(str(len(tunes)))}}.mid" for number in range(1, len(tunes) + 1)
    ]
    for tune, path in zip(tunes, paths):
        write_midi(tune, path)
    return paths
