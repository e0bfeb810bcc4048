r"""Measure the validation NLL of the two generators on the paper's tokens (Lee et al. 2017).

    python experiments/maximum_likelihood.py --embedding parts \
        --data ../shared/data/nottingham-lee2017/tokens.npz
    python experiments/maximum_likelihood.py --embedding table \
        --data ../shared/data/nottingham-lee2017/tokens.npz

Each command trains one generator and writes one file,
experiments/results/maximum_likelihood/<embedding>.json. With --checkpoints, a run that was stopped
resumes.

The published tokens are split by window and not by tune: 42 % of the 8-grams in the validation
sequences also occur in the training sequences. The NLL therefore says less about new tunes than
about these.
"""

import argparse
import dataclasses
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from versions import library_versions

import tfseqgan as sg
from tfseqgan.datasets.windows import load_windows
from tfseqgan.evaluation.evaluate import evaluate
from tfseqgan.files import write_json
from tfseqgan.runs.settings import MODELS_OF_THE_PAPER, TOKENS_OF_THE_PAPER, Settings
from tfseqgan.runs.train_run import make_models

RESULTS = Path(__file__).resolve().parent / "results" / "maximum_likelihood"

WINDOWS: dict[str, Any] = (
    TOKENS_OF_THE_PAPER | MODELS_OF_THE_PAPER | {"length": 100, "pretraining_batch_size": 32}
)
"""How the published tokens are cut, and how many windows a step takes."""

SETTINGS = {
    "parts": Settings(
        **WINDOWS,
        embedding_dim=128,
        units=512,
        dropout=0.3,
        epochs=22,
        pretraining_learning_rate=4e-3,
    ),
    "table": Settings(
        **WINDOWS,
        embedding="table",
        embedding_dim=32,
        units=512,
        dropout=0.2,
        epochs=26,
        pretraining_learning_rate=4e-3,
    ),
}

# The settings that this experiment depends on. The result names these and no others.
USED_SETTINGS = (
    "seed",
    "embedding",
    "embedding_dim",
    "units",
    "dropout",
    "epochs",
    "pretraining_batch_size",
    "pretraining_learning_rate",
    "schedule",
)


def make_optimizer(settings: Settings, num_windows: int) -> keras.optimizers.Optimizer:
    """Returns Adam with a learning rate that falls to zero along a cosine."""
    steps_per_epoch = -(-num_windows // settings.pretraining_batch_size)  # rounded up
    learning_rate = keras.optimizers.schedules.CosineDecay(
        settings.pretraining_learning_rate,
        steps_per_epoch * settings.epochs,
    )

    return keras.optimizers.Adam(learning_rate, global_clipnorm=5.0)


def parse_arguments() -> argparse.Namespace:
    """Returns the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", required=True, help="tokens.npz of Lee et al. (2017)")
    parser.add_argument("--embedding", choices=list(SETTINGS), default="parts")
    parser.add_argument("--checkpoints", help="folder from which a stopped run can resume")

    return parser.parse_args()


def main() -> None:
    """Trains one generator, evaluates it and writes the result."""
    args = parse_arguments()
    settings = SETTINGS[args.embedding]
    data = load_windows(args.data, **settings.window_options())
    generator, _ = make_models(data, settings)
    generator.compile(make_optimizer(settings, len(data.train)))

    # Training.
    started = time.time()
    history = sg.pretrain(
        generator,
        data.train,
        epochs=settings.epochs,
        batch_size=settings.pretraining_batch_size,
        validation_data=data.validation,
        checkpoint_dir=args.checkpoints,
        seed=settings.seed,
    )
    seconds = time.time() - started

    # Evaluation.
    columns = evaluate(generator, None, data.validation, seed=settings.seed)
    all_settings = dataclasses.asdict(settings)
    result = {
        "what": "validation NLL on the lee2017 split, nats per token",
        "nll": columns["nll"],
        "nll_stderr": columns["nll_stderr"],
        "evaluation": columns,
        "curve": history.history,
        "weights": generator.count_params(),
        "seconds": seconds,
        "settings": {name: all_settings[name] for name in all_settings if name in USED_SETTINGS},
        "data": data.summary(),
        "versions": library_versions(),
    }

    path = RESULTS / f"{args.embedding}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, result)
    nll = f"{columns['nll']:.4f} ± {columns['nll_stderr']:.4f}"
    print(f"{args.embedding}: validation NLL {nll} nats per token, {path}")


if __name__ == "__main__":
    main()
