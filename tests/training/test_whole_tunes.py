"""Maximum likelihood on whole tunes: in steps of similar length, in another key each epoch."""

import numpy as np
import pytest
from conftest import make_score
from tiny_models import assert_same, make_generator_with_grammar, snapshot

import tfseqgan as sg
from tfseqgan.datasets.transposition import RandomTransposition
from tfseqgan.music.score import ALL_TRANSPOSITIONS
from tfseqgan.music.tokenizer import Tokenizer

SCORES = [make_score(seed, num_notes=3 + 4 * seed, num_chords=1 + seed) for seed in range(5)]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.fit(SCORES, interleave=True, transpositions=ALL_TRANSPOSITIONS)


@pytest.fixture(scope="module")
def rows(tokenizer):
    return tokenizer.whole_tunes(SCORES, length=40)


def make_generator(tokenizer):
    generator = make_generator_with_grammar(tokenizer)
    generator.compile(sg.Adam(0.01))

    return generator


def pretrain(generator, rows, **options):
    defaults = {"epochs": 2, "batch_size": 2, "seed": 0, "verbose": 0, "bucket_by_length": True}

    return sg.pretrain(generator, rows.tokens, **defaults | options).history["nll"]


@pytest.mark.slow
def test_a_step_of_one_tune_does_not_depend_on_the_padding(tokenizer, rows):
    generator = make_generator(tokenizer)
    other = make_generator(tokenizer)
    other.set_weights(generator.get_weights())

    cut = pretrain(generator, rows, batch_size=1, epochs=1)
    uncut = pretrain(other, rows, batch_size=1, epochs=1, bucket_by_length=False)

    # The rows come in another order, and the mean of the steps' losses is over the same rows.
    assert cut[0] == pytest.approx(uncut[0], rel=0.05)


@pytest.mark.slow
def test_training_with_transpositions_resumes_bit_for_bit(tokenizer, rows, tmp_path):
    augment = RandomTransposition(tokenizer, rows, seed=4)
    whole, resumed = make_generator(tokenizer), make_generator(tokenizer)
    resumed.set_weights(whole.get_weights())
    stopped = make_generator(tokenizer)
    stopped.set_weights(whole.get_weights())

    nlls = pretrain(whole, rows, augment=augment, epochs=3)
    pretrain(stopped, rows, augment=augment, epochs=1, checkpoint_dir=tmp_path)
    again = pretrain(resumed, rows, augment=augment, epochs=3, checkpoint_dir=tmp_path)

    assert again == nlls
    assert_same(snapshot(whole), snapshot(resumed))


@pytest.mark.slow
def test_every_epoch_trains_on_the_rows_of_that_epoch(tokenizer, rows):
    asked = []

    def augment(epoch):
        asked.append(epoch)
        return rows.tokens

    with_function = make_generator(tokenizer)
    without = make_generator(tokenizer)
    without.set_weights(with_function.get_weights())

    assert pretrain(with_function, rows, augment=augment) == pretrain(without, rows)
    assert asked == [0, 1]


def test_windows_that_begin_inside_a_tune_have_finite_likelihood(tokenizer):
    generator = make_generator(tokenizer)
    windows = tokenizer.windows(SCORES, length=13)

    log_probs = generator.token_log_probs(windows).numpy()

    assert np.isfinite(log_probs).all()
    is_token = windows != 0
    assert log_probs[is_token].min() > -1e6
