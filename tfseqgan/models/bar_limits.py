"""What the number of bars of a tune forbids: a tune of n bars ends with them.

Its last note ends between ¾ bar before and ¼ bar after n bars, counted from the first sounding
chord (`music.controls.count_bars`). So the end cannot follow before, and no note can start after.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfseqgan.models.token_grammar import BOTH_DUE, FIRST_CHORD, MELODY_ONLY, OPENING


class PlaceInTime(NamedTuple):
    """When the next token starts; int32 [...] each.

    Attributes:
        melody_end: ticks of the melody that was read.
        due: the tick at which the next token starts.
        grammar: what may follow (`token_grammar`).
    """

    melody_end: tf.Tensor
    due: tf.Tensor
    grammar: tf.Tensor


class BarLimits:
    """Says which tokens the number of bars forbids.

    Args:
        token_durations: int32 [V, 2], the ticks of each token in melody and chords.
        token_pitch_classes: int32 [V, 2], the pitch classes of each token.
        end_token_id: the id that ends a tune.

    Attributes:
        rows: bool [3, V], the tokens that each column of `forbidden` is about: the end, notes, and
            chords alone, which would leave a tune without a melody.
    """

    def __init__(
        self,
        token_durations: np.ndarray,
        token_pitch_classes: np.ndarray,
        end_token_id: int,
    ) -> None:
        has_melody, has_chord = (token_durations > 0).T
        is_note = token_pitch_classes[:, 0] > 0
        is_end = np.arange(len(token_durations)) == end_token_id
        self.rows = np.stack([is_end, is_note, has_chord & ~has_melody])
        self._is_interleaved = not (has_melody & has_chord).any()
        self._has_rests = bool((has_melody & ~has_chord & ~is_note).any())

    def forbidden(
        self, num_bars: tf.Tensor, bar_ticks: tf.Tensor, first: tf.Tensor, place: PlaceInTime
    ) -> tf.Tensor:
        """Computes what cannot follow.

        Args:
            num_bars: int32 [...], the number of bars; 0 for unknown.
            bar_ticks: int32 [...], the length of a bar; 0 for unknown.
            first: int32 [...], 1 + the tick from which bars are counted; 0 before it.
            place: int32 [...] each.

        Returns:
            bool [..., 3]: whether the tokens of `rows` have probability 0.
        """
        is_known = (bar_ticks > 0) & (num_bars > 0)
        earliest = (4 * num_bars - 3) * bar_ticks  # in quarters of a tick
        latest = (4 * num_bars + 1) * bar_ticks
        has_begun = first > 0

        is_long_enough = has_begun & (4 * (place.melody_end + 1 - first) >= earliest)
        is_too_early = is_known & ~is_long_enough & (num_bars > 1)
        has_time = ~has_begun | (4 * (place.due + 1 - first) < latest)
        is_too_late = is_known & ~has_time & self._can_stop(place)

        is_before_melody = place.grammar == (FIRST_CHORD if self._is_interleaved else OPENING)
        lacks_melody = (num_bars > 0) & is_before_melody

        return tf.stack([is_too_early, is_too_late, lacks_melody], axis=-1)

    def _can_stop(self, place):
        """Returns whether something else than a note can follow, bool [...]."""
        if self._has_rests:
            return tf.fill(tf.shape(place.grammar), True)

        return (place.grammar == BOTH_DUE) | (place.grammar == MELODY_ONLY)
