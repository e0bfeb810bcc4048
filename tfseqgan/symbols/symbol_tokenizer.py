"""Sequences of any symbols to token ids, and back: characters, words, SMILES, numbers."""

import collections
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tfseqgan.arguments import whole_number
from tfseqgan.files import read_json, write_atomically
from tfseqgan.symbols.token_rows import cut_windows

FORMAT = "tfseqgan.SymbolTokenizer"
_VERSION = 1

_NUM_SPECIAL = 3
"""Padding, start and end come before the symbols."""

Symbol: TypeAlias = str | int
"""What a sequence is made of. JSON keeps strings and whole numbers as they are."""


def _to_symbol(value: Any) -> Symbol:
    """Returns a symbol as a plain string or int; raises ValueError if it is neither."""
    if isinstance(value, str):
        return str(value)
    try:
        return whole_number("symbol", value)
    except ValueError as error:
        raise ValueError(
            f"{value!r} is no symbol: expected a string or a whole number. Write other things as "
            "strings, for example by str()."
        ) from error


def _order(counted: tuple[Symbol, int]) -> tuple[int, bool, Any]:
    """Returns what symbols are sorted by: frequent first, then numbers, then by value."""
    symbol, count = counted

    return -count, isinstance(symbol, str), symbol


class SymbolTokenizer:
    """A vocabulary of symbols that turns their sequences into token ids, and back.

    Id 0 pads, 1 starts and 2 ends a sequence; those of the symbols follow. A string is a sequence
    of its characters. A sequence whose symbols are all known comes back exactly.

    Args:
        symbols: the vocabulary in the order of the ids, which start at 3: strings, whole numbers,
            or both, each once.
        unknown: the symbol that stands for those that are not in the vocabulary, which it must be
            in itself; None refuses a sequence that holds one.

    Raises:
        ValueError: if there are no symbols, one is given twice or is neither a string nor a whole
            number, or `unknown` is not among them.

    Example:
        >>> tokenizer = SymbolTokenizer.fit(["CCO", "C=O"])
        >>> tokenizer.symbols, tokenizer.encode("OC").tolist()
        (('C', 'O', '='), [1, 4, 3, 2])
        >>> "".join(tokenizer.decode([1, 4, 3, 2, 0]))
        'OC'
    """

    def __init__(self, symbols: Iterable[Symbol], unknown: Symbol | None = None) -> None:
        self._symbols = tuple(_to_symbol(symbol) for symbol in symbols)
        self._ids = {symbol: id for id, symbol in enumerate(self._symbols, _NUM_SPECIAL)}
        self._unknown = None if unknown is None else _to_symbol(unknown)
        if not self._symbols or len(self._ids) < len(self._symbols):
            twice = [each for each, n in collections.Counter(self._symbols).items() if n > 1]
            raise ValueError(
                f"The vocabulary has {len(self._symbols)} symbols, of which {twice} occur twice or "
                "more; expected 1 or more, each once. SymbolTokenizer.fit makes one of sequences."
            )
        if self._unknown is not None and self._unknown not in self._ids:
            raise ValueError(
                f"unknown is {self._unknown!r}, which is not in the vocabulary; expected one of "
                "its symbols. SymbolTokenizer.fit adds it."
            )

    @classmethod
    def fit(
        cls,
        sequences: Iterable[Iterable[Symbol]],
        minimum_count: int = 1,
        unknown: Symbol | None = None,
    ) -> "SymbolTokenizer":
        """Makes a tokenizer whose vocabulary is the symbols of some sequences.

        The most frequent symbol comes first. Those that are equally frequent are sorted, numbers
        before strings, so that the order of the sequences does not matter.

        Args:
            sequences: the training sequences; a string is a sequence of its characters, and a list
                of words one of words.
            minimum_count: how often a symbol must occur to be in the vocabulary, 1 or more.
            unknown: the symbol that stands for all others, added if it does not occur often enough;
                or None.

        Returns:
            The tokenizer.

        Raises:
            ValueError: if no symbol occurs often enough, or an argument is out of range.

        Example:
            >>> SymbolTokenizer.fit([[5, 5, 7]], minimum_count=2, unknown=-1).symbols
            (5, -1)
        """
        if whole_number("minimum_count", minimum_count) < 1:
            raise ValueError(
                f"minimum_count must be 1 or more, received {minimum_count}. Pass 1 to take every "
                "symbol."
            )

        counts: collections.Counter[Symbol] = collections.Counter()
        for sequence in sequences:
            counts.update(map(_to_symbol, sequence))
        frequent = [
            symbol for symbol, count in sorted(counts.items(), key=_order) if count >= minimum_count
        ]
        if unknown is not None and _to_symbol(unknown) not in frequent:
            frequent.append(unknown)

        return cls(frequent, unknown)

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The vocabulary; token id i means the symbol at index i - 3."""
        return self._symbols

    @property
    def unknown(self) -> Symbol | None:
        """The symbol that stands for those that are not in the vocabulary, or None."""
        return self._unknown

    @property
    def vocabulary_size(self) -> int:
        """The number of token ids, with the three special ones."""
        return _NUM_SPECIAL + len(self._symbols)

    @property
    def pad_token_id(self) -> int:
        """The id that fills rows after the end token: 0."""
        return 0

    @property
    def start_token_id(self) -> int:
        """The id of the first token of every sequence: 1."""
        return 1

    @property
    def end_token_id(self) -> int:
        """The id of the last token of every sequence: 2."""
        return 2

    @property
    def controls(self) -> None:
        """What a sequence says of itself, as tunes do: nothing."""
        return None

    @property
    def control_tokens(self) -> None:
        """The ids of the controls: none."""
        return None

    def encode(self, sequence: Iterable[Symbol]) -> np.ndarray:
        """Writes a sequence as tokens: the start token, one for each symbol, the end token.

        Args:
            sequence: the symbols.

        Returns:
            int32 [n + 2].

        Raises:
            ValueError: if a symbol is neither a string nor a whole number, or is not in the
                vocabulary and none stands for it.
        """
        of_symbols = [
            self._id_of(_to_symbol(symbol), index) for index, symbol in enumerate(sequence)
        ]

        return np.array([self.start_token_id, *of_symbols, self.end_token_id], np.int32)

    def _id_of(self, symbol: Symbol, index: int) -> int:
        """Returns the id of a symbol, or that of the one that stands for it."""
        if symbol in self._ids:
            return self._ids[symbol]
        if self._unknown is None:
            raise ValueError(
                f"The symbol {symbol!r} at index {index} is not in the vocabulary: expected one of "
                f"its {len(self._symbols)} symbols. Fit the tokenizer on this sequence too, or "
                "with unknown='?', which then stands for it."
            )

        return self._ids[self._unknown]

    def windows(
        self, sequences: Iterable[Iterable[Symbol]], length: int, stride: int | None = None
    ) -> np.ndarray:
        """Writes sequences as tokens and cuts each into rows of equal length.

        No row holds parts of two sequences; the last row of each is padded. With a length as great
        as that of the longest, every sequence is one row.

        Args:
            sequences: the sequences.
            length: T, tokens in a row, 1 or more.
            stride: tokens from the start of one row to that of the next, 1 to `length`, which is
                the default.

        Returns:
            int32 [N, T], in the order of the sequences.

        Raises:
            ValueError: if a symbol is not in the vocabulary and none stands for it, or a number is
                out of range.

        Example:
            >>> SymbolTokenizer("ab").windows(["ab", "b"], length=3).tolist()
            [[1, 3, 4], [2, 0, 0], [1, 4, 2]]
        """
        encoded = [self.encode(sequence) for sequence in sequences]

        return cut_windows(encoded, length, stride, self.pad_token_id).tokens

    def decode(self, tokens: Sequence[int] | np.ndarray) -> tuple[Symbol, ...]:
        """Reads token ids as symbols.

        Args:
            tokens: integers [n]. Start and padding tokens are left out, and the first end token
                ends the sequence.

        Returns:
            The symbols; `"".join(...)` makes a text of characters.

        Raises:
            ValueError: if the tokens are not one sequence of integers of the vocabulary.
        """
        array = np.asarray(tokens)
        is_integer = np.issubdtype(array.dtype, np.integer)
        is_known = is_integer and np.all((array >= 0) & (array < self.vocabulary_size))
        if array.ndim != 1 or (array.size and not is_known):
            raise ValueError(
                "The tokens cannot be decoded: expected one sequence of integers of 0 to "
                f"{self.vocabulary_size - 1}, received shape {array.shape} of {array.dtype}"
                f"{f', {array.min()} to {array.max()}' if is_integer and array.size else ''}. "
                "Decode one row at a time, with the tokenizer that made it."
            )

        symbols = []
        for token in array.tolist():
            if token == self.end_token_id:
                break
            if token >= _NUM_SPECIAL:
                symbols.append(self._symbols[token - _NUM_SPECIAL])

        return tuple(symbols)

    def prompts(
        self,
        num_sequences: int,
        controls: Iterable[Any] | None = None,
        *,
        seed: int | tuple[int, int] | None = None,
    ) -> np.ndarray:
        """Returns what whole sequences begin with: the start token.

        Args:
            num_sequences: B.
            controls: None, or those of a tune with nothing asked for.
            seed: not used; here for `Tokenizer.prompts`, which draws.

        Returns:
            int32 [B, 1], a prompt for `generate`.

        Raises:
            ValueError: if something is asked for.
        """
        asked = [value for value in controls or () if value is not None]
        if asked:
            raise ValueError(
                f"{asked} cannot be asked for: sequences of symbols have no controls, expected "
                "none. Leave controls out."
            )

        return np.full((num_sequences, 1), self.start_token_id, np.int32)

    def save(self, path: Path | str) -> None:
        """Writes the tokenizer as a JSON file, completely or not at all.

        Args:
            path: the file to write; its folder must exist.

        Raises:
            OSError: if the file cannot be written. A file that was there before is unchanged.
        """
        content = {
            "format": FORMAT,
            "version": _VERSION,
            "unknown": self._unknown,
            "symbols": self._symbols,
        }

        write_atomically(path, json.dumps(content).encode())

    @classmethod
    def load(cls, path: Path | str) -> "SymbolTokenizer":
        """Reads a tokenizer that `save` wrote.

        Args:
            path: the JSON file.

        Returns:
            A tokenizer equal to the one that was saved.

        Raises:
            ValueError: if the file is not a complete tokenizer file of this version; the message
                names the file.
            OSError: if the file cannot be opened.
        """
        try:
            return cls(**_read_content(read_json(path)))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{path} is not a whole tokenizer file: expected JSON of the format {FORMAT}, "
                f"version {_VERSION}, with the fields symbols and unknown, but {error}. Fetch it "
                "again, or fit a tokenizer and save it."
            ) from error

    def __eq__(self, other: object) -> bool:
        """Tokenizers are equal if they give every sequence and every token the same meaning."""
        if not isinstance(other, SymbolTokenizer):
            return NotImplemented

        return (self._symbols, self._unknown) == (other._symbols, other._unknown)

    def __hash__(self) -> int:
        return hash((self._symbols, self._unknown))

    def __repr__(self) -> str:
        return f"SymbolTokenizer({len(self._symbols)} symbols, unknown={self._unknown!r})"


def _read_content(content: Any) -> dict[str, Any]:
    """Returns the arguments of a tokenizer from the content of its file."""
    if not isinstance(content, dict):
        raise ValueError(f"it holds {type(content).__name__}")
    header = (content.get("format"), content.get("version"))
    if header != (FORMAT, _VERSION):
        raise ValueError(f"its header is {header}")
    if set(content) != {"format", "version", "symbols", "unknown"}:
        raise ValueError(f"its fields are {sorted(content)}")
    if not isinstance(content["symbols"], list):
        raise ValueError(f"its symbols are {type(content['symbols']).__name__}")

    return {"symbols": content["symbols"], "unknown": content["unknown"]}
