"""Checks of token arrays, counts and pairs of models at the public door."""

import numpy as np


def check_tokens(tokens, vocabulary_size, argument="data"):
    """Returns token rows as int32 [N, T], checked.

    Args:
        tokens: integers [N, T].
        vocabulary_size: V; every token must lie in 0 … V − 1.
        argument: how the caller calls them, for the message.

    Raises:
        ValueError: if the shape, the type or a value is wrong.

    Example:
        >>> check_tokens([[1, 2, 0]], vocabulary_size=3).dtype
        dtype('int32')
    """
    tokens = np.asarray(tokens)
    if tokens.ndim != 2 or not tokens.size or not np.issubdtype(tokens.dtype, np.integer):
        raise ValueError(
            f"{argument} must be integer tokens [sequences, length], at least one; received {tokens.dtype} of shape {tokens.shape}. "
            "Tokenizer.windows makes such an array."
        )
    if tokens.min() < 0 or tokens.max() >= vocabulary_size:
        raise ValueError(
            f"{argument} holds tokens from {tokens.min()} to {tokens.max()}, expected 0 to {vocabulary_size - 1} (vocabulary_size is {vocabulary_size}). "
            "Tokenize it with the tokenizer that the model was made for."
        )
    return tokens.astype(np.int32)


def check_counts(least=1, **counts):
    """Raises ValueError, naming the argument, unless every count is a whole number of `least` or more.

    Example:
        >>> check_counts(rounds=3)
    """
    for name, count in counts.items():
        if not isinstance(count, int) or count < least:
            raise ValueError(
                f"{name} must be a whole number of {least} or more, received {count!r}."
            )


def check_models(generator, discriminator=None):
    """Raises ValueError unless generator and discriminator speak of the same vocabulary and end token."""
    if discriminator is None:
        return
    for name in ("vocabulary_size", "end_token_id"):
        ours, theirs = getattr(generator, name), getattr(discriminator, name)
        if ours != theirs:
            raise ValueError(
                f"The generator's {name} is {ours} and the discriminator's {theirs}; expected the same. Make both from one tokenizer."
            )
