"""A run in a folder: data, maximum likelihood, adversarial training, evaluation, tunes. What the command line does, for Python too."""

import dataclasses
import logging
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

import keras

from tfseqgan import __version__, baselines, credit, rewards
from tfseqgan.callbacks import MetricsCSV, Scalars
from tfseqgan.discriminator import Discriminator
from tfseqgan.download import cache_folder, download_nottingham
from tfseqgan.evaluation import evaluate
from tfseqgan.export import export_saved_model
from tfseqgan.files import write_json
from tfseqgan.folders import check_apart, check_folder, clear_folder, load_model, read_config, read_json, read_settings, write_tunes
from tfseqgan.generator import Generator
from tfseqgan.objectives import RECIPES
from tfseqgan.optimizer import Adam
from tfseqgan.pretrained import save_model, save_pretrained
from tfseqgan.pretraining import check_batch, pretrain
from tfseqgan.replicas import LOST_WORKER, is_chief, make_strategy, under_strategy, wait_for_all
from tfseqgan.served import SavedSampler, newest_version
from tfseqgan.tokenizer import Tokenizer
from tfseqgan.training import fit_adversarial
from tfseqgan.windows import open_data

_log = logging.getLogger("tfseqgan")

TUNE_LENGTH = 512
"""Tokens that a tune may have at the most; the longest of nine Nottingham tunes in ten has about 300."""


def make_models(data, settings):
    """Returns an untrained generator and discriminator for `Windows`, as the settings ask for; their weights are a matter of the seed."""
    keras.utils.set_random_seed(settings.seed)
    tokenizer = data.tokenizer
    features = tokenizer.token_features if settings.embedding == "parts" else None
    ids = {"vocabulary_size": tokenizer.vocabulary_size, "token_features": features, "end_token_id": data.end_token_id()}
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
        ValueError: if a recipe, reward, baseline or credit has no such name.

    Example:
        >>> from tfseqgan.presets import Settings
        >>> make_objective(Settings(objective="merl", entropy_weight=0.01, reward="log")).summary()["reward"]
        'log'
    """
    parts = {"discount": settings.discount, "entropy_weight": settings.entropy_weight, "kl_weight": settings.kl_weight}
    parts = {name: value for name, value in parts.items() if value is not None}
    tables = {"objective": RECIPES, "reward": rewards.REWARDS, "baseline": baselines.BASELINES, "credit": credit.CREDITS}
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
        "versions": {"tfseqgan": __version__, "python": platform.python_version()} | {package: version(package) for package in packages},
    }


def _adam(learning_rate):
    """Returns the paper's optimizer: Adam, the gradient clipped at a global norm of 5."""
    return Adam(learning_rate, global_clipnorm=5.0)


