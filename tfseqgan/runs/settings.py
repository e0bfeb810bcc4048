"""Every setting of a run by name, and the presets: quick, default, paper.

It imports no TensorFlow, so that `tfseqgan train --help` answers at once.
"""

import dataclasses
import math
import numbers
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfseqgan.objectives.names import BASELINE_NAMES, CREDIT_NAMES, RECIPE_NAMES, REWARD_NAMES
from tfseqgan.training.schedule import Schedule


def _are_widths(values: tuple[Any, ...]) -> bool:
    """Returns whether a tuple holds filter widths: whole numbers of 1 or more."""
    if not values:
        return False

    return all(type(value) is int and value >= 1 for value in values)


_YES_NO = "True or False"

_RANGES: dict[str, Callable[[Any], bool]] = {
    "0 or more": lambda value: 0 <= value < math.inf,
    "1 or more": lambda value: 1 <= value < math.inf,
    "2 or more": lambda value: 2 <= value < math.inf,
    "above 0": lambda value: 0 < value < math.inf,
    "0 to 1": lambda value: 0 <= value <= 1,
    "0 to below 1": lambda value: 0 <= value < 1,
    "above 0 and below 1": lambda value: 0 < value < 1,
    "0 to 4294967295": lambda value: 0 <= value < 2**32,
    "widths of 1 or more such as 1,2,4": _are_widths,
}
"""The ranges of settings, by the words that an error message says them in."""


def _setting(default: Any, help: str, expected: str | tuple[str, ...]) -> Any:
    """Returns a field of `Settings`.

    Args:
        default: its value where none is given.
        help: what `tfseqgan train --help` says about it.
        expected: a key of `_RANGES`, or the names to choose from.
    """
    return dataclasses.field(default=default, metadata={"help": help, "expected": expected})


def _one_of(names: Sequence[str]) -> str:
    """Returns names as a list in words: "a, b or c"."""
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _as_plain(value: Any) -> Any:
    """Returns a number as Python's own, where NumPy's was given; any other value as it is."""
    if isinstance(value, tuple):
        return tuple(map(_as_plain, value))
    if isinstance(value, bool):
        return value  # no number, although Python counts with it
    if isinstance(value, numbers.Integral):
        return operator.index(value)
    if isinstance(value, numbers.Real):
        return float(value)

    return value


