"""The music of a tune in ABC, cut into tokens and with its repeats written out."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_LENGTH = r"\d*(?:/+\d*)?"
_NOTE = rf"(?:\^\^|__|[_^=])?[A-Ga-g][,']*{_LENGTH}"

_MOST_TIMES = 9
"""How often a part is played at most."""

_TOKEN = re.compile(
    rf"""(?P<field>\[[A-Za-z]:[^\]]*\])
    |(?P<quoted>"[^"]*")
    |(?P<ignored>![^!\s]*!|\+[^+\s]*\+|\{{[^}}]*\}}|[~HLMOPSTuv.]|[\s`\\y*$!])
    |(?P<bar>[:|\[\]]*[|:][:|\]]*(?:\s*\[?(?P<ending>\d[\d,\-]*)(?![\d/]))?|\[(?P<second>\d[\d,\-]*))
    |(?P<tuplet>\((?P<p>\d)(?::(?P<q>\d*))?(?::(?P<r>\d*))?)
    |(?P<chord>\[(?:{_NOTE}[\s-]*)+\]{_LENGTH})
    |(?P<note>{_NOTE})
    |(?P<rest>[zxZX]{_LENGTH})
    |(?P<tie>-)
    |(?P<broken>>+|<+)
    |(?P<slur>[()])
    """,
    re.VERBOSE,
)


class Token(NamedTuple):
    """A token of the music.

    Args:
        kind: "field", "quoted", "bar", "tuplet", "chord", "note", "rest", "tie" or "broken".
        text: the text, of a bar line without the number of its ending.
        line: the line of the file, from 1.
        numbers: the numbers of a tuplet p:q:r, 0 where there is none.
        endings: of a bar line, for which times through the part that follows is played.
    """

    kind: str
    text: str
    line: int
    numbers: tuple[int, ...] = ()
    endings: tuple[int, ...] = ()


def _read_endings(text: str) -> tuple[int, ...]:
    """Returns the numbers of an ending, such as "1,3" or "1-3"."""
    numbers: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if max(len(first), len(last)) > 1:
            raise ValueError(f"Ending {part} is impossible: expected 1 to 9. Correct its number.")
        numbers += range(int(first), int(last or first) + 1)

    return tuple(numbers)


def cut_line(text: str, line: int) -> Iterator[Token]:
    """Yields the tokens of a line of music, without decorations, grace notes and slurs.

    Args:
        text: the line, without its comment.
        line: its number.

    Raises:
        ValueError: where the text is not music.

    Example:
        >>> [(token.kind, token.text) for token in cut_line('|:"G"G2 B|1', 7)]
        [('bar', '|:'), ('quoted', '"G"'), ('note', 'G2'), ('note', 'B'), ('bar', '|')]
    """
    index = 0
    while index < len(text):
        match = _TOKEN.match(text, index)
        if match is None:
            raise ValueError(
                f"{text[index : index + 20]!r} is no music that can be read: expected notes, "
                "rests, bar lines, chord symbols in quotes, ties, tuplets and repeats. Correct or "
                "remove it."
            )
        index = match.end()
        kind = match.lastgroup or ""
        kind = "bar" if match["bar"] else "tuplet" if match["tuplet"] else kind
        if kind in ("ignored", "slur"):
            continue

        endings = match["ending"] or match["second"] or ""
        body = match[0].rstrip("0123456789,-[ \t") if kind == "bar" else match[0]
        numbers = tuple(int(match[name] or 0) for name in "pqr") if kind == "tuplet" else ()
        yield Token(kind, body or "|", line, numbers, _read_endings(endings))


class _Repeats:
    """Writes out the repeats of tokens that are given one after the other.

    A part begins at its sign, or after the last double bar line or repeat. It is played as often as
    its endings say: what is before the first ending, then the ending of that time. Without endings
    it is played once more than its end has colons. Whenever a part or an ending is played, the
    fields hold that stand before it on the page.
    """

    def __init__(self) -> None:
        self.written: list[Token] = []
        self._in_force: dict[str, Token] = {}  # the last field of each name
        self._begin(has_sign=False)

    def _begin(self, has_sign: bool) -> None:
        """Begins a part."""
        self._common: list[Token] = list(self._in_force.values())
        self._endings: list[tuple[tuple[int, ...], list[Token]]] = []
        self._has_sign = has_sign
        self._may_be_over = False  # if no other ending follows

    def _play(self, times: int = 1, has_sign: bool = False) -> None:
        """Writes the part, as often as its endings say or else `times`, and begins the next."""
        last = max((max(numbers) for numbers, _ in self._endings), default=times)
        for time in range(1, last + 1):
            of_this_time = [tokens for numbers, tokens in self._endings if time in numbers]
            self.written += self._common + (of_this_time[0] if of_this_time else [])

        self._begin(has_sign)

    def _add_bar(self, token: Token) -> None:
        """Takes a bar line, which may end the part, begin the next, or open an ending."""
        colons = len(token.text) - len(token.text.lstrip(":"))
        times = 2 if token.text == "::" else min(1 + colons, _MOST_TIMES)
        starts_part = token.text.endswith(":") and "|" in token.text or token.text == "::"
        is_double = "||" in token.text or "]" in token.text

        if starts_part:
            self._play(times, has_sign=True)
        elif token.endings:
            self._endings.append((token.endings, list(self._in_force.values())))
        elif self._endings:
            self._may_be_over = colons > 0 or is_double
        elif colons:
            self._play(times)
        elif is_double and not self._has_sign:
            self._play()

    def add(self, token: Token) -> None:
        """Takes a token."""
        if self._may_be_over and not token.endings:
            self._play()
        self._may_be_over = False

        current = self._endings[-1][1] if self._endings else self._common
        current.append(token)
        if token.kind == "field":
            self._in_force[token.text[1]] = token
        elif token.kind == "bar":
            self._add_bar(token)

    def finish(self) -> list[Token]:
        """Returns all tokens."""
        self._play()

        return self.written


def write_out_repeats(tokens: Iterable[Token]) -> list[Token]:
    """Returns the tokens in the order in which they are played.

    Example:
        >>> tokens = write_out_repeats(cut_line("|:A|1 B:|2 C||D|]", 1))
        >>> "".join(token.text for token in tokens if token.kind == "note")
        'ABACD'
    """
    repeats = _Repeats()
    for token in tokens:
        repeats.add(token)

    return repeats.finish()
