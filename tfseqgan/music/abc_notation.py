"""A score as ABC, the text in which session players write, send and print tunes.

What one written note cannot say cuts it in two with a tie: a bar line, a new chord above it, a length of five eighths.

Reference:
    Walshaw et al. 2011, "The abc music standard 2.1".
"""

import bisect
import functools
import itertools
import re
from fractions import Fraction
from typing import NamedTuple

from tfseqgan.music.score import TICKS_PER_QUARTER

_WHOLE = 4 * TICKS_PER_QUARTER


_THIRTY_SECOND = TICKS_PER_QUARTER // 8


_EIGHTH, _TRIPLET_EIGHTH = TICKS_PER_QUARTER // 2, TICKS_PER_QUARTER // 3


_BARS_PER_LINE = 4


_VALUES = sorted(
    {_THIRTY_SECOND << k for k in range(7)} | {3 * _THIRTY_SECOND << k for k in range(5)},
    reverse=True,
)
"""What one note says: a thirty-second to a breve, and those with a dot."""


_TRIPLET_VALUES = (8, 4, 2, 1)
"""What one note of a triplet says, in ticks: at most an eighth, for verovio 6 gives a number and a bracket only to notes it can beam."""


_FLATTEST, _FLATTEST_ROOT = 3, 5
"""How far below its tonic a key reaches on the line of fifths: to the minor third in a tune (Eb to G# in C), to Db in roots of chords."""


_LETTERS = "FCGDAEB"


_SIGNS = {-1: "_", 0: "=", 1: "^"}


_NAMES = {-1: "b", 0: "", 1: "#"}


