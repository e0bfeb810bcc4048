"""benchmarks/torch_peer.py computes what the library computes: the same weights give the same losses, logits and steps; its worker answers."""

import importlib.util
import io
import json
import runpy
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import FEATURES, V, make_discriminator, make_generator

from tfseqgan.models.policy import Policy
from tfseqgan.objectives.recipes import reinforce
from tfseqgan.training.steps import gradient_step

torch = pytest.importorskip("torch", reason="the peer of the benchmarks is the extra 'bench'")
FILE = Path(__file__).resolve().parents[1] / "benchmarks" / "torch_peer.py"
SPEC = importlib.util.spec_from_file_location("torch_peer", FILE)
peer = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(peer)

B, T, STEPS, RATE = 4, 6, 3, 1e-2
EPSILON = 1e-3  # large, so that a gradient which is nothing but rounding moves no weight
CONFIGURATION = {
    "batch_size": B,
    "length": T,
    "vocabulary_size": V,
    "units": 5,
    "embedding_dim": 3,
    "parts": FEATURES.tolist(),
    "factored_embedding_dim": 4,
    "filters": 2,
    "kernel_sizes": [3, 3],
    "discriminator_batch_size": 4,
    "discriminator_embedding_dim": 3,
    "threads": 1,
}
both_generators = pytest.mark.parametrize("features", [None, FEATURES], ids=["table", "factored"])


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def shake(model):
    """Gives every weight of a Keras model a value that is neither zero nor small, so that gradients are clipped."""
    rng = np.random.default_rng(7)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(scale=0.8, size=weight.shape))


def torch_order(weight):
    """Returns a Keras kernel as PyTorch keeps it: dense and LSTM kernels [in, out] → [out, in], those of a convolution [W, D, F] → [F, D, W]."""
    return np.array(weight).T


def generator_pairs(ours, twin):
    """Returns (our weight as PyTorch keeps it, the twin's) for every weight; both order the gates as i, f, candidate, o."""
    kernel, recurrent, bias = ours.lstm.trainable_weights
    pairs = [
        (np.array(ours.embedding.own), twin.embedding.own.weight),
        (torch_order(kernel), twin.lstm.weight_ih_l0),
        (torch_order(recurrent), twin.lstm.weight_hh_l0),
        (np.array(bias), twin.lstm.bias_ih_l0),
        (torch_order(ours.projection.kernel), twin.projection.weight),
        (np.array(ours.projection.bias), twin.projection.bias),
        (np.array(ours.opening), twin.opening),
    ]
    pairs += [
        (np.array(part), other.weight)
        for part, other in zip(ours.embedding.parts, twin.embedding.parts, strict=True)
    ]
    return pairs + ([] if twin.bias is None else [(np.array(ours.bias), twin.bias)])


def discriminator_pairs(ours, twin):
    """Returns (our weight as PyTorch keeps it, the twin's) for every weight."""
    pairs = [(np.array(ours.embedding.own), twin.embedding.weight)]
    layers = [*ours.convolutions, ours.highway.transform, ours.highway.gate, ours.output_layer]
    for layer, other in zip(
        layers, [*twin.convolutions, twin.transform, twin.gate, twin.output_layer], strict=True
    ):
        pairs += [(torch_order(layer.kernel), other.weight), (np.array(layer.bias), other.bias)]
    return pairs


def copy(pairs):
    """Sets the twin's weights to ours; every one of its trained weights is among the pairs."""
    with torch.no_grad():
        for ours, theirs in pairs:
            assert ours.shape == tuple(theirs.shape)
            theirs.copy_(torch.from_numpy(ours.copy()))


def trained(model):
    """Returns the weights of a PyTorch model that are trained."""
    return [weight for weight in model.parameters() if weight.requires_grad]


def generators(features, embedding_dim=4, units=6):
    """Returns a generator and its twin of the same weights."""
    ours = make_generator(
        token_features=features,
        embedding_dim=embedding_dim,
        units=units,
        dropout=0.0,
        end_token_id=None,
    )
    shake(ours)
    twin = peer.Generator(
        V, embedding_dim, units, None if features is None else torch.tensor(features)
    )
    pairs = generator_pairs(ours, twin)
    assert len(pairs) == len(trained(twin)) == len(ours.trainable_weights)
    copy(pairs)
    return ours, twin


