"""A score as ABC, the text in which players of folk music write, exchange and print tunes.

A note that one written note cannot express is written as several notes with ties: a note across a
bar line, a note under which a new chord starts, or a length such as five eighths.

Pitches are spelled on the line of fifths: ... Bb F C G D A E B F# ... Each name has a position on
it, counted from C: F is -1, C is 0, G is 1. A key of n sharps has the positions n - 1 to n + 5.

Reference:
    Walshaw et al. 2011, "The abc music standard 2.1".
"""

import bisect
import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from tfseqgan.music.score import TICKS_PER_QUARTER, Score

_WHOLE = 4 * TICKS_PER_QUARTER

_EIGHTH = TICKS_PER_QUARTER // 2

_TRIPLET_EIGHTH = TICKS_PER_QUARTER // 3

_THIRTY_SECOND = TICKS_PER_QUARTER // 8

_BARS_PER_LINE = 4

_PLAIN_VALUES = [_THIRTY_SECOND * 2**power for power in range(7)]

_DOTTED_VALUES = [3 * _THIRTY_SECOND * 2**power for power in range(5)]

_VALUES = sorted({*_PLAIN_VALUES, *_DOTTED_VALUES}, reverse=True)
"""The ticks that one written note can last: a thirty-second to two wholes, also dotted."""

_TRIPLET_VALUES = (8, 4, 2, 1)
"""The ticks that one written note of a triplet can last.

An eighth is the longest, because verovio 6 draws the number and bracket of a triplet only over
notes that it can join by a beam.
"""

_FLATTEST_IN_MELODY = 3
"""How far below the tonic melodies are spelled, on the line of fifths: Eb to G# in C major."""

_FLATTEST_ROOT = 5
"""How far below the tonic chord roots are spelled, on the line of fifths: Db to F# in C major."""

_LETTERS = "FCGDAEB"
"""The letters in the order of the line of fifths; F has position -1."""

_ACCIDENTAL_SIGNS = {-1: "_", 0: "=", 1: "^"}

_ACCIDENTAL_NAMES = {-1: "b", 0: "", 1: "#"}

_CHORD_QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "dim7": (0, 3, 6, 9),
    "m7b5": (0, 3, 6, 10),
    "aug7": (0, 4, 8, 10),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "sus4": (0, 5, 7),
    "sus2": (0, 2, 7),
    "7sus4": (0, 5, 7, 10),
    "9": (0, 2, 4, 7, 10),
    "m9": (0, 2, 3, 7, 10),
    "maj9": (0, 2, 4, 7, 11),
}
"""The chord symbols without their roots, and their semitones above the root."""


def _num_sharps(key: str) -> int:
    """Returns how many sharps a key has; flats count as negative sharps."""
    match = re.fullmatch(r"([A-G])([#b]?)(m?)", key)
    sharps = None
    if match is not None:
        letter, accidental, minor = match.groups()
        sharps = _LETTERS.index(letter) - 1
        sharps += {"#": 7, "b": -7, "": 0}[accidental]
        sharps -= 3 * len(minor)

    if sharps is None or abs(sharps) > 7:
        raise ValueError(
            "ABC cannot write this key: expected a key of at most seven sharps or flats, such as "
            f"'G', 'Bb' or 'F#m'; received {key!r}. Give the score such a key, or None."
        )

    return sharps


def _to_fifths(pitch: int, lowest: int) -> int:
    """Returns the position of a pitch on the line of fifths, of the 12 positions from `lowest`."""
    fifths = lowest + (7 * pitch - lowest) % 12

    # Fb (-8) to B# (12) have at most one sharp or flat.
    if fifths < -8:
        return fifths + 12
    if fifths > 12:
        return fifths - 12
    return fifths


def _spell(fifths: int) -> tuple[str, int]:
    """Returns the letter and the accidental (-1, 0 or 1) at a position on the line of fifths."""
    return _LETTERS[(fifths + 1) % 7], (fifths + 1) // 7


def _name(fifths: int) -> str:
    """Returns the name at a position on the line of fifths, such as Bb."""
    letter, accidental = _spell(fifths)

    return letter + _ACCIDENTAL_NAMES[accidental]


