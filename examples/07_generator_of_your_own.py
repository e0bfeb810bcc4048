"""Write a generator of your own, and train it by maximum likelihood and by every recipe.

You learn

- the methods that a generator offers: its network twice, once for whole sequences and once for
  one step of the loops that write tokens,
- that everything else follows from them: likelihoods, samples, rollouts, checkpoints, and the
  frozen prior of `kl_control`, which is made by the generator's own class,
- that nothing here knows of music: the tokens are numbers.

It takes a minute or two on two cores. With --quick it takes less.

    python examples/07_generator_of_your_own.py
"""

import argparse

import keras
import numpy as np
import tensorflow as tf

import tfseqgan as sg

RECIPES = ["reinforce", "reinforce_with_baseline", "merl", "kl_control", "maligan", "seqgan"]
FULL = {"num_sequences": 512, "epochs": 20, "rounds": 20}
QUICK = {"num_sequences": 64, "epochs": 8, "rounds": 2}
LENGTH = 12
PAD, END = 0, 1  # the ids of this program's own choice
VOCABULARY_SIZE = 8


@keras.saving.register_keras_serializable(package="example")
class GRUGenerator(sg.SequenceModel):
    """A GRU between an embedding and a dense layer: p(y) = Π_t p(yₜ | y₍<t₎)."""

    def __init__(self, vocabulary_size: int, *, units: int = 32, dropout: float = 0.1, **options):
        super().__init__(vocabulary_size, **options)
        self.units = units
        self.dropout_rate = dropout
        # The id V, one more than the vocabulary has, stands for the start of a sequence.
        self.embedding = keras.layers.Embedding(vocabulary_size + 1, units)
        self.gru = keras.layers.RNN(keras.layers.GRUCell(units), return_sequences=True)
        self.dropout = keras.layers.Dropout(dropout)
        # Logits are float32 in mixed precision too.
        self.head = keras.layers.Dense(vocabulary_size, dtype="float32")
        self(np.zeros([1, 1], np.int32))  # creates the weights

    def get_config(self) -> dict:
        """Returns the arguments of the constructor: files and the prior are made from them."""
        return super().get_config() | {"units": self.units, "dropout": self.dropout_rate}

    # The network over whole sequences. Position t reads the tokens before t, so that the inputs
    # are the start and all tokens but the last.

    def _states(self, tokens):
        """Returns the states after the start and each token but the last, [B, T, units]."""
        starts = tf.fill([tf.shape(tokens)[0], 1], self.vocabulary_size)
        inputs = tf.concat([starts, tf.cast(tokens, tf.int32)[:, :-1]], axis=1)

        return self.gru(self.embedding(inputs))

    def call(self, tokens, training=False):
        """Computes the logits of every token given those before it, [B, T, V]."""
        return self.head(self.dropout(self._states(tokens), training=training))

    # The same network, one step at a time.

    def decoding_cache(self):
        """Returns what all steps share: nothing here."""
        return None

    def initial_state(self, num_rows, length):
        """Returns the state before the first token; its first axis is the batch."""
        return tf.zeros([num_rows, self.units], self.compute_dtype)

    def next_logits(self, cache, state, previous):
        """Reads the token `previous`, int32 [B]; returns the next logits and the state."""
        outputs, _ = self.gru.cell(self.embedding(previous), [state])

        return self.head(outputs), outputs

    def prefix_states(self, tokens):
        """Returns a function of l that gives the states before y_l is read."""
        states = self._states(tokens)

        # A state is the one after y_{l−1} has been read, and that after the start for l = 1; the
        # token y_l itself is read by `next_logits`.
        return lambda length: states[:, length - 1]


def make_data(num_sequences: int, seed: int) -> np.ndarray:
    """Returns rows that count up or down, end, and are padded: int32 [N, T]."""
    rng = np.random.default_rng(seed)
    rows = np.full((num_sequences, LENGTH), PAD, np.int32)
    for row in rows:
        length = rng.integers(4, LENGTH)
        steps = np.arange(length) * rng.choice([-1, 1])
        row[:length] = 2 + (rng.integers(6) + steps) % 6
        row[length] = END

    return rows


def show(name: str, columns: dict[str, float]) -> None:
    """Prints how well a model predicts held-out rows, and how varied its own are."""
    print(f"{name}: {columns['nll']:.3f} nats a held-out token, entropy {columns['entropy']:.3f}")


def main() -> None:
    """Trains the generator by maximum likelihood, then a copy of it by each recipe."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes that take less")
    sizes = QUICK if parser.parse_args().quick else FULL
    keras.utils.set_random_seed(0)
    train = make_data(sizes["num_sequences"], seed=0)
    held_out = make_data(64, seed=1)

    pretrained = GRUGenerator(VOCABULARY_SIZE, pad_token_id=PAD, end_token_id=END)
    pretrained.compile(keras.optimizers.Adam(1e-2))
    sg.pretrain(pretrained, train, epochs=sizes["epochs"], batch_size=16, seed=0, verbose=0)
    show("maximum likelihood", sg.evaluate(pretrained, None, held_out))

    for recipe in RECIPES:
        generator = GRUGenerator.from_config(pretrained.get_config())
        generator.set_weights(pretrained.get_weights())
        generator.compile(keras.optimizers.Adam(1e-3))
        discriminator = sg.Discriminator(
            VOCABULARY_SIZE, embedding_dim=8, filters=8, kernel_sizes=(1, 2, 3), end_token_id=END
        )
        discriminator.compile(keras.optimizers.Adam(1e-3))
        sg.fit_adversarial(
            generator, discriminator, train, recipe, rounds=sizes["rounds"], seed=0, verbose=0
        )
        show(recipe, sg.evaluate(generator, None, held_out))


if __name__ == "__main__":
    main()
