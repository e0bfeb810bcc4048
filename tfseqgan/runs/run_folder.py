"""A run's folder: what it holds, when it may be used, and how its files are read.

config.json            every setting, the versions, the hash of the data, the skipped files, the
                       model that the run started from, if any, and what was changed when the run
                       was resumed
tokenizer.json         the vocabulary
pretraining.csv        figures of maximum likelihood, one row an epoch
metrics.csv            figures of adversarial training, one row a round
checkpoints/           everything that a stopped run needs in order to resume
pretrained.keras       the generator after maximum likelihood
generator.keras        the generator at the end
discriminator.keras    the discriminator at the end
manifest.json          hashes of the files above and below that a command loads
evaluation.json        Table 1's columns, before and after adversarial training
outcome.json           how good the run is and what would help, in figures and sentences
samples/*.mid          tunes
logs/                  scalars for TensorBoard

A run has one writer at a time: it holds `files.lock_folder`. Every command that reads a run opens
it by `open_run`, which compares each file that is loaded with the manifest. Runs of 0.1.0, whose
manifests list fewer files, are accepted for what their manifest holds: the files that it does not
list are loaded without that check.
"""

import dataclasses
import itertools
import logging
import os
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tfseqgan import files
from tfseqgan.models.discriminator import Discriminator
from tfseqgan.music.abc_notation import to_abc
from tfseqgan.music.engraving import engrave, load_verovio
from tfseqgan.music.midi import write_midi
from tfseqgan.music.score import Score
from tfseqgan.runs.run_records import (
    RunRecords,
    check_records,
    config_sha256,
    read_json,
    read_records,
    read_settings,
    resume_command,
)
from tfseqgan.runs.settings import Settings
from tfseqgan.serving.keras_files import GENERATORS, Classes, load_keras_file
from tfseqgan.serving.manifest import (
    hash_files,
    read_manifest,
    write_manifest,
)

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
    "outcome.json",
    "manifest.json",
    "tokenizer.json",
    "config.json",
)
"""Everything that a run writes, in the order in which it is removed: as long as config.json is
there, the folder is known to be a run's."""

_WRITTEN_IN_FOLDERS = {
    "checkpoints": re.compile(
        r"(pretraining|adversarial)/"
        r"(ckpt-\d+(_temp/.*|\..*)|checkpoint(\.tmp.*)?|\.checkpoint\..*|\.lock)"
    ),
    "logs": re.compile(r"(pretraining|adversarial)/events\.out\.tfevents\..*"),
}
"""What a run writes into its folders, besides its tunes; another file there is the user's."""

_MODELS: dict[str, Classes] = {
    "pretrained": GENERATORS,
    "generator": GENERATORS,
    "discriminator": Discriminator,
}

_log = logging.getLogger("tfseqgan")


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


def check_is_no_run(data_path: Path | str | None) -> None:
    """Raises ValueError if data is the folder of a run, whose MIDI files the run has sampled."""
    if data_path is not None and _is_run(Path(data_path)):
        raise ValueError(
            f"--data {data_path} is the folder of a run, whose tunes are samples of its model; "
            "expected a folder of tunes to learn from. Pass the tunes by --data; to start from "
            f"the run's model, pass --init {shlex.quote(str(data_path))}."
        )


def _is_run(folder: Path) -> bool:
    """Returns whether a folder's config.json was written by a run."""
    try:
        return "tfseqgan" in read_json(folder / "config.json")["versions"]
    except (ValueError, KeyError, TypeError, OSError):
        return False


def is_run_folder(path: Path | str) -> bool:
    """Returns whether a folder is that of a run, whatever else it holds.

    A SavedModel is a program, so that a run is never taken for one because of what else lies in its
    folder.
    """
    folder = Path(path)
    has_model = any(os.path.lexists(folder / f"{name}.keras") for name in _MODELS)

    return has_model or _is_run(folder)


def _find_partial_files(folder: Path) -> list[Path]:
    """Returns what a killed process may have left in a folder, besides a run's own files."""
    patterns = (".{}.*.partial", ".partial.{}", ".{}.replaced")
    found = [folder.glob(pattern.format(name)) for pattern in patterns for name in _CONTENTS]

    return list(itertools.chain.from_iterable(found))


def remove_partial_files(folder: Path) -> None:
    """Removes what a killed process left in a run's folder, besides the run's own files."""
    for path in _find_partial_files(folder):
        path.unlink(missing_ok=True)


def _is_empty(folder: Path) -> bool:
    """Returns whether a folder holds nothing, or only what a killed process may leave."""
    ignored = {folder / files.LOCK_NAME, *_find_partial_files(folder)}

    return folder.is_dir() and not set(folder.iterdir()) - ignored