def _best_key(score: Score) -> str:
    """Returns the major key that contains most pitches; of equals, the one with fewest signs."""
    melody_pitches = [note.pitch for note in score.melody]
    chord_pitches = [pitch for chord in score.chords for pitch in chord.pitches]

    def num_outside(sharps: int) -> int:
        scale = {7 * fifths % 12 for fifths in range(sharps - 1, sharps + 6)}
        return sum(pitch % 12 not in scale for pitch in melody_pitches + chord_pitches)

    fewest_signs_first = sorted(range(-5, 7), key=abs)

    return _name(min(fewest_signs_first, key=num_outside))


@functools.cache
def _chord_symbol(pitches: tuple[int, ...], sharps: int) -> str:
    """Returns the chord symbol with the fewest pitch classes added or missing.

    Of equally good symbols, one whose root is the bass is chosen.
    """
    sounding = {pitch % 12 for pitch in pitches}
    bass = pitches[0] % 12

    def num_wrong(symbol: tuple[int, str]) -> int:
        root, quality = symbol
        named = {(root + interval) % 12 for interval in _CHORD_QUALITIES[quality]}
        return len(named ^ sounding)

    bass_first = sorted(sounding, key=lambda root: (root - bass) % 12)
    root, quality = min(itertools.product(bass_first, _CHORD_QUALITIES), key=num_wrong)

    flattest = _FLATTEST_IN_MELODY if "dim" in quality else _FLATTEST_ROOT
    root_fifths = _to_fifths(root, sharps - flattest)
    symbol = _name(root_fifths) + quality
    if root == bass:
        return symbol

    bass_fifths = _to_fifths(bass, root_fifths - _FLATTEST_IN_MELODY)
    return f"{symbol}/{_name(bass_fifths)}"


def _chord_symbols(score: Score, sharps: int) -> dict[int, str]:
    """Returns the chord symbols by tick, without those that repeat the symbol before."""
    symbols: dict[int, str] = {}
    previous = None
    for chord in score.chords:
        symbol = _chord_symbol(chord.pitches, sharps)
        if symbol != previous:
            symbols[chord.start_ticks] = symbol
        previous = symbol

    return symbols


def _bar_ticks(score: Score) -> int:
    """Returns the ticks of a bar, or raises ValueError if the grid cannot express it."""
    numerator, denominator = score.time_signature
    if denominator not in (1, 2, 4, 8, 16, 32):
        raise ValueError(
            f"The time_signature of {score.name!r} cannot be written as ABC: expected a bar that "
            "counts wholes, halves, quarters and so on to thirty-seconds, received "
            f"{score.time_signature}. Give it another, such as (4, 4)."
        )

    return _WHOLE * numerator // denominator


def _beam_ticks(score: Score) -> int:
    """Returns how long a beam may be: 3 eighths in 6/8, half a bar in 4/4, a quarter in 3/4."""
    numerator, denominator = score.time_signature
    is_compound = denominator >= 8 and numerator % 3 == 0
    if is_compound:
        return 3 * _WHOLE // denominator

    bar_is_whole_halves = 2 * numerator % denominator == 0
    return _WHOLE // 2 if bar_is_whole_halves else _WHOLE // 4


def _first_bar_line(score: Score) -> int:
    """Returns the tick of the first bar line.

    A tune whose melody starts at tick 0 and whose first chord starts later in the first bar begins
    with a pick-up: its first bar line is at that chord.
    """
    bar_ticks = _bar_ticks(score)
    if score.chords and score.melody and score.melody[0].start_ticks == 0:
        first_chord = score.chords[0].start_ticks
        if 0 < first_chord < bar_ticks:
            return first_chord

    return bar_ticks


def _bar_lines(score: Score, end: int) -> range:
    """Returns the ticks of the bar lines up to the first at or after the end."""
    first = _first_bar_line(score)
    bar_ticks = _bar_ticks(score)

    return range(first, max(first, end) + bar_ticks, bar_ticks)


class _Segment(NamedTuple):
    """What the melody plays between two ticks."""

    start: int

    end: int

    pitches: tuple[int, ...] = ()
    """In rising order; empty for a rest."""

    tied: bool = False
    """Whether the next segment continues the same notes."""


def _melody_segments(score: Score, end: int) -> Iterator[_Segment]:
    """Yields the notes of the melody and the rests between them, up to the end."""
    now = 0
    for note_start, notes in itertools.groupby(score.melody, key=lambda note: note.start_ticks):
        together = list(notes)
        if now < note_start:
            yield _Segment(now, note_start)

        now = together[0].end_ticks
        yield _Segment(note_start, now, tuple(note.pitch for note in together))

    if now < end:
        yield _Segment(now, end)


