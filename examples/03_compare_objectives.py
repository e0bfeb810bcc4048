"""Compare the paper's three objectives and KL control, all from the same pre-trained generator.

You learn to set up a fair comparison: the same weights, the same discriminator and the same seed,
so that only the objective differs. You also learn to read the columns of Table 1.

Look at H(gen), the entropy of the samples. A reward lies in [0, 1]. MERL with the paper's α = 1
can gain far more nats from noise than any reward can pay, so the generator forgets the tunes, and
H(data,gen) rises as well.

It takes minutes on two cores. With --quick it takes seconds.

    python examples/03_compare_objectives.py
"""

import argparse

import keras
import numpy as np

import tfseqgan as sg
from tfseqgan.evaluation.table import format_table

FULL = {
    "num_tunes": 200,
    "length": 50,
    "units": 128,
    "epochs": 12,
    "rounds": 60,
    "num_samples": 256,
}
QUICK = {"num_tunes": 40, "length": 25, "units": 24, "epochs": 4, "rounds": 12, "num_samples": 64}

OBJECTIVES = {
    "REINFORCE": sg.reinforce(),
    "with baseline": sg.reinforce_with_baseline(),
    "MERL, α = 1": sg.merl(entropy_weight=1.0),
    "KL control, β = 1": sg.kl_control(kl_weight=1.0),
}


def copy_model(model: keras.Model) -> keras.Model:
    """Returns a second model with the same weights."""
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())

    return copy


def train(
    generator: sg.Generator,
    discriminator: sg.Discriminator,
    objective: sg.Objective,
    windows: np.ndarray,
    rounds: int,
) -> None:
    """Trains a generator against a discriminator."""
    generator.compile(keras.optimizers.Adam(1e-3, global_clipnorm=5.0))
    discriminator.compile(keras.optimizers.Adam(1e-3))

    sg.fit_adversarial(
        generator,
        discriminator,
        windows,
        objective,
        rounds=rounds,
        batch_size=32,
        discriminator_steps=4,
        discriminator_batch_size=32,
        discriminator_pretraining_rounds=rounds // 3,
        seed=0,
        verbose=0,
    )


def main() -> None:
    """Trains one generator for each objective and prints them as a table."""
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
    windows = tokenizer.windows(corpus.train, sizes["length"])
    validation = tokenizer.windows(corpus.validation, sizes["length"])
    vocabulary = {
        "vocabulary_size": tokenizer.vocabulary_size,
        "token_features": tokenizer.token_features,
    }

    # The models that every objective starts from.
    pretrained = sg.Generator(**vocabulary, embedding_dim=32, units=sizes["units"])
    pretrained.compile(keras.optimizers.Adam(5e-3, global_clipnorm=5.0))
    sg.pretrain(
        pretrained,
        windows,
        epochs=sizes["epochs"],
        validation_data=validation,
        seed=0,
        verbose=2,
    )
    untrained = sg.Discriminator(
        **vocabulary,
        embedding_dim=16,
        filters=16,
        kernel_sizes=(1, 2, 4, 8),
    )

    # One row of the table for each objective.
    num_samples = sizes["num_samples"]
    rows = {
        "maximum likelihood": sg.evaluate(pretrained, None, validation, num_samples=num_samples)
    }
    for name, objective in OBJECTIVES.items():
        generator = copy_model(pretrained)
        discriminator = copy_model(untrained)
        train(generator, discriminator, objective, windows, sizes["rounds"])
        rows[name] = sg.evaluate(generator, discriminator, validation, num_samples=num_samples)

    print(format_table(rows))


if __name__ == "__main__":
    main()
