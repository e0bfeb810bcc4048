"""The library's training steps in plain PyTorch, as a worker process for benchmarks.

A benchmark starts this worker and asks it for one step at a time, so that it can time a step of the
library and the same step in PyTorch in turn.

    python benchmarks/torch_peer.py

The worker reads lines of JSON and answers each with one line of JSON.

- `{"configure": {...}}` builds the models. Its keys are the arguments of `Peer`. The answer is
  `{"ready": true, "torch": version}`.
- `{"step": name, ...}` runs a step once. The answer is `{"seconds": s}`.

The steps, with their keys and the default of each key:

- sample: generator, "table" or "factored" ("table"); draw, "multinomial" or "inverse_cdf"
  ("multinomial")
- likelihood, policy_gradient: generator ("table")
- discriminator: no keys
- rollouts_one: generator ("table"); draw ("multinomial"); positions; num_rollouts (1)
- matmul: m, k, n; repeats (1). The answer is the time of one product.
"""

import collections
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ADAM_EPSILON = 1e-7  # the default of Keras


class TokenEmbedding(nn.Module):
    """A vector for each token.

    Without parts it is a row of a table. With parts it is the sum of a row of the token's own and
    of the rows of its parts.

    Args:
        vocabulary_size: V.
        embedding_dim: D.
        parts: the parts of each token, int64 [V, P], or None.
    """

    def __init__(self, vocabulary_size: int, embedding_dim: int, parts: Tensor | None = None):
        super().__init__()
        self.own = nn.Embedding(vocabulary_size, embedding_dim)
        self.register_buffer("features", parts)

        sizes = [] if parts is None else [int(column.max()) + 1 for column in parts.T]
        self.parts = nn.ModuleList(nn.Embedding(size, embedding_dim) for size in sizes)

    def table(self) -> Tensor:
        """Returns the vectors of all tokens, [V, D]."""
        vectors = self.own.weight
        for index, part in enumerate(self.parts):
            vectors = vectors + part(self.features[:, index])

        return vectors


class Generator(nn.Module):
    """An embedding, one LSTM and logits.

    With parts, the LSTM's outputs are projected, and a logit is the product with a token's vector.

    Args:
        vocabulary_size: V.
        embedding_dim: D.
        units: of the LSTM.
        parts: the parts of each token, int64 [V, P], or None.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        units: int,
        parts: Tensor | None = None,
    ):
        super().__init__()
        self.embedding = TokenEmbedding(vocabulary_size, embedding_dim, parts)

        # The LSTM reads whole sequences, the cell reads one token. They share their weights.
        self.lstm = nn.LSTM(embedding_dim, units, batch_first=True)
        self.cell = nn.LSTMCell(embedding_dim, units)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            setattr(self.cell, name, getattr(self.lstm, f"{name}_l0"))

        # PyTorch adds two biases. If both were trained, Adam would move their sum twice as far as
        # one bias.
        nn.init.zeros_(self.lstm.bias_hh_l0.requires_grad_(False))

        self.projection = nn.Linear(units, vocabulary_size if parts is None else embedding_dim)
        self.opening = nn.Parameter(torch.zeros(embedding_dim))
        self.bias = None if parts is None else nn.Parameter(torch.zeros(vocabulary_size))

        for embedding in (self.embedding.own, *self.embedding.parts):
            nn.init.normal_(embedding.weight, std=0.1)

    def inputs(self, tokens: Tensor, table: Tensor) -> Tensor:
        """Returns what the LSTM reads: the opening vector, then the tokens except the last.

        Args:
            tokens: int64 [B, T].
            table: the vectors of all tokens, [V, D].

        Returns:
            [B, T, D].
        """
        opening = self.opening.expand(len(tokens), 1, -1)
        return torch.cat([opening, F.embedding(tokens[:, :-1], table)], dim=1)

    def logits(self, outputs: Tensor, table: Tensor) -> Tensor:
        """Returns the logits, [N, V], for outputs of the LSTM, [N, units]."""
        projected = self.projection(outputs)
        if self.bias is None:
            return projected

        return torch.addmm(self.bias, projected, table.T)

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns the logits of each token given those before it: int64 [B, T] → [B·T, V]."""
        table = self.embedding.table()
        outputs, _ = self.lstm(self.inputs(tokens, table))

        return self.logits(outputs.flatten(0, 1), table)

    def log_prob(self, tokens: Tensor) -> Tensor:
        """Returns log π(yₜ | y₍<t₎): int64 [B, T] → [B, T]."""
        nll = F.cross_entropy(self(tokens), tokens.flatten(), reduction="none")
        return -nll.view(tokens.shape)


