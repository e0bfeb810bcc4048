"""A whole run in a folder: data, maximum likelihood, adversarial training, evaluation, tunes.

The command `tfseqgan train` does the same.
"""

import contextlib
import dataclasses
import datetime
import logging
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfseqgan.datasets.transposition import RandomTransposition
from tfseqgan.datasets.windows import Windows, load_windows
from tfseqgan.files import lock_folder, write_json
from tfseqgan.models.attention_generator import AttentionGenerator
from tfseqgan.models.discriminator import Discriminator
from tfseqgan.models.generator import Generator
from tfseqgan.models.language_model import LanguageModel
from tfseqgan.models.weight_counts import (
    count_attention_generator_weights,
    count_discriminator_weights,
    count_generator_weights,
)
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.objectives.baselines import BASELINES
from tfseqgan.objectives.credit import CREDITS
from tfseqgan.objectives.objective import Objective
from tfseqgan.objectives.recipes import RECIPES
from tfseqgan.objectives.rewards import REWARDS
from tfseqgan.ops.adam import Adam
from tfseqgan.runs.finished_run import (
    check_same_data,
    evaluate_stages,
    hash_split,
    sample_tunes,
)
from tfseqgan.runs.installation import installed_versions
from tfseqgan.runs.outcome import measure, to_json
from tfseqgan.runs.run_folder import (
    check_folder,
    check_is_no_run,
    check_separate_folders,
    clear_folder,
    record,
    record_files,
    remove_partial_files,
    write_config,
    write_tunes,
)
from tfseqgan.runs.settings import GENERATOR_SIZES, Settings
from tfseqgan.runs.start import Start, check_other_folder, start_of_run
from tfseqgan.serving.pretrained import save_model, save_parts
from tfseqgan.training.adversarial import fit_adversarial
from tfseqgan.training.callbacks import MetricsCSV, Scalars
from tfseqgan.training.checks import check_batch
from tfseqgan.training.distribute import (
    WORKER_FAILURES,
    barrier,
    is_chief,
    make_strategy,
    under_strategy,
)
from tfseqgan.training.pretraining import pretrain

_log = logging.getLogger("tfseqgan")

_GENERATORS: dict[str, Any] = {"attention": AttentionGenerator, "lstm": Generator}


def _tables_of_tokens(data: Windows, settings: Settings) -> dict[str, Any]:
    """Returns what a generator is told of each token, where the settings ask for it."""
    tokenizer = data.tokenizer
    if not (settings.grammar and data.has_grammar):
        return {}
    if not settings.controls or tokenizer.controls is None:
        return {"token_durations": tokenizer.token_durations}

    return {
        "token_durations": tokenizer.token_durations,
        "token_controls": tokenizer.token_controls,
        "token_pitch_classes": tokenizer.token_pitch_classes,
        "control_dropout": settings.control_dropout,
    }


def _generator_sizes(settings: Settings) -> dict[str, Any]:
    """Returns the sizes of the middle of a generator."""
    return {name: getattr(settings, name) for name in GENERATOR_SIZES[settings.generator]}


def make_models(data: Windows, settings: Settings) -> tuple[LanguageModel, Discriminator]:
    """Makes an untrained generator and discriminator for a data set.

    Their weights depend on the seed in the settings.

    Args:
        data: the windows whose vocabulary the models get.
        settings: the sizes of the models.
    """
    keras.utils.set_random_seed(settings.seed)
    tokenizer = data.tokenizer
    vocabulary: dict[str, Any] = {
        "vocabulary_size": tokenizer.vocabulary_size,
        "token_features": tokenizer.token_features if settings.embedding == "parts" else None,
        "end_token_id": data.end_token_id(),
    }

    generator = _GENERATORS[settings.generator](
        **vocabulary,
        **_tables_of_tokens(data, settings),
        **_generator_sizes(settings),
        embedding_dim=settings.embedding_dim,
        dropout=settings.dropout,
        pad_token_id=tokenizer.pad_token_id,
    )
    discriminator = Discriminator(
        **vocabulary,
        embedding_dim=settings.discriminator_embedding_dim,
        filters=settings.filters,
        kernel_sizes=settings.kernel_sizes,
        dropout=settings.discriminator_dropout,
        l2_weight=settings.l2_weight,
    )

    return generator, discriminator


