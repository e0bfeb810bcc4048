"""Compare the speed of an exported sampler with that of the Python sampler.

    python benchmarks/serving.py --model RUN

It exports the run's generator for sequences of 100 tokens into a temporary folder. Both samplers
then draw batches of 1, 16 and 128 sequences, in turn. It prints the median times. Run it on a
machine that does nothing else.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

import tfseqgan as sg
from tfseqgan.ops.sampling import row_seeds

LENGTH = 100
BATCH_SIZES = (1, 16, 128)


def seconds(function: Callable[[], object]) -> float:
    """Returns how long a call takes."""
    started = time.perf_counter()
    function()

    return time.perf_counter() - started


def median_seconds(
    first: Callable[[], object], second: Callable[[], object], repeats: int
) -> tuple[float, float]:
    """Returns the median times of two functions, which are called in turn.

    The first call of each is not timed, since it may compile.
    """
    first()
    second()

    pairs = [(seconds(first), seconds(second)) for _ in range(repeats)]
    first_times, second_times = zip(*pairs, strict=True)

    return statistics.median(first_times), statistics.median(second_times)


def export_and_load(generator: sg.Generator, tokenizer: sg.Tokenizer) -> Callable:
    """Exports a generator and returns the signature "sample" of what was exported."""
    with tempfile.TemporaryDirectory() as folder:
        path = sg.export_saved_model(generator, tokenizer, folder, length=LENGTH)
        return tf.saved_model.load(str(path)).signatures["sample"]


def main() -> None:
    """Prints a table with one row for each batch size."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", required=True, help="folder of a finished run")
    parser.add_argument("--repeats", type=int, default=7, help="timed calls of each sampler")
    args = parser.parse_args()

    generator, tokenizer, _ = sg.from_pretrained(args.model)
    exported = export_and_load(generator, tokenizer)

    columns = (
        "batch",
        "exported, tokens a second",
        "Python, tokens a second",
        "exported, ms a batch",
    )
    print(f"| {' | '.join(columns)} |")
    print("|---|---|---|---|")

    for batch_size in BATCH_SIZES:
        inputs = {
            "seed": row_seeds(0, batch_size),
            "temperature": tf.ones(batch_size),
            "top_k": tf.zeros(batch_size, tf.int32),
            "top_p": tf.ones(batch_size),
        }

        def sample_exported(inputs=inputs):
            return exported(**inputs)["tokens"].numpy()

        def sample_in_python(batch_size=batch_size):
            return generator.generate(batch_size, LENGTH, seed=0)

        exported_time, python_time = median_seconds(sample_exported, sample_in_python, args.repeats)
        num_tokens = batch_size * LENGTH
        print(
            f"| {batch_size} | {num_tokens / exported_time:,.0f} "
            f"| {num_tokens / python_time:,.0f} | {exported_time * 1e3:.1f} |"
        )


if __name__ == "__main__":
    main()
