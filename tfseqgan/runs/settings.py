"""Every setting of a run by name, and the presets: quick, default, paper."""

import dataclasses

_RANGES = {
    "0 or more": lambda value: 0 <= value < float("inf"),
    "1 or more": lambda value: 1 <= value < float("inf"),
    "2 or more": lambda value: 2 <= value < float("inf"),
    "above 0": lambda value: 0 < value < float("inf"),
    "0 to 1": lambda value: 0 <= value <= 1,
    "0 to below 1": lambda value: 0 <= value < 1,
    "above 0 and below 1": lambda value: 0 < value < 1,
    "0 to 4294967295": lambda value: 0 <= value < 2**32,
    "widths of 1 or more such as 1,2,4": lambda widths: (
        widths and all(isinstance(width, int) and width >= 1 for width in widths)
    ),
}


def _setting(default, help, expected):
    """Returns a field of `Settings`; `expected` is a key of `_RANGES`, or the names to choose from."""
    return dataclasses.field(default=default, metadata={"help": help, "expected": expected})


def _check(field, value):
    """Raises ValueError unless a field's value has its type and lies in its range or among its names."""
    expected = field.metadata["expected"]
    if isinstance(expected, tuple):
        fits, wanted = value in expected, f"one of {', '.join(expected)}"
    else:
        number, kinds = (
            ("a number, ", float | int)
            if field.type in (float, float | None)
            else ("a whole number, ", field.type)
        )
        fits, wanted = (
            isinstance(value, kinds) and _RANGES[expected](value),
            expected if field.type is tuple else number + expected,
        )
    if not fits:
        raise ValueError(
            f"{field.name} is {value!r}; expected {wanted}. 'tfseqgan train --help' tells what it does."
        )


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that decides how a run goes, but for its data and its folder. The fields are named as the Python arguments and the flags are.

    The defaults are the best that is known for tunes like Nottingham's; `PRESETS` has the others.

    Raises:
        ValueError: naming the setting, if its type or its value is not what is expected.

    Example:
        >>> Settings().objective, PRESETS["paper"].kernel_sizes
        ('kl_control', (20, 20, 20, 20, 20))
    """

    seed: int = _setting(
        0, "of the split, the weights, every sample and every shuffle", "0 to 4294967295"
    )
    length: int = _setting(100, "tokens in a training window and in a sample", "1 or more")
    validation_fraction: float = _setting(
        0.1, "share of the tunes held out, by groups of duplicates", "above 0 and below 1"
    )
    minimum_count: int = _setting(1, "tokens that occur less often are rare", "1 or more")
    rare: str = _setting(
        "nearest",
        "rare tokens: 'nearest' known token in place, or 'drop' the tune",
        ("nearest", "drop"),
    )

    embedding: str = _setting(
        "parts",
        "of tokens: 'parts' (sum of six, tied) or 'table' (the paper's)",
        ("parts", "table"),
    )
    embedding_dim: int = _setting(128, "length of a token's vector in the generator", "1 or more")
    units: int = _setting(512, "LSTM units", "1 or more")
    dropout: float = _setting(0.3, "of the generator in maximum likelihood", "0 to below 1")
    epochs: int = _setting(
        22,
        "of maximum likelihood, of which the best one is kept; 0 starts adversarial training from scratch",
        "0 or more",
    )
    patience: int = _setting(
        6, "epochs without a better validation NLL before stopping", "1 or more"
    )
    pretraining_batch_size: int = _setting(32, "windows in a maximum-likelihood step", "1 or more")
    pretraining_learning_rate: float = _setting(4e-3, "of maximum likelihood (Adam)", "above 0")
    schedule: str = _setting(
        "cosine", "of that learning rate: 'cosine' to zero, or 'constant'", ("cosine", "constant")
    )

    discriminator_embedding_dim: int = _setting(
        64, "length of a token's vector in the discriminator", "1 or more"
    )
    filters: int = _setting(100, "filters of each branch of the discriminator", "1 or more")
    kernel_sizes: tuple = _setting(
        (1, 2, 3, 4, 6, 8, 12, 16, 20),
        "width of each branch, in tokens",
        "widths of 1 or more such as 1,2,4",
    )
    discriminator_dropout: float = _setting(0.25, "of the discriminator", "0 to below 1")
    l2_weight: float = _setting(0.0, "penalty on the discriminator's output layer", "0 or more")
    discriminator_learning_rate: float = _setting(3e-4, "of the discriminator (Adam)", "above 0")

    objective: str = _setting(
        "kl_control",
        "reinforce, reinforce_with_baseline, merl, kl_control or seqgan",
        ("reinforce", "reinforce_with_baseline", "merl", "kl_control", "seqgan"),
    )
    reward: str | None = _setting(
        None,
        "probability, log, logit or none (default: the objective's)",
        ("probability", "log", "logit", "none"),
    )
    baseline: str | None = _setting(
        None,
        "none, batch_mean, leave_one_out or moving_average (default: the objective's)",
        ("none", "batch_mean", "leave_one_out", "moving_average"),
    )
    credit: str | None = _setting(
        None,
        "which token earns what: terminal, prefix or rollout (default: the objective's)",
        ("terminal", "prefix", "rollout"),
    )
    entropy_weight: float | None = _setting(
        None, "α, reward a nat of entropy (default: the objective's)", "0 or more"
    )
    kl_weight: float | None = _setting(
        None, "β, reward a nat of KL to the first generator (default: the objective's)", "0 or more"
    )
    discount: float = _setting(1.0, "γ, from one token to the next", "0 to 1")
    rounds: int = _setting(
        200, "of adversarial training; 0 stops after maximum likelihood", "0 or more"
    )
    generator_steps: int = _setting(1, "policy-gradient steps a round", "1 or more")
    discriminator_steps: int = _setting(10, "discriminator steps a round", "1 or more")
    batch_size: int = _setting(64, "sequences in a policy-gradient step", "1 or more")
    discriminator_batch_size: int = _setting(
        64, "sequences in a discriminator step, half of them real", "2 or more"
    )
    discriminator_samples: int = _setting(
        320, "sequences generated afresh for a round's discriminator steps", "1 or more"
    )
    discriminator_pretraining_rounds: int = _setting(
        30, "rounds that train the discriminator alone, first", "0 or more"
    )
    generator_learning_rate: float = _setting(1e-4, "of the policy gradient (Adam)", "above 0")
    validation_freq: int = _setting(10, "rounds from one validation to the next", "1 or more")

    num_tunes: int = _setting(8, "MIDI files to write at the end", "1 or more")

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None or field.default is not None:
                _check(field, value)


PRESETS = {
    "quick": Settings(
        units=256,
        embedding_dim=64,
        dropout=0.2,
        epochs=20,
        filters=64,
        discriminator_embedding_dim=32,
        discriminator_steps=5,
        discriminator_samples=160,
        discriminator_pretraining_rounds=20,
        rounds=30,
    ),
    "default": Settings(),
    "paper": Settings(
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
"""`quick`: minutes on two cores. `default`: the best known. `paper`: Bjare & Meredith's settings (their objective is a flag away)."""


def settings_from_preset(preset, **overrides):
    """Returns a preset's settings with some of them replaced.

    Args:
        preset: a name in `PRESETS`.
        **overrides: fields of `Settings`; None keeps the preset's.

    Raises:
        ValueError: if there is no such preset, or a setting is not what `Settings` expects.

    Example:
        >>> settings_from_preset("quick", rounds=5, epochs=None).rounds
        5
    """
    if preset not in PRESETS:
        raise ValueError(f"There is no preset {preset!r}; expected one of {', '.join(PRESETS)}.")
    return dataclasses.replace(
        PRESETS[preset], **{name: value for name, value in overrides.items() if value is not None}
    )