def _check_no_links(folder: Path) -> None:
    """Raises ValueError if what a run writes again is a link, which would lead out of its folder.

    Only new files with names of their own are written to `logs`, which may be a link.
    """
    names = [name for name in _CONTENTS if name != "logs"]
    names += ["checkpoints/pretraining", "checkpoints/adversarial"]
    for name in names:
        path = folder / name
        if path.is_symlink():
            raise ValueError(
                f"{path} is a link to {os.readlink(path)}; expected the run's own file or folder, "
                "since a run that is resumed writes there. Move what it points to into the run's "
                "folder, or make the whole folder a link."
            )


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
            holds no run to resume, or one whose files are links.
        OSError: if the folder cannot be made.
    """
    folder = Path(out)
    if resume:
        if not (folder / "config.json").is_file():
            raise ValueError(
                f"{folder} holds no run to resume; expected a config.json there. Check the path, "
                "or leave out --resume to start a new run."
            )
        _check_no_links(folder)
        return folder

    if not folder.exists():
        files.check_can_be_written(folder)
        return folder
    if _is_empty(folder):
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


def _is_written_by_run(folder: Path, path: Path, num_tunes: int) -> bool:
    """Returns whether a file in one of a run's own folders is one that the run writes."""
    if path.name.startswith(".") and path.name.endswith(".replaced"):
        path = path.with_name(path.name.removeprefix(".").removesuffix(".replaced"))

    name, _, relative = path.relative_to(folder).as_posix().partition("/")
    if name == "samples":
        found = re.fullmatch(r"tune_(\d+)\.mid", relative)
        return found is not None and relative == _tune_name(int(found[1]), num_tunes)
    if path.is_symlink() and path.is_dir():
        return relative in ("pretraining", "adversarial")

    return _WRITTEN_IN_FOLDERS[name].fullmatch(relative) is not None


def _list_files(folder: Path) -> list[Path]:
    """Returns every file and link below a folder; what lies behind a link is not looked at."""
    found = []
    for parent, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        found += [Path(parent, name) for name in sorted([*links, *names])]

    return found


def _find_written_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Returns the files and links that a run has written, config.json last, and the other ones."""
    try:
        num_tunes = read_settings(read_json(folder / "config.json")).num_tunes
    except (ValueError, KeyError, TypeError):
        num_tunes = 0

    written: list[Path] = []
    others: list[Path] = []
    for path in (folder / name for name in _CONTENTS):
        if path.is_dir() and not path.is_symlink():
            for found in _list_files(path):
                is_written = _is_written_by_run(folder, found, num_tunes)
                (written if is_written else others).append(found)
        elif os.path.lexists(path):
            written.append(path)

    return written, others


def _rename_all(paths: Sequence[Path]) -> list[Path]:
    """Gives files hidden names, all of them or none, and returns the new paths."""
    renamed: list[Path] = []
    try:
        for path in paths:
            target = path.with_name(f".{path.name}.replaced")
            os.rename(path, target)
            renamed.append(target)
    except OSError:
        for path, target in zip(paths, renamed, strict=False):
            os.rename(target, path)
        raise

    return renamed


def clear_folder(out: Path) -> None:
    """Removes the run in a folder, and no other file there.

    Nothing is removed before it is known that everything can be: a file that can be renamed can be
    removed, so that all are renamed first, which is undone where one cannot be. config.json goes
    last, by which the folder is known to be a run's if this process is killed meanwhile.

    Of a link the link goes, and what it points to stays. Files in the run's own folders that no run
    writes are kept and named.

    Raises:
        OSError: if a file cannot be removed; the run is as it was.
    """
    remove_partial_files(out)
    written, others = _find_written_files(out)
    if not written:
        return

    *parts, config = written
    for path in [*_rename_all(parts), config]:
        path.unlink()
    _remove_empty_folders(out)

    if others:
        names = ", ".join(path.relative_to(out).as_posix() for path in others[:10])
        more = f" and {len(others) - 10} more" if len(others) > 10 else ""
        _log.warning("Kept in %s, since no run wrote it: %s%s.", out, names, more)


def _remove_empty_folders(out: Path) -> None:
    """Removes the folders of a run that hold nothing any more."""
    for name in (*_WRITTEN_IN_FOLDERS, "samples"):
        for parent, _, _ in os.walk(out / name, topdown=False):
            if not os.path.islink(parent) and not os.listdir(parent):
                os.rmdir(parent)


def read_config(run: Path | str) -> tuple[Settings, dict[str, Any]]:
    """Returns the settings of a run, and the whole content of its config.json.

    Raises:
        ValueError: naming the file, if it is missing, damaged, not as this version writes it, or
            changed since the run wrote it.
    """
    opened = open_run(run)

    return opened.settings, opened.config


@dataclasses.dataclass(frozen=True)
class OpenedRun(RunRecords):
    """A run that is read, its models too: each file is compared with the manifest."""

    def load_model(self, name: str) -> Any:
        """Loads a model without its optimizer; `load_model` says more."""
        path = self.check(f"{name}.keras")
        try:
            return load_keras_file(path, _MODELS[name])
        except ValueError as error:
            again = resume_command(self.folder)
            raise ValueError(f"{error} Restore the file, or make it again: {again}") from error


def open_run(run: Path | str) -> OpenedRun:
    """Opens a run for reading: the one way in which a command comes to a run's files.

    Args:
        run: the run's folder.

    Returns:
        The run, whose methods load its files after comparing each with the manifest. A file that
        the manifest of 0.1.0 does not list is loaded without that.

    Raises:
        ValueError: naming the file, if config.json or the manifest is missing, damaged or changed.
    """
    return OpenedRun(**vars(read_records(run)))


def open_run_to_resume(run: Path | str) -> OpenedRun:
    """Opens a run whose manifest may be damaged, since the run makes it again when it ends.

    Args:
        run: the run's folder.

    Raises:
        ValueError: naming the file, if config.json is missing, damaged or changed.
    """
    folder = Path(run)
    try:
        hashes = read_manifest(folder)
    except FileNotFoundError:
        hashes = {}
    except ValueError as error:
        _log.warning("%s It is made again.", error)
        hashes = {}

    return OpenedRun(**vars(check_records(folder, hashes)))


def record(folder: Path, hashes: dict[str, str]) -> None:
    """Adds hashes of files to a run's manifest; a damaged one is replaced."""
    try:
        earlier = read_manifest(folder)
    except (OSError, ValueError):
        earlier = {}

    write_manifest(folder, earlier | hashes)


