"""What may follow a token in a tune, as a table of states: the grammar of the tokens.

Each voice of a tune is a gapless run of notes and rests. So with the durations mₖ of the melody and
cₖ of the chords of the tokens read so far, the sign of one running sum says what comes next:

    balanceₜ = Σ_{k<t} (mₖ − cₖ)      below 0 the melody, above 0 the chords, at 0 both, or the end

A tune whose first event leaves a voice out never has that voice. A row that begins inside a tune
has no balance before its first token that starts both voices; until then any event may follow.
Where a vocabulary has controls, a tune says them between its start token and its first event.
"""

import numpy as np

from tfseqgan.ops.masking import FORBIDDEN

NUM_CONTROLS = 4
"""The metre, the key, the number of bars and the rhythm, in this order."""

# What a token does, by its durations and controls.
PAD, START, END, BOTH, MELODY, CHORDS, OPENING_VECTOR = range(7)
CONTROLS = tuple(range(7, 7 + NUM_CONTROLS))

_EVENTS = {BOTH, MELODY, CHORDS}

# What may follow.
BEGIN = 0
"""Nothing was read: a start token, or any other, since a row may begin inside a tune."""
ANYTHING = 1
"""The row began inside a tune, and what still sounds is not known."""
OPENING = 2
"""The start token was read, and the controls: a first event."""
FIRST_CHORD = 3
"""Of interleaved voices the first chord was read: a melody may follow or not."""
MELODY_DUE = 4
CHORDS_DUE = 5
BOTH_DUE = 6
"""Both voices start, or the tune ends; of interleaved voices, the chord starts first."""
MELODY_ONLY = 7
CHORDS_ONLY = 8
ENDED = 9
CONTROL_DUE = 10
"""The first of the controls is due; the states after this one are those of the others."""

NUM_STATES = CONTROL_DUE + NUM_CONTROLS

_ALLOWED = {
    BEGIN: {START, END, *_EVENTS},
    ANYTHING: {END, *_EVENTS},
    OPENING: _EVENTS,
    FIRST_CHORD: {MELODY, CHORDS, END},
    MELODY_DUE: {MELODY},
    CHORDS_DUE: {CHORDS},
    BOTH_DUE: {BOTH, END},
    MELODY_ONLY: {MELODY, END},
    CHORDS_ONLY: {CHORDS, END},
    ENDED: {PAD, START, END, *_EVENTS},
} | {CONTROL_DUE + index: {kind} for index, kind in enumerate(CONTROLS)}


def kinds_of_tokens(
    durations: np.ndarray, controls: np.ndarray | None, pad_token_id: int, end_token_id: int
) -> np.ndarray:
    """Returns what each token does, int32 [V + 1]; the last one is the opening vector.

    Args:
        durations: int32 [V, 2], ticks of each token in melody and chords.
        controls: int32 [V, 3], the control that each token says (`Tokenizer.token_controls`), or
            None.
        pad_token_id: the id that stands after the end token.
        end_token_id: the id that ends a sequence.
    """
    has_melody = durations[:, 0] > 0
    has_chords = durations[:, 1] > 0

    kinds = np.full(len(durations) + 1, START, np.int32)
    kinds[:-1][has_melody] = MELODY
    kinds[:-1][has_chords] = CHORDS
    kinds[:-1][has_melody & has_chords] = BOTH
    if controls is not None:
        is_control = controls[:, 0] > 0
        kinds[:-1][is_control] = CONTROLS[0] - 1 + controls[is_control, 0]
    kinds[pad_token_id] = PAD
    kinds[end_token_id] = END
    kinds[-1] = OPENING_VECTOR

    return kinds


def are_interleaved(kinds: np.ndarray) -> bool:
    """Returns whether no token starts both voices."""
    return not (kinds == BOTH).any()


def grammar_mask(kinds: np.ndarray) -> np.ndarray:
    """Returns what each state adds to the logits, float32 [states, V]: 0 or `FORBIDDEN`.

    Args:
        kinds: int32 [V + 1], from `kinds_of_tokens`.

    Example:
        >>> kinds = np.array([PAD, START, END, MELODY, OPENING_VECTOR])
        >>> (grammar_mask(kinds)[MELODY_DUE] == 0).tolist()
        [False, False, False, True]
    """
    mask = np.full((NUM_STATES, len(kinds) - 1), FORBIDDEN, np.float32)
    for state, allowed in _ALLOWED.items():
        if state == BOTH_DUE and are_interleaved(kinds):
            allowed = {CHORDS, END}
        mask[state, np.isin(kinds[:-1], list(allowed))] = 0.0

    return mask
