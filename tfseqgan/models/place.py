"""Where a token stands in its tune: when it starts, what may follow, where in the form that is."""

from typing import Any, NamedTuple

import tensorflow as tf

from tfseqgan.models.bar_limits import PlaceInTime
from tfseqgan.models.interfaces import Tokens
from tfseqgan.models.token_clock import TokenClock
from tfseqgan.models.tune_form import TuneForm


class Place(NamedTuple):
    """Where the next token of a row stands; each is () where the model does not know it.

    Attributes:
        clock: a `ClockState` of int32 [...] each.
        grammar: int32 [...], what may follow (`token_grammar`).
        form: a `FormState` of int32 [...] each.
    """

    clock: Any = ()
    grammar: Any = ()
    form: Any = ()


class PlaceReader:
    """Computes places from tokens, for whole rows at once or token by token.

    Args:
        clock: reads durations, or None where tokens have none.
        form: reads controls, or None; it needs a clock.

    Example:
        >>> PlaceReader(None, None).first(3)
        Place(clock=(), grammar=(), form=())
    """

    def __init__(self, clock: TokenClock | None, form: TuneForm | None) -> None:
        self._clock = clock
        self._form = form

    def of_rows(self, tokens: Tokens, training: bool = False) -> Place:
        """Computes where each token of whole rows stands, from those before it.

        Args:
            tokens: int [B, T].
            training: whether controls are left out at random.

        Returns:
            int32 [B, T] each.
        """
        if self._clock is None:
            return Place()

        tokens = tf.cast(tokens, tf.int32)
        clock = self._clock.states_before(tokens)
        grammar = self._clock.grammar(clock)
        if self._form is None:
            return Place(clock, grammar)

        ends = (clock.melody_end, clock.chord_end)

        return Place(clock, grammar, self._form.states_before(tokens, *ends, training))

    def first(self, num_rows: tf.Tensor | int) -> Place:
        """Returns the place before anything is read, int32 [B] each."""
        if self._clock is None:
            return Place()

        clock = self._clock.start(num_rows)
        form = () if self._form is None else self._form.start(num_rows)

        return Place(clock, self._clock.grammar(clock), form)

    def after(self, place: Place, previous: tf.Tensor) -> Place:
        """Computes the place after one more token a row.

        Args:
            place: where the token stands, int32 [B] each.
            previous: int32 [B], the token; V stands for the opening vector.
        """
        if self._clock is None:
            return place

        clock = self._clock.advance(place.clock, previous)
        form = place.form
        if self._form is not None:
            ends = (place.clock.melody_end, place.clock.chord_end)
            form = self._form.advance(form, previous, *ends)

        return Place(clock, self._clock.grammar(clock), form)

    def in_time(self, place: Place) -> PlaceInTime:
        """Computes when the next token starts; the model has a clock."""
        assert self._clock is not None
        due = self._clock.due(place.clock, place.grammar)

        return PlaceInTime(place.clock.melody_end, due, place.grammar)
