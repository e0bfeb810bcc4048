"""A melody as written notes: cut at bar lines, into note values, triplets and beams.

A note that one written note cannot express is written as several notes with ties: a note across a
bar line, a note under which a new chord starts, or a length such as five eighths.
"""

import bisect
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tfseqgan.music.metre import bar_lines, bar_ticks, beam_ticks
from tfseqgan.music.score import TICKS_PER_QUARTER, Score

_THIRTY_SECOND = TICKS_PER_QUARTER // 8

_PLAIN_VALUES = [_THIRTY_SECOND * 2**power for power in range(7)]

_DOTTED_VALUES = [3 * _THIRTY_SECOND * 2**power for power in range(5)]

_VALUES = sorted({*_PLAIN_VALUES, *_DOTTED_VALUES}, reverse=True)
"""The ticks that one written note can last: a thirty-second to two wholes, also dotted."""

_TRIPLET_VALUES = (8, 4, 2, 1)
"""The ticks that one written note of a triplet can last.

An eighth is the longest, because verovio 6 draws the number and bracket of a triplet only over
notes that it can join by a beam.
"""


class Segment(NamedTuple):
    """What the melody plays between two ticks; in the end, one written note, chord or rest."""

    start: int

    end: int

    pitches: tuple[int, ...] = ()
    """In rising order; empty for a rest."""

    tied: bool = False
    """Whether the next segment continues the same notes."""


class Word(NamedTuple):
    """Written notes and rests without a space between them, which share a beam."""

    segments: list[Segment]
    is_triplet: bool


def _melody_segments(score: Score, end: int) -> Iterator[Segment]:
    """Yields the notes of the melody and the rests between them, up to the end."""
    now = 0
    for note_start, notes in itertools.groupby(score.melody, key=lambda note: note.start_ticks):
        together = list(notes)
        if now < note_start:
            yield Segment(now, note_start)

        now = together[0].end_ticks
        yield Segment(note_start, now, tuple(note.pitch for note in together))

    if now < end:
        yield Segment(now, end)


def _cut(segments: Iterable[Segment], ticks: Iterable[int]) -> Iterator[Segment]:
    """Yields the segments cut at the ticks, with ties between the pieces of one segment."""
    ticks = sorted(set(ticks))
    for segment in segments:
        first = bisect.bisect_right(ticks, segment.start)
        stop = bisect.bisect_left(ticks, segment.end)
        bounds = [segment.start, *ticks[first:stop], segment.end]

        for start, end in itertools.pairwise(bounds):
            tied = segment.tied or end < segment.end
            yield Segment(start, end, segment.pitches, tied)


def _triplet_spans(segments: Sequence[Segment]) -> list[tuple[int, int]]:
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
    segments: Sequence[Segment],
    values: Sequence[int],
    bar_start: int = 0,
    beam: int = 1,
) -> list[Segment]:
    """Returns the segments cut into written values.

    A segment is cut after the longest value that ends where a beam ends, or else after the longest
    value; then the same is done with the rest of it.

    Args:
        segments: notes and rests of one bar.
        values: the ticks that one written note can last, the longest first.
        bar_start: the tick from which beams are counted.
        beam: the ticks of a beam; 1 for no preference.
    """
    cuts = []
    for start, end, _, _ in segments:
        while end - start not in values:
            shorter = [value for value in values if value < end - start]
            to_beam_end = [value for value in shorter if (start + value - bar_start) % beam == 0]
            start += (to_beam_end or shorter)[0]
            cuts.append(start)

    return list(_cut(segments, cuts))


def _split_at_inner_rests(segments: Iterable[Segment]) -> Iterator[list[Segment]]:
    """Yields the runs of a triplet span: a run ends where notes continue after a rest.

    Rests before the first note of a run do not end it.
    """
    run: list[Segment] = []
    for segment in segments:
        run_has_notes = any(previous.pitches for previous in run)
        if segment.pitches and run_has_notes and not run[-1].pitches:
            yield run
            run = []
        run.append(segment)

    yield run


def _triplets(segments: Iterable[Segment]) -> Iterator[list[Segment]]:
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


def _words_of_bar(segments: Sequence[Segment], bar_start: int, beam: int) -> Iterator[Word]:
    """Yields the words of a bar.

    Args:
        segments: what the melody plays in the bar.
        bar_start: the tick from which beams are counted, before tick 0 for a pick-up.
        beam: the ticks of a beam.
    """
    spans = _triplet_spans(segments)

    def span_of(segment: Segment) -> tuple[int, int] | None:
        return next((span for span in spans if span[0] <= segment.start < span[1]), None)

    def beam_of(segment: Segment) -> int:
        return (segment.start - bar_start) // beam

    cut_at_spans = _cut(segments, itertools.chain.from_iterable(spans))
    for span, inside in itertools.groupby(cut_at_spans, key=span_of):
        if span is not None:
            for triplet in _triplets(inside):
                yield Word(triplet, is_triplet=True)
            continue

        written = _cut_to_values(list(inside), _VALUES, bar_start, beam)
        for _, together in itertools.groupby(written, key=beam_of):
            yield Word(list(together), is_triplet=False)


def written_bars(score: Score, cuts: Iterable[int]) -> Iterator[list[Word]]:
    """Yields the bars of a melody as written notes; an empty score has one bar of rest.

    Args:
        score: the tune.
        cuts: ticks at which a note must start, tied to the one before if it continues it: a chord
            symbol needs a note to stand over.

    Raises:
        ValueError: if the grid cannot express a bar of the score.
    """
    end = score.end_ticks or bar_ticks(score)
    lines = bar_lines(score, end)
    beam = beam_ticks(score)
    segments = _cut(_melody_segments(score, end), [*lines, *cuts])

    def bar_of(segment: Segment) -> int:
        return bisect.bisect_right(lines, segment.start)

    for index, bar in itertools.groupby(segments, key=bar_of):
        bar_start = lines[index] - lines.step
        yield list(_words_of_bar(list(bar), bar_start, beam))
