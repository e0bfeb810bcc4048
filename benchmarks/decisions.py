"""What twelve decisions of the code rest on, each as a ratio within one run, alternated: the smaller, the better for what we chose.

    python benchmarks/decisions.py

- The tied output is one flat matrix product and not an einsum (`Generator.logits`): forward and gradient at B 32, T 100, D 128, V 3,219.
- The discriminator's branches are Conv1D over [B, T, D] and not conv2d over [B, T, D, 1], as the reference codes have it: one branch of 400
  filters 20 wide, forward and gradient at B 32, T 100, D 32.
- Convolution and maximum over time are our own, by spectra and with a gradient that touches one window a filter (`causal_max`), against TensorFlow's: 2,000 filters
  20 wide at B 32, T 100, D 32.
- Long filters are convolved by their spectra (`convolve_by_spectra`), against conv1d: forward, with the maximum over time, at the same sizes.
- The LSTM is read gate by gate (`recurrence.read`), against Keras' layer: forward and gradient at B 128, T 100, D 32, 512 units.
- Log-probabilities come with a gradient that writes nothing as large as the logits (`token_log_probs`), against TensorFlow's cross-entropy behind a product
  with the tied table: forward and gradient at B 128, T 100, D 128, V 3,219.
- A token is drawn block by block (`invert`), against a sum over the whole vocabulary: 100 draws of B 128, V 3,219.
- Gradients of rows are added up by a sparse product (`take_rows`), against `tf.gather`'s: 12,800 rows of [3,219, 512].
- What a token brings to the gates is looked up in training (`read_rows`), against computing it place by place (`read`): forward and gradient at B 128,
  T 100, D 128, 512 units, V 3,219.
- 128 rows are sampled by two loops side by side (`rows.row_blocks`), against one: T 100, the paper's generator.
- Prefixes are judged one after the other by what changes (`Discriminator._judge_changes`), against all at once: 128 sequences of 100 tokens, 2,000 filters.
- Adam is one kernel a weight (`tfseqgan.Adam`), against Keras': a step of 9.4 million weights, those of the paper's discriminator.
"""

import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

import tfseqgan as sg
from tfseqgan.ops.causal_convolution import causal_max, causal_responses
from tfseqgan.ops.log_probs import token_log_probs
from tfseqgan.ops.lstm import read, read_rows
from tfseqgan.ops.sampling import invert, row_seeds
from tfseqgan.ops.sparse import take_rows
from tfseqgan.ops.spectra import convolve_by_spectra


def gradient_step(function, *shapes, weights=()):
    """Returns a compiled call of a function's value and gradients at random arguments, and of those of its own weights."""
    arguments = [tf.Variable(tf.random.normal(shape)) for shape in shapes]

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(function(*arguments) ** 2)
        return tape.gradient(value, [*arguments, *weights])

    return step


def flat(h, table):
    return tf.matmul(tf.reshape(h, [-1, h.shape[-1]]), table, transpose_b=True)


def einsum(h, table):
    return tf.einsum("...d,vd->...v", h, table)


def conv1d(x, kernel):
    return tf.nn.conv1d(x, kernel, 1, "VALID")


def conv2d(x, kernel):
    return tf.nn.conv2d(x[..., None], kernel[:, :, None], 1, "VALID")


def sparse_maximum(x, kernel):
    return causal_max(x, kernel, tf.ones(x.shape[:2]))


def dense_maximum(x, kernel):
    return tf.reduce_max(conv1d(tf.pad(x, [[0, 0], [19, 0], [0, 0]]), kernel), axis=1)


def cross_entropy(h, table, bias, tokens):
    logits = tf.nn.bias_add(tf.matmul(h, table, transpose_b=True), bias)
    return -tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tokens, logits=logits)


def own_gradient(h, table, bias, tokens):
    return token_log_probs(h, tf.transpose(table), bias, tokens)


def of_random_tokens(log_probs):
    """Returns a function of states, a table and a bias: the log-probabilities of random tokens."""
    tokens = tf.random.uniform([12800], 0, 3219, tf.int32)
    return lambda h, table, bias: log_probs(h, table * 1.0, bias * 1.0, tokens)


def cumulative(weights, uniforms):
    sums = tf.cumsum(weights, axis=1)
    return tf.reduce_sum(tf.cast(sums <= uniforms[:, None] * sums[:, -1:], tf.int32), axis=1)


def draws(draw):
    """Returns a compiled call of a hundred draws, each of other weights."""
    weights, uniforms = tf.nn.softmax(tf.random.normal([128, 3219])), tf.random.uniform([100, 128])

    @tf.function
    def step():
        return tf.map_fn(
            lambda u: draw(weights * (1 + u[0]), u),
            uniforms,
            fn_output_signature=tf.int32,
            parallel_iterations=1,
        )

    return step


def taken(take):
    """Returns a function of a table: random rows of it, times one, since the gradient of a variable itself would stay a list of slices."""
    places = tf.random.uniform([12800], 0, 3219, tf.int32)
    return lambda table: take(table * 1.0, places)


