"""Every setting of a run by name, and the presets: quick, default, paper."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that decides how a run goes, but for its data and its folder. The fields are named as the Python arguments and the flags are.

    The defaults are the best that is known for tunes like Nottingham's; `PRESETS` has the others.

    Example:
        >>> Settings().objective, PRESETS["paper"].kernel_sizes
        ('kl_control', (20, 20, 20, 20, 20))
    """

    seed: int = dataclasses.field(default=0, metadata={"help": "of the split, the weights, every sample and every shuffle"})
    length: int = dataclasses.field(default=100, metadata={"help": "tokens in a training window and in a sample"})
    validation_fraction: float = dataclasses.field(default=0.1, metadata={"help": "share of the tunes held out, by groups of duplicates"})
    minimum_count: int = dataclasses.field(default=1, metadata={"help": "tokens that occur less often are rare"})
    rare: str = dataclasses.field(default="nearest", metadata={"help": "rare tokens: 'nearest' known token in place, or 'drop' the tune"})

    embedding: str = dataclasses.field(default="parts", metadata={"help": "of tokens: 'parts' (sum of six, tied) or 'table' (the paper's)"})
    embedding_dim: int = dataclasses.field(default=128, metadata={"help": "length of a token's vector in the generator"})
    units: int = dataclasses.field(default=512, metadata={"help": "LSTM units"})
    dropout: float = dataclasses.field(default=0.3, metadata={"help": "of the generator in maximum likelihood"})
    epochs: int = dataclasses.field(default=22, metadata={"help": "of maximum likelihood; the best one is kept"})
    patience: int = dataclasses.field(default=6, metadata={"help": "epochs without a better validation NLL before stopping"})
    pretraining_batch_size: int = dataclasses.field(default=32, metadata={"help": "windows in a maximum-likelihood step"})
    pretraining_learning_rate: float = dataclasses.field(default=4e-3, metadata={"help": "of maximum likelihood (Adam)"})
    schedule: str = dataclasses.field(default="cosine", metadata={"help": "of that learning rate: 'cosine' to zero, or 'constant'"})

    discriminator_embedding_dim: int = dataclasses.field(default=64, metadata={"help": "length of a token's vector in the discriminator"})
    filters: int = dataclasses.field(default=100, metadata={"help": "filters of each branch of the discriminator"})
    kernel_sizes: tuple = dataclasses.field(default=(1, 2, 3, 4, 6, 8, 12, 16, 20), metadata={"help": "width of each branch, in tokens"})
    discriminator_dropout: float = dataclasses.field(default=0.25, metadata={"help": "of the discriminator"})
    l2_weight: float = dataclasses.field(default=0.0, metadata={"help": "penalty on the discriminator's output layer"})
    discriminator_learning_rate: float = dataclasses.field(default=3e-4, metadata={"help": "of the discriminator (Adam)"})

    objective: str = dataclasses.field(default="kl_control", metadata={"help": "reinforce, reinforce_with_baseline, merl or kl_control"})
    reward: str | None = dataclasses.field(default=None, metadata={"help": "probability, log, logit or none (default: the objective's)"})
    baseline: str | None = dataclasses.field(
        default=None, metadata={"help": "none, batch_mean, leave_one_out or moving_average (default: the objective's)"}
    )
    entropy_weight: float | None = dataclasses.field(default=None, metadata={"help": "α, reward a nat of entropy (default: the objective's)"})
    kl_weight: float | None = dataclasses.field(default=None, metadata={"help": "β, reward a nat of KL to the first generator (default: the objective's)"})
    discount: float = dataclasses.field(default=1.0, metadata={"help": "γ, from one token to the next"})
    rounds: int = dataclasses.field(default=200, metadata={"help": "of adversarial training; 0 stops after maximum likelihood"})
    generator_steps: int = dataclasses.field(default=1, metadata={"help": "policy-gradient steps a round"})
    discriminator_steps: int = dataclasses.field(default=10, metadata={"help": "discriminator steps a round"})
    batch_size: int = dataclasses.field(default=64, metadata={"help": "sequences in a policy-gradient step"})
    discriminator_batch_size: int = dataclasses.field(default=64, metadata={"help": "sequences in a discriminator step, half of them real"})
    discriminator_samples: int = dataclasses.field(default=320, metadata={"help": "sequences generated afresh for a round's discriminator steps"})
    discriminator_pretraining_rounds: int = dataclasses.field(default=30, metadata={"help": "rounds that train the discriminator alone, first"})
    generator_learning_rate: float = dataclasses.field(default=1e-4, metadata={"help": "of the policy gradient (Adam)"})
    validation_freq: int = dataclasses.field(default=10, metadata={"help": "rounds from one validation to the next"})

    num_tunes: int = dataclasses.field(default=8, metadata={"help": "MIDI files to write at the end"})


PRESETS = {
    "quick": Settings(
        units=256, embedding_dim=64, dropout=0.2, epochs=20, filters=64, discriminator_embedding_dim=32, discriminator_learning_rate=1e-3,
        discriminator_pretraining_rounds=10, rounds=20, validation_freq=5,
    ),
    "default": Settings(),
    "paper": Settings(
        validation_fraction=0.2, minimum_count=10, rare="drop", embedding="table", embedding_dim=32, dropout=0.0, epochs=100, patience=100,
        pretraining_batch_size=128, pretraining_learning_rate=1e-3, schedule="constant", discriminator_embedding_dim=32, filters=400,
        kernel_sizes=(20,) * 5, discriminator_dropout=0.25, l2_weight=0.2, discriminator_learning_rate=1e-4, objective="reinforce", rounds=2000,
        discriminator_steps=263, batch_size=128, discriminator_batch_size=32, discriminator_samples=1400, discriminator_pretraining_rounds=100,
        generator_learning_rate=1e-3, validation_freq=10,
    ),
}  # fmt: skip
"""`quick`: minutes on two cores. `default`: the best known. `paper`: Bjare & Meredith's settings (their objective is a flag away)."""


def resolve(preset, **overrides):
    """Returns a preset's settings with some of them replaced.

    Args:
        preset: a name in `PRESETS`.
        **overrides: fields of `Settings`; None keeps the preset's.

    Raises:
        ValueError: if there is no such preset, or a setting that is one of few names is none of them.

    Example:
        >>> resolve("quick", rounds=5, epochs=None).rounds
        5
    """
    if preset not in PRESETS:
        raise ValueError(f"There is no preset {preset!r}; expected one of {', '.join(PRESETS)}.")
    settings = dataclasses.replace(PRESETS[preset], **{name: value for name, value in overrides.items() if value is not None})
    for name, choices in {"embedding": ("parts", "table"), "schedule": ("cosine", "constant"), "rare": ("nearest", "drop")}.items():
        if getattr(settings, name) not in choices:
            raise ValueError(f"{name} is {getattr(settings, name)!r}; expected one of {', '.join(choices)}.")
    return settings
