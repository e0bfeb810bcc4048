"""Pitches without a key, and the major key that needs the fewest accidentals for them."""

FEWEST_ACCIDENTALS = [
    ((60, 62, 64), "C"),
    ((66, 67, 71), "G"),
    ((65, 70, 72), "F"),
    ((61, 66, 68, 71, 63), "E"),
    ((63, 68, 70, 65, 60), "Eb"),
    ((60, 61, 65, 66), "Db"),
]
