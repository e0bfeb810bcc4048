"""Checks of what enters through the public functions: token arrays, counts, pairs of models."""

from collections.abc import Sequence
from typing import SupportsIndex

import numpy as np
import tensorflow as tf

from tfseqgan.arguments import check_memory, to_float32, whole_number
from tfseqgan.models.interfaces import SequenceDiscriminator, SequenceGenerator


def check_tokens(
    tokens: np.ndarray | Sequence[Sequence[int]], vocabulary_size: int, argument: str = "data"
) -> np.ndarray:
    """Returns token rows as int32 [N, T], checked.

    Args:
        tokens: integers [N, T].
        vocabulary_size: V; every token must lie in 0 … V − 1.
        argument: the caller's name for them, for the message.

    Raises:
        ValueError: if the shape, the type or a value is wrong.
        TypeError: if it is a dataset of TensorFlow.

    Example:
        >>> check_tokens([[1, 2, 0]], vocabulary_size=3).dtype
        dtype('int32')
    """
    if isinstance(tokens, tf.data.Dataset):
        raise TypeError(
            f"{argument} is a tf.data.Dataset; expected an array of tokens [sequences, length], of "
            "which the seed chooses the rows of every step, so that a run repeats and resumes. "
            "Pass np.concatenate(list(dataset.as_numpy_iterator())) of its batches, or train by "
            "Generator.fit, which takes datasets."
        )
    array = np.asarray(tokens)
    if array.ndim != 2 or not array.size or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            f"{argument} must be integer tokens [sequences, length] with one sequence or more; "
            f"received {array.dtype} of shape {array.shape}. Tokenizer.windows makes such an array."
        )
    if array.min() < 0 or array.max() >= vocabulary_size:
        raise ValueError(
            f"{argument} holds tokens from {array.min()} to {array.max()}, expected 0 to "
            f"{vocabulary_size - 1} (vocabulary_size is {vocabulary_size}). Tokenize it with the "
            "tokenizer that the model was made for."
        )

    return array.astype(np.int32)


def check_ends(
    tokens: np.ndarray, end_token_id: int | None, pad_token_id: int, argument: str = "data"
) -> None:
    """Raises ValueError unless padding stands after the end of a sequence, and nothing else does.

    Sequences whose ids mean something else would be cut short without a word.

    Args:
        tokens: int [N, T].
        end_token_id: the id that ends a sequence, or None where sequences have a fixed length.
        pad_token_id: the id that stands after it.
        argument: the caller's name for the tokens, for the message.

    Example:
        >>> check_ends(np.array([[3, 2, 4]]), end_token_id=2, pad_token_id=0)
        Traceback (most recent call last):
        ValueError: data holds token 4 at index 2 of row 0, after the end token 2; expected ...
    """
    if end_token_id is None:
        return

    is_end = tokens == end_token_id
    is_after_end = np.zeros(tokens.shape, bool)
    is_after_end[:, 1:] = np.logical_or.accumulate(is_end, axis=1)[:, :-1]
    is_padding = tokens == pad_token_id
    is_wrong = np.where(is_after_end, ~is_padding, is_padding & ~is_end)
    if not is_wrong.any():
        return

    row, index = np.argwhere(is_wrong)[0]
    where = "after the end token" if is_after_end[row, index] else "padding before an end token"
    raise ValueError(
        f"{argument} holds token {tokens[row, index]} at index {index} of row {row}, {where} "
        f"{end_token_id}; expected sequences that end once and are padded with {pad_token_id} from "
        "there on alone. Make the models with the end_token_id and pad_token_id of the tokens: "
        "those of the tokenizer, or end_token_id=None where no id ends a sequence."
    )


def check_sequences(
    generator: SequenceGenerator,
    tokens: np.ndarray | Sequence[Sequence[int]],
    argument: str = "data",
) -> np.ndarray:
    """Returns token rows as int32 [N, T], checked to have a likelihood under a generator.

    Args:
        generator: its vocabulary, and its grammar if it has one (`Generator.find_grammar_break`).
        tokens: integers [N, T].
        argument: the caller's name for them, for the message.

    Raises:
        ValueError: if the shape, the type or a value is wrong, padding stands where none may, or a
            row breaks the grammar.
    """
    tokens = check_tokens(tokens, generator.vocabulary_size, argument)
    check_ends(tokens, generator.end_token_id, generator.pad_token_id, argument)
    find_break = getattr(generator, "find_grammar_break", None)
    place = None if find_break is None else find_break(tokens)
    if place is None:
        return tokens

    row, index = place
    raise ValueError(
        f"{argument} breaks the grammar of the generator's token_durations: token "
        f"{tokens[row, index]} at index {index} of row {row} cannot follow, expected one that "
        "starts where the tune stands. A rare token that was replaced by one of another duration "
        "does this: use Tokenizer.fit(..., interleave=True) or rare='drop', or make the generator "
        "without token_durations."
    )


def check_token_table(
    name: str,
    values: np.ndarray | list[list[int]],
    vocabulary_size: int,
    num_columns: int | None = None,
) -> np.ndarray:
    """Returns what is known of each token as int32 [V, C], checked.

    Args:
        name: the caller's name for it, which is the tokenizer's too, for the message.
        values: non-negative integers [V, C].
        vocabulary_size: V.
        num_columns: C, or None for any number from 1 on.

    Raises:
        ValueError: if the shape or the values do not fit the vocabulary.

    Example:
        >>> check_token_table("token_durations", [[0, 0], [24, 0]], 2, num_columns=2).dtype
        dtype('int32')
    """
    table = np.asarray(values)
    fits = table.ndim == 2 and len(table) == vocabulary_size and table.size > 0
    if fits and num_columns is not None:
        fits = table.shape[1] == num_columns

    if not fits or not np.issubdtype(table.dtype, np.integer) or table.min() < 0:
        columns = "parts" if num_columns is None else num_columns
        raise ValueError(
            f"{name} must be non-negative integers [V, {columns}] with V = vocabulary_size = "
            f"{vocabulary_size}; received shape {table.shape} of {table.dtype}. Pass "
            f"tokenizer.{name} together with tokenizer.vocabulary_size."
        )

    return table.astype(np.int32)


