"""The tokenizer of a model in a file: of tunes, or of any symbols."""

from pathlib import Path
from typing import TypeAlias

from tfseqgan.files import read_json
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.symbols.symbol_tokenizer import FORMAT as SYMBOL_FORMAT
from tfseqgan.symbols.symbol_tokenizer import SymbolTokenizer

AnyTokenizer: TypeAlias = Tokenizer | SymbolTokenizer
"""What a model of tokens may come with."""


def load_tokenizer(path: Path | str) -> AnyTokenizer:
    """Reads a tokenizer that either kind wrote, by the format that the file says it has.

    Args:
        path: the JSON file.

    Raises:
        ValueError: if the file is not a complete tokenizer file; the message names the file.
        OSError: if the file cannot be opened.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "tokenizer.json")
        >>> SymbolTokenizer("ab").save(path)
        >>> load_tokenizer(path).symbols
        ('a', 'b')
    """
    content = read_json(path)
    is_of_symbols = isinstance(content, dict) and content.get("format") == SYMBOL_FORMAT
    kind = SymbolTokenizer if is_of_symbols else Tokenizer

    return kind.load(path)
