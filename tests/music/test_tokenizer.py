"""Claims about tfseqgan.music.tokenizer."""

import json
import logging
import time

import numpy as np
import pytest
from conftest import make_score

from tfseqgan.music.chord_voicing import close_chords
from tfseqgan.music.encoded import TokenizationError
from tfseqgan.music.events import Event, score_to_events
from tfseqgan.music.score import ALL_TRANSPOSITIONS, Note, Score, transpose
from tfseqgan.music.tokenizer import Tokenizer

NOTHING = (0, (), ())
SCALE = Score(tuple(Note(24 * index, 24, 60 + index) for index in range(5)), name="a scale")


@pytest.fixture(scope="module")
def tokenizer(random_scores):
    """A tokenizer that knows all events of the random scores."""
    return Tokenizer.fit(random_scores)


def test_decoding_gives_the_encoded_tune_back_note_for_note(tokenizer, random_scores):
    for score in random_scores:
        tokens = tokenizer.encode(score)

        assert tokens.dtype == np.int32
        assert tokens[0] == tokenizer.start_token_id
        assert tokens[-1] == tokenizer.end_token_id
        assert tokenizer.decode(tokens, name=score.name) == score


def test_the_special_ids_come_first_and_mean_no_event(tokenizer):
    assert tokenizer.pad_token_id == 0
    assert tokenizer.start_token_id == 1
    assert tokenizer.end_token_id == 2
    assert tokenizer.vocabulary_size == 3 + len(tokenizer.events)


def test_the_vocabulary_is_ordered_from_frequent_to_rare(tokenizer, random_scores):
    tokens = np.concatenate([tokenizer.encode(score)[1:-1] for score in random_scores])
    counts = np.bincount(tokens, minlength=tokenizer.vocabulary_size)[3:]

    assert (np.diff(counts) <= 0).all()
    assert counts[-1] >= 1


def test_the_vocabulary_does_not_depend_on_the_order_of_the_tunes(tokenizer, random_scores):
    assert Tokenizer.fit(random_scores[::-1]) == tokenizer


def test_a_minimum_count_keeps_the_events_that_occur_so_often(tokenizer, random_scores):
    tokens = np.concatenate([tokenizer.encode(score)[1:-1] for score in random_scores])
    num_frequent = (np.bincount(tokens)[3:] >= 3).sum()

    fitted = Tokenizer.fit(random_scores, minimum_count=3)

    assert fitted.events == tokenizer.events[:num_frequent]


def test_special_tokens_have_zero_features(tokenizer):
    features = tokenizer.token_features

    assert features.dtype == np.int32
    assert features.shape == (tokenizer.vocabulary_size, 6)
    assert (features[:3] == 0).all()


@pytest.mark.parametrize("column", range(6))
def test_equal_features_mean_equal_fields(tokenizer, column):
    values = [event[column] for event in tokenizer.events]
    features = tokenizer.token_features[3:, column].tolist()

    # The pairs are as many as the values and as the features: a one-to-one relation.
    num_pairs = len(set(zip(values, features, strict=True)))
    assert len(set(values)) == num_pairs
    assert len(set(features)) == num_pairs

    for value, feature in zip(values, features, strict=True):
        assert (value in (0, ())) == (feature == 0)

    assert {0, *features} == set(range(max(features) + 1))


def test_every_event_has_its_own_features(tokenizer):
    features = tokenizer.token_features[2:]  # one special token, then the events

    assert len(np.unique(features, axis=0)) == 1 + len(tokenizer.events)


# Any tokens


def test_any_tokens_decode_to_a_score(tokenizer):
    rng = np.random.default_rng(0)
    for _ in range(50):
        tokens = rng.integers(0, tokenizer.vocabulary_size, 80)

        score = tokenizer.decode(tokens, key="G")

        assert score.key == "G"
        if score.end_ticks:
            fitted = Tokenizer.fit([score])
            assert fitted.decode(fitted.encode(score), key="G") == score


