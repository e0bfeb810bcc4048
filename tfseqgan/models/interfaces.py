"""What the library asks of a generator and of a discriminator, so that yours fits too."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
import tensorflow as tf

Tokens: TypeAlias = tf.Tensor | np.ndarray
"""int32 [B, T], one sequence a row."""

State: TypeAlias = Any
"""What a generator keeps from one token to the next: tensors whose first axis is the batch."""


class SequenceGenerator(Protocol):
    """A causal model of token sequences: p(y) = Π_t p(yₜ | y₍<t₎).

    The first three methods are what training and evaluation need, the other four what the loops
    of `tfseqgan.models.decoding` need, which write tokens. A generator trained by `pretrain` and
    `fit_adversarial` is a Keras model besides; `sequence_model.SequenceModel` is the base class of
    such generators.
    """

    @property
    def vocabulary_size(self) -> int:
        """V, the number of token ids."""
        ...

    @property
    def pad_token_id(self) -> int:
        """The id that stands after the end token."""
        ...

    @property
    def end_token_id(self) -> int | None:
        """The id that ends a sequence, or None where sequences have a fixed length."""
        ...

    def __call__(self, tokens: Tokens, training: bool = False) -> tf.Tensor:
        """Computes the logits of every token given the tokens before it, float32 [B, T, V]."""
        ...

    def token_log_probs(self, tokens: Tokens, training: bool = False) -> tf.Tensor:
        """Computes log p(yₜ | y₍<t₎) of every token in nats, float32 [B, T]."""
        ...

    def sample(self, seeds: tf.Tensor, length: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Samples one sequence a seed pair: int32 [B, 2] → tokens and log-probabilities [B, T]."""
        ...

    def decoding_cache(self) -> Any:
        """Returns what all steps of a decoding loop share, computed once."""
        ...

    def initial_state(self, num_rows: tf.Tensor | int, length: tf.Tensor | int) -> State:
        """Returns the state before the first of at most `length` tokens."""
        ...

    def next_logits(self, cache: Any, state: State, previous: tf.Tensor) -> tuple[tf.Tensor, State]:
        """Reads one token a row, and computes the logits of the next.

        Args:
            cache: from `decoding_cache`.
            state: the state before the token.
            previous: int32 [B], the token; `vocabulary_size` stands for the start of a sequence.

        Returns:
            float32 [B, V] and the state after the token.
        """
        ...

    def prefix_states(self, tokens: tf.Tensor) -> Callable[[int], State]:
        """Reads sequences, and returns a function of l that gives the states before y_l is read.

        That is after the start of the sequence and y₁ … y_{l−1}; l is 1 to T.
        """
        ...


class SequenceDiscriminator(Protocol):
    """A classifier of token sequences."""

    @property
    def vocabulary_size(self) -> int:
        """V, the number of token ids."""
        ...

    @property
    def end_token_id(self) -> int | None:
        """The id that ends a sequence, or None where sequences have a fixed length."""
        ...

    def __call__(self, tokens: Tokens, training: bool = False) -> tf.Tensor:
        """Computes the logit of "real" of each sequence, float32 [B]."""
        ...

    def prefix_logits(self, tokens: Tokens, every: int = 1) -> tf.Tensor:
        """Computes the logits of every `every`-th prefix and of the whole, [B, ⌈T / every⌉]."""
        ...
