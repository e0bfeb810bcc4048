"""Claims about tfseqgan.training.checkpointing.

Tensors and plain values are in one checkpoint, exact, and checked before anything is changed.
"""

import json
import os
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
    discriminator.compile(keras.optimizers.Adam(0.01))  # the rate of the saved one
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


# ---- torn state files and checkpoints that are not whole


@pytest.mark.slow
def test_torn_state_files_are_not_needed(tmp_path):
    saved = save(tmp_path, times=2)
    for damage in ("empty", "deleted", "nonsense"):
        state = tmp_path / "checkpoint"
        if damage == "deleted":
            state.unlink()
        else:
            state.write_bytes(b"" if damage == "empty" else b"\xff{")

        restored, found = restore(tmp_path, {"seed": 1})

        assert found, damage
        assert_same(snapshot(saved[1]), snapshot(restored[1]))


@pytest.mark.slow
@pytest.mark.parametrize("where", ["absolute", "relative"])
def test_a_strangers_state_file_neither_reads_nor_deletes_files_elsewhere(tmp_path, where):
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    save(mine, times=2)
    save(theirs, times=2)
    before = {path.name: path.read_bytes() for path in mine.iterdir()}
    path = mine / "ckpt-2" if where == "absolute" else "../mine/ckpt-2"
    (theirs / "checkpoint").write_text(
        f'model_checkpoint_path: "{path}"\n'
        f'all_model_checkpoint_paths: "{path}"\nall_model_checkpoint_paths: "ckpt-1"\n'
    )

    step = save_and_restore(theirs, times=3)

    assert {path.name: path.read_bytes() for path in mine.iterdir()} == before
    assert step.restore()
    assert len(list(theirs.glob("*.index"))) == 2


def save_and_restore(folder, times):
    """Restores models from a folder and saves them again; returns their `Checkpoints`."""
    generator, discriminator = make_models()
    checkpoints = Checkpoints(
        folder,
        RunState({"seed": 1}),
        generator=generator,
        discriminator=discriminator,
        optimizer=discriminator.optimizer,
    )
    assert checkpoints.restore()
    for _ in range(times):
        checkpoints.save()

    return checkpoints


def test_a_strangers_state_file_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "mine").write_text("thesis")
    save(tmp_path / "run")
    (tmp_path / "run" / "checkpoint").unlink()
    (tmp_path / "run" / "checkpoint").symlink_to(tmp_path / "mine")

    save_and_restore(tmp_path / "run", times=1)

    assert (tmp_path / "mine").read_text() == "thesis"
    assert tf.train.latest_checkpoint(tmp_path / "run") == str(tmp_path / "run" / "ckpt-2")


def test_a_state_file_tells_tensorflow_the_newest_checkpoint(tmp_path):
    save(tmp_path, times=3)

    assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / "ckpt-3")


@pytest.mark.parametrize("is_state_file_there", [True, False])
def test_torn_checkpoints_whose_index_is_lost_are_no_new_run_without_a_word(
    tmp_path, caplog, is_state_file_there
):
    save(tmp_path)
    (tmp_path / "ckpt-1.index").unlink()
    if not is_state_file_there:
        (tmp_path / "checkpoint").unlink()

    if is_state_file_there:
        with pytest.raises(ValueError, match="No checkpoint in .* is whole"):
            restore(tmp_path, {"seed": 1})
    else:
        _, found = restore(tmp_path, {"seed": 1})
        assert not found
        assert "ckpt-1.data-00000-of-00001, which a stopped process left half-written" in (
            caplog.text
        )


@pytest.mark.slow
def test_a_torn_checkpoint_is_not_kept_instead_of_a_whole_one(tmp_path):
    save(tmp_path, times=3)
    truncate(tmp_path / "ckpt-3.data-00000-of-00001")

    save_and_restore(tmp_path, times=1)

    assert sorted(path.name for path in tmp_path.glob("*.index")) == [
        "ckpt-2.index",
        "ckpt-4.index",
    ]


def make_step(folder, value):
    """Returns `Checkpoints` of one variable, and the variable."""
    step = tf.Variable(value)

    return Checkpoints(folder, RunState({}), step=step), step


def test_torn_numbers_that_are_not_finite_are_not_saved(tmp_path):
    checkpoints, step = make_step(tmp_path, 1.0)
    checkpoints.save()
    step.assign(np.inf)

    with pytest.raises(FloatingPointError, match="not finite.*Lower the learning rate"):
        checkpoints.save()

    assert [path.name for path in tmp_path.glob("*.index")] == ["ckpt-1.index"]


def test_torn_a_saved_checkpoint_that_is_not_finite_leaves_the_one_before_it(tmp_path, caplog):
    checkpoints, step = make_step(tmp_path, 1.0)
    checkpoints.save()
    step.assign(np.nan)
    checkpoints.checkpoint.write(str(tmp_path / "ckpt-2"))  # as 0.1.0 did

    again, restored = make_step(tmp_path, 0.0)

    assert again.restore()
    assert float(restored) == 1.0
    assert "ckpt-2 is damaged" in caplog.text
    assert "not finite" in caplog.text


