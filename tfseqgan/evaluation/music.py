"""Musical figures of a tune: its metre, its form, its key, and what gives a generated one away.

Each is a pure function of a score on the grid of 24 ticks a quarter.
"""

import collections
import itertools
from collections.abc import Iterable, Mapping, Sequence

from tfseqgan.evaluation.metrics import mean_and_standard_error
from tfseqgan.music.key_estimation import KRUMHANSL_KESSLER, estimate_key
from tfseqgan.music.keys import parse_key
from tfseqgan.music.score import Note, Score

BAR_TICKS = (96, 72, 108)
"""Bars of 4/4 and 2/4, of 3/4 and 6/8, and of 9/8."""

_HALF_BARS = {96: (48,), 72: (36, 24), 108: (36,)}
"""The steps at which chords change, by the ticks of a bar."""

_FEWEST_CHORDS = 4
_BARS_OF_A_WINDOW = 8
_FEWEST_ONSETS_OF_A_WINDOW = 5
_STILL_AS_COMMON = 0.6
_NOTES_OF_A_FIGURE = 8
_FEWEST_FIGURES = 16
_TOLERANCE_BARS = 1.01
_PHASE_STEP = 12

_MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)

_DIATONIC_SETS = [frozenset((tonic + step) % 12 for step in _MAJOR_SCALE) for tonic in range(12)]


def top_notes(score: Score) -> list[Note]:
    """Returns the melody with the highest note of each double stop."""
    by_start = {note.start_ticks: note for note in score.melody}  # the last of equals is highest

    return list(by_start.values())


def _line_onsets(score: Score) -> set[int]:
    """Returns the ticks that tell where bars begin: of chords, or of notes if chords are few."""
    if len(score.chords) >= _FEWEST_CHORDS:
        return {chord.start_ticks for chord in score.chords}

    return {note.start_ticks for note in score.melody}


def _share_of_lines(onsets: set[int], bar: int, phase: int, end: int) -> float:
    """Returns the share of bar lines at which something starts."""
    lines = range(phase, end, bar)

    return sum(line in onsets for line in lines) / max(len(lines), 1)


def bar_ticks(score: Score) -> int:
    """Finds the length of a bar: the one whose lines carry a chord most often, in ticks.

    Where a tune has fewer than four chords, the onsets of the melody count.

    Example:
        >>> from tfseqgan.music.score import Chord
        >>> bar_ticks(Score((), tuple(Chord(72 * k, 72, (43, 47, 50)) for k in range(8))))
        72
    """
    onsets = _line_onsets(score)

    return max(BAR_TICKS, key=lambda bar: _share_of_lines(onsets, bar, 0, score.end_ticks))


def bar_lines_with_a_chord(score: Score) -> float:
    """Computes the share of bar lines at which a chord begins (`bar_ticks`)."""
    return _share_of_lines(_line_onsets(score), bar_ticks(score), 0, score.end_ticks)


