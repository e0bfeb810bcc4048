"""The library's training steps in plain PyTorch, as a worker that runs one when asked, so that another process can alternate with it.

    python benchmarks/torch_peer.py

Reads lines of JSON and answers each with one. `{"configure": {...}}` (the keys of `Peer`) builds the models: `{"ready": true, "torch": version}`.
`{"step": name, ...}` runs a step once and tells its time: `{"seconds": s}`. The steps, the keys that they take and their defaults:

- sample: generator "table" or "factored" (table), draw "multinomial" or "inverse_cdf" (multinomial);
- likelihood, policy_gradient: generator (table);
- discriminator: none;
- rollouts_one: generator (table), draw (multinomial), positions, num_rollouts (1);
- matmul: m, k, n, repeats (1): the time of one product.
"""

import collections
import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


class TokenEmbedding(nn.Module):
    """A row of a table for each token; given parts, int64 [V, P], the sum of its parts' rows and one of its own."""

    def __init__(self, vocabulary_size, embedding_dim, parts=None):
        super().__init__()
        self.own = nn.Embedding(vocabulary_size, embedding_dim)
        self.register_buffer("features", parts)
        sizes = [] if parts is None else [int(column.max()) + 1 for column in parts.T]
        self.parts = nn.ModuleList(nn.Embedding(size, embedding_dim) for size in sizes)

    def table(self):
        """Returns the vector of every token: [V, D]."""
        vectors = self.own.weight
        for index, part in enumerate(self.parts):
            vectors = vectors + part(self.features[:, index])
        return vectors


class Generator(nn.Module):
    """Embedding, one LSTM, logits; given parts, the logits are products with the tokens' own vectors, behind a projection."""

    def __init__(self, vocabulary_size, embedding_dim, units, parts=None):
        super().__init__()
        self.embedding = TokenEmbedding(vocabulary_size, embedding_dim, parts)
        self.lstm = nn.LSTM(embedding_dim, units, batch_first=True)
        self.cell = nn.LSTMCell(embedding_dim, units)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            setattr(self.cell, name, getattr(self.lstm, f"{name}_l0"))
        # PyTorch adds two biases; with both of them trained, Adam would move their sum twice as far as one.
        nn.init.zeros_(self.lstm.bias_hh_l0.requires_grad_(False))
        self.projection = nn.Linear(units, vocabulary_size if parts is None else embedding_dim)
        self.opening = nn.Parameter(torch.zeros(embedding_dim))
        self.bias = None if parts is None else nn.Parameter(torch.zeros(vocabulary_size))
        for table in (self.embedding.own, *self.embedding.parts):
            nn.init.normal_(table.weight, std=0.1)

    def inputs(self, tokens, table):
        """Returns the opening vector and the vectors of all tokens but the last: int64 [B, T] → [B, T, D]."""
        return torch.cat(
            [self.opening.expand(len(tokens), 1, -1), F.embedding(tokens[:, :-1], table)], dim=1
        )

    def logits(self, outputs, table):
        """Returns the logits of the LSTM's outputs: [N, units] → [N, V]."""
        projected = self.projection(outputs)
        return projected if self.bias is None else torch.addmm(self.bias, projected, table.T)

    def forward(self, tokens):
        """Returns the logits of every token given those before it: int64 [B, T] → [B·T, V]."""
        table = self.embedding.table()
        return self.logits(self.lstm(self.inputs(tokens, table))[0].flatten(0, 1), table)

    def log_prob(self, tokens):
        """Returns log π(yₜ | y₍<t₎): int64 [B, T] → [B, T]."""
        return -F.cross_entropy(self(tokens), tokens.flatten(), reduction="none").view(tokens.shape)


class Discriminator(nn.Module):
    """Embedding, causal convolutions, maximum over time, one highway layer, dropout, one logit; branches of equal width are one convolution."""

    def __init__(self, vocabulary_size, embedding_dim, filters, kernel_sizes, dropout=0.25):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_dim)
        branches = collections.Counter(kernel_sizes)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embedding_dim, filters * count, width) for width, count in branches.items()
        )
        features = filters * len(kernel_sizes)
        self.transform, self.gate, self.output_layer = (
            nn.Linear(features, features),
            nn.Linear(features, features),
            nn.Linear(features, 1),
        )
        self.dropout = nn.Dropout(dropout)
        nn.init.uniform_(self.embedding.weight, -1, 1)
        nn.init.constant_(self.gate.bias, -2)

    def forward(self, tokens):
        """Returns the logit of "real": int64 [B, T] → [B]."""
        vectors = self.embedding(tokens).transpose(1, 2)  # [B, D, T]
        responses = [
            layer(F.pad(vectors, (layer.kernel_size[0] - 1, 0))).max(dim=2).values
            for layer in self.convolutions
        ]
        features = F.relu(
            torch.cat(responses, dim=1)
        )  # [B, F]; it commutes with the maximum, and has less to do behind it
        gate = torch.sigmoid(self.gate(features))
        mixed = gate * F.relu(self.transform(features)) + (1 - gate) * features
        return self.output_layer(self.dropout(mixed)).squeeze(1)


