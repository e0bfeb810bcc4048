"""What the tests of the command line share: how to run a command, and the flags of a tiny run."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from tiny_runs import TINY

import tfseqgan
from tfseqgan.runs.settings import Settings

COMMANDS = (
    "sample",
    "train",
    "inspect",
    "download",
    "evaluate",
    "compare",
    "export",
    "doctor",
)
ROUNDS = 12
ROOT = Path(tfseqgan.__file__).parents[1]

# The settings of a tiny run as flags, except the number of rounds.
GIVEN_AS_FLAGS = [
    name
    for name, value in dataclasses.asdict(TINY).items()
    if value != getattr(Settings(), name) and name not in ("rounds", "kernel_sizes")
]
TINY_FLAGS = [
    "--kernel_sizes",
    "1,2",
    *(f"--{name}={getattr(TINY, name)}" for name in GIVEN_AS_FLAGS),
]


def start(*arguments, environment=None, **options):
    """Starts the real command in a process of its own."""
    environment = (environment or os.environ) | {"PYTHONPATH": str(ROOT)}
    pipes = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "encoding": "utf-8",
    }
    command = [sys.executable, "-m", "tfseqgan", *map(str, arguments)]

    return subprocess.Popen(command, env=environment, **pipes | options)


def free_port():
    """Returns a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def read(path):
    """Returns the content of a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def assert_one_line_and_code_1(result, words):
    """Asserts that a command failed with one line on stderr that holds some words."""
    code, out, err = result

    assert code == 1
    assert out == ""
    assert words in err
    assert err.count("\n") == 1
