"""benchmarks/torch_peer.py computes what the library computes.

The same weights give the same losses, logits and steps, and the worker answers its requests.

In these tests, `ours` is a Keras model of the library and `peer` is its PyTorch counterpart. Pairs
are (a weight of ours in PyTorch's layout, the same weight of the peer).
"""

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

torch = pytest.importorskip("torch", reason='the PyTorch steps need the extra "bench"')

pytestmark = pytest.mark.slow

FILE = Path(__file__).resolve().parents[1] / "benchmarks" / "torch_peer.py"
SPEC = importlib.util.spec_from_file_location("torch_peer", FILE)
torch_peer = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(torch_peer)

B = 4
T = 6
NUM_STEPS = 3
LEARNING_RATE = 1e-2

# Adam's epsilon is large here, so that a gradient that consists of rounding errors moves no weight.
EPSILON = 1e-3

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


# ---- pairs of models with the same weights


def set_large_weights(model):
    """Gives every weight of a Keras model a large random value, so that gradients are clipped."""
    rng = np.random.default_rng(7)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(scale=0.8, size=weight.shape))


def in_torch_layout(kernel):
    """Returns a Keras kernel in PyTorch's layout, which has the axes in reverse order.

    Dense and LSTM: [in, out] → [out, in]. Convolution: [W, D, F] → [F, D, W].
    """
    return np.array(kernel).T


def generator_pairs(ours, peer):
    """Returns the pairs of all weights. Both have the gates in the order i, f, candidate, o."""
    kernel, recurrent_kernel, bias = ours.lstm.trainable_weights
    pairs = [
        (np.array(ours.embedding.own), peer.embedding.own.weight),
        (in_torch_layout(kernel), peer.lstm.weight_ih_l0),
        (in_torch_layout(recurrent_kernel), peer.lstm.weight_hh_l0),
        (np.array(bias), peer.lstm.bias_ih_l0),
        (in_torch_layout(ours.projection.kernel), peer.projection.weight),
        (np.array(ours.projection.bias), peer.projection.bias),
        (np.array(ours.opening), peer.opening),
    ]
    for our_part, peer_part in zip(ours.embedding.parts, peer.embedding.parts, strict=True):
        pairs.append((np.array(our_part), peer_part.weight))
    if peer.bias is not None:
        pairs.append((np.array(ours.bias), peer.bias))

    return pairs


def discriminator_pairs(ours, peer):
    """Returns the pairs of all weights."""
    our_layers = [*ours.convolutions, ours.highway.transform, ours.highway.gate, ours.output_layer]
    peer_layers = [*peer.convolutions, peer.transform, peer.gate, peer.output_layer]

    pairs = [(np.array(ours.embedding.own), peer.embedding.weight)]
    for our_layer, peer_layer in zip(our_layers, peer_layers, strict=True):
        pairs.append((in_torch_layout(our_layer.kernel), peer_layer.weight))
        pairs.append((np.array(our_layer.bias), peer_layer.bias))

    return pairs


def trained_weights(peer):
    """Returns the weights of a PyTorch model that are trained."""
    return [weight for weight in peer.parameters() if weight.requires_grad]


def copy_weights(ours, peer, pairs):
    """Sets the peer's weights to ours, after a check that no weight is missing in the pairs."""
    assert len(pairs) == len(trained_weights(peer)) == len(ours.trainable_weights)

    with torch.no_grad():
        for our_weight, peer_weight in pairs:
            assert our_weight.shape == tuple(peer_weight.shape)
            peer_weight.copy_(torch.from_numpy(our_weight.copy()))


def make_generators(features, embedding_dim=4, units=6):
    """Returns a generator and its peer with the same weights."""
    ours = make_generator(
        token_features=features,
        embedding_dim=embedding_dim,
        units=units,
        dropout=0.0,
        end_token_id=None,
    )
    set_large_weights(ours)

    parts = None if features is None else torch.tensor(features)
    peer = torch_peer.Generator(V, embedding_dim, units, parts)
    copy_weights(ours, peer, generator_pairs(ours, peer))

    return ours, peer


def make_discriminators(kernel_sizes=(3, 3, 2), filters=5, embedding_dim=4):
    """Returns a discriminator and its peer with the same weights, without dropout."""
    ours = make_discriminator(
        token_features=None,
        embedding_dim=embedding_dim,
        filters=filters,
        kernel_sizes=kernel_sizes,
        dropout=0.0,
        l2_weight=0.2,
        end_token_id=None,
    )
    set_large_weights(ours)

    peer = torch_peer.Discriminator(V, embedding_dim, filters, kernel_sizes, dropout=0.0)
    copy_weights(ours, peer, discriminator_pairs(ours, peer))

    return ours, peer


# ---- steps of both


def compile_both(ours, peer, clip_norm):
    """Compiles our model and returns the peer's optimizer."""
    ours.compile(keras.optimizers.Adam(LEARNING_RATE, global_clipnorm=clip_norm))
    return torch.optim.Adam(peer.parameters(), LEARNING_RATE, eps=EPSILON)


