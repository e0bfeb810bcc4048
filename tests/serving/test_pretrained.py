"""Claims about tfseqgan.pretrained: trained models come back bit for bit, or not at all."""

import hashlib
import json
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from serving_models import make_models

import tfseqgan as sg

FILES = {"generator.keras", "discriminator.keras", "tokenizer.json", "manifest.json"}


@pytest.fixture(scope="module")
def players():
    """A generator, a discriminator and their tokenizer."""
    return make_models(6)


@pytest.fixture(scope="module")
def saved(tmp_path_factory, players):
    """A folder of all three, which no test may change."""
    generator, discriminator, tokenizer = players
    folder = tmp_path_factory.mktemp("pretrained") / "new" / "folder"
    sg.save_pretrained(folder, generator, tokenizer, discriminator)
    return folder


@pytest.fixture
def copy(tmp_path, saved):
    """A copy of the folder to maltreat."""
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def digest(*models):
    """Returns one hash of all weights."""
    return hashlib.sha256(
        b"".join(np.asarray(weight).tobytes() for model in models for weight in model.get_weights())
    ).hexdigest()


def test_models_and_tokenizer_come_back_bit_for_bit(saved, players):
    generator, discriminator, tokenizer = players
    found = sg.from_pretrained(saved)
    assert (
        digest(found.generator, found.discriminator) == digest(generator, discriminator)
        and found.tokenizer == tokenizer
    )
    assert (
        found.generator.get_config() == generator.get_config()
        and found.discriminator.get_config() == discriminator.get_config()
    )
    tokens = generator.generate(5, 9, seed=3)
    assert found.generator.generate(5, 9, seed=3).tolist() == tokens.tolist()
    assert (
        np.array(found.discriminator(tokens)).tobytes() == np.array(discriminator(tokens)).tobytes()
    )


def test_they_come_back_in_a_process_that_imports_tfseqgan_alone(saved, players):
    generator, discriminator, tokenizer = players
    code = """
import hashlib, sys, tfseqgan
found = tfseqgan.from_pretrained(sys.argv[1])
weights = [weight for model in found[::2] for weight in model.get_weights()]
print(hashlib.sha256(b"".join(weight.tobytes() for weight in weights)).hexdigest())
print(found.generator.generate(2, 9, seed=3).tolist(), found.tokenizer.vocabulary_size)
"""
    root = Path(sg.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", code, str(saved)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    expected = f"{generator.generate(2, 9, seed=3).tolist()} {tokenizer.vocabulary_size}"
    assert result.stdout.splitlines() == [digest(generator, discriminator), expected]


def test_a_generator_without_an_end_comes_back_without_one(tmp_path):
    generator, discriminator, tokenizer = make_models(6, end_token_id=None)
    sg.save_pretrained(tmp_path, generator, tokenizer, discriminator)
    found = sg.from_pretrained(tmp_path)
    assert found.generator.end_token_id is None and found.discriminator.end_token_id is None
    assert (
        found.generator.generate(3, 9, seed=1).tolist() == generator.generate(3, 9, seed=1).tolist()
    )


def test_a_discriminator_is_optional_and_one_of_an_earlier_save_is_not_taken_for_it(copy, players):
    generator, _, tokenizer = make_models(6, seed=9)
    sg.save_pretrained(copy, generator, tokenizer)
    found = sg.from_pretrained(copy)
    assert found.discriminator is None and digest(found.generator) == digest(generator) != digest(
        players[0]
    )


def test_a_later_save_replaces_the_earlier_one_whole(copy, players):
    generator, discriminator, tokenizer = make_models(7, seed=9)
    sg.save_pretrained(copy, generator, tokenizer, discriminator)
    found = sg.from_pretrained(copy)
    assert (
        digest(found.generator, found.discriminator) == digest(generator, discriminator)
        and found.tokenizer == tokenizer != players[2]
    )
    assert {path.name for path in copy.iterdir()} == FILES


def test_nothing_is_pickled(saved, players, tmp_path, monkeypatch):
    def refuse(*_, **__):
        pytest.fail("something was pickled")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    generator, discriminator, tokenizer = players
    sg.save_pretrained(tmp_path, generator, tokenizer, discriminator)
    sg.from_pretrained(tmp_path)
    assert {path.name for path in saved.iterdir()} == FILES
    for name in ("generator.keras", "discriminator.keras"):
        with zipfile.ZipFile(saved / name) as archive:
            assert set(archive.namelist()) == {"metadata.json", "config.json", "model.weights.h5"}


def test_the_manifest_is_what_sha256sum_says(saved):
    manifest = json.loads((saved / "manifest.json").read_text())
    assert manifest == {
        name: hashlib.sha256((saved / name).read_bytes()).hexdigest()
        for name in FILES - {"manifest.json"}
    }


@pytest.mark.parametrize("name", sorted(FILES - {"manifest.json"}))
@pytest.mark.parametrize(
    "damage",
    [Path.unlink, lambda path: path.write_bytes(path.read_bytes() + b" ")],
    ids=["missing", "changed"],
)
def test_a_file_that_is_missing_or_changed_is_named(copy, name, damage):
    damage(copy / name)
    with pytest.raises(
        ValueError,
        match=f"copy/{name} is missing or changed; expected sha256 [0-9a-f]{{64}}. Fetch the folder again",
    ):
        sg.from_pretrained(copy)


@pytest.mark.parametrize(
    "content", [None, "", '{"generator', "[]", "3", "{}", '{"generator.keras": ""}']
)
def test_without_a_whole_manifest_nothing_is_loaded(copy, content):
    (copy / "manifest.json").unlink()
    if content is not None:
        (copy / "manifest.json").write_text(content)
    with pytest.raises(
        ValueError,
        match="copy holds no trained models .*; expected a folder written by save_pretrained or a finished run",
    ):
        sg.from_pretrained(copy)


def test_parts_that_do_not_fit_are_refused_and_nothing_is_written(tmp_path, players):
    generator, _, tokenizer = players
    _, foreign, other = make_models(7)
    with pytest.raises(ValueError, match="The tokenizer knows 10 tokens and the generator 9"):
        sg.save_pretrained(tmp_path / "new", generator, other)
    with pytest.raises(
        ValueError, match="generator's vocabulary_size is 9 and the discriminator's 10"
    ):
        sg.save_pretrained(tmp_path / "new", generator, tokenizer, foreign)
    assert not any(tmp_path.iterdir())
