"""Scores to token ids, and back, by a vocabulary of the event tokens of Lee et al."""

import collections
import dataclasses
import functools
import json
import logging
import operator
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfseqgan.files import read_json, write_atomically
from tfseqgan.music.events import Event, check_event, events_to_score, score_to_events
from tfseqgan.music.nearest_event import NearestEvent
from tfseqgan.music.score import TICKS_PER_QUARTER, Score

_NUM_SPECIAL = 3
"""The ids 0 to 2 pad, start and end a tune; the ids of events follow."""

_RARE_POLICIES = ("nearest", "drop")

_FILE_HEADER = {
    "format": "tfseqgan.Tokenizer",
    "version": 1,
    "ticks_per_quarter": TICKS_PER_QUARTER,
}

_log = logging.getLogger("tfseqgan")


class TokenizationError(ValueError):
    """A tune or a token that is not in the vocabulary.

    Args:
        message: what happened, what was expected and received, and what to do.
        file: the name of the tune, or None.
        tick: where in the tune, in grid ticks, or None.
    """

    def __init__(self, message: str, file: str | None = None, tick: int | None = None) -> None:
        super().__init__(message)
        self.file = file
        self.tick = tick


@dataclasses.dataclass(frozen=True, eq=False)
class Encoded:
    """Several tunes as tokens, and how many unknown events there were.

    Args:
        sequences: one int32 [n] array for each tune that was kept: the start token, one token for
            each event, the end token.
        num_dropped: tunes that were left out because the vocabulary lacks one of their events.
        num_replaced: tokens that stand for the nearest known event.
    """

    sequences: tuple[np.ndarray, ...]
    num_dropped: int
    num_replaced: int


def _to_event(row: Iterable[Any]) -> Event:
    """Returns six values as an `Event` of plain integers; raises ValueError or TypeError."""

    def to_integers(values: Iterable[Any]) -> tuple[int, ...]:
        return tuple(operator.index(value) for value in values)

    given = Event._make(row)
    event = Event(
        melody_duration=operator.index(given.melody_duration),
        melody_octaves=to_integers(given.melody_octaves),
        melody_pitch_classes=to_integers(given.melody_pitch_classes),
        chord_duration=operator.index(given.chord_duration),
        chord_octaves=to_integers(given.chord_octaves),
        chord_pitch_classes=to_integers(given.chord_pitch_classes),
    )
    check_event(event)

    return event


