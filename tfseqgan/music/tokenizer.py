"""Scores to token ids and back, by a vocabulary of Lee et al.'s event tokens."""

import collections
import dataclasses
import functools
import json
import logging
import operator
from pathlib import Path

import numpy as np

from tfseqgan.files import write_atomically
from tfseqgan.music.events import Event, check_event, events_to_score, score_to_events
from tfseqgan.music.nearest_event import NearestEvent
from tfseqgan.music.score import TICKS_PER_QUARTER

_NUM_SPECIAL = 3


_RARE_POLICIES = ("nearest", "drop")


_FORMAT = {"format": "tfseqgan.Tokenizer", "version": 1, "ticks_per_quarter": TICKS_PER_QUARTER}


_log = logging.getLogger("tfseqgan")


class TokenizationError(ValueError):
    """A tune or a token that the vocabulary does not hold.

    Args:
        message: what happened, what was expected and received, what to do.
        file: the name of the tune, or None.
        tick: where in the tune, in grid ticks, or None.
    """

    def __init__(self, message, file=None, tick=None):
        super().__init__(message)
        self.file = file
        self.tick = tick


@dataclasses.dataclass(frozen=True, eq=False)
class Encoded:
    """Several tunes as tokens, and what the rare-token policy did to them.

    Args:
        sequences: one int32 [n] array for each tune that was kept: start, events, end.
        num_dropped: tunes left out because they hold an event that the vocabulary lacks.
        num_replaced: tokens that stand for the nearest known event.
    """

    sequences: tuple[np.ndarray, ...]
    num_dropped: int
    num_replaced: int


def _canonical_event(event):
    """Returns a row as an `Event` of plain Python values, or raises ValueError or TypeError."""
    event = Event._make(event)
    event = Event._make(
        tuple(operator.index(value) for value in part) if place % 3 else operator.index(part)
        for place, part in enumerate(event)
    )
    check_event(event)
    return event


