"""Teach a generator a musical rule that no data shows: a reward of your own.

You learn that a reward is any function of the tokens, here "no leap wider than a fourth"; that `reward=sg.rewards.none` leaves the discriminator
without a say; and why the KL weight is needed: it is the price of leaving what was learned from tunes, without which the easiest melody without leaps
is one repeated note. Minutes on two cores; --quick takes seconds.

    python examples/04_reward_of_your_own.py
"""

import argparse
import itertools

import keras
import numpy as np

import tfseqgan as sg


def leaps(melody):
    """Returns how many steps of a melody are wider than a fourth, and how many steps it has."""
    widths = [abs(after.pitch - before.pitch) for before, after in itertools.pairwise(melody)]
    return sum(width > 5 for width in widths), len(widths)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes: seconds")
    quick = parser.parse_args().quick
    num_tunes, units, epochs, rounds = (40, 32, 8, 60) if quick else (200, 128, 12, 150)
    keras.utils.set_random_seed(0)

    corpus = sg.synthetic_tunes(num_tunes=num_tunes)
    tokenizer = sg.Tokenizer.fit(corpus.train)
    train, valid = (
        tokenizer.windows(corpus.train, length=32),
        tokenizer.windows(corpus.validation, length=32),
    )
    parts = {
        "vocabulary_size": tokenizer.vocabulary_size,
        "token_features": tokenizer.token_features,
    }
    generator = sg.Generator(**parts, embedding_dim=32, units=units)
    generator.compile(keras.optimizers.Adam(5e-3, global_clipnorm=5.0))
    sg.pretrain(generator, train, epochs=epochs, validation_data=valid, seed=0, verbose=2)

    def few_leaps(tokens):  # NumPy int32 [B, T] -> float [B]
        counts = [leaps(tokenizer.decode(row).melody) for row in tokens]
        return [
            -10 * wide / max(steps, 1) for wide, steps in counts
        ]  # a share: a mere count would also reward writing fewer notes

    def describe(when):
        tokens = generator.generate(128, length=32, seed=1)
        counts = np.sum([leaps(tokenizer.decode(row).melody) for row in tokens], axis=0)
        nll = sg.evaluate(generator, None, valid)["nll"]
        print(
            f"{when}: {100 * counts[0] / counts[1]:.1f} leaps in a hundred steps, {nll:.2f} nats per held-out token"
        )

    describe("before")
    discriminator = sg.Discriminator(
        **parts, embedding_dim=4, filters=2, kernel_sizes=(2,)
    )  # has no say, so the smallest will do
    generator.compile(keras.optimizers.Adam(1e-3, global_clipnorm=5.0))
    discriminator.compile("adam")
    sg.fit_adversarial(
        generator,
        discriminator,
        train,
        sg.kl_control(kl_weight=0.1, reward=sg.rewards.none),
        reward=few_leaps,
        rounds=rounds,
        batch_size=64,
        discriminator_steps=1,
        discriminator_batch_size=2,
        seed=0,
        verbose=0,
    )
    describe("after")


if __name__ == "__main__":
    main()
