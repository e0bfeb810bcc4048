r"""Measures the generator with attention: steps, an epoch, tunes a second, memory, growth.

    python benchmarks/attention.py --data ../shared/data/nottingham-midi --model generator.keras

A generator of the default preset's size takes likelihood steps on whole tunes and writes tunes,
beside the same model in plain PyTorch (benchmarks/torch_attention.py), in turn. Writes
benchmarks/results/attention.json, from which benchmarks/page.py renders docs/performance.md.
"""

import argparse
import os
import resource
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from peer import PeerProcess
from timing import medians_in_turn, seconds_of

import tfseqgan as sg
from tfseqgan.files import write_json
from tfseqgan.runs.settings import PRESETS, Settings
from tfseqgan.training.steps import make_likelihood_step

RESULT = Path(__file__).resolve().parent / "results" / "attention.json"
SCRIPT = Path(__file__).resolve().parent / "torch_attention.py"

SAMPLES = 128
TUNE_LENGTH = 1024
PEER_LENGTH = 200
LENGTHS = (128, 256, 512, 1024)


def make_generator(tokenizer: sg.Tokenizer, settings: Settings) -> sg.AttentionGenerator:
    """Returns the generator of the preset with random weights, compiled as the preset does."""
    keras.utils.set_random_seed(0)
    generator = sg.AttentionGenerator(
        tokenizer.vocabulary_size,
        tokenizer.token_features,
        tokenizer.token_durations,
        token_controls=tokenizer.token_controls,
        token_pitch_classes=tokenizer.token_pitch_classes,
        embedding_dim=settings.embedding_dim,
        num_layers=settings.num_layers,
        num_heads=settings.num_heads,
        feed_forward_dim=settings.feed_forward_dim,
        dropout=settings.dropout,
        control_dropout=settings.control_dropout,
    )
    optimizer = sg.Adam(
        1e-3,
        beta_2=settings.beta_2,
        weight_decay=settings.weight_decay,
        global_clipnorm=settings.global_clipnorm,
    )
    generator.compile(optimizer)

    return generator