def test_decoding_ignores_start_and_padding_tokens_and_stops_at_the_end(tokenizer, random_scores):
    events = tokenizer.encode(random_scores[0])[1:-1]
    tokens = np.concatenate([[0, 1], events[:5], [0, 0, 1], events[5:], [2, 5, 6, 2, 0]])

    assert tokenizer.decode(tokens) == tokenizer.decode(events)
    assert tokenizer.decode(events.tolist()) == tokenizer.decode(events)


@pytest.mark.parametrize("tokens", [[], [2, 7]])
def test_tokens_without_events_before_the_end_decode_to_an_empty_score(tokenizer, tokens):
    assert tokenizer.decode(tokens) == Score(())


@pytest.mark.parametrize("token", [-1, 10**6])
def test_the_first_token_outside_the_vocabulary_is_named(tokenizer, token):
    last = tokenizer.vocabulary_size - 1

    message = f"Token {token} at index 2 is outside the vocabulary: expected 0 to {last}"
    with pytest.raises(TokenizationError, match=message):
        tokenizer.decode([1, 4, token, -7])


@pytest.mark.parametrize("tokens", [[[1, 3, 2]], [1.0, 3.0], 3])
def test_tokens_that_are_not_one_sequence_of_integers_are_refused(tokenizer, tokens):
    with pytest.raises(ValueError, match="one sequence of integers"):
        tokenizer.decode(tokens)


# Rare events


def test_an_unknown_event_is_replaced_by_the_nearest_and_counted():
    tokenizer = Tokenizer.fit([SCALE])
    tune = Score((Note(0, 24, 60), Note(24, 24, 73), Note(48, 24, 74), Note(72, 24, 61)))

    encoded = tokenizer.encode_all([tune, SCALE])

    assert encoded.num_dropped == 0
    assert encoded.num_replaced == 2
    assert len(encoded.sequences) == 2

    first = encoded.sequences[0]
    assert [note.pitch for note in tokenizer.decode(first).melody] == [60, 61, 62, 61]
    assert first.tolist() == tokenizer.encode(tune).tolist()


def test_with_the_policy_drop_a_tune_with_an_unknown_event_is_refused_by_name_and_tick():
    tokenizer = Tokenizer.fit([SCALE], rare="drop")
    tune = Score((Note(0, 24, 60), Note(24, 24, 73)), name="too high")

    with pytest.raises(TokenizationError, match="too high holds an event at tick 24") as caught:
        tokenizer.encode(tune)

    assert caught.value.file == "too high"
    assert caught.value.tick == 24
    assert isinstance(caught.value, ValueError)


def test_with_the_policy_drop_many_tunes_are_encoded_without_the_refused_ones():
    tokenizer = Tokenizer.fit([SCALE], rare="drop")
    tune = Score((Note(0, 24, 60), Note(24, 24, 73)), name="too high")

    encoded = tokenizer.encode_all([tune, SCALE])

    assert encoded.num_dropped == 1
    assert encoded.num_replaced == 0
    assert [tokens.tolist() for tokens in encoded.sequences] == [tokenizer.encode(SCALE).tolist()]


# Windows


@pytest.mark.parametrize(
    "length, stride", [(7, None), (7, 7), (8, 3), (1, None), (1000, None), (5, 1)]
)
def test_windows_hold_all_of_each_tune_and_nothing_else(tokenizer, random_scores, length, stride):
    windows = tokenizer.windows(random_scores, length, stride)

    assert windows.dtype == np.int32
    assert windows.shape[1] == length
    assert (windows != 0).any(axis=1).all()

    step = stride or length
    remaining = list(windows)
    for score in random_scores:
        tokens = tokenizer.encode(score).tolist()
        start = 0
        num_covered = 0
        while num_covered < len(tokens):
            part = tokens[start : start + length]
            padding = [0] * (length - len(part))
            assert remaining.pop(0).tolist() == part + padding

            num_covered = start + len(part)
            start += step
    assert remaining == []


def test_no_tunes_give_no_windows(tokenizer):
    assert tokenizer.windows([], 9).shape == (0, 9)


