"""Samplers as SavedModels: signatures for TensorFlow Serving, C++ and plain TensorFlow, with neither Keras, TFP nor tfseqgan needed to load them."""

import os
import shutil
from pathlib import Path

import tensorflow as tf

from tfseqgan.files import write_json
from tfseqgan.models.checks import check_models
from tfseqgan.ops.sampling import next_tokens, row_uniforms, whole_rows

_BANNED_OPS = (
    "Cudnn",
    "PyFunc",
    "Multinomial",
    "Random",
    "TruncatedNormal",
    "StatefulUniform",
    "StatefulStandardNormal",
    "Rng",
)


_GOLDEN = (
    -1640531527
)  # 2³² over the golden ratio, as int32: spreads the seeds of a row's candidates


_INPUTS = {
    "seed": tf.TensorSpec([None, 2], tf.int32, "seed"),
    "temperature": tf.TensorSpec([None], tf.float32, "temperature"),
    "top_k": tf.TensorSpec([None], tf.int32, "top_k"),
    "top_p": tf.TensorSpec([None], tf.float32, "top_p"),
}


_TOKENS = {"tokens": tf.TensorSpec([None, None], tf.int32, "tokens")}


_PROMPT = {
    "prompt": tf.TensorSpec([None, None], tf.int32, "prompt"),
    "prompt_length": tf.TensorSpec([None], tf.int32, "prompt_length"),
}


def _require(condition, message):
    """Fails the request with a message, for the client to read, unless a condition holds for every row."""
    return tf.debugging.Assert(tf.reduce_all(condition), [message])


def _shaped(specs, *values):
    """Returns the inputs of a request in their signature's shape and with as many rows as the first, or fails it: a server checks neither."""
    first, *others = [
        tf.ensure_shape(value, spec.shape, name=f"shape_of_{name}")
        for (name, spec), value in zip(specs.items(), values)
    ]
    names, rows = list(specs), tf.shape(first)[0]
    checks = [
        _require(tf.shape(other)[0] == rows, f"{name}: must have as many rows as {names[0]}")
        for name, other in zip(names[1:], others)
    ]
    with tf.control_dependencies(checks):
        return [first, *map(tf.identity, others)]


class Sampler(tf.Module):
    """What a SavedModel keeps besides its signatures: the variables, and no Keras object, so that nothing of Keras enters the file.

    Args:
        models: the Keras models that the signatures use.
        tokenizer_file: path of the tokenizer's JSON, which goes along as an asset.
    """

    def __init__(self, models, tokenizer_file):
        super().__init__(name="sampler")
        self.tokenizer_file = tf.saved_model.Asset(str(tokenizer_file))
        self.model_variables = [weight.value for model in models for weight in model.weights]


def _check_tokens(generator, name, tokens):
    size = generator.vocabulary_size
    return _require(
        (tokens >= 0) & (tokens < size), f"{name}: token ids must lie in 0 to {size - 1}"
    )


def _known_tokens(generator, tokens):
    """Returns the tokens of a request, int32 [B, S], or fails it."""
    [tokens] = _shaped(_TOKENS, tokens)
    checks = [
        _check_tokens(generator, "tokens", tokens),
        _require(tf.shape(tokens)[1] > 0, "tokens: must hold 1 token or more"),
    ]
    with tf.control_dependencies(checks):
        return tf.identity(tokens)


def _check_draws(temperature, top_k, top_p):
    """Returns the checks of what a client says about sampling."""
    return [
        _require(
            (temperature > 0) & (temperature < float("inf")),
            "temperature: must be a positive number",
        ),
        _require(top_k >= 0, "top_k: must be 0 (all tokens) or more"),
        _require((top_p > 0) & (top_p <= 1), "top_p: must lie in (0, 1]"),
    ]


def _judge(discriminator, tokens):
    """Returns the logits and probabilities of tokens, int32 [B, S] → float32 [B] each, computed in whole blocks of rows as sampling is."""
    rows = tf.shape(tokens)[0]
    logits = discriminator(whole_rows(tokens), training=False)
    return logits[:rows], tf.sigmoid(logits)[
        :rows
    ]  # a vector's last elements are computed by another exp than the others


def _lengths(generator, tokens):
    """Returns how many tokens of each row count, int32 [B]."""
    if generator.end_token_id is None:
        return tf.fill([tf.shape(tokens)[0]], tf.shape(tokens)[1])
    ended = tf.cast(
        tf.cumsum(tf.cast(tokens == generator.end_token_id, tf.int32), axis=1, exclusive=True) > 0,
        tf.int32,
    )
    return tf.shape(tokens)[1] - tf.reduce_sum(ended, axis=1)


def _drawn(generator, tokens, log_probs):
    return {"tokens": tokens, "lengths": _lengths(generator, tokens), "log_probs": log_probs}


def _repeat_prompt(prompt, rows):
    """Returns a prompt for every row, int32 [B, P], or None for an empty one."""
    return tf.tile(tf.constant([prompt], tf.int32), [rows, 1]) if prompt else None


