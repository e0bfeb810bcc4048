"""Claims about tfseqgan.abc_notation: a small reader, written from the ABC standard and apart from the module, gets the same tune back."""

import dataclasses
import itertools
import re
from fractions import Fraction

import numpy as np
import pytest

from tfseqgan.datasets.synthetic import compose_tunes
from tfseqgan.music.abc_notation import to_abc
from tfseqgan.music.score import Chord, Note, Score

SHARPS_IN_ORDER = "FCGDAEB"
MAJOR = "Cb Gb Db Ab Eb Bb F C G D A E B F# C#".split()
MINOR = "Abm Ebm Bbm Fm Cm Gm Dm Am Em Bm F#m C#m G#m D#m A#m".split()
TWELVE = MAJOR[2:14] + MINOR[2:14]
LETTERS = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67, "A": 69, "B": 71}
SIGNS = {"_": -1, "=": 0, "^": 1}
METERS = [(4, 4), (3, 4), (2, 4), (6, 8), (9, 8), (2, 2), (3, 2), (7, 8), (1, 32)]
EIGHTH = 12

NOTE = r"([_=^]?)([A-Ga-g])([,']*)(\d*(?:/\d+)?)"
TOKEN = re.compile(
    rf'"(?P<symbol>[^"]+)"|(?P<triplet>\(3)(:2:(?P<size>\d+))?|(?P<bar_line>\|\]?)|(?P<group>\[({NOTE})+\]|{NOTE}|z\d*(/\d+)?)(?P<tie>-?)|[ \n]+'
)
"""A chord symbol, a triplet's opening, a bar line, a note or chord or rest and its tie, white space."""


@dataclasses.dataclass
class Tune:
    """What a text says: its fields, (start, duration, pitch) in order, (tick, chord symbol), the ticks of its bars, its written values."""

    fields: dict
    melody: list
    symbols: list
    bars: list
    values: list


def read_key(key):
    """Returns the accidental of each letter."""
    number = (MINOR if key.endswith("m") else MAJOR).index(key) - 7
    altered = SHARPS_IN_ORDER[:number] if number > 0 else SHARPS_IN_ORDER[::-1][:-number]
    return {letter: (1 if number > 0 else -1) if letter in altered else 0 for letter in LETTERS}


def read_pitch(note, key, accidentals, octaves_apart):
    """Returns the pitch of a note; an accidental holds to the bar line, in its own octave or in all of them."""
    sign, letter, marks, _ = note
    octave = letter.islower() + marks.count("'") - marks.count(",")
    place = (letter.upper(), octave) if octaves_apart else letter.upper()
    if sign:
        accidentals[place] = SIGNS[sign]
    return LETTERS[letter.upper()] + 12 * octave + accidentals.get(place, key[letter.upper()])


def read_length(length):
    """Returns a length in eighths."""
    over, _, under = length.partition("/")
    return Fraction(int(over or 1), int(under or 1))


def read_abc(text, octaves_apart=True):
    """Returns the `Tune` that a text says; nothing in it is passed over."""
    head, key_name, rest = re.fullmatch(r"(.*\n)K:(\S+)\n(.*)", text, re.DOTALL).groups()
    fields = dict(line.split(":", 1) for line in head.splitlines()) | {"K": key_name}
    tune, key, now, bar_start, left_in_triplet = (
        Tune(fields, [], [], [], []),
        read_key(key_name),
        Fraction(0),
        Fraction(0),
        0,
    )
    sounding, tied, accidentals, at = {}, False, {}, 0
    while at < len(rest):
        token = TOKEN.match(rest, at)
        assert token, f"not ABC: {rest[at : at + 20]!r}"
        at = token.end()
        if token["symbol"]:
            tune.symbols.append((now, token["symbol"]))
        elif token["triplet"]:
            assert not left_in_triplet
            left_in_triplet = int(token["size"] or 3)
        elif token["bar_line"]:
            assert not left_in_triplet
            tune.bars.append(now - bar_start)
            bar_start, accidentals = now, {}
        elif token["group"]:
            notes = re.findall(NOTE, token["group"])
            lengths = {read_length(note[3]) for note in notes} or {read_length(token["group"][1:])}
            assert len(lengths) == 1, "notes of one chord have different lengths"
            ticks = min(lengths) * EIGHTH * (Fraction(2, 3) if left_in_triplet else 1)
            pitches = [read_pitch(note, key, accidentals, octaves_apart) for note in notes]
            assert not tied or set(pitches) == set(sounding), "a tie between different pitches"
            sounding = {pitch: sounding[pitch] if tied else now for pitch in pitches}
            now, tied, left_in_triplet = (
                now + ticks,
                token["tie"] == "-",
                max(0, left_in_triplet - 1),
            )
            tune.values.append((min(lengths), ticks))
            if not tied:
                tune.melody += [
                    (start, now - start, pitch) for pitch, start in sorted(sounding.items())
                ]
    assert not tied and rest.endswith("|]\n") and rest.count("|]") == 1
    return tune


