"""What a served model computes: its signatures, and the checks of a request.

TensorFlow Serving passes a request to the graph as it is. So each signature checks its inputs
itself, and fails a bad request with a message that names the input.

Rows are computed in whole blocks (`tfseqgan.ops.sampling.pad_rows`), so that the answer to a row
does not depend on the other rows of its batch, to the last bit.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfseqgan.arguments import SMALLEST_FLOAT32
from tfseqgan.models.decoding import score_sequences
from tfseqgan.models.discriminator import Discriminator
from tfseqgan.models.language_model import LanguageModel
from tfseqgan.models.resampling import choose_candidates, spread_seeds
from tfseqgan.music.control_tokens import NUM_CONTROLS, ControlTokens
from tfseqgan.ops.sampling import pad_rows
from tfseqgan.serving.served_controls import control_prompts

Signature = Callable[..., dict[str, tf.Tensor]]
"""A TensorFlow function of the inputs of a request that returns the outputs by name."""

SAMPLING_INPUTS = {
    "seed": tf.TensorSpec([None, 2], tf.int32, "seed"),
    "temperature": tf.TensorSpec([None], tf.float32, "temperature"),
    "top_k": tf.TensorSpec([None], tf.int32, "top_k"),
    "top_p": tf.TensorSpec([None], tf.float32, "top_p"),
}
"""The inputs of the signatures that sample, by name."""

_GUIDANCE_INPUTS = {"guidance": tf.TensorSpec([None], tf.float32, "guidance")}

_CONTROL_INPUTS = {"controls": tf.TensorSpec([None, NUM_CONTROLS], tf.int32, "controls")}

_PROMPT_INPUTS = {
    "prompt": tf.TensorSpec([None, None], tf.int32, "prompt"),
    "prompt_length": tf.TensorSpec([None], tf.int32, "prompt_length"),
}

_TOKEN_INPUTS = {"tokens": tf.TensorSpec([None, None], tf.int32, "tokens")}


def _require(condition, message):
    """Returns an operation that fails the request with a message unless a condition holds."""
    return tf.debugging.Assert(tf.reduce_all(condition), [message])


def _check_shapes(specs, *values):
    """Returns the inputs of a request, checked: the signature's shapes, and equally many rows."""
    first, *others = [
        tf.ensure_shape(value, spec.shape, name=f"shape_of_{name}")
        for (name, spec), value in zip(specs.items(), values, strict=True)
    ]
    first_name, *other_names = specs
    num_rows = tf.shape(first)[0]

    checks = [
        _require(tf.shape(other)[0] == num_rows, f"{name}: must have as many rows as {first_name}")
        for name, other in zip(other_names, others, strict=True)
    ]
    with tf.control_dependencies(checks):
        return [first, *(tf.identity(other) for other in others)]


class _Options(NamedTuple):
    """The options of a request for samples, [B] each; guidance is None without controls."""

    seed: tf.Tensor
    temperature: tf.Tensor
    top_k: tf.Tensor
    top_p: tf.Tensor
    guidance: tf.Tensor | None = None


def _sampling_checks(options):
    """Returns the checks of the sampling options."""
    _, temperature, top_k, top_p, _ = options
    checks = []
    if options.guidance is not None:
        is_number = (options.guidance >= 0) & (options.guidance < float("inf"))
        checks = [_require(is_number, "guidance: must be 0 (none) or more")]

    return checks + [
        _require(
            (temperature >= SMALLEST_FLOAT32) & (temperature < float("inf")),
            "temperature: must be a positive number",
        ),
        _require(top_k >= 0, "top_k: must be 0 (all tokens) or more"),
        _require((top_p >= SMALLEST_FLOAT32) & (top_p <= 1), "top_p: must lie in (0, 1]"),
    ]


def _token_check(generator, name, tokens):
    """Returns the check that token ids lie in the vocabulary."""
    size = generator.vocabulary_size

    return _require(
        (tokens >= 0) & (tokens < size), f"{name}: token ids must lie in 0 to {size - 1}"
    )


def _check_tokens(generator, tokens):
    """Returns the tokens of a request, int32 [B, S], checked."""
    [tokens] = _check_shapes(_TOKEN_INPUTS, tokens)
    checks = [
        _token_check(generator, "tokens", tokens),
        _require(tf.shape(tokens)[1] > 0, "tokens: must hold 1 token or more"),
    ]

    with tf.control_dependencies(checks):
        return tf.identity(tokens)


