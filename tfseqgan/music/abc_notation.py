"""A score as ABC, the text in which folk musicians write, exchange and print tunes.

This module writes the text. How notes are cut, spelled and beamed, and what chords are called, is
decided in the modules that it imports.

Reference:
    Walshaw et al. 2011, "The abc music standard 2.1".
"""

import itertools
import re
from collections.abc import Iterable
from fractions import Fraction

from tfseqgan.arguments import whole_number
from tfseqgan.music.chord_symbols import chord_symbols
from tfseqgan.music.keys import Key, parse_key
from tfseqgan.music.metre import bar_ticks, first_bar_line, time_signature_of
from tfseqgan.music.pitch_spelling import (
    FLATTEST_IN_MELODY,
    accidental_in_key,
    spell,
    to_fifths,
)
from tfseqgan.music.score import TICKS_PER_QUARTER, Score
from tfseqgan.music.score_labels import with_metre_and_key
from tfseqgan.music.written_notes import Segment, Word, written_bars

ACCIDENTAL_SIGNS = {-1: "_", 0: "=", 1: "^"}

_VERSION_LINE = "%abc-2.1"
"""The first line of a file in ABC 2.1; in the middle of a book it is a comment."""

_EIGHTH = TICKS_PER_QUARTER // 2

_TRIPLET_EIGHTH = TICKS_PER_QUARTER // 3

_BARS_PER_LINE = 4

_KEY_WITHOUT_SIGNS = "C"
"""What is written where all keys fit a tune equally well."""


class _BarWriter:
    """Writes the bars of a tune from left to right.

    It remembers the accidentals of the current bar, and the order in which the pitches of the last
    chord were written.

    Args:
        sharps: the sharps of the key.
        symbols: chord symbols by tick.
    """

    def __init__(self, sharps: int, symbols: dict[int, str]) -> None:
        self._sharps = sharps
        self._symbols = symbols
        self._accidentals: dict[str | tuple[str, int], int] = {}  # by letter and (letter, octave)
        self._falling = False  # whether the next chord is written from the highest pitch down

    def _write_pitch(self, pitch: int) -> str:
        """Returns a pitch, with its accidental unless every reader would know it.

        An accidental lasts to the bar line in every octave (music21, abc2midi) or in its own
        (abcjs), or not at all (verovio's MIDI; music21 without a version line). So one is left out
        only where all three rules give the same pitch.
        """
        letter, accidental = spell(to_fifths(pitch, self._sharps - FLATTEST_IN_MELODY))
        octave = (pitch - accidental) // 12
        in_key = accidental_in_key(letter, self._sharps)

        scopes: tuple[str | tuple[str, int], ...] = (letter, (letter, octave))
        implied = {in_key, *(self._accidentals.get(scope, in_key) for scope in scopes)}
        sign = ""
        if implied != {accidental}:
            sign = ACCIDENTAL_SIGNS[accidental]
            self._accidentals.update(dict.fromkeys(scopes, accidental))

        if octave > 5:
            return sign + letter.lower() + "'" * (octave - 6)
        return sign + letter + "," * (5 - octave)

    def _write_segment(self, segment: Segment, unit_ticks: int) -> str:
        """Returns a note, chord or rest with its chord symbol, length and tie."""
        units = Fraction(segment.end - segment.start, unit_ticks)
        length = re.sub(r"^1(?=/|$)", "", str(units))  # ABC writes 1 as nothing and 1/2 as /2

        # Verovio 6 ties the last pitch of a chord to the first of the next. So every other chord
        # of a tied sequence is written from the highest pitch down.
        pitches = segment.pitches[::-1] if self._falling else segment.pitches
        is_tied = segment.tied and bool(segment.pitches)
        self._falling = is_tied and not self._falling

        notes = [self._write_pitch(pitch) + length for pitch in pitches] or ["z" + length]
        text = notes[0] if len(notes) == 1 else f"[{''.join(notes)}]"
        if segment.start in self._symbols:
            text = f'"{self._symbols[segment.start]}"{text}'

        return f"{text}-" if is_tied else text

    def write(self, words: Iterable[Word]) -> str:
        """Returns a bar as text."""
        self._accidentals.clear()
        texts = []
        for segments, is_triplet in words:
            opening = ""
            if is_triplet:
                count = len(segments)
                opening = "(3" if count == 3 else f"(3:2:{count}"

            unit_ticks = _TRIPLET_EIGHTH if is_triplet else _EIGHTH
            written = [self._write_segment(segment, unit_ticks) for segment in segments]
            texts.append(opening + "".join(written))

        return " ".join(texts)


