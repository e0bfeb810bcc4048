"""Train a generator by maximum likelihood with Keras' own `fit`, then sample tunes from it.

You learn

- how tunes become an array of token windows,
- that a `Generator` is an ordinary Keras model,
- what its loss means: nats per token, where a uniform guess costs log V,
- how sampled tokens become MIDI files.

It takes minutes on two cores. With --quick it takes seconds, and the tunes are worse.

    python examples/02_train_a_sampler.py --out tunes
"""

import argparse
import math
from pathlib import Path

import keras
import numpy as np

import tfseqgan as sg

FULL = {"num_tunes": 400, "units": 192, "epochs": 10}
QUICK = {"num_tunes": 40, "units": 32, "epochs": 2}


def load_windows(num_tunes: int) -> tuple[sg.Tokenizer, np.ndarray, np.ndarray]:
    """Returns a tokenizer, the training windows and the validation windows, int32 [N, T]."""
    corpus = sg.synthetic_tunes(num_tunes=num_tunes)

    # The vocabulary comes from the training tunes alone, so an event that only the validation
    # tunes contain stays unknown, as in a tune that nobody has seen before.
    tokenizer = sg.Tokenizer.fit(corpus.train)
    train = tokenizer.windows(corpus.train, length=100)
    validation = tokenizer.windows(corpus.validation, length=100)

    print(f"{len(corpus.train)} training tunes, {len(corpus.validation)} validation tunes")
    print(f"windows of tokens: {train.shape} and {validation.shape}")
    return tokenizer, train, validation


def make_generator(tokenizer: sg.Tokenizer, units: int, learning_rate: float) -> sg.Generator:
    """Returns a compiled generator."""
    generator = sg.Generator(
        tokenizer.vocabulary_size,
        token_features=tokenizer.token_features,
        embedding_dim=64,
        units=units,
        dropout=0.2,
    )
    generator.compile(keras.optimizers.Adam(learning_rate, global_clipnorm=5.0))

    return generator


def write_samples(generator: sg.Generator, tokenizer: sg.Tokenizer, folder: Path) -> None:
    """Samples four tunes and writes them as MIDI files."""
    # Every tune begins with the start token. A tune that ends early is padded after its end
    # token, and `decode` stops at the end token.
    tokens = generator.generate(
        4,
        length=400,
        prompt=[tokenizer.start_token_id],
        temperature=0.8,
        seed=0,
    )

    folder.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(tokens, start=1):
        path = folder / f"sampled_{number}.mid"
        tune = tokenizer.decode(row, name=f"Sampled {number}")
        sg.write_midi(tune, path)
        print(f"{path}: {len(tune.melody)} notes, {len(tune.chords)} chords")


def parse_arguments() -> argparse.Namespace:
    """Returns the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("tunes"), help="folder for the MIDI files")
    parser.add_argument("--quick", action="store_true", help="small sizes that take seconds")

    return parser.parse_args()


def main() -> None:
    """Trains the generator and writes its tunes."""
    args = parse_arguments()
    sizes = QUICK if args.quick else FULL
    learning_rate = 1e-2 if args.quick else 4e-3
    keras.utils.set_random_seed(0)

    tokenizer, train, validation = load_windows(sizes["num_tunes"])
    generator = make_generator(tokenizer, sizes["units"], learning_rate)
    history = generator.fit(
        train,
        validation_data=validation,
        epochs=sizes["epochs"],
        batch_size=32,
        verbose=2,
    )

    nll = history.history["val_nll"][-1]
    uniform_nll = math.log(tokenizer.vocabulary_size)
    print(f"validation NLL {nll:.3f} nats per token, a uniform guess {uniform_nll:.3f}")
    write_samples(generator, tokenizer, args.out)


if __name__ == "__main__":
    main()
