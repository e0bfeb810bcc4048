"""Times one adversarial round and one epoch's steps at given sizes, by public names alone.

    python benchmarks/preset_round.py SIZES_AS_JSON

It runs with any version of tfseqgan that is on the path; `benchmarks/presets.py` compares two.
Prints the seconds of a round of `fit_adversarial` and of a few steps of `pretrain`, after one of
each that compiles, as JSON.
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import tfseqgan as sg

V, T = 3219, 100
PART_SIZES = [24, 11, 14, 19, 11, 60]


class Clock(keras.callbacks.Callback):
    """Keeps the seconds of each epoch or round."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Stops the clock."""
        self.seconds.append(time.perf_counter() - self.started)


def main() -> None:
    """Trains for two epochs and two rounds, and prints the seconds of the second ones."""
    sizes = json.loads(sys.argv[1])
    random = np.random.default_rng(0)
    columns = [random.integers(0, size, V) for size in PART_SIZES]
    features = np.stack(columns, axis=1) if sizes.pop("has_parts") else None
    data = random.integers(3, V, (1400, T))

    generator = sg.Generator(V, features, **sizes["generator"])
    discriminator = sg.Discriminator(V, features, **sizes["discriminator"])
    generator.compile(sg.Adam(1e-5, global_clipnorm=5.0))
    discriminator.compile(sg.Adam(1e-6))

    epochs, rounds = Clock(), Clock()
    likelihood_batch = sizes["pretraining_batch_size"]
    sg.pretrain(
        generator,
        data[: 8 * likelihood_batch],
        epochs=2,
        batch_size=likelihood_batch,
        callbacks=[epochs],
        seed=0,
        verbose=0,
    )
    objective = getattr(sg, sizes["objective"])()
    sg.fit_adversarial(
        generator,
        discriminator,
        data,
        objective,
        rounds=sizes["rounds"],
        callbacks=[rounds],
        seed=0,
        verbose=0,
        **sizes["schedule"],
    )

    timed = rounds.seconds[1:]
    print(json.dumps({"epoch": epochs.seconds[1], "round": sum(timed) / len(timed)}))


if __name__ == "__main__":
    main()
