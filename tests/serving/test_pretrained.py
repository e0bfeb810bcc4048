"""Trained models in a folder are loaded bit for bit, or not at all."""

import hashlib
import json
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from serving_models import make_models

import tfseqgan as sg
from tfseqgan.serving.pretrained import save_model

HASHED_FILES = {"generator.keras", "discriminator.keras", "tokenizer.json"}
FILES = HASHED_FILES | {"manifest.json"}


@pytest.fixture(scope="module")
def models():
    """Returns a generator, a discriminator and their tokenizer."""
    return make_models(6)


@pytest.fixture(scope="module")
def saved(tmp_path_factory, models):
    """Returns a folder of all three, which no test may change."""
    generator, discriminator, tokenizer = models
    folder = tmp_path_factory.mktemp("pretrained") / "new" / "folder"
    sg.save_pretrained(folder, generator, tokenizer, discriminator)

    return folder


@pytest.fixture
def copy(tmp_path, saved):
    """Returns a copy of the folder, to damage."""
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def hash_weights(*models):
    """Returns one hash of all weights."""
    weights = [weight for model in models for weight in model.get_weights()]

    return hashlib.sha256(b"".join(np.asarray(weight).tobytes() for weight in weights)).hexdigest()


def list_names(folder):
    """Returns the names of the files in a folder."""
    return {path.name for path in folder.iterdir()}


def test_models_and_tokenizer_are_loaded_bit_for_bit(saved, models):
    generator, discriminator, tokenizer = models

    loaded = sg.from_pretrained(saved)

    assert hash_weights(loaded.generator) == hash_weights(generator)
    assert hash_weights(loaded.discriminator) == hash_weights(discriminator)
    assert loaded.tokenizer == tokenizer
    assert loaded.generator.get_config() == generator.get_config()
    assert loaded.discriminator.get_config() == discriminator.get_config()


@pytest.mark.slow
def test_loaded_models_give_what_the_saved_ones_gave(saved, models):
    generator, discriminator, _ = models
    tokens = generator.generate(5, 9, seed=3)

    loaded = sg.from_pretrained(saved)

    assert loaded.generator.generate(5, 9, seed=3).tolist() == tokens.tolist()
    logits = np.array(loaded.discriminator(tokens))
    assert logits.tobytes() == np.array(discriminator(tokens)).tobytes()


