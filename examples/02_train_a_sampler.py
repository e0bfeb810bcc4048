"""Train a generator by maximum likelihood with Keras' own `fit`, and let it write tunes.

You learn the way from tunes to an array of token windows, that a `Generator` is an ordinary Keras model, what its loss means (nats per token: a
uniform guess costs log V), and the way back from sampled tokens to MIDI. Minutes on two cores; --quick shows the same in seconds, with worse tunes.

    python examples/02_train_a_sampler.py --out tunes
"""

import argparse
import math
from pathlib import Path

import keras

import tfseqgan as sg


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("tunes"), help="folder for the MIDI files")
    parser.add_argument("--quick", action="store_true", help="small sizes: seconds")
    args = parser.parse_args()
    num_tunes, units, epochs = (40, 32, 2) if args.quick else (400, 192, 10)
    keras.utils.set_random_seed(0)

    corpus = sg.synthetic_tunes(num_tunes=num_tunes)
    tokenizer = sg.Tokenizer.fit(
        corpus.train
    )  # what stands in the held-out tunes alone stays unknown, as it would be
    train, valid = (
        tokenizer.windows(corpus.train, length=100),
        tokenizer.windows(corpus.validation, length=100),
    )
    print(
        f"{len(corpus.train)} tunes to learn from, {len(corpus.validation)} held out; windows of tokens: {train.shape} and {valid.shape}"
    )

    generator = sg.Generator(
        tokenizer.vocabulary_size,
        token_features=tokenizer.token_features,
        embedding_dim=64,
        units=units,
        dropout=0.2,
    )
    generator.compile(keras.optimizers.Adam(1e-2 if args.quick else 4e-3, global_clipnorm=5.0))
    history = generator.fit(train, validation_data=valid, epochs=epochs, batch_size=32, verbose=2)
    print(
        f"validation NLL {history.history['val_nll'][-1]:.3f} nats per token, a uniform guess {math.log(tokenizer.vocabulary_size):.3f}"
    )

    # Every tune begins with the start token; rows that reach the end token are padded behind it, and decode stops there.
    tokens = generator.generate(
        4, length=400, prompt=[tokenizer.start_token_id], temperature=0.8, seed=0
    )
    args.out.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(tokens, 1):
        tune = tokenizer.decode(row, name=f"Sampled {number}")
        sg.write_midi(tune, args.out / f"sampled_{number}.mid")
        print(
            f"{args.out / f'sampled_{number}.mid'}: {len(tune.melody)} notes, {len(tune.chords)} chords"
        )


if __name__ == "__main__":
    main()