def _check(field: dataclasses.Field, value: Any) -> None:
    """Raises ValueError unless a value has its field's type and is one that the field expects."""
    expected = field.metadata["expected"]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if field.type is bool:
        is_valid = isinstance(value, bool)
        wanted = expected
    elif isinstance(expected, tuple):
        is_valid = isinstance(value, str) and value in expected
        wanted = f"one of {', '.join(expected)}"
    elif field.type == tuple[int, ...]:
        is_valid = isinstance(value, tuple) and _RANGES[expected](value)
        wanted = expected
    elif field.type is int:
        is_valid = is_number and isinstance(value, int) and _RANGES[expected](value)
        wanted = f"a whole number, {expected}"
    else:
        is_valid = is_number and _RANGES[expected](value)
        wanted = f"a number, {expected}"

    if not is_valid:
        raise ValueError(
            f"{field.name} is {value!r}; expected {wanted}. "
            "'tfseqgan train --help' explains every setting."
        )


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that decides a run, except its data and its folder.

    The fields have the names of the Python arguments and of the flags of `tfseqgan train`. They
    are saved in `config.json` and on the card of an exported sampler.

    The defaults are the best known for tunes like those of Nottingham; `PRESETS` has others.

    Raises:
        ValueError: naming the setting, if its type or its value is not what is expected, or if two
            of them contradict each other.

    Example:
        >>> Settings().objective, PRESETS["paper"].kernel_sizes
        ('kl_control', (20, 20, 20, 20, 20))
    """

    # Data.
    seed: int = _setting(
        0, "seed of the split, the weights, all samples and all shuffles", "0 to 4294967295"
    )
    length: int = _setting(
        512,
        "most tokens of a training row; tokens of a sample in adversarial training",
        "1 or more",
    )
    validation_fraction: float = _setting(
        0.1,
        "share of the tunes that is held out; duplicates stay on one side",
        "above 0 and below 1",
    )
    minimum_count: int = _setting(
        1, "events that occur less often in the training tunes are rare", "1 or more"
    )
    rare: str = _setting(
        "nearest",
        "rare events: 'nearest' replaces each by the nearest known one, 'drop' drops its tune",
        ("nearest", "drop"),
    )
    interleave: bool = _setting(
        True,
        "a token is what starts in one voice; else what starts in both, as in the paper",
        _YES_NO,
    )
    transpose: str | None = _setting(
        None,
        "'C' writes every tune in C major or A minor, with --random_transposition False (default: "
        "its own key)",
        ("C",),
    )
    chord_octaves: bool = _setting(
        True, "chords keep their octaves; else each is written in root position", _YES_NO
    )
    random_transposition: bool = _setting(
        True, "every epoch and every round sees the tunes in other keys", _YES_NO
    )
    whole_tunes: bool = _setting(
        True, "a training row is a tune; else a window of a tune, as in the paper", _YES_NO
    )
    grammar: bool = _setting(
        True,
        "the generator knows how long each token lasts, and writes only tokens that can follow",
        _YES_NO,
    )
    controls: bool = _setting(
        True,
        "a tune says its metre, key, number of bars and rhythm, which can then be asked for; needs "
        "--grammar True and --embedding parts",
        _YES_NO,
    )

    # The generator, and maximum likelihood.
    generator: str = _setting(
        "attention",
        "the generator: 'attention' looks back over the whole tune, 'lstm' is the paper's",
        ("attention", "lstm"),
    )
    embedding: str = _setting(
        "parts",
        "vector of a token: 'parts' (sum over its six parts, tied with the output) or 'table' "
        "(the paper's)",
        ("parts", "table"),
    )
    embedding_dim: int = _setting(192, "length of a token's vector in the generator", "1 or more")
    units: int = _setting(512, "units of an LSTM generator", "1 or more")
    num_layers: int = _setting(3, "layers of an attention generator", "1 or more")
    num_heads: int = _setting(4, "heads in each of its layers", "1 or more")
    feed_forward_dim: int = _setting(
        640, "units of the feed-forward network in each of its layers", "1 or more"
    )
    dropout: float = _setting(
        0.15, "dropout of the generator in maximum likelihood", "0 to below 1"
    )
    control_dropout: float = _setting(
        0.1,
        "share of the tunes in which a control is left out in maximum likelihood",
        "0 to below 1",
    )
    epochs: int = _setting(
        24,
        "epochs of maximum likelihood, of which the best is kept; 0 starts adversarial training "
        "from random weights",
        "0 or more",
    )
    patience: int = _setting(
        6, "epochs without a lower validation NLL before maximum likelihood stops", "1 or more"
    )
    kept_aside_fraction: float = _setting(
        0.0,
        "share of the training tunes that is kept aside to choose the epoch of maximum likelihood; "
        "0 lets the held-out tunes choose it",
        "0 to below 1",
    )
    pretraining_batch_size: int = _setting(12, "rows in a maximum-likelihood step", "1 or more")
    pretraining_learning_rate: float = _setting(
        1e-3, "learning rate of maximum likelihood (Adam)", "above 0"
    )
    schedule: str = _setting(
        "cosine",
        "how that learning rate changes: 'cosine' falls to zero, 'constant' stays",
        ("cosine", "constant"),
    )

    warmup_steps: int = _setting(
        150, "steps over which a 'cosine' learning rate first rises from zero", "0 or more"
    )
    beta_2: float = _setting(
        0.98, "decay of Adam's second moment in maximum likelihood", "0 to below 1"
    )
    weight_decay: float = _setting(
        0.01, "decay of the generator's weights in maximum likelihood", "0 or more"
    )
    weight_averaging: float = _setting(
        0.99,
        "decay of the average of the generator's weights over the steps of maximum likelihood, "
        "which is what is kept; 0 keeps the weights themselves",
        "0 to below 1",
    )

    # The discriminator.
    discriminator_embedding_dim: int = _setting(
        64, "length of a token's vector in the discriminator", "1 or more"
    )
    filters: int = _setting(100, "filters in each branch of the discriminator", "1 or more")
    kernel_sizes: tuple[int, ...] = _setting(
        (1, 2, 3, 4, 6, 8, 12, 16, 20),
        "width of each branch of the discriminator, in tokens",
        "widths of 1 or more such as 1,2,4",
    )
    discriminator_dropout: float = _setting(0.25, "dropout of the discriminator", "0 to below 1")
    l2_weight: float = _setting(
        0.0, "weight of the L2 penalty on the discriminator's output layer", "0 or more"
    )
    discriminator_learning_rate: float = _setting(
        3e-4, "learning rate of the discriminator (Adam)", "above 0"
    )

    # The objective.
    objective: str = _setting("kl_control", _one_of(RECIPE_NAMES), RECIPE_NAMES)
    reward: str | None = _setting(
        None, f"{_one_of(REWARD_NAMES)} (default: the objective's)", REWARD_NAMES
    )
    baseline: str | None = _setting(
        None, f"{_one_of(BASELINE_NAMES)} (default: the objective's)", BASELINE_NAMES
    )
    credit: str | None = _setting(
        None,
        "how much of the reward each token earns: "
        f"{_one_of(CREDIT_NAMES)} (default: the objective's)",
        CREDIT_NAMES,
    )
    entropy_weight: float | None = _setting(
        None, "α, reward per nat of entropy (default: the objective's)", "0 or more"
    )
    kl_weight: float | None = _setting(
        None,
        "β, cost per nat of KL divergence from the pre-trained generator (default: the "
        "objective's)",
        "0 or more",
    )
    discount: float = _setting(1.0, "γ, discount from one token to the next", "0 to 1")

    # Adversarial training.
    rounds: int = _setting(
        0, "rounds of adversarial training; 0 stops after maximum likelihood", "0 or more"
    )
    generator_steps: int = _setting(1, "policy-gradient steps in a round", "1 or more")
    discriminator_steps: int = _setting(10, "discriminator steps in a round", "1 or more")
    batch_size: int = _setting(64, "sequences in a policy-gradient step", "1 or more")
    discriminator_batch_size: int = _setting(
        64, "sequences in a discriminator step, half of them real", "2 or more"
    )
    discriminator_samples: int = _setting(
        320, "sequences generated for the discriminator steps of a round", "1 or more"
    )
    discriminator_pretraining_rounds: int = _setting(
        30, "rounds before the first that train the discriminator alone", "0 or more"
    )
    generator_learning_rate: float = _setting(
        1e-4, "learning rate of the policy gradient (Adam)", "above 0"
    )
    global_clipnorm: float = _setting(
        1.0, "norm that the generator's gradient is clipped at, in both stages", "above 0"
    )
    validation_freq: int = _setting(10, "rounds from one validation to the next", "1 or more")

    # What the run writes.
    num_tunes: int = _setting(8, "MIDI files to write at the end", "1 or more")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = _as_plain(getattr(self, field.name))
            object.__setattr__(self, field.name, value)
            if value is None and field.default is None:
                continue  # the objective keeps its own part

            _check(field, value)
        if self.transpose is not None and self.random_transposition:
            raise ValueError(
                f"transpose is {self.transpose!r} and random_transposition is True; expected one "
                "of them, since tunes of one key are not moved to others. Set "
                "random_transposition to False, or leave out transpose."
            )
        if self.controls and not (self.grammar and self.embedding == "parts"):
            raise ValueError(
                f"controls is True, grammar {self.grammar} and embedding {self.embedding!r}; "
                "expected grammar True and embedding 'parts', which say when a token starts and of "
                "what it is. Set controls to False, or change the others."
            )

    def window_options(self) -> dict[str, Any]:
        """Returns the arguments of `datasets.windows.load_windows` that the settings decide."""
        return {
            "length": self.length,
            "validation_fraction": self.validation_fraction,
            "kept_aside_fraction": self.kept_aside_fraction,
            "seed": self.seed,
            "minimum_count": self.minimum_count,
            "rare": self.rare,
            "interleave": self.interleave,
            "transpose": self.transpose,
            "chord_octaves": self.chord_octaves,
            "controls": self.controls,
            "random_transposition": self.random_transposition,
            "whole_tunes": self.whole_tunes,
        }

    def round_schedule(self) -> Schedule:
        """Returns how much one round of adversarial training does.

        Every field of `Schedule` is a setting of the same name.

        Example:
            >>> Settings(discriminator_steps=3).round_schedule().discriminator_steps
            3
        """
        names = [field.name for field in dataclasses.fields(Schedule)]

        return Schedule(**{name: getattr(self, name) for name in names})


TUNE_FORMATS = ("mid", "abc", "svg")
"""In what a tune can be written: MIDI, ABC, sheet music. Each is the end of a file's name."""