_QUALITIES = {
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


class _Event(NamedTuple):
    """What sounds from one tick to another: pitches in rising order, or none in a rest, tied to the next event or not."""

    start: int
    end: int
    pitches: tuple[int, ...] = ()
    tied: bool = False


def _signature(key):
    """Returns the sharps of a key, flats counted below 0: the place of its tonic on the line of fifths, C being 0."""
    found = re.fullmatch(r"([A-G])([#b]?)(m?)", key)
    sharps = found and _LETTERS.index(found[1]) - 1 + {"#": 7, "b": -7, "": 0}[found[2]] - 3 * len(
        found[3]
    )
    if found is None or abs(sharps) > 7:
        raise ValueError(
            f"ABC writes a key of at most seven sharps or flats, such as 'G', 'Bb' or 'F#m'; received {key!r}. Give one, or None."
        )
    return sharps


def _fifths(pitch, lowest):
    """Returns the place of a pitch on the line of fifths, C being 0 and G 1: of its names, the one within twelve places from the lowest."""
    fifths = lowest + (7 * pitch - lowest) % 12
    return fifths + 12 * ((fifths < -8) - (fifths > 12))  # no double sharps or flats


def _spell(fifths):
    """Returns the letter and the accidental, -1, 0 or 1, of a place on the line of fifths."""
    return _LETTERS[(fifths + 1) % 7], (fifths + 1) // 7


def _name(fifths):
    """Returns the name of a place on the line of fifths, such as Bb."""
    letter, accidental = _spell(fifths)
    return letter + _NAMES[accidental]


def _best_key(score):
    """Returns the major key whose scale leaves out the fewest pitches of the score; of equals, the one with fewest sharps or flats."""
    pitches = [note.pitch for note in score.melody] + [
        pitch for chord in score.chords for pitch in chord.pitches
    ]

    def num_outside(sharps):
        scale = {7 * fifths % 12 for fifths in range(sharps - 1, sharps + 6)}
        return sum(pitch % 12 not in scale for pitch in pitches)

    return _name(min(sorted(range(-5, 7), key=abs), key=num_outside))


@functools.cache
def _chord_name(pitches, sharps):
    """Returns the chord symbol with the fewest notes too many or too few; of equals, one with the bass for its root."""
    sounding, bass = {pitch % 12 for pitch in pitches}, pitches[0] % 12

    def misfit(symbol):
        root, quality = symbol
        return len({(root + interval) % 12 for interval in _QUALITIES[quality]} ^ sounding)

    roots = sorted(
        sounding, key=lambda root: (root - bass) % 12
    )  # the bass first: min takes the first of equals
    root, quality = min(itertools.product(roots, _QUALITIES), key=misfit)
    root_fifths = _fifths(root, sharps - (_FLATTEST if "dim" in quality else _FLATTEST_ROOT))
    slash = "" if root == bass else "/" + _name(_fifths(bass, root_fifths - _FLATTEST))
    return _name(root_fifths) + quality + slash


def _symbols(score, sharps):
    """Returns the chord symbols as a dict from tick to name; a chord struck again keeps the symbol that stands."""
    named = [(chord.start_ticks, _chord_name(chord.pitches, sharps)) for chord in score.chords]
    before = [None, *(name for _, name in named)]
    return {start: name for (start, name), last in zip(named, before) if name != last}


def _bar_ticks(score):
    """Returns the ticks of a bar; raises ValueError where the grid cannot say it."""
    numerator, denominator = score.time_signature
    if denominator not in (1, 2, 4, 8, 16, 32):
        raise ValueError(
            f"ABC is written here in bars that count wholes, halves and so on to thirty-seconds; {score.name!r} has the time_signature "
            f"{score.time_signature}. Give it another, such as (4, 4)."
        )
    return _WHOLE * numerator // denominator


def _beam_ticks(score):
    """Returns how long notes may share a beam: three eighths in 6/8, half a bar in 4/4, a quarter in 3/4."""
    numerator, denominator = score.time_signature
    if denominator >= 8 and numerator % 3 == 0:
        return 3 * _WHOLE // denominator
    return _WHOLE // 2 if numerator * 2 % denominator == 0 else _WHOLE // 4


def _bar_lines(score, end):
    """Returns the ticks of the bar lines up to the first at or after the end.

    A tune that starts at once and whose first chord comes within a bar begins with a pick-up: its first bar line is at that chord.
    """
    bar = _bar_ticks(score)
    first_chord = (
        score.chords[0].start_ticks
        if score.chords and score.melody and score.melody[0].start_ticks == 0
        else 0
    )
    first = first_chord if 0 < first_chord < bar else bar
    return range(first, max(first, end) + bar, bar)


def _events(score, end):
    """Yields the strikes of the melody and the rests between them, up to the end."""
    now = 0
    for (start, stop), notes in itertools.groupby(
        score.melody, key=lambda note: (note.start_ticks, note.end_ticks)
    ):
        if now < start:
            yield _Event(now, start)
        yield _Event(start, stop, tuple(note.pitch for note in notes))
        now = stop
    if now < end:
        yield _Event(now, end)


def _cut(events, ticks):
    """Yields the events cut at the ticks, each part tied to the next."""
    ticks = sorted(set(ticks))
    for event in events:
        inner = ticks[
            bisect.bisect_right(ticks, event.start) : bisect.bisect_left(ticks, event.end)
        ]
        for start, end in itertools.pairwise([event.start, *inner, event.end]):
            yield _Event(start, end, event.pitches, event.tied or end < event.end)


def _triplet_spans(events):
    """Returns the spans (start, end) of a bar that only triplets can write.

    A span opens where notes leave the times that thirty-seconds reach and closes where they return, or after a quarter: the rest is tied.
    """
    spans, even, last = [], events[0].start, events[-1].end
    for start, end, _, _ in events:
        if even < start and end - even >= TICKS_PER_QUARTER:
            spans.append((even, even + TICKS_PER_QUARTER))
            even += TICKS_PER_QUARTER
        ticks = end - even
        if start <= even:
            even = end if ticks % _THIRTY_SECOND == 0 else end - ticks % TICKS_PER_QUARTER
        elif ticks % _THIRTY_SECOND == 0:
            spans.append((even, end))
            even = end
    return spans + [(even, last)] * (even < last)


def _to_values(events, values, origin=0, beam=1):
    """Returns the events cut into written values, which end with a beam where they can; beams are counted from the origin."""
    cuts = []
    for start, end, _, _ in events:
        while end - start not in values:
            shorter = [value for value in values if value < end - start]
            start += next(
                (value for value in shorter if (start + value - origin) % beam == 0), shorter[0]
            )
            cuts.append(start)
    return list(_cut(events, cuts))


def _triplet_words(events):
    """Yields the triplets of a span. Verovio 6 ends one only with a beam, and a beam at a rest, so that a note after a rest opens another."""
    runs = [[]]
    for event in events:
        if (
            event.pitches
            and runs[-1]
            and not runs[-1][-1].pitches
            and any(before.pitches for before in runs[-1])
        ):
            runs.append([])
        runs[-1].append(event)
    for run in runs:
        pieces = _to_values(run, _TRIPLET_VALUES)
        notes = [piece for piece in pieces if piece.pitches]
        halves = (
            [(note.start + note.end) // 2 for note in notes] if len(notes) == 1 else []
        )  # a note alone has no beam, its halves have
        yield list(_cut(pieces, halves))


def _words(events, bar_start, beam):
    """Yields (pieces, whether they are a triplet) of a bar: what stands together without a space."""
    spans = _triplet_spans(events)

    def span_of(event):
        return next((span for span in spans if span[0] <= event.start < span[1]), None)

    for span, inside in itertools.groupby(_cut(events, itertools.chain(*spans)), key=span_of):
        if span:
            yield from ((word, True) for word in _triplet_words(inside))
        else:
            pieces = _to_values(list(inside), _VALUES, bar_start, beam)
            yield from (
                (list(word), False)
                for _, word in itertools.groupby(
                    pieces, key=lambda piece: (piece.start - bar_start) // beam
                )
            )


class _Pen:
    """Writes a tune from left to right, and keeps in mind the accidentals of the bar and which way up the last chord stood."""

    def __init__(self, sharps, symbols):
        self.sharps, self.symbols = sharps, symbols
        self.accidentals, self.falling = {}, False

    def pitch(self, pitch):
        """Returns a pitch, with its accidental unless all readers know it: for some the bar's accidentals hold in every octave, for some not."""
        letter, accidental = _spell(_fifths(pitch, self.sharps - _FLATTEST))
        octave = (pitch - accidental) // 12
        of_key = (self.sharps - 1 - _LETTERS.index(letter)) // 7 + 1
        places = letter, (letter, octave)
        sign = (
            ""
            if all(self.accidentals.get(place, of_key) == accidental for place in places)
            else _SIGNS[accidental]
        )
        if sign:
            self.accidentals.update(dict.fromkeys(places, accidental))
        return sign + (
            letter.lower() + "'" * (octave - 6) if octave > 5 else letter + "," * (5 - octave)
        )

    def piece(self, piece, unit_ticks):
        """Returns a note, chord or rest with its chord symbol, length and tie.

        Every other chord of a tied row is written from the top down: verovio 6 ties its last pitch to the first of the next.
        """
        length = re.sub(r"^1(?=/|$)", "", str(Fraction(piece.end - piece.start, unit_ticks)))
        notes = [
            self.pitch(pitch) + length
            for pitch in (piece.pitches[::-1] if self.falling else piece.pitches)
        ] or ["z" + length]
        tied = piece.tied and piece.pitches != ()
        self.falling = tied and not self.falling
        symbol = f'"{self.symbols[piece.start]}"' if piece.start in self.symbols else ""
        return symbol + (notes[0] if len(notes) == 1 else f"[{''.join(notes)}]") + "-" * tied

    def bar(self, words):
        """Returns the words of a bar as text."""
        self.accidentals.clear()
        texts = []
        for pieces, is_triplet in words:
            opening = "(3" if len(pieces) == 3 else f"(3:2:{len(pieces)}"
            unit_ticks = _TRIPLET_EIGHTH if is_triplet else _EIGHTH
            texts.append(
                opening * is_triplet + "".join(self.piece(piece, unit_ticks) for piece in pieces)
            )
        return " ".join(texts)


def _staves(score, sharps):
    """Returns the bars as text, four a line; a first bar that is short or opens with a rest is a pick-up, and comes on top."""
    end = score.end_ticks or _bar_ticks(score)
    lines, symbols, beam = _bar_lines(score, end), _symbols(score, sharps), _beam_ticks(score)
    events = list(_cut(_events(score, end), [*lines, *symbols]))
    pen, pick_up = _Pen(sharps, symbols), lines[0] < lines.step or not events[0].pitches
    bars = itertools.groupby(events, key=lambda event: bisect.bisect_right(lines, event.start))
    bars = [pen.bar(_words(list(bar), lines[index] - lines.step, beam)) for index, bar in bars]
    starts = [0, *range(_BARS_PER_LINE + pick_up, len(bars), _BARS_PER_LINE), len(bars)]
    return "|\n".join("|".join(bars[start:end]) for start, end in itertools.pairwise(starts)) + "|]"


def _field(text):
    """Returns a text as a field of the header holds it: one line, without comments and escapes."""
    return " ".join(text.replace("\\", "\\\\").replace("%", r"\%").split())


def to_abc(score, number=1):
    """Returns a score as a tune in ABC: the melody, the chords as symbols above it, and a header.

    Times and pitches are exact: who reads the text has every note of the melody at its tick, and lengths that add up to the score's. What
    thirty-seconds do not reach is written in triplets; where it takes more than one written note, they are tied. A chord that starts within
    a note cuts the note with a tie and stands above the second part; a chord that is struck again is not named again. A set of pitches
    that has no name gets the nearest one. Tempo is rounded to a beat a minute.

    Bars are counted from the start, or from the first chord where the melody begins before it, as with a pick-up.

    Args:
        score: a `Score`; without a key, the scale that fits its pitches best is found.
        number: the tune's number in a book, ABC's field X, 1 or more.

    Returns:
        A str that ends with a line break. Tunes of a book are joined with an empty line between them.

    Raises:
        ValueError: if the number is less than 1, or ABC cannot say the key or the time signature.

    Example:
        >>> from tfseqgan.music.score import Chord, Note, Score
        >>> tune = Score((Note(0, 24, 67), Note(24, 60, 71)), (Chord(0, 48, (43, 47, 50)),), key="G", time_signature=(3, 4), name="One")
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
        raise ValueError(f"ABC numbers tunes from 1; received number={number}. Give 1 or more.")
    key = score.key or _best_key(score)
    sharps = _signature(key)
    beats, unit = score.time_signature
    fields = {
        "X": str(number),
        "T": _field(score.name) or "Untitled",
        "R": _field(score.rhythm or ""),
        "M": f"{beats}/{unit}",
    }
    fields |= {"L": "1/8", "Q": f"1/4={max(1, round(score.tempo_bpm))}", "K": key}
    return (
        "\n".join(
            [
                *(f"{letter}:{text}" for letter, text in fields.items() if text),
                _staves(score, sharps),
            ]
        )
        + "\n"
    )
