r"""What memory, controls, form and degrees are worth: held-out nats a tune with each left out.

    python experiments/memory.py --data ../shared/data/nottingham-midi --row whole --seed 0

Trains a generator on the training tunes, in other keys every epoch, as a row of `ROWS` says, and
writes experiments/results/memory/<row>-<seed>.json. With --checkpoints, a run that was stopped
resumes there, and the generator is kept there.

A twentieth of the training tunes is kept aside, by groups, and chooses the epoch; the 103 held-out
tunes are read once, at the end. The nats of a tune are those of its notes, given its controls;
those of the controls stand beside them.
"""

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from rows import Data, load_data, parse_arguments, write_result

import tfseqgan as sg
from tfseqgan.music.control_tokens import NUM_CONTROLS
from tfseqgan.music.events import score_to_events
from tfseqgan.ops.lstm import lstm_outputs

RESULTS = Path(__file__).resolve().parent / "results" / "memory"

LONGEST_ROW = 420
"""Tokens of a training row; the rest of a longer tune is a row of its own."""

LONGEST_TUNE = 1200
"""More tokens than the longest tune has: no held-out tune is cut."""


@dataclasses.dataclass(frozen=True)
class Row:
    """What a generator is, and what it does without.

    Attributes:
        kind: "attention", "lstm", or "lstm and attention" for one layer on top of the LSTM.
        without: a name in `WITHOUT`, or "" for the whole.
    """

    kind: str = "attention"
    without: str = ""


ROWS = {
    "whole": Row(),
    "without-the-mask": Row(without="mask"),
    "without-position": Row(without="position"),
    "without-transposition": Row(without="transposition"),
    "without-time-in-attention": Row(without="time in attention"),
    "without-controls": Row(without="controls"),
    "without-form": Row(without="form"),
    "without-degrees": Row(without="degrees"),
    "lstm": Row(kind="lstm"),
    "lstm-and-attention": Row(kind="lstm and attention"),
}


@dataclasses.dataclass(frozen=True)
class Training:
    """Sizes and schedule, the same for every row; those of an LSTM stand apart."""

    embedding_dim: int = 192
    num_layers: int = 3
    num_heads: int = 4
    feed_forward_dim: int = 640
    units: int = 512
    dropout: float = 0.15
    control_dropout: float = 0.1
    epochs: int = 24
    tunes_per_step: int = 12
    learning_rate: float = 1e-3
    warmup_steps: int = 150
    beta_2: float = 0.98
    weight_decay: float = 0.01
    weight_averaging: float = 0.99
    clipnorm: float = 1.0


class LSTMWithAttention(sg.AttentionGenerator):
    """Attention on top of an LSTM: the layers read the LSTM's outputs in place of the vectors.

    It has no cache for decoding; it is made to be measured.
    """

    def __init__(self, *tables: Any, units: int, **options: Any) -> None:
        self.units = units
        super().__init__(*tables, **options)

    def build(self, input_shape: Any = None) -> None:
        """Creates every weight."""
        if not self.built:
            self.lstm = keras.layers.LSTM(self.units, return_sequences=True)
            self.lstm.build((None, None, self.embedding_dim))
            self.lstm_projection = keras.layers.Dense(self.embedding_dim)
            self.lstm_projection.build((None, None, self.units))
        super().build(input_shape)

    def shifted_vectors(self, tokens: Any, table: tf.Tensor, places: Any) -> tf.Tensor:
        """Computes what attention reads: the LSTM's outputs, float [B, T, D]."""
        vectors = super().shifted_vectors(tokens, table, places)

        return self.lstm_projection(lstm_outputs(vectors, self.lstm))


def make_tokenizer(row: Row, tunes: tuple[sg.Score, ...]) -> sg.Tokenizer:
    """Returns the tokenizer of a row, fitted to the training tunes."""
    return sg.Tokenizer.fit(
        tunes,
        interleave=True,
        controls=row.without != "controls",
        transpositions=sg.ALL_TRANSPOSITIONS,
    )


def tables_of_tokens(row: Row, tokenizer: sg.Tokenizer) -> dict[str, Any]:
    """Returns what the generator is told of each token."""
    tables: dict[str, Any] = {"token_durations": tokenizer.token_durations}
    if tokenizer.token_controls is None:
        return tables

    controls = tokenizer.token_controls.copy()
    if row.without == "form":
        controls[:, 2] = 0  # a metre whose bars have no length

    return tables | {
        "token_controls": controls,
        "token_pitch_classes": tokenizer.token_pitch_classes,
    }


def make_generator(row: Row, tokenizer: sg.Tokenizer, training: Training) -> Any:
    """Returns a new generator of a row."""
    tables = tables_of_tokens(row, tokenizer)
    if tokenizer.controls is not None:
        tables["control_dropout"] = training.control_dropout
    options = {"embedding_dim": training.embedding_dim, "dropout": training.dropout} | tables
    vocabulary = (tokenizer.vocabulary_size, tokenizer.token_features)
    heads = {
        "num_heads": training.num_heads,
        "feed_forward_dim": training.feed_forward_dim,
    }
    if row.kind == "lstm":
        return sg.Generator(*vocabulary, units=training.units, **options)
    if row.kind == "lstm and attention":
        layers = {"num_layers": 1, "units": training.units}
        return LSTMWithAttention(*vocabulary, **layers, **heads, **options)

    return sg.AttentionGenerator(*vocabulary, num_layers=training.num_layers, **heads, **options)


