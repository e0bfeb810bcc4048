"""Samplers as SavedModels, for TensorFlow Serving, C++ and plain TensorFlow.

What is exported loads without Keras, without TensorFlow Probability and without tfseqgan.
"""

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfseqgan.arguments import whole_number
from tfseqgan.files import write_json
from tfseqgan.models.checks import check_same_vocabulary
from tfseqgan.models.discriminator import Discriminator
from tfseqgan.models.language_model import LanguageModel
from tfseqgan.ops.sampling import check_sampling
from tfseqgan.serving.exported_models import write_configs
from tfseqgan.serving.keras_files import check_kind_of_discriminator
from tfseqgan.serving.saved_model_check import foreign_parts, read_meta_graph
from tfseqgan.serving.signatures import Signature, make_signatures
from tfseqgan.serving.tokenizer_files import AnyTokenizer

_log = logging.getLogger("tfseqgan")

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
"""Parts of the names of operations that a server cannot run or cannot repeat."""

_WARMUP_REQUEST = {
    "seed": [[0, 0]],
    "temperature": [1.0],
    "top_k": [0],
    "top_p": [1.0],
    "guidance": [0.0],
    "controls": [[0, 0, 0, 0]],
}


class _ServedModule(tf.Module):
    """What a SavedModel keeps besides its signatures: the variables and the tokenizer's file.

    It holds no Keras object, so that nothing of Keras enters the file.
    """

    def __init__(self, models, tokenizer_file):
        super().__init__(name="sampler")
        self.tokenizer_file = tf.saved_model.Asset(str(tokenizer_file))
        self.model_variables = [weight.value for model in models for weight in model.weights]


def _is_banned(op):
    """Returns whether a server cannot run or cannot repeat an operation of this name."""
    return not op.startswith("Stateless") and any(name in op for name in _BANNED_OPS)


def check_graph(graph_def: Any) -> None:
    """Raises ValueError if a graph holds what a server cannot run or cannot repeat.

    These are cuDNN's operations, calls into Python, functions compiled by XLA, and random numbers
    that depend on a state.

    Args:
        graph_def: a `GraphDef` with its functions.

    Raises:
        ValueError: if there is such an operation; the message names it.

    Example:
        >>> with tf.Graph().as_default() as graph:
        ...     noise = tf.random.uniform([3])
        >>> check_graph(graph.as_graph_def())
        Traceback (most recent call last):
        ValueError: The graph holds RandomUniform (random_uniform/RandomUniform); ...
    """
    functions = graph_def.library.function
    nodes = list(graph_def.node)
    for function in functions:
        nodes.extend(function.node_def)

    banned = [f"{node.op} ({node.name})" for node in nodes if _is_banned(node.op)]
    compiled = [
        f"XLA-compiled {function.signature.name}"
        for function in functions
        if function.attr["_XlaMustCompile"].b
    ]
    if banned or compiled:
        raise ValueError(
            f"The graph holds {', '.join(banned + compiled)}; expected plain operations that every "
            "CPU can run and that give the same result each time. Export a generator and a "
            "discriminator of this library, without jit_compile."
        )


def _check_saved_model(folder):
    """Loads a SavedModel and checks the graph of each signature."""
    for signature in tf.saved_model.load(str(folder)).signatures.values():
        check_graph(signature.graph.as_graph_def())

    parts = foreign_parts(read_meta_graph(folder))
    if parts:  # a model of somebody's own, which servers run
        _log.warning(
            "The exported model holds %s: servers load it, SavedSampler does not.",
            ", ".join(parts),
        )


def _write_warmup(folder, inputs):
    """Writes a request for `sample` that a server runs before its first client asks.

    It needs the package of the extra `serving`. Without that it writes nothing.
    """
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError:
        return

    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = "serving_default"
    for name, spec in inputs.items():
        tensor = tf.make_tensor_proto(_WARMUP_REQUEST[name], spec.dtype)
        request.inputs[name].CopyFrom(tensor)

    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())


def _to_integers(version, length, num_candidates):
    """Returns the numbers of an export as ints; raises ValueError unless all are 1 or more."""
    numbers = (version, length, num_candidates)
    try:
        integers = [whole_number("number", number) for number in numbers]
    except ValueError:
        integers = [0]
    if min(integers) < 1 or any(isinstance(number, bool) for number in numbers):
        raise ValueError(
            "version, length and num_candidates must be whole numbers of 1 or more, received "
            f"{version!r}, {length!r} and {num_candidates!r}."
        )

    return integers


def _check_arguments(
    generator: LanguageModel,
    tokenizer: AnyTokenizer,
    target: Path,
    version: int,
    length: int,
    prompt: tuple[int, ...],
    num_candidates: int,
) -> None:
    """Raises ValueError unless a model can be exported with these arguments."""
    check_sampling(num_candidates, length)
    if target.exists():
        raise ValueError(
            f"{target} exists; expected a new version, since servers may be running this one. "
            "Pass a higher version."
        )
    if tokenizer.vocabulary_size != generator.vocabulary_size:
        raise ValueError(
            f"The tokenizer has {tokenizer.vocabulary_size} tokens and the generator "
            f"{generator.vocabulary_size}; expected the same number. Pass the tokenizer that the "
            "generator was trained with."
        )
    if tokenizer.controls is not None and prompt != (tokenizer.start_token_id,):
        raise ValueError(
            "Controls stand after the start token: expected "
            f"prompt=[{tokenizer.start_token_id}], received {list(prompt)}."
        )
    is_known = all(0 <= token < generator.vocabulary_size for token in prompt)
    if len(prompt) > length or not is_known:
        raise ValueError(
            f"prompt must be at most {length} token ids of 0 to {generator.vocabulary_size - 1}, "
            f"received {list(prompt)}. Encode it with the tokenizer."
        )