def batches_by_length(tokens: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Returns all rows in batches of nearly equal length, without the padding that none needs."""
    lengths = (tokens != 0).sum(axis=1)
    order = np.argsort(lengths, kind="stable")
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]

    return [tokens[rows, : lengths[rows].max()] for rows in batches]


def arrays_of_peer(
    generator: sg.AttentionGenerator, tokens: np.ndarray, settings: Settings
) -> dict[str, np.ndarray]:
    """Returns what the peer needs: the tables, the batch, and what our layers compute of it."""
    places = generator.places.of_rows(tf.constant(tokens))
    clock, form = generator.clock, generator.form
    onsets = generator._onsets(tokens, places)
    of_read = generator._onsets_of_read(onsets)
    time_rows = generator._time_rows(onsets[:, :, None], of_read[:, None], places)
    of_clock = clock.indices(places.clock, places.grammar)
    of_form = form._features(places.form, clock.due(places.clock, places.grammar))
    features = [*of_clock, *of_form]

    return {
        "tokens": tokens,
        "parts": generator.token_features,
        "mask": clock.mask,
        "features": tf.stack(features, axis=-1).numpy(),
        "time_rows": time_rows.numpy(),
        "num_time_rows": np.array(generator._time_table().shape[0]),
        "states": places.grammar.numpy(),
        "dim": np.array(settings.embedding_dim),
        "num_layers": np.array(settings.num_layers),
        "num_heads": np.array(settings.num_heads),
        "units": np.array(settings.feed_forward_dim),
        "dropout": np.array(settings.dropout),
    }


def resident_megabytes() -> float:
    """Returns the largest memory that this process had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def time_tunes(generator: Any, prompts: np.ndarray, **options: float) -> dict[str, float]:
    """Returns tunes a second, and how long they were, in a batch of `SAMPLES` whole tunes."""
    generator.generate(16, 8, prompt=prompts[:16], seed=0, **options)
    rows = []
    seconds = seconds_of(
        lambda: rows.append(
            generator.generate(SAMPLES, TUNE_LENGTH, prompt=prompts, seed=0, **options)
        )
    )
    lengths = (rows[0] != 0).sum(axis=1)

    return {
        "seconds": seconds,
        "tunes_per_second": SAMPLES / seconds,
        "tokens_a_tune": float(lengths.mean()),
        "steps": int(lengths.max()),
    }


def growth(generator: Any, step: Any, batch_size: int) -> list[dict[str, float]]:
    """Returns seconds and memory by length: of sampling first, whose memory is the smaller.

    Rows of random tokens are as much work as tunes, and an untrained generator ends few.
    """
    rng = np.random.default_rng(0)
    rows = []
    generator.generate(16, 8, seed=0)  # compiled
    for length in LENGTHS:
        sampling = seconds_of(lambda: generator.generate(SAMPLES, length, seed=0))  # noqa: B023
        rows.append(
            {"tokens": length, "sampling": sampling, "megabytes_sampling": resident_megabytes()}
        )
    for row, length in zip(rows, LENGTHS, strict=True):
        shape = (batch_size, length)
        tokens = tf.constant(rng.integers(3, generator.vocabulary_size, shape), tf.int32)
        step(tokens)
        row["step"] = seconds_of(lambda: step(tokens))  # noqa: B023
        row["megabytes_step"] = resident_megabytes()

    return rows


def compare_with_peer(
    generator: Any, step: Any, batch: np.ndarray, settings: Settings, repeats: int
) -> dict[str, Any]:
    """Returns the seconds of a step and of sampling, ours and those of PyTorch, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "peer.npz"
        np.savez(path, **arrays_of_peer(generator, batch, settings))
        peer = PeerProcess(SCRIPT, str(path), str(os.cpu_count()))
        tokens = tf.constant(batch)
        ours, theirs = medians_in_turn(
            [lambda: seconds_of(lambda: step(tokens)), peer.timer(step="likelihood")], repeats
        )
        options = {"num_rows": SAMPLES, "length": PEER_LENGTH}
        sampling, of_peer = medians_in_turn(
            [
                lambda: seconds_of(lambda: generator.generate(SAMPLES, PEER_LENGTH, seed=0)),
                peer.timer(step="sample", **options),
            ],
            max(1, repeats // 3),
        )
        version = peer.ask(step="likelihood")["torch"]
        peer.process.communicate()

    return {
        "step": {"rows": len(batch), "tokens": batch.shape[1], "ours": ours, "peer": theirs},
        "sampling": {"rows": SAMPLES, "tokens": PEER_LENGTH, "ours": sampling, "peer": of_peer},
        "torch": version,
    }


def time_epoch(step: Any, batches: list[np.ndarray]) -> float:
    """Returns the seconds of a likelihood step on each batch, all of which were compiled before."""
    tensors = [tf.constant(batch) for batch in batches]
    for tokens in tensors:
        step(tokens)

    return sum(seconds_of(lambda: step(tokens)) for tokens in tensors)  # noqa: B023


SAMPLING = {
    "the model's own distribution": {},
    "temperature 0.9, top-p 0.95": {"temperature": 0.9, "top_p": 0.95},
    "temperature 0.9, top-p 0.95, guidance 0.4": {
        "temperature": 0.9,
        "top_p": 0.95,
        "guidance": 0.4,
    },
}
"""Ways to sample tunes, by what they are called."""


def main() -> None:
    """Measures and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the folder of the Nottingham MIDI files")
    parser.add_argument("--model", required=True, help="a .keras file: a trained generator")
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()

    settings = PRESETS["default"]
    tunes = sg.load_nottingham(args.data).train
    tokenizer = sg.Tokenizer.fit(
        tunes, interleave=True, controls=True, transpositions=sg.ALL_TRANSPOSITIONS
    )
    batches = batches_by_length(
        tokenizer.whole_tunes(tunes, settings.length).tokens, settings.pretraining_batch_size
    )
    generator = make_generator(tokenizer, settings)
    step = make_likelihood_step(generator)
    by_length = growth(generator, step, settings.pretraining_batch_size)
    middle = batches[len(batches) // 2]
    trained = keras.models.load_model(args.model)
    prompts = tokenizer.prompts(SAMPLES, seed=0)

    result = {
        **compare_with_peer(generator, step, middle, settings, args.repeats),
        "epoch_seconds": time_epoch(step, batches),
        "tunes": {
            name: time_tunes(trained, prompts, **options) for name, options in SAMPLING.items()
        },
        "growth": by_length,
        "tensorflow": tf.__version__,
        "cores": os.cpu_count(),
    }
    RESULT.parent.mkdir(exist_ok=True)
    write_json(RESULT, result)


if __name__ == "__main__":
    main()
