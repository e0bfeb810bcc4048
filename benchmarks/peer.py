"""A PyTorch process that takes the same steps (benchmarks/torch_peer.py)."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from products import Sizes
from timing import Timer

SCRIPT = Path(__file__).resolve().parent / "torch_peer.py"


class PeerProcess:
    """A PyTorch process that answers each line of JSON with one.

    Args:
        script: the program.
        *arguments: of the program.
    """

    def __init__(self, script: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **message: Any) -> dict[str, Any]:
        """Sends a message and returns the answer."""
        print(json.dumps(message), file=self.process.stdin, flush=True)

        return json.loads(self.process.stdout.readline())

    def timer(self, step: str, **message: Any) -> Timer:
        """Returns a timer of a step that runs there."""
        return lambda: self.ask(step=step, **message)["seconds"]


class Peer(PeerProcess):
    """The PyTorch process of benchmarks/torch_peer.py.

    Args:
        sizes: of the models.
        features: int32 [V, P], the parts of each token of the factored generator.
        tuned: use PyTorch's fused Adam, and draw tokens by the inverse CDF as we do instead of by
            `torch.multinomial`.
    """

    def __init__(self, sizes: Sizes, features: np.ndarray, tuned: bool = False) -> None:
        super().__init__(SCRIPT)
        self.draw = "inverse_cdf" if tuned else "multinomial"
        configuration = {
            "batch_size": sizes.batch_size,
            "length": sizes.length,
            "vocabulary_size": sizes.vocabulary_size,
            "units": sizes.units,
            "embedding_dim": sizes.table_dim,
            "parts": features.tolist(),
            "factored_embedding_dim": sizes.factored_dim,
            "filters": sizes.filters // 5,
            "kernel_sizes": [sizes.width] * 5,
            "discriminator_batch_size": sizes.pair,
            "discriminator_embedding_dim": sizes.table_dim,
            "threads": os.cpu_count(),
            "fused_adam": tuned,
        }
        self.version = self.ask(configure=configuration)["torch"]

    def timer(self, step: str, **message: Any) -> Timer:
        """Returns a timer of a step that runs there."""
        if step in ("sample", "rollouts_one"):
            message["draw"] = self.draw

        return super().timer(step, **message)
