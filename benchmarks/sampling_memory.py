"""Measures whether sampling fills the memory when every call asks for something else.

A tiny model samples 200 times; batch, length, temperature, top-k, top-p and the width of the prompt
differ from call to call. After the first 20 calls neither the memory nor the number of compiled
functions may grow. `evaluate` is measured likewise, with another number of rows each time, and
`generate` of an exported sampler if one is given.

    python benchmarks/sampling_memory.py [--sampler saved_models/nottingham] [--calls 200]

It prints, for every 20 calls, the memory of the process and how many functions TensorFlow holds.
"""

import argparse
import gc
import os
from collections.abc import Callable

import numpy as np
from tensorflow.python.eager import context

import tfseqgan as sg

VOCABULARY_SIZE = 50
GREATEST_LENGTH = 64


def resident_megabytes() -> float:
    """Returns the memory that this process holds now."""
    with open("/proc/self/statm") as file:
        num_pages = int(file.read().split()[1])

    return num_pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def random_options(rng: np.random.Generator) -> dict[str, object]:
    """Returns options of sampling that hardly any other call has."""
    return {
        "temperature": rng.uniform(0.5, 2),
        "top_k": None if rng.random() < 0.3 else int(rng.integers(1, VOCABULARY_SIZE)),
        "top_p": None if rng.random() < 0.3 else rng.uniform(0.1, 1),
    }


def make_calls(sampler_path: str | None) -> dict[str, Callable[[np.random.Generator], object]]:
    """Returns what is called again and again, by name."""
    generator = sg.Generator(VOCABULARY_SIZE, embedding_dim=8, units=16)
    discriminator = sg.Discriminator(VOCABULARY_SIZE, embedding_dim=8, filters=4)

    def generate(rng):
        length = int(rng.integers(1, GREATEST_LENGTH))
        width = int(rng.integers(0, length + 1))
        prompt = rng.integers(3, VOCABULARY_SIZE, width)
        num_sequences = int(rng.integers(1, 60))

        return generator.generate(num_sequences, length, prompt=prompt, **random_options(rng))

    def evaluate(rng):
        data = rng.integers(3, VOCABULARY_SIZE, (int(rng.integers(2, 60)), 24))
        num_samples = int(rng.integers(2, 60))

        return sg.evaluate(generator, discriminator, data, num_samples=num_samples)

    calls = {"generate": generate, "evaluate": evaluate}
    if sampler_path:
        sampler = sg.SavedSampler(sampler_path)

        def generate_exported(rng):
            length = int(rng.integers(1, sampler.length))

            return sampler.generate(int(rng.integers(1, 20)), length, **random_options(rng))

        calls["generate, exported"] = generate_exported

    return calls


def main() -> None:
    """Calls everything many times and prints the memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sampler", help="the folder of an exported sampler, or none")
    parser.add_argument("--calls", type=int, default=200, help="how many calls of each [200]")
    args = parser.parse_args()

    for name, call in make_calls(args.sampler).items():
        rng = np.random.default_rng(0)
        for number in range(1, args.calls + 1):
            call(rng)
            if number % 20 == 0:
                gc.collect()
                num_functions = len(context.context().list_function_names())
                print(
                    f"{name}: {number} calls, {resident_megabytes():.1f} MB, "
                    f"{num_functions} functions",
                    flush=True,
                )


if __name__ == "__main__":
    main()
