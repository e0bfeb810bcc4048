"""G: the LSTM that writes sequences, one token after the other (the paper, sections 3.1 and 4)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.models.checks import check_count, check_size
from tfseqgan.models.interfaces import Tokens
from tfseqgan.models.language_model import LanguageModel, LastLayer
from tfseqgan.models.place import Place
from tfseqgan.models.weight_counts import count_generator_weights
from tfseqgan.ops.log_probs import output_logits
from tfseqgan.ops.lstm import (
    Gates,
    gates_of,
    input_projections,
    lstm_outputs,
    lstm_states,
    lstm_step,
)
from tfseqgan.ops.sampling import pad_rows


class GeneratorState(NamedTuple):
    """What the generator keeps from one token to the next.

    Attributes:
        hidden: float [B, H], of the LSTM.
        cell: float [B, H], of the LSTM.
        place: where the next token stands, int32 [B] each.
    """

    hidden: tf.Tensor
    cell: tf.Tensor
    place: Place


class DecodingCache(NamedTuple):
    """What all steps of a decoding loop look up.

    Attributes:
        last_layer: the layer that gives the logits.
        projections: four of float [V + 1, H]: what each token, and last the opening vector, adds
            to the gates.
        clock_projections: four of float [R, H]: what each row of the clock's joint table adds; none
            without a clock.
        gates: the weights of the LSTM.
    """

    last_layer: LastLayer
    projections: list[tf.Tensor]
    clock_projections: list[tf.Tensor]
    gates: Gates


@keras.saving.register_keras_serializable(package="tfseqgan")
class Generator(LanguageModel):
    """A language model of tokens, p(y) = Π_t p(yₜ | y₍<t₎): an embedding, one LSTM, a projection.

    `compile` and `fit` do maximum likelihood on an array of token rows; `generate` samples;
    `fit_adversarial` trains it as a policy.

    Given `token_features`, a token's vector is the sum of its parts' vectors and one of its own,
    and the same vectors, after a projection, give the logits. Without them it is the paper's
    generator: a table, an LSTM, a dense layer.

    Args:
        vocabulary_size: V, the number of token ids.
        token_features: int32 [V, P], the parts of each token (`Tokenizer.token_features`), or None
            for the table embedding.
        token_durations: int32 [V, 2], the ticks of each token in melody and chords
            (`Tokenizer.token_durations`). The generator then knows when each token starts, and
            gives probability 0 to those that may not follow (`token_clock`). None for sequences
            without such a grammar.
        embedding_dim: D, the length of a token's vector; the paper's is 32.
        units: H, LSTM units.
        dropout: share of the embedding and of the LSTM's output that `fit` drops; nothing is
            dropped when sampling or in a policy gradient.
        pad_token_id: the id that stands after the end token.
        end_token_id: the id that ends a sequence, or None where sequences have a fixed length.
        token_controls: int32 [V, 3], the control that each token says (`Tokenizer.token_controls`),
            or None.
        token_pitch_classes: int32 [V, 2], the pitch classes of each token
            (`Tokenizer.token_pitch_classes`); expected with controls, and only then.
        control_dropout: share of the tunes in which a control is left out in maximum likelihood.

    Raises:
        ValueError: if a size is out of range, or the model needs more memory than this machine has.

    Example:
        >>> generator = Generator(vocabulary_size=7, embedding_dim=4, units=8)
        >>> generator(np.array([[3, 4, 5]])).shape
        TensorShape([1, 3, 7])

    Reference:
        Bjare & Meredith, sections 3.1 and 4; Yu et al. 2016, section 3.
    """

    def __init__(
        self,
        vocabulary_size: int,
        token_features: np.ndarray | None = None,
        token_durations: np.ndarray | None = None,
        *,
        embedding_dim: int = 128,
        units: int = 512,
        dropout: float = 0.0,
        pad_token_id: int = 0,
        end_token_id: int | None = 2,
        token_controls: np.ndarray | None = None,
        token_pitch_classes: np.ndarray | None = None,
        control_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            vocabulary_size,
            token_features,
            token_durations,
            embedding_dim=embedding_dim,
            dropout=dropout,
            pad_token_id=pad_token_id,
            end_token_id=end_token_id,
            token_controls=token_controls,
            token_pitch_classes=token_pitch_classes,
            control_dropout=control_dropout,
            **kwargs,
        )
        self.units = check_count("units", units)
        num_weights = count_generator_weights(
            self.vocabulary_size,
            self.embedding_dim,
            self.units,
            self.token_features,
            has_clock=token_durations is not None,
            token_controls=token_controls,
        )
        check_size(
            num_weights,
            units=self.units,
            embedding_dim=self.embedding_dim,
            vocabulary_size=self.vocabulary_size,
        )

        self._add_embedding()
        self.lstm = keras.layers.LSTM(
            self.units, return_sequences=True, dtype=self.dtype_policy, name="lstm"
        )
        self._add_last_layer()
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Creates every weight, once; the constructor calls it, since it needs no input shape."""
        if self.built:
            return

        self._build_ends(self.units)
        self.lstm.build((None, None, self.embedding_dim))

    def outputs(self, tokens: Tokens, table: tf.Tensor, places: Place, training: bool) -> tf.Tensor:
        """Computes the LSTM's outputs, float [B, T, H] (`LanguageModel.outputs`)."""
        vectors = self.shifted_vectors(tokens, table, places)  # [B, T, D]
        vectors = self.dropout(vectors, training=training)

        outputs = lstm_outputs(vectors, self.lstm)  # [B, T, H]

        return self.dropout(outputs, training=training)

    def decoding_cache(self) -> DecodingCache:
        """Computes what all steps of a decoding loop look up."""
        table = self.embedding.table()  # [V, D]
        gates = gates_of(self.lstm)
        opening = pad_rows(self.opening[None])

        of_tokens = input_projections(tf.cast(table, self.compute_dtype), gates)
        of_opening = input_projections(tf.cast(opening, self.compute_dtype), gates)
        projections = [
            tf.concat([token, start[:1]], axis=0)
            for token, start in zip(of_tokens, of_opening, strict=True)
        ]

        of_clock = []
        if self.clock is not None:
            rows = tf.cast(self.clock.joint_table(), self.compute_dtype)
            of_clock = [tf.matmul(rows, kernel) for kernel in gates.kernels]

        return DecodingCache(self._last_layer(table), projections, of_clock, gates)

    def initial_state(self, num_rows: tf.Tensor | int, length: tf.Tensor | int) -> GeneratorState:
        """Returns the state before the first token: zeros. It has one size for all lengths."""
        zeros = tf.zeros([num_rows, self.units], self.compute_dtype)

        return GeneratorState(zeros, zeros, self.places.first(num_rows))

    def output_of(self, state: GeneratorState) -> tf.Tensor:
        """Returns what the logits of the next token are computed from, float [B, H]."""
        return state.hidden

    def next_logits(
        self, cache: DecodingCache, state: GeneratorState, previous: tf.Tensor
    ) -> tuple[tf.Tensor, GeneratorState]:
        """Reads one token a row, and computes the logits of the next.

        Args:
            cache: from `decoding_cache`.
            state: the state before the token.
            previous: int32 [B], the token; V stands for the opening vector.

        Returns:
            float32 [B, V] and the state after the token.
        """
        projections = [tf.gather(part, previous) for part in cache.projections]
        place = self.places.after(state.place, previous)
        if self.clock is not None:
            indices = self.clock.indices(place.clock, place.grammar)
            projections = [
                projection + tf.gather(rows, indices[0]) + tf.gather(rows, indices[1])
                for projection, rows in zip(projections, cache.clock_projections, strict=True)
            ]
        if self.form is not None:
            of_form = tf.cast(self._form_vectors(place), self.compute_dtype)  # [B, D]
            projections = [
                projection + tf.matmul(of_form, kernel)
                for projection, kernel in zip(projections, cache.gates.kernels, strict=True)
            ]

        hidden, cell = lstm_step(
            projections, state.hidden, state.cell, cache.gates.recurrent_kernels
        )
        logits = output_logits(self._project(hidden, place), *cache.last_layer)

        return tf.cast(logits, tf.float32), GeneratorState(hidden, cell, place)

    def prefix_states(self, tokens: tf.Tensor) -> Callable[[int], GeneratorState]:
        """Returns a function of l that gives the states before y_l is read, l from 1 to T."""
        places = self.places.of_rows(tokens)
        vectors = self.shifted_vectors(tokens, self.embedding.table(), places)
        hidden, cell = lstm_states(vectors, self.lstm)  # [T, B, H] each

        def state_before(length):
            index = length - 1
            place = tf.nest.map_structure(lambda part: part[:, index], places)

            return GeneratorState(hidden[index], cell[index], place)

        return state_before

    def get_config(self) -> dict[str, Any]:
        """Returns what makes the same model again, as plain values."""
        return super().get_config() | {"units": self.units}
