"""What every generator can do once it computes the logits of the next token, yours included."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.models.checks import check_count, check_guidance, check_prompt
from tfseqgan.models.decoding import sample_in_one_graph, sample_sequences
from tfseqgan.models.interfaces import State, Tokens
from tfseqgan.models.likelihood_model import LikelihoodModel
from tfseqgan.ops.sampling import check_sampling, row_seeds

_SEED_VARIABLE = "seed_generator_state"
"""The name that Keras gives to the state of a layer's random numbers."""


class SequenceModel(LikelihoodModel):
    """The base class of generators: what the library asks of one, except its network.

    A subclass offers `call`, the four methods that the loops of `tfseqgan.models.decoding` need
    (`decoding_cache`, `initial_state`, `next_logits`, `prefix_states`), and a `get_config` that
    returns all arguments of its constructor. From these follow `fit` and `evaluate` of Keras,
    likelihoods, samples, rollouts, and the frozen prior of `kl_control`, which is made by the
    subclass' own `from_config` (docs/your_own_generator.md).

    Args:
        vocabulary_size: V, the number of token ids.
        pad_token_id: the id that stands after the end token.
        end_token_id: the id that ends a sequence, or None where sequences have a fixed length.
        **kwargs: those of `keras.Model`.

    Raises:
        ValueError: if the number of ids is no whole number of 1 or more.

    Example:
        >>> class Unigram(SequenceModel):
        ...     def __init__(self, **options):
        ...         super().__init__(**options)
        ...         self.logits = self.add_weight(shape=(self.vocabulary_size,), name="logits")
        ...     def call(self, tokens, training=False):
        ...         shape = tf.concat([tf.shape(tokens), [self.vocabulary_size]], axis=0)
        ...         return tf.broadcast_to(self.logits, shape)
        ...     def decoding_cache(self):
        ...         return tf.convert_to_tensor(self.logits)
        ...     def initial_state(self, num_rows, length):
        ...         return tf.zeros([num_rows, 0])
        ...     def next_logits(self, cache, state, previous):
        ...         shape = tf.concat([tf.shape(previous), [self.vocabulary_size]], axis=0)
        ...         return tf.broadcast_to(cache, shape), state
        ...     def prefix_states(self, tokens):
        ...         return lambda length: tf.zeros([tf.shape(tokens)[0], 0])
        >>> generator = Unigram(vocabulary_size=7, pad_token_id=0, end_token_id=None)
        >>> generator.generate(2, length=5, prompt=[3], seed=0)[:, 0].tolist()
        [3, 3]
    """

    def __init__(
        self,
        vocabulary_size: int,
        *,
        pad_token_id: int,
        end_token_id: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_jit = False  # XLA is slower here on a CPU and turns cuDNN off on a GPU
        self.vocabulary_size = check_count("vocabulary_size", vocabulary_size)
        self.pad_token_id = pad_token_id
        self.end_token_id = end_token_id

    @property
    def reads_controls(self) -> bool:
        """Whether a prompt may say what a sequence shall be."""
        return False

    def call(self, tokens: Tokens, training: bool = False) -> tf.Tensor:
        """Computes the logits of every token given the tokens before it.

        The shift is inside: position t reads y₍<t₎ alone.

        Args:
            tokens: int [B, T].
            training: whether dropout is on.

        Returns:
            float32 [B, T, V].
        """
        raise NotImplementedError

    def decoding_cache(self) -> Any:
        """Returns what all steps of a decoding loop share, computed once; None for nothing."""
        raise NotImplementedError

    def initial_state(self, num_rows: tf.Tensor | int, length: tf.Tensor | int) -> State:
        """Returns the state before the first of at most `length` tokens, [B, …]."""
        raise NotImplementedError

    def next_logits(self, cache: Any, state: State, previous: tf.Tensor) -> tuple[tf.Tensor, State]:
        """Reads one token a row, and computes the logits of the next.

        Args:
            cache: from `decoding_cache`.
            state: the state before the token.
            previous: int32 [B], the token; V stands for the start of a sequence.

        Returns:
            float32 [B, V] and the state after the token.
        """
        raise NotImplementedError

    def prefix_states(self, tokens: tf.Tensor) -> Callable[[int], State]:
        """Returns a function of l that gives the states before y_l is read, l from 1 to T."""
        raise NotImplementedError

    def token_log_probs(self, tokens: Tokens, training: bool = False) -> tf.Tensor:
        """Computes log p(yₜ | y₍<t₎) of every token in nats, those after the end token too.

        Args:
            tokens: int [B, T].
            training: whether dropout is on.

        Returns:
            float32 [B, T].
        """
        logits = tf.cast(self(tokens, training=training), tf.float32)

        return -tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=tf.cast(tokens, tf.int32), logits=logits
        )

    def seed_dropout(self, seed: tuple[int, int]) -> None:
        """Restarts the random numbers of dropout from two integers, so that a run repeats.

        The layers' numbers differ.
        """
        first, second = seed
        states = [variable for variable in self.variables if variable.name == _SEED_VARIABLE]
        for index, state in enumerate(states):
            state.assign(np.array([(first + index) % 2**32, second], np.uint32))

    def sample(
        self,
        seeds: tf.Tensor,
        length: tf.Tensor | int,
        temperature: tf.Tensor | None = None,
        top_k: tf.Tensor | None = None,
        top_p: tf.Tensor | None = None,
        prompt: tf.Tensor | None = None,
        prompt_lengths: tf.Tensor | None = None,
        guidance: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Samples one sequence a seed pair, as `decoding.sample_sequences` says.

        Called from Python it runs one of a handful of graphs, by which options are None: another
        length, another number of rows and other options are computed by the same graph. Within a
        `tf.function` it becomes a part of that function.
        """
        options = (temperature, top_k, top_p, prompt, prompt_lengths, guidance)
        if not tf.executing_eagerly():
            return sample_sequences(self, seeds, length, *options)

        dtypes = (tf.float32, tf.int32, tf.float32, tf.int32, tf.int32, tf.float32)
        tensors = [
            None if option is None else tf.convert_to_tensor(option, dtype)
            for option, dtype in zip(options, dtypes, strict=True)
        ]
        seeds = tf.convert_to_tensor(seeds, tf.int32)

        return sample_in_one_graph(self, seeds, tf.convert_to_tensor(length, tf.int32), *tensors)

    def generate(
        self,
        num_sequences: int,
        length: int = 100,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        guidance: float | None = None,
        prompt: np.ndarray | list[int] | None = None,
        seed: int | tuple[int, int] | None = None,
    ) -> np.ndarray:
        """Samples sequences, all in one compiled loop.

        A row depends on the seed and its index alone, not on how many rows are sampled with it.
        Without a prompt a sequence is a window like those of the training data, which may begin in
        the middle of a tune; for whole tunes pass `prompt=tokenizer.prompts(num_sequences)`, which
        also says what the tunes shall be.

        Args:
            num_sequences: B.
            length: T, the largest number of tokens; rows that end earlier are padded.
            temperature: divides the logits; 1 samples from the model, lower is safer. It is
                positive in float32, that is 1.2e-38 at least; from 1e-30 downwards the likeliest
                token is drawn, as with `top_k=1`.
            top_k: keep only the k likeliest tokens of each step, or None.
            top_p: keep the likeliest tokens that together hold this probability, in (0, 1], or
                None.
            guidance: how much more than in the model the controls of the prompt shall count, 0 or
                more; 0.4 brings more tunes home to their key. None is 0, and takes half the time.
            prompt: int tokens [P] or [B, P] that every sequence begins with, or None; an empty one
                is none.
            seed: a whole number for the same sequences again, a pair of them as in
                `ops.sampling.row_seeds`, or None for new ones.

        Returns:
            NumPy int32 [B, T].

        Raises:
            ValueError: if an argument is out of range, or so many tokens need more memory than this
                machine has.
            RuntimeError: if this process was forked after a model was used.

        Example:
            >>> from tfseqgan.models.generator import Generator
            >>> generator = Generator(7, embedding_dim=4, units=8, end_token_id=None)
            >>> generator.generate(2, length=5, prompt=[3], seed=0)[:, 0].tolist()
            [3, 3]
        """
        options = check_sampling(num_sequences, length, temperature, top_k, top_p)
        num_sequences, length, temperature, top_k, top_p = options
        guidance = check_guidance(guidance, self.reads_controls)
        prompts = check_prompt(prompt, num_sequences, length, self.vocabulary_size)
        if top_k is not None or top_p is not None:  # one graph for all filters
            top_k = 0 if top_k is None else top_k
            top_p = 1.0 if top_p is None else top_p

        seeds = row_seeds(seed, num_sequences)
        tokens, _ = self.sample(
            seeds, length, temperature, top_k, top_p, prompts, guidance=guidance
        )

        return tokens.numpy()

    def export(self, filepath: Any, *args: Any, **options: Any) -> None:
        """Raises ValueError: `tfseqgan.export_saved_model` exports a generator.

        Keras would export the logits of given tokens, and cannot: it also writes the gradients,
        which ours do not need where nothing is trained.
        """
        raise ValueError(
            "A generator is not exported by Keras' own method; expected "
            "tfseqgan.export_saved_model(generator, tokenizer, path), which writes a sampler and "
            "the score of tokens."
        )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the logits: [B, T] → [B, T, V]."""
        return (*input_shape, self.vocabulary_size)

    def compute_output_spec(self, tokens: Any, training: bool = False) -> keras.KerasTensor:
        """Returns what a symbolic call gives: float32 [B, T, V], in mixed precision too."""
        return keras.KerasTensor(self.compute_output_shape(tokens.shape), "float32")

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of this class; a subclass adds its own."""
        return super().get_config() | {
            "vocabulary_size": self.vocabulary_size,
            "pad_token_id": self.pad_token_id,
            "end_token_id": self.end_token_id,
        }