class Discriminator(nn.Module):
    """Causal convolutions, a maximum over time, one highway layer, dropout and one logit.

    Branches of the same width are computed by one convolution.

    Args:
        vocabulary_size: V.
        embedding_dim: D.
        filters: of each branch.
        kernel_sizes: the width of each branch.
        dropout: the share of features that is dropped.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        filters: int,
        kernel_sizes: Sequence[int],
        dropout: float = 0.25,
    ):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_dim)

        branches = collections.Counter(kernel_sizes)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embedding_dim, filters * count, width) for width, count in branches.items()
        )

        features = filters * len(kernel_sizes)
        self.transform = nn.Linear(features, features)
        self.gate = nn.Linear(features, features)
        self.output_layer = nn.Linear(features, 1)
        self.dropout = nn.Dropout(dropout)

        nn.init.uniform_(self.embedding.weight, -1, 1)
        nn.init.constant_(self.gate.bias, -2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns the logit of "real" for each sequence: int64 [B, T] → [B]."""
        vectors = self.embedding(tokens).transpose(1, 2)  # [B, D, T]

        responses = []
        for convolution in self.convolutions:
            padded = F.pad(vectors, (convolution.kernel_size[0] - 1, 0))
            responses.append(convolution(padded).max(dim=2).values)

        # ReLU and maximum commute. After the maximum, ReLU has fewer values to compute.
        features = F.relu(torch.cat(responses, dim=1))  # [B, F]

        gate = torch.sigmoid(self.gate(features))
        mixed = gate * F.relu(self.transform(features)) + (1 - gate) * features

        return self.output_layer(self.dropout(mixed)).squeeze(1)


# ---- losses and steps


def likelihood_loss(generator: Generator, tokens: Tensor) -> Tensor:
    """Returns the mean NLL of tokens, int64 [B, T], in nats per token."""
    return F.cross_entropy(generator(tokens), tokens.flatten())


def policy_gradient_loss(generator: Generator, tokens: Tensor, advantages: Tensor) -> Tensor:
    """Returns −mean_b Σ_t Âₜ log π(yₜ | y₍<t₎) of tokens, int64 [B, T], and advantages, [B, T]."""
    return -(advantages * generator.log_prob(tokens)).sum(dim=1).mean()


def discriminator_loss(
    discriminator: Discriminator, real: Tensor, generated: Tensor, l2_weight: float = 0.2
) -> Tensor:
    """Returns the mean cross-entropy plus λ/2 · ‖w‖² of the output layer.

    Args:
        discriminator: a `Discriminator`.
        real: int64 [B, T].
        generated: int64 [B, T].
        l2_weight: λ.
    """
    logits = discriminator(torch.cat([real, generated]))
    labels = torch.cat([torch.ones(len(real)), torch.zeros(len(generated))])
    cross_entropy = F.binary_cross_entropy_with_logits(logits, labels)

    return cross_entropy + l2_weight / 2 * discriminator.output_layer.weight.square().sum()


def gradient_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    clip_norm: float | None = None,
) -> float:
    """Makes one step of the optimizer, with the gradient clipped at a global norm.

    Returns:
        The loss before the step.
    """
    optimizer.zero_grad()
    loss.backward()
    if clip_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()

    return loss.item()


# ---- sampling


def multinomial(probabilities: Tensor) -> Tensor:
    """Draws one token for each row in PyTorch's usual way: [B, V] → int64 [B, 1]."""
    return torch.multinomial(probabilities, 1)


def inverse_cdf(probabilities: Tensor) -> Tensor:
    """Draws one token for each row as the library does: [B, V] → int64 [B, 1].

    This is much cheaper than `torch.multinomial`.
    """
    cumulative = probabilities.cumsum(dim=1)
    uniforms = torch.rand(len(probabilities), 1) * cumulative[:, -1:]
    drawn = torch.searchsorted(cumulative, uniforms, right=True)

    return drawn.clamp_(max=probabilities.shape[1] - 1)