def _cut(segments: Iterable[_Segment], ticks: Iterable[int]) -> Iterator[_Segment]:
    """Yields the segments cut at the ticks, with ties between the pieces of one segment."""
    ticks = sorted(set(ticks))
    for segment in segments:
        first = bisect.bisect_right(ticks, segment.start)
        stop = bisect.bisect_left(ticks, segment.end)
        bounds = [segment.start, *ticks[first:stop], segment.end]

        for start, end in itertools.pairwise(bounds):
            tied = segment.tied or end < segment.end
            yield _Segment(start, end, segment.pitches, tied)


def _triplet_spans(segments: Sequence[_Segment]) -> list[tuple[int, int]]:
    """Returns the spans (start, end) of a bar that must be written as triplets.

    Outside the spans, all notes start and end on the grid of thirty-seconds. A span begins where
    notes leave this grid. It ends where they return to it, or after a quarter; notes that continue
    are tied.
    """
    spans = []
    settled = segments[0].start  # everything before this tick is in a span or needs none
    for start, end, _, _ in segments:
        in_span = settled < start
        if in_span and end - settled >= TICKS_PER_QUARTER:
            spans.append((settled, settled + TICKS_PER_QUARTER))
            settled += TICKS_PER_QUARTER

        ticks = end - settled
        on_grid = ticks % _THIRTY_SECOND == 0
        in_span = settled < start
        if in_span and on_grid:
            spans.append((settled, end))
            settled = end
        elif not in_span:
            # A note that leaves the grid is plain for whole quarters, then a span begins.
            settled = end if on_grid else end - ticks % TICKS_PER_QUARTER

    bar_end = segments[-1].end
    if settled < bar_end:
        spans.append((settled, bar_end))

    return spans


def _cut_to_values(
    segments: Sequence[_Segment],
    values: Sequence[int],
    bar_start: int = 0,
    beam_ticks: int = 1,
) -> list[_Segment]:
    """Returns the segments cut into written values.

    A segment is cut after the longest value that ends where a beam ends, or else after the longest
    value; then the same is done with the rest of it.

    Args:
        segments: notes and rests of one bar.
        values: the ticks that one written note can last, the longest first.
        bar_start: the tick from which beams are counted.
        beam_ticks: the ticks of a beam; 1 for no preference.
    """
    cuts = []
    for start, end, _, _ in segments:
        while end - start not in values:
            shorter = [value for value in values if value < end - start]
            to_beam_end = [
                value for value in shorter if (start + value - bar_start) % beam_ticks == 0
            ]
            start += (to_beam_end or shorter)[0]
            cuts.append(start)

    return list(_cut(segments, cuts))


def _split_at_inner_rests(segments: Iterable[_Segment]) -> Iterator[list[_Segment]]:
    """Yields the runs of a triplet span: a run ends where notes continue after a rest.

    Rests before the first note of a run do not end it.
    """
    run: list[_Segment] = []
    for segment in segments:
        run_has_notes = any(previous.pitches for previous in run)
        if segment.pitches and run_has_notes and not run[-1].pitches:
            yield run
            run = []
        run.append(segment)

    yield run


def _triplets(segments: Iterable[_Segment]) -> Iterator[list[_Segment]]:
    """Yields the triplets of a span, each as its written notes and rests.

    Verovio 6 ends a triplet only where a beam ends, and ends a beam at each rest. So notes after a
    rest begin another triplet.
    """
    for run in _split_at_inner_rests(segments):
        written = _cut_to_values(run, _TRIPLET_VALUES)

        # One note alone has no beam, but its two tied halves have one.
        notes = [segment for segment in written if segment.pitches]
        if len(notes) == 1:
            middle = (notes[0].start + notes[0].end) // 2
            written = list(_cut(written, [middle]))

        yield written


class _Word(NamedTuple):
    """Written notes and rests without a space between them, which share a beam."""

    segments: list[_Segment]
    is_triplet: bool


