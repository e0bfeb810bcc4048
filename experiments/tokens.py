r"""Compare the token options of section 7 of the paper: held-out nats a tune of each.

    python experiments/tokens.py --data ../shared/data/nottingham-midi --row interleaved --seed 0

Trains an LSTM generator on the training tunes written as a row of `ROWS` says, and writes
experiments/results/tokens/<row>-<seed>.json. With --checkpoints, a run that was stopped resumes.

A twentieth of the training tunes is kept aside, by groups, and chooses the epoch; the 103 held-out
tunes are read once, at the end. Every option writes the same tunes, so that nats a tune compare,
with two exceptions that the table names: a tune in C says nothing of its key, and chords without
octaves nothing of their register.
"""

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from rows import Data, load_data, parse_arguments, write_result

import tfseqgan as sg
from tfseqgan.evaluation.evaluate import sequence_nlls
from tfseqgan.music.events import score_to_events
from tfseqgan.symbols.token_rows import TokenRows, cut_windows

RESULTS = Path(__file__).resolve().parent / "results" / "tokens"

LONGEST_TUNE = 1200
"""More tokens than the longest tune has in any row: no tune is cut."""

WINDOW = 100


@dataclasses.dataclass(frozen=True)
class Row:
    """How tunes are written, and what the generator knows of it.

    Attributes:
        has_grammar: whether the generator knows its tokens' durations.
        whole_tunes: whether a row of the data is a tune, and not a window of 100 tokens.
        interleave: as in `Tokenizer`.
        transpose: as in `Tokenizer`.
        chord_octaves: as in `Tokenizer`.
        other_keys: whether every epoch sees the tunes in other keys.
        epochs: passes over the training tunes.
    """

    has_grammar: bool = True
    whole_tunes: bool = True
    interleave: bool = False
    transpose: str | None = None
    chord_octaves: bool = True
    other_keys: bool = False
    epochs: int = 8


ROWS = {
    "windows-without-grammar": Row(has_grammar=False, whole_tunes=False),
    "windows": Row(whole_tunes=False),
    "combined": Row(),
    "combined-in-c": Row(transpose="C"),
    "combined-without-octaves": Row(chord_octaves=False),
    "combined-other-keys": Row(other_keys=True),
    "interleaved": Row(interleave=True),
    "interleaved-in-c": Row(interleave=True, transpose="C"),
    "interleaved-without-octaves": Row(interleave=True, chord_octaves=False),
    "interleaved-other-keys": Row(interleave=True, other_keys=True),
    "interleaved-other-keys-twice-as-long": Row(interleave=True, other_keys=True, epochs=16),
    "all-three": Row(interleave=True, transpose="C", chord_octaves=False),
    "interleaved-without-octaves-other-keys": Row(
        interleave=True, chord_octaves=False, other_keys=True
    ),
}


@dataclasses.dataclass(frozen=True)
class Training:
    """Size and schedule, the same for every row."""

    embedding_dim: int = 128
    units: int = 512
    dropout: float = 0.3
    patience: int = 4
    tunes_per_step: int = 16
    learning_rate: float = 3e-3


def make_tokenizer(row: Row, tunes: tuple[sg.Score, ...]) -> sg.Tokenizer:
    """Returns the tokenizer of a row, fitted to the training tunes."""
    return sg.Tokenizer.fit(
        tunes,
        interleave=row.interleave,
        transpose=row.transpose,
        chord_octaves=row.chord_octaves,
        transpositions=sg.ALL_TRANSPOSITIONS if row.other_keys else (0,),
    )


def make_rows(row: Row, tokenizer: sg.Tokenizer, tunes: tuple[sg.Score, ...]) -> TokenRows:
    """Returns the tunes as rows of tokens."""
    if row.whole_tunes:
        return tokenizer.whole_tunes(tunes, LONGEST_TUNE)

    return cut_windows(tokenizer.encode_all(tunes).sequences, WINDOW)