def discriminators(kernel_sizes=(3, 3, 2), filters=5, embedding_dim=4):
    """Returns a discriminator and its twin of the same weights, dropout 0."""
    ours = make_discriminator(
        token_features=None,
        embedding_dim=embedding_dim,
        filters=filters,
        kernel_sizes=kernel_sizes,
        dropout=0.0,
        l2_weight=0.2,
        end_token_id=None,
    )
    shake(ours)
    twin = peer.Discriminator(V, embedding_dim, filters, kernel_sizes, dropout=0.0)
    pairs = discriminator_pairs(ours, twin)
    assert len(pairs) == len(trained(twin)) == len(ours.trainable_weights)
    copy(pairs)
    return ours, twin


def optimizers(ours, twin, clip_norm):
    """Compiles a Keras model and returns the twin's optimizer."""
    ours.compile(keras.optimizers.Adam(RATE, global_clipnorm=clip_norm))
    return torch.optim.Adam(twin.parameters(), RATE, eps=EPSILON)


def step_of_ours(model, number, loss_of, *data):
    """Makes the step of this number, from 1, down a loss of the model on data; returns the loss and the gradient's norm before clipping."""
    model.optimizer.epsilon = EPSILON * np.sqrt(
        1 - 0.999**number
    )  # Keras adds it before it corrects the bias, PyTorch afterwards
    return tuple(map(float, gradient_step(model, lambda: (loss_of(model, *data), 1.0))))


def batches(rows=B, seed=0):
    """Returns a batch of tokens for each step, int32 [STEPS, rows, T]."""
    return np.random.default_rng(seed).integers(0, V, (STEPS, rows, T)).astype(np.int32)


def advantages():
    """Returns advantages for each step, of which the first are so small that nothing is clipped: [STEPS, B, T]."""
    scales = np.array([0.02, 3, 1])[:, None, None]
    return (np.random.default_rng(1).normal(size=(STEPS, B, T)) * scales).astype(np.float32)


def likelihood_loss(ours, tokens):
    """Returns the library's loss of tokens in maximum likelihood."""
    return ours.nll(tokens, training=True)


def policy_loss(ours, tokens, advantages):
    """Returns the library's loss of tokens whose credit is the advantages: no baseline, no entropy."""
    return (
        reinforce()
        .loss(Policy(ours).log_prob(tokens), tf.constant(advantages), tf.ones(tokens.shape))
        .loss
    )


def discriminator_loss(ours, tokens):
    """Returns the library's loss of B real sequences followed by as many generated ones."""
    return ours.compute_loss(y=np.repeat([1.0, 0.0], B), y_pred=ours(tokens, training=True))


def as_torch(tokens):
    """Returns tokens as PyTorch takes them, int64."""
    return torch.from_numpy(tokens.astype(np.int64))


def assert_weights_alike(pairs):
    """The weights of pairs are equal to a thousandth of a step."""
    for ours, theirs in pairs:
        np.testing.assert_allclose(theirs.detach().numpy(), ours, atol=1e-5, rtol=0)


@both_generators
def test_a_likelihood_step_has_the_same_loss_and_moves_the_weights_alike(features):
    ours, twin = generators(features)
    optimizer = optimizers(ours, twin, clip_norm=0.2)
    before = [weight.detach().clone() for weight in trained(twin)]
    for number, tokens in enumerate(batches(), 1):
        loss, norm = step_of_ours(ours, number, likelihood_loss, tokens)
        assert norm > 0.2
        theirs = peer.gradient_step(
            twin, optimizer, peer.likelihood_loss(twin, as_torch(tokens)), clip_norm=0.2
        )
        np.testing.assert_allclose(theirs, loss, rtol=1e-5)
        assert_weights_alike(generator_pairs(ours, twin))
    assert all((old - new).abs().max() > RATE for old, new in zip(before, trained(twin)))


@both_generators
def test_a_policy_gradient_step_has_the_same_loss_and_moves_the_weights_alike(features):
    ours, twin = generators(features)
    optimizer = optimizers(ours, twin, clip_norm=5.0)
    norms = []
    for number, (tokens, weights) in enumerate(zip(batches(), advantages()), 1):
        loss, norm = step_of_ours(ours, number, policy_loss, tokens, weights)
        norms.append(norm)
        theirs = peer.gradient_step(
            twin,
            optimizer,
            peer.policy_gradient_loss(twin, as_torch(tokens), torch.from_numpy(weights)),
            clip_norm=5.0,
        )
        np.testing.assert_allclose(theirs, loss, rtol=1e-5, atol=1e-5)
        assert_weights_alike(generator_pairs(ours, twin))
    assert norms[0] < 5 < norms[1]


