"""A score as events of one voice each, in order of time, and back.

A combined event (`events`) says what starts in both voices at once, so that every pair of a melody
note and a chord is a word of its own. Here a chord and a melody note that start together are two
events, the chord first, and the vocabulary is the sum of two small ones instead of their product.

Each voice is written without gaps from tick 0, so its own durations say when its events start:
the first at 0, the next when that one ends. How the voices are interleaved adds nothing to this,
but a generator that writes them in order of time knows what sounds at each moment.
"""

from collections.abc import Iterable
from typing import Any

from tfseqgan.music.events import Event, join_pitches, score_to_events
from tfseqgan.music.score import Chord, Note, Score

_NOTHING = (0, (), ())


def _split_voices(event: Event) -> list[Event]:
    """Returns the chord half and the melody half of an event, without one that starts nothing."""
    chords = Event(*_NOTHING, *event[3:])
    melody = Event(*event[:3], *_NOTHING)
    starts_nothing = Event(*_NOTHING, *_NOTHING)

    return [half for half in (chords, melody) if half != starts_nothing]


def score_to_interleaved_events(score: Score) -> tuple[list[int], list[Event]]:
    """Writes a score as events of one voice each; where both start, the chord comes first.

    Both voices run to the end of the score, as in `events.score_to_events`. A voice without notes
    has no events.

    Args:
        score: the tune to write.

    Returns:
        (ticks, events), two lists of equal length: when each event happens, and the event. One
        half of each event, melody or chords, is (0, (), ()).

    Example:
        >>> tune = Score((Note(0, 24, 67), Note(24, 24, 69)), (Chord(0, 48, (43, 47, 50)),))
        >>> ticks, events = score_to_interleaved_events(tune)
        >>> ticks
        [0, 0, 24]
        >>> [tuple(event) for event in events[:2]]
        [(0, (), (), 48, (3, 2, 2), (2, 7, 11)), (24, (4,), (7,), 0, (), ())]
    """
    ticks = []
    interleaved = []
    for tick, event in zip(*score_to_events(score), strict=True):
        for half in _split_voices(event):
            ticks.append(tick)
            interleaved.append(half)

    return ticks, interleaved


def interleaved_events_to_score(events: Iterable[Event], **score_fields: Any) -> Score:
    """Reads events as a score: each voice is a run without gaps, whatever the other one does.

    Args:
        events: the events in order. An event with both halves continues both voices.
        **score_fields: `key`, `time_signature`, `tempo_bpm`, `name` and `rhythm` of the score.

    Returns:
        The score. For the events of `score_to_interleaved_events`, it has the melody and chords of
        the original exactly.

    Example:
        >>> chord = Event(0, (), (), 48, (2,), (7,))
        >>> note = Event(24, (4,), (7,), 0, (), ())
        >>> tune = interleaved_events_to_score([chord, note, note])
        >>> tune.melody[1]
        Note(start_ticks=24, duration_ticks=24, pitch=67)
    """
    melody = []
    chords = []
    melody_end = 0
    chord_end = 0
    for event in events:
        melody_pitches = join_pitches(event.melody_octaves, event.melody_pitch_classes)
        if event.melody_duration:
            melody += [Note(melody_end, event.melody_duration, pitch) for pitch in melody_pitches]
            melody_end += event.melody_duration

        chord_pitches = join_pitches(event.chord_octaves, event.chord_pitch_classes)
        if event.chord_duration:
            if chord_pitches:
                chords.append(Chord(chord_end, event.chord_duration, chord_pitches))
            chord_end += event.chord_duration

    return Score(tuple(melody), tuple(chords), **score_fields)
