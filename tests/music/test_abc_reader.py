"""Claims about tfseqgan.music.abc_reader, and the modules that it reads with."""

import dataclasses
from fractions import Fraction

import pytest
from conftest import make_score

from tfseqgan.datasets.synthetic import compose_tunes
from tfseqgan.music.abc_fields import read_key, read_length, read_metre, read_tempo
from tfseqgan.music.abc_notation import to_abc
from tfseqgan.music.abc_reader import read_abc
from tfseqgan.music.abc_tokens import cut_line, write_out_repeats
from tfseqgan.music.chord_symbols import CHORD_QUALITIES, chord_symbol, read_chord_symbol
from tfseqgan.music.keys import parse_key
from tfseqgan.music.score import Chord, Note

HEADER = "X:1\nT:A tune\nM:4/4\nL:1/8\nK:C\n"
METRES = [(4, 4), (6, 8), (3, 4), (9, 8), (2, 2), (3, 2)]


@pytest.fixture
def read(tmp_path):
    """Reads the tunes of a text."""

    def read_text(text, encoding="utf-8"):
        path = tmp_path / "tunes.abc"
        path.write_bytes(text.encode(encoding))

        return read_abc(path)

    return read_text


@pytest.fixture
def melody_of(read):
    """Reads (start, duration, pitch) of music in 4/4 of C, in ticks."""

    def read_music(music, header=HEADER):
        [tune] = read(header + music + "\n")

        return [(note.start_ticks, note.duration_ticks, note.pitch) for note in tune.melody]

    return read_music


def pitches(melody):
    return [pitch for _, _, pitch in melody]


def durations(melody):
    return [duration for _, duration, _ in melody]


# What to_abc writes


def test_random_scores_come_back_from_abc(read, random_scores):
    scores = [
        dataclasses.replace(score, key="D", time_signature=METRES[index % 6], rhythm="jig")
        for index, score in enumerate(random_scores)
        if score.melody
    ]

    tunes = read("\n".join(to_abc(score, number) for number, score in enumerate(scores, 1)))

    for tune, score in zip(tunes, scores, strict=True):
        assert tune.melody == score.melody
        assert (tune.key, tune.time_signature) == (score.key, score.time_signature)
        assert (tune.name, tune.rhythm) == (score.name or "Untitled", "jig")


@pytest.mark.parametrize("key", ["Cb", "Eb", "C", "A", "C#", "Abm", "Dm", "A#m"])
def test_scores_come_back_in_every_kind_of_key(read, key):
    score = make_score(4, key=key, time_signature=(6, 8), tempo_bpm=97.0, name="x")

    [tune] = read(to_abc(score))

    assert (tune.melody, tune.key, tune.tempo_bpm) == (score.melody, key, 97.0)


def test_tunes_of_plain_chords_give_the_same_text_again(read):
    for score in compose_tunes(30, seed=4):
        text = to_abc(score)

        assert to_abc(*read(text)) == text


# Notes


@pytest.mark.parametrize(
    "music, expected",
    [
        ("C,, C, C c c' c''", [36, 48, 60, 72, 84, 96]),
        ("^C_D=E^^F__B", [61, 61, 64, 67, 69]),
        ("^Ffc|Ff", [66, 78, 72, 65, 77]),
        ("^F=FF", [66, 65, 65]),
        ("^F-|FF", [66, 65]),
        ("^F-|f[F^F]-|F", [66, 77, 65, 66]),
        ("^F-|=F", [66, 65]),
        ("[CEG]2", [60, 64, 67]),
    ],
)
def test_pitches(melody_of, music, expected):
    assert pitches(melody_of(music)) == expected


def test_the_key_signs_every_octave_and_naturals_undo_it(melody_of):
    assert pitches(melody_of("FfC=F|F", HEADER.replace("K:C", "K:D"))) == [66, 78, 61, 65, 66]


