"""What a run starts from: random weights, or the generator of a trained model."""

import dataclasses
import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfseqgan.files import read_json
from tfseqgan.models.language_model import LanguageModel
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.runs.fine_tuning import (
    SMALL_FOLDER,
    check_settings,
    find_contradictions,
    is_small_folder,
    settings_from_start,
)
from tfseqgan.runs.run_folder import is_run_folder, open_run
from tfseqgan.runs.run_records import read_settings
from tfseqgan.runs.settings import RANDOM_WEIGHTS, Settings, settings_from_preset
from tfseqgan.serving.pretrained import check_same_tokens, from_pretrained
from tfseqgan.serving.saved_sampler import newest_version
from tfseqgan.serving.shipped import SHIPPED, find_model, shipped_folder

_BY_DEFAULT = SHIPPED[0]

_log = logging.getLogger("tfseqgan")


@dataclasses.dataclass(frozen=True, eq=False)
class Start:
    """A trained model that a run starts from.

    Args:
        model: the name of a shipped model, or the absolute path of a folder.
        generator: its generator.
        tokenizer: its vocabulary, whose tokens are the run's too.
        settings: those that it was trained with.
    """

    model: str
    generator: LanguageModel
    tokenizer: Tokenizer
    settings: Settings

    def record(self) -> dict[str, str]:
        """Returns what config.json says of the start."""
        return {"model": self.model, "sha256": hash_weights(self.generator)}

    def give_weights(self, generator: LanguageModel) -> None:
        """Sets the weights of an untrained generator of the same network to the start's."""
        for weight, trained in zip(generator.weights, self.generator.weights, strict=True):
            weight.assign(trained)


