"""A run in a folder: data, maximum likelihood, adversarial training, evaluation, tunes. What the command line does, for Python too.

A run folder holds

    config.json            every setting, the versions, the hash of the data and the files that were skipped
    tokenizer.json         the vocabulary
    pretraining.csv        figures of maximum likelihood, one row an epoch
    metrics.csv            figures of adversarial training, one row a round
    checkpoints/           all that a stopped run needs in order to go on
    pretrained.keras       the generator after maximum likelihood
    generator.keras        the generator at the end;  discriminator.keras
    evaluation.json        Table 1's columns, before and after adversarial training
    samples/*.mid          tunes
    logs/                  scalars for TensorBoard
"""

import dataclasses
import json
import logging
import os
import platform
import shutil
import zipfile
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

from tfseqgan import __version__, baselines, rewards
from tfseqgan.callbacks import MetricsCSV, Scalars
from tfseqgan.datasets import load_lee2017, load_midi, load_nottingham, session_tunes
from tfseqgan.discriminator import Discriminator
from tfseqgan.evaluation import evaluate
from tfseqgan.files import write_atomically
from tfseqgan.generator import Generator
from tfseqgan.midi import write_midi
from tfseqgan.objectives import RECIPES
from tfseqgan.presets import Settings
from tfseqgan.pretraining import check_batch, pretrain
from tfseqgan.tokenizer import Tokenizer
from tfseqgan.training import fit_adversarial

_log = logging.getLogger("tfseqgan")

TUNE_LENGTH = 512
"""Tokens that a tune may have at the most; the longest of nine Nottingham tunes in ten has about 300."""

_CONTENTS = (
    "checkpoints", "logs", "samples", "pretraining.csv", "metrics.csv", "pretrained.keras", "generator.keras", "discriminator.keras",
    "evaluation.json", "tokenizer.json", "config.json",
)  # fmt: skip
"""All that a run writes, config.json last: while it is there, the folder is known as a run's."""


@dataclasses.dataclass(frozen=True, eq=False)
class Windows:
    """A corpus as a run uses it.

    Args:
        tokenizer: its vocabulary.
        train: int32 [N, T].
        validation: int32 [M, T].
        name: of the corpus.
        sha256: of its content.
        skipped: (file, reason) of the files that could not be read.
    """

    tokenizer: Tokenizer
    train: np.ndarray
    validation: np.ndarray
    name: str
    sha256: str
    skipped: tuple = ()

    def summary(self):
        """Returns what config.json says of the data."""
        sizes = {
            "train_windows": len(self.train),
            "validation_windows": len(self.validation),
            "vocabulary_size": self.tokenizer.vocabulary_size,
        }
        skipped = [{"file": file, "reason": reason} for file, reason in self.skipped]
        return {"name": self.name, "sha256": self.sha256, **sizes, "skipped_files": skipped}

    def starts_with_start_token(self):
        """Returns whether sequences begin with the start token, so that samples must."""
        return bool((self.train[:, 0] == self.tokenizer.start_token_id).any())


def _open_corpus(path, settings):
    """Returns the scores at a path: a folder of MIDI files, Nottingham where it is that, or the composed tunes for None."""
    if path is None:
        return session_tunes(validation_fraction=settings.validation_fraction)
    folders = (Path(path), Path(path) / "MIDI")
    load = load_nottingham if any((folder / "ashover1.mid").is_file() for folder in folders) else load_midi
    return load(path, validation_fraction=settings.validation_fraction, seed=settings.seed)


