r"""Measures what the grammar costs a step, and what a sampled tune costs with each kind of tokens.

    python benchmarks/grammar.py --data ../shared/data/nottingham-midi

A generator of the default preset's size takes a likelihood step and samples, on combined and on
interleaved tokens, with and without `token_durations`; all four in turn. A tune's time is that of a
sampled token times the mean tokens of a Nottingham tune. Writes benchmarks/results/grammar.json,
from which benchmarks/page.py renders docs/performance.md.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from timing import Timer, medians_in_turn, seconds_of

import tfseqgan as sg
from tfseqgan.files import write_json
from tfseqgan.ops.sampling import row_seeds
from tfseqgan.runs.settings import PRESETS
from tfseqgan.training.steps import make_likelihood_step

RESULT = Path(__file__).resolve().parent / "results" / "grammar.json"

ROWS = 64
LENGTH = 200

TOKENS = {
    "combined": {},
    "interleaved, all keys": {"interleave": True, "transpositions": sg.ALL_TRANSPOSITIONS},
}


def make_generator(tokenizer: sg.Tokenizer, has_grammar: bool) -> sg.Generator:
    """Returns a generator of the default preset's size, compiled as the preset does."""
    settings = PRESETS["default"]
    generator = sg.Generator(
        tokenizer.vocabulary_size,
        tokenizer.token_features,
        tokenizer.token_durations if has_grammar else None,
        embedding_dim=settings.embedding_dim,
        units=settings.units,
        dropout=settings.dropout,
    )
    generator.compile(sg.Adam(1e-3, global_clipnorm=settings.global_clipnorm))

    return generator


def make_timers(generator: sg.Generator, tokens: np.ndarray) -> tuple[Timer, Timer]:
    """Returns the timers of a likelihood step and of sampling as many tokens."""
    step = make_likelihood_step(generator)
    batch = tf.constant(tokens)
    sample = tf.function(generator.sample)
    seeds = row_seeds((0, 0), len(tokens))

    return (
        lambda: seconds_of(lambda: step(batch)),
        lambda: seconds_of(lambda: sample(seeds, tokens.shape[1])),
    )


def main() -> None:
    """Measures and writes the figures of each kind of tokens."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the folder of the Nottingham MIDI files")
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()

    tunes = sg.load_nottingham(args.data).train
    result = {}
    for name, options in TOKENS.items():
        tokenizer = sg.Tokenizer.fit(tunes, **options)
        lengths = [len(tokens) for tokens in tokenizer.encode_all(tunes).sequences]
        rows = tokenizer.whole_tunes(tunes, LENGTH).tokens[:ROWS]
        timers = [
            timer
            for has_grammar in (False, True)
            for timer in make_timers(make_generator(tokenizer, has_grammar), rows)
        ]
        step, sampling, step_with, sampling_with = medians_in_turn(timers, args.repeats)

        result[name] = {
            "vocabulary": tokenizer.vocabulary_size,
            "tokens_a_tune": float(np.mean(lengths)),
            "step_seconds": step,
            "step_seconds_with_grammar": step_with,
            "sampling_seconds": sampling,
            "sampling_seconds_with_grammar": sampling_with,
            "milliseconds_a_tune": 1000 * sampling / rows.size * float(np.mean(lengths)),
            "milliseconds_a_tune_with_grammar": (
                1000 * sampling_with / rows.size * float(np.mean(lengths))
            ),
        }

    RESULT.parent.mkdir(exist_ok=True)
    write_json(RESULT, result)


if __name__ == "__main__":
    main()
