"""Claims about tfseqgan.training.checkpointing.

Tensors and plain values are in one checkpoint, exact, and checked before anything is changed.
"""

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


def test_a_run_state_keeps_figures_to_the_last_bit():
    figures = [0.1, 1 / 3, 1e-310, -0.0, np.inf, np.nan, np.pi * 1e300]
    run_state = RunState({"seed": 1})
    for index, figure in enumerate(figures):
        run_state.write(index, {"figure": figure})

    restored = RunState({"seed": 1})
    restored.deserialize(run_state.serialize())

    assert np.array(restored.history["figure"]).tobytes() == np.array(figures).tobytes()
    assert restored.rounds == list(range(7))
    assert restored.next_round == 7


def test_settings_are_compared_as_json_has_them():
    saved = RunState({"shape": (3, 4), "name": "merl", "weight": 0.1}).serialize()

    RunState({"weight": 0.1, "shape": [3, 4], "name": "merl"}).deserialize(saved)


def test_every_setting_that_differs_is_named_with_both_values():
    saved = RunState({"seed": 1, "batch_size": 8, "old": True, "same": 0}).serialize()
    differences = [
        "batch_size: saved 8, now 9",
        "new: saved None, now 'x'",
        "old: saved True, now None",
        "seed: saved 1, now 2",
    ]

    with pytest.raises(ValueError, match=rf"\({'; '.join(differences)}\)"):
        RunState({"seed": 2, "batch_size": 9, "new": "x", "same": 0}).deserialize(saved)


def save(folder, times=1):
    """Takes a step with fresh models and saves them; returns them."""
    generator, discriminator = make_models()
    gradients = [tf.ones_like(weight) for weight in discriminator.trainable_variables]
    discriminator.optimizer.apply(gradients, discriminator.trainable_variables)
    checkpoints = Checkpoints(
        folder,
        RunState({"seed": 1}),
        generator=generator,
        discriminator=discriminator,
        optimizer=discriminator.optimizer,
    )
    for _ in range(times):
        checkpoints.save()

    return generator, discriminator


def restore(folder, settings):
    """Restores other models, and checks that an error leaves them as they were.

    Returns:
        The models, and whether there was a checkpoint.
    """
    generator = make_generator(8)
    discriminator = make_discriminator(8)
    discriminator.compile("adam")
    discriminator.optimizer.build(discriminator.trainable_variables)
    before = snapshot(generator, discriminator)

    checkpoints = Checkpoints(
        folder,
        RunState(settings),
        generator=generator,
        discriminator=discriminator,
        optimizer=discriminator.optimizer,
    )
    try:
        found = checkpoints.restore()
    except ValueError:
        assert_same(before, snapshot(generator, discriminator))
        raise

    return (generator, discriminator), found


def test_models_and_optimizers_are_restored_exactly(tmp_path):
    saved = save(tmp_path)
    restored, found = restore(tmp_path, {"seed": 1})

    assert found
    assert_same(snapshot(saved[1]), snapshot(restored[1]))
    assert_same(saved[0].get_weights(), restored[0].get_weights())


@pytest.mark.slow
def test_a_checkpoint_of_a_run_with_other_settings_changes_nothing(tmp_path):
    save(tmp_path)

    with pytest.raises(ValueError, match="seed: saved 1, now 2"):
        restore(tmp_path, {"seed": 2})


@pytest.mark.slow
def test_two_checkpoints_are_kept(tmp_path):
    save(tmp_path, times=4)

    assert len(list(tmp_path.glob("*.index"))) == 2


@pytest.mark.slow
def test_the_folder_of_the_checkpoints_may_be_moved(tmp_path):
    save(tmp_path / "here", times=2)
    shutil.move(tmp_path / "here", tmp_path / "there")

    _, found = restore(tmp_path / "there", {"seed": 1})

    assert found


def truncate(path):
    """Cuts a file off after 20 bytes."""
    path.write_bytes(path.read_bytes()[:20])


@pytest.mark.slow
def test_damaged_checkpoints_are_an_error_and_not_a_new_run(tmp_path):
    save(tmp_path)
    for path in tmp_path.glob("*.index"):
        truncate(path)

    with pytest.raises(ValueError, match="No checkpoint in .* is whole"):
        restore(tmp_path, {"seed": 1})


def test_a_damaged_newest_checkpoint_leaves_the_one_before_it(tmp_path, caplog):
    saved = save(tmp_path, times=2)
    truncate(tmp_path / "ckpt-2.index")

    restored, found = restore(tmp_path, {"seed": 1})

    assert found
    assert_same(snapshot(saved[1]), snapshot(restored[1]))
    assert "ckpt-2 is damaged" in caplog.text


def test_an_empty_folder_is_made_and_restores_nothing(tmp_path):
    _, found = restore(tmp_path / "new", {"seed": 1})

    assert not found
    assert (tmp_path / "new").is_dir()


@pytest.mark.slow
def test_without_a_folder_nothing_is_saved_or_restored():
    save(None)
    _, found = restore(None, {"seed": 1})

    assert not found


def test_a_file_in_place_of_the_folder_is_refused_by_name(tmp_path):
    (tmp_path / "taken").write_text("")

    with pytest.raises(FileExistsError, match="taken"):
        save(tmp_path / "taken")


def test_a_checksum_changes_with_any_value_and_with_the_order():
    rows = make_tokens(0, 3)
    changed = rows.copy()
    changed[2, 1] += 1

    assert checksum(rows) == checksum(rows.tolist())
    assert checksum(rows) != checksum(changed)
    assert checksum(rows) != checksum(rows[::-1])
    assert checksum(None) is None


def settings_of_generator(optimizer="adam", **options):
    """Returns the settings of a generator with these options."""
    generator = make_generator(**options)
    generator.compile(optimizer)

    return model_settings(generator=generator)


def test_model_settings_are_plain_values_by_the_name_of_the_model():
    settings = settings_of_generator()

    assert json.loads(json.dumps(settings)) == settings
    assert all(name.startswith("generator.") for name in settings)


def test_model_settings_do_not_depend_on_the_learning_rate():
    assert settings_of_generator(keras.optimizers.Adam(0.5)) == settings_of_generator()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "sgd"},
        {"units": 7},
        {"token_features": None},
        {"dropout": 0.0},
        {"end_token_id": None},
    ],
)
def test_model_settings_tell_models_apart(options):
    assert settings_of_generator(**options) != settings_of_generator()