class Tokenizer:
    """A vocabulary of events, and the way between scores and token ids.

    Id 0 pads, 1 starts and 2 ends a tune; the events follow. One token stands at every onset of either part (`events.score_to_events`), so
    a tune comes back from its tokens note for note.

    Args:
        events: the vocabulary in order of id, from id 3 on: `Event`s, or rows of six that make one.
        rare: what `encode` does with an event that the vocabulary lacks: "nearest" puts the nearest known event in its place
            (`neighbours.NearestEvent`); "drop" refuses the tune.

    Raises:
        ValueError: if there is no event, one is malformed or stands twice, or `rare` is neither policy.

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

    def __init__(self, events, rare="nearest"):
        if rare not in _RARE_POLICIES:
            raise ValueError(
                f"The rare-token policy is {rare!r}, expected one of {_RARE_POLICIES}."
            )
        self._events = tuple(_canonical_event(event) for event in events)
        self._ids = {event: token for token, event in enumerate(self._events, _NUM_SPECIAL)}
        self._nearest_ids = {}
        self._rare = rare
        if not self._events:
            raise ValueError(
                "The vocabulary is empty: expected at least one event. Fit on tunes with notes, or lower minimum_count."
            )
        if len(self._ids) < len(self._events):
            twice = next(
                event for event, count in collections.Counter(self._events).items() if count > 1
            )
            raise ValueError(
                f"The vocabulary holds {twice} more than once: expected distinct events."
            )

    @classmethod
    def fit(cls, scores, minimum_count=1, rare="nearest"):
        """Returns a tokenizer whose vocabulary is the events of some scores, the most frequent first.

        Args:
            scores: an iterable of `Score`.
            minimum_count: how often an event must occur to enter the vocabulary, 1 or more.
            rare: the policy for the events that did not enter, "nearest" or "drop".

        Raises:
            ValueError: if no event occurs often enough, or an argument is out of range.
        """
        if minimum_count < 1:
            raise ValueError(f"minimum_count is {minimum_count}, expected 1 or more.")
        counts = collections.Counter()
        for score in scores:
            counts.update(score_to_events(score)[1])
        frequent = [(-count, event) for event, count in counts.items() if count >= minimum_count]
        return cls([event for _, event in sorted(frequent)], rare)

    @property
    def events(self):
        """The vocabulary, a tuple of `Event`; the event of id i stands at place i - 3."""
        return self._events

    @property
    def rare(self):
        """The rare-token policy, "nearest" or "drop"."""
        return self._rare

    @property
    def vocabulary_size(self):
        """The number of ids, the three special ones included."""
        return _NUM_SPECIAL + len(self._events)

    @property
    def pad_token_id(self):
        """0: fills what follows the end of a tune."""
        return 0

    @property
    def start_token_id(self):
        """1: the first token of every tune."""
        return 1

    @property
    def end_token_id(self):
        """2: the last token of every tune."""
        return 2

    @functools.cached_property
    def token_features(self):
        """The six parts of each token, int32 [V, 6]: places in the sorted tables of the distinct values of each part; 0 is nothing.

        The columns are melody duration, octaves, pitch classes and chord duration, octaves, pitch classes. The special tokens are all
        zeros.
        """
        features = np.zeros((self.vocabulary_size, 6), np.int32)
        for column, values in enumerate(zip(*self._events)):
            nothing = () if column % 3 else 0
            places = {value: place for place, value in enumerate(sorted({nothing, *values}))}
            features[_NUM_SPECIAL:, column] = [places[value] for value in values]
        features.setflags(write=False)
        return features

    @functools.cached_property
    def _neighbours(self):
        return NearestEvent(self._events)

    def _replace(self, event, tick, score):
        """Returns the id that stands for an unknown event, or raises TokenizationError if the policy is to drop its tune."""
        if self._rare == "drop":
            raise TokenizationError(
                f"{score.name or 'The tune'} holds an event at tick {tick} that is not among the {len(self._events)} known ones: {event}. "
                "Fit the tokenizer on this tune too, or use rare='nearest'.",
                file=score.name or None,
                tick=tick,
            )
        if event not in self._nearest_ids:
            self._nearest_ids[event] = _NUM_SPECIAL + self._neighbours.nearest(event)
        return self._nearest_ids[event]

    def _encode(self, score):
        """Returns the tokens of a score, int32 [n], and how many of them stand for another event."""
        ticks, events = score_to_events(score)
        tokens = [self._ids.get(event, 0) for event in events]
        unknown = [place for place, token in enumerate(tokens) if token == 0]
        for place in unknown:
            tokens[place] = self._replace(events[place], ticks[place], score)
        return np.array([self.start_token_id, *tokens, self.end_token_id], np.int32), len(unknown)

    def encode(self, score):
        """Returns the tokens of a score: start, one for each event, end.

        With the policy "nearest" and an unknown duration the notes that follow move in time, as the tokens hold no other clock.

        Args:
            score: a `Score`.

        Returns:
            int32 [n].

        Raises:
            TokenizationError: if the policy is "drop" and the vocabulary lacks an event; it carries the tune's name and the tick.
        """
        return self._encode(score)[0]

    def encode_all(self, scores):
        """Returns the tokens of many scores and what became of the rare events, an `Encoded`; refused tunes are counted, not raised.

        Args:
            scores: an iterable of `Score`.
        """
        sequences, num_dropped, num_replaced = [], 0, 0
        for score in scores:
            try:
                tokens, replaced = self._encode(score)
            except TokenizationError:
                num_dropped += 1
            else:
                sequences.append(tokens)
                num_replaced += replaced
        return Encoded(tuple(sequences), num_dropped, num_replaced)

    def windows(self, scores, length, stride=None):
        """Returns tunes as windows of equal length: the training data.

        Each tune, from its start to its end token, is cut by itself, so no window holds parts of two. The last window of a tune is padded.

        Args:
            scores: an iterable of `Score`.
            length: tokens in a window, 1 or more.
            stride: tokens from one window's start to the next, 1 to `length`; by default `length`, so that windows do not overlap.

        Returns:
            int32 [N, length], in the order of the tunes; no window is all padding.

        Raises:
            ValueError: if `length` or `stride` is out of range.
        """
        stride = length if stride is None else stride
        if not 1 <= stride <= length:
            raise ValueError(
                f"Received length {length} and stride {stride}: expected a length from 1 and a stride of 1 to the length."
            )
        encoded = self.encode_all(scores)
        num_tokens = sum(map(len, encoded.sequences))
        _log.info(
            "%d tunes, %d tokens; %d tunes dropped for rare events, %d tokens replaced by the nearest known",
            *(len(encoded.sequences), num_tokens, encoded.num_dropped, encoded.num_replaced),
        )
        ends = [(tokens, max(len(tokens) - length, 0) + stride) for tokens in encoded.sequences]
        cuts = [
            tokens[start : start + length]
            for tokens, end in ends
            for start in range(0, end, stride)
        ]
        windows = np.full((len(cuts), length), self.pad_token_id, np.int32)  # [N, length]
        for window, cut in zip(windows, cuts):
            window[: len(cut)] = cut
        return windows

    def decode(self, tokens, **score_fields):
        """Returns the score of any sequence of token ids, generated nonsense included (`events.events_to_score`).

        Args:
            tokens: integers [n]; start and padding tokens are passed over, and an end token ends the tune.
            **score_fields: `key`, `time_signature`, `tempo_bpm`, `name`, `rhythm` of the score.

        Returns:
            A `Score`; for what `encode` gave of a known tune, its melody and chords exactly.

        Raises:
            TokenizationError: if an id is outside 0 to `vocabulary_size` - 1.
            ValueError: if the tokens are not one row of integers.
        """
        tokens = self._check_tokens(tokens)
        ends = np.flatnonzero(tokens == self.end_token_id)
        tokens = tokens[: ends[0]] if ends.size else tokens
        events = [
            self._events[token - _NUM_SPECIAL] for token in tokens.tolist() if token >= _NUM_SPECIAL
        ]
        return events_to_score(events, **score_fields)

    def _check_tokens(self, tokens):
        """Returns tokens as an array, or raises unless they are one row of known ids."""
        tokens = np.asarray(tokens)
        if tokens.ndim != 1 or (tokens.size and not np.issubdtype(tokens.dtype, np.integer)):
            raise ValueError(
                f"Expected tokens as one row of integers, received shape {tokens.shape}, {tokens.dtype}. Decode one sequence at a time."
            )
        outside = np.flatnonzero((tokens < 0) | (tokens >= self.vocabulary_size))
        if outside.size:
            raise TokenizationError(
                f"Token {tokens[outside[0]]} at place {outside[0]} is outside the vocabulary: expected 0 to {self.vocabulary_size - 1}. "
                "Use the tokenizer that the tokens were made with."
            )
        return tokens

    def save(self, path):
        """Writes the tokenizer as JSON, whole or not at all.

        Args:
            path: the file to write; its folder must exist.

        Raises:
            OSError: if the file cannot be written; one that was there before is untouched.
        """
        write_atomically(
            path, json.dumps({**_FORMAT, "rare": self._rare, "events": self._events}).encode()
        )

    @classmethod
    def load(cls, path):
        """Returns the tokenizer that `save` wrote.

        Args:
            path: the JSON file.

        Raises:
            ValueError: naming the file, if it is not a whole tokenizer file of this version.
            OSError: if the file cannot be opened.
        """
        data = Path(path).read_bytes()
        try:
            content = json.loads(data)
            header = {name: content.get(name) for name in _FORMAT}
            if header != _FORMAT or set(content) != {*_FORMAT, "rare", "events"}:
                raise ValueError(f"its header is {header} and its fields are {sorted(content)}")
            return cls(content["events"], content["rare"])
        except (
            ValueError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:  # JSON's and Unicode's errors are ValueErrors
            raise ValueError(
                f"{path} is not a whole tokenizer file: expected JSON with {_FORMAT}, rare and events, but {error}. "
                "Fetch it again, or fit and save the tokenizer anew."
            ) from error

    def __eq__(self, other):
        """Two tokenizers are equal if they give every score and every token the same meaning."""
        if not isinstance(other, Tokenizer):
            return NotImplemented
        return (self._events, self._rare) == (other._events, other._rare)

    def __hash__(self):
        return hash((self._events, self._rare))

    def __repr__(self):
        return f"Tokenizer({len(self._events)} events, rare={self._rare!r})"