def our_step(model, number, loss, *data):
    """Makes one step of a Keras model.

    Args:
        model: compiled.
        number: of the step, from 1.
        loss: function of the model and the data.
        *data: NumPy arrays.

    Returns:
        The loss, and the norm of the gradient before it was clipped.
    """
    # Keras adds epsilon before it corrects the bias of the second moment, PyTorch adds it after.
    model.optimizer.epsilon = EPSILON * np.sqrt(1 - 0.999**number)

    value, norm = gradient_step(model, lambda: (loss(model, *data), 1.0))
    return float(value), float(norm)


def make_batches(seed=0):
    """Returns a batch of tokens for each step, int32 [NUM_STEPS, B, T]."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, V, (NUM_STEPS, B, T)).astype(np.int32)


def make_advantages():
    """Returns advantages for each step, float32 [NUM_STEPS, B, T].

    The first are so small that the gradient is not clipped. The second are so large that it is.
    """
    rng = np.random.default_rng(1)
    scales = np.array([0.02, 3, 1])[:, None, None]
    return (rng.normal(size=(NUM_STEPS, B, T)) * scales).astype(np.float32)


def our_likelihood_loss(ours, tokens):
    """Returns the library's maximum-likelihood loss."""
    return ours.nll(tokens, training=True)


def our_policy_gradient_loss(ours, tokens, advantages):
    """Returns the library's REINFORCE loss with the advantages as credit and no baseline."""
    log_probs = Policy(ours).log_prob(tokens)
    mask = tf.ones(tokens.shape)

    return reinforce().loss(log_probs, tf.constant(advantages), mask).loss


def our_discriminator_loss(ours, tokens):
    """Returns the library's loss of B real sequences followed by B generated ones."""
    labels = np.repeat([1.0, 0.0], B)
    return ours.compute_loss(y=labels, y_pred=ours(tokens, training=True))


def to_torch(tokens):
    """Returns tokens as a PyTorch tensor, int64."""
    return torch.from_numpy(tokens.astype(np.int64))


def assert_same_weights(pairs):
    """Asserts that the weights of all pairs differ by less than a thousandth of a step."""
    for our_weight, peer_weight in pairs:
        np.testing.assert_allclose(peer_weight.detach().numpy(), our_weight, atol=1e-5, rtol=0)


# ---- the claims


@both_generators
def test_a_likelihood_step_has_the_same_loss_and_moves_the_weights_alike(features):
    ours, peer = make_generators(features)
    optimizer = compile_both(ours, peer, clip_norm=0.2)
    before = [weight.detach().clone() for weight in trained_weights(peer)]

    for number, tokens in enumerate(make_batches(), start=1):
        our_loss, norm = our_step(ours, number, our_likelihood_loss, tokens)
        assert norm > 0.2  # it is clipped

        loss = torch_peer.likelihood_loss(peer, to_torch(tokens))
        peer_loss = torch_peer.gradient_step(peer, optimizer, loss, clip_norm=0.2)

        np.testing.assert_allclose(peer_loss, our_loss, rtol=1e-5)
        assert_same_weights(generator_pairs(ours, peer))

    for old, new in zip(before, trained_weights(peer), strict=True):
        assert (old - new).abs().max() > LEARNING_RATE


@both_generators
def test_a_policy_gradient_step_has_the_same_loss_and_moves_the_weights_alike(features):
    ours, peer = make_generators(features)
    optimizer = compile_both(ours, peer, clip_norm=5.0)
    norms = []

    steps = zip(make_batches(), make_advantages(), strict=True)
    for number, (tokens, advantages) in enumerate(steps, start=1):
        our_loss, norm = our_step(ours, number, our_policy_gradient_loss, tokens, advantages)
        norms.append(norm)

        loss = torch_peer.policy_gradient_loss(peer, to_torch(tokens), torch.from_numpy(advantages))
        peer_loss = torch_peer.gradient_step(peer, optimizer, loss, clip_norm=5.0)

        np.testing.assert_allclose(peer_loss, our_loss, rtol=1e-5, atol=1e-5)
        assert_same_weights(generator_pairs(ours, peer))

    assert norms[0] < 5 < norms[1]  # one step without clipping, one with


def test_a_discriminator_has_the_same_logits_and_its_step_moves_the_weights_alike():
    ours, peer = make_discriminators()
    optimizer = compile_both(ours, peer, clip_norm=None)

    steps = zip(make_batches(), make_batches(seed=1), strict=True)
    for number, (real, generated) in enumerate(steps, start=1):
        both = np.concatenate([real, generated])
        peer_logits = peer(to_torch(both)).detach()
        np.testing.assert_allclose(peer_logits, ours(both), rtol=1e-5, atol=1e-5)

        our_loss, _ = our_step(ours, number, our_discriminator_loss, both)
        loss = torch_peer.discriminator_loss(peer, to_torch(real), to_torch(generated))
        peer_loss = torch_peer.gradient_step(peer, optimizer, loss)

        np.testing.assert_allclose(peer_loss, our_loss, rtol=1e-5)
        assert_same_weights(discriminator_pairs(ours, peer))


