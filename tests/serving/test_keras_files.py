"""Claims about tfseqgan.serving.keras_files: what a stranger's `.keras` file cannot do.

It makes no class but the expected one, takes no more memory than the file has bytes, reads no other
file, and whatever is wrong with it is a ValueError that names it.
"""

import io
import json
import math
import os
import zipfile

import h5py
import keras
import numpy as np
import pytest
from tiny_models import (
    CONTROLLED,
    CONTROLLED_TUNES,
    END,
    FEATURES,
    V,
    make_attention_generator,
    make_discriminator,
    make_generator,
    make_generator_with_controls,
)

import tfseqgan as sg
from tfseqgan.serving.keras_files import count_weights, load_keras_file


@pytest.fixture(scope="module")
def generator_file(tmp_path_factory):
    """A compiled generator in a file that no test may change."""
    generator = make_generator()
    generator.compile(sg.Adam(keras.optimizers.schedules.CosineDecay(0.1, 10)))
    generator.optimizer.build(generator.trainable_variables)
    path = tmp_path_factory.mktemp("models") / "generator.keras"
    generator.save(path)

    return path


def read_members(path):
    """Returns the content of each member of a zip by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(path, members, compression=zipfile.ZIP_STORED):
    """Writes a zip, and returns its path."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)

    return path


@pytest.fixture
def change_config(generator_file, tmp_path):
    """A function that copies the file with a changed configuration, and returns the copy."""

    def change(function):
        members = read_members(generator_file)
        config = json.loads(members["config.json"])
        function(config)
        members["config.json"] = json.dumps(config)

        return write_members(tmp_path / "generator.keras", members)

    return change


@pytest.fixture
def change_weights(generator_file, tmp_path):
    """A function that copies the file with changed weights, and returns the copy."""

    def change(function):
        members = read_members(generator_file)
        buffer = io.BytesIO(members["model.weights.h5"])
        with h5py.File(buffer, "r+") as file:
            function(file)
        members["model.weights.h5"] = buffer.getvalue()

        return write_members(tmp_path / "generator.keras", members)

    return change


def assert_refused(path, words, **options):
    """Asserts that a file is refused by name for a reason."""
    with pytest.raises(ValueError) as caught:
        load_keras_file(path, sg.Generator, **options)

    message = str(caught.value)
    assert message.startswith(f"{path} cannot be loaded (")
    assert words in message


@pytest.mark.parametrize("compile", [False, True])
def test_a_file_that_keras_wrote_is_loaded_bit_for_bit(generator_file, compile):
    generator = load_keras_file(generator_file, sg.Generator, compile)

    for loaded, saved in zip(generator.get_weights(), make_generator().get_weights(), strict=True):
        assert loaded.tobytes() == saved.tobytes()
    assert compile == isinstance(getattr(generator, "optimizer", None), sg.Adam)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_an_optimizer_of_keras_comes_back(tmp_path, optimizer):
    discriminator = make_discriminator()
    discriminator.compile(optimizer)
    discriminator.optimizer.build(discriminator.trainable_variables)
    discriminator.save(tmp_path / "discriminator.keras")

    loaded = load_keras_file(tmp_path / "discriminator.keras", sg.Discriminator, compile=True)

    assert type(loaded.optimizer) is type(keras.optimizers.get(optimizer))


@pytest.mark.parametrize("features", [None, FEATURES])
def test_weights_are_counted_without_making_the_model(features):
    generator = make_generator(token_features=features)
    attention = make_attention_generator(token_features=features)
    discriminator = make_discriminator(token_features=features, kernel_sizes=(2, 3, 3))

    for model in (generator, attention, discriminator):
        assert count_weights(type(model), model.get_config()) == sum(
            math.prod(weight.shape) for weight in model.trainable_variables
        )


@pytest.mark.parametrize("kind", ["lstm", "attention"])
def test_weights_of_a_model_with_controls_are_counted_too(kind):
    model = make_generator_with_controls(kind)

    num_weights = sum(math.prod(weight.shape) for weight in model.trainable_variables)
    assert count_weights(type(model), model.get_config()) == num_weights


def test_a_model_with_controls_comes_back_bit_for_bit(tmp_path):
    generator = make_generator_with_controls("attention")
    tokens = CONTROLLED.whole_tunes(CONTROLLED_TUNES, 20).tokens
    generator.save(tmp_path / "generator.keras")

    loaded = load_keras_file(tmp_path / "generator.keras", sg.AttentionGenerator)

    np.testing.assert_array_equal(loaded(tokens), generator(tokens))


# ---- the configuration


def test_a_strangers_file_may_not_hold_the_other_model(generator_file):
    with pytest.raises(ValueError, match="holds 'tfseqgan>Generator' where 'tfseqgan>Discr"):
        load_keras_file(generator_file, sg.Discriminator)


@pytest.mark.parametrize(
    "change",
    [
        {"registered_name": "keras>Lambda", "class_name": "Lambda", "module": "keras.layers"},
        {"registered_name": None, "class_name": "system", "module": "os"},
        {"registered_name": ["tfseqgan>Generator"]},
        {"config": None},
        {"config": []},
        {"config": {}},
        {"build_config": {"shapes_dict": {"input_shape": {"class_name": "Lambda"}}}},
    ],
    ids=str,
)
def test_a_strangers_class_is_not_made(change_config, change):
    assert_refused(change_config(lambda config: config.update(change)), "")


EVIL = {
    "module": "keras.layers",
    "class_name": "Lambda",
    "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wE="}}},
    "registered_name": None,
}


