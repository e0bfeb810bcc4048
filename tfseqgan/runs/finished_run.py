"""What can be done with a finished run: sampling, evaluation, export."""

import hashlib
import logging
import secrets
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfseqgan.datasets.corpus import Corpus
from tfseqgan.datasets.nottingham import cache_folder, download_nottingham
from tfseqgan.datasets.windows import (
    Windows,
    holds_published_windows,
    load_corpus,
    load_windows,
)
from tfseqgan.evaluation.evaluate import evaluate
from tfseqgan.models.checks import check_guidance
from tfseqgan.music.controls import Controls
from tfseqgan.music.score import Score
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.ops.sampling import check_sampling
from tfseqgan.runs.run_folder import is_run_folder, load_model, open_run
from tfseqgan.runs.run_records import read_settings
from tfseqgan.runs.settings import Settings
from tfseqgan.serving.export import export_saved_model
from tfseqgan.serving.pretrained import check_same_tokens
from tfseqgan.serving.saved_sampler import SavedSampler, newest_version
from tfseqgan.serving.shipped import find_model

_log = logging.getLogger("tfseqgan")

TUNE_LENGTH = 1024
"""The most tokens that a sampled tune has; of a hundred Nottingham tunes 99 have at most 819."""


def _is_exported(path: Path | str) -> bool:
    """Returns whether a folder is that of an exported sampler, and not a run's."""
    return not is_run_folder(path) and newest_version(path) is not None


def sample_tunes(
    run: Path | str,
    num_tunes: int,
    *,
    stage: str = "generator",
    length: int | None = None,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    guidance: float | None = None,
    metre: str | None = None,
    key: str | None = None,
    bars: int | None = None,
    rhythm: str | None = None,
    seed: int | None = None,
) -> list[Score]:
    """Samples whole tunes from a run's generator.

    Args:
        run: the run's folder, that of an exported sampler, or the name of one that comes with
            tfseqgan.
        num_tunes: how many.
        stage: "generator" for the end of the run, "pretrained" for the end of maximum likelihood,
            which an exported sampler does not have.
        length: the most tokens of a tune; by default `TUNE_LENGTH`, or the length that a sampler
            was exported with.
        temperature: as in `Generator.generate`; so are `top_k`, `top_p`, `guidance` and `seed`. An
            exported sampler has defaults of its own on its card (`SavedSampler.defaults`).
        metre: what the tunes shall be, as in `Controls`; so are `key`, `bars` and `rhythm`. What is
            not asked for is drawn from the training tunes.

    Returns:
        The tunes.

    Raises:
        ValueError: if the run is not finished or an argument is out of range.
    """
    if num_tunes < 1:
        raise ValueError(f"num_tunes is {num_tunes}; expected 1 or more.")

    run = find_model(run)
    options: dict[str, Any] = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "guidance": guidance,
        "controls": Controls(metre, key, bars, rhythm),
        "seed": seed,
    }
    if _is_exported(run):
        if stage != "generator":
            raise ValueError(
                f"{run} is an exported sampler, which holds no stage {stage!r}; expected "
                "'generator'. Pass the run's folder for the other stage."
            )
        sampler = SavedSampler(run)
        tokenizer = _tokenizer_of_tunes(sampler, run)
        tokens = sampler.generate(num_tunes, length, **options)
    else:
        tokenizer, tokens = _generate(run, stage, num_tunes, length, **options)

    return [tokenizer.decode(row, name=f"Tune {number}") for number, row in enumerate(tokens, 1)]


def _tokenizer_of_tunes(sampler: SavedSampler, path: Path | str) -> Tokenizer:
    """Returns the tokenizer of an exported sampler; raises ValueError if it writes no tunes."""
    if isinstance(sampler.tokenizer, Tokenizer):
        return sampler.tokenizer

    raise ValueError(
        f"{path} samples sequences of symbols; expected a sampler of tunes. Sample from it in "
        "Python: sg.SavedSampler(path), whose tokenizer decodes its tokens."
    )