@pytest.mark.parametrize(
    "music, expected",
    [
        ("CC2C/C/2C//C3/2", [12, 24, 6, 6, 3, 18]),
        ("(3CDE F", [8, 8, 8, 12]),
        ("(3:2:2C2D F", [16, 8, 12]),
        ("(2CD (4CDEF (5CDEFG", [18, 18, 9, 9, 9, 9, 5, 5, 4, 5, 5]),
        ("C>D C>>D C<D", [18, 6, 21, 3, 6, 18]),
        ("C-C D-|D E", [24, 24, 12]),
        ("[CE]-[CE]", [24, 24]),
        ("CzC2", [12, 24]),
        ("C-zC C-ZC", [12, 12, 12, 12]),
    ],
)
def test_durations(melody_of, music, expected):
    assert durations(melody_of(music)) == expected


@pytest.mark.parametrize("metre, ticks", [("6/8", 36), ("12/8", 36), ("3/8", 24), ("3/4", 24)])
def test_a_tuplet_of_five_depends_on_whether_the_metre_is_compound(melody_of, metre, ticks):
    melody = melody_of("(5CDEFG A", HEADER.replace("4/4", metre))

    assert melody[-1][0] == ticks


def test_rests_take_time_and_whole_bars_too(melody_of):
    assert melody_of("Cz3Z2D") == [(0, 12, 60), (48 + 192, 12, 62)]


@pytest.mark.parametrize(
    "music",
    ["!trill!C~D.E", "{gab}C(DE)", '"^slow"C v D u E', "C D\\", "CyD `E", "C D!", "C D % E"],
)
def test_what_is_no_note_is_left_out(melody_of, music):
    assert pitches(melody_of(music))[:2] == [60, 62]
    assert len(melody_of(music)) in (2, 3)


def test_fields_within_the_music_hold_from_there(melody_of):
    music = "F2[L:1/4]F[K:G]Fz|\nK:Bb\nL:1/8\nB[M:3/4]Z|C"

    assert melody_of(music) == [
        (0, 24, 65),
        (24, 24, 65),
        (48, 24, 66),
        (96, 12, 70),
        (108 + 72, 12, 60),
    ]


# Repeats


@pytest.mark.parametrize(
    "music, expected",
    [
        ("|:A|1 B:|2 C||D|]", "ABACD"),
        ("A B:|C D:|", "ABABCDCD"),
        ("A||B:|", "ABB"),
        ("|:A||B:|", "ABAB"),
        ("|:A::B:|", "AABB"),
        ("|:A:||:B:|", "AABB"),
        ("|:A:|:B:|]", "AABB"),
        ("|::A::|B", "AAAB"),
        ("A:::|::B::|", "AAAABBB"),
        ("A" + 99 * ":" + "|", 9 * "A"),
        ("A|B|[1C:|[2D|]E", "ABCABDE"),
        ("|:A|1,3 B:|2 C:|4 D|]", "ABACABAD"),
        ("|:A|1-2 B:|3 C|]", "ABABAC"),
        ("|:A[1B:|[2C:|D|]", "ABACD"),
        ("d|:A|1B|C:|2E|F||", "dABCAEF"),
        ("A|B|]", "AB"),
    ],
)
def test_repeats_are_written_out(music, expected):
    tokens = write_out_repeats(cut_line(music, 1))

    assert "".join(token.text for token in tokens if token.kind == "note") == expected


def test_a_repeat_may_go_over_lines(melody_of):
    assert pitches(melody_of("|:C|D|\nE|1 F:|\n|2 G|]")) == [60, 62, 64, 65, 60, 62, 64, 67]
    assert pitches(melody_of("C|\nD:|\nE::\nF:|")) == [60, 62] * 2 + [64] * 2 + [65] * 2


@pytest.mark.parametrize(
    "music, expected",
    [
        ("|:F[K:D]F:|F|", [65, 66, 65, 66, 66]),
        ("F|\nK:D\n|:F|[K:C]F:|", [65, 66, 65, 66, 65]),
        ("|:F|1[K:D]F:|2F|", [65, 66, 65, 66]),
    ],
)
def test_a_repeated_part_is_in_the_key_in_which_it_stands(melody_of, music, expected):
    assert pitches(melody_of(music)) == expected


