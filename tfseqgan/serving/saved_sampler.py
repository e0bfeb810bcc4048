"""An exported sampler, run in Python as a server would run it: through its signatures."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfseqgan.evaluation.evaluate import make_columns
from tfseqgan.models.checks import check_counts, check_tokens
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.ops.sampling import check_sampling, row_seeds


def newest_version(path):
    """Returns the folder of the highest version of an exported model, or None where `path` holds none.

    Args:
        path: the folder that holds the numbered versions, or one version itself.

    Example:
        >>> newest_version("/nowhere") is None
        True
    """
    path = Path(path)
    if (path / "saved_model.pb").is_file():
        return path
    versions = [
        folder
        for folder in path.glob("*")
        if folder.name.isdecimal() and (folder / "saved_model.pb").is_file()
    ]
    return max(versions, key=lambda folder: int(folder.name), default=None)


def _load_signatures(folder):
    """Returns the signatures of an exported model, or raises ValueError, naming the file, if it is damaged or not ours."""
    try:
        signatures = tf.saved_model.load(str(folder)).signatures
    except (
        Exception
    ) as error:  # a damaged file shows as OSError, OpError, ValueError, IndexError and more
        raise ValueError(
            f"{folder / 'saved_model.pb'} or {folder / 'variables'} is damaged ({error}); expected what export_saved_model wrote. Fetch the folder again, "
            "or export anew."
        ) from error
    if missing := {"sample", "continue", "score"} - set(signatures):
        raise ValueError(
            f"{folder / 'saved_model.pb'} has no signature {', '.join(sorted(missing))}; expected a model that export_saved_model wrote."
        )
    return signatures


def _load_card(path):
    """Returns the card of an exported model, or raises ValueError, naming the file, if it is missing or damaged."""
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        _ = card["end_token_id"], card["prompt"]
        return card
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is missing or damaged ({error!r}); expected the card that export_saved_model wrote. Fetch the folder again, or export anew."
        ) from error


class SavedSampler:
    """A SavedModel written by `export_saved_model`.

    Args:
        path: the model's folder, of which the newest version is taken, or one version.

    Raises:
        ValueError: if there is none, or a file of it is damaged.
        OSError: if its tokenizer cannot be opened.
    """

    def __init__(self, path):
        folder = newest_version(path)
        if folder is None:
            raise ValueError(
                f"{path} holds no exported model; expected numbered versions with a saved_model.pb, as export_saved_model writes them."
            )
        self.signatures = _load_signatures(folder)
        self.card = _load_card(folder / "assets.extra" / "card.json")
        self.tokenizer = Tokenizer.load(folder / "assets" / "tokenizer.json")
        self.end_token_id = self.card["end_token_id"]
        self.length = self.signatures["sample"].structured_outputs["tokens"].shape[1]

    def _call(self, name, **inputs):
        return {
            key: value.numpy()
            for key, value in self.signatures[name](
                **{key: tf.constant(value) for key, value in inputs.items()}
            ).items()
        }

    def _draws(self, seeds, temperature=1.0, top_k=0, top_p=1.0):
        rows = len(seeds)
        options = {
            "temperature": np.full(rows, temperature, np.float32),
            "top_p": np.full(rows, top_p, np.float32),
        }
        return {"seed": seeds, "top_k": np.full(rows, top_k, np.int32), **options}

    def generate(
        self, num_sequences, length=None, *, temperature=1.0, top_k=None, top_p=None, seed=None
    ):
        """Returns samples, int32 [B, T]: what `Generator.generate` gives for the same seed and the prompt that the model was exported with.

        Args:
            num_sequences: B.
            length: T, at most the length that the model was exported with, which is the default.
            temperature: as `Generator.generate`; so are `top_k`, `top_p` and `seed`.

        Raises:
            ValueError: if an argument is out of range.
        """
        length = self.length if length is None else length
        check_sampling(num_sequences, length, temperature, top_k, top_p)
        if length > self.length:
            raise ValueError(
                f"length is {length} and the model was exported with {self.length}; expected at most as many. Export a longer one."
            )
        draws = self._draws(
            row_seeds(seed, num_sequences).numpy(), temperature, top_k or 0, top_p or 1.0
        )
        return self._call("sample", **draws)["tokens"][:, :length]

    def _draw_windows(self, num_samples, width, seed, batch_size=256):
        """Returns unprompted samples cut to a window, int32 [N, width], and the NLL of each, float64 [N]."""
        seeds, tokens, log_probs = row_seeds(seed, num_samples).numpy(), [], []
        for start in range(0, num_samples, batch_size):
            part = seeds[start : start + batch_size]
            empty = {
                "prompt": np.zeros([len(part), 0], np.int32),
                "prompt_length": np.zeros(len(part), np.int32),
            }
            drawn = self._call("continue", **empty, **self._draws(part))
            tokens.append(drawn["tokens"][:, :width])
            log_probs.append(drawn["log_probs"][:, :width])
        return np.concatenate(tokens), -np.concatenate(log_probs).sum(axis=1, dtype=np.float64)

    def _over_batches(self, name, key, tokens, batch_size=256):
        parts = [
            self._call(name, tokens=tokens[start : start + batch_size])[key]
            for start in range(0, len(tokens), batch_size)
        ]
        return np.concatenate(parts).astype(np.float64)

    def evaluate(self, data, *, num_samples=None, seed=0):
        """Returns Table 1's columns of the exported model, as `tfseqgan.evaluate` does of the models themselves.

        Args:
            data: int32 [N, S], held-out windows, S at most the model's length.
            num_samples: how many sequences to sample; as many as `data` has by default.
            seed: of the samples.

        Raises:
            ValueError: if the data does not fit the model.
        """
        data = check_tokens(data, self.tokenizer.vocabulary_size)
        if data.shape[1] > self.length:
            raise ValueError(
                f"data holds windows of {data.shape[1]} tokens, the model samples {self.length}; expected at most as many. Cut shorter windows."
            )
        num_samples = len(data) if num_samples is None else num_samples
        check_counts(num_samples=num_samples)
        samples, sample_nlls = self._draw_windows(num_samples, data.shape[1], seed)
        nlls = -self._over_batches("score", "log_probs", data).sum(axis=1)
        logits = [
            self._over_batches("discriminate", "logits", tokens)
            for tokens in (data, samples)
            if "discriminate" in self.signatures
        ]
        return make_columns(data, nlls, samples, sample_nlls, data, logits, self.end_token_id)
