"""Claims about tfseqgan.music.abc_notation.

A small reader, written from the ABC standard and independent of the module, reads its text back.
"""

import base64
import dataclasses
import io
import itertools
import re
from fractions import Fraction

import mido
import numpy as np
import pytest

from tfseqgan.datasets.synthetic import compose_tunes
from tfseqgan.music.abc_notation import to_abc
from tfseqgan.music.key_estimation import estimate_key
from tfseqgan.music.score import Chord, Note, Score

MAJOR = ["Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"]
MINOR_TONICS = ["Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#"]
MINOR = [f"{tonic}m" for tonic in MINOR_TONICS]
TWELVE_OF_EACH = MAJOR[2:14] + MINOR[2:14]
METERS = [(4, 4), (3, 4), (2, 4), (6, 8), (9, 8), (2, 2), (3, 2), (7, 8), (1, 32)]

LETTERS = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67, "A": 69, "B": 71}
SHARPS_IN_ORDER = "FCGDAEB"
SIGNS = {"_": -1, "=": 0, "^": 1}
EIGHTH = 12
WHOLE = 96

NOTE = r"([_=^]?)([A-Ga-g])([,']*)(\d*(?:/\d+)?)"
TOKEN = re.compile(
    rf"""
      "(?P<symbol>[^"]+)"
    | (?P<triplet>\(3)(:2:(?P<size>\d+))?
    | (?P<bar_line>\|\]?)
    | (?P<notes>\[({NOTE})+\]|{NOTE}|z\d*(/\d+)?)(?P<tie>-?)
    | [ \n]+
    """,
    re.VERBOSE,
)


@dataclasses.dataclass
class Tune:
    """What an ABC text means."""

    fields: dict[str, str]

    melody: list[tuple] = dataclasses.field(default_factory=list)
    """(start, duration, pitch) in order."""

    symbols: list[tuple] = dataclasses.field(default_factory=list)
    """(tick, chord symbol) in order."""

    bars: list[Fraction] = dataclasses.field(default_factory=list)
    """The ticks of each bar."""

    values: list[tuple] = dataclasses.field(default_factory=list)
    """(written value in eighths, ticks) of each note, chord and rest."""


def read_key(key):
    """Returns the accidental of each letter in a key."""
    names = MINOR if key.endswith("m") else MAJOR
    num_sharps = names.index(key) - 7

    accidentals = dict.fromkeys(LETTERS, 0)
    if num_sharps > 0:
        accidentals |= dict.fromkeys(SHARPS_IN_ORDER[:num_sharps], 1)
    if num_sharps < 0:
        accidentals |= dict.fromkeys(SHARPS_IN_ORDER[num_sharps:], -1)

    return accidentals


def read_length(length):
    """Returns a length in eighths."""
    numerator, _, denominator = length.partition("/")

    return Fraction(int(numerator or 1), int(denominator or 1))