def test_a_repeated_part_has_the_length_of_a_note_with_which_it_begins(melody_of):
    assert durations(melody_of("|:F[L:1/4]F:|F|")) == [12, 24, 12, 24, 24]


# Chords


@pytest.mark.parametrize("quality", CHORD_QUALITIES)
@pytest.mark.parametrize("root", ["C", "F#", "Bb"])
def test_every_symbol_that_is_written_is_read(root, quality):
    found = read_chord_symbol(root + quality)

    intervals = {(pitch - found[0]) % 12 for pitch in found}
    assert intervals == {interval % 12 for interval in CHORD_QUALITIES[quality]}
    assert 36 <= found[0] < 48 and found[-1] < found[0] + 12


@pytest.mark.parametrize(
    "symbol, same",
    [
        ("Amin", "Am"),
        ("Gmaj", "G"),
        ("G13", "G"),
        ("B°", "Bdim"),
        ("B°7", "Bdim7"),
        ("Bø", "Bm7b5"),
        ("D/f#", "D/F#"),
        ("B♭m7", "Bbm7"),
        ("D/F♯", "D/F#"),
    ],
)
def test_other_names_of_chords(symbol, same):
    assert read_chord_symbol(symbol) == read_chord_symbol(same) != ()


@pytest.mark.parametrize("text", ["N.C.", "D.C.", "D.S. al Fine", "Fine", "Dal Segno", "A 2x", ""])
def test_an_annotation_is_no_chord(text):
    assert read_chord_symbol(text) == ()


def test_a_bass_after_a_slash_is_lowest():
    chord = read_chord_symbol("D/F#")

    assert chord == (42, 45, 50)
    assert chord_symbol(chord, parse_key("D")) == "D/F#"


def test_a_chord_sounds_until_the_next_symbol_or_the_end(read):
    [tune] = read(HEADER + '"C"C4"^loud""G7"D4|"Am"E8|\n')

    assert tune.chords == (
        Chord(0, 48, (36, 40, 43)),
        Chord(48, 48, (43, 47, 50, 53)),
        Chord(96, 96, (45, 48, 52)),
    )


# Pick-ups


def test_a_pick_up_before_the_first_chord_begins_at_tick_0(read):
    [tune] = read(HEADER + 'G2|"C"C8|"F"F8|]\n')

    assert tune.melody[0] == Note(0, 24, 67)
    assert tune.chords[0].start_ticks == 24


@pytest.mark.parametrize("music", ["G2|C8|F8|]", '"G"G2|"C"C8|"F"F8|]'])
def test_another_pick_up_begins_with_a_rest_that_completes_the_bar(read, music):
    [tune] = read(HEADER + music + "\n")

    assert [note.start_ticks for note in tune.melody] == [72, 96, 192]
    assert all(chord.start_ticks >= 72 for chord in tune.chords)


# Fields and files


def test_fields_as_values():
    assert [read_metre(text) for text in ("C", "C|", "2+3/8", "12/8", "none", "")] == [
        (4, 4),
        (2, 2),
        (5, 8),
        (12, 8),
        None,
        None,
    ]
    assert read_length("1/16") == Fraction(1, 16)
    assert [read_tempo(text) for text in ("1/4=90", "3/8=60", "60", "1/4 1/8=80", '"slow"')] == [
        90,
        90,
        60,
        120,
        None,
    ]


@pytest.mark.parametrize(
    "text, key, sharps",
    [
        ("G", "G", 1),
        ("Em", "Em", 1),
        ("E minor", "Em", 1),
        ("Ador", "Am", 1),
        ("D Mixolydian", "D", 1),
        ("F lyd", "F", 0),
        ("Ephr", "Em", 0),
        ("Bloc", "Bm", 0),
        ("Bbmaj", "Bb", -2),
        ("G clef=treble", "G", 1),
        ("G clef=bass", "G", 1),
        ("Ador middle=d", "Am", 1),
        ("Em bass", "Em", 1),
        ("clef=alto", None, 0),
        ("bass", None, 0),
        ("HP", None, 0),
        ("Hp", None, 2),
        ("none", None, 0),
        ("", None, 0),
    ],
)
def test_a_mode_has_its_signature_and_the_key_of_its_third(text, key, sharps):
    assert read_key(text) == (key, sharps)


