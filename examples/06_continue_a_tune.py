"""Give a generator the beginning of a tune, and let it continue the tune in several ways.

You learn the `prompt`: the tokens that every sample begins with. A tune is encoded, its end is cut
off, and the generator writes the rest.

With --model it uses a run of `tfseqgan train`. Without it, it first trains a small generator,
which takes a minute or two on two cores (with --quick: seconds).

    python examples/06_continue_a_tune.py --model runs/first --tune my_tune.mid --out continued
"""

import argparse
from pathlib import Path

import keras

import tfseqgan as sg
from tfseqgan.runs.run_folder import load_model

FULL = {"num_tunes": 200, "units": 160, "epochs": 10}
QUICK = {"num_tunes": 40, "units": 32, "epochs": 2}
NUM_NEW_TOKENS = 200


def train_small_generator(
    num_tunes: int, units: int, epochs: int
) -> tuple[sg.Generator, sg.Tokenizer]:
    """Trains a small generator and returns it with its tokenizer."""
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


def parse_arguments() -> argparse.Namespace:
    """Returns the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", type=Path, help="folder of a run of `tfseqgan train`")
    parser.add_argument("--tune", type=Path, help="a MIDI file (default: a composed tune)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("continued"),
        help="folder for the MIDI files",
    )
    parser.add_argument(
        "--tokens",
        type=int,
        default=40,
        help="how many tokens of the tune to keep, including its start token",
    )
    parser.add_argument("--num", type=int, default=4, help="number of continuations")
    parser.add_argument("--quick", action="store_true", help="small sizes that take seconds")

    return parser.parse_args()


def main() -> None:
    """Writes the beginning of the tune and its continuations."""
    args = parse_arguments()

    if args.model:
        generator = load_model(args.model, "generator")
        tokenizer = sg.Tokenizer.load(args.model / "tokenizer.json")
    else:
        generator, tokenizer = train_small_generator(**(QUICK if args.quick else FULL))

    # The prompt: the first tokens of the tune. An event that is not in the vocabulary is replaced
    # by the nearest event that is.
    if args.tune:
        tune = sg.read_midi(args.tune)
    else:
        tune = sg.synthetic_tunes(seed=1, num_tunes=1).train[0]
    prompt = tokenizer.encode(tune)[: args.tokens]
    tokens = generator.generate(
        args.num,
        length=len(prompt) + NUM_NEW_TOKENS,
        prompt=prompt,
        temperature=0.8,
        seed=0,
    )

    # Tokens contain no key, time signature or tempo, so these are copied from the tune.
    labels = {
        "key": tune.key,
        "time_signature": tune.time_signature,
        "tempo_bpm": tune.tempo_bpm,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    beginning = tokenizer.decode(prompt, name=f"{tune.name} (beginning)", **labels)
    sg.write_midi(beginning, args.out / "beginning.mid")

    for number, row in enumerate(tokens, start=1):
        path = args.out / f"continued_{number}.mid"
        continued = tokenizer.decode(row, name=f"{tune.name} (continued {number})", **labels)
        sg.write_midi(continued, path)

        num_kept = len(beginning.melody)
        num_new = len(continued.melody) - num_kept
        print(f"{path}: {num_kept} notes of {tune.name}, then {num_new} by the generator")


if __name__ == "__main__":
    main()
