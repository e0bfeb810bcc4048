"""ABC to scores: the text in which folk musicians write, exchange and print tunes.

What folk tunes use is read: the fields X, T, R, M, L, Q and K, also within the music; notes, rests,
chords of notes, ties, tuplets and broken rhythm; chord symbols; repeats with their endings, which
are written out; and pick-ups. Decorations, grace notes, slurs, words and annotations are left out.

Reference:
    Walshaw et al. 2011, "The abc music standard 2.1".
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from tfseqgan.files import read_regular_file
from tfseqgan.music.abc_fields import read_key, read_length, read_metre, read_tempo
from tfseqgan.music.abc_tokens import Token, cut_line, write_out_repeats
from tfseqgan.music.chord_symbols import read_chord_symbol
from tfseqgan.music.pitch_spelling import accidental_in_key
from tfseqgan.music.score import LONGEST_TICKS, TICKS_PER_QUARTER, Chord, Note, Score
from tfseqgan.music.text import decode_text, printable_path
from tfseqgan.music.voice_separation import to_voice

_WHOLE = 4 * TICKS_PER_QUARTER

_LARGEST_FILE = 2**26
"""The bytes of the largest file that is read."""

_LONGEST_TUNE = 4096
"""The whole notes of the longest tune that is read."""

_FIELD = re.compile(r"([A-Za-z+]):(?![|:])\s*(.*)")

_NOTE = re.compile(r"(\^\^|__|[_^=])?([A-Ga-g])([,']*)([\d/]*)")

_SIGNS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}

_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

_COMPOUND_METRES = ((6, 8), (9, 8), (12, 8))

_IN_THE_TIME_OF = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
"""How many notes a tuplet of so many takes the time of; 5, 7 and 9 depend on the metre."""


class _Line(NamedTuple):
    """A line of a tune."""

    number: int
    text: str


def _read_multiple(text: str) -> Fraction:
    """Returns the length of a note as a multiple of the unit: "3/2", "/" and "//" too.

    Raises:
        ValueError: if it is 0, or divides by 0.
    """
    found = re.fullmatch(r"(\d*)(/*)(\d*)", text)
    assert found is not None  # the tokens hold no other lengths
    above, slashes, below = found.groups()
    divisor = int(below) if below else 2 ** len(slashes)
    if divisor == 0 or above and int(above) == 0:
        raise ValueError(f"{text!r} is no length: expected one above 0, such as 3/2. Correct it.")

    return Fraction(int(above or 1), divisor)


class _Player:
    """Plays the tokens of a tune from left to right, and keeps what sounds when."""

    def __init__(self) -> None:
        self.metre: tuple[int, int] | None = None
        self.unit = Fraction(1, 8)  # the length of a note without a number, in wholes
        self.sharps = 0
        self.now = Fraction(0)  # in wholes
        self.notes: list[tuple[Fraction, Fraction, int]] = []  # (start, end, pitch)
        self.symbols: list[tuple[Fraction, tuple[int, ...]]] = []
        self.bar_lines: list[Fraction] = []

        self._accidentals: dict[str, int] = {}  # by letter, to the bar line
        self._naturals: dict[int, int] = {}  # by pitch: the same note without its accidental
        self._tied: dict[int, int] = {}  # index of the note by pitch
        self._last: list[int] = []  # indices of the notes that were played last
        self._last_duration = Fraction(0)
        self._tuplet: tuple[int, Fraction] = (0, Fraction(1))  # notes left, factor
        self._factor = Fraction(1)  # of the next note, after a broken rhythm

    def play(self, token: Token) -> None:
        """Plays a token.

        Raises:
            ValueError: if it cannot be played, or the tune becomes too long.
        """
        play = getattr(self, f"_play_{token.kind}")
        play(token)
        if self.now > _LONGEST_TUNE:
            raise ValueError(
                f"The tune lasts more than {_LONGEST_TUNE} whole notes: expected one that can be "
                "played. Look for a wrong length."
            )

    def set_field(self, name: str, value: str) -> None:
        """Changes the metre, the length of a note or the key."""
        if name == "M":
            self.metre = read_metre(value)
        elif name == "L":
            self.unit = read_length(value)
        elif name == "K":
            _, self.sharps = read_key(value)
            self._accidentals.clear()

    def _play_field(self, token: Token) -> None:
        name, _, value = token.text.strip("[]").partition(":")
        self.set_field(name, value.strip())

    def _play_quoted(self, token: Token) -> None:
        pitches = read_chord_symbol(token.text.strip('"').strip())
        if pitches:
            self.symbols.append((self.now, pitches))

    def _play_bar(self, token: Token) -> None:
        self._accidentals.clear()
        if not self.bar_lines or self.bar_lines[-1] < self.now:
            self.bar_lines.append(self.now)

    def _play_tuplet(self, token: Token) -> None:
        count, time, notes = token.numbers
        time = time or _IN_THE_TIME_OF.get(count, 3 if self.metre in _COMPOUND_METRES else 2)
        if count < 2:
            raise ValueError(
                f"{token.text!r} is no tuplet: expected two notes or more, such as (3. Correct it."
            )
        self._tuplet = (notes or count, Fraction(time, count))

    def _play_broken(self, token: Token) -> None:
        """Lengthens the note before and shortens the one after, or the other way round."""
        short = Fraction(1, 2 ** len(token.text))
        before, self._factor = (2 - short, short) if token.text[0] == ">" else (short, 2 - short)
        change = self._last_duration * (before - 1)
        for index in self._last:
            start, end, pitch = self.notes[index]
            self.notes[index] = (start, end + change, pitch)
        self.now += change

    def _play_tie(self, token: Token) -> None:
        self._tied = {self.notes[index][2]: index for index in self._last}

    def _play_rest(self, token: Token) -> None:
        multiple = _read_multiple(token.text[1:])
        if token.text[0] in "ZX":
            bar = Fraction(*(self.metre or (4, 4)))
            self._sound([], multiple * bar / self.unit)
        else:
            self._sound([], multiple)

    def _play_note(self, token: Token) -> None:
        [(sign, letter, marks, length)] = _NOTE.findall(token.text)
        self._sound([self._pitch(sign, letter, marks)], _read_multiple(length))

    def _play_chord(self, token: Token) -> None:
        inner, _, length = token.text[1:].rpartition("]")
        notes = _NOTE.findall(inner)
        pitches = [self._pitch(sign, letter, marks) for sign, letter, marks, _ in notes]
        longest = max(_read_multiple(each) for *_, each in notes)
        self._sound(pitches, longest * _read_multiple(length))
        if "-" in inner:
            self._play_tie(token)

    def _pitch(self, sign: str | None, letter: str, marks: str) -> int:
        """Returns the pitch of a written note.

        An accidental lasts to the bar line, and that of a tied note over it.
        """
        name = letter.upper()
        octave = 5 + letter.islower() + marks.count("'") - marks.count(",")
        natural = 12 * octave + _SEMITONES[name]
        if sign:
            self._accidentals[name] = _SIGNS[sign]
        pitch = natural + self._accidentals.get(name, accidental_in_key(name, self.sharps))

        held = [tied for tied in self._tied if self._naturals[tied] == natural]
        if held and not sign and pitch not in held:
            return held[0]
        self._naturals[pitch] = natural

        return pitch

    def _sound(self, pitches: list[int], multiple: Fraction) -> None:
        """Plays pitches, or a rest, for a multiple of the unit."""
        left, factor = self._tuplet
        duration = multiple * self.unit * self._factor * (factor if left else 1)
        self._tuplet = (max(left - 1, 0), factor)
        self._factor = Fraction(1)

        end = self.now + duration
        self._last = [self._extend(pitch, end) for pitch in dict.fromkeys(pitches)]
        self._tied = {}
        self._last_duration = duration
        self.now = end

    def _extend(self, pitch: int, end: Fraction) -> int:
        """Returns the index of a note that ends at a time: of the tied one, or a new one."""
        index = self._tied.get(pitch)
        if index is None:
            self.notes.append((self.now, end, pitch))
            return len(self.notes) - 1

        start, _, _ = self.notes[index]
        self.notes[index] = (start, end, pitch)

        return index


def _to_tick(wholes: Fraction) -> int:
    """Returns a time on the grid."""
    return int(wholes * _WHOLE + Fraction(1, 2))


def _pick_up(player: _Player, metre: tuple[int, int] | None) -> int:
    """Returns the ticks by which a tune is moved, so that its bars are counted from tick 0.

    A tune with a pick-up whose first chord is on the first bar line needs no move: its bars are
    counted from there (`metre.pick_up_within`).
    """
    lines = [line for line in player.bar_lines if line > 0]
    if metre is None or len(lines) < 2 or lines[0] >= Fraction(*metre):
        return 0
    if player.symbols and player.symbols[0][0] == lines[0]:
        return 0

    return _to_tick(Fraction(*metre) - lines[0])


def _to_melody(player: _Player, shift: int) -> list[Note]:
    """Returns the notes of the melody."""
    notes = [
        (_to_tick(start) + shift, _to_tick(end) + shift, pitch)
        for start, end, pitch in player.notes
    ]

    return [
        Note(start, duration, pitch)
        for start, duration, pitches in to_voice(notes)
        for pitch in pitches
    ]


def _to_chords(player: _Player, shift: int) -> list[Chord]:
    """Returns the chords; each lasts to the next symbol, and a longer one is struck again."""
    by_tick = {_to_tick(start) + shift: pitches for start, pitches in player.symbols}
    bounds = [*by_tick, _to_tick(player.now) + shift]
    chords = []
    for start, end in itertools.pairwise(bounds):
        for strike in range(start, end, LONGEST_TICKS):
            chords.append(Chord(strike, min(LONGEST_TICKS, end - strike), by_tick[start]))

    return chords


class _Tune:
    """Reads the lines of one tune.

    Args:
        source: what errors call the file.
        lines: the lines, from the field X.
    """

    def __init__(self, source: str, lines: list[_Line]) -> None:
        self._source = source
        self._lines = lines
        self._line = lines[0].number
        self._fields: dict[str, _Line] = {}
        self._voice: str | None = None

    def read(self) -> Score:
        """Returns the score.

        Raises:
            ValueError: naming the file, the tune and the line.
        """
        try:
            return self._read()
        except ValueError as error:
            line = self._line
            raise ValueError(
                f"{self._source}, tune X:{self._field('X')}, line {line}: {error}"
            ) from None

    def _read(self) -> Score:
        music = self._read_header()
        metre = read_metre(self._field("M"))
        unit = self._unit(metre)
        key, _ = read_key(self._field("K"))
        of_header = [
            Token("field", f"[{name}:{value}]", self._line)
            for name, value in (("M", self._field("M")), ("L", unit), ("K", self._field("K")))
        ]

        player = _Player()
        for token in write_out_repeats(itertools.chain(of_header, self._tokens(music))):
            self._line = token.line
            player.play(token)

        shift = _pick_up(player, metre)
        melody = _to_melody(player, shift)
        if not melody:
            raise ValueError("The tune has no notes: expected some after K. Leave it out.")

        return Score(
            tuple(melody),
            tuple(_to_chords(player, shift)),
            key=key,
            time_signature=metre,
            tempo_bpm=read_tempo(self._field("Q")) or 120.0,
            name=self._field("T"),
            rhythm=self._field("R") or None,
        )

    def _field(self, name: str) -> str:
        """Returns a field of the header, or "" without it; errors then name its line."""
        if name not in self._fields:
            return ""

        self._line, value = self._fields[name]

        return value

    def _unit(self, metre: tuple[int, int] | None) -> Fraction:
        """Returns the length of a note without a number: 1/16 in metres below 3/4, else 1/8."""
        if "L" in self._fields:
            return read_length(self._field("L"))

        return Fraction(1, 16) if metre and Fraction(*metre) < Fraction(3, 4) else Fraction(1, 8)

    def _read_header(self) -> list[_Line]:
        """Reads the fields up to K, and returns the lines after it."""
        for index, (number, text) in enumerate(self._lines):
            self._line = number
            match = _FIELD.match(text)
            if match is None:
                break
            value = match[2].strip().replace("\\\\", "\\")
            self._fields.setdefault(match[1], _Line(number, value))
            if match[1] == "K":
                return self._lines[index + 1 :]

        raise ValueError(
            "The header has no key: expected the field K, such as K:G, before the music. Add it."
        )

    def _tokens(self, lines: Iterable[_Line]) -> Iterator[Token]:
        """Yields the tokens of the music."""
        for number, text in lines:
            self._line = number
            match = _FIELD.match(text)
            field = Token("field", f"[{text}]", number)
            tokens = cut_line(text, number) if match is None else [field]
            for token in tokens:
                if token.text.startswith("[V:"):
                    self._check_voice(token.text[3:-1])
                yield token

    def _check_voice(self, field: str) -> None:
        """Raises ValueError at the second voice."""
        voice = next(iter(field.split()), "")
        if self._voice not in (None, voice):
            raise ValueError(
                f"The tune has several voices, {self._voice!r} and {voice!r}: expected one melody "
                "with chord symbols. Leave the others out."
            )
        self._voice = voice


def _without_comment(text: str) -> str:
    """Returns a line without its comment; a sign after a backslash begins none."""
    return re.sub(r"(?<!\\)%.*", "", text).replace(r"\%", "%").rstrip()


def _cut_tunes(lines: Iterable[str]) -> Iterator[list[_Line]]:
    """Yields the lines of each tune, which begins with the field X and ends at an empty line."""
    tune: list[_Line] = []
    for number, line in enumerate(lines, 1):
        text = _without_comment(line)
        if text.startswith("X:"):
            if tune:
                yield tune
            tune = [_Line(number, text)]
        elif tune and text:
            tune.append(_Line(number, text))
        elif tune and not line.strip():
            yield tune
            tune = []
    if tune:
        yield tune


def _read_lines(path: Path) -> list[str]:
    """Returns the lines of an ABC file as text."""
    return [decode_text(line) for line in read_regular_file(path, _LARGEST_FILE).splitlines()]


def count_abc(path: Path | str) -> int:
    """Counts the tunes of an ABC file, of which some may be impossible to read.

    Args:
        path: the file.

    Raises:
        ValueError: if the file is no regular one or too large.
        OSError: if the file cannot be opened.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "book.abc")
        ...     _ = path.write_text("X:1\\nK:G\\nGBd\\n\\nX:2\\nK:D\\nA\\n")
        ...     count_abc(path)
        2
    """
    return sum(1 for _ in _cut_tunes(_read_lines(Path(path))))


def read_each_abc(path: Path | str) -> list[tuple[str, Score | ValueError]]:
    """Reads the tunes of an ABC file, each by itself, so that a bad one costs no other.

    Args:
        path: the file.

    Returns:
        (number, tune) of each, or (number, error) for one that cannot be read. The number is that
        of the field X.

    Raises:
        ValueError: if there is no tune, or the file is no regular one or too large.
        OSError: if the file cannot be opened.
    """
    name = printable_path(Path(path))
    read: list[tuple[str, Score | ValueError]] = []
    for tune in _cut_tunes(_read_lines(Path(path))):
        number = tune[0].text.removeprefix("X:").strip()
        try:
            read.append((number, _Tune(name, tune).read()))
        except ValueError as error:
            read.append((number, error))
    if not read:
        raise ValueError(
            f"{name} holds no tune: expected ABC, in which each tune begins with the field X, such "
            "as X:1. Check that this is the right file."
        )

    return read


def read_abc(path: Path | str) -> list[Score]:
    """Reads the tunes of an ABC file.

    **Notes.** An accidental lasts to the bar line, in all octaves, and over it on a tied note.
    Times are rounded to the grid of 1/24 quarter. Repeats are written out, with their endings.

    **Chords.** A chord symbol such as "Am7" or "D/F#" is a chord in close position from C2 up,
    which sounds until the next one. Annotations that name no chord are left out.

    **Bars.** A tune with a pick-up begins at tick 0 if its first chord is on the first bar line,
    from which its bars are then counted; otherwise it begins with a rest that completes the bar.

    **Labels.** A mode is the major or minor key on its tonic, by its third: K:Ador is "Am", with
    the notes of one sharp. Without Q the tempo is 120, and without a metre (M:none) it is None.

    Args:
        path: the file; its text is in UTF-8, Shift-JIS or Windows-1252.

    Returns:
        The tunes in their order; each begins with the field X.

    Raises:
        ValueError: if there is no tune, or one cannot be read; the message names the file, the
            tune's X and the line.
        OSError: if the file cannot be opened.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "tunes.abc"
        ...     _ = path.write_text('X:1\\nT:One\\nM:3/4\\nL:1/4\\nK:G\\n"G"GBd|"D7"c2A|"G"G3|]\\n')
        ...     [tune] = read_abc(path)
        >>> tune.name, tune.key, tune.time_signature, tune.chords[0].pitches
        ('One', 'G', (3, 4), (43, 47, 50))
    """
    tunes = []
    for _, tune in read_each_abc(path):
        if isinstance(tune, ValueError):
            raise tune
        tunes.append(tune)

    return tunes
