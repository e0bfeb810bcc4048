"""What a tune was asked to be and where in its form a token stands, against a slow twin."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.models.token_clock import TokenClock, check_token_controls
from tfseqgan.models.tune_form import (
    NUM_DEGREES,
    TuneForm,
    check_pitch_classes,
    count_form_rows,
)
from tfseqgan.music.keys import parse_key
from tfseqgan.music.score import ALL_TRANSPOSITIONS, Chord, Note, Score, transpose
from tfseqgan.music.tokenizer import Tokenizer

G_CHORD, D_CHORD = (43, 47, 50), (38, 42, 45)


def make_tune(bars, time_signature, key, pick_up=0, has_chords=True, rhythm=""):
    """Returns a tune of eighth notes up a scale, with a chord a bar after its pick-up."""
    bar = 96 * time_signature[0] // time_signature[1]
    num_notes = (pick_up + bars * bar) // 12
    melody = [Note(12 * index, 12, 60 + index * 2 % 11) for index in range(num_notes)]
    chords = [
        Chord(pick_up + index * bar, bar, D_CHORD if index % 3 else G_CHORD)
        for index in range(bars)
    ]

    return Score(
        tuple(melody),
        tuple(chords) if has_chords else (),
        key=key,
        time_signature=time_signature,
        rhythm=rhythm,
    )


TUNES = [
    make_tune(11, (4, 4), "G", rhythm="reel"),
    make_tune(9, (6, 8), "Em", pick_up=12, rhythm="jig"),
    make_tune(40, (2, 4), None),
    make_tune(3, (3, 4), "Bb", pick_up=24, has_chords=False),
]
WAYS = {"combined": False, "interleaved": True}


@pytest.fixture(scope="module", params=WAYS.values(), ids=WAYS)
def tokenizer(request):
    return Tokenizer.fit(TUNES, interleave=request.param, controls=True)


@pytest.fixture(scope="module")
def rows(tokenizer):
    return tokenizer.whole_tunes(TUNES, 400).tokens


def make_layers(tokenizer, dropout=0.0, embedding_dim=5):
    keras.utils.set_random_seed(0)
    durations, controls = tokenizer.token_durations, tokenizer.token_controls
    clock = TokenClock(
        durations, embedding_dim, pad_token_id=0, end_token_id=2, token_controls=controls
    )
    form = TuneForm(controls, tokenizer.token_pitch_classes, durations, embedding_dim, dropout)
    clock.build()
    form.build()

    return clock, form


def states_of(layers, tokens, training=False):
    clock, form = layers
    before = clock.states_before(tf.constant(tokens))
    ends = (before.melody_end, before.chord_end)

    return before, form.states_before(tf.constant(tokens), *ends, training)


def vectors_of(layers, tokens):
    clock, form = layers
    before, state = states_of(layers, tokens)

    return form.vectors(state, clock.due(before, clock.grammar(before))).numpy()


def slow_features(score, onset):
    """Returns what a tune's controls and an onset give, by the score alone."""
    beats, unit = score.time_signature
    bar = 96 * beats // unit
    first = score.chords[0].start_ticks if score.chords else score.melody[0].start_ticks
    total = round((max(note.end_ticks for note in score.melody) - first) / bar)
    number, place = divmod(onset - first, bar)
    if onset < first:
        return [1, 0, 0, 1 + min(total, 33)]

    to_go = min(max(total - number, 0), 33)

    return [2 + place, 1 + number % 8, 1 + min(number, 63), 1 + to_go]


def test_the_place_in_the_form_is_that_of_the_score(tokenizer):
    clock, form = layers = make_layers(tokenizer)
    for score in TUNES:
        if not score.chords:
            continue
        tokens = tokenizer.encode(score)[None]
        before, state = states_of(layers, tokens)
        due = clock.due(before, clock.grammar(before))
        found = np.stack([feature.numpy() for feature in form._features(state, due)], axis=-1)

        codes = tokenizer.controls.codes_of(score)
        has_begun = np.cumsum(tokenizer.token_pitch_classes[tokens[0], 1] > 0) > 0
        for t in range(5, tokens.shape[1] - 1):
            onset = int(due[0, t])
            assert found[0, t, :4].tolist() == codes.tolist()
            if has_begun[t - 1] or onset < score.chords[0].start_ticks:
                assert found[0, t, 4:].tolist() == slow_features(score, onset), (score.key, t)


def test_controls_are_known_from_the_token_that_says_them(tokenizer):
    tokens = tokenizer.encode(TUNES[1])[None]
    codes = states_of(make_layers(tokenizer), tokens)[1].codes[0].numpy()
    said = tokenizer.controls.codes_of(TUNES[1])

    assert codes[1].tolist() == [0, 0, 0, 0]
    assert codes[3].tolist() == [*said[:2], 0, 0]
    assert (codes[5:] == said).all()


def test_a_tune_without_chords_is_counted_from_its_melody():
    tokenizer = Tokenizer.fit(TUNES, interleave=True, controls=True)
    tokens = tokenizer.encode(TUNES[3])[None]

    state = states_of(make_layers(tokenizer), tokens)[1]

    assert state.first[0].numpy().tolist() == [0] * 6 + [1] * (tokens.shape[1] - 6)