def likelihood_loss(generator, tokens):
    """Returns the mean NLL of the tokens, int64 [B, T], in nats per token."""
    return F.cross_entropy(generator(tokens), tokens.flatten())


def policy_gradient_loss(generator, tokens, advantages):
    """Returns −mean_b Σ_t Âₜ log π(yₜ | y₍<t₎) of tokens, int64 [B, T], and advantages, [B, T]."""
    return -(advantages * generator.log_prob(tokens)).sum(dim=1).mean()


def discriminator_loss(discriminator, real, generated, l2_weight=0.2):
    """Returns the mean cross-entropy of real and generated sequences, int64 [B/2, T] each, plus λ/2 · ‖w‖² of the output layer."""
    labels = torch.cat([torch.ones(len(real)), torch.zeros(len(generated))])
    loss = F.binary_cross_entropy_with_logits(discriminator(torch.cat([real, generated])), labels)
    return loss + l2_weight / 2 * discriminator.output_layer.weight.square().sum()


def gradient_step(model, optimizer, loss, clip_norm=None):
    """Moves a model down its loss, the gradient clipped at a global norm; returns the loss as a number."""
    optimizer.zero_grad()
    loss.backward()
    if clip_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()
    return loss.item()


def inverse_cdf(probabilities):
    """Draws one token a row, [B, V] → int64 [B, 1], by the library's way: much cheaper than `torch.multinomial`."""
    cumulative = probabilities.cumsum(dim=1)
    return torch.searchsorted(
        cumulative, torch.rand(len(probabilities), 1) * cumulative[:, -1:], right=True
    ).clamp_(max=probabilities.shape[1] - 1)


DRAWS = {
    "multinomial": lambda probabilities: torch.multinomial(probabilities, 1),
    "inverse_cdf": inverse_cdf,
}


def start(generator, rows):
    """Returns what the cell reads first, [B, D], and its states before: the opening vector and zeros."""
    zeros = torch.zeros(rows, generator.lstm.hidden_size)
    return generator.opening.expand(rows, -1), (zeros, zeros)


def start_after(generator, prefix):
    """Returns what the cell reads next, [B, D], and its states, after reading a prefix, int64 [B, P] with P ≥ 1."""
    table = generator.embedding.table()
    _, (hidden, memory) = generator.lstm(generator.inputs(prefix, table))
    return F.embedding(prefix[:, -1], table), (hidden[0], memory[0])


@torch.no_grad()
def sample(generator, vectors, state, length, draw="multinomial"):
    """Samples at temperature 1 from what the cell reads first and its states; returns tokens, int64 [B, T], and their log-probabilities, [B, T]."""
    table, tokens, chances = generator.embedding.table(), [], []
    for _ in range(length):
        state = generator.cell(vectors, state)
        probabilities = torch.softmax(generator.logits(state[0], table), dim=1)  # [B, V]
        chosen = DRAWS[draw](probabilities)  # [B, 1]
        tokens.append(chosen)
        chances.append(probabilities.gather(1, chosen))
        vectors = F.embedding(chosen[:, 0], table)
    return torch.cat(tokens, dim=1), torch.cat(chances, dim=1).log()


@torch.no_grad()
def complete_one_by_one(generator, tokens, positions, num_rollouts, draw="multinomial"):
    """Returns N completions of the prefixes of each length in `positions`, each prefix read anew each time: int64 [N, P, B, T]."""
    whole = []
    for position in positions * num_rollouts:
        prefix = tokens[:, :position]
        drawn, _ = sample(
            generator, *start_after(generator, prefix), tokens.shape[1] - position, draw
        )
        whole.append(torch.cat([prefix, drawn], dim=1))
    return torch.stack(whole).unflatten(0, (num_rollouts, len(positions)))


