"""Give a generator the beginning of a tune and let it go on, in several ways.

You learn the `prompt`: tokens that every sample begins with. A tune is encoded, its end cut off, and the rest is the generator's. With --model it
uses a run of `tfseqgan train`; without one it trains a small generator first, for a minute or two on two cores (--quick: seconds).

    python examples/06_continue_a_tune.py --model runs/first --tune my_tune.mid --out continued
"""

import argparse
from pathlib import Path

import keras

import tfseqgan as sg
from tfseqgan.runs.run_folder import load_model


def train_small(quick):
    """Returns a small generator and its tokenizer."""
    num_tunes, units, epochs = (40, 32, 2) if quick else (200, 160, 10)
    keras.utils.set_random_seed(0)
    tunes = sg.synthetic_tunes(num_tunes=num_tunes).train
    tokenizer = sg.Tokenizer.fit(tunes)
    generator = sg.Generator(
        tokenizer.vocabulary_size,
        token_features=tokenizer.token_features,
        embedding_dim=48,
        units=units,
        dropout=0.2,
    )
    generator.compile(keras.optimizers.Adam(5e-3, global_clipnorm=5.0))
    generator.fit(tokenizer.windows(tunes, length=100), epochs=epochs, verbose=2)
    return generator, tokenizer


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="a run's folder")
    parser.add_argument(
        "--tune", type=Path, help="a MIDI file; by default a tune that the package composes"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("continued"), help="folder for the MIDI files"
    )
    parser.add_argument(
        "--tokens",
        type=int,
        default=40,
        help="how much of the tune to keep, its start token included",
    )
    parser.add_argument("--num", type=int, default=4, help="how many continuations")
    parser.add_argument("--quick", action="store_true", help="small sizes: seconds")
    args = parser.parse_args()

    if args.model:
        generator, tokenizer = (
            load_model(args.model, "generator"),
            sg.Tokenizer.load(args.model / "tokenizer.json"),
        )
    else:
        generator, tokenizer = train_small(args.quick)
    tune = (
        sg.read_midi(args.tune) if args.tune else sg.synthetic_tunes(seed=1, num_tunes=1).train[0]
    )
    prompt = tokenizer.encode(tune)[
        : args.tokens
    ]  # start token first; an event that the vocabulary lacks is replaced by the nearest
    kept = tokenizer.decode(prompt)
    tokens = generator.generate(
        args.num, length=len(prompt) + 200, prompt=prompt, temperature=0.8, seed=0
    )

    args.out.mkdir(parents=True, exist_ok=True)
    labels = {
        "key": tune.key,
        "time_signature": tune.time_signature,
        "tempo_bpm": tune.tempo_bpm,
    }  # tokens say nothing of these
    sg.write_midi(
        tokenizer.decode(prompt, name=f"{tune.name} (beginning)", **labels),
        args.out / "beginning.mid",
    )
    for number, row in enumerate(tokens, 1):
        path = args.out / f"continued_{number}.mid"
        score = tokenizer.decode(row, name=f"{tune.name} (continued {number})", **labels)
        sg.write_midi(score, path)
        print(
            f"{path}: {len(kept.melody)} notes of {tune.name}, then {len(score.melody) - len(kept.melody)} of the generator's"
        )


if __name__ == "__main__":
    main()