def open_data(path, settings, tokenizer=None):
    """Returns the training and validation windows of a corpus.

    Args:
        path: a folder of MIDI files; the `tokens.npz` of Lee et al. (2017); or None for the tunes that the package composes.
        settings: `Settings`.
        tokenizer: the vocabulary to use; by default one is fitted on the training tunes.

    Returns:
        `Windows`.

    Raises:
        ValueError: if there are no usable tunes, too few to hold some out, or published tokens of another length or vocabulary.
    """
    if path is not None and Path(path).suffix == ".npz":
        published = load_lee2017(path)
        if tokenizer not in (None, published.tokenizer):
            raise ValueError(
                f"{path} has a vocabulary of its own; expected tunes that the run's tokenizer can read. Pass a folder of MIDI files."
            )
        if published.train.shape[1] != settings.length:
            raise ValueError(
                f"{path} holds windows of {published.train.shape[1]} tokens and length is {settings.length}; expected the same. Change --length."
            )
        return Windows(published.tokenizer, published.train, published.validation, published.name, published.sha256)
    corpus = _open_corpus(path, settings)
    tokenizer = tokenizer or Tokenizer.fit(corpus.train, minimum_count=settings.minimum_count, rare=settings.rare)
    train, validation = (tokenizer.windows(tunes, settings.length) for tunes in (corpus.train, corpus.validation))
    if not len(train) or not len(validation):
        raise ValueError(
            f"{corpus.name} gives {len(train)} training and {len(validation)} validation windows; expected one of each at least. Bring more tunes, raise "
            "validation_fraction, lower minimum_count, or let rare be 'nearest'."
        )
    return Windows(tokenizer, train, validation, corpus.name, corpus.sha256, corpus.skipped)


def make_models(tokenizer, settings):
    """Returns an untrained generator and discriminator as the settings ask for; their weights are a matter of the seed."""
    keras.utils.set_random_seed(settings.seed)
    features = tokenizer.token_features if settings.embedding == "parts" else None
    ids = {"vocabulary_size": tokenizer.vocabulary_size, "token_features": features, "end_token_id": tokenizer.end_token_id}
    generator = Generator(
        **ids, embedding_dim=settings.embedding_dim, units=settings.units, dropout=settings.dropout, pad_token_id=tokenizer.pad_token_id
    )
    discriminator = Discriminator(
        **ids, embedding_dim=settings.discriminator_embedding_dim, filters=settings.filters, kernel_sizes=settings.kernel_sizes,
        dropout=settings.discriminator_dropout, l2_weight=settings.l2_weight,
    )  # fmt: skip
    return generator, discriminator


def make_objective(settings):
    """Returns the objective that the settings name, with the parts that they replace.

    Raises:
        ValueError: if a recipe, reward or baseline has no such name.

    Example:
        >>> make_objective(Settings(objective="merl", entropy_weight=0.01, reward="log")).summary()["reward"]
        'log'
    """
    parts = {"discount": settings.discount, "entropy_weight": settings.entropy_weight, "kl_weight": settings.kl_weight}
    parts = {name: value for name, value in parts.items() if value is not None}
    tables = {"objective": RECIPES, "reward": rewards.REWARDS, "baseline": baselines.BASELINES}
    for name, table in tables.items():
        chosen = getattr(settings, name)
        if chosen is not None and chosen not in table:
            raise ValueError(f"There is no {name} {chosen!r}; expected one of {', '.join(table)}.")
        if chosen is not None and name != "objective":
            parts[name] = table[chosen]
    return RECIPES[settings.objective](**parts)


def _check_apart(out, data_path):
    """Raises ValueError if a run's folder and its data lie inside each other: the run's tunes would count as data, or be replaced."""
    if data_path is None:
        return
    out, data = Path(out).resolve(), Path(data_path).resolve()
    if out.is_relative_to(data) or data.is_relative_to(out):
        raise ValueError(f"--out {out} and --data {data} lie inside each other; expected two places apart, so that the run's own tunes are no data of it. "
                         "Choose another --out.")  # fmt: skip


def _is_run(folder):
    """Returns whether a folder's config.json is one of ours."""
    try:
        return "tfseqgan" in read_json(folder / "config.json")["versions"]
    except (ValueError, KeyError, TypeError, OSError):
        return False


def check_folder(out, overwrite=False, resume=False):
    """Returns a run's folder as a path; changes nothing yet, so that a run that cannot begin loses nothing.

    Args:
        out: the folder.
        overwrite: an earlier run there may be replaced.
        resume: there is a run to go on with.

    Raises:
        ValueError: if the folder is in use and neither was asked for, holds something else, or has no run to go on with.
    """
    out = Path(out)
    if resume and not (out / "config.json").is_file():
        raise ValueError(
            f"{out} holds no run to go on with: expected a config.json there. Check the path, or leave out --resume to begin one."
        )
    if resume or not out.exists() or out.is_dir() and not any(out.iterdir()):
        return out
    if not _is_run(out):
        raise ValueError(f"{out} exists and is no run of tfseqgan; expected a new or empty folder. Choose another --out.")
    if not overwrite:
        raise ValueError(
            f"{out} holds a run already; expected a new folder. Pass --resume to go on with it, --overwrite to replace it, or another --out."
        )
    return out