def melody_of(score):
    return [(note.start_ticks, note.duration_ticks, note.pitch) for note in score.melody]


def assert_comes_back(score):
    """Both kinds of reader, those for whom an accidental holds in every octave and those for whom it does not, read the same tune."""
    text = to_abc(score)
    for octaves_apart in (True, False):
        tune = read_abc(text, octaves_apart)
        assert tune.melody == melody_of(score)
        assert sum(tune.bars) == sum(ticks for _, ticks in tune.values) == score.end_ticks
    return tune


def sing(*durations, pitches=(71,), first=0, **fields):
    """Returns a score of notes one after the other; a negative duration is a rest."""
    starts = itertools.accumulate(map(abs, durations), initial=first)
    line = zip(starts, durations, itertools.cycle(pitches))
    return Score(
        tuple(Note(start, ticks, pitch) for start, ticks, pitch in line if ticks > 0),
        **({"key": "C"} | fields),
    )


def bars_of(score):
    """Returns the bars as text."""
    music = to_abc(score).split("\nK:")[1].split("\n", 1)[1]
    return music.replace("\n", "").removesuffix("|]").split("|")


def strum(*chords, ticks=48):
    return tuple(Chord(number * ticks, ticks, pitches) for number, pitches in enumerate(chords))


def symbols_of(*chords, key="C"):
    return [symbol for _, symbol in read_abc(to_abc(Score((), strum(*chords), key=key))).symbols]


def test_random_scores_come_back(random_scores):
    for score in random_scores:
        assert_comes_back(score)


@pytest.mark.parametrize("key", TWELVE)
def test_random_scores_come_back_in_every_key_and_meter(random_scores, key):
    for score, meter in zip(random_scores, METERS * 2):
        assert_comes_back(dataclasses.replace(score, key=key, time_signature=meter))


def test_notes_and_rests_of_any_ticks_come_back():
    rng = np.random.default_rng(0)
    for _ in range(40):
        durations = (rng.integers(1, 70, size=37) * rng.choice([1, 1, 1, -1], size=37)).tolist()
        assert_comes_back(
            sing(
                *durations,
                5,
                pitches=(60, 61, 66, 73),
                chords=strum((43, 47), (45, 48), (43, 47), ticks=61),
            )
        )


@pytest.mark.parametrize("key", MAJOR + MINOR)
def test_every_pitch_comes_back_in_every_key(key):
    pitches = np.random.default_rng(1).permutation(np.tile(np.arange(128), 3)).tolist()
    assert_comes_back(sing(*[12] * len(pitches), pitches=pitches, key=key))