def _generate(
    run: Path | str,
    stage: str,
    num_tunes: int,
    length: int | None,
    *,
    temperature: float | None,
    controls: Controls,
    seed: int | None,
    **options: Any,
) -> tuple[Tokenizer, np.ndarray]:
    """Returns the tokenizer of a run, and samples of its generator, int32 [B, T]."""
    opened = open_run(run)
    tokenizer = opened.load_tokenizer()
    generator = opened.load_model(stage)
    check_same_tokens(tokenizer, generator)

    pair = _new_seed(seed)
    prompts = tokenizer.prompts(num_tunes, controls, seed=pair)
    tokens = generator.generate(
        num_tunes,
        TUNE_LENGTH if length is None else length,
        temperature=1.0 if temperature is None else temperature,
        prompt=prompts if opened.config["starts_with_start_token"] else None,
        seed=pair,
        **options,
    )

    return tokenizer, tokens


def _new_seed(seed: int | None) -> int:
    """Returns the seed, or a new one: what the tunes are asked to be and their notes share it."""
    return secrets.randbits(31) if seed is None else seed


def _pretrained_row_name(settings: Settings) -> str:
    """Returns the name of the generator before adversarial training, in an evaluation."""
    return "maximum likelihood" if settings.epochs else "untrained"


def evaluate_stages(
    run: Path | str,
    validation: np.ndarray,
    settings: Settings,
    *,
    seed: int,
    num_samples: int | None = None,
) -> dict[str, dict[str, float]]:
    """Evaluates the saved generator before adversarial training and, if there was any, after it.

    Args:
        run: the run's folder.
        validation: int32 [M, T], the held-out windows.
        settings: the run's settings.
        seed: of the samples.
        num_samples: as in `evaluate`.

    Returns:
        Table 1's columns by name, by the name of the stage.
    """
    pretrained = load_model(run, "pretrained")
    rows = {
        _pretrained_row_name(settings): evaluate(
            pretrained, None, validation, num_samples=num_samples, seed=seed
        )
    }

    if settings.rounds:
        generator = load_model(run, "generator")
        discriminator = load_model(run, "discriminator")
        rows[settings.objective] = evaluate(
            generator, discriminator, validation, num_samples=num_samples, seed=seed
        )

    return rows


def evaluate_run(
    run: Path | str,
    data_path: Path | str | None = None,
    *,
    num_samples: int | None = None,
    seed: int | None = None,
) -> dict[str, dict[str, float]]:
    """Computes Table 1's columns of a finished run, on held-out tunes.

    Args:
        run: the run's folder, or that of an exported sampler. A sampler needs `data_path`, except
            if it was trained on the synthetic tunes, or on the Nottingham tunes, which are then
            downloaded.
        data_path: other data, as in `load_windows`, tokenized by the run's vocabulary and split
            by the run's settings; None for the run's own.
        num_samples: sequences to sample; as many as there are held-out windows by default.
        seed: of the samples; the run's own by default, which gives `evaluation.json` again.

    Returns:
        As `train_run`.

    Raises:
        ValueError: if the run is not finished, its own data has changed, or the other data does
            not fit it.
    """
    run = find_model(run)
    if _is_exported(run):
        return _evaluate_exported(run, data_path, num_samples, seed)

    opened = open_run(run)
    settings = opened.settings
    config = opened.config
    path = data_path or config["data_path"]
    data = load_windows(path, tokenizer=opened.load_tokenizer(), **settings.window_options())

    if data_path is None:
        check_same_data(data, path, config)
    _check_start_token(data, path, config["starts_with_start_token"])

    return evaluate_stages(
        run,
        data.validation,
        settings,
        seed=settings.seed if seed is None else seed,
        num_samples=num_samples,
    )


class _Found(NamedTuple):
    """Where data is, the settings that split it, and the hash that it must have, if any."""

    path: Path | str | None
    settings: Settings
    sha256: str | None


