"""What a tune was asked to be and where in its form a token stands, against a slow twin."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import make_generator_with_controls

from tfseqgan.models.bar_limits import PlaceInTime
from tfseqgan.models.scale_degrees import NUM_DEGREES, check_pitch_classes, degree_scores
from tfseqgan.models.token_clock import TokenClock, check_token_controls
from tfseqgan.models.token_grammar import BOTH_DUE, MELODY_ONLY
from tfseqgan.models.tune_form import TuneForm, count_form_rows
from tfseqgan.music.controls import Controls, count_bars
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
        if tune.key is None:
            tokens[2] = tokenizer.control_tokens.ids_of([0, 0, 0, 0])[1]
        state = states_of(layers, tokens[None])[1]
        last = tf.nest.map_structure(lambda part: part[:, -1], state)
        repeated = tf.nest.map_structure(lambda part: tf.repeat(part, 7, axis=0), last)
        keys = repeated.codes[:, 1]
        found = degree_scores(tf.constant(outputs), form.degrees, keys).numpy()
        scores = found @ form.output_rows[:-3]

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


def ends_of(layers, tokens):
    """Returns whether it is too early for the end and too late for a note, bool [B, T] each."""
    clock, form = layers
    before, state = states_of(layers, tokens)
    grammar = clock.grammar(before)
    place = PlaceInTime(before.melody_end, clock.due(before, grammar), grammar)

    is_early, is_late, _ = tf.unstack(form.forbidden(state, place), axis=-1)

    return is_early.numpy(), is_late.numpy()


def test_the_end_cannot_follow_before_as_many_bars_as_the_tune_says(tokenizer):
    layers = make_layers(tokenizer)
    for tune in TUNES:
        tokens = tokenizer.encode(tune)
        is_early, _ = ends_of(layers, tokens[None])
        num_bars = count_bars(tune)
        for t in range(7, len(tokens)):
            cut = tokenizer.decode(tokens[:t])
            counted = count_bars(cut) if cut.chords or not tune.chords else 0
            assert is_early[0, t] == (counted < num_bars), t


def test_no_note_can_start_after_as_many_bars_as_the_tune_says(tokenizer):
    layers = make_layers(tokenizer)
    for tune in TUNES:
        tokens = tokenizer.encode(tune)
        longer = np.concatenate([tokens[:-1], tokens[7:-1]])  # repeats its own notes
        _, is_late = ends_of(layers, longer[None])

        assert not is_late[0, : len(tokens)].any()
        beats, unit = tune.time_signature
        first = tune.chords[0].start_ticks if tune.chords else 0
        latest = first + (count_bars(tune) + 0.25) * 96 * beats / unit
        clock = layers[0]
        states = clock.states_before(longer[None])
        code = clock.grammar(states)
        due = clock.due(states, code).numpy()[0]
        can_stop = np.isin(code.numpy()[0], [BOTH_DUE, MELODY_ONLY])
        expected = (due >= latest) & can_stop
        np.testing.assert_array_equal(is_late[0, 7:] & can_stop[7:], expected[7:])


def test_a_tune_whose_number_of_bars_is_unknown_may_end_at_any_bar():
    tokenizer = Tokenizer.fit([make_tune(64, (2, 4), "G")], interleave=True, controls=True)
    tokens = tokenizer.encode(make_tune(70, (2, 4), "G"))

    is_early, is_late = ends_of(make_layers(tokenizer), tokens[None])

    assert not is_early.any() and not is_late.any()


def test_a_tune_of_the_most_bars_ends_with_them():
    tokenizer = Tokenizer.fit([make_tune(64, (2, 4), "G")], interleave=True, controls=True)
    asked = tokenizer.encode(make_tune(64, (2, 4), "G"))
    of_more = tokenizer.encode(make_tune(70, (2, 4), "G"))
    tokens = np.concatenate([asked[:5], of_more[5:]])  # 70 bars that say that they are 64

    _, is_late = ends_of(make_layers(tokenizer), tokens[None])

    assert not is_late[0, : len(asked)].any()
    assert is_late[0, len(asked) : len(asked) + 20].any()


def test_without_a_number_of_bars_a_tune_may_end_anywhere(tokenizer):
    tokens = tokenizer.encode(TUNES[0])
    tokens[3] = tokenizer.control_tokens.ids_of([0, 0, 0, 0])[2]

    is_early, is_late = ends_of(make_layers(tokenizer), tokens[None])

    assert not is_early.any()
    assert not is_late.any()


@pytest.mark.parametrize("kind", ["lstm", "attention"])
def test_every_tune_keeps_the_grammar_and_samples_have_the_bars_that_they_say(kind, tokenizer):
    generator = make_generator_with_controls(kind, tokenizer=tokenizer)
    rows = tokenizer.whole_tunes(TUNES, 400).tokens
    assert generator.find_grammar_break(rows) is None

    asked = Controls(metre="4/4", bars=3)
    prompts = tokenizer.prompts(40, asked, seed=0)
    tokens = generator.generate(40, 200, prompt=prompts, seed=0)

    assert generator.find_grammar_break(tokens) is None
    tunes = [tokenizer.decode(row) for row in tokens[(tokens == 2).any(axis=1)]]
    assert len(tunes) > 20
    for tune in tunes:
        if not tune.melody:  # rests alone, which weights of chance write
            continue
        first = tune.chords[0].start_ticks if tune.chords else tune.melody[0].start_ticks
        is_interleaved = tokenizer.options["interleave"]
        assert tune.melody[-1].start_ticks < first + 3.25 * 96 or not is_interleaved
        assert tune.end_ticks >= first + 2.25 * 96
    too_short = rows[:1].copy()
    too_short[0, 30] = 2
    assert generator.find_grammar_break(too_short[:, :31]) is not None
