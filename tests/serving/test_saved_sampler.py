"""Claims about tfseqgan.served: an exported sampler in Python is the generator it was made of, and a damaged one is named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from serving_models import LENGTH, PROMPT, export

import tfseqgan as sg
from tfseqgan.evaluation.evaluate import draw
from tfseqgan.serving.saved_sampler import newest_version

OPTIONS = [{}, {"temperature": 0.6}, {"top_k": 4}, {"temperature": 1.7, "top_k": 9, "top_p": 0.7}]
END = 2


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Samples of twelve tokens that begin with the start token, and a discriminator."""
    return export(tmp_path_factory.mktemp("exported"), num_candidates=2)


@pytest.fixture(scope="module")
def endless(tmp_path_factory):
    """Samples that begin with nothing and never end, as those of tokens that were published as windows."""
    return export(tmp_path_factory.mktemp("endless"), prompt=(), end_token_id=None, judged=False)


@pytest.fixture(scope="module")
def samplers(exported, endless):
    """Both, as exported and as loaded."""
    return {
        "exported": (exported, sg.SavedSampler(exported.folder.parent)),
        "endless": (endless, sg.SavedSampler(endless.folder.parent)),
    }


@pytest.fixture
def copy(tmp_path, exported):
    """A copy of an exported version to maltreat."""
    return Path(shutil.copytree(exported.folder, tmp_path / "model" / "1"))


def make_data(rows, width, ends):
    """Returns random windows; where they end, some of them are padded behind their end."""
    rng = np.random.default_rng(rows)
    data = rng.integers(3, 43, (rows, width)).astype(np.int32)
    for row, end in zip(data, rng.integers(1, 2 * width, rows)):
        if ends and end < width:
            row[end], row[end + 1 :] = END, 0
    return data


# ---- the same as the models


@pytest.mark.parametrize("name, prompt", [("exported", PROMPT), ("endless", None)])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_generate_gives_what_the_generator_gives_for_the_exported_prompt(
    samplers, name, prompt, options
):
    made, sampler = samplers[name]
    for seed in (0, (-5, 3)):
        expected = made.generator.generate(7, LENGTH, prompt=prompt, seed=seed, **options)
        assert sampler.generate(7, seed=seed, **options).tolist() == expected.tolist()
        shorter = made.generator.generate(7, 5, prompt=prompt, seed=seed, **options)
        assert sampler.generate(7, 5, seed=seed, **options).tolist() == shorter.tolist()


def test_without_a_seed_every_call_gives_others(samplers):
    sampler = samplers["exported"][1]
    assert sampler.generate(4).tolist() != sampler.generate(4).tolist()


@pytest.mark.parametrize("name", ["exported", "endless"])
@pytest.mark.parametrize("width, num_samples", [(LENGTH, None), (7, 300)])
def test_evaluate_gives_what_evaluate_of_the_models_gives(samplers, name, width, num_samples):
    made, sampler = samplers[name]
    data = make_data(17, width, ends=name == "exported")
    tokens, nlls = draw(made.generator, num_samples or 17, width, 5)
    found, found_nlls = sampler._draw_windows(num_samples or 17, width, 5)
    assert found.tolist() == tokens.tolist()
    np.testing.assert_allclose(found_nlls, nlls, rtol=1e-6)
    expected = sg.evaluate(
        made.generator, made.discriminator, data, num_samples=num_samples, seed=5
    )
    columns = sampler.evaluate(data, num_samples=num_samples, seed=5)
    assert columns.keys() == expected.keys() and ("auc" in columns) == (name == "exported")
    for key, value in expected.items():
        assert columns[key] == pytest.approx(value, abs=1e-6, rel=1e-6, nan_ok=True), key


def test_the_sampler_knows_its_length_its_end_its_tokenizer_and_its_card(samplers):
    for name, end, prompt in (("exported", END, [1]), ("endless", None, [])):
        made, sampler = samplers[name]
        assert (sampler.length, sampler.end_token_id, sampler.tokenizer) == (
            LENGTH,
            end,
            made.tokenizer,
        )
        assert sampler.card["end_token_id"] == end and sampler.card["prompt"] == prompt