def check_offers(generator: object, *names: str) -> None:
    """Raises TypeError, naming what is missing, unless a generator offers what is needed of it.

    Args:
        generator: one of the library's, or one's own.
        *names: of methods and attributes (`interfaces.SequenceGenerator`).

    Example:
        >>> check_offers("no generator", "split", "sample")
        Traceback (most recent call last):
        TypeError: str is no generator that can be used here: it lacks sample, expected ...
    """
    missing = [name for name in names if not hasattr(generator, name)]
    if missing:
        raise TypeError(
            f"{type(generator).__name__} is no generator that can be used here: it lacks "
            f"{', '.join(missing)}, expected a subclass of tfseqgan.SequenceModel. "
            "docs/your_own_generator.md says what one's own generator offers."
        )


def check_count(name: str, count: SupportsIndex, least: int = 1) -> int:
    """Returns a count as an int; NumPy's integers are counts too.

    Args:
        name: the caller's name for it, for the message.
        count: a whole number.
        least: the smallest that is allowed.

    Raises:
        ValueError: if it is no whole number, or below `least`.

    Example:
        >>> check_count("rounds", np.int64(3))
        3
    """
    try:
        number = whole_number(name, count)
    except ValueError:
        number = None
    if number is None or number < least:
        raise ValueError(f"{name} must be a whole number of {least} or more, received {count!r}.")

    return number


def check_counts(least: int = 1, **counts: SupportsIndex) -> None:
    """Raises ValueError, naming the argument, unless every count is a whole number ≥ `least`.

    Example:
        >>> check_counts(rounds=3)
    """
    for name, count in counts.items():
        check_count(name, count, least)


def check_size(num_weights: int, **sizes: int) -> None:
    """Raises ValueError if a model of these sizes does not fit into the memory of this machine.

    Args:
        num_weights: how many weights the model has, of four bytes each.
        **sizes: the arguments that the number follows from, for the message.

    Example:
        >>> check_size(10, units=2)
    """
    asked = ", ".join(f"{name} = {size}" for name, size in sizes.items())
    check_memory(4 * num_weights, f"A model of {asked}", "Make it smaller.")


def check_same_vocabulary(
    generator: SequenceGenerator, discriminator: SequenceDiscriminator | None = None
) -> None:
    """Raises ValueError unless both models have the same vocabulary and end token."""
    if discriminator is None:
        return

    for name in ("vocabulary_size", "end_token_id"):
        ours = getattr(generator, name)
        theirs = getattr(discriminator, name)
        if ours != theirs:
            raise ValueError(
                f"The generator's {name} is {ours} and the discriminator's {theirs}; "
                "expected the same. Make both from one tokenizer."
            )


def check_prompt(
    prompt: np.ndarray | Sequence[int] | None,
    num_sequences: int,
    length: int,
    vocabulary_size: int,
) -> np.ndarray | None:
    """Returns a prompt as int32 [B, P], checked; None where there is none or it is empty.

    Args:
        prompt: integers [P] or [B, P], or None.
        num_sequences: B.
        length: the tokens of a sequence, P at least.
        vocabulary_size: V.

    Raises:
        ValueError: if the shape, the type or a value is wrong.

    Example:
        >>> check_prompt([3, 4], num_sequences=2, length=5, vocabulary_size=7).tolist()
        [[3, 4], [3, 4]]
    """
    if prompt is None:
        return None
    array = np.asarray(prompt)
    if not array.size:
        return None

    is_one_for_all = array.ndim == 1
    is_one_each = array.ndim == 2 and len(array) in (1, num_sequences)
    fits = (is_one_for_all or is_one_each) and array.shape[-1] <= length
    is_integer = np.issubdtype(array.dtype, np.integer)
    if not (fits and is_integer and 0 <= array.min() <= array.max() < vocabulary_size):
        values = f", {array.min()} to {array.max()}" if is_integer else ""
        raise ValueError(
            f"prompt must be token ids 0 to {vocabulary_size - 1}, [P] or [num_sequences, P], with "
            f"P ≤ length = {length} and num_sequences = {num_sequences}; received {array.dtype} of "
            f"shape {array.shape}{values}. Encode a prompt with the tokenizer that the generator "
            "was trained with."
        )

    return np.broadcast_to(array, (num_sequences, array.shape[-1])).astype(np.int32)


def check_guidance(guidance: float | None, has_controls: bool) -> float | None:
    """Returns a guidance as a float, checked; None where there is none.

    Args:
        guidance: a number of 0 or more, or None.
        has_controls: whether the model reads controls.

    Raises:
        ValueError: if it is out of range, or the model reads no controls.

    Example:
        >>> check_guidance(0.5, has_controls=True)
        0.5
    """
    if guidance is None:
        return None

    number = to_float32("guidance", guidance)
    if not 0 <= number < float("inf"):
        raise ValueError(f"guidance must be a number of 0 or more, received {guidance!r}.")
    if number and not has_controls:
        raise ValueError(
            f"guidance is {guidance} and the model reads no controls; expected none. Train one on "
            "tokens of Tokenizer.fit(..., controls=True)."
        )

    return number or None
