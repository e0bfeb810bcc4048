"""Claims about tfseqgan.models.token_clock."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseqgan.models import token_clock, token_grammar
from tfseqgan.models.token_clock import ClockState, TokenClock

PAD, START, END = 0, 1, 2
SPECIAL = [[0, 0]] * 3
COMBINED = np.array([*SPECIAL, [24, 48], [12, 12], [24, 0], [12, 0], [0, 24], [0, 12]])
INTERLEAVED = np.array([*SPECIAL, [24, 0], [12, 0], [36, 0], [0, 48], [0, 24]])
VOCABULARIES = {"combined": COMBINED, "interleaved": INTERLEAVED}
every_vocabulary = pytest.mark.parametrize("durations", VOCABULARIES.values(), ids=VOCABULARIES)


def make_clock(durations, embedding_dim=5):
    clock = TokenClock(durations, embedding_dim=embedding_dim, pad_token_id=PAD, end_token_id=END)
    clock.build()

    return clock


def allowed_after(durations, row):
    """The slow twin: which tokens may follow a row, by the two voices as lists of durations."""
    is_interleaved = not ((durations > 0).all(axis=1)).any()
    events = [token for token in row if durations[token].any()]
    num_tokens = len(durations)
    starts = [(bool(m), bool(c)) for m, c in durations]

    if END in row:
        return set(range(num_tokens))
    if not row:
        return set(range(num_tokens)) - {PAD}
    if row[0] != START:
        if is_interleaved or not any(starts[token] == (True, True) for token in row):
            return set(range(num_tokens)) - {PAD, START}
        first = next(i for i, token in enumerate(row) if starts[token] == (True, True))
        events = row[first:]
    if not events:
        return set(range(3, num_tokens))

    melody = sum(durations[token, 0] for token in events)
    chords = sum(durations[token, 1] for token in events)
    if melody == 0 and is_interleaved and len(events) == 1:
        wanted = {(True, False), (False, True)}
        return {token for token in range(num_tokens) if starts[token] in wanted} | {END}
    if melody == 0 or chords == 0:
        wanted = (melody > 0, chords > 0)
        return {token for token in range(num_tokens) if starts[token] == wanted} | {END}
    if melody != chords:
        wanted = (melody < chords, melody > chords)
        return {token for token in range(num_tokens) if starts[token] == wanted}

    wanted = (not is_interleaved, True)
    return {token for token in range(num_tokens) if starts[token] == wanted} | {END}


def random_rows(durations, num_rows=40, length=12):
    """Rows that follow the grammar, rows that begin inside a tune, and rows of any tokens."""
    rng = np.random.default_rng(0)
    rows = []
    for index in range(num_rows):
        row = [START] if index % 2 else []
        while len(row) < length:
            allowed = sorted(allowed_after(durations, row))
            row.append(int(rng.choice(allowed)))
        rows.append(row)
    rows += rng.integers(0, len(durations), (10, length)).tolist()

    return np.array(rows, np.int32)


def states_step_by_step(clock, tokens):
    """Returns the states before each token by `advance`, int32 [B, T] each."""
    state = clock.advance(clock.start(len(tokens)), tf.fill([len(tokens)], len(clock.mask[0])))
    states = []
    for column in tokens.T:
        states.append(state)
        state = clock.advance(state, tf.constant(column))

    return ClockState(*[tf.stack(field, axis=1) for field in zip(*states, strict=True)])


@every_vocabulary
def test_what_may_follow_is_what_the_two_voices_say(durations):
    clock = make_clock(durations)
    rows = random_rows(durations)
    codes = clock.grammar(clock.states_before(rows)).numpy()

    for row, codes_of_row in zip(rows[:40].tolist(), codes, strict=False):
        for t, code in enumerate(codes_of_row):
            allowed = set(np.flatnonzero(clock.mask[code] == 0).tolist())
            assert allowed == allowed_after(durations, row[:t]), (row[:t], code)


@every_vocabulary
def test_running_sums_give_the_states_of_reading_token_by_token(durations):
    clock = make_clock(durations)
    rows = random_rows(durations)

    at_once = clock.states_before(rows)
    by_step = states_step_by_step(clock, rows)

    for name, one, other in zip(ClockState._fields, at_once, by_step, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


@every_vocabulary
def test_the_codes_reach_every_state_that_the_vocabulary_has(durations):
    clock = make_clock(durations)
    codes = set(clock.grammar(clock.states_before(random_rows(durations))).numpy().ravel())

    expected = set(range(10))
    if durations is COMBINED:
        expected -= {token_grammar.FIRST_CHORD}
    assert codes == expected


def test_the_vector_is_the_sum_of_what_is_known():
    clock = make_clock(INTERLEAVED)
    clock.table.assign(np.random.default_rng(0).normal(size=clock.table.shape))
    # A chord of 48 ticks, notes of 24 and 12: the next starts at tick 36, the chord sounds on.
    tokens = np.array([[START, 6, 3, 4, 4]])
    states = clock.states_before(tokens)

    vector = clock(tokens)[0, 4].numpy()

    table = clock.table.numpy()
    sizes = [14, 98, 98, 25, 73, 97]
    values = [token_grammar.MELODY_DUE, 1 + 0, 1 + 12, 1 + 36 % 24, 1 + 36 % 72, 1 + 36 % 96]
    offsets = np.cumsum([0, *sizes[:-1]])
    assert clock.grammar(states)[0, 4] == token_grammar.MELODY_DUE
    assert len(table) == sum(sizes)
    np.testing.assert_allclose(vector, table[offsets + values].sum(axis=0), rtol=1e-6)


def slow_vector(clock, melody_end, chord_end, known, code):
    """The sum of one row a feature, from the state's plain numbers."""
    due = min(melody_end, chord_end)
    if code == token_grammar.MELODY_ONLY:
        due = melody_end
    if code == token_grammar.CHORDS_ONLY:
        due = chord_end

    values = [code]
    for end in (melody_end, chord_end):
        values.append(1 + min(max(end - due, 0), 96) if known >= 2 else 0)
    for beat in (24, 72, 96):
        values.append(1 + due % beat if known == 3 else 0)
    rows = np.cumsum([0, 14, 98, 98, 25, 73]) + values

    return clock.table.numpy()[rows].sum(axis=0)