def _pretrain(out, checkpoints, generator, data, settings, verbose):
    """Trains by maximum likelihood and keeps the generator."""
    steps = -(-len(data.train) // settings.pretraining_batch_size) * max(1, settings.epochs)
    rate = settings.pretraining_learning_rate
    generator.compile(_adam(keras.optimizers.schedules.CosineDecay(rate, steps) if settings.schedule == "cosine" else rate))
    pretrain(
        generator, data.train, epochs=settings.epochs, batch_size=settings.pretraining_batch_size, validation_data=data.validation,
        patience=settings.patience, checkpoint_dir=checkpoints / "pretraining", seed=settings.seed, verbose=verbose,
        callbacks=[MetricsCSV(out / "pretraining.csv", "epoch"), Scalars(out / "logs" / "pretraining")],
    )  # fmt: skip
    save_model(generator, out / "pretrained.keras")


def _play(out, checkpoints, generator, discriminator, data, settings, verbose):
    """Trains both models against each other and keeps them."""
    if settings.rounds:
        generator.compile(_adam(settings.generator_learning_rate))
        discriminator.compile(Adam(settings.discriminator_learning_rate))
        fit_adversarial(
            generator, discriminator, data.train, make_objective(settings), rounds=settings.rounds, generator_steps=settings.generator_steps,
            discriminator_steps=settings.discriminator_steps, batch_size=settings.batch_size,
            discriminator_batch_size=settings.discriminator_batch_size, discriminator_samples=settings.discriminator_samples,
            discriminator_pretraining_rounds=settings.discriminator_pretraining_rounds, validation_data=data.validation,
            validation_freq=settings.validation_freq, checkpoint_dir=checkpoints / "adversarial", seed=settings.seed, verbose=verbose,
            callbacks=[MetricsCSV(out / "metrics.csv"), Scalars(out / "logs" / "adversarial")],
        )  # fmt: skip
    save_pretrained(out, generator, data.tokenizer, discriminator)


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


@under_strategy
def train_run(out, settings, data_path=None, *, strategy=None, overwrite=False, resumed_config=None, verbose="auto"):
    """Does a whole run in a folder, or goes on with one.

    Args:
        out: the folder.
        settings: `Settings`.
        data_path: as in `open_data`.
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
    wait_for_all()  # before the chief writes to the folder, all have seen that it may
    aside = None if is_chief() else tempfile.TemporaryDirectory(prefix="tfseqgan-")
    out = Path(aside.name) if aside else out
    data = _open_checked(settings, data_path, resumed_config)
    generator, discriminator = make_models(data, settings)
    if resumed_config is None:
        clear_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "config.json", _config(settings, data_path, data))
    data.tokenizer.save(out / "tokenizer.json")
    wait_for_all()  # before any worker looks for checkpoints, those of an earlier run are gone
    _pretrain(out, checkpoints, generator, data, settings, verbose)
    _play(out, checkpoints, generator, discriminator, data, settings, verbose)
    rows = _evaluate_stages(out, data.validation, settings, seed=settings.seed)
    write_json(out / "evaluation.json", rows)
    write_tunes(sample_tunes(out, settings.num_tunes, seed=settings.seed), out / "samples")
    return rows


def sample_tunes(run, num_tunes, *, stage="generator", length=None, temperature=1.0, top_k=None, top_p=None, seed=None):
    """Returns fresh tunes of a run's generator, from their beginning to their end.

    Args:
        run: the run's folder, or that of an exported sampler.
        num_tunes: how many.
        stage: of a run, "generator" for its end, "pretrained" for maximum likelihood alone.
        length: tokens at the most: by default `TUNE_LENGTH`, or the length of an exported sampler, which has no longer ones.
        temperature: as `Generator.generate`; so are `top_k`, `top_p` and `seed`.

    Returns:
        A list of `Score`.

    Raises:
        ValueError: if the run is not finished or an argument is out of range.
    """
    if num_tunes < 1:
        raise ValueError(f"num_tunes is {num_tunes}; expected 1 or more.")
    options = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
    if newest_version(run):
        if stage != "generator":
            raise ValueError(f"{run} is an exported sampler, which holds no stage {stage!r}; expected 'generator'. Name the run's folder for the other.")
        sampler = SavedSampler(run)
        tokenizer, tokens = sampler.tokenizer, sampler.generate(num_tunes, length, **options)
    else:
        (_, config), tokenizer = read_config(run), Tokenizer.load(Path(run) / "tokenizer.json")
        prompt = [tokenizer.start_token_id] if config["starts_with_start_token"] else None
        tokens = load_model(run, stage).generate(num_tunes, TUNE_LENGTH if length is None else length, prompt=prompt, **options)
    return [tokenizer.decode(row, name=f"Tune {number}") for number, row in enumerate(tokens, 1)]


def _evaluate_stages(run, validation, settings, **options):
    """Returns the rows of the evaluation: the saved generator before and after adversarial training."""
    rows = {"maximum likelihood" if settings.epochs else "untrained": evaluate(load_model(run, "pretrained"), None, validation, **options)}
    if settings.rounds:
        rows[settings.objective] = evaluate(load_model(run, "generator"), load_model(run, "discriminator"), validation, **options)
    return rows


def evaluate_run(run, data_path=None, *, num_samples=None, seed=None):
    """Returns Table 1's columns of a finished run, on its own held-out tunes or on those of other data.

    Args:
        run: the run's folder, or that of an exported sampler, which needs the data that it was trained on; the Nottingham tunes are downloaded.
        data_path: other data, as in `open_data`, tokenized by the run's vocabulary and held out by the run's settings; None for the run's own.
        num_samples: fresh sequences to sample; as many as there are held-out windows by default.
        seed: of the samples; the run's own by default, which gives `evaluation.json` again.

    Returns:
        A dict of dicts, as `train_run`.

    Raises:
        ValueError: if the run is not finished, its own data has changed, or the other data does not fit it.
    """
    if newest_version(run):
        return _evaluate_saved(run, data_path, num_samples=num_samples, seed=seed)
    settings, config = read_config(run)
    data = open_data(data_path or config["data_path"], settings, Tokenizer.load(Path(run) / "tokenizer.json"))
    if data_path is None and data.sha256 != config["data"]["sha256"]:
        raise ValueError(
            f"The run's data at {config['data_path']} has changed since: expected sha256 {config['data']['sha256']}, received {data.sha256}. "
            "Bring the old data back, or name other data by --data."
        )
    _check_opening(data, data_path, config["starts_with_start_token"])
    return _evaluate_stages(run, data.validation, settings, num_samples=num_samples, seed=settings.seed if seed is None else seed)


def _check_opening(data, data_path, starts_with_start_token):
    """Raises ValueError unless sequences begin as those do that a model was trained on."""
    if data.starts_with_start_token() != starts_with_start_token:
        raise ValueError(f"{data_path}: expected sequences like the run's own, which {'begin' if starts_with_start_token else 'do not begin'} with "
                         "a start token. Pass the kind of data that the run was trained on.")  # fmt: skip


def _evaluate_saved(path, data_path, num_samples, seed):
    """Returns the row of an exported sampler, by its signatures, on the tunes that the settings on its card hold out of the data."""
    sampler = SavedSampler(path)
    try:
        settings, name, sha256 = read_settings(sampler.card), sampler.card["data"]["name"], sampler.card["data"]["sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} was exported without the settings and data of a run ({error!r}); expected a sampler exported by 'tfseqgan export'. "
                         "Evaluate its run's folder.") from error  # fmt: skip
    if data_path is None and name == "nottingham":
        data_path = download_nottingham(cache_folder() / "nottingham")
    if data_path is None and name != "session":
        raise ValueError(f"{path} was trained on {name}, which does not come with it; expected --data, the folder of those tunes.")
    data = open_data(data_path, settings, sampler.tokenizer)
    _check_opening(data, data_path, bool(sampler.card["prompt"]))
    if data.sha256 != sha256:
        _log.warning("These are not the tunes that %s was trained on: some of those held out here may have been learned.", path)
    row = sampler.evaluate(data.validation, num_samples=num_samples, seed=settings.seed if seed is None else seed)
    return {settings.objective if settings.rounds else "maximum likelihood" if settings.epochs else "untrained": row}


def export_run(run, out, version=1, *, length=TUNE_LENGTH, num_candidates=8):
    """Exports a finished run's models as a SavedModel, with a card that says how they were trained and what they scored.

    Args:
        run: the run's folder.
        out: the model's folder, as `export_saved_model`'s path.
        version: as `export_saved_model`; so are `length` and `num_candidates`.

    Returns:
        The folder that was written.

    Raises:
        ValueError: if the run is not finished, or the version exists.
        OSError: if the folder cannot be written.
    """
    if Path(out).resolve() == Path(run).resolve():
        raise ValueError(f"--out {out} is the run's own folder; expected another one, which a server can watch. Choose another --out.")
    settings, config = read_config(run)
    tokenizer = Tokenizer.load(Path(run) / "tokenizer.json")
    rows = read_json(Path(run) / "evaluation.json")
    data = {key: value for key, value in config["data"].items() if key != "skipped_files"}
    card = {"settings": config["settings"], "data": data, "versions": config["versions"], "evaluation": rows, "length": length}
    return export_saved_model(
        load_model(run, "generator"), tokenizer, out, version, discriminator=load_model(run, "discriminator") if settings.rounds else None,
        length=length, prompt=[tokenizer.start_token_id] if config["starts_with_start_token"] else (), num_candidates=num_candidates, card=card,
    )  # fmt: skip