def reading(read_table):
    """Returns a function of a table: an LSTM's outputs for random rows of it, and the LSTM's weights."""
    layer, places = (
        keras.layers.LSTM(512, return_sequences=True),
        tf.random.uniform([128, 100], 0, 3219, tf.int32),
    )
    layer.build((None, None, 128))
    return lambda table: read_table(table, places, layer), [
        weight.value for weight in layer.trainable_variables
    ]


def read_places(table, places, layer):
    return read(tf.gather(table, places), layer)


def read_blocks(table, places, layer):
    return tf.concat(read_rows(table, places, layer), axis=1)


def sampling():
    """Returns compiled calls that sample 128 sequences of 100 tokens, by two loops and by one."""
    generator, seeds = (
        sg.Generator(3219, embedding_dim=32, units=512, end_token_id=None),
        row_seeds(0, 128),
    )
    one = tf.function(lambda: generator._draw(generator.tables(), 100, seeds, *[None] * 5))
    return lambda: generator.sample(seeds, 100), one


def judging():
    """Returns compiled calls that judge the prefixes of 128 sequences, by what changes and all at once."""
    discriminator = sg.Discriminator(
        3219, embedding_dim=32, filters=400, kernel_sizes=(20,) * 5, end_token_id=None
    )
    tokens = tf.random.uniform([128, 100], 3, 3219, tf.int32)
    at_once = tf.function(
        lambda: discriminator._judge_all(discriminator._convolved(tokens, causal_responses))
    )
    return tf.function(lambda: discriminator.prefix_logits(tokens)), at_once


def adam_step(optimizer):
    """Returns a compiled call of an optimizer's step."""
    shapes = [(2000, 2000), (2000, 2000), (20, 32, 2000), (3219, 32), (2000,), (2000,), (2000, 1)]
    weights, gradients = (
        [keras.Variable(tf.random.normal(shape)) for shape in shapes],
        [tf.random.normal(shape) for shape in shapes],
    )
    optimizer.build(weights)
    return tf.function(lambda: optimizer.apply(gradients, weights))


def compare(name, ours, theirs, repeats=3):
    """Prints the median times of two compiled ways to compute the same, and their ratio."""
    seconds = ([], [])
    for repeat in range(repeats + 1):
        for step, times in zip((ours, theirs), seconds):
            started = time.perf_counter()
            step()
            times.append(time.perf_counter() - started)
    mine, other = (statistics.median(times[1:]) for times in seconds)  # the first call compiles
    print(f"{name}: {mine:.4f} s against {other:.4f} s, ratio {mine / other:.3f}", flush=True)


def compare_gradients(name, ours, theirs, *shapes, repeats=3, weights=()):
    """Compares two functions of random arguments, their gradients included."""
    compare(
        name,
        *(gradient_step(function, *shapes, weights=weights) for function in (ours, theirs)),
        repeats,
    )


if __name__ == "__main__":
    lstm = keras.layers.LSTM(512, return_sequences=True)
    lstm.build((None, None, 32))
    compare_gradients(
        "tied output, flat product against einsum", flat, einsum, [32, 100, 128], [3219, 128]
    )
    compare_gradients(
        "branch of the discriminator, Conv1D against conv2d",
        conv1d,
        conv2d,
        [32, 100, 32],
        [20, 32, 400],
    )
    compare_gradients(
        "convolution and maximum over time, ours against TensorFlow's",
        sparse_maximum,
        dense_maximum,
        [32, 100, 32],
        [20, 32, 2000],
        repeats=9,
    )
    vectors, kernel = tf.random.normal([32, 100, 32]), tf.random.normal([20, 32, 2000])
    by_spectra = tf.function(lambda: tf.reduce_max(convolve_by_spectra(vectors, kernel), axis=2))
    compare(
        "long filters, spectra against conv1d",
        by_spectra,
        tf.function(lambda: dense_maximum(vectors, kernel)),
        repeats=15,
    )
    compare_gradients(
        "LSTM, gate by gate against Keras' layer",
        lambda x: read(x, lstm),
        lstm,
        [128, 100, 32],
        repeats=7,
        weights=[weight.value for weight in lstm.trainable_variables],
    )
    both = map(of_random_tokens, (own_gradient, cross_entropy))
    compare_gradients(
        "log-probabilities, own gradient against cross-entropy",
        *both,
        [12800, 128],
        [3219, 128],
        [3219],
        repeats=7,
    )
    compare(
        "drawing tokens, by blocks against a whole sum", draws(invert), draws(cumulative), repeats=9
    )
    compare_gradients(
        "rows of a table, sparse product against gather",
        taken(take_rows),
        taken(tf.gather),
        [3219, 512],
        repeats=15,
    )
    steps = [
        gradient_step(function, [3219, 128], weights=weights)
        for function, weights in (reading(read_blocks), reading(read_places))
    ]
    compare("LSTM, rows looked up against place by place", *steps, repeats=7)
    compare("sampling 128 rows, two loops against one", *sampling(), repeats=15)
    compare("prefixes, what changes against all at once", *judging(), repeats=7)
    compare(
        "Adam, one kernel against Keras'",
        adam_step(sg.Adam(1e-4)),
        adam_step(keras.optimizers.Adam(1e-4)),
        repeats=9,
    )