@pytest.mark.parametrize("text", ["H", "G#", "Gbm loc", "C exp ^f", "D exp =c clef=bass"])
def test_a_key_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match=r"K:.*expected a"):
        read_key(text)


@pytest.mark.parametrize("metre, ticks", [("2/4", 6), ("3/4", 12), ("6/8", 12), ("C", 12)])
def test_the_unit_without_the_field_depends_on_the_metre(melody_of, metre, ticks):
    header = f"X:1\nM:{metre}\nK:C\n"

    assert durations(melody_of("C", header)) == [ticks]


def test_several_tunes_stand_between_empty_lines_and_other_text_is_left_out(read):
    one_text = "X:1\nT:One\nK:C\nC|\n"
    two_text = "X:7\nT:Two\nT:or 2\nK:G\nF|\nw:la\n"

    one, two = read(f"%abc-2.1\nA book of tunes.\n\n{one_text}\nNotes on it.\n\n{two_text}")

    assert (one.name, one.melody[0].pitch) == ("One", 60)
    assert (two.name, two.melody[0].pitch, two.time_signature) == ("Two", 66, None)


def test_titles_in_other_encodings_and_line_ends_of_windows(read):
    [tune] = read("X:1\r\nT:Café\r\nK:C\r\nC|\r\n", encoding="cp1252")

    assert tune.name == "Café"


@pytest.mark.parametrize(
    "text, message",
    [
        ("X:3\nT:Two\nM:4/4\nK:C\nCDE|\nFG ?A|\n", r"tune X:3, line 6: '\?A\|'"),
        ("X:3\nM:four\nK:C\nC|\n", "tune X:3, line 2: M:four is no metre"),
        ("X:3\nQ:1/4=1\nL:1\nK:G\nK:H\nC|\n", "tune X:3, line 5: K:H is no key"),
        ("X:3\nT:No key\nCDE|\n", "tune X:3, line 3: The header has no key"),
        ("X:3\nL:0\nK:C\nC|\n", "line 2: L:0 is no length"),
        ("X:3\nK:C\nz4|\n", "tune X:3, line 3: The tune has no notes"),
        ("X:3\nK:C\nC0|\n", "line 3: '0' is no length"),
        ("X:3\nK:C\nC/0|\n", "line 3: '/0' is no length"),
        ("X:3\nK:C\n(1C|\n", r"line 3: '\(1' is no tuplet"),
        ("X:3\nK:C\nC\nZ99999|\n", "line 4: The tune lasts more than 4096 whole notes"),
        ("X:3\nK:C\nC[23D|\n", "line 3: Ending 23 is impossible"),
        ("X:3\nK:C\nV:1\nC|\nV:2\nE|\n", "line 5: The tune has several voices, '1' and '2'"),
        (
            "X:3\nK:C\n[V:1]C|[V:2 clef=bass]E|\n",
            "line 3: The tune has several voices, '1' and '2'",
        ),
        ("X:3\nK:C\nC''''''|\n", "X:3.*pitch"),
        ("no music\n", "holds no tune: expected ABC"),
        ("", "holds no tune"),
    ],
)
def test_errors_name_the_file_the_tune_and_the_line(read, text, message):
    with pytest.raises(ValueError, match=message) as error:
        read(text)

    assert "tunes.abc" in str(error.value)


@pytest.mark.parametrize("name", ["100% Pure", r"The \o/ Reel", r"\%", "Fun: K:G"])
def test_names_come_back_from_their_escapes(read, name):
    score = make_score(4, key="D", time_signature=(6, 8), name=name, rhythm=name)

    [tune] = read(to_abc(score))

    assert (tune.name, tune.rhythm) == (name, name)


def test_a_missing_file_is_the_systems_own_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_abc(tmp_path / "missing.abc")
