"""Claims about every synthetic tune, checked on the scores alone."""

import collections
import dataclasses
import itertools

import pytest
from dataset_files import all_tunes

from tfseqgan.datasets.synthetic import KEYS, RHYTHMS, compose_tunes, synthetic_tunes
from tfseqgan.music.score import transpose

NUM_TUNES = 400
BARS = 32
GROUP_TICKS = {"jig": 36, "reel": 48, "waltz": 72, "hornpipe": 48}
PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MAJOR_STEPS = (0, 2, 4, 5, 7, 9, 11)
MINOR_STEPS = (0, 2, 3, 5, 7, 8, 10)
MODAL_STEPS = {False: {*MAJOR_STEPS, 10}, True: {*MINOR_STEPS, 9}}  # by whether the key is minor


@pytest.fixture(scope="module")
def tunes():
    return compose_tunes(NUM_TUNES, seed=0)


def tonic_of(tune):
    """Returns the pitch class of the tonic."""
    return PITCH_CLASSES[tune.key[0]]


def first_bar_line(tune):
    """Returns the tick of the first bar line, where the pick-up ends."""
    return tune.chords[0].start_ticks


def bar_ticks(tune):
    """Returns the duration of a bar."""
    beats, unit = tune.time_signature

    return beats * 96 // unit


def events_between(events, start, end):
    """Returns the events that start in a range of ticks, with times counted from its start."""
    return [
        dataclasses.replace(event, start_ticks=event.start_ticks - start)
        for event in events
        if start <= event.start_ticks < end
    ]


def repeats_of(tune):
    """Returns, for A and for B, the starts of both playings and the ticks without the ending."""
    part_ticks = 8 * bar_ticks(tune)
    ticks_without_ending = part_ticks - GROUP_TICKS[tune.rhythm]
    a_start = first_bar_line(tune)
    b_start = a_start + 2 * part_ticks

    return [(start, start + part_ticks, ticks_without_ending) for start in (a_start, b_start)]


def onset_tokens(tune):
    """Returns what starts at each onset: (note, chord), each without its time."""
    melody = {note.start_ticks: (note.duration_ticks, note.pitch) for note in tune.melody}
    chords = {chord.start_ticks: (chord.duration_ticks, chord.pitches) for chord in tune.chords}

    return [(melody.get(start), chords.get(start)) for start in sorted({*melody, *chords})]


# The corpus.


@pytest.mark.slow
def test_the_default_corpus_keeps_the_hash_that_exported_cards_hold():
    corpus = synthetic_tunes()

    assert corpus.name == "session"
    assert corpus.sha256 == "ba8651cca45e9492bdd46fe1c2fc2bc740649788e5642a7a0575dc02352493de"


def test_a_corpus_is_the_same_for_the_same_seed_and_another_for_another_seed():
    corpus = synthetic_tunes(seed=0, num_tunes=20)
    same_seed = synthetic_tunes(seed=0, num_tunes=20)
    other_seed = synthetic_tunes(seed=1, num_tunes=20)

    assert corpus == same_seed
    assert corpus.sha256 != other_seed.sha256
    assert (len(corpus.train), len(corpus.validation)) == (18, 2)
    assert all(score.rhythm and score.key for score in all_tunes(corpus))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_tunes_and_another_seed_gives_others(tunes):
    other_tunes = compose_tunes(20, seed=1)

    assert compose_tunes(20, seed=0) == tunes[:20]
    assert all(
        tune.melody != other.melody for tune, other in zip(tunes[:20], other_tunes, strict=True)
    )


@pytest.mark.slow
def test_a_tune_does_not_depend_on_how_many_are_composed(tunes):
    assert compose_tunes(7, seed=0) == tunes[:7]


