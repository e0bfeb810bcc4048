"""Compare the paper's three objectives, and KL control, from one and the same pre-trained generator.

You learn to set up a fair comparison (the same weights, the same discriminator, the same seed; only the objective differs) and to read Table 1's
columns. Look at H(gen), the entropy: MERL with the paper's α = 1 can win far more nats from noise than any reward in [0, 1] can pay, so that it
forgets the tunes, and H(data,gen) rises with it. Minutes on two cores; --quick takes seconds.

    python examples/03_compare_objectives.py
"""

import argparse

import keras

import tfseqgan as sg
from tfseqgan.evaluation.table import format_table

OBJECTIVES = {
    "REINFORCE": sg.reinforce(),
    "with baseline": sg.reinforce_with_baseline(),
    "MERL, α = 1": sg.merl(entropy_weight=1.0),
    "KL control, β = 1": sg.kl_control(kl_weight=1.0),
}


def twin(model):
    """Returns a second model with the same weights."""
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    return copy


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes: seconds")
    quick = parser.parse_args().quick
    num_tunes, length, units, epochs, rounds, samples = (
        (40, 25, 24, 4, 12, 64) if quick else (200, 50, 128, 12, 60, 256)
    )
    keras.utils.set_random_seed(0)

    corpus = sg.synthetic_tunes(num_tunes=num_tunes)
    tokenizer = sg.Tokenizer.fit(corpus.train)
    train, valid = (
        tokenizer.windows(corpus.train, length),
        tokenizer.windows(corpus.validation, length),
    )
    parts = {
        "vocabulary_size": tokenizer.vocabulary_size,
        "token_features": tokenizer.token_features,
    }
    pretrained = sg.Generator(**parts, embedding_dim=32, units=units)
    pretrained.compile(keras.optimizers.Adam(5e-3, global_clipnorm=5.0))
    sg.pretrain(pretrained, train, epochs=epochs, validation_data=valid, seed=0, verbose=2)
    untrained = sg.Discriminator(**parts, embedding_dim=16, filters=16, kernel_sizes=(1, 2, 4, 8))

    rows = {"maximum likelihood": sg.evaluate(pretrained, None, valid, num_samples=samples)}
    for name, objective in OBJECTIVES.items():
        generator, discriminator = twin(pretrained), twin(untrained)
        generator.compile(keras.optimizers.Adam(1e-3, global_clipnorm=5.0))
        discriminator.compile(keras.optimizers.Adam(1e-3))
        sg.fit_adversarial(
            generator,
            discriminator,
            train,
            objective,
            rounds=rounds,
            batch_size=32,
            discriminator_steps=4,
            discriminator_batch_size=32,
            discriminator_pretraining_rounds=rounds // 3,
            seed=0,
            verbose=0,
        )
        rows[name] = sg.evaluate(generator, discriminator, valid, num_samples=samples)
    print(format_table(rows))


if __name__ == "__main__":
    main()
