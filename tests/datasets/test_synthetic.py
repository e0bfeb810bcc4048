"""What must be true of every session tune, read from the scores alone."""

import collections
import dataclasses
import itertools

import pytest

from tfseqgan.datasets.synthetic import KEYS, RHYTHMS, compose_tunes
from tfseqgan.music.score import transpose

NUM_TUNES = 400
BARS = 32
GROUP_TICKS = {"jig": 36, "reel": 48, "waltz": 72, "hornpipe": 48}
PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MAJOR_STEPS, MINOR_STEPS = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
MODAL_STEPS = {False: {*MAJOR_STEPS, 10}, True: {*MINOR_STEPS, 9}}


@pytest.fixture(scope="module")
def tunes():
    return compose_tunes(NUM_TUNES, seed=0)


def tonic_of(tune):
    return PITCH_CLASSES[tune.key[0]]


def first_bar_line(tune):
    return tune.chords[0].start_ticks


def bar_ticks(tune):
    beats, unit = tune.time_signature
    return beats * 96 // unit


def events_between(events, start, end):
    """The events from one tick to another, counted from the first."""
    return [
        dataclasses.replace(event, start_ticks=event.start_ticks - start)
        for event in events
        if start <= event.start_ticks < end
    ]


def halves_of_repeats(tune):
    """For parts A and B: the start of its first and of its second playing, and how long both are the same."""
    part = 8 * bar_ticks(tune)
    for number in (0, 2):
        start = first_bar_line(tune) + number * part
        yield start, start + part, part - GROUP_TICKS[tune.rhythm]


def onset_tokens(tune):
    melody = {note.start_ticks: (note.duration_ticks, note.pitch) for note in tune.melody}
    chords = {chord.start_ticks: (chord.duration_ticks, chord.pitches) for chord in tune.chords}
    return [(melody.get(start), chords.get(start)) for start in sorted({*melody, *chords})]


def test_the_same_seed_gives_the_same_tunes_and_another_seed_gives_others(tunes):
    assert compose_tunes(20, seed=0) == compose_tunes(20, seed=0)
    others = compose_tunes(20, seed=1)
    assert all(tune.melody != other.melody for tune, other in zip(tunes, others))


def test_a_tune_does_not_depend_on_how_many_are_composed(tunes):
    assert compose_tunes(7, seed=0) == tunes[:7]