class Reader:
    """Reads the music of a tune from left to right; nothing in the text is skipped.

    Args:
        fields: the header.
        accidentals_last: "not" (for one note), "octave" or "pitch" (to the bar line, in their own
            octave or in all), as %%propagate-accidentals of the standard.
    """

    def __init__(self, fields, accidentals_last):
        self.tune = Tune(fields)
        self.accidentals_last = accidentals_last
        self.key = read_key(fields["K"])
        self.accidentals = {}

        self.now = Fraction(0)
        self.bar_start = Fraction(0)
        self.left_in_triplet = 0
        self.tied = False
        self.sounding = {}

    def read_pitch(self, sign, letter, marks):
        """Returns the pitch of a written note."""
        octave = letter.islower() + marks.count("'") - marks.count(",")
        letter = letter.upper()
        scope = letter if self.accidentals_last == "pitch" else (letter, octave)
        accidental = SIGNS[sign] if sign else self.accidentals.get(scope, self.key[letter])
        if sign and self.accidentals_last != "not":
            self.accidentals[scope] = accidental

        return LETTERS[letter] + 12 * octave + accidental

    def read_notes(self, text, tied):
        """Reads a note, a chord in brackets or a rest."""
        notes = re.findall(NOTE, text)
        lengths = {read_length(length) for *_, length in notes} or {read_length(text[1:])}
        assert len(lengths) == 1, "notes of one chord have different lengths"

        value = min(lengths)
        ticks = value * EIGHTH
        if self.left_in_triplet:
            ticks *= Fraction(2, 3)
            self.left_in_triplet -= 1

        pitches = [self.read_pitch(sign, letter, marks) for sign, letter, marks, _ in notes]
        assert not self.tied or set(pitches) == set(self.sounding), "a tie of different pitches"
        starts = self.sounding if self.tied else dict.fromkeys(pitches, self.now)
        self.sounding = {pitch: starts[pitch] for pitch in pitches}

        self.now += ticks
        self.tied = tied
        self.tune.values.append((value, ticks))
        if not tied:
            for pitch, start in sorted(self.sounding.items()):
                self.tune.melody.append((start, self.now - start, pitch))

    def read(self, text):
        """Reads the music and returns the tune."""
        index = 0
        while index < len(text):
            token = TOKEN.match(text, index)
            assert token, f"not ABC: {text[index : index + 20]!r}"
            index = token.end()

            if token["symbol"]:
                self.tune.symbols.append((self.now, token["symbol"]))
            elif token["triplet"]:
                assert not self.left_in_triplet
                self.left_in_triplet = int(token["size"] or 3)
            elif token["bar_line"]:
                assert not self.left_in_triplet
                self.tune.bars.append(self.now - self.bar_start)
                self.bar_start = self.now
                self.accidentals = {}
            elif token["notes"]:
                self.read_notes(token["notes"], tied=token["tie"] == "-")

        assert not self.tied
        return self.tune


def read_abc(text, accidentals_last="octave"):
    """Returns the `Tune` of a text."""
    header, key, music = re.fullmatch(r"%abc-2\.1\n(X:.*\n)K:(\S+)\n(.*)", text, re.DOTALL).groups()
    fields = dict(line.split(":", 1) for line in header.splitlines())
    fields["K"] = key

    assert music.endswith("|]\n")
    assert music.count("|]") == 1
    return Reader(fields, accidentals_last).read(music)


def assert_reads_back(score):
    """Asserts that every kind of reader gets the melody back, and returns the tune."""
    text = to_abc(score)
    melody = [(note.start_ticks, note.duration_ticks, note.pitch) for note in score.melody]
    for accidentals_last in ("not", "octave", "pitch"):
        tune = read_abc(text, accidentals_last)

        assert tune.melody == melody
        assert sum(tune.bars) == score.end_ticks
        assert sum(ticks for _, ticks in tune.values) == score.end_ticks

    return tune


def sing(*durations, pitches=(71,), **fields):
    """Returns a score of notes one after the other; a negative duration is a rest."""
    starts = itertools.accumulate(map(abs, durations), initial=0)
    notes = zip(starts, durations, itertools.cycle(pitches), strict=False)
    melody = [Note(start, ticks, pitch) for start, ticks, pitch in notes if ticks > 0]

    return Score(melody, **{"key": "C", "time_signature": (4, 4), **fields})


def strum(*chords, ticks=48):
    """Returns chords of equal durations one after the other."""
    return tuple(Chord(index * ticks, ticks, pitches) for index, pitches in enumerate(chords))


def bars_of(score):
    """Returns the bars of a score as text."""
    _, after_key = to_abc(score).split("\nK:")
    _, music = after_key.split("\n", 1)

    return music.replace("\n", "").removesuffix("|]").split("|")


# Every tune is read back


def test_random_scores_are_read_back(random_scores):
    for score in random_scores:
        assert_reads_back(score)


@pytest.mark.slow
@pytest.mark.parametrize("key", TWELVE_OF_EACH)
def test_random_scores_are_read_back_in_every_key_and_meter(random_scores, key):
    for score, meter in zip(random_scores, METERS * 2, strict=False):
        assert_reads_back(dataclasses.replace(score, key=key, time_signature=meter))


def test_notes_and_rests_of_any_duration_are_read_back():
    rng = np.random.default_rng(0)
    chords = strum((43, 47), (45, 48), (43, 47), ticks=61)
    for _ in range(40):
        durations = rng.integers(1, 70, size=37)
        signs = rng.choice([1, 1, 1, -1], size=37)

        assert_reads_back(
            sing(*(durations * signs).tolist(), 5, pitches=(60, 61, 66, 73), chords=chords)
        )