def _find_data(run: Path, data_path: Path | str | None) -> _Found:
    """Finds the data of a run or of an exported sampler."""
    if _is_exported(run):
        sampler = SavedSampler(run)
        _tokenizer_of_tunes(sampler, run)
        settings, described = _read_card(sampler, run)
        return _Found(_find_exported_data(described["name"], run, data_path), settings, None)

    opened = open_run(run)
    if data_path is not None:
        return _Found(data_path, opened.settings, None)

    return _Found(opened.config["data_path"], opened.settings, opened.config["data"]["sha256"])


def _check_same_tunes(sha256: str, expected: str, path: Path | str | None) -> None:
    """Raises ValueError unless data is what a run was trained on."""
    if sha256 != expected:
        raise ValueError(
            f"The run's data at {path} has changed: expected sha256 {expected}, received "
            f"{sha256}. Restore the old data, or pass other data by --data."
        )


def load_tunes(run: Path | str, data_path: Path | str | None = None) -> tuple[Corpus, Settings]:
    """Loads the tunes of a run, split as they were for it.

    Args:
        run: as in `evaluate_run`; so is `data_path`.

    Returns:
        The tunes, and the settings of the run.

    Raises:
        ValueError: if the data is tokens that were published without their tunes, a run's own data
            has changed, or a sampler does not say what it was trained on.
    """
    found = _find_data(find_model(run), data_path)
    settings = found.settings
    if holds_published_windows(found.path):
        raise ValueError(
            f"{found.path} holds windows of tokens, whose tunes are not known; expected tunes, "
            "which judges read. Leave out --judges, or judge a run of a folder of tunes."
        )

    corpus = load_corpus(found.path, settings.validation_fraction, settings.seed)
    if found.sha256 is not None:
        _check_same_tunes(corpus.sha256, found.sha256, found.path)

    return corpus, settings


def hash_split(data: Windows) -> dict[str, str]:
    """Returns the hash of the training windows and that of the held-out ones."""
    windows = {"train": data.train, "validation": data.validation}

    return {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in windows.items()}


def _is_same_split(data: Windows, config: dict[str, Any]) -> bool:
    """Returns whether data is split as that of a run, as far as the run knows its split.

    Runs of 0.1.0 know the numbers of windows alone.
    """
    if "split" in config:
        return config["split"] == hash_split(data)

    summary = data.summary()
    names = ("train_windows", "validation_windows")

    return all(summary[name] == config["data"].get(name, summary[name]) for name in names)


def check_same_data(data: Windows, path: Path | str | None, config: dict[str, Any]) -> None:
    """Raises ValueError unless data is that of a run, split and tokenized as it was."""
    _check_same_tunes(data.sha256, config["data"]["sha256"], path)

    if not _is_same_split(data, config):
        raise ValueError(
            f"The run's data at {path} is split or tokenized otherwise than when the run was "
            "started; expected the same training and held-out windows, since tunes that were "
            "learned would count as held out. Use the version of tfseqgan that started the run "
            f"({config['versions'].get('tfseqgan')}), or start a new run."
        )


def _check_start_token(
    data: Windows, data_path: Path | str | None, starts_with_start_token: bool
) -> None:
    """Raises ValueError unless sequences begin like those that a model was trained on."""
    if data.starts_with_start_token() != starts_with_start_token:
        begin = "begin" if starts_with_start_token else "do not begin"
        raise ValueError(
            f"{data_path}: expected sequences like the run's own, which {begin} with a start "
            "token. Pass the kind of data that the run was trained on."
        )


def _read_card(sampler: SavedSampler, path: Path | str) -> tuple[Settings, dict[str, Any]]:
    """Returns the settings and the data of the run that an exported sampler is from.

    The data is described by its name and its hash.
    """
    try:
        data = sampler.card["data"]
        return read_settings(sampler.card), {"name": data["name"], "sha256": data["sha256"]}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} was exported without the settings and data of a run ({error!r}); expected a "
            "sampler exported by 'tfseqgan export'. Evaluate the run's folder instead."
        ) from error


