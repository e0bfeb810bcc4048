"""A generator of one's own, written against the protocol, does what the library's own ones do."""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import END, PAD, V, assert_same, make_discriminator, make_tokens, snapshot

import tfseqgan as sg
from tfseqgan.models.decoding import complete_prefixes
from tfseqgan.training.steps import AdversarialSteps

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "07_generator_of_your_own.py"
TOKENS = make_tokens(4, rows=6)


def load_example():
    """Returns the example as a module: its name is no name of a module."""
    spec = importlib.util.spec_from_file_location("example_07", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    return module


GRUGenerator = load_example().GRUGenerator


def make_gru(seed=1, **options):
    """Returns a tiny compiled GRU generator whose weights are not small."""
    keras.utils.set_random_seed(seed)
    defaults = {"units": 6, "dropout": 0.3, "pad_token_id": PAD, "end_token_id": END}
    generator = GRUGenerator(V, **defaults | options)
    for weight in generator.trainable_variables:
        weight.assign(3 * weight)
    generator.compile(sg.Adam(0.01))

    return generator


def test_samples_of_ones_own_generator_have_the_likelihood_that_it_gives_them():
    policy = sg.Policy(make_gru())

    tokens, log_probs, _ = policy.sample(5, length=7, seed=0)

    np.testing.assert_allclose(log_probs, policy.log_prob(tokens), atol=1e-5)


@pytest.fixture
def mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("mixed_precision")
def test_in_mixed_precision_it_samples_what_it_scores():
    generator = make_gru()
    policy = sg.Policy(generator)

    tokens, log_probs, _ = policy.sample(5, length=7, seed=0)

    assert generator(TOKENS).dtype == generator.token_log_probs(TOKENS).dtype == tf.float32
    assert generator.gru.cell.compute_dtype == "bfloat16"
    np.testing.assert_allclose(log_probs, policy.log_prob(tokens), atol=0.05)


def test_its_steps_from_any_prefix_give_the_logits_of_the_whole_sequence():
    generator = make_gru()
    logits = generator(TOKENS)
    states = generator.prefix_states(tf.constant(TOKENS, tf.int32))

    for length in range(1, TOKENS.shape[1]):
        found, _ = generator.next_logits(None, states(length), TOKENS[:, length - 1])
        np.testing.assert_allclose(found, logits[:, length], atol=1e-5)


def test_its_rollouts_begin_with_their_prefix():
    tokens = tf.constant(TOKENS, tf.int32)

    completed = complete_prefixes(make_gru(), tokens, 3, every=1, seed=tf.constant([0, 0]))

    for index, completions in enumerate(completed):
        prefix = np.broadcast_to(tokens[:, : index + 1], [3, 6, index + 1])
        np.testing.assert_array_equal(completions[..., : index + 1], prefix)


def test_the_prior_is_a_generator_of_the_same_class_that_does_not_follow():
    generator = make_gru()
    expected = generator.token_log_probs(TOKENS)

    prior = AdversarialSteps(generator, make_discriminator(), sg.kl_control()).prior.generator
    for weight in generator.trainable_variables:
        weight.assign(2 * weight)

    assert type(prior) is type(generator)
    assert prior.trainable_variables == []
    np.testing.assert_array_equal(prior.token_log_probs(TOKENS), expected)


@pytest.mark.slow
def test_training_with_a_prior_resumes_with_ones_own_generator_to_the_bit(tmp_path):
    def train(folder, rounds):
        generator = make_gru()
        discriminator = make_discriminator()
        discriminator.compile(sg.Adam(0.01))
        history = sg.fit_adversarial(
            generator,
            discriminator,
            TOKENS,
            sg.kl_control(),
            rounds=rounds,
            discriminator_steps=1,
            batch_size=3,
            discriminator_batch_size=4,
            validation_data=TOKENS,
            checkpoint_dir=tmp_path / folder,
            seed=0,
            verbose=0,
        )
        return snapshot(generator, discriminator), history.history

    start = snapshot(make_gru())
    expected, figures = train("whole", rounds=3)
    train("stopped", rounds=1)
    resumed, again = train("stopped", rounds=3)

    assert not np.array_equal(start[0], expected[0])
    assert_same(resumed, expected)
    assert_same(again, figures)


@pytest.mark.slow
def test_pretrain_repeats_and_lowers_the_nll_of_ones_own_generator():
    def train(seed):
        generator = make_gru()
        options = {"epochs": 8, "batch_size": 4, "bucket_by_length": True}
        history = sg.pretrain(
            generator, TOKENS, validation_data=TOKENS, seed=seed, verbose=0, **options
        )
        return snapshot(generator), history.history["val_nll"]

    first, nlls = train(seed=0)
    again, _ = train(seed=0)
    other, _ = train(seed=5)

    assert nlls[-1] < nlls[0] - 0.1
    assert_same(first, again)
    assert not np.array_equal(first[0], other[0])


def test_layers_of_dropout_are_seeded_apart_and_repeat():
    class TwoDropouts(sg.SequenceModel):
        def __init__(self):
            super().__init__(V, pad_token_id=PAD, end_token_id=END)
            self.layers_of_dropout = [keras.layers.Dropout(0.5) for _ in range(2)]

        def drop(self, seed):
            self.seed_dropout(seed)
            ones = tf.ones([64])
            return [layer(ones, training=True).numpy() for layer in self.layers_of_dropout]

    model = TwoDropouts()
    first, second = model.drop((3, 4))

    assert not np.array_equal(first, second)
    assert_same(model.drop((3, 4)), [first, second])
    assert not np.array_equal(model.drop((5, 4))[0], first)


def test_a_keras_file_gives_ones_own_generator_again(tmp_path):
    generator = make_gru()
    generator.save(tmp_path / "own.keras")

    loaded = keras.models.load_model(tmp_path / "own.keras", compile=False)

    assert type(loaded) is type(generator)
    np.testing.assert_array_equal(loaded(TOKENS), generator(TOKENS))


@pytest.mark.slow
def test_an_exported_sampler_of_ones_own_generator_samples_what_it_samples(tmp_path):
    generator = make_gru()
    tokenizer = sg.Tokenizer([(24 * n, (4,), (0,), 0, (), ()) for n in range(1, V - 2)])
    folder = sg.export_saved_model(generator, tokenizer, tmp_path, length=5)

    sampled = tf.saved_model.load(str(folder)).signatures["sample"](
        seed=tf.constant([[7, 0], [7, 1]]),
        temperature=tf.ones([2]),
        top_k=tf.zeros([2], tf.int32),
        top_p=tf.ones([2]),
    )

    expected = generator.generate(2, length=5, seed=7)
    np.testing.assert_array_equal(sampled["tokens"], expected)
    in_python = sg.SavedSampler(tmp_path).generate(2, seed=7)
    np.testing.assert_array_equal(in_python, expected)


def test_guidance_is_refused_where_no_controls_are_read():
    with pytest.raises(ValueError, match="reads no controls"):
        make_gru().generate(1, length=4, guidance=0.5)


def test_a_model_that_is_no_generator_is_refused_by_what_it_lacks():
    model = keras.Sequential([keras.layers.Dense(V)])
    model.compile("adam")

    for call in (
        lambda: sg.pretrain(model, TOKENS, verbose=0),
        lambda: sg.fit_adversarial(model, make_discriminator(), TOKENS, verbose=0),
        lambda: sg.evaluate(model, None, TOKENS),
    ):
        with pytest.raises(
            TypeError, match=r"Sequential .* lacks .*token_log_probs, .*SequenceModel"
        ):
            call()


def test_a_configuration_that_does_not_make_the_generator_again_is_named():
    class Forgetful(GRUGenerator):
        def get_config(self):
            return super().get_config() | {"units": 9}

    generator = Forgetful(V, units=6, pad_token_id=PAD, end_token_id=END)

    with pytest.raises(TypeError, match=r"Forgetful.get_config\(\) does not make the same"):
        AdversarialSteps(generator, make_discriminator(), sg.kl_control())