def _write_model(
    folder: Path,
    models: list[Any],
    tokenizer: AnyTokenizer,
    signatures: dict[str, Signature],
    card: dict[str, Any],
) -> Path:
    """Writes a whole version below a folder, checks its graph, and returns where it is."""
    tokenizer_file = folder / "tokenizer.json"
    tokenizer.save(tokenizer_file)

    # A served model is not trained, and custom gradients would add operations to the graph.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    module = _ServedModule(models, tokenizer_file)
    model_folder = folder / "model"
    tf.saved_model.save(module, str(model_folder), signatures=signatures, options=options)
    _check_saved_model(model_folder)

    extra = model_folder / "assets.extra"
    extra.mkdir()
    write_json(extra / "card.json", card)
    write_configs(models, model_folder)
    _, inputs = (
        tf.saved_model.load(str(model_folder)).signatures["sample"].structured_input_signature
    )
    _write_warmup(extra, inputs)

    return model_folder


def export_saved_model(
    generator: LanguageModel,
    tokenizer: AnyTokenizer,
    path: Path | str,
    version: int = 1,
    *,
    discriminator: Discriminator | None = None,
    length: int = 512,
    prompt: Sequence[int] = (),
    num_candidates: int = 8,
    card: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a generator as a SavedModel that TensorFlow Serving serves.

    The model is written to `path/version`, completely or not at all. B rows, T = `length`, P the
    width of the prompts, S the width of the tokens:

    | signature | inputs | outputs |
    |---|---|---|
    | `sample`, `serving_default` | `seed` int32 [B, 2], `temperature` float32 [B], \
`top_k` int32 [B] (0 for all tokens), `top_p` float32 [B] | `tokens` int32 [B, T], \
`lengths` int32 [B], `log_probs` float32 [B, T] |
    | `continue` | those of `sample`, `prompt` int32 [B, P], `prompt_length` int32 [B] | \
those of `sample`; each row begins with its prompt |
    | `score` | `tokens` int32 [B, S] | `log_probs` float32 [B, S], `nll` float32 [B] in nats \
per token |
    | `discriminate` | `tokens` int32 [B, S] | `logits` float32 [B], `probabilities` float32 [B] \
of being real |
    | `sample_best` | those of `sample` | those of `sample`, and `logits` float32 [B]; of K \
samples a row one is kept, drawn by the discriminator's odds |

    Where the tokenizer has controls, `sample` and `sample_best` also read `controls` int32 [B, 4],
    the codes of metre, key, bars and rhythm (`ControlVocabulary.encode`; 0 for what shall be drawn
    from the tunes of the corpus), and all that sample read `guidance` float32 [B], 0 for none.

    The same seed gives the same tokens as `generator.generate`, whatever else is in the batch; with
    controls, those of `prompt=tokenizer.prompts(B, seed=seed)`.
    `assets/` holds the tokenizer's JSON. `assets.extra/` holds the card, which `SavedSampler`
    reads, what makes the models, which `from_pretrained` reads, and a warm-up request if
    `tensorflow-serving-api` is installed.

    Args:
        generator: the model that samples.
        tokenizer: the tokenizer of its vocabulary.
        path: the model's folder, which TensorFlow Serving watches.
        version: a whole number of 1 or more that does not exist yet.
        discriminator: the model for `discriminate` and `sample_best`, or None to leave both out.
        length: T, the tokens of every sample.
        prompt: token ids that every sample begins with; `[tokenizer.start_token_id]` for whole
            tunes.
        num_candidates: K of `sample_best`.
        card: more about the model as plain values, such as how it was trained and what it scored.

    Returns:
        The folder that was written, `path/version`.

    Raises:
        ValueError: if the version exists, the arguments do not fit each other, or the graph holds
            an operation that a server cannot run.
        OSError: if the folder cannot be written; nothing is left of it then.

    Example:
        >>> import tempfile
        >>> from tfseqgan.serving.saved_sampler import SavedSampler
        >>> folder = tempfile.mkdtemp()
        >>> from tfseqgan.music.tokenizer import Tokenizer
        >>> tokenizer = Tokenizer([(24, (4,), (0,), 0, (), ())])
        >>> from tfseqgan.models.generator import Generator
        >>> generator = Generator(tokenizer.vocabulary_size, embedding_dim=4, units=8)
        >>> export_saved_model(generator, tokenizer, folder, version=3, length=5).name
        '3'
        >>> SavedSampler(folder).generate(2, seed=0).shape
        (2, 5)
    """
    version, length, num_candidates = _to_integers(version, length, num_candidates)
    target = Path(path) / str(version)
    prompt = tuple(whole_number("prompt", token) for token in prompt)
    check_kind_of_discriminator(discriminator)
    check_same_vocabulary(generator, discriminator)
    _check_arguments(generator, tokenizer, target, version, length, prompt, num_candidates)

    models = [generator] if discriminator is None else [generator, discriminator]
    signatures = make_signatures(
        generator, discriminator, length, prompt, num_candidates, tokenizer.control_tokens
    )
    full_card = dict(card or {}) | {
        "end_token_id": generator.end_token_id,
        "prompt": list(prompt),
        "num_candidates": num_candidates,
    }

    # A server looks at folders whose name is a number, so it never sees a half-written model.
    partial = target.with_name(f".{version}.{os.getpid()}.partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.mkdir()
    try:
        written = _write_model(partial, models, tokenizer, signatures, full_card)
        os.rename(written, target)
    except tf.errors.OpError as error:
        raise OSError(
            f"{target} could not be written ({error.message}); expected a disk with room for it. "
            "Free some space and export again."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)

    return target