def test_torn_moments_of_an_optimizer_are_not_saved(tmp_path):
    generator, _ = make_models()
    generator.optimizer.build(generator.trainable_variables)
    checkpoints = Checkpoints(
        tmp_path, RunState({}), generator=generator, optimizer=generator.optimizer
    )
    moment = generator.optimizer.variables[-1]
    moment.assign(np.full(moment.shape, np.inf))

    with pytest.raises(FloatingPointError, match="not finite"):
        checkpoints.save()


def test_litter_of_a_killed_process_is_removed_on_restore(tmp_path):
    checkpoints, _ = make_step(tmp_path, 1)
    checkpoints.save()
    whole = sorted(os.listdir(tmp_path))
    (tmp_path / "ckpt-2_temp").mkdir()
    (tmp_path / "ckpt-2_temp" / "part-00000-of-00001.index").write_text("half")
    (tmp_path / "ckpt-2.data-00000-of-00001").write_text("half")
    (tmp_path / "checkpoint.tmp0123456789abcdef").write_text("half")
    (tmp_path / ".checkpoint.17.partial").write_text("half")
    (tmp_path / "ckpt-1.copy").write_text("mine")

    assert make_step(tmp_path, 0)[0].restore()

    assert sorted(os.listdir(tmp_path)) == sorted([*whole, "ckpt-1.copy"])


def test_a_journal_of_a_stranger_is_damage_and_no_traceback(tmp_path, caplog):
    checkpoints, _ = make_step(tmp_path, 1)
    checkpoints.save()
    for text in ("[" * 100_000, "[]", "3", '{"settings": {}}', "not json"):
        checkpoints.run_state.serialize = lambda text=text: text
        checkpoints.checkpoint.write(str(tmp_path / "ckpt-2"))

        again, step = make_step(tmp_path, 0)

        assert again.restore(), text
        assert int(step) == 1
        assert again.damaged == {2}


def test_ending_a_folder_that_was_deleted_is_named(tmp_path):
    checkpoints, _ = make_step(tmp_path / "run", 1)
    checkpoints.save()
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run").write_text("a file")

    with pytest.raises(OSError) as caught:
        checkpoints.save()

    assert str(tmp_path / "run") in (caught.value.filename or str(caught.value))


# ---- what may change


def resume_with(folder, **compiled):
    """Restores a generator that was compiled with these options; returns its optimizer."""
    generator = make_generator()
    generator.compile(keras.optimizers.Adam(**compiled))
    generator.optimizer.build(generator.trainable_variables)
    checkpoints = Checkpoints(folder, RunState({}), generator_optimizer=generator.optimizer)
    checkpoints.restore()
    checkpoints.save()

    return generator.optimizer


def test_advice_a_model_compiled_with_another_rate_keeps_its_own_and_says_so(tmp_path, caplog):
    caplog.set_level("INFO", "tfseqgan")
    resume_with(tmp_path, learning_rate=0.5)

    resumed = resume_with(tmp_path, learning_rate=0.25, clipnorm=1.0)

    assert float(resumed.learning_rate) == 0.25
    assert "generator_optimizer: learning_rate is 0.25 from here on; it was 0.5" in caplog.text
    assert "generator_optimizer: clipnorm is 1 from here on; it was None" in caplog.text

    again = resume_with(tmp_path, learning_rate=0.25, clipnorm=1.0)
    assert float(again.learning_rate) == 0.25


def test_advice_a_rate_that_a_callback_has_lowered_is_no_other_rate(tmp_path):
    optimizer = resume_with(tmp_path, learning_rate=0.5)
    optimizer.learning_rate = 0.125
    lowered = Checkpoints(tmp_path, RunState({}), generator_optimizer=optimizer)
    lowered.run_state.optimizers["generator_optimizer"]["learning_rate"] = 0.5
    lowered.save()

    assert float(resume_with(tmp_path, learning_rate=0.5).learning_rate) == 0.125
    assert float(resume_with(tmp_path, learning_rate=0.25).learning_rate) == 0.25


def test_advice_a_number_does_not_replace_a_schedule(tmp_path):
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    resume_with(tmp_path, learning_rate=schedule)

    with pytest.raises(ValueError, match="expected a number for a number, or a schedule"):
        resume_with(tmp_path, learning_rate=0.1)


def test_advice_another_function_is_refused_by_name_and_one_that_cannot_be_known_is_said(caplog):
    identity = {"name": "<lambda>", "python": "3.11", "code": "aa", "is_all": True}
    saved = RunState({}, code={"token_reward": identity}).serialize()

    RunState({}, code={"token_reward": dict(identity)}).deserialize(saved)
    assert not caplog.records

    RunState({}, code={"token_reward": identity | {"python": "3.12"}}).deserialize(saved)
    assert "It cannot be known whether token_reward" in caplog.text

    with pytest.raises(ValueError, match="another token_reward .*pass the same one"):
        RunState({}, code={"token_reward": identity | {"code": "bb"}}).deserialize(saved)
