"""Modules that need TensorFlow, imported when a command needs them.

A command says `late_imports.import_run_module(...)`, so that one name stands between the command
line and TensorFlow.
"""

import importlib
import os
import sys
import tempfile
from typing import Any


def import_run_module(name: str) -> Any:
    """Imports a module of `tfseqgan.runs`, and TensorFlow with it, without TensorFlow's notes.

    TensorFlow writes notes to stderr when it is loaded (no GPU was found, oneDNN is on), which
    would hide what the command itself says. They are shown only if the import fails.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            return importlib.import_module(f"tfseqgan.runs.{name}")
        except ImportError:
            notes.seek(0)
            os.write(terminal, notes.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