@pytest.mark.slow
@pytest.mark.processes
def test_models_are_loaded_in_a_process_that_imports_tfseqgan_alone(saved, models):
    generator, discriminator, tokenizer = models
    code = """
import hashlib, sys, tfseqgan
generator, tokenizer, discriminator = tfseqgan.from_pretrained(sys.argv[1])
weights = generator.get_weights() + discriminator.get_weights()
print(hashlib.sha256(b"".join(weight.tobytes() for weight in weights)).hexdigest())
print(generator.generate(2, 9, seed=3).tolist(), tokenizer.vocabulary_size)
"""
    result = subprocess.run(
        [sys.executable, "-c", code, str(saved)],
        cwd=Path(sg.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.splitlines() == [
        hash_weights(generator, discriminator),
        f"{generator.generate(2, 9, seed=3).tolist()} {tokenizer.vocabulary_size}",
    ]


@pytest.mark.slow
def test_a_generator_without_an_end_token_is_loaded_without_one(tmp_path):
    generator, discriminator, tokenizer = make_models(6, end_token_id=None)
    sg.save_pretrained(tmp_path, generator, tokenizer, discriminator)

    loaded = sg.from_pretrained(tmp_path)

    assert loaded.generator.end_token_id is None
    assert loaded.discriminator.end_token_id is None
    tokens = loaded.generator.generate(3, 9, seed=1)
    assert tokens.tolist() == generator.generate(3, 9, seed=1).tolist()


def test_a_save_without_a_discriminator_does_not_load_the_one_of_an_earlier_save(copy, models):
    earlier, _, _ = models
    generator, _, tokenizer = make_models(6, seed=9)
    sg.save_pretrained(copy, generator, tokenizer)

    loaded = sg.from_pretrained(copy)

    assert loaded.discriminator is None
    assert hash_weights(loaded.generator) == hash_weights(generator)
    assert hash_weights(loaded.generator) != hash_weights(earlier)


def test_a_later_save_replaces_the_earlier_one_completely(copy, models):
    _, _, earlier_tokenizer = models
    generator, discriminator, tokenizer = make_models(7, seed=9)
    sg.save_pretrained(copy, generator, tokenizer, discriminator)

    loaded = sg.from_pretrained(copy)

    assert hash_weights(loaded.generator) == hash_weights(generator)
    assert hash_weights(loaded.discriminator) == hash_weights(discriminator)
    assert loaded.tokenizer == tokenizer != earlier_tokenizer
    assert list_names(copy) == FILES


def test_a_save_that_fails_keeps_the_earlier_model_and_leaves_no_part(copy, models, monkeypatch):
    generator, _, _ = models
    path = copy / "generator.keras"
    before = path.read_bytes()

    def fail(partial):
        partial.write_bytes(b"half a model")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(generator, "save", fail)
    with pytest.raises(OSError, match=re.escape(str(path))):
        save_model(generator, path)

    assert path.read_bytes() == before
    assert list_names(copy) == FILES


def test_nothing_is_pickled(saved, models, tmp_path, monkeypatch):
    def refuse(*_, **__):
        pytest.fail("something was pickled")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    generator, discriminator, tokenizer = models

    sg.save_pretrained(tmp_path, generator, tokenizer, discriminator)
    sg.from_pretrained(tmp_path)

    assert list_names(saved) == FILES
    for name in ("generator.keras", "discriminator.keras"):
        with zipfile.ZipFile(saved / name) as archive:
            names = set(archive.namelist())
        assert names == {"metadata.json", "config.json", "model.weights.h5"}


def test_the_manifest_holds_what_sha256sum_prints(saved):
    manifest = json.loads((saved / "manifest.json").read_text())

    assert manifest == {
        name: hashlib.sha256((saved / name).read_bytes()).hexdigest() for name in HASHED_FILES
    }


def append_a_blank(path):
    """Changes a file."""
    path.write_bytes(path.read_bytes() + b" ")


@pytest.mark.parametrize("name", sorted(HASHED_FILES))
@pytest.mark.parametrize("damage", [Path.unlink, append_a_blank], ids=["missing", "changed"])
def test_the_error_names_a_file_that_is_missing_or_changed(copy, name, damage):
    damage(copy / name)

    message = (
        f"copy/{name} is missing or changed; expected sha256 [0-9a-f]{{64}}. Fetch the folder again"
    )
    with pytest.raises(ValueError, match=message):
        sg.from_pretrained(copy)


@pytest.mark.parametrize(
    "content", [None, "", '{"generator', "[]", "3", "{}", '{"generator.keras": ""}']
)
def test_without_a_complete_manifest_nothing_is_loaded(copy, content):
    (copy / "manifest.json").unlink()
    if content is not None:
        (copy / "manifest.json").write_text(content)

    message = (
        "copy holds no trained models .*; expected a folder written by save_pretrained "
        "or a finished run"
    )
    with pytest.raises(ValueError, match=message):
        sg.from_pretrained(copy)


def test_models_and_a_tokenizer_that_do_not_fit_are_refused_and_nothing_is_written(
    tmp_path, models
):
    generator, _, tokenizer = models
    _, other_discriminator, other_tokenizer = make_models(7)

    with pytest.raises(ValueError, match="The tokenizer has 10 tokens and the generator 9"):
        sg.save_pretrained(tmp_path / "new", generator, other_tokenizer)
    message = "generator's vocabulary_size is 9 and the discriminator's 10"
    with pytest.raises(ValueError, match=message):
        sg.save_pretrained(tmp_path / "new", generator, tokenizer, other_discriminator)

    assert not any(tmp_path.iterdir())


def make_true(folder):
    """Makes the manifest fit the files as they are, as whoever can change one can."""
    names = sorted(json.loads((folder / "manifest.json").read_text()))
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "manifest.json").write_text(json.dumps(hashes))


def test_a_strangers_manifest_that_names_a_file_elsewhere_loads_nothing(copy):
    (copy.parent / "secret").write_text("secret")
    hashes = json.loads((copy / "manifest.json").read_text())
    hashes["../secret"] = hashlib.sha256(b"secret").hexdigest()
    (copy / "manifest.json").write_text(json.dumps(hashes))

    with pytest.raises(ValueError, match="names '../secret'; expected files of its own folder"):
        sg.from_pretrained(copy)


def test_a_discriminator_that_the_manifest_does_not_list_is_left_alone_with_a_word(copy, caplog):
    hashes = json.loads((copy / "manifest.json").read_text())
    del hashes["discriminator.keras"]
    (copy / "manifest.json").write_text(json.dumps(hashes))

    assert sg.from_pretrained(copy).discriminator is None
    assert "does not list discriminator.keras, which is not loaded" in caplog.text


def test_a_file_that_the_manifest_lists_and_nobody_loads_may_be_missing(copy):
    hashes = json.loads((copy / "manifest.json").read_text())
    hashes["evaluation.json"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(hashes))

    assert sg.from_pretrained(copy).generator.vocabulary_size == 9


@pytest.mark.parametrize(
    "source, target",
    [("discriminator.keras", "generator.keras"), ("generator.keras", "discriminator.keras")],
)
def test_a_model_in_place_of_the_other_is_refused_with_a_true_manifest_too(copy, source, target):
    shutil.copy(copy / source, copy / target)
    make_true(copy)

    with pytest.raises(ValueError, match=f"{target} cannot be loaded .it holds 'tfseqgan>"):
        sg.from_pretrained(copy)


def test_a_tokenizer_of_another_size_is_refused_with_a_true_manifest_too(copy):
    _, _, tokenizer = make_models(7)
    tokenizer.save(copy / "tokenizer.json")
    make_true(copy)

    with pytest.raises(ValueError, match="The tokenizer has 10 tokens and the generator 9"):
        sg.from_pretrained(copy)


@pytest.mark.parametrize("name", sorted(HASHED_FILES))
def test_a_strangers_bytes_are_a_value_error_with_a_true_manifest_too(copy, name):
    for content in (b"", b"\xff" * 100, b"[" * 100_000, (copy / name).read_bytes()[:-30]):
        (copy / name).write_bytes(content)
        make_true(copy)

        with pytest.raises(ValueError, match=name):
            sg.from_pretrained(copy)


def test_models_with_numbers_that_are_not_finite_are_not_saved(tmp_path):
    generator, discriminator, tokenizer = make_models(6)
    discriminator.set_weights([weight * np.nan for weight in discriminator.get_weights()])

    with pytest.raises(ValueError, match="numbers that are not finite"):
        sg.save_pretrained(tmp_path, generator, tokenizer, discriminator)

    assert not list(tmp_path.iterdir())


def test_a_discriminator_that_holds_a_generator_is_refused_before_anything_is_written(
    models, tmp_path
):
    generator, _, tokenizer = models
    discriminator = sg.StateDiscriminator(generator, hidden_dim=4, filters=2)

    for write in (
        lambda: sg.save_pretrained(tmp_path / "saved", generator, tokenizer, discriminator),
        lambda: sg.export_saved_model(
            generator, tokenizer, tmp_path / "exported", discriminator=discriminator, length=5
        ),
    ):
        with pytest.raises(ValueError, match="Write it with its own save"):
            write()

    assert list(tmp_path.iterdir()) == []