def _generator_signatures(generator, length, prompt):
    """Returns the signatures `sample`, `continue` and `score`; `sample` is the default one."""

    @tf.function(input_signature=list(_INPUTS.values()))
    def sample(seed, temperature, top_k, top_p):
        seed, temperature, top_k, top_p = _shaped(_INPUTS, seed, temperature, top_k, top_p)
        with tf.control_dependencies(_check_draws(temperature, top_k, top_p)):
            prompts = _repeat_prompt(prompt, tf.shape(seed)[0])
            return _drawn(
                generator, *generator.sample(seed, length, temperature, top_k, top_p, prompts)
            )

    @tf.function(input_signature=[*_PROMPT.values(), *_INPUTS.values()])
    def continue_(prompt, prompt_length, seed, temperature, top_k, top_p):
        prompt, prompt_length, *draws = _shaped(
            _PROMPT | _INPUTS, prompt, prompt_length, seed, temperature, top_k, top_p
        )
        seed, temperature, top_k, top_p = draws
        size = tf.shape(prompt)[1]
        checks = [
            _check_tokens(generator, "prompt", prompt),
            _require(
                size <= length, f"prompt: must hold at most {length} tokens, the length of a sample"
            ),
            _require(
                (prompt_length >= 0) & (prompt_length <= size),
                "prompt_length: must lie in 0 to the width of prompt",
            ),
        ]
        with tf.control_dependencies(checks + _check_draws(temperature, top_k, top_p)):
            prompt = tf.identity(prompt)
            return _drawn(
                generator,
                *generator.sample(seed, length, temperature, top_k, top_p, prompt, prompt_length),
            )

    @tf.function(input_signature=list(_TOKENS.values()))
    def score(tokens):
        tokens = _known_tokens(generator, tokens)
        rows, steps = tf.unstack(tf.shape(tokens))
        whole = whole_rows(tokens)
        log_probs = generator.unroll(
            generator.tables(), tf.shape(whole)[0], steps, lambda t, *_: tf.gather(whole, t, axis=1)
        )[1][:rows]
        nll = -tf.reduce_sum(log_probs, axis=1) / tf.cast(_lengths(generator, tokens), tf.float32)
        return {"log_probs": log_probs, "nll": nll}

    return {"serving_default": sample, "sample": sample, "continue": continue_, "score": score}


def _discriminator_signatures(generator, discriminator, length, prompt, num_candidates):
    """Returns the signatures `discriminate` and `sample_best`."""

    @tf.function(input_signature=list(_TOKENS.values()))
    def discriminate(tokens):
        return dict(
            zip(
                ["logits", "probabilities"], _judge(discriminator, _known_tokens(generator, tokens))
            )
        )

    @tf.function(input_signature=list(_INPUTS.values()))
    def sample_best(seed, temperature, top_k, top_p):
        seed, temperature, top_k, top_p = _shaped(_INPUTS, seed, temperature, top_k, top_p)
        with tf.control_dependencies(_check_draws(temperature, top_k, top_p)):
            rows = tf.shape(seed)[0]
            spread = tf.range(1, num_candidates + 2) * _GOLDEN  # [K + 1], the last for the choice
            seeds = tf.stack(
                [seed[:, :1] ^ spread, tf.repeat(seed[:, 1:], num_candidates + 1, axis=1)], axis=2
            )  # [B, K + 1, 2]
            options = [tf.repeat(option, num_candidates) for option in (temperature, top_k, top_p)]
            candidates = tf.reshape(seeds[:, :-1], [-1, 2])  # [B·K, 2]
            tokens, log_probs = generator.sample(
                candidates, length, *options, _repeat_prompt(prompt, rows * num_candidates)
            )
            logits = tf.reshape(_judge(discriminator, tokens)[0], [rows, num_candidates])  # [B, K]
            kept = next_tokens(whole_rows(logits), whole_rows(row_uniforms(seeds[:, -1], 1)[0]))[
                :rows
            ]  # [B], as likely as D's odds
            place = tf.range(rows) * num_candidates + kept
            return _drawn(generator, tf.gather(tokens, place), tf.gather(log_probs, place)) | {
                "logits": tf.gather(logits, kept, batch_dims=1)
            }

    return {"discriminate": discriminate, "sample_best": sample_best}


def check_graph(graph_def):
    """Raises ValueError, naming the operation, if a graph holds what a server on another machine cannot run or cannot repeat.

    Args:
        graph_def: a `GraphDef` with its functions.
    """
    nodes = [
        *graph_def.node,
        *(node for function in graph_def.library.function for node in function.node_def),
    ]
    jitted = [
        function.signature.name
        for function in graph_def.library.function
        if function.attr["_XlaMustCompile"].b
    ]
    found = [
        f"{node.op} ({node.name})"
        for node in nodes
        if any(name in node.op for name in _BANNED_OPS) and not node.op.startswith("Stateless")
    ]
    if found or jitted:
        raise ValueError(
            f"The graph holds {', '.join(found + [f'XLA-compiled {name}' for name in jitted])}; expected plain operations that any CPU runs and repeats. "
            "Export a generator and a discriminator of this library, without jit_compile."
        )


