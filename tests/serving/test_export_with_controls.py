"""Exported samplers of tunes that say what they are: asked for, drawn, guided."""

import numpy as np
import pytest
import tensorflow as tf
from serving_models import c_request, from_json, run_loader
from tiny_models import CONTROLLED, make_generator_with_controls

import tfseqgan as sg
from tfseqgan.music.controls import Controls
from tfseqgan.ops.sampling import row_seeds

pytestmark = pytest.mark.serving

B, LENGTH = 5, 14


@pytest.fixture(scope="module")
def generator():
    return make_generator_with_controls("attention")


@pytest.fixture(scope="module")
def folder(generator, tmp_path_factory):
    discriminator = sg.Discriminator(
        CONTROLLED.vocabulary_size, embedding_dim=4, filters=3, kernel_sizes=(2,)
    )

    return sg.export_saved_model(
        generator,
        CONTROLLED,
        tmp_path_factory.mktemp("sampler"),
        discriminator=discriminator,
        length=LENGTH,
        prompt=[CONTROLLED.start_token_id],
        num_candidates=3,
        card={"sampling": {"temperature": 0.8, "top_p": 0.9, "guidance": 0.5}},
    )


@pytest.fixture(scope="module")
def sampler(folder):
    return sg.SavedSampler(folder)


@pytest.fixture(scope="module")
def signatures(folder):
    return tf.saved_model.load(str(folder)).signatures


def request(num_rows, controls=(0, 0, 0, 0), guidance=0.0, seed=3):
    return {
        "seed": row_seeds(seed, num_rows),
        "temperature": tf.ones([num_rows]),
        "top_k": tf.zeros([num_rows], tf.int32),
        "top_p": tf.ones([num_rows]),
        "guidance": tf.fill([num_rows], guidance),
        "controls": tf.constant([controls] * num_rows),
    }


@pytest.mark.parametrize("guidance", [None, 1.5])
def test_an_exported_sampler_gives_the_tokens_of_the_generator(generator, sampler, guidance):
    asked = Controls(key="G", rhythm="reel")
    prompts = CONTROLLED.prompts(B, asked, seed=7)
    expected = generator.generate(B, LENGTH, prompt=prompts, seed=7, guidance=guidance)

    found = sampler.generate(
        B, controls=asked, seed=7, temperature=1.0, top_p=1.0, guidance=guidance or 0.0
    )

    np.testing.assert_array_equal(found, expected)


def test_what_is_not_asked_for_is_drawn_and_not_unknown(sampler):
    tokens = sampler.generate(40, seed=1)

    codes = CONTROLLED.token_controls[tokens[:, 1:5], 1]
    np.testing.assert_array_equal(codes, CONTROLLED.controls.draw([0] * 4, row_seeds(1, 40)))
    assert (codes[:, 0] > 0).all()


def test_what_the_card_recommends_is_the_default(sampler):
    named = sampler.generate(B, seed=2, temperature=0.8, top_p=0.9, guidance=0.5)

    np.testing.assert_array_equal(sampler.generate(B, seed=2), named)
    assert not np.array_equal(sampler.generate(B, seed=2, temperature=1.0), named)


def test_a_guided_row_does_not_depend_on_the_others(signatures):
    many = signatures["sample"](**request(9, guidance=2.0))["tokens"].numpy()

    mixed = request(9)
    mixed["guidance"] = tf.constant([2.0] + 8 * [0.0])
    np.testing.assert_array_equal(signatures["sample"](**mixed)["tokens"][0], many[0])
    np.testing.assert_array_equal(
        signatures["sample"](**request(2, guidance=2.0))["tokens"], many[:2]
    )


def test_the_best_of_several_candidates_say_the_same_controls(signatures):
    outputs = signatures["sample_best"](**request(4, controls=(1, 3, 0, 1)))

    codes = CONTROLLED.token_controls[outputs["tokens"].numpy()[:, 1:5], 1]
    assert (codes[:, [0, 1, 3]] == [1, 3, 1]).all()
    assert outputs["logits"].shape == (4,)


def test_a_prompt_of_ones_own_is_continued_with_guidance(generator, signatures):
    prompts = CONTROLLED.prompts(3, Controls(key="Em"), seed=5)
    inputs = request(3, guidance=1.0, seed=5)
    del inputs["controls"]

    outputs = signatures["continue"](
        prompt=tf.constant(prompts), prompt_length=tf.fill([3], 5), **inputs
    )

    expected = generator.generate(3, LENGTH, prompt=prompts, seed=5, guidance=1.0)
    np.testing.assert_array_equal(outputs["tokens"], expected)


@pytest.mark.processes
def test_the_c_api_gives_the_tokens_that_python_gives(folder, signatures):
    asked = [request(5, controls=(1, 4, 0, 1), guidance=1.0), request(3)]

    answers = run_loader(
        "serving_c_loader.py", folder, [c_request(folder, "sample", inputs) for inputs in asked]
    )

    for inputs, answer in zip(asked, answers, strict=True):
        found = from_json(["lengths", "log_probs", "tokens"], answer)
        np.testing.assert_array_equal(found["tokens"], signatures["sample"](**inputs)["tokens"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"controls": (0, 25, 0, 0)}, "controls: codes of metre, key, bars and rhythm must lie"),
        ({"controls": (-1, 0, 0, 0)}, "controls: codes"),
        ({"guidance": -1.0}, "guidance: must be 0"),
        ({"guidance": float("nan")}, "guidance: must be 0"),
    ],
)
def test_a_request_out_of_range_names_its_input(signatures, change, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        signatures["sample"](**request(2, **change))


def test_only_the_start_token_can_stand_before_controls(generator, tmp_path):
    with pytest.raises(ValueError, match="Controls stand after the start token"):
        sg.export_saved_model(generator, CONTROLLED, tmp_path / "sampler", length=LENGTH)


def test_a_sampler_without_controls_cannot_be_asked_for_any(tmp_path):
    tokenizer = sg.Tokenizer(CONTROLLED.events, interleave=True)
    generator = sg.Generator(tokenizer.vocabulary_size, embedding_dim=4, units=6)
    sampler = sg.SavedSampler(
        sg.export_saved_model(generator, tokenizer, tmp_path / "sampler", length=LENGTH)
    )

    with pytest.raises(ValueError, match="cannot be asked for"):
        sampler.generate(2, controls=Controls(key="D"))
    with pytest.raises(ValueError, match="the model reads no controls"):
        sampler.generate(2, guidance=0.5)