def test_session_tunes_come_back_with_whole_bars_and_their_chords():
    for score in compose_tunes(80, seed=3):
        tune = assert_comes_back(score)
        beats, unit = score.time_signature
        pick_up = score.chords[0].start_ticks
        assert tune.bars[0] == (pick_up or 96 * beats // unit)
        assert set(tune.bars[1:-1]) == {96 * beats // unit}
        assert {tick for tick, _ in tune.symbols} <= {chord.start_ticks for chord in score.chords}
        assert tune.fields == {
            "X": "1",
            "T": score.name,
            "R": score.rhythm,
            "M": f"{beats}/{unit}",
            "L": "1/8",
            "K": score.key,
        } | {"Q": f"1/4={score.tempo_bpm:.0f}"}


def test_every_length_is_one_written_value():
    tune = assert_comes_back(sing(*range(1, 200)))
    values = {Fraction(2) ** power * dots for power in range(-3, 5) for dots in (1, Fraction(3, 2))}
    assert {value for value, _ in tune.values} <= values


@pytest.mark.parametrize(
    "score, bars",
    [
        (sing(96, 48, 24, 12, 6, 3, 3), ["B8", "B4 B2BB/2B/4B/4"]),
        (sing(60, 36, 84, 12), ["B4- BB3", "B4- B3B"]),
        (sing(72, 48), ["B6 B2-", "B2"]),
        (sing(12, 48, 36), ["BB4 B3"]),
        (sing(144, 60, 84, time_signature=(3, 2)), ["B12", "B4- BB3- B4"]),
        (sing(12, 60, 36, chords=(Chord(12, 96, (43,)),)), ["B", '"G"B4- BB3']),
        (sing(-60, 12, 108, time_signature=(6, 8)), ["z3 z2B", "B6-", "B3"]),
        (sing(*[12] * 6, time_signature=(6, 8)), ["BBB BBB"]),
        (sing(*[12] * 6, time_signature=(3, 4)), ["BB BB BB"]),
        (sing(8, 8, 8, 24, 4, 4, 4, 12), ["(3BBB B2 (3B/2B/2B/2 B"]),
        (sing(16, 16, 16), ["(3B-BB- (3BB-B"]),
        (sing(16, 8, 12, 12), ["(3B-BB BB"]),
        (sing(8, 4, 12), ["(3:2:2BB/2 B"]),
        (sing(8, -8, 8), ["(3B/2-B/2z (3:2:2B/2-B/2"]),
        (sing(-8, 8, 8), ["(3zBB"]),
        (sing(8, 48, 16), ["(3BB-B- B2- (3BB-B"]),
    ],
)
def test_lengths_are_written_as_players_write_them(score, bars):
    assert bars_of(score) == bars
    assert_comes_back(score)


def test_a_triplet_ends_with_its_bar():
    score = sing(84, 8, 100)
    assert bars_of(score) == ["B4- B3 (3:2:2BB/2-", "B8"]
    assert_comes_back(score)


def test_pitches_struck_together_stand_in_brackets_each_with_the_length():
    assert bars_of(Score((Note(0, 24, 60), Note(0, 24, 64), Note(0, 24, 67)), key="C")) == [
        "[C2E2G2]"
    ]


def test_every_other_chord_of_a_tied_row_is_turned_over():
    score = Score(
        (Note(0, 240, 60), Note(0, 240, 64), Note(240, 24, 60), Note(240, 24, 64)), key="C"
    )
    assert bars_of(score) == ["[C8E8]-", "[E8C8]-", "[C4E4] [C2E2]"]
    assert_comes_back(score)


@pytest.mark.parametrize(
    "pitches, key, text",
    [
        ((66, 65, 66, 66), "G", "F=F^FF"),
        ((66, 66, 67, 65), "C", "^FFG=F"),
        ((66, 78, 77, 65), "C", "^F^f=f=F"),
        ((70, 63, 68, 61), "C", "_B_E^G^C"),
        ((70, 69, 70, 71), "F", "BAB=B"),
        ((48, 60, 72, 84, 36), "C", "C,Ccc'C,,"),
        ((71, 59, 60), "Cb", "cC=C"),
    ],
)
def test_accidentals_are_written_where_the_key_and_the_bar_do_not_say_them(pitches, key, text):
    assert bars_of(sing(*[12] * len(pitches), pitches=pitches, key=key))[0].replace(" ", "") == text


def test_a_bar_line_ends_the_accidentals():
    assert bars_of(sing(96, 96, 96, 96, pitches=(66, 66, 65, 66))) == ["^F8", "^F8", "F8", "^F8"]


@pytest.mark.parametrize(
    "pitches, key, symbol",
    [
        ((43, 47, 50), "G", "G"),
        ((45, 48, 52), "G", "Am"),
        ((38, 42, 45, 48), "G", "D7"),
        ((47, 50, 53), "C", "Bdim"),
        ((46, 50, 53), "F", "Bb"),
        ((46, 50, 53), "D", "Bb"),
        ((44, 47, 50), "C", "G#dim"),
        ((44, 48, 51), "C", "Ab"),
        ((44, 52, 59), "C", "E/G#"),
        ((46, 60, 64, 67), "D", "C7/Bb"),
        ((48, 52, 55, 57), "C", "C6"),
        ((45, 48, 52, 55), "C", "Am7"),
        ((47, 50, 55), "G", "G/B"),
        ((43,), "G", "G"),
        ((43, 50), "G", "G"),
        ((43, 46), "F", "Gm"),
        ((38, 42, 48), "G", "D7"),
        ((38, 39, 42, 45, 48), "G", "D7"),
        ((36, 40, 44), "C", "Caug"),
    ],
)
def test_chords_are_named_by_their_pitches_and_bass(pitches, key, symbol):
    assert symbols_of(pitches, key=key) == [symbol]


def test_every_set_of_pitches_gets_a_symbol_that_readers_know():
    known = r"[A-G][#b]?(m|7|m7|maj7|dim|aug|dim7|m7b5|aug7|6|m6|sus4|sus2|7sus4|9|m9|maj9)?(/[A-G][#b]?)?"
    chords = [
        (36 + bass, *(48 + n for n in range(12) if bits >> n & 1))
        for bits in range(1, 4096, 7)
        for bass in (0, 5, 10)
    ]
    symbols = [
        symbol
        for chord, key in zip(chords, itertools.cycle(MAJOR))
        for symbol in symbols_of(chord, key=key)
    ]
    assert len(symbols) == len(chords) and all(re.fullmatch(known, symbol) for symbol in symbols)


def test_a_chord_is_named_where_it_changes_and_not_where_it_is_struck_again():
    g, a_minor = (43, 47, 50), (45, 48, 52)
    score = sing(96, 96, chords=strum(g, g, a_minor, g))
    assert read_abc(to_abc(score)).symbols == [(0, "G"), (96, "Am"), (144, "G")]


def test_a_chord_that_starts_within_a_note_cuts_it_with_a_tie():
    chords = (Chord(0, 24, (45, 48, 52)), Chord(24, 24, (43, 47, 50)), Chord(108, 60, (48, 52, 55)))
    score = sing(96, -24, 24, chords=chords)
    assert bars_of(score) == ['"Am"B2-"G"B6', 'z"C"zB2 z2']
    assert assert_comes_back(score).symbols == [(0, "Am"), (24, "G"), (108, "C")]


def test_a_tune_that_starts_before_its_first_chord_has_a_pick_up():
    chords = (Chord(12, 96, (43, 47, 50)),)
    assert bars_of(sing(*[12] * 9, chords=chords)) == ["B", '"G"BBBB BBBB']
    assert read_abc(to_abc(sing(-6, 6, 96, chords=chords))).bars == [96, 12]
    assert read_abc(to_abc(sing(200, chords=(Chord(100, 20, (43,)),)))).bars == [96, 96, 8]


def test_lines_hold_four_bars_and_the_pick_up_stands_before_them():
    def bars_per_line(score):
        return [line.count("|") for line in to_abc(score).splitlines()[6:]]

    assert bars_per_line(sing(*[96] * 9)) == [4, 4, 1]
    assert bars_per_line(sing(-72, 24, *[96] * 8)) == [5, 4]
    assert bars_per_line(sing(24, *[96] * 8, chords=(Chord(24, 96, (43,)),))) == [5, 4]


def test_an_empty_score_is_one_bar_of_rest():
    assert (
        to_abc(Score((), time_signature=(3, 4))).splitlines()
        == "X:1 T:Untitled M:3/4 L:1/8 Q:1/4=120 K:C z6|]".split()
    )


@pytest.mark.parametrize(
    "pitches, key",
    [
        ((60, 62, 64), "C"),
        ((66, 67, 71), "G"),
        ((65, 70, 72), "F"),
        ((61, 66, 68, 71, 63), "E"),
        ((63, 68, 70, 65, 60), "Eb"),
        ((60, 61, 65, 66), "Db"),
    ],
)
def test_a_tune_without_a_key_gets_the_one_with_fewest_accidentals(pitches, key):
    score = sing(*[24] * len(pitches), pitches=pitches, key=None)
    assert read_abc(to_abc(score)).fields["K"] == key
    assert_comes_back(score)


def test_chords_help_to_find_the_key():
    assert (
        read_abc(to_abc(sing(24, pitches=(67,), key=None, chords=strum((38, 42, 45, 48))))).fields[
            "K"
        ]
        == "G"
    )


def test_the_header_is_one_line_a_field():
    score = sing(24, name="100% Pure\nK:Fun \\o/", rhythm="slip jig", tempo_bpm=0.2)
    assert to_abc(score, number=7).startswith(
        "X:7\nT:100\\% Pure K:Fun \\\\o/\nR:slip jig\nM:4/4\nL:1/8\nQ:1/4=1\nK:C\n"
    )


@pytest.mark.parametrize("key", ["H", "g", "G#", "Fbm", "G major", "Cmm"])
def test_a_key_that_abc_cannot_say_is_refused(key):
    with pytest.raises(ValueError, match="at most seven sharps or flats.*received"):
        to_abc(sing(24, key=key))


@pytest.mark.parametrize("meter", [(4, 3), (3, 64), (1, 5)])
def test_a_meter_that_the_grid_cannot_say_is_refused(meter):
    with pytest.raises(ValueError, match="thirty-seconds"):
        to_abc(sing(24, time_signature=meter))


def test_tunes_are_numbered_from_one():
    with pytest.raises(ValueError, match="received number=0"):
        to_abc(sing(24), number=0)


@pytest.mark.filterwarnings("ignore:builtin type .* has no __module__:DeprecationWarning")
def test_verovio_engraves_every_note_and_chord_symbol():
    verovio = pytest.importorskip("verovio")
    score = compose_tunes(4, seed=0)[3]
    text = to_abc(score)
    toolkit = verovio.toolkit()
    toolkit.setOptions({"inputFrom": "abc", "breaks": "encoded", "pageHeight": 20000})
    assert toolkit.loadData(text)
    svg = toolkit.renderToSVG(1)
    assert svg.count('class="note"') == len(score.melody)
    assert svg.count('class="harm"') == len(read_abc(text).symbols)
    assert svg.count('class="tuplet"') == text.count("(3") > 0