@pytest.mark.parametrize("name", ["dtype", "units", "name", "token_features"])
def test_a_strangers_object_within_the_configuration_is_not_made(change_config, name):
    path = change_config(lambda config: config["config"].update({name: EVIL}))

    assert_refused(path, "")


def add_loss(config):
    """Compiles with a loss that Keras would make."""
    config["compile_config"]["loss"] = EVIL


def replace_optimizer(config):
    """Compiles with something else than an optimizer."""
    config["compile_config"]["optimizer"] = EVIL


def replace_rate(config):
    """Compiles with something else than a schedule."""
    config["compile_config"]["optimizer"]["config"]["learning_rate"] = EVIL


@pytest.mark.parametrize("change", [add_loss, replace_optimizer, replace_rate])
def test_a_strangers_compile_configuration_is_made_only_if_it_is_ours(change_config, change):
    path = change_config(change)

    assert load_keras_file(path, sg.Generator).vocabulary_size == V
    assert_refused(path, "", compile=True)


@pytest.mark.parametrize(
    "change",
    [
        {"units": 10**9},
        {"embedding_dim": 10**9},
        {"vocabulary_size": 10**9, "token_features": None},
        {"token_features": [[10**12, 0]] * V},
        {"units": -1},
        {"units": True},
        {"units": 1e300},
        {"units": "6"},
        {"units": None},
        {"token_features": [[1], [1, 2]]},
        {"token_features": 3},
        {"colour": 3},
    ],
    ids=str,
)
def test_a_strangers_sizes_are_refused_before_memory_is_taken(change_config, change):
    assert_refused(change_config(lambda config: config["config"].update(change)), "")


def test_a_strangers_deep_configuration_is_a_value_error(generator_file, tmp_path):
    members = read_members(generator_file)
    members["config.json"] = "[" * 100_000 + "]" * 100_000

    assert_refused(write_members(tmp_path / "generator.keras", members), "nested more than")


# ---- the zip


@pytest.mark.slow
@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_a_strangers_compressed_member_is_refused(generator_file, tmp_path, name):
    members = read_members(generator_file)
    members[name] = members[name] + b" " * 300_000_000
    path = tmp_path / "generator.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            is_bomb = member == name
            archive.writestr(member, content, zipfile.ZIP_DEFLATED if is_bomb else None, 1)

    assert path.stat().st_size < 3_000_000
    assert_refused(path, f"its {name} is compressed")


@pytest.mark.parametrize("extra", ["assets/../../../x", "config.json ", "model.weights.npz"])
def test_a_strangers_extra_member_is_refused(generator_file, tmp_path, extra):
    members = read_members(generator_file) | {extra: b"x"}

    assert_refused(write_members(tmp_path / "generator.keras", members), "it holds [")


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip", b"PK\5\6" + bytes(18)])
def test_a_strangers_bytes_that_are_no_zip_are_refused(tmp_path, content):
    (tmp_path / "generator.keras").write_bytes(content)

    assert_refused(tmp_path / "generator.keras", "")


def test_a_strangers_path_that_is_a_folder_or_missing_is_refused(tmp_path):
    (tmp_path / "folder.keras").mkdir()

    assert_refused(tmp_path / "folder.keras", "the file is incomplete")
    assert_refused(tmp_path / "missing.keras", "the file is incomplete")


# ---- the weights


def replace_opening(file, **options):
    """Replaces the first array of the weights."""
    group = next(group for group in find_groups(file) if "0" in group)
    del group["0"]

    return group


def find_groups(file):
    """Returns the groups of arrays in a file."""
    groups = []
    file.visititems(lambda _, found: groups.append(found) if found.name.endswith("vars") else None)

    return groups


def add_bomb(file):
    """Declares an array of a terabyte that takes no space."""
    replace_opening(file).create_dataset("0", (2**38,), "f4", chunks=(1024,), compression="gzip")


def add_external_array(file):
    """Declares an array whose numbers lie in another file."""
    replace_opening(file).create_dataset("0", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def add_external_link(file):
    """Links to another file."""
    replace_opening(file)["0"] = h5py.ExternalLink("/etc/passwd", "/x")


def add_soft_link(file):
    """Links to another place."""
    replace_opening(file)["0"] = h5py.SoftLink("/nowhere")


def add_strings(file):
    """Puts text where numbers are expected."""
    replace_opening(file)["0"] = np.array([b"text"], object)


@pytest.mark.parametrize(
    "change", [add_bomb, add_external_array, add_external_link, add_soft_link, add_strings]
)
def test_a_strangers_weights_lie_in_their_file_in_full(change_weights, change):
    assert_refused(change_weights(change), "its weights hold '")


def test_a_strangers_group_that_holds_itself_ends(change_weights):
    def add_cycle(file):
        file["cycle"] = file["/"]

    assert load_keras_file(change_weights(add_cycle), sg.Generator).vocabulary_size == V


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_strangers_numbers_that_are_not_finite_are_refused(change_weights, number):
    def spoil(file):
        group = max(find_groups(file), key=lambda group: group["0"].size if "0" in group else 0)
        values = group["0"][...]
        values.flat[-1] = number
        group["0"][...] = values

    assert_refused(change_weights(spoil), "holds numbers that are not finite")


def test_weights_of_another_shape_are_refused(change_weights):
    def shorten(file):
        group = max(find_groups(file), key=lambda group: group["0"].size if "0" in group else 0)
        values = group["0"][...][:-1]
        del group["0"]
        group["0"] = values

    assert_refused(change_weights(shorten), "")


def test_nothing_of_a_refused_file_is_left(change_config):
    path = change_config(lambda config: config["config"].update({"units": END}))

    assert_refused(path, "")
    assert os.listdir(path.parent) == ["generator.keras"]
