"""Scores to token ids, and back, by a vocabulary of events."""

import collections
import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfseqgan.arguments import seed_pairs
from tfseqgan.files import read_json, write_atomically
from tfseqgan.music.control_tokens import ControlTokens
from tfseqgan.music.controls import Controls, ControlVocabulary
from tfseqgan.music.encoded import Encoded, TokenizationError
from tfseqgan.music.event_writing import EventWriting
from tfseqgan.music.events import Event
from tfseqgan.music.score import TICKS_PER_QUARTER, Score
from tfseqgan.music.tokenizer_file import FORMAT, VERSIONS, file_header, read_content
from tfseqgan.music.vocabulary import (
    NUM_SPECIAL,
    Vocabulary,
    frequent_events,
    one_tick_rests,
)
from tfseqgan.symbols.token_rows import TokenRows, cut_windows, whole_tunes

_RARE_POLICIES = ("nearest", "drop")


class Tokenizer:
    """A vocabulary of events that turns scores into token ids, and back.

    Id 0 pads, 1 starts and 2 ends a tune; the ids of the events follow. If the vocabulary has all
    events of a tune, and no option below says otherwise, the tune comes back from its tokens
    exactly.

    By default a token is what starts at one tick in both voices (`events.score_to_events`), the
    tokens of the paper. Section 7 of the paper proposes three others, which can be combined:
    interleaved voices, one key for all tunes, and chords without octaves.

    Args:
        events: the vocabulary in the order of the ids, which start at 3. Each is an `Event`, or a
            sequence of its six fields.
        rare: what `encode` does with an event that is not in the vocabulary. "nearest" replaces it
            by the nearest known event (`nearest_event.NearestEvent`); "drop" refuses the tune.
        interleave: a token is what starts in one voice (`interleaved_events`). A replaced event
            then lasts as long as the unknown one, so that a tune keeps its time.
        transpose: "C" moves every tune to C major or A minor first, by its key, or by the
            estimated one (`key_estimation`) if it has none; None leaves the key.
        chord_octaves: whether chords keep their octaves. Without them every chord is written in
            root position (`chord_voicing.close_chords`).
        controls: a tune says its metre, key, number of bars and rhythm in four tokens after its
            start token (`control_tokens`), by this vocabulary; None writes none.

    Raises:
        ValueError: if there are no events, one is malformed or given twice, or an option is
            unknown.

    Example:
        >>> from tfseqgan.music.score import Note, Score
        >>> tune = Score((Note(0, 24, 60), Note(24, 24, 62), Note(48, 24, 60)))
        >>> tokenizer = Tokenizer.fit([tune])
        >>> tokenizer.encode(tune)
        array([1, 3, 4, 3, 2], dtype=int32)
        >>> tokenizer.decode([1, 3, 4, 3, 2]) == tune
        True

    Reference:
        Lee et al. 2017, "A SeqGAN for Polyphonic Music Generation", section 3; Bjare & Meredith,
        section 7 (the options).
    """

    def __init__(
        self,
        events: Iterable[Iterable[Any]],
        rare: str = "nearest",
        *,
        interleave: bool = False,
        transpose: str | None = None,
        chord_octaves: bool = True,
        controls: ControlVocabulary | None = None,
    ) -> None:
        if rare not in _RARE_POLICIES:
            raise ValueError(
                f"The rare-token policy is unknown: expected one of {_RARE_POLICIES}, received "
                f"{rare!r}."
            )
        self._vocabulary = Vocabulary(events)
        self._rare = rare
        self._writing = EventWriting(interleave, transpose, chord_octaves)
        self._controls: ControlTokens | None = None
        if controls is not None:
            self._controls = ControlTokens(controls, len(self._vocabulary))
        self._writing.check(self._vocabulary.events)

    @classmethod
    def fit(
        cls,
        scores: Iterable[Score],
        minimum_count: int = 1,
        rare: str = "nearest",
        *,
        interleave: bool = False,
        transpose: str | None = None,
        chord_octaves: bool = True,
        controls: bool = False,
        transpositions: Iterable[int] = (0,),
    ) -> "Tokenizer":
        """Makes a tokenizer whose vocabulary is the events of some scores.

        The most frequent event comes first. Events that are equally frequent are sorted by value,
        so the order of the scores does not matter.

        Args:
            scores: the tunes.
            minimum_count: how often an event must occur to be in the vocabulary, 1 or more.
            rare: the policy for events that are not in the vocabulary, "nearest" or "drop".
            interleave: whether a token is what starts in one voice.
            transpose: "C", or None.
            chord_octaves: whether chords keep their octaves.
            controls: whether a tune says its metre, key, number of bars and rhythm.
            transpositions: semitones; the vocabulary also holds all events moved by each of them,
                for random transposition (`score.ALL_TRANSPOSITIONS`).

        Returns:
            The tokenizer.

        Raises:
            ValueError: if no event occurs often enough, or an argument is out of range.

        Example:
            >>> from tfseqgan.music.score import ALL_TRANSPOSITIONS, Note, Score
            >>> tune = Score((Note(0, 24, 60),))
            >>> Tokenizer.fit([tune], transpositions=ALL_TRANSPOSITIONS).vocabulary_size
            15
        """
        if minimum_count < 1:
            raise ValueError(f"minimum_count is {minimum_count}: expected an integer of 1 or more.")

        writing = EventWriting(interleave, transpose, chord_octaves)
        counts: collections.Counter[Event] = collections.Counter()
        prepared = [writing.prepare(score) for score in scores]
        for score in prepared:
            _, events = writing.to_events(score)
            counts.update(events)

        vocabulary = frequent_events(counts, minimum_count, transpositions, chord_octaves)
        if interleave:
            known = set(vocabulary)
            vocabulary += [rest for rest in one_tick_rests(vocabulary) if rest not in known]

        return cls(
            vocabulary,
            rare,
            interleave=interleave,
            transpose=transpose,
            chord_octaves=chord_octaves,
            controls=ControlVocabulary.fit(prepared) if controls else None,
        )

    def drawn_from(self, scores: Iterable[Score]) -> "Tokenizer":
        """Returns a tokenizer of the same tokens whose `prompts` are drawn from other tunes.

        It is the tokenizer of a model that is trained further on those tunes: without controls,
        this one.

        Args:
            scores: the tunes.

        Example:
            >>> from tfseqgan.music.score import Note, Score
            >>> tune = Score((Note(0, 72, 67),), key="G", time_signature=(3, 4))
            >>> tokenizer = Tokenizer.fit([tune], controls=True)
            >>> moved = tokenizer.drawn_from([Score((Note(0, 72, 67),), key="Em")])
            >>> moved.controls.decode(moved.controls.tunes[0]).key, moved.events == tokenizer.events
            ('Em', True)
        """
        if self.controls is None:
            return self

        prepared = [self._writing.prepare(score) for score in scores]

        return Tokenizer(
            self.events,
            self._rare,
            **self.options,
            controls=self.controls.drawn_from(prepared),
        )

    @property
    def events(self) -> tuple[Event, ...]:
        """The vocabulary; token id i means the event at index i - 3."""
        return self._vocabulary.events

    @property
    def rare(self) -> str:
        """The policy for events that are not in the vocabulary, "nearest" or "drop"."""
        return self._rare

    @property
    def options(self) -> dict[str, Any]:
        """What `fit` was asked for: `interleave`, `transpose` and `chord_octaves`."""
        return dataclasses.asdict(self._writing)

    @property
    def controls(self) -> ControlVocabulary | None:
        """What a tune says of itself, or None if it says nothing."""
        return None if self._controls is None else self._controls.vocabulary

    @property
    def control_tokens(self) -> ControlTokens | None:
        """The ids of the controls, or None without controls."""
        return self._controls

    @property
    def vocabulary_size(self) -> int:
        """The number of token ids, with the three special ones and those of the controls."""
        return len(self._vocabulary) + self._num_controls

    @property
    def _num_controls(self) -> int:
        return 0 if self._controls is None else len(self._controls)

    def _with_controls(self, table: np.ndarray) -> np.ndarray:
        """Returns what is known of each token, with zeros for the controls; read-only."""
        table = np.pad(table, [[0, self._num_controls], [0, 0]])
        table.setflags(write=False)

        return table

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

    @property
    def token_features(self) -> np.ndarray:
        """The six fields of the event of each token, as indices: int32 [V, 6], read-only.

        The columns are the fields of `events.Event`: duration, octaves and pitch classes of the
        melody, then of the chords. The distinct values of each field are sorted, and a feature is
        an index into them. Index 0 is no duration, no octaves or no pitch classes. The special
        tokens and the controls have zeros.
        """
        return self._with_controls(self._vocabulary.features)

    @property
    def token_durations(self) -> np.ndarray:
        """How long each token lasts in melody and chords, in ticks: int32 [V, 2], read-only.

        It is all that a generator needs to write only sequences that decode to a tune
        (`models.token_clock`). The special tokens and the controls have zeros.
        """
        return self._with_controls(self._vocabulary.durations)

    @property
    def token_controls(self) -> np.ndarray | None:
        """The control that each token says: int32 [V, 3], read-only; None without controls.

        The columns are the control (1 metre, 2 key, 3 bars, 4 rhythm; 0 for tokens that say none),
        its code (`ControlVocabulary`), and for a metre the ticks of a bar.
        """
        if self._controls is None:
            return None

        table = np.zeros((self.vocabulary_size, 3), np.int32)
        table[-self._num_controls :] = self._controls.table
        table.setflags(write=False)

        return table

    @property
    def token_pitch_classes(self) -> np.ndarray:
        """1 + the pitch class of each token's highest melody note and of its bass: int32 [V, 2].

        0 stands for no note. Read-only.
        """
        return self._with_controls(self._vocabulary.pitch_classes)

    def transposed_ids(self, semitones: int) -> np.ndarray:
        """Finds the id of each token's event moved by some semitones.

        Args:
            semitones: how far up; negative for down.

        Returns:
            int32 [V]; −1 where the moved event is not in the vocabulary. The special tokens keep
            their ids.

        Example:
            >>> from tfseqgan.music.score import Note, Score
            >>> tokenizer = Tokenizer.fit([Score((Note(0, 24, 60), Note(24, 24, 62)))])
            >>> tokenizer.transposed_ids(2).tolist()
            [0, 1, 2, 4, -1]
        """
        ids = self._vocabulary.transposed_ids(semitones, self._writing.chord_octaves)
        if self._controls is None:
            return ids

        return np.concatenate([ids, self._controls.transposed_ids(semitones)])

    def _replace(self, event: Event, tick: int, score: Score) -> list[int]:
        """Returns the ids that replace an unknown event, or raises if the policy is "drop"."""
        if self._rare == "drop":
            raise TokenizationError(
                f"{score.name or 'The tune'} holds an event at tick {tick} that is not in the "
                f"vocabulary: expected one of its {len(self.events)} events, received {event}. "
                "Fit the tokenizer on this tune too, or use rare='nearest'.",
                file=score.name or None,
                tick=tick,
            )

        if self._writing.interleave:
            return self._vocabulary.replace_in_time(event)

        return [self._vocabulary.nearest(event)]

    def _encode(self, score: Score) -> tuple[np.ndarray, int, int]:
        """Returns tokens int32 [n], how many replace an unknown event, and the transposition."""
        semitones = self.transposition_of(score)
        score = self._writing.prepare(score)
        ticks, events = self._writing.to_events(score)
        written = []  # (tick, whether it is in the melody, token)
        num_replaced = 0
        for tick, event in zip(ticks, events, strict=True):
            token = self._vocabulary.ids.get(event)
            tokens = self._replace(event, tick, score) if token is None else [token]
            num_replaced += len(tokens) if token is None else 0
            for token in tokens:
                written.append((tick, event.melody_duration > 0, token))
                tick += sum(self._vocabulary.durations_of[token])

        # What replaces an event of one voice may end after the next event of the other one starts.
        written.sort(key=lambda each: each[:2])
        of_events = [token for _, _, token in written]
        tokens = [self.start_token_id, *self._controls_of(score), *of_events, self.end_token_id]

        return np.array(tokens, np.int32), num_replaced, semitones

    def _controls_of(self, score: Score) -> list[int]:
        """Returns the tokens that say what a tune is; none without controls."""
        return [] if self._controls is None else self._controls.of_score(score).tolist()

    def encode(self, score: Score) -> np.ndarray:
        """Writes a score as tokens: the start token, one token for each event, the end token.

        With controls, four tokens after the start token say what the tune is.

        With the policy "nearest", an unknown event may get another duration unless the voices are
        interleaved. The notes after it then move in time, because time follows from the durations.

        Args:
            score: the tune.

        Returns:
            int32 [n].

        Raises:
            TokenizationError: if the policy is "drop" and an event is not in the vocabulary; it
                carries the name of the tune and the tick.
        """
        tokens, _, _ = self._encode(score)

        return tokens

    def encode_all(self, scores: Iterable[Score]) -> Encoded:
        """Writes many scores as tokens, and counts the unknown events.

        With the policy "drop", a tune with an unknown event is left out and counted; no error is
        raised.

        Args:
            scores: the tunes.

        Returns:
            The token sequences, the counts, and by how much each tune was transposed.
        """
        sequences = []
        transpositions = []
        indices = []
        num_dropped = 0
        num_replaced = 0
        for index, score in enumerate(scores):
            try:
                tokens, replaced, semitones = self._encode(score)
            except TokenizationError:
                num_dropped += 1
                continue

            sequences.append(tokens)
            transpositions.append(semitones)
            indices.append(index)
            num_replaced += replaced

        return Encoded(
            tuple(sequences), num_dropped, num_replaced, tuple(transpositions), tuple(indices)
        )

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
        encoded = self.encode_all(scores)
        encoded.log_counts()

        return cut_windows(encoded.sequences, length, stride, self.pad_token_id).tokens

    def whole_tunes(self, scores: Iterable[Score], length: int) -> TokenRows:
        """Writes each tune as one row, and cuts those that are longer than `length` tokens.

        Args:
            scores: the tunes.
            length: the largest number of tokens in a row, 1 or more.

        Returns:
            The rows, and which of the scores each one is from.

        Raises:
            ValueError: if `length` is out of range.
        """
        encoded = self.encode_all(scores)
        encoded.log_counts()
        rows = whole_tunes(encoded.sequences, length, self.pad_token_id)

        return TokenRows(rows.tokens, np.array(encoded.indices, np.int32)[rows.tunes])

    def decode(
        self,
        tokens: Sequence[int] | np.ndarray,
        *,
        transposition: int = 0,
        **score_fields: Any,
    ) -> Score:
        """Reads token ids as a score; every sequence of known ids has one.

        Args:
            tokens: integers [n]. Start and padding tokens are ignored, and the first end token ends
                the tune.
            transposition: by how many semitones the tune was moved before it was written
                (`transposition_of`); it is moved back.
            **score_fields: `key`, `time_signature`, `tempo_bpm`, `name` and `rhythm` of the score;
                by default those that its controls say.

        Returns:
            The score. For the tokens of a tune whose events are all known, it has the melody and
            chords of the tune exactly; without chord octaves, the chords of `close_chords`.

        Raises:
            TokenizationError: if an id is outside 0 to `vocabulary_size` - 1.
            ValueError: if the tokens are not one sequence of integers.
        """
        tokens = self._check_tokens(tokens)

        end_indices = np.flatnonzero(tokens == self.end_token_id)
        if end_indices.size:
            tokens = tokens[: end_indices[0]]

        events = [
            self.events[token - NUM_SPECIAL]
            for token in tokens.tolist()
            if NUM_SPECIAL <= token < len(self._vocabulary)
        ]
        said = {} if self._controls is None else self._controls.score_fields(tokens)
        score = dataclasses.replace(self._writing.read(events), **said)

        return dataclasses.replace(self._writing.restore(score, transposition), **score_fields)

    def prompts(
        self,
        num_sequences: int,
        controls: Controls | None = None,
        *,
        seed: int | tuple[int, int] | None,
    ) -> np.ndarray:
        """Returns what whole tunes begin with: the start token, and what they are asked to be.

        What is not asked for is drawn from what the tunes of the corpus are together
        (`ControlVocabulary.draw`). Without controls in the vocabulary it is the start token alone.

        Args:
            num_sequences: B.
            controls: what is asked for, or None for nothing.
            seed: the same seed draws the same again, as in `generate`; None is a random seed.

        Returns:
            int32 [B, P], a prompt for `generate`.

        Raises:
            ValueError: if something is asked for that the vocabulary does not have.
        """
        start = np.full((num_sequences, 1), self.start_token_id, np.int32)
        if self._controls is None:
            asked = {} if controls is None else controls._asdict()
            named = [f"{name} {value}" for name, value in asked.items() if value is not None]
            if named:
                raise ValueError(
                    f"{', '.join(named)} cannot be asked for: expected a tokenizer with controls. "
                    "Train a model whose tunes say what they are ('tfseqgan train --preset "
                    "default', or Tokenizer.fit(..., controls=True)), or ask for nothing."
                )
            return start

        vocabulary = self._controls.vocabulary
        given = vocabulary.encode(controls or Controls())
        codes = vocabulary.draw(given, seed_pairs(seed, num_sequences))

        return np.concatenate([start, self._controls.ids_of(codes)], axis=1)

    def transposition_of(self, score: Score) -> int:
        """Returns by how many semitones `encode` moves a tune before it writes it."""
        return self._writing.transposition_of(score)

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
        content = {
            **file_header(),
            "rare": self._rare,
            **self.options,
            "controls": None if self.controls is None else self.controls.to_json(),
            "events": self.events,
        }

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
            return cls(**read_content(read_json(path)))
        except (ValueError, TypeError, AttributeError) as error:
            versions = " or ".join(map(str, VERSIONS))
            raise ValueError(
                f"{path} is not a whole tokenizer file: expected JSON of the format {FORMAT}, "
                f"version {versions}, with {TICKS_PER_QUARTER} ticks a quarter "
                f"and the fields rare and events, but {error}. Download it again, or fit a "
                "tokenizer and save it."
            ) from error

    def __eq__(self, other: object) -> bool:
        """Tokenizers are equal if they give every score and every token the same meaning."""
        if not isinstance(other, Tokenizer):
            return NotImplemented

        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[Any, ...]:
        return self.events, self._rare, self._writing, self.controls

    def __repr__(self) -> str:
        options = {"rare": self._rare, **self.options, "controls": self.controls is not None}
        shown = ", ".join(f"{name}={value!r}" for name, value in options.items())

        return f"Tokenizer({len(self.events)} events, {shown})"
