"""The generator with attention in plain PyTorch: the peer of benchmarks/attention.py.

    python benchmarks/torch_attention.py FILE.npz THREADS

It reads the tables and a batch from a file, and answers each line `{"step": NAME}` with the seconds
of that step. It takes for granted what our generator computes from the tokens (which features a
place has, and the differences of onsets), so that its time is that of the layers alone.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

NUM_DISTANCES = 64


class Layer(nn.Module):
    """Pre-norm attention with a bias, and a feed-forward network.

    Args:
        dim: D, the length of a vector.
        num_heads: heads of attention.
        feed_forward_dim: units of the feed-forward network.
    """

    def __init__(self, dim: int, num_heads: int, feed_forward_dim: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention_norm = nn.LayerNorm(dim)
        self.inputs_of_heads = nn.Linear(dim, 3 * dim)
        self.outputs_of_heads = nn.Linear(dim, dim)
        self.feed_forward_norm = nn.LayerNorm(dim)
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, feed_forward_dim), nn.GELU(), nn.Linear(feed_forward_dim, dim)
        )

    def heads(self, vectors: Tensor) -> list[Tensor]:
        """Returns queries, keys and values, [B, heads, T, D / heads] each."""
        parts = self.inputs_of_heads(self.attention_norm(vectors)).chunk(3, dim=-1)

        return [part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in parts]

    def forward(self, vectors: Tensor, bias: Tensor, dropout: nn.Module) -> Tensor:
        """Computes the layer: [B, T, D], with a bias [B, heads, T, T]."""
        queries, keys, values = self.heads(vectors)
        read = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=bias)
        vectors = vectors + dropout(self.outputs_of_heads(read.transpose(1, 2).flatten(2)))

        return vectors + dropout(self.feed_forward(self.feed_forward_norm(vectors)))

    def step(self, vectors: Tensor, memory: list[Tensor], bias: Tensor) -> Tensor:
        """Computes the layer at one more position: [B, 1, D]; the memory grows in place."""
        queries, *new = self.heads(vectors)
        memory[:] = [torch.cat([old, part], dim=2) for old, part in zip(memory, new, strict=True)]
        read = functional.scaled_dot_product_attention(queries, *memory, attn_mask=bias)
        vectors = vectors + self.outputs_of_heads(read.transpose(1, 2).flatten(2))

        return vectors + self.feed_forward(self.feed_forward_norm(vectors))


class AttentionGenerator(nn.Module):
    """Tied embedding by parts, features of the place, layers, a mask of what may follow.

    Args:
        arrays: the tables and the batch, as benchmarks/attention.py writes them.
    """

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        super().__init__()
        sizes = {name: int(arrays[name]) for name in ("dim", "num_layers", "num_heads", "units")}
        dim = sizes["dim"]
        vocabulary_size = len(arrays["parts"])
        self.num_heads = sizes["num_heads"]
        self.register_buffer("part_ids", torch.tensor(arrays["parts"]).long())
        self.register_buffer("mask", torch.tensor(arrays["mask"]))

        num_biases = sizes["num_layers"] * self.num_heads
        self.own = nn.Embedding(vocabulary_size, dim)
        self.parts = nn.ModuleList(
            nn.Embedding(int(column.max()) + 1, dim) for column in arrays["parts"].T
        )
        self.features = nn.Embedding(int(arrays["features"].max()) + 1, dim)
        self.time = nn.Embedding(int(arrays["num_time_rows"]), num_biases)
        self.distance = nn.Embedding(NUM_DISTANCES, num_biases)
        self.layers = nn.ModuleList(
            Layer(dim, self.num_heads, sizes["units"]) for _ in range(sizes["num_layers"])
        )
        self.norm = nn.LayerNorm(dim)
        self.projection = nn.Linear(dim, dim)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.dropout = nn.Dropout(float(arrays["dropout"]))

    def table(self) -> Tensor:
        """Returns the vector of every token, [V, D]."""
        vectors = self.own.weight
        for part, ids in zip(self.parts, self.part_ids.T, strict=True):
            vectors = vectors + part(ids)

        return vectors

    def biases(self, time_rows: Tensor) -> Tensor:
        """Returns what is added to the scores: [B, T, T] → [layers, B, heads, T, T]."""
        length = time_rows.shape[1]
        steps = torch.arange(length)
        distances = steps[:, None] - steps
        by_distance = self.distance(distances.clamp(0, NUM_DISTANCES - 1))
        by_distance = by_distance.masked_fill((distances < 0)[:, :, None], float("-inf"))
        biases = (self.time(time_rows) + by_distance).permute(3, 0, 1, 2)

        return biases.unflatten(0, (-1, self.num_heads)).transpose(1, 2)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Computes the mean NLL of the batch's tokens."""
        tokens = batch["tokens"]
        table = self.table()
        read = functional.pad(table[tokens[:, :-1]], (0, 0, 1, 0))
        vectors = self.dropout(read + self.features(batch["features"]).sum(2))
        for layer, bias in zip(self.layers, self.biases(batch["time_rows"]), strict=True):
            vectors = layer(vectors, bias, self.dropout)
        logits = self.projection(self.dropout(self.norm(vectors))) @ table.T + self.bias
        logits = logits + self.mask[batch["states"]]
        is_token = tokens != 0

        return functional.cross_entropy(logits[is_token], tokens[is_token])

    @torch.no_grad()
    def sample(self, batch: dict[str, Tensor], num_rows: int, length: int) -> Tensor:
        """Samples tokens with a cache of keys and values; all rows have equal features."""
        table = self.table()
        size = table.shape[1] // self.num_heads
        nothing = torch.zeros(num_rows, self.num_heads, 0, size)
        memories = [[nothing, nothing] for _ in self.layers]
        vectors = torch.zeros(num_rows, 1, table.shape[1])
        features = batch["features"][:1]
        written = []
        for t in range(length):
            position = t % features.shape[1]
            time_rows = batch["time_rows"][:1, position, : t + 1]
            time_rows = functional.pad(time_rows, (0, t + 1 - time_rows.shape[1]))
            biases = self.time(time_rows.expand(num_rows, -1)).transpose(1, 2)
            biases = biases.unflatten(1, (-1, self.num_heads))[:, :, :, None]
            vectors = vectors + self.features(features[:, position]).sum(1)
            for index, layer in enumerate(self.layers):
                vectors = layer.step(vectors, memories[index], biases[:, index])
            logits = self.projection(self.norm(vectors[:, 0])) @ table.T + self.bias
            probabilities = torch.softmax(logits, dim=-1)
            chosen = torch.multinomial(probabilities, 1)[:, 0]
            written.append(chosen)
            vectors = table[chosen][:, None]

        return torch.stack(written, dim=1)


