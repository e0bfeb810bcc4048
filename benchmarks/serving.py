"""Tokens a second of an exported sampler beside the Python sampler, and how long one tune of 100 tokens takes.

    python benchmarks/serving.py --model RUN

Exports the run's generator with a length of 100 into a temporary folder, then draws batches of 1, 16 and 128 sequences by both, alternated, and prints the
medians. Run it on a machine that does nothing else.
"""

import argparse
import os
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

import tfseqgan as sg
from tfseqgan.ops.sampling import row_seeds

LENGTH = 100


def median_seconds(first, second, repeats):
    """Returns the median times of two functions, called in turn after a call of each that warms it up."""
    times = ([], [])
    for repeat in range(repeats + 1):
        for function, kept in zip((first, second), times):
            started = time.perf_counter()
            function()
            kept.append(time.perf_counter() - started)
    return tuple(statistics.median(kept[1:]) for kept in times)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, help="a finished run's folder")
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    generator, tokenizer, _ = sg.from_pretrained(args.model)
    with tempfile.TemporaryDirectory() as folder:
        exported = tf.saved_model.load(
            str(sg.export_saved_model(generator, tokenizer, folder, length=LENGTH))
        ).signatures["sample"]
    print(
        "| batch | exported, tokens a second | Python, tokens a second | exported, ms a batch |\n|---|---|---|---|"
    )
    for rows in (1, 16, 128):
        seeds = row_seeds(0, rows)
        options = {
            "temperature": tf.ones(rows),
            "top_k": tf.zeros(rows, tf.int32),
            "top_p": tf.ones(rows),
        }
        saved, python = median_seconds(
            lambda: exported(seed=seeds, **options)["tokens"].numpy(),
            lambda: generator.generate(rows, LENGTH, seed=0),
            args.repeats,
        )
        print(
            f"| {rows} | {rows * LENGTH / saved:,.0f} | {rows * LENGTH / python:,.0f} | {saved * 1e3:.1f} |"
        )


if __name__ == "__main__":
    main()