DRAWS = {"multinomial": multinomial, "inverse_cdf": inverse_cdf}


def start(generator: Generator, rows: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Returns the cell's first input, [B, D], and its first state: the opening vector and zeros."""
    zeros = torch.zeros(rows, generator.lstm.hidden_size)
    return generator.opening.expand(rows, -1), (zeros, zeros)


def start_after(generator: Generator, prefix: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Returns the cell's next input, [B, D], and its state, after a prefix, int64 [B, P], P ≥ 1."""
    table = generator.embedding.table()
    _, (hidden, cell) = generator.lstm(generator.inputs(prefix, table))

    return F.embedding(prefix[:, -1], table), (hidden[0], cell[0])


@torch.no_grad()
def sample(
    generator: Generator,
    vectors: Tensor,
    state: tuple[Tensor, Tensor],
    length: int,
    draw: str = "multinomial",
) -> tuple[Tensor, Tensor]:
    """Samples tokens at temperature 1.

    Args:
        generator: a `Generator`.
        vectors: the cell's first input, [B, D].
        state: the cell's first state.
        length: T, the number of tokens.
        draw: a name in `DRAWS`.

    Returns:
        tokens, int64 [B, T], and their log-probabilities, [B, T].
    """
    table = generator.embedding.table()
    tokens = []
    probabilities_of_tokens = []
    for _ in range(length):
        state = generator.cell(vectors, state)
        probabilities = torch.softmax(generator.logits(state[0], table), dim=1)  # [B, V]
        drawn = DRAWS[draw](probabilities)  # [B, 1]

        tokens.append(drawn)
        probabilities_of_tokens.append(probabilities.gather(1, drawn))
        vectors = F.embedding(drawn[:, 0], table)

    return torch.cat(tokens, dim=1), torch.cat(probabilities_of_tokens, dim=1).log()


@torch.no_grad()
def complete_one_by_one(
    generator: Generator,
    tokens: Tensor,
    positions: Sequence[int],
    num_rollouts: int,
    draw: str = "multinomial",
) -> Tensor:
    """Completes the prefixes of some sequences, and reads each prefix again for each completion.

    Args:
        generator: a `Generator`.
        tokens: the sequences, int64 [B, T].
        positions: the lengths of the prefixes, P of them.
        num_rollouts: N, completions of each prefix.
        draw: a name in `DRAWS`.

    Returns:
        int64 [N, P, B, T].
    """
    completed = []
    for _ in range(num_rollouts):
        for position in positions:
            prefix = tokens[:, :position]
            vectors, state = start_after(generator, prefix)
            drawn, _ = sample(generator, vectors, state, tokens.shape[1] - position, draw)
            completed.append(torch.cat([prefix, drawn], dim=1))

    return torch.stack(completed).unflatten(0, (num_rollouts, len(positions)))


# ---- the worker


class Peer:
    """The models with their optimizers and fixed random data, and one method for each step.

    Args:
        batch_size: B, sequences in a step of a generator.
        length: T, tokens in a sequence.
        vocabulary_size: V.
        units: of the LSTM.
        embedding_dim: of the table generator.
        parts: the parts of each token, int list [V, P]; None for no factored generator.
        factored_embedding_dim: of the factored generator.
        filters: of each branch of the discriminator.
        kernel_sizes: the width of each branch.
        discriminator_batch_size: sequences in a step of the discriminator; half of them are real.
        discriminator_embedding_dim: of the discriminator.
        threads: that PyTorch uses.
        fused_adam: use the optimizer's single kernel instead of its default.
    """

    def __init__(
        self,
        *,
        batch_size: int = 128,
        length: int = 100,
        vocabulary_size: int = 3219,
        units: int = 512,
        embedding_dim: int = 32,
        parts: list[list[int]] | None = None,
        factored_embedding_dim: int = 128,
        filters: int = 400,
        kernel_sizes: Sequence[int] = (20,) * 5,
        discriminator_batch_size: int = 32,
        discriminator_embedding_dim: int = 32,
        threads: int = 2,
        fused_adam: bool = False,
    ):
        torch.set_num_threads(threads)
        torch.manual_seed(0)

        self.models: dict[str, Any] = {"table": Generator(vocabulary_size, embedding_dim, units)}
        if parts is not None:
            self.models["factored"] = Generator(
                vocabulary_size, factored_embedding_dim, units, torch.tensor(parts)
            )
        self.models["discriminator"] = Discriminator(
            vocabulary_size, discriminator_embedding_dim, filters, kernel_sizes
        )

        learning_rates = {"table": 1e-3, "factored": 1e-3, "discriminator": 1e-4}
        self.optimizers = {
            name: torch.optim.Adam(
                model.parameters(), learning_rates[name], eps=ADAM_EPSILON, fused=fused_adam
            )
            for name, model in self.models.items()
        }

        self.tokens = torch.randint(vocabulary_size, (batch_size, length))
        self.advantages = torch.randn(batch_size, length)
        half = discriminator_batch_size // 2
        self.real, self.generated = torch.randint(vocabulary_size, (2, half, length))

        self.steps: dict[str, Callable[..., Any]] = {
            "sample": self.sample,
            "likelihood": self.likelihood,
            "policy_gradient": self.policy_gradient,
            "discriminator": self.discriminator,
            "rollouts_one": self.rollouts_one,
        }

    def sample(self, generator: str = "table", draw: str = "multinomial") -> tuple[Tensor, Tensor]:
        """Samples B sequences of T tokens."""
        model = self.models[generator]
        vectors, state = start(model, len(self.tokens))

        return sample(model, vectors, state, self.tokens.shape[1], draw)

    def likelihood(self, generator: str = "table") -> float:
        """Makes one maximum-likelihood step."""
        model = self.models[generator]
        loss = likelihood_loss(model, self.tokens)

        return gradient_step(model, self.optimizers[generator], loss, clip_norm=5.0)

    def policy_gradient(self, generator: str = "table") -> float:
        """Makes one policy-gradient step."""
        model = self.models[generator]
        loss = policy_gradient_loss(model, self.tokens, self.advantages)

        return gradient_step(model, self.optimizers[generator], loss, clip_norm=5.0)

    def discriminator(self) -> float:
        """Makes one step of the discriminator."""
        model = self.models["discriminator"]
        loss = discriminator_loss(model, self.real, self.generated)

        return gradient_step(model, self.optimizers["discriminator"], loss)

    def rollouts_one(
        self,
        positions: Sequence[int],
        generator: str = "table",
        num_rollouts: int = 1,
        draw: str = "multinomial",
    ) -> Tensor:
        """Completes the B sequences from each position, one completion at a time."""
        return complete_one_by_one(
            self.models[generator], self.tokens, positions, num_rollouts, draw
        )

    def seconds(self, step: str, **options: Any) -> float:
        """Returns how long a step takes. On a CPU, PyTorch returns when the results are computed.

        Args:
            step: its name.
            **options: of the step.

        Raises:
            ValueError: if there is no step of this name.
        """
        if step not in self.steps:
            names = ", ".join([*self.steps, "matmul"])
            raise ValueError(f"There is no step {step!r}, expected one of {names}.")

        started = time.perf_counter()
        self.steps[step](**options)

        return time.perf_counter() - started


def product_seconds(m: int, k: int, n: int, repeats: int = 1) -> float:
    """Returns the mean time of a matrix product [m, k] × [k, n], which is 2·m·k·n operations."""
    left = torch.randn(m, k)
    right = torch.randn(k, n)
    product = torch.empty(m, n)

    started = time.perf_counter()
    for _ in range(repeats):
        torch.mm(left, right, out=product)

    return (time.perf_counter() - started) / repeats


def serve(lines: Iterable[str], write: Callable[[dict], None]) -> None:
    """Answers each line of JSON with one, until there are no more lines.

    Args:
        lines: the requests.
        write: is called with each answer.

    Raises:
        ValueError: if the first request does not configure the models, or a step does not exist.
    """
    peer = None
    for line in lines:
        request = json.loads(line)

        if "configure" in request:
            peer = Peer(**request["configure"])
            write({"ready": True, "torch": torch.__version__})
            continue
        if peer is None:
            raise ValueError(
                f'The first line must be {{"configure": {{...}}}}, received {line.strip()}.'
            )

        step = request.pop("step")
        if step == "matmul":
            write({"seconds": product_seconds(**request)})
        else:
            write({"seconds": peer.seconds(step, **request)})


def print_line(answer: dict) -> None:
    """Prints an answer as one line of JSON, at once."""
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(sys.stdin, print_line)
