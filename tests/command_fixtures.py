"""The command in this process, and a run that it has made: fixtures for the tests of `tests/cli`.

`conftest.py` registers them. What needs TensorFlow is imported within, since every test starts by
loading this module.
"""

import dataclasses
import logging
import shutil
from pathlib import Path

import pytest
from absl import logging as absl_logging

from tfseqgan.cli import late_imports, main


@pytest.fixture
def tfseqgan(capsys):
    """The command in this process: arguments → (exit code, stdout, stderr)."""
    loggers = [logging.getLogger(name) for name in ("tfseqgan", "tensorflow", "absl", None)]
    levels = [logger.level for logger in loggers]
    verbosity = absl_logging.get_verbosity()

    def call(*arguments):
        try:
            code = main.main(main.parse(["tfseqgan", *map(str, arguments)]))
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    yield call

    absl_logging.set_verbosity(verbosity)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def without_tensorflow(monkeypatch):
    """Fails a test that imports TensorFlow for a command line that is wrong."""

    def fail(name):
        pytest.fail("TensorFlow was imported before the command line was refused")

    monkeypatch.setattr(late_imports, "import_run_module", fail)


@dataclasses.dataclass(frozen=True)
class FinishedCommand:
    """A run that the real command has made, and what that printed."""

    out: Path
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run of 12 rounds, which no test may change."""
    from running_commands import ROUNDS, TINY_FLAGS, start
    from tiny_runs import shared_tunes

    out = tmp_path_factory.mktemp("runs") / "finished"
    process = start(
        "train", "--data", shared_tunes(), "--out", out, "--rounds", ROUNDS, *TINY_FLAGS
    )
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr

    return FinishedCommand(out, stdout, stderr)


@pytest.fixture
def copied_run(tmp_path, finished):
    """A copy of the finished run, to be changed."""
    return Path(shutil.copytree(finished.out, tmp_path / "copy"))


@pytest.fixture(scope="session")
def exported(tmp_path_factory, finished):
    """The finished run, exported as a sampler of 60 tokens; no test may change it."""
    from tfseqgan.runs import finished_run

    folder = tmp_path_factory.mktemp("exports") / "model"
    version = finished_run.export_run(finished.out, folder, length=60, num_candidates=2)
    assert version == folder / "1"

    return folder