RANDOM_WEIGHTS = "none"
"""What `--init` says for a run that starts from no trained model."""

GENERATOR_SIZES: dict[str, tuple[str, ...]] = {
    "attention": ("num_layers", "num_heads", "feed_forward_dim"),
    "lstm": ("units",),
}
"""The settings that are the sizes of the middle of each generator, and of no other."""

CHANGED_ON_RESUME = (
    "rounds",
    "pretraining_learning_rate",
    "generator_learning_rate",
    "discriminator_learning_rate",
    "global_clipnorm",
)
"""The settings that a resumed run may have other than those it was started with: more rounds, and
what helps a run that diverged."""

TOKENS_OF_THE_PAPER: dict[str, Any] = {
    "interleave": False,
    "random_transposition": False,
    "whole_tunes": False,
    "grammar": False,
    "controls": False,
}
"""The paper's tokens and windows."""

MODELS_OF_THE_PAPER: dict[str, Any] = {
    "generator": "lstm",
    "control_dropout": 0.0,
    "warmup_steps": 0,
    "beta_2": 0.999,
    "weight_decay": 0.0,
    "weight_averaging": 0.0,
    "global_clipnorm": 5.0,
}
"""The paper's generator and optimizer. With its tokens, these are also what a run of 0.1.0 means,
whose configuration lacks them."""