def _words_of_bar(segments: Sequence[_Segment], bar_start: int, beam_ticks: int) -> Iterator[_Word]:
    """Yields the words of a bar."""
    spans = _triplet_spans(segments)

    def span_of(segment: _Segment) -> tuple[int, int] | None:
        return next((span for span in spans if span[0] <= segment.start < span[1]), None)

    def beam_of(segment: _Segment) -> int:
        return (segment.start - bar_start) // beam_ticks

    cut_at_spans = _cut(segments, itertools.chain.from_iterable(spans))
    for span, inside in itertools.groupby(cut_at_spans, key=span_of):
        if span is not None:
            for triplet in _triplets(inside):
                yield _Word(triplet, is_triplet=True)
            continue

        written = _cut_to_values(list(inside), _VALUES, bar_start, beam_ticks)
        for _, beam in itertools.groupby(written, key=beam_of):
            yield _Word(list(beam), is_triplet=False)


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
        """Returns a pitch, with its accidental unless every reader would know it."""
        letter, accidental = _spell(_to_fifths(pitch, self._sharps - _FLATTEST_IN_MELODY))
        octave = (pitch - accidental) // 12

        # Of the positions in the key, sharps - 1 to sharps + 5, one has this letter.
        accidental_in_key = (self._sharps - 1 - _LETTERS.index(letter)) // 7 + 1

        # For some readers an accidental holds in every octave, for others only in its own.
        scopes: tuple[str | tuple[str, int], ...] = (letter, (letter, octave))
        sign = ""
        if any(self._accidentals.get(scope, accidental_in_key) != accidental for scope in scopes):
            sign = _ACCIDENTAL_SIGNS[accidental]
            self._accidentals.update(dict.fromkeys(scopes, accidental))

        if octave > 5:
            return sign + letter.lower() + "'" * (octave - 6)
        return sign + letter + "," * (5 - octave)

    def _write_segment(self, segment: _Segment, unit_ticks: int) -> str:
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

    def write(self, words: Iterable[_Word]) -> str:
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


def _write_bars(score: Score, sharps: int) -> list[str]:
    """Returns the bars of a score as text."""
    end = score.end_ticks or _bar_ticks(score)
    bar_lines = _bar_lines(score, end)
    beam_ticks = _beam_ticks(score)
    symbols = _chord_symbols(score, sharps)
    writer = _BarWriter(sharps, symbols)

    # A written note cannot cross a bar line, and a new chord symbol needs a note to stand over.
    segments = _cut(_melody_segments(score, end), [*bar_lines, *symbols])

    def bar_of(segment: _Segment) -> int:
        return bisect.bisect_right(bar_lines, segment.start)

    bars = []
    for index, bar in itertools.groupby(segments, key=bar_of):
        bar_start = bar_lines[index] - bar_lines.step  # before tick 0 for a pick-up
        words = _words_of_bar(list(bar), bar_start, beam_ticks)
        bars.append(writer.write(words))

    return bars


def _write_lines(score: Score, sharps: int) -> str:
    """Returns the music as text, four bars on each line.

    A pick-up is on the first line in addition to its four bars. A first bar that opens with a rest
    counts as a pick-up too.
    """
    bars = _write_bars(score, sharps)

    bar_is_short = _first_bar_line(score) < _bar_ticks(score)
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

    Chords become symbols such as "Am7". A set of pitches without a symbol gets the nearest one. A
    chord that starts during a note cuts the note with a tie, and its symbol is above the second
    part. A repeated chord has no new symbol.

    Bars are counted from the start of the tune. If the melody starts before the first chord, as
    with a pick-up, they are counted from the first chord.

    Args:
        score: the tune. If it has no key, the major key that fits its pitches best is used.
        number: the number of the tune in a book (the field X of ABC), 1 or more.

    Returns:
        The text; it ends with a line break. To make a book, join tunes with an empty line between.

    Raises:
        ValueError: if the number is less than 1, or ABC cannot express the key or time signature.

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
        X:1
        T:One
        M:3/4
        L:1/8
        Q:1/4=120
        K:G
        "G"G2 B4-|B|]
    """
    if number < 1:
        raise ValueError(
            f"ABC numbers tunes from 1: expected number to be 1 or more, received number={number}."
        )

    key = score.key or _best_key(score)
    sharps = _num_sharps(key)
    beats, unit = score.time_signature
    tempo_bpm = max(1, round(score.tempo_bpm))

    lines = [f"X:{number}", f"T:{_escape(score.name) or 'Untitled'}"]
    rhythm = _escape(score.rhythm or "")
    if rhythm:
        lines.append(f"R:{rhythm}")
    lines += [f"M:{beats}/{unit}", "L:1/8", f"Q:1/4={tempo_bpm}", f"K:{key}"]
    lines.append(_write_lines(score, sharps))

    return "\n".join(lines) + "\n"
