"""What the library's generators share: a token's vector, the grammar, the logits."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.models.checks import check_count
from tfseqgan.models.embedding import TokenEmbedding, check_token_features
from tfseqgan.models.interfaces import Tokens
from tfseqgan.models.place import Place, PlaceReader
from tfseqgan.models.scale_degrees import check_pitch_classes
from tfseqgan.models.sequence_model import SequenceModel
from tfseqgan.models.token_clock import (
    TokenClock,
    check_token_controls,
    check_token_durations,
)
from tfseqgan.models.tune_form import TuneForm
from tfseqgan.ops.log_probs import output_logits, token_log_probs

_ROWS_A_CHECK = 1024
"""Rows whose grammar is checked at once, which bounds the memory."""


class LastLayer(NamedTuple):
    """The layer that gives the logits.

    Attributes:
        kernel: float [D, V].
        bias: float [V].
    """

    kernel: tf.Tensor
    bias: tf.Tensor


def _without_time(values: tf.Tensor) -> tf.Tensor:
    """Returns [B, T, …] as [B · T, …]."""
    return tf.reshape(values, tf.concat([[-1], tf.shape(values)[2:]], axis=0))


class LanguageModel(SequenceModel):
    """A causal model of tokens between an embedding and the logits, without its middle.

    A subclass adds the layers that read the tokens' vectors and calls `_add_last_layer` and
    `build`. It offers `outputs`, and for decoding `decoding_cache`, `initial_state`, `next_logits`
    and `prefix_states` (`interfaces.SequenceGenerator`).

    Args:
        vocabulary_size: V, the number of token ids.
        token_features: int32 [V, P], the parts of each token (`Tokenizer.token_features`), or None
            for the table embedding.
        token_durations: int32 [V, 2], the ticks of each token in melody and chords
            (`Tokenizer.token_durations`), or None for sequences without a grammar.
        token_controls: int32 [V, 3], the control that each token says (`Tokenizer.token_controls`),
            or None for sequences without controls.
        token_pitch_classes: int32 [V, 2], the pitch classes of each token
            (`Tokenizer.token_pitch_classes`); expected with controls, and only then.
        embedding_dim: D, the length of a token's vector.
        dropout: share of the vectors and of the outputs that is dropped in maximum likelihood.
        control_dropout: share of the tunes in which a control is left out in maximum likelihood.
        pad_token_id: the id that stands after the end token.
        end_token_id: the id that ends a sequence, or None where sequences have a fixed length.
    """

    def __init__(
        self,
        vocabulary_size: int,
        token_features: np.ndarray | None = None,
        token_durations: np.ndarray | None = None,
        *,
        embedding_dim: int,
        dropout: float,
        pad_token_id: int,
        end_token_id: int | None,
        token_controls: np.ndarray | None = None,
        token_pitch_classes: np.ndarray | None = None,
        control_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            vocabulary_size, pad_token_id=pad_token_id, end_token_id=end_token_id, **kwargs
        )
        self.token_features = check_token_features(token_features, self.vocabulary_size)
        self.token_durations = check_token_durations(token_durations, self.vocabulary_size)
        self.token_controls = check_token_controls(token_controls, self.vocabulary_size)
        self.token_pitch_classes = check_pitch_classes(token_pitch_classes, self.vocabulary_size)
        self._check_tables()
        self.embedding_dim = check_count("embedding_dim", embedding_dim)
        self.dropout_rate = dropout
        self.control_dropout = control_dropout

    @property
    def reads_controls(self) -> bool:
        """Whether a prompt may say what a sequence shall be."""
        return self.token_controls is not None

    def _check_tables(self) -> None:
        """Raises ValueError unless the tables of the tokens go together."""
        if (self.token_controls is None) != (self.token_pitch_classes is None):
            raise ValueError(
                "token_controls and token_pitch_classes go together: expected both or neither. "
                "Pass tokenizer.token_controls and tokenizer.token_pitch_classes."
            )
        if self.token_controls is None:
            return
        if self.token_features is None or self.token_durations is None:
            raise ValueError(
                "Controls need to know when a token starts and of what parts it is: expected "
                "token_features and token_durations beside token_controls. Pass the tokenizer's."
            )

    def _add_embedding(self) -> None:
        """Creates the layers that read tokens; the tables are created by `build`."""
        self.embedding = TokenEmbedding(
            self.vocabulary_size,
            self.embedding_dim,
            self.token_features,
            keras.initializers.RandomNormal(stddev=0.1),
            dtype=self.dtype_policy,
            name="embedding",
        )
        self.clock: TokenClock | None = None
        if self.token_durations is not None:
            self.clock = TokenClock(
                self.token_durations,
                self.embedding_dim,
                self.pad_token_id,
                self._required_end_token_id(),
                keras.initializers.RandomNormal(stddev=0.1),
                self.token_controls,
                dtype=self.dtype_policy,
                name="clock",
            )
        self.form: TuneForm | None = None
        if self.token_controls is not None:
            assert self.token_pitch_classes is not None and self.token_durations is not None
            self.form = TuneForm(
                self.token_controls,
                self.token_pitch_classes,
                self.token_durations,
                self.embedding_dim,
                self.control_dropout,
                keras.initializers.RandomNormal(stddev=0.1),
                self._required_end_token_id(),
                dtype=self.dtype_policy,
                name="form",
            )
        self.places = PlaceReader(self.clock, self.form)

    def _add_last_layer(self) -> None:
        """Creates dropout and the projection to the embedding's length, or to the logits."""
        is_tied = self.token_features is not None
        size = self.embedding_dim if is_tied else self.vocabulary_size
        policy = {"dtype": self.dtype_policy}
        self.dropout = keras.layers.Dropout(self.dropout_rate, **policy, name="dropout")
        self.projection = keras.layers.Dense(size, **policy, name="projection")

    def _required_end_token_id(self) -> int:
        if self.end_token_id is None:
            raise ValueError(
                "token_durations need an end token: expected end_token_id to be an id, received "
                "None. Sequences of a fixed length have no grammar; leave token_durations out."
            )

        return self.end_token_id

    def _build_ends(self, output_dim: int) -> None:
        """Creates the weights of all layers but the middle ones.

        Args:
            output_dim: the length of what the middle layers give.
        """
        self.embedding.build()
        if self.clock is not None:
            self.clock.build()
        if self.form is not None:
            self.form.build()
        self.projection.build((None, None, output_dim))
        self.opening = self.add_weight(
            shape=(self.embedding_dim,), initializer="zeros", autocast=False, name="opening"
        )
        if self.token_features is not None:
            self.bias = self.add_weight(
                shape=(self.vocabulary_size,), initializer="zeros", autocast=False, name="bias"
            )

    def outputs(self, tokens: Tokens, table: tf.Tensor, places: Place, training: bool) -> tf.Tensor:
        """Computes what the last layer projects, dropout included.

        Args:
            tokens: int [B, T].
            table: float32 [V, D], the tokens' vectors.
            places: where each token stands, [B, T] each.
            training: whether dropout is on.

        Returns:
            float [B, T, H].
        """
        raise NotImplementedError

    def call(self, tokens: Tokens, training: bool = False) -> tf.Tensor:
        """Computes the logits of every token given the tokens before it.

        Teacher forcing with the shift inside: position t reads y₍<t₎ alone, position 0 the learned
        opening vector.

        Args:
            tokens: int [B, T].
            training: whether dropout is on.

        Returns:
            float32 [B, T, V], in mixed precision too.
        """
        _, inputs, last_layer = self._read(tokens, training)
        logits = output_logits(inputs, *last_layer)  # [B·T, V]
        shape = tf.concat([tf.shape(tokens), [self.vocabulary_size]], axis=0)

        return tf.reshape(tf.cast(logits, tf.float32), shape)

    def token_log_probs(self, tokens: Tokens, training: bool = False) -> tf.Tensor:
        """Computes log p(yₜ | y₍<t₎) of every token in nats, those after the end token too.

        Args:
            tokens: int [B, T].
            training: whether dropout is on.

        Returns:
            float32 [B, T].
        """
        log_probs, _ = self.log_probs_and_outputs(tokens, training)

        return log_probs

    def log_probs_and_outputs(
        self, tokens: Tokens, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes `token_log_probs`, and the outputs that the last layer projects.

        Args:
            tokens: int [B, T].
            training: whether dropout is on.

        Returns:
            float32 [B, T] and float [B, T, H].
        """
        outputs, inputs, last_layer = self._read(tokens, training)
        log_probs = token_log_probs(inputs, *last_layer, tf.reshape(tokens, [-1]))  # [B·T]

        return tf.reshape(log_probs, tf.shape(tokens)), outputs

    def _read(self, tokens: Tokens, training: bool) -> tuple[tf.Tensor, tf.Tensor, LastLayer]:
        """Computes the outputs [B, T, H], what the last layer reads, float [B·T, D], and it."""
        table = self.embedding.table()  # [V, D]
        places = self.places.of_rows(tokens, training)
        outputs = self.outputs(tokens, table, places, training)

        # Flat matrix products: the gradient of an einsum with an ellipsis is far slower on a CPU
        # (benchmarks/decisions.py).
        flat = tf.reshape(outputs, [-1, outputs.shape[-1]])
        flat_places = tf.nest.map_structure(_without_time, places)

        return outputs, self._project(flat, flat_places), self._last_layer(table)

    def shifted_vectors(self, tokens: Tokens, table: tf.Tensor, places: Place) -> tf.Tensor:
        """Computes what the middle layers read: the opening vector, then all tokens but the last.

        To each is added a vector of the place that comes next.

        Args:
            tokens: int [B, T].
            table: float32 [V, D].
            places: where each token stands, [B, T] each.

        Returns:
            float [B, T, D].
        """
        opening = tf.broadcast_to(self.opening, [tf.shape(tokens)[0], 1, self.embedding_dim])
        earlier = tf.gather(table, tokens[:, :-1])  # [B, T − 1, D]
        vectors = tf.concat([opening, earlier], axis=1)
        if self.clock is not None:
            vectors += self.clock.vectors(places.clock, places.grammar)
        if self.form is not None:
            vectors += self._form_vectors(places)

        return tf.cast(vectors, self.compute_dtype)

    def _form_vectors(self, place: Place) -> tf.Tensor:
        """Computes the vector of what was asked for and of the place in the form, [..., D]."""
        assert self.form is not None

        return self.form.vectors(place.form, self.places.in_time(place).due)

    def _project(self, outputs: tf.Tensor, place: Place) -> tf.Tensor:
        """Computes what the last layer reads from the outputs.

        Where the embedding is tied, outputs are projected to the length of its vectors. The state
        of the grammar is added as a one-hot row, which meets the rows of its mask in the kernel,
        and so are the scores of the degrees.

        Args:
            outputs: float [N, H].
            place: int32 [N] each.

        Returns:
            float [N, D].
        """
        if self.token_features is not None:
            kernel = tf.cast(self.projection.kernel, outputs.dtype)
            bias = tf.cast(self.projection.bias, outputs.dtype)
            outputs = tf.nn.bias_add(tf.matmul(outputs, kernel), bias)

        parts = [outputs]
        if self.clock is not None:
            parts.append(self.clock.one_hot(place.grammar, outputs.dtype))
        if self.form is not None:
            parts.append(self.form.output_scores(outputs, place.form, self.places.in_time(place)))

        return tf.concat(parts, axis=1)

    def _last_layer(self, table: tf.Tensor) -> LastLayer:
        """Returns the kernel [D, V] and the bias [V] of the logits in the compute dtype."""
        is_tied = self.token_features is not None
        kernel = tf.transpose(table) if is_tied else tf.convert_to_tensor(self.projection.kernel)
        bias = self.bias if is_tied else self.projection.bias

        parts = [tf.cast(kernel, self.compute_dtype)]
        if self.clock is not None:
            parts.append(tf.cast(self.clock.mask, self.compute_dtype))
        if self.form is not None:
            parts.append(tf.cast(self.form.output_rows, self.compute_dtype))

        return LastLayer(tf.concat(parts, axis=0), tf.cast(bias, self.compute_dtype))

    def find_grammar_break(self, tokens: np.ndarray) -> tuple[int, int] | None:
        """Finds the first token that the grammar forbids, which would have probability 0.

        Args:
            tokens: int32 [N, T].

        Returns:
            Its row and its index in the row, or None: every row has a likelihood.
        """
        if self.clock is None:
            return None

        for row in range(0, len(tokens), _ROWS_A_CHECK):
            breaks = np.argwhere(self._are_forbidden(tokens[row : row + _ROWS_A_CHECK]))
            if len(breaks):
                return row + int(breaks[0, 0]), int(breaks[0, 1])

        return None

    def _are_forbidden(self, tokens: np.ndarray) -> np.ndarray:
        """Returns which tokens have probability 0 after those before them, bool [N, T]."""
        assert self.clock is not None
        places = self.places.of_rows(tf.constant(tokens, tf.int32))
        forbidden = self.clock.mask[places.grammar.numpy(), tokens] < 0
        if self.form is not None:
            by_bars = self.form.forbidden(
                places.form, self.places.in_time(places)
            ).numpy()  # [N, T, 3]
            forbidden |= (by_bars & self.form.forbidden_rows.T[tokens]).any(axis=-1)

        return forbidden

    def without_controls(self, tokens: tf.Tensor) -> tf.Tensor:
        """Replaces controls by the tokens that say that they are unknown, int32 [...]."""
        if self.form is None:
            return tokens

        return tf.gather(self.form.ids_without_controls, tokens)

    def seed_dropout(self, seed: tuple[int, int]) -> None:
        """Restarts the random numbers of dropout from two integers, so that a run repeats."""
        layers = [self.dropout]
        if self.form is not None:
            layers += [self.form.dropout_of_each, self.form.dropout_of_all]
        for layer in layers:
            if layer.rate:
                layer.seed_generator.state.assign(np.asarray(seed, np.uint32))

    def get_config(self) -> dict[str, Any]:
        """Returns what makes the same model again, as plain values."""
        features = self.token_features
        durations = self.token_durations
        with_controls = {}
        if self.token_controls is not None and self.token_pitch_classes is not None:
            with_controls = {
                "token_controls": self.token_controls.tolist(),
                "token_pitch_classes": self.token_pitch_classes.tolist(),
                "control_dropout": self.control_dropout,
            }

        return super().get_config() | {
            "token_features": None if features is None else features.tolist(),
            "token_durations": None if durations is None else durations.tolist(),
            "embedding_dim": self.embedding_dim,
            "dropout": self.dropout_rate,
            **with_controls,
        }