def _count_tokens(generator, tokens):
    """Counts the tokens of each row up to and including the end token: [B, T] → int32 [B]."""
    num_rows, length = tf.unstack(tf.shape(tokens))
    if generator.end_token_id is None:
        return tf.fill([num_rows], length)

    is_end = tf.cast(tokens == generator.end_token_id, tf.int32)
    is_after_end = tf.cumsum(is_end, axis=1, exclusive=True) > 0

    return length - tf.reduce_sum(tf.cast(is_after_end, tf.int32), axis=1)


def _sampling_outputs(generator, tokens, log_probs):
    """Returns the outputs that all sampling signatures have."""
    return {
        "tokens": tokens,
        "lengths": _count_tokens(generator, tokens),
        "log_probs": log_probs,
    }


class _Opening:
    """How every sample of a signature begins: with one prompt, or with the controls of a request.

    Args:
        prompt: token ids.
        controls: the ids of the controls, or None for the prompt alone.
    """

    def __init__(self, prompt: tuple[int, ...], controls: ControlTokens | None) -> None:
        self.prompt = prompt
        self.controls = controls

    @property
    def inputs(self) -> dict[str, tf.TensorSpec]:
        """What a signature that samples reads, by name."""
        if self.controls is None:
            return SAMPLING_INPUTS

        return SAMPLING_INPUTS | _GUIDANCE_INPUTS | _CONTROL_INPUTS

    def check(self, values: tuple[tf.Tensor, ...]) -> tuple[_Options, tf.Tensor | None]:
        """Returns the options of a request and its prompts, int32 [B, P] or None, checked."""
        checked = _check_shapes(self.inputs, *values)
        options = _Options(*checked[: len(_Options._fields)])
        checks = _sampling_checks(options)
        asked = None if self.controls is None else checked[-1]
        if asked is not None:
            checks.append(self._check_controls(asked))

        with tf.control_dependencies(checks):
            seed = tf.identity(options.seed)
            return options._replace(seed=seed), self._prompts(seed, asked)

    def _check_controls(self, asked):
        """Returns the check that the codes of a request lie in the vocabulary."""
        sizes = self.controls.vocabulary.sizes
        limits = ", ".join(str(size - 1) for size in sizes)

        return _require(
            (asked >= 0) & (asked < sizes),
            f"controls: codes of metre, key, bars and rhythm must lie in 0 to {limits}",
        )

    def _prompts(self, seed, asked):
        if self.controls is not None:
            return control_prompts(self.controls, self.prompt[0], asked, seed)
        if not self.prompt:
            return None

        return tf.tile(tf.constant([self.prompt], tf.int32), [tf.shape(seed)[0], 1])


def _sample(generator, length, options, prompts, prompt_lengths=None):
    """Samples as the options of a request say: tokens and log_probs, [B, T] each."""
    seed, *filters, guidance = options
    arguments = (seed, length, *filters, prompts, prompt_lengths)
    if guidance is None:
        return generator.sample(*arguments)

    return tf.cond(
        tf.reduce_any(guidance > 0),
        lambda: generator.sample(*arguments, guidance),
        lambda: generator.sample(*arguments),
    )


def _sample_signature(generator: LanguageModel, length: int, opening: _Opening) -> Signature:
    """Returns `sample`: one sequence a seed."""

    @tf.function(input_signature=list(opening.inputs.values()))
    def sample(*values):
        options, prompts = opening.check(values)
        tokens, log_probs = _sample(generator, length, options, prompts)

        return _sampling_outputs(generator, tokens, log_probs)

    return sample


def _continue_signature(generator: LanguageModel, length: int, has_controls: bool) -> Signature:
    """Returns `continue`: one sequence a seed, which begins with the request's own prompt."""
    inputs = _PROMPT_INPUTS | SAMPLING_INPUTS
    if has_controls:
        inputs |= _GUIDANCE_INPUTS

    def prompt_checks(prompt, prompt_length):
        width = tf.shape(prompt)[1]

        return [
            _token_check(generator, "prompt", prompt),
            _require(
                width <= length,
                f"prompt: must hold at most {length} tokens, the length of a sample",
            ),
            _require(
                (prompt_length >= 0) & (prompt_length <= width),
                "prompt_length: must lie in 0 to the width of prompt",
            ),
        ]

    @tf.function(input_signature=list(inputs.values()))
    def continue_(*values):
        prompt, prompt_length, *rest = _check_shapes(inputs, *values)
        options = _Options(*rest)
        checks = prompt_checks(prompt, prompt_length) + _sampling_checks(options)

        with tf.control_dependencies(checks):
            prompt = tf.identity(prompt)
            tokens, log_probs = _sample(generator, length, options, prompt, prompt_length)

            return _sampling_outputs(generator, tokens, log_probs)

    return continue_


