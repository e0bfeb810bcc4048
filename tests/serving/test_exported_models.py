"""The models of an exported sampler, as Keras models again."""

import json
import shutil

import numpy as np
import pytest
from serving_models import LENGTH, export
from tiny_models import CONTROLLED, make_generator_with_controls

import tfseqgan as sg
from tfseqgan.serving.export import export_saved_model
from tfseqgan.serving.exported_models import load_models
from tfseqgan.serving.shipped import SHIPPED, find_model

pytestmark = pytest.mark.serving


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return export(tmp_path_factory.mktemp("exported"))


@pytest.fixture
def copy(tmp_path, exported):
    """Returns a copy of the exported version, to tamper with."""
    return shutil.copytree(exported.folder, tmp_path / "1")


def change_config(folder, index, **changes):
    path = folder / "assets.extra" / "models.json"
    configs = json.loads(path.read_text())
    configs[index] |= changes
    path.write_text(json.dumps(configs))


def test_generator_and_discriminator_come_back_with_every_weight(exported):
    generator, tokenizer, discriminator = sg.from_pretrained(exported.folder)

    tokens = exported.generator.generate(5, LENGTH, seed=1)
    np.testing.assert_array_equal(generator.generate(5, LENGTH, seed=1), tokens)
    np.testing.assert_array_equal(generator(tokens), exported.generator(tokens))
    np.testing.assert_array_equal(discriminator(tokens), exported.discriminator(tokens))
    assert tokenizer == exported.tokenizer


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lstm", "attention"])
def test_generators_with_controls_come_back_too_and_can_be_trained(tmp_path, kind):
    generator = make_generator_with_controls(kind)
    folder = export_saved_model(
        generator, CONTROLLED, tmp_path, length=12, prompt=[CONTROLLED.start_token_id]
    )

    loaded, _, discriminator = sg.from_pretrained(tmp_path)

    prompts = CONTROLLED.prompts(4, seed=0)
    tokens = generator.generate(4, 12, prompt=prompts, seed=0)
    np.testing.assert_array_equal(loaded.generate(4, 12, prompt=prompts, seed=0), tokens)
    assert discriminator is None
    assert folder.name == "1"
    loaded.compile(sg.Adam(1e-2))
    before = loaded.nll(tokens).numpy()
    loaded.fit(tokens, epochs=2, verbose=0)
    assert loaded.nll(tokens).numpy() < before


def test_a_sampler_has_no_optimizer(exported):
    with pytest.raises(ValueError, match="holds no optimizer; expected compile=False"):
        sg.from_pretrained(exported.folder, compile=True)


def test_a_sampler_that_does_not_say_what_makes_it_is_refused(copy):
    (copy / "assets.extra" / "models.json").unlink()

    with pytest.raises(ValueError, match="does not say what makes its generator"):
        sg.from_pretrained(copy)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"registered_name": "builtins>eval"}, "it holds 'builtins>eval'"),
        ({"registered_name": "tfseqgan>Discriminator"}, "it holds 'tfseqgan>Discriminator'"),
        ({"build_config": {"shapes": {"class_name": "x"}}}, "build_config holds an object"),
        ({"config": None}, "the model's configuration is None"),
    ],
)
def test_what_would_make_another_object_is_refused(copy, changes, words):
    change_config(copy, 0, **changes)

    with pytest.raises(ValueError, match=words):
        load_models(copy)


def test_a_model_larger_than_its_weights_is_refused(copy, exported):
    settings = exported.generator.get_config() | {"units": 10**6}
    change_config(copy, 0, config=settings)

    with pytest.raises(ValueError, match="weights, and it holds"):
        load_models(copy)


def test_weights_of_other_models_are_refused(copy, exported):
    settings = exported.generator.get_config() | {"units": exported.generator.units - 1}
    change_config(copy, 0, config=settings)

    with pytest.raises(ValueError, match="is damaged"):
        load_models(copy)


def test_a_name_is_a_sampler_of_the_package_unless_there_is_such_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in SHIPPED:
        assert find_model(name).is_dir() and find_model(name).is_absolute()
    assert not find_model("a jig").exists()

    tunes = tmp_path / "nottingham"
    tunes.mkdir()
    (tunes / "ashover1.mid").write_bytes(b"")  # as `tfseqgan download` writes them
    assert find_model("nottingham").is_absolute()
    (tunes / "config.json").write_text("{}")
    assert not find_model("nottingham").is_absolute()