@pytest.mark.parametrize("length, stride", [(0, None), (-3, None), (8, 0), (8, 9)])
def test_lengths_and_strides_out_of_range_are_refused(tokenizer, length, stride):
    message = "expected a length of 1 or more and a stride of 1 to the length"
    with pytest.raises(ValueError, match=message):
        tokenizer.windows([SCALE], length, stride)


def test_windows_log_how_many_tunes_were_dropped_and_tokens_replaced(caplog):
    unknown = make_score(0)
    num_unknown = len(score_to_events(unknown)[1])

    with caplog.at_level(logging.INFO, logger="tfseqgan"):
        Tokenizer.fit([SCALE]).windows([unknown, SCALE], 8)
        Tokenizer.fit([SCALE], rare="drop").windows([unknown, SCALE], 8)

    nearest, drop = caplog.messages
    assert f"0 tunes dropped for rare events, {num_unknown} tokens replaced" in nearest
    assert "1 tunes dropped for rare events, 0 tokens replaced" in drop


# Vocabularies


@pytest.mark.parametrize(
    "events, rare, message",
    [
        ([], "nearest", "vocabulary is empty"),
        ([(24, (4,), (0,), *NOTHING)] * 2, "nearest", "more than once"),
        ([(24, (4,), (12,), *NOTHING)], "nearest", "pitch class 12"),
        ([(24, (4,), (0,), *NOTHING)], "closest", "expected one of"),
    ],
    ids=["empty", "an event twice", "malformed", "unknown policy"],
)
def test_a_malformed_vocabulary_is_refused(events, rare, message):
    with pytest.raises(ValueError, match=message):
        Tokenizer(events, rare)


def test_fitting_on_no_tunes_is_refused():
    with pytest.raises(ValueError, match="vocabulary is empty"):
        Tokenizer.fit([])


def test_fitting_with_a_count_below_one_is_refused():
    with pytest.raises(ValueError, match="minimum_count is 0"):
        Tokenizer.fit([SCALE], minimum_count=0)


def test_tokenizers_are_equal_by_vocabulary_and_policy():
    tokenizer = Tokenizer.fit([SCALE])
    equal = Tokenizer([list(event) for event in tokenizer.events])

    assert tokenizer == equal
    assert len({tokenizer, equal}) == 1
    assert tokenizer != Tokenizer.fit([SCALE], rare="drop")
    assert tokenizer != Tokenizer(tokenizer.events[::-1])
    assert tokenizer != "tokenizer"


# Files


@pytest.mark.parametrize("rare", ["nearest", "drop"])
def test_a_saved_tokenizer_is_loaded_equal(tmp_path, tokenizer, rare):
    path = tmp_path / "tokenizer.json"
    saved = Tokenizer(tokenizer.events, rare)

    saved.save(path)
    loaded = Tokenizer.load(path)

    assert loaded == saved
    assert (loaded.token_features == saved.token_features).all()
    assert all(isinstance(event, Event) for event in loaded.events)


def file_content(**changes):
    """Returns the bytes of a small tokenizer file with some fields changed."""
    content = {
        "format": "tfseqgan.Tokenizer",
        "version": 1,
        "ticks_per_quarter": 24,
        "rare": "nearest",
        "events": [[24, [4], [0], 0, [], []]],
    }

    return json.dumps({**content, **changes}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[1, 2]",
        b"null",
        b"[" * 100000,
        file_content()[:-10],
        file_content(version=2),
        file_content(ticks_per_quarter=12),
        file_content(extra=1),
        file_content(rare="closest"),
        file_content(rare=[1]),
        file_content(events=[]),
        file_content(events=3),
        file_content(events=[[24, [4], [0], 0, []]]),
        file_content(events=[[24.5, [4], [0], 0, [], []]]),
        file_content(events=[[24, 4, [0], 0, [], []]]),
        file_content(events=[[24, [4], ["0"], 0, [], []]]),
        file_content(events=[["24", [4], [0], 0, [], []]]),
        file_content(events=[[24, [4], [99], 0, [], []]]),
    ],
)
def test_a_file_that_is_not_a_whole_tokenizer_is_refused_by_name(tmp_path, data):
    path = tmp_path / "t.json"
    path.write_bytes(data)

    with pytest.raises(ValueError, match="t.json is not a whole tokenizer file: expected"):
        Tokenizer.load(path)