def test_every_kind_occurs_in_every_key_equally_often(tunes):
    counts = collections.Counter((tune.rhythm, tune.key) for tune in tunes)

    assert counts == {(rhythm, key): NUM_TUNES // 40 for rhythm in RHYTHMS for key in KEYS}


def test_no_two_tunes_are_the_same_even_transposed(tunes):
    def relative_melody(tune):
        first_pitch = tune.melody[0].pitch
        return tuple((note.duration_ticks, note.pitch - first_pitch) for note in tune.melody)

    assert relative_melody(transpose(tunes[0], 3)) == relative_melody(tunes[0])
    assert len({relative_melody(tune) for tune in tunes}) == NUM_TUNES


def test_every_tune_has_a_name_and_few_tunes_share_one(tunes):
    assert all(tune.name and "{" not in tune.name for tune in tunes)
    assert len({tune.name for tune in tunes}) > 0.8 * NUM_TUNES


def test_a_model_sees_several_hundred_tokens_and_most_of_them_often(tunes):
    counts = collections.Counter(token for tune in tunes for token in onset_tokens(tune))

    assert 300 < len(counts) < 900
    assert sum(count for count in counts.values() if count >= 20) > 0.95 * counts.total()


@pytest.mark.parametrize("num_tunes, seed", [(0, 0), (-1, 0), (3, -1)])
def test_a_corpus_of_no_tunes_or_a_negative_seed_is_refused(num_tunes, seed):
    with pytest.raises(ValueError, match="num_tunes of 1 or more and a seed of 0 or more"):
        compose_tunes(num_tunes, seed)


# Metre and form.


def test_the_time_signature_and_the_tempo_are_those_of_the_dance(tunes):
    signatures = {"jig": (6, 8), "reel": (4, 4), "waltz": (3, 4), "hornpipe": (4, 4)}
    tempos = {"jig": (160, 190), "reel": (180, 220), "waltz": (100, 150), "hornpipe": (140, 180)}

    for tune in tunes:
        slowest, fastest = tempos[tune.rhythm]
        assert tune.time_signature == signatures[tune.rhythm]
        assert slowest <= tune.tempo_bpm <= fastest


def test_every_tune_has_thirty_two_whole_bars_after_a_pick_up_shorter_than_a_bar(tunes):
    for tune in tunes:
        assert tune.end_ticks - first_bar_line(tune) == BARS * bar_ticks(tune)
        assert 0 <= first_bar_line(tune) < bar_ticks(tune)


def test_some_tunes_of_every_kind_begin_with_a_pick_up_and_some_do_not(tunes):
    found = {(tune.rhythm, first_bar_line(tune) > 0) for tune in tunes}

    assert found == set(itertools.product(RHYTHMS, (False, True)))


def test_neither_voice_ever_rests_and_no_note_crosses_a_bar_line(tunes):
    for tune in tunes:
        assert tune.melody[0].start_ticks == 0

        for voice in (tune.melody, tune.chords):
            assert all(
                before.end_ticks == after.start_ticks for before, after in itertools.pairwise(voice)
            )

        for event in tune.melody + tune.chords:
            first_tick = event.start_ticks - first_bar_line(tune)
            last_tick = first_tick + event.duration_ticks - 1
            assert first_tick // bar_ticks(tune) == last_tick // bar_ticks(tune)


def test_both_parts_repeat_exactly_up_to_their_endings(tunes):
    for tune in tunes:
        for first, second, ticks in repeats_of(tune):
            for voice in (tune.melody, tune.chords):
                first_playing = events_between(voice, first, first + ticks)
                second_playing = events_between(voice, second, second + ticks)
                assert first_playing == second_playing


def test_the_second_part_differs_from_the_first_and_is_mostly_higher(tunes):
    def summed_pitch(notes):
        return sum(note.pitch * note.duration_ticks for note in notes)

    num_rises = 0
    for tune in tunes:
        (a_start, _, ticks), (b_start, _, _) = repeats_of(tune)
        a = events_between(tune.melody, a_start, a_start + ticks)
        b = events_between(tune.melody, b_start, b_start + ticks)

        assert a != b
        num_rises += summed_pitch(b) > summed_pitch(a)

    assert num_rises > 0.9 * NUM_TUNES


def test_the_rhythm_of_the_opening_bar_returns_in_bar_3_or_5(tunes):
    """The melody of bar 1 returns in bar 5, or moves to another chord in bar 3 or 5."""
    for tune in tunes:
        rhythms = []
        for bar in (1, 3, 5):
            start = first_bar_line(tune) + (bar - 1) * bar_ticks(tune)
            notes = events_between(tune.melody, start, start + bar_ticks(tune))
            rhythms.append([(note.start_ticks, note.duration_ticks) for note in notes])

        assert rhythms[0] in rhythms[1:]


# Melody.


def test_every_pitch_lies_within_the_first_position_of_a_fiddle(tunes):
    pitches = {note.pitch for tune in tunes for note in tune.melody}

    assert min(pitches) == 62
    assert max(pitches) == 83


def test_no_leap_is_wider_than_an_octave_and_most_moves_are_steps(tunes):
    leaps = [
        abs(after.pitch - before.pitch)
        for tune in tunes
        for before, after in itertools.pairwise(tune.melody)
    ]

    assert max(leaps) <= 12
    assert sum(leap <= 2 for leap in leaps) > 0.5 * len(leaps)
    assert sum(leap > 7 for leap in leaps) < 0.02 * len(leaps)


def test_durations_are_those_of_the_dance(tunes):
    expected = {
        "jig": {12, 24, 36},
        "reel": {12, 24, 36, 48},
        "waltz": {12, 24, 36, 48, 72},
        "hornpipe": {6, 8, 18, 24, 48},
    }
    counts = collections.defaultdict(collections.Counter)
    for tune in tunes:
        counts[tune.rhythm].update(note.duration_ticks for note in tune.melody)

    assert {rhythm: set(durations) for rhythm, durations in counts.items()} == expected
    most_common = {rhythm: found.most_common(1)[0][0] for rhythm, found in counts.items()}
    assert most_common["jig"] == most_common["reel"] == 12
    assert most_common["waltz"] == 24
    assert most_common["hornpipe"] in (6, 18)


# Harmony.


def test_strong_beats_are_chord_tones(tunes):
    for tune in tunes:
        pitches = {note.start_ticks: note.pitch for note in tune.melody}
        for chord in tune.chords:
            chord_tones = {pitch % 12 for pitch in chord.pitches}
            assert pitches[chord.start_ticks] % 12 in chord_tones


def test_chords_are_full_triads_struck_on_every_strong_beat_in_the_left_hand(tunes):
    major_triad = frozenset((0, 4, 7))
    minor_triad = frozenset((0, 3, 7))

    for tune in tunes:
        for number, chord in enumerate(tune.chords):
            bass = chord.pitches[0]
            triad = frozenset((pitch - bass) % 12 for pitch in chord.pitches)
            assert triad in (major_triad, minor_triad)
            assert 36 <= bass < 48
            assert chord.pitches[-1] <= 62
            assert chord.duration_ticks == GROUP_TICKS[tune.rhythm]
            assert chord.start_ticks == first_bar_line(tune) + number * chord.duration_ticks


def test_every_part_ends_on_the_tonic_over_the_tonic_chord_and_the_last_tonic_is_long(tunes):
    for tune in tunes:
        tonic_onsets = {
            note.start_ticks for note in tune.melody if note.pitch % 12 == tonic_of(tune)
        }
        for first, second, ticks in repeats_of(tune):
            assert {first + ticks, second + ticks} <= tonic_onsets

        assert tune.chords[-1].pitches[0] % 12 == tonic_of(tune)
        assert tune.melody[-1].duration_ticks == GROUP_TICKS[tune.rhythm]


def test_a_dominant_prepares_the_end_of_every_part(tunes):
    """The dominant is the chord on step 5, or in a modal tune the one a tone below the tonic."""
    for tune in tunes:
        for start, _, _ in repeats_of(tune):
            last_bar = start + 7 * bar_ticks(tune)
            before = next(chord for chord in tune.chords if chord.end_ticks == last_bar)
            assert (before.pitches[0] - tonic_of(tune)) % 12 in (7, 10)


def test_every_pitch_belongs_to_the_key_or_its_usual_mode_and_a_tune_has_one_scale(tunes):
    for tune in tunes:
        is_minor = tune.key.endswith("m")
        pitches = {note.pitch for note in tune.melody}
        pitches |= {pitch for chord in tune.chords for pitch in chord.pitches}

        steps = {(pitch - tonic_of(tune)) % 12 for pitch in pitches}

        assert steps <= MODAL_STEPS[is_minor]
        both_modes = {8, 9} if is_minor else {10, 11}
        assert not both_modes <= steps