def _find_exported_data(
    name: str, path: Path | str, data_path: Path | str | None
) -> Path | str | None:
    """Returns the folder of the tunes of an exported sampler; None for the synthetic tunes."""
    if data_path is None and name == "nottingham":
        return download_nottingham(cache_folder() / "nottingham")
    if data_path is None and name != "session":  # "session" is the name of the synthetic tunes
        raise ValueError(
            f"{path} was trained on {name}, which is not part of it; expected the folder of those "
            "tunes. Pass it by --data."
        )

    return data_path


def _evaluate_exported(
    path: Path | str, data_path: Path | str | None, num_samples: int | None, seed: int | None
) -> dict[str, dict[str, float]]:
    """Returns the row of an exported sampler, on tunes held out by the settings on its card."""
    sampler = SavedSampler(path)
    settings, described = _read_card(sampler, path)
    data_path = _find_exported_data(described["name"], path, data_path)

    tokenizer = _tokenizer_of_tunes(sampler, path)
    data = load_windows(data_path, tokenizer=tokenizer, **settings.window_options())
    _check_start_token(data, data_path, bool(sampler.card["prompt"]))
    if data.sha256 != described["sha256"]:
        _log.warning(
            "These are not the tunes that %s was trained on: it may have been trained on some of "
            "those that are held out here.",
            path,
        )

    row = sampler.evaluate(
        data.validation, num_samples=num_samples, seed=settings.seed if seed is None else seed
    )
    row_name = settings.objective if settings.rounds else _pretrained_row_name(settings)

    return {row_name: row}


def _recommended(generator: Any, **sampling: float | None) -> dict[str, float]:
    """Returns the sampling options that are given, checked."""
    given = {name: value for name, value in sampling.items() if value is not None}
    check_sampling(1, 1, temperature=given.get("temperature", 1.0), top_p=given.get("top_p"))
    check_guidance(given.get("guidance"), generator.token_controls is not None)

    return given


def export_run(
    run: Path | str,
    out: Path | str,
    version: int = 1,
    *,
    length: int = TUNE_LENGTH,
    num_candidates: int = 8,
    temperature: float | None = None,
    top_p: float | None = None,
    guidance: float | None = None,
) -> Path:
    """Exports the models of a finished run as a SavedModel.

    Its card says how they were trained and what they scored.

    Args:
        run: the run's folder.
        out: the folder of the exported model, as `path` of `export_saved_model`.
        version: as in `export_saved_model`; so are `length` and `num_candidates`.
        temperature: what the card recommends, with which `SavedSampler.generate` and `tfseqgan
            sample` sample by default; so are `top_p` and `guidance`. None leaves it out.
        top_p: see `temperature`.
        guidance: see `temperature`.

    Returns:
        The folder of the version.

    Raises:
        ValueError: if the run is not finished, the version exists, or what is recommended is out of
            range.
        OSError: if the folder cannot be written.
    """
    if Path(out).resolve() == Path(run).resolve():
        raise ValueError(
            f"--out {out} is the run's own folder; expected another folder, which a server can "
            "watch. Choose another --out."
        )

    opened = open_run(run)
    settings = opened.settings
    config = opened.config
    tokenizer = opened.load_tokenizer()
    generator = opened.load_model("generator")
    check_same_tokens(tokenizer, generator)
    data = {key: value for key, value in config["data"].items() if key != "skipped_files"}
    card = {
        "settings": config["settings"],
        "data": data,
        "versions": config["versions"],
        "evaluation": opened.load_evaluation(),
        "length": length,
        "sampling": _recommended(
            generator, temperature=temperature, top_p=top_p, guidance=guidance
        ),
    }

    return export_saved_model(
        generator,
        tokenizer,
        out,
        version,
        discriminator=opened.load_model("discriminator") if settings.rounds else None,
        length=length,
        prompt=[tokenizer.start_token_id] if config["starts_with_start_token"] else (),
        num_candidates=num_candidates,
        card=card,
    )
