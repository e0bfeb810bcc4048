"""What is installed: versions, the machine, the models that come with tfseqgan.

It imports no TensorFlow, so that it can say what is there where TensorFlow cannot be loaded.
"""

import os
import platform
from importlib import metadata
from typing import Any

from tfseqgan import __version__
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.serving.shipped import SHIPPED, shipped_folder

_NEEDED = ("tensorflow", "keras", "tensorflow-probability", "numpy", "mido", "absl-py")
_OPTIONAL = ("matplotlib", "verovio", "tensorboard", "tensorflow-serving-api", "torch")
"""The packages of the extras: figures, scores, curves, clients of a server, benchmarks."""


def version_of(package: str) -> str | None:
    """Returns the installed version of a package, or None if there is none.

    Example:
        >>> version_of("no-such-package") is None
        True
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def installed_versions() -> dict[str, str | None]:
    """Returns the versions of tfseqgan, Python and the packages that decide what a run computes."""
    ours = {"tfseqgan": __version__, "python": platform.python_version()}

    return ours | {package: version_of(package) for package in _NEEDED}


def describe_installation() -> dict[str, Any]:
    """Returns what is installed here, as plain values.

    Returns:
        `versions` and `extras` by the name of the package, None for what is not installed;
        `machine`: its processor, cores and memory; `models`: the folder of each model that comes
        with tfseqgan, None for one that is not there.
    """
    has_affinity = hasattr(os, "sched_getaffinity")  # not on macOS
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    folders = {name: shipped_folder(name) for name in SHIPPED}

    return {
        "versions": installed_versions(),
        "extras": {package: version_of(package) for package in _OPTIONAL},
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "cores": cores,
            "memory_gib": round(memory / 2**30, 1),
        },
        "models": {
            name: str(folder) if folder.is_dir() else None for name, folder in folders.items()
        },
    }


def shipped_tokenizer() -> Tokenizer | None:
    """Returns the vocabulary of the sampler of folk tunes, or None where it is not installed."""
    paths = sorted(shipped_folder(SHIPPED[0]).glob("*/assets/tokenizer.json"))

    return Tokenizer.load(paths[-1]) if paths else None
