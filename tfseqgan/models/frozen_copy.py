"""A copy of a generator that stays as it is while the original is trained."""

from typing import Any


def frozen_copy(generator: Any) -> Any:
    """Returns a generator of the same class with the same weights that is not trained.

    It is made by the class' own `from_config` from what `get_config` returns.

    Raises:
        TypeError: if the configuration does not make a generator of the same weights.

    Example:
        >>> from tfseqgan.models.generator import Generator
        >>> frozen_copy(Generator(vocabulary_size=7, units=8)).trainable_variables
        []
    """
    try:
        copy = type(generator).from_config(generator.get_config())
        copy.set_weights(generator.get_weights())
    except (TypeError, ValueError, NotImplementedError) as error:
        name = type(generator).__name__
        raise TypeError(
            f"{name}.get_config() does not make the same {name} again ({error}); expected all "
            "arguments of its constructor, which creates every weight. "
            "docs/your_own_generator.md has an example."
        ) from error
    copy.trainable = True  # one that is made as not trainable would not tell its layers
    copy.trainable = False

    return copy