def make_generator(row: Row, tokenizer: sg.Tokenizer, training: Training) -> sg.Generator:
    """Returns a new generator of a row."""
    return sg.Generator(
        tokenizer.vocabulary_size,
        tokenizer.token_features,
        tokenizer.token_durations if row.has_grammar else None,
        embedding_dim=training.embedding_dim,
        units=training.units,
        dropout=training.dropout,
    )


def rows_of_a_step(row: Row, rows: TokenRows, training: Training) -> int:
    """Returns how many rows a step takes, so that it reads about as many tunes in every row."""
    rows_per_tune = len(rows.tunes) / len(np.unique(rows.tunes))

    return round(training.tunes_per_step * rows_per_tune)


def train(
    row: Row,
    tokenizer: sg.Tokenizer,
    data: Data,
    training: Training,
    seed: int,
    checkpoints: str | None,
) -> tuple[sg.Generator, dict[str, list[float]]]:
    """Trains a generator; returns it with its curve."""
    rows = make_rows(row, tokenizer, data.tunes)
    batch_size = rows_of_a_step(row, rows, training)
    num_steps = row.epochs * -(-len(rows.tokens) // batch_size)

    keras.utils.set_random_seed(seed)
    generator = make_generator(row, tokenizer, training)
    rate = keras.optimizers.schedules.CosineDecay(training.learning_rate, num_steps, alpha=0.01)
    generator.compile(sg.Adam(rate, global_clipnorm=5.0))

    history = sg.pretrain(
        generator,
        rows.tokens,
        epochs=row.epochs,
        batch_size=batch_size,
        validation_data=make_rows(row, tokenizer, data.kept_aside).tokens,
        patience=training.patience,
        bucket_by_length=row.whole_tunes,
        augment=sg.RandomTransposition(tokenizer, rows, seed) if row.other_keys else None,
        checkpoint_dir=checkpoints,
        seed=seed,
        verbose=2,
    )

    return generator, history.history


def breaks_grammar(generator: sg.Generator, rows: TokenRows, num_tunes: int) -> np.ndarray:
    """Returns which tunes the generator's grammar forbids, bool [tunes].

    A rare event of combined tokens may be replaced by one of another duration.
    """
    breaks = np.zeros(num_tunes, bool)
    for tokens, tune in zip(rows.tokens, rows.tunes, strict=True):
        breaks[tune] |= generator.find_grammar_break(tokens[None]) is not None

    return breaks


def measure(
    row: Row, generator: sg.Generator, tokenizer: sg.Tokenizer, tunes: tuple[sg.Score, ...]
) -> dict[str, Any]:
    """Returns the nats of every held-out tune, and what its tokens are.

    A tune that breaks the grammar has none, and says None.
    """
    rows = make_rows(row, tokenizer, tunes)
    nlls = sequence_nlls(generator, rows.tokens, batch_size=16)
    nats = np.bincount(rows.tunes, weights=nlls, minlength=len(tunes))  # [tunes]
    broken = breaks_grammar(generator, rows, len(tunes))

    encoded = [tokenizer.encode_all([tune]) for tune in tunes]

    return {
        "vocabulary": tokenizer.vocabulary_size,
        "nats": [None if bad else float(each) for bad, each in zip(broken, nats, strict=True)],
        "tokens": [len(one.sequences[0]) for one in encoded],
        "events": [len(score_to_events(tune)[1]) + 2 for tune in tunes],  # and start and end
        "replaced": [one.num_replaced for one in encoded],
    }


def main() -> None:
    """Trains and measures one row with one seed."""
    args, training = parse_arguments(__doc__, ROWS, Training)
    row = ROWS[args.row]
    data = load_data(args.data)
    tokenizer = make_tokenizer(row, data.corpus.train)

    started = time.time()
    generator, curve = train(row, tokenizer, data, training, args.seed, args.checkpoints)
    figures = {
        "what": "nats of each of the held-out Nottingham tunes",
        **measure(row, generator, tokenizer, data.corpus.validation),
        "curve": curve,
        "weights": generator.count_params(),
        "seconds": time.time() - started,
    }
    write_result(RESULTS, args, row, training, data, figures)


if __name__ == "__main__":
    main()