class Peer:
    """The model and its optimizer, and the steps that it takes.

    Args:
        arrays: the tables and the batch.
        threads: that PyTorch uses.
    """

    def __init__(self, arrays: dict[str, np.ndarray], threads: int) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.model = AttentionGenerator(arrays)
        self.batch = {
            name: torch.tensor(arrays[name]).long()
            for name in ("tokens", "features", "time_rows", "states")
        }
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), 1e-3, betas=(0.9, 0.98), weight_decay=0.01
        )

    def likelihood(self) -> float:
        """Makes one maximum-likelihood step, with dropout; returns the loss before it."""
        self.model.train()
        loss = self.model.loss(self.batch)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()

        return loss.item()

    def sample(self, num_rows: int, length: int) -> Tensor:
        """Samples rows, without dropout."""
        self.model.eval()

        return self.model.sample(self.batch, num_rows, length)


def main() -> None:
    """Answers each line of the standard input with one of the standard output."""
    path, threads = Path(sys.argv[1]), int(sys.argv[2])
    peer = Peer(dict(np.load(path)), threads)
    for line in sys.stdin:
        request = json.loads(line)
        step = getattr(peer, request.pop("step"))
        started = time.perf_counter()
        step(**request)
        seconds = time.perf_counter() - started
        print(json.dumps({"seconds": seconds, "torch": torch.__version__}), flush=True)


if __name__ == "__main__":
    main()
