"""What a run says of itself in small files: its settings, its vocabulary, its figures.

It imports no TensorFlow, so that runs can be compared at once.
"""

import dataclasses
import hashlib
import json
import shlex
from pathlib import Path
from typing import Any

from tfseqgan import __version__, files
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.runs.settings import MODELS_OF_THE_PAPER, TOKENS_OF_THE_PAPER, Settings
from tfseqgan.serving.manifest import MANIFEST, is_as_listed, read_manifest

_IN_EVERY_MANIFEST = ("tokenizer.json", "generator.keras", "discriminator.keras")

_HASHED_KEYS = ("settings", "data", "split", "starts_with_start_token")
"""What the manifest's entry for config.json covers: all but where the data lies, the versions and
the history, so that the folder of the data may be moved and its new path written there."""


def resume_command(run: Path | str) -> str:
    """Returns the command that resumes a run."""
    return f"tfseqgan train --resume --out {shlex.quote(str(run))}"


def read_json(path: Path | str) -> Any:
    """Reads a JSON file of a run.

    Raises:
        ValueError: naming the file, if it is missing, damaged, no regular file, or too large.
    """
    try:
        return files.read_json(path)
    except FileNotFoundError as error:
        raise ValueError(
            f"{path} does not exist; expected a run folder made by 'tfseqgan train'. Check the "
            "path, or finish the run."
        ) from error
    except ValueError as error:
        raise ValueError(f"{error} Train again into a new folder.") from error


def read_settings(content: Any) -> Settings:
    """Returns the settings in a config.json or on the card of an exported sampler.

    Those of 0.1.0 do not say which tokens they mean: the paper's.

    Args:
        content: the content of the JSON file.

    Raises:
        KeyError, TypeError or ValueError: if the settings are not as this version writes them.
    """
    saved = content["settings"]
    kernel_sizes = tuple(saved["kernel_sizes"])  # a list in JSON

    of_0_1_0 = TOKENS_OF_THE_PAPER | MODELS_OF_THE_PAPER

    return Settings(**of_0_1_0 | saved | {"kernel_sizes": kernel_sizes})


def _check_types(config: dict[str, Any]) -> None:
    """Raises KeyError or ValueError unless the values of a config.json have their types."""
    data_path = config["data_path"]
    data = config["data"]
    found = {
        "data_path": (data_path, str | None),
        "data": (data, dict),
        "data.name": (data["name"], str),
        "data.sha256": (data["sha256"], str),
        "starts_with_start_token": (config["starts_with_start_token"], bool),
        "versions": (config["versions"], dict),
        "split": (config.get("split", {}), dict),
        "history": (config.get("history", []), list),
        "start": (config.get("start"), dict | None),
    }
    if config.get("start") is not None:
        found["start.model"] = (config["start"]["model"], str)
        found["start.sha256"] = (config["start"]["sha256"], str)
    for name, (value, expected) in found.items():
        if not isinstance(value, expected):
            raise ValueError(f"{name} is {value!r}")


def config_sha256(config: dict[str, Any]) -> str:
    """Returns the hash of the settings, the data and the split in a config.json."""
    hashed = {key: config[key] for key in _HASHED_KEYS if key in config}
    text = json.dumps(hashed, sort_keys=True)

    return hashlib.sha256(text.encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class RunRecords:
    """What a run says of itself: each file is compared with the manifest when it is loaded.

    Attributes:
        folder: the run's folder.
        settings: its settings.
        config: the content of its config.json.
        hashes: those of its manifest, by the name of the file.
    """

    folder: Path
    settings: Settings
    config: dict[str, Any]
    hashes: dict[str, str]

    def check(self, name: str) -> Path:
        """Returns the path of a file that is what the run wrote.

        Raises:
            ValueError: naming the file, with the way to make it again, if it is missing or changed.
        """
        path = self.folder / name
        again = resume_command(self.folder)
        if not path.is_file():
            has_pretrained = (self.folder / "pretrained.keras").is_file()
            before = (
                ", or sample the generator before adversarial training: tfseqgan sample --model "
                f"{shlex.quote(str(self.folder))} --stage pretrained"
                if name == "generator.keras" and has_pretrained
                else ""
            )
            raise ValueError(
                f"{path} does not exist; expected a run that has reached this stage. Resume the "
                f"run: {again}{before}"
            )

        is_expected_in_manifest = bool(self.hashes) and name in _IN_EVERY_MANIFEST
        if is_expected_in_manifest and name not in self.hashes:
            raise ValueError(
                f"{path} is not listed in {MANIFEST}: the run was stopped while it wrote its "
                f"models, or the file is another's. Make it again: {again}"
            )
        if not is_as_listed(self.folder, name, self.hashes):
            raise ValueError(
                f"{path} is not what the run wrote: expected sha256 {self.hashes[name]}. Restore "
                f"it, or make it again: {again}"
            )

        return path

    def load_tokenizer(self) -> Tokenizer:
        """Loads the vocabulary."""
        return Tokenizer.load(self.check("tokenizer.json"))

    def load_evaluation(self) -> dict[str, Any]:
        """Loads Table 1's columns."""
        return read_json(self.check("evaluation.json"))


def _read_hashes(folder: Path) -> dict[str, str]:
    """Returns the hashes of a run's manifest; none for a run of 0.1.0 that is not finished."""
    try:
        return read_manifest(folder)
    except FileNotFoundError as error:
        if not (folder / "generator.keras").exists():
            return {}
        reason = f"{folder / MANIFEST} does not exist; expected it beside generator.keras."
        raise ValueError(f"{reason} Make it again: {resume_command(folder)}") from error
    except ValueError as error:
        raise ValueError(f"{error} Make it again: {resume_command(folder)}") from error


def check_records(folder: Path, hashes: dict[str, str]) -> RunRecords:
    """Reads config.json of a run whose manifest has been read.

    Raises:
        ValueError: naming the file, if it is missing, damaged or changed.
    """
    path = folder / "config.json"
    config = read_json(path)
    try:
        settings = read_settings(config)
        _check_types(config)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not what tfseqgan {__version__} writes ({error}); expected the "
            "config.json of a run. Restore the file, or start a new run."
        ) from error

    if hashes.get("config.json", config_sha256(config)) != config_sha256(config):
        raise ValueError(
            f"{path} is not what the run wrote: its settings, its data or its split were changed, "
            "and its models were not trained with these. Restore the file, or start a new run "
            "with the settings that you want."
        )

    return RunRecords(folder, settings, config, hashes)


def read_records(run: Path | str) -> RunRecords:
    """Reads what a run says of itself.

    Args:
        run: the run's folder.

    Raises:
        ValueError: naming the file, if config.json or the manifest is missing, damaged or changed.
    """
    folder = Path(run)

    return check_records(folder, _read_hashes(folder))