def test_step_by_step_the_states_are_those_of_whole_rows(tokenizer, rows):
    clock, form = layers = make_layers(tokenizer)
    before, expected = states_of(layers, rows)

    place = clock.start(len(rows))
    state = form.start(len(rows))
    opening = tf.fill([len(rows)], tokenizer.vocabulary_size)
    for t, tokens in enumerate([opening, *tf.unstack(tf.constant(rows), axis=1)[:-1]]):
        state = form.advance(state, tokens, place.melody_end, place.chord_end)
        place = clock.advance(place, tokens)
        for found, whole in zip(state, expected, strict=True):
            np.testing.assert_array_equal(found, whole[:, t])
        for found, whole in zip(place, before, strict=True):
            np.testing.assert_array_equal(found, whole[:, t])


def test_a_row_that_begins_inside_a_tune_has_no_place(tokenizer, rows):
    inside = rows[:, 7:]

    state = states_of(make_layers(tokenizer), inside)[1]

    assert not state.codes.numpy().any()
    assert not state.bar_ticks.numpy().any()


def test_degrees_do_not_change_when_a_tune_is_transposed():
    tokenizer = Tokenizer.fit(
        TUNES, interleave=True, controls=True, transpositions=ALL_TRANSPOSITIONS
    )
    layers = make_layers(tokenizer)
    form = layers[1]
    form.table.assign(np.zeros(form.table.shape))

    here, up = [
        vectors_of(layers, tokenizer.encode(tune)[None])
        for tune in (TUNES[1], transpose(TUNES[1], 3))
    ]

    assert np.abs(here).max() > 0.01
    np.testing.assert_array_equal(here, up)


def test_degrees_of_the_output_are_those_of_the_input(tokenizer):
    """The score of a token is the product with the vector that the token would add when read."""
    clock, form = layers = make_layers(tokenizer)
    outputs = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    for tune in TUNES:
        tokens = tokenizer.encode(tune)
        state = states_of(layers, tokens[None])[1]
        last = tf.nest.map_structure(lambda part: part[:, -1], state)
        repeated = tf.nest.map_structure(lambda part: tf.repeat(part, 7, axis=0), last)
        scores = form.degree_scores(tf.constant(outputs), repeated).numpy() @ form.output_rows

        for token in (3, 4, 5, len(tokenizer.events) + 2):
            degrees = []
            for voice, name in enumerate(tokenizer.token_pitch_classes[token]):
                if tune.key is None or name == 0:
                    continue
                key = parse_key(tune.key)
                tonic = 7 * key.tonic_fifths % 12
                degree = 24 * voice + 12 * key.is_minor + (name - 1 - tonic) % 12
                degrees.append(form.degrees.numpy()[degree])
            expected = outputs @ np.sum(degrees, axis=0) if degrees else np.zeros(7)
            np.testing.assert_allclose(scores[:, token], expected, atol=1e-6)


def test_controls_are_left_out_in_training_as_often_as_asked_for(tokenizer):
    n, share = 4000, 0.2
    tokens = np.repeat(tokenizer.encode(TUNES[0])[None, :8], n, axis=0)

    codes = states_of(make_layers(tokenizer, dropout=share), tokens, training=True)[1].codes

    read = codes[:, -1].numpy() > 0
    kept = (1 - share) * (1 - share / 2)
    standard_error = np.sqrt(kept * (1 - kept) / n)
    assert (np.abs(read.mean(axis=0) - kept) < 4 * standard_error).all()
    none = share / 2 + (1 - share / 2) * share**4
    assert abs((~read).all(axis=1).mean() - none) < 4 * np.sqrt(none / n)


def test_without_a_metre_no_place_is_known_in_training(tokenizer):
    tokens = np.repeat(tokenizer.encode(TUNES[0])[None, :20], 50, axis=0)

    state = states_of(make_layers(tokenizer, dropout=0.5), tokens, training=True)[1]

    has_metre = state.codes[:, -1, 0].numpy() > 0
    assert 0 < has_metre.sum() < 50
    np.testing.assert_array_equal(state.bar_ticks[:, -1].numpy() > 0, has_metre)


def test_it_comes_back_from_its_configuration(tokenizer, rows):
    layers = make_layers(tokenizer)
    again = TuneForm.from_config(layers[1].get_config())
    again.build()
    again.set_weights(layers[1].get_weights())

    np.testing.assert_array_equal(vectors_of(layers, rows), vectors_of((layers[0], again), rows))
    num_rows = sum(weight.shape[0] for weight in again.weights if weight.shape)
    assert count_form_rows(tokenizer.token_controls) == num_rows - sum(
        weight.shape[0] for weight in again.weights if weight.shape == (2,)
    )


@pytest.mark.parametrize(
    "controls", [[[0, 0]] * 4, [[1, 0, 0]] * 4, [[0, 0, 0], [5, 0, 0]]], ids=["shape", "one", "two"]
)
def test_controls_that_do_not_fit_are_refused(controls):
    with pytest.raises(ValueError, match="token_controls"):
        check_token_controls(controls, len(controls))


def test_pitch_classes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="token_pitch_classes holds 13"):
        check_pitch_classes([[0, 13]], 1)
    assert NUM_DEGREES == 48