def _clear(out):
    """Removes the run in a folder and nothing else that may lie there."""
    for path in (out / name for name in _CONTENTS):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def read_json(path):
    """Returns the content of a JSON file of a run.

    Raises:
        ValueError: naming the file, if it is missing or damaged.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(
            f"{path} does not exist; expected a run folder made by 'tfseqgan train'. Check the path, or finish the run."
        ) from error
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); expected JSON. Train again into a new folder.") from error


def write_json(path, content):
    """Writes a JSON file whole or not at all; NaN becomes null."""
    plain = json.loads(json.dumps(content), parse_constant=lambda name: None)
    write_atomically(path, (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode())


def read_config(run):
    """Returns the settings of a run and the whole content of its config.json.

    Raises:
        ValueError: naming the file, if it is missing, damaged, or not as this version writes it.
    """
    path = Path(run) / "config.json"
    config = read_json(path)
    try:
        settings = Settings(**config["settings"] | {"kernel_sizes": tuple(config["settings"]["kernel_sizes"])})
        _ = config["data_path"], config["data"]["sha256"], config["starts_with_start_token"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not what tfseqgan {__version__} writes ({error}); expected the config.json of a run. Restore the file, or begin a new run."
        ) from error
    return settings, config


def _config(settings, data_path, data):
    """Returns the content of config.json."""
    packages = ("tensorflow", "keras", "tensorflow-probability", "numpy", "mido", "absl-py")
    return {
        "settings": dataclasses.asdict(settings) | {"kernel_sizes": list(settings.kernel_sizes)},
        "data_path": data_path and os.path.abspath(data_path),
        "data": data.summary(),
        "starts_with_start_token": data.starts_with_start_token(),
        "versions": {"tfseqgan": __version__, "python": platform.python_version()} | {package: version(package) for package in packages},
    }


def _save_model(model, path):
    """Writes a model whole or not at all, so that a full disk costs no earlier one."""
    partial = path.with_name(f".partial.{path.name}")
    try:
        model.save(partial)
        os.replace(partial, path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def _adam(learning_rate):
    """Returns the paper's optimizer: Adam, the gradient clipped at a global norm of 5."""
    return keras.optimizers.Adam(learning_rate, global_clipnorm=5.0)