def _write_lines(score: Score, key: Key) -> str:
    """Returns the music as text, four bars on each line.

    A pick-up is on the first line in addition to its four bars. A first bar that opens with a rest
    counts as a pick-up too.
    """
    symbols = chord_symbols(score, key)
    writer = _BarWriter(key.sharps, symbols)
    bars = [writer.write(words) for words in written_bars(score, symbols)]

    bar_is_short = first_bar_line(score) < bar_ticks(score)
    opens_with_rest = not score.melody or score.melody[0].start_ticks > 0
    num_pick_up = 1 if bar_is_short or opens_with_rest else 0

    line_starts = range(_BARS_PER_LINE + num_pick_up, len(bars), _BARS_PER_LINE)
    bounds = [0, *line_starts, len(bars)]
    lines = ["|".join(bars[start:end]) for start, end in itertools.pairwise(bounds)]

    return "|\n".join(lines) + "|]"


def _escape(text: str) -> str:
    """Returns a text as one line, in which nothing starts a comment or an escape."""
    escaped = text.replace("\\", "\\\\").replace("%", r"\%")

    return " ".join(escaped.split())


def to_abc(score: Score, number: int = 1) -> str:
    """Writes a score as a tune in ABC: a header, and the melody with chord symbols.

    The melody is exact: a reader of the text gets every note at its tick, and the total length of
    the score. Times that are not on the grid of thirty-seconds are written as triplets. If this
    takes several written notes, they are tied. Only the tempo is rounded, to one beat per minute.

    Accidentals are written so that every reader gets the same pitches, whether for it they last to
    the bar line or not: a note outside the key has its accidental each time.

    Chords become symbols such as "Am7". A set of pitches without a symbol gets the nearest one; it
    adds no third or fifth that contradicts the melody or the key (`chord_symbols`). A chord that
    starts during a note cuts the note with a tie, and its symbol is above the second
    part. A repeated chord has no new symbol.

    Bars are counted from the start of the tune. If the melody starts before the first chord, as
    with a pick-up, they are counted from the first chord.

    Args:
        score: the tune. A metre or key that it does not say is estimated
            (`score_labels.with_metre_and_key`).
        number: the number of the tune in a book (the field X of ABC), 1 or more.

    Returns:
        The text, a whole file in ABC 2.1; it ends with a line break. To make a book, give each tune
        its number and join them with an empty line between: `"\\n".join(texts)`.

    Raises:
        ValueError: if the number is not a whole one of 1 or more, or ABC cannot express the time
            signature.

    Example:
        >>> from tfseqgan.music.score import Chord, Note, Score
        >>> tune = Score(
        ...     melody=(Note(0, 24, 67), Note(24, 60, 71)),
        ...     chords=(Chord(0, 48, (43, 47, 50)),),
        ...     key="G",
        ...     time_signature=(3, 4),
        ...     name="One",
        ... )
        >>> print(to_abc(tune), end="")
        %abc-2.1
        X:1
        T:One
        M:3/4
        L:1/8
        Q:1/4=120
        K:G
        "G"G2 B4-|B|]
    """
    number = whole_number("The number of a tune", number)
    if number < 1:
        raise ValueError(
            f"ABC numbers tunes from 1: expected number to be 1 or more, received number={number}."
        )

    score = with_metre_and_key(score)
    key = score.key or _KEY_WITHOUT_SIGNS
    beats, unit = time_signature_of(score)
    tempo_bpm = max(1, round(score.tempo_bpm))

    lines = [_VERSION_LINE, f"X:{number}", f"T:{_escape(score.name) or 'Untitled'}"]
    rhythm = _escape(score.rhythm or "")
    if rhythm:
        lines.append(f"R:{rhythm}")
    lines += [f"M:{beats}/{unit}", "L:1/8", f"Q:1/4={tempo_bpm}", f"K:{key}"]
    lines.append(_write_lines(score, parse_key(key)))

    return "\n".join(lines) + "\n"
