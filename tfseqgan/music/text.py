"""Titles and file names of unknown encoding as text that every file and terminal can hold."""

import codecs
import itertools
import os
import sys
import unicodedata
from pathlib import PurePath

_REMOVED_CATEGORIES = ("Cc", "Cs")
"""Unicode's control characters and surrogates."""

_BYTE_ORDER_MARK = "\ufeff"

_SHIFT_JIS_LEADS = range(0x81, 0xA0)
"""First bytes of kana and of common kanji; in Windows-1252 they are quotes, dashes and the like."""


def _looks_like_shift_jis(data: bytes) -> bool:
    """Returns whether data decode as Shift-JIS with two Japanese characters side by side.

    Text in Windows-1252 may decode as well, but its bytes for quotes and dashes stand between
    letters and spaces, and give single characters.
    """
    try:
        encoded = [character.encode("cp932") for character in data.decode("cp932")]
    except UnicodeError:
        return False

    return any(
        len(first) == len(second) == 2
        and (first[0] in _SHIFT_JIS_LEADS or second[0] in _SHIFT_JIS_LEADS)
        for first, second in itertools.pairwise(encoded)
    )


def _decode(data: bytes) -> str:
    """Decodes data by their byte order mark, or else by the first encoding that fits them."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    if len(data) > 1 and not any(data[1::2]):
        return data.decode("utf-16-le", errors="ignore")
    if len(data) > 1 and not any(data[0::2]):
        return data.decode("utf-16-be", errors="ignore")

    data = next(filter(None, data.split(b"\0")), b"")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        encoding = "cp932" if _looks_like_shift_jis(data) else "cp1252"
        return data.decode(encoding, errors="replace")


def decode_text(data: bytes) -> str:
    """Decodes a text whose encoding is not stated, and leaves out what cannot be shown.

    The encoding is that of the byte order mark, or else the first that fits of UTF-8, Shift-JIS and
    Windows-1252. A text ends at its first NUL, as in C. Line breaks become spaces; other control
    characters, and spaces at both ends, are left out.

    Args:
        data: the bytes of the text.

    Returns:
        The text on one line, without control characters; it may be empty.

    Example:
        >>> decode_text(b"Caf\\xe9 \\x93Noir\\x94\\0\\0"), decode_text("童謡".encode("shift-jis"))
        ('Café “Noir”', '童謡')
    """
    text = _decode(data).replace(_BYTE_ORDER_MARK, "")
    on_one_line = " ".join(text.splitlines()).replace("\t", " ")
    characters = [
        character
        for character in on_one_line
        if unicodedata.category(character) not in _REMOVED_CATEGORIES
    ]

    return "".join(characters).strip()


def printable_path(path: PurePath | str) -> str:
    """Returns a path as text for messages, JSON and titles.

    On Linux a file name is any bytes. Python holds those that are not text as surrogates, which
    cannot be written to a file. They are escaped here, and so are control characters.

    Args:
        path: a path or a part of one.

    Returns:
        The path, with a backslash and digits for each byte that is not text.

    Example:
        >>> import os
        >>> printable_path(os.fsdecode(b"caf\\xe9 1\\n.mid"))
        'caf\\\\xe9 1\\\\n.mid'
    """
    text = os.fsencode(path).decode(sys.getfilesystemencoding(), errors="backslashreplace")
    characters = [
        character
        if unicodedata.category(character) not in _REMOVED_CATEGORIES
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    ]

    return "".join(characters)
