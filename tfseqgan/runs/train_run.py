"""A run in a folder: data, maximum likelihood, adversarial training, evaluation, tunes. What the command line does, for Python too."""

import dataclasses
import logging
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

import keras

from tfseqgan import __version__
from tfseqgan.datasets.windows import load_windows
from tfseqgan.files import write_json
from tfseqgan.models.discriminator import Discriminator
from tfseqgan.models.generator import Generator
from tfseqgan.objectives import baselines, credit, rewards
from tfseqgan.objectives.recipes import RECIPES
from tfseqgan.ops.adam import Adam
from tfseqgan.ops.replicas import WORKER_FAILURES, barrier, is_chief, make_strategy, under_strategy
from tfseqgan.runs.finished_run import evaluate_stages, sample_tunes
from tfseqgan.runs.run_folder import check_apart, check_folder, clear_folder, write_tunes
from tfseqgan.serving.pretrained import save_model, save_pretrained
from tfseqgan.training.adversarial import fit_adversarial
from tfseqgan.training.callbacks import MetricsCSV, Scalars
from tfseqgan.training.checks import check_batch
from tfseqgan.training.pretraining import pretrain

_log = logging.getLogger("tfseqgan")


def make_models(data, settings):
    """Returns an untrained generator and discriminator for `Windows`, as the settings ask for; their weights are a matter of the seed."""
    keras.utils.set_random_seed(settings.seed)
    tokenizer = data.tokenizer
    features = tokenizer.token_features if settings.embedding == "parts" else None
    ids = {
        "vocabulary_size": tokenizer.vocabulary_size,
        "token_features": features,
        "end_token_id": data.end_token_id(),
    }
    generator = Generator(
        **ids,
        embedding_dim=settings.embedding_dim,
        units=settings.units,
        dropout=settings.dropout,
        pad_token_id=tokenizer.pad_token_id,
    )
    discriminator = Discriminator(
        **ids,
        embedding_dim=settings.discriminator_embedding_dim,
        filters=settings.filters,
        kernel_sizes=settings.kernel_sizes,
        dropout=settings.discriminator_dropout,
        l2_weight=settings.l2_weight,
    )
    return generator, discriminator


def make_objective(settings):
    """Returns the objective that the settings name, with the parts that they replace.

    Raises:
        ValueError: if a recipe, reward, baseline or credit has no such name.

    Example:
        >>> from tfseqgan.runs.settings import Settings
        >>> make_objective(Settings(objective="merl", entropy_weight=0.01, reward="log")).summary()["reward"]
        'log'
    """
    parts = {
        "discount": settings.discount,
        "entropy_weight": settings.entropy_weight,
        "kl_weight": settings.kl_weight,
    }
    parts = {name: value for name, value in parts.items() if value is not None}
    tables = {
        "objective": RECIPES,
        "reward": rewards.REWARDS,
        "baseline": baselines.BASELINES,
        "credit": credit.CREDITS,
    }
    for name, table in tables.items():
        chosen = getattr(settings, name)
        if chosen is not None and chosen not in table:
            raise ValueError(f"There is no {name} {chosen!r}; expected one of {', '.join(table)}.")
        if chosen is not None and name != "objective":
            parts[name] = table[chosen]
    return RECIPES[settings.objective](**parts)


def _config(settings, data_path, data):
    """Returns the content of config.json."""
    packages = ("tensorflow", "keras", "tensorflow-probability", "numpy", "mido", "absl-py")
    return {
        "settings": dataclasses.asdict(settings) | {"kernel_sizes": list(settings.kernel_sizes)},
        "data_path": data_path and os.path.abspath(data_path),
        "data": data.summary(),
        "starts_with_start_token": data.starts_with_start_token(),
        "versions": {"tfseqgan": __version__, "python": platform.python_version()}
        | {package: version(package) for package in packages},
    }


def _adam(learning_rate):
    """Returns the paper's optimizer: Adam, the gradient clipped at a global norm of 5."""
    return Adam(learning_rate, global_clipnorm=5.0)


