"""Maximum likelihood on the tokens of the paper (Lee et al. 2017): the validation NLL of the two generators.

    python experiments/maximum_likelihood.py --data ../shared/data/nottingham-lee2017/tokens.npz --embedding parts
    python experiments/maximum_likelihood.py --data ../shared/data/nottingham-lee2017/tokens.npz --embedding table

Each writes experiments/results/maximum_likelihood/<embedding>.json. A stopped run goes on from --checkpoints.

The split is by window and not by tune: 42 % of the 8-grams of the validation sequences stand in the training sequences too, so that the figure says
less about new tunes than about these.
"""

import argparse
import dataclasses
import os
import platform
import time
from importlib.metadata import version

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

import tfseqgan as sg
from tfseqgan.datasets.windows import load_windows
from tfseqgan.evaluation.evaluate import evaluate
from tfseqgan.files import write_json
from tfseqgan.runs.settings import Settings
from tfseqgan.runs.train_run import make_models

SETTINGS = {
    "parts": Settings(
        embedding_dim=128, units=512, dropout=0.3, epochs=22, pretraining_learning_rate=4e-3
    ),
    "table": Settings(
        embedding="table",
        embedding_dim=32,
        units=512,
        dropout=0.2,
        epochs=26,
        pretraining_learning_rate=4e-3,
    ),
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="tokens.npz of Lee et al. (2017)")
    parser.add_argument("--embedding", choices=list(SETTINGS), default="parts")
    parser.add_argument("--checkpoints", help="a folder, so that a stopped run can go on")
    args = parser.parse_args()
    settings = SETTINGS[args.embedding]
    data = load_windows(args.data, settings)
    generator, _ = make_models(data, settings)
    steps = -(-len(data.train) // settings.pretraining_batch_size) * settings.epochs
    schedule = keras.optimizers.schedules.CosineDecay(settings.pretraining_learning_rate, steps)
    generator.compile(keras.optimizers.Adam(schedule, global_clipnorm=5.0))
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
    columns = evaluate(generator, None, data.validation, seed=settings.seed)
    path = os.path.join(
        os.path.dirname(os.path.abspath(__file__)),
        "results",
        "maximum_likelihood",
        f"{args.embedding}.json",
    )
    os.makedirs(os.path.dirname(path), exist_ok=True)
    result = {
        "what": "validation NLL on the lee2017 split, nats per token",
        "nll": columns["nll"],
        "nll_stderr": columns["nll_stderr"],
        "evaluation": columns,
        "curve": history.history,
        "weights": generator.count_params(),
        "seconds": seconds,
        "settings": {
            name: value for name, value in dataclasses.asdict(settings).items() if name in _USED
        },
        "data": data.summary(),
        "versions": {
            "tfseqgan": sg.__version__,
            "python": platform.python_version(),
            "tensorflow": version("tensorflow"),
            "keras": version("keras"),
        },
    }
    write_json(path, result)
    print(
        f"{args.embedding}: validation NLL {columns['nll']:.4f} ± {columns['nll_stderr']:.4f} nats per token, {path}"
    )


_USED = (
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

if __name__ == "__main__":
    main()
