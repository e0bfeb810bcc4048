"""An exported sampler in Python, run through its signatures as a server runs it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfseqgan.evaluation.evaluate import make_columns
from tfseqgan.files import read_json
from tfseqgan.models.checks import check_count, check_guidance, check_tokens
from tfseqgan.models.graphs import check_process
from tfseqgan.music.controls import Controls
from tfseqgan.ops.sampling import SamplingOptions, check_sampling, row_seeds
from tfseqgan.serving.saved_model_check import check_saved_model, damage_error
from tfseqgan.serving.shipped import find_model
from tfseqgan.serving.tokenizer_files import AnyTokenizer, load_tokenizer

_BATCH_SIZE = 256

_FILES_OF_A_RUN = ("config.json", "generator.keras", "pretrained.keras")


def newest_version(path: Path | str) -> Path | None:
    """Returns the folder of the highest version of an exported model.

    Args:
        path: the folder that holds the numbered versions, or one version itself.

    Returns:
        The folder of the version, or None if `path` holds none, or is the folder of a run.

    Example:
        >>> newest_version("/nowhere") is None
        True
    """
    path = Path(path)
    if any((path / name).exists() for name in _FILES_OF_A_RUN):
        return None
    if (path / "saved_model.pb").is_file():
        return path

    versions = [
        folder
        for folder in path.glob("*")
        if folder.name.isdecimal() and (folder / "saved_model.pb").is_file()
    ]

    return max(versions, key=lambda folder: int(folder.name), default=None)


def _load_signatures(folder):
    """Returns the signatures of an exported model; raises ValueError if it is none or damaged."""
    check_saved_model(folder)
    try:
        signatures = tf.saved_model.load(str(folder)).signatures
    except Exception as error:  # damage shows as OSError, OpError, ValueError, IndexError and more
        raise damage_error(folder, error) from error

    missing = {"sample", "continue", "score"} - set(signatures)
    if missing:
        raise ValueError(
            f"{folder / 'saved_model.pb'} has no signature {', '.join(sorted(missing))}; expected "
            "a model that export_saved_model wrote. Check the path."
        )

    return signatures


def _load_card(path):
    """Returns the card of an exported model; raises ValueError if it is missing or damaged."""
    try:
        card = read_json(path)
        _ = card["end_token_id"], card["prompt"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is missing or damaged ({error!r}); expected the card that export_saved_model "
            "wrote. Fetch the folder again, or export the model again."
        ) from error

    return card


def _sampling_inputs(seeds: np.ndarray, options: SamplingOptions) -> dict[str, np.ndarray]:
    """Returns the inputs of the sampling signatures, with the same options in every row."""
    num_rows = len(seeds)

    return {
        "seed": seeds,
        "temperature": np.full(num_rows, options.temperature, np.float32),
        "top_k": np.full(num_rows, options.top_k or 0, np.int32),
        "top_p": np.full(num_rows, options.top_p or 1.0, np.float32),
    }


class SavedSampler:
    """A sampler loaded from what `export_saved_model` wrote, whose docstring has an example.

    A SavedModel is a program. So it is looked at before it is loaded, and refused if it holds an
    operation or an object that `export_saved_model` never writes: none that is left reads or writes
    a file, or reaches the network. What is left is trusted to be a sampler: it may be a bad one, or
    one that takes long.

    Args:
        path: the model's folder, whose newest version is loaded, the folder of one version, or the
            name of a sampler that comes with tfseqgan (`shipped.SHIPPED`).

    Attributes:
        signatures: the signatures of the SavedModel by name.
        card: what was exported about the model, as plain values.
        tokenizer: the tokenizer of its vocabulary.
        end_token_id: the id that ends a sequence, or None where sequences have a fixed length.
        length: T, the tokens of every sample.
        defaults: the sampling options that the card recommends, by name.

    Raises:
        ValueError: if the folder holds no exported model, a file is damaged, or the model holds
            something else than `export_saved_model` writes.
        OSError: if the tokenizer's file cannot be opened.
    """

    def __init__(self, path: Path | str) -> None:
        folder = newest_version(find_model(path))
        if folder is None:
            raise ValueError(
                f"{path} holds no exported model; expected numbered versions with a "
                "saved_model.pb, as export_saved_model writes them. Check the path."
            )

        self.signatures: Mapping[str, Any] = _load_signatures(folder)
        self.card: dict[str, Any] = _load_card(folder / "assets.extra" / "card.json")
        self.tokenizer: AnyTokenizer = load_tokenizer(folder / "assets" / "tokenizer.json")
        self.end_token_id: int | None = self.card["end_token_id"]
        self.defaults: dict[str, Any] = self.card.get("sampling", {})
        self.length: int = self.signatures["sample"].structured_outputs["tokens"].shape[1]

    def _call(self, name, **inputs):
        """Calls a signature: NumPy in, NumPy out."""
        check_process()
        tensors = {key: tf.constant(value) for key, value in inputs.items()}
        outputs = self.signatures[name](**tensors)

        return {key: value.numpy() for key, value in outputs.items()}

    def generate(
        self,
        num_sequences: int,
        length: int | None = None,
        *,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        guidance: float | None = None,
        controls: Controls | None = None,
        seed: int | tuple[int, int] | None = None,
    ) -> np.ndarray:
        """Samples sequences that begin with the prompt that the model was exported with.

        They are those of `Generator.generate` for the same seed, options and prompt. What is None
        is as the card recommends (`defaults`); pass `temperature=1.0, top_p=1.0, guidance=0.0` for
        the model as it is.

        Args:
            num_sequences: B.
            length: T, at most the length that the model was exported with, which is the default.
            temperature: divides the logits; 1 samples from the model, lower is safer. The range is
                that of `Generator.generate`.
            top_k: keep only the k likeliest tokens of each step, or None.
            top_p: keep the likeliest tokens that together hold this probability, in (0, 1], or
                None.
            guidance: as in `Generator.generate`.
            controls: what the tunes shall be; what is not asked for is drawn from the corpus
                (`ControlVocabulary.draw`).
            seed: a whole number, or a pair of them, for the same sequences again, or None for new
                ones.

        Returns:
            NumPy int32 [B, T].

        Raises:
            ValueError: if an argument is out of range.
        """
        length = self.length if length is None else length
        filters = self._with_defaults(temperature=temperature, top_k=top_k, top_p=top_p)
        options = check_sampling(num_sequences, length, **filters)
        if options.length > self.length:
            raise ValueError(
                f"length is {length} and the model was exported with {self.length}; expected at "
                "most as many. Export the model again with a greater length."
            )

        seeds = row_seeds(seed, options.num_sequences).numpy()
        inputs = _sampling_inputs(seeds, options)
        inputs |= self._control_inputs(controls, guidance, options.num_sequences)
        outputs = self._call("sample", **inputs)

        return outputs["tokens"][:, : options.length]

    def _with_defaults(self, **options: Any) -> dict[str, Any]:
        """Returns options, with those of the card where they are None."""
        recommended = {name: self.defaults.get(name) for name in options}
        given = {name: value for name, value in options.items() if value is not None}
        filled = recommended | given
        if filled.get("temperature", 1.0) is None:
            filled["temperature"] = 1.0

        return filled

    def _control_inputs(self, controls, guidance, num_rows):
        """Returns what a request says of controls; nothing where the model reads none."""
        vocabulary = self.tokenizer.controls
        guidance = self._with_defaults(guidance=guidance)["guidance"]
        guidance = check_guidance(guidance, vocabulary is not None)
        if vocabulary is None:
            self.tokenizer.prompts(num_rows, controls, seed=0)  # refuses what is asked for
            return {}

        codes = vocabulary.encode(controls or Controls())

        return {
            "controls": np.tile(codes, (num_rows, 1)),
            "guidance": np.full(num_rows, guidance or 0.0, np.float32),
        }

    def _sample_windows(self, num_samples, width, seed):
        """Samples without a prompt: int32 [N, width], and the NLL of each in nats, float64 [N]."""
        seeds = row_seeds(seed, num_samples).numpy()
        options = check_sampling(num_samples, width)
        tokens = []
        log_probs = []

        for start in range(0, num_samples, _BATCH_SIZE):
            batch = seeds[start : start + _BATCH_SIZE]
            inputs = _sampling_inputs(batch, options)
            if self.tokenizer.controls is not None:
                inputs["guidance"] = np.zeros(len(batch), np.float32)
            outputs = self._call(
                "continue",
                prompt=np.zeros([len(batch), 0], np.int32),
                prompt_length=np.zeros(len(batch), np.int32),
                **inputs,
            )
            tokens.append(outputs["tokens"][:, :width])
            log_probs.append(outputs["log_probs"][:, :width])

        nlls = -np.concatenate(log_probs).sum(axis=1, dtype=np.float64)

        return np.concatenate(tokens), nlls

    def _in_batches(self, signature, output, tokens):
        """Returns one output of a signature for all rows of tokens, as float64 [N, …]."""
        batches = [
            tokens[start : start + _BATCH_SIZE] for start in range(0, len(tokens), _BATCH_SIZE)
        ]
        results = [self._call(signature, tokens=batch)[output] for batch in batches]

        return np.concatenate(results).astype(np.float64)

    def evaluate(
        self, data: np.ndarray, *, num_samples: int | None = None, seed: int = 0
    ) -> dict[str, float]:
        """Computes Table 1's columns by name, as `tfseqgan.evaluate` does for models in memory.

        Args:
            data: int32 [N, S], held-out windows; S is at most the model's length.
            num_samples: how many sequences to sample; as many as `data` has by default.
            seed: an integer for the samples.

        Returns:
            Figures and counts by name.

        Raises:
            ValueError: if the data does not fit the model, or a number is out of range.
        """
        data = check_tokens(data, self.tokenizer.vocabulary_size)
        if data.shape[1] > self.length:
            raise ValueError(
                f"data holds windows of {data.shape[1]} tokens and the model samples {self.length};"
                " expected at most as many. Cut shorter windows."
            )
        num_samples = check_count("num_samples", len(data) if num_samples is None else num_samples)

        samples, sample_nlls = self._sample_windows(num_samples, data.shape[1], seed)
        nlls = -self._in_batches("score", "log_probs", data).sum(axis=1)
        logits = None
        if "discriminate" in self.signatures:
            logits = (
                self._in_batches("discriminate", "logits", data),
                self._in_batches("discriminate", "logits", samples),
            )

        return make_columns(data, nlls, samples, sample_nlls, data, logits, self.end_token_id)