PRESETS: dict[str, Settings] = {
    "quick": Settings(
        **TOKENS_OF_THE_PAPER,
        **MODELS_OF_THE_PAPER,
        length=100,
        units=256,
        embedding_dim=64,
        dropout=0.2,
        epochs=20,
        pretraining_batch_size=32,
        pretraining_learning_rate=4e-3,
        filters=64,
        discriminator_embedding_dim=32,
        discriminator_steps=5,
        discriminator_samples=160,
        discriminator_pretraining_rounds=20,
        rounds=30,
    ),
    "default": Settings(),
    "paper": Settings(
        **TOKENS_OF_THE_PAPER,
        **MODELS_OF_THE_PAPER,
        length=100,
        validation_fraction=0.2,
        minimum_count=10,
        rare="drop",
        embedding="table",
        embedding_dim=32,
        dropout=0.0,
        epochs=100,
        patience=100,
        pretraining_batch_size=128,
        pretraining_learning_rate=1e-3,
        schedule="constant",
        discriminator_embedding_dim=32,
        filters=400,
        kernel_sizes=(20,) * 5,
        discriminator_dropout=0.25,
        l2_weight=0.2,
        discriminator_learning_rate=1e-4,
        objective="reinforce",
        rounds=2000,
        discriminator_steps=263,
        batch_size=128,
        discriminator_batch_size=32,
        discriminator_samples=1400,
        discriminator_pretraining_rounds=100,
        generator_learning_rate=1e-3,
        validation_freq=10,
    ),
}
"""`quick`: minutes on two cores. `default`: the best known. `paper`: the settings of Bjare &
Meredith; the flag `--objective` chooses among their objectives."""


def settings_from_preset(preset: str, **overrides: Any) -> Settings:
    """Returns a preset's settings with some of them replaced.

    Args:
        preset: a name in `PRESETS`.
        **overrides: fields of `Settings`; None keeps the preset's value.

    Raises:
        ValueError: if there is no such preset, or a setting is not what `Settings` expects.

    Example:
        >>> settings_from_preset("quick", rounds=5, epochs=None).rounds
        5
    """
    if preset not in PRESETS:
        raise ValueError(f"There is no preset {preset!r}; expected one of {', '.join(PRESETS)}.")

    given = {name: value for name, value in overrides.items() if value is not None}

    return dataclasses.replace(PRESETS[preset], **given)


def check_sizes(given: Mapping[str, Any], generator: str) -> None:
    """Raises ValueError if a given setting is a size of another generator, where it does nothing.

    Args:
        given: settings by name.
        generator: the name of the generator.

    Example:
        >>> check_sizes({"units": 256}, "attention")
        Traceback (most recent call last):
        ValueError: units is a size of the lstm generator, and the generator is attention; ...
    """
    for other, sizes in GENERATOR_SIZES.items():
        names = [name for name in sizes if name in given]
        if names and other != generator:
            raise ValueError(
                f"{names[0]} is a size of the {other} generator, and the generator is "
                f"{generator}; expected {', '.join(GENERATOR_SIZES[generator])} or no size. Leave "
                f"it out, or set generator to {other}."
            )
