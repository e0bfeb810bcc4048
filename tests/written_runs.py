"""Finished runs that nobody trained: the small files of one, as a run writes them."""

import dataclasses

from tfseqgan.files import write_json
from tfseqgan.runs.run_records import config_sha256
from tfseqgan.runs.settings import Settings
from tfseqgan.serving.manifest import hash_files, write_manifest

FIGURES = {"nll": 2.5, "nll_stderr": 0.1, "bleu": 0.25, "num_real": 4, "auc": None}


def write_run(folder, rows=None, sha256="0" * 64, start=None, **settings):
    """Writes what a finished run says of itself into a new folder, and returns the folder."""
    config = {
        "settings": dataclasses.asdict(Settings(**settings)),
        "data_path": None,
        "data": {"name": "session", "sha256": sha256},
        "starts_with_start_token": True,
        "versions": {"tfseqgan": "0.1.0"},
        **({} if start is None else {"start": start}),
    }
    folder.mkdir(parents=True)
    write_json(folder / "config.json", config)
    write_json(folder / "evaluation.json", rows or {"maximum likelihood": FIGURES})
    hashes = hash_files(folder, "evaluation.json")
    write_manifest(folder, hashes | {"config.json": config_sha256(config)})

    return folder
