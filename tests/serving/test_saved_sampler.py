"""An exported sampler in Python gives what the generator gives; damage to it is named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from serving_models import LENGTH, PROMPT, export

import tfseqgan as sg
from tfseqgan.evaluation.evaluate import sample_with_nll
from tfseqgan.serving.saved_sampler import newest_version

pytestmark = pytest.mark.serving

END = 2
OPTIONS = [
    {},
    {"temperature": 0.6},
    {"top_k": 4},
    {"temperature": 1.7, "top_k": 9, "top_p": 0.7},
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Returns a model whose samples begin with the start token, with a discriminator."""
    return export(tmp_path_factory.mktemp("exported"), num_candidates=2)


@pytest.fixture(scope="module")
def endless(tmp_path_factory):
    """Returns a model whose samples have no prompt and no end, without a discriminator."""
    folder = tmp_path_factory.mktemp("endless")

    return export(folder, prompt=(), end_token_id=None, has_discriminator=False)


@pytest.fixture(scope="module")
def models(exported, endless):
    """Returns both models as they were exported, by name."""
    return {"exported": exported, "endless": endless}


@pytest.fixture(scope="module")
def samplers(models):
    """Returns the loaded samplers, by name."""
    return {name: sg.SavedSampler(model.folder.parent) for name, model in models.items()}


@pytest.fixture
def copy(tmp_path, exported):
    """Returns a copy of an exported version, to damage."""
    return Path(shutil.copytree(exported.folder, tmp_path / "model" / "1"))


def make_data(num_rows, width, has_end):
    """Returns random windows; if they have an end token, some of them are padded after it."""
    rng = np.random.default_rng(num_rows)
    data = rng.integers(3, 43, (num_rows, width)).astype(np.int32)
    for row, end in zip(data, rng.integers(1, 2 * width, num_rows), strict=True):
        if has_end and end < width:
            row[end] = END
            row[end + 1 :] = 0

    return data


# ---- the same as the models


@pytest.mark.slow
@pytest.mark.parametrize("name, prompt", [("exported", PROMPT), ("endless", None)])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("seed", [0, (-5, 3)], ids=str)
def test_generate_gives_what_the_generator_gives_for_the_exported_prompt(
    models, samplers, name, prompt, options, seed
):
    generator = models[name].generator
    sampler = samplers[name]

    expected = generator.generate(7, LENGTH, prompt=prompt, seed=seed, **options)
    shorter = generator.generate(7, 5, prompt=prompt, seed=seed, **options)

    assert sampler.generate(7, seed=seed, **options).tolist() == expected.tolist()
    assert sampler.generate(7, 5, seed=seed, **options).tolist() == shorter.tolist()


@pytest.mark.slow
def test_without_a_seed_every_call_gives_other_samples(samplers):
    sampler = samplers["exported"]

    assert sampler.generate(4).tolist() != sampler.generate(4).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["exported", "endless"])
@pytest.mark.parametrize("width, num_samples", [(LENGTH, 17), (7, 300)])
def test_windows_are_the_samples_of_the_generator_and_so_is_their_nll(
    models, samplers, name, width, num_samples
):
    expected, expected_nlls = sample_with_nll(models[name].generator, num_samples, width, 5)

    tokens, nlls = samplers[name]._sample_windows(num_samples, width, 5)

    assert tokens.tolist() == expected.tolist()
    np.testing.assert_allclose(nlls, expected_nlls, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["exported", "endless"])
@pytest.mark.parametrize("width, num_samples", [(LENGTH, None), (7, 300)])
def test_evaluate_gives_what_evaluate_of_the_models_gives(
    models, samplers, name, width, num_samples
):
    model = models[name]
    data = make_data(17, width, has_end=name == "exported")
    expected = sg.evaluate(
        model.generator, model.discriminator, data, num_samples=num_samples, seed=5
    )

    columns = samplers[name].evaluate(data, num_samples=num_samples, seed=5)

    assert columns.keys() == expected.keys()
    assert ("auc" in columns) == (name == "exported")
    for key, value in expected.items():
        assert columns[key] == pytest.approx(value, abs=1e-6, rel=1e-6, nan_ok=True), key


@pytest.mark.slow
@pytest.mark.parametrize("name, end, prompt", [("exported", END, [1]), ("endless", None, [])])
def test_the_sampler_has_the_length_end_token_tokenizer_and_card_that_were_exported(
    models, samplers, name, end, prompt
):
    sampler = samplers[name]

    assert sampler.length == LENGTH
    assert sampler.end_token_id == end
    assert sampler.tokenizer == models[name].tokenizer
    assert sampler.card["end_token_id"] == end
    assert sampler.card["prompt"] == prompt


@pytest.mark.slow
def test_numpys_integers_are_taken_as_pythons(samplers):
    sampler = samplers["exported"]

    found = sampler.generate(np.int64(3), np.int32(5), top_k=np.int64(2), seed=np.int64(1))

    assert found.tolist() == sampler.generate(3, 5, top_k=2, seed=1).tolist()