def hash_weights(model: LanguageModel) -> str:
    """Returns the hash of a model's weights, in their order."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(weight.tobytes())

    return digest.hexdigest()


def _find(model: Path | str) -> tuple[str, Path]:
    """Returns what a model is called in config.json, and its folder."""
    folder = find_model(model)
    if not is_run_folder(folder) and newest_version(folder) is None:
        raise ValueError(
            f"--init {model} holds no trained model; expected the folder of a finished run or of "
            f"an exported sampler, {' or '.join(SHIPPED)}, or {RANDOM_WEIGHTS} for random weights. "
            "Check the path."
        )

    is_shipped = folder != Path(model)

    return str(model) if is_shipped else os.path.abspath(folder), folder


def _read_settings(folder: Path) -> Settings:
    """Returns the settings that the model of a folder was trained with."""
    if is_run_folder(folder):
        return open_run(folder).settings

    version = newest_version(folder)
    assert version is not None  # `_find` has looked
    card = version / "assets.extra" / "card.json"
    try:
        return read_settings(read_json(card))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{card} does not say how the model was trained ({error!r}); expected a sampler that "
            "'tfseqgan export' wrote. Start from the run that it was exported from."
        ) from error


def _load_exported(folder: Path) -> tuple[LanguageModel, Tokenizer]:
    """Loads the generator and the tokenizer of an exported sampler of tunes."""
    generator, tokenizer, _ = from_pretrained(folder)
    if not isinstance(tokenizer, Tokenizer) or not isinstance(generator, LanguageModel):
        raise ValueError(
            f"{folder} does not sample tunes with a generator of the library; expected a model "
            "that 'tfseqgan train' or 'tfseqgan export' wrote. Choose another --init."
        )

    return generator, tokenizer


def open_start(model: Path | str) -> Start:
    """Loads a trained model for a run to start from.

    Args:
        model: the folder of a finished run or of an exported sampler, or a name in
            `serving.shipped.SHIPPED`.

    Raises:
        ValueError: if it holds no trained model, or does not say how that was trained.
    """
    name, folder = _find(model)
    settings = _read_settings(folder)
    if is_run_folder(folder):
        opened = open_run(folder)
        generator = opened.load_model("generator")
        tokenizer = opened.load_tokenizer()
        check_same_tokens(tokenizer, generator)
    else:
        generator, tokenizer = _load_exported(folder)

    return Start(name, generator, tokenizer, settings)


def start_of_run(
    init: Path | str | None, settings: Settings, resumed_config: Mapping[str, Any] | None
) -> Start | None:
    """Loads what a run starts from, or started from; None for random weights.

    Args:
        init: as `model` of `open_start`; None or `RANDOM_WEIGHTS` for random weights.
        settings: the run's settings.
        resumed_config: the content of config.json of a run to resume, which says its start, or
            None.

    Raises:
        ValueError: if the settings contradict the start, or the start of a resumed run is not what
            it was.
    """
    if resumed_config is not None:
        record = resumed_config.get("start")
        start = None if record is None else _open_recorded(record)
    elif init is None or str(init) == RANDOM_WEIGHTS:
        start = None
    else:
        start = open_start(init)

    if start is not None:
        check_settings(dataclasses.asdict(settings), start.settings, start.model)

    return start


def _open_recorded(record: Mapping[str, str]) -> Start:
    """Loads the model that a run started from, as its config.json says.

    Raises:
        ValueError: if it is not there, or is not what it was.
    """
    model = record["model"]
    try:
        start = open_start(model)
    except ValueError as error:
        raise ValueError(
            f"The model that the run started from is needed to resume it: {error} Put {model} "
            "back, or start a new run."
        ) from error

    if start.record() != record:
        raise ValueError(
            f"The model that the run started from, {model}, has changed: expected weights of "
            f"sha256 {record['sha256']}, received {start.record()['sha256']}. Put the old model "
            "back, or start a new run."
        )

    return start


def check_other_folder(start: Start | None, run_folder: Path) -> None:
    """Raises ValueError if a run would replace the model that it starts from."""
    if start is None or not os.path.isabs(start.model):  # a name is no folder
        return

    if Path(start.model).resolve() == run_folder.resolve():
        raise ValueError(
            f"--init and --out are both {run_folder}; expected two folders, since a run that "
            "replaced its start could not be resumed. Choose another --out."
        )


def choose_start(
    init: str | None, preset: str | None, data_path: str | None, given: Mapping[str, Any]
) -> tuple[str | None, Settings]:
    """Decides what a new run starts from, and with which settings.

    A run on a small folder (`fine_tuning.SMALL_FOLDER`) that was told neither `init` nor the preset
    of the paper starts from the shipped model, unless a given setting asks for another network or
    vocabulary. What was decided by default is logged.

    Args:
        init: as in `open_start`; `RANDOM_WEIGHTS`; or None to decide by the data.
        preset: the name of the preset, or None for "default".
        data_path: as in `load_windows`.
        given: the settings that were given, by name.

    Returns:
        What `train_run` takes as `init`, and the settings.

    Raises:
        ValueError: if a setting contradicts the start that was asked for.
    """
    preset_name = preset or "default"
    from_preset = settings_from_preset(preset_name, **given)
    if init is not None and init != RANDOM_WEIGHTS:
        _, folder = _find(init)
        return init, settings_from_start(preset_name, given, _read_settings(folder), init)
    if init == RANDOM_WEIGHTS or preset_name == "paper" or not is_small_folder(data_path):
        return None, from_preset

    start = _read_settings(shipped_folder(_BY_DEFAULT))
    contradictions = find_contradictions(given, start)
    if contradictions:
        _log.info(
            "%s holds fewer than %d tunes, and the run starts from random weights, since the "
            "model '%s' has no such %s.",
            data_path,
            SMALL_FOLDER,
            _BY_DEFAULT,
            ", ".join(contradictions),
        )
        return None, from_preset

    _log.info(
        "%s holds fewer than %d tunes, too few to learn music from nothing: the run starts "
        "from the model '%s' and fine-tunes it; --init %s starts from random weights.",
        data_path,
        SMALL_FOLDER,
        _BY_DEFAULT,
        RANDOM_WEIGHTS,
    )

    return _BY_DEFAULT, settings_from_start(preset_name, given, start, _BY_DEFAULT)