def _check_saved(folder):
    """Loads a SavedModel and raises ValueError if a signature holds what a server cannot run or repeat."""
    for signature in tf.saved_model.load(str(folder)).signatures.values():
        check_graph(signature.graph.as_graph_def())


def _write_warmup(folder):
    """Writes a warm-up request for `sample`, so that a server's first client need not wait; needs the extra `serving`, and does nothing without it."""
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        return
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = "serving_default"
    example = {"seed": [[0, 0]], "temperature": [1.0], "top_k": [0], "top_p": [1.0]}
    for name, value in example.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value, _INPUTS[name].dtype))
    log = prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )
    with tf.io.TFRecordWriter(
        str(folder / "assets.extra" / "tf_serving_warmup_requests")
    ) as writer:
        writer.write(log.SerializeToString())


def export_saved_model(
    generator,
    tokenizer,
    path,
    version=1,
    *,
    discriminator=None,
    length=512,
    prompt=(),
    num_candidates=8,
    card=None,
):
    """Writes a generator as a SavedModel that TensorFlow Serving serves, in `path/version`, whole or not at all.

    | signature | inputs | outputs |
    |---|---|---|
    | `serving_default`, `sample` | `seed` int32 [B, 2], `temperature` [B], `top_k` int32 [B] (0: all), `top_p` [B] | `tokens` [B, T], `lengths`, `log_probs` |
    | `continue` | the same, `prompt` int32 [B, P], `prompt_length` int32 [B] | the same, each row beginning with its prompt |
    | `score` | `tokens` int32 [B, S] | `log_probs` [B, S], `nll` [B] in nats per token |
    | `discriminate` | `tokens` int32 [B, S] | `logits` [B], `probabilities` [B] of being real |
    | `sample_best` | as `sample` | as `sample` and `logits`: of K draws a row one is kept, as likely as D's odds |

    The same seed gives the same tokens as `generator.generate`, whatever a row is batched with. `assets/` holds the tokenizer's JSON, `assets.extra/`
    the card, which `SavedSampler` reads, and warm-up requests where `tensorflow-serving-api` is installed.

    Args:
        generator: a `Generator`.
        tokenizer: the `Tokenizer` of its vocabulary.
        path: the model's folder, which TensorFlow Serving watches.
        version: a whole number above 0; a version that exists is refused.
        discriminator: a `Discriminator` for `discriminate` and `sample_best`, or None.
        length: T, the tokens of every sample.
        prompt: token ids that every sample begins with: `[tokenizer.start_token_id]` for whole tunes.
        num_candidates: K of `sample_best`.
        card: what else there is to say of the model, a dict of plain values: how it was trained, what it scored.

    Returns:
        The folder that was written, `path/version`.

    Raises:
        ValueError: if the version exists, the parts do not fit each other, or the graph holds an operation that a server cannot run.
        OSError: if the folder cannot be written; nothing of it is then left.
    """
    check_models(generator, discriminator)
    target = Path(path) / str(version)
    if not all(type(number) is int and number >= 1 for number in (version, length, num_candidates)):
        raise ValueError(
            f"version, length and num_candidates must be whole numbers of 1 or more, received {version!r}, {length!r} and {num_candidates!r}."
        )
    if target.exists():
        raise ValueError(
            f"{target} exists; expected a new version, since servers may be running this one. Pass a higher version."
        )
    if tokenizer.vocabulary_size != generator.vocabulary_size:
        raise ValueError(
            f"The tokenizer knows {tokenizer.vocabulary_size} tokens and the generator {generator.vocabulary_size}; expected the same."
        )
    if len(prompt) > length or not all(0 <= token < generator.vocabulary_size for token in prompt):
        last = generator.vocabulary_size - 1
        raise ValueError(
            f"prompt must be at most {length} token ids of 0 to {last}, received {prompt}. Encode it with the tokenizer."
        )
    signatures = _generator_signatures(generator, length, tuple(prompt))
    if discriminator is not None:
        signatures |= _discriminator_signatures(
            generator, discriminator, length, tuple(prompt), num_candidates
        )
    Path(path).mkdir(parents=True, exist_ok=True)
    partial = (
        Path(path) / f".{version}.{os.getpid()}.partial"
    )  # a server looks for numbers only, so it never sees half a model
    partial.mkdir()
    try:
        tokenizer.save(partial / "tokenizer.json")
        module = Sampler(
            [generator, discriminator] if discriminator else [generator], partial / "tokenizer.json"
        )
        options = tf.saved_model.SaveOptions(
            experimental_custom_gradients=False
        )  # nobody trains a served model, and they bring operations along
        tf.saved_model.save(module, str(partial / "model"), signatures=signatures, options=options)
        _check_saved(partial / "model")
        (partial / "model" / "assets.extra").mkdir()
        facts = {
            "end_token_id": generator.end_token_id,
            "prompt": [int(token) for token in prompt],
            "num_candidates": num_candidates,
        }
        write_json(partial / "model" / "assets.extra" / "card.json", (card or {}) | facts)
        _write_warmup(partial / "model")
        os.rename(partial / "model", target)
    except tf.errors.OpError as error:
        raise OSError(
            f"{target} could not be written ({error.message}); expected a disk with room for it. Free some space and export again."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target
