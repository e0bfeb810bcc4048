"""What is done with a finished run: sampling, evaluation, export."""

import logging
from pathlib import Path

from tfseqgan.datasets.nottingham import cache_folder, download_nottingham
from tfseqgan.datasets.windows import load_windows
from tfseqgan.evaluation.evaluate import evaluate
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.runs.run_folder import load_model, read_config, read_json, read_settings
from tfseqgan.serving.export import export_saved_model
from tfseqgan.serving.saved_sampler import SavedSampler, newest_version

_log = logging.getLogger("tfseqgan")


TUNE_LENGTH = 512
"""Tokens that a tune may have at the most; the longest of nine Nottingham tunes in ten has about 300."""


def sample_tunes(
    run,
    num_tunes,
    *,
    stage="generator",
    length=None,
    temperature=1.0,
    top_k=None,
    top_p=None,
    seed=None,
):
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
            raise ValueError(
                f"{run} is an exported sampler, which holds no stage {stage!r}; expected 'generator'. Name the run's folder for the other."
            )
        sampler = SavedSampler(run)
        tokenizer, tokens = sampler.tokenizer, sampler.generate(num_tunes, length, **options)
    else:
        (_, config), tokenizer = read_config(run), Tokenizer.load(Path(run) / "tokenizer.json")
        prompt = [tokenizer.start_token_id] if config["starts_with_start_token"] else None
        tokens = load_model(run, stage).generate(
            num_tunes, TUNE_LENGTH if length is None else length, prompt=prompt, **options
        )
    return [tokenizer.decode(row, name=f"Tune {number}") for number, row in enumerate(tokens, 1)]


def evaluate_stages(run, validation, settings, **options):
    """Returns the rows of the evaluation: the saved generator before and after adversarial training."""
    rows = {
        "maximum likelihood" if settings.epochs else "untrained": evaluate(
            load_model(run, "pretrained"), None, validation, **options
        )
    }
    if settings.rounds:
        rows[settings.objective] = evaluate(
            load_model(run, "generator"), load_model(run, "discriminator"), validation, **options
        )
    return rows


def evaluate_run(run, data_path=None, *, num_samples=None, seed=None):
    """Returns Table 1's columns of a finished run, on its own held-out tunes or on those of other data.

    Args:
        run: the run's folder, or that of an exported sampler, which needs the data that it was trained on; the Nottingham tunes are downloaded.
        data_path: other data, as in `load_windows`, tokenized by the run's vocabulary and held out by the run's settings; None for the run's own.
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
    data = load_windows(
        data_path or config["data_path"], settings, Tokenizer.load(Path(run) / "tokenizer.json")
    )
    if data_path is None and data.sha256 != config["data"]["sha256"]:
        raise ValueError(
            f"The run's data at {config['data_path']} has changed since: expected sha256 {config['data']['sha256']}, received {data.sha256}. "
            "Bring the old data back, or name other data by --data."
        )
    _check_opening(data, data_path, config["starts_with_start_token"])
    return evaluate_stages(
        run,
        data.validation,
        settings,
        num_samples=num_samples,
        seed=settings.seed if seed is None else seed,
    )


def _check_opening(data, data_path, starts_with_start_token):
    """Raises ValueError unless sequences begin as those do that a model was trained on."""
    if data.starts_with_start_token() != starts_with_start_token:
        raise ValueError(
            f"{data_path}: expected sequences like the run's own, which {'begin' if starts_with_start_token else 'do not begin'} with "
            "a start token. Pass the kind of data that the run was trained on."
        )


def _evaluate_saved(path, data_path, num_samples, seed):
    """Returns the row of an exported sampler, by its signatures, on the tunes that the settings on its card hold out of the data."""
    sampler = SavedSampler(path)
    try:
        settings, name, sha256 = (
            read_settings(sampler.card),
            sampler.card["data"]["name"],
            sampler.card["data"]["sha256"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} was exported without the settings and data of a run ({error!r}); expected a sampler exported by 'tfseqgan export'. "
            "Evaluate its run's folder."
        ) from error
    if data_path is None and name == "nottingham":
        data_path = download_nottingham(cache_folder() / "nottingham")
    if data_path is None and name != "session":
        raise ValueError(
            f"{path} was trained on {name}, which does not come with it; expected --data, the folder of those tunes."
        )
    data = load_windows(data_path, settings, sampler.tokenizer)
    _check_opening(data, data_path, bool(sampler.card["prompt"]))
    if data.sha256 != sha256:
        _log.warning(
            "These are not the tunes that %s was trained on: some of those held out here may have been learned.",
            path,
        )
    row = sampler.evaluate(
        data.validation, num_samples=num_samples, seed=settings.seed if seed is None else seed
    )
    return {
        settings.objective
        if settings.rounds
        else "maximum likelihood"
        if settings.epochs
        else "untrained": row
    }


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
        raise ValueError(
            f"--out {out} is the run's own folder; expected another one, which a server can watch. Choose another --out."
        )
    settings, config = read_config(run)
    tokenizer = Tokenizer.load(Path(run) / "tokenizer.json")
    rows = read_json(Path(run) / "evaluation.json")
    data = {key: value for key, value in config["data"].items() if key != "skipped_files"}
    card = {
        "settings": config["settings"],
        "data": data,
        "versions": config["versions"],
        "evaluation": rows,
        "length": length,
    }
    return export_saved_model(
        load_model(run, "generator"),
        tokenizer,
        out,
        version,
        discriminator=load_model(run, "discriminator") if settings.rounds else None,
        length=length,
        prompt=[tokenizer.start_token_id] if config["starts_with_start_token"] else (),
        num_candidates=num_candidates,
        card=card,
    )