def test_a_discriminator_has_the_same_logits_and_its_step_moves_the_weights_alike():
    ours, twin = discriminators()
    optimizer = optimizers(ours, twin, clip_norm=None)
    for number, (real, generated) in enumerate(zip(batches(), batches(seed=1)), 1):
        both = np.concatenate([real, generated])
        np.testing.assert_allclose(twin(as_torch(both)).detach(), ours(both), rtol=1e-5, atol=1e-5)
        loss, _ = step_of_ours(ours, number, discriminator_loss, both)
        theirs = peer.gradient_step(
            twin, optimizer, peer.discriminator_loss(twin, as_torch(real), as_torch(generated))
        )
        np.testing.assert_allclose(theirs, loss, rtol=1e-5)
        assert_weights_alike(discriminator_pairs(ours, twin))


@both_generators
@pytest.mark.parametrize("draw", peer.DRAWS)
def test_samples_are_tokens_with_the_log_probabilities_of_teacher_forcing(features, draw):
    ours, twin = generators(features)
    tokens, log_probs = peer.sample(twin, *peer.start(twin, 7), T, draw)
    assert tokens.shape == log_probs.shape == (7, T) and 0 <= tokens.min() and tokens.max() < V
    np.testing.assert_allclose(log_probs, twin.log_prob(tokens).detach(), atol=1e-5)
    np.testing.assert_allclose(
        log_probs, Policy(ours).log_prob(tokens.numpy().astype(np.int32)), atol=1e-5
    )


@pytest.mark.parametrize("draw", peer.DRAWS)
def test_tokens_are_drawn_as_often_as_the_model_says(draw):
    _, twin = generators(None)
    count = 20_000
    probabilities = (
        torch.softmax(twin(torch.zeros(1, 1, dtype=torch.int64)), dim=1)[0].detach().numpy()
    )
    shares = (
        np.bincount(peer.sample(twin, *peer.start(twin, count), 1, draw)[0][:, 0], minlength=V)
        / count
    )
    assert (
        np.abs(shares - probabilities)
        < 4 * np.sqrt(probabilities * (1 - probabilities) / count) + 1e-9
    ).all()  # nine tokens, one fixed seed


@both_generators
def test_a_completion_keeps_its_prefix_and_goes_on_from_the_state_behind_it(features):
    _, twin = generators(features)
    tokens = as_torch(batches()[0])
    whole = peer.complete_one_by_one(twin, tokens, [2, 5], num_rollouts=3)
    assert whole.shape == (3, 2, B, T)
    for place, position in enumerate([2, 5]):
        assert (whole[:, place, :, :position] == tokens[:, :position]).all()
        _, log_probs = drawn = peer.sample(
            twin, *peer.start_after(twin, tokens[:, :position]), T - position
        )
        forced = twin.log_prob(torch.cat([tokens[:, :position], drawn[0]], dim=1))[:, position:]
        np.testing.assert_allclose(log_probs, forced.detach(), atol=1e-5)
    assert (whole[0, 0] != whole[1, 0]).any()


def test_the_worker_answers_each_line_with_one(monkeypatch, capsys):
    generators = [
        {"step": step, "generator": name}
        for step in ("sample", "likelihood", "policy_gradient")
        for name in ("table", "factored")
    ]
    requests = [
        {"configure": CONFIGURATION},
        *generators,
        {"step": "sample", "draw": "inverse_cdf"},
        {"step": "discriminator"},
        {"step": "rollouts_one", "positions": [1, 4], "num_rollouts": 2},
        {"step": "matmul", "m": 8, "k": 4, "n": 5, "repeats": 3},
    ]
    monkeypatch.setattr(
        sys, "stdin", io.StringIO("".join(json.dumps(request) + "\n" for request in requests))
    )
    runpy.run_path(str(FILE), run_name="__main__")
    ready, *replies = map(json.loads, capsys.readouterr().out.splitlines())
    assert ready == {"ready": True, "torch": torch.__version__}
    assert len(replies) == len(requests) - 1 and all(
        reply.keys() == {"seconds"} and reply["seconds"] > 0 for reply in replies
    )


@pytest.mark.parametrize("fused_adam", [False, True])
def test_the_steps_of_a_peer_train_its_models(fused_adam):
    trainer = peer.Peer(**CONFIGURATION, fused_adam=fused_adam)
    for step, options in [
        ("likelihood", {"generator": "table"}),
        ("policy_gradient", {"generator": "factored"}),
        ("discriminator", {}),
    ]:
        model = trainer.models[options.get("generator", "discriminator")]
        before = [weight.detach().clone() for weight in trained(model)]
        trainer.seconds(step, **options)
        assert all((old != new).any() for old, new in zip(before, trained(model))), step


def test_a_request_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="configure"):
        peer.serve(['{"step": "sample"}'], print)
    with pytest.raises(ValueError, match="no step 'dream'"):
        peer.Peer(**CONFIGURATION).seconds("dream")
