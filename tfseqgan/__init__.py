"""Sequence GANs trained by reinforcement learning, for symbolic music first.

The floor plan, in the order of the paper; a module imports only modules above it:

    1 music        score voices files midi abc_notation events neighbours tokenizer harmony session duplicates reading datasets download metrics
    2 mathematics  returns sparse likelihood rows sampling
    3 players      replicas recurrence embedding generator spectra convolution discriminator policy rollouts
    4 objectives   rewards credit baselines objectives
    5 training     evaluation callbacks checkpointing rounds optimizer pretraining game training
    6 delivery     presets tables windows pretrained folders export served runs cli

Names are imported when they are first used, so that `tfseqgan --help` and the music floor start without TensorFlow.
"""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "score": ["Note", "Chord", "Score", "transpose"],
    "midi": ["read_midi", "write_midi"],
    "abc_notation": ["to_abc"],
    "tokenizer": ["Tokenizer", "TokenizationError"],
    "datasets": ["Corpus", "TokenCorpus", "load_midi", "load_nottingham", "load_lee2017", "session_tunes"],
    "download": ["download_nottingham"],
    "generator": ["Generator"],
    "discriminator": ["Discriminator"],
    "policy": ["Policy", "Trajectory"],
    "objectives": ["Objective", "reinforce", "reinforce_with_baseline", "merl", "kl_control", "seqgan"],
    "evaluation": ["evaluate"],
    "callbacks": ["MetricsCSV", "Scalars"],
    "optimizer": ["Adam"],
    "pretraining": ["pretrain"],
    "training": ["fit_adversarial"],
    "tables": ["format_table"],
    "pretrained": ["Pretrained", "save_pretrained", "from_pretrained"],
    "export": ["export_saved_model"],
    "served": ["SavedSampler"],
}
_MODULES = ["rewards", "credit", "baselines", "metrics"]
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names} | {name: None for name in _MODULES}

__all__ = sorted(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"module 'tfseqgan' has no attribute {name!r}")
    home = _HOME_OF[name]
    found = importlib.import_module(f"tfseqgan.{home or name}")
    value = getattr(found, name) if home else found
    globals()[name] = value
    return value


def __dir__():
    return [*__all__, "__version__"]
