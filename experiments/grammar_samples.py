r"""Sample 10,000 tunes at each of three temperatures, by three routes, and check every one.

    python experiments/grammar_samples.py --data ../shared/data/nottingham-midi

A generator with interleaved tokens is trained on the Nottingham tunes for about a minute, exported,
and sampled through Python (`Generator.generate`), through the SavedModel (`SavedSampler.generate`)
and through TensorFlow's C++ loader (examples/serving/cpp). Besides, Python samples with top-k, with
top-p and from prompts. Every sample must decode to a tune whose voices have neither gap nor overlap
and end together. Writes experiments/results/grammar_samples.json.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import tfseqgan as sg
from tfseqgan.files import write_json

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "experiments" / "results" / "grammar_samples.json"

TEMPERATURES = (0.7, 1.0, 1.3)
SEED = 1
ROWS_OF_A_CLIENT = 1000


def train(tunes: tuple[sg.Score, ...], epochs: int) -> tuple[sg.Generator, sg.Tokenizer]:
    """Returns a small generator after a short training, and its tokenizer."""
    keras.utils.set_random_seed(0)
    tokenizer = sg.Tokenizer.fit(tunes, interleave=True)
    generator = sg.Generator(
        tokenizer.vocabulary_size,
        tokenizer.token_features,
        tokenizer.token_durations,
        embedding_dim=64,
        units=128,
        dropout=0.1,
    )
    generator.compile(sg.Adam(4e-3, global_clipnorm=5.0))
    rows = tokenizer.whole_tunes(tunes, length=512).tokens
    sg.pretrain(generator, rows, epochs=epochs, batch_size=16, bucket_by_length=True, seed=0)

    return generator, tokenizer


def fault_of(tokens: list[int], tokenizer: sg.Tokenizer) -> str | None:
    """Returns what is wrong with the tokens of a tune, or None.

    A voice has neither gap nor overlap if its next event starts where its last one ends. In tokens
    that is so if the event that is written next is that of the voice that ends first, and of the
    chords where both end.
    """
    if tokens[0] != tokenizer.start_token_id:
        return "it does not begin with the start token"

    has_ended = tokenizer.end_token_id in tokens
    events = tokens[1 : tokens.index(tokenizer.end_token_id)] if has_ended else tokens[1:]
    durations = tokenizer.token_durations[events]  # [n, (melody, chords)]
    if (durations > 0).sum(axis=1).tolist() != [1] * len(events):
        return "a token does not start one voice"

    melody, chords = 0, 0
    has_both = len(events) > 1 and durations[0, 1] > 0 and durations[1, 0] > 0
    for of_melody, of_chords in durations.tolist():
        if has_both and bool(of_chords) != (chords <= melody):
            return "a voice overlaps or falls silent"
        if not has_both and melody + chords and bool(of_melody) != bool(melody):
            return "a voice begins late"
        melody += of_melody
        chords += of_chords

    if has_ended and has_both and melody != chords:
        return "the voices do not end together"

    return None


def run_client(client: Path, folder: Path, count: int, temperature: float) -> list[list[int]]:
    """Returns what the C++ client prints for several seeds."""
    rows: list[list[int]] = []
    for seed in range(-(-count // ROWS_OF_A_CLIENT)):
        size = min(ROWS_OF_A_CLIENT, count - len(rows))
        command = [client, folder, str(size), str(seed), str(temperature)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rows += [[int(token) for token in line.split()] for line in printed.splitlines()]

    return rows


def make_prompts(tokenizer: sg.Tokenizer, tunes: tuple[sg.Score, ...], count: int) -> np.ndarray:
    """Returns the first twelve tokens of tunes, over and over, int32 [count, 12]."""
    rows = [tokens[:12] for tokens in tokenizer.encode_all(tunes).sequences if len(tokens) > 12]

    return np.stack([rows[index % len(rows)] for index in range(count)])


def sample_all(
    generator: sg.Generator,
    tokenizer: sg.Tokenizer,
    held_out: tuple[sg.Score, ...],
    count: int,
    length: int,
    work: Path,
) -> Iterator[tuple[str, list[list[int]]]]:
    """Yields the samples of each route, with its name."""
    start = [tokenizer.start_token_id]
    folder = sg.export_saved_model(
        generator, tokenizer, work / "sampler", length=length, prompt=start
    )
    sampler = sg.SavedSampler(folder)
    client = work / "client"
    make = [
        "make",
        "-C",
        ROOT / "examples/serving/cpp",
        f"PYTHON={sys.executable}",
        f"OUT={client}",
    ]
    subprocess.run(make, check=True, capture_output=True)

    for temperature in TEMPERATURES:
        options: dict[str, Any] = {"temperature": temperature, "seed": SEED}
        python = generator.generate(count, length, prompt=start, **options)
        exported = sampler.generate(count, length, **options)
        assert np.array_equal(python, exported)

        yield f"Python, temperature {temperature}", python.tolist()
        yield f"SavedModel, temperature {temperature}", exported.tolist()
        yield f"C++, temperature {temperature}", run_client(client, folder, count, temperature)

    hot: dict[str, Any] = {"temperature": TEMPERATURES[-1], "seed": SEED}
    prompts = make_prompts(tokenizer, held_out, count)
    yield (
        "Python, top-k 20",
        generator.generate(count, length, prompt=start, top_k=20, **hot).tolist(),
    )
    yield (
        "Python, top-p 0.9",
        generator.generate(count, length, prompt=start, top_p=0.9, **hot).tolist(),
    )
    yield "Python, from prompts", generator.generate(count, length, prompt=prompts, **hot).tolist()


def main() -> None:
    """Trains, samples, checks and writes the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the folder of the Nottingham MIDI files")
    parser.add_argument("--count", type=int, default=10_000, help="samples of each route")
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=2)
    args = parser.parse_args()

    corpus = sg.load_nottingham(args.data)
    generator, tokenizer = train(corpus.train, args.epochs)
    result = {}
    with tempfile.TemporaryDirectory() as work:
        routes = sample_all(
            generator, tokenizer, corpus.validation, args.count, args.length, Path(work)
        )
        for name, rows in routes:
            faults = [fault for row in rows if (fault := fault_of(row, tokenizer)) is not None]
            decoded = [tokenizer.decode(row) for row in rows]
            result[name] = {
                "samples": len(rows),
                "decoded": len(decoded),
                "ended": sum(tokenizer.end_token_id in row for row in rows),
                "faults": len(faults),
            }
            print(name, result[name], sorted(set(faults)), flush=True)
            write_json(RESULT, result)


if __name__ == "__main__":
    main()
