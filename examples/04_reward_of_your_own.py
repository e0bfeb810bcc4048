"""Teach a generator a musical rule that is not in the data, with a reward of your own.

You learn

- that a reward is a function of tunes, or of the tokens; here it says "no leap wider than a
  fourth",
- that `reward=sg.rewards.none` switches the discriminator's reward off,
- why the KL weight is needed. It is the price of leaving what was learned from tunes. Without
  it, the easiest melody without leaps is one repeated note.

It takes minutes on two cores. With --quick it takes seconds.

    python examples/04_reward_of_your_own.py
"""

import argparse
import itertools
from collections.abc import Sequence

import keras
import numpy as np

import tfseqgan as sg

FULL = {"num_tunes": 200, "units": 128, "epochs": 12, "rounds": 150}
QUICK = {"num_tunes": 40, "units": 32, "epochs": 8, "rounds": 60}
LENGTH = 32
FOURTH = 5  # semitones


def count_leaps(melody: Sequence[sg.Note]) -> tuple[int, int]:
    """Returns the number of steps wider than a fourth, and the number of all steps."""
    steps = [abs(after.pitch - before.pitch) for before, after in itertools.pairwise(melody)]
    leaps = [step for step in steps if step > FOURTH]

    return len(leaps), len(steps)


def few_leaps(tune: sg.Score) -> float:
    """Returns the reward of a tune."""
    leaps, steps = count_leaps(tune.melody)

    # The share of leaps, and not their number: with the number, the generator could also raise
    # its reward by writing fewer notes.
    return -10 * leaps / max(steps, 1)


def print_progress(
    when: str, generator: sg.Generator, tokenizer: sg.Tokenizer, validation: np.ndarray
) -> None:
    """Prints how often samples leap, and how well the generator still predicts the tunes."""
    tokens = generator.generate(128, length=LENGTH, seed=1)
    counts = [count_leaps(tokenizer.decode(row).melody) for row in tokens]
    leaps, steps = np.sum(counts, axis=0)
    nll = sg.evaluate(generator, None, validation)["nll"]

    share = f"{100 * leaps / steps:.1f} leaps in a hundred steps"
    print(f"{when}: {share}, {nll:.2f} nats per validation token")


def main() -> None:
    """Trains a generator on tunes, then on the rule."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="small sizes that take seconds")
    sizes = QUICK if parser.parse_args().quick else FULL
    keras.utils.set_random_seed(0)

    # The data.
    corpus = sg.synthetic_tunes(num_tunes=sizes["num_tunes"])
    tokenizer = sg.Tokenizer.fit(corpus.train)
    train = tokenizer.windows(corpus.train, length=LENGTH)
    validation = tokenizer.windows(corpus.validation, length=LENGTH)
    vocabulary = {
        "vocabulary_size": tokenizer.vocabulary_size,
        "token_features": tokenizer.token_features,
    }

    # First, the generator learns from tunes.
    generator = sg.Generator(**vocabulary, embedding_dim=32, units=sizes["units"])
    generator.compile(keras.optimizers.Adam(5e-3, global_clipnorm=5.0))
    sg.pretrain(
        generator,
        train,
        epochs=sizes["epochs"],
        validation_data=validation,
        seed=0,
        verbose=2,
    )
    print_progress("before", generator, tokenizer, validation)

    # Then it learns the rule. The discriminator's reward is off, so the smallest one is enough.
    discriminator = sg.Discriminator(**vocabulary, embedding_dim=4, filters=2, kernel_sizes=(2,))
    discriminator.compile("adam")
    generator.compile(keras.optimizers.Adam(1e-3, global_clipnorm=5.0))
    sg.fit_adversarial(
        generator,
        discriminator,
        train,
        sg.kl_control(kl_weight=0.1, reward=sg.rewards.none),
        reward=sg.rewards.of_decoded(tokenizer, few_leaps),
        rounds=sizes["rounds"],
        batch_size=64,
        discriminator_steps=1,
        discriminator_batch_size=2,
        seed=0,
        verbose=0,
    )
    print_progress("after", generator, tokenizer, validation)


if __name__ == "__main__":
    main()
