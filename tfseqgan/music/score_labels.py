"""The metre and the key that a tune does not say, by its notes."""

import dataclasses

from tfseqgan.music.key_estimation import estimate_key
from tfseqgan.music.metre_estimation import estimate_metre
from tfseqgan.music.score import Score


def with_metre_and_key(score: Score) -> Score:
    """Fills in the metre and the key of a tune where it does not say them.

    Everything that is written has a metre and a key by this function: MIDI files and their accents,
    ABC, and the controls of tokens.

    Args:
        score: the tune.

    Returns:
        The tune with the time signature of `estimate_metre` and the key of `estimate_key`. What it
        says itself is left. The key is None if all fit equally well, as in a tune without notes.

    Example:
        >>> from tfseqgan.music.score import Chord, Note
        >>> melody = tuple(Note(24 * beat, 24, 67) for beat in range(24))
        >>> chords = tuple(Chord(72 * bar, 72, (43, 47, 50)) for bar in range(8))
        >>> tune = with_metre_and_key(Score(melody, chords))
        >>> tune.time_signature, tune.key
        ((3, 4), 'G')
        >>> with_metre_and_key(Score(melody, chords, "Em", (6, 8))).key
        'Em'
    """
    if score.time_signature is not None and score.key is not None:
        return score

    return dataclasses.replace(
        score,
        time_signature=score.time_signature or estimate_metre(score),
        key=score.key or estimate_key(score),
    )