# ---- what is refused


@pytest.mark.parametrize(
    "arguments, options, words",
    [
        ((0,), {}, "num_sequences and length must be 1 or more"),
        ((2, 0), {}, "num_sequences and length must be 1 or more"),
        ((2, -3), {}, "num_sequences and length must be 1 or more"),
        (
            (2, LENGTH + 1),
            {},
            "length is 13 and the model was exported with 12; expected at most as many",
        ),
        ((2,), {"temperature": 0}, "temperature must be a positive number"),
        ((2,), {"top_k": 0}, "top_k must be 1 or more"),
        ((2,), {"top_p": 0.0}, r"top_p must lie in \(0, 1\]"),
    ],
)
def test_generate_refuses_what_the_generator_refuses(samplers, arguments, options, words):
    with pytest.raises(ValueError, match=words):
        samplers["exported"][1].generate(*arguments, **options)


@pytest.mark.parametrize(
    "data, options, words",
    [
        (
            np.full((2, LENGTH + 1), 5),
            {},
            "data holds windows of 13 tokens, the model samples 12; expected at most as many",
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
def test_data_that_does_not_fit_the_model_is_refused(samplers, data, options, words):
    with pytest.raises(ValueError, match=words):
        samplers["exported"][1].evaluate(data, **options)


# ---- the folder


def test_the_newest_version_is_the_highest_number_and_never_a_part(tmp_path):
    for name in ("2", "10", "9", ".11.4242.partial", "12", "latest", "²"):
        (tmp_path / name).mkdir()
        if name != "12":  # no model yet
            (tmp_path / name / "saved_model.pb").write_bytes(b"")
    assert newest_version(tmp_path) == tmp_path / "10"
    assert newest_version(str(tmp_path / "2")) == tmp_path / "2"


def test_a_half_written_version_is_no_version(tmp_path):
    (tmp_path / ".1.4242.partial" / "model").mkdir(parents=True)
    (tmp_path / ".1.4242.partial" / "model" / "saved_model.pb").write_bytes(b"half")
    assert newest_version(tmp_path) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda path: None,
        lambda path: path.mkdir(),
        lambda path: path.write_text("x"),
        lambda path: (path / "1").mkdir(parents=True),
    ],
)
def test_a_place_without_a_model_is_told_so(tmp_path, make):
    make(tmp_path / "model")
    with pytest.raises(
        ValueError,
        match="model holds no exported model; expected numbered versions with a saved_model.pb",
    ):
        sg.SavedSampler(tmp_path / "model")


def cut(path):
    """Keeps the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    """Leaves nothing of what a file holds."""
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, empty, Path.unlink], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize(
    "file, words",
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
def test_a_damaged_file_is_named(copy, file, words, damage):
    damage(copy / file)
    with pytest.raises(ValueError, match=words) as caught:
        sg.SavedSampler(copy.parent)
    assert "; expected " in str(caught.value)


@pytest.mark.parametrize("content", ["[]", '{"end_token_id": 2}'])
def test_a_card_that_is_none_is_named(copy, content):
    (copy / "assets.extra" / "card.json").write_text(content)
    with pytest.raises(
        ValueError,
        match="card.json is missing or damaged .*; expected the card that export_saved_model wrote",
    ):
        sg.SavedSampler(copy.parent)


def test_a_damaged_tokenizer_is_named(copy):
    (copy / "assets" / "tokenizer.json").write_text(json.dumps({"events": []}))
    with pytest.raises(ValueError, match="assets/tokenizer.json is not a whole tokenizer file"):
        sg.SavedSampler(copy.parent)


def test_a_saved_model_of_others_is_told_apart(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "1"))
    with pytest.raises(
        ValueError,
        match="1/saved_model.pb has no signature continue, sample, score; expected a model that export_saved_model wrote",
    ):
        sg.SavedSampler(tmp_path)