def _pretrain(out, checkpoints, generator, data, settings, verbose):
    """Trains by maximum likelihood and keeps the generator."""
    steps = -(-len(data.train) // settings.pretraining_batch_size) * max(1, settings.epochs)
    rate = settings.pretraining_learning_rate
    generator.compile(
        _adam(
            keras.optimizers.schedules.CosineDecay(rate, steps)
            if settings.schedule == "cosine"
            else rate
        )
    )
    pretrain(
        generator,
        data.train,
        epochs=settings.epochs,
        batch_size=settings.pretraining_batch_size,
        validation_data=data.validation,
        patience=settings.patience,
        checkpoint_dir=checkpoints / "pretraining",
        seed=settings.seed,
        verbose=verbose,
        callbacks=[
            MetricsCSV(out / "pretraining.csv", "epoch"),
            Scalars(out / "logs" / "pretraining"),
        ],
    )
    save_model(generator, out / "pretrained.keras")


def _play(out, checkpoints, generator, discriminator, data, settings, verbose):
    """Trains both models against each other and keeps them."""
    if settings.rounds:
        generator.compile(_adam(settings.generator_learning_rate))
        discriminator.compile(Adam(settings.discriminator_learning_rate))
        fit_adversarial(
            generator,
            discriminator,
            data.train,
            make_objective(settings),
            rounds=settings.rounds,
            generator_steps=settings.generator_steps,
            discriminator_steps=settings.discriminator_steps,
            batch_size=settings.batch_size,
            discriminator_batch_size=settings.discriminator_batch_size,
            discriminator_samples=settings.discriminator_samples,
            discriminator_pretraining_rounds=settings.discriminator_pretraining_rounds,
            validation_data=data.validation,
            validation_freq=settings.validation_freq,
            checkpoint_dir=checkpoints / "adversarial",
            seed=settings.seed,
            verbose=verbose,
            callbacks=[MetricsCSV(out / "metrics.csv"), Scalars(out / "logs" / "adversarial")],
        )
    save_pretrained(out, generator, data.tokenizer, discriminator)


def _open_checked(settings, data_path, resumed_config):
    """Returns a run's data after checking, before anything is written, that the run can be done with it."""
    data = load_windows(data_path, settings)
    if resumed_config and resumed_config["data"]["sha256"] != data.sha256:
        raise ValueError(
            f"The data at {data_path} has changed since the run began: expected sha256 {resumed_config['data']['sha256']}, received {data.sha256}. "
            "Bring the old data back, or begin a new run."
        )
    check_batch(data.train, settings.pretraining_batch_size, "pretraining_batch_size")
    if settings.rounds:
        check_batch(data.train, settings.batch_size)
        check_batch(
            data.train, settings.discriminator_batch_size // 2, "half of discriminator_batch_size"
        )
    _log.info(
        "%s: %d windows of %d tokens to learn from, %d held out; a vocabulary of %d",
        *(
            data.name,
            len(data.train),
            data.train.shape[1],
            len(data.validation),
            data.tokenizer.vocabulary_size,
        ),
    )
    return data


@under_strategy
def train_run(
    out,
    settings,
    data_path=None,
    *,
    strategy=None,
    overwrite=False,
    resumed_config=None,
    verbose="auto",
):
    """Does a whole run in a folder, or goes on with one.

    Args:
        out: the folder.
        settings: `Settings`.
        data_path: as in `load_windows`.
        strategy: a tf.distribute.Strategy, or None for the one in scope. Of several workers, which must see the same folder, the chief alone writes
            to it.
        overwrite: replace an earlier run in the folder, once the data has been read and the settings are known to fit it.
        resumed_config: the content of config.json of the run to go on with, or None.
        verbose: as in `fit_adversarial`.

    Returns:
        The rows of the evaluation, a dict of dicts: what `evaluation.json` holds.

    Raises:
        ValueError: if the folder, the data or the settings cannot be used, or the data of a resumed run has changed.
        OSError: if a file cannot be written.
    """
    checkpoints = Path(out) / "checkpoints"
    out = check_folder(out, overwrite, resume=resumed_config is not None)
    check_apart(out, data_path)
    barrier()  # before the chief writes to the folder, all have seen that it may
    aside = None if is_chief() else tempfile.TemporaryDirectory(prefix="tfseqgan-")
    out = Path(aside.name) if aside else out
    data = _open_checked(settings, data_path, resumed_config)
    generator, discriminator = make_models(data, settings)
    if resumed_config is None:
        clear_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "config.json", _config(settings, data_path, data))
    data.tokenizer.save(out / "tokenizer.json")
    barrier()  # before any worker looks for checkpoints, those of an earlier run are gone
    _pretrain(out, checkpoints, generator, data, settings, verbose)
    _play(out, checkpoints, generator, discriminator, data, settings, verbose)
    rows = evaluate_stages(out, data.validation, settings, seed=settings.seed)
    write_json(out / "evaluation.json", rows)
    write_tunes(sample_tunes(out, settings.num_tunes, seed=settings.seed), out / "samples")
    return rows


def train_run_with_strategy(name, *args, **options):
    """Does a whole run under a tf.distribute strategy; the command's way in.

    Args:
        name: of the strategy, as in `make_strategy`.
        *args: as `train_run`.
        **options: as `train_run`.

    Returns:
        As `train_run`; None on every worker but the chief.

    Raises:
        ConnectionError: if another worker has ended.
    """
    with make_strategy(name).scope():
        try:
            rows = train_run(*args, **options)
        except WORKER_FAILURES as error:
            raise ConnectionError(
                f"Another worker is gone ({str(error).splitlines()[0]}); expected all of them. Start all again"
            ) from error
        return rows if is_chief() else None