@pytest.mark.slow
@pytest.mark.parametrize("key", MAJOR + MINOR)
def test_every_pitch_is_read_back_in_every_key(key):
    pitches = np.random.default_rng(1).permutation(np.tile(np.arange(128), 3)).tolist()

    assert_reads_back(sing(*[12] * len(pitches), pitches=pitches, key=key))


@pytest.mark.slow
def test_synthetic_tunes_are_read_back_with_whole_bars():
    for score in compose_tunes(80, seed=3):
        beats, unit = score.time_signature
        bar = WHOLE * beats // unit
        pick_up = score.chords[0].start_ticks

        tune = assert_reads_back(score)

        assert tune.bars[0] == (pick_up or bar)
        assert set(tune.bars[1:-1]) == {bar}


@pytest.mark.slow
def test_synthetic_tunes_are_read_back_with_their_labels_and_chords():
    for score in compose_tunes(80, seed=3):
        beats, unit = score.time_signature

        tune = assert_reads_back(score)

        assert {tick for tick, _ in tune.symbols} <= {chord.start_ticks for chord in score.chords}
        assert tune.fields == {
            "X": "1",
            "T": score.name,
            "R": score.rhythm,
            "M": f"{beats}/{unit}",
            "L": "1/8",
            "Q": f"1/4={score.tempo_bpm:.0f}",
            "K": score.key,
        }


# Lengths


def test_every_length_is_one_written_value():
    tune = assert_reads_back(sing(*range(1, 200)))

    plain = {Fraction(2) ** power for power in range(-3, 5)}
    dotted = {value * Fraction(3, 2) for value in plain}
    assert {value for value, _ in tune.values} <= plain | dotted


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
    assert_reads_back(score)


def test_a_triplet_ends_at_its_bar_line():
    score = sing(84, 8, 100)

    assert bars_of(score) == ["B4- B3 (3:2:2BB/2-", "B8"]
    assert_reads_back(score)


# Pitches


def test_notes_that_start_together_are_in_brackets_each_with_its_length():
    score = Score((Note(0, 24, 60), Note(0, 24, 64), Note(0, 24, 67)), key="C")

    assert bars_of(score) == ["[C2E2G2]"]


def test_every_other_chord_of_a_tied_sequence_is_written_downwards():
    melody = (Note(0, 240, 60), Note(0, 240, 64), Note(240, 24, 60), Note(240, 24, 64))
    score = Score(melody, key="C", time_signature=(4, 4))

    assert bars_of(score) == ["[C8E8]-", "[E8C8]-", "[C4E4] [C2E2]"]
    assert_reads_back(score)


@pytest.mark.parametrize(
    "pitches, key, text",
    [
        ((66, 65, 66, 66), "G", "F=F^FF"),
        ((66, 66, 67, 65), "C", "^F^FG=F"),
        ((66, 78, 77, 65), "C", "^F^f=f=F"),
        ((70, 63, 68, 61), "C", "_B_E^G^C"),
        ((70, 69, 70, 71), "F", "BAB=B"),
        ((70, 70, 69, 70), "C", "_B_BA_B"),
        ((71, 71, 70, 83, 70), "F", "=B=B_B=b_B"),
        ((48, 60, 72, 84, 36), "C", "C,Ccc'C,,"),
        ((71, 59, 60), "Cb", "cC=C"),
    ],
)
def test_accidentals_are_written_where_the_key_and_the_bar_do_not_imply_them(pitches, key, text):
    first_bar = bars_of(sing(*[12] * len(pitches), pitches=pitches, key=key))[0]

    assert first_bar.replace(" ", "") == text


def test_kind_s_a_tied_note_has_its_accidental_in_each_part():
    score = sing(96, pitches=(66,), chords=strum((38, 42, 45), (43, 47, 50)))

    assert bars_of(score) == ['"D"^F4- "G"^F4']
    assert_reads_back(score)


def book_of(scores):
    """Returns tunes as one text, joined as the docstring of `to_abc` says."""
    return "\n".join(to_abc(score, number) for number, score in enumerate(scores, start=1))


