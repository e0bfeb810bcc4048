"""A copy of a generator that stays as it is while the original is trained."""

from typing import Any


def frozen_copy(generator: Any) -> Any:
    """Returns a generator with the same weights that is not trained.

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> frozen_copy(Generator(vocabulary_size=7, units=8)).trainable_variables
        []
    """
    copy = type(generator).from_config(generator.get_config())
    copy.set_weights(generator.get_weights())
    copy.trainable = True  # one that is made as not trainable would not tell its layers
    copy.trainable = False

    return copy