def test_the_unchanged_file_of_the_tests_of_bad_files_is_good(tmp_path):
    path = tmp_path / "t.json"
    path.write_bytes(file_content())

    assert Tokenizer.load(path) == Tokenizer([Event(24, (4,), (0,), *NOTHING)])


def test_a_missing_file_raises_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        Tokenizer.load(tmp_path / "none.json")


# The real tunes


def test_every_nottingham_tune_is_decoded_from_its_tokens_note_for_note(nottingham_scores):
    scores = list(nottingham_scores.values())
    tokenizer = Tokenizer.fit(scores)

    assert len(scores) == 1034
    assert tokenizer.vocabulary_size == 4018
    for score in scores:
        decoded = tokenizer.decode(tokenizer.encode(score))
        assert decoded.melody == score.melody
        assert decoded.chords == score.chords


def test_all_of_nottingham_is_tokenised_in_seconds(nottingham_scores):
    scores = list(nottingham_scores.values())
    start = time.process_time()

    windows = Tokenizer.fit(scores).windows(scores, 100)

    assert time.process_time() - start < 5
    assert (windows > 2).sum() == 198038


# The options of section 7 of the paper

OPTIONS = {
    "interleaved": {"interleave": True},
    "in C": {"transpose": "C"},
    "without octaves": {"chord_octaves": False},
    "all three": {"interleave": True, "transpose": "C", "chord_octaves": False},
}
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


@every_option
def test_a_tune_comes_back_from_its_tokens_as_the_options_say(random_scores, options):
    tokenizer = Tokenizer.fit(random_scores, **options)

    for score in random_scores:
        tokens = tokenizer.encode(score)
        decoded = tokenizer.decode(
            tokens, transposition=tokenizer.transposition_of(score), name=score.name
        )

        assert decoded.melody == score.melody
        if options.get("chord_octaves", True):
            assert decoded == score
        for before, after in zip(score.chords, decoded.chords, strict=True):
            classes = [{pitch % 12 for pitch in chord.pitches} for chord in (before, after)]
            assert classes[0] == classes[1]


@every_option
def test_the_options_are_saved_with_the_tokenizer(random_scores, options, tmp_path):
    tokenizer = Tokenizer.fit(random_scores, rare="drop", **options)

    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")

    assert loaded == tokenizer
    assert loaded.options == tokenizer.options
    assert loaded != Tokenizer.fit(random_scores, rare="drop")


def test_interleaved_tokens_start_one_voice_each(random_scores):
    tokenizer = Tokenizer.fit(random_scores, interleave=True)

    starts = tokenizer.token_durations[3:] > 0

    assert (starts.sum(axis=1) == 1).all()


def test_interleaved_vocabularies_are_smaller(random_scores):
    combined = Tokenizer.fit(random_scores)
    interleaved = Tokenizer.fit(random_scores, interleave=True)

    assert interleaved.vocabulary_size < combined.vocabulary_size


def test_an_interleaved_tune_keeps_its_time_when_events_are_replaced(random_scores):
    tokenizer = Tokenizer.fit(random_scores[:1], interleave=True)

    encoded = tokenizer.encode_all(random_scores)

    assert encoded.num_replaced > 0
    for score, tokens in zip(random_scores, encoded.sequences, strict=True):
        melody_ticks, chord_ticks = tokenizer.token_durations[tokens].sum(axis=0)
        assert melody_ticks == (score.end_ticks if score.melody else 0)
        assert chord_ticks == (score.end_ticks if score.chords else 0)