def _check_memory(data: Windows, settings: Settings) -> None:
    """Raises ValueError if training needs more memory than the machine has, by a low estimate.

    That is four numbers a weight (itself, its gradient, Adam's two moments), and two arrays of
    logits. TensorFlow would end the process, or the system would.
    """
    tokenizer = data.tokenizer
    features = tokenizer.token_features if settings.embedding == "parts" else None
    sizes = _generator_sizes(settings)
    if settings.generator == "lstm":
        num_weights = count_generator_weights(
            tokenizer.vocabulary_size, settings.embedding_dim, **sizes, token_features=features
        )
    else:
        num_weights = count_attention_generator_weights(
            tokenizer.vocabulary_size, settings.embedding_dim, **sizes, token_features=features
        )
    num_weights += count_discriminator_weights(
        tokenizer.vocabulary_size,
        settings.discriminator_embedding_dim,
        settings.filters,
        settings.kernel_sizes,
        features,
    )

    batch_size = max(settings.pretraining_batch_size, settings.batch_size)
    num_logits = batch_size * settings.length * tokenizer.vocabulary_size
    needed = 4 * (4 * num_weights + 2 * num_logits)
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise ValueError(
            f"The settings ask for {num_weights:,} weights and {num_logits:,} logits a batch, at "
            f"least {needed / 2**30:,.1f} GiB; expected at most the {there / 2**30:,.1f} GiB of "
            "this machine. Lower --units, --embedding_dim, --filters, --length or the batch sizes."
        )


def _find_by_name(table: dict[Any, Any], name: str | None) -> Any:
    """Returns what a table holds by a name, or None for None."""
    return None if name is None else table[name]


def make_objective(settings: Settings) -> Objective:
    """Returns the objective that the settings name, with the parts that they replace.

    Example:
        >>> settings = Settings(objective="merl", entropy_weight=0.01, reward="log")
        >>> make_objective(settings).summary()["reward"]
        'log'
    """
    parts = {
        "reward": _find_by_name(REWARDS, settings.reward),
        "baseline": _find_by_name(BASELINES, settings.baseline),
        "credit": _find_by_name(CREDITS, settings.credit),
        "entropy_weight": settings.entropy_weight,
        "kl_weight": settings.kl_weight,
        "discount": settings.discount,
    }
    replaced = {name: part for name, part in parts.items() if part is not None}
    recipe = _find_by_name(RECIPES, settings.objective)

    return recipe(**replaced)


def _find_changes(saved: dict[str, Any], now: dict[str, Any]) -> dict[str, list[Any]]:
    """Returns the settings that differ, as [saved, now] by name.

    A run of an older version lacks the settings that were added later.
    """
    return {
        name: [saved[name], value]
        for name, value in now.items()
        if name in saved and saved[name] != value
    }


def _make_config(
    settings: Settings,
    data_path: Path | str | None,
    data: Windows,
    start: Start | None,
    resumed_config: dict[str, Any] | None,
) -> dict[str, Any]:
    """Returns the content of config.json; its history says what was changed at each resume."""
    content: dict[str, Any] = {
        "settings": dataclasses.asdict(settings) | {"kernel_sizes": list(settings.kernel_sizes)},
        "data_path": None if data_path is None else os.path.abspath(data_path),
        "data": data.summary(),
        "split": hash_split(data),
        "starts_with_start_token": data.starts_with_start_token(),
        "versions": installed_versions(),
    }
    if start is not None:
        content["start"] = start.record()
    if resumed_config is None:
        return content

    history = list(resumed_config.get("history", []))
    changes = _find_changes(resumed_config["settings"], content["settings"])
    if changes:
        now = datetime.datetime.now(datetime.UTC)
        history.append({"resumed": now.isoformat(timespec="seconds"), "changed": changes})
        shown = ", ".join(f"{name} from {old} to {new}" for name, (old, new) in changes.items())
        _log.info("Resumed with other settings: %s.", shown)

    return content | ({"history": history} if history else {})


def _load_data(
    settings: Settings,
    data_path: Path | str | None,
    start: Start | None,
    resumed_config: dict[str, Any] | None,
) -> Windows:
    """Loads the data of a run, and checks that the run can use it."""
    if resumed_config is None:
        check_is_no_run(data_path)
    vocabulary_of = None if start is None else start.tokenizer
    data = load_windows(data_path, vocabulary_of=vocabulary_of, **settings.window_options())
    if resumed_config is not None:
        check_same_data(data, data_path, resumed_config)

    check_batch(data.train, settings.pretraining_batch_size, "pretraining_batch_size")
    if settings.rounds:
        schedule = settings.round_schedule()
        check_batch(data.train, schedule.batch_size)
        check_batch(data.train, schedule.half_batch, "half of discriminator_batch_size")

    _log.info(
        "%s: %d training windows of %d tokens, %d held out; a vocabulary of %d tokens",
        data.name,
        len(data.train),
        data.train.shape[1],
        len(data.validation),
        data.tokenizer.vocabulary_size,
    )

    return data


def _augmentation(data: Windows, settings: Settings) -> RandomTransposition | None:
    """Returns what moves the training tunes to other keys, where the settings ask for it."""
    if not settings.random_transposition or data.train_tunes is None:
        return None

    return data.in_other_keys(settings.seed)