def hold_at_zero(*weights: Any) -> None:
    """Sets weights to zero, and keeps training from changing them."""
    for weight in weights:
        weight.assign(tf.zeros(weight.shape))
        weight.trainable = False


def leave_out(part: str, generator: Any) -> None:
    """Takes a part of a generator away, before it is trained."""
    if part == "mask":
        generator.clock.mask[:] = 0.0
    if part == "position":
        hold_at_zero(generator.clock.table)
    if part == "time in attention":
        hold_at_zero(generator.onset_bias, generator.bar_bias)
    if part == "degrees":
        hold_at_zero(generator.form.degrees)


def make_optimizer(num_steps: int, training: Training) -> sg.Adam:
    """Returns the optimizer: a warm-up, then a cosine to one per cent."""
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        num_steps - training.warmup_steps,
        alpha=0.01,
        warmup_target=training.learning_rate,
        warmup_steps=training.warmup_steps,
    )

    return sg.Adam(
        rate,
        beta_2=training.beta_2,
        weight_decay=training.weight_decay,
        global_clipnorm=training.clipnorm,
        use_ema=True,
        ema_momentum=training.weight_averaging,
    )


def train(
    row: Row,
    tokenizer: sg.Tokenizer,
    data: Data,
    training: Training,
    seed: int,
    checkpoints: str | None,
) -> tuple[Any, dict[str, list[float]]]:
    """Trains a generator; returns it with its curve."""
    rows = tokenizer.whole_tunes(data.tunes, LONGEST_ROW)
    num_steps = training.epochs * -(-len(rows.tokens) // training.tunes_per_step)

    keras.utils.set_random_seed(seed)
    generator = make_generator(row, tokenizer, training)
    leave_out(row.without, generator)
    generator.compile(make_optimizer(num_steps, training))
    in_other_keys = sg.RandomTransposition(tokenizer, rows, seed)

    history = sg.pretrain(
        generator,
        rows.tokens,
        epochs=training.epochs,
        batch_size=training.tunes_per_step,
        validation_data=tokenizer.whole_tunes(data.kept_aside, LONGEST_ROW).tokens,
        bucket_by_length=True,
        augment=None if row.without == "transposition" else in_other_keys,
        checkpoint_dir=checkpoints,
        seed=seed,
        verbose=2,
    )

    return generator, history.history


def nats_of(
    generator: Any, tokenizer: sg.Tokenizer, tunes: tuple[sg.Score, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Computes the nats of each tune, and of its controls, float64 [tunes] each."""
    num_controls = 0 if tokenizer.controls is None else NUM_CONTROLS
    of_tunes = []
    of_controls = []
    for tune in tunes:
        tokens = tokenizer.encode(tune)
        if len(tokens) > LONGEST_TUNE:
            raise ValueError(f"{tune.name} has {len(tokens)} tokens; expected {LONGEST_TUNE}.")
        padded = np.zeros((1, -(-len(tokens) // 64) * 64), np.int32)  # few lengths, few graphs
        padded[0, : len(tokens)] = tokens

        nats = -generator.token_log_probs(padded).numpy()[0, : len(tokens)].astype(float)
        controls = nats[1 : 1 + num_controls].sum()
        of_controls.append(controls)
        of_tunes.append(nats.sum() - controls)

    return np.array(of_tunes), np.array(of_controls)


def main() -> None:
    """Trains and measures one row with one seed."""
    args, training = parse_arguments(__doc__, ROWS, Training)
    row = ROWS[args.row]
    data = load_data(args.data)
    tokenizer = make_tokenizer(row, data.corpus.train)

    started = time.time()
    generator, curve = train(row, tokenizer, data, training, args.seed, args.checkpoints)
    seconds = time.time() - started
    held_out = data.corpus.validation
    nats, of_controls = nats_of(generator, tokenizer, held_out)
    aside, _ = nats_of(generator, tokenizer, data.kept_aside)
    if args.checkpoints and row.kind != "lstm and attention":
        generator.save(Path(args.checkpoints) / "generator.keras")

    figures = {
        "what": "nats of each of the held-out Nottingham tunes, given its controls",
        "nats": nats.tolist(),
        "nats_of_controls": of_controls.tolist(),
        "nats_of_tunes_kept_aside": aside.tolist(),
        "events": [len(score_to_events(tune)[1]) + 2 for tune in held_out],
        "replaced": [tokenizer.encode_all([tune]).num_replaced for tune in held_out],
        "curve": curve,
        "weights": generator.count_params(),
        "seconds": seconds,
    }
    write_result(RESULTS, args, row, training, data, figures)


if __name__ == "__main__":
    main()