def _pretrain(out, generator, data, settings, verbose):
    """Trains by maximum likelihood and keeps the generator."""
    steps = -(-len(data.train) // settings.pretraining_batch_size) * max(1, settings.epochs)
    rate = settings.pretraining_learning_rate
    generator.compile(_adam(keras.optimizers.schedules.CosineDecay(rate, steps) if settings.schedule == "cosine" else rate))
    pretrain(
        generator, data.train, epochs=settings.epochs, batch_size=settings.pretraining_batch_size, validation_data=data.validation,
        patience=settings.patience, checkpoint_dir=out / "checkpoints" / "pretraining", seed=settings.seed, verbose=verbose,
        callbacks=[MetricsCSV(out / "pretraining.csv", "epoch"), Scalars(out / "logs" / "pretraining")],
    )  # fmt: skip
    _save_model(generator, out / "pretrained.keras")


def _play(out, generator, discriminator, data, settings, verbose):
    """Trains both models against each other and keeps them."""
    if settings.rounds:
        generator.compile(_adam(settings.generator_learning_rate))
        discriminator.compile(keras.optimizers.Adam(settings.discriminator_learning_rate))
        fit_adversarial(
            generator, discriminator, data.train, make_objective(settings), rounds=settings.rounds, generator_steps=settings.generator_steps,
            discriminator_steps=settings.discriminator_steps, batch_size=settings.batch_size,
            discriminator_batch_size=settings.discriminator_batch_size, discriminator_samples=settings.discriminator_samples,
            discriminator_pretraining_rounds=settings.discriminator_pretraining_rounds, validation_data=data.validation,
            validation_freq=settings.validation_freq, checkpoint_dir=out / "checkpoints" / "adversarial", seed=settings.seed, verbose=verbose,
            callbacks=[MetricsCSV(out / "metrics.csv"), Scalars(out / "logs" / "adversarial")],
        )  # fmt: skip
    _save_model(generator, out / "generator.keras")
    _save_model(discriminator, out / "discriminator.keras")


def _open_checked(settings, data_path, resumed_config):
    """Returns a run's data after checking, before anything is written, that the run can be done with it."""
    data = open_data(data_path, settings)
    if resumed_config and resumed_config["data"]["sha256"] != data.sha256:
        raise ValueError(
            f"The data at {data_path} has changed since the run began: expected sha256 {resumed_config['data']['sha256']}, received {data.sha256}. "
            "Bring the old data back, or begin a new run."
        )
    check_batch(data.train, settings.pretraining_batch_size, "pretraining_batch_size")
    if settings.rounds:
        check_batch(data.train, settings.batch_size)
        check_batch(data.train, settings.discriminator_batch_size // 2, "half of discriminator_batch_size")
    _log.info(
        "%s: %d windows of %d tokens to learn from, %d held out; a vocabulary of %d",
        *(data.name, len(data.train), data.train.shape[1], len(data.validation), data.tokenizer.vocabulary_size),
    )
    return data


def train_run(out, settings, data_path=None, *, overwrite=False, resumed_config=None, verbose="auto"):
    """Does a whole run in a folder, or goes on with one.

    Args:
        out: the folder.
        settings: `Settings`.
        data_path: as in `open_data`.
        overwrite: replace an earlier run in the folder, once the data has been read and the settings are known to fit it.
        resumed_config: the content of config.json of the run to go on with, or None.
        verbose: as in `fit_adversarial`.

    Returns:
        The rows of the evaluation, a dict of dicts: what `evaluation.json` holds.

    Raises:
        ValueError: if the folder, the data or the settings cannot be used, or the data of a resumed run has changed.
        OSError: if a file cannot be written.
    """
    out = check_folder(out, overwrite, resume=resumed_config is not None)
    _check_apart(out, data_path)
    data = _open_checked(settings, data_path, resumed_config)
    generator, discriminator = make_models(data.tokenizer, settings)
    if resumed_config is None:
        _clear(out)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "config.json", _config(settings, data_path, data))
    data.tokenizer.save(out / "tokenizer.json")
    _pretrain(out, generator, data, settings, verbose)
    _play(out, generator, discriminator, data, settings, verbose)
    rows = _evaluate_stages(out, data.validation, settings, seed=settings.seed)
    write_json(out / "evaluation.json", rows)
    write_tunes(sample_tunes(out, settings.num_tunes, seed=settings.seed), out / "samples")
    return rows


def load_model(run, name):
    """Returns a model of a run: "generator", "discriminator" or "pretrained".

    Raises:
        ValueError: if the run has not got so far, or the file is damaged.
    """
    path = Path(run) / f"{name}.keras"
    if not path.is_file():
        raise ValueError(f"{path} does not exist; expected a run that has got so far. Go on with it: tfseqgan train --resume --out {run}")
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # a damaged file shows as ValueError, BadZipFile, KeyError, OSError and more
        reason = error if zipfile.is_zipfile(path) else "it is no whole file"  # Keras says of a truncated file that it is not found
        raise ValueError(
            f"{path} cannot be loaded ({reason}); expected a model saved by tfseqgan. Restore the file, or make it again: "
            f"tfseqgan train --resume --out {run}"
        ) from error


def sample_tunes(run, num_tunes, *, stage="generator", length=TUNE_LENGTH, temperature=1.0, top_k=None, top_p=None, seed=None):
    """Returns fresh tunes of a run's generator, from their beginning to their end.

    Args:
        run: the run's folder.
        num_tunes: how many.
        stage: "generator" for the end of the run, "pretrained" for maximum likelihood alone.
        length: tokens at the most.
        temperature: as `Generator.generate`; so are `top_k`, `top_p` and `seed`.

    Returns:
        A list of `Score`.

    Raises:
        ValueError: if the run is not finished or an argument is out of range.
    """
    if num_tunes < 1:
        raise ValueError(f"num_tunes is {num_tunes}; expected 1 or more.")
    (_, config), tokenizer = read_config(run), Tokenizer.load(Path(run) / "tokenizer.json")
    prompt = [tokenizer.start_token_id] if config["starts_with_start_token"] else None
    generator = load_model(run, stage)
    tokens = generator.generate(num_tunes, length, temperature=temperature, top_k=top_k, top_p=top_p, prompt=prompt, seed=seed)
    return [tokenizer.decode(row, name=f"Tune {number}") for number, row in enumerate(tokens, 1)]


def write_tunes(tunes, folder):
    """Writes tunes as MIDI files, `tune_1.mid` on; returns their paths. A file of that name is replaced."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"tune_{number:0{len(str(len(tunes)))}}.mid" for number in range(1, len(tunes) + 1)]
    for tune, path in zip(tunes, paths):
        write_midi(tune, path)
    return paths


def _evaluate_stages(run, validation, settings, **options):
    """Returns the rows of the evaluation: the saved generator before and after adversarial training."""
    rows = {"maximum likelihood" if settings.epochs else "untrained": evaluate(load_model(run, "pretrained"), None, validation, **options)}
    if settings.rounds:
        rows[settings.objective] = evaluate(load_model(run, "generator"), load_model(run, "discriminator"), validation, **options)
    return rows


def evaluate_run(run, data_path=None, *, num_samples=None, seed=None):
    """Returns Table 1's columns of a finished run, on its own held-out tunes or on those of other data.

    Args:
        run: the run's folder.
        data_path: other data, as in `open_data`, tokenized by the run's vocabulary and held out by the run's settings; None for the run's own.
        num_samples: fresh sequences to sample; as many as there are held-out windows by default.
        seed: of the samples; the run's own by default, which gives `evaluation.json` again.

    Returns:
        A dict of dicts, as `train_run`.

    Raises:
        ValueError: if the run is not finished, its own data has changed, or the other data does not fit it.
    """
    settings, config = read_config(run)
    data = open_data(data_path or config["data_path"], settings, Tokenizer.load(Path(run) / "tokenizer.json"))
    if data_path is None and data.sha256 != config["data"]["sha256"]:
        raise ValueError(
            f"The run's data at {config['data_path']} has changed since: expected sha256 {config['data']['sha256']}, received {data.sha256}. "
            "Bring the old data back, or name other data by --data."
        )
    if data.starts_with_start_token() != config["starts_with_start_token"]:
        raise ValueError(f"{data_path}: expected sequences like the run's own, which {'begin' if config['starts_with_start_token'] else 'do not begin'} with "
                         "a start token. Pass the kind of data that the run was trained on.")  # fmt: skip
    return _evaluate_stages(run, data.validation, settings, num_samples=num_samples, seed=settings.seed if seed is None else seed)


def format_table(rows):
    """Returns evaluation rows as the paper's Table 1, standard errors in brackets.

    Args:
        rows: what `train_run` and `evaluate_run` return.

    Example:
        >>> print(format_table({"mine": {"nll": 2.5, "nll_stderr": 0.01, "num_real": 4, "num_generated": 5}}))
        model  H(data,gen)    BLEU  H(gen)  reward  spread  precision  recall  AUC  real  generated
        mine   2.500 (0.010)  -     -       -       -       -          -       -    4     5
    """
    keys = {
        "nll": "H(data,gen)", "bleu": "BLEU", "entropy": "H(gen)", "reward_mean": "reward", "reward_std": "spread", "precision": "precision",
        "recall": "recall", "auc": "AUC", "num_real": "real", "num_generated": "generated",
    }  # fmt: skip

    def cell(row, key):
        value, error = row.get(key), row.get(key.removesuffix("_mean") + "_stderr")
        if value is None or value != value:
            return "-"
        text = str(value) if isinstance(value, int) else f"{value:.3f}"
        return f"{text} ({error:.3f})" if error is not None else text

    table = [["model", *keys.values()]] + [[name, *(cell(row, key) for key in keys)] for name, row in rows.items()]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in table)