def test_kind_s_a_book_begins_with_the_version_and_each_tune_can_be_taken_out():
    scores = [sing(*[12] * 4, pitches=(70, 70, 69, 82), key=key) for key in ("C", "G", "Em")]

    book = book_of(scores)

    assert book.startswith("%abc-2.1\nX:1\n")
    for score, text in zip(scores, book.split("\n\n"), strict=True):
        for accidentals_last in ("not", "octave", "pitch"):
            tune = read_abc(text.rstrip("\n") + "\n", accidentals_last)
            assert [pitch for *_, pitch in tune.melody] == [note.pitch for note in score.melody]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_kind_s_music21_reads_the_pitches_of_a_tune_and_of_a_book():
    converter = pytest.importorskip("music21.converter")
    score = sing(*[12] * 5, pitches=(70, 70, 69, 82, 58))
    other = sing(*[12] * 5, pitches=(66, 67, 66, 65, 66), key="Am")

    def pitches_of(parsed):
        return [pitch.midi for note in parsed.recurse().notes for pitch in note.pitches]

    alone = converter.parseData(to_abc(score), format="abc")
    book = converter.parseData(book_of([score, other]), format="abc")
    without_version = converter.parseData(to_abc(score).split("\n", 1)[1], format="abc")

    expected = [note.pitch for note in score.melody]
    assert pitches_of(alone) == pitches_of(without_version) == expected
    assert [pitches_of(tune) for tune in book.scores] == [
        expected,
        [note.pitch for note in other.melody],
    ]


@pytest.mark.filterwarnings("ignore:builtin type .* has no __module__:DeprecationWarning")
def test_kind_s_verovio_plays_the_pitches():
    verovio = pytest.importorskip("verovio")
    score = sing(*[24] * 8, pitches=(70, 70, 69, 82, 66, 66, 65, 66), key="D")

    toolkit = verovio.toolkit()
    toolkit.setOptions({"inputFrom": "abc"})
    assert toolkit.loadData(to_abc(score))
    toolkit.renderToSVG(1)
    midi = mido.MidiFile(file=io.BytesIO(base64.b64decode(toolkit.renderToMIDI())))

    played = [message for message in midi if message.type == "note_on" and message.velocity > 0]
    assert [message.note for message in played] == [note.pitch for note in score.melody]


def test_a_bar_line_ends_the_accidentals():
    score = sing(96, 96, 96, 96, pitches=(66, 66, 65, 66))

    assert bars_of(score) == ["^F8", "^F8", "F8", "^F8"]


# Chord symbols


def test_a_chord_has_a_symbol_where_it_changes_and_none_where_it_is_repeated():
    g = (43, 47, 50)
    a_minor = (45, 48, 52)

    score = sing(96, 96, chords=strum(g, g, a_minor, g))

    assert read_abc(to_abc(score)).symbols == [(0, "G"), (96, "Am"), (144, "G")]


def test_kind_m_a_fifth_in_a_minor_tune_is_a_minor_chord():
    score = sing(
        24, 24, 24, 24, pitches=(69, 72, 76, 72), key="Am", chords=(Chord(0, 96, (45, 52)),)
    )

    assert read_abc(to_abc(score)).symbols == [(0, "Am")]


def test_a_chord_that_starts_within_a_note_cuts_it_with_a_tie():
    chords = (Chord(0, 24, (45, 48, 52)), Chord(24, 24, (43, 47, 50)), Chord(108, 60, (48, 52, 55)))
    score = sing(96, -24, 24, chords=chords)

    assert bars_of(score) == ['"Am"B2-"G"B6', 'z"C"zB2 z2']
    assert assert_reads_back(score).symbols == [(0, "Am"), (24, "G"), (108, "C")]


# Bars and lines


def test_a_tune_that_starts_before_its_first_chord_has_a_pick_up():
    score = sing(*[12] * 9, chords=(Chord(12, 96, (43, 47, 50)),))

    assert bars_of(score) == ["B", '"G"BBBB BBBB']


def test_a_tune_that_starts_with_a_rest_has_no_pick_up():
    score = sing(-6, 6, 96, chords=(Chord(12, 96, (43, 47, 50)),))

    assert read_abc(to_abc(score)).bars == [96, 12]


