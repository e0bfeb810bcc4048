"""Every row of experiments/memory.py can be trained, and leaves out what it says."""

import dataclasses

import numpy as np
import pytest
from conftest import import_experiment, make_score

from tfseqgan.datasets.corpus import Corpus

TUNES = tuple(
    dataclasses.replace(
        make_score(seed, num_notes=12, num_chords=4), key="D", rhythm="jig", name=str(seed)
    )
    for seed in range(6)
)


@pytest.fixture(scope="module")
def memory():
    """The module experiments/memory.py."""
    return import_experiment("memory")


@pytest.fixture(scope="module")
def data():
    """Four training tunes, one that is kept aside, one that is held out."""
    corpus = Corpus(TUNES[:5], TUNES[5:], "tunes", "0" * 64)

    return import_experiment("rows").Data(corpus, TUNES[:4], TUNES[4:5])


@pytest.fixture(scope="module")
def training(memory):
    """Sizes and a schedule of two steps."""
    return memory.Training(
        embedding_dim=8,
        num_layers=1,
        num_heads=2,
        feed_forward_dim=8,
        units=8,
        epochs=1,
        tunes_per_step=2,
        warmup_steps=1,
    )


def held_at_zero(memory, generator, part):
    """Returns the weights that a row must not learn."""
    return {
        "position": lambda: [generator.clock.table],
        "time in attention": lambda: [generator.onset_bias, generator.bar_bias],
        "degrees": lambda: [generator.form.degrees],
    }.get(part, list)()


ROWS = [
    "whole",
    "without-the-mask",
    "without-position",
    "without-transposition",
    "without-time-in-attention",
    "without-controls",
    "without-form",
    "without-degrees",
    "lstm",
    "lstm-and-attention",
]


def test_there_is_a_test_for_every_row(memory):
    assert list(memory.ROWS) == ROWS


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_trained_without_what_it_leaves_out(name, memory, data, training):
    row = memory.ROWS[name]
    tokenizer = memory.make_tokenizer(row, data.corpus.train)

    generator, curve = memory.train(row, tokenizer, data, training, 0, None)
    nats, of_controls = memory.nats_of(generator, tokenizer, data.corpus.validation)

    assert np.isfinite(curve["val_nll"]).all()
    assert (nats > 0).all()
    assert (of_controls > 0).all() == (row.without != "controls")
    for weight in held_at_zero(memory, generator, row.without):
        assert not np.any(weight)
    assert (generator.clock.mask < 0).any() == (row.without != "mask")
    if generator.form is not None:
        assert (max(generator.form.bar_lengths) > 0) == (row.without != "form")