class Peer:
    """The models at given sizes with their optimizers and fixed random data; a method each step.

    Args:
        batch_size: B, sequences in a generator's step.
        length: T, tokens a sequence.
        vocabulary_size: V.
        units: LSTM units.
        embedding_dim: of the table generator.
        parts: int list [V, P], the parts of each token, or None to have no factored generator.
        factored_embedding_dim: of the factored generator.
        filters: of each branch of the discriminator.
        kernel_sizes: width of each branch.
        discriminator_batch_size: half of them real.
        discriminator_embedding_dim: of the discriminator.
        threads: of PyTorch.
        fused_adam: take the optimizer's single kernel in place of its default.
    """

    def __init__(
        self,
        *,
        batch_size=128,
        length=100,
        vocabulary_size=3219,
        units=512,
        embedding_dim=32,
        parts=None,
        factored_embedding_dim=128,
        filters=400,
        kernel_sizes=(20,) * 5,
        discriminator_batch_size=32,
        discriminator_embedding_dim=32,
        threads=2,
        fused_adam=False,
    ):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.models = {"table": Generator(vocabulary_size, embedding_dim, units)}
        if parts is not None:
            self.models["factored"] = Generator(
                vocabulary_size, factored_embedding_dim, units, torch.tensor(parts)
            )
        self.models["discriminator"] = Discriminator(
            vocabulary_size, discriminator_embedding_dim, filters, kernel_sizes
        )
        rates = {"table": 1e-3, "factored": 1e-3, "discriminator": 1e-4}
        options = {"eps": 1e-7, "fused": fused_adam}  # Keras' epsilon
        self.optimizers = {
            name: torch.optim.Adam(model.parameters(), rates[name], **options)
            for name, model in self.models.items()
        }
        self.tokens = torch.randint(vocabulary_size, (batch_size, length))
        self.advantages = torch.randn(batch_size, length)
        self.real, self.generated = torch.randint(
            vocabulary_size, (2, discriminator_batch_size // 2, length)
        )

    def sample(self, generator="table", draw="multinomial"):
        """Samples B sequences of T tokens."""
        model = self.models[generator]
        return sample(model, *start(model, len(self.tokens)), self.tokens.shape[1], draw)

    def likelihood(self, generator="table"):
        """Makes one maximum-likelihood step."""
        model = self.models[generator]
        return gradient_step(
            model, self.optimizers[generator], likelihood_loss(model, self.tokens), clip_norm=5.0
        )

    def policy_gradient(self, generator="table"):
        """Makes one policy-gradient step."""
        model = self.models[generator]
        return gradient_step(
            model,
            self.optimizers[generator],
            policy_gradient_loss(model, self.tokens, self.advantages),
            clip_norm=5.0,
        )

    def discriminator(self):
        """Makes one step of the discriminator."""
        model = self.models["discriminator"]
        return gradient_step(
            model,
            self.optimizers["discriminator"],
            discriminator_loss(model, self.real, self.generated),
        )

    def rollouts_one(self, positions, generator="table", num_rollouts=1, draw="multinomial"):
        """Completes the B sequences from each position, one completion at a time."""
        return complete_one_by_one(
            self.models[generator], self.tokens, positions, num_rollouts, draw
        )

    def seconds(self, step, **options):
        """Returns how long a step takes, its results at hand: on a CPU PyTorch computes before it returns."""
        names = ("sample", "likelihood", "policy_gradient", "discriminator", "rollouts_one")
        if step not in names:
            raise ValueError(
                f"There is no step {step!r}; expected one of {', '.join(names)}, matmul."
            )
        started = time.perf_counter()
        getattr(self, step)(**options)
        return time.perf_counter() - started


def product_seconds(m, k, n, repeats=1):
    """Returns the mean time of a matrix product [m, k] × [k, n]; 2·m·k·n floating-point operations."""
    left, right, product = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
    started = time.perf_counter()
    for _ in range(repeats):
        torch.mm(left, right, out=product)
    return (time.perf_counter() - started) / repeats


def serve(lines, write):
    """Answers each line of JSON with one, until there are no more."""
    peer = None
    for line in lines:
        request = json.loads(line)
        if "configure" in request:
            peer = Peer(**request["configure"])
            write({"ready": True, "torch": torch.__version__})
        elif peer is None:
            raise ValueError(
                f'The first line must be {{"configure": {{...}}}}, received {line.strip()}.'
            )
        else:
            step = request.pop("step")
            write(
                {
                    "seconds": product_seconds(**request)
                    if step == "matmul"
                    else peer.seconds(step, **request)
                }
            )


if __name__ == "__main__":
    serve(sys.stdin, lambda reply: print(json.dumps(reply), flush=True))