def _score_signature(generator: LanguageModel) -> Signature:
    """Returns `score`: the log-probability of each token that counts, and the NLL per token."""

    @tf.function(input_signature=list(_TOKEN_INPUTS.values()))
    def score(tokens):
        tokens = _check_tokens(generator, tokens)
        log_probs = score_sequences(generator, tokens)  # [B, S]
        lengths = tf.cast(_count_tokens(generator, tokens), tf.float32)  # [B]

        return {"log_probs": log_probs, "nll": -tf.reduce_sum(log_probs, axis=1) / lengths}

    return score


def _logits_and_probabilities(discriminator, tokens):
    """Computes D's logit and probability of each row: int32 [B, S] → float32 [B] each."""
    num_rows = tf.shape(tokens)[0]
    logits = discriminator(pad_rows(tokens), training=False)

    # TensorFlow computes the last elements of a vector by another sigmoid than the others, so
    # that the padding is cut off only afterwards.
    probabilities = tf.sigmoid(logits)

    return logits[:num_rows], probabilities[:num_rows]


def _discriminate_signature(generator: LanguageModel, discriminator: Discriminator) -> Signature:
    """Returns `discriminate`: D's logit and probability of being real of each row."""

    @tf.function(input_signature=list(_TOKEN_INPUTS.values()))
    def discriminate(tokens):
        tokens = _check_tokens(generator, tokens)
        logits, probabilities = _logits_and_probabilities(discriminator, tokens)

        return {"logits": logits, "probabilities": probabilities}

    return discriminate


def _repeat_rows(values, count):
    """Repeats each row so many times: [B, …] → [B·count, …]; None stays None."""
    return None if values is None else tf.repeat(values, count, axis=0)


def _sample_best_signature(
    generator: LanguageModel,
    discriminator: Discriminator,
    length: int,
    opening: _Opening,
    num_candidates: int,
) -> Signature:
    """Returns `sample_best`: of K samples a row one is kept, drawn by D's odds D / (1 − D)."""

    @tf.function(input_signature=list(opening.inputs.values()))
    def sample_best(*values):
        options, prompts = opening.check(values)
        num_rows = tf.shape(options.seed)[0]
        seeds = spread_seeds(options.seed, num_candidates + 1)  # [B, K + 1, 2]
        seeds_of_choices = seeds[:, -1]  # [B, 2]
        options = _Options(*[_repeat_rows(option, num_candidates) for option in options])
        prompts = _repeat_rows(prompts, num_candidates)
        options = options._replace(seed=tf.reshape(seeds[:, :-1], [-1, 2]))  # [B·K, 2]
        tokens, log_probs = _sample(generator, length, options, prompts)  # [B·K, T] each

        logits, _ = _logits_and_probabilities(discriminator, tokens)
        logits = tf.reshape(logits, [num_rows, num_candidates])  # [B, K]
        chosen = choose_candidates(logits, seeds_of_choices)  # [B]
        indices = tf.range(num_rows) * num_candidates + chosen  # [B], into the B·K rows

        outputs = _sampling_outputs(
            generator, tf.gather(tokens, indices), tf.gather(log_probs, indices)
        )
        return outputs | {"logits": tf.gather(logits, chosen, batch_dims=1)}

    return sample_best


def make_signatures(
    generator: LanguageModel,
    discriminator: Discriminator | None,
    length: int,
    prompt: tuple[int, ...],
    num_candidates: int,
    controls: ControlTokens | None = None,
) -> dict[str, Signature]:
    """Returns the signatures that `export_saved_model` describes.

    Args:
        generator: the model that samples.
        discriminator: the model that scores samples, or None to leave its signatures out.
        length: T, the tokens of every sample.
        prompt: token ids that every row of `sample` and of `sample_best` begins with.
        num_candidates: K, the samples a row of which `sample_best` keeps one.
        controls: the ids of the controls, which follow the prompt of `sample` and `sample_best`; or
            None.

    Returns:
        TensorFlow functions by the name of their signature.

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> generator = Generator(vocabulary_size=7, embedding_dim=4, units=8)
        >>> list(make_signatures(generator, None, length=5, prompt=(1,), num_candidates=8))
        ['serving_default', 'sample', 'continue', 'score']
    """
    opening = _Opening(prompt, controls)
    sample = _sample_signature(generator, length, opening)
    signatures = {
        "serving_default": sample,
        "sample": sample,
        "continue": _continue_signature(generator, length, controls is not None),
        "score": _score_signature(generator),
    }
    if discriminator is not None:
        signatures["discriminate"] = _discriminate_signature(generator, discriminator)
        signatures["sample_best"] = _sample_best_signature(
            generator, discriminator, length, opening, num_candidates
        )

    return signatures
