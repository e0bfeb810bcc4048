"""G: the LSTM that writes sequences, one token after the other (the paper, sections 3.1 and 4)."""

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.models.embedding import TokenEmbedding, check_token_features
from tfseqgan.ops.log_probs import log_probs_at, token_log_probs
from tfseqgan.ops.lstm import advance, gates_of, project, read, read_rows
from tfseqgan.ops.masking import masked_mean, sequence_mask
from tfseqgan.ops.replicas import Dropout
from tfseqgan.ops.sampling import (
    check_sampling,
    invert,
    next_tokens,
    row_blocks,
    row_seeds,
    row_uniforms,
    whole_rows,
)


@keras.saving.register_keras_serializable(package="tfseqgan")
class Generator(keras.Model):
    """A language model over tokens: p(y) = Π_t p(yₜ | y₍<t₎), by an embedding, one LSTM and a projection to logits.

    `compile` and `fit` do maximum likelihood on an array of token rows; `generate` samples; `fit_adversarial` trains it as a policy.
    Given `token_features` a token's vector is the sum of its parts' vectors and one of its own, and the same vectors, behind a
    projection, give the logits. Without them it is the paper's generator: a table, an LSTM, a dense layer.

    Args:
        vocabulary_size: V, the number of token ids.
        token_features: int32 [V, P], the parts of each token (`Tokenizer.token_features`), or None for the table embedding.
        embedding_dim: length of a token's vector; the paper's is 32.
        units: LSTM units.
        dropout: share of the embedding and of the LSTM's output dropped in `fit`; never when sampling or in a policy gradient.
        pad_token_id: what stands behind the end of a sequence.
        end_token_id: the id that ends a sequence, or None where sequences have a fixed length.

    Example:
        >>> generator = Generator(vocabulary_size=7, embedding_dim=4, units=8)
        >>> generator(np.array([[3, 4, 5]])).shape
        TensorShape([1, 3, 7])

    Reference:
        Bjare & Meredith, sections 3.1 and 4; Yu et al. 2016, section 3.
    """

    def __init__(
        self,
        vocabulary_size,
        token_features=None,
        *,
        embedding_dim=128,
        units=512,
        dropout=0.0,
        pad_token_id=0,
        end_token_id=2,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supports_jit = False  # XLA is slower here on a CPU and turns cuDNN off on a GPU: compile(jit_compile=True) warns and goes on without
        self.vocabulary_size = vocabulary_size
        self.token_features = check_token_features(token_features, vocabulary_size)
        self.embedding_dim = embedding_dim
        self.units = units
        self.dropout_rate = dropout
        self.pad_token_id = pad_token_id
        self.end_token_id = end_token_id
        policy = {"dtype": self.dtype_policy}
        self.embedding = TokenEmbedding(
            vocabulary_size,
            embedding_dim,
            self.token_features,
            keras.initializers.RandomNormal(stddev=0.1),
            **policy,
            name="embedding",
        )
        self.lstm = keras.layers.LSTM(units, return_sequences=True, **policy, name="lstm")
        self.dropout = Dropout(dropout, **policy, name="dropout")
        self.projection = keras.layers.Dense(
            vocabulary_size if token_features is None else embedding_dim,
            **policy,
            name="projection",
        )
        self.nll_metric = keras.metrics.Mean(name="nll")
        self.build()

    def build(self, input_shape=None):
        """Creates every weight, once; the constructor does it, since the vocabulary's size is all that it takes."""
        if self.built:
            return
        self.embedding.build()
        self.lstm.build((None, None, self.embedding_dim))
        self.projection.build((None, None, self.units))
        self.opening = self.add_weight(
            shape=(self.embedding_dim,), initializer="zeros", autocast=False, name="opening"
        )
        if self.token_features is not None:
            self.bias = self.add_weight(
                shape=(self.vocabulary_size,), initializer="zeros", autocast=False, name="bias"
            )

    def call(self, tokens, training=False):
        """Returns the logits of every token given the tokens before it: int [B, T] → float32 [B, T, V], in mixed precision too.

        Teacher forcing with the shift inside: position t reads y₍<t₎ alone, position 0 a learned opening vector.
        """
        table = self.embedding.table()  # [V, D]
        if training and self.dropout_rate:
            return self.logits(self._read_dropped(tokens, table), table)  # [B, T, V]
        return self.logits(
            tf.transpose(tf.concat(self._read(tokens, table), axis=1), [1, 0, 2]), table
        )  # [B, T, V]

    def token_log_probs(self, tokens, training=False):
        """Returns log p(yₜ | y₍<t₎) of every token in nats, whatever stands behind the end: int32 [B, T] → float32 [B, T].

        What `call`'s logits give, but for the last digits; with the gradient in less time and memory (`likelihood`).
        """
        table = self.embedding.table()  # [V, D]

        def log_probs(outputs, tokens):
            return token_log_probs(
                *self._last_layer(tf.reshape(outputs, [-1, self.units]), table), tokens
            )

        if training and self.dropout_rate:
            return log_probs(self._read_dropped(tokens, table), tokens)
        blocks = zip(self._read(tokens, table), row_blocks(tokens.shape[0]), strict=True)
        return tf.concat(
            [
                tf.transpose(log_probs(outputs, tf.transpose(tokens[rows])))
                for outputs, rows in blocks
            ],
            axis=0,
        )

    def _read(self, tokens, table):
        """Returns the LSTM's outputs as `recurrence.read_rows` does, time first and in blocks: int [B, T], float [V, D] → [T, b, units] each."""
        rows = tf.cast(
            tf.concat([table, self.opening[None]], axis=0), self.compute_dtype
        )  # [V + 1, D]
        places = tf.pad(
            tf.cast(tokens[:, :-1], tf.int32),
            [[0, 0], [1, 0]],
            constant_values=self.vocabulary_size,
        )  # [B, T]
        return read_rows(rows, places, self.lstm)

    def _read_dropped(self, tokens, table):
        """Returns the LSTM's outputs with dropout before and behind it, where every place loses numbers of its own: [B, T] → [B, T, units]."""
        return self.dropout(
            read(self.dropout(self.inputs(tokens, table), training=True), self.lstm), training=True
        )

    def inputs(self, tokens, table):
        """Returns what the LSTM reads: the opening vector, and the vectors of all tokens but the last. int [B, T], float [V, D] → float [B, T, D]."""
        opening = tf.broadcast_to(self.opening, [tf.shape(tokens)[0], 1, self.embedding_dim])
        return tf.cast(
            tf.concat([opening, tf.gather(table, tokens[:, :-1])], axis=1), self.compute_dtype
        )

    def logits(self, outputs, table):
        """Projects the LSTM's output to logits, through the tokens' own vectors where these have parts: [..., units] → float32 [..., V]."""
        flat, kernel, bias = self._last_layer(tf.reshape(outputs, [-1, self.units]), table)
        logits = tf.cast(tf.nn.bias_add(tf.matmul(flat, kernel), bias), tf.float32)
        return tf.reshape(logits, tf.concat([tf.shape(outputs)[:-1], [self.vocabulary_size]], 0))

    def _last_layer(self, flat, table):
        """Returns what the last layer reads, its kernel and its bias: [N, units], float [V, D] → [N, units or D], [units or D, V], [V]."""
        # Flat matrix products: the gradient of an einsum with an ellipsis takes ninety times as long on a CPU (benchmarks/decisions.py).
        kernel, bias = (
            tf.cast(weight, flat.dtype) for weight in (self.projection.kernel, self.projection.bias)
        )
        if self.token_features is None:
            return flat, kernel, bias
        return (
            tf.nn.bias_add(tf.matmul(flat, kernel), bias),
            tf.transpose(tf.cast(table, flat.dtype)),
            tf.cast(self.bias, flat.dtype),
        )

    def compute_output_shape(self, input_shape):
        """Shape [B, T] → [B, T, V]."""
        return (*input_shape, self.vocabulary_size)

    def compute_output_spec(self, tokens, training=False):
        """What a symbolic call gives: float32 [B, T, V], in mixed precision too."""
        return keras.KerasTensor(self.compute_output_shape(tokens.shape), "float32")

    def nll(self, tokens, training=False):
        """Returns the mean NLL of tokens in nats per token, over the tokens that count: int [B, T] → float32 [].

        −Σ_b Σ_t mₜ log p(yₜ | y₍<t₎) / Σ_b Σ_t mₜ
        """
        tokens = tf.cast(tokens, tf.int32)
        mask, nll = (
            sequence_mask(tokens, self.end_token_id),
            -self.token_log_probs(tokens, training),
        )  # [B, T]
        self.nll_metric.update_state(nll, sample_weight=mask)
        return masked_mean(nll, mask)

    def train_step(self, data):
        """What `fit` does with a batch of token rows: a step down their mean NLL."""
        with tf.GradientTape() as tape:
            loss = self.nll(keras.utils.unpack_x_y_sample_weight(data)[0], training=True)
            scaled = self.optimizer.scale_loss(loss)
        self.optimizer.apply(
            tape.gradient(scaled, self.trainable_variables), self.trainable_variables
        )
        return self._figures(loss, *keras.utils.unpack_x_y_sample_weight(data))

    def test_step(self, data):
        """What `evaluate` and the validation of `fit` do with a batch."""
        return self._figures(
            self.nll(keras.utils.unpack_x_y_sample_weight(data)[0]),
            *keras.utils.unpack_x_y_sample_weight(data),
        )

    def _figures(self, loss, tokens, labels, weights):
        """Returns Keras' figures by name; those that `compile` was given read the logits."""
        own = {metric.name: metric for metric in self.metrics}
        if "loss" in own:
            own["loss"].update_state(loss, sample_weight=tf.shape(tokens)[0])
        if "compile_metrics" in own:
            return self.compute_metrics(tokens, labels, self(tokens), weights)
        return self.get_metrics_result()

    def seed_dropout(self, seed):
        """Starts the dropout's random numbers anew from two integers, so that a run repeats."""
        if self.dropout_rate:
            self.dropout.seed_generator.state.assign(np.asarray(seed, np.uint32))

    def generate(
        self,
        num_sequences,
        length=100,
        *,
        temperature=1.0,
        top_k=None,
        top_p=None,
        prompt=None,
        seed=None,
    ):
        """Samples sequences, all in one compiled loop.

        A row depends on its seed and its place alone, not on how many rows are drawn with it. Without a prompt a sequence is a window like those of the
        training data, which may begin in the middle of a tune; for whole tunes pass `prompt=[tokenizer.start_token_id]`.

        Args:
            num_sequences: B, how many.
            length: T, tokens a sequence at the most; rows that end earlier are padded.
            temperature: divides the logits; 1 samples from the model, lower is safer, 0 is not allowed.
            top_k: keep only the k likeliest tokens of each step, or None.
            top_p: keep the likeliest tokens that together hold this probability, in (0, 1], or None.
            prompt: int tokens [P] or [B, P] that every sequence begins with, or None; an empty one is none.
            seed: an integer for the same sequences again, or None for new ones.

        Returns:
            NumPy int32 [B, T].

        Raises:
            ValueError: if an argument is out of range.

        Example:
            >>> generator = Generator(vocabulary_size=7, embedding_dim=4, units=8, end_token_id=None)
            >>> generator.generate(2, length=5, prompt=[3], seed=0)[:, 0].tolist()
            [3, 3]
        """
        check_sampling(num_sequences, length, temperature, top_k, top_p)
        prompt = self._prompt(prompt, num_sequences, length)
        seeds = whole_rows(
            row_seeds(seed, num_sequences)
        )  # few graphs, and no row more than the loops compute anyway
        prompt = prompt if prompt is None else whole_rows(prompt)
        tokens, _ = self.sample(
            seeds, length, tf.constant(temperature, tf.float32), top_k, top_p, prompt
        )
        return tokens.numpy()[:num_sequences]

    def _prompt(self, prompt, num_sequences, length):
        """Returns a prompt as int32 [B, P], checked, or None."""
        if prompt is None:
            return None
        prompt = np.asarray(prompt)
        if not prompt.size:
            return None
        fits = prompt.ndim == 1 or prompt.ndim == 2 and len(prompt) in (1, num_sequences)
        if (
            not fits
            or not np.issubdtype(prompt.dtype, np.integer)
            or prompt.shape[-1] > length
            or not 0 <= prompt.min() <= prompt.max() < self.vocabulary_size
        ):
            raise ValueError(
                f"prompt must be token ids 0 to {self.vocabulary_size - 1}, [P] or [num_sequences, P], with P ≤ length = {length} and "
                f"num_sequences = {num_sequences}; received {prompt.dtype} of shape {prompt.shape}, {prompt.min()} to {prompt.max()}. Encode a prompt "
                "with the tokenizer that the generator was trained with."
            )
        return tf.constant(np.broadcast_to(prompt, (num_sequences, prompt.shape[-1])), tf.int32)

    @tf.function  # each number of rows a graph of its own, which knows it (rows.row_blocks)
    def sample(
        self,
        seeds,
        length,
        temperature=None,
        top_k=None,
        top_p=None,
        prompt=None,
        prompt_lengths=None,
    ):
        """Samples one sequence a seed; the graph behind `generate`, `Policy.sample` and the exported samplers.

        Args:
            seeds: int32 [B, 2], one pair a row.
            length: T, a Python integer.
            temperature: float32 [] or [B], or None for 1.
            top_k: int32 [] or [B], 0 for all tokens, or None.
            top_p: float32 [] or [B], or None.
            prompt: int32 [B, P], or None.
            prompt_lengths: int32 [B], how much of each row's prompt counts, or None for all of it.

        Returns:
            tokens int32 [B, T], padded behind the end, and log_probs float32 [B, T]: log p(yₜ | y₍<t₎) of the model itself, at
            temperature 1 and unfiltered; 0 behind the end.
        """
        tables, options = self.tables(), (seeds, temperature, top_k, top_p, prompt, prompt_lengths)
        blocks = [
            [
                whole_rows(value[block]) if tf.is_tensor(value) and value.shape.rank else value
                for value in options
            ]
            for block in row_blocks(seeds.shape[0])
        ]
        drawn = [self._draw(tables, length, *block) for block in blocks]
        tokens, log_probs = (
            tf.concat(parts, axis=0)[: tf.shape(seeds)[0]] for parts in zip(*drawn)
        )  # [B, T]
        return tokens, log_probs

    def _draw(self, tables, length, seeds, temperature, top_k, top_p, prompt, prompt_lengths):
        """Samples rows in one loop; as `sample`, of a multiple of `rows.ROWS` rows."""
        uniforms = row_uniforms(seeds, length)  # [T, B]

        def choose(t, logits, probs):
            if temperature is None and top_k is None and top_p is None:
                drawn = invert(probs, uniforms[t])  # [B]
            else:
                drawn = next_tokens(logits, uniforms[t], temperature, top_k, top_p)
            if prompt is None:
                return drawn
            size = tf.shape(prompt)[1]
            prompted = tf.gather(
                tf.pad(prompt, [[0, 0], [0, 1]]), tf.minimum(t, size), axis=1
            )  # [B]
            return tf.where(
                t < (size if prompt_lengths is None else prompt_lengths), prompted, drawn
            )

        return self.unroll(tables, tf.shape(seeds)[0], length, choose)

    def tables(self):
        """Returns what sampling looks up: every token's vector, float32 [V, D], what it brings to the gates, four of [V, units], and the `Gates`."""
        table, gates = self.embedding.table(), gates_of(self.lstm)
        return table, project(tf.cast(table, self.compute_dtype), gates), gates

    def unroll(self, tables, rows, length, choose):
        """Writes sequences step by step; the loop under sampling and scoring, plain TensorFlow operations without the LSTM layer.

        Args:
            tables: from `tables`.
            rows: B, an integer or int32 [], a multiple of `rows.ROWS` where a row must not depend on the others to the last bit.
            length: T, an integer or int32 [].
            choose: function of the step t, int32 [], and the logits and probabilities of p(· | y₍<t₎), float32 [B, V] each, that returns yₜ,
                int32 [B].

        Returns:
            As `sample`.
        """
        table, known, gates = tables

        def step(t, projected, hidden, cell, alive, tokens, log_probs):
            hidden, cell = advance(projected, hidden, cell, gates.states)
            logits = self.logits(hidden, table)  # [B, V]
            probs = tf.nn.softmax(logits)  # [B, V]
            chosen = choose(t, logits, probs)  # [B]
            chances = log_probs_at(lambda: logits, probs, chosen)
            log_probs, tokens = (
                log_probs.write(t, tf.where(alive, chances, 0.0)),
                tokens.write(t, tf.where(alive, chosen, self.pad_token_id)),
            )
            if self.end_token_id is not None:
                alive = tf.ensure_shape(alive & (chosen != self.end_token_id), alive.shape)
            projected = [
                tf.ensure_shape(tf.gather(part, chosen), given.shape)
                for part, given in zip(known, opening)
            ]
            return t + 1, projected, hidden, cell, alive, tokens, log_probs

        zeros = tf.zeros([rows, self.units], self.compute_dtype)
        opening = project(
            tf.cast(tf.broadcast_to(self.opening, [rows, self.embedding_dim]), self.compute_dtype),
            gates,
        )
        arrays = tf.TensorArray(tf.int32, length), tf.TensorArray(tf.float32, length)
        start = (tf.constant(0), opening, zeros, zeros, tf.ones([rows], tf.bool), *arrays)
        *_, tokens, log_probs = tf.while_loop(
            lambda t, *_: t < length, step, start, parallel_iterations=1
        )
        return tf.transpose(tokens.stack()), tf.transpose(log_probs.stack())  # [B, T]

    def get_config(self):
        """Returns what makes the same model again, as plain values."""
        return super().get_config() | {
            "vocabulary_size": self.vocabulary_size,
            "token_features": None if self.token_features is None else self.token_features.tolist(),
            "embedding_dim": self.embedding_dim,
            "units": self.units,
            "dropout": self.dropout_rate,
            "pad_token_id": self.pad_token_id,
            "end_token_id": self.end_token_id,
        }