@both_generators
@pytest.mark.parametrize("draw", torch_peer.DRAWS)
def test_samples_have_the_log_probabilities_of_teacher_forcing(features, draw):
    ours, peer = make_generators(features)
    vectors, state = torch_peer.start(peer, 7)

    tokens, log_probs = torch_peer.sample(peer, vectors, state, T, draw)

    assert tokens.shape == log_probs.shape == (7, T)
    assert tokens.min() >= 0
    assert tokens.max() < V
    np.testing.assert_allclose(log_probs, peer.log_prob(tokens).detach(), atol=1e-5)
    our_log_probs = Policy(ours).log_prob(tokens.numpy().astype(np.int32))
    np.testing.assert_allclose(log_probs, our_log_probs, atol=1e-5)


@pytest.mark.parametrize("draw", torch_peer.DRAWS)
def test_tokens_are_drawn_as_often_as_the_model_says(draw):
    _, peer = make_generators(None)
    num_samples = 20_000
    vectors, state = torch_peer.start(peer, num_samples)

    tokens, _ = torch_peer.sample(peer, vectors, state, 1, draw)

    shares = np.bincount(tokens[:, 0], minlength=V) / num_samples
    logits = peer(torch.zeros(1, 1, dtype=torch.int64))
    probabilities = torch.softmax(logits, dim=1)[0].detach().numpy()
    standard_errors = np.sqrt(probabilities * (1 - probabilities) / num_samples)
    assert (np.abs(shares - probabilities) < 4 * standard_errors + 1e-9).all()


@both_generators
def test_a_completion_keeps_its_prefix_and_continues_from_the_state_after_it(features):
    _, peer = make_generators(features)
    tokens = to_torch(make_batches()[0])
    positions = [2, 5]

    completed = torch_peer.complete_one_by_one(peer, tokens, positions, num_rollouts=3)

    assert completed.shape == (3, 2, B, T)
    assert (completed[0, 0] != completed[1, 0]).any()
    for index, position in enumerate(positions):
        prefix = tokens[:, :position]
        assert (completed[:, index, :, :position] == prefix).all()

        # The state after the prefix gives the log-probabilities of teacher forcing.
        vectors, state = torch_peer.start_after(peer, prefix)
        drawn, log_probs = torch_peer.sample(peer, vectors, state, T - position)
        forced = peer.log_prob(torch.cat([prefix, drawn], dim=1))[:, position:]
        np.testing.assert_allclose(log_probs, forced.detach(), atol=1e-5)


def test_the_worker_answers_each_line_with_one_line(monkeypatch, capsys):
    requests = [
        {"configure": CONFIGURATION},
        {"step": "sample", "generator": "table"},
        {"step": "sample", "generator": "factored"},
        {"step": "likelihood", "generator": "table"},
        {"step": "likelihood", "generator": "factored"},
        {"step": "policy_gradient", "generator": "table"},
        {"step": "policy_gradient", "generator": "factored"},
        {"step": "sample", "draw": "inverse_cdf"},
        {"step": "discriminator"},
        {"step": "rollouts_one", "positions": [1, 4], "num_rollouts": 2},
        {"step": "matmul", "m": 8, "k": 4, "n": 5, "repeats": 3},
    ]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))

    runpy.run_path(str(FILE), run_name="__main__")

    ready, *answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert ready == {"ready": True, "torch": torch.__version__}
    assert len(answers) == len(requests) - 1
    for answer in answers:
        assert answer.keys() == {"seconds"}
        assert answer["seconds"] > 0


@pytest.mark.parametrize("fused_adam", [False, True])
@pytest.mark.parametrize(
    "step, options",
    [
        ("likelihood", {"generator": "table"}),
        ("policy_gradient", {"generator": "factored"}),
        ("discriminator", {}),
    ],
)
def test_a_step_of_the_worker_trains_its_model(step, options, fused_adam):
    worker = torch_peer.Peer(**CONFIGURATION, fused_adam=fused_adam)
    model = worker.models[options.get("generator", "discriminator")]
    before = [weight.detach().clone() for weight in trained_weights(model)]

    worker.seconds(step, **options)

    for old, new in zip(before, trained_weights(model), strict=True):
        assert (old != new).any()


def test_a_request_before_the_models_are_configured_is_refused():
    with pytest.raises(ValueError, match="configure"):
        torch_peer.serve(['{"step": "sample"}'], print)


def test_a_request_for_an_unknown_step_is_refused():
    worker = torch_peer.Peer(**CONFIGURATION)

    with pytest.raises(ValueError, match="no step 'dream'"):
        worker.seconds("dream")