def record_files(folder: Path, *names: str) -> None:
    """Adds the hashes of files, as they are now, to a run's manifest."""
    record(folder, hash_files(folder, *names))


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Writes config.json and its entry in the manifest.

    A process that is killed in between must not leave an entry that does not fit, since config.json
    cannot be made again: the old entry goes first.
    """
    try:
        hashes = read_manifest(folder)
    except (OSError, ValueError):
        hashes = {}

    if "config.json" in hashes:
        write_manifest(folder, {name: hashes[name] for name in hashes if name != "config.json"})
    files.write_json(folder / "config.json", config)
    record(folder, {"config.json": config_sha256(config)})


def load_model(run: Path | str, name: str) -> Any:
    """Loads a model of a run, without its optimizer.

    Args:
        run: the run's folder.
        name: "generator", "discriminator" or "pretrained".

    Returns:
        A `Generator` or `Discriminator`.

    Raises:
        ValueError: if the run has not reached that stage, or the file is damaged, changed since the
            run wrote it, holds another model, or numbers that are not finite.
    """
    return open_run(run).load_model(name)


def _tune_name(number: int, num_tunes: int) -> str | None:
    """Returns the file name of a tune, by which tunes sort; None for one too many."""
    if not 1 <= number <= num_tunes:
        return None

    return f"tune_{number:0{len(str(num_tunes))}}.mid"


def _write_abc(tune: Score, path: Path) -> None:
    """Writes a tune as an ABC file."""
    files.write_atomically(path, to_abc(tune).encode())


def _write_svg(tune: Score, path: Path) -> None:
    """Writes a tune as sheet music."""
    files.write_atomically(path, engrave(to_abc(tune)).encode())


_WRITERS: dict[str, Callable[[Score, Path], None]] = {
    "mid": write_midi,
    "abc": _write_abc,
    "svg": _write_svg,
}


def check_formats(formats: Sequence[str]) -> None:
    """Raises ValueError if what a format needs is not installed, before tunes are sampled."""
    if "svg" in formats:
        load_verovio()


def write_tunes(
    tunes: Sequence[Score], folder: Path | str, formats: Sequence[str] = ("mid",)
) -> list[Path]:
    """Writes tunes as files, and replaces files of the same names.

    Args:
        tunes: the tunes.
        folder: is created if it does not exist.
        formats: some of `settings.TUNE_FORMATS`; each tune is a file in each.

    Returns:
        The paths: `tune_1.mid`, or `tune_01.mid` if there are ten tunes or more, and so on.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)

    paths = []
    for number, tune in enumerate(tunes, 1):
        for name in formats:
            path = (folder / str(_tune_name(number, len(tunes)))).with_suffix(f".{name}")
            _WRITERS[name](tune, path)
            paths.append(path)

    return paths