def test_interleaved_tokens_that_replace_an_event_stand_in_order_of_time(random_scores):
    tokenizer = Tokenizer.fit(random_scores[:1], interleave=True)

    for tokens in tokenizer.encode_all(random_scores).sequences:
        durations = tokenizer.token_durations[tokens[1:-1]]  # [n, (melody, chords)]
        starts = np.cumsum(durations, axis=0) - durations
        is_melody = durations[:, 0] > 0
        places = list(zip(np.where(is_melody, starts[:, 0], starts[:, 1]), is_melody, strict=True))

        assert places == sorted(places)


def test_events_of_both_voices_do_not_make_an_interleaved_tokenizer():
    both = Event(24, (4,), (0,), 24, (2,), (7,))

    with pytest.raises(ValueError, match="Interleaved tokens start one voice each"):
        Tokenizer([both], interleave=True)


def test_an_unknown_transposition_is_refused():
    with pytest.raises(ValueError, match="transpose is unknown: expected one of"):
        Tokenizer.fit([SCALE], transpose="D")


@pytest.mark.parametrize("semitones", [-5, 2, 6])
def test_in_one_key_a_tune_has_the_same_tokens_wherever_it_is_moved(semitones):
    tune = Score(tuple(Note(24 * index, 24, 67 + step) for index, step in enumerate(C_TUNE)))
    moved = transpose(tune, semitones)
    tokenizer = Tokenizer.fit([tune], transpose="C")

    difference = tokenizer.transposition_of(tune) - tokenizer.transposition_of(moved)
    octaves, rest = divmod(difference - semitones, 12)

    assert rest == 0
    if octaves == 0:
        assert tokenizer.encode(moved).tolist() == tokenizer.encode(tune).tolist()


C_TUNE = [0, 4, 7, 5, 4, 2, 0, -1, 0, 7, 4, 0]


def test_the_key_of_a_score_decides_where_it_is_moved():
    in_g = Score((Note(0, 24, 67),), key="G")
    in_e_minor = Score((Note(0, 24, 67),), key="Em")
    tokenizer = Tokenizer.fit([in_g], transpose="C")

    assert tokenizer.transposition_of(in_g) == 5
    assert tokenizer.transposition_of(in_e_minor) == 5
    assert tokenizer.transposition_of(Score((Note(0, 24, 67),), key="C")) == 0


def test_a_vocabulary_in_all_keys_knows_every_transposed_tune(random_scores):
    tokenizer = Tokenizer.fit(
        random_scores, rare="drop", interleave=True, transpositions=ALL_TRANSPOSITIONS
    )

    for semitones in ALL_TRANSPOSITIONS:
        transposed_ids = tokenizer.transposed_ids(semitones)
        for score in random_scores[::5]:
            tokens = tokenizer.encode(transpose(score, semitones))

            assert tokens.tolist() == transposed_ids[tokenizer.encode(score)].tolist()


def test_whole_tunes_are_rows_and_name_their_tunes(random_scores):
    tokenizer = Tokenizer.fit(random_scores[1:], rare="drop")

    rows = tokenizer.whole_tunes(random_scores, length=10**4)

    kept = [index for index in range(len(random_scores)) if index in rows.tunes]
    assert kept == rows.tunes.tolist()
    assert 0 not in kept
    for index, row in zip(rows.tunes, rows.tokens, strict=True):
        decoded = tokenizer.decode(row, name=random_scores[index].name)
        assert decoded == random_scores[index]


@pytest.mark.parametrize("options", [{}, *OPTIONS.values()])
def test_every_nottingham_tune_comes_back_from_its_tokens(nottingham_scores, options):
    scores = nottingham_scores.values()
    tokenizer = Tokenizer.fit(scores, **options)

    for score in scores:
        labels = {
            "key": score.key,
            "time_signature": score.time_signature,
            "tempo_bpm": score.tempo_bpm,
            "name": score.name,
            "rhythm": score.rhythm,
        }
        decoded = tokenizer.decode(
            tokenizer.encode(score), transposition=tokenizer.transposition_of(score), **labels
        )

        expected = score if options.get("chord_octaves", True) else close_chords(score)
        assert decoded == expected