def slips(score: Score) -> bool:
    """Tells whether the bar line moves within the tune.

    In each window of eight bars with five chord onsets or more, the commonest onset modulo the bar
    is found. It is kept from the window before while it has at least 0.6 of the onsets of the
    commonest one; where it changes, the bar line slips.
    """
    bar = bar_ticks(score)
    by_window: dict[int, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    for chord in score.chords:
        window = chord.start_ticks // (_BARS_OF_A_WINDOW * bar)
        by_window[window][chord.start_ticks % bar] += 1

    kept = None
    for window in sorted(by_window):
        counts = by_window[window]
        if counts.total() < _FEWEST_ONSETS_OF_A_WINDOW:
            continue
        commonest, count = counts.most_common(1)[0]
        if kept is not None and counts[kept] < _STILL_AS_COMMON * count:
            return True
        kept = commonest if kept is None else kept

    return False


def chord_changes_on_the_grid(score: Score) -> float | None:
    """Computes the share of chord onsets on multiples of half a bar; None without chords."""
    onsets = [chord.start_ticks for chord in score.chords]
    if not onsets:
        return None

    shares = [
        sum(onset % step == 0 for onset in onsets) / len(onsets)
        for step in _HALF_BARS[bar_ticks(score)]
    ]

    return max(shares)


def _best_diatonic_set(notes: Sequence[Note]) -> tuple[frozenset[int], float]:
    """Returns the diatonic set that holds most notes, and the share that it holds."""
    counts = collections.Counter(note.pitch % 12 for note in notes)

    def share(pitch_classes):
        held = sum(counts[pitch_class] for pitch_class in pitch_classes)
        return held / max(len(notes), 1)

    best = max(_DIATONIC_SETS, key=share)

    return best, share(best)


def in_key(score: Score) -> float:
    """Computes the share of melody notes in the diatonic set that holds most of them."""
    return _best_diatonic_set(score.melody)[1]


def melody_on_chord_tones(score: Score) -> float | None:
    """Computes the share of melody time over a chord whose pitch class is in the chord.

    None where no melody sounds over a chord.
    """
    over_chord = 0
    on_tones = 0
    for note, chord in itertools.product(score.melody, score.chords):
        shared = min(note.end_ticks, chord.end_ticks) - max(note.start_ticks, chord.start_ticks)
        if shared > 0:
            over_chord += shared
            is_tone = note.pitch % 12 in {pitch % 12 for pitch in chord.pitches}
            on_tones += shared * is_tone

    return on_tones / over_chord if over_chord else None


def _bars(score: Score) -> list[tuple[tuple[int, int], ...]]:
    """Returns what the melody starts in each bar, as (onset within the bar, pitch)."""
    bar = bar_ticks(score)
    notes = top_notes(score)
    if not notes:
        return []

    bars: list[list[tuple[int, int]]] = [[] for _ in range(notes[-1].start_ticks // bar + 1)]
    for note in notes:
        index, onset = divmod(note.start_ticks, bar)
        bars[index].append((onset, note.pitch))

    return [tuple(each) for each in bars]


def bars_heard_before(score: Score) -> float:
    """Computes the share of bars whose melody occurred in an earlier bar of the tune."""
    bars = _bars(score)
    heard = [index for index, bar in enumerate(bars) if bar in bars[:index]]

    return len(heard) / max(len(bars), 1)


def bars_equal_to_eight_before(score: Score) -> float:
    """Computes the share of bars, from the ninth on, that equal the bar eight before."""
    bars = _bars(score)
    pairs = list(zip(bars[8:], bars[:-8], strict=True))

    return sum(now == before for now, before in pairs) / max(len(pairs), 1)


def figures_of(score: Score) -> list[tuple[tuple[int, int], ...]]:
    """Returns the runs of eight successive (pitch, duration) of the melody."""
    notes = [(note.pitch, note.duration_ticks) for note in top_notes(score)]

    return list(zip(*(notes[offset:] for offset in range(_NOTES_OF_A_FIGURE)), strict=False))


def figures_heard_before(score: Score) -> float | None:
    """Computes the share of 8-note figures that occurred earlier; None with fewer than sixteen."""
    figures = figures_of(score)
    if len(figures) < _FEWEST_FIGURES:
        return None

    return 1 - len(set(figures)) / len(figures)


def length_in_bars(score: Score) -> float:
    """Computes the end of the last melody note in bars."""
    return max((note.end_ticks for note in score.melody), default=0) / bar_ticks(score)


def is_a_multiple_of_eight_bars(score: Score) -> bool:
    """Tells whether the last melody note ends within 1.01 bars of a multiple of eight bars."""
    bars = length_in_bars(score)
    nearest = 8 * round(bars / 8)

    return nearest > 0 and abs(bars - nearest) <= _TOLERANCE_BARS


def _tonic(score: Score) -> int | None:
    """Returns the pitch class of the tonic of the estimated key, or None.

    The profiles are those by which the published figures are defined.
    """
    key = estimate_key(score, KRUMHANSL_KESSLER)

    return None if key is None else 7 * parse_key(key).tonic_fifths % 12


def ends_on_the_tonic(score: Score) -> bool:
    """Tells whether the last melody note is the tonic of the key that fits the notes best."""
    return bool(score.melody) and score.melody[-1].pitch % 12 == _tonic(score)


def _ends_away_from_home(score: Score) -> bool:
    """Tells whether neither the last note nor the lowest of the last chord is the tonic."""
    last = [note.pitch for note in score.melody[-1:]]
    last += [chord.pitches[0] for chord in score.chords[-1:]]

    return _tonic(score) not in {pitch % 12 for pitch in last}


def _key_drifts(score: Score) -> bool:
    """Tells whether the last third of the melody leaves the key of the first."""
    third = len(score.melody) // 3
    first = score.melody[:third]
    last = score.melody[len(score.melody) - third :]
    of_first, _ = _best_diatonic_set(first)
    of_last, _ = _best_diatonic_set(last)
    kept = sum(note.pitch % 12 in of_first for note in last) / max(len(last), 1)

    return of_first != of_last and kept < 0.85


def _share_of_leaps(score: Score) -> float:
    """Returns the share of melody intervals of more than an octave."""
    notes = top_notes(score)
    leaps = [abs(after.pitch - before.pitch) > 12 for before, after in itertools.pairwise(notes)]

    return sum(leaps) / max(len(leaps), 1)


def _best_share_of_lines(score: Score) -> float:
    """Returns the share of bar lines with a chord, in the best bar and from the best phase."""
    onsets = {chord.start_ticks for chord in score.chords}

    return max(
        _share_of_lines(onsets, bar, phase, score.end_ticks)
        for bar in BAR_TICKS
        for phase in range(0, bar, _PHASE_STEP)
    )


def embarrassments(score: Score, is_cut_off: bool = False) -> list[str]:
    """Lists what would embarrass whoever plays the tune to others; empty for a sound tune.

    Args:
        score: the tune.
        is_cut_off: whether it was cut off at the limit of its length.

    Example:
        >>> embarrassments(Score((Note(0, 24, 60),)))[:2]
        ['few notes', 'too short or too long']
    """
    faults = {
        "few notes": len(score.melody) < 16,
        "too short or too long": not 7 <= length_in_bars(score) <= 70,
        "cut off": is_cut_off,
        "chords off the bar lines": _best_share_of_lines(score) < 0.6,
        "the bar line slips": slips(score),
        "out of key": in_key(score) < 0.9,
        "the key drifts": _key_drifts(score),
        "ends away from home": _ends_away_from_home(score),
        "no chords": not score.chords,
        "leaps": _share_of_leaps(score) > 0.03,
    }

    return [name for name, is_so in faults.items() if is_so]


def is_sound_with_form(score: Score, is_cut_off: bool = False) -> bool:
    """Tells whether nothing embarrasses and a tenth of the bars or more was heard before."""
    return not embarrassments(score, is_cut_off) and bars_heard_before(score) >= 0.1


def _steps(score: Score) -> list[tuple[int, int, int]]:
    """Returns (interval, duration, next duration) of successive melody notes."""
    return [
        (after.pitch - before.pitch, before.duration_ticks, after.duration_ticks)
        for before, after in itertools.pairwise(top_notes(score))
    ]


def _runs_of(steps: Sequence[tuple], length: int) -> Iterable[tuple]:
    """Returns every run of so many successive steps."""
    return zip(*(steps[offset:] for offset in range(length)), strict=False)


class SharedRuns:
    """Finds the longest passage of a tune that occurs in some other tunes, in any key.

    Args:
        scores: the other tunes.

    Example:
        >>> tune = Score(tuple(Note(24 * k, 24, 60 + k) for k in range(5)))
        >>> higher = Score(tuple(Note(24 * k, 24, 67 + k) for k in range(3)))
        >>> SharedRuns([tune]).longest(higher)
        2
    """

    def __init__(self, scores: Iterable[Score]) -> None:
        self._tunes = [_steps(score) for score in scores]
        self._runs_by_length: dict[int, set[tuple]] = {}

    def _runs(self, length: int) -> set[tuple]:
        """Returns every run of so many steps in the other tunes."""
        if length not in self._runs_by_length:
            runs = (_runs_of(tune, length) for tune in self._tunes)
            self._runs_by_length[length] = set(itertools.chain.from_iterable(runs))

        return self._runs_by_length[length]

    def longest(self, score: Score) -> int:
        """Computes the length of the longest shared run of (interval, duration, next duration)."""
        steps = _steps(score)
        length = 0
        while not self._runs(length + 1).isdisjoint(_runs_of(steps, length + 1)):
            length += 1

        return length


def figures_of_tune(score: Score, is_cut_off: bool = False) -> dict[str, float]:
    """Computes every figure of one tune, by name; true is 1, and what has no meaning is left out.

    Args:
        score: the tune.
        is_cut_off: whether it was cut off at the limit of its length.
    """
    figures = {
        "bar_lines_with_a_chord": bar_lines_with_a_chord(score),
        "slips": float(slips(score)),
        "chord_changes_on_the_grid": chord_changes_on_the_grid(score),
        "in_key": in_key(score),
        "melody_on_chord_tones": melody_on_chord_tones(score),
        "bars_heard_before": bars_heard_before(score),
        "bars_equal_to_eight_before": bars_equal_to_eight_before(score),
        "figures_heard_before": figures_heard_before(score),
        "multiple_of_eight_bars": float(is_a_multiple_of_eight_bars(score)),
        "ends_on_the_tonic": float(ends_on_the_tonic(score)),
        "embarrassing": float(bool(embarrassments(score, is_cut_off))),
        "sound_with_form": float(is_sound_with_form(score, is_cut_off)),
    }

    return {name: value for name, value in figures.items() if value is not None}


def mean_figures(by_tune: Iterable[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Computes the mean and the standard error of each figure over the tunes that have it.

    Example:
        >>> mean_figures([{"slips": 0.0}, {"slips": 1.0, "in_key": 0.5}])["slips"]
        (0.5, 0.5)
    """
    values = collections.defaultdict(list)
    for figures in by_tune:
        for name, value in figures.items():
            values[name].append(value)

    return {name: mean_and_standard_error(each) for name, each in values.items()}


def musical_figures(
    scores: Sequence[Score], cut_off: Sequence[bool] | None = None
) -> dict[str, tuple[float, float]]:
    """Computes the mean and the standard error of every figure over tunes.

    Args:
        scores: the tunes.
        cut_off: which of them were cut off at the limit of their length; none by default.

    Returns:
        Both by name.

    Example:
        >>> tune = Score(tuple(Note(24 * k, 24, 60) for k in range(32)))
        >>> musical_figures([tune, tune])["multiple_of_eight_bars"]
        (1.0, 0.0)
    """
    flags = [False] * len(scores) if cut_off is None else cut_off

    return mean_figures(
        figures_of_tune(score, flag) for score, flag in zip(scores, flags, strict=True)
    )
