"""Checkpoints: tensors and plain values in one file, exact, checked before anything is touched."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import (
    assert_same,
    make_discriminator,
    make_generator,
    make_models,
    make_tokens,
    snapshot,
)

from tfseqgan.training.checkpointing import Checkpoints, RunState, checksum, model_settings


def test_a_journal_keeps_figures_to_the_last_bit():
    journal = RunState({"seed": 1})
    figures = [0.1, 1 / 3, 1e-310, -0.0, np.inf, np.nan, np.pi * 1e300]
    for number, figure in enumerate(figures):
        journal.write(number, {"figure": figure})
    again = RunState({"seed": 1})
    again.deserialize(journal.serialize())
    assert np.array(again.history["figure"]).tobytes() == np.array(figures).tobytes()
    assert again.rounds == list(range(7)) and again.next_round == 7


def test_settings_are_compared_as_json_has_them():
    journal = RunState({"shape": (3, 4), "name": "merl", "weight": 0.1})
    RunState({"weight": 0.1, "shape": [3, 4], "name": "merl"}).deserialize(journal.serialize())


def test_every_setting_that_differs_is_named_with_both_values():
    saved = RunState({"seed": 1, "batch_size": 8, "old": True, "same": 0}).serialize()
    differences = r"\(batch_size: saved 8, now 9; new: saved None, now 'x'; old: saved True, now None; seed: saved 1, now 2\)"
    with pytest.raises(ValueError, match=differences):
        RunState({"seed": 2, "batch_size": 9, "new": "x", "same": 0}).deserialize(saved)


def save(folder, steps=1):
    """Returns players that were saved in a folder after a step."""
    players = make_models()
    players[1].train_on_batch(make_tokens(0, 4), np.ones(4))
    checkpoints = Checkpoints(
        folder,
        RunState({"seed": 1}),
        generator=players[0],
        discriminator=players[1],
        optimizer=players[1].optimizer,
    )
    for _ in range(steps):
        checkpoints.save()
    return players


def restore(folder, settings):
    """Returns fresh players, restored, and whether there was a checkpoint."""
    generator, discriminator = make_generator(8), make_discriminator(8)
    discriminator.compile("adam")
    discriminator.optimizer.build(discriminator.trainable_variables)
    before = snapshot(generator, discriminator)
    state = {
        "generator": generator,
        "discriminator": discriminator,
        "optimizer": discriminator.optimizer,
    }
    try:
        found = Checkpoints(folder, RunState(settings), **state).restore()
    except ValueError:
        assert_same(before, snapshot(generator, discriminator))
        raise
    return (generator, discriminator), found


def test_models_and_optimizers_come_back_exactly(tmp_path):
    saved = save(tmp_path)
    restored, found = restore(tmp_path, {"seed": 1})
    assert found
    assert_same(snapshot(saved[1]), snapshot(restored[1]))
    assert_same(saved[0].get_weights(), restored[0].get_weights())


def test_a_run_with_other_settings_touches_nothing(tmp_path):
    save(tmp_path)
    with pytest.raises(ValueError, match="seed: saved 1, now 2"):
        restore(tmp_path, {"seed": 2})


def test_two_checkpoints_are_kept_and_the_folder_may_be_moved(tmp_path):
    save(tmp_path / "here", steps=4)
    assert len(list((tmp_path / "here").glob("*.index"))) == 2
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert restore(tmp_path / "there", {"seed": 1})[1]


def test_a_damaged_newest_checkpoint_is_an_error_and_not_a_new_run(tmp_path):
    save(tmp_path)
    for file in tmp_path.glob("*.index"):
        file.write_bytes(file.read_bytes()[:20])
    with pytest.raises((tf.errors.OpError, ValueError)):
        restore(tmp_path, {"seed": 1})


def test_an_empty_folder_restores_nothing_and_no_folder_keeps_nothing(tmp_path):
    assert not restore(tmp_path / "new", {"seed": 1})[1] and (tmp_path / "new").is_dir()
    assert not restore(None, {"seed": 1})[1]
    save(None)


def test_a_file_in_the_folders_place_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(FileExistsError, match="taken"):
        save(tmp_path / "taken")


def test_a_checksum_changes_with_any_value_and_its_place():
    rows = make_tokens(0, 3)
    other = rows.copy()
    other[2, 1] += 1
    assert checksum(rows) == checksum(rows.tolist()) != checksum(other)
    assert checksum(rows) != checksum(rows[::-1]) and checksum(None) is None


def test_model_settings_are_plain_and_tell_models_apart():
    def settings(optimizer="adam", **options):
        generator = make_generator(**options)
        generator.compile(optimizer)
        return model_settings(generator=generator)

    assert json.loads(json.dumps(settings())) == settings() == settings(keras.optimizers.Adam(0.5))
    others = [
        settings("sgd"),
        settings(units=7),
        settings(token_features=None),
        settings(dropout=0.0),
        settings(end_token_id=None),
    ]
    assert all(other != settings() for other in others)
    assert all(name.startswith("generator.") for name in settings())