# ---- what is refused


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments, options, message",
    [
        ((0,), {}, "num_sequences and length must be 1 or more"),
        ((2, 0), {}, "num_sequences and length must be 1 or more"),
        ((2, -3), {}, "num_sequences and length must be 1 or more"),
        ((2, LENGTH + 1), {}, "length is 13 and the model was exported with 12; expected at most"),
        ((2,), {"temperature": 0}, "temperature must be a positive number"),
        ((2,), {"top_k": 0}, "top_k must be 1 or more"),
        ((2,), {"top_p": 0.0}, r"top_p must lie in \(0, 1\]"),
        ((2,), {"temperature": 1e-46}, "temperature must be a positive number, received 1e-46"),
        ((2,), {"temperature": 1e-40}, "temperature must be a positive number, received 1e-40"),
        ((2,), {"top_p": 1e-46}, r"top_p must lie in \(0, 1\], received 1e-46"),
        ((2,), {"top_k": 2**31}, "top_k must be at most 2147483647"),
        ((2, 10**13), {}, "length = 10000000000000 needs about .* of memory"),
        ((2,), {"seed": 1.5}, "seed must be a whole number, received 1.5"),
    ],
)
def test_generate_refuses_what_the_generator_refuses(samplers, arguments, options, message):
    with pytest.raises(ValueError, match=message):
        samplers["exported"].generate(*arguments, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    "data, options, message",
    [
        (
            np.full((2, LENGTH + 1), 5),
            {},
            "data holds windows of 13 tokens and the model samples 12; expected at most as many",
        ),
        (np.full((2, 4), 43), {}, "data holds tokens from 43 to 43, expected 0 to 42"),
        (np.zeros((0, 4), np.int32), {}, "data must be integer tokens"),
        (
            np.full((2, 4), 5),
            {"num_samples": 0},
            "num_samples must be a whole number of 1 or more, received 0",
        ),
    ],
)
def test_data_that_does_not_fit_the_model_is_refused(samplers, data, options, message):
    with pytest.raises(ValueError, match=message):
        samplers["exported"].evaluate(data, **options)


# ---- the folder


def test_the_newest_version_is_the_highest_number_that_holds_a_model(tmp_path):
    for name in ("2", "10", "9", ".11.4242.partial", "12", "latest", "²"):
        (tmp_path / name).mkdir()
        if name != "12":
            (tmp_path / name / "saved_model.pb").write_bytes(b"")

    assert newest_version(tmp_path) == tmp_path / "10"
    assert newest_version(str(tmp_path / "2")) == tmp_path / "2"


def test_a_half_written_version_is_no_version(tmp_path):
    partial = tmp_path / ".1.4242.partial" / "model"
    partial.mkdir(parents=True)
    (partial / "saved_model.pb").write_bytes(b"half")

    assert newest_version(tmp_path) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda path: None,
        lambda path: path.mkdir(),
        lambda path: path.write_text("x"),
        lambda path: (path / "1").mkdir(parents=True),
    ],
    ids=["missing", "empty", "a file", "an empty version"],
)
def test_a_path_without_a_model_is_refused(tmp_path, make):
    make(tmp_path / "model")

    message = "model holds no exported model; expected numbered versions with a saved_model.pb"
    with pytest.raises(ValueError, match=message):
        sg.SavedSampler(tmp_path / "model")


def cut(path):
    """Keeps the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    """Empties a file."""
    path.write_bytes(b"")


@pytest.mark.slow
@pytest.mark.parametrize("damage", [cut, empty, Path.unlink], ids=["cut", "empty", "missing"])
@pytest.mark.parametrize(
    "file, message",
    [
        (
            "variables/variables.data-00000-of-00001",
            r"1/saved_model.pb or \S*1/variables is damaged",
        ),
        ("variables/variables.index", r"1/saved_model.pb or \S*1/variables is damaged"),
        (
            "saved_model.pb",
            r"1/saved_model.pb or \S*1/variables is damaged|model holds no exported model",
        ),
        ("assets.extra/card.json", "1/assets.extra/card.json is missing or damaged"),
    ],
)
def test_the_error_names_a_damaged_file(copy, file, message, damage):
    damage(copy / file)

    with pytest.raises(ValueError, match=message) as caught:
        sg.SavedSampler(copy.parent)

    assert "; expected " in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("content", ["[]", '{"end_token_id": 2}'])
def test_the_error_names_a_card_that_lacks_what_is_needed(copy, content):
    (copy / "assets.extra" / "card.json").write_text(content)

    message = "card.json is missing or damaged .*; expected the card that export_saved_model wrote"
    with pytest.raises(ValueError, match=message):
        sg.SavedSampler(copy.parent)


@pytest.mark.slow
def test_the_error_names_a_damaged_tokenizer(copy):
    (copy / "assets" / "tokenizer.json").write_text(json.dumps({"events": []}))

    with pytest.raises(ValueError, match="assets/tokenizer.json is not a whole tokenizer file"):
        sg.SavedSampler(copy.parent)


def test_a_saved_model_that_export_did_not_write_is_refused(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "1"))

    message = (
        "1/saved_model.pb has no signature continue, sample, score; "
        "expected a model that export_saved_model wrote"
    )
    with pytest.raises(ValueError, match=message):
        sg.SavedSampler(tmp_path)