def test_a_first_chord_after_the_first_bar_makes_no_pick_up():
    score = sing(200, chords=(Chord(100, 20, (43,)),))

    assert read_abc(to_abc(score)).bars == [96, 96, 8]


@pytest.mark.parametrize(
    "score, expected",
    [
        (sing(*[96] * 9), [4, 4, 1]),
        (sing(-72, 24, *[96] * 8), [5, 4]),
        (sing(24, *[96] * 8, chords=(Chord(24, 96, (43,)),)), [5, 4]),
    ],
    ids=["no pick-up", "pick-up after a rest", "pick-up before the first chord"],
)
def test_lines_hold_four_bars_and_the_first_also_the_pick_up(score, expected):
    lines = to_abc(score).splitlines()[7:]

    assert [line.count("|") for line in lines] == expected


def test_an_empty_score_is_one_bar_of_rest():
    lines = to_abc(Score((), time_signature=(3, 4))).splitlines()

    assert lines == ["%abc-2.1", "X:1", "T:Untitled", "M:3/4", "L:1/8", "Q:1/4=120", "K:C", "z6|]"]


# The header


@pytest.mark.parametrize("pitches", [(67, 71, 74, 78, 72, 69, 67), (69, 72, 76, 71, 68, 69)])
def test_a_tune_without_a_key_is_written_in_the_estimated_one(pitches):
    score = sing(*[24] * len(pitches), pitches=pitches, key=None)

    assert read_abc(to_abc(score)).fields["K"] == estimate_key(score)
    assert_reads_back(score)


def test_a_tune_whose_notes_tell_no_key_is_written_without_signs():
    score = sing(*[24] * 12, pitches=range(60, 72), key=None)

    assert estimate_key(score) is None
    assert read_abc(to_abc(score)).fields["K"] == "C"
    assert_reads_back(score)


def test_a_tune_without_a_metre_is_written_in_bars_of_the_estimated_one():
    score = sing(*[24] * 15, chords=strum(*[(43, 47, 50)] * 5, ticks=72), time_signature=None)

    assert read_abc(to_abc(score)).fields["M"] == "3/4"
    assert read_abc(to_abc(score)).bars == [72] * 5


def test_chords_help_to_find_the_key():
    melody = sing(48, 48, pitches=(74,), key=None)
    chords = strum((38, 42, 45, 48), (43, 47, 50))

    assert read_abc(to_abc(melody)).fields["K"] == "D"
    harmonized = dataclasses.replace(melody, chords=chords)
    assert read_abc(to_abc(harmonized)).fields["K"] == "G"


def test_each_field_of_the_header_is_one_escaped_line():
    score = sing(24, name="100% Pure\nK:Fun \\o/", rhythm="slip jig", tempo_bpm=0.2)

    lines = to_abc(score, number=7).splitlines()

    assert lines[:-1] == [
        "%abc-2.1",
        "X:7",
        r"T:100\% Pure K:Fun \\o/",
        "R:slip jig",
        "M:4/4",
        "L:1/8",
        "Q:1/4=1",
        "K:C",
    ]


@pytest.mark.parametrize("meter", [(4, 3), (3, 64), (1, 5)])
def test_a_meter_that_the_grid_cannot_express_is_refused(meter):
    with pytest.raises(ValueError, match="thirty-seconds"):
        to_abc(sing(24, time_signature=meter))


def test_tunes_are_numbered_from_one():
    with pytest.raises(ValueError, match="received number=0"):
        to_abc(sing(24), number=0)

    assert to_abc(sing(24), number=np.int64(3)).splitlines()[1] == "X:3"


@pytest.mark.parametrize("number", [1.5, 2.0, True, "1", None], ids=repr)
def test_kind_r_a_number_that_is_not_whole_is_refused(number):
    with pytest.raises(ValueError, match="number of a tune must be a whole number"):
        to_abc(sing(24), number=number)


def test_kind_k_no_control_character_is_in_the_text():
    text = to_abc(sing(24, name="Tune\0\x1b$B", rhythm="jig\0\x85"))

    assert "T:Tune $B\nR:jig\n" in text
    assert text.replace("\n", "").isprintable()


# Engraving


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
