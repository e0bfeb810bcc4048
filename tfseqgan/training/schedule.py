"""How much one round of adversarial training does. It imports no TensorFlow."""

import dataclasses
import operator
from typing import Any

_AS_MANY_AS_NEEDED: Any = None


@dataclasses.dataclass(frozen=True)
class Schedule:
    """The numbers of a round.

    A round takes `generator_steps` policy-gradient steps, each on `batch_size` fresh samples; then
    it samples `discriminator_samples` sequences and takes `discriminator_steps` steps, each on
    `discriminator_batch_size` sequences, half real and half generated.

    The paper's 3 epochs over 1,400 sequences are 263 steps, 1,400 samples and a batch of 32.

    Args:
        generator_steps: policy-gradient steps.
        discriminator_steps: discriminator steps.
        batch_size: sequences of a policy-gradient step.
        discriminator_batch_size: sequences of a discriminator step.
        discriminator_samples: sequences generated for the discriminator steps, used again in
            another order when they run out; as many as the steps need by default.
        discriminator_pretraining_rounds: rounds before the first that train the discriminator
            alone.
        validation_freq: rounds from one validation to the next.

    Example:
        >>> Schedule(discriminator_steps=5, discriminator_batch_size=64).discriminator_samples
        160
    """

    generator_steps: int = 1
    discriminator_steps: int = 5
    batch_size: int = 64
    discriminator_batch_size: int = 64
    discriminator_samples: int = _AS_MANY_AS_NEEDED
    discriminator_pretraining_rounds: int = 0
    validation_freq: int = 1

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            number = getattr(self, field.name)
            if hasattr(number, "__index__"):  # NumPy's integers, which JSON cannot hold
                object.__setattr__(self, field.name, operator.index(number))

        if self.discriminator_samples is None:
            needed = self.discriminator_steps * self.half_batch
            object.__setattr__(self, "discriminator_samples", needed)

    @property
    def half_batch(self) -> int:
        """The real, and the generated, sequences of a discriminator step."""
        return self.discriminator_batch_size // 2