def test_every_kind_stands_in_every_key_equally_often(tunes):
    counts = collections.Counter((tune.rhythm, tune.key) for tune in tunes)
    assert counts == {(rhythm, key): NUM_TUNES // 40 for rhythm in RHYTHMS for key in KEYS}


def test_the_time_signature_and_the_tempo_are_those_of_the_dance(tunes):
    signatures = {"jig": (6, 8), "reel": (4, 4), "waltz": (3, 4), "hornpipe": (4, 4)}
    tempos = {"jig": (160, 190), "reel": (180, 220), "waltz": (100, 150), "hornpipe": (140, 180)}
    for tune in tunes:
        low, high = tempos[tune.rhythm]
        assert tune.time_signature == signatures[tune.rhythm]
        assert low <= tune.tempo_bpm <= high


def test_every_tune_is_thirty_two_whole_bars_after_a_pick_up_shorter_than_a_bar(tunes):
    for tune in tunes:
        assert tune.end_ticks - first_bar_line(tune) == BARS * bar_ticks(tune)
        assert 0 <= first_bar_line(tune) < bar_ticks(tune)


def test_neither_voice_ever_rests_and_no_note_crosses_a_bar_line(tunes):
    for tune in tunes:
        assert tune.melody[0].start_ticks == 0
        for voice in (tune.melody, tune.chords):
            assert all(
                before.end_ticks == after.start_ticks for before, after in itertools.pairwise(voice)
            )
        for event in tune.melody + tune.chords:
            start = event.start_ticks - first_bar_line(tune)
            assert start // bar_ticks(tune) == (start + event.duration_ticks - 1) // bar_ticks(tune)


def test_some_tunes_of_every_kind_begin_with_a_pick_up_and_some_do_not(tunes):
    assert {(tune.rhythm, first_bar_line(tune) > 0) for tune in tunes} == set(
        itertools.product(RHYTHMS, (False, True))
    )


def test_both_parts_repeat_exactly_up_to_their_endings(tunes):
    for tune in tunes:
        for first, second, length in halves_of_repeats(tune):
            for voice in (tune.melody, tune.chords):
                assert events_between(voice, first, first + length) == events_between(
                    voice, second, second + length
                )


def test_the_second_part_is_another_tune_than_the_first_and_mostly_higher(tunes):
    rises = 0
    for tune in tunes:
        (first, _, length), (second, _, _) = halves_of_repeats(tune)
        a, b = (events_between(tune.melody, start, start + length) for start in (first, second))
        assert a != b
        rises += sum(note.pitch * note.duration_ticks for note in b) > sum(
            note.pitch * note.duration_ticks for note in a
        )
    assert rises > 0.9 * NUM_TUNES


def test_a_part_brings_its_opening_bar_back(tunes):
    """In the first part bar 1 returns in bar 5, or moves to another chord in bars 3 or 5: its rhythm is heard again."""
    for tune in tunes:
        bar, start = bar_ticks(tune), first_bar_line(tune)
        rhythms = [
            [
                (note.start_ticks, note.duration_ticks)
                for note in events_between(tune.melody, start + at * bar, start + (at + 1) * bar)
            ]
            for at in (0, 2, 4)
        ]
        assert rhythms[0] in rhythms[1:]


def test_every_pitch_lies_within_the_first_position_of_a_fiddle(tunes):
    pitches = {note.pitch for tune in tunes for note in tune.melody}
    assert min(pitches) == 62 and max(pitches) == 83


def test_no_leap_is_wider_than_an_octave_and_most_moves_are_steps(tunes):
    leaps = [
        abs(after.pitch - before.pitch)
        for tune in tunes
        for before, after in itertools.pairwise(tune.melody)
    ]
    assert max(leaps) <= 12
    assert sum(leap <= 2 for leap in leaps) > 0.5 * len(leaps)
    assert sum(leap > 7 for leap in leaps) < 0.02 * len(leaps)


def test_strong_beats_are_chord_tones(tunes):
    for tune in tunes:
        melody = {note.start_ticks: note.pitch for note in tune.melody}
        for chord in tune.chords:
            assert melody[chord.start_ticks] % 12 in {pitch % 12 for pitch in chord.pitches}


def test_chords_are_full_triads_struck_on_every_strong_beat_in_the_left_hand(tunes):
    triads = {frozenset((0, 4, 7)), frozenset((0, 3, 7))}
    for tune in tunes:
        for number, chord in enumerate(tune.chords):
            root = chord.pitches[0]
            assert frozenset((pitch - root) % 12 for pitch in chord.pitches) in triads
            assert 36 <= root < 48 and chord.pitches[-1] <= 62
            assert chord.duration_ticks == GROUP_TICKS[tune.rhythm]
            assert chord.start_ticks == first_bar_line(tune) + number * chord.duration_ticks


def test_every_part_ends_on_the_tonic_over_the_tonic_chord_and_the_tune_holds_it_long(tunes):
    for tune in tunes:
        tonics = {note.start_ticks for note in tune.melody if note.pitch % 12 == tonic_of(tune)}
        for first, second, length in halves_of_repeats(tune):
            assert {first + length, second + length} <= tonics
        assert tune.chords[-1].pitches[0] % 12 == tonic_of(tune)
        assert tune.melody[-1].duration_ticks == GROUP_TICKS[tune.rhythm]


def test_a_dominant_prepares_the_end_of_every_part(tunes):
    """The chord on the fifth step, or in a modal tune the chord a tone below the tonic."""
    for tune in tunes:
        for first, _, _ in halves_of_repeats(tune):
            last_bar = first + 7 * bar_ticks(tune)
            before = next(chord for chord in tune.chords if chord.end_ticks == last_bar)
            assert (before.pitches[0] - tonic_of(tune)) % 12 in (7, 10)


def test_every_pitch_belongs_to_the_key_or_its_usual_mode_and_a_tune_has_one_scale(tunes):
    for tune in tunes:
        minor = tune.key.endswith("m")
        pitches = {note.pitch for note in tune.melody} | {
            pitch for chord in tune.chords for pitch in chord.pitches
        }
        steps = {(pitch - tonic_of(tune)) % 12 for pitch in pitches}
        assert steps <= MODAL_STEPS[minor]
        assert not ({8, 9} if minor else {10, 11}) <= steps


def test_rhythms_are_those_of_the_dance(tunes):
    usual = {
        "jig": {12, 24, 36},
        "reel": {12, 24, 36, 48},
        "waltz": {12, 24, 36, 48, 72},
        "hornpipe": {6, 8, 18, 24, 48},
    }
    heard = collections.defaultdict(collections.Counter)
    for tune in tunes:
        heard[tune.rhythm].update(note.duration_ticks for note in tune.melody)
    assert {rhythm: set(counts) for rhythm, counts in heard.items()} == usual
    commonest = {rhythm: counts.most_common(1)[0][0] for rhythm, counts in heard.items()}
    assert (
        commonest["jig"] == commonest["reel"] == 12
        and commonest["waltz"] == 24
        and commonest["hornpipe"] in (6, 18)
    )


def test_a_model_learns_several_hundred_tokens_and_meets_most_of_them_often(tunes):
    counts = collections.Counter(token for tune in tunes for token in onset_tokens(tune))
    assert 300 < len(counts) < 900
    assert sum(count for count in counts.values() if count >= 20) > 0.95 * counts.total()


def test_no_two_tunes_are_the_same_even_transposed(tunes):
    def fingerprint(tune):
        return tuple(
            (note.duration_ticks, note.pitch - tune.melody[0].pitch) for note in tune.melody
        )

    assert fingerprint(transpose(tunes[0], 3)) == fingerprint(tunes[0])
    assert len({fingerprint(tune) for tune in tunes}) == NUM_TUNES


def test_names_are_set_and_seldom_shared(tunes):
    assert all(tune.name and "{" not in tune.name for tune in tunes)
    assert len({tune.name for tune in tunes}) > 0.8 * NUM_TUNES


@pytest.mark.parametrize("num_tunes, seed", [(0, 0), (-1, 0), (3, -1)])
def test_a_corpus_of_no_tunes_or_a_negative_seed_is_refused(num_tunes, seed):
    with pytest.raises(ValueError, match="num_tunes of 1 or more and a seed of 0 or more"):
        compose_tunes(num_tunes, seed)