class Tokenizer:
    """A vocabulary of events that turns scores into token ids, and back.

    Id 0 pads, 1 starts and 2 ends a tune; the ids of the events follow. A tune has one token at
    every tick where a note or rest of either voice starts (`events.score_to_events`). If the
    vocabulary has all of its events, it comes back from its tokens exactly.

    Args:
        events: the vocabulary in the order of the ids, which start at 3. Each is an `Event`, or a
            sequence of its six fields.
        rare: what `encode` does with an event that is not in the vocabulary. "nearest" replaces it
            by the nearest known event (`nearest_event.NearestEvent`); "drop" refuses the tune.

    Raises:
        ValueError: if there are no events, one is malformed or given twice, or `rare` is unknown.

    Example:
        >>> from tfseqgan.music.score import Note, Score
        >>> tune = Score((Note(0, 24, 60), Note(24, 24, 62), Note(48, 24, 60)))
        >>> tokenizer = Tokenizer.fit([tune])
        >>> tokenizer.encode(tune)
        array([1, 3, 4, 3, 2], dtype=int32)
        >>> tokenizer.decode([1, 3, 4, 3, 2]) == tune
        True

    Reference:
        Lee et al. 2017, "A SeqGAN for Polyphonic Music Generation", section 3.
    """

    def __init__(self, events: Iterable[Iterable[Any]], rare: str = "nearest") -> None:
        if rare not in _RARE_POLICIES:
            raise ValueError(
                f"The rare-token policy is unknown: expected one of {_RARE_POLICIES}, received "
                f"{rare!r}."
            )

        self._events = tuple(_to_event(event) for event in events)
        self._ids = {event: token for token, event in enumerate(self._events, _NUM_SPECIAL)}
        self._rare = rare
        self._nearest_ids: dict[Event, int] = {}

        if not self._events:
            raise ValueError(
                "The vocabulary is empty: expected at least one event. Fit the tokenizer on tunes "
                "with notes, or lower minimum_count."
            )

        if len(self._ids) < len(self._events):
            repeated, count = collections.Counter(self._events).most_common(1)[0]
            raise ValueError(
                "The vocabulary holds an event more than once: expected distinct events, received "
                f"{repeated} {count} times. Remove the copies."
            )

    @classmethod
    def fit(
        cls,
        scores: Iterable[Score],
        minimum_count: int = 1,
        rare: str = "nearest",
    ) -> "Tokenizer":
        """Makes a tokenizer whose vocabulary is the events of some scores.

        The most frequent event comes first. Events that are equally frequent are sorted by value,
        so the order of the scores does not matter.

        Args:
            scores: the tunes.
            minimum_count: how often an event must occur to be in the vocabulary, 1 or more.
            rare: the policy for events that are not in the vocabulary, "nearest" or "drop".

        Returns:
            The tokenizer.

        Raises:
            ValueError: if no event occurs often enough, or an argument is out of range.
        """
        if minimum_count < 1:
            raise ValueError(f"minimum_count is {minimum_count}: expected an integer of 1 or more.")

        counts: collections.Counter[Event] = collections.Counter()
        for score in scores:
            _, events = score_to_events(score)
            counts.update(events)

        frequent = [(-count, event) for event, count in counts.items() if count >= minimum_count]

        return cls([event for _, event in sorted(frequent)], rare)

    @property
    def events(self) -> tuple[Event, ...]:
        """The vocabulary; token id i means the event at index i - 3."""
        return self._events

    @property
    def rare(self) -> str:
        """The policy for events that are not in the vocabulary, "nearest" or "drop"."""
        return self._rare

    @property
    def vocabulary_size(self) -> int:
        """The number of token ids, with the three special ones."""
        return _NUM_SPECIAL + len(self._events)

    @property
    def pad_token_id(self) -> int:
        """The id that fills windows after the end token: 0."""
        return 0

    @property
    def start_token_id(self) -> int:
        """The id of the first token of every tune: 1."""
        return 1

    @property
    def end_token_id(self) -> int:
        """The id of the last token of every tune: 2."""
        return 2

    @functools.cached_property
    def token_features(self) -> np.ndarray:
        """The six fields of the event of each token, as indices: int32 [V, 6], read-only.

        The columns are the fields of `events.Event`: duration, octaves and pitch classes of the
        melody, then of the chords. The distinct values of each field are sorted, and a feature is
        an index into them. Index 0 is no duration, no octaves or no pitch classes. The special
        tokens have zeros.
        """
        features = np.zeros((self.vocabulary_size, len(Event._fields)), np.int32)  # [V, 6]

        for column, values in enumerate(zip(*self._events, strict=True)):
            is_duration = column in (0, 3)
            nothing = 0 if is_duration else ()
            distinct = sorted({nothing, *values})
            index_of = {value: index for index, value in enumerate(distinct)}
            features[_NUM_SPECIAL:, column] = [index_of[value] for value in values]

        features.setflags(write=False)

        return features

    @functools.cached_property
    def _nearest_event(self) -> NearestEvent:
        return NearestEvent(self._events)

    def _replace(self, event: Event, tick: int, score: Score) -> int:
        """Returns the id that replaces an unknown event, or raises if the policy is "drop"."""
        if self._rare == "drop":
            raise TokenizationError(
                f"{score.name or 'The tune'} holds an event at tick {tick} that is not in the "
                f"vocabulary: expected one of its {len(self._events)} events, received {event}. "
                "Fit the tokenizer on this tune too, or use rare='nearest'.",
                file=score.name or None,
                tick=tick,
            )

        if event not in self._nearest_ids:
            self._nearest_ids[event] = _NUM_SPECIAL + self._nearest_event.nearest(event)

        return self._nearest_ids[event]

    def _encode(self, score: Score) -> tuple[np.ndarray, int]:
        """Returns the tokens of a score, int32 [n], and how many replace an unknown event."""
        ticks, events = score_to_events(score)
        tokens = [self.start_token_id]
        num_replaced = 0
        for tick, event in zip(ticks, events, strict=True):
            token = self._ids.get(event)
            if token is None:
                token = self._replace(event, tick, score)
                num_replaced += 1
            tokens.append(token)
        tokens.append(self.end_token_id)

        return np.array(tokens, np.int32), num_replaced

    def encode(self, score: Score) -> np.ndarray:
        """Writes a score as tokens: the start token, one token for each event, the end token.

        With the policy "nearest", an unknown event may get another duration. The notes after it
        then move in time, because time follows from the durations.

        Args:
            score: the tune.

        Returns:
            int32 [n].

        Raises:
            TokenizationError: if the policy is "drop" and an event is not in the vocabulary; it
                carries the name of the tune and the tick.
        """
        tokens, _ = self._encode(score)

        return tokens

    def encode_all(self, scores: Iterable[Score]) -> Encoded:
        """Writes many scores as tokens, and counts the unknown events.

        With the policy "drop", a tune with an unknown event is left out and counted; no error is
        raised.

        Args:
            scores: the tunes.

        Returns:
            The token sequences and the counts.
        """
        sequences = []
        num_dropped = 0
        num_replaced = 0
        for score in scores:
            try:
                tokens, replaced = self._encode(score)
            except TokenizationError:
                num_dropped += 1
            else:
                sequences.append(tokens)
                num_replaced += replaced

        return Encoded(tuple(sequences), num_dropped, num_replaced)

    def windows(
        self, scores: Iterable[Score], length: int, stride: int | None = None
    ) -> np.ndarray:
        """Cuts tunes into windows of equal length: the training data.

        Each tune, from its start token to its end token, is cut separately. So no window holds
        tokens of two tunes. The last window of a tune is padded.

        Args:
            scores: the tunes.
            length: tokens in a window, 1 or more.
            stride: tokens from the start of one window to the start of the next, 1 to `length`.
                The default is `length`: windows do not overlap.

        Returns:
            int32 [N, length], in the order of the tunes; no window is only padding.

        Raises:
            ValueError: if `length` or `stride` is out of range.
        """
        stride = length if stride is None else stride
        if not 1 <= stride <= length:
            raise ValueError(
                "The length or the stride is out of range: expected a length of 1 or more and a "
                f"stride of 1 to the length, received length={length} and stride={stride}."
            )

        encoded = self.encode_all(scores)
        _log.info(
            "%d tunes, %d tokens; %d tunes dropped for rare events, "
            "%d tokens replaced by the nearest known",
            len(encoded.sequences),
            sum(len(tokens) for tokens in encoded.sequences),
            encoded.num_dropped,
            encoded.num_replaced,
        )

        parts = []
        for tokens in encoded.sequences:
            # Windows start every `stride` tokens, until one of them reaches the end of the tune.
            stop = max(len(tokens) - length, 0) + stride
            parts += [tokens[start : start + length] for start in range(0, stop, stride)]

        windows = np.full((len(parts), length), self.pad_token_id, np.int32)  # [N, length]
        for window, part in zip(windows, parts, strict=True):
            window[: len(part)] = part

        return windows

    def decode(self, tokens: Sequence[int] | np.ndarray, **score_fields: Any) -> Score:
        """Reads token ids as a score; every sequence of known ids has one.

        Args:
            tokens: integers [n]. Start and padding tokens are ignored, and the first end token ends
                the tune.
            **score_fields: `key`, `time_signature`, `tempo_bpm`, `name` and `rhythm` of the score.

        Returns:
            The score. For the tokens of a tune whose events are all known, it has the melody and
            chords of the tune exactly.

        Raises:
            TokenizationError: if an id is outside 0 to `vocabulary_size` - 1.
            ValueError: if the tokens are not one sequence of integers.
        """
        tokens = self._check_tokens(tokens)

        end_indices = np.flatnonzero(tokens == self.end_token_id)
        if end_indices.size:
            tokens = tokens[: end_indices[0]]

        events = [
            self._events[token - _NUM_SPECIAL] for token in tokens.tolist() if token >= _NUM_SPECIAL
        ]

        return events_to_score(events, **score_fields)

    def _check_tokens(self, tokens: Sequence[int] | np.ndarray) -> np.ndarray:
        """Returns the tokens as an array, or raises unless they are a sequence of known ids."""
        tokens = np.asarray(tokens)
        is_integer = np.issubdtype(tokens.dtype, np.integer)
        if tokens.ndim != 1 or (tokens.size and not is_integer):
            raise ValueError(
                "The tokens cannot be decoded: expected one sequence of integers, received shape "
                f"{tokens.shape} and dtype {tokens.dtype}. Decode one tune at a time."
            )

        unknown = np.flatnonzero((tokens < 0) | (tokens >= self.vocabulary_size))
        if unknown.size:
            index = unknown[0]
            raise TokenizationError(
                f"Token {tokens[index]} at index {index} is outside the vocabulary: expected 0 to "
                f"{self.vocabulary_size - 1}. Use the tokenizer that made the tokens."
            )

        return tokens

    def save(self, path: Path | str) -> None:
        """Writes the tokenizer as a JSON file, completely or not at all.

        Args:
            path: the file to write; its folder must exist.

        Raises:
            OSError: if the file cannot be written. A file that was there before is unchanged.
        """
        content = {**_FILE_HEADER, "rare": self._rare, "events": self._events}

        write_atomically(path, json.dumps(content).encode())

    @classmethod
    def load(cls, path: Path | str) -> "Tokenizer":
        """Reads a tokenizer that `save` wrote.

        Args:
            path: the JSON file.

        Returns:
            A tokenizer equal to the one that was saved.

        Raises:
            ValueError: if the file is not a complete tokenizer file of this version; the message
                names the file.
            OSError: if the file cannot be opened.
        """
        try:
            content = read_json(path)
            header = {name: content.get(name) for name in _FILE_HEADER}
            if header != _FILE_HEADER or set(content) != {*_FILE_HEADER, "rare", "events"}:
                raise ValueError(f"its header is {header} and its fields are {sorted(content)}")
            return cls(content["events"], content["rare"])
        except (ValueError, TypeError, AttributeError) as error:
            # Invalid JSON and invalid UTF-8 are ValueErrors; JSON of another form is one of these.
            raise ValueError(
                f"{path} is not a whole tokenizer file: expected JSON with the header "
                f"{_FILE_HEADER} and the fields rare and events, but "
                f"{str(error).removesuffix('.')}. Download it again, or fit a tokenizer and save "
                "it."
            ) from error

    def __eq__(self, other: object) -> bool:
        """Tokenizers are equal if they give every score and every token the same meaning."""
        if not isinstance(other, Tokenizer):
            return NotImplemented

        return self._events == other._events and self._rare == other._rare

    def __hash__(self) -> int:
        return hash((self._events, self._rare))

    def __repr__(self) -> str:
        return f"Tokenizer({len(self._events)} events, rare={self._rare!r})"