def likelihood_optimizer(num_rows: int, settings: Settings) -> Adam:
    """Returns the optimizer of maximum likelihood on so many rows."""
    learning_rate: Any = settings.pretraining_learning_rate
    if settings.schedule == "cosine":
        steps_per_epoch = math.ceil(num_rows / settings.pretraining_batch_size)
        num_steps = steps_per_epoch * max(1, settings.epochs)
        warmup_steps = min(settings.warmup_steps, num_steps // 2)
        learning_rate = _cosine_schedule(learning_rate, num_steps, warmup_steps)

    return Adam(
        learning_rate,
        beta_2=settings.beta_2,
        weight_decay=settings.weight_decay or None,
        global_clipnorm=settings.global_clipnorm,
        use_ema=settings.weight_averaging > 0,
        ema_momentum=settings.weight_averaging,
    )


def _cosine_schedule(learning_rate: float, num_steps: int, warmup_steps: int) -> Any:
    """Returns a learning rate that rises from zero in some steps, and falls to zero in the rest."""
    if warmup_steps == 0:
        return keras.optimizers.schedules.CosineDecay(learning_rate, num_steps)

    return keras.optimizers.schedules.CosineDecay(
        0.0, num_steps - warmup_steps, warmup_target=learning_rate, warmup_steps=warmup_steps
    )


def _pretrain(
    folder: Path,
    checkpoints: Path,
    generator: LanguageModel,
    data: Windows,
    settings: Settings,
    verbose: int | str,
) -> list[float]:
    """Trains the generator by maximum likelihood, saves it, and returns each epoch's val_nll."""
    generator.compile(likelihood_optimizer(len(data.train), settings))

    history = pretrain(
        generator,
        data.train,
        epochs=settings.epochs,
        batch_size=settings.pretraining_batch_size,
        validation_data=data.validation if data.kept_aside is None else data.kept_aside,
        bucket_by_length=settings.whole_tunes,
        augment=_augmentation(data, settings),
        patience=settings.patience,
        checkpoint_dir=checkpoints / "pretraining",
        callbacks=[
            MetricsCSV(folder / "pretraining.csv", "epoch"),
            Scalars(folder / "logs" / "pretraining"),
        ],
        seed=settings.seed,
        verbose=verbose,
    )
    save_model(generator, folder / "pretrained.keras")
    record_files(folder, "pretrained.keras")

    return history.history.get("val_nll", [])


def _train_adversarially(
    folder: Path,
    checkpoints: Path,
    generator: LanguageModel,
    discriminator: Discriminator,
    data: Windows,
    settings: Settings,
    verbose: int | str,
) -> None:
    """Trains both models against each other for the rounds in the settings."""
    generator.compile(
        Adam(settings.generator_learning_rate, global_clipnorm=settings.global_clipnorm)
    )
    discriminator.compile(Adam(settings.discriminator_learning_rate))

    fit_adversarial(
        generator,
        discriminator,
        data.train,
        make_objective(settings),
        rounds=settings.rounds,
        **dataclasses.asdict(settings.round_schedule()),
        augment=_augmentation(data, settings),
        validation_data=data.validation,
        checkpoint_dir=checkpoints / "adversarial",
        callbacks=[
            MetricsCSV(folder / "metrics.csv"),
            Scalars(folder / "logs" / "adversarial"),
        ],
        seed=settings.seed,
        verbose=verbose,
    )


def _writable_folder(run_folder: Path) -> contextlib.AbstractContextManager[Path | str]:
    """Returns a context with the folder to write to: a temporary one for all but the chief."""
    if is_chief():
        return contextlib.nullcontext(run_folder)

    return tempfile.TemporaryDirectory(prefix="tfseqgan-")


def _say_what_starts_again(checkpoints: Path, settings: Settings) -> None:
    """Logs a warning for each stage that a resumed run begins with its first round."""
    lengths = {"pretraining": settings.epochs, "adversarial": settings.rounds}
    for stage, length in lengths.items():
        if length and not list((checkpoints / stage).glob("ckpt-*.index")):
            _log.warning(
                "%s holds no checkpoint: this stage starts with its first round.",
                checkpoints / stage,
            )


def _begin(
    folder: Path,
    checkpoints: Path,
    settings: Settings,
    config: dict[str, Any],
    tokenizer: Tokenizer,
    is_resumed: bool,
) -> None:
    """Makes a folder ready for a run, and writes what is known of it before it is trained."""
    if is_resumed:
        remove_partial_files(folder)
        _say_what_starts_again(checkpoints, settings)
    else:
        clear_folder(folder)

    write_config(folder, config)
    tokenizer.save(folder / "tokenizer.json")
    record_files(folder, "tokenizer.json")


@under_strategy
def train_run(
    out: Path | str,
    settings: Settings,
    data_path: Path | str | None = None,
    *,
    init: Path | str | None = None,
    strategy: tf.distribute.Strategy | None = None,
    overwrite: bool = False,
    resumed_config: dict[str, Any] | None = None,
    verbose: int | str = "auto",
) -> dict[str, dict[str, float]]:
    """Does a whole run in a folder, or resumes one.

    Args:
        out: the run's folder.
        settings: the settings of the run. With `init` those of the network and the vocabulary must
            be the start's (`fine_tuning.settings_from_start`).
        data_path: as in `load_windows`.
        init: the trained model whose generator and vocabulary the run starts from: the folder of a
            finished run or of an exported sampler, or a name in `serving.shipped.SHIPPED`; None for
            random weights. A resumed run starts from what its config.json says.
        strategy: a tf.distribute.Strategy, or None for the one in scope. If there are several
            workers, all must see the same folder, and the chief alone writes to it.
        overwrite: whether to replace an earlier run in the folder. It is removed only after the
            data has been read and the settings have been found to fit it.
        resumed_config: the content of config.json of the run to resume, or None for a new run.
            The settings in `CHANGED_ON_RESUME` may differ from those in it: the change is logged
            and kept in the history of config.json.
        verbose: as in `fit_adversarial`.

    Returns:
        The content of `evaluation.json`: Table 1's columns by name, by the name of the stage.

    Raises:
        ValueError: if the folder, the data or the settings cannot be used, the data of a resumed
            run has changed, or another process writes to the folder.
        OSError: if a file cannot be written.
    """
    is_resumed = resumed_config is not None
    run_folder = check_folder(out, overwrite, is_resumed)
    check_separate_folders(run_folder, data_path)

    with contextlib.ExitStack() as held:
        is_new = not run_folder.exists()
        if is_chief() and not is_new:
            held.enter_context(lock_folder(run_folder))
        barrier()  # the chief writes to the folder only after all workers have checked it

        folder = Path(held.enter_context(_writable_folder(run_folder)))
        start = start_of_run(init, settings, resumed_config)
        check_other_folder(start, run_folder)
        data = _load_data(settings, data_path, start, resumed_config)
        _check_memory(data, settings)
        generator, discriminator = make_models(data, settings)
        if start is not None:
            start.give_weights(generator)

        # Everything is checked; from here on the folder is changed.
        if is_chief() and is_new:
            run_folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(lock_folder(run_folder))
            check_folder(run_folder, overwrite)  # another run may have begun there meanwhile
        checkpoints = run_folder / "checkpoints"
        config = _make_config(settings, data_path, data, start, resumed_config)
        _begin(folder, checkpoints, settings, config, data.tokenizer, is_resumed)
        barrier()  # workers look for checkpoints only after those of an earlier run are removed

        return _train_and_evaluate(
            folder, checkpoints, generator, discriminator, data, start, settings, verbose
        )


def _train_and_evaluate(
    folder: Path,
    checkpoints: Path,
    generator: LanguageModel,
    discriminator: Discriminator,
    data: Windows,
    start: Start | None,
    settings: Settings,
    verbose: int | str,
) -> dict[str, dict[str, float]]:
    """Does what is left to do of a run whose folder is ready; returns its figures."""
    val_nll = _pretrain(folder, checkpoints, generator, data, settings, verbose)
    if settings.rounds:
        _train_adversarially(folder, checkpoints, generator, discriminator, data, settings, verbose)
    record(folder, save_parts(folder, generator, data.tokenizer, discriminator))

    rows = evaluate_stages(folder, data.validation, settings, seed=settings.seed)
    write_json(folder / "evaluation.json", rows)
    record_files(folder, "evaluation.json")
    write_json(folder / "outcome.json", to_json(measure(generator, data, start, val_nll)))
    tunes = sample_tunes(folder, settings.num_tunes, seed=settings.seed)
    write_tunes(tunes, folder / "samples")

    return rows


def train_run_with_strategy(
    name: str | None, *args: Any, **options: Any
) -> dict[str, dict[str, float]] | None:
    """Does a whole run under a tf.distribute strategy, for the command `tfseqgan train`.

    Args:
        name: of the strategy, as in `make_strategy`.
        *args: as in `train_run`.
        **options: as in `train_run`.

    Returns:
        As `train_run`; None on every worker except the chief.

    Raises:
        ConnectionError: if another worker has ended.
    """
    with make_strategy(name).scope():
        try:
            rows = train_run(*args, **options)
        except WORKER_FAILURES as error:
            reason = str(error).splitlines()[0]
            raise ConnectionError(
                f"Another worker has ended ({reason}); expected all of them to run. Start all of "
                "them again."
            ) from error

        return rows if is_chief() else None