@every_vocabulary
def test_the_vector_of_every_state_is_the_sum_of_one_row_a_feature(durations):
    clock = make_clock(durations * [[7, 5]])  # odd ticks, and many of them
    clock.table.assign(np.random.default_rng(0).normal(size=clock.table.shape))
    rows = random_rows(durations * [[7, 5]], length=17)
    states = clock.states_before(rows)
    codes = clock.grammar(states)

    vectors = clock.vectors(states, codes).numpy()

    fields = [field.numpy().ravel().tolist() for field in states]
    melody_ends, chord_ends, _, _, known, _ = fields
    expected = [
        slow_vector(clock, *place)
        for place in zip(melody_ends, chord_ends, known, codes.numpy().ravel(), strict=True)
    ]
    np.testing.assert_allclose(vectors.reshape(len(expected), -1), expected, rtol=1e-5, atol=1e-5)


def test_the_time_of_a_row_that_begins_inside_a_tune_is_unknown():
    clock = make_clock(INTERLEAVED)
    table = np.zeros(clock.table.shape, np.float32)
    offsets = np.cumsum([0, 14, 98, 98, 25, 73])
    table[offsets[1:], 0] = 1  # the codes for unknown
    clock.table.assign(table)

    vectors = clock(np.array([[6, 3, 4]])).numpy()

    assert vectors[0, :, 0].tolist() == [5, 5, 5]


def test_a_long_chord_is_counted_to_a_bar():
    durations = np.array([*SPECIAL, [24, 0], [0, 500], [0, 96]])
    clock = make_clock(durations)
    clock.table.assign(np.random.default_rng(0).normal(size=clock.table.shape))

    long, shorter = clock(np.array([[START, 4, 3, 3], [START, 4, 3, 3]]))[:, 1:].numpy()

    assert np.isfinite(long).all()
    np.testing.assert_array_equal(long, shorter)


def test_a_saved_clock_is_the_same_clock(tmp_path):
    tokens = keras.Input([None], dtype="int32")
    model = keras.Model(tokens, make_clock(COMBINED)(tokens))
    rows = random_rows(COMBINED)

    model.save(tmp_path / "clock.keras")
    loaded = keras.models.load_model(tmp_path / "clock.keras")

    np.testing.assert_array_equal(loaded(rows), model(rows))


@pytest.mark.parametrize(
    "durations", [[[0, 0]] * 4, [[0.0, 0.0]] * 5, [[0, -1]] * 5, [[0, 0, 0]] * 5]
)
def test_durations_that_do_not_fit_the_vocabulary_are_refused(durations):
    with pytest.raises(ValueError, match="token_durations must be non-negative integers"):
        token_clock.check_token_durations(durations, vocabulary_size=5)
